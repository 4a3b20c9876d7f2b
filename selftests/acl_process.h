/* SPDX-License-Identifier: MIT */
/*
 * AscendCL in other processes, and what tests of it share. A function acl_do_*
 * runs in another process by way of npumem_process.h and returns the aclError.
 */
#ifndef _ACL_PROCESS_H
#define _ACL_PROCESS_H

#include "acl/acl.h"

#include "npumem_client.h"

/* The codes by number: what old binaries compare with. */
#define OK			0
#define INVALID_PARAM		100000
#define REPEAT_INITIALIZE	100002
#define REPEAT_FINALIZE		100037
#define PARAM_INVALID		107000
#define INVALID_DEVICE		107001
#define CONTEXT_NULL		107002
#define INVALID_HANDLE		107017
#define UNSUPPORTED_FLAGS	200006
#define NOT_SUPPORTED		207000
#define OUT_OF_MEMORY		207001
#define NO_DEVICE		207004
#define NO_PERMISSION		207006
#define DRIVER_ERROR		507899

#define MESSAGE_SIZE		1024

static inline aclrtPhysicalMemProp acl_memory(int device)
{
	aclrtPhysicalMemProp prop = {
		.handleType = ACL_MEM_HANDLE_TYPE_NONE,
		.allocationType = ACL_MEM_ALLOCATION_TYPE_PINNED,
		.memAttr = ACL_HBM_MEM_HUGE,
		.location = { .id = device, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	return prop;
}

/* Has this thread's last call left a text that names @function, and only once? */
static inline bool acl_message_names(const char *function)
{
	const char *text = aclGetRecentErrMsg();
	bool names = text && strstr(text, function);

	if (!names)
		printf("# the text for %s is: %s\n", function, text ? text : "(none)");
	return names && !aclGetRecentErrMsg();
}

/* Memory of a device, mapped: what most tests begin with. */
struct acl_mapping {
	aclrtDrvMemHandle handle;
	void *address;
	size_t size;
};

static inline aclError acl_mapping_new(struct acl_mapping *mapping, int device, size_t size)
{
	aclrtPhysicalMemProp prop = acl_memory(device);
	aclError error = aclrtMallocPhysical(&mapping->handle, size, &prop, 0);

	mapping->size = size;
	if (error)
		return error;
	error = aclrtReserveMemAddress(&mapping->address, size, 0, NULL, 1);
	return error ? error : aclrtMapMem(mapping->address, size, 0, mapping->handle, 0);
}

static inline aclError acl_mapping_end(struct acl_mapping *mapping)
{
	aclError error = aclrtUnmapMem(mapping->address);

	if (!error)
		error = aclrtReleaseMemAddress(mapping->address);
	return error ? error : aclrtFreePhysical(mapping->handle);
}

/* a: device */
static inline long acl_do_start(__u64 *a)
{
	aclError error = aclInit(NULL);

	return error ? error : aclrtSetDevice(a[0]);
}

static inline long acl_do_end(__u64 *a)
{
	aclError error = aclrtResetDevice(a[0]);

	return error ? error : aclFinalize();
}

/* out: pid */
static inline long acl_do_pid(__u64 *a)
{
	int32_t pid = 0;
	aclError error = aclrtDeviceGetBareTgid(&pid);

	a[0] = pid;
	return error;
}

/* a: device, size; out: handle, address */
static inline long acl_do_new(__u64 *a)
{
	struct acl_mapping mapping = { 0 };
	aclError error = acl_mapping_new(&mapping, a[0], a[1]);

	a[2] = to_u64(mapping.handle);
	a[3] = to_u64(mapping.address);
	return error;
}

/* a: handle, flags; out: share */
static inline long acl_do_export(__u64 *a)
{
	uint64_t share = 0;
	aclError error = aclrtMemExportToShareableHandle(to_ptr(a[0]),
							 ACL_MEM_HANDLE_TYPE_NONE, a[1], &share);

	a[2] = share;
	return error;
}

/* a: share, pid */
static inline long acl_do_set_pid(__u64 *a)
{
	int32_t pid = a[1];

	return aclrtMemSetPidToShareableHandle(a[0], &pid, 1);
}

/* a: share, device; out: handle */
static inline long acl_do_import(__u64 *a)
{
	aclrtDrvMemHandle handle = NULL;
	aclError error = aclrtMemImportFromShareableHandle(a[0], a[1], &handle);

	a[2] = to_u64(handle);
	return error;
}

/* a: handle, size; out: address. Reserves, maps, grants device a[3]. */
static inline long acl_do_map(__u64 *a)
{
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = { .id = a[3], .type = ACL_MEM_LOCATION_TYPE_DEVICE },
		.rsv = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
	};
	void *address = NULL;
	aclError error = aclrtReserveMemAddress(&address, a[1], 0, NULL, 0);

	if (!error)
		error = aclrtMapMem(address, a[1], 0, to_ptr(a[0]), 0);
	if (!error)
		error = aclrtMemSetAccess(address, a[1], &desc, 1);
	a[2] = to_u64(address);
	return error;
}

/* a: address, handle. All three, in the canonical order. */
static inline long acl_do_drop(__u64 *a)
{
	aclError error = aclrtUnmapMem(to_ptr(a[0]));

	if (!error)
		error = aclrtReleaseMemAddress(to_ptr(a[0]));
	return error ? error : aclrtFreePhysical(to_ptr(a[1]));
}

static inline long acl_do_free(__u64 *a)
{
	return aclrtFreePhysical(to_ptr(a[0]));
}

/* a: buffer of MESSAGE_SIZE from process_shared(); 1 if there was a text */
static inline long acl_do_message(__u64 *a)
{
	const char *text = aclGetRecentErrMsg();

	snprintf(to_ptr(a[0]), MESSAGE_SIZE, "%s", text ? text : "");
	return !!text;
}

static inline long acl_start(struct process *p, int device)
{
	long ret = process_start(p);

	return ret ? ret : process_do(p, acl_do_start, device);
}

/* New memory of @device in @p, mapped and marked with @seed. */
static inline long acl_new(struct process *p, int device, __u64 size, __u64 seed,
			   __u64 *handle, __u64 *address)
{
	struct call call = { .function = acl_do_new, .argument = { device, size } };
	long ret = process_call(p, &call);

	*handle = call.argument[2];
	*address = call.argument[3];
	return ret ? ret : client_mark(p, *address, size & ~4095ULL, seed);
}

static inline long acl_export(struct process *p, __u64 handle, __u64 flags, __u64 *share)
{
	return process_get(p, share, 2, acl_do_export, handle, flags);
}

static inline long acl_set_pid(struct process *p, __u64 share, pid_t pid)
{
	return process_do(p, acl_do_set_pid, share, pid);
}

static inline long acl_import(struct process *p, __u64 share, int device, __u64 *handle)
{
	return process_get(p, handle, 2, acl_do_import, share, device);
}

static inline long acl_map(struct process *p, __u64 handle, __u64 size, int device,
			   __u64 *address)
{
	return process_get(p, address, 2, acl_do_map, handle, size, 0, device);
}

static inline long acl_drop(struct process *p, __u64 address, __u64 handle)
{
	return process_do(p, acl_do_drop, address, handle);
}

/* The text of the last failure in @p, into memory that both have. */
static inline long acl_message(struct process *p, char *text)
{
	return process_do(p, acl_do_message, to_u64(text));
}

#endif /* _ACL_PROCESS_H */
