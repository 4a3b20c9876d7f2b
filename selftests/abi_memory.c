// SPDX-License-Identifier: MIT
/* Memory and the handles that hold it: capacity, contents, lifetime. */
#include "kselftest_harness.h"
#include "npumem_abi.h"

FIXTURE(memory) {
	int fd;
	__u64 used[2];
};

FIXTURE_SETUP(memory)
{
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used[0] = npumem_used(self->fd, 0);
	self->used[1] = npumem_used(self->fd, 1);
}

FIXTURE_TEARDOWN(memory)
{
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 3000));
	EXPECT_TRUE(npumem_used_becomes(self->fd, 1, self->used[1], 3000));
	close(self->fd);
}

TEST_F(memory, handle_carries_the_clients_tag)
{
	struct npumem_query query;
	__u64 handle;

	ASSERT_EQ(0, npumem_query(self->fd, &query));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	EXPECT_EQ(query.handle_tag, handle >> 32);
	EXPECT_NE(0, (__u32)handle);
}

TEST_F(memory, used_counts_to_the_byte)
{
	const __u64 lengths[] = { 1, 4096, G - 1, G, G + 1, 3 * G - 4096,
		5 * G, 7 * MIB };
	__u64 handles[ARRAY_SIZE(lengths)], used = self->used[0];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		__u64 got, rounded = (lengths[i] + G - 1) & ~(G - 1);
		struct npumem_memory_info info;

		ASSERT_EQ(0, npumem_alloc_flags(self->fd, 0, lengths[i], 0,
						&handles[i], &got));
		EXPECT_EQ(rounded, got);
		used += rounded;
		EXPECT_EQ(used, npumem_used(self->fd, 0));
		EXPECT_EQ(self->used[1], npumem_used(self->fd, 1));
		ASSERT_EQ(0, npumem_memory_info(self->fd, handles[i], &info));
		EXPECT_EQ(lengths[i], info.requested);
		EXPECT_EQ(rounded, info.length);
	}
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		used -= (lengths[i] + G - 1) & ~(G - 1);
		EXPECT_EQ(0, npumem_free(self->fd, handles[i]));
		EXPECT_EQ(used, npumem_used(self->fd, 0));
	}
}

TEST_F(memory, info_tells_what_was_given)
{
	struct npumem_alloc argument = {
		.size = sizeof(argument),
		.location_type = NPUMEM_LOCATION_DEVICE,
		.location_id = 1,
		.attr = 0xabcd1234,
		.length = 3 * MIB,
	};
	struct npumem_memory_info info;

	ASSERT_EQ(0, npumem_call(self->fd, NPUMEM_ALLOC, &argument));
	EXPECT_EQ(4 * MIB, argument.length);
	ASSERT_EQ(0, npumem_memory_info(self->fd, argument.handle, &info));
	EXPECT_EQ(argument.handle, info.handle);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(NPUMEM_LOCATION_DEVICE, info.location_type);
	EXPECT_EQ(1, info.location_id);
	EXPECT_EQ(0xabcd1234, info.attr);
	EXPECT_EQ(1, info.device);
	EXPECT_EQ(3 * MIB, info.requested);
	EXPECT_EQ(4 * MIB, info.length);
	EXPECT_EQ(1, info.references);
	EXPECT_EQ(0, info.__reserved);
	ASSERT_EQ(0, npumem_export(self->fd, argument.handle, 0, NULL));
	ASSERT_EQ(0, npumem_memory_info(self->fd, argument.handle, &info));
	EXPECT_EQ(NPUMEM_MEMORY_EXPORTED, info.flags);
}

TEST_F(memory, double_free_is_enoent)
{
	struct npumem_memory_info info;
	__u64 handle, other;

	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &other));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(-ENOENT, npumem_free(self->fd, handle));
	EXPECT_EQ(-ENOENT, npumem_memory_info(self->fd, handle, &info));
	EXPECT_EQ(-ENOENT, npumem_export(self->fd, handle, 0, NULL));
	EXPECT_EQ(0, npumem_memory_info(self->fd, other, &info));
	EXPECT_EQ(self->used[0] + G, npumem_used(self->fd, 0));
}

TEST_F(memory, numbers_are_not_used_again_soon)
{
	__u64 first, handle;
	int i;

	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &first));
	ASSERT_EQ(0, npumem_free(self->fd, first));
	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
		EXPECT_NE(first, handle);
		ASSERT_EQ(0, npumem_free(self->fd, handle));
	}
	EXPECT_EQ(-ENOENT, npumem_free(self->fd, first));
}

TEST_F(memory, number_that_was_not_given_is_enoent)
{
	struct npumem_memory_info info;
	__u64 handles[3], number;
	__u32 i, found = 0;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handles[i]));
	/* Near those that were: what keeps them may have entries of its own. */
	for (i = 0; i < 1024; i++) {
		number = (handles[0] & ~(__u64)~0U) | i;
		if (!npumem_memory_info(self->fd, number, &info)) {
			found++;
			continue;
		}
		EXPECT_EQ(-ENOENT, npumem_memory_info(self->fd, number, &info));
		EXPECT_EQ(-ENOENT, npumem_export(self->fd, number, 0, NULL));
		EXPECT_EQ(-ENOENT, npumem_free(self->fd, number));
	}
	EXPECT_EQ(3, found);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, npumem_free(self->fd, handles[i]));
}

TEST_F(memory, handle_of_another_client_is_enoent)
{
	struct npumem_memory_info info;
	struct npumem_query query;
	int other = npumem_open();
	__u64 handle;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	EXPECT_EQ(-ENOENT, npumem_memory_info(other, handle, &info));
	EXPECT_EQ(-ENOENT, npumem_free(other, handle));
	/* Nor does the number help under the other one's tag. */
	ASSERT_EQ(0, npumem_query(other, &query));
	handle = (__u64)query.handle_tag << 32 | (__u32)handle;
	EXPECT_EQ(-ENOENT, npumem_free(other, handle));
	EXPECT_EQ(-ENOENT, npumem_free(self->fd, handle));
	close(other);
}

TEST_F_TIMEOUT(memory, capacity_is_exact, 120)
{
	__u64 capacity = npumem_capacity(self->fd, 1);
	__u64 available = npumem_free_bytes(self->fd, 1), handle, rest;

	EXPECT_EQ(0, capacity % G);
	EXPECT_EQ(capacity, available + self->used[1]);
	EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, 1, available + 1, NULL));
	EXPECT_EQ(self->used[1], npumem_used(self->fd, 1));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, available - G, &handle));
	EXPECT_EQ(G, npumem_free_bytes(self->fd, 1));
	EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, 1, G + 1, NULL));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, 1, &rest));
	EXPECT_EQ(0, npumem_free_bytes(self->fd, 1));
	EXPECT_EQ(capacity, npumem_used(self->fd, 1));
	EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, 1, 1, NULL));
	/* The other device has its own. */
	EXPECT_EQ(self->used[0], npumem_used(self->fd, 0));
	EXPECT_EQ(0, npumem_free(self->fd, rest));
	EXPECT_EQ(G, npumem_free_bytes(self->fd, 1));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &rest));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(0, npumem_free(self->fd, rest));
	EXPECT_EQ(self->used[1], npumem_used(self->fd, 1));
}

TEST_F_TIMEOUT(memory, all_of_it_in_pieces, 120)
{
	__u64 available = npumem_free_bytes(self->fd, 1);
	__u64 pieces = available / (16 * G), i, *handles;

	handles = calloc(pieces, sizeof(*handles));
	ASSERT_NE(NULL, handles);
	for (i = 0; i < pieces; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 1, 16 * G, &handles[i]));
	EXPECT_EQ(available - pieces * 16 * G, npumem_free_bytes(self->fd, 1));
	EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, 1, 16 * G, NULL));
	for (i = 0; i < pieces; i++)
		EXPECT_EQ(0, npumem_free(self->fd, handles[i]));
	EXPECT_EQ(available, npumem_free_bytes(self->fd, 1));
	free(handles);
}

TEST_F_TIMEOUT(memory, reads_as_zeros_after_dirty_free, 120)
{
	const __u64 length = 48 * MIB;
	int round;

	for (round = 0; round < 6; round++) {
		__u64 handle, address;

		ASSERT_EQ(0, npumem_new_mapping(self->fd, round & 1, length,
						&handle, &address));
		ASSERT_EQ(-1, bytes_differ(to_ptr(address), length, 0)) {
			TH_LOG("round %d", round);
		}
		memset(to_ptr(address), 0xc3, length);
		ASSERT_EQ(0, npumem_unmap(self->fd, address));
		ASSERT_EQ(0, npumem_release(self->fd, address));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
	}
}

TEST_F(memory, rest_of_the_last_granule_reads_as_zeros)
{
	__u64 handle, address;

	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G + 100, &handle));
	ASSERT_EQ(0, npumem_reserve(self->fd, 2 * G, &address));
	ASSERT_EQ(0, npumem_map(self->fd, address, G + 100, handle));
	EXPECT_EQ(-1, bytes_differ(to_ptr(address), 2 * G, 0));
	memset(to_ptr(address), 1, 2 * G);
	ASSERT_EQ(0, munmap(to_ptr(address), 2 * G));
}

TEST_F(memory, close_gives_all_back)
{
	__u64 used, handle;
	int other = npumem_open(), i;

	ASSERT_LE(0, other);
	for (i = 0; i < 32; i++)
		ASSERT_EQ(0, npumem_alloc(other, i & 1, G, &handle));
	used = npumem_used(self->fd, 0);
	EXPECT_EQ(self->used[0] + 16 * G, used);
	close(other);
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 1000));
	EXPECT_TRUE(npumem_used_becomes(self->fd, 1, self->used[1], 1000));
}

/* Populated at once, and huge unless the kernel or the module's root says no. */
#define EXPECT_MAPPED(length) do {					\
	bool huge = huge_entries_fit() && npumem_parameter("pmd_entries");	\
									\
	EXPECT_EQ(0, npumem_stats(self->fd, &stats));			\
	EXPECT_EQ(huge ? (length) / G : 0, stats.pmd_entries);		\
	EXPECT_EQ(huge ? 0 : (length) / page_bytes(), stats.pte_entries);	\
} while (0)

TEST_F_TIMEOUT(memory, gigabyte_granule, 120)
{
	struct npumem_stats stats;
	__u64 handle, got, address;

	if (npumem_free_bytes(self->fd, 0) < GIB)
		SKIP(return, "device 0 has less than 1 GiB");
	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 0, 5, NPUMEM_ALLOC_1G,
					&handle, &got));
	EXPECT_EQ(GIB, got);
	EXPECT_EQ(self->used[0] + GIB, npumem_used(self->fd, 0));
	ASSERT_EQ(0, npumem_reserve(self->fd, GIB, &address));
	ASSERT_EQ(0, npumem_map(self->fd, address, GIB, handle));
	/* It is a granule of its own, but no entry: those are what others have. */
	EXPECT_MAPPED(GIB);
	pattern_mark(to_ptr(address), GIB, 77);
	EXPECT_EQ(-1, pattern_check(to_ptr(address), GIB, 77));
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(self->used[0], npumem_used(self->fd, 0));
}

/* Counters of the client follow what it does. */
TEST_F(memory, statistics_add_up)
{
	struct npumem_stats stats;
	__u64 handle, other, address;

	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.handles);
	EXPECT_EQ(0, stats.reservations);
	EXPECT_EQ(0, stats.mappings);
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, 4 * G, &handle, &address));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &other));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(2, stats.handles);
	EXPECT_EQ(0, stats.imports);
	EXPECT_EQ(1, stats.reservations);
	EXPECT_EQ(1, stats.mappings);
	EXPECT_EQ(4 * G, stats.reserved_bytes);
	EXPECT_EQ(4 * G, stats.mapped_bytes);
	EXPECT_MAPPED(4 * G);
	ASSERT_EQ(0, npumem_unmap(self->fd, address));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(1, stats.handles);
	EXPECT_EQ(1, stats.reservations);
	EXPECT_EQ(0, stats.mappings);
	EXPECT_EQ(0, stats.mapped_bytes);
	ASSERT_EQ(0, npumem_release(self->fd, address));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.reservations);
	EXPECT_EQ(0, stats.reserved_bytes);
}

TEST_HARNESS_MAIN
