// SPDX-License-Identifier: MIT
/*
 * What kind of memory an address is of.
 */
#include <errno.h>
#include <unistd.h>

#include "npumem_shim.h"

static bool is_host_block(uintptr_t address)
{
	bool found;

	shim_range_read();
	found = shim_range_overlaps(&shim_host_blocks, address, 1);
	shim_range_unlock();
	return found;
}

/* A device is told by the memory's place, not by who mapped it. */
static void tell_mapping(const struct npumem_range *range, aclrtPtrAttributes *attributes)
{
	attributes->pageSize = NPUMEM_GRANULE;
	if (range->location_type != NPUMEM_LOCATION_DEVICE) {
		attributes->location.type = ACL_MEM_LOCATION_TYPE_HOST;
		return;
	}
	attributes->location.type = ACL_MEM_LOCATION_TYPE_DEVICE;
	attributes->location.id = (uint32_t)shim_device_id(range->location_id);
}

aclError aclrtPointerGetAttributes(const void *ptr, aclrtPtrAttributes *attributes)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(ptr), ADDRESS(attributes));
	aclrtPtrAttributes told = {
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_UNREGISTERED },
	};
	struct npumem_range range = {
		.size = sizeof(range),
		.address = (uintptr_t)ptr,
	};
	int error = ENOENT;

	if (!ptr)
		return shim_null(&call, "ptr");
	if (!attributes)
		return shim_null(&call, "attributes");
	if (is_host_block((uintptr_t)ptr)) {
		told.location.type = ACL_MEM_LOCATION_TYPE_HOST;
		told.pageSize = (uint32_t)sysconf(_SC_PAGESIZE);
	} else if (shim_is_reserved((uintptr_t)ptr, 1)) {
		error = shim_try(NPUMEM_RANGE, &range);
		if (error && error != ENOENT)
			return shim_refuse(&call, NULL, error);
		if (!error)
			tell_mapping(&range, &told);
	} else if (shim_inherited(&call)) {
		return shim_fail_inherited(&call);
	}
	*attributes = told;
	return ACL_SUCCESS;
}
