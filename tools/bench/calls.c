// SPDX-License-Identifier: MIT
/*
 * Counts the instructions of each request that shares memory, for one size
 * (make bench-calls).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

static const char *const names[STEPS] = {
	[NOTHING] = "nothing: what the clock adds",
	[GETPPID] = "getppid, for scale",
	[QUERY] = "ioctl that does nothing",
	[ALLOC] = "allocate and zero",
	[EXPORT] = "export",
	[WHITELIST] = "whitelist one process",
	[FREE] = "free by the exporter, last",
	[IMPORT] = "import",
	[RESERVE] = "reserve addresses",
	[MAP] = "map and populate",
	[TOUCH] = "touch each 4 KiB",
	[SET_ACCESS] = "set access as it is",
	[COPY] = "copy 4 KiB to it",
	[UNMAP] = "unmap",
	[RELEASE] = "release addresses",
	[FREE_IMPORT] = "free by the importer, not last",
};

/* Shared by both processes. */
static counts_t *counts;

static void importer(int from, int to, uint64_t length)
{
	int fd = open_node();
	int round;

	for (round = 0; round < ROUNDS; round++) {
		raw_import(counts, round, fd, length, receive_number(from));
		send_number(to, 0);
	}
	exit(0);
}

static void exporter(int from, int to, uint64_t length, int32_t child)
{
	struct raw_share share;
	int fd = open_node();
	int round;

	for (round = 0; round < ROUNDS; round++) {
		raw_export(counts, round, fd, length, child, &share);
		send_number(to, share.token);
		receive_number(from);
		raw_export_end(counts, round, fd, &share);
	}
}

static void report(uint64_t length)
{
	int step;

	printf("instructions per call, %" PRIu64 " MiB, %d rounds\n",
	       length >> 20, ROUNDS);
	printf("%-32s %12s %12s\n", "call", "minimum", "median");
	for (step = 0; step < STEPS; step++)
		printf("%-32s %12" PRIu64 " %12" PRIu64 "\n", names[step],
		       minimum((*counts)[step]), median((*counts)[step]));
}

int main(int argc, char **argv)
{
	static const struct bench bench = { importer, exporter, report };

	counts = shared_memory(sizeof(*counts));
	return bench_run(&bench, argc, argv);
}
