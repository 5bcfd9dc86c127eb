/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told, by the protocol of sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names.
 * Without libsystemd, of which this is the one thing that xsfs needs.
 * For main.c, main thread.
 */
#ifndef SRC_SERVICE_H
#define SRC_SERVICE_H

/*
 * Takes NOTIFY_SOCKET out of the environment, so that no child speaks in our name.  Before any other thread
 * starts, and before the process loses its rights: it opens the socket.  Nothing happens without a service manager.
 */
void service_open(void);

/* Tells it one or more lines such as "READY=1", separated by newlines.  Nothing happens, and nobody waits, if there is no
 * service manager, or it does not take them. */
void service_tell(const char *lines);

#endif
