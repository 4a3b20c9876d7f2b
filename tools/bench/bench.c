// SPDX-License-Identifier: MIT
/*
 * Measures what sharing memory costs by npumem, and by all else there is, side by
 * side (make bench).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static void usage(FILE *out)
{
	fprintf(out,
		"usage: bench [--json FILE]\n"
		"\n"
		"Counts the instructions that npumem takes to share memory between processes,\n"
		"those of other ways to do it, and those of the least that could be had. It is to\n"
		"run where the clock counts instructions, as root, with the module loaded:\n"
		"tools/vm/vm run --icount -- build/bench/bench\n"
		"\n"
		"  --json FILE   write the table of targets there, too\n"
		"  -h, --help    show this\n"
		"\n"
		"Exit status: 0 when all could be measured, whether or not targets are met;\n"
		"1 when something failed; 2 when the arguments are wrong.\n");
}

static void run(uint64_t length, unsigned int parts, struct result *result)
{
	int i;

	for (i = 0; i < WAYS; i++) {
		progress("%u of %llu MiB: %s", parts, (unsigned long long)(length / MIB),
			 ways[i]->name);
		unit_run(ways[i], length, parts, ROUNDS, false, &result[i]);
		if (!result[i].missing)
			unit_run(ways[i], length, parts, 1, true, &result[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct measured measured;
	static struct row rows[MAX_ROWS];
	const char *json = NULL;
	unsigned int count;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}

	progress("floors");
	floors_run(measured.floor);
	run(GRANULE, 1, measured.one);
	run(TABLE_LENGTH, 1, measured.large);
	run(GRANULE, TABLE_PARTS, measured.parts);

	count = rows_make(&measured, rows);
	rows_print(rows, count);
	printf("\n");
	floors_print(measured.floor);
	printf("\n");
	steps_print("one handle of 2 MiB", measured.one);
	printf("\n");
	steps_print("one handle of 64 MiB", measured.large);
	printf("\n");
	steps_print("32 handles of 2 MiB", measured.parts);
	if (json)
		rows_write(rows, count, json);
	return 0;
}
