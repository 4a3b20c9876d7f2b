// SPDX-License-Identifier: MIT
/*
 * A memory cgroup, and how much memory the kernel takes for its own objects, as the
 * cgroup of whoever made them is charged for it. Page tables are apart from that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define ROOT		"/sys/fs/cgroup"
#define GROUP		ROOT "/npumem-bench"

/* The kernel adds its counts of each processor up when they have become many, or every 2 s. */
#define SECONDS		5

static uint64_t charged(void)
{
	unsigned long long bytes;
	char name[64];
	FILE *file;

	sleep(SECONDS);
	file = fopen(GROUP "/memory.stat", "re");
	while (file && fscanf(file, "%63s %llu", name, &bytes) == 2) {
		if (strcmp(name, "slab"))
			continue;
		fclose(file);
		return bytes;
	}
	die("no %s/memory.stat", GROUP);
}

/* The calling process, and who it starts from then on. */
void group_enter(void)
{
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		die("%s: %s", GROUP, strerror(errno));
	if (!write_file(GROUP "/cgroup.procs", "%d", getpid()))
		die("%s: %s", GROUP, strerror(errno));
}

/* Back to the root of all groups, where it was. */
void group_leave(void)
{
	if (!write_file(ROOT "/cgroup.procs", "%d", getpid()))
		die("%s: %s", ROOT, strerror(errno));
	rmdir(GROUP);
}

/* In a process of the group; what it says is in *@bytes. */
static void in_group(void (*measure)(const void *argument, double *bytes), const void *argument,
		     double *bytes)
{
	struct pair pair;

	if (!pair_start(&pair)) {
		group_enter();
		measure(argument, bytes);
		exit(0);
	}
	pair_end(&pair);
	rmdir(GROUP);
}

struct many {
	const struct way *way;
	unsigned int count;
};

/* Of handles of 2 MiB with a mapping each, in the process that allocated them. */
static void measure_handles(const void *argument, double *bytes)
{
	const struct many *many = argument;
	struct unit unit = { .length = GRANULE, .parts = many->count };
	uint64_t before;
	unsigned int i;

	unit.part = calloc(many->count, sizeof(*unit.part));
	unit.token = calloc(many->count, sizeof(*unit.token));
	if (!unit.part || !unit.token)
		die("no memory");
	for (i = 0; i < many->count; i++)
		unit.part[i].fd = unit.part[i].other_fd = -1;
	if (many->way->start)
		many->way->start(&unit);
	unit_step(many->way, &unit, RESERVE);
	before = charged();
	unit_step(many->way, &unit, ALLOCATE);
	unit_step(many->way, &unit, MAP);
	*bytes = ((double)charged() - before) / many->count;
}

double handle_bytes(const struct way *way, unsigned int count)
{
	struct many many = { .way = way, .count = count };
	double *bytes = shared_memory(sizeof(*bytes)), result = 0;

	if (!way->prepare || !way->prepare(count * GRANULE)) {
		in_group(measure_handles, &many, bytes);
		result = *bytes;
	}
	if (way->finish)
		way->finish();
	munmap(bytes, sizeof(*bytes));
	return result;
}

struct list {
	const int32_t *pids;
	unsigned int count;
};

static void measure_entries(const void *argument, double *bytes)
{
	const struct list *list = argument;
	int node = open_node();
	uint64_t token = new_share(node, new_memory(node, GRANULE)), before;

	/* Whatever else the first request brings. */
	let_in(node, token, list->pids, 1);
	before = charged();
	let_in(node, token, list->pids, list->count);
	*bytes = ((double)charged() - before) / list->count;
}

double entry_bytes(const int32_t *pids, unsigned int count)
{
	struct list list = { .pids = pids, .count = count };
	double *bytes = shared_memory(sizeof(*bytes)), result;

	in_group(measure_entries, &list, bytes);
	result = *bytes;
	munmap(bytes, sizeof(*bytes));
	return result;
}
