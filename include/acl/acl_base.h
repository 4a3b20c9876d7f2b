/* SPDX-License-Identifier: MIT */
/*
 * What all of AscendCL stands on: the error type, its values, visibility.
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

/* 0 or one of the codes below and in error_codes/rt_error_codes.h. */
typedef int aclError;

ACL_DEFINE_CODE(ACL_SUCCESS, 0);
ACL_DEFINE_CODE(ACL_ERROR_NONE, 0);

/*
 * A NULL pointer, a size of zero, an unknown flag, a value outside of its
 * enum: found before the driver is asked.
 */
ACL_DEFINE_CODE(ACL_ERROR_INVALID_PARAM, 100000);
/* aclInit() again without aclFinalize() in between. */
ACL_DEFINE_CODE(ACL_ERROR_REPEAT_INITIALIZE, 100002);
/* aclFinalize() again, or without aclInit(). */
ACL_DEFINE_CODE(ACL_ERROR_REPEAT_FINALIZE, 100037);
/* Flags other than zero in aclrtDeviceEnablePeerAccess(). */
ACL_DEFINE_CODE(ACL_ERROR_FEATURE_UNSUPPORTED, 200006);

#endif /* ACL_ACL_BASE_H */
