/* SPDX-License-Identifier: MIT */
/*
 * Aborts FUSE connections, by fusectl (the kernel's Documentation/filesystems/fuse.rst): everybody
 * who waits for the mount's process then gets an error, whatever state that process is in.
 * Any thread; no state.
 */
#ifndef FS_CONNECTION_H
#define FS_CONNECTION_H

/*
 * Opens the file that aborts the connection `number`, the minor device number of its mounts.  Writing
 * a byte to the descriptor aborts it, which needs no rights any more; once the connection is over
 * that does nothing, even if another one has its number by then.
 * Returns a descriptor, or -errno: the file belongs to root and whoever mounted, and where fusectl is
 * not mounted only root can open it.
 */
int connection_abort_open(unsigned number);

#endif
