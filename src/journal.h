/* SPDX-License-Identifier: MIT */
/*
 * systemd's journal by its native protocol, which transports a line's priority, program and mount
 * separately from the text (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).  For log.c; on any
 * thread, except at the start.
 */
#ifndef SRC_JOURNAL_H
#define SRC_JOURNAL_H

#include <stdbool.h>

/* Returns whether standard error leads to the journal, which whoever starts a service says in
 * JOURNAL_STREAM (systemd.exec(5)). */
bool journal_has_stderr(void);

/* Opens the journal.  Returns whether there is one.  May be called again, and then does nothing. */
bool journal_open(void);

/* Closes it, so that journal_open() opens it anew.  While there is no other thread. */
void journal_close(void);

/*
 * Sends a line of severity `priority` (as in syslog(3)) that names `mount` ("": none) in a field of
 * its own.  Never waits.  Returns false if the line was not taken.
 */
bool journal_send(int priority, const char *mount, const char *text);

#endif
