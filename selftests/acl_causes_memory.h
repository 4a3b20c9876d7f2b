/* SPDX-License-Identifier: MIT */
/* Causes of memory, addresses, mappings, access and copies. */

/* ---- physical memory ---- */

static aclrtPhysicalMemProp prop;

static int try_malloc(void)
{
	return CALL(aclrtMallocPhysical, &handle, SIZE, &prop, 0);
}

PROVOKE(HANDLE_TYPE)
{
	prop = acl_memory(0);
	prop.handleType = ACL_MEM_HANDLE_TYPE_POSIX;
	return try_malloc();
}

PROVOKE(ALLOCATION_TYPE)
{
	prop = acl_memory(0);
	prop.allocationType = 1;
	return try_malloc();
}

PROVOKE(LOCATION_TYPE)
{
	prop = acl_memory(0);
	prop.location.type = ACL_MEM_LOCATION_TYPE_MANAGED;
	return try_malloc();
}

PROVOKE(ATTRIBUTE)
{
	prop = acl_memory(0);
	prop.memAttr = ACL_DDR_MEM_HUGE;
	return try_malloc();
}

PROVOKE(HOST_1G)
{
	prop = acl_memory(0);
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	prop.memAttr = ACL_MEM_HUGE1G;
	return try_malloc();
}

PROVOKE(HOST_ID)
{
	prop = acl_memory(1);
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	return try_malloc();
}

PROVOKE(NO_NODE)
{
	prop = acl_memory(999);
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST_NUMA;
	return try_malloc();
}

PROVOKE(RESERVE_FIELD)
{
	prop = acl_memory(0);
	prop.reserve = 1UL << 63;
	return try_malloc();
}

PROVOKE(GRANULARITY_OPTION)
{
	prop = acl_memory(0);
	return CALL(aclrtMemGetAllocationGranularity, &prop, ACL_RT_MEM_ALLOC_GRANULARITY_UNDEF,
		    &amount);
}

PROVOKE(DEVICE_FULL)
{
	prop = acl_memory(0);
	return CALL(aclrtMallocPhysical, &handle, 1UL << 46, &prop, 0);
}

PROVOKE(HOST_FULL)
{
	prop = acl_memory(0);
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	return CALL(aclrtMallocPhysical, &handle, 1UL << 46, &prop, 0);
}

PROVOKE(TOO_LARGE)
{
	prop = acl_memory(0);
	return CALL(aclrtMallocPhysical, &handle, SIZE_MAX, &prop, 0);
}

PROVOKE(NO_HANDLE)
{
	return CALL(aclrtFreePhysical, GARBAGE);
}

PROVOKE(TOO_MANY_HANDLES)
{
	prop = acl_memory(0);
	MUST(!npumem_set_parameter("max_handles", 1));
	MUST(!try_malloc());
	return try_malloc();
}

PROVOKE(USER_HANDLES)
{
	prop = acl_memory(0);
	MUST(start_limited("max_user_handles", 1));
	MUST(!try_malloc());
	return try_malloc();
}

/* ---- aclrtMalloc and memory of the host ---- */

PROVOKE(POLICY)
{
	return CALL(aclrtMalloc, &pointer, SIZE, (aclrtMemMallocPolicy)8);
}

PROVOKE(POLICY_READONLY)
{
	return CALL(aclrtMalloc, &pointer, SIZE, ACL_MEM_ACCESS_USER_SPACE_READONLY);
}

PROVOKE(MALLOC_ATTRIBUTE)
{
	aclrtMallocAttribute attributes[2] = {
		{ .attr = ACL_RT_MEM_ATTR_MODULE_ID }, { .attr = ACL_RT_MEM_ATTR_DEVICE_ID },
	};
	aclrtMallocConfig config = { .attrs = attributes, .numAttrs = 2 };

	return CALL(aclrtMallocWithCfg, &pointer, SIZE, ACL_MEM_MALLOC_HUGE_FIRST, &config);
}

PROVOKE(NO_BLOCK)
{
	return CALL(aclrtFree, GARBAGE);
}

PROVOKE(MALLOC_HOST)
{
	return CALL(aclrtMallocHost, &pointer, 1UL << 62);
}

PROVOKE(NO_HOST_BLOCK)
{
	return CALL(aclrtFreeHost, GARBAGE);
}

/* ---- addresses ---- */

PROVOKE(RESERVE_FLAGS)
{
	return CALL(aclrtReserveMemAddress, &pointer, SIZE, 0, NULL, 2);
}

PROVOKE(ALIGNMENT)
{
	return CALL(aclrtReserveMemAddress, &pointer, SIZE, 4096, NULL, 0);
}

PROVOKE(ADDRESSES)
{
	return CALL(aclrtReserveMemAddress, &pointer, 1UL << 48, 0, NULL, 0);
}

PROVOKE(ADDRESSES_LOCKED)
{
	struct rlimit little = { 16 * MIB, 16 * MIB };

	MUST(start());
	MUST(!setrlimit(RLIMIT_MEMLOCK, &little));
	MUST(!seteuid(65534) && !mlockall(MCL_FUTURE));
	return CALL(aclrtReserveMemAddress, &pointer, 64 * MIB, 0, NULL, 0);
}

UNPROVOKED(ADDRESSES_CONTENDED, "a race that another thread has to win 256 times");

PROVOKE(TOO_MANY_RESERVATIONS)
{
	MUST(!npumem_set_parameter("max_reservations", 1));
	MUST(!aclrtReserveMemAddress(&pointer, SIZE, 0, NULL, 0));
	return CALL(aclrtReserveMemAddress, &pointer, SIZE, 0, NULL, 0);
}

PROVOKE(USER_RESERVATIONS)
{
	MUST(start_limited("max_user_reservations", 1));
	MUST(!aclrtReserveMemAddress(&pointer, SIZE, 0, NULL, 0));
	return CALL(aclrtReserveMemAddress, &pointer, SIZE, 0, NULL, 0);
}

PROVOKE(EXPECT_MISALIGNED)
{
	return CALL(aclrtReserveMemAddress, &pointer, 2 * SIZE, 0, to_ptr(SIZE), 0);
}

PROVOKE(EXPECT_TAKEN)
{
	MUST(start_mapped());
	return CALL(aclrtReserveMemAddress, &pointer, 2 * MIB, 0, mapping.address, 0);
}

PROVOKE(EXPECT_OUTSIDE)
{
	return CALL(aclrtReserveMemAddress, &pointer, SIZE, 0, to_ptr(1UL << 62), 0);
}

PROVOKE(EXPECT_NULL)
{
	return CALL(aclrtReserveMemAddressNoUCMemory, &pointer, GIB, 0, NULL, 0);
}

PROVOKE(NOUC_SIZE)
{
	return CALL(aclrtReserveMemAddressNoUCMemory, &pointer, SIZE, 0, to_ptr(GIB), 0);
}

PROVOKE(NO_RESERVATION)
{
	return CALL(aclrtReleaseMemAddress, GARBAGE);
}

PROVOKE(STILL_MAPPED)
{
	MUST(start_mapped());
	return CALL(aclrtReleaseMemAddress, mapping.address);
}

static bool start_block(void)
{
	return start() && !aclrtMalloc(&pointer, SIZE, ACL_MEM_MALLOC_HUGE_FIRST);
}

PROVOKE(RELEASE_BLOCK)
{
	MUST(start_block());
	return CALL(aclrtReleaseMemAddress, pointer);
}

/* ---- mappings ---- */

/* A second place for what is mapped. */
static bool start_empty(void)
{
	return start_mapped() && !aclrtReserveMemAddress(&pointer, 2 * SIZE, 0, NULL, 0);
}

PROVOKE(OFFSET)
{
	MUST(start_empty());
	return CALL(aclrtMapMem, pointer, SIZE, 2 * MIB, mapping.handle, 0);
}

PROVOKE(MISALIGNED)
{
	MUST(start_empty());
	return CALL(aclrtMapMem, (char *)pointer + 4096, SIZE, 0, mapping.handle, 0);
}

PROVOKE(NOT_RESERVED)
{
	MUST(start_empty());
	return CALL(aclrtMapMem, (char *)pointer + 2 * SIZE - 2 * MIB, SIZE, 0, mapping.handle,
		    0);
}

PROVOKE(MAPPED_ALREADY)
{
	MUST(start_mapped());
	return CALL(aclrtMapMem, mapping.address, SIZE, 0, mapping.handle, 0);
}

PROVOKE(OTHER_OWNER)
{
	struct acl_mapping other;

	MUST(start_empty());
	MUST(!acl_mapping_new(&other, 1, SIZE));
	MUST(!aclrtMapMem(pointer, SIZE, 0, mapping.handle, 0));
	return CALL(aclrtMapMem, (char *)pointer + SIZE, SIZE, 0, other.handle, 0);
}

PROVOKE(MAP_MORE)
{
	MUST(start_empty());
	return CALL(aclrtMapMem, pointer, SIZE + 1, 0, mapping.handle, 0);
}

PROVOKE(MAP_LESS)
{
	MUST(start_empty());
	return CALL(aclrtMapMem, pointer, 2 * MIB, 0, mapping.handle, 0);
}

PROVOKE(TOO_MANY_MAPPINGS)
{
	MUST(start_empty());
	MUST(!npumem_set_parameter("max_mappings", 1));
	return CALL(aclrtMapMem, pointer, SIZE, 0, mapping.handle, 0);
}

PROVOKE(USER_MAPPINGS)
{
	MUST(start_limited("max_user_mappings", 1));
	MUST(start_empty());
	return CALL(aclrtMapMem, pointer, SIZE, 0, mapping.handle, 0);
}

PROVOKE(NO_MAPPING)
{
	MUST(start_mapped());
	return CALL(aclrtUnmapMem, (char *)mapping.address + 2 * MIB);
}

PROVOKE(UNMAP_BLOCK)
{
	MUST(start_block());
	return CALL(aclrtUnmapMem, pointer);
}

/* ---- access ---- */

static aclrtMemAccessDesc grant(int device, int flags)
{
	return (aclrtMemAccessDesc){
		.flags = flags,
		.location = { .id = device, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
}

static aclrtMemAccessDesc desc[2];

static int try_access(size_t count)
{
	return CALL(aclrtMemSetAccess, mapping.address, SIZE, desc, count);
}

PROVOKE(ACCESS_NULL)
{
	return CALL(aclrtMemSetAccess, GARBAGE, SIZE, NULL, 1);
}

PROVOKE(ACCESS_SIZE)
{
	MUST(start_mapped());
	return CALL(aclrtMemSetAccess, mapping.address, 0, desc, 1);
}

PROVOKE(ACCESS_COUNT)
{
	MUST(start_mapped());
	return try_access(0);
}

PROVOKE(ACCESS_FLAGS)
{
	MUST(start_mapped());
	desc[0] = grant(0, 3);
	desc[1] = grant(0, 2);
	return try_access(2);
}

PROVOKE(ACCESS_LOCATION)
{
	MUST(start_mapped());
	desc[0] = grant(0, 3);
	desc[0].location.type = ACL_MEM_LOCATION_TYPE_MANAGED;
	return try_access(1);
}

/* A number that some driver could have. */
PROVOKE(ACCESS_DEVICE)
{
	MUST(start_mapped());
	desc[0] = grant(0, 3);
	desc[1] = grant(29, 3);
	return try_access(2);
}

PROVOKE(ACCESS_NODE)
{
	MUST(start_mapped());
	desc[0] = grant(999, 3);
	desc[0].location.type = ACL_MEM_LOCATION_TYPE_HOST_NUMA;
	return try_access(1);
}

PROVOKE(ACCESS_NOT_MAPPED)
{
	MUST(start_mapped());
	desc[0] = grant(0, 3);
	return CALL(aclrtMemSetAccess, mapping.address, SIZE + 1, desc, 1);
}

PROVOKE(ACCESS_UNREACHABLE)
{
	MUST(start_mapped());
	desc[0] = grant(0, 3);
	desc[1] = grant(1, 3);
	return try_access(2);
}

PROVOKE(GET_NOT_MAPPED)
{
	aclrtMemLocation location = { .type = ACL_MEM_LOCATION_TYPE_DEVICE };

	MUST(start_empty());
	return CALL(aclrtMemGetAccess, pointer, &location, &number);
}

PROVOKE(RANGE_NULL)
{
	return CALL(aclrtMemGetAddressRange, GARBAGE, NULL, NULL);
}

PROVOKE(RANGE_NOT_MAPPED)
{
	MUST(start_empty());
	return CALL(aclrtMemGetAddressRange, pointer, &pointer, &amount);
}

/* ---- copies ---- */

static char buffer[4096];

PROVOKE(COPY_KIND)
{
	return CALL(aclrtMemcpy, buffer, 8, buffer, 8, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE);
}

PROVOKE(COPY_ROOM)
{
	return CALL(aclrtMemcpy, buffer, 8, buffer, 9, ACL_MEMCPY_DEFAULT);
}

PROVOKE(COPY_WRAPS)
{
	return CALL(aclrtMemset, to_ptr(-8L), 64, 1, 64);
}

PROVOKE(COPY_NOT_MAPPED)
{
	MUST(start_empty());
	return CALL(aclrtMemcpy, mapping.address, 8, pointer, 8, ACL_MEMCPY_DEVICE_TO_DEVICE);
}

PROVOKE(COPY_NOTHING)
{
	MUST(start_empty());
	MUST(!aclrtReleaseMemAddress(pointer));
	return CALL(aclrtMemcpy, buffer, 8, pointer, 8, ACL_MEMCPY_DEVICE_TO_HOST);
}

UNPROVOKED(COPY_RELEASED, "a race between two system calls of one call of the library");

/* Of the current device: @flags. */
static bool start_with_rights(int flags)
{
	if (!start_mapped())
		return false;
	desc[0] = grant(0, flags);
	return !aclrtMemSetAccess(mapping.address, SIZE, desc, 1);
}

PROVOKE(COPY_WRITE)
{
	MUST(start_with_rights(ACL_RT_MEM_ACCESS_FLAGS_READ));
	return CALL(aclrtMemset, mapping.address, 8, 1, 8);
}

PROVOKE(COPY_READ)
{
	MUST(start_with_rights(ACL_RT_MEM_ACCESS_FLAGS_NONE));
	return CALL(aclrtMemcpy, buffer, 8, mapping.address, 8, ACL_MEMCPY_DEVICE_TO_HOST);
}

PROVOKE(COPY_HOST)
{
	static const char constant[8];

	MUST(start_mapped());
	return CALL(aclrtMemcpy, (char *)constant, 8, mapping.address, 8, ACL_MEMCPY_DEVICE_TO_HOST);
}
