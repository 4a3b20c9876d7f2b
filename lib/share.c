// SPDX-License-Identifier: MIT
/*
 * Export, whitelist and import.
 */
#include <errno.h>
#include <string.h>

#include "npumem_shim.h"

#define MAX_PIDS 65535

static const struct shim_rule export_rules[] = {
	{ ENOENT, ACL_ERROR_RT_PARAM_INVALID,
	  "handle: this process holds no such handle, or has freed it; pass one from "
	  "aclrtMallocPhysical" },
	{ EEXIST, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "handle: the memory was exported before, and can be only once; keep the number from "
	  "the first export" },
	{ EREMOTE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "handle: imported memory; only the process that allocated it can export it" },
	{ EOPNOTSUPP, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
	  "handle: memory of a virtual device (vNPU) cannot be exported" },
	{ 0 }
};

static const struct shim_rule whitelist_rules[] = {
	{ ENOENT, ACL_ERROR_RT_INVALID_HANDLE,
	  "shareableHandle: there is no such share; its memory was freed, or the number is "
	  "not one that an export gave" },
	{ EREMOTE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "shareableHandle: the share of another process; only its exporter can add pids" },
	{ EPERM, ACL_ERROR_RT_NO_PERMISSION,
	  "shareableHandle: exported with ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, anyone "
	  "may import it; export with flags 0 to have a whitelist" },
	{ ENOSPC, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "pidNum: the whitelist of this share would hold too many processes (65535 at most)" },
	{ 0 }
};

static const struct shim_rule import_rules[] = {
	{ ENOENT, ACL_ERROR_RT_INVALID_HANDLE,
	  "shareableHandle: there is no such share; its memory was freed, or the number is "
	  "not one that an export gave" },
	{ ELOOP, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "shareableHandle: this process exported it from the same device; use the handle that "
	  "was exported" },
	{ ESTALE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "shareableHandle: the memory is just being freed; have it exported anew" },
	{ ENXIO, ACL_ERROR_RT_INVALID_DEVICEID,
	  "deviceId: there is no such device; aclrtGetDeviceCount tells how many there are" },
	{ EMFILE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "this process holds as many handles as it may; free some with aclrtFreePhysical, or "
	  "raise the module's parameter max_handles" },
	{ 0 }
};

static aclError export_memory(const struct shim_call *call, aclrtDrvMemHandle handle,
			      uint64_t flags, uint64_t *token)
{
	struct npumem_export request = {
		.size = sizeof(request),
		.handle = (uintptr_t)handle,
	};
	aclError err;

	if (flags > ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "flags: expected 0 or "
				 "ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION (1)");
	if (flags)
		request.flags = NPUMEM_EXPORT_ANYONE;
	err = shim_ask(call, NPUMEM_EXPORT, &request, export_rules);
	if (err)
		return err;
	*token = request.token;
	return ACL_SUCCESS;
}

static aclError add_pids(const struct shim_call *call, uint64_t token,
			 const int32_t *pid, size_t count)
{
	struct npumem_whitelist_add add = {
		.size = sizeof(add),
		.count = (uint32_t)count,
		.token = token,
		.pids = (uintptr_t)pid,
	};
	aclError err;
	int error;
	int fd;

	if (!pid)
		return shim_null(call, "pid");
	if (!count)
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "pidNum: must not be 0; pass how many elements pid has");
	if (count > MAX_PIDS)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "pidNum: at most %d", MAX_PIDS);
	err = shim_client(call, &fd);
	if (err)
		return err;
	error = shim_try(NPUMEM_WHITELIST_ADD, &add);
	/* The driver has read them, so that they are there to be shown. */
	if (error == ESRCH)
		return shim_fail(call, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
				 "pid: no live process has the number %d%s; pass what "
				 "aclrtDeviceGetBareTgid gives in the importing process",
				 pid[0], count > 1 ? " nor any of the others" : "");
	return error ? shim_refuse(call, whitelist_rules, error) : ACL_SUCCESS;
}

/* Whom to ask, and for what: the two numbers nobody else can tell. */
static aclError not_whitelisted(const struct shim_call *call, uint64_t token)
{
	struct npumem_share_info share = { .size = sizeof(share), .token = token };
	struct npumem_host_tgid self = { .size = sizeof(self) };
	int error;

	error = shim_try(NPUMEM_SHARE_INFO, &share);
	if (!error)
		error = shim_try(NPUMEM_HOST_TGID, &self);
	if (error)
		return shim_refuse(call, import_rules, error);
	return shim_fail(call, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
			 "shareableHandle: exported by process %d, whose whitelist does not have "
			 "this process, %d; ask process %d to call "
			 "aclrtMemSetPidToShareableHandle with pid %d, then import again",
			 share.exporter, self.tgid, share.exporter, self.tgid);
}

static aclError import_memory(const struct shim_call *call, uint64_t token,
			      uint32_t number, aclrtDrvMemHandle *handle)
{
	struct npumem_import request = {
		.size = sizeof(request),
		.token = token,
		.device = number,
	};
	aclError err;
	int error;
	int fd;

	err = shim_client(call, &fd);
	if (err)
		return err;
	error = shim_try(NPUMEM_IMPORT, &request);
	if (error == EPERM)
		return not_whitelisted(call, token);
	if (error)
		return shim_refuse(call, import_rules, error);
	*handle = (aclrtDrvMemHandle)(uintptr_t)request.handle;
	return ACL_SUCCESS;
}

static aclError check_share_type(const struct shim_call *call, unsigned int type)
{
	if (type == ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT)
		return ACL_SUCCESS;
	if (type == ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
		return shim_fail(call, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
				 "shareType: there is no fabric between hosts; use "
				 "ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT (1)");
	return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
			 "shareType: expected ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT (1) or "
			 "_FABRIC (2)");
}

aclError aclrtMemExportToShareableHandle(aclrtDrvMemHandle handle,
					 aclrtMemHandleType handleType,
					 uint64_t flags, uint64_t *shareableHandle)
{
	const struct shim_call call = SHIM_CALL(HANDLE(handle), INT(handleType), HEX(flags),
						ADDRESS(shareableHandle));

	if (!handle)
		return shim_null(&call, "handle");
	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	if (handleType != ACL_MEM_HANDLE_TYPE_NONE)
		return shim_fail(&call, ACL_ERROR_INVALID_PARAM,
				 "handleType: expected ACL_MEM_HANDLE_TYPE_NONE (0)");
	return export_memory(&call, handle, flags, shareableHandle);
}

aclError aclrtMemExportToShareableHandleV2(aclrtDrvMemHandle handle, uint64_t flags,
					   aclrtMemSharedHandleType shareType,
					   void *shareableHandle)
{
	const struct shim_call call = SHIM_CALL(HANDLE(handle), HEX(flags), INT(shareType),
						ADDRESS(shareableHandle));
	uint64_t token = 0;
	aclError err;

	if (!handle)
		return shim_null(&call, "handle");
	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	err = check_share_type(&call, (unsigned int)shareType);
	if (!err)
		err = export_memory(&call, handle, flags, &token);
	if (err)
		return err;
	memcpy(shareableHandle, &token, sizeof(token));
	return ACL_SUCCESS;
}

aclError aclrtMemSetPidToShareableHandle(uint64_t shareableHandle, int32_t *pid,
					 size_t pidNum)
{
	const struct shim_call call = SHIM_CALL(HEX(shareableHandle), ADDRESS(pid),
						SIZE(pidNum));

	return add_pids(&call, shareableHandle, pid, pidNum);
}

aclError aclrtMemSetPidToShareableHandleV2(void *shareableHandle,
					   aclrtMemSharedHandleType shareType,
					   int32_t *pid, size_t pidNum)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(shareableHandle), INT(shareType),
						ADDRESS(pid), SIZE(pidNum));
	uint64_t token = 0;
	aclError err;

	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	err = check_share_type(&call, (unsigned int)shareType);
	if (err)
		return err;
	memcpy(&token, shareableHandle, sizeof(token));
	return add_pids(&call, token, pid, pidNum);
}

aclError aclrtMemImportFromShareableHandle(uint64_t shareableHandle, int32_t deviceId,
					   aclrtDrvMemHandle *handle)
{
	const struct shim_call call = SHIM_CALL(HEX(shareableHandle), INT(deviceId),
						ADDRESS(handle));
	uint32_t current;
	uint32_t number = 0;
	aclError err;

	if (!handle)
		return shim_null(&call, "handle");
	err = shim_need_device(&call, &current);
	if (!err)
		err = shim_device_number(&call, deviceId, &number);
	if (err)
		return err;
	return import_memory(&call, shareableHandle, number, handle);
}

aclError aclrtMemImportFromShareableHandleV2(void *shareableHandle,
					     aclrtMemSharedHandleType shareType,
					     uint64_t flags, aclrtDrvMemHandle *handle)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(shareableHandle), INT(shareType),
						HEX(flags), ADDRESS(handle));
	uint64_t token = 0;
	uint32_t number = 0;
	aclError err;

	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	if (!handle)
		return shim_null(&call, "handle");
	if (flags)
		return shim_fail(&call, ACL_ERROR_INVALID_PARAM, "flags: must be 0");
	err = check_share_type(&call, (unsigned int)shareType);
	if (!err)
		err = shim_need_device(&call, &number);
	if (err)
		return err;
	memcpy(&token, shareableHandle, sizeof(token));
	return import_memory(&call, token, number, handle);
}
