// SPDX-License-Identifier: MIT
/*
 * A device whose memory is a carve-out: a range that the kernel was told to leave
 * alone, SIZE@START in NPUMEM_CARVEOUT, as tools/vm/vm --carveout makes it. Loads the
 * module with it as device 1, when nobody else uses it.
 */
#include "kselftest_harness.h"
#include "npumem_module.h"
#include "npumem_process.h"
#include "npumem_walk.h"

#include <sys/uio.h>

#define DRIVER	"/sys/bus/platform/drivers/npumem"

FIXTURE(carveout) {
	int fd;
	__u64 start, size;
	__u64 rest;	/* what is below the first whole GiB */
	bool huge, gigantic;	/* entries of 2 MiB, of 1 GiB */
};

static bool file_has(const char *path, const char *text)
{
	char line[4096];
	FILE *file = fopen(path, "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text);
	if (file)
		fclose(file);
	return found;
}

FIXTURE_SETUP(carveout)
{
	const char *given = getenv("NPUMEM_CARVEOUT"), *why = module_begin();
	char text[128];

	if (!why && !given)
		why = "no memory is carved out: set NPUMEM_CARVEOUT";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(2, sscanf(given, "%llu@%llu", &self->size, &self->start));
	ASSERT_LE(GIB + 4 * G, self->size);
	self->rest = (self->start + GIB - 1) / GIB * GIB - self->start;

	/* Huge entries need marks to keep off, and struct pages (ZONE_DEVICE). */
	self->huge = kernel_at_least(6, 12) && huge_entries_fit() &&
		     file_has("/proc/zoneinfo", "Device");
	self->gigantic = self->huge && file_has("/proc/cpuinfo", " pdpe1gb");

	ASSERT_EQ(0, unload());
	snprintf(text, sizeof(text), "devices=2 carveout=,%s", given);
	ASSERT_EQ(0, load(text));
	self->fd = open_patiently();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_used(self->fd, 1));
}

FIXTURE_TEARDOWN(carveout)
{
	if (self->fd > 0)
		close(self->fd);
	EXPECT_EQ(0, unload());
	EXPECT_TRUE(module_end());
}

static void pool_of(unsigned int device, char *text, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/npumem.%u/pool", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Memory of device 1 at an address of that alignment, or 0. */
static __u64 map_aligned(int fd, __u64 handle, __u64 length, __u64 alignment)
{
	__u64 address;

	if (npumem_reserve_aligned(fd, length, alignment, &address))
		return 0;
	if (npumem_map(fd, address, length, handle)) {
		munmap(to_ptr(address), length);
		return 0;
	}
	return address;
}

TEST_F_TIMEOUT(carveout, is_all_there_is_and_zeroed_each_time, 300)
{
	struct npumem_device_info info;
	struct npumem_stats stats;
	__u64 handle, address;
	char text[32];
	int i;

	pool_of(0, text, sizeof(text));
	EXPECT_STREQ("system-ram\n", text);
	pool_of(1, text, sizeof(text));
	EXPECT_STREQ("carve-out\n", text);
	ASSERT_EQ(0, npumem_device_info(self->fd, 1, &info));
	EXPECT_EQ(self->size, info.capacity);
	EXPECT_EQ(0, info.used);
	EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, 1, self->size + 1, NULL));
	EXPECT_EQ(0, npumem_used(self->fd, 1));

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, npumem_alloc(self->fd, 1, self->size, &handle));
		EXPECT_EQ(self->size, npumem_used(self->fd, 1));
		EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, 1, 1, NULL));
		address = map_aligned(self->fd, handle, self->size, GIB);
		ASSERT_NE(0, address);
		EXPECT_EQ(-1, bytes_differ(to_ptr(address), self->size, 0));
		/* All of it is different memory. */
		pattern_mark(to_ptr(address), self->size, i + 1);
		EXPECT_EQ(-1, pattern_check(to_ptr(address), self->size, i + 1));
		ASSERT_EQ(0, munmap(to_ptr(address), self->size));
		EXPECT_EQ(0, npumem_free(self->fd, handle));
		EXPECT_EQ(0, npumem_used(self->fd, 1));
	}
	/* By entries as large as the kernel can have them. */
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(self->huge ? 2 * self->size / G : 0, stats.pmd_entries);
	EXPECT_EQ(self->huge ? 0 : 2 * self->size / page_bytes(),
		  stats.pte_entries);
}

TEST_F_TIMEOUT(carveout, gigabyte_is_one_entry, 120)
{
	struct npumem_stats stats;
	__u64 handle, got, address, other;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, 5, NPUMEM_ALLOC_1G,
					&handle, &got));
	EXPECT_EQ(GIB, got);
	address = map_aligned(self->fd, handle, GIB, GIB);
	ASSERT_NE(0, address);
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(self->gigantic, stats.pud_entries);
	EXPECT_EQ(self->huge && !self->gigantic ? GIB / G : 0, stats.pmd_entries);
	EXPECT_EQ(self->huge ? 0 : GIB / page_bytes(), stats.pte_entries);
	pattern_mark(to_ptr(address), GIB, 7);

	/* The same memory at an address that such an entry cannot have. */
	ASSERT_EQ(0, npumem_reserve_aligned(self->fd, 2 * GIB, GIB, &other));
	ASSERT_EQ(0, npumem_map(self->fd, other + G, GIB, handle));
	EXPECT_EQ(-1, pattern_check(to_ptr(other + G), GIB, 7));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(self->gigantic, stats.pud_entries);
	/* Where a table is by now, there is no such entry either. */
	ASSERT_EQ(0, npumem_unmap(self->fd, other + G));
	ASSERT_EQ(0, npumem_map(self->fd, other, GIB, handle));
	EXPECT_EQ(-1, pattern_check(to_ptr(other), GIB, 7));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(self->gigantic, stats.pud_entries);

	/* An entry that is gone comes again by the first touch. */
	ASSERT_EQ(0, npumem_unmap(self->fd, address));
	EXPECT_EQ(SIGSEGV, load_signal(address + GIB / 2));
	ASSERT_EQ(0, npumem_map(self->fd, address, GIB, handle));
	EXPECT_EQ(-1, pattern_check(to_ptr(address), GIB, 7));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(2 * self->gigantic, stats.pud_entries);
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
	ASSERT_EQ(0, munmap(to_ptr(other), 2 * GIB));
}

/* A right of a part of the entry changes, and that of the rest does not. */
TEST_F_TIMEOUT(carveout, rights_within_the_gigabyte, 120)
{
	const __u64 parts[] = { 0, 5 * G, GIB - G };
	__u64 handle, got, address;
	unsigned int i;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
	address = map_aligned(self->fd, handle, GIB, GIB);
	ASSERT_NE(0, address);
	pattern_mark(to_ptr(address), GIB, 9);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		__u64 at = address + parts[i];
		__u64 beside = i ? at - 1 : at + G;

		ASSERT_EQ(0, npumem_set_access(self->fd, at, G, 1,
					       NPUMEM_ACCESS_NONE));
		EXPECT_EQ(SIGSEGV, load_signal(at));
		EXPECT_EQ(SIGSEGV, load_signal(at + G - 1));
		EXPECT_EQ(0, store_signal(beside));
		ASSERT_EQ(0, npumem_set_access(self->fd, at, G, 1,
					       NPUMEM_ACCESS_READ));
		EXPECT_EQ(0, load_signal(at));
		EXPECT_EQ(SIGSEGV, store_signal(at + G - 1));
		EXPECT_EQ(0, store_signal(beside));
		ASSERT_EQ(0, npumem_set_access(self->fd, at, G, 1,
					       NPUMEM_ACCESS_READWRITE));
		EXPECT_EQ(0, store_signal(at));
	}
	EXPECT_EQ(-1, pattern_check(to_ptr(address), GIB, 9));
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
}

/* A store to what is still in the entry of when all of it was read-only. */
TEST_F_TIMEOUT(carveout, right_to_write_a_part_of_the_gigabyte, 120)
{
	__u64 handle, got, address;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
	address = map_aligned(self->fd, handle, GIB, GIB);
	ASSERT_NE(0, address);
	pattern_mark(to_ptr(address), GIB, 4);
	ASSERT_EQ(0, npumem_set_access(self->fd, address, GIB, 1, NPUMEM_ACCESS_READ));
	EXPECT_EQ(-1, pattern_check(to_ptr(address), GIB, 4));
	ASSERT_EQ(0, npumem_set_access(self->fd, address + 5 * G, G, 1,
				       NPUMEM_ACCESS_READWRITE));
	EXPECT_EQ(0, store_signal(address + 5 * G));
	EXPECT_EQ(0, store_signal(address + 6 * G - 1));
	EXPECT_EQ(SIGSEGV, store_signal(address + 5 * G - 1));
	EXPECT_EQ(SIGSEGV, store_signal(address + 6 * G));
	EXPECT_EQ(SIGSEGV, store_signal(address + GIB - 1));
	EXPECT_EQ(-1, pattern_check(to_ptr(address), GIB, 4));
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
}

/* All of it read-only, and writable again: in one entry. */
TEST_F_TIMEOUT(carveout, rights_of_the_gigabyte, 120)
{
	__u64 handle, got, address, space;
	struct npumem_stats stats;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
	address = map_aligned(self->fd, handle, GIB, GIB);
	ASSERT_NE(0, address);
	ASSERT_EQ(0, npumem_set_access(self->fd, address, GIB, 1,
				       NPUMEM_ACCESS_READ));
	EXPECT_EQ(SIGSEGV, store_signal(address + 3 * G));
	/* mprotect() gives nothing, and what it takes comes back. */
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ));
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ | PROT_WRITE));
	EXPECT_EQ(SIGSEGV, store_signal(address + 3 * G));
	ASSERT_EQ(0, npumem_set_access(self->fd, address, GIB, 1,
				       NPUMEM_ACCESS_READWRITE));
	EXPECT_EQ(0, store_signal(address + 3 * G));
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ));
	EXPECT_EQ(SIGSEGV, store_signal(address + 3 * G));
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, store_signal(address + 3 * G));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.pmd_entries * self->gigantic);

	/* It is never split, moved or shared with a child. */
	EXPECT_NE(0, munmap(to_ptr(address + G), G));
	EXPECT_NE(0, mprotect(to_ptr(address + G), G, PROT_READ));
	ASSERT_EQ(0, find_space(2 * GIB, GIB, &space));
	EXPECT_EQ(MAP_FAILED, mremap(to_ptr(address), GIB, GIB,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     to_ptr(space + G)));
	EXPECT_EQ(0, store_signal(address + 5 * G));
	EXPECT_EQ(MAP_FAILED, mremap(to_ptr(address), GIB, GIB,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     to_ptr(space)));
	EXPECT_EQ(0, store_signal(address + 5 * G));
	munmap(to_ptr(space), 2 * GIB);
	EXPECT_NE(0, madvise(to_ptr(address + G), G, MADV_SEQUENTIAL));
	EXPECT_NE(0, madvise(to_ptr(address), GIB, MADV_REMOVE));
	EXPECT_EQ(0, store_signal(address + 6 * G));
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
}

/* What mprotect() takes is not there again in entries that are made anew. */
TEST_F_TIMEOUT(carveout, gigabyte_keeps_the_protection_of_its_reservation, 120)
{
	__u64 handle, got, address;
	struct npumem_stats stats;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
	address = map_aligned(self->fd, handle, GIB, GIB);
	ASSERT_NE(0, address);
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ));
	ASSERT_EQ(0, npumem_unmap(self->fd, address));
	ASSERT_EQ(0, npumem_map(self->fd, address, GIB, handle));
	EXPECT_EQ(0, load_signal(address + 3 * G));
	EXPECT_EQ(SIGSEGV, store_signal(address + 3 * G));
	ASSERT_EQ(0, npumem_set_access(self->fd, address, GIB, 1,
				       NPUMEM_ACCESS_READ));
	ASSERT_EQ(0, npumem_set_access(self->fd, address, GIB, 1,
				       NPUMEM_ACCESS_READWRITE));
	EXPECT_EQ(0, load_signal(address + 3 * G));
	EXPECT_EQ(SIGSEGV, store_signal(address + 3 * G));
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, store_signal(address + 3 * G));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.pmd_entries * self->gigantic);
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
}

/* What is mapped where there was a GiB, and was not filled in, is met by a store first. */
TEST_F_TIMEOUT(carveout, store_is_first_where_a_gigabyte_was, 120)
{
	__u64 gib, small, got, address;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&gib, &got));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &small));
	address = map_aligned(self->fd, gib, GIB, GIB);
	ASSERT_NE(0, address);
	ASSERT_EQ(0, npumem_unmap(self->fd, address));
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_NONE));
	ASSERT_EQ(0, npumem_map(self->fd, address + 9 * G, G, small));
	ASSERT_EQ(0, mprotect(to_ptr(address), GIB, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, store_signal(address + 9 * G + 8));
	*(volatile __u64 *)to_ptr(address + 9 * G + 8) = 77;
	EXPECT_EQ(SIGSEGV, store_signal(address + 8 * G));
	ASSERT_EQ(0, npumem_unmap(self->fd, address + 9 * G));
	ASSERT_EQ(0, npumem_map(self->fd, address + 11 * G, G, small));
	EXPECT_EQ(77, *(volatile __u64 *)to_ptr(address + 11 * G + 8));
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
}

TEST_F_TIMEOUT(carveout, gigabyte_needs_a_gigabyte_in_one_piece, 120)
{
	const unsigned int pieces = self->rest / G;
	__u64 handle, got, single[512], inside;
	unsigned int i;

	if (self->size - self->rest >= 2 * GIB || pieces > 512 || pieces < 2)
		SKIP(return, "the carve-out has not one whole GiB");
	/* Single granules keep out of it as long as there are others. */
	for (i = 0; i < pieces; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &single[i]));
	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
	EXPECT_EQ(self->rest + GIB, npumem_used(self->fd, 1));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &inside));
	for (i = 0; i < pieces; i++)
		ASSERT_EQ(0, npumem_free(self->fd, single[i]));
	/* As much is free, and not in one piece: that changes nothing. */
	EXPECT_LE(GIB, npumem_free_bytes(self->fd, 1));
	EXPECT_EQ(-ENOSPC, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					      &handle, &got));
	EXPECT_EQ(G, npumem_used(self->fd, 1));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, GIB, &handle));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	ASSERT_EQ(0, npumem_free(self->fd, inside));
	EXPECT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
}

/* Nobody can hold on to what the next owner gets. */
TEST_F(carveout, cannot_be_pinned)
{
	const __u64 granules[] = { G, GIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(granules); i++) {
		__u64 handle, got, address;
		struct iovec vec = { .iov_len = 4096 };
		int fds[2];

		ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, granules[i],
						i ? NPUMEM_ALLOC_1G : 0,
						&handle, &got));
		address = map_aligned(self->fd, handle, granules[i], granules[i]);
		ASSERT_NE(0, address);
		ASSERT_EQ(0, store_signal(address));
		vec.iov_base = to_ptr(address);
		ASSERT_EQ(0, pipe(fds));
		EXPECT_EQ(-1, vmsplice(fds[1], &vec, 1, SPLICE_F_NONBLOCK));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, vmsplice(fds[1], &vec, 1,
				       SPLICE_F_NONBLOCK | SPLICE_F_GIFT));
		EXPECT_EQ(EFAULT, errno);
		close(fds[0]);
		close(fds[1]);
		ASSERT_EQ(0, munmap(to_ptr(address), granules[i]));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
	}
	EXPECT_EQ(0, npumem_used(self->fd, 1));
}

/* Whatever walks page tables and looks for pages. */
TEST_F_TIMEOUT(carveout, is_nothing_to_fall_over, 120)
{
	const __u64 granules[] = { 2 * G, GIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(granules); i++) {
		__u64 handle, got, address;

		ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, granules[i],
						i ? NPUMEM_ALLOC_1G : 0,
						&handle, &got));
		address = map_aligned(self->fd, handle, granules[i], granules[i]);
		ASSERT_NE(0, address);
		pattern_mark(to_ptr(address), granules[i], 3);
		walk_pages(address, granules[i]);
		EXPECT_EQ(-1, pattern_check(to_ptr(address), granules[i], 3));
		walk_pages(address, granules[i]);
		ASSERT_EQ(0, munmap(to_ptr(address), granules[i]));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
	}
	EXPECT_EQ(0, npumem_used(self->fd, 1));
}

/* What is imported for another device is in reservations with that one's memory. */
TEST_F(carveout, shares_addresses_with_ram)
{
	__u64 handle, token, import, own, address;
	int other = npumem_open(), i;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, npumem_alloc(other, 1, G, &handle));
	ASSERT_EQ(0, npumem_export(other, handle, NPUMEM_EXPORT_ANYONE, &token));
	ASSERT_EQ(0, npumem_import(self->fd, token, 0, &import, NULL));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, 2 * G, &own));
	ASSERT_EQ(0, npumem_reserve_aligned(self->fd, 4 * G, 4 * G, &address));
	/* The entries of one give way to those of the other, and back. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, npumem_map(self->fd, address, 2 * G, own));
		pattern_mark(to_ptr(address), 2 * G, i);
		ASSERT_EQ(0, npumem_unmap(self->fd, address));
		ASSERT_EQ(0, npumem_map(self->fd, address + G, G, import));
		pattern_mark(to_ptr(address + G), G, 100 + i);
		ASSERT_EQ(0, npumem_map(self->fd, address + 2 * G, 2 * G, own));
		EXPECT_EQ(-1, pattern_check(to_ptr(address + 2 * G), 2 * G, i));
		EXPECT_EQ(-1, pattern_check(to_ptr(address + G), G, 100 + i));
		ASSERT_EQ(0, npumem_unmap(self->fd, address + G));
		EXPECT_EQ(SIGSEGV, load_signal(address + G));
		ASSERT_EQ(0, npumem_unmap(self->fd, address + 2 * G));
	}
	ASSERT_EQ(0, munmap(to_ptr(address), 4 * G));
	close(other);
}

/* The range is the old binding's until nobody has memory of it any more. */
TEST_F(carveout, is_bound_again_when_the_last_user_is_gone)
{
	__u64 handle, got, address;

	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 1, GIB, NPUMEM_ALLOC_1G,
					&handle, &got));
	address = map_aligned(self->fd, handle, GIB, GIB);
	ASSERT_NE(0, address);
	ASSERT_EQ(0, store_signal(address + GIB - 1));
	ASSERT_EQ(0, write_file(DRIVER "/unbind", "npumem.1"));
	EXPECT_EQ(SIGBUS, load_signal(address));
	EXPECT_EQ(SIGBUS, store_signal(address + GIB - 1));
	EXPECT_EQ(-ENODEV, npumem_alloc(self->fd, 1, G, NULL));
	EXPECT_NE(0, write_file(DRIVER "/bind", "npumem.1"));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_NE(0, write_file(DRIVER "/bind", "npumem.1"));
	ASSERT_EQ(0, munmap(to_ptr(address), GIB));
	ASSERT_EQ(0, write_file(DRIVER "/bind", "npumem.1"));
	EXPECT_EQ(0, npumem_used(self->fd, 1));
	EXPECT_EQ(self->size, npumem_capacity(self->fd, 1));
	EXPECT_EQ(0, npumem_alloc(self->fd, 1, self->size, &handle));
}

/* Killed while the memory is zeroed, at all kinds of moments. */
TEST_F_TIMEOUT(carveout, of_who_is_killed_is_free_again, 120)
{
	bool *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t start = now_ms(), takes;
	int i, cut_short = 0;
	__u64 handle;

	ASSERT_NE(MAP_FAILED, done);
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, self->size, &handle));
	takes = now_ms() - start;
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	for (i = 0; i < 10; i++) {
		pid_t child;

		*done = false;
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			int fd = npumem_open();

			*done = !npumem_alloc(fd, 1, self->size, NULL);
			for (;;)
				pause();
		}
		usleep(takes * 1000 * i / 10);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		cut_short += !*done;
		ASSERT_TRUE(npumem_used_becomes(self->fd, 1, 0, 3000));
	}
	/* The first had no time at all, and another one some. */
	EXPECT_LE(2, cut_short);
	munmap(done, sizeof(*done));
}

TEST_F(carveout, that_cannot_be_had_is_refused)
{
	static const char *const bad[] = { "x", "1G", "1G@", "1M@4G", "3M@4G",
		"2M@1", "2M@4G@", "0@4G", "16E@16E", "8E@15E" };
	char text[256];
	unsigned int i;
	__u64 handle;

	/* Taken: what is free of it does not count. */
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &handle));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, unload());
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "devices=2 carveout=,%s", bad[i]);
		EXPECT_EQ(-EINVAL, load(text)) {
			TH_LOG("%s is not refused", text);
		}
		EXPECT_FALSE(is_loaded());
	}
	/* Not for three devices of two, nor the same range twice, nor RAM. */
	snprintf(text, sizeof(text), "devices=1 carveout=,%llu@%llu",
		 self->size, self->start);
	EXPECT_EQ(-EINVAL, load(text));
	snprintf(text, sizeof(text), "devices=2 carveout=%llu@%llu,2M@%llu",
		 self->size, self->start, self->start + self->size - G);
	EXPECT_EQ(-EBUSY, load(text));
	EXPECT_EQ(-EBUSY, load("devices=1 carveout=4M@1G"));
	snprintf(text, sizeof(text), "devices=1 carveout=%llu@%llu",
		 2 * G, self->start - G);
	EXPECT_EQ(-EBUSY, load(text));
	EXPECT_FALSE(is_loaded());
	EXPECT_NE(0, access("/sys/bus/platform/devices/npumem.0", F_OK));
	/* Two devices of one range each, in any order. */
	snprintf(text, sizeof(text), "devices=3 carveout=2M@%llu,,%llu@%llu",
		 self->start + GIB, GIB, self->start);
	EXPECT_EQ(0, load(text));
	self->fd = open_patiently();
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(G, npumem_capacity(self->fd, 0));
	EXPECT_EQ(GIB, npumem_capacity(self->fd, 2));
	EXPECT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	EXPECT_EQ(0, npumem_alloc(self->fd, 2, GIB, &handle));
}

TEST_HARNESS_MAIN
