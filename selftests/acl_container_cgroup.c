// SPDX-License-Identifier: MIT
/* Containers whose memory is limited, and containers that see some devices only. */
#include "acl_container.h"
#include "npumem_cgroup.h"

#include "kselftest_harness.h"

#define LIMIT	(96 * MIB)
#define SIZE	(32 * MIB)
/* What a program weighs besides, with the files it reads. */
#define SLACK	(16 * MIB)
/* An allocation beyond the limit is refused sooner, on the slowest machine. */
#define SOON_MS	20000

FIXTURE(cgroup)
{
	struct watch watch;
	char parent[64], a_group[80], b_group[80];
	struct container a, b;
};

static bool group_make(const char *path, __u64 limit)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", limit);
	return !mkdir(path, 0755) &&
	       (!limit || (!group_write(path, "memory.max", text) &&
			   (!group_write(path, "memory.swap.max", "0") || true)));
}

FIXTURE_SETUP(cgroup)
{
	struct container_options options = { 0 };

	if (access(GROUP_ROOT "/cgroup.controllers", R_OK) || geteuid())
		SKIP(return, "needs root and cgroup v2 at " GROUP_ROOT);
	if (group_write(GROUP_ROOT, "cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory controller");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_LT(2 * LIMIT, npumem_free_bytes(self->watch.fd, 0));
	snprintf(self->parent, sizeof(self->parent), GROUP_ROOT "/npumem-test-%d", getpid());
	snprintf(self->a_group, sizeof(self->a_group), "%s/a", self->parent);
	snprintf(self->b_group, sizeof(self->b_group), "%s/b", self->parent);
	ASSERT_TRUE(group_make(self->parent, 0));
	ASSERT_EQ(0, group_write(self->parent, "cgroup.subtree_control", "+memory"));
	ASSERT_TRUE(group_make(self->a_group, LIMIT));
	ASSERT_TRUE(group_make(self->b_group, LIMIT));
	options.cgroup = self->a_group;
	ASSERT_EQ(OK, acl_container(&self->a, &options, 0));
	options.cgroup = self->b_group;
	ASSERT_EQ(OK, acl_container(&self->b, &options, 0));
}

FIXTURE_TEARDOWN(cgroup)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(becomes_true(!rmdir(self->a_group) || errno == ENOENT));
	EXPECT_TRUE(becomes_true(!rmdir(self->b_group)));
	EXPECT_TRUE(becomes_true(!rmdir(self->parent)));
}

static __u64 charged(const char *group)
{
	return group_read(group, "memory.current", NULL);
}

static __u64 killed(const char *group)
{
	return group_read(group, "memory.events", "oom_kill");
}

TEST_F_TIMEOUT(cgroup, memory_counts_for_who_allocates_it, 180)
{
	__u64 a = charged(self->a_group), b = charged(self->b_group);
	__u64 handle, address, share, theirs, view;

	ASSERT_GT(SLACK, a);
	ASSERT_GT(SLACK, b);
	ASSERT_EQ(OK, acl_new(&self->a.process, 0, SIZE, 4, &handle, &address));
	EXPECT_LE(SIZE, charged(self->a_group));
	EXPECT_GT(a + SIZE + SLACK, charged(self->a_group));
	ASSERT_EQ(OK, acl_export(&self->a.process, handle, 0, &share));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, share, self->b.process.pid));
	ASSERT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->b.process, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->b.process, view, SIZE, 4));
	/* Not for who uses it as well. */
	EXPECT_GT(b + SLACK, charged(self->b_group));
	EXPECT_GT(a + SIZE + SLACK, charged(self->a_group));
	EXPECT_EQ(OK, acl_drop(&self->b.process, view, theirs));
	EXPECT_LE(SIZE, charged(self->a_group));
	EXPECT_EQ(OK, acl_drop(&self->a.process, address, handle));
	EXPECT_TRUE(becomes_true(charged(self->a_group) < a + SLACK));
}

TEST_F_TIMEOUT(cgroup, limit_is_out_of_memory_and_kills_nobody, 240)
{
	__u64 before = charged(self->a_group), handle, address, other;
	int64_t start = now_ms();
	int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(OUT_OF_MEMORY,
			  acl_new(&self->a.process, 0, LIMIT << (i & 1), 1, &handle, &address));
		EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	}
	EXPECT_GT(SOON_MS, now_ms() - start);
	ASSERT_EQ(1, acl_message(&self->a.process, container_text));
	EXPECT_NE(NULL, strstr(container_text, "cgroup"))
		TH_LOG("%s", container_text);
	EXPECT_TRUE(becomes_true(charged(self->a_group) < before + SLACK));
	EXPECT_EQ(0, killed(self->a_group));
	/* What fits still does, and again when it was freed. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(OK, acl_new(&self->a.process, 0, SIZE, 1, &handle, &address));
		ASSERT_EQ(OK, acl_drop(&self->a.process, address, handle));
	}
	/* The neighbour has all of its own while this one is at its limit. */
	ASSERT_EQ(OK, acl_new(&self->a.process, 0, 2 * SIZE, 1, &handle, &address));
	EXPECT_EQ(OUT_OF_MEMORY, acl_new(&self->a.process, 0, SIZE, 1, &other, &other));
	ASSERT_EQ(OK, acl_new(&self->b.process, 0, 2 * SIZE, 2, &other, &other));
	EXPECT_EQ(0, client_check(&self->a.process, address, 2 * SIZE, 1));
	EXPECT_EQ(0, killed(self->a_group) + killed(self->b_group));
	EXPECT_EQ(0, process_stop(&self->a.process));
	EXPECT_EQ(0, process_stop(&self->b.process));
}

/* a: size */
static long do_block(__u64 *a)
{
	void *block = NULL;
	aclError error = aclrtMalloc(&block, a[0], ACL_MEM_MALLOC_HUGE_FIRST);

	return error ? error : aclrtFree(block);
}

TEST_F_TIMEOUT(cgroup, aclrtMalloc_beyond_the_limit, 180)
{
	__u64 before = charged(self->a_group);

	EXPECT_EQ(OUT_OF_MEMORY, process_do(&self->a.process, do_block, LIMIT));
	EXPECT_EQ(OUT_OF_MEMORY, process_do(&self->a.process, do_block, 2 * LIMIT));
	EXPECT_EQ(OK, process_do(&self->a.process, do_block, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(becomes_true(charged(self->a_group) < before + SLACK));
	EXPECT_EQ(0, killed(self->a_group));
}

/* a: size; out: handle, address */
static long do_new_of_the_host(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	struct acl_mapping mapping = { 0 };
	aclError error;

	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	error = aclrtMallocPhysical(&mapping.handle, a[0], &prop, 0);
	if (!error)
		error = aclrtReserveMemAddress(&mapping.address, a[0], 0, NULL, 0);
	if (!error)
		error = aclrtMapMem(mapping.address, a[0], 0, mapping.handle, 0);
	a[1] = to_u64(mapping.handle);
	a[2] = to_u64(mapping.address);
	return error;
}

/* No device bounds that one: the limit is all there is. */
TEST_F_TIMEOUT(cgroup, memory_of_the_host_counts_alike, 180)
{
	__u64 before = charged(self->a_group), share, theirs, view;
	struct call call = { .function = do_new_of_the_host, .argument = { LIMIT } };

	EXPECT_EQ(OUT_OF_MEMORY, process_call(&self->a.process, &call));
	EXPECT_TRUE(becomes_true(charged(self->a_group) < before + SLACK));
	call.argument[0] = SIZE;
	ASSERT_EQ(OK, process_call(&self->a.process, &call));
	EXPECT_LE(SIZE, charged(self->a_group));
	ASSERT_EQ(0, client_mark(&self->a.process, call.argument[2], SIZE, 8));
	ASSERT_EQ(OK, acl_export(&self->a.process, call.argument[1], 0, &share));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, share, self->b.process.pid));
	ASSERT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->b.process, theirs, SIZE, 0, &view));
	ASSERT_EQ(0, container_kill(&self->a, NULL));
	EXPECT_EQ(0, client_check(&self->b.process, view, SIZE, 8));
	EXPECT_LE(SIZE, charged(self->a_group));
	EXPECT_EQ(OK, acl_drop(&self->b.process, view, theirs));
	EXPECT_TRUE(becomes_true(charged(self->a_group) < SLACK));
	EXPECT_EQ(0, killed(self->a_group) + killed(self->b_group));
}

/* Out of memory at any of the steps of a program that grows by segments. */
TEST_F_TIMEOUT(cgroup, limit_is_reached_segment_by_segment, 240)
{
	__u64 handle[64], address[64];
	int i, n = 0;
	long ret;

	while (!(ret = acl_new(&self->a.process, 0, 4 * MIB, n, &handle[n], &address[n])))
		ASSERT_GT(64, ++n);
	EXPECT_EQ(OUT_OF_MEMORY, ret);
	EXPECT_LE((LIMIT - SLACK) / (4 * MIB) - 1, n);
	EXPECT_GE(LIMIT / (4 * MIB), n);
	EXPECT_TRUE(watch_used(&self->watch, 0, n * 4 * MIB));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, client_check(&self->a.process, address[i], 4 * MIB, i));
	ASSERT_EQ(OK, acl_drop(&self->a.process, address[0], handle[0]));
	EXPECT_EQ(OK, acl_new(&self->a.process, 0, 4 * MIB, 1, &handle[0], &address[0]));
	EXPECT_EQ(0, killed(self->a_group));
}

/* Of another's memory one may use more than one could have. */
TEST_F_TIMEOUT(cgroup, importer_is_not_charged_beyond_its_limit, 240)
{
	__u64 handle, address, share, theirs, view;
	struct process host;

	ASSERT_EQ(OK, acl_start(&host, 0));
	ASSERT_EQ(OK, acl_new(&host, 0, LIMIT + SIZE, 6, &handle, &address));
	ASSERT_EQ(OK, acl_export(&host, handle, 0, &share));
	ASSERT_EQ(OK, acl_set_pid(&host, share, self->b.process.pid));
	ASSERT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->b.process, theirs, LIMIT + SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->b.process, view, LIMIT + SIZE, 6));
	EXPECT_GT(SLACK, charged(self->b_group));
	EXPECT_EQ(0, killed(self->b_group));
}

/*
 * The exporter's container is gone with its group: what an importer elsewhere
 * still holds counts for the group above, until he lets go.
 */
TEST_F_TIMEOUT(cgroup, charge_lasts_as_long_as_the_last_holder, 240)
{
	__u64 before = charged(self->parent), handle, address, share, theirs, view;

	ASSERT_EQ(OK, acl_new(&self->a.process, 0, 2 * SIZE, 4, &handle, &address));
	ASSERT_EQ(OK, acl_export(&self->a.process, handle, 0, &share));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, share, self->b.process.pid));
	ASSERT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_drop(&self->a.process, address, handle));
	EXPECT_LE(2 * SIZE, charged(self->a_group));
	EXPECT_EQ(OUT_OF_MEMORY, acl_new(&self->a.process, 0, SIZE, 1, &handle, &address));
	ASSERT_EQ(0, container_kill(&self->a, NULL));
	EXPECT_LE(2 * SIZE, charged(self->a_group));
	EXPECT_TRUE(becomes_true(!rmdir(self->a_group)));
	EXPECT_LE(2 * SIZE, charged(self->parent));
	ASSERT_EQ(OK, acl_map(&self->b.process, theirs, 2 * SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->b.process, view, 2 * SIZE, 4));
	EXPECT_EQ(OK, acl_drop(&self->b.process, view, theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(becomes_true(charged(self->parent) < before + SLACK));
}

TEST_F_TIMEOUT(cgroup, killed_container_is_not_charged, 240)
{
	__u64 handle, address;

	ASSERT_EQ(OK, acl_new(&self->a.process, 0, 2 * SIZE, 4, &handle, &address));
	ASSERT_EQ(0, container_kill(&self->a, NULL));
	EXPECT_TRUE(becomes_true(charged(self->a_group) < SLACK));
}

FIXTURE(devices)
{
	struct watch watch;
	struct container a, b;
};

FIXTURE_SETUP(devices)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
}

FIXTURE_TEARDOWN(devices)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

static long do_count(__u64 *a)
{
	uint32_t count = 99;
	aclError error = aclrtGetDeviceCount(&count);

	return a[0] = count, error ? -error : (long)count;
}

TEST_F_TIMEOUT(devices, one_that_is_visible_is_number_0, 180)
{
	static const struct container_options options = { .visible = "1" };
	struct process member;
	__u64 handle, address;

	ASSERT_EQ(OK, acl_container(&self->a, &options, 0));
	EXPECT_EQ(1, process_do(&self->a.process, do_count));
	ASSERT_EQ(OK, acl_new(&self->a.process, 0, SIZE, 1, &handle, &address));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_DEVICE, acl_new(&self->a.process, 1, SIZE, 1, &handle, &address));
	/* Also for who comes later. */
	ASSERT_EQ(0, container_enter(&self->a, &member, 0));
	EXPECT_EQ(1, process_do(&member, do_count));
	EXPECT_EQ(INVALID_DEVICE, process_do(&member, acl_do_start, 1));
}

TEST_F_TIMEOUT(devices, containers_with_the_same_one, 180)
{
	static const struct container_options one = { .visible = "1" }, both = { .visible = "1,0" };

	ASSERT_EQ(OK, acl_container(&self->a, &one, 0));
	ASSERT_EQ(OK, acl_container(&self->b, &both, 0));
	EXPECT_EQ(2, process_do(&self->b.process, do_count));
	EXPECT_EQ(0, acl_container_story(&self->a.process, &self->b.process, SIZE));
	EXPECT_EQ(0, acl_container_story(&self->b.process, &self->a.process, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

/* The importer cannot name the device that has the memory, yet may have it. */
TEST_F_TIMEOUT(devices, containers_with_different_ones, 180)
{
	static const struct container_options first = { .visible = "0" };
	static const struct container_options second = { .visible = "1" };

	ASSERT_EQ(OK, acl_container(&self->a, &first, 0));
	ASSERT_EQ(OK, acl_container(&self->b, &second, 0));
	EXPECT_EQ(0, acl_container_story(&self->a.process, &self->b.process, SIZE));
	EXPECT_EQ(0, acl_container_story(&self->b.process, &self->a.process, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

TEST_HARNESS_MAIN
