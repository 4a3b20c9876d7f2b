// SPDX-License-Identifier: MIT
/* Reservations and the mappings in them. */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#define MANY	4096

FIXTURE(map) {
	int fd;
	__u64 used[2];
	__u64 base;		/* a reservation of 16 MiB */
	__u64 a, b;		/* handles of 2 MiB on device 0 */
	__u64 big;		/* 4 MiB on device 0 */
	__u64 foreign;		/* 2 MiB on device 1 */
};

FIXTURE_SETUP(map)
{
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used[0] = npumem_used(self->fd, 0);
	self->used[1] = npumem_used(self->fd, 1);
	ASSERT_EQ(0, npumem_reserve(self->fd, 8 * G, &self->base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->a));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->b));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, 2 * G, &self->big));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &self->foreign));
}

/* Whatever the test left, munmap() and close() give it all back. */
FIXTURE_TEARDOWN(map)
{
	munmap(to_ptr(self->base), 8 * G);
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 3000));
	EXPECT_TRUE(npumem_used_becomes(self->fd, 1, self->used[1], 3000));
	close(self->fd);
}

#define AT(granule)	(self->base + (granule) * G)

TEST_F(map, is_readable_and_writable_at_once)
{
	struct npumem_stats before, after;

	ASSERT_EQ(0, npumem_map(self->fd, AT(0), 2 * G, self->big));
	ASSERT_EQ(0, npumem_stats(self->fd, &before));
	pattern_fill(to_ptr(AT(0)), 2 * G, 3);
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(0)), 2 * G, 3));
	/* It was populated: touching every page took no fault. */
	ASSERT_EQ(0, npumem_stats(self->fd, &after));
	EXPECT_EQ(before.faults, after.faults);
	EXPECT_EQ(before.pmd_entries, after.pmd_entries);
	EXPECT_EQ(before.pte_entries, after.pte_entries);
}

TEST_F(map, memory_at_several_addresses_is_one)
{
	__u64 second;

	ASSERT_EQ(0, npumem_reserve(self->fd, 2 * G, &second));
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), 2 * G, self->big));
	ASSERT_EQ(0, npumem_map(self->fd, AT(5), 2 * G, self->big));
	ASSERT_EQ(0, npumem_map(self->fd, second, 2 * G, self->big));
	pattern_fill(to_ptr(AT(0)), 2 * G, 11);
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(5)), 2 * G, 11));
	pattern_fill(to_ptr(second), 2 * G, 12);
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(0)), 2 * G, 12));
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(SIGSEGV, load_signal(AT(0)));
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(5)), 2 * G, 12));
	ASSERT_EQ(0, npumem_unmap(self->fd, second));
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(5)), 2 * G, 12));
	ASSERT_EQ(0, npumem_release(self->fd, second));
}

TEST_F(map, nothing_mapped_is_sigsegv)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		EXPECT_EQ(SIGSEGV, load_signal(AT(i)));
		EXPECT_EQ(SIGSEGV, store_signal(AT(i) + G - 1));
	}
	ASSERT_EQ(0, npumem_map(self->fd, AT(3), G, self->a));
	EXPECT_EQ(SIGSEGV, load_signal(AT(3) - 1));
	EXPECT_EQ(SIGSEGV, store_signal(AT(4)));
	EXPECT_EQ(0, load_signal(AT(3)));
	EXPECT_EQ(0, store_signal(AT(4) - 1));
}

TEST_F(map, overlap_is_eexist)
{
	ASSERT_EQ(0, npumem_map(self->fd, AT(2), 2 * G, self->big));
	EXPECT_EQ(-EEXIST, npumem_map(self->fd, AT(2), G, self->a));
	EXPECT_EQ(-EEXIST, npumem_map(self->fd, AT(3), G, self->a));
	EXPECT_EQ(-EEXIST, npumem_map(self->fd, AT(1), 2 * G, self->big));
	EXPECT_EQ(-EEXIST, npumem_map(self->fd, AT(3), 2 * G, self->big));
	EXPECT_EQ(0, npumem_map(self->fd, AT(1), G, self->a));
	EXPECT_EQ(0, npumem_map(self->fd, AT(4), G, self->b));
}

TEST_F(map, not_inside_one_reservation_is_eaddrnotavail)
{
	__u64 space, first, second;

	/* Two reservations that touch are still two. */
	ASSERT_EQ(0, find_space(2 * G, G, &space));
	ASSERT_EQ(0, npumem_mmap(self->fd, to_ptr(space), G,
				 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 0, &first));
	ASSERT_EQ(0, npumem_mmap(self->fd, to_ptr(space + G), G,
				 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 0, &second));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, first, 2 * G,
					     self->big));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, second, 2 * G,
					     self->big));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, AT(7), 2 * G,
					     self->big));
	EXPECT_EQ(0, npumem_map(self->fd, first, G, self->a));
	EXPECT_EQ(0, npumem_map(self->fd, second, G, self->b));
	EXPECT_EQ(-EBUSY, npumem_release(self->fd, first));
	EXPECT_EQ(0, npumem_unmap(self->fd, first));
	EXPECT_EQ(0, npumem_release(self->fd, first));
	EXPECT_EQ(0, load_signal(second));
	EXPECT_EQ(0, munmap(to_ptr(second), G));
}

TEST_F(map, reservation_of_another_client_is_not_ours)
{
	int other = npumem_open();
	__u64 theirs;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, npumem_reserve(other, G, &theirs));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, theirs, G, self->a));
	EXPECT_EQ(-ENOENT, npumem_release(self->fd, theirs));
	EXPECT_EQ(-ENOENT, npumem_map(other, theirs, G, self->a));
	EXPECT_EQ(0, npumem_release(other, theirs));
	close(other);
}

TEST_F(map, reservation_keeps_its_device)
{
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), G, self->a));
	EXPECT_EQ(-EXDEV, npumem_map(self->fd, AT(1), G, self->foreign));
	/* Until it is released, not until it is empty. */
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(-EXDEV, npumem_map(self->fd, AT(0), G, self->foreign));
	ASSERT_EQ(0, npumem_release(self->fd, self->base));
	ASSERT_EQ(0, npumem_reserve(self->fd, 8 * G, &self->base));
	EXPECT_EQ(0, npumem_map(self->fd, AT(0), G, self->foreign));
	EXPECT_EQ(-EXDEV, npumem_map(self->fd, AT(1), G, self->a));
}

TEST_F(map, failed_map_does_not_choose_the_device)
{
	EXPECT_EQ(-ERANGE, npumem_map(self->fd, AT(0), G, self->big));
	EXPECT_EQ(-EOVERFLOW, npumem_map(self->fd, AT(0), 2 * G, self->a));
	EXPECT_EQ(0, npumem_map(self->fd, AT(0), G, self->foreign));
}

TEST_F(map, mapping_holds_freed_memory)
{
	__u64 used = npumem_used(self->fd, 0);

	ASSERT_EQ(0, npumem_map(self->fd, AT(0), G, self->a));
	ASSERT_EQ(0, npumem_map(self->fd, AT(2), G, self->a));
	pattern_fill(to_ptr(AT(0)), G, 21);
	ASSERT_EQ(0, npumem_free(self->fd, self->a));
	EXPECT_EQ(used, npumem_used(self->fd, 0));
	EXPECT_EQ(-ENOENT, npumem_map(self->fd, AT(4), G, self->a));
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(2)), G, 21));
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(used, npumem_used(self->fd, 0));
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(2)), G, 21));
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(2)));
	EXPECT_EQ(used - G, npumem_used(self->fd, 0));
}

TEST_F(map, unmap_inside_or_twice_is_enoent)
{
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), 2 * G, self->big));
	pattern_fill(to_ptr(AT(0)), 2 * G, 4);
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, AT(1)));
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, AT(0) + 4096));
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, AT(2)));
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(0)), 2 * G, 4));
	EXPECT_EQ(0, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(SIGSEGV, load_signal(AT(0)));
	EXPECT_EQ(SIGSEGV, store_signal(AT(1)));
}

TEST_F(map, contents_stay_while_unmapped)
{
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), 2 * G, self->big));
	pattern_fill(to_ptr(AT(0)), 2 * G, 5);
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(0)));
	ASSERT_EQ(0, npumem_map(self->fd, AT(3), 2 * G, self->big));
	EXPECT_EQ(-1, pattern_verify(to_ptr(AT(3)), 2 * G, 5));
}

TEST_F(map, another_memory_at_the_same_address)
{
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, npumem_map(self->fd, AT(1), G,
					i & 1 ? self->b : self->a));
		if (i > 1)
			ASSERT_EQ(-1, pattern_check(to_ptr(AT(1)), G, i & 1));
		pattern_mark(to_ptr(AT(1)), G, i & 1);
		ASSERT_EQ(0, npumem_unmap(self->fd, AT(1)));
	}
}

TEST_F(map, release_while_mapped_is_ebusy)
{
	ASSERT_EQ(0, npumem_map(self->fd, AT(7), G, self->a));
	pattern_mark(to_ptr(AT(7)), G, 9);
	EXPECT_EQ(-EBUSY, npumem_release(self->fd, self->base));
	EXPECT_EQ(-ENOENT, npumem_release(self->fd, AT(7)));
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(7)), G, 9));
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(7)));
	EXPECT_EQ(0, npumem_release(self->fd, self->base));
	EXPECT_EQ(-ENOENT, npumem_release(self->fd, self->base));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, AT(7), G, self->a));
}

TEST_F(map, release_gives_the_addresses_back)
{
	void *p;

	ASSERT_EQ(0, npumem_release(self->fd, self->base));
	p = mmap(to_ptr(self->base), 8 * G, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	EXPECT_EQ(to_ptr(self->base), p);
}

TEST_F(map, munmap_removes_reservation_and_mappings)
{
	struct npumem_stats stats;
	__u64 used;

	ASSERT_EQ(0, npumem_map(self->fd, AT(0), G, self->a));
	ASSERT_EQ(0, npumem_map(self->fd, AT(1), 2 * G, self->big));
	ASSERT_EQ(0, npumem_free(self->fd, self->a));
	used = npumem_used(self->fd, 0);
	ASSERT_EQ(0, munmap(to_ptr(self->base), 8 * G));
	EXPECT_EQ(used - G, npumem_used(self->fd, 0));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.reservations);
	EXPECT_EQ(0, stats.mappings);
	EXPECT_EQ(0, stats.mapped_bytes);
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, AT(1)));
	EXPECT_EQ(-ENOENT, npumem_release(self->fd, self->base));
	EXPECT_EQ(SIGSEGV, load_signal(AT(0)));
}

TEST_F(map, range_tells_the_mapping)
{
	struct npumem_range range;

	ASSERT_EQ(0, npumem_map(self->fd, AT(2), 2 * G, self->big));
	ASSERT_EQ(0, npumem_range(self->fd, AT(3) + 12345, &range));
	EXPECT_EQ(AT(2), range.address);
	EXPECT_EQ(2 * G, range.length);
	EXPECT_EQ(0, range.device);
	EXPECT_EQ(NPUMEM_LOCATION_DEVICE, range.location_type);
	EXPECT_EQ(0, range.location_id);
	EXPECT_EQ(-ENOENT, npumem_range(self->fd, AT(1), &range));
	EXPECT_EQ(-ENOENT, npumem_range(self->fd, AT(4), &range));
}

TEST_F(map, retain_gives_the_handle_again)
{
	struct npumem_memory_info info;
	__u64 handle, used = npumem_used(self->fd, 0);

	ASSERT_EQ(0, npumem_map(self->fd, AT(0), 2 * G, self->big));
	ASSERT_EQ(0, npumem_retain(self->fd, AT(0), &handle));
	EXPECT_EQ(self->big, handle);
	ASSERT_EQ(0, npumem_memory_info(self->fd, handle, &info));
	EXPECT_EQ(2, info.references);
	EXPECT_EQ(-ENOENT, npumem_retain(self->fd, AT(1), &handle));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(-ENOENT, npumem_free(self->fd, handle));
	/* All references gone: a new handle, of the same memory. */
	pattern_mark(to_ptr(AT(0)), 2 * G, 8);
	ASSERT_EQ(0, npumem_retain(self->fd, AT(0), &handle));
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(used, npumem_used(self->fd, 0));
	ASSERT_EQ(0, npumem_map(self->fd, AT(4), 2 * G, handle));
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(4)), 2 * G, 8));
}

TEST_F(map, reset_drops_what_a_device_has)
{
	struct npumem_stats stats;
	__u64 other;

	ASSERT_EQ(0, npumem_reserve(self->fd, G, &other));
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), G, self->a));
	ASSERT_EQ(0, npumem_map(self->fd, other, G, self->foreign));
	ASSERT_EQ(0, npumem_peer_enable(self->fd, 0, 1));
	pattern_mark(to_ptr(other), G, 6);
	ASSERT_EQ(0, npumem_reset(self->fd, 0));
	EXPECT_EQ(self->used[0], npumem_used(self->fd, 0));
	EXPECT_EQ(self->used[1] + G, npumem_used(self->fd, 1));
	EXPECT_EQ(SIGSEGV, load_signal(AT(0)));
	EXPECT_EQ(-1, pattern_check(to_ptr(other), G, 6));
	EXPECT_EQ(-ENOENT, npumem_free(self->fd, self->a));
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, AT(0)));
	EXPECT_EQ(-ENOENT, npumem_peer_disable(self->fd, 0, 1));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(2, stats.reservations);
	EXPECT_EQ(1, stats.mappings);
	EXPECT_EQ(1, stats.handles);
	EXPECT_EQ(0, npumem_reset(self->fd, 0));
	EXPECT_EQ(0, npumem_release(self->fd, self->base));
	EXPECT_EQ(0, munmap(to_ptr(other), G));
}

static long count_descriptors(void)
{
	long count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

TEST_F_TIMEOUT(map, mappings_add_no_vma_and_no_descriptor, 120)
{
	long vmas, descriptors = count_descriptors();
	struct npumem_stats stats;
	__u64 base, i;

	ASSERT_EQ(0, npumem_reserve(self->fd, MANY * G, &base));
	vmas = count_vmas();
	/* One granule of memory, seen 4,096 times. */
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, npumem_map(self->fd, base + i * G, G, self->a)) {
			TH_LOG("mapping %llu", i);
		}
	EXPECT_EQ(vmas, count_vmas());
	EXPECT_EQ(descriptors, count_descriptors());
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(MANY, stats.mappings);
	EXPECT_EQ(MANY * G, stats.mapped_bytes);
	for (i = 0; i < MANY; i++)
		*(volatile __u64 *)to_ptr(base + i * G + 8 * i) = i + 1;
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(i + 1, *(volatile __u64 *)to_ptr(base + 8 * i));
	for (i = 1; i < MANY; i += 2)
		ASSERT_EQ(0, npumem_unmap(self->fd, base + i * G));
	EXPECT_EQ(vmas, count_vmas());
	EXPECT_EQ(0, load_signal(base));
	EXPECT_EQ(SIGSEGV, load_signal(base + G));
	ASSERT_EQ(0, munmap(to_ptr(base), MANY * G));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.mappings);
}

/* A reservation may be as long as the address space allows. */
TEST_F(map, long_reservation)
{
	const __u64 length = 1ULL << 40;
	__u64 base;

	ASSERT_EQ(0, npumem_reserve(self->fd, length, &base));
	EXPECT_EQ(0, npumem_map(self->fd, base, G, self->a));
	EXPECT_EQ(0, npumem_map(self->fd, base + length - G, G, self->b));
	EXPECT_EQ(0, store_signal(base + length - 1));
	EXPECT_EQ(SIGSEGV, load_signal(base + length / 2));
	EXPECT_EQ(0, munmap(to_ptr(base), length));
}

TEST_F(map, read_only_reservation_stays_read_only)
{
	__u64 space;

	ASSERT_EQ(0, find_space(G, G, &space));
	ASSERT_EQ(0, npumem_mmap(self->fd, to_ptr(space), G, PROT_READ,
				 MAP_SHARED | MAP_FIXED, 0, NULL));
	ASSERT_EQ(0, npumem_map(self->fd, space, G, self->a));
	EXPECT_EQ(0, load_signal(space));
	EXPECT_EQ(SIGSEGV, store_signal(space));
	EXPECT_EQ(0, munmap(to_ptr(space), G));
}

TEST_HARNESS_MAIN
