// SPDX-License-Identifier: MIT
/*
 * A device of a NUMA node (numa_node): its memory is of that node, whoever asks for it.
 * Loads the module with one, when nobody else uses it.
 */
#include "npumem_cgroup.h"
#include "npumem_client.h"
#include "npumem_module.h"
#include "npumem_node.h"
#include "npumem_zeroed.h"

#include "kselftest_harness.h"

#define PIECE	(128 * MIB)

FIXTURE(node)
{
	unsigned int last;	/* device 1 is there, device 0 is anywhere */
	int fd;
};

FIXTURE_SETUP(node)
{
	const char *why = module_begin();
	struct npumem_device_info info;
	char text[64];

	self->last = last_node();
	if (!why && !self->last)
		why = "one NUMA node only: tools/vm/vm --node gives another";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, unload());
	snprintf(text, sizeof(text), "devices=2 numa_node=-1,%u max_zeroed=0", self->last);
	ASSERT_EQ(0, load(text));
	self->fd = open_patiently();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_device_info(self->fd, 0, &info));
	EXPECT_EQ(-1, info.numa_node);
	ASSERT_EQ(0, npumem_device_info(self->fd, 1, &info));
	EXPECT_EQ(self->last, info.numa_node);
}

FIXTURE_TEARDOWN(node)
{
	process_end_all();
	close(self->fd);
	EXPECT_EQ(0, unload());
	EXPECT_TRUE(module_end());
}

TEST_F_TIMEOUT(node, memory_of_a_device_is_of_its_node, 180)
{
	__u64 before[2], handle;
	unsigned int device;

	if (PIECE >> 10 > node_free(self->last) || PIECE >> 10 > node_free(0))
		SKIP(return, "too little memory is free");
	machine_free();
	for (device = 0; device < 2; device++) {
		before[0] = node_free(0);
		before[1] = node_free(self->last);
		ASSERT_EQ(0, npumem_alloc(self->fd, device, PIECE, &handle));
		/* The processors are all on node 0. */
		EXPECT_TRUE(node_lost(0, before[0], device ? 0 : PIECE));
		EXPECT_TRUE(node_lost(self->last, before[1], device ? PIECE : 0));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
		EXPECT_TRUE(becomes_true(node_lost(0, before[0], 0)));
		EXPECT_TRUE(becomes_true(node_lost(self->last, before[1], 0)));
	}
}

/* It stands for that of a card, which no cpuset keeps a process from. */
TEST_F_TIMEOUT(node, memory_of_a_device_is_not_bound_to_a_cpuset, 180)
{
	struct process process;
	__u64 handle, taken;
	char path[96];
	bool usable;
	int kept;

	if (group_write(GROUP_ROOT, "cgroup.subtree_control", "+cpuset"))
		SKIP(return, "needs the cpuset controller of cgroup v2");
	ASSERT_EQ(0, client_start(&process));
	snprintf(path, sizeof(path), GROUP_ROOT "/npumem-node-%d", getpid());
	ASSERT_EQ(0, mkdir(path, 0755));
	ASSERT_EQ(0, group_write(path, "cpuset.mems", "0"));
	ASSERT_EQ(0, group_enter(path, process.pid));
	/* Before 6.12, who has to pay for a page cannot have one that is there. */
	usable = kernel_at_least(6, 12) || group_read(path, "memory.current", NULL) == ~0ULL;
	/* Of the page allocator, and of what is kept zeroed. */
	for (kept = 0; kept < 2; kept++) {
		if (kept) {
			ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 4 * G));
			ASSERT_EQ(0, npumem_alloc(self->fd, 1, 4 * G, &handle));
			ASSERT_EQ(0, npumem_free(self->fd, handle));
			ASSERT_TRUE(becomes_true(zeroed_of_node(self->last) == 4 * G));
		}
		taken = zeroed_count("taken");
		ASSERT_EQ(0, client_alloc(&process, 1, 2 * G, &handle));
		EXPECT_EQ(taken + (kept && usable ? 2 : 0), zeroed_count("taken"));
		ASSERT_EQ(0, client_free(&process, handle));
		/* Memory of the host is the process's own. */
		EXPECT_EQ(-ENOMEM, process_do(&process, client_do_alloc_at,
					      NPUMEM_LOCATION_HOST_NUMA, self->last, G));
	}
	ASSERT_EQ(0, process_kill(&process));
	EXPECT_TRUE(becomes_true(!rmdir(path)));
}

TEST_HARNESS_MAIN
