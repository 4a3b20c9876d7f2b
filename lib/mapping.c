// SPDX-License-Identifier: MIT
/*
 * Mappings of memory in reservations, and who may access them.
 */
#include <errno.h>
#include <stdio.h>

#include "npumem_shim.h"

static const struct shim_rule map_rules[] = {
	{ ENOENT, CAUSE_NO_HANDLE },
	{ EADDRNOTAVAIL, CAUSE_NOT_RESERVED },
	{ EEXIST, CAUSE_MAPPED_ALREADY },
	{ EXDEV, CAUSE_OTHER_OWNER },
	{ EOVERFLOW, CAUSE_MAP_MORE },
	{ ERANGE, CAUSE_MAP_LESS },
	{ EMFILE, CAUSE_TOO_MANY_MAPPINGS },
	{ EDQUOT, CAUSE_USER_MAPPINGS },
	{ EINVAL, CAUSE_MISALIGNED },
	{ 0 }
};

static const struct shim_rule unmap_rules[] = {
	{ ENOENT, CAUSE_NO_MAPPING },
	{ 0 }
};

static const struct shim_rule set_access_rules[] = {
	{ EADDRNOTAVAIL, CAUSE_ACCESS_NOT_MAPPED },
	{ EMFILE, CAUSE_TOO_MANY_MAPPINGS },
	{ EDQUOT, CAUSE_USER_MAPPINGS },
	{ 0 }
};

static const struct shim_rule get_access_rules[] = {
	{ ENOENT, CAUSE_GET_NOT_MAPPED },
	{ 0 }
};

static const struct shim_rule range_rules[] = {
	{ ENOENT, CAUSE_RANGE_NOT_MAPPED },
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
		return shim_fail(call, CAUSE_SIZE_ZERO);
	if (flags)
		return shim_fail(call, CAUSE_FLAGS);
	if (offset)
		return shim_fail(call, CAUSE_OFFSET);
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
		return shim_fail(&call, CAUSE_UNMAP_BLOCK);
	if (kind == SHIM_IMPORTED)
		return shim_fail(&call, CAUSE_UNMAP_IMPORTED);
	return shim_ask(&call, NPUMEM_UNMAP, &unmap, unmap_rules);
}

/* A location as the driver names it; the host is one, whatever node is named. */
static bool find_location(const aclrtMemLocation *location, uint32_t *type, uint32_t *id)
{
	*type = (uint32_t)location->type;
	*id = 0;
	if (*type == ACL_MEM_LOCATION_TYPE_DEVICE)
		return shim_device_lookup((int32_t)location->id, id);
	if (*type == ACL_MEM_LOCATION_TYPE_HOST_NUMA) {
		*type = NPUMEM_LOCATION_HOST;
		return shim_is_node(location->id);
	}
	return *type == ACL_MEM_LOCATION_TYPE_HOST;
}

static aclError refuse_location(const struct shim_call *call, const char *argument,
				const aclrtMemLocation *location)
{
	unsigned int type = (unsigned int)location->type;

	if (type == ACL_MEM_LOCATION_TYPE_DEVICE)
		return shim_fail(call, CAUSE_ACCESS_DEVICE, argument, location->id);
	if (type == ACL_MEM_LOCATION_TYPE_HOST_NUMA)
		return shim_fail(call, CAUSE_ACCESS_NODE, argument, location->id);
	return shim_fail(call, CAUSE_ACCESS_LOCATION, argument, type);
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
		return shim_fail(call, CAUSE_ACCESS_FLAGS, i, flags);
	entry->access = flags;
	if (find_location(&desc[i].location, &entry->location_type, &entry->location_id))
		return ACL_SUCCESS;
	/* Not before it is needed: it costs more than all else here. */
	snprintf(argument, sizeof(argument), "desc[%zu].location", i);
	return refuse_location(call, argument, &desc[i].location);
}

/* Does an entry grant a device something that has no way to the memory? */
static bool lacks_link(const struct npumem_access *entry, const struct npumem_range *range)
{
	struct npumem_peer peer = {
		.size = sizeof(peer),
		.device = entry->location_id,
		.peer = range->location_id,
	};

	return entry->location_type == NPUMEM_LOCATION_DEVICE && entry->access &&
	       entry->location_id != range->device &&
	       !shim_try(NPUMEM_PEER_STATUS, &peer) && !peer.enabled;
}

/* The driver does not say which of the entries it refuses, and for what memory. */
static aclError refuse_access(const struct shim_call *call,
			      const struct npumem_set_access *request,
			      const struct npumem_access *entries, int error)
{
	struct npumem_range range = { .size = sizeof(range), .address = request->address };
	struct npumem_device_info info = { .size = sizeof(info) };
	uint64_t last = request->address + (request->length - 1);
	char argument[48];

	for (size_t i = 0; error == ENXIO && i < request->count; i++) {
		info.device = entries[i].location_id;
		snprintf(argument, sizeof(argument), "desc[%zu].location", i);
		if (entries[i].location_type == NPUMEM_LOCATION_DEVICE &&
		    shim_try(NPUMEM_DEVICE_INFO, &info) == ENXIO)
			return shim_fail(call, CAUSE_ACCESS_DEVICE, argument,
					 (unsigned int)shim_device_id(info.device));
	}
	while (error == EHOSTUNREACH && range.address <= last &&
	       !shim_try(NPUMEM_RANGE, &range)) {
		for (size_t i = 0; i < request->count; i++)
			if (lacks_link(&entries[i], &range))
				return shim_fail(call, CAUSE_ACCESS_UNREACHABLE, i,
						 shim_device_text(entries[i].location_id).text,
						 shim_device_text(range.location_id).text);
		range.address += range.length;
	}
	return shim_refuse(call, set_access_rules, error);
}

aclError aclrtMemSetAccess(void *virPtr, size_t size, aclrtMemAccessDesc *desc,
			   size_t count)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size), ADDRESS(desc),
						FIELD(desc, flags, desc && count),
						LOCATION(desc, location., desc && count),
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
	int error;
	int fd;

	if (!virPtr || !desc)
		return shim_fail(&call, CAUSE_ACCESS_NULL, virPtr ? "desc" : "virPtr");
	if (!size)
		return shim_fail(&call, CAUSE_ACCESS_SIZE);
	if (!count || count > NPUMEM_MAX_DEVICES + 1)
		return shim_fail(&call, CAUSE_ACCESS_COUNT, NPUMEM_MAX_DEVICES + 1);
	for (size_t i = 0; i < count; i++) {
		err = convert_desc(&call, desc, i, &entries[i]);
		if (err)
			return err;
	}
	if (request.address & (NPUMEM_GRANULE - 1))
		return shim_fail(&call, CAUSE_MISALIGNED);
	err = shim_client(&call, &fd);
	if (err)
		return err;
	error = shim_try(NPUMEM_SET_ACCESS, &request);
	return error ? refuse_access(&call, &request, entries, error) : ACL_SUCCESS;
}

aclError aclrtMemGetAccess(void *virPtr, aclrtMemLocation *location, uint64_t *flag)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), ADDRESS(location),
						LOCATION(location, , location), ADDRESS(flag));
	struct npumem_get_access request = {
		.size = sizeof(request),
		.address = (uintptr_t)virPtr,
	};
	aclError err;
	int error;
	int fd;

	if (!virPtr)
		return shim_null(&call, "virPtr");
	if (!location)
		return shim_null(&call, "location");
	if (!flag)
		return shim_null(&call, "flag");
	if (!find_location(location, &request.location_type, &request.location_id))
		return refuse_location(&call, "location", location);
	err = shim_client(&call, &fd);
	if (err)
		return err;
	error = shim_try(NPUMEM_GET_ACCESS, &request);
	if (error == ENXIO)
		return shim_fail(&call, CAUSE_ACCESS_DEVICE, "location", location->id);
	if (error)
		return shim_refuse(&call, get_access_rules, error);
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
		return shim_fail(&call, CAUSE_RANGE_NULL);
	err = shim_ask(&call, NPUMEM_RANGE, &range, range_rules);
	if (err)
		return err;
	if (pbase)
		*pbase = (void *)(uintptr_t)range.address;
	if (psize)
		*psize = range.length;
	return ACL_SUCCESS;
}
