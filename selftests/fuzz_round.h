/* SPDX-License-Identifier: MIT */
/* Rounds whose results are known beforehand: one operation at a time. */
#ifndef FUZZ_ROUND_H
#define FUZZ_ROUND_H

#include "fuzz_generate.h"

/* Results of ioctls are counted by errno; those above are counted as the last. */
#define COUNT_ERRNOS	134

/* In memory that all processes of the fuzzer have in common. */
struct fuzz_counts {
	__u64 rounds, ops, ioctls;
	__u64 results[FUZZ_KINDS][COUNT_ERRNOS];
};

struct fuzz_failure {
	bool failed;
	int op;			/* which one, or the number of all */
	char text[2048];
};

/* What is shared with the processes that run rounds. */
struct fuzz_shared {
	struct fuzz_counts counts;
	struct fuzz_failure failure;
	__u64 given;		/* of chaos: see there */
};

/* Learns what the machine is like; a reason if it cannot be fuzzed. */
const char *round_machine(struct model_machine *machine);
/*
 * Runs the operations in a process of its own, with processes of its own. False if
 * something was not as expected: then shared->failure tells.
 */
bool round_run(struct fuzz_shared *shared, const struct model_machine *machine,
	       const struct fuzz_op *ops, int n, bool count);
/* Gives back what a round has changed that outlives its processes. */
void round_restore(const struct model_machine *machine);

/* A test of chaos: several seconds of it, from a seed. */
bool chaos_run(struct fuzz_shared *shared, const struct model_machine *machine,
	       __u64 seed, int seconds);

/* Waits for a process that is to end within so many seconds; its status or -1. */
int round_wait(pid_t pid, int seconds);
void fuzz_count(struct fuzz_counts *counts, int kind, long ret);

#endif /* FUZZ_ROUND_H */
