/* SPDX-License-Identifier: MIT */
/*
 * `xsfs VERB …` runs the program xsfs-VERB, so that the daemon, which has domain 0's privileges,
 * contains none of the tools' code.  For main.c.
 */
#ifndef SRC_VERBS_H
#define SRC_VERBS_H

#include <stddef.h>

/*
 * Becomes the program of the verb argv[1], or prints what `help` asks for.  Returns if argv[1] is
 * neither: it is a store or a directory then.  A directory that is called as a verb is written ./ls.
 */
void verbs_run(int argc, char **argv);

/* Prints the verbs, one a line. */
void verbs_list(void);

/* Writes all verbs to `text`, between blanks. */
void verbs_names(char *text, size_t size);

#endif
