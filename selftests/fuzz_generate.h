/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_GENERATE_H
#define FUZZ_GENERATE_H

#include "fuzz_model.h"

#define FUZZ_OPS	400	/* of one round, at most */

/* Fills @ops from the seed alone and returns how many there are. */
int fuzz_generate(__u64 seed, const struct model_machine *machine, struct fuzz_op *ops);

#endif /* FUZZ_GENERATE_H */
