// SPDX-License-Identifier: MIT
/*
 * What it costs to find one of many: of all shares, of a process's handles, of its mappings.
 * So many memories of 2 MiB would be 200 GiB: this is for a module whose granule is a page.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* Of each, drawn at random, as what is found last may be found faster. */
#define SAMPLES		63
#define LARGEST_GRANULE	(64 * KIB)

static const unsigned int counts[MANY_POINTS] = { 1, 10, 100, 1000, 10000, 100000 };
#define MOST	(counts[MANY_POINTS - 1])

static const char *const names[FINDS] = {
	[IMPORT_SHARE] = "import",
	[FIND_HANDLE] = "find a handle",
	[FIND_MAPPING] = "find a mapping",
	[MAP_AMONG] = "map",
	[UNMAP_AMONG] = "unmap",
};

/* What there is many of; @token and @cost are shared with the importer. */
struct crate {
	int node;
	uint64_t granule;
	uint64_t *handle;
	uint64_t *token;
	struct cost *cost;
	uint64_t spare;		/* a handle that is nowhere mapped */
	char *at;		/* addresses of two granules for each: the second ones stay free */
	unsigned int count;
};

static uint64_t granule_of(int node)
{
	struct npumem_query query = { .size = sizeof(query) };

	command(node, NPUMEM_QUERY, &query, "query");
	if (query.granule > LARGEST_GRANULE)
		die("%u memories of %" PRIu64 " KiB are too much: this is for a module with smaller ones (make bench)",
		    MOST, (uint64_t)query.granule / KIB);
	return query.granule;
}

static unsigned int draw(unsigned int count)
{
	static unsigned int seed = 1;

	return (unsigned int)rand_r(&seed) % count;
}

/* The importing half: how many there are comes in, what an import costs goes out. */
static void import_for(struct pair *pair, const struct crate *crate)
{
	uint64_t row[SAMPLES], clock = clock_cost(), count;
	int node = open_node(), i;

	while ((count = pair_hear(pair))) {
		for (i = -1; i < SAMPLES; i++) {
			struct npumem_import import = {
				.size = sizeof(import), .token = crate->token[draw(count)],
			};
			uint64_t from = now();

			command(node, NPUMEM_IMPORT, &import, "import");
			if (i >= 0)
				row[i] = now() - from - clock;
			end_handle(node, import.handle);
		}
		*crate->cost = cost_of(row, SAMPLES);
		pair_tell(pair, 0);
	}
	exit(0);
}

static void map_at(const struct crate *crate, uint64_t handle, char *at)
{
	struct npumem_map map = {
		.size = sizeof(map), .address = (uintptr_t)at, .length = crate->granule,
		.handle = handle,
	};

	command(crate->node, NPUMEM_MAP, &map, "map");
}

static char *place(const struct crate *crate, unsigned int i)
{
	return crate->at + 2 * i * crate->granule;
}

static void fill(struct crate *crate, unsigned int count, int32_t importer)
{
	for (; crate->count < count; crate->count++) {
		uint64_t handle = new_memory(crate->node, crate->granule);

		crate->handle[crate->count] = handle;
		crate->token[crate->count] = new_share(crate->node, handle);
		let_in(crate->node, crate->token[crate->count], &importer, 1);
		map_at(crate, handle, place(crate, crate->count));
	}
}

/* One of them at random each time. Returns what the step took. */
static uint64_t find(const struct crate *crate, enum find step, unsigned int i)
{
	struct npumem_memory_info info = { .size = sizeof(info), .handle = crate->handle[i] };
	struct npumem_range range = {
		.size = sizeof(range), .address = (uintptr_t)place(crate, i),
	};
	char *hole = place(crate, i) + crate->granule;
	struct npumem_unmap unmap = { .size = sizeof(unmap), .address = (uintptr_t)hole };
	uint64_t from, took;

	if (step == UNMAP_AMONG)
		map_at(crate, crate->spare, hole);
	from = now();
	switch (step) {
	case FIND_HANDLE:
		command(crate->node, NPUMEM_MEMORY_INFO, &info, "memory info");
		break;
	case FIND_MAPPING:
		command(crate->node, NPUMEM_RANGE, &range, "range");
		break;
	case MAP_AMONG:
		map_at(crate, crate->spare, hole);
		break;
	default:
		command(crate->node, NPUMEM_UNMAP, &unmap, "unmap");
	}
	took = now() - from;
	if (step == MAP_AMONG)
		command(crate->node, NPUMEM_UNMAP, &unmap, "unmap");
	return took;
}

static struct cost find_cost(const struct crate *crate, enum find step)
{
	uint64_t row[SAMPLES], clock = clock_cost(), took;
	int i;

	for (i = -1; i < SAMPLES; i++) {
		took = find(crate, step, draw(crate->count));
		if (i >= 0)
			row[i] = took - clock;
	}
	return cost_of(row, SAMPLES);
}

void many_run(struct lookups *many)
{
	struct crate crate = { .node = open_node() };
	unsigned int point, step;
	struct pair pair;
	size_t length;

	crate.granule = granule_of(crate.node);
	length = 2 * MOST * crate.granule;
	crate.token = shared_memory(MOST * sizeof(*crate.token));
	crate.cost = shared_memory(sizeof(*crate.cost));
	crate.handle = shared_memory(MOST * sizeof(*crate.handle));
	if (!pair_start(&pair))
		import_for(&pair, &crate);
	crate.at = find_addresses(length);
	if (mmap(crate.at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 crate.node, 0) != crate.at)
		die("reserve: %s", strerror(errno));
	crate.spare = new_memory(crate.node, crate.granule);
	for (point = 0; point < MANY_POINTS; point++) {
		progress("one of %u", counts[point]);
		fill(&crate, counts[point], pair.child);
		many->count[point] = crate.count;
		pair_tell(&pair, crate.count);
		pair_hear(&pair);
		many->cost[IMPORT_SHARE][point] = *crate.cost;
		for (step = IMPORT_SHARE + 1; step < FINDS; step++)
			many->cost[step][point] = find_cost(&crate, step);
	}
	pair_tell(&pair, 0);
	pair_end(&pair);
	close(crate.node);
}

void many_write(const struct lookups *many, const char *path)
{
	FILE *file = fopen(path, "we");
	unsigned int point, step;

	if (!file)
		die("%s: %s", path, strerror(errno));
	for (point = 0; point < MANY_POINTS; point++) {
		fprintf(file, "%u", many->count[point]);
		for (step = 0; step < FINDS; step++)
			fprintf(file, " %" PRIu64, many->cost[step][point].median);
		fprintf(file, "\n");
	}
	if (ferror(file) | fclose(file))
		die("%s: %s", path, strerror(errno));
}

void many_read(struct lookups *many, const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int point, step;

	if (!file)
		die("%s: %s", path, strerror(errno));
	for (point = 0; point < MANY_POINTS; point++) {
		if (fscanf(file, "%u", &many->count[point]) != 1)
			die("%s: not what --many writes", path);
		for (step = 0; step < FINDS; step++)
			if (fscanf(file, "%" SCNu64, &many->cost[step][point].median) != 1)
				die("%s: not what --many writes", path);
	}
	fclose(file);
}

void many_print(const struct lookups *many)
{
	unsigned int point, step;

	printf("%-34s", "one of many, instructions");
	for (point = 0; point < MANY_POINTS; point++)
		printf(" %13u", many->count[point]);
	printf("\n");
	for (step = 0; step < FINDS; step++) {
		printf("%-34s", names[step]);
		for (point = 0; point < MANY_POINTS; point++)
			printf(" %13" PRIu64, many->cost[step][point].median);
		printf("\n");
	}
}
