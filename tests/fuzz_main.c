/* SPDX-License-Identifier: MIT */
/*
 * The main() of the fuzz targets, fuzz_*.c: replays the files and directories of its arguments.  With
 * libFuzzer, which looks for new ones, the targets are linked without this file: tests/run --fuzz.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz.h"

static unsigned replay(const char *path)
{
	char name[4096];
	struct dirent *entry;
	struct stat st;
	unsigned count = 0;
	uint8_t *data;
	FILE *file;
	DIR *dir;

	dir = opendir(path);
	if (dir) {
		while ((entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
			count += replay(name);
		}
		closedir(dir);
		return count;
	}
	file = fopen(path, "rb");
	if (!file || fstat(fileno(file), &st)) {
		perror(path);
		exit(1);
	}
	data = malloc(st.st_size + 1);
	if (!data || fread(data, 1, st.st_size, file) != (size_t)st.st_size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, st.st_size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%u inputs replayed\n", count);
	/* A corpus that cannot be found tests nothing. */
	return count ? 0 : 1;
}
