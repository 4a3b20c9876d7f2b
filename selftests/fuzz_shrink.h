/* SPDX-License-Identifier: MIT */
/* From a list of operations that fails to a short one that does. */
#ifndef FUZZ_SHRINK_H
#define FUZZ_SHRINK_H

#include "fuzz_round.h"

/* Shortens @ops in place and returns how many are left; shared->failure is theirs. */
int fuzz_shrink(struct fuzz_shared *shared, const struct model_machine *machine,
		struct fuzz_op *ops, int n, int seconds);

#endif /* FUZZ_SHRINK_H */
