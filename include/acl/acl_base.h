/* SPDX-License-Identifier: MIT */
/*
 * What all of AscendCL stands on: the error type and visibility.
 */
#ifndef ACL_ACL_BASE_H
#define ACL_ACL_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "error_codes/rt_error_codes.h"

#if defined(__GNUC__)
#define ACL_FUNC_VISIBILITY __attribute__((visibility("default")))
#else
#define ACL_FUNC_VISIBILITY
#endif

/* ACL_SUCCESS or another code of error_codes/rt_error_codes.h. */
typedef int aclError;

#endif /* ACL_ACL_BASE_H */
