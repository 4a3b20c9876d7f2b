// SPDX-License-Identifier: MIT
/*
 * Measures what sharing memory costs by npumem, and by all else there is, side by
 * side (make bench).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"

static void usage(FILE *out)
{
	fprintf(out,
		"usage: bench [OPTION]...\n"
		"       bench --gate\n"
		"       bench [--scaling FILE] [--locks]\n"
		"       bench --many FILE\n"
		"       bench --gigabyte FILE\n"
		"       bench --loop STEP SECONDS\n"
		"\n"
		"Counts the instructions that npumem takes to share memory between processes,\n"
		"those of other ways to do it, and those of the least that could be had. It is to\n"
		"run where the clock counts instructions, as root, with the module loaded for 32\n"
		"devices: tools/vm/vm run --icount --devices 32 -- build/bench/bench\n"
		"\n"
		"  --json FILE     write the table of targets there, too\n"
		"  --sweeps FOLDER measure how costs grow, too, and write a table of each there\n"
		"  --scaled FILE   take into the table what --scaling wrote\n"
		"  --found FILE    take into the table what --many wrote\n"
		"  --carved FILE   take into the table what --gigabyte wrote\n"
		"\n"
		"  --gate          only our own costs and counts, to be compared with others\n"
		"  --scaling FILE  only how far many processes get on several processors, by the\n"
		"                  clock on the wall\n"
		"  --locks         only which locks many processes wait for: in a machine of three\n"
		"                  processors or more, and --cpu max,-hypervisor\n"
		"  --many FILE     only what it costs to find one of up to 100,000 shares, handles and\n"
		"                  mappings: with a module whose granule is a page\n"
		"  --gigabyte FILE only what it costs to map 1 GiB: device 1 is to have a carve-out\n"
		"  --loop STEP     only one step, until the clock has gone on so many seconds: query,\n"
		"                  export (and unexport), import (and free), create (and free), map\n"
		"                  (and unmap), cycle (create, map, unmap, free); of 2 MiB. Prints\n"
		"                  the instructions that each took; tools/bench/profile uses it\n"
		"  -h, --help      show this\n"
		"\n"
		"Exit status: 0 when all could be measured, whether or not targets are met;\n"
		"1 when something failed; 2 when the arguments are wrong.\n");
}

const struct shape shape_one = { .length = GRANULE, .parts = 1 };
const struct shape shape_large = { .length = TABLE_LENGTH, .parts = 1 };
const struct shape shape_parts = { .length = GRANULE, .parts = TABLE_PARTS };

static void run_way(int way, const struct shape *shape, struct result *result)
{
	progress("%u of %llu MiB: %s", shape->parts, (unsigned long long)(shape->length / MIB),
		 ways[way]->name);
	unit_run(ways[way], shape, ROUNDS, false, result);
	if (!result->missing)
		unit_run(ways[way], shape, EVENT_ROUNDS, true, result);
}

static void run(const struct shape *shape, struct result *results)
{
	int way;

	for (way = 0; way < WAYS; way++)
		run_way(way, shape, &results[way]);
}

static void run_footprints(struct measured *m)
{
	static const int compared[] = { NPUMEM, HUGETLB };
	size_t i;

	for (i = 0; i < sizeof(compared) / sizeof(*compared); i++) {
		int way = compared[i];

		progress("bytes of %u handles: %s", TABLE_HANDLES, ways[way]->name);
		m->handle_bytes[way] = handle_bytes(ways[way], TABLE_HANDLES);
	}
}

static void start_idlers(struct idlers *idlers, unsigned int count, unsigned int least,
			 unsigned int apart)
{
	progress("%u processes to let in, pids %u apart", count, apart);
	idlers_start(idlers, count, apart);
	if (idlers->count < least)
		die("%u processes and no more: this needs more memory", idlers->count);
}

static void run_list(struct measured *m, const struct idlers *idlers, enum list list)
{
	m->few_pids[list] = whitelist_cost(idlers->pid, FEW_PIDS);
	m->many_pids[list] = whitelist_cost(idlers->pid, TABLE_PIDS);
}

/* So many processes that a sweep has enough, if wanted. */
static void run_whitelists(struct measured *m, bool sweeps)
{
	struct idlers idlers, some;

	start_idlers(&idlers, sweeps ? NPUMEM_WHITELIST_MAX : TABLE_PIDS, TABLE_PIDS, 1);
	run_list(m, &idlers, NEIGHBOURS);
	progress("import among many");
	imports_run(idlers.pid, TABLE_PIDS, TABLE_PIDS, &m->imports);
	if (sweeps)
		sweep_pids(&m->sweeps[BY_PIDS], &idlers);
	/* The others stay to be ended. */
	some = idlers;
	some.count = TABLE_PIDS;
	idlers_shuffle(&some);
	run_list(m, &some, SHUFFLED);
	idlers_end(&idlers);

	start_idlers(&idlers, TABLE_PIDS, TABLE_PIDS, PIDS_APART);
	run_list(m, &idlers, APART);
	idlers_shuffle(&idlers);
	run_list(m, &idlers, APART_SHUFFLED);
	idlers_end(&idlers);
}

static void run_entries(struct measured *m)
{
	struct idlers idlers;

	start_idlers(&idlers, TABLE_PIDS, TABLE_PIDS, 1);
	m->entry_bytes[NEIGHBOURS] = entry_bytes(idlers.pid, TABLE_PIDS);
	idlers_end(&idlers);
	start_idlers(&idlers, TABLE_PIDS, TABLE_PIDS, PIDS_APART);
	m->entry_bytes[APART] = entry_bytes(idlers.pid, TABLE_PIDS);
	idlers_end(&idlers);
}

/* No memory cgroup has been there. */
static void measure(struct measured *m, bool sweeps)
{
	long long kept;

	progress("floors");
	events_prepare();
	floors_run(m->floor);
	run(&shape_one, m->one);
	run(&shape_large, m->large);
	run(&shape_parts, m->parts);
	progress("memory zeroed in advance");
	zeroed_run(&m->zeroed);
	progress("nothing kept of what is freed");
	kept = keeping_stop();
	run_way(NPUMEM, &shape_large, &m->fresh);
	keeping_resume(kept);
	progress("many mappings at once");
	batch_run(SMALL_BATCH, &m->batch[0]);
	batch_run(LARGE_BATCH, &m->batch[1]);
	progress("kill -9");
	death_run(ways[NPUMEM], &m->death[NPUMEM]);
	death_run(ways[HUGETLB], &m->death[HUGETLB]);
	run_whitelists(m, sweeps);
	if (sweeps)
		sweeps_run(m->sweeps, m->one);
}

/*
 * Last of all: from the first cgroup on the kernel takes longer to charge for all it
 * does, also when that one is gone. What was kept before would be used up first, and
 * who is in a cgroup gives none of it back.
 */
static void measure_in_group(struct measured *m)
{
	long long kept = keeping_stop();

	keeping_resume(kept);
	progress("in a memory cgroup");
	group_enter();
	run(&shape_large, m->grouped);
	progress("memory zeroed in advance, in a memory cgroup");
	zeroed_run(&m->grouped_zeroed);
	group_leave();
	run_footprints(m);
	run_entries(m);
}

/* Of so few it is random which of them collide in a hash table: the least of many lists. */
static struct cost least_of_few(const struct idlers *idlers)
{
	struct cost least = whitelist_cost(idlers->pid, FEW_PIDS), cost;
	unsigned int i;

	for (i = FEW_PIDS; i + FEW_PIDS <= idlers->count; i += FEW_PIDS) {
		cost = whitelist_cost(idlers->pid + i, FEW_PIDS);
		if (cost.minimum < least.minimum)
			least = cost;
	}
	return least;
}

static void gate(void)
{
	static struct measured measured;
	struct measured *m = &measured;
	struct idlers idlers;

	events_prepare();
	floors_run(m->floor);
	run_way(NPUMEM, &shape_one, &m->one[NPUMEM]);
	run_way(NPUMEM, &shape_large, &m->large[NPUMEM]);
	run_way(NPUMEM, &shape_parts, &m->parts[NPUMEM]);
	run_way(ACL, &shape_one, &m->one[ACL]);
	run_way(ACL, &shape_large, &m->large[ACL]);
	progress("memory zeroed in advance");
	zeroed_run(&m->zeroed);
	if (!m->zeroed.allocate.minimum)
		die("the kernel does not tell how long a thread runs");
	progress("many mappings at once");
	batch_run(SMALL_BATCH, &m->batch[0]);
	start_idlers(&idlers, GATE_PIDS, GATE_PIDS, 1);
	m->few_pids[NEIGHBOURS] = least_of_few(&idlers);
	m->many_pids[NEIGHBOURS] = whitelist_cost(idlers.pid, GATE_PIDS);
	imports_run(idlers.pid, GATE_PIDS, GATE_SHARES, &m->imports);
	/* Last, as it makes a memory cgroup. */
	m->entry_bytes[NEIGHBOURS] = entry_bytes(idlers.pid, GATE_PIDS);
	idlers_end(&idlers);
	m->handle_bytes[NPUMEM] = handle_bytes(ways[NPUMEM], GATE_HANDLES);
	gate_print(m);
}

static void print_steps(const struct measured *m)
{
	floors_print(m->floor);
	printf("\n");
	steps_print("one handle of 2 MiB", m->one);
	printf("\n");
	steps_print("one handle of 64 MiB", m->large);
	printf("\n");
	steps_print("32 handles of 2 MiB", m->parts);
	printf("\n");
	steps_print("64 MiB, in a memory cgroup", m->grouped);
	printf("\n");
	if (m->found) {
		many_print(&m->many);
		printf("\n");
	}
	fflush(stdout);
}

static void write_sweeps(const struct measured *m, const char *folder)
{
	int i;

	for (i = 0; i < SWEEPS; i++) {
		sweep_print(&m->sweeps[i]);
		sweep_write(&m->sweeps[i], folder);
		printf("\n");
	}
}

static void table(struct measured *m, const char *json, const char *sweeps)
{
	static struct row rows[MAX_ROWS];
	unsigned int count;

	measure(m, sweeps);
	measure_in_group(m);
	print_steps(m);
	if (sweeps)
		write_sweeps(m, sweeps);
	count = rows_make(m, rows);
	rows_print(rows, count);
	if (json)
		rows_write(rows, count, json);
}

int main(int argc, char **argv)
{
	enum { JSON = 1, SWEEP, SCALED, FOUND, GATE, SCALING, LOCKS, MANY, LOOP, GIGABYTE, CARVED };
	static const struct option options[] = {
		{ "json", required_argument, NULL, JSON },
		{ "sweeps", required_argument, NULL, SWEEP },
		{ "scaled", required_argument, NULL, SCALED },
		{ "found", required_argument, NULL, FOUND },
		{ "gate", no_argument, NULL, GATE },
		{ "scaling", required_argument, NULL, SCALING },
		{ "locks", no_argument, NULL, LOCKS },
		{ "many", required_argument, NULL, MANY },
		{ "loop", required_argument, NULL, LOOP },
		{ "gigabyte", required_argument, NULL, GIGABYTE },
		{ "carved", required_argument, NULL, CARVED },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct measured measured;
	const char *json = NULL, *sweeps = NULL, *scaling = NULL, *many = NULL;
	const char *loop = NULL, *gigabyte = NULL;
	bool only_gate = false, locks = false;
	long long delay;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case JSON:
			json = optarg;
			break;
		case SWEEP:
			sweeps = optarg;
			break;
		case SCALED:
			scaling_read(&measured.scaling, optarg);
			measured.scaled = true;
			break;
		case FOUND:
			many_read(&measured.many, optarg);
			measured.found = true;
			break;
		case GATE:
			only_gate = true;
			break;
		case SCALING:
			scaling = optarg;
			break;
		case LOCKS:
			locks = true;
			break;
		case MANY:
			many = optarg;
			break;
		case LOOP:
			loop = optarg;
			break;
		case GIGABYTE:
			gigabyte = optarg;
			break;
		case CARVED:
			gigabyte_read(&measured.gigabyte, optarg);
			measured.has_gigabyte = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (argc - optind != !!loop || (loop && atof(argv[optind]) <= 0)) {
		usage(stderr);
		return 2;
	}
	raise_limits();
	if (scaling) {
		scaling_run(&measured.scaling);
		scaling_write(&measured.scaling, scaling);
	}
	if (locks)
		locks_run();
	if (many) {
		many_run(&measured.many);
		many_write(&measured.many, many);
	}
	if (gigabyte) {
		gigabyte_run(&measured.gigabyte);
		gigabyte_write(&measured.gigabyte, gigabyte);
	}
	if (scaling || locks || many || gigabyte)
		return 0;
	delay = zeroing_hold();
	if (loop)
		loop_run(loop, atof(argv[optind]));
	else if (only_gate)
		gate();
	else
		table(&measured, json, sweeps);
	zeroing_release(delay);
	return 0;
}
