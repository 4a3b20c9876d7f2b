// SPDX-License-Identifier: MIT
/* Physical memory and its handles: every code, and what each call promises. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(memory)
{
	struct acl_scene scene;
	aclrtPhysicalMemProp prop;
};

FIXTURE_SETUP(memory)
{
	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
	self->prop = acl_memory(0);
}

FIXTURE_TEARDOWN(memory)
{
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

/* Attributes that are accepted for memory of a device. */
static bool attribute_is_good(int attr)
{
	return attr == 4 || attr == 5 || attr == 10 || (attr >= 12 && attr <= 17);
}

static bool attribute_is_huge1g(int attr)
{
	return attr == 10 || attr == 14 || attr == 17;
}

static size_t round_up_to(size_t size, size_t granule)
{
	return (size + granule - 1) / granule * granule;
}

TEST_F_TIMEOUT(memory, aclrtMemGetAllocationGranularity, 180)
{
	aclrtPhysicalMemProp prop = self->prop;
	size_t granularity;
	int attr, option;

	for (attr = 0; attr < 20; attr++) {
		prop.memAttr = attr;
		for (option = 0; option < 2 && attribute_is_good(attr); option++) {
			granularity = 7;
			EXPECT_EQ(OK, aclrtMemGetAllocationGranularity(&prop, option,
								       &granularity));
			EXPECT_EQ(attribute_is_huge1g(attr) ? GIB : 2 * MIB, granularity)
				TH_LOG("memAttr %d", attr);
		}
	}
	prop = acl_memory(1);
	EXPECT_EQ(OK, aclrtMemGetAllocationGranularity(&prop, 0, &granularity));
	EXPECT_EQ(2 * MIB, granularity);
}

TEST_F_TIMEOUT(memory, aclrtMemGetAllocationGranularity_of_bad_arguments, 180)
{
	aclrtPhysicalMemProp prop = self->prop;
	size_t granularity = 7;
	int attr, option;

	REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, NULL, 0, &granularity);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, &prop, 0, NULL);
	for (option = 2; option < 5; option++)
		REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, option,
			&granularity);
	REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, 0xFFFF, &granularity);
	REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, -1, &granularity);
	for (attr = -1; attr < 20; attr++) {
		prop.memAttr = attr;
		if (!attribute_is_good(attr))
			REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, &prop, 0,
				&granularity);
	}
	prop = acl_memory(31);
	REFUSED(INVALID_DEVICE, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	prop = acl_memory(-1);
	REFUSED(INVALID_DEVICE, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	prop = self->prop;
	prop.memAttr = ACL_HBM_MEM_HUGE1G;
	prop.location = (aclrtMemLocation){ .type = ACL_MEM_LOCATION_TYPE_HOST };
	REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	EXPECT_EQ(7, granularity);
}

TEST_F_TIMEOUT(memory, aclrtMallocPhysical_of_bad_arguments, 180)
{
	aclrtDrvMemHandle handle = GARBAGE;
	aclrtPhysicalMemProp prop = self->prop;

	REFUSED(INVALID_PARAM, aclrtMallocPhysical, NULL, SIZE, &prop, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, 0, &prop, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 1);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 1UL << 63);
	EXPECT_EQ(GARBAGE, handle);
}

TEST_F_TIMEOUT(memory, aclrtMallocPhysical_of_a_bad_description, 180)
{
	const int locations[] = {
		ACL_MEM_LOCATION_TYPE_UNREGISTERED, ACL_MEM_LOCATION_TYPE_MANAGED, 5, -1,
	};
	aclrtDrvMemHandle handle = GARBAGE;
	aclrtPhysicalMemProp prop;
	size_t i;
	int type;

	for (type = -1; type < 4; type++) {
		prop = self->prop;
		prop.handleType = type;
		if (type)
			REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
		prop = self->prop;
		prop.allocationType = type;
		if (type)
			REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	}
	prop = self->prop;
	for (i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
		prop.location.type = locations[i];
		REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	}
	prop = self->prop;
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

TEST_F_TIMEOUT(memory, aclrtMallocPhysical_of_every_attribute, 180)
{
	aclrtPhysicalMemProp prop = self->prop, told;
	aclrtDrvMemHandle handle;
	int attr;

	for (attr = -1; attr < 20; attr++) {
		prop.memAttr = attr;
		if (!attribute_is_good(attr)) {
			REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
		} else if (!attribute_is_huge1g(attr)) {
			ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
			EXPECT_TRUE(watch_used(&self->scene.watch, 0, 2 * SIZE));
			EXPECT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(handle, &told));
			EXPECT_EQ(attr, (int)told.memAttr);
			EXPECT_EQ(OK, aclrtFreePhysical(handle));
		}
	}
	/* Of the host: 0 and 1 are for nobody, and pages of 1 GiB for devices only. */
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	for (attr = 0; attr < 18; attr++) {
		prop.memAttr = attr;
		if (attr < 2 || attr == 8 || attr == 9 || attr == 11)
			REFUSED(INVALID_PARAM, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
		if (attribute_is_huge1g(attr))
			REFUSED(NOT_SUPPORTED, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	}
	prop.memAttr = ACL_DDR_MEM_HUGE;
	prop.location.id = 1;
	REFUSED(NOT_SUPPORTED, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
}

TEST_F_TIMEOUT(memory, aclrtMallocPhysical_rounds_up_and_zeroes, 180)
{
	const size_t sizes[] = { 1, 4096, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 3000000, 20 * MIB };
	struct acl_mapping mapping;
	size_t i, rounded;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rounded = round_up_to(sizes[i], 2 * MIB);
		ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, sizes[i]));
		EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE + rounded));
		EXPECT_EQ(-1, bytes_differ(mapping.address, rounded, 0));
		/* For whoever is next. */
		memset(mapping.address, 0xa5, rounded);
		EXPECT_EQ(OK, acl_mapping_end(&mapping));
		EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE));
	}
}

TEST_F_TIMEOUT(memory, aclrtMallocPhysical_of_pages_of_1_GiB, 180)
{
	const int attributes[] = { ACL_HBM_MEM_HUGE1G, ACL_MEM_HUGE1G, ACL_MEM_P2P_HUGE1G };
	aclrtPhysicalMemProp prop = self->prop, told;
	aclrtDrvMemHandle handle = GARBAGE;
	char *range;
	int i;

	prop.memAttr = ACL_HBM_MEM_HUGE1G;
	if (self->scene.before.free < GIB) {
		REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, 1, &prop, 0);
		EXPECT_EQ(GARBAGE, handle);
		SKIP(return, "device 0 has less than 1 GiB free");
	}
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&range, 2 * GIB, 0, NULL, 0));
	for (i = 0; i < 3; i++) {
		prop.memAttr = attributes[i];
		ASSERT_EQ(OK, aclrtMallocPhysical(&handle, GIB - i, &prop, 0));
		EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE + GIB));
		EXPECT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(handle, &told));
		EXPECT_EQ(attributes[i], (int)told.memAttr);
		REFUSED(OUT_OF_MEMORY, aclrtMapMem, range, GIB + 1, 0, handle, 0);
		/* Addresses are as free as for any other memory. */
		ASSERT_EQ(OK, aclrtMapMem(range + i * 2 * MIB, GIB - i, 0, handle, 0));
		range[i * 2 * MIB] = 1;
		range[i * 2 * MIB + GIB - 1] = 1;
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(range) + i * 2 * MIB + GIB));
		ASSERT_EQ(OK, aclrtUnmapMem(range + i * 2 * MIB));
		EXPECT_EQ(OK, aclrtFreePhysical(handle));
	}
	EXPECT_EQ(OK, aclrtReleaseMemAddress(range));
}

TEST_F_TIMEOUT(memory, aclrtMallocPhysical_of_too_much, 180)
{
	struct acl_state *before = &self->scene.before;
	aclrtDrvMemHandle handle = GARBAGE, all;
	const size_t sizes[] = {
		before->free + 1, before->total + 1, 1UL << 46, 1UL << 63, SIZE_MAX,
		SIZE_MAX - 2 * MIB + 1, SIZE_MAX - GIB,
	};
	aclrtPhysicalMemProp prop = self->prop;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, sizes[i], &prop, 0);
	prop.memAttr = ACL_HBM_MEM_HUGE1G;
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, SIZE_MAX, &prop, 0);
	prop = self->prop;
	/* All of it is not too much; a byte more is. */
	ASSERT_EQ(OK, aclrtMallocPhysical(&all, before->free, &prop, 0));
	REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, 1, &prop, 0);
	EXPECT_EQ(GARBAGE, handle);
	prop = acl_memory(1);
	EXPECT_EQ(OK, aclrtMallocPhysical(&handle, 1, &prop, 0));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_EQ(OK, aclrtFreePhysical(all));
}

TEST_F_TIMEOUT(memory, aclrtFreePhysical_of_what_is_no_handle, 180)
{
	uint64_t mapped = to_u64(self->scene.mapping.handle);
	aclrtDrvMemHandle handle, next;
	int bit;

	REFUSED(INVALID_PARAM, aclrtFreePhysical, NULL);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, &handle);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, self->scene.mapping.address);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, (void *)1);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, (void *)-1);
	for (bit = 0; bit < 64; bit++)
		REFUSED(PARAM_INVALID, aclrtFreePhysical, to_ptr(mapped ^ 1UL << bit));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &self->prop, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, handle);
	/* Nor does the next memory get the name of what was freed. */
	ASSERT_EQ(OK, aclrtMallocPhysical(&next, SIZE, &self->prop, 0));
	EXPECT_NE(handle, next);
	REFUSED(PARAM_INVALID, aclrtFreePhysical, handle);
	ASSERT_EQ(OK, aclrtFreePhysical(next));
}

TEST_F_TIMEOUT(memory, aclrtFreePhysical_while_mapped, 180)
{
	struct acl_mapping twice;
	char *second = self->scene.empty;

	ASSERT_EQ(OK, acl_mapping_new(&twice, 0, SIZE));
	ASSERT_EQ(OK, aclrtMapMem(second, SIZE, 0, twice.handle, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(twice.handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, twice.handle);
	pattern_mark(twice.address, SIZE, 2);
	EXPECT_EQ(-1, pattern_check(second, SIZE, 2));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, 2 * SIZE));
	/* It lives until the last unmap, and no longer. */
	ASSERT_EQ(OK, aclrtUnmapMem(twice.address));
	EXPECT_EQ(-1, pattern_check(second, SIZE, 2));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, 2 * SIZE));
	ASSERT_EQ(OK, aclrtUnmapMem(second));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, twice.handle);
	ASSERT_EQ(OK, aclrtReleaseMemAddress(twice.address));
}

TEST_F_TIMEOUT(memory, aclrtMemRetainAllocationHandle, 180)
{
	struct acl_mapping mapping;
	aclrtDrvMemHandle handle;
	int i;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(OK, aclrtMemRetainAllocationHandle(mapping.address, &handle));
		EXPECT_EQ(mapping.handle, handle);
	}
	/* One more free for each, whatever the mapping holds. */
	for (i = 0; i < 4; i++)
		EXPECT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, handle);
	/* A mapping is enough to have a handle again. */
	ASSERT_EQ(OK, aclrtMemRetainAllocationHandle(mapping.address, &handle));
	ASSERT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, 2 * SIZE));
	ASSERT_EQ(OK, aclrtMapMem(mapping.address, SIZE, 0, handle, 0));
	ASSERT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
}

TEST_F_TIMEOUT(memory, aclrtMemRetainAllocationHandle_of_no_start_of_a_mapping, 180)
{
	aclrtDrvMemHandle handle = GARBAGE;
	char *mapped = self->scene.mapping.address;

	REFUSED(INVALID_PARAM, aclrtMemRetainAllocationHandle, NULL, &handle);
	REFUSED(INVALID_PARAM, aclrtMemRetainAllocationHandle, mapped, NULL);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, mapped + 2 * MIB, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, mapped + 1, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, self->scene.empty, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, &handle, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemRetainAllocationHandle, GARBAGE, &handle);
	EXPECT_EQ(GARBAGE, handle);
	/* No reference is left over. */
	ASSERT_EQ(OK, aclrtFreePhysical(self->scene.mapping.handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, self->scene.mapping.handle);
	ASSERT_EQ(OK, aclrtMemRetainAllocationHandle(mapped, &self->scene.mapping.handle));
}

TEST_F_TIMEOUT(memory, aclrtMemGetAllocationPropertiesFromHandle, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(1), told;
	aclrtDrvMemHandle handle, another;

	prop.memAttr = ACL_MEM_P2P_NORMAL;
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, 3000000, &prop, 0));
	memset(&told, 0xee, sizeof(told));
	ASSERT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(handle, &told));
	EXPECT_EQ(ACL_MEM_HANDLE_TYPE_NONE, told.handleType);
	EXPECT_EQ(ACL_MEM_ALLOCATION_TYPE_PINNED, told.allocationType);
	EXPECT_EQ(ACL_MEM_P2P_NORMAL, told.memAttr);
	EXPECT_EQ(1, told.location.id);
	EXPECT_EQ(ACL_MEM_LOCATION_TYPE_DEVICE, told.location.type);
	EXPECT_EQ(0, told.reserve);
	/* Good for asking for the same again. */
	ASSERT_EQ(OK, aclrtMallocPhysical(&another, 3000000, &told, 0));
	EXPECT_EQ(OK, aclrtFreePhysical(another));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(memory, aclrtMemGetAllocationPropertiesFromHandle_of_no_handle, 180)
{
	aclrtPhysicalMemProp prop = self->prop;
	aclrtDrvMemHandle handle;

	prop.reserve = 7;
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationPropertiesFromHandle, NULL, &prop);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationPropertiesFromHandle,
		self->scene.mapping.handle, NULL);
	REFUSED(PARAM_INVALID, aclrtMemGetAllocationPropertiesFromHandle, GARBAGE, &prop);
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &self->prop, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtMemGetAllocationPropertiesFromHandle, handle, &prop);
	EXPECT_EQ(7, prop.reserve);
}

TEST_HARNESS_MAIN
