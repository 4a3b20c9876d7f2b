// SPDX-License-Identifier: MIT
/* Mapping and unmapping: every code, and what each call promises. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(map)
{
	struct acl_scene scene;
	/* The scene's, at hand. */
	aclrtDrvMemHandle handle;
	char *mapped, *empty;
};

FIXTURE_SETUP(map)
{
	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
	self->handle = self->scene.mapping.handle;
	self->mapped = self->scene.mapping.address;
	self->empty = self->scene.empty;
}

FIXTURE_TEARDOWN(map)
{
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

/* Arguments that neither aclrtMapMem nor aclrtMemMapNoAccess takes. */
struct bad_map {
	aclError code;
	char *address;
	size_t size, offset;
	aclrtDrvMemHandle handle;
	uint64_t flags;
};

/* Both calls refuse them all, and leave nothing where they were to map. */
static void refuse_all(struct __test_metadata *_metadata, const struct bad_map *bad, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		REFUSED(bad[i].code, aclrtMapMem, bad[i].address, bad[i].size, bad[i].offset,
			bad[i].handle, bad[i].flags);
		REFUSED(bad[i].code, aclrtMemMapNoAccess, bad[i].address, bad[i].size,
			bad[i].offset, bad[i].handle, bad[i].flags);
	}
}

#define REFUSE_ALL(bad)	refuse_all(_metadata, (bad), sizeof(bad) / sizeof((bad)[0]))

TEST_F_TIMEOUT(map, aclrtMapMem_and_aclrtMemMapNoAccess_of_bad_arguments, 180)
{
	char *empty = self->empty;
	aclrtDrvMemHandle handle = self->handle, freed;
	aclrtPhysicalMemProp prop = acl_memory(0);
	const struct bad_map bad[] = {
		{ INVALID_PARAM, NULL, SIZE, 0, handle, 0 },
		{ INVALID_PARAM, empty, 0, 0, handle, 0 },
		{ INVALID_PARAM, empty, SIZE, 0, NULL, 0 },
		{ INVALID_PARAM, empty, SIZE, 0, handle, 1 },
		{ INVALID_PARAM, empty, SIZE, 0, handle, 1UL << 63 },
		{ PARAM_INVALID, empty, SIZE, 1, handle, 0 },
		{ PARAM_INVALID, empty, SIZE, 2 * MIB, handle, 0 },
		{ PARAM_INVALID, empty, SIZE, SIZE_MAX, handle, 0 },
		{ PARAM_INVALID, empty, SIZE, 0, GARBAGE, 0 },
		{ PARAM_INVALID, empty, SIZE, 0, (char *)handle + 1, 0 },
		{ OUT_OF_MEMORY, empty, SIZE + 1, 0, handle, 0 },
		{ OUT_OF_MEMORY, empty, 2 * SIZE, 0, handle, 0 },
		{ OUT_OF_MEMORY, empty, SIZE_MAX, 0, handle, 0 },
		{ PARAM_INVALID, empty, SIZE - 2 * MIB, 0, handle, 0 },
		{ PARAM_INVALID, empty, 1, 0, handle, 0 },
	};

	REFUSE_ALL(bad);
	ASSERT_EQ(OK, aclrtMallocPhysical(&freed, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(freed));
	REFUSED(PARAM_INVALID, aclrtMapMem, empty, SIZE, 0, freed, 0);
	REFUSED(PARAM_INVALID, aclrtMemMapNoAccess, empty, SIZE, 0, freed, 0);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, empty);
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(empty)));
}

TEST_F_TIMEOUT(map, aclrtMapMem_and_aclrtMemMapNoAccess_at_bad_addresses, 180)
{
	aclrtDrvMemHandle handle = self->handle;
	const struct bad_map bad[] = {
		/* Misaligned */
		{ DRIVER_ERROR, self->empty + 1, SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, self->empty + 4096, SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, self->empty + MIB, SIZE, 0, handle, 0 },
		/* Overlapping, wholly and in part */
		{ DRIVER_ERROR, self->mapped, SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, self->empty + 2 * MIB, SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, self->empty + SIZE + 2 * MIB, SIZE, 0, handle, 0 },
		/* Outside one reservation, wholly and in part */
		{ DRIVER_ERROR, self->empty + 4 * SIZE - 2 * MIB, SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, self->empty - 2 * MIB, SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, (void *)(2 * MIB), SIZE, 0, handle, 0 },
		{ DRIVER_ERROR, (void *)-(2 * MIB), SIZE, 0, handle, 0 },
	};

	ASSERT_EQ(OK, aclrtMapMem(self->empty + SIZE, SIZE, 0, handle, 0));
	REFUSE_ALL(bad);
	/* What was overlapped is unharmed. */
	EXPECT_EQ(-1, pattern_check(self->empty + SIZE, SIZE, 1));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->empty)));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->empty) + 2 * SIZE));
	EXPECT_EQ(OK, aclrtUnmapMem(self->empty + SIZE));
}

TEST_F_TIMEOUT(map, aclrtMapMem_across_two_reservations, 180)
{
	char *space, *first, *second;

	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&space, 16 * MIB, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(space));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&first, 2 * MIB, 0, space, 0));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&second, 2 * MIB, 0, space + 2 * MIB, 0));
	REFUSED(DRIVER_ERROR, aclrtMapMem, first, SIZE, 0, self->handle, 0);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(first));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(second));
}

TEST_F_TIMEOUT(map, aclrtMapMem_takes_any_size_that_rounds_up_to_the_memorys, 180)
{
	const size_t asked = 3000000;
	const size_t good[] = { asked, SIZE, 2 * MIB + 1, SIZE - 1 };
	const size_t less[] = { 2 * MIB, 1, 2 * MIB - 1 };
	const size_t more[] = { SIZE + 1, 3 * SIZE, 1UL << 63, SIZE_MAX - 2 * MIB };
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	size_t i;

	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, asked, &prop, 0));
	for (i = 0; i < sizeof(less) / sizeof(less[0]); i++)
		REFUSED(PARAM_INVALID, aclrtMapMem, self->empty, less[i], 0, handle, 0);
	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		REFUSED(OUT_OF_MEMORY, aclrtMapMem, self->empty, more[i], 0, handle, 0);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ASSERT_EQ(OK, aclrtMapMem(self->empty, good[i], 0, handle, 0));
		/* All of the memory is there, whatever size was said. */
		EXPECT_EQ(0, store_signal(to_u64(self->empty) + SIZE - 1));
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->empty) + SIZE));
		ASSERT_EQ(OK, aclrtUnmapMem(self->empty));
	}
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(map, aclrtMapMem_gives_readwrite_to_the_device_at_once, 180)
{
	aclrtMemLocation location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE };
	struct acl_mapping mapping;
	uint64_t flag = 7;
	char local[16] = "no access is set";

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	EXPECT_EQ(OK, aclrtMemGetAccess(mapping.address, &location, &flag));
	EXPECT_EQ(ACL_RT_MEM_ACCESS_FLAGS_READWRITE, flag);
	EXPECT_EQ(0, store_signal(to_u64(mapping.address)));
	EXPECT_EQ(OK, aclrtMemcpy(mapping.address, SIZE, local, 16, ACL_MEMCPY_HOST_TO_DEVICE));
	memset(local, 0, sizeof(local));
	EXPECT_EQ(OK, aclrtMemcpy(local, 16, mapping.address, 16, ACL_MEMCPY_DEVICE_TO_HOST));
	EXPECT_EQ(0, memcmp(local, "no access is set", 16));
	/* To that device and to nobody else. */
	location.id = 1;
	EXPECT_EQ(OK, aclrtMemGetAccess(mapping.address, &location, &flag));
	EXPECT_EQ(ACL_RT_MEM_ACCESS_FLAGS_NONE, flag);
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

TEST_F_TIMEOUT(map, aclrtMapMem_of_one_handle_at_several_addresses, 180)
{
	char *second = self->empty + 2 * MIB, *third = self->empty + 2 * SIZE;

	ASSERT_EQ(OK, aclrtMapMem(second, SIZE, 0, self->handle, 0));
	ASSERT_EQ(OK, aclrtMapMem(third, SIZE, 0, self->handle, 0));
	EXPECT_EQ(-1, pattern_check(second, SIZE, 1));
	EXPECT_EQ(-1, pattern_check(third, SIZE, 1));
	pattern_mark(third, SIZE, 5);
	EXPECT_EQ(-1, pattern_check(second, SIZE, 5));
	EXPECT_EQ(-1, pattern_check(self->mapped, SIZE, 5));
	pattern_mark(self->mapped, SIZE, 1);
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE));
	ASSERT_EQ(OK, aclrtUnmapMem(second));
	EXPECT_EQ(-1, pattern_check(third, SIZE, 1));
	ASSERT_EQ(OK, aclrtUnmapMem(third));
}

TEST_F_TIMEOUT(map, aclrtMapMem_of_own_and_imported_in_one_reservation, 180)
{
	struct process exporter;
	__u64 handle, address, share;
	aclrtDrvMemHandle imported;

	ASSERT_EQ(0, acl_start(&exporter, 0));
	ASSERT_EQ(OK, acl_new(&exporter, 0, SIZE, 8, &handle, &address));
	ASSERT_EQ(OK, acl_export(&exporter, handle, 1, &share));
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(share, 0, &imported));
	ASSERT_EQ(OK, aclrtMapMem(self->empty, SIZE, 0, self->handle, 0));
	ASSERT_EQ(OK, aclrtMapMem(self->empty + SIZE, SIZE, 0, imported, 0));
	EXPECT_EQ(-1, pattern_check(self->empty, SIZE, 1));
	EXPECT_EQ(-1, pattern_check(self->empty + SIZE, SIZE, 8));
	EXPECT_EQ(OK, aclrtUnmapMem(self->empty));
	EXPECT_EQ(OK, aclrtUnmapMem(self->empty + SIZE));
	EXPECT_EQ(OK, aclrtFreePhysical(imported));
	EXPECT_EQ(OK, acl_drop(&exporter, address, handle));
}

TEST_F_TIMEOUT(map, aclrtMapMem_keeps_the_reservations_device_until_its_release, 180)
{
	struct acl_mapping one;
	char *range;

	ASSERT_EQ(OK, acl_mapping_new(&one, 1, SIZE));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&range, 4 * SIZE, 0, NULL, 0));
	/* A refused map chooses no device. */
	REFUSED(OUT_OF_MEMORY, aclrtMapMem, range, 2 * SIZE, 0, self->handle, 0);
	ASSERT_EQ(OK, aclrtMapMem(range, SIZE, 0, one.handle, 0));
	REFUSED(DRIVER_ERROR, aclrtMapMem, range + SIZE, SIZE, 0, self->handle, 0);
	REFUSED(DRIVER_ERROR, aclrtMemMapNoAccess, range + SIZE, SIZE, 0, self->handle, 0);
	ASSERT_EQ(OK, aclrtUnmapMem(range));
	REFUSED(DRIVER_ERROR, aclrtMapMem, range, SIZE, 0, self->handle, 0);
	ASSERT_EQ(OK, aclrtMapMem(range, SIZE, 0, one.handle, 0));
	ASSERT_EQ(OK, aclrtUnmapMem(range));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(range));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&range, 4 * SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(range, SIZE, 0, self->handle, 0));
	ASSERT_EQ(OK, aclrtUnmapMem(range));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(range));
	EXPECT_EQ(OK, acl_mapping_end(&one));
}

TEST_F_TIMEOUT(map, aclrtMemMapNoAccess, 180)
{
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READ,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	char *place = self->empty, local[64] = "";
	uint64_t flag = 7;

	ASSERT_EQ(OK, aclrtMemMapNoAccess(place, SIZE, 0, self->handle, 0));
	EXPECT_EQ(OK, aclrtMemGetAccess(place, &desc.location, &flag));
	EXPECT_EQ(ACL_RT_MEM_ACCESS_FLAGS_NONE, flag);
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(place)));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(place) + SIZE - 1));
	REFUSED(PARAM_INVALID, aclrtMemcpy, local, 64, place, 64, ACL_MEMCPY_DEVICE_TO_HOST);
	REFUSED(PARAM_INVALID, aclrtMemcpy, place, SIZE, local, 64, ACL_MEMCPY_HOST_TO_DEVICE);
	REFUSED(PARAM_INVALID, aclrtMemset, place, SIZE, 1, 64);
	/* It is a mapping all the same, and another one's rights are its own. */
	REFUSED(DRIVER_ERROR, aclrtMapMem, place, SIZE, 0, self->handle, 0);
	REFUSED(DRIVER_ERROR, aclrtReleaseMemAddress, place);
	EXPECT_EQ(0, store_signal(to_u64(self->mapped)));
	ASSERT_EQ(OK, aclrtMemSetAccess(place, SIZE, &desc, 1));
	EXPECT_EQ(-1, pattern_check(place, SIZE, 1));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(place)));
	desc.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE;
	ASSERT_EQ(OK, aclrtMemSetAccess(place, SIZE, &desc, 1));
	EXPECT_EQ(0, store_signal(to_u64(place)));
	EXPECT_EQ(OK, aclrtUnmapMem(place));
}

TEST_F_TIMEOUT(map, aclrtUnmapMem_drops_the_mappings_reference, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(mapping.address)));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(mapping.address) + SIZE - 1));
	/* The handle has a reference of its own. */
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, 2 * SIZE));
	ASSERT_EQ(OK, aclrtMapMem(mapping.address, SIZE, 0, mapping.handle, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(mapping.handle));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, 2 * SIZE));
	ASSERT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_TRUE(watch_used(&self->scene.watch, 0, SIZE));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
}

TEST_F_TIMEOUT(map, aclrtUnmapMem_takes_starts_of_mappings_only, 180)
{
	char *mapped = self->mapped;

	REFUSED(INVALID_PARAM, aclrtUnmapMem, NULL);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, mapped + 1);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, mapped + 2 * MIB);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, mapped + SIZE);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, self->empty);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, &mapped);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, GARBAGE);
	ASSERT_EQ(OK, aclrtMapMem(self->empty + SIZE, SIZE, 0, self->handle, 0));
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, self->empty);
	ASSERT_EQ(OK, aclrtUnmapMem(self->empty + SIZE));
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, self->empty + SIZE);
}

TEST_F_TIMEOUT(map, aclrtMemGetAddressRange, 180)
{
	char *first = self->empty + 2 * MIB, *second = first + SIZE;
	const size_t offsets[] = { 0, 1, 4096, 2 * MIB, SIZE - 1 };
	size_t size, i;
	void *base;

	ASSERT_EQ(OK, aclrtMapMem(first, SIZE, 0, self->handle, 0));
	ASSERT_EQ(OK, aclrtMapMem(second, SIZE, 0, self->handle, 0));
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		base = GARBAGE;
		size = 7;
		EXPECT_EQ(OK, aclrtMemGetAddressRange(first + offsets[i], &base, &size));
		EXPECT_EQ(first, base);
		EXPECT_EQ(SIZE, size);
		base = GARBAGE;
		EXPECT_EQ(OK, aclrtMemGetAddressRange(second + offsets[i], &base, NULL));
		EXPECT_EQ(second, base);
		size = 7;
		EXPECT_EQ(OK, aclrtMemGetAddressRange(second + offsets[i], NULL, &size));
		EXPECT_EQ(SIZE, size);
	}
	ASSERT_EQ(OK, aclrtUnmapMem(second));
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, second, &base, &size);
	EXPECT_EQ(OK, aclrtMemGetAddressRange(second - 1, &base, &size));
	ASSERT_EQ(OK, aclrtUnmapMem(first));
}

TEST_F_TIMEOUT(map, aclrtMemGetAddressRange_of_nothing, 180)
{
	void *base = GARBAGE;
	size_t size = 7;

	REFUSED(INVALID_PARAM, aclrtMemGetAddressRange, NULL, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, self->mapped, NULL, NULL);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, self->empty, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, self->mapped + SIZE, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, &base, &base, &size);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, GARBAGE, &base, &size);
	EXPECT_EQ(GARBAGE, base);
	EXPECT_EQ(7, size);
}

TEST_HARNESS_MAIN
