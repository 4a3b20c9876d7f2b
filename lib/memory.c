// SPDX-License-Identifier: MIT
/*
 * Physical memory and its handles.
 */
#include <errno.h>

#include "npumem_shim.h"

/* Where an aclrtMemAttr is accepted, and whether it means 1 GiB pages. */
#define ON_DEVICE 1
#define ON_HOST 2
#define HUGE_1G 4

static const uint8_t attributes[] = {
	[ACL_DDR_MEM_HUGE] = ON_HOST,
	[ACL_DDR_MEM_NORMAL] = ON_HOST,
	[ACL_HBM_MEM_HUGE] = ON_DEVICE | ON_HOST,
	[ACL_HBM_MEM_NORMAL] = ON_DEVICE | ON_HOST,
	[ACL_DDR_MEM_P2P_HUGE] = ON_HOST,
	[ACL_DDR_MEM_P2P_NORMAL] = ON_HOST,
	[ACL_HBM_MEM_HUGE1G] = ON_DEVICE | ON_HOST | HUGE_1G,
	[ACL_MEM_NORMAL] = ON_DEVICE | ON_HOST,
	[ACL_MEM_HUGE] = ON_DEVICE | ON_HOST,
	[ACL_MEM_HUGE1G] = ON_DEVICE | ON_HOST | HUGE_1G,
	[ACL_MEM_P2P_NORMAL] = ON_DEVICE | ON_HOST,
	[ACL_MEM_P2P_HUGE] = ON_DEVICE | ON_HOST,
	[ACL_MEM_P2P_HUGE1G] = ON_DEVICE | ON_HOST | HUGE_1G,
};

static const struct shim_rule malloc_device_rules[] = {
	{ ENOSPC, CAUSE_DEVICE_FULL },
	{ EOVERFLOW, CAUSE_TOO_LARGE },
	{ 0 }
};

static const struct shim_rule malloc_host_rules[] = {
	{ ENXIO, CAUSE_NO_NODE },
	{ ENOSPC, CAUSE_HOST_FULL },
	{ EOVERFLOW, CAUSE_TOO_LARGE },
	{ 0 }
};

static const struct shim_rule handle_rules[] = {
	{ ENOENT, CAUSE_NO_HANDLE },
	{ 0 }
};

static const struct shim_rule retain_rules[] = {
	{ ENOENT, CAUSE_NO_MAPPING },
	{ 0 }
};

/* The attribute and the kind of location; @huge tells about 1 GiB pages. */
static aclError check_place(const struct shim_call *call,
			    const aclrtPhysicalMemProp *prop, bool *huge)
{
	unsigned int attr = (unsigned int)prop->memAttr;
	unsigned int places = attr < sizeof(attributes) ? attributes[attr] : 0;
	unsigned int type = (unsigned int)prop->location.type;
	bool on_device = type == ACL_MEM_LOCATION_TYPE_DEVICE;

	if (!on_device && type != ACL_MEM_LOCATION_TYPE_HOST &&
	    type != ACL_MEM_LOCATION_TYPE_HOST_NUMA)
		return shim_fail(call, CAUSE_LOCATION_TYPE, type);
	if (!(places & (on_device ? ON_DEVICE : ON_HOST)))
		return shim_fail(call, CAUSE_ATTRIBUTE, attr, on_device ? "device" : "host");
	*huge = places & HUGE_1G;
	if (*huge && !on_device)
		return shim_fail(call, CAUSE_HOST_1G, attr);
	if (type == ACL_MEM_LOCATION_TYPE_HOST && prop->location.id)
		return shim_fail(call, CAUSE_HOST_ID);
	return ACL_SUCCESS;
}

/* More than there can be is refused, but not before the node was looked at. */
bool shim_is_node(uint32_t node)
{
	struct npumem_alloc alloc = {
		.size = sizeof(alloc),
		.location_type = NPUMEM_LOCATION_HOST_NUMA,
		.location_id = node,
		.length = UINT64_MAX,
	};

	return shim_try(NPUMEM_ALLOC, &alloc) != ENXIO;
}

aclError aclrtMemGetAllocationGranularity(aclrtPhysicalMemProp *prop,
					  aclrtMemGranularityOptions option,
					  size_t *granularity)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(prop),
						FIELD(prop, memAttr, prop),
						LOCATION(prop, location., prop),
						INT(option), ADDRESS(granularity));
	struct npumem_device_info info;
	aclError err;
	bool huge;

	if (!prop)
		return shim_null(&call, "prop");
	if (!granularity)
		return shim_null(&call, "granularity");
	err = check_place(&call, prop, &huge);
	if (err)
		return err;
	if ((unsigned int)option > ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED)
		return shim_fail(&call, CAUSE_GRANULARITY_OPTION);
	err = shim_start(&call);
	if (err)
		return err;
	if (prop->location.type == ACL_MEM_LOCATION_TYPE_DEVICE) {
		err = shim_device_find(&call, (int32_t)prop->location.id, &info);
		if (err)
			return err;
	}
	if (prop->location.type == ACL_MEM_LOCATION_TYPE_HOST_NUMA &&
	    !shim_is_node(prop->location.id))
		return shim_fail(&call, CAUSE_NO_NODE);
	*granularity = huge ? NPUMEM_GRANULE_1G : NPUMEM_GRANULE;
	return ACL_SUCCESS;
}

/* What aclrtMallocPhysical finds wrong before the driver is asked. */
static aclError check_malloc(const struct shim_call *call,
			     const aclrtPhysicalMemProp *prop, uint64_t flags,
			     bool *huge)
{
	aclError err;

	if (flags)
		return shim_fail(call, CAUSE_FLAGS);
	if (prop->handleType != ACL_MEM_HANDLE_TYPE_NONE)
		return shim_fail(call, CAUSE_HANDLE_TYPE, (unsigned int)prop->handleType);
	if (prop->allocationType != ACL_MEM_ALLOCATION_TYPE_PINNED)
		return shim_fail(call, CAUSE_ALLOCATION_TYPE,
				 (unsigned int)prop->allocationType);
	err = check_place(call, prop, huge);
	if (err)
		return err;
	if (prop->reserve)
		return shim_fail(call, CAUSE_RESERVE_FIELD, (unsigned long long)prop->reserve);
	return ACL_SUCCESS;
}

aclError aclrtMallocPhysical(aclrtDrvMemHandle *handle, size_t size,
			     const aclrtPhysicalMemProp *prop, uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(handle), SIZE(size), ADDRESS(prop),
						FIELD(prop, memAttr, prop),
						LOCATION(prop, location., prop), HEX(flags));
	const struct shim_rule *rules = malloc_host_rules;
	struct npumem_alloc alloc = { .size = sizeof(alloc), .length = size };
	aclError err;
	bool huge;

	if (!handle)
		return shim_null(&call, "handle");
	if (!prop)
		return shim_null(&call, "prop");
	if (!size)
		return shim_fail(&call, CAUSE_SIZE_ZERO);
	err = check_malloc(&call, prop, flags, &huge);
	if (err)
		return err;
	alloc.location_type = (uint32_t)prop->location.type;
	alloc.location_id = prop->location.id;
	alloc.attr = (uint32_t)prop->memAttr;
	alloc.flags = huge ? NPUMEM_ALLOC_1G : 0;
	err = shim_start(&call);
	if (err)
		return err;
	if (prop->location.type == ACL_MEM_LOCATION_TYPE_DEVICE) {
		rules = malloc_device_rules;
		err = shim_device_number(&call, (int32_t)prop->location.id,
					 &alloc.location_id);
		if (err)
			return err;
	}
	err = shim_ask(&call, NPUMEM_ALLOC, &alloc, rules);
	if (err)
		return err;
	*handle = (aclrtDrvMemHandle)(uintptr_t)alloc.handle;
	return ACL_SUCCESS;
}

aclError aclrtFreePhysical(aclrtDrvMemHandle handle)
{
	const struct shim_call call = SHIM_CALL(HANDLE(handle));
	struct npumem_free request = {
		.size = sizeof(request),
		.handle = (uintptr_t)handle,
	};

	if (!handle)
		return shim_null(&call, "handle");
	return shim_ask(&call, NPUMEM_FREE, &request, handle_rules);
}

aclError aclrtMemRetainAllocationHandle(void *virPtr, aclrtDrvMemHandle *handle)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), ADDRESS(handle));
	struct npumem_retain retain = {
		.size = sizeof(retain),
		.address = (uintptr_t)virPtr,
	};
	aclError err;

	if (!virPtr)
		return shim_null(&call, "virPtr");
	if (!handle)
		return shim_null(&call, "handle");
	err = shim_ask(&call, NPUMEM_RETAIN, &retain, retain_rules);
	if (err)
		return err;
	*handle = (aclrtDrvMemHandle)(uintptr_t)retain.handle;
	return ACL_SUCCESS;
}

aclError aclrtMemGetAllocationPropertiesFromHandle(aclrtDrvMemHandle handle,
						   aclrtPhysicalMemProp *prop)
{
	const struct shim_call call = SHIM_CALL(HANDLE(handle), ADDRESS(prop));
	struct npumem_memory_info info = {
		.size = sizeof(info),
		.handle = (uintptr_t)handle,
	};
	aclError err;

	if (!handle)
		return shim_null(&call, "handle");
	if (!prop)
		return shim_null(&call, "prop");
	err = shim_ask(&call, NPUMEM_MEMORY_INFO, &info, handle_rules);
	if (err)
		return err;
	prop->handleType = ACL_MEM_HANDLE_TYPE_NONE;
	prop->allocationType = ACL_MEM_ALLOCATION_TYPE_PINNED;
	prop->memAttr = (aclrtMemAttr)info.attr;
	prop->location.type = (aclrtMemLocationType)info.location_type;
	prop->location.id = info.location_id;
	if (info.location_type == NPUMEM_LOCATION_DEVICE)
		prop->location.id = (uint32_t)shim_device_id(info.location_id);
	prop->reserve = 0;
	return ACL_SUCCESS;
}
