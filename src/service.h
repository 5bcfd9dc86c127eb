/* SPDX-License-Identifier: MIT */
/*
 * Notifications to a service manager by the protocol of sd_notify(3): a datagram to the socket that
 * NOTIFY_SOCKET names.  Without libsystemd, because xsfs needs nothing else from it.
 * For main.c, main thread.
 */
#ifndef SRC_SERVICE_H
#define SRC_SERVICE_H

/*
 * Takes NOTIFY_SOCKET out of the environment, so that no child speaks in our name, and opens the
 * socket.  Call it before any other thread starts, and before the process gives up its privileges.
 * Does nothing without a service manager.
 */
void service_open(void);

/* Sends one or more lines such as "READY=1", separated by newlines.  Waits up to five seconds for a service
 * manager that is busy.  Does nothing if there is none, or it does not take them. */
void service_tell(const char *lines);

#endif
