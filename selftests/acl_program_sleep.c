// SPDX-License-Identifier: MIT
/*
 * A server that sleeps and wakes: it gives all of its segments back to others
 * and later has new ones at the addresses where the old ones were.
 */
#include "acl_program.h"

#include "kselftest_harness.h"

#define SEGMENTS	64
#define SEGMENT		(4 * MIB)
#define ALL		((size_t)SEGMENTS * SEGMENT)
/* The other segments hold what need not survive. */
#define KEPT		8

FIXTURE(sleep)
{
	struct watch watch;
	char *base;
	aclrtDrvMemHandle handle[SEGMENTS];
	char *backup;
	size_t free;
};

static char *segment(FIXTURE_DATA(sleep) *self, int i)
{
	return self->base + (size_t)i * SEGMENT;
}

/* Memory for the segments from @from to before @to, or for none of them. */
static aclError wake(FIXTURE_DATA(sleep) *self, int from, int to)
{
	aclError error = ACL_SUCCESS;
	int i;

	for (i = from; i < to && !error; i++)
		error = program_map_new(segment(self, i), SEGMENT, 0, &self->handle[i]);
	if (!error)
		return error;
	/* The last one was not had. */
	for (i -= 2; i >= from; i--)
		if (aclrtUnmapMem(segment(self, i)) || aclrtFreePhysical(self->handle[i]))
			return -1;
	return error;
}

static void fill(FIXTURE_DATA(sleep) *self, int round)
{
	int i;

	for (i = 0; i < SEGMENTS; i++)
		pattern_mark(segment(self, i), SEGMENT, 100 * round + i);
}

FIXTURE_SETUP(sleep)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&self->base, ALL, 0, NULL, 1));
	ASSERT_EQ(OK, aclrtMallocHost((void **)&self->backup, KEPT * SEGMENT));
	self->free = program_free();
	ASSERT_GT(self->free, ALL);
	ASSERT_EQ(OK, wake(self, 0, SEGMENTS));
	ASSERT_EQ(self->free - ALL, program_free());
	fill(self, 0);
}

/* Asleep or awake, a program can end itself properly. */
FIXTURE_TEARDOWN(sleep)
{
	int i;

	for (i = 0; i < SEGMENTS; i++) {
		if (aclrtUnmapMem(segment(self, i)))
			continue;
		EXPECT_EQ(OK, aclrtFreePhysical(self->handle[i]));
	}
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->base));
	EXPECT_EQ(OK, aclrtFreeHost(self->backup));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
}

/* The two calls of a segment, in the one order or in the other. */
static aclError drop(FIXTURE_DATA(sleep) *self, int i, bool unmap)
{
	return unmap ? aclrtUnmapMem(segment(self, i)) : aclrtFreePhysical(self->handle[i]);
}

static void fall_asleep(struct __test_metadata *_metadata, FIXTURE_DATA(sleep) *self)
{
	size_t free = program_free();
	int i;

	for (i = 0; i < SEGMENTS; i++) {
		ASSERT_EQ(OK, drop(self, i, i & 1));
		/* Mapped or held still. */
		ASSERT_EQ(free, program_free());
		ASSERT_EQ(OK, drop(self, i, !(i & 1)));
		free += SEGMENT;
		ASSERT_EQ(free, program_free()) TH_LOG("segment %d is not back at once", i);
	}
}

static void expect_nothing_mapped(struct __test_metadata *_metadata, FIXTURE_DATA(sleep) *self)
{
	int i;

	for (i = 0; i < SEGMENTS; i++)
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(segment(self, i)))) TH_LOG("segment %d", i);
	EXPECT_EQ(self->free, program_free());
}

TEST_F_TIMEOUT(sleep, memory_is_back_when_the_last_call_returns, 120)
{
	fall_asleep(_metadata, self);
	expect_nothing_mapped(_metadata, self);
}

TEST_F_TIMEOUT(sleep, all_unmapped_and_then_all_freed, 120)
{
	int i;

	for (i = 0; i < SEGMENTS; i++)
		ASSERT_EQ(OK, aclrtUnmapMem(segment(self, i)));
	EXPECT_EQ(self->free - ALL, program_free());
	for (i = SEGMENTS - 1; i >= 0; i--) {
		ASSERT_EQ(OK, aclrtFreePhysical(self->handle[i]));
		ASSERT_EQ(self->free - (size_t)i * SEGMENT, program_free());
	}
	expect_nothing_mapped(_metadata, self);
}

TEST_F_TIMEOUT(sleep, new_memory_at_the_kept_addresses, 180)
{
	int round, i;

	for (round = 1; round < 4; round++) {
		ASSERT_EQ(OK, aclrtMemcpy(self->backup, KEPT * SEGMENT, self->base, KEPT * SEGMENT,
					  ACL_MEMCPY_DEVICE_TO_HOST));
		fall_asleep(_metadata, self);
		ASSERT_EQ(OK, wake(self, 0, SEGMENTS));
		for (i = 0; i < SEGMENTS; i++)
			ASSERT_EQ(-1, bytes_differ(segment(self, i), SEGMENT, 0))
				TH_LOG("segment %d, round %d", i, round);
		/* In one go, over the segments' borders. */
		ASSERT_EQ(OK, aclrtMemcpy(self->base, ALL, self->backup, KEPT * SEGMENT,
					  ACL_MEMCPY_HOST_TO_DEVICE));
		for (i = 0; i < KEPT; i++)
			ASSERT_EQ(-1, pattern_check(segment(self, i), SEGMENT,
						    100 * (round - 1) + i));
		fill(self, round);
	}
}

TEST_F_TIMEOUT(sleep, another_process_has_the_memory_meanwhile, 120)
{
	struct process other;
	__u64 handle;

	ASSERT_EQ(OK, acl_start(&other, 0));
	/* All but what the sleeper has: more is not to be had before it sleeps. */
	ASSERT_EQ(OK, program_take(&other, 0, 0, &handle));
	EXPECT_EQ(0, program_free());
	ASSERT_EQ(OK, process_do(&other, acl_do_free, handle));
	fall_asleep(_metadata, self);
	ASSERT_EQ(OK, program_take(&other, 0, 0, &handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, self->free));
	EXPECT_EQ(OUT_OF_MEMORY, wake(self, 0, SEGMENTS));
	EXPECT_TRUE(acl_message_names("aclrtMallocPhysical"));
	/* It crashes; the sleeper wakes. */
	ASSERT_EQ(0, process_kill(&other));
	ASSERT_TRUE(becomes_true(program_free() == self->free));
	ASSERT_EQ(OK, wake(self, 0, SEGMENTS));
	EXPECT_EQ(self->free - ALL, program_free());
}

TEST_F_TIMEOUT(sleep, wake_that_runs_out_of_memory_half_way, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle more = GARBAGE;
	struct process other;
	__u64 handle;
	int i;

	ASSERT_EQ(OK, acl_start(&other, 0));
	fall_asleep(_metadata, self);
	/* Room for half of the segments, and half a segment. */
	ASSERT_EQ(OK, program_take(&other, 0, ALL / 2 + SEGMENT / 2, &handle));

	for (i = 0; i < SEGMENTS / 2; i++) {
		ASSERT_EQ(OK, wake(self, i, i + 1));
		pattern_mark(segment(self, i), SEGMENT, i);
	}
	/* The call that fails takes nothing, and harms nothing that is there. */
	for (i = 0; i < 3; i++) {
		REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &more, SEGMENT, &prop, 0);
		EXPECT_EQ(GARBAGE, more);
		EXPECT_EQ(SEGMENT / 2, program_free());
	}
	for (i = 0; i < SEGMENTS / 2; i++)
		EXPECT_EQ(-1, pattern_check(segment(self, i), SEGMENT, i));
	for (; i < SEGMENTS; i++)
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(segment(self, i))));
	/* What is left is still to be had. */
	ASSERT_EQ(OK, aclrtMallocPhysical(&more, SEGMENT / 2, &prop, 0));
	EXPECT_EQ(0, program_free());
	ASSERT_EQ(OK, aclrtFreePhysical(more));
	/* The program rolls back, and so it does if it tries all at once. */
	for (i = 0; i < SEGMENTS / 2; i++) {
		ASSERT_EQ(OK, aclrtUnmapMem(segment(self, i)));
		ASSERT_EQ(OK, aclrtFreePhysical(self->handle[i]));
	}
	EXPECT_EQ(ALL / 2 + SEGMENT / 2, program_free());
	EXPECT_EQ(OUT_OF_MEMORY, wake(self, 0, SEGMENTS));
	EXPECT_TRUE(acl_message_names("aclrtMallocPhysical"));
	EXPECT_EQ(ALL / 2 + SEGMENT / 2, program_free());
	for (i = 0; i < SEGMENTS; i++)
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(segment(self, i))));

	ASSERT_EQ(OK, process_do(&other, acl_do_free, handle));
	expect_nothing_mapped(_metadata, self);
	ASSERT_EQ(OK, wake(self, 0, SEGMENTS));
	for (i = 0; i < SEGMENTS; i++)
		EXPECT_EQ(-1, bytes_differ(segment(self, i), SEGMENT, 0)) TH_LOG("segment %d", i);
}

TEST_HARNESS_MAIN
