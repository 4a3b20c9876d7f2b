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

#define STEP(result, name)	((double)(result)->step[name].median)

static double create(const struct result *result)
{
	return STEP(result, ALLOCATE);
}

static double hand_over(const struct result *result)
{
	return STEP(result, SEND) + STEP(result, RECEIVE);
}

static double reserve(const struct result *result)
{
	return STEP(result, RESERVE) + STEP(result, RELEASE);
}

static double map(const struct result *result)
{
	return STEP(result, MAP);
}

static double touch_all(const struct result *result)
{
	return STEP(result, TOUCH);
}

static double set_access(const struct result *result)
{
	return (STEP(result, READ_ONLY) + STEP(result, READ_WRITE)) / 2;
}

static double unmap(const struct result *result)
{
	return STEP(result, UNMAP);
}

static double free_last(const struct result *result)
{
	return STEP(result, FREE);
}

static double whole(const struct result *result)
{
	return (double)result->whole.median;
}

static double count_events(const struct result *result, enum event event)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < STEPS; i++)
		if (step_in_whole(i))
			sum += result->events[i].event[event];
	return (double)sum;
}

static double faults(const struct result *result)
{
	return count_events(result, FAULTS);
}

static double system_calls(const struct result *result)
{
	return count_events(result, SYSCALLS);
}

static double pages_cleared(const struct result *result)
{
	return count_events(result, PAGES_CLEARED);
}

static double tlb_flushes(const struct result *result)
{
	return count_events(result, TLB_FLUSHES);
}

static bool is_ours(int way)
{
	return way == NPUMEM || way == ACL;
}

/* Ours beside the best of the others; of @granules, each. */
static struct row compared(const char *number, const char *metric, const char *unit,
			   value_of value, const struct result *result, unsigned int granules)
{
	struct row row = {
		.number = number, .metric = metric, .unit = unit, .floor = NONE,
		.best_other = NONE, .ours = value(&result[NPUMEM]) / granules, .target = NONE,
	};
	int i;

	for (i = 0; i < WAYS; i++) {
		double other = value(&result[i]) / granules;

		if (is_ours(i) || result[i].missing ||
		    (row.best_other_name && other >= row.best_other))
			continue;
		row.best_other = other;
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
		.number = "14", .metric = "descriptors per handle", .unit = "descriptors",
		.floor = NONE,
		.best_other = each(m->parts[HUGETLB].descriptors, m->one[HUGETLB].descriptors),
		.best_other_name = ways[HUGETLB]->name,
		.ours = each(m->parts[NPUMEM].descriptors, m->one[NPUMEM].descriptors),
	};
}

static struct row vmas(const struct measured *m)
{
	return (struct row){
		.number = "14", .metric = "VMAs per mapping", .unit = "VMAs", .floor = NONE,
		.best_other = each(m->parts[HUGETLB].vmas, m->one[HUGETLB].vmas),
		.best_other_name = ways[HUGETLB]->name,
		.ours = each(m->parts[NPUMEM].vmas, m->one[NPUMEM].vmas),
	};
}

/* Ours, beside nothing else. */
static struct row alone(const char *number, const char *metric, const char *unit, double ours,
			double target)
{
	return (struct row){
		.number = number, .metric = metric, .unit = unit, .floor = NONE,
		.best_other = NONE, .ours = ours, .target = target,
	};
}

static struct row missing(const char *number, const char *metric, const char *unit,
			  double target, const char *why)
{
	struct row row = alone(number, metric, unit, NONE, target);

	row.remark = why;
	return row;
}

/* Kept until the end. */
static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *text(const char *format, ...)
{
	char *made;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&made, format, ap) < 0)
		die("no memory");
	va_end(ap);
	return made;
}

/* What fixed costs are divided by differs. */
struct view {
	const char *of;
	const struct result *result;
	unsigned int granules;
	unsigned int handles;
};

#define VIEWS	3

static void views_of(const struct measured *m, struct view *views)
{
	views[0] = (struct view){ "64 MiB", m->large, TABLE_GRANULES, 1 };
	views[1] = (struct view){ "2 MiB", m->one, 1, 1 };
	views[2] = (struct view){ "32 handles of 2 MiB", m->parts, TABLE_PARTS, TABLE_PARTS };
}

#define PER_GRANULE	"instructions per 2 MiB"

static struct row compared_view(const char *number, const char *metric, value_of value,
				const struct view *view)
{
	return compared(number, text("%s, %s", metric, view->of), PER_GRANULE, value,
			view->result, view->granules);
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
	struct row row;

	if (m->found) {
		row = alone("7", text("import, %u shares", m->many.count[TABLE_MANY]),
			    "instructions", import[TABLE_MANY].median, 1.2 * import[0].median);
		row.floor = import[0].median;
		return row;
	}
	row = alone("7", text("import, %u other shares", m->imports.shares), "instructions",
		    m->imports.among_shares.median, 1.2 * m->imports.alone.median);
	row.floor = m->imports.alone.median;
	if (m->imports.shares < TABLE_PIDS)
		row.remark = "10000 would need 20 GiB, or --found";
	return row;
}

static const char *const list_names[LISTS] = {
	[NEIGHBOURS] = "pids in a row",
	[SHUFFLED] = "pids in a row, shuffled",
	[APART] = "pids far apart",
	[APART_SHUFFLED] = "pids far apart, shuffled",
};

static struct row *whitelist_rows(const struct measured *m, struct row *row)
{
	int list;

	for (list = 0; list < LISTS; list++) {
		double few = (double)m->few_pids[list].median / FEW_PIDS;
		double many = (double)m->many_pids[list].median / TABLE_PIDS;

		*row++ = alone("6", text("whitelist %u, per process, %s", TABLE_PIDS,
					 list_names[list]), "instructions", many, 150);
		*row++ = alone("6", text("whitelist %u to %u, per process, %s", TABLE_PIDS,
					 FEW_PIDS, list_names[list]), "ratio", many / few, 1.5);
	}
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
	*row++ = alone("15", "kernel memory, whitelisted process, pids in a row", "bytes",
		       m->entry_bytes[NEIGHBOURS], 32);
	*row++ = alone("15", "kernel memory, whitelisted process, pids far apart", "bytes",
		       m->entry_bytes[APART], 32);
	return row;
}

/* By one request, beside one for each, which is ours, too: no target was set. */
static struct row *batch_rows(const struct measured *m, struct row *row)
{
	static const char *const names[BATCH_STEPS] = { "map", "unmap" };
	int step, i;

	for (step = 0; step < BATCH_STEPS; step++) {
		for (i = 0; i < BATCHES; i++) {
			const struct batch *b = &m->batch[i];

			*row = alone("B", text("%s %u of 2 MiB in one request, each", names[step],
					       b->count), "instructions",
				     (double)b->cost[IN_ONE][step].median / b->count, NONE);
			row->best_other = (double)b->cost[ONE_BY_ONE][step].median / b->count;
			row++->best_other_name = "one by one";
			*row = alone("B", text("TLB flushes, %s %u of 2 MiB in one request",
					       names[step], b->count), "events",
				     (double)b->events[IN_ONE][step].event[TLB_FLUSHES], NONE);
			row->best_other =
				(double)b->events[ONE_BY_ONE][step].event[TLB_FLUSHES];
			row++->best_other_name = "one by one";
		}
	}
	return row;
}

static struct row *crowd_rows(const struct measured *m, struct row *row)
{
	const struct sweep *sweep = &m->sweeps[BY_PROCESSES];

	if (m->scaled) {
		const struct scaling *s = &m->scaling;

		*row = alone("16", "64 processes, speedup", "times", s->ours, 0.9 * s->other);
		row->best_other = s->other;
		row->best_other_name = ways[HUGETLB]->name;
		row->at_least = true;
		/* Shown only if all of the interval is above. */
		row->broken = s->low < 0.9;
		row++->remark = text("ratio within %.3f to %.3f (95 %%), %u processors", s->low,
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
		row.remark = "something was left";
	return row;
}

#define FLOOR(m, name)	((double)(m)->floor[name].median)

/* Who misses this target is not to have it easier with those made of it. */
static double no_op(const struct measured *m)
{
	return least(FLOOR(m, QUERY), 1.7 * FLOOR(m, GETPPID));
}

static struct row *call_rows(const struct measured *m, struct row *row)
{
	struct view views[VIEWS];
	int i;

	*row = alone("1", "ioctl that does nothing", "instructions", FLOOR(m, QUERY),
		     1.7 * FLOOR(m, GETPPID));
	row->floor = FLOOR(m, GETPPID);
	row->best_other = FLOOR(m, REFUSED_IOCTL);
	row++->best_other_name = "refused ioctl";
	views_of(m, views);
	for (i = 0; i < VIEWS; i++, row++) {
		/* One reservation for all of its handles. */
		*row = alone("2", text("reserve and release, %s", views[i].of), "instructions",
			     reserve(&views[i].result[NPUMEM]), 1.2 * FLOOR(m, MMAP_MUNMAP));
		row->floor = FLOOR(m, MMAP_MUNMAP);
		row->best_other = row->floor;
		row->best_other_name = ways[MEMFD]->name;
	}
	return row;
}

static struct row *create_rows(const struct measured *m, struct row *row)
{
	struct row *first = row;
	struct view views[VIEWS];
	int i;

	views_of(m, views);
	for (i = 0; i < VIEWS; i++)
		*row++ = compared_view("3", "create, zeroed", create, &views[i]);
	*row++ = compared("3", "create, zeroed, in a memory cgroup, 64 MiB", PER_GRANULE, create,
			  m->grouped, TABLE_GRANULES);
	/* Others keep nothing either, but hugetlbfs its pages. */
	*row = compared("3", "create, zeroed, of a fresh machine, 64 MiB", PER_GRANULE, create,
			m->large, TABLE_GRANULES);
	row++->ours = create(&m->fresh) / TABLE_GRANULES;
	for (; first < row; first++) {
		first->floor = FLOOR(m, STOSQ);
		first->target = 1.02 * first->floor;
	}
	if (m->sweeps[CREATE_BY_SIZE].points) {
		*row = alone("3", "create, zeroed, of 1 GiB to that of 2 MiB", "ratio",
			     slope(&m->sweeps[CREATE_BY_SIZE], NPUMEM), 1.02);
		if (isnan(row->ours))
			row->remark = "no room for 1 GiB: a larger MEM=";
		row++;
	}
	return row;
}

/*
 * The target is that of what was made and zeroed at once by the same way, or should have
 * been: who misses that one is not to have it easier here.
 */
static struct row *zeroed_rows(const struct measured *m, struct row *row)
{
	double zeroing = 1.05 * least(create(&m->large[NPUMEM]) / TABLE_GRANULES,
				      1.02 * FLOOR(m, STOSQ));
	const struct zeroed *grouped = &m->grouped_zeroed;

	if (!m->zeroed.allocate.median) {
		*row++ = missing("3b", "create from zeroed memory, 64 MiB", PER_GRANULE,
				 5 * no_op(m), "nothing tells how long the thread runs");
		return row;
	}
	*row++ = alone("3b", "create from zeroed memory, 64 MiB", PER_GRANULE,
		       (double)m->zeroed.allocate.median / TABLE_GRANULES, 5 * no_op(m));
	*row++ = alone("3b", "create from zeroed memory, zeroing included, 64 MiB", PER_GRANULE,
		       (double)m->zeroed.all.median / TABLE_GRANULES, zeroing);
	*row++ = alone("3b", "create from zeroed memory, in a memory cgroup, 64 MiB", PER_GRANULE,
		       (double)grouped->allocate.median / TABLE_GRANULES, 5 * no_op(m));
	return row;
}

static struct row *share_rows(const struct measured *m, struct row *row)
{
	*row = alone("4", "export", "instructions", STEP(&m->large[NPUMEM], EXPORT),
		     2 * no_op(m));
	row++->floor = FLOOR(m, MEMFD_CLOSE);
	*row = compared("5", "hand over and import", "instructions", hand_over, m->one, 1);
	row->floor = FLOOR(m, SCM_RIGHTS_ONE);
	row->target = least(2400, least(row->floor, row->best_other) / 3);
	return row + 1;
}

static struct row *map_rows(const struct measured *m, struct row *row)
{
	struct view views[VIEWS];
	int i;

	views_of(m, views);
	for (i = 0; i < VIEWS; i++, row++) {
		*row = compared_view("8", "map", map, &views[i]);
		row->floor = row->best_other;
		row->target = 300 + no_op(m) * views[i].handles / views[i].granules;
	}
	*row = compared("9", "touch after map, 64 MiB", PER_GRANULE, touch_all, m->large,
			TABLE_GRANULES);
	row->floor = FLOOR(m, TOUCH_POPULATED);
	/* Of 64 MiB the loop begins once, of the floor's 2 MiB each time. */
	row->target = 1.01 * least(row->floor, row->best_other);
	row++->broken = m->large[NPUMEM].events[TOUCH].event[FAULTS] != 0;
	*row = compared("10", "set access, 64 MiB", "instructions", set_access, m->large, 1);
	row->floor = row->best_other;
	row->target = 1.2 * row->best_other;
	row++;
	for (i = 0; i < VIEWS; i++, row++) {
		const struct sample *events = &views[i].result[NPUMEM].events[UNMAP];

		*row = compared_view("11", "unmap", unmap, &views[i]);
		row->floor = row->best_other;
		row->target = 868;
		row->broken = events->event[TLB_FLUSHES] > views[i].handles;
		if (row->broken)
			row->remark = "more than a TLB flush in a call";
	}
	return row;
}

static struct row *end_rows(const struct measured *m, struct row *row)
{
	struct row *first = row;
	struct view views[VIEWS];
	int i;

	views_of(m, views);
	for (i = 0; i < VIEWS; i++)
		*row++ = compared_view("12", "free", free_last, &views[i]);
	*row++ = compared("12", "free, in a memory cgroup, 64 MiB", PER_GRANULE, free_last,
			  m->grouped, TABLE_GRANULES);
	for (; first < row; first++) {
		first->floor = first->best_other;
		first->target = 2131;
	}
	for (i = 0; i < VIEWS; i++)
		*row++ = compared_view("13", "the whole cycle", whole, &views[i]);
	*row++ = compared("13", "the whole cycle, in a memory cgroup, 64 MiB", PER_GRANULE, whole,
			  m->grouped, TABLE_GRANULES);
	for (; first < row; first++) {
		first->floor = FLOOR(m, STOSQ);
		first->target = 1.05 * first->floor;
	}
	return row;
}

static struct row *gigabyte_rows(const struct measured *m, struct row *row)
{
	const struct gigabyte *g = &m->gigabyte;

	if (!m->has_gigabyte)
		return row;
	*row = alone("B", "map 1 GiB of a carve-out", "instructions", g->map[CARVEOUT].median, NONE);
	row->best_other = g->map[RAM].median;
	row++->best_other_name = "ours of RAM";
	*row = alone("B", "unmap 1 GiB of a carve-out", "instructions", g->unmap[CARVEOUT].median,
		     NONE);
	row->best_other = g->unmap[RAM].median;
	row++->best_other_name = "ours of RAM";
	*row = alone("B", "page-table entries of 1 GiB of a carve-out", "entries",
		     g->entries[CARVEOUT], NONE);
	row->best_other = g->entries[RAM];
	row++->best_other_name = "ours of RAM";
	return row;
}

/* Counts of what is in the whole cycle, which no target is set for. */
static struct row *event_rows(const struct measured *m, struct row *row)
{
	static double (*const counts[EVENTS])(const struct result *result) = {
		[FAULTS] = faults, [SYSCALLS] = system_calls, [PAGES_CLEARED] = pages_cleared,
		[TLB_FLUSHES] = tlb_flushes,
	};
	int event;

	for (event = 0; event < EVENTS; event++)
		*row++ = compared("E", text("%s of the whole cycle, 64 MiB", event_names[event]),
				  "events", counts[event], m->large, 1);
	return row;
}

unsigned int rows_make(const struct measured *m, struct row *rows)
{
	struct row *row = rows;

	row = call_rows(m, row);
	row = create_rows(m, row);
	row = zeroed_rows(m, row);
	row = share_rows(m, row);
	row = whitelist_rows(m, row);
	row = map_rows(m, row);
	row = end_rows(m, row);
	*row++ = descriptors(m);
	*row++ = vmas(m);
	row = footprint_rows(m, row);
	row = crowd_rows(m, row);
	*row++ = death_row(m);
	row = batch_rows(m, row);
	row = gigabyte_rows(m, row);
	row = event_rows(m, row);
	if (row > rows + MAX_ROWS)
		die("more than %u rows", MAX_ROWS);
	return row - rows;
}
