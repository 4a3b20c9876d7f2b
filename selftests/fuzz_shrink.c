// SPDX-License-Identifier: MIT
/*
 * First what is likely not to matter goes, all at once. Then delta debugging: leave a part out, and keep it out if the rest fails as well. Parts
 * are halves first and single operations last. As operands are symbolic, what is left
 * means what it meant; the model foretells each list anew.
 */
#include <string.h>
#include <time.h>

#include "fuzz_shrink.h"

struct shrinking {
	struct fuzz_shared *shared;
	const struct model_machine *machine;
	struct fuzz_op *ops;
	int n, tried;
	time_t end;
	struct fuzz_failure failure;	/* of @ops */
};

static time_t shrink_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static bool shrink_fails(struct shrinking *s, const struct fuzz_op *ops, int n)
{
	s->tried++;
	if (round_run(s->shared, s->machine, ops, n, false))
		return false;
	s->failure = s->shared->failure;
	return true;
}

/* Is it a failure still without the operations from @first to before @last? */
static bool shrink_without(struct shrinking *s, int first, int last)
{
	static struct fuzz_op rest[FUZZ_OPS];
	int n = s->n - (last - first);

	memcpy(rest, s->ops, first * sizeof(*rest));
	memcpy(rest + first, s->ops + last, (s->n - last) * sizeof(*rest));
	if (!shrink_fails(s, rest, n))
		return false;
	memcpy(s->ops, rest, n * sizeof(*rest));
	s->n = n;
	/* What comes after the failing one was not run. */
	if (s->failure.op + 1 < n)
		s->n = s->failure.op + 1;
	return true;
}

/* Only those that are kept, if that fails as well. */
static bool shrink_to(struct shrinking *s, const bool *keep)
{
	static struct fuzz_op rest[FUZZ_OPS];
	int n = 0, i;

	for (i = 0; i < s->n; i++)
		if (keep[i])
			rest[n++] = s->ops[i];
	if (n == s->n || !shrink_fails(s, rest, n))
		return false;
	memcpy(s->ops, rest, n * sizeof(*rest));
	s->n = s->failure.op + 1 < n ? s->failure.op + 1 : n;
	return true;
}

/* What only looks, and what is refused anyway, as the model has it. */
static void shrink_idle(struct shrinking *s)
{
	static struct actor_request request;
	static struct model_expect expect;
	struct model *model = model_new(sizeof(*model));
	bool keep[FUZZ_OPS];
	int i, actor, pid = 100000;

	model_init(model, s->machine);
	for (i = 0; i < s->n; i++) {
		model_apply(model, &s->ops[i], &request, &expect);
		for (actor = 0; actor < FUZZ_ACTORS; actor++)
			if (model->actors[actor].process && !model->actors[actor].process->pid)
				model->actors[actor].process->pid = ++pid;
		keep[i] = expect.ret == 0 || i == s->failure.op;
	}
	model_free(model);
	shrink_to(s, keep);
	for (i = 0; i < s->n; i++) {
		switch (s->ops[i].kind) {
		case 0: case 1: case 4: case 8: case 9: case 14: case 17: case 18: case 19:
		case FUZZ_READ: case FUZZ_SWEEP: case FUZZ_SPLICE: case FUZZ_SPY:
			keep[i] = i == s->failure.op;
			break;
		default:
			keep[i] = true;
		}
	}
	shrink_to(s, keep);
}

/* All of one actor, and all of one kind. */
static void shrink_groups(struct shrinking *s)
{
	bool keep[FUZZ_OPS];
	int group, i;

	for (group = 0; group < FUZZ_ACTORS && shrink_now() < s->end; group++) {
		for (i = 0; i < s->n; i++)
			keep[i] = s->ops[i].actor != group;
		shrink_to(s, keep);
	}
	for (group = 0; group < FUZZ_KINDS && shrink_now() < s->end; group++) {
		for (i = 0; i < s->n; i++)
			keep[i] = s->ops[i].kind != group;
		shrink_to(s, keep);
	}
}

static void shrink_twist(struct shrinking *s, int index)
{
	unsigned char twist = s->ops[index].twist;

	if (!twist)
		return;
	s->ops[index].twist = TWIST_NONE;
	if (!shrink_fails(s, s->ops, s->n))
		s->ops[index].twist = twist;
}

int fuzz_shrink(struct fuzz_shared *shared, const struct model_machine *machine,
		struct fuzz_op *ops, int n, int seconds)
{
	struct shrinking s = {
		.shared = shared, .machine = machine, .ops = ops, .n = n,
		.end = shrink_now() + seconds, .failure = shared->failure,
	};
	int part, first;
	bool shorter;

	if (s.failure.op + 1 < n)
		s.n = s.failure.op + 1;
	shrink_idle(&s);
	shrink_groups(&s);
	part = s.n / 2;
	while (part && shrink_now() < s.end) {
		shorter = false;
		/* From the end: what is made there is used by nobody after. */
		for (first = s.n - part; first > -part && shrink_now() < s.end; first -= part) {
			int from = first < 0 ? 0 : first;
			int last = first + part < s.n ? first + part : s.n;

			if (from < last && s.n > 1)
				shorter |= shrink_without(&s, from, last);
		}
		if (part > 1)
			part /= 2;
		else if (!shorter)
			break;
	}
	for (first = 0; first < s.n && shrink_now() < s.end; first++)
		shrink_twist(&s, first);
	printf("# %d operations are left of %d, after %d other lists\n", s.n, n, s.tried);
	shared->failure = s.failure;
	return s.n;
}
