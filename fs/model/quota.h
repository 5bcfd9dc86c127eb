/* SPDX-License-Identifier: MIT */
/*
 * What users may use up of a mount: how much of each kind one user has, and how much there is for all.  Root has no
 * share of its own, and what is left for it when all others have taken theirs is the rest of the mount's.
 * The caller serialises (fs->lock).
 */
#ifndef FS_MODEL_QUOTA_H
#define FS_MODEL_QUOTA_H

#include <stdint.h>
#include <sys/types.h>

#include "ring/logger.h"
#include "ring/rate.h"

enum quota_kind {
	QUOTA_STREAMS,      /* open event streams; a number */
	QUOTA_WATCHED,      /* what their paths take; bytes */
	QUOTA_TRANSACTIONS, /* open ones of users; a number */
	QUOTA_WATCHES,      /* that the server has for single paths; a number */
	QUOTA_EMPTY,        /* empty values that are due when open files end; a number */
	QUOTA_KINDS
};

/* How many times one user's share all users together have, but for root; and with it. */
#define QUOTA_USERS 4
#define QUOTA_MOUNT 16

/* A share without a limit. */
#define QUOTA_NONE (UINT64_MAX / QUOTA_MOUNT)

struct quota_user;

struct quota {
	const char *name;    /* for the log; NULL: who gets no more loses nothing by it, which is not logged */
	uint64_t share;      /* a user's */
	uint64_t users;      /* that all have, but root: QUOTA_USERS times that, if it is not set to less */
	uint64_t used;       /* with root */
	uint64_t users_used; /* without */
	uint64_t refusals;
	struct rate rate; /* of the log's lines about them */
};

struct quotas {
	struct quota kinds[QUOTA_KINDS];
	struct quota_user *by_uid;
	struct logger *log;
};

/* `shares`: what one user may have of each kind.  `log` is borrowed. */
void quotas_init(struct quotas *quotas, const uint64_t shares[QUOTA_KINDS], struct logger *log);
void quotas_deinit(struct quotas *quotas);

/*
 * Gives `uid` `n` of a kind.  Returns 0; -EDQUOT if that is more than it, or all, may have, which is counted and, if the
 * kind has a name, logged, not more often than once a minute; or -ENOMEM.
 */
int quota_charge(struct quotas *quotas, enum quota_kind kind, uid_t uid, uint64_t n);

/* Takes them back. */
void quota_release(struct quotas *quotas, enum quota_kind kind, uid_t uid, uint64_t n);

#endif
