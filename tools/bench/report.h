/* SPDX-License-Identifier: MIT */
/* The table of targets, from what was measured. */
#ifndef NPUMEM_BENCH_REPORT_H
#define NPUMEM_BENCH_REPORT_H

#include <math.h>
#include <stdio.h>

#include "bench.h"

/* The table's size: per 2 MiB, its constant costs are shared by 32. */
#define TABLE_LENGTH	(64 * MIB)
#define TABLE_GRANULES	(TABLE_LENGTH / GRANULE)
#define TABLE_PARTS	32

extern const struct shape shape_one, shape_large, shape_parts;

/* What is not compared at one point only: a line for each, a column for each way. */
struct sweep {
	const char *name;
	const char *title;
	const char *x_name;
	unsigned int points;
	uint64_t x[8];
	double y[8][WAYS];
};

enum { BY_SIZE, CREATE_BY_SIZE, BY_PARTS, BY_HANDLES, BY_PROCESSES, BY_PIDS, SWEEPS };

/* Whitelists of the table. */
#define TABLE_PIDS	10000
#define FEW_PIDS	16
#define GATE_PIDS	1000
/* So few shares and handles that a device of a machine of 1 GiB has room for them. */
#define GATE_SHARES	100
#define GATE_HANDLES	100
/* How far pids are apart where they are, for a table by pids has a place for each. */
#define PIDS_APART	67
/* How many mappings are made at once. */
#define BATCHES		2
#define SMALL_BATCH	32
#define LARGE_BATCH	1000
/* Of the counts of many.c, the one of 10,000. */
#define TABLE_MANY	4
/* Handles whose memory in the kernel is taken, and divided. */
#define TABLE_HANDLES	1000

/* In which order whitelists name which processes. */
enum list { NEIGHBOURS, SHUFFLED, APART, APART_SHUFFLED, LISTS };

struct measured {
	struct cost floor[FLOORS];
	struct result one[WAYS];	/* a handle of 2 MiB */
	struct result large[WAYS];	/* a handle of TABLE_LENGTH */
	struct result parts[WAYS];	/* TABLE_PARTS handles of 2 MiB */
	struct result grouped[WAYS];	/* a handle of TABLE_LENGTH, in a memory cgroup */
	struct zeroed grouped_zeroed;
	struct result fresh;		/* ours of TABLE_LENGTH, with nothing kept */
	struct batch batch[BATCHES];
	struct cost few_pids[LISTS], many_pids[LISTS];
	struct imports imports;
	double handle_bytes[WAYS];
	double entry_bytes[LISTS];
	struct zeroed zeroed;
	struct death death[WAYS];
	bool scaled;			/* whether there is @scaling */
	struct scaling scaling;
	bool has_gigabyte;
	struct gigabyte gigabyte;
	bool found;			/* whether there is @many */
	struct lookups many;
	struct sweep sweeps[SWEEPS];
};

/* Nothing measured, or nothing to compare with. */
#define NONE	NAN

struct row {
	const char *number;
	const char *metric;
	const char *unit;
	double floor;
	double best_other;
	const char *best_other_name;
	double ours;
	double target;		/* NONE: only counted */
	/* The target is the least, not the most. */
	bool at_least;
	/* Something else does not hold that must. */
	bool broken;
	/* Why there is nothing of ours, or what else is to be known. */
	const char *remark;
};

#define MAX_ROWS	80

unsigned int rows_make(const struct measured *measured, struct row *rows);
void rows_print(const struct row *rows, unsigned int count);
void rows_write(const struct row *rows, unsigned int count, const char *path);
void steps_print(const char *title, const struct result *result);
void floors_print(const struct cost *floor);
void gate_print(const struct measured *measured);
void sweeps_run(struct sweep *sweeps, const struct result *one);
void sweep_pids(struct sweep *sweep, const struct idlers *idlers);
void sweep_print(const struct sweep *sweep);
void sweep_write(const struct sweep *sweep, const char *folder);

#endif /* NPUMEM_BENCH_REPORT_H */
