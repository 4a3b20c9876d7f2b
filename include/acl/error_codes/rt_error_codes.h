/* SPDX-License-Identifier: MIT */
/*
 * aclError values that come from the runtime and the driver.
 */
#ifndef ACL_ERROR_CODES_RT_ERROR_CODES_H
#define ACL_ERROR_CODES_RT_ERROR_CODES_H

/*
 * In C++ a code is an int object, which templates and auto see as int. In C
 * such an object is no constant expression and could not be a case label.
 */
#ifdef __cplusplus
#define ACL_DEFINE_CODE(name, value) static const int name = value
#else
#define ACL_DEFINE_CODE(name, value) enum { name = value }
#endif

ACL_DEFINE_CODE(ACL_RT_SUCCESS, 0);

/* A value that the runtime or the driver rejects. */
ACL_DEFINE_CODE(ACL_ERROR_RT_PARAM_INVALID, 107000);
/* No such device. */
ACL_DEFINE_CODE(ACL_ERROR_RT_INVALID_DEVICEID, 107001);
/* The thread has no current context: no aclrtSetDevice so far. */
ACL_DEFINE_CODE(ACL_ERROR_RT_CONTEXT_NULL, 107002);
/* The shareable handle is unknown or gone. */
ACL_DEFINE_CODE(ACL_ERROR_RT_INVALID_HANDLE, 107017);

/* Not supported on this device or by this driver. */
ACL_DEFINE_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, 207000);
/* Out of memory or of address space. */
ACL_DEFINE_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, 207001);
/* The driver is not loaded or not accessible. */
ACL_DEFINE_CODE(ACL_ERROR_RT_NO_DEVICE, 207004);
/* A whitelist call on a handle that was exported without whitelist. */
ACL_DEFINE_CODE(ACL_ERROR_RT_NO_PERMISSION, 207006);

/* Every other refusal by the driver; aclGetRecentErrMsg() says which. */
ACL_DEFINE_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, 507899);

#endif /* ACL_ERROR_CODES_RT_ERROR_CODES_H */
