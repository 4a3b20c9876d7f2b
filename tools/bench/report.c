// SPDX-License-Identifier: MIT
/* Tables for people, and the same rows as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "report.h"

static bool is_met(const struct row *row)
{
	return !isnan(row->ours) && !row->broken &&
	       (row->at_least ? row->ours >= row->target : row->ours <= row->target);
}

static void print_number(double number)
{
	if (isnan(number))
		printf(" %10s", "-");
	else
		printf(" %10.*f", number < 10 && number != floor(number) ? 3 : 0, number);
}

static const char *answer(const struct row *row)
{
	if (isnan(row->ours))
		return "not measured";
	return isnan(row->target) ? "-" : is_met(row) ? "yes" : "no";
}

static int longest(const struct row *rows, unsigned int count,
		   const char *(*text)(const struct row *row))
{
	size_t most = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (text(&rows[i]) && strlen(text(&rows[i])) > most)
			most = strlen(text(&rows[i]));
	return (int)most;
}

static const char *metric_of(const struct row *row)
{
	return row->metric;
}

static const char *unit_of(const struct row *row)
{
	return row->unit;
}

void rows_print(const struct row *rows, unsigned int count)
{
	int metric = longest(rows, count, metric_of), unit = longest(rows, count, unit_of);
	const struct row *row;

	printf("%-3s %-*s %-*s %10s %10s %-13s %10s %7s %10s %s\n", "", metric, "metric", unit,
	       "unit", "floor", "best other", "", "ours", "ratio", "target", "met");
	for (row = rows; row < rows + count; row++) {
		double ratio = row->ours / row->best_other;

		printf("%-3s %-*s %-*s", row->number, metric, row->metric, unit, row->unit);
		print_number(row->floor);
		print_number(row->best_other);
		printf(" %-13s", row->best_other_name ? row->best_other_name : "");
		print_number(row->ours);
		if (!isfinite(ratio))
			printf(" %7s", "-");
		else
			printf(" %7.3f", ratio);
		print_number(row->target);
		printf(" %s%s%s\n", answer(row), row->remark ? ": " : "",
		       row->remark ? row->remark : "");
	}
	printf("ratio: ours to the best other\n");
}

static void write_number(FILE *file, const char *name, double number)
{
	if (isnan(number))
		fprintf(file, "\"%s\": null, ", name);
	else
		fprintf(file, "\"%s\": %.10g, ", name, number);
}

/* No text here needs an escape. */
static void write_text(FILE *file, const char *name, const char *text)
{
	if (text)
		fprintf(file, "\"%s\": \"%s\", ", name, text);
	else
		fprintf(file, "\"%s\": null, ", name);
}

void rows_write(const struct row *rows, unsigned int count, const char *path)
{
	FILE *file = fopen(path, "we");
	const struct row *row;

	if (!file)
		die("%s: %s", path, strerror(errno));
	fprintf(file, "[\n");
	for (row = rows; row < rows + count; row++) {
		fprintf(file, "  {\"metric\": \"%s %s\", ", row->number, row->metric);
		write_text(file, "unit", row->unit);
		write_number(file, "floor", row->floor);
		write_number(file, "best_other", row->best_other);
		write_text(file, "best_other_name", row->best_other_name);
		write_number(file, "ours", row->ours);
		write_number(file, "target", row->target);
		if (row->at_least)
			fprintf(file, "\"at_least\": true, ");
		write_text(file, "remark", row->remark);
		fprintf(file, "\"met\": %s}%s\n",
			isnan(row->ours) || isnan(row->target) ? "null" :
			is_met(row) ? "true" : "false",
			row + 1 < rows + count ? "," : "");
	}
	fprintf(file, "]\n");
	if (ferror(file) | fclose(file))
		die("%s: %s", path, strerror(errno));
}

void floors_print(const struct cost *cost)
{
	int i;

	printf("%-34s %12s %12s\n", "floors, instructions", "minimum", "median");
	for (i = 0; i < FLOORS; i++)
		printf("%-34s %12" PRIu64 " %12" PRIu64 "\n", floor_names[i], cost[i].minimum,
		       cost[i].median);
}

static void heading(const char *title)
{
	int i;

	printf("%-34s", title);
	for (i = 0; i < WAYS; i++)
		printf(" %13s", ways[i]->name);
	printf("\n");
}

static void print_costs(const char *name, const struct result *result, int step)
{
	int i;

	printf("%-34s", name);
	for (i = 0; i < WAYS; i++) {
		const struct cost *cost = step < STEPS ? &result[i].step[step] : &result[i].whole;

		if (result[i].missing)
			printf(" %13s", "-");
		else
			printf(" %13" PRIu64, cost->median);
	}
	printf("\n");
}

static void print_events(const struct result *result, int step, int event)
{
	uint64_t any = 0;
	int i;

	for (i = 0; i < WAYS; i++)
		any |= result[i].events[step].event[event];
	if (!any)
		return;
	printf("  %-32s", event_names[event]);
	for (i = 0; i < WAYS; i++)
		printf(" %13" PRIu64, result[i].events[step].event[event]);
	printf("\n");
}

/* Each step, and below it what was counted in it. */
void steps_print(const char *title, const struct result *result)
{
	int step, event, i;

	heading(title);
	for (step = NOTHING + 1; step < STEPS; step++) {
		print_costs(step_names[step], result, step);
		for (event = 0; event < EVENTS; event++)
			print_events(result, step, event);
	}
	print_costs("the whole, without set access", result, STEPS);
	for (i = 0; i < WAYS; i++)
		if (result[i].missing)
			printf("%s: %s\n", ways[i]->name, result[i].missing);
}

/* Where tokens fall in the table of shares is random, and with many it adds up. */
static bool is_random(int step, const struct result *result, const struct measured *measured)
{
	return result == &measured->parts[NPUMEM] && (step == EXPORT || step == WHITELIST);
}

static void gate_cost(const char *name, const struct cost *cost)
{
	printf("cost\t%s\t%" PRIu64 "\n", name, cost->minimum);
}

static void gate_costs(const char *of, const struct result *result, const struct shape *shape,
		       const struct measured *measured)
{
	uint64_t zeroing = measured->floor[STOSQ].minimum * shape->parts * shape->length / GRANULE;
	int step;

	/*
	 * Beside which nothing else is seen. By the library it is the same call, and in so
	 * long a time it is by chance how often the clock ticks.
	 */
	if (result != &measured->one[ACL] && result != &measured->large[ACL])
		printf("cost\t%s, allocate, but for zeroing\t%" PRIu64 "\n", of,
		       result->step[ALLOCATE].minimum - zeroing);
	for (step = NOTHING + 1; step < STEPS; step++)
		if (!is_random(step, result, measured))
			printf("cost\t%s, %s\t%" PRIu64 "\n", of, step_names[step],
			       result->step[step].minimum);
}

static void gate_counts(const char *of, const struct result *result)
{
	int step, event;

	for (step = NOTHING + 1; step < STEPS; step++)
		for (event = 0; event < EVENTS; event++)
			printf("count\t%s, %s, %s\t%" PRIu64 "\n", of, step_names[step],
			       event_names[event], result->events[step].event[event]);
	printf("count\t%s, descriptors\t%u\n", of, result->descriptors);
	printf("count\t%s, VMAs\t%u\n", of, result->vmas);
}

static void gate_batch(const struct batch *batch)
{
	static const char *const names[BATCH_STEPS] = { "map", "unmap" };
	static const int counted[] = { SYSCALLS, TLB_FLUSHES };
	int step;
	size_t i;

	for (step = 0; step < BATCH_STEPS; step++) {
		printf("cost\t%s %u in one request\t%" PRIu64 "\n", names[step], batch->count,
		       batch->cost[IN_ONE][step].minimum);
		for (i = 0; i < sizeof(counted) / sizeof(*counted); i++)
			printf("count\t%s %u in one request, %s\t%" PRIu64 "\n", names[step],
			       batch->count, event_names[counted[i]],
			       batch->events[IN_ONE][step].event[counted[i]]);
	}
}

/* What a run is compared with another one by: see selftests/bench. */
void gate_print(const struct measured *m)
{
	int floor;

	for (floor = 0; floor < FLOORS; floor++)
		printf("%s\t%s\t%" PRIu64 "\n", floor == QUERY ? "cost" : "floor",
		       floor_names[floor], m->floor[floor].minimum);
	gate_costs("2 MiB", &m->one[NPUMEM], &shape_one, m);
	gate_counts("2 MiB", &m->one[NPUMEM]);
	gate_costs("64 MiB", &m->large[NPUMEM], &shape_large, m);
	gate_counts("64 MiB", &m->large[NPUMEM]);
	gate_costs("32 of 2 MiB", &m->parts[NPUMEM], &shape_parts, m);
	gate_counts("32 of 2 MiB", &m->parts[NPUMEM]);
	gate_costs("AscendCL, 2 MiB", &m->one[ACL], &shape_one, m);
	gate_costs("AscendCL, 64 MiB", &m->large[ACL], &shape_large, m);
	gate_cost("64 MiB, allocate, of what is zeroed", &m->zeroed.allocate);
	gate_batch(&m->batch[0]);
	gate_cost("whitelist of few", &m->few_pids[NEIGHBOURS]);
	gate_cost("whitelist of many", &m->many_pids[NEIGHBOURS]);
	gate_cost("import, many in the whitelist", &m->imports.among_pids);
	gate_cost("import, many other shares", &m->imports.among_shares);
	printf("count\timport, many other shares, how many\t%u\n", m->imports.shares);
	printf("bytes\tof the kernel, handle and mapping\t%.1f\n", m->handle_bytes[NPUMEM]);
	printf("bytes\tof the kernel, whitelisted process\t%.2f\n",
	       m->entry_bytes[NEIGHBOURS]);
}

static bool sweep_has(const struct sweep *sweep, int way)
{
	unsigned int i;

	for (i = 0; i < sweep->points; i++)
		if (!isnan(sweep->y[i][way]))
			return true;
	return false;
}

void sweep_print(const struct sweep *sweep)
{
	unsigned int i;
	int way;

	printf("%-56s", sweep->title);
	for (way = 0; way < WAYS; way++)
		if (sweep_has(sweep, way))
			printf(" %13s", ways[way]->name);
	printf("\n");
	for (i = 0; i < sweep->points; i++) {
		printf("%13" PRIu64 " %-42s", sweep->x[i], sweep->x_name);
		for (way = 0; way < WAYS; way++) {
			if (!sweep_has(sweep, way))
				continue;
			if (isnan(sweep->y[i][way]))
				printf(" %13s", "-");
			else
				printf(" %13.0f", sweep->y[i][way]);
		}
		printf("\n");
	}
}

/* For gnuplot: a column for each way, "-" where there is nothing. */
void sweep_write(const struct sweep *sweep, const char *folder)
{
	char path[256];
	unsigned int i;
	FILE *file;
	int way;

	snprintf(path, sizeof(path), "%s/%s.dat", folder, sweep->name);
	file = fopen(path, "we");
	if (!file)
		die("%s: %s", path, strerror(errno));
	fprintf(file, "%s", sweep->x_name);
	for (way = 0; way < WAYS; way++)
		fprintf(file, " \"%s\"", ways[way]->name);
	for (i = 0; i < sweep->points; i++) {
		fprintf(file, "\n%" PRIu64, sweep->x[i]);
		for (way = 0; way < WAYS; way++) {
			if (isnan(sweep->y[i][way]))
				fprintf(file, " -");
			else
				fprintf(file, " %.1f", sweep->y[i][way]);
		}
	}
	fprintf(file, "\n");
	if (ferror(file) | fclose(file))
		die("%s: %s", path, strerror(errno));
}
