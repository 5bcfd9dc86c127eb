/* SPDX-License-Identifier: MIT */
/*
 * Turns STORE into a channel: finds the socket or the device, sets up the ring, starts a server.
 * For main.c, main thread.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>

#include "ring/wire.h"
#include "src/oneshot.h"
#include "src/store_source.h"

#define XENBUS_DEVICE "/dev/xen/xenbus"

/* How long a server may take to answer XS_INTRODUCE. */
#define INTRODUCE_TIMEOUT_MS 10000

/* How often it is made to look at a ring before that, a millisecond apart at least. */
#define FINISH_TRIES 1000

/* The list offered to users who have to choose. */
#ifdef HAVE_XEN
#define STORES "auto, socket[:PATH], xenbus[:DEVICE], ring[:...], or embedded"
#define INSTEAD "; a private one without Xen: xsfs embedded MOUNTPOINT"
#else
#define STORES "auto, socket[:PATH] or xenbus[:DEVICE]"
#define INSTEAD ""
#endif

/* The destination of error lines. */
struct reason {
	char *text;
	size_t size;
};

static int complain(struct reason *why, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes the reason, and returns `err`. */
static int complain(struct reason *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->size, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- what the argument says ---------------------------------------------------------------- */

static int path_parse(struct store_spec *spec, const char *path, struct reason *why)
{
	char cwd[PATH_MAX];
	int n;

	if (!*path)
		return complain(why, -EINVAL, "a path is missing behind the colon");
	/* Absolute, because the daemon runs in another directory and may have to connect again. */
	if (*path == '/')
		n = snprintf(spec->path, sizeof(spec->path), "%s", path);
	else if (getcwd(cwd, sizeof(cwd)))
		n = snprintf(spec->path, sizeof(spec->path), "%s/%s", cwd, path);
	else
		return complain(why, -EINVAL, "%s: %s", path, strerror(errno));
	if (n < 0 || (size_t)n >= sizeof(spec->path))
		return complain(why, -EINVAL, "%.200s...: too long for a path", path);
	return 0;
}

/* Sets *value to a decimal or 0x number of at most `max`. */
static int number_parse(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
	return errno || *end || *value > max ? -EINVAL : 0;
}

static int events_parse(struct ring_params *ring, const char *value)
{
	static const struct {
		const char *name;
		enum ring_events events;
	} words[] = {
		{ "static", RING_EVENTS_STATIC },
		{ "unbound", RING_EVENTS_UNBOUND },
		{ "poll", RING_EVENTS_POLL },
		{ "interdomain", RING_EVENTS_INTERDOMAIN },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(value, words[i].name) == 0) {
			ring->events = words[i].events;
			return 0;
		}
	}
	return -EINVAL;
}

/* Parses one `name=value` of a ring; `has_gfn` and `has_domid` record which were given. */
static int ring_word_parse(struct ring_params *ring, char *word, bool *has_domid, bool *has_gfn,
			   struct reason *why)
{
	char *value = strchr(word, '=');
	uint64_t n = 0;
	int err;

	if (!value) {
		if (strcmp(word, "privileged") != 0)
			goto unknown;
		ring->privileged = true;
		return 0;
	}
	*value++ = '\0';
	if (strcmp(word, "domid") == 0) {
		err = number_parse(value, DOMID_FIRST_RESERVED - 1, &n);
		ring->domid = n;
		*has_domid = true;
	} else if (strcmp(word, "gfn") == 0) {
		err = number_parse(value, UINT64_MAX, &ring->gfn);
		*has_gfn = true;
	} else if (strcmp(word, "port") == 0) {
		err = number_parse(value, UINT32_MAX, &n);
		ring->port = n;
		if (!n)
			err = -EINVAL;
	} else if (strcmp(word, "server") == 0) {
		err = number_parse(value, DOMID_FIRST_RESERVED - 1, &n);
		ring->server_domid = n;
	} else if (strcmp(word, "events") == 0) {
		if (events_parse(ring, value))
			return complain(why, -EINVAL, "ring: events=%.200s: must be static, unbound, "
						      "poll or interdomain", value);
		return 0;
	} else {
		goto unknown;
	}
	return err ? complain(why, -EINVAL, "ring: %.200s=%.200s: no such number is possible", word, value)
		   : 0;
unknown:
	return complain(why, -EINVAL, "ring: unknown word %.200s; it is ring[:gfn=G][,port=P]"
				      "[,domid=N][,events=static|unbound|poll|interdomain]"
				      "[,server=D][,privileged]", word);
}

/* Checks that the words go together. */
static int ring_check(struct ring_params *ring, bool has_domid, bool has_gfn, struct reason *why)
{
	/* Domain 0's page has no number: gfn 0 stands for the one its kernel made. */
	bool dom0 = has_domid && ring->domid == 0;

	if (!has_gfn && has_domid && !dom0)
		return complain(why, -EINVAL, "ring: gfn= is missing: the frame of domain %u's page",
				(unsigned)ring->domid);
	if (ring->events == RING_EVENTS_INTERDOMAIN && !ring->port)
		return complain(why, -EINVAL, "ring: events=interdomain needs port=, the server's");
	if (!has_gfn && !has_domid && ring->port)
		return complain(why, -EINVAL, "ring: port= needs gfn=; without both they are looked "
					      "for");
	ring->find = !has_gfn && !has_domid;
	if (!ring->find && !ring->port && ring->events == RING_EVENTS_STATIC)
		return complain(why, -EINVAL, "ring: events=static needs port=, this domain's own");
	if (!ring->find && !ring->port && ring->events == RING_EVENTS_POLL)
		return complain(why, -EINVAL, "ring: events=poll needs port=, this domain's own");
	if (dom0)
		ring->privileged = true;
	return 0;
}

/* Parses the words after the colon; NULL: none. */
static int ring_parse(struct ring_params *ring, const char *text, struct reason *why)
{
	bool has_domid = false, has_gfn = false;
	char *copy = text ? strdup(text) : NULL, *rest = copy, *word;
	int err = 0;

	if (text && !copy)
		return complain(why, -EINVAL, "%s", strerror(ENOMEM));
	ring->domid = DOMID_SELF;
	while (!err && (word = strsep(&rest, ",")))
		err = ring_word_parse(ring, word, &has_domid, &has_gfn, why);
	free(copy);
	return err ? err : ring_check(ring, has_domid, has_gfn, why);
}

int store_spec_parse(struct store_spec *spec, const char *text, char *why_text, size_t size)
{
	struct reason why = { why_text, size };
	size_t len = strcspn(text, ":");
	const char *rest = text[len] ? text + len + 1 : NULL;

#define IS(name) (len == sizeof(name) - 1 && memcmp(text, name, len) == 0)
	*spec = (struct store_spec){ .kind = STORE_AUTO };
	/* People write these in the first column of fstab when there is no device. */
	if (!rest && (IS("auto") || IS("xenstore") || IS("none")))
		return 0;
	if (IS("socket") || IS("xenbus")) {
		spec->kind = IS("socket") ? STORE_SOCKET : STORE_XENBUS;
		return rest ? path_parse(spec, rest, &why) : 0;
	}
	if (IS("ring")) {
		spec->kind = STORE_RING;
		return ring_parse(&spec->ring, rest, &why);
	}
	if (IS("embedded")) {
		spec->kind = STORE_EMBEDDED;
		if (rest && strcmp(rest, "c") != 0 && strcmp(rest, "o") != 0)
			return complain(&why, -EINVAL, "embedded:%.200s: must be embedded:c (xenstored) "
						       "or embedded:o (oxenstored)", rest);
		spec->oxenstored = rest && *rest == 'o';
		return 0;
	}
#undef IS
	return complain(&why, -EINVAL, "unknown store %.200s: must be " STORES, text);
}

/* ---- opening it ----------------------------------------------------------------------------- */

struct opener {
	struct store_source *source;
	struct chan_config config;
	struct reason why;
};

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* The default path of the socket, the same as libxenstore's. */
static const char *socket_default(void)
{
	static const char *const usual[] = { "/var/run/xenstored/socket", "/run/xenstored/socket" };
	const char *told = getenv("XENSTORED_PATH");

	if (told && *told)
		return told;
	return exists(usual[0]) || !exists(usual[1]) ? usual[0] : usual[1];
}

static int socket_connect(struct opener *o, const char *path)
{
	int err = transport_socket_new(&o->config.transport, path, o->config.log);

	if (!err)
		err = chan_new(&o->source->chan, &o->config);
	if (err)
		return err;
	/* To the server, anybody who can open the socket is domain 0. */
	o->source->privileged = true;
	o->source->self_domid = 0;
	return 0;
}

static int socket_open(struct opener *o, const char *path)
{
	int err = socket_connect(o, path);

	if (err == -ENOENT || err == -ECONNREFUSED)
		return complain(&o->why, err, "%s: %s: is xenstored running?", path, strerror(-err));
	return err ? complain(&o->why, err, "%s: %s", path, strerror(-err)) : 0;
}

/* Returns whether the kernel says that this is the domain in control, domain 0. */
static bool is_control_domain(void)
{
	FILE *file = fopen("/proc/xen/capabilities", "re");
	char line[128] = "";
	bool control;

	if (!file)
		return false;
	control = fgets(line, sizeof(line), file) && strstr(line, "control_d");
	fclose(file);
	return control;
}

static int xenbus_connect(struct opener *o, const char *path)
{
	int err = transport_xenbus_new(&o->config.transport, path, o->config.log);

	if (!err)
		err = chan_new(&o->source->chan, &o->config);
	if (err)
		return err;
	o->source->privileged = is_control_domain();
	o->source->self_domid = o->source->privileged ? 0 : -1;
	return 0;
}

static int xenbus_open(struct opener *o, const char *path)
{
	int err = xenbus_connect(o, path);

	if (err == -ENOENT || err == -ENXIO || err == -ENODEV)
		return complain(&o->why, err, "%s: %s: is this a Xen domain?", path, strerror(-err));
	return err ? complain(&o->why, err, "%s: %s", path, strerror(-err)) : 0;
}

static int auto_open(struct opener *o)
{
	const char *path = socket_default();
	struct stat st;
	int err, err_device;

	/* XENSTORED_PATH may name a device, as it may for libxenstore. */
	if (stat(path, &st) == 0 && S_ISCHR(st.st_mode))
		return xenbus_open(o, path);
	err = socket_connect(o, path);
	if (!err)
		return 0;
	err_device = xenbus_connect(o, XENBUS_DEVICE);
	if (!err_device)
		return 0;
	return complain(&o->why, err, "no store here: %s: %s; " XENBUS_DEVICE ": %s" INSTEAD,
			path, strerror(-err), strerror(-err_device));
}

/* Logs who has to do what before a server that does not know our port can hear from us. */
static void ring_wait_for_others(struct opener *o, const struct ring_params *params, uint32_t port)
{
	char domid[16] = "DOMID";

	if (params->domid != DOMID_SELF)
		snprintf(domid, sizeof(domid), "%u", (unsigned)params->domid);
	log_warning(o->config.log, "ring: waiting for XS_INTRODUCE of domain %s, gfn %llu, port %u; "
				   "with xsfs on /xen in domain 0: echo introduce %s %llu %u "
				   ">/xen/.xsfs/control", domid, (unsigned long long)params->gfn,
		    (unsigned)port, domid, (unsigned long long)params->gfn, (unsigned)port);
	o->config.connect_later = true;
}

/*
 * Has the server take the rest of a request that a killed xsfs began, if there is one, as it would take the beginning of
 * our first one for it.  What it does not take in time is lost, as are all requests in the ring when it is introduced.
 */
static void ring_finish(struct opener *o, const char *path, struct transport *t)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int tries = 0; tries < FINISH_TRIES && transport_ring_finish(t); tries++) {
		/* It looks at all rings when it has a request. */
		if (oneshot_call(path, XS_GET_DOMAIN_PATH, "0", sizeof("0"), INTRODUCE_TIMEOUT_MS, o->config.log))
			return;
		nanosleep(&moment, NULL);
	}
}

/*
 * Announces to the server the port that we wait on, if that is possible: nobody knows about a new
 * unbound port.  Outside domain 0 only if the user chose this way, because introducing a domain
 * again takes its ring away from whoever used it.
 */
static int ring_announce(struct opener *o, const struct ring_params *params,
			 struct transport *t)
{
	bool wanted = params->events == RING_EVENTS_UNBOUND || params->domid == 0;
	const char *path = socket_default();
	uint32_t port = transport_ring_port(t);
	char text[64];
	int err, len;

	if (transport_ring_events(t) != RING_EVENTS_UNBOUND)
		return 0;
	/* Only domain 0 knows the number by which the server knows us. */
	if (!wanted || params->domid == DOMID_SELF || !exists(path)) {
		ring_wait_for_others(o, params, port);
		return 0;
	}
	ring_finish(o, path, t);
	len = snprintf(text, sizeof(text), "%u%c%llu%c%u", (unsigned)params->domid, '\0',
		       (unsigned long long)params->gfn, '\0', (unsigned)port);
	err = oneshot_call(path, XS_INTRODUCE, text, len + 1, INTRODUCE_TIMEOUT_MS, o->config.log);
	if (err)
		return complain(&o->why, err, "ring: the server at %s does not take port %u: %s",
				path, (unsigned)port, strerror(-err));
	return 0;
}

static int ring_open(struct opener *o, const struct ring_params *wanted)
{
	struct ring_params params = *wanted;
	struct transport *t;
	int err;

	err = transport_ring_new(&t, &params, o->config.log);
	if (err)
		return complain(&o->why, err, "no ring: %s", strerror(-err));
	err = ring_announce(o, &params, t);
	if (err) {
		t->ops->free(t);
		return err;
	}
	o->config.transport = t;
	err = chan_new(&o->source->chan, &o->config);
	if (err == -ENOTCONN)
		return complain(&o->why, err, "ring: dead until the toolstack introduces the domain "
					      "again");
	if (err == -ETIMEDOUT)
		return complain(&o->why, err, "ring: no server takes it up: this domain's store does not "
					      "run, or does not answer when it is asked to begin anew");
	if (err)
		return complain(&o->why, err, "ring: %s", strerror(-err));
	o->source->privileged = params.privileged;
	o->source->self_domid = params.domid == DOMID_SELF ? -1 : (int)params.domid;
	return 0;
}

int store_source_open(struct store_source *source, const struct store_spec *spec,
		      unsigned timeout_ms, unsigned in_flight_max, struct logger *log,
		      char *why, size_t size)
{
	struct opener o = {
		.source = source,
		.config = {
			.log = log,
			.timeout_ms = timeout_ms,
			.in_flight_max = in_flight_max,
		},
		.why = { why, size },
	};
	int err = -EINVAL;

	*source = (struct store_source){ .self_domid = -1 };
	switch (spec->kind) {
	case STORE_AUTO:
		return auto_open(&o);
	case STORE_SOCKET:
		return socket_open(&o, spec->path[0] ? spec->path : socket_default());
	case STORE_XENBUS:
		return xenbus_open(&o, spec->path[0] ? spec->path : XENBUS_DEVICE);
	case STORE_RING:
		return ring_open(&o, &spec->ring);
	case STORE_EMBEDDED:
		err = embedded_start(&source->embedded, &source->chan, spec->oxenstored, spec->demo,
				     timeout_ms, in_flight_max, log, why, size);
		source->privileged = true;
		source->self_domid = 0;
		break;
	}
	return err;
}

void store_source_close(struct store_source *source)
{
	if (source->chan)
		chan_free(source->chan);
	embedded_stop(source->embedded);
	source->chan = NULL;
	source->embedded = NULL;
}
