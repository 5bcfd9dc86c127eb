/* SPDX-License-Identifier: MIT */
/* The users who have taken something, by their numbers. */
#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

#include "fs/model/quota.h"

struct quota_user {
	uid_t uid;
	uint64_t used[QUOTA_KINDS];
	UT_hash_handle hh;
};

void quotas_init(struct quotas *quotas, const uint64_t shares[QUOTA_KINDS], struct logger *log)
{
	static const char *const names[QUOTA_KINDS] = {
		[QUOTA_STREAMS] = "open event streams",
		[QUOTA_WATCHED] = "bytes for the paths of event streams",
		[QUOTA_TRANSACTIONS] = "open transactions",
		[QUOTA_WATCHES] = "watches",
	};

	*quotas = (struct quotas){ .log = log };
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		quotas->kinds[kind] = (struct quota){
			.name = names[kind],
			.share = shares[kind],
			.users = shares[kind] * QUOTA_USERS,
		};
}

void quotas_deinit(struct quotas *quotas)
{
	struct quota_user *user, *next;

	HASH_ITER (hh, quotas->by_uid, user, next) {
		HASH_DEL(quotas->by_uid, user);
		free(user);
	}
}

static struct quota_user *quota_user_find(struct quotas *quotas, uid_t uid)
{
	struct quota_user *user;

	HASH_FIND(hh, quotas->by_uid, &uid, sizeof(uid), user);
	return user;
}

static struct quota_user *quota_user_intern(struct quotas *quotas, uid_t uid)
{
	struct quota_user *user = quota_user_find(quotas, uid);

	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	HASH_ADD(hh, quotas->by_uid, uid, sizeof(uid), user);
	if (!user->hh.tbl) {
		free(user);
		return NULL;
	}
	return user;
}

/* A user who has nothing is forgotten: there may be any number of them in the life of a mount. */
static void quota_user_drop_idle(struct quotas *quotas, struct quota_user *user)
{
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		if (user->used[kind])
			return;
	HASH_DEL(quotas->by_uid, user);
	free(user);
}

static bool is_too_much(const struct quota *quota, const struct quota_user *user, enum quota_kind kind,
			uint64_t n)
{
	if (quota->used + n > quota->share * QUOTA_MOUNT)
		return true;
	return user->uid != 0 && (user->used[kind] + n > quota->share || quota->users_used + n > quota->users);
}

static int refuse(struct quotas *quotas, struct quota *quota, uid_t uid)
{
	unsigned long missed;

	quota->refusals++;
	if (quota->name && rate_allows(&quota->rate, 1, &missed))
		log_warning(quotas->log, "user %u is refused more %s: xsfs(8), LIMITS (%lu lines like this were "
					 "left out)", (unsigned)uid, quota->name, missed);
	return -EDQUOT;
}

int quota_charge(struct quotas *quotas, enum quota_kind kind, uid_t uid, uint64_t n)
{
	struct quota *quota = &quotas->kinds[kind];
	struct quota_user *user = quota_user_intern(quotas, uid);

	if (!user)
		return -ENOMEM;
	if (is_too_much(quota, user, kind, n)) {
		quota_user_drop_idle(quotas, user);
		return refuse(quotas, quota, uid);
	}
	user->used[kind] += n;
	quota->used += n;
	if (uid != 0)
		quota->users_used += n;
	return 0;
}

void quota_release(struct quotas *quotas, enum quota_kind kind, uid_t uid, uint64_t n)
{
	struct quota *quota = &quotas->kinds[kind];
	struct quota_user *user = quota_user_find(quotas, uid);

	user->used[kind] -= n;
	quota->used -= n;
	if (uid != 0)
		quota->users_used -= n;
	quota_user_drop_idle(quotas, user);
}
