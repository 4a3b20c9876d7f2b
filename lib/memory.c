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
	{ ENXIO, ACL_ERROR_RT_INVALID_DEVICEID,
	  "prop->location.id: there is no such device; aclrtGetDeviceCount tells how many "
	  "there are" },
	{ ENOSPC, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: the device has not that much memory free (see aclrtGetMemInfo); free some "
	  "and retry" },
	{ EOVERFLOW, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: more than there can be; ask for less" },
	{ EINVAL, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: more than there can be; ask for less" },
	{ EMFILE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "this process holds as many handles as it may; free some with aclrtFreePhysical, or "
	  "raise the module's parameter max_handles" },
	{ 0 }
};

static const struct shim_rule malloc_host_rules[] = {
	{ ENXIO, ACL_ERROR_RT_PARAM_INVALID,
	  "prop->location.id: the host has no such NUMA node with memory" },
	{ EOPNOTSUPP, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
	  "prop->location: this module has no host memory to hand out; use "
	  "ACL_MEM_LOCATION_TYPE_DEVICE" },
	{ ENOSPC, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: the host has not that much memory free; free some and retry" },
	{ EOVERFLOW, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: more than there can be; ask for less" },
	{ EINVAL, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "size: more than there can be; ask for less" },
	{ EMFILE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "this process holds as many handles as it may; free some with aclrtFreePhysical, or "
	  "raise the module's parameter max_handles" },
	{ 0 }
};

static const struct shim_rule handle_rules[] = {
	{ ENOENT, ACL_ERROR_RT_PARAM_INVALID,
	  "handle: this process holds no such handle, or has freed it; pass one from "
	  "aclrtMallocPhysical or an import" },
	{ 0 }
};

static const struct shim_rule retain_rules[] = {
	{ ENOENT, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: no mapping starts there; pass the address given to aclrtMapMem" },
	{ EINVAL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "virPtr: no mapping starts there; pass the address given to aclrtMapMem" },
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
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "prop->location.type is %u; expected "
				 "ACL_MEM_LOCATION_TYPE_DEVICE (1), _HOST (0) or _HOST_NUMA (4)",
				 type);
	if (!(places & (on_device ? ON_DEVICE : ON_HOST)))
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "prop->memAttr is %u, which memory on the %s cannot have; use "
				 "ACL_HBM_MEM_HUGE (4) or ACL_MEM_HUGE (13)", attr,
				 on_device ? "device" : "host");
	*huge = places & HUGE_1G;
	if (*huge && !on_device)
		return shim_fail(call, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
				 "prop->memAttr is %u: pages of 1 GiB are for devices only; use "
				 "ACL_MEM_HUGE (13) on the host", attr);
	return ACL_SUCCESS;
}

aclError aclrtMemGetAllocationGranularity(aclrtPhysicalMemProp *prop,
					  aclrtMemGranularityOptions option,
					  size_t *granularity)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(prop),
						FIELD(prop, memAttr, prop),
						FIELD(prop, location.type, prop),
						FIELD(prop, location.id, prop),
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
		return shim_fail(&call, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
				 "option: expected ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM (0) or "
				 "_RECOMMENDED (1)");
	err = shim_start(&call);
	if (err)
		return err;
	if (prop->location.type == ACL_MEM_LOCATION_TYPE_DEVICE) {
		err = shim_device_find(&call, (int32_t)prop->location.id, &info);
		if (err)
			return err;
	}
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
		return shim_fail(call, ACL_ERROR_INVALID_PARAM, "flags: must be 0");
	if (prop->handleType != ACL_MEM_HANDLE_TYPE_NONE)
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "prop->handleType is %u; expected ACL_MEM_HANDLE_TYPE_NONE (0)",
				 (unsigned int)prop->handleType);
	if (prop->allocationType != ACL_MEM_ALLOCATION_TYPE_PINNED)
		return shim_fail(call, ACL_ERROR_INVALID_PARAM,
				 "prop->allocationType is %u; expected "
				 "ACL_MEM_ALLOCATION_TYPE_PINNED (0)",
				 (unsigned int)prop->allocationType);
	err = check_place(call, prop, huge);
	if (err)
		return err;
	if (prop->location.type == ACL_MEM_LOCATION_TYPE_HOST && prop->location.id)
		return shim_fail(call, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
				 "prop->location.id is %u; must be 0 for the host, or use "
				 "ACL_MEM_LOCATION_TYPE_HOST_NUMA", prop->location.id);
	if (prop->reserve)
		return shim_fail(call, ACL_ERROR_RT_PARAM_INVALID,
				 "prop->reserve is 0x%llx; must be 0 (clear the struct first)",
				 (unsigned long long)prop->reserve);
	return ACL_SUCCESS;
}

aclError aclrtMallocPhysical(aclrtDrvMemHandle *handle, size_t size,
			     const aclrtPhysicalMemProp *prop, uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(handle), SIZE(size), ADDRESS(prop),
						FIELD(prop, memAttr, prop),
						FIELD(prop, location.type, prop),
						FIELD(prop, location.id, prop), HEX(flags));
	const struct shim_rule *rules = malloc_host_rules;
	struct npumem_alloc alloc = { .size = sizeof(alloc), .length = size };
	aclError err;
	bool huge;

	if (!handle)
		return shim_null(&call, "handle");
	if (!prop)
		return shim_null(&call, "prop");
	if (!size)
		return shim_fail(&call, ACL_ERROR_INVALID_PARAM,
				 "size: must not be 0; the granularity is 2 MiB");
	err = check_malloc(&call, prop, flags, &huge);
	if (err)
		return err;
	alloc.location_type = (uint32_t)prop->location.type;
	alloc.location_id = prop->location.id;
	alloc.attr = (uint32_t)prop->memAttr;
	alloc.flags = huge ? NPUMEM_ALLOC_1G : 0;
	if (prop->location.type == ACL_MEM_LOCATION_TYPE_DEVICE) {
		rules = malloc_device_rules;
		err = shim_device_number(&call, (int32_t)prop->location.id,
					 &alloc.location_id);
		if (err)
			return err;
	}
	err = shim_start(&call);
	if (!err)
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
