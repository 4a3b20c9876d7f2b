// SPDX-License-Identifier: MIT
/* Memory of a device or the host counts for the cgroup of whoever allocated it. */
#include <sys/stat.h>

#include "npumem_cgroup.h"
#include "npumem_client.h"

#include "kselftest_harness.h"

#define LIMIT	(64 * MIB)
/* What a process weighs besides, and the 64 pages that a CPU charges ahead. */
#define SLACK	(6 * MIB + 64 * page_bytes() * sysconf(_SC_NPROCESSORS_ONLN))

FIXTURE(cgroup)
{
	struct watch watch;
	struct process process;
	char path[128];
};

FIXTURE_SETUP(cgroup)
{
	char text[32];

	if (access(GROUP_ROOT "/cgroup.controllers", R_OK) || geteuid())
		SKIP(return, "needs root and cgroup v2 at " GROUP_ROOT);
	group_write(GROUP_ROOT, "cgroup.subtree_control", "+memory");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_LT(2 * LIMIT, npumem_free_bytes(self->watch.fd, 0));
	snprintf(self->path, sizeof(self->path), GROUP_ROOT "/npumem-test-%d", getpid());
	ASSERT_EQ(0, mkdir(self->path, 0755));
	snprintf(text, sizeof(text), "%llu", LIMIT);
	if (group_write(self->path, "memory.max", text))
		SKIP(return, "no memory controller");
	group_write(self->path, "memory.swap.max", "0");
	ASSERT_EQ(0, client_start(&self->process));
	ASSERT_EQ(0, group_enter(self->path, self->process.pid));
}

FIXTURE_TEARDOWN(cgroup)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(becomes_true(!rmdir(self->path)));
}

TEST_F_TIMEOUT(cgroup, is_charged_and_uncharged, 240)
{
	__u64 start = group_read(self->path, "memory.current", NULL), handle, address;

	ASSERT_GT(SLACK, start);
	ASSERT_EQ(0, client_alloc(&self->process, 0, 32 * MIB, &handle));
	EXPECT_LE(32 * MIB, group_read(self->path, "memory.current", NULL));
	EXPECT_GT(32 * MIB + start + SLACK, group_read(self->path, "memory.current", NULL));
	ASSERT_EQ(0, client_map(&self->process, handle, 32 * MIB, &address));
	ASSERT_EQ(0, client_mark(&self->process, address, 32 * MIB, 1));
	/* Once and not again by the mapping. */
	EXPECT_GT(32 * MIB + start + SLACK, group_read(self->path, "memory.current", NULL));
	ASSERT_EQ(0, client_unmap(&self->process, address));
	ASSERT_EQ(0, client_free(&self->process, handle));
	EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) < start + SLACK));
}

TEST_F_TIMEOUT(cgroup, limit_is_ENOMEM_without_the_oom_killer, 240)
{
	__u64 start = group_read(self->path, "memory.current", NULL), handle, small;
	int i;

	ASSERT_EQ(0, client_alloc(&self->process, 0, 8 * MIB, &small));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(-ENOMEM, client_alloc(&self->process, 0, 2 * LIMIT, &handle));
		EXPECT_EQ(-ENOMEM, client_alloc(&self->process, 0, LIMIT, &handle));
		/* Nothing partial remains. */
		EXPECT_TRUE(watch_used(&self->watch, 0, 8 * MIB));
		EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) <
					 start + 8 * MIB + SLACK));
	}
	EXPECT_EQ(0, group_read(self->path, "memory.events", "oom_kill"));
	/* What fits still works. */
	EXPECT_EQ(0, client_alloc(&self->process, 0, 16 * MIB, &handle));
	EXPECT_EQ(0, client_free(&self->process, handle));
	EXPECT_EQ(0, client_free(&self->process, small));
	EXPECT_EQ(0, process_stop(&self->process));
}

TEST_F_TIMEOUT(cgroup, memory_of_the_host_is_charged_like_a_devices, 240)
{
	const __u32 types[] = { NPUMEM_LOCATION_HOST, NPUMEM_LOCATION_HOST_NUMA };
	__u64 start = group_read(self->path, "memory.current", NULL), handle;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOMEM, process_do(&self->process, client_do_alloc_at, types[i], 0,
					      2 * LIMIT));
		EXPECT_TRUE(watch_used(&self->watch, NPUMEM_DEVICE_NONE, 0));
		ASSERT_EQ(0, process_get(&self->process, &handle, 3, client_do_alloc_at,
					 types[i], 0, 32 * MIB));
		EXPECT_LE(32 * MIB, group_read(self->path, "memory.current", NULL));
		EXPECT_GT(32 * MIB + start + SLACK,
			  group_read(self->path, "memory.current", NULL));
		ASSERT_EQ(0, client_free(&self->process, handle));
		EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) <
					 start + SLACK));
	}
	EXPECT_EQ(0, group_read(self->path, "memory.events", "oom_kill"));
}

TEST_F_TIMEOUT(cgroup, limit_is_reached_step_by_step_too, 240)
{
	__u64 handle, first = 0;
	int granules = 0;
	long ret;

	while (!(ret = client_alloc(&self->process, 0, G, &handle))) {
		if (!granules++)
			first = handle;
		ASSERT_GE(LIMIT / G, granules);
	}
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_LE((LIMIT - SLACK) / G - 1, granules);
	EXPECT_TRUE(watch_used(&self->watch, 0, granules * G));
	EXPECT_EQ(0, client_free(&self->process, first));
	EXPECT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	EXPECT_EQ(0, group_read(self->path, "memory.events", "oom_kill"));
}

TEST_F_TIMEOUT(cgroup, charge_stays_with_the_exporter_while_others_hold_the_memory, 240)
{
	__u64 start = group_read(self->path, "memory.current", NULL);
	__u64 handle, token, theirs;

	ASSERT_EQ(0, client_alloc(&self->process, 0, 32 * MIB, &handle));
	ASSERT_EQ(0, client_export(&self->process, handle, NPUMEM_EXPORT_ANYONE, &token));
	ASSERT_EQ(0, npumem_import(self->watch.fd, token, 0, &theirs, NULL));
	ASSERT_EQ(0, client_free(&self->process, handle));
	EXPECT_LE(32 * MIB, group_read(self->path, "memory.current", NULL));
	ASSERT_EQ(0, npumem_free(self->watch.fd, theirs));
	EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) < start + SLACK));
}

TEST_F_TIMEOUT(cgroup, charge_goes_with_a_killed_process, 240)
{
	__u64 handle, address;

	ASSERT_EQ(0, client_alloc(&self->process, 0, 32 * MIB, &handle));
	ASSERT_EQ(0, client_map(&self->process, handle, 32 * MIB, &address));
	ASSERT_EQ(0, process_kill(&self->process));
	EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) < SLACK));
}

TEST_HARNESS_MAIN
