// SPDX-License-Identifier: MIT
/* One row for each target. Costs are medians; a target is compared in full precision. */
#include "report.h"

/* Of a way, per 2 MiB or in all. */
typedef double (*value_of)(const struct result *result);

static double per_granule(double cost)
{
	return cost / TABLE_GRANULES;
}

#define STEP(result, name)	((double)(result)->step[name].median)

static double create(const struct result *result)
{
	return per_granule(STEP(result, ALLOCATE));
}

static double hand_over(const struct result *result)
{
	return STEP(result, SEND) + STEP(result, RECEIVE);
}

static double map(const struct result *result)
{
	return per_granule(STEP(result, MAP));
}

static double touch_all(const struct result *result)
{
	return per_granule(STEP(result, TOUCH));
}

static double set_access(const struct result *result)
{
	return (STEP(result, READ_ONLY) + STEP(result, READ_WRITE)) / 2;
}

static double unmap(const struct result *result)
{
	return per_granule(STEP(result, UNMAP));
}

static double free_last(const struct result *result)
{
	return per_granule(STEP(result, FREE));
}

static double whole(const struct result *result)
{
	return per_granule((double)result->whole.median);
}

static bool is_ours(int way)
{
	return way == NPUMEM || way == ACL;
}

static struct row compared(const char *number, const char *metric, const char *unit,
			   value_of value, const struct result *result)
{
	struct row row = {
		number, metric, unit, NONE, NONE, NULL, value(&result[NPUMEM]), NONE, false, NULL,
	};
	int i;

	for (i = 0; i < WAYS; i++) {
		if (is_ours(i) || result[i].missing ||
		    (row.best_other_name && value(&result[i]) >= row.best_other))
			continue;
		row.best_other = value(&result[i]);
		row.best_other_name = ways[i]->name;
	}
	return row;
}

/* Descriptors, or VMAs, that one handle more takes. */
static double each(unsigned int many, unsigned int one)
{
	return ((double)many - one) / (TABLE_PARTS - 1);
}

static struct row descriptors(const struct measured *m)
{
	return (struct row){
		"14", "descriptors per handle", "descriptors", NONE,
		each(m->parts[HUGETLB].descriptors, m->one[HUGETLB].descriptors),
		ways[HUGETLB]->name,
		each(m->parts[NPUMEM].descriptors, m->one[NPUMEM].descriptors), 0, false, NULL,
	};
}

static struct row vmas(const struct measured *m)
{
	return (struct row){
		"14", "VMAs per mapping", "VMAs", NONE,
		each(m->parts[HUGETLB].vmas, m->one[HUGETLB].vmas), ways[HUGETLB]->name,
		each(m->parts[NPUMEM].vmas, m->one[NPUMEM].vmas), 0, false, NULL,
	};
}

static struct row not_yet(const char *number, const char *metric, const char *unit, double target)
{
	return (struct row){
		number, metric, unit, NONE, NONE, NULL, NONE, target, false, "not yet",
	};
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

unsigned int rows_make(const struct measured *m, struct row *rows)
{
#define FLOOR(name)	((double)m->floor[name].median)
	const struct result *ours = &m->large[NPUMEM];
	struct row *row = rows;

	*row++ = (struct row){
		"1", "ioctl that does nothing", "instructions", FLOOR(GETPPID),
		FLOOR(REFUSED_IOCTL), "refused ioctl", FLOOR(QUERY), 1.7 * FLOOR(GETPPID),
		false, NULL,
	};
	*row++ = (struct row){
		"2", "reserve and release", "instructions", FLOOR(MMAP_MUNMAP),
		FLOOR(MMAP_MUNMAP), "memfd",
		STEP(&m->one[NPUMEM], RESERVE) + STEP(&m->one[NPUMEM], RELEASE),
		1.2 * FLOOR(MMAP_MUNMAP), false, NULL,
	};
	*row = compared("3", "create, zeroed", "instructions per 2 MiB", create, m->large);
	row->floor = FLOOR(STOSQ);
	row->target = 1.02 * row->floor;
	row++;
	*row++ = not_yet("3b", "create from zeroed memory", "instructions per 2 MiB",
			 5 * FLOOR(QUERY));
	*row++ = (struct row){
		"4", "export", "instructions", FLOOR(MEMFD_CLOSE), NONE, NULL,
		STEP(ours, EXPORT), 2 * FLOOR(QUERY), false, NULL,
	};
	*row = compared("5", "hand over and import", "instructions", hand_over, m->one);
	row->floor = FLOOR(SCM_RIGHTS_ONE);
	row->target = least(2400, row->floor / 3);
	row++;
	*row++ = not_yet("6", "whitelist 10000, per process", "instructions", 150);
	*row++ = not_yet("7", "import among 10000", "instructions",
			 1.2 * STEP(&m->one[NPUMEM], RECEIVE));
	*row = compared("8", "map", "instructions per 2 MiB", map, m->large);
	row->floor = row->best_other;
	row->target = 300 + per_granule(FLOOR(QUERY));
	row++;
	*row = compared("9", "touch after map", "instructions per 2 MiB", touch_all, m->large);
	row->floor = FLOOR(TOUCH_POPULATED);
	row->target = 1.01 * row->floor;
	row->broken = ours->events[TOUCH].event[FAULTS] != 0;
	row++;
	*row = compared("10", "set access", "instructions", set_access, m->large);
	row->floor = row->best_other;
	row->target = 1.2 * row->best_other;
	row++;
	*row = compared("11", "unmap", "instructions per 2 MiB", unmap, m->large);
	row->floor = row->best_other;
	row->target = 868;
	row->broken = ours->events[UNMAP].event[TLB_FLUSHES] > 1;
	row++;
	*row = compared("12", "free", "instructions per 2 MiB", free_last, m->large);
	row->floor = row->best_other;
	row->target = 2131;
	row++;
	*row = compared("13", "the whole cycle", "instructions per 2 MiB", whole, m->large);
	row->floor = FLOOR(STOSQ);
	row->target = 1.05 * row->floor;
	row++;
	*row++ = descriptors(m);
	*row++ = vmas(m);
	*row++ = not_yet("15", "kernel memory, handle and mapping", "bytes", 264);
	*row++ = not_yet("15", "kernel memory, whitelisted process", "bytes", 32);
	*row++ = not_yet("16", "64 processes, cost to that of 1", "ratio", 1.1);
	*row++ = not_yet("17", "kill -9, cost to explicit end", "ratio", 1.2);
	return row - rows;
#undef FLOOR
}
