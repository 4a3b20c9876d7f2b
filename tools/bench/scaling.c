// SPDX-License-Identifier: MIT
/*
 * Does it go on as well with many processes on several processors? By the clock on the
 * wall, as instructions do not show who waits for whom: two ways take turns, ABBA, so
 * that what else the machine does meanwhile is shared by both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define TURNS		15
#define RESAMPLES	2000

enum { OURS, OTHER, BOTH };
enum { ALONE, MANY, CROWDS };

static const unsigned int running[CROWDS] = { 1, CROWD };
/*
 * Of each process in a turn: so many that to begin, when they all wake up, counts little
 * for either way.
 */
static const unsigned int cycles[CROWDS] = { 2400, 150 };

/* Time of a cycle, of each way, alone and with many, in each turn. */
static double times[BOTH][CROWDS][TURNS];

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, unsigned int count)
{
	double sorted[count];

	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* How much more is done by many than by one, ours to the other's. */
static double ratio(double sample[BOTH][CROWDS][TURNS])
{
	double gain[BOTH];
	int way;

	for (way = OURS; way < BOTH; way++)
		gain[way] = median(sample[way][ALONE], TURNS) /
			    median(sample[way][MANY], TURNS);
	return gain[OURS] / gain[OTHER];
}

/* 95 % of what the turns could have told had others of them been drawn. */
static void interval(double *low, double *high)
{
	static double sample[BOTH][CROWDS][TURNS], ratios[RESAMPLES];
	unsigned int i, turn, drawn, way, crowd, seed = 1;

	for (i = 0; i < RESAMPLES; i++) {
		for (turn = 0; turn < TURNS; turn++) {
			drawn = (unsigned int)rand_r(&seed) % TURNS;
			for (way = 0; way < BOTH; way++)
				for (crowd = 0; crowd < CROWDS; crowd++)
					sample[way][crowd][turn] = times[way][crowd][drawn];
		}
		ratios[i] = ratio(sample);
	}
	qsort(ratios, RESAMPLES, sizeof(*ratios), compare);
	*low = ratios[RESAMPLES / 40];
	*high = ratios[RESAMPLES - 1 - RESAMPLES / 40];
}

void scaling_run(struct scaling *scaling)
{
	static const int order[] = { OURS, OTHER, OTHER, OURS };
	struct crowd crowds[BOTH];
	unsigned int turn, crowd, i;
	const char *missing = crowd_start(&crowds[OURS], ways[NPUMEM], CROWD);

	if (!missing)
		missing = crowd_start(&crowds[OTHER], ways[HUGETLB], CROWD);
	if (missing)
		die("%s", missing);
	/* The first turn warms up. */
	for (turn = 0; turn <= TURNS; turn++) {
		progress("%u processes and 1: turn %u of %u", CROWD, turn, TURNS);
		for (crowd = 0; crowd < CROWDS; crowd++) {
			double sum[BOTH] = { 0 };

			for (i = 0; i < sizeof(order) / sizeof(*order); i++)
				sum[order[i]] += crowd_cost(&crowds[order[i]], running[crowd],
							    cycles[crowd]);
			for (i = 0; i < BOTH && turn; i++)
				times[i][crowd][turn - 1] = sum[i] / 2;
		}
	}
	crowd_end(&crowds[OURS]);
	crowd_end(&crowds[OTHER]);
	scaling->processors = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	scaling->ours = median(times[OURS][ALONE], TURNS) / median(times[OURS][MANY], TURNS);
	scaling->other = median(times[OTHER][ALONE], TURNS) / median(times[OTHER][MANY], TURNS);
	scaling->ratio = ratio(times);
	interval(&scaling->low, &scaling->high);
}

void scaling_write(const struct scaling *scaling, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die("%s: %s", path, strerror(errno));
	fprintf(file, "%f %f %f %f %f %u\n", scaling->ours, scaling->other, scaling->ratio,
		scaling->low, scaling->high, scaling->processors);
	if (ferror(file) | fclose(file))
		die("%s: %s", path, strerror(errno));
}

void scaling_read(struct scaling *scaling, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		die("%s: %s", path, strerror(errno));
	if (fscanf(file, "%lf %lf %lf %lf %lf %u", &scaling->ours, &scaling->other,
		   &scaling->ratio, &scaling->low, &scaling->high, &scaling->processors) != 6)
		die("%s: not what --scaling writes", path);
	fclose(file);
}
