// SPDX-License-Identifier: MIT
/* Copies between overlapping ranges that lie over the borders of mappings: as memmove. */
#include "acl_program.h"

#include "kselftest_harness.h"

/* Neighbours, in 2 MiB. */
static const size_t pieces[] = { 1, 2, 1, 3 };

#define PIECES	(sizeof(pieces) / sizeof(pieces[0]))
#define G2	(2 * MIB)
#define ROOM	(7 * G2)

FIXTURE(overlap)
{
	struct watch watch;
	unsigned char *range;
	/* What was there, and what should be. */
	unsigned char *old, *wanted;
	aclrtDrvMemHandle handle[PIECES];
};

FIXTURE_SETUP(overlap)
{
	size_t i, at = 0;

	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&self->range, 2 * ROOM, 0, NULL, 0));
	for (i = 0; i < PIECES; at += pieces[i++] * G2)
		ASSERT_EQ(OK, program_map_new(self->range + at, pieces[i] * G2, 0,
					      &self->handle[i]));
	self->old = malloc(ROOM);
	self->wanted = malloc(ROOM);
	ASSERT_TRUE(self->old && self->wanted);
	pattern_fill(self->old, ROOM, 1);
}

FIXTURE_TEARDOWN(overlap)
{
	free(self->old);
	free(self->wanted);
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->range));
	EXPECT_TRUE(watch_end(&self->watch));
}

static void try_copy(struct __test_metadata *_metadata, FIXTURE_DATA(overlap) *self,
		     size_t to, size_t from, size_t size)
{
	memcpy(self->range, self->old, ROOM);
	memcpy(self->wanted, self->old, ROOM);
	memmove(self->wanted + to, self->wanted + from, size);
	EXPECT_EQ(OK, aclrtMemcpy(self->range + to, size, self->range + from, size,
				  ACL_MEMCPY_DEVICE_TO_DEVICE));
	EXPECT_EQ(0, memcmp(self->range, self->wanted, ROOM))
		TH_LOG("%zu bytes from %zu to %zu", size, from, to);
}

TEST_F_TIMEOUT(overlap, aclrtMemcpy_by_all_distances, 180)
{
	static const size_t distances[] = {
		0, 1, 8, 63, 4095, 4096, G2 - 1, G2, G2 + 1, 2 * G2, 3 * G2 - 4096,
	};
	size_t i;

	for (i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
		size_t size = ROOM - distances[i] - 10;

		try_copy(_metadata, self, 5 + distances[i], 5, size);
		try_copy(_metadata, self, 5, 5 + distances[i], size);
		/* Short, over the first border. */
		try_copy(_metadata, self, G2 - 100 + distances[i], G2 - 100, 4096);
		try_copy(_metadata, self, G2 - 100, G2 - 100 + distances[i], 4096);
	}
}

TEST_F_TIMEOUT(overlap, aclrtMemcpy_at_random, 180)
{
	unsigned int seed = test_seed();
	int i;

	for (i = 0; i < 40; i++) {
		size_t size = 1 + rand_r(&seed) % (i & 1 ? ROOM / 2 : G2);
		size_t to = rand_r(&seed) % (ROOM - size);
		size_t from = rand_r(&seed) % (ROOM - size);

		/* Near each other, mostly. */
		if (i % 4)
			from = to + size / 2 < ROOM - size ? to + rand_r(&seed) % (size / 2 + 1) :
			       to - rand_r(&seed) % (size / 2 + 1) % (to + 1);
		try_copy(_metadata, self, to, from, size);
	}
}

/* One memory at two addresses: it is the memory that overlaps. */
TEST_F_TIMEOUT(overlap, aclrtMemcpy_within_a_memory_mapped_twice, 120)
{
	static const long steps[] = { 1, -1, 4096, -4096, G2, -(long)G2, 0 };
	/* The last piece, of three granules, again behind the range and before its end. */
	unsigned char *first = self->range + 4 * G2, *again = self->range + 8 * G2;
	size_t i, size = 3 * G2, part = size - G2;
	int swap;

	ASSERT_EQ(OK, aclrtMapMem(again, size, 0, self->handle[3], 0));
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (swap = 0; swap < 2; swap++) {
			unsigned char *to = swap ? first : again;
			const unsigned char *from = swap ? again : first;
			size_t at = steps[i] < 0 ? -steps[i] : 0;

			memcpy(first, self->old, size);
			memcpy(self->wanted, self->old, size);
			memmove(self->wanted + at + steps[i], self->wanted + at, part);
			EXPECT_EQ(OK, aclrtMemcpy(to + at + steps[i], part, from + at, part,
						  ACL_MEMCPY_DEVICE_TO_DEVICE));
			EXPECT_EQ(0, memcmp(first, self->wanted, size))
				TH_LOG("step %ld, %s", steps[i], swap ? "down" : "up");
			EXPECT_EQ(0, memcmp(again, self->wanted, size));
		}
	}
	ASSERT_EQ(OK, aclrtUnmapMem(again));
}

TEST_HARNESS_MAIN
