// SPDX-License-Identifier: MIT
/*
 * Export, whitelist and import.
 */
#include <errno.h>
#include <string.h>

#include "npumem_shim.h"

#define MAX_PIDS 65535

static const struct shim_rule export_rules[] = {
	{ ENOENT, CAUSE_NO_HANDLE },
	{ EEXIST, CAUSE_EXPORTED_ALREADY },
	{ EREMOTE, CAUSE_EXPORT_IMPORTED },
	{ EOPNOTSUPP, CAUSE_EXPORT_VIRTUAL },
	{ 0 }
};

static const struct shim_rule whitelist_rules[] = {
	{ ENOENT, CAUSE_NO_SHARE },
	{ EREMOTE, CAUSE_WHITELIST_FOREIGN },
	{ EPERM, CAUSE_WHITELIST_NONE },
	{ ENOSPC, CAUSE_WHITELIST_FULL },
	{ 0 }
};

static const struct shim_rule import_rules[] = {
	{ ENOENT, CAUSE_NO_SHARE },
	{ ELOOP, CAUSE_IMPORT_OWN },
	{ ESTALE, CAUSE_IMPORT_ENDING },
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
		return shim_fail(call, CAUSE_EXPORT_FLAGS);
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
		return shim_fail(call, CAUSE_PIDS_NONE);
	if (count > MAX_PIDS)
		return shim_fail(call, CAUSE_PIDS_MANY, MAX_PIDS);
	err = shim_client(call, &fd);
	if (err)
		return err;
	error = shim_try(NPUMEM_WHITELIST_ADD, &add);
	/* The driver has read them, so that they are there to be shown. */
	if (error == ESRCH)
		return shim_fail(call, CAUSE_PIDS_DEAD, pid[0],
				 count > 1 ? " nor any of the others" : "");
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
	if (!share.exporter)
		return shim_fail(call, CAUSE_EXPORTER_ENDED, self.tgid);
	return shim_fail(call, CAUSE_NOT_WHITELISTED, share.exporter, self.tgid,
			 share.exporter, self.tgid);
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
		return shim_fail(call, CAUSE_NO_FABRIC);
	return shim_fail(call, CAUSE_SHARE_TYPE);
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
		return shim_fail(&call, CAUSE_EXPORT_TYPE);
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
	const struct shim_call call = SHIM_CALL(HEX(shareableHandle), DEVICE(deviceId),
						ADDRESS(handle));
	struct npumem_device_info info;
	uint32_t current;
	uint32_t number = 0;
	aclError err;

	if (!handle)
		return shim_null(&call, "handle");
	err = shim_device_number(&call, deviceId, &number);
	if (!err && shim_current_device() == NPUMEM_DEVICE_NONE)
		err = shim_device_find(&call, deviceId, &info);
	if (!err)
		err = shim_need_device(&call, &current);
	if (err)
		return err;
	return import_memory(&call, shareableHandle, number, handle);
}

aclError aclrtMemImportFromShareableHandleV2(void *shareableHandle,
					     aclrtMemSharedHandleType shareType,
					     uint64_t flags, aclrtDrvMemHandle *handle)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(shareableHandle), INT(shareType),
						HEX(flags), ADDRESS(handle), CURRENT_DEVICE);
	uint64_t token = 0;
	uint32_t number = 0;
	aclError err;

	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	if (!handle)
		return shim_null(&call, "handle");
	if (flags)
		return shim_fail(&call, CAUSE_FLAGS);
	err = check_share_type(&call, (unsigned int)shareType);
	if (!err)
		err = shim_need_device(&call, &number);
	if (err)
		return err;
	memcpy(&token, shareableHandle, sizeof(token));
	return import_memory(&call, token, number, handle);
}
