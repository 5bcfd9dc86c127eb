/* SPDX-License-Identifier: MIT */
/* The text of --help, which shell completion reads, too. */
#include "src/options.h"

const char *options_help(void)
{
	return "usage: xsfs [STORE] MOUNTPOINT [-o OPTION[,OPTION]...] [-f] [-d] [-h] [-V]\n"
	       "Mounts xenstore as a file system.  STORE is one of\n"
	       "  auto              what there is: the socket, else the device (default)\n"
	       "  socket[:PATH]     xenstored's unix socket\n"
	       "  xenbus[:DEVICE]   the kernel's device, /dev/xen/xenbus\n"
#ifdef HAVE_XEN
	       "  ring[:WORD,...]   the shared page itself, if the kernel leaves it alone\n"
	       "  embedded[:c|:o]   a private xenstored with sample domains; works without Xen\n"
#endif
	       "  -o format=text|raw    values end in a newline (default); the bytes as they are\n"
	       "  -o layout=tree|nodes  leaves are files (default); every node is a directory\n"
	       "  -o cache=meta|off|full  keep attributes (default); nothing; values as well\n"
	       "  -o inotify=auto|on|off  tell inotify(7) of others' changes\n"
	       "  -o root=PATH      mount only what is below PATH in the store\n"
	       "  -o dirs=PATH:...  more paths of empty directories; none: not those of Xen\n"
	       "  -o protect=PATH:...   more directories to keep; none: not those of Xen\n"
	       "  -o uid=USER       owner of all files (you)\n"
	       "  -o gid=GROUP      group of all files (yours)\n"
	       "  -o umask=MODE     permissions to leave out, octal (0077)\n"
	       "  -o allow_other    let other users in, as the permissions say\n"
	       "  -o strict-modes   chmod, chown and utimes fail instead of doing nothing\n"
	       "  -o timeout=S      seconds that an operation waits for the store (30)\n"
	       "  -o threads=N      threads that take requests from the kernel (1)\n"
	       "  -o in_flight=N    most requests that await a reply (what STORE allows)\n"
	       "  -o tx_idle=S      seconds after which an unused transaction is aborted (60)\n"
	       "  -o streams=N      most event streams of a user (128)\n"
	       "  -o watched=KIB    most memory for the paths of a user's streams (4096)\n"
	       "  -o transactions=N  most transactions that a user has open (16)\n"
	       "  -o seccomp=on|off  no system calls but those that serving takes (on); all\n"
	       "  -o log=info|debug     log what matters (info); each request as well\n"
	       "  -o demo           embedded: sample domains come, change and go\n"
	       "  -o ro, auto_unmount   read-only; unmount also when xsfs is killed\n"
	       "  -f, -d, -h, -V    foreground; and log each request; help; version; man xsfs\n";
}
