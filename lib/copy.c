// SPDX-License-Identifier: MIT
/*
 * Copies and fills. Device memory is the driver's business, which checks the
 * rights of the current device; host memory alone is ours.
 */
#include <errno.h>
#include <string.h>

#include "npumem_shim.h"

static aclError check_count(const struct shim_call *call, const char *room_name,
			    size_t room, size_t count)
{
	if (count > room)
		return shim_fail(call, CAUSE_COPY_ROOM, room_name);
	return ACL_SUCCESS;
}

static aclError check_range(const struct shim_call *call, const char *argument,
			    const void *pointer, size_t count)
{
	if (count - 1 > UINTPTR_MAX - (uintptr_t)pointer)
		return shim_fail(call, CAUSE_COPY_WRAPS, argument);
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

/* What the driver does not let happen; @src is NULL where there is only @dst. */
static aclError refuse(const struct shim_call *call, const char *dst_name, const void *dst,
		       const char *src_name, const void *src, size_t count, int error)
{
	bool to_device = shim_is_reserved((uintptr_t)dst, count);

	switch (error) {
	case EADDRNOTAVAIL:
		if (src && (!to_device || is_mapped((uintptr_t)dst, count)))
			dst_name = src_name;
		return shim_fail(call, CAUSE_COPY_NOT_MAPPED, dst_name);
	case EROFS:
		return shim_fail(call, CAUSE_COPY_WRITE, dst_name);
	case EPERM:
		return shim_fail(call, CAUSE_COPY_READ, src_name);
	case ENOTCONN:
		return shim_fail(call, CAUSE_NO_CONTEXT);
	case EFAULT:
		return shim_fail(call, CAUSE_COPY_HOST, to_device ? src_name : dst_name,
				 to_device ? "read" : "written");
	}
	return shim_refuse(call, NULL, error);
}

/*
 * The driver's answer to a copy or fill; ENOENT if all of it is the host's, and
 * ESTALE if another thread released the range meanwhile.
 */
static int ask(unsigned int command, void *request, const void *dst, const void *src,
	       size_t count)
{
	int error = shim_try(command, request);

	if (error != ENOENT)
		return error;
	/*
	 * It was released, and even reserved anew, since we saw that it was
	 * reserved; or the program called munmap. So nobody may do so now.
	 */
	shim_range_read();
	error = shim_try(command, request);
	if (error == ENOENT &&
	    !shim_range_overlaps(&shim_reservations, (uintptr_t)dst, count) &&
	    !shim_range_overlaps(&shim_reservations, (uintptr_t)src, count))
		error = ESTALE;
	shim_range_unlock();
	return error;
}

/*
 * What is in no reservation (any more) is the host's, if it is anything: where
 * device memory was meant, an address that was released is no reason to die.
 * @listed: it is in one, but of that the program called munmap.
 */
static aclError check_host(const struct shim_call *call, const char *argument,
			   const void *pointer, size_t count, bool listed)
{
	bool reserved, hole;

	if (!shim_client_exists())
		return ACL_SUCCESS;
	/* What other threads do to find addresses looks like memory. */
	shim_range_read();
	reserved = shim_range_overlaps(&shim_reservations, (uintptr_t)pointer, count);
	hole = shim_has_hole((uintptr_t)pointer, count);
	shim_range_unlock();
	if (reserved && !listed)
		return shim_fail(call, CAUSE_COPY_RELEASED, argument);
	return hole ? shim_fail(call, CAUSE_COPY_NOTHING, argument) : ACL_SUCCESS;
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
		error = ask(NPUMEM_COPY, &request, dst, src, count);
	}
	if (error == ESTALE)
		return shim_fail(call, CAUSE_COPY_RELEASED, to_device ? "dst" : "src");
	if (error && error != ENOENT)
		return refuse(call, "dst", dst, "src", src, count, error);
	if (error && kind != ACL_MEMCPY_HOST_TO_HOST) {
		err = check_host(call, "dst", dst, count, to_device);
		if (!err)
			err = check_host(call, "src", src, count, from_device);
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
		error = ask(NPUMEM_FILL, &request, ptr, ptr, count);
	}
	if (error == ESTALE)
		return shim_fail(call, CAUSE_COPY_RELEASED, "devPtr");
	if (error && error != ENOENT)
		return refuse(call, "devPtr", ptr, "devPtr", NULL, count, error);
	if (!error)
		return ACL_SUCCESS;
	err = check_host(call, "devPtr", ptr, count, on_device);
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
		return shim_fail(call, CAUSE_COPY_KIND);
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
						SIZE(count), INT(kind),
						CURRENT_DEVICE);
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
						SIZE(count), INT(kind), HANDLE(stream),
						CURRENT_DEVICE);
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
						SIZE(count), CURRENT_DEVICE);
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
						SIZE(count), HANDLE(stream), CURRENT_DEVICE);
	aclError err;

	if (!count)
		return ACL_SUCCESS;
	err = check_fill(&call, devPtr, maxCount, count);
	if (!err)
		err = shim_stream_check(&call, stream);
	return err ? err : fill(&call, devPtr, value, count);
}
