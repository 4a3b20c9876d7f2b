/* SPDX-License-Identifier: MIT */
/*
 * All aclError values. acl/acl_base.h includes this.
 */
#ifndef ACL_ERROR_CODES_RT_ERROR_CODES_H
#define ACL_ERROR_CODES_RT_ERROR_CODES_H

/*
 * In C++ a code is an int object, which templates and auto see as int. In C
 * such an object is no constant expression and could not be a case label; all
 * are of one enumeration, so that any two may stand in one expression.
 */
#ifdef __cplusplus
#define ACL_DEFINE_CODE(name, value) static const int name = value;
static const int ACL_SUCCESS = 0;
#else
#define ACL_DEFINE_CODE(name, value) , name = value
enum {
	ACL_SUCCESS = 0
#endif

ACL_DEFINE_CODE(ACL_ERROR_NONE, 0)
ACL_DEFINE_CODE(ACL_RT_SUCCESS, 0)

/*
 * A NULL pointer, a size of zero, an unknown flag, a value outside of its
 * enum: found before the driver is asked.
 */
ACL_DEFINE_CODE(ACL_ERROR_INVALID_PARAM, 100000)
/* aclInit() again without aclFinalize() in between. */
ACL_DEFINE_CODE(ACL_ERROR_REPEAT_INITIALIZE, 100002)
/* aclFinalize() again, or without aclInit(). */
ACL_DEFINE_CODE(ACL_ERROR_REPEAT_FINALIZE, 100037)
/* Flags other than zero in aclrtDeviceEnablePeerAccess(). */
ACL_DEFINE_CODE(ACL_ERROR_FEATURE_UNSUPPORTED, 200006)

/* A value that the runtime or the driver rejects. */
ACL_DEFINE_CODE(ACL_ERROR_RT_PARAM_INVALID, 107000)
/* No such device. */
ACL_DEFINE_CODE(ACL_ERROR_RT_INVALID_DEVICEID, 107001)
/* The thread has no current context: no aclrtSetDevice so far. */
ACL_DEFINE_CODE(ACL_ERROR_RT_CONTEXT_NULL, 107002)
/* The shareable handle is unknown or gone. */
ACL_DEFINE_CODE(ACL_ERROR_RT_INVALID_HANDLE, 107017)

/* Not supported on this device or by this driver. */
ACL_DEFINE_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, 207000)
/* Out of memory or of address space. */
ACL_DEFINE_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, 207001)
/* The driver is not loaded or not accessible. */
ACL_DEFINE_CODE(ACL_ERROR_RT_NO_DEVICE, 207004)
/* A whitelist call on a handle that was exported without whitelist. */
ACL_DEFINE_CODE(ACL_ERROR_RT_NO_PERMISSION, 207006)

/* Every other refusal by the driver; aclGetRecentErrMsg() says which. */
ACL_DEFINE_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, 507899)

#ifndef __cplusplus
};
#endif

#endif /* ACL_ERROR_CODES_RT_ERROR_CODES_H */
