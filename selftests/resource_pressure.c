// SPDX-License-Identifier: MIT
/*
 * A machine with little memory left: what cannot be had fails soon, with ENOMEM and
 * without the OOM killer, and what was there before goes on.
 */
#include "npumem_cgroup.h"
#include "npumem_client.h"

#include "kselftest_harness.h"

/* What the test leaves to all others. */
#define LEFT	(192 * MIB)
/* A call that fails takes no longer, on an emulated machine under load. */
#define SOON_MS	20000

FIXTURE(pressure)
{
	struct watch watch;
	struct process process;
	__u64 hugepages, oom_kills;
};

/* Pages of 2 MiB that nobody has, but nobody else can get. */
static bool set_hugepages(__u64 count)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", count);
	return !group_write("/proc/sys/vm", "nr_hugepages", text);
}

static __u64 available(void)
{
	return group_read("/proc", "meminfo", "MemAvailable:") * KIB;
}

FIXTURE_SETUP(pressure)
{
	self->hugepages = group_read("/proc/sys/vm", "nr_hugepages", NULL);
	if (geteuid() || self->hugepages == ~0ULL)
		SKIP(return, "needs root and hugetlbfs");
	if (group_read("/proc", "meminfo", "Hugepagesize:") != 2048)
		SKIP(return, "needs huge pages of 2 MiB");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->process));
	self->oom_kills = group_read("/proc", "vmstat", "oom_kill");
}

FIXTURE_TEARDOWN(pressure)
{
	EXPECT_TRUE(set_hugepages(self->hugepages));
	EXPECT_EQ(self->oom_kills, group_read("/proc", "vmstat", "oom_kill"));
	EXPECT_TRUE(watch_end(&self->watch));
}

/* As much as there is, in parts of a[0] bytes; how many in a[1]. */
static long do_take_all(__u64 *a)
{
	__u64 handle;
	long ret;

	for (a[1] = 0; !(ret = npumem_alloc(client_fd, 0, a[0], &handle)); a[1]++)
		if (a[1] * a[0] > 2 * LEFT)
			return 0;
	return ret;
}

TEST_F_TIMEOUT(pressure, is_ENOMEM_soon_and_without_the_oom_killer, 240)
{
	__u64 handle, at, big, more, free_bytes = available();
	struct call all = { .function = do_take_all };
	int64_t start;
	int i;

	ASSERT_EQ(0, client_alloc(&self->process, 0, 8 * MIB, &handle));
	ASSERT_EQ(0, client_map(&self->process, handle, 8 * MIB, &at));
	ASSERT_EQ(0, client_mark(&self->process, at, 8 * MIB, 5));
	/* In steps: it takes what it gets. */
	for (i = 0; i < 5 && available() > LEFT + 8 * MIB; i++)
		ASSERT_TRUE(set_hugepages(group_read("/proc/sys/vm", "nr_hugepages", NULL) +
					  (available() - LEFT) / (2 * MIB)));
	printf("# %llu MiB available of %llu\n", available() / MIB, free_bytes / MIB);
	if (available() > 2 * LEFT)
		SKIP(return, "memory is too much in pieces");

	/* Much more than there is, though the device could give it. */
	big = npumem_free_bytes(self->watch.fd, 0);
	ASSERT_LT(2 * LEFT, big);
	for (i = 0; i < 5; i++) {
		start = now_ms();
		EXPECT_EQ(-ENOMEM, client_alloc(&self->process, 0, big, &more));
		EXPECT_GT(SOON_MS, now_ms() - start);
		EXPECT_TRUE(watch_used(&self->watch, 0, 8 * MIB));
	}
	/* And little by little, to the end. */
	all.argument[0] = G;
	start = now_ms();
	EXPECT_EQ(-ENOMEM, process_call(&self->process, &all));
	EXPECT_GT(SOON_MS, now_ms() - start);
	printf("# %llu granules more, in %lld ms, %llu MiB are available\n", all.argument[1],
	       (long long)(now_ms() - start), available() / MIB);
	EXPECT_TRUE(watch_used(&self->watch, 0, 8 * MIB + all.argument[1] * G));
	EXPECT_EQ(-ENOMEM, client_alloc(&self->process, 0, big / 2, &more));

	/* What there was is as it was. */
	EXPECT_EQ(0, client_check(&self->process, at, 8 * MIB, 5));
	EXPECT_EQ(0, client_unmap(&self->process, at));
	EXPECT_EQ(0, client_free(&self->process, handle));
	ASSERT_EQ(0, process_kill(&self->process));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));

	/* When others let go it can be had again. */
	ASSERT_TRUE(set_hugepages(self->hugepages));
	ASSERT_EQ(0, client_start(&self->process));
	EXPECT_EQ(0, client_alloc(&self->process, 0, 2 * LEFT, &handle));
	EXPECT_EQ(0, client_free(&self->process, handle));
}

TEST_HARNESS_MAIN
