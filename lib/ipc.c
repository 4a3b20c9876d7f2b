// SPDX-License-Identifier: MIT
/*
 * Keys: shares by name, imported with an address at once. A key is the share's
 * number in text, so that a memory has one share for either door. What is
 * imported is a block as aclrtMalloc's are, which remembers what it is of.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "npumem_shim.h"

/* What a program has to have room for. */
#define KEY_SIZE 65
#define KEY_MARK "npumem-"
#define KEY_DIGITS 16
#define MAX_PIDS 31

static const struct shim_rule export_rules[] = {
	{ ENOENT, CAUSE_KEY_NOT_MAPPED },
	{ EBUSY, CAUSE_KEY_OTHER_FLAG },
	{ EREMOTE, CAUSE_KEY_IMPORTED },
	{ EOPNOTSUPP, CAUSE_KEY_VIRTUAL },
	{ EMFILE, CAUSE_TOO_MANY_SHARES },
	{ EDQUOT, CAUSE_USER_SHARES },
	{ 0 }
};

static const struct shim_rule range_rules[] = {
	{ ENOENT, CAUSE_KEY_NOT_MAPPED },
	{ 0 }
};

static const struct shim_rule whitelist_rules[] = {
	{ ENOENT, CAUSE_KEY_ENDED },
	{ EREMOTE, CAUSE_KEY_STRANGER },
	{ EPERM, CAUSE_KEY_NO_WHITELIST },
	{ ENOSPC, CAUSE_KEY_WHITELIST_FULL },
	{ EMFILE, CAUSE_TOO_MANY_ENTRIES },
	{ EDQUOT, CAUSE_USER_ENTRIES },
	{ 0 }
};

static const struct shim_rule import_rules[] = {
	{ ENOENT, CAUSE_KEY_UNKNOWN },
	{ ELOOP, CAUSE_KEY_OWN },
	{ ESTALE, CAUSE_KEY_ENDING },
	{ 0 }
};

static const struct shim_rule close_rules[] = {
	{ ENOENT, CAUSE_KEY_ENDED },
	{ EREMOTE, CAUSE_KEY_NEITHER },
	{ 0 }
};

/* Reads no further than a key can be long. 0: not a key. */
static uint64_t read_key(const char *key)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t token = 0;

	if (strncmp(key, KEY_MARK, strlen(KEY_MARK)))
		return 0;
	key += strlen(KEY_MARK);
	for (int i = 0; i < KEY_DIGITS; i++) {
		const char *digit = key[i] ? strchr(digits, key[i]) : NULL;

		if (!digit)
			return 0;
		token = token << 4 | (uint64_t)(digit - digits);
	}
	return key[KEY_DIGITS] ? 0 : token;
}

/* All of [address, address + size) is one mapping of a device's memory. */
static aclError check_memory(const struct shim_call *call, uintptr_t address, size_t size)
{
	struct npumem_range range = { .size = sizeof(range), .address = address };
	aclError err;

	err = shim_ask(call, NPUMEM_RANGE, &range, range_rules);
	if (err)
		return err;
	if (range.location_type != NPUMEM_LOCATION_DEVICE)
		return shim_fail(call, CAUSE_KEY_HOST_MEMORY);
	if (range.address != address)
		return shim_fail(call, CAUSE_KEY_INSIDE,
				 (unsigned long long)range.address);
	if (size > range.length)
		return shim_fail(call, CAUSE_KEY_SIZE_BEYOND,
				 (unsigned long long)range.length);
	return ACL_SUCCESS;
}

static aclError export_mapping(const struct shim_call *call, uintptr_t address,
			       uint64_t flags, uint64_t *token)
{
	struct npumem_retain retain = { .size = sizeof(retain), .address = address };
	struct npumem_export request = {
		.size = sizeof(request),
		.flags = NPUMEM_EXPORT_KEY,
	};
	aclError err;

	if (flags)
		request.flags |= NPUMEM_EXPORT_ANYONE;
	err = shim_ask(call, NPUMEM_RETAIN, &retain, export_rules);
	if (err)
		return err;
	request.handle = retain.handle;
	err = shim_ask(call, NPUMEM_EXPORT, &request, export_rules);
	shim_free_handle(retain.handle);
	*token = request.token;
	return err;
}

aclError aclrtIpcMemGetExportKey(void *devPtr, size_t size, char *key, size_t len,
				 uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), SIZE(size), ADDRESS(key),
						SIZE(len), HEX(flags));
	uint64_t token = 0;
	aclError err;

	if (!devPtr)
		return shim_null(&call, "devPtr");
	if (!key)
		return shim_null(&call, "key");
	if (!size)
		return shim_fail(&call, CAUSE_KEY_SIZE_ZERO);
	if (len < KEY_SIZE)
		return shim_fail(&call, CAUSE_KEY_LENGTH, KEY_SIZE);
	if (flags > ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION)
		return shim_fail(&call, CAUSE_KEY_EXPORT_FLAGS);
	err = check_memory(&call, (uintptr_t)devPtr, size);
	if (!err)
		err = export_mapping(&call, (uintptr_t)devPtr, flags, &token);
	if (err)
		return err;
	memset(key, 0, KEY_SIZE);
	snprintf(key, KEY_SIZE, KEY_MARK "%0*" PRIx64, KEY_DIGITS, token);
	return ACL_SUCCESS;
}

aclError aclrtIpcMemSetImportPid(const char *key, int32_t *pid, size_t num)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(key), ADDRESS(pid), SIZE(num));
	uint64_t token;

	if (!key)
		return shim_null(&call, "key");
	if (!pid)
		return shim_null(&call, "pid");
	if (!num || num > MAX_PIDS)
		return shim_fail(&call, CAUSE_KEY_PIDS, MAX_PIDS);
	token = read_key(key);
	if (!token)
		return shim_fail(&call, CAUSE_KEY_NOT_ONE);
	return shim_whitelist_add(&call, token, pid, num, whitelist_rules);
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
		return shim_fail(call, CAUSE_KEY_WHITELIST_CLOSED, self);
	return shim_fail(call, CAUSE_KEY_NOT_WHITELISTED, exporter, self, exporter, self);
}

/*
 * The import of @token that has @handle, or any if that is 0; of several, one
 * for @device. With the range lock held.
 */
static struct shim_range *find_import(uint64_t token, uint64_t handle, uint32_t device)
{
	struct shim_ranges *set = &shim_reservations;
	struct shim_range *found = NULL;

	for (size_t i = 0; i < set->count; i++) {
		struct shim_range *range = &set->range[i];

		if (!range->imports || range->token != token ||
		    (handle && range->handle != handle))
			continue;
		if (range->device == device)
			return range;
		if (!found)
			found = range;
	}
	return found;
}

/* Where the memory is already, or else a new place. Takes the handle over. */
static int place(int fd, const struct npumem_import *import, uintptr_t *address,
		 const struct shim_rule **rules)
{
	struct shim_range *range;
	int error = 0;

	shim_range_write();
	range = find_import(import->token, import->handle, import->device);
	if (range) {
		range->imports++;
		*address = range->base;
	} else {
		error = shim_block_place(fd, import->handle, import->length,
					 import->device, address, rules);
	}
	if (!range && !error) {
		range = shim_range_find(&shim_reservations, *address);
		range->imports = 1;
		range->token = import->token;
		range->handle = import->handle;
	}
	shim_range_unlock();
	if (error)
		shim_free_handle(import->handle);
	return error;
}

aclError aclrtIpcMemImportByKey(void **devPtr, const char *key, uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), ADDRESS(key), HEX(flags),
						CURRENT_DEVICE);
	struct npumem_import import = { .size = sizeof(import) };
	const struct shim_rule *rules = NULL;
	uintptr_t address = 0;
	aclError err;
	int error;
	int fd;

	if (!devPtr)
		return shim_null(&call, "devPtr");
	if (!key)
		return shim_null(&call, "key");
	if (flags > ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS)
		return shim_fail(&call, CAUSE_KEY_IMPORT_FLAGS);
	err = shim_need_device(&call, &import.device);
	if (!err)
		err = shim_client(&call, &fd);
	if (err)
		return err;
	import.token = read_key(key);
	if (!import.token)
		return shim_fail(&call, CAUSE_KEY_IMPORT_NOT_ONE);
	if (!flags)
		import.flags = NPUMEM_IMPORT_NO_PEER;
	error = shim_try(NPUMEM_IMPORT, &import);
	if (error == EPERM)
		return not_whitelisted(&call, import.token);
	if (error)
		return shim_refuse(&call, import_rules, error);
	error = place(fd, &import, &address, &rules);
	if (error)
		return shim_explain(&call, rules, error);
	*devPtr = (void *)address;
	return ACL_SUCCESS;
}

/* ENOENT: this process has no import of the key. */
static int drop_import(uint64_t token)
{
	uint32_t device = shim_current_device();
	struct shim_range *range;
	uint64_t handle = 0;
	int error = ENOENT;

	shim_range_write();
	range = find_import(token, 0, device);
	if (range) {
		handle = range->handle;
		error = 0;
		if (range->imports > 1)
			range->imports--;
		else
			error = shim_block_remove(range);
	}
	shim_range_unlock();
	if (!error)
		shim_free_handle(handle);
	return error;
}

aclError aclrtIpcMemClose(const char *key)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(key));
	struct npumem_unexport request = { .size = sizeof(request) };
	aclError err;
	int error;
	int fd;

	if (!key)
		return shim_null(&call, "key");
	request.token = read_key(key);
	if (!request.token)
		return shim_fail(&call, CAUSE_KEY_NOT_ONE);
	err = shim_client(&call, &fd);
	if (err)
		return err;
	error = drop_import(request.token);
	if (error == ENOENT)
		return shim_ask(&call, NPUMEM_UNEXPORT, &request, close_rules);
	return error ? shim_refuse(&call, NULL, error) : ACL_SUCCESS;
}

aclError aclrtIpcMemSetAttr(const char *key, aclrtIpcMemAttrType type, uint64_t attr)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(key), INT(type), HEX(attr));

	if (!key)
		return shim_null(&call, "key");
	return shim_fail(&call, CAUSE_KEY_NO_LINKS);
}

aclError aclrtIpcMemImportPidInterServer(const char *key, aclrtServerPid *serverPids,
					 size_t num)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(key), ADDRESS(serverPids),
						SIZE(num));

	if (!key)
		return shim_null(&call, "key");
	if (!serverPids)
		return shim_null(&call, "serverPids");
	return shim_fail(&call, CAUSE_KEY_OTHER_SERVERS);
}
