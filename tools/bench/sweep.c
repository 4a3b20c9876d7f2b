// SPDX-License-Identifier: MIT
/* How costs grow with the size, with the number of handles, of processes, of pids. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"

/*
 * What is dearer than so many times ours is measured in fewer rounds: not to take more
 * instructions than the budget, one after the one that warms up is always made.
 */
#define NEAR		1.5
#define BUDGET		300000000.0
/* One device each for so many handles of a memory. */
#define HANDLES_EACH	32

static const uint64_t sizes[] = { 2, 16, 128, 1024 };		/* MiB */
static const uint64_t handle_counts[] = { 1, 10, 100, 1000, 10000 };
static const uint64_t pid_counts[] = { 1, 16, 256, 4096, 10000, NPUMEM_WHITELIST_MAX };
static const uint64_t process_counts[] = { 1, 2, 4, 8, 16, 32, CROWD };

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static void sweep_init(struct sweep *sweep, const char *name, const char *title, const char *x,
		       const uint64_t *points, unsigned int count)
{
	unsigned int i, way;

	*sweep = (struct sweep){ .name = name, .title = title, .x_name = x, .points = count };
	for (i = 0; i < count; i++) {
		sweep->x[i] = points[i];
		for (way = 0; way < WAYS; way++)
			sweep->y[i][way] = NONE;
	}
}

static unsigned int rounds_for(const struct result *one, int way, uint64_t granules)
{
	double whole = (double)one[way].whole.median;
	double rounds = BUDGET / (whole * granules);

	if (whole <= NEAR * one[NPUMEM].whole.median)
		return ROUNDS;
	return rounds < 1 ? 1 : rounds > ROUNDS ? ROUNDS : (unsigned int)rounds;
}

static bool fits(uint64_t bytes)
{
	return memory_available() > bytes + bytes / 4 + 256 * MIB;
}

/* In one block, or in blocks of 2 MiB; @create, if wanted, of what it costs to create. */
static void sweep_sizes(struct sweep *sweep, bool in_parts, const struct result *one,
			struct sweep *create)
{
	unsigned int i;
	int way;

	for (i = 0; i < sweep->points; i++) {
		uint64_t length = sizes[i] * MIB, granules = length / GRANULE;
		struct shape shape = {
			.length = in_parts ? GRANULE : length, .parts = in_parts ? granules : 1,
		};

		for (way = 0; way < WAYS; way++) {
			struct result result = { 0 };

			if (one[way].missing || !fits(length))
				continue;
			progress("%u of %llu MiB: %s", shape.parts,
				 (unsigned long long)(shape.length / MIB), ways[way]->name);
			unit_run(ways[way], &shape, rounds_for(one, way, granules), false,
				 &result);
			if (result.missing)
				continue;
			sweep->y[i][way] = (double)result.whole.median / granules;
			if (create)
				create->y[i][way] = (double)result.step[ALLOCATE].median /
						    granules;
		}
	}
}

static void sweep_handles(struct sweep *sweep)
{
	static const int compared[] = { NPUMEM, HUGETLB };
	unsigned int i, j;

	for (i = 0; i < sweep->points; i++) {
		unsigned int count = sweep->x[i];
		struct shape shape = {
			.length = GRANULE, .parts = count,
			.memories = (count + HANDLES_EACH - 1) / HANDLES_EACH,
		};

		for (j = 0; j < COUNT(compared); j++) {
			int way = compared[j];
			struct result result = { 0 };
			uint64_t sum;

			if (!fits(shape.memories * GRANULE))
				continue;
			progress("%u handles: %s", count, ways[way]->name);
			unit_run(ways[way], &shape, count > 1000 ? 3 : ROUNDS, false, &result);
			if (result.missing)
				continue;
			/* Others find addresses while they map, and free them as they unmap. */
			sum = result.step[RECEIVE].median + result.step[RESERVE].median +
			      result.step[MAP].median + result.step[UNMAP].median +
			      result.step[RELEASE].median + result.step[DROP].median;
			sweep->y[i][way] = (double)sum / count;
		}
	}
}

void sweep_pids(struct sweep *sweep, const struct idlers *idlers)
{
	unsigned int i;

	sweep_init(sweep, "pids", "whitelist: per process", "pids", pid_counts, COUNT(pid_counts));
	for (i = 0; i < sweep->points; i++) {
		struct cost cost;

		if (sweep->x[i] > idlers->count)
			continue;
		progress("%u pids in a whitelist", (unsigned int)sweep->x[i]);
		cost = whitelist_cost(idlers->pid, sweep->x[i]);
		sweep->y[i][NPUMEM] = (double)cost.median / sweep->x[i];
	}
}

/* As many rounds in all, however many processes share them. */
static unsigned int cycles_for(struct crowd *crowd)
{
	double cycles = BUDGET / 5 / crowd_cost(crowd, 1, 1);

	return cycles < CROWD ? CROWD : cycles > 25 * CROWD ? 25 * CROWD : (unsigned int)cycles;
}

static void sweep_processes(struct sweep *sweep)
{
	struct crowd crowd;
	unsigned int i, round, cycles;
	int way;

	for (way = 0; way < WAYS; way++) {
		progress("1 to %u processes: %s", CROWD, ways[way]->name);
		if (crowd_start(&crowd, ways[way], CROWD))
			continue;
		crowd_cost(&crowd, CROWD, 1);
		cycles = cycles_for(&crowd);
		for (round = 0; round < 2; round++) {
			for (i = 0; i < sweep->points; i++) {
				double *y = &sweep->y[i][way];

				*y = fmin(*y, crowd_cost(&crowd, sweep->x[i],
							 cycles / sweep->x[i]));
			}
		}
		crowd_end(&crowd);
	}
}

void sweeps_run(struct sweep *sweeps, const struct result *one)
{
	sweep_init(&sweeps[BY_SIZE], "size", "the whole cycle, per 2 MiB: one handle", "MiB",
		   sizes, COUNT(sizes));
	sweep_init(&sweeps[CREATE_BY_SIZE], "create", "allocate, per 2 MiB: one handle", "MiB",
		   sizes, COUNT(sizes));
	sweep_init(&sweeps[BY_PARTS], "parts", "the whole cycle, per handle of 2 MiB", "MiB",
		   sizes, COUNT(sizes));
	sweep_init(&sweeps[BY_HANDLES], "handles",
		   "import, reserve, map, unmap, release, free: per handle", "handles",
		   handle_counts, COUNT(handle_counts));
	sweep_init(&sweeps[BY_PROCESSES], "processes",
		   "reserve, map, touch, unmap, release: each", "processes", process_counts,
		   COUNT(process_counts));
	sweep_sizes(&sweeps[BY_SIZE], false, one, &sweeps[CREATE_BY_SIZE]);
	sweep_sizes(&sweeps[BY_PARTS], true, one, NULL);
	sweep_handles(&sweeps[BY_HANDLES]);
	sweep_processes(&sweeps[BY_PROCESSES]);
}
