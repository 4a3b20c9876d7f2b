// SPDX-License-Identifier: MIT
/*
 * Rights of locations on mappings, as loads and stores of the CPU see them:
 * with huge entries, where the kernel has them, and with base pages.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#define NONE	NPUMEM_ACCESS_NONE
#define READ	NPUMEM_ACCESS_READ
#define RW	NPUMEM_ACCESS_READWRITE

FIXTURE(access) {
	int fd;
	__u64 used[2];
	__u64 base;		/* 12 MiB: a, big and b mapped, then a hole */
	__u64 a, b, big;
	long long old_pmd;
	bool pmd;		/* huge entries, and no others */
};

FIXTURE_VARIANT(access) {
	bool pmd;
};

FIXTURE_VARIANT_ADD(access, huge) { .pmd = true };
FIXTURE_VARIANT_ADD(access, base) { .pmd = false };

#define AT(granule)	(self->base + (granule) * G)
#define CPU(granule, load, store) do {					\
	EXPECT_EQ(load, load_signal(AT(granule)));			\
	EXPECT_EQ(load, load_signal(AT(granule) + G - 1));		\
	EXPECT_EQ(store, store_signal(AT(granule)));			\
	EXPECT_EQ(store, store_signal(AT(granule) + G - 8));		\
} while (0)
#define CPU_NONE(granule)	CPU(granule, SIGSEGV, SIGSEGV)
#define CPU_READ(granule)	CPU(granule, 0, SIGSEGV)
#define CPU_RW(granule)		CPU(granule, 0, 0)
#define SET(granule, count, right) \
	npumem_set_access(self->fd, AT(granule), (count) * G, 0, right)
#define SET_HOST(granule, count, right) \
	npumem_set_host_access(self->fd, AT(granule), (count) * G, right)

FIXTURE_SETUP(access)
{
	struct npumem_stats stats;

	self->pmd = variant->pmd && huge_entries_fit();
	self->old_pmd = npumem_parameter("pmd_entries");
	if (npumem_set_parameter("pmd_entries", variant->pmd))
		SKIP(return, "parameter pmd_entries cannot be changed");
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used[0] = npumem_used(self->fd, 0);
	ASSERT_EQ(0, npumem_reserve(self->fd, 6 * G, &self->base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->a));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, 2 * G, &self->big));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->b));
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), G, self->a));
	ASSERT_EQ(0, npumem_map(self->fd, AT(1), 2 * G, self->big));
	ASSERT_EQ(0, npumem_map(self->fd, AT(3), G, self->b));
	/* The variant tests what its name says, or what there is instead. */
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	if (self->pmd) {
		EXPECT_EQ(4, stats.pmd_entries);
		EXPECT_EQ(0, stats.pte_entries);
	} else {
		EXPECT_EQ(0, stats.pmd_entries);
		EXPECT_EQ(4 * G / page_bytes(), stats.pte_entries);
	}
	pattern_mark(to_ptr(AT(0)), 4 * G, 1);
}

FIXTURE_TEARDOWN(access)
{
	struct npumem_stats stats;

	EXPECT_EQ(0, npumem_stats(self->fd, &stats));
	if (self->pmd) {
		EXPECT_EQ(0, stats.pte_entries);
	} else {
		EXPECT_EQ(0, stats.pmd_entries);
	}
	munmap(to_ptr(self->base), 6 * G);
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 3000));
	close(self->fd);
	npumem_set_parameter("pmd_entries", self->old_pmd);
}

TEST_F(access, none_refuses_loads_and_stores)
{
	CPU_RW(0);
	ASSERT_EQ(0, SET(0, 1, NONE));
	CPU_NONE(0);
	CPU_RW(1);
	ASSERT_EQ(0, SET(0, 1, RW));
	CPU_RW(0);
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(0)), 4 * G, 1));
}

TEST_F(access, read_refuses_stores)
{
	CPU_RW(0);
	ASSERT_EQ(0, SET(0, 1, READ));
	CPU_READ(0);
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(0)), 4 * G, 1));
	ASSERT_EQ(0, SET(0, 1, RW));
	CPU_RW(0);
	ASSERT_EQ(0, SET(0, 1, READ));
	CPU_READ(0);
}

TEST_F(access, every_right_to_every_right)
{
	const __u32 rights[] = { NONE, READ, RW };
	unsigned int from, to;

	for (from = 0; from < 3; from++) {
		for (to = 0; to < 3; to++) {
			ASSERT_EQ(0, SET(0, 1, rights[from]));
			/* Once untouched in between, once touched. */
			load_signal(AT(0));
			ASSERT_EQ(0, SET(0, 1, rights[to]));
			EXPECT_EQ(rights[to] ? 0 : SIGSEGV, load_signal(AT(0)));
			EXPECT_EQ(rights[to] == RW ? 0 : SIGSEGV,
				  store_signal(AT(0)));
		}
	}
}

TEST_F(access, part_of_a_mapping)
{
	ASSERT_EQ(0, SET(2, 1, READ));
	CPU_RW(1);
	CPU_READ(2);
	CPU_RW(3);
	ASSERT_EQ(0, SET(1, 1, NONE));
	CPU_RW(0);
	CPU_NONE(1);
	CPU_READ(2);
	/* A length that is no multiple means the whole granule. */
	ASSERT_EQ(0, npumem_set_access(self->fd, AT(2), 1, 0, RW));
	CPU_NONE(1);
	CPU_RW(2);
	ASSERT_EQ(0, SET(1, 2, RW));
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(0)), 4 * G, 1));
}

TEST_F(access, several_mappings_at_once)
{
	ASSERT_EQ(0, SET(0, 4, READ));
	CPU_READ(0);
	CPU_READ(1);
	CPU_READ(2);
	CPU_READ(3);
	ASSERT_EQ(0, SET(2, 2, NONE));
	CPU_READ(1);
	CPU_NONE(2);
	CPU_NONE(3);
	ASSERT_EQ(0, SET(0, 4, RW));
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(0)), 4 * G, 1));
}

/* Page tables are filled for neighbours at once, if they are alike. */
TEST_F(access, neighbours_keep_their_own_rights)
{
	ASSERT_EQ(0, SET_HOST(0, 4, READ));
	ASSERT_EQ(0, SET(1, 1, READ));
	ASSERT_EQ(0, SET(3, 1, NONE));
	/* The host's go, and what all four have is filled in anew. */
	ASSERT_EQ(0, SET_HOST(0, 4, NONE));
	CPU_RW(0);
	CPU_READ(1);
	CPU_RW(2);
	CPU_NONE(3);
	ASSERT_EQ(0, SET(0, 3, READ));
	ASSERT_EQ(0, SET(1, 1, RW));
	ASSERT_EQ(0, SET_HOST(0, 4, NONE));
	CPU_READ(0);
	CPU_RW(1);
	CPU_READ(2);
	CPU_NONE(3);
}

TEST_F(access, neighbour_keeps_the_protection_of_its_reservation)
{
	struct npumem_map_entry entries[3];
	__u64 at;
	int i;

	ASSERT_EQ(0, find_space(4 * G, G, &at));
	ASSERT_EQ(0, npumem_mmap(self->fd, to_ptr(at), 2 * G, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, 0, NULL));
	ASSERT_EQ(0, npumem_mmap(self->fd, to_ptr(at + 2 * G), 2 * G, PROT_READ,
				 MAP_SHARED | MAP_FIXED, 0, NULL));
	for (i = 0; i < 3; i++)
		entries[i] = (struct npumem_map_entry) { at + i * G, G, self->a };
	ASSERT_EQ(0, npumem_map_batch(self->fd, entries, 3, 0));
	EXPECT_EQ(0, store_signal(at));
	EXPECT_EQ(0, store_signal(at + G));
	EXPECT_EQ(0, load_signal(at + 2 * G));
	EXPECT_EQ(SIGSEGV, store_signal(at + 2 * G));
	munmap(to_ptr(at), 2 * G);
	munmap(to_ptr(at + 2 * G), 2 * G);
}

/* Whoever asked for less than the granule need not know how much it has got. */
TEST_F(access, length_that_was_asked_for_is_all_of_a_mapping)
{
	const __u64 asked = 3000000;
	__u64 handle, base, middle;
	__u32 access;

	if (npumem_free_bytes(self->fd, 0) < GIB || machine_free() < GIB + 256 * MIB)
		SKIP(return, "device 0 has less than 1 GiB");
	ASSERT_EQ(0, npumem_alloc_flags(self->fd, 0, asked, NPUMEM_ALLOC_1G, &handle, NULL));
	ASSERT_EQ(0, npumem_reserve_aligned(self->fd, GIB + G, GIB, &base));
	ASSERT_EQ(0, npumem_map(self->fd, base, asked, handle));
	middle = base + GIB / 2;
	ASSERT_EQ(0, npumem_set_access(self->fd, base, asked, 0, READ));
	ASSERT_EQ(0, npumem_get_access(self->fd, base + GIB - 1, 0, &access));
	EXPECT_EQ(READ, access);
	EXPECT_EQ(SIGSEGV, store_signal(base));
	EXPECT_EQ(SIGSEGV, store_signal(base + GIB - 8));
	EXPECT_EQ(0, load_signal(base + GIB - 8));
	/* Other lengths, and other places, are taken as they are. */
	ASSERT_EQ(0, npumem_set_access(self->fd, base, asked + 1, 0, RW));
	ASSERT_EQ(0, npumem_set_access(self->fd, middle, asked, 0, RW));
	EXPECT_EQ(0, store_signal(base + 2 * G - 8));
	EXPECT_EQ(SIGSEGV, store_signal(base + 2 * G));
	EXPECT_EQ(SIGSEGV, store_signal(middle - 8));
	EXPECT_EQ(0, store_signal(middle + 2 * G - 8));
	EXPECT_EQ(SIGSEGV, store_signal(middle + 2 * G));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_set_access(self->fd, base, GIB + 1, 0, NONE));
	ASSERT_EQ(0, npumem_set_access(self->fd, base, asked, 0, NONE));
	EXPECT_EQ(SIGSEGV, load_signal(base + GIB - 8));
	ASSERT_EQ(0, npumem_unmap(self->fd, base));
	/* Nothing is there that could have been asked for. */
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_set_access(self->fd, base, asked, 0, READ));
	munmap(to_ptr(base), GIB + G);
	EXPECT_EQ(0, npumem_free(self->fd, handle));
}

TEST_F(access, all_of_the_range_or_nothing)
{
	/* Granule 4 is a hole. */
	EXPECT_EQ(-EADDRNOTAVAIL, SET(0, 5, READ));
	EXPECT_EQ(-EADDRNOTAVAIL, SET(3, 2, NONE));
	EXPECT_EQ(-EADDRNOTAVAIL, SET(4, 1, READ));
	CPU_RW(0);
	CPU_RW(3);
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(1)));
	EXPECT_EQ(-EADDRNOTAVAIL, SET(0, 4, READ));
	CPU_RW(0);
	CPU_NONE(1);
	CPU_RW(3);
}

TEST_F(access, all_entries_or_nothing)
{
	struct npumem_access list[3] = {
		{ .location_type = NPUMEM_LOCATION_DEVICE, .access = NONE },
		{ .location_type = NPUMEM_LOCATION_HOST, .access = NONE },
		{ .location_type = NPUMEM_LOCATION_DEVICE, .location_id = 1,
		  .access = RW },
	};
	__u32 access;

	EXPECT_EQ(-EHOSTUNREACH, npumem_set_access_list(self->fd, AT(0), 4 * G,
							list, 3));
	CPU_RW(0);
	CPU_RW(3);
	ASSERT_EQ(0, npumem_peer_enable(self->fd, 1, 0));
	EXPECT_EQ(0, npumem_set_access_list(self->fd, AT(0), 4 * G, list, 3));
	CPU_NONE(0);
	CPU_NONE(3);
	EXPECT_EQ(0, npumem_get_access(self->fd, AT(2), 1, &access));
	EXPECT_EQ(RW, access);
}

TEST_F(access, cpu_may_what_device_or_host_may)
{
	const __u32 rights[] = { NONE, READ, RW };
	unsigned int d, h;

	for (d = 0; d < 3; d++) {
		for (h = 0; h < 3; h++) {
			__u32 both = rights[d] | rights[h];

			ASSERT_EQ(0, SET(0, 1, rights[d]));
			ASSERT_EQ(0, SET_HOST(0, 1, rights[h]));
			EXPECT_EQ(both ? 0 : SIGSEGV, load_signal(AT(0)));
			EXPECT_EQ(both == RW ? 0 : SIGSEGV,
				  store_signal(AT(0)));
		}
	}
}

TEST_F(access, rights_of_other_devices_do_not_help_the_cpu)
{
	ASSERT_EQ(0, npumem_peer_enable(self->fd, 1, 0));
	ASSERT_EQ(0, npumem_set_access(self->fd, AT(0), G, 1, RW));
	ASSERT_EQ(0, SET(0, 1, NONE));
	CPU_NONE(0);
	ASSERT_EQ(0, SET(0, 1, READ));
	CPU_READ(0);
}

TEST_F(access, get_tells_each_location)
{
	__u32 access = 99;

	ASSERT_EQ(0, npumem_get_access(self->fd, AT(0), 0, &access));
	EXPECT_EQ(RW, access);
	ASSERT_EQ(0, npumem_get_host_access(self->fd, AT(0), &access));
	EXPECT_EQ(NONE, access);
	ASSERT_EQ(0, npumem_get_access(self->fd, AT(0), 1, &access));
	EXPECT_EQ(NONE, access);
	ASSERT_EQ(0, SET_HOST(1, 1, READ));
	ASSERT_EQ(0, npumem_get_host_access(self->fd, AT(1) + 77, &access));
	EXPECT_EQ(READ, access);
	ASSERT_EQ(0, npumem_get_host_access(self->fd, AT(2) - 1, &access));
	EXPECT_EQ(READ, access);
	ASSERT_EQ(0, npumem_get_host_access(self->fd, AT(2), &access));
	EXPECT_EQ(NONE, access);
	ASSERT_EQ(0, npumem_get_access(self->fd, AT(1), 0, &access));
	EXPECT_EQ(RW, access);
	EXPECT_EQ(-ENOENT, npumem_get_access(self->fd, AT(4), 0, &access));
}

TEST_F(access, map_without_access)
{
	__u32 access = 99;

	ASSERT_EQ(0, npumem_map_flags(self->fd, AT(4), G, self->a,
				      NPUMEM_MAP_NO_ACCESS));
	CPU_NONE(4);
	ASSERT_EQ(0, npumem_get_access(self->fd, AT(4), 0, &access));
	EXPECT_EQ(NONE, access);
	/* The same memory elsewhere keeps its rights. */
	CPU_RW(0);
	ASSERT_EQ(0, SET(4, 1, READ));
	CPU_READ(4);
	EXPECT_EQ(-1, pattern_check(to_ptr(AT(4)), G, 1));
	ASSERT_EQ(0, SET(4, 1, RW));
	CPU_RW(4);
}

TEST_F(access, rights_go_with_the_mapping)
{
	ASSERT_EQ(0, SET(0, 1, NONE));
	ASSERT_EQ(0, npumem_unmap(self->fd, AT(0)));
	ASSERT_EQ(0, npumem_map(self->fd, AT(0), G, self->a));
	CPU_RW(0);
	ASSERT_EQ(0, npumem_map(self->fd, AT(4), G, self->a));
	ASSERT_EQ(0, SET(0, 1, READ));
	CPU_READ(0);
	CPU_RW(4);
}

TEST_F(access, mprotect_takes_but_does_not_give)
{
	void *base = to_ptr(self->base);

	ASSERT_EQ(0, SET(0, 1, READ));
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ));
	CPU_READ(0);
	CPU_READ(1);
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ | PROT_WRITE));
	/* The VMA allows it again, the mapping's rights do not. */
	CPU_READ(0);
	CPU_RW(1);
	ASSERT_EQ(0, SET(0, 1, NONE));
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ));
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ | PROT_WRITE));
	CPU_NONE(0);
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_NONE));
	CPU_NONE(0);
	CPU_NONE(1);
	ASSERT_EQ(0, SET(0, 1, RW));
	CPU_NONE(0);
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ | PROT_WRITE));
	CPU_RW(0);
	EXPECT_EQ(-1, pattern_check(base, 4 * G, 1));
}

TEST_F(access, map_under_mprotect_waits_for_it)
{
	void *base = to_ptr(self->base);

	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ));
	ASSERT_EQ(0, npumem_map(self->fd, AT(4), G, self->a));
	CPU_READ(4);
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_NONE));
	ASSERT_EQ(0, npumem_map(self->fd, AT(5), G, self->a));
	CPU_NONE(5);
	ASSERT_EQ(0, mprotect(base, 6 * G, PROT_READ | PROT_WRITE));
	CPU_RW(4);
	CPU_RW(5);
}

/* The kernel's own copies obey the same rights. */
TEST_F(access, system_calls_obey)
{
	char *p = to_ptr(AT(0));
	int pipe_fds[2];

	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(8, write(pipe_fds[1], p, 8));
	ASSERT_EQ(0, SET(0, 1, READ));
	EXPECT_EQ(-1, read(pipe_fds[0], p, 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(8, write(pipe_fds[1], p, 8));
	ASSERT_EQ(0, SET(0, 1, NONE));
	EXPECT_EQ(-1, write(pipe_fds[1], p, 8));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, SET(0, 1, RW));
	EXPECT_EQ(8, read(pipe_fds[0], p, 8));
	EXPECT_EQ(-1, pattern_check(p, G, 1));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

TEST_HARNESS_MAIN
