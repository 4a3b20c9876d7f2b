// SPDX-License-Identifier: MIT
/* Bad arguments of the calls for memory, addresses and mappings. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(memory)
{
	struct watch watch;
	struct acl_mapping mapping;
	struct acl_state before;
	/* A second reservation, empty. */
	char *empty;
};

FIXTURE_SETUP(memory)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&self->mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&self->empty, 4 * SIZE, 0, NULL, 0));
	pattern_mark(self->mapping.address, SIZE, 1);
	self->before = acl_state_now(self->watch.fd);
	ASSERT_EQ(NULL, aclGetRecentErrMsg());
}

FIXTURE_TEARDOWN(memory)
{
	EXPECT_TRUE(acl_state_same(self->watch.fd, &self->before));
	EXPECT_EQ(-1, pattern_check(self->mapping.address, SIZE, 1));
	EXPECT_EQ(OK, acl_mapping_end(&self->mapping));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->empty));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Attributes that are accepted for memory of a device. */
static bool attribute_is_good(int attr)
{
	return attr == 4 || attr == 5 || attr == 10 || (attr >= 12 && attr <= 17);
}

TEST_F_TIMEOUT(memory, granularity, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	size_t granularity = 7;
	int attr;

	REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, NULL, 0, &granularity);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, &prop, 0, NULL);
	REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, 2, &granularity);
	REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, 0xFFFF, &granularity);
	prop.location.id = 31;
	REFUSED(INVALID_DEVICE, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	prop.location.id = ~0U;
	REFUSED(INVALID_DEVICE, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	prop = acl_memory(0);
	for (attr = -1; attr < 20; attr++) {
		prop.memAttr = attr;
		if (attribute_is_good(attr)) {
			EXPECT_EQ(OK, aclrtMemGetAllocationGranularity(&prop, attr & 1,
								       &granularity));
			EXPECT_EQ(attr == 10 || attr == 14 || attr == 17 ? GIB : 2 * MIB,
				  granularity)
				TH_LOG("memAttr %d", attr);
			granularity = 7;
		} else {
			REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, &prop, 0,
				&granularity);
		}
	}
	prop.memAttr = ACL_HBM_MEM_HUGE1G;
	prop.location = (aclrtMemLocation){ .type = ACL_MEM_LOCATION_TYPE_HOST };
	REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	EXPECT_EQ(7, granularity);
}

TEST_F_TIMEOUT(memory, malloc_physical_of_bad_arguments, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle = GARBAGE;

	REFUSED(INVALID_PARAM, aclrtMallocPhysical, NULL, SIZE, &prop, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, 0, &prop, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 1);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 1UL << 63);
	EXPECT_EQ(GARBAGE, handle);
}

TEST_F_TIMEOUT(memory, malloc_physical_of_a_bad_description, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle = GARBAGE;
	int i;

	for (i = -1; i < 4; i++) {
		prop.handleType = i;
		if (i)
			REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	}
	prop = acl_memory(0);
	prop.allocationType = 1;
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop = acl_memory(0);
	prop.location.type = ACL_MEM_LOCATION_TYPE_UNREGISTERED;
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop.location.type = ACL_MEM_LOCATION_TYPE_MANAGED;
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop.location.type = 5;
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop = acl_memory(0);
	prop.reserve = 1;
	REFUSED(PARAM_INVALID, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop.reserve = 1UL << 63;
	REFUSED(PARAM_INVALID, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop = acl_memory(31);
	REFUSED(INVALID_DEVICE, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop = acl_memory(-1);
	REFUSED(INVALID_DEVICE, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	/* What the library checks comes before what the driver knows. */
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, 0, &prop, 0);
	EXPECT_EQ(GARBAGE, handle);
}

TEST_F_TIMEOUT(memory, malloc_physical_of_every_attribute, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0), told;
	aclrtDrvMemHandle handle;
	int attr;

	for (attr = -1; attr < 20; attr++) {
		prop.memAttr = attr;
		if (!attribute_is_good(attr)) {
			REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
		} else if (attr != 10 && attr != 14 && attr != 17) {
			ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
			EXPECT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(handle, &told));
			EXPECT_EQ(attr, (int)told.memAttr);
			EXPECT_EQ(0, told.location.id);
			EXPECT_EQ(ACL_MEM_LOCATION_TYPE_DEVICE, told.location.type);
			EXPECT_EQ(0, told.reserve);
			EXPECT_EQ(OK, aclrtFreePhysical(handle));
		}
	}
	/* DDR attributes are for the host, but 0 and 1 are for nobody. */
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	for (attr = 0; attr < 2; attr++) {
		prop.memAttr = attr;
		REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	}
	prop.memAttr = ACL_HBM_MEM_HUGE1G;
	REFUSED(NOT_SUPPORTED, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	prop.memAttr = ACL_DDR_MEM_HUGE;
	prop.location.id = 1;
	REFUSED(NOT_SUPPORTED, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
}

TEST_F_TIMEOUT(memory, malloc_physical_of_too_much, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle = GARBAGE;

	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, self->before.free + 1, &prop, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, self->before.total + 1, &prop, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, 1UL << 46, &prop, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, 1UL << 63, &prop, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, SIZE_MAX, &prop, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, SIZE_MAX - 2 * MIB + 1, &prop, 0);
	EXPECT_EQ(GARBAGE, handle);
}

TEST_F_TIMEOUT(memory, free_physical, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;

	REFUSED(INVALID_PARAM, aclrtFreePhysical, NULL);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, &prop);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, (void *)1);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, (char *)self->mapping.handle + 1);
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, handle);
}

TEST_F_TIMEOUT(memory, free_physical_while_mapped, 180)
{
	struct acl_mapping other;

	ASSERT_EQ(OK, acl_mapping_new(&other, 0, SIZE));
	ASSERT_EQ(OK, aclrtFreePhysical(other.handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, other.handle);
	pattern_mark(other.address, SIZE, 2);
	EXPECT_EQ(-1, pattern_check(other.address, SIZE, 2));
	ASSERT_EQ(OK, aclrtUnmapMem(other.address));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(other.address));
}

TEST_F_TIMEOUT(memory, retain_and_properties, 180)
{
	aclrtPhysicalMemProp prop;
	aclrtDrvMemHandle handle = GARBAGE;
	char *mapped = self->mapping.address;

	REFUSED(INVALID_PARAM, aclrtMemRetainAllocationHandle, NULL, &handle);
	REFUSED(INVALID_PARAM, aclrtMemRetainAllocationHandle, mapped, NULL);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, mapped + 2 * MIB, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, mapped + 1, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, self->empty, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, &prop, &handle);
	EXPECT_EQ(GARBAGE, handle);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationPropertiesFromHandle, NULL, &prop);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationPropertiesFromHandle, self->mapping.handle,
		NULL);
	REFUSED(PARAM_INVALID, aclrtMemGetAllocationPropertiesFromHandle, GARBAGE, &prop);
	/* One more reference each, and one more free. */
	EXPECT_EQ(OK, aclrtMemRetainAllocationHandle(mapped, &handle));
	EXPECT_EQ(self->mapping.handle, handle);
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(memory, map_of_bad_arguments, 180)
{
	aclrtDrvMemHandle handle = self->mapping.handle;

	REFUSED(INVALID_PARAM, aclrtMapMem, NULL, SIZE, 0, handle, 0);
	REFUSED(INVALID_PARAM, aclrtMapMem, self->empty, 0, 0, handle, 0);
	REFUSED(INVALID_PARAM, aclrtMapMem, self->empty, SIZE, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtMapMem, self->empty, SIZE, 0, handle, 1);
	REFUSED(PARAM_INVALID, aclrtMapMem, self->empty, SIZE, 2 * MIB, handle, 0);
	REFUSED(PARAM_INVALID, aclrtMapMem, self->empty, SIZE, 1, handle, 0);
	REFUSED(PARAM_INVALID, aclrtMapMem, self->empty, SIZE, 0, GARBAGE, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMapMem, self->empty, SIZE + 1, 0, handle, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMapMem, self->empty, 2 * SIZE, 0, handle, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMapMem, self->empty, SIZE_MAX, 0, handle, 0);
	REFUSED(PARAM_INVALID, aclrtMapMem, self->empty, SIZE - 2 * MIB, 0, handle, 0);
	REFUSED(PARAM_INVALID, aclrtMapMem, self->empty, 1, 0, handle, 0);
	REFUSED(INVALID_PARAM, aclrtMemMapNoAccess, NULL, SIZE, 0, handle, 0);
	REFUSED(INVALID_PARAM, aclrtMemMapNoAccess, self->empty, SIZE, 0, handle, 2);
	REFUSED(PARAM_INVALID, aclrtMemMapNoAccess, self->empty, SIZE, 0, GARBAGE, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMemMapNoAccess, self->empty, SIZE + 1, 0, handle, 0);
	/* Nothing of all this left a mapping. */
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, self->empty);
}

TEST_F_TIMEOUT(memory, map_at_bad_addresses, 180)
{
	aclrtDrvMemHandle handle = self->mapping.handle;
	char *mapped = self->mapping.address;
	struct acl_mapping other;

	REFUSED(DRIVER_ERROR, aclrtMapMem, self->empty + 4096, SIZE, 0, handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, self->empty + 1, SIZE, 0, handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, mapped, SIZE, 0, handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, mapped + 2 * MIB, SIZE, 0, handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, self->empty + 4 * SIZE - 2 * MIB, SIZE, 0, handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, (void *)(2 * MIB), SIZE, 0, handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, (void *)-(2 * MIB), SIZE, 0, handle, 0);
	/* A reservation belongs to the device of its first mapping. */
	ASSERT_EQ(OK, acl_mapping_new(&other, 1, SIZE));
	ASSERT_EQ(OK, aclrtMapMem(self->empty, SIZE, 0, handle, 0));
	REFUSED(DRIVER_ERROR, aclrtMapMem, self->empty + SIZE, SIZE, 0, other.handle, 0);
	ASSERT_EQ(OK, aclrtUnmapMem(self->empty));
	REFUSED(DRIVER_ERROR, aclrtMapMem, self->empty + SIZE, SIZE, 0, other.handle, 0);
	ASSERT_EQ(OK, acl_mapping_end(&other));
}

TEST_F_TIMEOUT(memory, unmap, 180)
{
	char *mapped = self->mapping.address;

	REFUSED(INVALID_PARAM, aclrtUnmapMem, NULL);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, mapped + 1);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, mapped + 2 * MIB);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, self->empty);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, &mapped);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, GARBAGE);
	ASSERT_EQ(OK, aclrtMapMem(self->empty, SIZE, 0, self->mapping.handle, 0));
	ASSERT_EQ(OK, aclrtUnmapMem(self->empty));
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, self->empty);
}

TEST_F_TIMEOUT(memory, set_access, 180)
{
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_NONE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	}, bad[2] = { desc, desc };
	char *mapped = self->mapping.address;

	REFUSED(PARAM_INVALID, aclrtMemSetAccess, NULL, SIZE, &desc, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, SIZE, NULL, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, SIZE, &desc, 0);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, 0, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped, SIZE + 1, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped + 2 * MIB, SIZE, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped + 4096, 2 * MIB, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, self->empty, SIZE, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, &desc, SIZE, &desc, 1);
	bad[1].flags = 2;
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, SIZE, bad, 2);
	bad[1].flags = 4;
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, SIZE, bad, 2);
	bad[1] = desc;
	bad[1].location.type = ACL_MEM_LOCATION_TYPE_UNREGISTERED;
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, SIZE, bad, 2);
	bad[1].location.type = ACL_MEM_LOCATION_TYPE_DEVICE;
	bad[1].location.id = 1;
	bad[1].flags = ACL_RT_MEM_ACCESS_FLAGS_READ;
	/* No link from device 1 to device 0; the first entry has no effect either. */
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped, SIZE, bad, 2);
	EXPECT_EQ(0, store_signal(to_u64(mapped)));
}

TEST_F_TIMEOUT(memory, get_access_and_address_range, 180)
{
	aclrtMemLocation location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE };
	uint64_t flag = 7;
	void *base = GARBAGE;
	size_t size = 7;

	REFUSED(INVALID_PARAM, aclrtMemGetAccess, NULL, &location, &flag);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, self->mapping.address, NULL, &flag);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, self->mapping.address, &location, NULL);
	REFUSED(DRIVER_ERROR, aclrtMemGetAccess, self->empty, &location, &flag);
	EXPECT_EQ(7, flag);
	REFUSED(INVALID_PARAM, aclrtMemGetAddressRange, NULL, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, self->mapping.address, NULL, NULL);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, self->empty, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, &location, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, GARBAGE, &base, &size);
	EXPECT_EQ(GARBAGE, base);
	EXPECT_EQ(7, size);
}

TEST_HARNESS_MAIN
