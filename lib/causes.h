/* SPDX-License-Identifier: MIT */
/*
 * Everything that can be wrong, once each: the code, what is wrong, and what
 * to do about it.
 *
 * A cause is written where the code and the text of shim_fail() stand, or in a
 * struct shim_rule. Who wants its parts (the list in ERRORS.md, the tests)
 * defines CAUSE before including this.
 */
#ifndef CAUSE
#define CAUSE(code, cause, remedy) code, cause "; " remedy
#endif

#define CAUSE_NULL \
	CAUSE(ACL_ERROR_INVALID_PARAM, "%s is NULL", "pass a valid pointer or handle")
