/* SPDX-License-Identifier: MIT */
/* The special files, each with the source file that defines it.  For those files,
 * and for the table. */
#ifndef FS_SPECIAL_SPECIAL_FILES_H
#define FS_SPECIAL_SPECIAL_FILES_H

#include "fs/special/special.h"

extern const struct special special_value;    /* special_value.c */
extern const struct special special_perms;    /* special_perms.c */
extern const struct special special_xsfs;     /* special_xsfs.c */
extern const struct special special_nodes;    /* special_xsfs.c */
extern const struct special special_self;     /* special_xsfs.c */
extern const struct special special_options;  /* special_options.c */
extern const struct special special_readme;   /* special_readme.c */
extern const struct special special_stats;    /* report.c */
extern const struct special special_requests; /* report.c */
extern const struct special special_metrics;  /* special_metrics.c */
extern const struct special special_subtree;  /* special_watch.c */
extern const struct special special_next;     /* special_watch.c */
extern const struct special special_watch;    /* special_watch.c */
extern const struct special special_transaction; /* special_transaction.c */
extern const struct special special_tx;          /* special_transaction.c */
extern const struct special special_xenbus;   /* special_xenbus.c */
extern const struct special special_dump;     /* special_bulk.c */
extern const struct special special_json;     /* special_bulk.c */
extern const struct special special_control;  /* special_control.c */

#endif
