// SPDX-License-Identifier: MIT
/* One step again and again, for who looks where its instructions go: tools/bench/profile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* Instructions in a row, as many as from one sample to the next, and the most in the pause. */
#define STRETCH		100000
#define PAUSE		100000

/* What is there before the loop begins. */
struct ready {
	int node;
	uint64_t handle;
	uint64_t token;
	char *at;
};

static void query(const struct ready *ready)
{
	struct npumem_query query = { .size = sizeof(query) };

	command(ready->node, NPUMEM_QUERY, &query, "query");
}

static void export(const struct ready *ready)
{
	end_share(ready->node, new_share(ready->node, ready->handle));
}

static void import(const struct ready *ready)
{
	struct npumem_import import = { .size = sizeof(import), .token = ready->token };

	command(ready->node, NPUMEM_IMPORT, &import, "import");
	end_handle(ready->node, import.handle);
}

static void create(const struct ready *ready)
{
	end_handle(ready->node, new_memory(ready->node, GRANULE));
}

static void map_and_unmap(const struct ready *ready, uint64_t handle)
{
	struct npumem_map map = {
		.size = sizeof(map), .address = (uintptr_t)ready->at, .length = GRANULE,
		.handle = handle,
	};
	struct npumem_unmap unmap = { .size = sizeof(unmap), .address = (uintptr_t)ready->at };

	command(ready->node, NPUMEM_MAP, &map, "map");
	command(ready->node, NPUMEM_UNMAP, &unmap, "unmap");
}

static void map(const struct ready *ready)
{
	map_and_unmap(ready, ready->handle);
}

static void cycle(const struct ready *ready)
{
	uint64_t handle = new_memory(ready->node, GRANULE);

	map_and_unmap(ready, handle);
	end_handle(ready->node, handle);
}

static const struct {
	const char *name;
	void (*make)(const struct ready *ready);
} loops[] = {
	{ "query", query }, { "export", export }, { "import", import }, { "create", create },
	{ "map", map }, { "cycle", cycle },
};

#define LOOPS	(sizeof(loops) / sizeof(*loops))

/*
 * Samples by a clock that counts instructions would fall into step with the loop, and be
 * of a few places in it only. profile knows this by name.
 */
static __attribute__((noinline)) void keep_out_of_step(unsigned int *seed)
{
	volatile unsigned int left = (unsigned int)rand_r(seed) % (PAUSE / 4);

	while (left)
		left--;
}

/* Instructions that each took. */
static double repeat(void (*make)(const struct ready *ready), const struct ready *ready,
		     double seconds)
{
	uint64_t from, took = 0, times = 0, in_a_row = 10, i;
	unsigned int seed = 1;

	while (took < seconds * 1e9) {
		from = now();
		for (i = 0; i < in_a_row; i++)
			make(ready);
		took += now() - from;
		times += in_a_row;
		in_a_row = 1 + STRETCH * times / took;
		keep_out_of_step(&seed);
	}
	return (double)took / times;
}

/* In the other process: its own memory none imports. */
static void repeat_there(struct pair *pair, double seconds, double *cost)
{
	struct ready ready = { .node = open_node() };

	ready.token = pair_hear(pair);
	*cost = repeat(import, &ready, seconds);
	exit(0);
}

void loop_run(const char *name, double seconds)
{
	struct ready ready = { 0 };
	double *cost = shared_memory(sizeof(*cost));
	struct pair pair;
	size_t i;

	for (i = 0; i < LOOPS && strcmp(loops[i].name, name); i++)
		;
	if (i == LOOPS)
		die("no step %s: query, export, import, create, map or cycle", name);
	if (!pair_start(&pair)) {
		if (loops[i].make == import)
			repeat_there(&pair, seconds, cost);
		exit(0);
	}
	ready.node = open_node();
	ready.handle = new_memory(ready.node, GRANULE);
	ready.at = find_addresses(GRANULE);
	if (mmap(ready.at, GRANULE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 ready.node, 0) != ready.at)
		die("reserve: %s", strerror(errno));
	if (loops[i].make == import) {
		ready.token = new_share(ready.node, ready.handle);
		let_in(ready.node, ready.token, &pair.child, 1);
		pair_tell(&pair, ready.token);
	} else {
		*cost = repeat(loops[i].make, &ready, seconds);
	}
	pair_end(&pair);
	printf("%.0f\n", *cost);
	close(ready.node);
	munmap(cost, sizeof(*cost));
}
