// SPDX-License-Identifier: MIT
/*
 * What memory costs that has been zeroed in advance: whoever allocates it, and in all,
 * with the module's thread that zeroes it.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

#define DELAY	"/sys/module/npumem/parameters/zeroing_delay_ms"
#define MAX	"/sys/module/npumem/parameters/max_zeroed"
#define KEPT	"/sys/class/npumem/npumem/host/zeroed"
#define THREAD	"npumem-zero"
#define NEVER_MS	3600000
#define PATIENCE	10000	/* milliseconds */

static void set_delay(long long ms)
{
	if (!write_file(DELAY, "%lld", ms))
		die("%s: cannot be set", DELAY);
}

/*
 * While costs are measured nothing is zeroed in advance, for then nobody would pay for
 * it. Returns how long the module waits otherwise.
 */
long long zeroing_hold(void)
{
	long long before = read_number(DELAY);

	set_delay(NEVER_MS);
	return before;
}

void zeroing_release(long long before)
{
	set_delay(before);
}

/*
 * From then on nothing is kept of what is freed, and what was kept is given back. Returns
 * how much is kept otherwise.
 */
long long keeping_stop(void)
{
	long long before = read_number(MAX);

	keeping_resume(0);
	return before;
}

void keeping_resume(long long bytes)
{
	if (!write_file(MAX, "%lld", bytes))
		die("%s: cannot be set", MAX);
}

/* Where the kernel tells how long the thread has run, in nanoseconds. */
static const char *find_thread(void)
{
	static char path[300];
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char comm[32];
	FILE *file;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		found = file && fscanf(file, "%31s", comm) == 1 && !strcmp(comm, THREAD);
		if (file)
			fclose(file);
		if (found)
			snprintf(path, sizeof(path), "/proc/%s/schedstat", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found ? path : NULL;
}

/* Nothing if there is no such thread, or the kernel does not count. */
void zeroed_run(struct zeroed *zeroed)
{
	uint64_t row[ROUNDS], all[ROUNDS], handle, from;
	const char *thread = find_thread();
	int round, tries, node = open_node();
	long long ran;

	memset(zeroed, 0, sizeof(*zeroed));
	if (!thread || read_number(thread) < 0)
		goto out;
	for (round = 0; round < ROUNDS; round++) {
		handle = new_memory(node, TABLE_LENGTH);
		end_handle(node, handle);
		ran = read_number(thread);
		set_delay(1);
		for (tries = 0; read_number(KEPT) < (long long)TABLE_LENGTH; tries++) {
			if (tries == PATIENCE)
				die("%s: less than %u MiB are kept zeroed: a larger max_zeroed",
				    KEPT, (unsigned int)(TABLE_LENGTH / MIB));
			usleep(1000);
		}
		/* It may still be running, but for nothing. */
		set_delay(NEVER_MS);
		usleep(1000);
		ran = read_number(thread) - ran;
		from = now();
		handle = new_memory(node, TABLE_LENGTH);
		row[round] = now() - from - clock_cost();
		all[round] = row[round] + ran;
		end_handle(node, handle);
	}
	zeroed->allocate = cost_of(row, ROUNDS);
	zeroed->all = cost_of(all, ROUNDS);
out:
	close(node);
}
