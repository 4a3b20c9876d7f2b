// SPDX-License-Identifier: MIT
/*
 * Which locks do many processes wait for that have nothing to do with each other? Each
 * reserves addresses, imports, maps, faults in, unmaps, frees and releases what is its own. They have one thread
 * each: whoever waits for a lock of npumem shares it with another process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define CYCLES		1000
#define MAX_PLACES	128

#define EVENT		"/sys/kernel/tracing/events/lock/contention_begin/"

/* Where locks are waited for: the function that took one. */
struct place {
	char name[80];
	unsigned long waits;
};

/*
 * A spinlock says that it is waited for only when there are two who wait, and not at all
 * if the kernel takes itself for a guest.
 */
static const char *what_hides_waits(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	const char *why = NULL;
	char line[4096];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 3)
		return "who waits for locks is known of three processors and more";
	if (!file)
		die("/proc/cpuinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "flags", 5) && strstr(line, " hypervisor"))
			why = "who waits for locks is not known of guests: --cpu max,-hypervisor";
	fclose(file);
	return why;
}

static struct place places[MAX_PLACES];
static unsigned int place_count;

static void protect(const struct unit *unit, int rights)
{
	if (mprotect(unit->at, unit->length, rights))
		die("mprotect: %s", strerror(errno));
}

/* Where nothing may be read as yet, to map makes no page-table entries: touching does. */
static void import_and_map(struct unit *unit)
{
	/* Its own memory a process imports for another device only. */
	unit->part[0].device = 1;
	unit_step(&way_npumem, unit, RECEIVE);
	protect(unit, PROT_NONE);
	unit_step(&way_npumem, unit, MAP);
	protect(unit, PROT_READ | PROT_WRITE);
}

static void unmap_and_drop(struct unit *unit)
{
	unit_step(&way_npumem, unit, UNMAP);
	unit_step(&way_npumem, unit, DROP);
}

/*
 * What takes locks, or waits, for its caller: a lock in an xarray or in a queue of those who
 * wait is its owner's.
 */
static bool is_of_caller(const char *function)
{
	static const char *const prefixes[] = {
		"__mutex", "mutex_", "__ww_", "ww_", "down", "__down", "up_", "rwsem_",
		"_raw_", "__raw_", "do_raw_", "native_queued_", "queued_", "__pv_queued_",
		"osq_", "percpu_", "__percpu_", "rt_mutex", "rtlock_", "trace_", "__traceiter_",
		"xa_", "__xa_", "xas_", "rhashtable_", "rhltable_", "add_wait_queue",
		"remove_wait_queue", "prepare_to_wait", "finish_wait", "__wake_up", "wake_up",
	};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static void place_add(const char *name, unsigned long waits)
{
	unsigned int i;

	for (i = 0; i < place_count && strcmp(places[i].name, name); i++)
		;
	if (i == MAX_PLACES)
		die("more than %u functions wait for locks", i);
	if (i == place_count)
		snprintf(places[place_count++].name, sizeof(places->name), "%s", name);
	places[i].waits += waits;
}

/*
 * The kernel writes stacks of calls, a function on each line, innermost first; then how
 * often it met that one. Returns how often it had no room for one.
 */
static unsigned long read_places(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256], function[80], module[80], name[80] = "";
	unsigned long number, dropped = 0;

	if (!file)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "} hitcount: %lu", &number) == 1) {
			place_add(*name ? name : "?", number);
			*name = '\0';
		} else if (sscanf(line, " Dropped: %lu", &number) == 1) {
			dropped = number;
		} else if (!*name && sscanf(line, " %79[^+ \n]+%*s %79s", function, module) >= 1 &&
			   strchr(line, '+') && !is_of_caller(function)) {
			snprintf(name, sizeof(name), "%.60s%s", function,
				 strstr(line, "[npumem]") ? " [npumem]" : "");
		}
	}
	fclose(file);
	return dropped;
}

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->waits < y->waits) - (x->waits > y->waits);
}

static void print_places(void)
{
	unsigned long ours = 0, all = 0;
	unsigned int i;

	qsort(places, place_count, sizeof(*places), compare);
	printf("%u processes, %u times reserve, import, map, fault, unmap, free and release, each its\n"
	       "own, on %ld processors: waits for locks, by the function that takes them\n", CROWD,
	       CYCLES, sysconf(_SC_NPROCESSORS_ONLN));
	for (i = 0; i < place_count; i++) {
		printf("%10lu %s\n", places[i].waits, places[i].name);
		all += places[i].waits;
		if (strstr(places[i].name, "[npumem]"))
			ours += places[i].waits;
	}
	printf("%10lu in all; %lu for locks of npumem\n\n", all, ours);
	fflush(stdout);
}

/* Prints who waits for locks. */
void locks_run(void)
{
	static struct way way;
	struct crowd crowd;
	const char *missing = what_hides_waits(), *key = "common_stacktrace";
	unsigned long dropped;

	if (missing)
		die("%s", missing);
	way = way_npumem;
	way.step[MAP] = import_and_map;
	way.step[UNMAP] = unmap_and_drop;
	if (read_number(EVENT "id") < 0) {
		printf("this kernel does not tell who waits for locks\n\n");
		return;
	}
	missing = crowd_start(&crowd, &way, CROWD);
	if (missing)
		die("%s", missing);
	crowd_cost(&crowd, CROWD, 1);
	/* Called so since 6.3. */
	if (!write_file(EVENT "trigger", "hist:keys=%s:size=4096", key)) {
		key = "stacktrace";
		if (!write_file(EVENT "trigger", "hist:keys=%s:size=4096", key))
			die(EVENT "trigger: %s", strerror(errno));
	}
	progress("%u processes: locks", CROWD);
	crowd_cost(&crowd, CROWD, CYCLES);
	write_file(EVENT "trigger", "hist:keys=%s:size=4096:pause", key);
	dropped = read_places(EVENT "hist");
	write_file(EVENT "trigger", "!hist:keys=%s:size=4096", key);
	crowd_end(&crowd);
	if (dropped)
		die("%lu stacks of calls had no room", dropped);
	print_places();
}
