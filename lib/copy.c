// SPDX-License-Identifier: MIT
/*
 * Copies and fills. Device memory is the driver's business, which checks the
 * rights of the current device; host memory alone is ours.
 */
#include <errno.h>
#include <string.h>

#include "npumem_shim.h"

static const struct shim_rule copy_rules[] = {
	{ EROFS, ACL_ERROR_RT_PARAM_INVALID,
	  "dst: the current device may not write it; grant ACL_RT_MEM_ACCESS_FLAGS_READWRITE "
	  "with aclrtMemSetAccess, or aclrtDeviceEnablePeerAccess" },
	{ EPERM, ACL_ERROR_RT_PARAM_INVALID,
	  "src: the current device may not read it; grant ACL_RT_MEM_ACCESS_FLAGS_READ with "
	  "aclrtMemSetAccess, or aclrtDeviceEnablePeerAccess" },
	{ ENOTCONN, ACL_ERROR_RT_CONTEXT_NULL,
	  "device memory is copied by a device, and this thread has no current context; call "
	  "aclrtSetDevice in it first" },
	{ ENXIO, ACL_ERROR_RT_INVALID_DEVICEID, "the current device is not there any more" },
	{ EFAULT, ACL_ERROR_RT_PARAM_INVALID,
	  "dst or src: the host's side of the copy is not memory of this process" },
	{ EINVAL, ACL_ERROR_RT_PARAM_INVALID,
	  "count: the range does not fit into the address space" },
	{ EOVERFLOW, ACL_ERROR_RT_PARAM_INVALID,
	  "count: the range does not fit into the address space" },
	{ 0 }
};

static const struct shim_rule fill_rules[] = {
	{ EADDRNOTAVAIL, ACL_ERROR_RT_PARAM_INVALID,
	  "devPtr: the range is not wholly mapped; map memory there with aclrtMapMem" },
	{ EROFS, ACL_ERROR_RT_PARAM_INVALID,
	  "devPtr: the current device may not write it; grant "
	  "ACL_RT_MEM_ACCESS_FLAGS_READWRITE with aclrtMemSetAccess, or "
	  "aclrtDeviceEnablePeerAccess" },
	{ ENOTCONN, ACL_ERROR_RT_CONTEXT_NULL,
	  "device memory is filled by a device, and this thread has no current context; call "
	  "aclrtSetDevice in it first" },
	{ ENXIO, ACL_ERROR_RT_INVALID_DEVICEID, "the current device is not there any more" },
	{ EFAULT, ACL_ERROR_RT_PARAM_INVALID,
	  "devPtr: a part of the range is not memory of this process" },
	{ EINVAL, ACL_ERROR_RT_PARAM_INVALID,
	  "count: the range does not fit into the address space" },
	{ EOVERFLOW, ACL_ERROR_RT_PARAM_INVALID,
	  "count: the range does not fit into the address space" },
	{ 0 }
};

static aclError check_count(const struct shim_call *call, const char *room_name,
			    size_t room, size_t count)
{
	if (count > room)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "count: more than %s, the room at the destination", room_name);
	return ACL_SUCCESS;
}

static aclError check_range(const struct shim_call *call, const char *argument,
			    const void *pointer, size_t count)
{
	if (count - 1 > UINTPTR_MAX - (uintptr_t)pointer)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "%s: count bytes from there do not fit into the address space",
				 argument);
	if (shim_inherited_address((uintptr_t)pointer, count))
		return shim_fail_inherited(call);
	return ACL_SUCCESS;
}

/* Is [address, address + count) mapped without a gap? For texts only. */
static bool is_mapped(uintptr_t address, size_t count)
{
	uintptr_t last = address + (count - 1);
	struct npumem_range range;

	for (;;) {
		memset(&range, 0, sizeof(range));
		range.size = sizeof(range);
		range.address = address;
		if (shim_try(NPUMEM_RANGE, &range))
			return false;
		if (range.address + (range.length - 1) >= last)
			return true;
		address = range.address + range.length;
	}
}

static aclError not_mapped(const struct shim_call *call, const void *dst, size_t count)
{
	bool is_dst = shim_is_reserved((uintptr_t)dst, count) &&
		      !is_mapped((uintptr_t)dst, count);

	return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
			 "%s: the range is not wholly mapped; map memory there with aclrtMapMem",
			 is_dst ? "dst" : "src");
}

/*
 * What is in no reservation (any more) is the host's, if it is anything: where
 * device memory was meant, an address that was released is no reason to die.
 */
static aclError check_host(const struct shim_call *call, const char *argument,
			   const void *pointer, size_t count)
{
	if (!shim_client_exists() || !shim_has_hole((uintptr_t)pointer, count))
		return ACL_SUCCESS;
	return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
			 "%s: count bytes from there are neither mapped device memory nor "
			 "memory of the host", argument);
}

static aclError copy(const struct shim_call *call, void *dst, const void *src,
		     size_t count, aclrtMemcpyKind kind)
{
	struct npumem_copy request = {
		.size = sizeof(request),
		.destination = (uintptr_t)dst,
		.source = (uintptr_t)src,
		.length = count,
	};
	bool to_device, from_device;
	int error = ENOENT;
	aclError err;

	err = check_range(call, "dst", dst, count);
	if (!err)
		err = check_range(call, "src", src, count);
	if (err)
		return err;
	to_device = shim_is_reserved((uintptr_t)dst, count);
	from_device = shim_is_reserved((uintptr_t)src, count);
	if (to_device || from_device) {
		request.device = shim_current_device();
		error = shim_try(NPUMEM_COPY, &request);
	}
	if (error == EADDRNOTAVAIL)
		return not_mapped(call, dst, count);
	/* Another thread released it meanwhile; a stale range still is listed. */
	if (error == ENOENT &&
	    (to_device != shim_is_reserved((uintptr_t)dst, count) ||
	     from_device != shim_is_reserved((uintptr_t)src, count)))
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "%s: another thread released the range meanwhile",
				 to_device ? "dst" : "src");
	if (error && error != ENOENT)
		return shim_refuse(call, copy_rules, error);
	if (error && kind != ACL_MEMCPY_HOST_TO_HOST) {
		err = check_host(call, "dst", dst, count);
		if (!err)
			err = check_host(call, "src", src, count);
		if (err)
			return err;
	}
	if (error)
		memmove(dst, src, count);
	return ACL_SUCCESS;
}

static aclError fill(const struct shim_call *call, void *ptr, int32_t value,
		     size_t count)
{
	struct npumem_fill request = {
		.size = sizeof(request),
		.address = (uintptr_t)ptr,
		.length = count,
		.value = (uint8_t)value,
	};
	bool on_device;
	int error = ENOENT;
	aclError err;

	err = check_range(call, "devPtr", ptr, count);
	if (err)
		return err;
	on_device = shim_is_reserved((uintptr_t)ptr, count);
	if (on_device) {
		request.device = shim_current_device();
		error = shim_try(NPUMEM_FILL, &request);
	}
	if (error == ENOENT && on_device && !shim_is_reserved((uintptr_t)ptr, count))
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "devPtr: another thread released the range meanwhile");
	if (error && error != ENOENT)
		return shim_refuse(call, fill_rules, error);
	if (!error)
		return ACL_SUCCESS;
	err = check_host(call, "devPtr", ptr, count);
	if (!err)
		memset(ptr, (uint8_t)value, count);
	return err;
}

static aclError check_copy(const struct shim_call *call, const void *dst,
			   size_t destMax, const void *src, size_t count,
			   aclrtMemcpyKind kind)
{
	if (!dst)
		return shim_null(call, "dst");
	if (!src)
		return shim_null(call, "src");
	if ((unsigned int)kind > ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE)
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "kind: expected 0 to 5; ACL_MEMCPY_DEFAULT (4) always fits");
	return check_count(call, "destMax", destMax, count);
}

static aclError check_fill(const struct shim_call *call, const void *devPtr,
			   size_t maxCount, size_t count)
{
	if (!devPtr)
		return shim_null(call, "devPtr");
	return check_count(call, "maxCount", maxCount, count);
}

aclError aclrtMemcpy(void *dst, size_t destMax, const void *src, size_t count,
		     aclrtMemcpyKind kind)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(dst), SIZE(destMax), ADDRESS(src),
						SIZE(count), INT(kind));
	aclError err;

	if (!count)
		return ACL_SUCCESS;
	err = check_copy(&call, dst, destMax, src, count, kind);
	return err ? err : copy(&call, dst, src, count, kind);
}

aclError aclrtMemcpyAsync(void *dst, size_t destMax, const void *src, size_t count,
			  aclrtMemcpyKind kind, aclrtStream stream)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(dst), SIZE(destMax), ADDRESS(src),
						SIZE(count), INT(kind), HANDLE(stream));
	aclError err;

	if (!count)
		return ACL_SUCCESS;
	err = check_copy(&call, dst, destMax, src, count, kind);
	if (!err)
		err = shim_stream_check(&call, stream);
	return err ? err : copy(&call, dst, src, count, kind);
}

aclError aclrtMemset(void *devPtr, size_t maxCount, int32_t value, size_t count)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), SIZE(maxCount), INT(value),
						SIZE(count));
	aclError err;

	if (!count)
		return ACL_SUCCESS;
	err = check_fill(&call, devPtr, maxCount, count);
	return err ? err : fill(&call, devPtr, value, count);
}

aclError aclrtMemsetAsync(void *devPtr, size_t maxCount, int32_t value, size_t count,
			  aclrtStream stream)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), SIZE(maxCount), INT(value),
						SIZE(count), HANDLE(stream));
	aclError err;

	if (!count)
		return ACL_SUCCESS;
	err = check_fill(&call, devPtr, maxCount, count);
	if (!err)
		err = shim_stream_check(&call, stream);
	return err ? err : fill(&call, devPtr, value, count);
}
