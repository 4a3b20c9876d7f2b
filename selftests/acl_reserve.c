// SPDX-License-Identifier: MIT
/* Reserved addresses: alignment, wishes, release, exhaustion. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(reserve)
{
	struct watch watch;
	int reservations;
};

FIXTURE_SETUP(reserve)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	self->reservations = acl_count_reservations();
}

FIXTURE_TEARDOWN(reserve)
{
	EXPECT_EQ(self->reservations, acl_count_reservations());
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Free address space of @size bytes, aligned: what a program might wish for. */
static void *free_space(size_t size, size_t alignment)
{
	__u64 address;

	if (find_space(size, alignment, &address))
		return NULL;
	munmap(to_ptr(address), size);
	return to_ptr(address);
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_result_is_aligned, 180)
{
	const size_t sizes[] = {
		1, 4096, 2 * MIB, 2 * MIB + 1, 6 * MIB, GIB - 1, GIB, GIB + 1, 8 * GIB,
		256 * GIB,
	};
	void *address;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ASSERT_EQ(OK, aclrtReserveMemAddress(&address, sizes[i], 0, NULL, i & 1));
		EXPECT_EQ(0, to_u64(address) % (sizes[i] >= GIB ? GIB : 2 * MIB))
			TH_LOG("%p for %zu bytes", address, sizes[i]);
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(address)));
		EXPECT_EQ(SIGSEGV, store_signal(to_u64(address) + sizes[i] - 1));
		EXPECT_EQ(OK, aclrtReleaseMemAddress(address));
	}
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_takes_no_memory_and_one_vma, 180)
{
	void *address[64];
	int i;

	for (i = 0; i < 64; i++) {
		ASSERT_EQ(OK, aclrtReserveMemAddress(&address[i], GIB, 0, NULL, 0));
		EXPECT_GE(self->reservations + i + 1, acl_count_reservations());
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	for (i = 0; i < 64; i++)
		EXPECT_EQ(OK, aclrtReleaseMemAddress(address[i]));
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_of_bad_arguments, 180)
{
	void *address = GARBAGE;

	REFUSED(INVALID_PARAM, aclrtReserveMemAddress, NULL, SIZE, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddress, &address, 0, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddress, &address, SIZE, 0, NULL, 2);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddress, &address, SIZE, 0, NULL, 3);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddress, &address, SIZE, 0, NULL, 1UL << 63);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 1, NULL, 0);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 2 * MIB, NULL, 0);
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &address, 1UL << 48, 0, NULL, 0);
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &address, 1UL << 63, 0, NULL, 0);
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &address, SIZE_MAX, 0, NULL, 0);
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &address, SIZE_MAX - 2 * MIB, 0, NULL, 0);
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &address, SIZE_MAX - GIB, 0, NULL, 1);
	EXPECT_EQ(GARBAGE, address);
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_at_a_wished_address, 180)
{
	const struct {
		size_t size, alignment;
	} good[] = {
		{ 1, 2 * MIB }, { 2 * MIB, 2 * MIB }, { 2 * MIB + 1, 4 * MIB },
		{ 6 * MIB, 8 * MIB }, { 64 * MIB, 64 * MIB }, { 512 * MIB, 512 * MIB },
		{ 512 * MIB + 1, GIB }, { 3 * GIB, GIB },
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		/* Aligned to what is asked for, and to nothing larger. */
		char *place = free_space(2 * GIB + good[i].size, 2 * GIB);
		char *wish = place + good[i].alignment;
		void *address = GARBAGE;

		ASSERT_NE(NULL, place);
		EXPECT_EQ(OK, aclrtReserveMemAddress(&address, good[i].size, 0, wish, 0))
			TH_LOG("%zu bytes at %p: %s", good[i].size, wish, aclGetRecentErrMsg());
		EXPECT_EQ(wish, address);
		if (address != GARBAGE)
			EXPECT_EQ(OK, aclrtReleaseMemAddress(address));
		if (good[i].alignment == 2 * MIB)
			continue;
		address = GARBAGE;
		REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, good[i].size, 0,
			place + good[i].alignment / 2, 0);
		EXPECT_EQ(GARBAGE, address);
	}
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_where_it_is_misaligned_or_taken, 180)
{
	char *place = free_space(64 * MIB, 64 * MIB), *taken;
	void *address = GARBAGE, *first;

	ASSERT_NE(NULL, place);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 0, place + 4096, 0);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 0, place + 1, 0);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 0, place + 2 * MIB, 0);
	/* By memory of the program: that must not be lost. */
	taken = mmap(place + 2 * MIB, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(place + 2 * MIB, taken);
	memset(taken, 5, 4096);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 0, place, 0);
	EXPECT_EQ(-1, bytes_differ(taken, 4096, 5));
	munmap(taken, 4096);
	/* By another reservation. */
	ASSERT_EQ(OK, aclrtReserveMemAddress(&first, SIZE, 0, place, 0));
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 0, place, 0);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(first));
	EXPECT_EQ(OK, aclrtReserveMemAddress(&first, SIZE, 0, place, 0));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(first));
	/* No address of a process at all. */
	REFUSED(PARAM_INVALID, aclrtReserveMemAddress, &address, SIZE, 0, (void *)-(64 * MIB), 0);
	EXPECT_EQ(GARBAGE, address);
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddressNoUCMemory, 180)
{
	const size_t uneven[] = { 1, 2 * MIB, GIB - 1, GIB + 1, GIB + 2 * MIB };
	char *place = free_space(4 * GIB, 2 * GIB);
	void *address = GARBAGE, *other;
	size_t i;
	int flags;

	ASSERT_NE(NULL, place);
	REFUSED(NOT_SUPPORTED, aclrtReserveMemAddressNoUCMemory, &address, GIB, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddressNoUCMemory, NULL, GIB, 0, place, 0);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddressNoUCMemory, &address, 0, 0, place, 0);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddressNoUCMemory, &address, GIB, 0, place, 2);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddressNoUCMemory, &address, GIB, GIB, place, 0);
	for (i = 0; i < sizeof(uneven) / sizeof(uneven[0]); i++)
		REFUSED(PARAM_INVALID, aclrtReserveMemAddressNoUCMemory, &address, uneven[i], 0,
			place, 0);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddressNoUCMemory, &address, GIB, 0,
		place + GIB / 2, 0);
	REFUSED(PARAM_INVALID, aclrtReserveMemAddressNoUCMemory, &address, GIB, 0,
		(void *)-GIB, 0);
	EXPECT_EQ(GARBAGE, address);
	for (flags = 0; flags < 2; flags++) {
		ASSERT_EQ(OK, aclrtReserveMemAddressNoUCMemory(&address, 2 * GIB, 0, place,
							       flags));
		EXPECT_EQ(place, address);
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(place)));
		other = GARBAGE;
		REFUSED(PARAM_INVALID, aclrtReserveMemAddressNoUCMemory, &other, GIB, 0,
			place + GIB, 0);
		EXPECT_EQ(GARBAGE, other);
		EXPECT_EQ(OK, aclrtReleaseMemAddress(address));
	}
}

TEST_F_TIMEOUT(reserve, aclrtReleaseMemAddress_takes_starts_of_reservations_only, 180)
{
	char *address;

	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&address, SIZE, 0, NULL, 0));
	REFUSED(INVALID_PARAM, aclrtReleaseMemAddress, NULL);
	REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, address + 2 * MIB);
	REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, address + 1);
	REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, &address);
	REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, GARBAGE);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(address));
	REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, address);
}

TEST_F_TIMEOUT(reserve, aclrtReleaseMemAddress_while_mapped_changes_nothing, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	pattern_mark(mapping.address, SIZE, 1);
	REFUSED(DRIVER_ERROR, aclrtReleaseMemAddress, mapping.address);
	EXPECT_EQ(-1, pattern_check(mapping.address, SIZE, 1));
	/* The handle does not matter, the mapping does. */
	ASSERT_EQ(OK, aclrtFreePhysical(mapping.handle));
	REFUSED(DRIVER_ERROR, aclrtReleaseMemAddress, mapping.address);
	ASSERT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
}

TEST_F_TIMEOUT(reserve, aclrtReleaseMemAddress_before_or_after_freeing_the_memory, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	EXPECT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
	EXPECT_EQ(OK, aclrtFreePhysical(mapping.handle));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	EXPECT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_EQ(OK, aclrtFreePhysical(mapping.handle));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_rounds_the_size_up_to_2_MiB, 180)
{
	struct acl_mapping mapping;
	char *address;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, 2 * MIB));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&address, 512, 0, NULL, 0));
	EXPECT_EQ(OK, aclrtMapMem(address, 2 * MIB, 0, mapping.handle, 0));
	EXPECT_EQ(0, store_signal(to_u64(address) + 2 * MIB - 1));
	EXPECT_EQ(OK, aclrtUnmapMem(address));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(address));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&address, 2 * MIB + 1, 0, NULL, 0));
	EXPECT_EQ(OK, aclrtMapMem(address + 2 * MIB, 2 * MIB, 0, mapping.handle, 0));
	EXPECT_EQ(OK, aclrtUnmapMem(address + 2 * MIB));
	REFUSED(DRIVER_ERROR, aclrtMapMem, address + SIZE, 2 * MIB, 0, mapping.handle, 0);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(address));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_of_one_range_for_many_segments, 180)
{
	enum { SEGMENTS = 24 };
	aclrtDrvMemHandle handle[SEGMENTS];
	aclrtPhysicalMemProp prop = acl_memory(0);
	const size_t segment = 20 * MIB;
	char *range;
	void *base;
	size_t size;
	int i;

	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&range, 8 * GIB, 0, NULL, 1));
	for (i = 0; i < SEGMENTS; i++) {
		ASSERT_EQ(OK, aclrtMallocPhysical(&handle[i], segment, &prop, 0));
		ASSERT_EQ(OK, aclrtMapMem(range + i * segment, segment, 0, handle[i], 0));
		pattern_mark(range + i * segment, segment, i);
	}
	EXPECT_GE(self->reservations + 1, acl_count_reservations());
	for (i = 0; i < SEGMENTS; i++) {
		EXPECT_EQ(-1, pattern_check(range + i * segment, segment, i));
		EXPECT_EQ(OK, aclrtMemGetAddressRange(range + i * segment + 12345, &base, &size));
		EXPECT_EQ(range + i * segment, base);
		EXPECT_EQ(segment, size);
	}
	/* Every other one goes, and the others do not notice. */
	for (i = 0; i < SEGMENTS; i += 2)
		EXPECT_EQ(OK, aclrtUnmapMem(range + i * segment));
	for (i = 1; i < SEGMENTS; i += 2)
		EXPECT_EQ(-1, pattern_check(range + i * segment, segment, i));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(range)));
	for (i = 1; i < SEGMENTS; i += 2)
		EXPECT_EQ(OK, aclrtUnmapMem(range + i * segment));
	for (i = 0; i < SEGMENTS; i++)
		EXPECT_EQ(OK, aclrtFreePhysical(handle[i]));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(range));
}

TEST_F_TIMEOUT(reserve, aclrtReserveMemAddress_until_no_address_space_is_left, 180)
{
	const size_t size = 1UL << 42;
	void *address[64];
	int n = 0, i;
	aclError error;

	while (n < 64 && !(error = aclrtReserveMemAddress(&address[n], size, 0, NULL, 0)))
		n++;
	ASSERT_GT(64, n);
	EXPECT_EQ(OUT_OF_MEMORY, error);
	EXPECT_TRUE(acl_message_names("aclrtReserveMemAddress"));
	EXPECT_LT(16, n);
	for (i = 0; i < n; i++)
		EXPECT_EQ(OK, aclrtReleaseMemAddress(address[i]));
	EXPECT_EQ(OK, aclrtReserveMemAddress(&address[0], size, 0, NULL, 0));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(address[0]));
}

TEST_F_TIMEOUT(reserve, fork_leaves_the_child_the_addresses_free, 180)
{
	struct acl_mapping mapping;
	void *wish, *address;
	int status;
	pid_t pid;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	wish = mapping.address;
	pid = fork();
	if (!pid) {
		/* Nothing is there, so that the child may even have the same place. */
		if (load_signal(to_u64(wish)) != SIGSEGV)
			_exit(1);
		if (aclInit(NULL) || aclrtSetDevice(0))
			_exit(2);
		if (aclrtReserveMemAddress(&address, SIZE, 0, NULL, 0))
			_exit(3);
		_exit(aclrtReleaseMemAddress(address) ? 4 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

TEST_HARNESS_MAIN
