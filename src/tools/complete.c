/* SPDX-License-Identifier: MIT */
/*
 * xsfs-complete: the completions that shells offer for a word of a command line.
 *
 *	xsfs-complete WORD...    the words so far, the last one being completed (perhaps "")
 *
 * It prints the candidates, one a line.  Those that end in "/" or "=" can be continued.  The lines
 * ":dirs", ":files" and ":command N" ask for the shell's own completion: the last for the words
 * that follow a command, which is word N, counted from 0.  All knowledge of options comes from the
 * programs' --help, so that it is written only once; what --help does not say is not offered.
 * Errors are never reported, because a user is typing.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/tools/tool.h"
#include "src/tools/tool_domains.h"
#include "src/tools/tool_read.h"

static struct tool tool = { .name = "xsfs-complete" };

/* The kinds of arguments that a program takes. */
enum arguments { DOMAINS, KEYS, KEYS_AND_VALUES, FILE_AND_KEY, COMMAND };

static const struct verb {
	const char *name;
	enum arguments arguments;
} verbs[] = {
	{ "ls", DOMAINS },	  { "devices", DOMAINS },      { "watch", KEYS },
	{ "wait", KEYS },	  { "set", KEYS_AND_VALUES },  { "restore", FILE_AND_KEY },
	{ "tx", COMMAND },
#ifdef HAVE_TOP
	{ "top", KEYS },
#endif
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* The word being completed. */
static const char *word;

static void offer(const char *candidate)
{
	if (!strncmp(candidate, word, strlen(word)))
		puts(candidate);
}

/* ---- options, from --help ------------------------------------------------------------------- */

/* Runs `program --help`, with the program next to this one.  NULL if it cannot be run. */
static FILE *open_help(const char *program)
{
	char path[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	int fds[2];
	pid_t pid;

	path[len < 0 ? 0 : len] = '\0';
	if (!strrchr(path, '/') || pipe(fds) < 0)
		return NULL;
	sprintf(strrchr(path, '/') + 1, "%.24s", program);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(path, program, "--help", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	return fdopen(fds[0], "r");
}

/* Calls `take` for each line of the help. */
static void read_help(const char *program, void (*take)(char *line))
{
	FILE *help = open_help(program);
	char *line = NULL;
	size_t size = 0;

	if (!help)
		return;
	while (getline(&line, &size, help) > 0) {
		line[strcspn(line, "\n")] = '\0';
		take(line);
	}
	free(line);
	fclose(help);
	while (wait(NULL) > 0)
		;
}

/* " -x, --long=ARG what it does": offers both.  " -f, -d …" is such a line too. */
static void take_option(char *line)
{
	char *end, *option;

	if (strncmp(line, "  -", 3) != 0 || !strncmp(line, "  -o ", 5))
		return;
	end = strstr(line + 2, "  ");
	if (end)
		*end = '\0';
	for (option = strtok(line, " ,"); option; option = strtok(NULL, " ,")) {
		size_t len = strcspn(option, "=");

		/* Includes the "=", which says that a value follows. */
		if (option[len])
			option[len + 1] = '\0';
		if (option[0] == '-')
			offer(option);
	}
}

/* The list after -o before its last name, which is being completed. */
static const char *list_before;

static void offer_in_list(const char *candidate, size_t len)
{
	if (strlen(word) <= len && !strncmp(candidate, word, strlen(word)))
		printf("%s%.*s\n", list_before, (int)len, candidate);
}

/* An option of -o from the help, "name", "name=a|b" or "name=VALUE": offers the name, or after it
 * the values, unless the user has to find these. */
static void offer_mount_option(const char *option)
{
	const char *value = strchr(option, '='), *end;
	size_t len = value ? (size_t)(value + 1 - option) : strlen(option);
	char full[128];

	if (!value || strncmp(word, option, len) != 0) {
		offer_in_list(option, len);
		return;
	}
	for (value++; *value >= 'a' && *value <= 'z'; value = *end ? end + 1 : end) {
		end = value + strcspn(value, "|");
		snprintf(full, sizeof(full), "%.*s%.*s", (int)len, option, (int)(end - value), value);
		offer_in_list(full, strlen(full));
	}
}

/* "  -o name=a|b  what it does" or "  -o name, name  …" */
static void take_mount_option(char *line)
{
	char *end = strstr(line + 2, "  ");

	if (strncmp(line, "  -o ", 5) != 0)
		return;
	if (end)
		*end = '\0';
	for (char *name = strtok(line + 5, ", "); name; name = strtok(NULL, ", "))
		offer_mount_option(name);
}

static void complete_mount_options(void)
{
	static char before[1024];
	const char *comma = strrchr(word, ',');

	if (comma) {
		snprintf(before, sizeof(before), "%.*s", (int)(comma + 1 - word), word);
		word = comma + 1;
	}
	list_before = before;
	read_help("xsfs", take_mount_option);
}

/* " socket[:PATH] …": the stores are listed between the first line and the options. */
static void take_store(char *line)
{
	if (line[0] != ' ' || line[2] < 'a' || line[2] > 'z' || !strncmp(line, "  xsfs ", 7))
		return;
	line += 2;
	line[strcspn(line, " [")] = '\0';
	offer(line);
}

/* ---- keys of the store ---------------------------------------------------------------------- */

static void complete_domains(void)
{
	struct devices devices = { 0 };
	struct domains domains;
	char number[16];

	if (tool_find_mount(&tool, NULL) || domains_collect(&tool, &domains, &devices))
		return;
	for (size_t i = 0; i < domains.n; i++) {
		const char *name = domains.list[i].name;

		snprintf(number, sizeof(number), "%u", domains.list[i].domid);
		offer(number);
		/* A name that a shell or a terminal would interpret is not offered. */
		if (name && *name && strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") == strlen(name))
			offer(name);
	}
	domains_release(&domains);
}

/* Returns whether a key has children, and so can be continued. */
static bool has_children(const char *path)
{
	struct tool_names names;
	bool has = tool_children(&tool.mountpoint, path, &names) == 0 && names.n > 0;

	tool_names_release(&names);
	return has;
}

/* Offers the keys in the node named by the word up to its last slash. */
static void complete_keys(void)
{
	const char *slash = strrchr(word, '/');
	char before[PATH_SIZE], path[PATH_SIZE], child[PATH_SIZE], candidate[2 * PATH_SIZE];
	struct tool_names names;

	snprintf(before, sizeof(before), "%.*s", slash ? (int)(slash + 1 - word) : 0, word);
	if (tool_find_mount(&tool, word) || tool_key(&tool, *before ? before : ".", path))
		return;
	if (tool_children(&tool.mountpoint, path, &names) == 0) {
		for (size_t i = 0; i < names.n; i++) {
			strcpy(child, path);
			if (path_append(child, names.names[i]))
				continue;
			snprintf(candidate, sizeof(candidate), "%s%s", before, names.names[i]);
			if (!strncmp(candidate, word, strlen(word)))
				printf("%s%s\n", candidate, has_children(child) ? "/" : "");
		}
	}
	tool_names_release(&names);
}

/* ---- the words ------------------------------------------------------------------------------ */

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static bool takes_value(const char *option)
{
	static const char *const options[] = {
		"-m", "--mount", "-t", "--timeout", "-n", "--count", "-r", "--retries",
		"-d", "--delay",
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i], option))
			return true;
	return false;
}

/* Takes the mount from the preceding words, and returns how many of them are arguments; *first
 * becomes the first of them.  With `command`, all words after it are arguments. */
static int scan(int n, char **words, bool command, int *first)
{
	int arguments = 0;

	*first = n;
	for (int i = 0; i < n; i++) {
		if (!strncmp(words[i], "--mount=", 8))
			tool.mount = words[i] + 8;
		else if (takes_value(words[i]) && i + 1 < n) {
			if (words[i][1] == 'm' || !strcmp(words[i], "--mount"))
				tool.mount = words[i + 1];
			i++;
		} else if (words[i][0] != '-' || (command && arguments)) {
			*first = arguments++ ? *first : i;
		}
	}
	return arguments;
}

/* Offers what may follow `n` words of a verb, which `before` words precede. */
static void complete_verb(const struct verb *verb, int before, int n, char **words)
{
	char program[32];
	int first, arguments = scan(n, words, verb->arguments == COMMAND, &first);

	snprintf(program, sizeof(program), "xsfs-%s", verb->name);
	if (verb->arguments == COMMAND && arguments > 0)
		printf(":command %d\n", before + first);
	else if (n > 0 && takes_value(words[n - 1]))
		fputs(words[n - 1][1] == 'm' || words[n - 1][2] == 'm' ? ":dirs\n" : "", stdout);
	else if (!strncmp(word, "--mount=", 8))
		puts(":dirs");
	else if (word[0] == '-')
		read_help(program, take_option);
	else if (verb->arguments == DOMAINS)
		complete_domains();
	else if (verb->arguments == COMMAND)
		printf(":command %d\n", before + n);
	else if (verb->arguments == FILE_AND_KEY && arguments == 0)
		puts(":files");
	else if (verb->arguments != KEYS_AND_VALUES || arguments % 2 == 0)
		complete_keys();
}

static void offer_verbs(void)
{
	for (size_t i = 0; i < N_VERBS; i++)
		offer(verbs[i].name);
}

/* Offers what may follow `xsfs` and `n` words. */
static void complete_xsfs(int n, char **words)
{
	const struct verb *verb = n > 0 ? find_verb(words[0]) : NULL;

	if (verb) {
		complete_verb(verb, 2, n - 1, words + 1);
	} else if (n > 0 && !strcmp(words[0], "help")) {
		offer_verbs();
	} else if (n > 0 && !strcmp(words[n - 1], "-o")) {
		complete_mount_options();
	} else if (word[0] == '-') {
		offer("-o");
		read_help("xsfs", take_option);
	} else {
		if (n == 0) {
			offer_verbs();
			offer("help");
			read_help("xsfs", take_store);
		}
		puts(":dirs");
	}
}

int main(int argc, char **argv)
{
	const char *name;
	const struct verb *verb;

	if (argc < 3)
		return 2;
	word = argv[argc - 1];
	name = strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1];
	verb = !strncmp(name, "xsfs-", 5) ? find_verb(name + 5) : NULL;
	if (verb)
		complete_verb(verb, 1, argc - 3, argv + 2);
	else
		complete_xsfs(argc - 3, argv + 2);
	return 0;
}
