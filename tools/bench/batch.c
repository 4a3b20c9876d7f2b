// SPDX-License-Identifier: MIT
/* Many mappings made and taken down by one request, and by one each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* So many are enough: each may be mapped several times. */
#define MEMORIES	32

struct shelf {
	int node;
	unsigned int count;
	char *at;
	struct npumem_map_entry *entry;
	uint64_t *address;
};

static void shelf_fill(struct shelf *shelf, unsigned int count)
{
	uint64_t handle[MEMORIES];
	unsigned int i;

	shelf->node = open_node();
	shelf->count = count;
	shelf->entry = calloc(count, sizeof(*shelf->entry));
	shelf->address = calloc(count, sizeof(*shelf->address));
	if (!shelf->entry || !shelf->address)
		die("no memory");
	shelf->at = find_addresses(count * GRANULE);
	if (mmap(shelf->at, count * GRANULE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, shelf->node, 0) != shelf->at)
		die("reserve: %s", strerror(errno));
	for (i = 0; i < count; i++) {
		if (i < MEMORIES)
			handle[i] = new_memory(shelf->node, GRANULE);
		shelf->address[i] = (uintptr_t)shelf->at + i * GRANULE;
		shelf->entry[i] = (struct npumem_map_entry){
			.address = shelf->address[i], .length = GRANULE,
			.handle = handle[i % MEMORIES],
		};
	}
}

static void shelf_empty(struct shelf *shelf)
{
	munmap(shelf->at, shelf->count * GRANULE);
	close(shelf->node);
	free(shelf->entry);
	free(shelf->address);
}

static void map_by(const struct shelf *shelf, enum batch_by by)
{
	struct npumem_map_batch batch = {
		.size = sizeof(batch), .count = shelf->count, .entries = (uintptr_t)shelf->entry,
	};
	struct npumem_map map = { .size = sizeof(map), .length = GRANULE };
	unsigned int i;

	if (by == IN_ONE) {
		command(shelf->node, NPUMEM_MAP_BATCH, &batch, "map many");
		return;
	}
	for (i = 0; i < shelf->count; i++) {
		map.address = shelf->entry[i].address;
		map.handle = shelf->entry[i].handle;
		command(shelf->node, NPUMEM_MAP, &map, "map");
	}
}

static void unmap_by(const struct shelf *shelf, enum batch_by by)
{
	struct npumem_unmap_batch batch = {
		.size = sizeof(batch), .count = shelf->count,
		.addresses = (uintptr_t)shelf->address,
	};
	struct npumem_unmap unmap = { .size = sizeof(unmap) };
	unsigned int i;

	if (by == IN_ONE) {
		command(shelf->node, NPUMEM_UNMAP_BATCH, &batch, "unmap many");
		return;
	}
	for (i = 0; i < shelf->count; i++) {
		unmap.address = shelf->address[i];
		command(shelf->node, NPUMEM_UNMAP, &unmap, "unmap");
	}
}

/* One round; what it took, without what measuring adds, but the clock. */
static void run_one(const struct shelf *shelf, enum batch_by by, struct sample *took)
{
	struct sample at[BATCH_STEPS + 2], empty;
	int step, event;

	at[0] = sample();
	at[1] = sample();
	map_by(shelf, by);
	at[2] = sample();
	unmap_by(shelf, by);
	at[3] = sample();
	empty = sample_difference(&at[0], &at[1]);
	for (step = 0; step < BATCH_STEPS; step++) {
		took[step] = sample_difference(&at[step + 1], &at[step + 2]);
		for (event = 0; event < EVENTS; event++)
			took[step].event[event] -= empty.event[event];
	}
}

void batch_run(unsigned int count, struct batch *batch)
{
	uint64_t row[BATCH_STEPS][ROUNDS], clock = clock_cost();
	struct sample took[BATCH_STEPS];
	struct shelf shelf;
	int by, step, round;

	shelf_fill(&shelf, count);
	batch->count = count;
	for (by = 0; by < BATCH_WAYS; by++) {
		for (round = -1; round < ROUNDS; round++) {
			run_one(&shelf, by, took);
			for (step = 0; step < BATCH_STEPS && round >= 0; step++)
				row[step][round] = took[step].time - clock;
		}
		for (step = 0; step < BATCH_STEPS; step++)
			batch->cost[by][step] = cost_of(row[step], ROUNDS);
		/* In a round of its own, as counting takes time. */
		events_open();
		run_one(&shelf, by, took);
		run_one(&shelf, by, took);
		for (step = 0; step < BATCH_STEPS; step++)
			batch->events[by][step] = took[step];
		events_close();
	}
	shelf_empty(&shelf);
}
