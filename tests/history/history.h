/* SPDX-License-Identifier: MIT */
/*
 * Histories of concurrent operations on one store, and whether they are linearizable.
 *
 * A history is a list of steps: one system call on a mount, one request of a client of the store, or
 * one transaction of such a client, each with the time before it and after it and with its result.
 * It is linearizable if the steps can be put into an order that agrees with those times and in which
 * each step has a result that the model (model.c) allows there.
 *
 * All happens in a small tree below one directory: the nodes p and q with the children x and y each.
 */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PATHS 6
#define PATH_BASE PATHS /* the directory that all are in; it stays, and nobody changes it */
#define PATH_NONE (-1)

#define CLIENTS_MAX 6
#define SLOTS 10 /* open files of a client; none twice, as that would order what need not be */
#define STEPS_MAX 256
#define VALUES_MAX 1024
#define SUBS_MAX 4

#define FOREVER INT64_MAX

/* The errno of a step that failed because whoever served it died: it may have happened, or may happen later. */
#define LOST ECONNABORTED

/* How a step got to the store. */
enum view {
	VIEW_A,      /* the first mount */
	VIEW_B,      /* the second */
	VIEW_NODES_A, /* .xsfs/nodes there */
	VIEW_NODES_B,
	VIEW_RAW_A,  /* .xsfs/xenbus there */
	VIEW_RAW_B,
	VIEW_DIRECT, /* the server's socket */
	VIEWS
};

enum op {
	/* On a mount. */
	OP_OPEN,     /* path, flags; in .xsfs/nodes of the .value there */
	OP_READ,     /* all of it, from the start */
	OP_WRITE,    /* value, in one write(2) */
	OP_FSYNC,
	OP_CLOSE,
	OP_TRUNCATE, /* path, to nothing */
	OP_UNLINK,   /* path; in .xsfs/nodes of the .value there */
	OP_MKDIR,
	OP_RMDIR,
	OP_MKNOD,
	OP_RENAME,   /* path, path2; flags: OPEN_EXCL for RENAME_NOREPLACE */
	OP_LIST,
	OP_STAT,
	/* In the store's own protocol. */
	OP_XS_READ,
	OP_XS_WRITE,
	OP_XS_MKDIR,
	OP_XS_RM,
	OP_XS_DIRECTORY,
	OP_XS_TX,    /* subs, and then the commit */
	/* Whoever serves the others has died, and the next one has begun. */
	OP_NEW_MOUNT,  /* the mount of the view */
	OP_NEW_SERVER, /* with an empty store */
	OPS
};

/* Flags of OP_OPEN. */
#define OPEN_WRITE (1 << 0)
#define OPEN_TRUNC (1 << 1)
#define OPEN_CREAT (1 << 2)
#define OPEN_EXCL (1 << 3)
#define OPEN_APPEND (1 << 4)

/* Values are numbers of texts in the history's table. */
#define VALUE_ABSENT 0
#define VALUE_EMPTY 1

/* What a list of names can have beyond the paths. */
#define NAMES_VALUE (1 << PATHS)         /* .value */
#define NAMES_UNKNOWN (1 << (PATHS + 1)) /* a name that nobody made, or one twice */

enum kind {
	KIND_NONE,
	KIND_FILE,
	KIND_DIR,
};

/* A request inside a transaction. */
struct sub {
	uint8_t op; /* OP_XS_… */
	int8_t path;
	uint16_t value; /* written or read */
	int16_t err;    /* 0 or an errno */
	uint8_t names;
};

struct step {
	uint8_t client;
	uint8_t view;
	uint8_t op;
	uint8_t slot; /* which open file */
	int8_t path, path2;
	uint8_t flags;
	uint16_t value;     /* written or read */
	int16_t err;        /* 0 or an errno */
	uint8_t kind;       /* OP_STAT: enum kind */
	uint8_t names;      /* of a list */
	uint32_t size;      /* OP_STAT of a file */
	int64_t from, to;   /* CLOCK_MONOTONIC in ns; to == FOREVER: it was not seen to end */
	int64_t back;       /* OP_CLOSE: when it returned; `to` is when its write had surely happened */
	uint8_t n_subs;
	struct sub subs[SUBS_MAX];
};

/* The texts of values; those of VALUE_ABSENT and VALUE_EMPTY are empty. */
struct texts {
	unsigned count;
	char *text[VALUES_MAX];
};

struct history {
	uint64_t seed;
	bool cached; /* cache=meta or cache=full */
	bool values; /* cache=full */
	bool reused; /* the paths were used before: any may have been seen as a directory */
	uint16_t initial[PATHS];
	unsigned n_steps;
	struct step steps[STEPS_MAX];
	struct texts *texts; /* copies of the history share it */
};

void history_init(struct history *h);
void history_deinit(struct history *h);

/* Returns the number of a text, which is copied if it is new; the program ends when there are too
 * many. */
uint16_t value_of_text(struct texts *texts, const char *text, size_t len);

/* Returns the path that has that name below the directory, such as "p/x", or PATH_NONE. */
int path_of_name(const char *name);
const char *path_name(int path);

/* Returns the parent, PATH_BASE for p and q. */
static inline int path_parent(int path)
{
	return path < 2 ? PATH_BASE : (path - 2) / 2;
}

/* Returns the first of the two children of p and q. */
static inline int path_child(int path)
{
	return 2 + 2 * path;
}

static inline bool view_is_nodes(unsigned view)
{
	return view == VIEW_NODES_A || view == VIEW_NODES_B;
}

static inline bool view_is_tree(unsigned view)
{
	return view == VIEW_A || view == VIEW_B;
}

static inline bool view_is_raw(unsigned view)
{
	return view >= VIEW_RAW_A;
}

/* Returns which mount it is, -1 for none. */
static inline int view_mount(unsigned view)
{
	return view == VIEW_DIRECT ? -1 : (int)(view & 1);
}

/* text.c: histories as text, see its opening comment. */
void history_print(const struct history *h, FILE *out);
void step_print(const struct history *h, const struct step *step, FILE *out);

const char *op_name(unsigned op);
const char *view_name(unsigned view);

/* Reads one; returns 0, or -1 having complained about a line. */
int history_parse(struct history *h, FILE *in, const char *name);

/* ---- model.c ---- */

/*
 * What the manual admits beyond the strict model, and what it does not (`admitted` is false), which
 * is there to look past one kind of fault for others.
 */
struct exception {
	const char *name;
	bool admitted;
	const char *sentence; /* of xsfs(5); or what is wrong */
};

enum {
	MAY_STALE,
	MAY_VIEWS,
	MAY_KIND,
	MAY_WALK,
	MAY_TWO_LOOKS,
	MAY_LATE,
	MAY_SAME_PATH,
	MAY_GHOST,
	MAY_SPURIOUS,
	MAY_REPLACE,
	MAY_SKEW,
	EXCEPTIONS
};

extern const struct exception exceptions[EXCEPTIONS];

#define MAY(which) (1u << MAY_##which)

unsigned exceptions_admitted(void);

struct open_file {
	int8_t path; /* PATH_NONE: closed */
	uint8_t kinds; /* what it can have been when it was opened: 1 << enum kind */
	uint8_t flags; /* FILE_… */
	uint8_t view;
	uint16_t last; /* FILE_REPLACED: what it had */
};

struct state {
	uint16_t values[PATHS];
	uint8_t were_dirs;  /* these have had children */
	uint8_t made[2];    /* of each mount: these are directories, whatever they have */
	uint8_t maybe[2];   /* ... may be */
	uint8_t unsure[2];  /* ... may be taken for what they were before */
	uint8_t pending[2]; /* ... were created there, and the store may not have them yet */
	uint8_t adrift[2];  /* ... but what they are in was removed, perhaps with them */
	uint8_t bare[2];    /* ... may have no .value in .xsfs/nodes while they are empty */
	struct open_file files[CLIENTS_MAX][SLOTS];
};

#define NEXT_MAX 16

void state_init(struct state *state, unsigned may, const struct history *h);

/*
 * Writes the states that a step can lead to with the result that it had to `next` (NEXT_MAX).
 * Returns their number; 0: it cannot have had that result in `state`.
 */
unsigned model_step(const struct history *h, unsigned may, const struct state *state,
		    const struct step *step, struct state *next);

/* Whether the step may have happened or not, at any time from its begin on. */
bool step_is_open(const struct step *step);

/* Whether the step may have been answered from what the mount knew before it began. */
bool step_may_be_stale(const struct history *h, const struct step *step);

/* Whether the step, with its result, changes the store or what a mount shows; or may do so, where it was given up. */
bool step_changes(const struct step *step);

/* ---- check.c ---- */

enum verdict {
	LINEARIZABLE,
	REFUSED,
	UNDECIDED, /* too many states */
};

/* `visited` (may be NULL): how many states were looked at. */
enum verdict history_check(const struct history *h, unsigned may, unsigned long *visited);

/*
 * Returns which exceptions beyond `may` a refused history needs, as few as can be found, or 0 if all
 * of them do not help.
 */
unsigned history_explain(const struct history *h, unsigned may);

/*
 * Makes a refused history small: its shortest beginning that is refused, without the steps that do
 * not matter.  What explains it (see history_explain()) still does.  Returns the index of the step
 * whose result cannot be.
 */
unsigned history_shrink(struct history *h, unsigned may, unsigned explained);

/* ---- disaster.c ---- */

/* What happens to the server, or to a mount, in the middle of a history.  Somebody else does it, see main.c. */
enum disaster {
	DISASTER_NONE,
	DISASTER_UPDATE, /* the server is replaced, and keeps all, connections too */
	DISASTER_ANEW,   /* the server is killed, and the next one begins with none */
	DISASTER_MOUNT,  /* a mount's process is killed, and the next one mounts at its place */
	DISASTERS
};

const char *disaster_name(unsigned disaster);

/* ---- record.c ---- */

struct recorder;

struct record_config {
	const char *mounts[2]; /* [1] may be NULL */
	const char *socket;    /* the server's */
	const char *node;      /* below which everything happens */
	bool cached, values;
	unsigned clients_max, ops_max;
	unsigned reuse;        /* the same names are used for so many histories */
	uint32_t ops;          /* a bit for each enum op that may be used, by the first of its calls */
	uint32_t views;        /* a bit for each enum view */
	enum disaster disaster; /* of each history */
};

struct recorder *recorder_new(const struct record_config *config);
void recorder_free(struct recorder *r);

/*
 * Records the history of `seed`.  Returns 0; 1 if a mount did not come to show what the store has,
 * with the reason in `why`.
 */
int recorder_run(struct recorder *r, uint64_t seed, struct history *h, char *why, size_t size);

/* Returns how many steps failed because of a disaster; `met`: how many were under way during one. */
unsigned long recorder_lost(const struct recorder *r, unsigned long *met);

#endif
