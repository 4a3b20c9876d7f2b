// SPDX-License-Identifier: MIT
/*
 * What mm's system calls may do to a reservation: each is refused or works,
 * and afterwards the data is there, the rest of the reservation works, and all
 * of it can be given back.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#include <sys/syscall.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

FIXTURE(mm) {
	int fd;
	__u64 used;
	__u64 handle;
	char *base;		/* 8 MiB: 2 mappings of 2 MiB, a hole of 4 */
	bool gone;		/* the test removed the reservation */
};

FIXTURE_SETUP(mm)
{
	__u64 second, address;

	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used = npumem_used(self->fd, 0);
	ASSERT_EQ(0, npumem_reserve(self->fd, 4 * G, &address));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->handle));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &second));
	ASSERT_EQ(0, npumem_map(self->fd, address, G, self->handle));
	ASSERT_EQ(0, npumem_map(self->fd, address + G, G, second));
	self->base = to_ptr(address);
	pattern_mark(self->base, 2 * G, 99);
}

FIXTURE_TEARDOWN(mm)
{
	__u64 address = to_u64(self->base), other;
	struct npumem_stats stats;

	if (!self->gone) {
		/* All as before, and as usable as before. */
		EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99));
		EXPECT_EQ(SIGSEGV, load_signal(address + 2 * G));
		EXPECT_EQ(0, npumem_map(self->fd, address + 3 * G, G,
					self->handle));
		EXPECT_EQ(-1, pattern_check(self->base + 3 * G, G, 99));
		pattern_mark(self->base, 2 * G, 98);
		EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 98));
		EXPECT_EQ(0, npumem_unmap(self->fd, address));
		EXPECT_EQ(SIGSEGV, load_signal(address));
		EXPECT_EQ(0, npumem_unmap(self->fd, address + G));
		EXPECT_EQ(0, npumem_unmap(self->fd, address + 3 * G));
		EXPECT_EQ(0, npumem_release(self->fd, address));
	}
	EXPECT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.reservations);
	EXPECT_EQ(0, stats.mappings);
	/* The address space is free again. */
	EXPECT_EQ(0, npumem_reserve(self->fd, 4 * G, &other));
	EXPECT_EQ(0, npumem_release(self->fd, other));
	EXPECT_EQ(0, close(self->fd));
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used, 3000));
	close(self->fd);
}

static bool refused(int result)
{
	return result == -1 && (errno == EINVAL || errno == EFAULT ||
				errno == ENOMEM || errno == EACCES);
}

#define PIECES	12

struct piece {
	__u64 start, length;
};

/* Pieces of a reservation: inside a huge entry, at its end, across two. */
static struct piece piece(unsigned int i)
{
	const __u64 page = page_bytes();
	const struct piece pieces[PIECES] = {
		{ 0, page }, { page, page }, { 0, G }, { G, G }, { G / 2, G },
		{ G - page, 2 * page }, { 2 * G, G }, { 3 * G, G },
		{ 4 * G - page, page }, { page, 4 * G - page },
		{ 0, 4 * G - page }, { 0, 3 * G },
	};

	return pieces[i];
}

TEST_F(mm, partial_munmap_is_refused)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		EXPECT_EQ(-1, munmap(self->base + piece(i).start,
				     piece(i).length)) {
			TH_LOG("piece %u", i);
		}
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99));
	}
}

TEST_F(mm, munmap_of_more_than_the_reservation)
{
	/* Neighbours on both sides, in one call. */
	__u64 space;
	char *middle;

	ASSERT_EQ(0, find_space(4 * G, G, &space));
	middle = to_ptr(space + G);
	ASSERT_EQ(0, npumem_mmap(self->fd, middle, G, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, 0, NULL));
	ASSERT_EQ(0, npumem_map(self->fd, to_u64(middle), G, self->handle));
	EXPECT_EQ(-1, munmap(to_ptr(space), G + page_bytes()));
	EXPECT_EQ(-1, pattern_check(middle, G, 99));
	EXPECT_EQ(0, munmap(to_ptr(space), 4 * G));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(middle)));
}

TEST_F(mm, partial_mprotect_is_refused)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		EXPECT_TRUE(refused(mprotect(self->base + piece(i).start,
					     piece(i).length, PROT_READ))) {
			TH_LOG("piece %u: errno %d", i, errno);
		}
		EXPECT_EQ(0, store_signal(to_u64(self->base)));
		EXPECT_EQ(0, store_signal(to_u64(self->base) + G));
	}
}

TEST_F(mm, mprotect_of_all)
{
	ASSERT_EQ(0, mprotect(self->base, 4 * G, PROT_READ));
	EXPECT_EQ(0, load_signal(to_u64(self->base)));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(self->base)));
	ASSERT_EQ(0, mprotect(self->base, 4 * G, PROT_NONE));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->base)));
	ASSERT_EQ(0, mprotect(self->base, 4 * G, PROT_READ | PROT_WRITE));
}

TEST_F(mm, mprotect_never_gives_execution)
{
	EXPECT_EQ(-1, mprotect(self->base, 4 * G, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->base, 4 * G,
			       PROT_READ | PROT_WRITE | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(mm, mremap_shrink_is_refused)
{
	const __u64 page = page_bytes();
	const __u64 sizes[] = { page, G, 2 * G, 3 * G, 4 * G - page };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, sizes[i], 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, sizes[i],
					     MREMAP_MAYMOVE));
	}
	EXPECT_EQ(MAP_FAILED, mremap(self->base + G, G, page, 0));
}

TEST_F(mm, mremap_grow_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, 4 * G + page_bytes(),
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, 8 * G,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->base, G, 2 * G, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, 8 * G, 0));
}

TEST_F(mm, mremap_of_length_zero_makes_no_second_view)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 0, G, MREMAP_MAYMOVE));
	EXPECT_TRUE(errno == EINVAL || errno == EFAULT);
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 0, 4 * G, MREMAP_MAYMOVE));
}

TEST_F(mm, mremap_move_is_refused)
{
	long vmas;
	__u64 space;

	ASSERT_EQ(0, find_space(4 * G, G, &space));
	vmas = count_vmas();
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, 4 * G,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     to_ptr(space)));
	EXPECT_TRUE(errno == EINVAL || errno == EFAULT);
	EXPECT_EQ(MAP_FAILED, mremap(self->base, G, G,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     to_ptr(space)));
	EXPECT_EQ(MAP_FAILED, mremap(self->base + G, G, G,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     to_ptr(space)));
	/* Not even with the old one left in place. */
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 4 * G, 4 * G,
				     MREMAP_MAYMOVE | 4 /* DONTUNMAP */, NULL));
	/* The target may be gone by then, ours may not be doubled. */
	EXPECT_GE(vmas, count_vmas());
	EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99));
}

TEST_F(mm, mremap_to_its_own_size_changes_nothing)
{
	EXPECT_EQ(self->base, mremap(self->base, 4 * G, 4 * G, 0));
	EXPECT_EQ(self->base, mremap(self->base, 4 * G, 4 * G,
				     MREMAP_MAYMOVE));
}

TEST_F(mm, fixed_mapping_over_a_part_is_refused)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		EXPECT_EQ(MAP_FAILED, mmap(self->base + piece(i).start,
					   piece(i).length, PROT_READ,
					   MAP_PRIVATE | MAP_ANONYMOUS |
					   MAP_FIXED, -1, 0)) {
			TH_LOG("piece %u", i);
		}
		EXPECT_EQ(MAP_FAILED, mmap(self->base + piece(i).start,
					   piece(i).length, PROT_READ,
					   MAP_PRIVATE | MAP_ANONYMOUS |
					   MAP_FIXED_NOREPLACE, -1, 0));
		EXPECT_EQ(EEXIST, errno);
		EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99));
	}
}

TEST_F(mm, fixed_mapping_over_all_replaces_it)
{
	char *p = mmap(self->base, 4 * G, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ASSERT_EQ(self->base, p);
	self->gone = true;
	EXPECT_EQ(-1, bytes_differ(p, G, 0));
	p[0] = 1;
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, to_u64(p)));
	EXPECT_EQ(-ENOENT, npumem_release(self->fd, to_u64(p)));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, to_u64(p), G,
					     self->handle));
	EXPECT_EQ(1, p[0]);
	EXPECT_EQ(0, munmap(p, 4 * G));
}

TEST_F(mm, reservation_over_a_reservation_replaces_it)
{
	__u64 address = to_u64(self->base);

	ASSERT_EQ(0, npumem_mmap(self->fd, self->base, 4 * G,
				 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 0, NULL));
	self->gone = true;
	EXPECT_EQ(SIGSEGV, load_signal(address));
	EXPECT_EQ(-ENOENT, npumem_unmap(self->fd, address));
	ASSERT_EQ(0, npumem_map(self->fd, address + G, G, self->handle));
	EXPECT_EQ(-1, pattern_check(self->base + G, G, 99));
	EXPECT_EQ(SIGSEGV, load_signal(address));
	EXPECT_EQ(0, munmap(self->base, 4 * G));
}

/* What each advice says to all of a reservation: 0, or an errno. */
static const struct {
	int advice;
	int error, or_error;
} advices[] = {
	{ MADV_NORMAL, 0, 0 }, { MADV_RANDOM, 0, 0 },
	{ MADV_SEQUENTIAL, 0, 0 }, { MADV_WILLNEED, 0, EINVAL },
	{ MADV_DONTNEED, EINVAL, EINVAL },
	{ MADV_DONTNEED_LOCKED, EINVAL, EINVAL },
	{ MADV_FREE, EINVAL, EINVAL }, { MADV_REMOVE, EINVAL, ENODEV },
	{ MADV_DONTFORK, 0, 0 }, { MADV_DOFORK, EINVAL, EINVAL },
	{ MADV_MERGEABLE, 0, EINVAL }, { MADV_UNMERGEABLE, 0, EINVAL },
	{ MADV_DONTDUMP, 0, 0 }, { MADV_DODUMP, EINVAL, EINVAL },
	{ MADV_WIPEONFORK, EINVAL, EINVAL }, { MADV_KEEPONFORK, 0, EINVAL },
	{ MADV_COLD, EINVAL, EINVAL }, { MADV_PAGEOUT, EINVAL, EINVAL },
	{ MADV_POPULATE_READ, EINVAL, EFAULT },
	{ MADV_POPULATE_WRITE, EINVAL, EFAULT },
	{ MADV_COLLAPSE, EINVAL, EINVAL },
	{ MADV_HUGEPAGE, 0, EINVAL }, { MADV_NOHUGEPAGE, 0, EINVAL },
	{ MADV_NORMAL, 0, 0 },
};

TEST_F(mm, madvise_of_all)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(advices); i++) {
		int result = madvise(self->base, 4 * G, advices[i].advice);
		int error = result ? errno : 0;

		EXPECT_TRUE(error == advices[i].error ||
			    error == advices[i].or_error) {
			TH_LOG("advice %d gives %d", advices[i].advice, error);
		}
		EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99)) {
			TH_LOG("advice %d", advices[i].advice);
		}
	}
}

/* Here it matters only that nothing is lost and nothing is split. */
TEST_F(mm, madvise_of_parts)
{
	unsigned int i, k;
	long vmas = count_vmas();

	for (i = 0; i < 30; i++) {
		for (k = 0; k < PIECES; k++)
			madvise(self->base + piece(k).start, piece(k).length,
				i);
		EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99)) {
			TH_LOG("advice %u", i);
		}
		EXPECT_EQ(vmas, count_vmas());
	}
}

/*
 * Before 6.12 huge entries are not marked as what they are, and a poisoned
 * page would be a page of this machine.
 */
TEST_F(mm, memory_cannot_be_poisoned)
{
	if (huge_entries_fit() && !kernel_at_least(6, 12))
		SKIP(return, "kernels before 6.12 find the page");
	EXPECT_EQ(-1, madvise(self->base, page_bytes(), MADV_HWPOISON));
	EXPECT_EQ(-1, madvise(self->base, page_bytes(), 101 /* SOFT_OFFLINE */));
}

TEST_F(mm, after_nohugepage_it_can_be_mapped)
{
	__u64 address = to_u64(self->base);

	/* A kernel without huge pages does not know the word. */
	if (madvise(self->base, 4 * G, MADV_NOHUGEPAGE)) {
		ASSERT_EQ(EINVAL, errno);
		ASSERT_FALSE(huge_entries_fit());
	}
	ASSERT_EQ(0, npumem_map(self->fd, address + 2 * G, G, self->handle));
	EXPECT_EQ(-1, pattern_check(self->base + 2 * G, G, 99));
	ASSERT_EQ(0, npumem_set_access(self->fd, address + 2 * G, G, 0,
				       NPUMEM_ACCESS_READ));
	EXPECT_EQ(0, load_signal(address + 2 * G));
	EXPECT_EQ(SIGSEGV, store_signal(address + 2 * G));
	ASSERT_EQ(0, npumem_unmap(self->fd, address + 2 * G));
}

TEST_F(mm, locking_changes_nothing)
{
	unsigned int i;

	EXPECT_EQ(0, mlock(self->base, 4 * G));
	EXPECT_EQ(0, munlock(self->base, 4 * G));
	for (i = 0; i < PIECES; i++) {
		char *p = self->base + piece(i).start;

		mlock(p, piece(i).length);
		mlock2(p, piece(i).length, MLOCK_ONFAULT);
		munlock(p, piece(i).length);
	}
	EXPECT_EQ(0, mlockall(MCL_CURRENT));
	EXPECT_EQ(0, munlockall());
}

TEST_F(mm, residency_sync_and_policy_are_harmless)
{
	unsigned char vec[4 * G / 4096];	/* no pages are smaller */
	unsigned long mask = 1;
	unsigned int i;

	mincore(self->base, 4 * G, vec);
	msync(self->base, 4 * G, MS_SYNC | MS_INVALIDATE);
	msync(self->base + page_bytes(), page_bytes(), MS_ASYNC);
	for (i = 0; i < PIECES; i++) {
		char *p = self->base + piece(i).start;

		syscall(SYS_mbind, p, piece(i).length, 2, &mask, 8, 3);
		syscall(SYS_remap_file_pages, p, piece(i).length, 0, 0, 0);
	}
	EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99));
}

TEST_F(mm, smaps_and_pagemap_can_be_read)
{
	const char *const files[] = { "/proc/self/smaps", "/proc/self/maps",
		"/proc/self/numa_maps", "/proc/self/smaps_rollup" };
	char buffer[4096];
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		fd = open(files[i], O_RDONLY);
		if (fd < 0)
			continue;
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
		close(fd);
	}
	fd = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_LE(0, fd);
	for (i = 0; i < 4; i++)
		EXPECT_LT(0, pread(fd, buffer, sizeof(buffer),
				   (to_u64(self->base) + i * G) / page_bytes() * 8));
	close(fd);
	fd = open("/proc/self/clear_refs", O_WRONLY);
	for (i = 1; fd >= 0 && i < 6; i++) {
		char digit = '0' + i;

		if (write(fd, &digit, 1) == 1) {
			EXPECT_EQ(-1, pattern_check(self->base, 2 * G, 99));
		}
	}
	close(fd);
}

TEST_F(mm, only_shared_not_executable_aligned_mappings)
{
	const int rw = PROT_READ | PROT_WRITE;
	__u64 space;
	void *at;

	ASSERT_EQ(0, find_space(2 * G, G, &space));
	at = to_ptr(space);
#define TRY(where, length, prot, flags) \
	npumem_mmap(self->fd, where, length, prot, (flags) | MAP_FIXED, 0, NULL)
	EXPECT_EQ(-EINVAL, TRY(at, G, rw, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, TRY(at, G, PROT_NONE, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, TRY(at, G, PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EINVAL, TRY(at, G, rw | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EINVAL, TRY(to_ptr(space + page_bytes()), G, rw, MAP_SHARED));
	EXPECT_EQ(-EINVAL, TRY(at, page_bytes(), rw, MAP_SHARED));
	EXPECT_EQ(-EINVAL, TRY(at, G + page_bytes(), rw, MAP_SHARED));
#undef TRY
}

TEST_F(mm, descriptors_are_for_reading_and_writing_only)
{
	EXPECT_EQ(-1, open(NPUMEM_DEVICE_PATH, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, open(NPUMEM_DEVICE_PATH, O_WRONLY | O_CLOEXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_HARNESS_MAIN
