// SPDX-License-Identifier: MIT
/*
 * Mappings of memory in reservations, and who may access them.
 */
#include <errno.h>
#include <stdio.h>

#include "npumem_shim.h"

static const struct shim_rule map_rules[] = {
	{ ENOENT, ACL_ERROR_RT_PARAM_INVALID,
	  "handle: this process holds no such handle, or has freed it; pass one from "
	  "aclrtMallocPhysical or an import" },
	{ EINVAL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: must be a multiple of 2 MiB" },
	{ EADDRNOTAVAIL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: the range is not wholly inside one reservation of this process; reserve it "
	  "with aclrtReserveMemAddress" },
	{ EEXIST, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: memory is mapped in the range already; unmap it with aclrtUnmapMem or use "
	  "another address" },
	{ EXDEV, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "handle: of another device than the first that was mapped in this reservation; "
	  "reserve addresses for each device" },
	{ EOVERFLOW, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: more than the memory has; pass the size it was allocated with" },
	{ ERANGE, ACL_ERROR_RT_PARAM_INVALID,
	  "size: less than the memory has, and only all of it can be mapped; pass the size it "
	  "was allocated with" },
	{ EMFILE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "this process has as many mappings as it may; unmap some, or raise the module's "
	  "parameter max_mappings" },
	{ 0 }
};

static const struct shim_rule unmap_rules[] = {
	{ ENOENT, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: no mapping starts there, or it was unmapped; pass the address given to "
	  "aclrtMapMem" },
	{ EINVAL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: no mapping starts there; pass the address given to aclrtMapMem" },
	{ 0 }
};

static const struct shim_rule set_access_rules[] = {
	{ EADDRNOTAVAIL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: the range is not wholly mapped, or does not start at a multiple of 2 MiB; "
	  "map it with aclrtMapMem first" },
	{ EINVAL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: the range is not wholly mapped, or does not start at a multiple of 2 MiB; "
	  "map it with aclrtMapMem first" },
	{ EOVERFLOW, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "size: the range is not wholly mapped" },
	{ ENXIO, ACL_ERROR_RT_PARAM_INVALID,
	  "desc: one of the count elements has a location.id that no device has; "
	  "aclrtGetDeviceCount tells how many there are" },
	{ EHOSTUNREACH, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "desc: one of the count elements names a device without access to the memory's "
	  "device; call aclrtSetDevice with the one and aclrtDeviceEnablePeerAccess with the "
	  "other first" },
	{ 0 }
};

static const struct shim_rule get_access_rules[] = {
	{ ENOENT, ACL_ERROR_RT_DRV_INTERNAL_ERROR, "virPtr: nothing is mapped there" },
	{ ENXIO, ACL_ERROR_RT_PARAM_INVALID,
	  "location->id: there is no such device; aclrtGetDeviceCount tells how many there are" },
	{ 0 }
};

static const struct shim_rule range_rules[] = {
	{ ENOENT, ACL_ERROR_RT_PARAM_INVALID, "ptr: nothing is mapped there" },
	{ 0 }
};

static aclError map(const struct shim_call *call, void *virPtr, size_t size,
		    size_t offset, aclrtDrvMemHandle handle, uint64_t flags,
		    uint32_t how)
{
	struct npumem_map request = {
		.size = sizeof(request),
		.flags = how,
		.address = (uintptr_t)virPtr,
		.length = size,
		.offset = 0,
		.handle = (uintptr_t)handle,
	};

	if (!virPtr)
		return shim_null(call, "virPtr");
	if (!handle)
		return shim_null(call, "handle");
	if (!size)
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "size: must not be 0; pass the size the memory was allocated "
				 "with");
	if (flags)
		return shim_fail(call, ACL_ERROR_INVALID_PARAM, "flags: must be 0");
	if (offset)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "offset: must be 0; memory is mapped as a whole");
	return shim_ask(call, NPUMEM_MAP, &request, map_rules);
}

aclError aclrtMapMem(void *virPtr, size_t size, size_t offset,
		     aclrtDrvMemHandle handle, uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size), SIZE(offset),
						HANDLE(handle), HEX(flags));

	return map(&call, virPtr, size, offset, handle, flags, 0);
}

aclError aclrtMemMapNoAccess(void *virPtr, size_t size, size_t offset,
			     aclrtDrvMemHandle handle, uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size), SIZE(offset),
						HANDLE(handle), HEX(flags));

	return map(&call, virPtr, size, offset, handle, flags, NPUMEM_MAP_NO_ACCESS);
}

aclError aclrtMemMapSelectedLink(void *virPtr, size_t size, size_t offset,
				 aclrtDrvMemHandle handle, ...)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size), SIZE(offset),
						HANDLE(handle));

	if (!virPtr)
		return shim_null(&call, "virPtr");
	if (!handle)
		return shim_null(&call, "handle");
	return shim_fail(&call, CAUSE_MAP_LINK);
}

aclError aclrtUnmapMem(void *virPtr)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr));
	struct npumem_unmap unmap = {
		.size = sizeof(unmap),
		.address = (uintptr_t)virPtr,
	};
	enum shim_block kind;

	if (!virPtr)
		return shim_null(&call, "virPtr");
	shim_range_read();
	kind = shim_block_kind((uintptr_t)virPtr);
	shim_range_unlock();
	if (kind == SHIM_MALLOCED)
		return shim_fail(&call, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
				 "virPtr: memory from aclrtMalloc, not from aclrtMapMem; free it "
				 "with aclrtFree");
	if (kind == SHIM_IMPORTED)
		return shim_fail(&call, CAUSE_UNMAP_IMPORTED);
	return shim_ask(&call, NPUMEM_UNMAP, &unmap, unmap_rules);
}

/* A location as the driver names it; the host is one, whatever its id. */
static aclError convert_location(const struct shim_call *call, const char *argument,
				 const aclrtMemLocation *location, uint32_t *type,
				 uint32_t *id)
{
	*type = (uint32_t)location->type;
	*id = 0;
	if (*type == ACL_MEM_LOCATION_TYPE_HOST)
		return ACL_SUCCESS;
	if (*type != ACL_MEM_LOCATION_TYPE_DEVICE)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "%s.type is %u; expected ACL_MEM_LOCATION_TYPE_DEVICE (1) or "
				 "_HOST (0)", argument, *type);
	if (shim_device_number(call, (int32_t)location->id, id))
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "%s.id is %u; there is no such device, aclrtGetDeviceCount "
				 "tells how many there are", argument, location->id);
	return ACL_SUCCESS;
}

static aclError convert_desc(const struct shim_call *call,
			     const aclrtMemAccessDesc *desc, size_t i,
			     struct npumem_access *entry)
{
	unsigned int flags = (unsigned int)desc[i].flags;
	char argument[48];

	if (flags != ACL_RT_MEM_ACCESS_FLAGS_NONE &&
	    flags != ACL_RT_MEM_ACCESS_FLAGS_READ &&
	    flags != ACL_RT_MEM_ACCESS_FLAGS_READWRITE)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "desc[%zu].flags is %u; expected "
				 "ACL_RT_MEM_ACCESS_FLAGS_NONE (0), _READ (1) or _READWRITE (3)",
				 i, flags);
	entry->access = flags;
	snprintf(argument, sizeof(argument), "desc[%zu].location", i);
	return convert_location(call, argument, &desc[i].location, &entry->location_type,
				&entry->location_id);
}

aclError aclrtMemSetAccess(void *virPtr, size_t size, aclrtMemAccessDesc *desc,
			   size_t count)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size), ADDRESS(desc),
						FIELD(desc, flags, desc && count),
						FIELD(desc, location.type, desc && count),
						FIELD(desc, location.id, desc && count),
						SIZE(count));
	struct npumem_access entries[NPUMEM_MAX_DEVICES + 1] = { { 0 } };
	struct npumem_set_access request = {
		.size = sizeof(request),
		.count = (uint32_t)count,
		.address = (uintptr_t)virPtr,
		.length = size,
		.entries = (uintptr_t)entries,
	};
	aclError err;

	if (!virPtr || !desc)
		return shim_fail(&call, ACL_ERROR_RT_PARAM_INVALID,
				 "%s is NULL; pass a valid pointer",
				 virPtr ? "desc" : "virPtr");
	if (!size)
		return shim_fail(&call, ACL_ERROR_RT_PARAM_INVALID,
				 "size: must not be 0; pass the size that was mapped");
	if (!count || count > NPUMEM_MAX_DEVICES + 1)
		return shim_fail(&call, ACL_ERROR_RT_PARAM_INVALID,
				 "count: expected 1 to %d, one per location",
				 NPUMEM_MAX_DEVICES + 1);
	for (size_t i = 0; i < count; i++) {
		err = convert_desc(&call, desc, i, &entries[i]);
		if (err)
			return err;
	}
	return shim_ask(&call, NPUMEM_SET_ACCESS, &request, set_access_rules);
}

aclError aclrtMemGetAccess(void *virPtr, aclrtMemLocation *location, uint64_t *flag)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), ADDRESS(location),
						FIELD(location, type, location),
						FIELD(location, id, location), ADDRESS(flag));
	struct npumem_get_access request = {
		.size = sizeof(request),
		.address = (uintptr_t)virPtr,
	};
	aclError err;

	if (!virPtr)
		return shim_null(&call, "virPtr");
	if (!location)
		return shim_null(&call, "location");
	if (!flag)
		return shim_null(&call, "flag");
	err = convert_location(&call, "location", location, &request.location_type,
			       &request.location_id);
	if (err)
		return err;
	err = shim_ask(&call, NPUMEM_GET_ACCESS, &request, get_access_rules);
	if (err)
		return err;
	*flag = request.access;
	return ACL_SUCCESS;
}

aclError aclrtMemGetAddressRange(void *ptr, void **pbase, size_t *psize)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(ptr), ADDRESS(pbase),
						ADDRESS(psize));
	struct npumem_range range = {
		.size = sizeof(range),
		.address = (uintptr_t)ptr,
	};
	aclError err;

	if (!ptr)
		return shim_null(&call, "ptr");
	if (!pbase && !psize)
		return shim_fail(&call, ACL_ERROR_RT_PARAM_INVALID,
				 "pbase and psize are both NULL; one of them must be given");
	err = shim_ask(&call, NPUMEM_RANGE, &range, range_rules);
	if (err)
		return err;
	if (pbase)
		*pbase = (void *)(uintptr_t)range.address;
	if (psize)
		*psize = range.length;
	return ACL_SUCCESS;
}
