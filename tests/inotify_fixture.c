/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "fs/op/lock.h"
#include "tests/inotify_fixture.h"

struct inotify in;

static void inotify_deinit(struct fs_fixture *fx)
{
	while (!TAILQ_EMPTY(&in.owed))
		queue_owed(&fx->fs);
	queue_deinit(&fx->fs, &in.queue);
	pthread_cond_destroy(&in.wake);
	fx->fs.inotify = NULL;
	fx->fs.teller = 0;
}

int inotify_fixture_setup(void **state)
{
	struct fs_fixture *fx = fs_fixture_new();

	in = (struct inotify){ .work = false };
	queue_init(&in.queue);
	TAILQ_INIT(&in.owed);
	fs_cond_init(&in.wake);
	fx->fs.inotify = &in;
	fx->deinit = inotify_deinit;
	*state = fx;
	return 0;
}

void patience_ends(void)
{
	in.queue.patient_due_ns = 0;
	queue_wait_over(&in.queue);
}
