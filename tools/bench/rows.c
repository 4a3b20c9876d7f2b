// SPDX-License-Identifier: MIT
/* One row for each target. Costs are medians; a target is compared in full precision. */
#include <stdarg.h>

#include "report.h"

/* Of a way, per 2 MiB or in all. */
typedef double (*value_of)(const struct result *result);

static double least(double a, double b)
{
	return a < b ? a : b;
}

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
		number, metric, unit, NONE, NONE, NULL, value(&result[NPUMEM]), NONE,
		false, false, NULL,
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
		each(m->parts[NPUMEM].descriptors, m->one[NPUMEM].descriptors), 0, false, false,
		NULL,
	};
}

static struct row vmas(const struct measured *m)
{
	return (struct row){
		"14", "VMAs per mapping", "VMAs", NONE,
		each(m->parts[HUGETLB].vmas, m->one[HUGETLB].vmas), ways[HUGETLB]->name,
		each(m->parts[NPUMEM].vmas, m->one[NPUMEM].vmas), 0, false, false, NULL,
	};
}

/* Ours, beside nothing else. */
static struct row alone(const char *number, const char *metric, const char *unit, double ours,
			double target)
{
	return (struct row){
		number, metric, unit, NONE, NONE, NULL, ours, target, false, false, NULL,
	};
}

static struct row missing(const char *number, const char *metric, const char *unit,
			  double target, const char *why)
{
	struct row row = alone(number, metric, unit, NONE, target);

	row.remark = why;
	return row;
}

static const char *text(char *room, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static const char *text(char *room, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(room, size, format, ap);
	va_end(ap);
	return room;
}

/* At the last point to that at the first; nothing if there was no room for either. */
static double slope(const struct sweep *sweep, int way)
{
	return sweep->y[sweep->points - 1][way] / sweep->y[0][way];
}

/* Of all imports, or those among as many other shares as there is memory for. */
static struct row among_shares(const struct measured *m)
{
	const struct cost *import = m->many.cost[IMPORT_SHARE];
	static char metric[64];
	struct row row;

	if (m->found) {
		row = alone("7", text(metric, sizeof(metric), "import, %u shares",
				      m->many.count[TABLE_MANY]), "instructions",
			    import[TABLE_MANY].median, 1.2 * import[0].median);
		row.floor = import[0].median;
		return row;
	}
	row = alone("7", text(metric, sizeof(metric), "import, %u other shares",
			      m->imports.shares), "instructions",
		    m->imports.among_shares.median, 1.2 * m->imports.alone.median);
	row.floor = m->imports.alone.median;
	if (m->imports.shares < TABLE_PIDS)
		row.remark = "10000 would need 20 GiB, or --found";
	return row;
}

static struct row *whitelist_rows(const struct measured *m, struct row *row)
{
	double few = (double)m->few_pids.median / FEW_PIDS;
	double many = (double)m->many_pids.median / TABLE_PIDS;

	*row++ = alone("6", "whitelist 10000, per process", "instructions", many, 150);
	*row++ = alone("6", "the same to that of 16", "ratio", many / few, 1.5);
	*row = alone("7", "import, 10000 pids in the whitelist", "instructions",
		     m->imports.among_pids.median, 1.2 * m->imports.alone.median);
	row++->floor = m->imports.alone.median;
	*row++ = among_shares(m);
	return row;
}

static struct row *footprint_rows(const struct measured *m, struct row *row)
{
	int way;

	*row = alone("15", "kernel memory, handle and mapping", "bytes",
		     m->handle_bytes[NPUMEM], 256 + 8);
	for (way = 0; way < WAYS; way++) {
		double bytes = m->handle_bytes[way];

		if (is_ours(way) || !bytes || (row->best_other_name && bytes >= row->best_other))
			continue;
		row->best_other = bytes;
		row->best_other_name = ways[way]->name;
	}
	row++;
	*row++ = alone("15", "kernel memory, whitelisted process", "bytes", m->entry_bytes, 32);
	return row;
}

static struct row *crowd_rows(const struct measured *m, struct row *row)
{
	const struct sweep *sweep = &m->sweeps[BY_PROCESSES];
	static char interval[96];

	if (m->scaled) {
		const struct scaling *s = &m->scaling;

		*row = (struct row){
			"16", "64 processes, speedup", "times", NONE, s->other,
			ways[HUGETLB]->name, s->ours, 0.9 * s->other, true, false, NULL,
		};
		/* Shown only if all of the interval is above. */
		row->broken = s->low < 0.9;
		row++->remark = text(interval, sizeof(interval),
				     "ratio within %.3f to %.3f (95 %%), %u processors", s->low,
				     s->high, s->processors);
	} else {
		*row++ = missing("16", "64 processes, speedup", "times", NONE, "no --scaled");
	}
	if (sweep->points) {
		*row = alone("16", "64 processes, cost to that of 1", "ratio",
			     slope(sweep, NPUMEM), 1.1);
		row->best_other = slope(sweep, HUGETLB);
		row++->best_other_name = ways[HUGETLB]->name;
	} else {
		*row++ = missing("16", "64 processes, cost to that of 1", "ratio", 1.1,
				 "no --sweeps");
	}
	return row;
}

static struct row death_row(const struct measured *m)
{
	struct row row = alone("17", "kill -9, cost to explicit end", "ratio",
			       m->death[NPUMEM].ratio, 1.2);

	if (m->death[HUGETLB].ratio) {
		row.best_other = m->death[HUGETLB].ratio;
		row.best_other_name = ways[HUGETLB]->name;
	}
	row.broken = m->death[NPUMEM].left;
	if (row.broken)
		row.remark = "memory was left";
	return row;
}

/*
 * The target is that of what was made and zeroed at once by the same way, or should have
 * been: who misses that one is not to have it easier here.
 */
static struct row *zeroed_rows(const struct measured *m, double no_op, struct row *row)
{
	double zeroing = 1.05 * least(create(&m->large[NPUMEM]),
				      1.02 * (double)m->floor[STOSQ].median);
	const struct zeroed *grouped = &m->grouped_zeroed;

	if (!m->zeroed.allocate.median) {
		*row++ = missing("3b", "create from zeroed memory", "instructions per 2 MiB",
				 5 * no_op, "nothing tells how long the thread runs");
		return row;
	}
	*row++ = alone("3b", "create from zeroed memory", "instructions per 2 MiB",
		       per_granule((double)m->zeroed.allocate.median), 5 * no_op);
	*row++ = alone("3b", "create from zeroed memory, zeroing included",
		       "instructions per 2 MiB", per_granule((double)m->zeroed.all.median), zeroing);
	*row++ = alone("3b", "create from zeroed memory, in a memory cgroup",
		       "instructions per 2 MiB", per_granule((double)grouped->allocate.median),
		       5 * no_op);
	return row;
}

/* The same once more, for who is charged for memory. Returns the row after that. */
static struct row *grouped(struct row *row, const char *metric, value_of value,
			   const struct measured *m)
{
	row[1] = compared(row->number, metric, row->unit, value, m->grouped);
	row[1].target = row->target;
	row[1].floor = row->floor == row->best_other ? row[1].best_other : row->floor;
	return row + 2;
}

unsigned int rows_make(const struct measured *m, struct row *rows)
{
#define FLOOR(name)	((double)m->floor[name].median)
	const struct result *ours = &m->large[NPUMEM];
	/* Who misses this target is not to have it easier with those made of it. */
	double no_op = least(FLOOR(QUERY), 1.7 * FLOOR(GETPPID));
	struct row *row = rows;

	*row++ = (struct row){
		"1", "ioctl that does nothing", "instructions", FLOOR(GETPPID),
		FLOOR(REFUSED_IOCTL), "refused ioctl", FLOOR(QUERY), 1.7 * FLOOR(GETPPID),
		false, false, NULL,
	};
	*row++ = (struct row){
		"2", "reserve and release", "instructions", FLOOR(MMAP_MUNMAP),
		FLOOR(MMAP_MUNMAP), "memfd",
		STEP(&m->one[NPUMEM], RESERVE) + STEP(&m->one[NPUMEM], RELEASE),
		1.2 * FLOOR(MMAP_MUNMAP), false, false, NULL,
	};
	*row = compared("3", "create, zeroed", "instructions per 2 MiB", create, m->large);
	row->floor = FLOOR(STOSQ);
	row->target = 1.02 * row->floor;
	row = grouped(row, "create, in a memory cgroup", create, m);
	if (m->sweeps[CREATE_BY_SIZE].points) {
		*row = alone("3", "create, 1 GiB to 2 MiB", "ratio",
			     slope(&m->sweeps[CREATE_BY_SIZE], NPUMEM), 1.02);
		if (isnan(row->ours))
			row->remark = "no room for 1 GiB: a larger MEM=";
		row++;
	}
	row = zeroed_rows(m, no_op, row);
	*row++ = (struct row){
		"4", "export", "instructions", FLOOR(MEMFD_CLOSE), NONE, NULL,
		STEP(ours, EXPORT), 2 * no_op, false, false, NULL,
	};
	*row = compared("5", "hand over and import", "instructions", hand_over, m->one);
	row->floor = FLOOR(SCM_RIGHTS_ONE);
	row->target = least(2400, row->floor / 3);
	row++;
	row = whitelist_rows(m, row);
	*row = compared("8", "map", "instructions per 2 MiB", map, m->large);
	row->floor = row->best_other;
	row->target = 300 + per_granule(no_op);
	row++;
	*row = compared("9", "touch after map", "instructions per 2 MiB", touch_all, m->large);
	row->floor = FLOOR(TOUCH_POPULATED);
	/* Of 64 MiB the loop begins once, of the floor's 2 MiB each time. */
	row->target = 1.01 * least(row->floor, row->best_other);
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
	row = grouped(row, "free, in a memory cgroup", free_last, m);
	*row = compared("13", "the whole cycle", "instructions per 2 MiB", whole, m->large);
	row->floor = FLOOR(STOSQ);
	row->target = 1.05 * row->floor;
	row = grouped(row, "the whole cycle, in a memory cgroup", whole, m);
	*row++ = descriptors(m);
	*row++ = vmas(m);
	row = footprint_rows(m, row);
	row = crowd_rows(m, row);
	*row++ = death_row(m);
	return row - rows;
#undef FLOOR
}
