// SPDX-License-Identifier: MIT
/*
 * Device memory with an address: a block is memory that is mapped in a
 * reservation of its own, and a reservation of which that is remembered. Those
 * that ipc.c imports are such blocks as well.
 */
#include <errno.h>

#include "npumem_shim.h"

/* The policy proper; what is above are hints and rights. */
#define POLICY_MASK 0xff
#define POLICY_HINTS (ACL_MEM_TYPE_LOW_BAND_WIDTH | ACL_MEM_TYPE_HIGH_BAND_WIDTH)

/* What the memory's properties tell of a policy. */
static const uint8_t attributes[] = {
	[ACL_MEM_MALLOC_HUGE_FIRST] = ACL_HBM_MEM_HUGE,
	[ACL_MEM_MALLOC_HUGE_ONLY] = ACL_HBM_MEM_HUGE,
	[ACL_MEM_MALLOC_NORMAL_ONLY] = ACL_HBM_MEM_NORMAL,
	[ACL_MEM_MALLOC_HUGE_FIRST_P2P] = ACL_MEM_P2P_HUGE,
	[ACL_MEM_MALLOC_HUGE_ONLY_P2P] = ACL_MEM_P2P_HUGE,
	[ACL_MEM_MALLOC_NORMAL_ONLY_P2P] = ACL_MEM_P2P_NORMAL,
	[ACL_MEM_MALLOC_HUGE1G_ONLY] = ACL_HBM_MEM_HUGE1G,
	[ACL_MEM_MALLOC_HUGE1G_ONLY_P2P] = ACL_MEM_P2P_HUGE1G,
};

static const struct shim_rule alloc_rules[] = {
	{ ENOSPC, CAUSE_DEVICE_FULL },
	{ EOVERFLOW, CAUSE_TOO_LARGE },
	{ 0 }
};

static const struct shim_rule map_rules[] = {
	{ ENOENT, CAUSE_RESET_MEANWHILE },
	{ EMFILE, CAUSE_TOO_MANY_MAPPINGS },
	{ EDQUOT, CAUSE_USER_MAPPINGS },
	{ 0 }
};

static const struct shim_rule free_rules[] = {
	{ ENOENT, CAUSE_NO_BLOCK },
	{ 0 }
};

enum shim_block shim_block_kind(uintptr_t address)
{
	const struct shim_range *range = shim_range_find(&shim_reservations, address);

	if (!range || range->device == NPUMEM_DEVICE_NONE)
		return SHIM_NO_BLOCK;
	return range->imports ? SHIM_IMPORTED : SHIM_MALLOCED;
}

static int release(uintptr_t address)
{
	struct npumem_release request = {
		.size = sizeof(request),
		.address = address,
	};

	return shim_try(NPUMEM_RELEASE, &request);
}

void shim_free_handle(uint64_t handle)
{
	struct npumem_free request = { .size = sizeof(request), .handle = handle };

	shim_try(NPUMEM_FREE, &request);
}

/* As one: a reset sees all of the block or nothing. */
int shim_block_place(int fd, uint64_t handle, uint64_t length, uint32_t device,
		     uintptr_t *address, const struct shim_rule **rules)
{
	struct npumem_map map = {
		.size = sizeof(map),
		.length = length,
		.handle = handle,
	};
	int error;

	*rules = shim_reserve_rules;
	error = shim_reserve(fd, 0, length, address);
	if (error)
		return error;
	*rules = map_rules;
	map.address = *address;
	error = shim_try(NPUMEM_MAP, &map);
	if (!error) {
		shim_range_find(&shim_reservations, *address)->device = device;
	} else {
		release(*address);
		shim_range_remove(&shim_reservations, *address);
	}
	return error;
}

int shim_block_remove(struct shim_range *block)
{
	struct npumem_unmap unmap = { .size = sizeof(unmap), .address = block->base };
	uintptr_t address = block->base;
	int error;

	/* ENOENT: the program called munmap, there is only to forget. */
	error = shim_try(NPUMEM_UNMAP, &unmap);
	if (error && error != ENOENT)
		return error;
	/* EBUSY: mapped by another thread since, whose reservation it is now. */
	if (release(address) == EBUSY)
		*block = (struct shim_range){
			.base = address,
			.size = block->size,
			.device = NPUMEM_DEVICE_NONE,
		};
	else
		shim_range_remove(&shim_reservations, address);
	return 0;
}

static aclError check_policy(const struct shim_call *call, uint32_t policy)
{
	if ((policy & POLICY_MASK) >= sizeof(attributes) ||
	    policy & ~(uint32_t)(POLICY_MASK | POLICY_HINTS |
				 ACL_MEM_ACCESS_USER_SPACE_READONLY))
		return shim_fail(call, CAUSE_POLICY);
	if (policy & ACL_MEM_ACCESS_USER_SPACE_READONLY)
		return shim_fail(call, CAUSE_POLICY_READONLY);
	return ACL_SUCCESS;
}

static aclError allocate(const struct shim_call *call, void **devPtr, size_t size,
			 uint32_t policy)
{
	struct npumem_alloc alloc = {
		.size = sizeof(alloc),
		.location_type = NPUMEM_LOCATION_DEVICE,
		.length = size,
	};
	const struct shim_rule *rules;
	uintptr_t address = 0;
	aclError err;
	int error;
	int fd;

	if (!devPtr)
		return shim_null(call, "devPtr");
	if (!size)
		return shim_fail(call, CAUSE_SIZE_ZERO);
	err = check_policy(call, policy);
	if (!err)
		err = shim_need_device(call, &alloc.location_id);
	if (!err)
		err = shim_client(call, &fd);
	if (err)
		return err;
	alloc.attr = attributes[policy & POLICY_MASK];
	if (alloc.attr == ACL_HBM_MEM_HUGE1G || alloc.attr == ACL_MEM_P2P_HUGE1G)
		alloc.flags = NPUMEM_ALLOC_1G;
	err = shim_ask(call, NPUMEM_ALLOC, &alloc, alloc_rules);
	if (err)
		return err;
	shim_range_write();
	error = shim_block_place(fd, alloc.handle, alloc.length, alloc.location_id,
				 &address, &rules);
	shim_range_unlock();
	/* The mapping holds the memory, if there is one. */
	shim_free_handle(alloc.handle);
	if (error)
		return shim_explain(call, rules, error);
	*devPtr = (void *)address;
	return ACL_SUCCESS;
}

aclError aclrtMalloc(void **devPtr, size_t size, aclrtMemMallocPolicy policy)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), SIZE(size), HEX(policy),
						CURRENT_DEVICE);

	return allocate(&call, devPtr, size, (uint32_t)policy);
}

aclError aclrtMallocAlign32(void **devPtr, size_t size, aclrtMemMallocPolicy policy)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), SIZE(size), HEX(policy),
						CURRENT_DEVICE);

	return allocate(&call, devPtr, size, (uint32_t)policy);
}

/* Which module asks is accounting; anything else would change the result. */
static aclError check_config(const struct shim_call *call, const aclrtMallocConfig *cfg)
{
	if (!cfg || !cfg->numAttrs)
		return ACL_SUCCESS;
	if (!cfg->attrs)
		return shim_null(call, "cfg->attrs");
	for (size_t i = 0; i < cfg->numAttrs; i++)
		if (cfg->attrs[i].attr != ACL_RT_MEM_ATTR_MODULE_ID)
			return shim_fail(call, CAUSE_MALLOC_ATTRIBUTE, i,
					 (unsigned int)cfg->attrs[i].attr);
	return ACL_SUCCESS;
}

aclError aclrtMallocWithCfg(void **devPtr, size_t size, aclrtMemMallocPolicy policy,
			    aclrtMallocConfig *cfg)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr), SIZE(size), HEX(policy),
						ADDRESS(cfg), CURRENT_DEVICE);
	aclError err;

	err = check_config(&call, cfg);
	return err ? err : allocate(&call, devPtr, size, (uint32_t)policy);
}

aclError aclrtFree(void *devPtr)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(devPtr));
	uintptr_t address = (uintptr_t)devPtr;
	enum shim_block kind;
	int error = ENOENT;

	if (!devPtr)
		return shim_null(&call, "devPtr");
	shim_range_write();
	kind = shim_block_kind(address);
	if (kind == SHIM_MALLOCED)
		error = shim_block_remove(shim_range_find(&shim_reservations, address));
	shim_range_unlock();
	if (kind == SHIM_IMPORTED)
		return shim_fail(&call, CAUSE_FREE_IMPORTED);
	return error ? shim_refuse(&call, free_rules, error) : ACL_SUCCESS;
}

/* As one: whoever frees a block meanwhile would find it half gone. */
int shim_blocks_reset(uint32_t device)
{
	struct npumem_reset reset = { .size = sizeof(reset), .device = device };
	struct shim_ranges *set = &shim_reservations;
	int error;

	shim_range_write();
	error = shim_try(NPUMEM_RESET, &reset);
	/* EBUSY: mapped by another thread since, as in shim_block_remove(). */
	for (size_t i = error ? 0 : set->count; i-- > 0;)
		if (set->range[i].device == device && release(set->range[i].base) != EBUSY)
			shim_range_remove(set, set->range[i].base);
	shim_range_unlock();
	return error;
}
