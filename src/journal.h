/* SPDX-License-Identifier: MIT */
/*
 * systemd's journal by its native protocol, which keeps a line's priority, its program and its mount
 * apart from the text (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).  For log.c; any thread, but for
 * the start.
 */
#ifndef SRC_JOURNAL_H
#define SRC_JOURNAL_H

#include <stdbool.h>

/* Returns whether standard error leads to the journal: who starts a service says so in JOURNAL_STREAM
 * (systemd.exec(5)). */
bool journal_has_stderr(void);

/* Opens it.  Returns whether there is one; may be called again, and does nothing then. */
bool journal_open(void);

/* Closes it, so that journal_open() opens it anew.  While there is no other thread. */
void journal_close(void);

/*
 * Sends a line of the severity `priority` (syslog(3)'s), which names `mount` ("": none) in a field of
 * its own.  Never waits.  Returns false where it was not taken.
 */
bool journal_send(int priority, const char *mount, const char *text);

#endif
