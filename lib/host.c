// SPDX-License-Identifier: MIT
/*
 * Page-aligned host memory. What was handed out is remembered, so that freeing
 * anything else is an error and not a crash.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "npumem_shim.h"

aclError aclrtMallocHost(void **hostPtr, size_t size)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(hostPtr), SIZE(size));
	void *block = NULL;
	bool remembered;

	if (!hostPtr)
		return shim_null(&call, "hostPtr");
	if (!size)
		return shim_fail(&call, CAUSE_SIZE_ZERO);
	if (posix_memalign(&block, (size_t)sysconf(_SC_PAGESIZE), size))
		return shim_fail(&call, CAUSE_MALLOC_HOST);
	shim_range_write();
	remembered = shim_range_room(&shim_host_blocks);
	if (remembered)
		shim_range_add(&shim_host_blocks, (uintptr_t)block, size);
	shim_range_unlock();
	if (!remembered) {
		free(block);
		return shim_explain(&call, NULL, ENOMEM);
	}
	*hostPtr = block;
	return ACL_SUCCESS;
}

aclError aclrtFreeHost(void *hostPtr)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(hostPtr));
	bool known;

	if (!hostPtr)
		return shim_null(&call, "hostPtr");
	shim_range_write();
	known = shim_range_remove(&shim_host_blocks, (uintptr_t)hostPtr);
	shim_range_unlock();
	if (!known)
		return shim_fail(&call, CAUSE_NO_HOST_BLOCK);
	free(hostPtr);
	return ACL_SUCCESS;
}
