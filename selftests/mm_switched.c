// SPDX-License-Identifier: MIT
/*
 * Entries of 2 MiB, where the kernel has them, do not depend on whether transparent
 * huge pages are on: it then calls the handler of huge faults, or the other one, which
 * from 6.0 to 6.6 is the only one that drivers hear of. Both insert the same.
 */
#include "kselftest_harness.h"
#include "npumem_testing.h"

#include <sys/prctl.h>

#define GRANULES	4
#define SWITCH		"/sys/kernel/mm/transparent_hugepage/enabled"

FIXTURE(switched) {
	int fd;
	__u64 handle;
	__u64 base;
	char old[16];
};

FIXTURE_VARIANT(switched) {
	const char *state;	/* of transparent huge pages, or as it is */
	bool process_off;
	int advice;
};

FIXTURE_VARIANT_ADD(switched, always) { .state = "always" };
FIXTURE_VARIANT_ADD(switched, madvise) { .state = "madvise" };
FIXTURE_VARIANT_ADD(switched, never) { .state = "never" };
FIXTURE_VARIANT_ADD(switched, off_for_the_process) { .process_off = true };
FIXTURE_VARIANT_ADD(switched, off_for_the_range) { .advice = MADV_NOHUGEPAGE };

/* The old state is the word in brackets. 0, or -errno. */
static int switch_huge_pages(const char *state, char *old)
{
	char text[64] = "", *from, *to;
	int fd = open(SWITCH, O_RDWR | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (old && read(fd, text, sizeof(text) - 1) > 0) {
		from = strchr(text, '[');
		to = from ? strchr(from, ']') : NULL;
		if (to)
			snprintf(old, 16, "%.*s", (int)(to - from - 1), from + 1);
	}
	if (pwrite(fd, state, strlen(state), 0) < 0)
		error = -errno;
	close(fd);
	return error;
}

FIXTURE_SETUP(switched)
{
	if (!huge_entries_fit())
		SKIP(return, "the kernel has no huge entries of a granule: see mm_entries");
	if (variant->state) {
		if (geteuid())
			SKIP(return, "needs root");
		ASSERT_EQ(0, switch_huge_pages(variant->state, self->old));
		ASSERT_NE(0, self->old[0]);
	}
	if (variant->process_off)
		ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_reserve(self->fd, GRANULES * G, &self->base));
	if (variant->advice)
		ASSERT_EQ(0, madvise(to_ptr(self->base), GRANULES * G, variant->advice));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, GRANULES * G, &self->handle));
}

FIXTURE_TEARDOWN(switched)
{
	if (self->old[0])
		EXPECT_EQ(0, switch_huge_pages(self->old, NULL));
	close(self->fd);
}

/* What so many granules take, and nothing else. */
static bool has_entries(int fd, __u64 granules)
{
	struct npumem_stats stats;

	return !npumem_stats(fd, &stats) && stats.pmd_entries == granules &&
	       !stats.pte_entries;
}

TEST_F(switched, entries_are_huge_however_they_are_inserted)
{
	ASSERT_EQ(0, npumem_map(self->fd, self->base, GRANULES * G, self->handle));
	EXPECT_TRUE(has_entries(self->fd, GRANULES));
	pattern_mark(to_ptr(self->base), GRANULES * G, 5);
	/* Gone, and made anew by the first touch, of a load and of a store. */
	ASSERT_EQ(0, npumem_set_access(self->fd, self->base, GRANULES * G, 0,
				       NPUMEM_ACCESS_READ));
	EXPECT_EQ(-1, pattern_check(to_ptr(self->base), GRANULES * G, 5));
	EXPECT_EQ(SIGSEGV, store_signal(self->base));
	EXPECT_TRUE(has_entries(self->fd, 2 * GRANULES));
	ASSERT_EQ(0, npumem_set_access(self->fd, self->base, GRANULES * G, 0,
				       NPUMEM_ACCESS_READWRITE));
	pattern_mark(to_ptr(self->base), GRANULES * G, 6);
	EXPECT_EQ(-1, pattern_check(to_ptr(self->base), GRANULES * G, 6));
	EXPECT_TRUE(has_entries(self->fd, 3 * GRANULES));
}

TEST_HARNESS_MAIN
