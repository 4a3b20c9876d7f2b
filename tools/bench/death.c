// SPDX-License-Identifier: MIT
/*
 * What the end of a process by SIGKILL costs that has many mappings, beside taking
 * down the same by itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MEMORIES	100
#define TIMES		100

#define CLIENTS		"/sys/kernel/debug/npumem/clients"

enum end { EMPTY, EXPLICIT, KILLED };

static uint64_t used(void)
{
	struct npumem_device_info info = { .size = sizeof(info) };
	int node = open_node();

	command(node, NPUMEM_DEVICE_INFO, &info, "device info");
	close(node);
	return info.used;
}

/* Does the module still know of who has ended? */
static bool is_client(pid_t pid)
{
	FILE *file = fopen(CLIENTS, "re");
	bool found = false;
	char line[256];
	int client;

	if (!file)
		die("%s: %s", CLIENTS, strerror(errno));
	while (fgets(line, sizeof(line), file))
		found |= sscanf(line, "client pid %d", &client) == 1 && client == pid;
	fclose(file);
	return found;
}

/* A hundred memories, each of them mapped a hundred times. */
static void map_all(const struct way *way, struct unit *units)
{
	struct unit *all = &units[0];
	struct part *part;
	unsigned int i, j;

	all->length = GRANULE;
	all->parts = MEMORIES;
	all->part = calloc(MEMORIES, sizeof(*all->part));
	if (!all->part)
		die("no memory");
	for (i = 0; i < MEMORIES; i++)
		all->part[i].fd = all->part[i].other_fd = -1;
	if (way->start)
		way->start(all);
	unit_step(way, all, ALLOCATE);
	all->at = find_addresses(TIMES * MEMORIES * GRANULE);
	for (i = TIMES; i-- > 0;) {
		part = calloc(MEMORIES, sizeof(*part));
		if (!part)
			die("no memory");
		for (j = 0; j < MEMORIES; j++)
			part[j] = all->part[j];
		units[i] = *all;
		units[i].part = part;
		units[i].at = all->at + i * MEMORIES * GRANULE;
		unit_step(way, &units[i], RESERVE);
		unit_step(way, &units[i], MAP);
	}
}

static uint64_t unmap_all(const struct way *way, struct unit *units)
{
	uint64_t from = now();
	unsigned int i;

	for (i = 0; i < TIMES; i++) {
		unit_step(way, &units[i], UNMAP);
		unit_step(way, &units[i], RELEASE);
	}
	unit_step(way, &units[0], FREE);
	return now() - from;
}

static uint64_t run_one(const struct way *way, enum end end, bool *left)
{
	static struct unit units[TIMES];
	struct pair pair;
	uint64_t from, cost, before = used();

	if (!pair_start(&pair)) {
		if (end != EMPTY)
			map_all(way, units);
		pair_tell(&pair, end == EXPLICIT ? unmap_all(way, units) : 0);
		for (;;)
			pause();
	}
	cost = pair_hear(&pair);
	from = now();
	kill(pair.child, SIGKILL);
	if (waitpid(pair.child, NULL, 0) != pair.child)
		die("wait: %s", strerror(errno));
	if (end != EXPLICIT)
		cost = now() - from;
	*left |= used() != before || is_client(pair.child);
	close(pair.in);
	close(pair.out);
	close(pair.socket);
	return cost;
}

/* The cost of being killed to that of doing it oneself. */
void death_run(const struct way *way, struct death *death)
{
	uint64_t row[3][DEATH_ROUNDS];
	struct cost cost[3];
	int end, round;

	death->ratio = 0;
	death->left = false;
	if (way->prepare && way->prepare(MEMORIES * GRANULE))
		goto out;
	for (round = 0; round < DEATH_ROUNDS; round++)
		for (end = EMPTY; end <= KILLED; end++)
			row[end][round] = run_one(way, end, &death->left);
	for (end = EMPTY; end <= KILLED; end++)
		cost[end] = cost_of(row[end], DEATH_ROUNDS);
	death->ratio = ((double)cost[KILLED].median - cost[EMPTY].median) / cost[EXPLICIT].median;
out:
	if (way->finish)
		way->finish();
}
