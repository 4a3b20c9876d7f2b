// SPDX-License-Identifier: MIT
/*
 * Many processes at once, each of which reserves addresses, maps, touches and unmaps a
 * memory of its own and releases the addresses, again and again: do they get in each
 * other's way? Others than ours find addresses while they map.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* What a process and its parent tell each other; a cache line of its own. */
struct seat {
	uint32_t turn;		/* to be taken, or 0 to end */
	uint32_t taken;		/* the last one that was */
	uint32_t times;
	uint64_t from, to;
} __attribute__((aligned(64)));

static void futex(uint32_t *word, int operation, uint32_t value)
{
	syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		futex(word, FUTEX_WAIT, value);
}

static void set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	futex(word, FUTEX_WAKE, INT_MAX);
}

static void sit(const struct way *way, struct seat *seat)
{
	struct part part = { .fd = -1, .other_fd = -1 };
	struct unit unit = { .length = GRANULE, .parts = 1, .part = &part };
	uint64_t token;
	uint32_t turn = 0, i;

	unit.token = &token;
	if (way->start)
		way->start(&unit);
	unit_step(way, &unit, ALLOCATE);
	unit_step(way, &unit, EXPORT);
	set(&seat->taken, 1);
	for (turn = 1; ; turn++) {
		wait_while(&seat->turn, turn);
		if (!__atomic_load_n(&seat->turn, __ATOMIC_ACQUIRE))
			exit(0);
		seat->from = now();
		for (i = 0; i < seat->times; i++) {
			unit_step(way, &unit, RESERVE);
			unit_step(way, &unit, MAP);
			touch(&unit);
			unit_step(way, &unit, UNMAP);
			unit_step(way, &unit, RELEASE);
		}
		seat->to = now();
		set(&seat->taken, turn + 1);
	}
}

/* NULL, or why there is none. */
const char *crowd_start(struct crowd *crowd, const struct way *way, unsigned int count)
{
	const char *missing = way->prepare ? way->prepare(count * GRANULE) : NULL;
	unsigned int i;

	if (missing)
		return missing;
	crowd->way = way;
	crowd->count = count;
	crowd->seats = shared_memory(count * sizeof(*crowd->seats));
	for (i = 0; i < count; i++)
		crowd->seats[i].turn = 1;
	fflush(NULL);
	for (i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid)
			sit(way, &crowd->seats[i]);
		/* What all of them share, as the files, is not grabbed at once. */
		wait_while(&crowd->seats[i].taken, 0);
	}
	return NULL;
}

/* What one round of one of @running processes costs, when all have gone @times rounds. */
double crowd_cost(struct crowd *crowd, unsigned int running, unsigned int times)
{
	uint64_t first = UINT64_MAX, last = 0;
	unsigned int i;

	for (i = 0; i < running; i++) {
		struct seat *seat = &crowd->seats[i];

		seat->times = times;
		set(&seat->turn, seat->turn + 1);
	}
	for (i = 0; i < running; i++) {
		struct seat *seat = &crowd->seats[i];

		wait_while(&seat->taken, seat->turn - 1);
		if (seat->from < first)
			first = seat->from;
		if (seat->to > last)
			last = seat->to;
	}
	return (double)(last - first) / running / times;
}

void crowd_end(struct crowd *crowd)
{
	unsigned int i;
	int status;

	for (i = 0; i < crowd->count; i++)
		set(&crowd->seats[i].turn, 0);
	for (i = 0; i < crowd->count; i++)
		if (wait(&status) < 0 || status)
			die("a process of many failed");
	munmap(crowd->seats, crowd->count * sizeof(*crowd->seats));
	if (crowd->way->finish)
		crowd->way->finish();
}
