// SPDX-License-Identifier: MIT
/*
 * The whole cycle of a memory that two processes share, step by step, for any
 * way of sharing: an exporter, and an importer which is its child.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

const struct way *const ways[WAYS] = {
	[NPUMEM] = &way_npumem,
	[ACL] = &way_acl,
	[MEMFD] = &way_memfd,
	[THP] = &way_thp,
	[HUGETLB] = &way_hugetlb,
	[DMA_HEAP] = &way_dma_heap,
	[UDMABUF] = &way_udmabuf,
};

const char *const step_names[STEPS] = {
	[NOTHING] = "nothing: what the clock adds",
	[ALLOCATE] = "allocate, zeroed",
	[EXPORT] = "export",
	[WHITELIST] = "whitelist",
	[SEND] = "hand over",
	[RECEIVE] = "import",
	[RESERVE] = "reserve",
	[MAP] = "map",
	[TOUCH] = "touch",
	[READ_ONLY] = "set access, read-only",
	[READ_WRITE] = "set access, read and write",
	[UNMAP] = "unmap",
	[RELEASE] = "release",
	[DROP] = "free, not last",
	[FREE] = "free, last",
};

/* What the two processes have in common. */
struct board {
	struct sample sample[STEPS][ROUNDS];
	unsigned int descriptors[2], vmas[2];	/* before, and while all is mapped */
};

/* The same instructions for all: four for each page. */
static __attribute__((noinline)) uint64_t sum_of_pages(const char *at, uint64_t length)
{
	const volatile unsigned char *byte = (const volatile unsigned char *)at;
	const volatile unsigned char *end = byte + length;
	uint64_t sum = 0;

#pragma GCC unroll 1
	for (; byte != end; byte += PAGE)
		sum += *byte;
	return sum;
}

void touch(const struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		if (sum_of_pages(unit->part[i].at, unit->length))
			die("memory that is not zero");
}

void unit_step(const struct way *way, struct unit *unit, enum step step)
{
	if (way->step[step])
		way->step[step](unit);
}

/* All of it must read as zeros, and be something else for who gets it next. */
static void verify(const struct unit *unit)
{
	uint64_t offset, bits = 0;
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		char *at = unit->part[i].at;
		const uint64_t *word = (const uint64_t *)at;

		for (offset = 0; offset < unit->length / 8; offset += 8)
			bits |= word[offset] | word[offset + 1] | word[offset + 2] |
				word[offset + 3] | word[offset + 4] | word[offset + 5] |
				word[offset + 6] | word[offset + 7];
		if (bits)
			die("memory that is not zero");
		for (offset = 0; offset < unit->length; offset += PAGE)
			((volatile char *)at)[offset + offset / PAGE % PAGE] = -1;
	}
}

static void step(const struct way *way, struct unit *unit, struct board *board, int round,
		 enum step step)
{
	void (*make)(struct unit *) = step == TOUCH ? NULL : way->step[step];
	struct sample from, to;

	/* What is not needed costs nothing, not even the asking for it. */
	if (!make && step != TOUCH && step != NOTHING)
		return;
	from = sample();
	if (step == TOUCH)
		touch(unit);
	else if (make)
		make(unit);
	to = sample();
	if (round >= 0)
		board->sample[step][round] = sample_difference(&from, &to);
}

static void importer(const struct way *way, struct unit *unit, unsigned int memories,
		     struct board *board, struct pair *pair, int rounds)
{
	struct unit own;
	int round;

	for (round = -1; round < rounds; round++) {
		pair_hear(pair);
		board->descriptors[0] = count_descriptors();
		board->vmas[0] = count_vmas();
		step(way, unit, board, round, RECEIVE);
		step(way, unit, board, round, RESERVE);
		step(way, unit, board, round, MAP);
		step(way, unit, board, round, TOUCH);
		board->descriptors[1] = count_descriptors();
		board->vmas[1] = count_vmas();
		own = *unit;
		own.parts = memories;
		verify(&own);
		step(way, unit, board, round, READ_ONLY);
		step(way, unit, board, round, READ_WRITE);
		step(way, unit, board, round, UNMAP);
		step(way, unit, board, round, RELEASE);
		step(way, unit, board, round, DROP);
		pair_tell(pair, 0);
	}
	exit(0);
}

/* Where there are fewer memories than parts, each is several parts, the first ones first. */
static void repeat_memories(struct unit *unit, unsigned int memories)
{
	unsigned int i;

	for (i = memories; i < unit->parts; i++) {
		unit->part[i].fd = unit->part[i - memories].fd;
		unit->token[i] = unit->token[i - memories];
	}
}

static void exporter(const struct way *way, struct unit *unit, unsigned int memories,
		     struct board *board, struct pair *pair, int rounds)
{
	struct unit own = *unit;
	int round;

	own.parts = memories;
	for (round = -1; round < rounds; round++) {
		step(way, &own, board, round, NOTHING);
		step(way, &own, board, round, ALLOCATE);
		step(way, &own, board, round, EXPORT);
		step(way, &own, board, round, WHITELIST);
		repeat_memories(unit, memories);
		step(way, unit, board, round, SEND);
		pair_tell(pair, 0);
		pair_hear(pair);
		step(way, &own, board, round, FREE);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct cost cost_of(uint64_t *row, unsigned int rounds)
{
	qsort(row, rounds, sizeof(*row), compare);
	return (struct cost){ row[0], row[rounds / 2] };
}

bool step_in_whole(int step)
{
	return step != NOTHING && step != READ_ONLY && step != READ_WRITE;
}

/* An interrupt that comes meanwhile may add some, and reading them does. */
static uint64_t least_events(const struct board *board, unsigned int rounds, int step, int event)
{
	uint64_t least = UINT64_MAX, from, to;
	unsigned int round;

	for (round = 0; round < rounds; round++) {
		if (!board->sample[step][round].time)
			return 0;
		from = board->sample[NOTHING][round].event[event];
		to = board->sample[step][round].event[event];
		if (to - from < least)
			least = to - from;
	}
	return least;
}

/* Without what measuring itself adds. */
static void evaluate(const struct board *board, unsigned int rounds, struct result *result)
{
	uint64_t row[ROUNDS], whole[ROUNDS] = { 0 }, clock;
	unsigned int round;
	int i, event;

	for (round = 0; round < rounds; round++)
		row[round] = board->sample[NOTHING][round].time;
	result->step[NOTHING] = cost_of(row, rounds);
	clock = result->step[NOTHING].minimum;
	for (i = NOTHING + 1; i < STEPS; i++) {
		for (round = 0; round < rounds; round++) {
			uint64_t time = board->sample[i][round].time;

			row[round] = time > clock ? time - clock : 0;
			if (step_in_whole(i))
				whole[round] += row[round];
		}
		result->step[i] = cost_of(row, rounds);
	}
	result->whole = cost_of(whole, rounds);
	for (i = NOTHING + 1; i < STEPS; i++)
		for (event = 0; event < EVENTS; event++)
			result->events[i].event[event] = least_events(board, rounds, i, event);
}

static void run_pair(const struct way *way, struct unit *unit, unsigned int memories,
		     struct board *board, int rounds, bool events)
{
	struct pair pair;
	unsigned int i;

	unit->part = calloc(unit->parts, sizeof(*unit->part));
	unit->token = shared_memory(unit->parts * sizeof(*unit->token));
	if (!unit->part)
		die("no memory");
	for (i = 0; i < unit->parts; i++) {
		unit->part[i].fd = unit->part[i].other_fd = -1;
		unit->part[i].device = i / memories;
	}
	unit->importer = pair_start(&pair);
	unit->socket = pair.socket;
	if (way->start)
		way->start(unit);
	if (events)
		events_open();
	if (unit->importer) {
		exporter(way, unit, memories, board, &pair, rounds);
		pair_end(&pair);
		events_close();
		if (unit->node)
			close(unit->node);
	} else {
		importer(way, unit, memories, board, &pair, rounds);
	}
	munmap(unit->token, unit->parts * sizeof(*unit->token));
	free(unit->part);
}

/*
 * Measures @rounds rounds, with one more before them. With @events it is these that are
 * counted, and not instructions.
 */
void unit_run(const struct way *way, const struct shape *shape, unsigned int rounds,
	      bool events, struct result *result)
{
	struct unit unit = { .length = shape->length, .parts = shape->parts };
	unsigned int memories = shape->memories ? shape->memories : shape->parts;
	struct board *board = shared_memory(sizeof(*board));

	result->missing = way->prepare ? way->prepare(shape->length * memories) : NULL;
	if (!result->missing) {
		run_pair(way, &unit, memories, board, rounds, events);
		if (events) {
			struct result counted = { 0 };

			evaluate(board, rounds, &counted);
			memcpy(result->events, counted.events, sizeof(counted.events));
		} else {
			evaluate(board, rounds, result);
		}
		result->descriptors = board->descriptors[1] - board->descriptors[0];
		result->vmas = board->vmas[1] - board->vmas[0];
	}
	if (way->finish)
		way->finish();
	munmap(board, sizeof(*board));
}
