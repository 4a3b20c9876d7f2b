/* SPDX-License-Identifier: MIT */
/* What the fuzzer sees and changes of the machine as its administrator. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "fuzz_model.h"

/* 0 or -errno. */
long world_bind(int device, bool bind);
/* Limit 0 to 3 of struct model; 65535 is what it was when the fuzzer began. */
void world_limit(int index, __u64 value);
/* Gives back what is changed for all of the fuzzer's time. */
void world_end(void);
/* Is the module's accounting of all that is held the model's? */
bool world_is(const struct model *model, char *text, size_t size);

#endif /* FUZZ_WORLD_H */
