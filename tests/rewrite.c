/* SPDX-License-Identifier: MIT */
/*
 * Empties a file and writes a line at its end, as the C library does it: fseek(3) to the end asks
 * fstat(2), not lseek(2).
 *
 *	rewrite open FILE LINE      fopen "w+"
 *	rewrite truncate FILE LINE  fopen "r+" and ftruncate
 *
 * Prints the size by fstat and the position by ftell before it writes.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct stat st;
	FILE *file;

	if (argc != 4)
		return 2;
	file = fopen(argv[2], strcmp(argv[1], "open") ? "r+" : "w+");
	if (!file || (strcmp(argv[1], "open") && ftruncate(fileno(file), 0))) {
		perror(argv[2]);
		return 1;
	}
	if (fstat(fileno(file), &st) || fseek(file, 0, SEEK_END)) {
		perror(argv[2]);
		return 1;
	}
	printf("%lld %ld\n", (long long)st.st_size, ftell(file));
	if (fprintf(file, "%s\n", argv[3]) < 0 || fclose(file)) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
