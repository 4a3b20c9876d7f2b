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

struct measured {
	struct cost floor[FLOORS];
	struct result one[WAYS];	/* a handle of 2 MiB */
	struct result large[WAYS];	/* a handle of TABLE_LENGTH */
	struct result parts[WAYS];	/* TABLE_PARTS handles of 2 MiB */
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
	double target;
	/* What else must hold. */
	bool broken;
	const char *remark;
};

#define MAX_ROWS	32

unsigned int rows_make(const struct measured *measured, struct row *rows);
void rows_print(const struct row *rows, unsigned int count);
void rows_write(const struct row *rows, unsigned int count, const char *path);
void steps_print(const char *title, const struct result *result);
void floors_print(const struct cost *floor);

#endif /* NPUMEM_BENCH_REPORT_H */
