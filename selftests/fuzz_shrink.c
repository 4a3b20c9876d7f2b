// SPDX-License-Identifier: MIT
/*
 * Delta debugging: leave a part out, and keep it out if the rest fails as well. Parts
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
