// SPDX-License-Identifier: MIT
/*
 * What it takes to reach a granule: one fault, which brings all entries that the
 * granule has, be they 32 pages of 64 KiB, 512 of 4 KiB or a huge one. With huge
 * ones it brings its neighbours' too.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#include <sys/resource.h>

#define GRANULES	4

FIXTURE(entries) {
	int fd;
	__u64 handle, base;
	long long old_pmd;
	bool huge;
	struct npumem_stats before;
};

FIXTURE_VARIANT(entries) {
	bool pmd;
};

FIXTURE_VARIANT_ADD(entries, huge) { .pmd = true };
FIXTURE_VARIANT_ADD(entries, base) { .pmd = false };

/* Faults and entries since the last time. */
#define EXPECT_MORE(faults_, entries_) do {				\
	struct npumem_stats now;					\
									\
	ASSERT_EQ(0, npumem_stats(self->fd, &now));			\
	EXPECT_EQ(faults_, now.faults - self->before.faults);		\
	EXPECT_EQ(self->huge ? (entries_) : 0,				\
		  now.pmd_entries - self->before.pmd_entries);		\
	EXPECT_EQ(self->huge ? 0 : (entries_) * (G / page_bytes()),	\
		  now.pte_entries - self->before.pte_entries);		\
	self->before = now;						\
} while (0)

FIXTURE_SETUP(entries)
{
	self->old_pmd = npumem_parameter("pmd_entries");
	self->huge = variant->pmd && huge_entries_fit();
	if (npumem_set_parameter("pmd_entries", variant->pmd))
		SKIP(return, "parameter pmd_entries cannot be changed");
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	/* A huge entry's neighbours are those below one table: up to 1 GiB. */
	ASSERT_EQ(0, npumem_reserve_aligned(self->fd, GRANULES * G,
					    GRANULES * G, &self->base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, GRANULES * G, &self->handle));
	ASSERT_EQ(0, npumem_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(entries)
{
	munmap(to_ptr(self->base), GRANULES * G);
	close(self->fd);
	npumem_set_parameter("pmd_entries", self->old_pmd);
}

/* Loads from each page of a granule, beginning with the last one. */
static long touch_granule(__u64 address)
{
	const __u64 page = page_bytes();
	struct rusage before, after;
	__u64 offset;

	getrusage(RUSAGE_SELF, &before);
	for (offset = G; offset; offset -= page)
		(void)*(volatile char *)to_ptr(address + offset - page);
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

TEST_F(entries, mapping_populates_by_one_fault_per_granule_or_table)
{
	ASSERT_EQ(0, npumem_map(self->fd, self->base, GRANULES * G, self->handle));
	EXPECT_MORE(self->huge ? 1 : GRANULES, GRANULES);
	EXPECT_GE(2, touch_granule(self->base));
	EXPECT_GE(2, touch_granule(self->base + (GRANULES - 1) * G));
	EXPECT_MORE(0, 0);
}

/* What is mapped under mprotect() is not populated: the first touch is a fault. */
TEST_F(entries, one_fault_is_all_that_a_granule_costs)
{
	unsigned int i;

	ASSERT_EQ(0, mprotect(to_ptr(self->base), GRANULES * G, PROT_NONE));
	ASSERT_EQ(0, npumem_map(self->fd, self->base, GRANULES * G, self->handle));
	EXPECT_MORE(0, 0);
	ASSERT_EQ(0, mprotect(to_ptr(self->base), GRANULES * G,
			      PROT_READ | PROT_WRITE));
	for (i = 0; i < GRANULES; i++) {
		bool first = !i || !self->huge;

		/* Counted by the kernel, with what else may happen, and by us. */
		long faults = touch_granule(self->base + i * G);

		EXPECT_LE(first, faults);
		EXPECT_GE(first + 2, faults);
		EXPECT_MORE(first, self->huge && first ? GRANULES : first);
	}
	/* Entries are writable at once, and so cost no second fault. */
	pattern_fill(to_ptr(self->base), GRANULES * G, 3);
	EXPECT_EQ(-1, pattern_verify(to_ptr(self->base), GRANULES * G, 3));
	EXPECT_MORE(0, 0);
}

/* The entries of one granule are of one piece: none is left behind, or comes alone. */
TEST_F(entries, a_right_comes_and_goes_with_all_of_a_granule)
{
	const __u64 page = page_bytes();
	__u64 offset;

	ASSERT_EQ(0, npumem_map(self->fd, self->base, GRANULES * G, self->handle));
	ASSERT_EQ(0, npumem_set_access(self->fd, self->base + G, G, 0,
				       NPUMEM_ACCESS_NONE));
	for (offset = 0; offset < G; offset += page) {
		ASSERT_EQ(0, load_signal(self->base + offset));
		ASSERT_EQ(SIGSEGV, load_signal(self->base + G + offset));
		ASSERT_EQ(0, load_signal(self->base + 2 * G + offset));
	}
	ASSERT_EQ(0, npumem_set_access(self->fd, self->base + G, G, 0,
				       NPUMEM_ACCESS_READ));
	for (offset = 0; offset < G; offset += page) {
		ASSERT_EQ(0, store_signal(self->base + offset));
		ASSERT_EQ(0, load_signal(self->base + G + offset));
		ASSERT_EQ(SIGSEGV, store_signal(self->base + G + offset));
		ASSERT_EQ(0, store_signal(self->base + 2 * G + offset));
	}
}

TEST_HARNESS_MAIN
