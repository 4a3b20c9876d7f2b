// SPDX-License-Identifier: MIT
/*
 * Ranges that a copy or fill may not touch, wholly or in part, at the beginning,
 * in the middle or at the end: 107000, no signal, and not a byte is written.
 */
#include "acl_program.h"

#include "kselftest_harness.h"

#define GRANULE		(2 * MIB)
#define GRANULES	8
#define ROOM		(GRANULES * GRANULE)
/* Of the other side of a copy. */
#define SPACE		(ROOM + GRANULE)

/* What there is in each granule of the range; host memory follows the range. */
enum { WRITABLE, READABLE, NO_ACCESS, HOLE };

static const int layout[GRANULES] = {
	WRITABLE, READABLE, WRITABLE, NO_ACCESS, WRITABLE, HOLE, HOLE, WRITABLE,
};

/* Part of the range, and whether it can be read; none of these can be written. */
static const struct part {
	const char *name;
	size_t at, size;
	bool readable;
} parts[] = {
	{ "read only", GRANULE + 40, 4096, true },
	{ "ends read only", GRANULE - 64, 65, true },
	{ "begins read only", 2 * GRANULE - 1, 4096, true },
	{ "read only in the middle", GRANULE - 64, GRANULE + 128, true },
	{ "no access", 3 * GRANULE, GRANULE, false },
	{ "one byte without access", 4 * GRANULE - 1, 1, false },
	{ "ends without access", 2 * GRANULE + 5, GRANULE, false },
	{ "begins without access", 4 * GRANULE - 1, 8192, false },
	{ "no access in the middle", 3 * GRANULE - 1, GRANULE + 2, false },
	{ "a hole", 5 * GRANULE, 64, false },
	{ "all of a hole", 5 * GRANULE, 2 * GRANULE, false },
	{ "ends in a hole", 5 * GRANULE - 4096, 4097, false },
	{ "begins in a hole", 7 * GRANULE - 1, GRANULE, false },
	{ "a hole in the middle", 5 * GRANULE - 1, 2 * GRANULE + 2, false },
	{ "ends behind the range", ROOM - 64, 65, false },
	{ "all of the range and more", 0, ROOM + 4096, false },
	{ "all of the range", 0, ROOM, false },
};

#define PARTS	(sizeof(parts) / sizeof(parts[0]))

FIXTURE(refused)
{
	struct watch watch;
	char *range, *behind;
	aclrtDrvMemHandle handle[GRANULES];
	struct acl_mapping good;
	char *host;
	aclrtStream stream;
};

static aclError set_access(void *address, size_t size, int device, int flags)
{
	aclrtMemAccessDesc desc = {
		.flags = flags,
		.location = { .id = device, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	return aclrtMemSetAccess(address, size, &desc, 1);
}

/* Device 0's rights for granule @i as they should be, or all of them. */
static aclError set_layout(FIXTURE_DATA(refused) *self, int i, bool all)
{
	int flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE;

	if (!all && layout[i] == READABLE)
		flags = ACL_RT_MEM_ACCESS_FLAGS_READ;
	if (!all && layout[i] == NO_ACCESS)
		flags = ACL_RT_MEM_ACCESS_FLAGS_NONE;
	return set_access(self->range + i * GRANULE, GRANULE, 0, flags);
}

/* Addresses with room behind them that is ours. */
static char *find_range(void)
{
	uint64_t at = to_u64(mmap(NULL, 3 * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
				  MAP_NORESERVE, -1, 0));

	munmap(to_ptr(at), 3 * ROOM);
	return to_ptr((at + ROOM - 1) / ROOM * ROOM);
}

FIXTURE_SETUP(refused)
{
	char *wanted = find_range();
	int i;

	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtCreateStream(&self->stream));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&self->range, ROOM, 0, wanted, 0));
	self->behind = mmap(self->range + ROOM, GRANULE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(self->range + ROOM, self->behind);
	memset(self->behind, 0x5a, GRANULE);
	for (i = 0; i < GRANULES; i++) {
		if (layout[i] == HOLE)
			continue;
		ASSERT_EQ(OK, program_map_new(self->range + i * GRANULE, GRANULE, 0,
					      &self->handle[i]));
		pattern_fill(self->range + i * GRANULE, GRANULE, i);
		ASSERT_EQ(OK, set_layout(self, i, false));
	}
	ASSERT_EQ(OK, acl_mapping_new(&self->good, 0, SPACE));
	pattern_fill(self->good.address, SPACE, 99);
	self->host = process_shared(SPACE);
	ASSERT_NE(NULL, self->host);
	pattern_fill(self->host, SPACE, 98);
}

FIXTURE_TEARDOWN(refused)
{
	EXPECT_EQ(OK, aclrtDestroyStream(self->stream));
	munmap(self->host, SPACE);
	munmap(self->behind, GRANULE);
	EXPECT_EQ(OK, aclrtResetDeviceForce(0));
	aclrtResetDeviceForce(1);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->range));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->good.address));
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Is everything as it was, also what nobody may read? */
static bool unchanged(FIXTURE_DATA(refused) *self)
{
	bool same = bytes_differ(self->behind, GRANULE, 0x5a) < 0;
	int i;

	for (i = 0; i < GRANULES; i++) {
		char *granule = self->range + i * GRANULE;

		if (layout[i] == HOLE) {
			same &= load_signal(to_u64(granule)) == SIGSEGV;
			continue;
		}
		if (layout[i] == NO_ACCESS && set_layout(self, i, true))
			return false;
		same &= pattern_verify(granule, GRANULE, i) < 0;
		if (layout[i] == NO_ACCESS && set_layout(self, i, false))
			return false;
	}
	return same && pattern_verify(self->good.address, SPACE, 99) < 0 &&
	       pattern_verify(self->host, SPACE, 98) < 0;
}

/* All copies from @from to @to, whatever kind they are said to be. */
static void refuse_copies(struct __test_metadata *_metadata, FIXTURE_DATA(refused) *self,
			  void *to, const void *from, size_t size, const char *name)
{
	static const int kinds[] = {
		ACL_MEMCPY_HOST_TO_DEVICE, ACL_MEMCPY_DEVICE_TO_HOST,
		ACL_MEMCPY_DEVICE_TO_DEVICE, ACL_MEMCPY_DEFAULT,
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		EXPECT_EQ(PARAM_INVALID, aclrtMemcpy(to, size, from, size, kinds[i]))
			TH_LOG("%s, kind %d", name, kinds[i]);
		EXPECT_TRUE(acl_message_names("aclrtMemcpy"));
		EXPECT_EQ(PARAM_INVALID, aclrtMemcpyAsync(to, 4 * ROOM, from, size, kinds[i],
							  i & 1 ? NULL : self->stream))
			TH_LOG("%s, kind %d", name, kinds[i]);
		EXPECT_TRUE(acl_message_names("aclrtMemcpyAsync"));
	}
}

TEST_F_TIMEOUT(refused, aclrtMemcpy_to_what_may_not_be_written, 180)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		const struct part *part = &parts[i];
		char *to = self->range + part->at;

		refuse_copies(_metadata, self, to, self->host, part->size, part->name);
		refuse_copies(_metadata, self, to, self->good.address, part->size, part->name);
		/* Onto itself as well, and from its neighbourhood. */
		refuse_copies(_metadata, self, to, to, part->size, part->name);
		refuse_copies(_metadata, self, to, to + 8, part->size, part->name);
		EXPECT_TRUE(unchanged(self)) TH_LOG("%s", part->name);
	}
}

TEST_F_TIMEOUT(refused, aclrtMemcpy_from_what_may_not_be_read, 180)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		const struct part *part = &parts[i];
		const char *from = self->range + part->at;

		if (part->readable)
			continue;
		refuse_copies(_metadata, self, self->host + 3, from, part->size, part->name);
		refuse_copies(_metadata, self, self->good.address, from, part->size, part->name);
		EXPECT_TRUE(unchanged(self)) TH_LOG("%s", part->name);
	}
}

TEST_F_TIMEOUT(refused, aclrtMemset_of_what_may_not_be_written, 180)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		const struct part *part = &parts[i];
		char *at = self->range + part->at;

		REFUSED(PARAM_INVALID, aclrtMemset, at, part->size, 1, part->size);
		REFUSED(PARAM_INVALID, aclrtMemsetAsync, at, 4 * ROOM, 1, part->size, NULL);
		REFUSED(PARAM_INVALID, aclrtMemsetAsync, at, part->size, 1, part->size,
			self->stream);
		EXPECT_TRUE(unchanged(self)) TH_LOG("%s", part->name);
	}
}

/* What may be read is read, right up to what may not. */
TEST_F_TIMEOUT(refused, aclrtMemcpy_of_what_may_be_read_is_not, 120)
{
	size_t i, size = 3 * GRANULE;

	for (i = 0; i < PARTS; i++) {
		if (!parts[i].readable)
			continue;
		EXPECT_EQ(OK, aclrtMemcpy(self->host, ROOM, self->range + parts[i].at,
					  parts[i].size, ACL_MEMCPY_DEVICE_TO_HOST));
		EXPECT_EQ(0, memcmp(self->host, self->range + parts[i].at, parts[i].size));
	}
	EXPECT_EQ(OK, aclrtMemcpyAsync(self->good.address, ROOM, self->range, size,
				       ACL_MEMCPY_DEVICE_TO_DEVICE, self->stream));
	EXPECT_EQ(0, memcmp(self->good.address, self->range, size));
	EXPECT_EQ(OK, aclrtMemset(self->range + 4 * GRANULE, GRANULE, 1, GRANULE));
	EXPECT_EQ(-1, bytes_differ(self->range + 4 * GRANULE, GRANULE, 1));
	EXPECT_EQ(OK, aclrtMemcpy(self->range + ROOM - 64, 64, self->behind, 64,
				  ACL_MEMCPY_DEFAULT));
	EXPECT_EQ(-1, bytes_differ(self->range + ROOM - 64, 64, 0x5a));
}

/* Under a device that has no right to the memory of another one. */
TEST_F_TIMEOUT(refused, aclrtMemcpy_under_a_device_without_rights, 180)
{
	char *second = (char *)self->good.address + GRANULE;

	ASSERT_EQ(OK, aclrtSetDevice(1));
	refuse_copies(_metadata, self, self->good.address, self->host, 1, "written");
	refuse_copies(_metadata, self, self->host, self->good.address, ROOM, "read");
	refuse_copies(_metadata, self, self->good.address, second, GRANULE, "both");
	REFUSED(PARAM_INVALID, aclrtMemset, self->good.address, 1, 0, 1);
	REFUSED(PARAM_INVALID, aclrtMemsetAsync, second, GRANULE, 0, GRANULE, NULL);
	/* A right to read a part, given while there was a link. */
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	ASSERT_EQ(OK, set_access(second, GRANULE, 1, ACL_RT_MEM_ACCESS_FLAGS_READ));
	ASSERT_EQ(OK, aclrtDeviceDisablePeerAccess(0));
	refuse_copies(_metadata, self, second, self->host, 64, "written");
	refuse_copies(_metadata, self, self->host, second - 1, 2, "begins unreadable");
	refuse_copies(_metadata, self, self->host, second + 1, GRANULE, "ends unreadable");
	REFUSED(PARAM_INVALID, aclrtMemset, second, GRANULE, 0, 1);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_TRUE(unchanged(self));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	EXPECT_EQ(OK, aclrtMemcpy(self->host, ROOM, second, GRANULE, ACL_MEMCPY_DEFAULT));
	EXPECT_EQ(0, memcmp(self->host, second, GRANULE));
}

/* What was mapped, and is not any more, or not yet for anybody. */
TEST_F_TIMEOUT(refused, aclrtMemcpy_of_what_has_gone, 180)
{
	aclrtDrvMemHandle handle;
	void *block;

	ASSERT_EQ(OK, aclrtMalloc(&block, GRANULE, ACL_MEM_MALLOC_HUGE_FIRST));
	ASSERT_EQ(OK, aclrtFree(block));
	refuse_copies(_metadata, self, block, self->host, 64, "freed block");
	refuse_copies(_metadata, self, self->host, block, GRANULE, "freed block");
	REFUSED(PARAM_INVALID, aclrtMemset, block, GRANULE, 1, 1);

	ASSERT_EQ(OK, program_map_new(self->range + 5 * GRANULE, GRANULE, 0, &handle));
	ASSERT_EQ(OK, aclrtUnmapMem(self->range + 5 * GRANULE));
	ASSERT_EQ(OK, aclrtMemMapNoAccess(self->range + 6 * GRANULE, GRANULE, 0, handle, 0));
	refuse_copies(_metadata, self, self->range + 5 * GRANULE, self->host, 64, "unmapped");
	refuse_copies(_metadata, self, self->range + 6 * GRANULE, self->host, 64, "no access yet");
	refuse_copies(_metadata, self, self->host, self->range + 6 * GRANULE, 64, "no access yet");
	REFUSED(PARAM_INVALID, aclrtMemset, self->range + 6 * GRANULE, GRANULE, 1, 1);
	ASSERT_EQ(OK, aclrtUnmapMem(self->range + 6 * GRANULE));
	ASSERT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_TRUE(unchanged(self));

	/* With the device's reset all goes but the addresses. */
	ASSERT_EQ(OK, aclrtResetDeviceForce(0));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtCreateStream(&self->stream));
	refuse_copies(_metadata, self, self->good.address, self->host, 64, "reset");
	refuse_copies(_metadata, self, self->host, self->range, ROOM, "reset");
	REFUSED(PARAM_INVALID, aclrtMemset, self->good.address, GRANULE, 1, 1);
	EXPECT_EQ(-1, pattern_verify(self->host, SPACE, 98));
}

TEST_HARNESS_MAIN
