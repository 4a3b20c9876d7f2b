// SPDX-License-Identifier: MIT
/*
 * An allocator with expandable segments: more addresses than the device has
 * memory, pieces of several sizes mapped where they are needed, kept when they
 * are not, and mapped elsewhere later.
 */
#include "acl_program.h"

#include "kselftest_harness.h"

#define SMALL	(2 * MIB)
#define LARGE	(20 * MIB)
#define HUGE	(1024 * MIB)
#define PIECES	8

FIXTURE(segments)
{
	struct watch watch;
	char *base;
	size_t total, reserved, free;
};

FIXTURE_SETUP(segments)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	self->total = program_total();
	ASSERT_NE(0, self->total);
	self->free = program_free();
	/* As such allocators reckon it; not a multiple of anything. */
	self->reserved = self->total + self->total / 8;
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&self->base, self->reserved, 0, NULL, 1));
}

FIXTURE_TEARDOWN(segments)
{
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->base));
	EXPECT_EQ(self->free, program_free());
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Such allocators grant each new stretch to its device. */
static aclError grant(void *address, size_t size)
{
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	return aclrtMemSetAccess(address, size, &desc, 1);
}

TEST_F_TIMEOUT(segments, pieces_of_all_sizes_at_offsets, 180)
{
	const size_t sizes[] = { SMALL, LARGE, SMALL, HUGE, LARGE, SMALL };
	const int count = sizeof(sizes) / sizeof(sizes[0]);
	aclrtDrvMemHandle handle[sizeof(sizes) / sizeof(sizes[0])];
	size_t at = 0, need = 0, size;
	void *base;
	int i;

	for (i = 0; i < count; i++)
		need += sizes[i];
	if (need > self->free)
		SKIP(return, "%zu MiB of device memory are needed, there are %zu",
		     need >> 20, self->free >> 20);
	for (i = 0; i < count; i++) {
		ASSERT_EQ(OK, program_map_new(self->base + at, sizes[i], 0, &handle[i]));
		ASSERT_EQ(OK, grant(self->base + at, sizes[i]));
		pattern_mark(self->base + at, sizes[i], i);
		at += sizes[i];
		ASSERT_EQ(self->free - at, program_free());
	}
	/* One stretch of memory, whose pieces are told apart all the same. */
	EXPECT_EQ(OK, grant(self->base, need));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->base + need)));
	EXPECT_EQ(DRIVER_ERROR, grant(self->base, need + SMALL));
	for (i = 0, at = 0; i < count; at += sizes[i++]) {
		EXPECT_EQ(-1, pattern_check(self->base + at, sizes[i], i));
		EXPECT_EQ(OK, aclrtMemGetAddressRange(self->base + at + sizes[i] - 1, &base,
						      &size));
		EXPECT_EQ(self->base + at, (char *)base);
		EXPECT_EQ(sizes[i], size);
	}
	/* The huge one moves to the end of the range, whose size is no multiple of its. */
	at = SMALL + LARGE + SMALL;
	ASSERT_EQ(OK, aclrtUnmapMem(self->base + at));
	at = (self->reserved - HUGE) & ~(SMALL - 1);
	/* With what little memory a machine may have it would reach into others. */
	if (at < need)
		at = SMALL + LARGE + SMALL;
	ASSERT_EQ(OK, aclrtMapMem(self->base + at, HUGE, 0, handle[3], 0));
	EXPECT_EQ(-1, pattern_check(self->base + at, HUGE, 3));
	ASSERT_EQ(OK, aclrtUnmapMem(self->base + at));
	for (i = 0, at = 0; i < count; at += sizes[i++]) {
		if (sizes[i] != HUGE)
			EXPECT_EQ(OK, aclrtUnmapMem(self->base + at));
		EXPECT_EQ(OK, aclrtFreePhysical(handle[i]));
	}
}

TEST_F_TIMEOUT(segments, cached_handles_are_mapped_elsewhere, 180)
{
	aclrtDrvMemHandle handle[PIECES];
	char *second = self->base + PIECES * LARGE, *address;
	int round, i;

	ASSERT_LT(2 * PIECES * LARGE, self->reserved);
	ASSERT_LT(PIECES * LARGE, self->free);
	for (i = 0; i < PIECES; i++) {
		ASSERT_EQ(OK, program_map_new(self->base + i * LARGE, LARGE, 0, &handle[i]));
		pattern_mark(self->base + i * LARGE, LARGE, i);
	}
	for (round = 1; round < PIECES; round++) {
		/* All go, the handles stay; each comes back @round pieces further on. */
		for (i = 0; i < PIECES; i++)
			ASSERT_EQ(OK, aclrtUnmapMem(self->base + (i + round - 1) % PIECES * LARGE));
		EXPECT_EQ(self->free - PIECES * LARGE, program_free());
		for (i = 0; i < PIECES; i++) {
			address = self->base + (i + round) % PIECES * LARGE;
			ASSERT_EQ(OK, aclrtMapMem(address, LARGE, 0, handle[i], 0));
			EXPECT_EQ(-1, pattern_check(address, LARGE, i));
		}
	}
	/* At several addresses at once: one memory. */
	for (i = 0; i < PIECES; i++)
		ASSERT_EQ(OK, aclrtMapMem(second + i * LARGE, LARGE, 0, handle[i], 0));
	EXPECT_EQ(self->free - PIECES * LARGE, program_free());
	for (i = 0; i < PIECES; i++) {
		address = self->base + (i + round - 1) % PIECES * LARGE;
		EXPECT_EQ(-1, pattern_check(second + i * LARGE, LARGE, i));
		pattern_mark(second + i * LARGE, LARGE, 100 + i);
		EXPECT_EQ(-1, pattern_check(address, LARGE, 100 + i));
		/* One mapping goes, the other does not notice. */
		ASSERT_EQ(OK, aclrtUnmapMem(address));
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(address)));
		EXPECT_EQ(-1, pattern_check(second + i * LARGE, LARGE, 100 + i));
		ASSERT_EQ(OK, aclrtFreePhysical(handle[i]));
		EXPECT_EQ(-1, pattern_check(second + i * LARGE, LARGE, 100 + i));
		ASSERT_EQ(OK, aclrtUnmapMem(second + i * LARGE));
	}
}

/* The range as a heap: it grows and shrinks at its end, and is full at times. */
TEST_F_TIMEOUT(segments, shrinks_from_the_end_and_grows_again, 180)
{
	const int most = self->free / LARGE;
	aclrtDrvMemHandle *handle = calloc(most + 1, sizeof(*handle));
	int round, pieces = 0, low, i;

	ASSERT_NE(NULL, handle);
	ASSERT_GT(most, 8);
	for (round = 0; round < 3; round++) {
		for (; pieces < most; pieces++) {
			char *end = self->base + pieces * LARGE;

			ASSERT_EQ(OK, program_map_new(end, LARGE, 0, &handle[pieces]));
			ASSERT_EQ(OK, grant(end, LARGE));
			ASSERT_EQ(0, *(volatile int *)(end + LARGE - 4));
			pattern_mark(end, LARGE, pieces);
		}
		/* Addresses are left, memory is not. */
		EXPECT_EQ(OUT_OF_MEMORY, program_map_new(self->base + most * LARGE, LARGE, 0,
							 &handle[most]));
		EXPECT_TRUE(acl_message_names("aclrtMallocPhysical"));
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->base + most * LARGE)));
		low = round == 2 ? 0 : most / (round + 2);
		while (pieces > low) {
			pieces--;
			ASSERT_EQ(OK, aclrtUnmapMem(self->base + pieces * LARGE));
			ASSERT_EQ(OK, aclrtFreePhysical(handle[pieces]));
			EXPECT_EQ(self->free - pieces * LARGE, program_free());
			EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->base + pieces * LARGE)));
		}
		for (i = 0; i < low; i++)
			EXPECT_EQ(-1, pattern_check(self->base + i * LARGE, LARGE, i));
	}
	free(handle);
}

/* What a piece in use does not allow changes nothing. */
TEST_F_TIMEOUT(segments, pieces_in_use_are_not_disturbed, 120)
{
	aclrtDrvMemHandle first, second;
	char *at = self->base + SMALL;

	ASSERT_EQ(OK, program_map_new(at, LARGE, 0, &first));
	pattern_mark(at, LARGE, 1);
	EXPECT_EQ(DRIVER_ERROR, program_map_new(at - SMALL, LARGE, 0, &second));
	EXPECT_EQ(DRIVER_ERROR, program_map_new(at + LARGE - SMALL, SMALL, 0, &second));
	EXPECT_EQ(DRIVER_ERROR, program_map_new(at + LARGE + 4096, SMALL, 0, &second));
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, at + SMALL);
	REFUSED(DRIVER_ERROR, aclrtReleaseMemAddress, self->base);
	EXPECT_EQ(-1, pattern_check(at, LARGE, 1));
	EXPECT_EQ(self->free - LARGE, program_free());
	EXPECT_EQ(OK, aclrtUnmapMem(at));
	EXPECT_EQ(OK, aclrtFreePhysical(first));
}

TEST_HARNESS_MAIN
