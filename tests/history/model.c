/* SPDX-License-Identifier: MIT */
/*
 * What each operation may do and answer in each state of the small tree: man/xsfs.5 as a program.
 *
 * A step happens at one instant.  Where a system call takes several (a path is walked, then the
 * store is asked) the model holds at the last of them for what succeeds, and at any of them for an
 * error, which is the same as at one of them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/history.h"

const struct exception exceptions[EXCEPTIONS] = {
	[MAY_STALE] = { "stale", true,
		"What somebody else changed is seen [...] in stat(2) and ls(1) when its event has "
		"come and was passed on.  [...]  Within that time a file can have an old size, a "
		"removed name can be shown, a new one be missing from a listing, and a file be taken "
		"for a directory or the reverse.  (CACHING; cache=meta only)" },
	[MAY_VIEWS] = { "views", true,
		"A change that this mount made is seen at once where it was made.  What was changed "
		"in the tree is seen in .xsfs/nodes when its event has come, and the reverse.  "
		"(CACHING)" },
	[MAY_KIND] = { "kind", true,
		"Of a node that was seen as a directory this holds until the kernel has forgotten it, "
		"also while the node has a value, and also where somebody else removed it and made it "
		"again meanwhile.  (THE TREE)" },
	[MAY_WALK] = { "walk", true,
		"As everywhere, a path is walked name by name: an operation below a directory that "
		"rename(2) moves or replaces meanwhile may follow it, or fail with ENOENT.  "
		"So may an operation on a file that is open and moved meanwhile.  "
		"(ATOMICITY AND TIMING)" },
	[MAY_TWO_LOOKS] = { "two-looks", true,
		"rename(2) looks at one name after the other, and can complain about a new name that "
		"came into being when the old one was gone.  (ATOMICITY AND TIMING)" },
	[MAY_LATE] = { "late", true,
		"A key that is removed while the XS_WRITE is on its way, or a moment before, so that "
		"the event has not come yet, is made again by it.  The same is true of the empty value "
		"at a close that does not wait [...].  And a value that is on its way when its key is "
		"replaced can reach the new key.  (Removed nodes)" },
	[MAY_SAME_PATH] = { "same-path", false,
		"An open file whose node this mount removed or replaced reads and writes the new node "
		"of that path." },
	[MAY_GHOST] = { "ghost", false, "A write or mkdir brings back what was removed." },
	[MAY_SPURIOUS] = { "spurious", false,
		"EIO, EINVAL, or ENOENT of rename(2), because of somebody else's change." },
	[MAY_REPLACE] = { "replace", false,
		"rename(2) in .xsfs/nodes replaces a node that has got a value meanwhile." },
	[MAY_SKEW] = { "skew", false,
		"Not xsfs but oxenstored: a transaction in which a request was refused is committed "
		"although it would not be refused any more." },
};

unsigned exceptions_admitted(void)
{
	unsigned may = 0;

	for (unsigned i = 0; i < EXCEPTIONS; i++)
		if (exceptions[i].admitted)
			may |= 1u << i;
	return may;
}

/* Of an open file. */
#define FILE_DUE (1 << 0)       /* an empty value is due when it is closed */
#define FILE_MAYBE_DUE (1 << 1) /* ... may be: something else happened to the file through the mount */
#define FILE_APPEND (1 << 2)
#define FILE_LOST (1 << 3)      /* somebody else removed its node: it comes back with that */
#define FILE_REMOVED (1 << 4)   /* its layout did, or replaced it, and it does not come back */
#define FILE_REPLACED (1 << 5)  /* ... by a rename in its own layout: it is read as it was */
#define FILE_DEAD (1 << 6)      /* its mount is: only what was under way then may still happen */

#define ABSENT (1 << KIND_NONE)
#define FILE_ (1 << KIND_FILE)
#define DIR_ (1 << KIND_DIR)

#define BIT(path) (1u << (path))

void state_init(struct state *state, unsigned may, const struct history *h)
{
	memset(state, 0, sizeof(*state));
	memcpy(state->values, h->initial, sizeof(state->values));
	state->were_dirs = h->reused ? 3 : 0;
	for (int i = 0; i < 2; i++)
		if (state->values[path_child(i)] || state->values[path_child(i) + 1])
			state->were_dirs |= BIT(i);
	for (int m = 0; m < 2; m++) {
		/* Both mounts were asked for all before it began. */
		for (int i = 0; i < 2; i++)
			if (state->values[path_child(i)] || state->values[path_child(i) + 1])
				*(may & MAY(KIND) ? &state->maybe[m] :
							      &state->made[m]) |= 1u << i;
		if (h->reused)
			state->maybe[m] = state->bare[m] = (1u << PATHS) - 1;
	}
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		for (unsigned j = 0; j < SLOTS; j++)
			state->files[i][j].path = PATH_NONE;
}

/* ---- what there is ---- */

static bool exists(const struct state *s, int path)
{
	return path == PATH_BASE || s->values[path] != VALUE_ABSENT;
}

/* The children of a path, a bit for each. */
static unsigned children(const struct state *s, int path)
{
	unsigned bits = 0;

	for (int i = 0; i < PATHS; i++)
		if (path_parent(i) == path && exists(s, i))
			bits |= BIT(i);
	return bits;
}

static unsigned below(int path)
{
	return path < 2 ? BIT(path_child(path)) | BIT(path_child(path) + 1) : 0;
}

/* As which kinds a view may show a path. */
static unsigned kinds(unsigned may, const struct state *s, unsigned view, int path)
{
	int m = view_mount(view);

	if (path == PATH_BASE)
		return DIR_;
	if (view_is_tree(view) && (s->unsure[m] & BIT(path)))
		return FILE_ | DIR_ | (exists(s, path) ? 0 : ABSENT);
	if (!exists(s, path))
		return !view_is_tree(view) || !(s->pending[m] & BIT(path)) ? ABSENT :
		       s->adrift[m] & BIT(path) ? FILE_ | ABSENT : FILE_;
	if (view_is_nodes(view) || children(s, path))
		return DIR_;
	if (s->values[path] != VALUE_EMPTY)
		return FILE_ | ((may & MAY(KIND)) &&
				((s->made[m] | s->maybe[m]) & BIT(path)) ? DIR_ : 0);
	if (s->made[m] & BIT(path))
		return DIR_;
	return s->maybe[m] & BIT(path) ? FILE_ | DIR_ : FILE_;
}

/* Whether .xsfs/nodes of that mount may have no .value there. */
static bool may_lack_value(const struct state *s, unsigned view, int path)
{
	return view_is_nodes(view) && path != PATH_BASE && s->values[path] == VALUE_EMPTY &&
	       (s->bare[view_mount(view)] & BIT(path));
}

/* The size of the file of a value. */
static uint32_t text_size(const struct history *h, uint16_t value)
{
	return value <= VALUE_EMPTY ? 0 : strlen(h->texts->text[value]) + 1;
}

/* ---- changes ---- */

static bool is_own(unsigned view, int mount)
{
	return !view_is_raw(view) && view_mount(view) == mount;
}

/* The other layout of a mount is somebody else. */
static void file_removed(struct open_file *file, unsigned view)
{
	file->flags |= view == file->view ? FILE_REMOVED : FILE_LOST;
}

/* Whoever has the path open has a file that is gone. */
static void files_removed(struct state *s, unsigned view, int path)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		for (unsigned j = 0; j < SLOTS; j++)
			if (s->files[i][j].path == path)
				file_removed(&s->files[i][j], view);
}

/* The node is about to be replaced by a rename. */
static void files_replaced(struct state *s, unsigned view, int path)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		for (unsigned j = 0; j < SLOTS; j++) {
			struct open_file *file = &s->files[i][j];

			if (file->path != path || file->view != view || !view_is_tree(view) ||
			    (file->flags & FILE_REMOVED))
				continue;
			file->flags |= FILE_REPLACED;
			file->last = s->values[path];
		}
}

/* A directory of that path is one no longer, for a mount that knows of it at once, or when an event
 * told it. */
static void dir_removed(struct state *s, unsigned may, unsigned view, int path)
{
	for (int m = 0; m < 2; m++) {
		bool own = view_is_tree(view) && view_mount(view) == m;

		if (!own && (may & MAY(KIND)))
			s->maybe[m] |= s->made[m] & BIT(path);
		else
			s->maybe[m] &= ~BIT(path);
		s->made[m] &= ~BIT(path);
	}
}

/* The mount's file is in the store, or is not to be. */
static void settled(struct state *s, unsigned view, int path)
{
	if (!view_is_tree(view))
		return;
	s->pending[view_mount(view)] &= ~BIT(path);
	s->adrift[view_mount(view)] &= ~BIT(path);
}

/* A directory is no longer there.  Files that a mount created in it, and the store does not have yet, are
 * gone for the mount that removed it.  Another finds out, unless the directory is made again before. */
static void dir_lost(struct state *s, unsigned view, int path, bool moved)
{
	for (int i = 0; i < PATHS; i++)
		for (int m = 0; m < 2; m++) {
			bool own = view_is_tree(view) && view_mount(view) == m;

			if (!(below(path) & s->pending[m] & BIT(i)) || (own && moved))
				continue;
			files_removed(s, view, i);
			if (own)
				settled(s, view, i);
			else
				s->adrift[m] |= BIT(i);
		}
}

static void remove_one(struct state *s, unsigned may, unsigned view, int path)
{
	settled(s, view, path);
	dir_lost(s, view, path, false);
	s->values[path] = VALUE_ABSENT;
	for (int m = 0; m < 2; m++)
		if (is_own(view, m))
			s->bare[m] &= ~BIT(path);
	files_removed(s, view, path);
	dir_removed(s, may, view, path);
}

static void remove_tree(struct state *s, unsigned may, unsigned view, int path)
{
	for (int i = 0; i < PATHS; i++)
		if (i == path || path_parent(i) == path)
			if (exists(s, i) || i == path)
				remove_one(s, may, view, i);
}

/* XS_WRITE: what is missing above is made. */
static void put(struct state *s, int path, uint16_t value)
{
	int parent = path_parent(path);

	/* Nobody writes to the base; a newer GCC warns of that case where it is not told. */
	assert(path >= 0 && path < PATHS);
	if (parent != PATH_BASE && !exists(s, parent))
		s->values[parent] = VALUE_EMPTY;
	s->values[path] = value;
}

/* An empty value that open files of the path owe may not be due any more. */
static void may_be_due(struct state *s, unsigned view, int path)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		for (unsigned j = 0; j < SLOTS; j++) {
			struct open_file *file = &s->files[i][j];

			if (file->path == path && file->view == view && (file->flags & FILE_DUE))
				file->flags |= FILE_MAYBE_DUE;
		}
}

/* A mount wrote the file. */
static void written(struct state *s, unsigned view, int path)
{
	settled(s, view, path);
	s->bare[view_mount(view)] &= ~BIT(path);
	may_be_due(s, view, path);
}

static struct open_file *file_of(struct state *s, const struct step *step)
{
	return &s->files[step->client][step->slot];
}

/* Whether the mount made that node while the step was under way: it may notice that it is empty after the step. */
static bool made_meanwhile(const struct history *h, const struct step *step)
{
	for (unsigned i = 0; i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if (other->op == OP_MKDIR && other->path == step->path && view_mount(other->view) == view_mount(step->view) &&
		    other->to > step->from && other->from < step->to)
			return true;
	}
	return false;
}

/* The parent was seen as a directory on the way. */
static void passed(struct state *s, const struct step *step, int path)
{
	int parent = path_parent(path);

	if (view_is_tree(step->view) && parent != PATH_BASE)
		s->maybe[view_mount(step->view)] |= BIT(parent);
}

static void seen_as_dir(struct state *s, unsigned may, const struct step *step)
{
	int m = view_mount(step->view);

	if (!view_is_tree(step->view) || step->path == PATH_BASE || !exists(s, step->path))
		return;
	if (may & MAY(KIND))
		s->maybe[m] |= BIT(step->path);
	else
		s->made[m] |= BIT(step->path);
}

/* ---- names ---- */

static bool walk_fails(unsigned may, const struct state *s, const struct step *step, int path)
{
	unsigned parent = kinds(may, s, step->view, path_parent(path));

	return (step->err == ENOENT && (parent & ABSENT)) ||
	       (step->err == ENOTDIR && (parent & FILE_));
}

static bool walk_succeeds(unsigned may, const struct state *s, const struct step *step, int path)
{
	return kinds(may, s, step->view, path_parent(path)) & DIR_;
}

/* ---- open files ---- */

/* Whether a rename of the mount's moves a file that the step makes: it writes the empty value first, and others may see
 * that before the file moves. */
static bool is_made_to_move(const struct history *h, const struct step *step)
{
	for (unsigned i = 0; i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if (other->op == OP_RENAME && other->path == step->path && is_own(other->view, view_mount(step->view)) &&
		    other->to > step->from)
			return true;
	}
	return false;
}

static unsigned do_open(const struct history *h, unsigned may, const struct state *s, const struct step *step,
			struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path);
	bool nodes = view_is_nodes(step->view);
	struct open_file *file;
	int m = view_mount(step->view);
	unsigned n;

	if (step->err) {
		if (!walk_succeeds(may, s, step, step->path))
			return 0;
		if (step->flags & OPEN_EXCL)
			return step->err == EEXIST && (k & (FILE_ | DIR_));
		if (step->err == ENOENT)
			return ((k & ABSENT) || may_lack_value(s, step->view, step->path)) &&
			       !(step->flags & OPEN_CREAT);
		return step->err == EISDIR && (k & DIR_) && !nodes &&
		       (step->flags & (OPEN_WRITE | OPEN_CREAT));
	}
	file = file_of(next, step);
	*file = (struct open_file){ .path = step->path, .view = step->view,
				   .kinds = nodes ? FILE_ : k & (FILE_ | DIR_) };
	if (step->flags & OPEN_APPEND)
		file->flags |= FILE_APPEND;
	if (step->flags & OPEN_EXCL) {
		if (!exists(s, path_parent(step->path)) && !(may & MAY(GHOST)))
			return 0;
		if (exists(s, step->path) || !(k & ABSENT))
			return 0;
		put(next, step->path, VALUE_EMPTY);
		settled(next, step->view, step->path);
		file->kinds = FILE_;
		passed(next, step, step->path);
		return 1;
	}
	if (!walk_succeeds(may, s, step, step->path))
		return 0;
	passed(next, step, step->path);
	if (step->flags & OPEN_TRUNC)
		file->flags |= FILE_DUE;
	if (step->flags & OPEN_WRITE)
		file->kinds &= FILE_;
	n = file->kinds != 0;
	if ((k & ABSENT) && (step->flags & OPEN_CREAT) && !nodes) {
		next[n] = next[0];
		file = file_of(&next[n++], step);
		file->kinds = FILE_;
		file->flags |= FILE_DUE;
		next[n - 1].pending[m] |= BIT(step->path);
		next[n - 1].adrift[m] &= ~BIT(step->path);
		if (is_made_to_move(h, step)) {
			next[n] = next[n - 1];
			put(&next[n], step->path, VALUE_EMPTY);
			settled(&next[n++], step->view, step->path);
		}
	}
	return n;
}

/* Whether the step's mount moved its open file, with what that is in or alone, meanwhile. */
static bool moved_meanwhile(const struct history *h, unsigned may, const struct step *step, int path)
{
	for (unsigned i = 0; (may & MAY(WALK)) && i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if (other->op == OP_RENAME && !other->err && is_own(other->view, view_mount(step->view)) &&
		    other->to > step->from && other->from < step->to &&
		    (other->path == path || other->path2 == path ||
		     other->path == path_parent(path) || other->path2 == path_parent(path)))
			return true;
	}
	return false;
}

/* Whether this mount truncated the file while it was read: the kernel, which answers the read, knows that
 * before the store does. */
static bool cut_meanwhile(const struct history *h, const struct step *step, int path)
{
	for (unsigned i = 0; h->values && i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if ((other->op == OP_TRUNCATE || (other->op == OP_OPEN && (other->flags & OPEN_TRUNC))) &&
		    !other->err && other->path == path && other->view == step->view &&
		    other->to > step->from && other->from < step->to)
			return true;
	}
	return false;
}

/* Whether a value may be read so where the kernel keeps values: cut to the length of another one, or filled up to it.
 * (CACHING: "read one of the two cut to the length of the other") */
static bool may_be_torn(const struct history *h, unsigned may, uint16_t value, uint16_t seen)
{
	const char *a, *b;

	if (!h->values || !(may & MAY(STALE)) || value <= VALUE_EMPTY || seen <= VALUE_EMPTY)
		return false;
	a = h->texts->text[value];
	b = h->texts->text[seen];
	return strncmp(a, b, strlen(a) < strlen(b) ? strlen(a) : strlen(b)) == 0;
}

static unsigned do_read(const struct history *h, unsigned may, const struct state *s, const struct step *step, struct state *next)
{
	const struct open_file *file = &s->files[step->client][step->slot];
	bool pending;

	file_of(next, step)->path = PATH_NONE;
	if (file->path == PATH_NONE)
		return 0;
	if (step->err == EISDIR)
		return (file->kinds & DIR_) != 0;
	if (!(file->kinds & FILE_))
		return 0;
	pending = view_is_tree(step->view) && (s->pending[view_mount(step->view)] & BIT(file->path));
	if (file->flags & FILE_REPLACED && !step->err && step->value == file->last)
		return 1;
	if (step->err == ENOENT || step->err == ESTALE)
		return (file->flags & (FILE_REMOVED | FILE_LOST)) ||
		       moved_meanwhile(h, may, step, file->path) ||
		       (!exists(s, file->path) && !pending);
	if (!step->err && step->value == VALUE_EMPTY && cut_meanwhile(h, step, file->path))
		return 1;
	if (step->err || ((file->flags & FILE_REMOVED) && !(may & MAY(SAME_PATH))))
		return 0;
	if (!exists(s, file->path))
		return pending && step->value == VALUE_EMPTY;
	return s->values[file->path] == step->value || may_be_torn(h, may, s->values[file->path], step->value);
}

static uint16_t appended(const struct history *h, uint16_t old, uint16_t more)
{
	char text[4096];
	int len;

	if (old <= VALUE_EMPTY)
		return more;
	len = snprintf(text, sizeof(text), "%s\n%s", h->texts->text[old],
		       h->texts->text[more]);
	return value_of_text(h->texts, text, len);
}

/* Whether a step removes or replaces a path or what it is in. */
static bool removes(const struct step *step, int path)
{
	int parent = path_parent(path);

	switch (step->op) {
	case OP_NEW_SERVER:
		return true;
	case OP_RENAME:
		if (step->path2 == path || step->path2 == parent)
			return !step->err || step_is_open(step);
		/* fallthrough */
	case OP_UNLINK:
	case OP_RMDIR:
	case OP_XS_RM:
		return (step->path == path || step->path == parent) &&
		       (!step->err || step_is_open(step)) &&
		       !(step->op == OP_UNLINK && view_is_nodes(step->view));
	case OP_XS_TX:
		for (unsigned i = 0; i < step->n_subs; i++)
			if (step->subs[i].op == OP_XS_RM && !step->err &&
			    (step->subs[i].path == path || step->subs[i].path == parent))
				return true;
	}
	return false;
}

/* When the event of what somebody else did has come: the manual says 25 ms of 99 in 100, and later where xsfs gets no
 * processor, as beside other tests. */
#define EVENT_NS 100000000

/* Whether the path was removed while the step's XS_WRITE may have been under way, or a moment before:
 * a mount that does not wait for events asks for the path first. */
static bool removed_lately(const struct history *h, const struct step *step, int path)
{
	for (unsigned i = 0; i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];
		bool told = h->cached && !is_own(other->view, view_mount(step->view));
		int64_t late = told ? EVENT_NS : 0;

		if (other != step && removes(other, path) && other->from < step->to &&
		    (step_is_open(other) || other->to + late > step->from))
			return true;
	}
	return false;
}

/* Whether XS_WRITE may go to where no node is, or to another node. */
static bool may_be_late(const struct history *h, unsigned may, const struct step *step, int path)
{
	return (may & MAY(GHOST)) || ((may & MAY(LATE)) && removed_lately(h, step, path));
}

/* A write that may succeed; the states that it leads to. */
static unsigned do_put(const struct history *h, unsigned may, const struct state *s,
		       const struct step *step, uint16_t value, struct state *next)
{
	const struct open_file *file = &s->files[step->client][step->slot];
	bool pending = view_is_tree(step->view) &&
		       (s->pending[view_mount(step->view)] & BIT(file->path));
	/* A transaction is never late. */
	bool late = (file->flags & FILE_DEAD) ||
		    (!(file->flags & FILE_APPEND) && may_be_late(h, may, step, file->path));

	if (exists(s, file->path)) {
		if ((file->flags & FILE_REMOVED) && !pending && !(may & MAY(SAME_PATH)) && !late)
			return 0;
		if (file->flags & FILE_APPEND)
			value = appended(h, s->values[file->path], value);
	} else if (!pending || !exists(s, path_parent(file->path))) {
		if (!late && !(may & MAY(GHOST)))
			return 0;
	}
	put(next, file->path, value);
	written(next, step->view, file->path);
	return 1;
}

static unsigned do_write(const struct history *h, unsigned may, const struct state *s,
			 const struct step *step, struct state *next)
{
	const struct open_file *file = &s->files[step->client][step->slot];
	struct open_file *after = file_of(next, step);
	bool pending;
	unsigned n;

	if (file->path == PATH_NONE)
		return 0;
	pending = view_is_tree(step->view) && (s->pending[view_mount(step->view)] & BIT(file->path));
	if (step->err) {
		if (step->err != ENOENT && step->err != ESTALE)
			return 0;
		after->flags &= ~(FILE_DUE | FILE_MAYBE_DUE);
		return (file->flags & (FILE_REMOVED | FILE_LOST)) ||
		       moved_meanwhile(h, may, step, file->path) ||
		       (!exists(s, file->path) &&
			(!pending || !exists(s, path_parent(file->path))));
	}
	n = do_put(h, may, s, step, step->value, next);
	after->flags &= ~(FILE_DUE | FILE_MAYBE_DUE);
	return n;
}

/* fsync(2) or the last close(2), which write the empty value that is due. */
static unsigned do_flush(const struct history *h, unsigned may, const struct state *s,
			 const struct step *step, struct state *next)
{
	const struct open_file *file = &s->files[step->client][step->slot];
	bool closes = step->op == OP_CLOSE, pending;
	struct state unchanged = *next;
	unsigned n = 0;

	if (file->path == PATH_NONE)
		return 0;
	pending = view_is_tree(step->view) && (s->pending[view_mount(step->view)] & BIT(file->path));
	if (step->err) {
		file_of(next, step)->flags &= ~(FILE_DUE | FILE_MAYBE_DUE);
		return (step->err == ENOENT || step->err == ESTALE) &&
		       ((file->flags & (FILE_REMOVED | FILE_LOST)) ||
			!exists(s, path_parent(file->path)));
	}
	if (file->flags & FILE_DUE)
		n = do_put(h, may, s, step, VALUE_EMPTY, &next[0]);
	/* Nothing is written when nothing is due, when there is nothing to write to, and when somebody
	 * else has made the file meanwhile. */
	if (!(file->flags & FILE_DUE) || (pending && exists(s, file->path)) ||
	    (file->flags & (FILE_MAYBE_DUE | FILE_REMOVED | FILE_LOST)) ||
	    (!exists(s, file->path) && (!pending || !exists(s, path_parent(file->path)))))
		next[n++] = unchanged;
	for (unsigned i = 0; i < n; i++) {
		struct open_file *after = file_of(&next[i], step);

		after->flags &= ~(FILE_DUE | FILE_MAYBE_DUE);
		if (!closes)
			continue;
		if ((file->flags & FILE_DUE) && view_is_tree(step->view))
			settled(&next[i], step->view, file->path);
		*after = (struct open_file){ .path = PATH_NONE };
	}
	return n;
}

/* ---- the tree ---- */

static unsigned do_truncate(const struct history *h, unsigned may, const struct state *s,
			    const struct step *step, struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path), bare;

	/* There the file is .value. */
	if (view_is_nodes(step->view) && (k & DIR_))
		k = FILE_;
	if (step->err)
		return walk_succeeds(may, s, step, step->path) &&
		       ((step->err == ENOENT && ((k & ABSENT) ||
						 may_lack_value(s, step->view, step->path))) ||
			(step->err == EISDIR && (k & DIR_)));
	if (!(k & FILE_) && !may_be_late(h, may, step, step->path))
		return 0;
	passed(next, step, step->path);
	put(next, step->path, VALUE_EMPTY);
	bare = next->bare[view_mount(step->view)];
	written(next, step->view, step->path);
	if (made_meanwhile(h, step))
		next->bare[view_mount(step->view)] = bare;
	return 1;
}

/* The node has no .value in .xsfs/nodes, unless that was forgotten. */
static void set_bare(struct state *s, const struct step *step)
{
	for (int m = 0; m < 2; m++)
		if (is_own(step->view, m))
			s->bare[m] |= BIT(step->path);
}

static unsigned do_unlink(const struct history *h, unsigned may, const struct state *s,
			  const struct step *step, struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path);

	if (view_is_nodes(step->view)) {
		/* .value is emptied. */
		if (step->err)
			return step->err == ENOENT &&
			       ((k & ABSENT) || may_lack_value(s, step->view, step->path));
		if (!exists(s, step->path) && !may_be_late(h, may, step, step->path))
			return 0;
		put(next, step->path, VALUE_EMPTY);
		set_bare(next, step);
		/* Nothing is written to a file that is removed. */
		may_be_due(next, step->view, step->path);
		return 1;
	}
	if (step->err)
		return walk_succeeds(may, s, step, step->path) &&
		       ((step->err == ENOENT && (k & ABSENT)) ||
			(step->err == EISDIR && (k & DIR_)));
	if (!(k & FILE_) || children(s, step->path))
		return 0;
	passed(next, step, step->path);
	remove_one(next, may, step->view, step->path);
	return 1;
}

static unsigned do_make(unsigned may, const struct state *s, const struct step *step,
			struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path);

	if (step->err)
		return step->err == EEXIST && walk_succeeds(may, s, step, step->path) &&
		       (k & (FILE_ | DIR_));
	if (!(k & ABSENT))
		return 0;
	if (!exists(s, path_parent(step->path)) && !(may & MAY(GHOST)))
		return 0;
	put(next, step->path, VALUE_EMPTY);
	settled(next, step->view, step->path);
	passed(next, step, step->path);
	if (step->op == OP_MKDIR)
		set_bare(next, step);
	/* The other view of the mount may look before mkdir(2) has returned. */
	if (view_is_nodes(step->view))
		next->maybe[view_mount(step->view)] |= BIT(step->path);
	else if (step->op == OP_MKDIR)
		next->made[view_mount(step->view)] |= BIT(step->path);
	return 1;
}

static unsigned do_rmdir(unsigned may, const struct state *s, const struct step *step,
			 struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path);
	bool full = exists(s, step->path) &&
		    (children(s, step->path) || s->values[step->path] != VALUE_EMPTY);

	if (step->err)
		return walk_succeeds(may, s, step, step->path) &&
		       ((step->err == ENOENT && (k & ABSENT)) ||
			(step->err == ENOTDIR && (k & FILE_)) ||
			(step->err == ENOTEMPTY && full));
	if (full || !(k & DIR_))
		return 0;
	passed(next, step, step->path);
	remove_one(next, may, step->view, step->path);
	return 1;
}

/* ---- rename ---- */

static unsigned rename_error(unsigned may, bool stale, const struct state *s,
			     const struct step *step)
{
	unsigned from = kinds(may, s, step->view, step->path);
	unsigned to = kinds(may, s, step->view, step->path2);
	unsigned there;

	/* Each of the two may be as it was at another time. */
	if (stale || (may & MAY(TWO_LOOKS)))
		from |= FILE_ | DIR_;
	there = from & (FILE_ | DIR_);

	if ((!stale && !(may & MAY(TWO_LOOKS)) && !walk_succeeds(may, s, step, step->path)) ||
	    !walk_succeeds(may, s, step, step->path2))
		return 0;
	switch (step->err) {
	case ENOENT:
		return (from & ABSENT) != 0;
	case EEXIST:
		return there && (step->flags & OPEN_EXCL) && (to & (FILE_ | DIR_));
	case EISDIR:
		return (from & FILE_) && (to & DIR_);
	case ENOTDIR:
		return (from & DIR_) && (to & FILE_);
	case EINVAL:
		return there && path_parent(step->path2) == step->path;
	case ENOTEMPTY:
		if (!there)
			return 0;
		if (path_parent(step->path) == step->path2)
			return 1;
		return exists(s, step->path2) && (to & DIR_) &&
		       (children(s, step->path2) || s->values[step->path2] != VALUE_EMPTY);
	}
	return 0;
}

/* Moves a bit of a mount's knowledge. */
static void move_bit(uint8_t *bits, int from, int to)
{
	*bits &= ~BIT(to);
	if (*bits & BIT(from))
		*bits |= BIT(to);
	*bits &= ~BIT(from);
}

/* Moves one node, and what is known of it; an open file goes along in the view that renames. */
static void move_one(struct state *s, unsigned may, const struct step *step, int from, int to)
{
	int m = view_mount(step->view);

	dir_lost(s, step->view, from, true);
	for (unsigned c = 0; c < CLIENTS_MAX; c++)
		for (unsigned i = 0; i < SLOTS; i++)
			if (s->files[c][i].path == from) {
				if (s->files[c][i].view == step->view)
					s->files[c][i].path = to;
				else
					file_removed(&s->files[c][i], step->view);
			}
	move_bit(&s->bare[m], from, to);
	if (view_is_tree(step->view)) {
		move_bit(&s->made[m], from, to);
		move_bit(&s->maybe[m], from, to);
		move_bit(&s->pending[m], from, to);
		move_bit(&s->adrift[m], from, to);
	}
	s->values[to] = s->values[from];
	s->values[from] = VALUE_ABSENT;
	dir_removed(s, may, view_is_tree(step->view) ? step->view ^ 1 : step->view, from);
}

static unsigned do_rename(unsigned may, bool stale, const struct state *s, const struct step *step,
			  struct state *next)
{
	unsigned from = kinds(may, s, step->view, step->path);
	unsigned to = kinds(may, s, step->view, step->path2);

	if (step->err)
		return rename_error(may, stale, s, step);
	if (!(from & (FILE_ | DIR_)))
		return 0;
	if (step->path == step->path2)
		return !(step->flags & OPEN_EXCL);
	if (path_parent(step->path2) == step->path || path_parent(step->path) == step->path2)
		return 0;
	if (!exists(s, path_parent(step->path2)) && !(may & MAY(GHOST)))
		return 0;
	if (children(s, step->path2) ||
	    (to == DIR_ && exists(s, step->path2) && s->values[step->path2] != VALUE_EMPTY &&
	     !(may & MAY(REPLACE))))
		return 0;
	if ((step->flags & OPEN_EXCL) && !(to & ABSENT))
		return 0;
	/* A file that the store does not have yet is made first. */
	if (!exists(s, step->path)) {
		next->values[step->path] = VALUE_EMPTY;
		settled(next, step->view, step->path);
	}
	if (!(to & ABSENT)) {
		files_replaced(next, step->view, step->path2);
		remove_one(next, may, step->view, step->path2);
	}
	put(next, step->path2, VALUE_EMPTY);
	move_one(next, may, step, step->path, step->path2);
	for (int i = 0; i < 2 && step->path < 2; i++)
		if (step->path2 < 2)
			move_one(next, may, step, path_child(step->path) + i,
				 path_child(step->path2) + i);
	/* What is known of it goes along, be it right or not. */
	if (stale && view_is_tree(step->view))
		next->unsure[view_mount(step->view)] |= BIT(step->path2) | below(step->path2);
	/* In the tree the kernel may have seen the old node of that path, or the new one, as a directory. */
	if (!view_is_tree(step->view) && (may & MAY(KIND)))
		next->maybe[view_mount(step->view)] |= BIT(step->path2);
	passed(next, step, step->path);
	passed(next, step, step->path2);
	return 1;
}

/* ---- looking ---- */

static bool are_names_of(const struct state *s, unsigned view, int path, unsigned seen)
{
	unsigned names = children(s, path), m = view_mount(view), adrift = 0;

	if (view_is_tree(view) && path != PATH_BASE) {
		names |= s->pending[m] & below(path);
		adrift = s->pending[m] & s->adrift[m] & below(path) & ~children(s, path);
	}
	if (view_is_tree(view) && path == PATH_BASE)
		names |= s->pending[m] & (BIT(0) | BIT(1));
	if (path != PATH_BASE && !view_is_raw(view) &&
	    (view_is_nodes(view) || s->values[path] > VALUE_EMPTY))
		names |= NAMES_VALUE;
	return (seen | adrift) == names ||
	       (may_lack_value(s, view, path) && (seen | adrift | NAMES_VALUE) == names);
}

static unsigned do_list(unsigned may, const struct state *s, const struct step *step,
			struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path);

	if (step->err)
		return walk_succeeds(may, s, step, step->path) &&
		       ((step->err == ENOENT && (k & ABSENT)) ||
			(step->err == ENOTDIR && (k & FILE_)));
	if (!(k & DIR_))
		return 0;
	seen_as_dir(next, may, step);
	return are_names_of(s, step->view, step->path, step->names);
}

/* Whether the file is empty for this process, which has emptied it, though not yet in the store. */
static bool is_emptied(const struct state *s, unsigned view, int path)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		for (unsigned j = 0; j < SLOTS; j++) {
			const struct open_file *file = &s->files[i][j];

			if (file->path == path && file->view == view &&
			    (file->flags & (FILE_DUE | FILE_DEAD)) == FILE_DUE)
				return true;
		}
	return false;
}

static unsigned do_stat(const struct history *h, unsigned may, const struct state *s,
			const struct step *step, struct state *next)
{
	unsigned k = kinds(may, s, step->view, step->path);

	if (step->err)
		return step->err == ENOENT && (k & ABSENT) &&
		       walk_succeeds(may, s, step, step->path);
	passed(next, step, step->path);
	if (step->kind == KIND_DIR) {
		seen_as_dir(next, may, step);
		return (k & DIR_) != 0;
	}
	if (s->unsure[view_mount(step->view)] & BIT(step->path))
		return 1;
	if (!(k & FILE_))
		return 0;
	return text_size(h, s->values[step->path]) == step->size ||
	       (step->size == 0 && is_emptied(s, step->view, step->path));
}

/* ---- the store's own protocol ---- */

/* One request; it changes *s. */
static bool do_request(struct state *s, unsigned may, unsigned view, const struct sub *sub)
{
	bool there = exists(s, sub->path);

	switch (sub->op) {
	case OP_XS_READ:
		if (sub->err)
			return sub->err == ENOENT && !there;
		return there && s->values[sub->path] == sub->value;
	case OP_XS_WRITE:
		put(s, sub->path, sub->value);
		return !sub->err;
	case OP_XS_MKDIR:
		if (!there)
			put(s, sub->path, VALUE_EMPTY);
		return !sub->err;
	case OP_XS_RM:
		if (sub->err)
			return sub->err == ENOENT && !exists(s, path_parent(sub->path));
		if (there)
			remove_tree(s, may, view, sub->path);
		return there || exists(s, path_parent(sub->path));
	case OP_XS_DIRECTORY:
		if (sub->err)
			return sub->err == ENOENT && !there;
		return there && sub->names == children(s, sub->path);
	}
	return false;
}

static unsigned do_tx(unsigned may, const struct step *step, struct state *next)
{
	/* What does not take effect may have seen anything. */
	if (step->err)
		return step->err == EAGAIN;
	for (unsigned i = 0; i < step->n_subs; i++)
		if (!((may & MAY(SKEW)) && step->subs[i].err) &&
		    !do_request(next, may, step->view, &step->subs[i]))
			return 0;
	return 1;
}

/* ---- who serves them ---- */

/* The next mount at the same place knows nothing of what the last one knew. */
static unsigned do_new_mount(const struct step *step, struct state *next)
{
	int m = view_mount(step->view);

	next->made[m] = next->maybe[m] = next->unsure[m] = next->bare[m] = 0;
	next->pending[m] = next->adrift[m] = 0;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		for (unsigned j = 0; j < SLOTS; j++)
			if (view_mount(next->files[i][j].view) == m)
				next->files[i][j].flags |= FILE_DEAD;
	return 1;
}

/* For both mounts that is as if somebody else had removed all, with the directory that all are in. */
static unsigned do_new_server(unsigned may, const struct step *step, struct state *next)
{
	for (int path = 0; path < PATHS; path++) {
		if (exists(next, path))
			remove_one(next, may, step->view, path);
		files_removed(next, step->view, path);
	}
	for (int m = 0; m < 2; m++)
		next->adrift[m] |= next->pending[m];
	return 1;
}

/* ---- all ---- */

/* The answer is the cause of an error that somebody else's change has inside a transaction. */
static bool is_spurious(const struct step *step)
{
	switch (step->op) {
	case OP_UNLINK:
	case OP_RMDIR:
	case OP_RENAME:
	case OP_MKDIR:
	case OP_MKNOD:
	case OP_TRUNCATE:
	case OP_WRITE:
	case OP_OPEN:
		return step->err == EIO || step->err == EINVAL ||
		       (step->err == ENOENT && step->op == OP_RENAME);
	}
	return false;
}

/* Whether the directory of the step's path, or that which it lists, was replaced while it was under way.  In
 * .xsfs/nodes the file is in the directory of that path. */
static bool replaced_meanwhile(const struct history *h, const struct step *step)
{
	for (unsigned i = 0; i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if (other->op == OP_RENAME && other->to > step->from && other->from < step->to &&
		    (other->path2 == path_parent(step->path) ||
		     ((step->op == OP_LIST || view_is_nodes(step->view)) && other->path2 == step->path) ||
		     (step->path2 != PATH_NONE && other->path2 == path_parent(step->path2))))
			return true;
	}
	return false;
}

/* The mount looked at these paths at some time, and may have found what was a directory then. */
static void looked_at(struct state *s, const struct step *step, int path)
{
	if (path != PATH_NONE && path != PATH_BASE)
		s->maybe[view_mount(step->view)] |=
			s->were_dirs & BIT(path_parent(path) == PATH_BASE ? path : path_parent(path));
}

static unsigned on_mount(const struct history *h, unsigned may, const struct state *s,
			 const struct step *step, struct state *next)
{
	switch (step->op) {
	case OP_READ:
		return do_read(h, may, s, step, next);
	case OP_WRITE:
		return do_write(h, may, s, step, next);
	case OP_FSYNC:
	case OP_CLOSE:
		return do_flush(h, may, s, step, next);
	}
	if (step->err && walk_fails(may, s, step, step->path))
		return 1;
	if (step->err == ENOENT && (may & MAY(WALK)) && replaced_meanwhile(h, step))
		return 1;
	switch (step->op) {
	case OP_OPEN:
		return do_open(h, may, s, step, next);
	case OP_TRUNCATE:
		return do_truncate(h, may, s, step, next);
	case OP_UNLINK:
		return do_unlink(h, may, s, step, next);
	case OP_MKDIR:
	case OP_MKNOD:
		return do_make(may, s, step, next);
	case OP_RMDIR:
		return do_rmdir(may, s, step, next);
	case OP_RENAME:
		if (step->err && walk_fails(may, s, step, step->path2))
			return 1;
		return do_rename(may, h->cached && (may & MAY(STALE)), s, step, next);
	case OP_LIST:
		return do_list(may, s, step, next);
	case OP_STAT:
		return do_stat(h, may, s, step, next);
	}
	return 0;
}

static unsigned happen(const struct history *h, unsigned may, const struct state *state,
		       const struct step *step, struct state *next)
{
	struct state looked;
	struct step done;
	struct sub sub;

	*next = *state;
	/* It may have happened although it was given up. */
	if (step->err && step_is_open(step) &&
	    (step->err == EINTR || step->err == ETIMEDOUT || step->err == LOST)) {
		done = *step;
		done.err = 0;
		return happen(h, may, state, &done, next);
	}
	if (step->op == OP_NEW_MOUNT)
		return do_new_mount(step, next);
	if (step->op == OP_NEW_SERVER)
		return do_new_server(may, step, next);
	if (step->op == OP_XS_TX)
		return do_tx(may, step, next);
	if (step->op >= OP_XS_READ) {
		sub = (struct sub){ .op = step->op, .path = step->path, .value = step->value,
				    .err = step->err, .names = step->names };
		return do_request(next, may, step->view, &sub);
	}
	if (view_is_tree(step->view) && (may & MAY(KIND))) {
		looked_at(next, step, step->path);
		looked_at(next, step, step->path2);
		looked = *next;
		state = &looked;
	}
	if (is_spurious(step) && (may & MAY(SPURIOUS)))
		return 1;
	return on_mount(h, may, state, step, next);
}

/* Whether a rename of the same mount was under way with the step. */
static bool is_moved_with(const struct step *other, const struct step *step)
{
	return other != step && other->op == OP_RENAME && !other->err &&
	       view_mount(other->view) == view_mount(step->view) &&
	       other->to > step->from && other->from < step->to;
}

/* Where the directory of a path was moved to while the step was under way, or the path itself.  truncate(2) works
 * on the file that it has found, wherever that is by then. */
static int moved_to(const struct history *h, const struct step *step, int path)
{
	int parent = path == PATH_NONE || path == PATH_BASE ? PATH_BASE : path_parent(path);

	for (unsigned i = 0; path != PATH_NONE && path != PATH_BASE && i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if (!is_moved_with(other, step))
			continue;
		if (step->op == OP_TRUNCATE && other->path == path)
			return other->path2;
		if (parent != PATH_BASE && other->path == parent && other->path2 < 2 && other->path2 != parent)
			return path_child(other->path2) + path - path_child(parent);
	}
	return path;
}

/* A path is walked name by name: where it leads can be elsewhere when the walk ends. */
static unsigned happen_elsewhere(const struct history *h, unsigned may, const struct state *state,
				 const struct step *step, struct state *next)
{
	struct step other = *step;
	int path = moved_to(h, step, step->path), path2 = moved_to(h, step, step->path2);
	unsigned n = 0;

	if (path != step->path) {
		other.path = path;
		n += happen(h, may, state, &other, next);
	}
	if (path2 != step->path2) {
		other.path2 = path2;
		if (path != step->path)
			n += happen(h, may, state, &other, next + n);
		other.path = step->path;
		n += happen(h, may, state, &other, next + n);
	}
	return n;
}

/* Where a node has become a directory, or is one no longer, a mount that caches may not know it yet. */
static void kinds_changed(unsigned may, const struct state *state, const struct step *step,
			  struct state *next)
{
	for (int path = 0; path < 2; path++) {
		if (!children(state, path) == !children(next, path))
			continue;
		for (int m = 0; m < 2; m++) {
			bool own = view_mount(step->view) == m && view_is_tree(step->view);

			if (!own || (kinds(may, state, m, path) & FILE_))
				next->unsure[m] |= BIT(path);
		}
	}
}

unsigned model_step(const struct history *h, unsigned may, const struct state *state,
		    const struct step *step, struct state *next)
{
	unsigned n = happen(h, may, state, step, next);

	if ((may & MAY(WALK)) && !view_is_raw(step->view))
		n += happen_elsewhere(h, may, state, step, next + n);
	for (unsigned i = 0; i < n; i++) {
		for (int path = 0; path < 2; path++)
			if (children(&next[i], path))
				next[i].were_dirs |= BIT(path);
		if (h->cached && (may & MAY(STALE)))
			kinds_changed(may, state, step, &next[i]);
	}
	return n;
}

bool step_is_open(const struct step *step)
{
	return step->to == FOREVER;
}

bool step_may_be_stale(const struct history *h, const struct step *step)
{
	if (view_is_raw(step->view))
		return false;
	switch (step->op) {
	case OP_READ:
		return h->values;
	case OP_WRITE:
	case OP_FSYNC:
	case OP_CLOSE:
		return false;
	case OP_OPEN:
		if (!step->err)
			return !(step->flags & OPEN_EXCL);
		break;
	case OP_LIST:
	case OP_STAT:
		if (!step->err)
			return true;
		break;
	}
	/* The kernel says these about a directory and what is in it without asking. */
	if (step->op == OP_RENAME && (step->err == EINVAL || step->err == ENOTEMPTY))
		return path_parent(step->path2) == step->path ||
		       path_parent(step->path) == step->path2;
	/* That a name does not exist is not remembered. */
	return step->err == EEXIST || step->err == EISDIR || step->err == ENOTDIR;
}

bool step_changes(const struct step *step)
{
	if (step->err && !step_is_open(step))
		return false;
	switch (step->op) {
	case OP_OPEN:
		return step->flags & OPEN_CREAT;
	case OP_RENAME:
		return step->path != step->path2;
	case OP_READ:
	case OP_LIST:
	case OP_STAT:
	case OP_XS_READ:
	case OP_XS_DIRECTORY:
		return false;
	}
	return true;
}
