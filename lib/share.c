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
	{ EBUSY, CAUSE_EXPORT_OTHER_FLAG },
	{ EREMOTE, CAUSE_EXPORT_IMPORTED },
	{ EOPNOTSUPP, CAUSE_EXPORT_VIRTUAL },
	{ EMFILE, CAUSE_TOO_MANY_SHARES },
	{ EDQUOT, CAUSE_USER_SHARES },
	{ 0 }
};

static const struct shim_rule whitelist_rules[] = {
	{ ENOENT, CAUSE_NO_SHARE },
	{ EREMOTE, CAUSE_WHITELIST_FOREIGN },
	{ EPERM, CAUSE_WHITELIST_NONE },
	{ ENOSPC, CAUSE_WHITELIST_FULL },
	{ EMFILE, CAUSE_TOO_MANY_ENTRIES },
	{ EDQUOT, CAUSE_USER_ENTRIES },
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

aclError shim_whitelist_add(const struct shim_call *call, uint64_t token,
			    const int32_t *pid, size_t count,
			    const struct shim_rule *rules)
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

	err = shim_client(call, &fd);
	if (err)
		return err;
	error = shim_try(NPUMEM_WHITELIST_ADD, &add);
	/* The driver has read them, so that they are there to be shown. */
	if (error == ESRCH)
		return shim_fail(call, CAUSE_PIDS_DEAD, pid[0],
				 count > 1 ? " nor any of the others" : "");
	return error ? shim_refuse(call, rules, error) : ACL_SUCCESS;
}

static aclError check_pids(const struct shim_call *call, const int32_t *pid, size_t count)
{
	if (!pid)
		return shim_null(call, "pid");
	if (!count)
		return shim_fail(call, CAUSE_PIDS_NONE);
	if (count > MAX_PIDS)
		return shim_fail(call, CAUSE_PIDS_MANY, MAX_PIDS);
	return ACL_SUCCESS;
}

/* The two numbers nobody else can tell. */
int shim_import_pids(uint64_t token, int32_t *exporter, int32_t *self)
{
	struct npumem_share_info share = { .size = sizeof(share), .token = token };
	struct npumem_host_tgid tgid = { .size = sizeof(tgid) };
	int error;

	error = shim_try(NPUMEM_SHARE_INFO, &share);
	if (!error)
		error = shim_try(NPUMEM_HOST_TGID, &tgid);
	*exporter = share.exporter;
	*self = tgid.tgid;
	return error;
}

/* Whom to ask, and for what. */
static aclError not_whitelisted(const struct shim_call *call, uint64_t token)
{
	int32_t exporter, self;
	int error;

	error = shim_import_pids(token, &exporter, &self);
	if (error)
		return shim_refuse(call, import_rules, error);
	if (!exporter)
		return shim_fail(call, CAUSE_EXPORTER_ENDED, self);
	return shim_fail(call, CAUSE_NOT_WHITELISTED, exporter, self, exporter, self);
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
	if (type != ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT &&
	    type != ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
		return shim_fail(call, CAUSE_SHARE_TYPE);
	return ACL_SUCCESS;
}

/* The share that a payload of a type that there is names. */
static aclError read_payload(const struct shim_call *call, const void *payload,
			     unsigned int type, uint64_t *token)
{
	if (type == ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
		return shim_fabric_token(call, payload, token);
	memcpy(token, payload, sizeof(*token));
	return ACL_SUCCESS;
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
	unsigned int type = (unsigned int)shareType;
	struct shim_fabric fabric;
	uint64_t token = 0;
	aclError err;

	if (!handle)
		return shim_null(&call, "handle");
	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	err = check_share_type(&call, type);
	if (!err && type == ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
		err = shim_fabric_start(&call, &fabric);
	if (!err)
		err = export_memory(&call, handle, flags, &token);
	if (err)
		return err;
	if (type == ACL_MEM_SHARE_HANDLE_TYPE_FABRIC) {
		fabric.token = token;
		memcpy(shareableHandle, &fabric, sizeof(fabric));
	} else {
		memcpy(shareableHandle, &token, sizeof(token));
	}
	return ACL_SUCCESS;
}

aclError aclrtMemSetPidToShareableHandle(uint64_t shareableHandle, int32_t *pid,
					 size_t pidNum)
{
	const struct shim_call call = SHIM_CALL(HEX(shareableHandle), ADDRESS(pid),
						SIZE(pidNum));

	aclError err = check_pids(&call, pid, pidNum);

	if (err)
		return err;
	return shim_whitelist_add(&call, shareableHandle, pid, pidNum, whitelist_rules);
}

aclError aclrtMemSetPidToShareableHandleV2(void *shareableHandle,
					   aclrtMemSharedHandleType shareType,
					   int32_t *pid, size_t pidNum)
{
	uint64_t token = 0;
	const struct shim_call call = SHIM_CALL(ADDRESS(shareableHandle), INT(shareType),
						ADDRESS(pid), SIZE(pidNum), SHARE(token));
	aclError err;

	if (!shareableHandle)
		return shim_null(&call, "shareableHandle");
	err = check_share_type(&call, (unsigned int)shareType);
	if (!err)
		err = check_pids(&call, pid, pidNum);
	if (!err)
		err = read_payload(&call, shareableHandle, (unsigned int)shareType, &token);
	if (err)
		return err;
	return shim_whitelist_add(&call, token, pid, pidNum, whitelist_rules);
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
	uint64_t token = 0;
	const struct shim_call call = SHIM_CALL(ADDRESS(shareableHandle), INT(shareType),
						HEX(flags), ADDRESS(handle), SHARE(token),
						CURRENT_DEVICE);
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
	if (!err)
		err = read_payload(&call, shareableHandle, (unsigned int)shareType, &token);
	if (err)
		return err;
	return import_memory(&call, token, number, handle);
}
