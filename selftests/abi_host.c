// SPDX-License-Identifier: MIT
/*
 * Memory of the host, from anywhere and from one NUMA node: what differs from
 * memory of a device.
 */
#include "npumem_cgroup.h"
#include "npumem_client.h"
#include "npumem_node.h"
#include "npumem_zeroed.h"

#include "kselftest_harness.h"

#define HOST	NPUMEM_LOCATION_HOST
#define NUMA	NPUMEM_LOCATION_HOST_NUMA
#define NOBODY	NPUMEM_DEVICE_NONE	/* the host's number, and no current device */
#define NONE	NPUMEM_ACCESS_NONE
#define READ	NPUMEM_ACCESS_READ
#define RW	NPUMEM_ACCESS_READWRITE

FIXTURE(host)
{
	struct watch watch;
	int fd;
	__u64 handle;		/* 4 MiB of the host */
	__u64 address;		/* mapped here, with 2 MiB of nothing behind */
	long long zeroed;
};

FIXTURE_SETUP(host)
{
	/* What is kept zeroed is not among the pages that are free by the node's count. */
	self->zeroed = zeroed_off();
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_alloc_at(self->fd, HOST, 0, 2 * G, &self->handle));
	ASSERT_EQ(0, npumem_reserve(self->fd, 3 * G, &self->address));
	ASSERT_EQ(0, npumem_map(self->fd, self->address, 2 * G, self->handle));
}

FIXTURE_TEARDOWN(host)
{
	munmap(to_ptr(self->address), 3 * G);
	close(self->fd);
	EXPECT_TRUE(watch_end(&self->watch));
	zeroed_restore(self->zeroed);
}

static __u32 access_of(int fd, __u64 address, __u32 type, __u32 id)
{
	__u32 access = ~0U;

	return npumem_get_access_of(fd, address, type, id, &access) ? ~0U : access;
}

#define HOST_ACCESS(address) \
	access_of(self->fd, address, NPUMEM_LOCATION_HOST, 0)
#define DEVICE_ACCESS(address, device) \
	access_of(self->fd, address, NPUMEM_LOCATION_DEVICE, device)

TEST_F(host, failed_allocations_change_nothing)
{
	const struct {
		__u32 type, id, flags;
		__u64 length;
		int error;
	} bad[] = {
		{ HOST, 1, 0, G, -EINVAL },
		{ HOST, ~0U, 0, G, -EINVAL },
		{ HOST, 1, NPUMEM_ALLOC_1G, G, -EINVAL },
		{ HOST, 0, 2, G, -EINVAL },
		{ HOST, 0, 0, 0, -EINVAL },
		{ HOST, 0, NPUMEM_ALLOC_1G, G, -EOPNOTSUPP },
		{ NUMA, 0, NPUMEM_ALLOC_1G, G, -EOPNOTSUPP },
		{ NUMA, 0, 0, 0, -EINVAL },
		{ NUMA, 1023, 0, G, -ENXIO },
		{ NUMA, 1024, 0, G, -ENXIO },
		{ NUMA, 65535, 0, G, -ENXIO },
		{ NUMA, 1U << 31, 0, G, -ENXIO },
		{ NUMA, ~0U, 0, G, -ENXIO },
		{ HOST, 0, 0, ~0ULL, -EOVERFLOW },
		{ HOST, 0, 0, ~0ULL - G + 2, -EOVERFLOW },
		{ NUMA, 0, 0, ~0ULL, -EOVERFLOW },
		{ HOST, 0, 0, 1ULL << 62, -ENOSPC },
		{ HOST, 0, 0, npumem_capacity(self->fd, NOBODY) + 1, -ENOSPC },
		{ NUMA, 0, 0, npumem_capacity(self->fd, NOBODY) + 1, -ENOSPC },
	};
	struct npumem_stats before, after;
	unsigned int i;

	ASSERT_EQ(0, npumem_stats(self->fd, &before));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct npumem_alloc argument = {
			.size = sizeof(argument),
			.flags = bad[i].flags,
			.location_type = bad[i].type,
			.location_id = bad[i].id,
			.length = bad[i].length,
		};

		EXPECT_EQ(bad[i].error, npumem_call(self->fd, NPUMEM_ALLOC, &argument)) {
			TH_LOG("entry %u", i);
		}
		EXPECT_EQ(0, argument.handle);
		EXPECT_TRUE(watch_used(&self->watch, NOBODY, 2 * G));
	}
	ASSERT_EQ(0, npumem_stats(self->fd, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

TEST_F(host, is_told_as_the_host)
{
	struct npumem_share_info share;
	struct npumem_memory_info info;
	struct npumem_range range;
	__u64 handle, token;

	ASSERT_EQ(0, npumem_alloc_at(self->fd, NUMA, 0, 3000000, &handle));
	ASSERT_EQ(0, npumem_memory_info(self->fd, handle, &info));
	EXPECT_EQ(NUMA, info.location_type);
	EXPECT_EQ(0, info.location_id);
	EXPECT_EQ(NOBODY, info.device);
	EXPECT_EQ(3000000, info.requested);
	EXPECT_EQ(2 * G, info.length);
	EXPECT_EQ(1, info.references);
	ASSERT_EQ(0, npumem_memory_info(self->fd, self->handle, &info));
	EXPECT_EQ(HOST, info.location_type);
	EXPECT_EQ(NOBODY, info.device);
	ASSERT_EQ(0, npumem_range(self->fd, self->address + G + 1, &range));
	EXPECT_EQ(NOBODY, range.device);
	EXPECT_EQ(self->address, range.address);
	EXPECT_EQ(2 * G, range.length);
	EXPECT_EQ(HOST, range.location_type);
	ASSERT_EQ(0, npumem_export(self->fd, self->handle, 0, &token));
	ASSERT_EQ(0, npumem_share_info(self->fd, token, &share));
	EXPECT_EQ(NOBODY, share.device);
	EXPECT_TRUE(watch_used(&self->watch, NOBODY, 4 * G));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

TEST_F(host, cpu_has_the_hosts_rights)
{
	EXPECT_EQ(RW, HOST_ACCESS(self->address));
	EXPECT_EQ(NONE, DEVICE_ACCESS(self->address, 0));
	EXPECT_EQ(-1, bytes_differ(to_ptr(self->address), 2 * G, 0));
	pattern_fill(to_ptr(self->address), 2 * G, 1);
	ASSERT_EQ(0, npumem_set_host_access(self->fd, self->address, G, READ));
	EXPECT_EQ(0, load_signal(self->address));
	EXPECT_EQ(SIGSEGV, store_signal(self->address));
	EXPECT_EQ(0, store_signal(self->address + G));
	ASSERT_EQ(0, npumem_set_host_access(self->fd, self->address, G, NONE));
	EXPECT_EQ(SIGSEGV, load_signal(self->address));
	/* A device's rights are not the CPU's, and need no link. */
	ASSERT_EQ(0, npumem_set_access(self->fd, self->address, 2 * G, 0, RW));
	ASSERT_EQ(0, npumem_set_access(self->fd, self->address, 2 * G, 1, READ));
	EXPECT_EQ(RW, DEVICE_ACCESS(self->address, 0));
	EXPECT_EQ(READ, DEVICE_ACCESS(self->address, 1));
	EXPECT_EQ(NONE, HOST_ACCESS(self->address));
	EXPECT_EQ(SIGSEGV, load_signal(self->address));
	ASSERT_EQ(0, npumem_set_host_access(self->fd, self->address, 2 * G, RW));
	EXPECT_EQ(-1, pattern_verify(to_ptr(self->address), 2 * G, 1));
}

TEST_F(host, mapped_without_access_the_cpu_has_none)
{
	ASSERT_EQ(0, npumem_unmap(self->fd, self->address));
	ASSERT_EQ(0, npumem_map_flags(self->fd, self->address, 2 * G, self->handle,
				      NPUMEM_MAP_NO_ACCESS));
	EXPECT_EQ(NONE, HOST_ACCESS(self->address));
	EXPECT_EQ(SIGSEGV, load_signal(self->address));
	ASSERT_EQ(0, npumem_set_host_access(self->fd, self->address, 2 * G, READ));
	EXPECT_EQ(0, load_signal(self->address));
	EXPECT_EQ(SIGSEGV, store_signal(self->address));
}

TEST_F(host, reservation_belongs_to_the_host)
{
	__u64 device, host, other;

	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &device));
	EXPECT_EQ(-EXDEV, npumem_map(self->fd, self->address + 2 * G, G, device));
	ASSERT_EQ(0, npumem_alloc_at(self->fd, NUMA, 0, G, &host));
	EXPECT_EQ(0, npumem_map(self->fd, self->address + 2 * G, G, host));
	ASSERT_EQ(0, npumem_reserve(self->fd, 2 * G, &other));
	ASSERT_EQ(0, npumem_map(self->fd, other, G, device));
	EXPECT_EQ(-EXDEV, npumem_map(self->fd, other + G, G, host));
	munmap(to_ptr(other), 2 * G);
}

TEST_F(host, memory_that_comes_back_is_zeroed)
{
	__u64 handle, address, round;

	for (round = 1; round < 4; round++) {
		ASSERT_EQ(0, npumem_alloc_at(self->fd, round & 1 ? HOST : NUMA, 0,
					     16 * G, &handle));
		ASSERT_EQ(0, npumem_reserve(self->fd, 16 * G, &address));
		ASSERT_EQ(0, npumem_map(self->fd, address, 16 * G, handle));
		EXPECT_EQ(-1, bytes_differ(to_ptr(address), 16 * G, 0));
		memset(to_ptr(address), 0xa5, 16 * G);
		munmap(to_ptr(address), 16 * G);
		ASSERT_EQ(0, npumem_free(self->fd, handle));
		EXPECT_TRUE(watch_used(&self->watch, NOBODY, 2 * G));
	}
}

TEST_F_TIMEOUT(host, capacity_is_exact, 120)
{
	__u64 left = npumem_free_bytes(self->fd, NOBODY), big, small, more;

	if (left + 256 * MIB > machine_free())
		SKIP(return, "this machine has not that much memory free");
	ASSERT_EQ(0, npumem_alloc_at(self->fd, HOST, 0, left - G, &big));
	EXPECT_EQ(-ENOSPC, npumem_alloc_at(self->fd, HOST, 0, G + 1, &more));
	ASSERT_EQ(0, npumem_alloc_at(self->fd, HOST, 0, G, &small));
	EXPECT_EQ(0, npumem_free_bytes(self->fd, NOBODY));
	EXPECT_EQ(-ENOSPC, npumem_alloc_at(self->fd, HOST, 0, 1, &more));
	EXPECT_EQ(-ENOSPC, npumem_alloc_at(self->fd, NUMA, 0, 1, &more));
	/* Devices have their own. */
	EXPECT_EQ(0, npumem_alloc(self->fd, 0, G, &more));
	EXPECT_EQ(0, npumem_free(self->fd, big));
	EXPECT_EQ(left - G, npumem_free_bytes(self->fd, NOBODY));
}

TEST_F(host, reset_of_a_device_leaves_it)
{
	struct npumem_stats stats;
	__u64 handle;

	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	pattern_fill(to_ptr(self->address), 2 * G, 3);
	EXPECT_EQ(0, npumem_reset(self->fd, 0));
	EXPECT_EQ(0, npumem_reset(self->fd, 1));
	EXPECT_EQ(-ENXIO, npumem_reset(self->fd, 63));
	EXPECT_EQ(-ENXIO, npumem_reset(self->fd, NOBODY));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(1, stats.handles);
	EXPECT_EQ(1, stats.mappings);
	EXPECT_EQ(-1, pattern_verify(to_ptr(self->address), 2 * G, 3));
}

/* The number that the module has for the host is nobody else's business. */
TEST_F(host, has_no_number)
{
	struct npumem_device_info info;
	__u32 id;

	for (id = NPUMEM_MAX_DEVICES; id < 130; id++) {
		EXPECT_EQ(-ENXIO, npumem_device_info(self->fd, id, &info));
		EXPECT_EQ(-ENXIO, npumem_alloc(self->fd, id, G, NULL));
		EXPECT_EQ(-ENXIO, npumem_peer_enable(self->fd, 0, id));
		EXPECT_EQ(-ENXIO, npumem_set_access(self->fd, self->address, G, id, RW));
		EXPECT_EQ(-ENXIO, npumem_copy(self->fd, id, to_ptr(self->address),
					      to_ptr(self->address + G), 8));
	}
}

/* ---- copies ---- */

TEST_F(host, copies_need_no_device)
{
	const __u32 by[] = { NOBODY, 0, 1 };
	unsigned char *user = malloc(2 * G);
	void *host = to_ptr(self->address);
	unsigned int i;

	ASSERT_NE(NULL, user);
	for (i = 0; i < ARRAY_SIZE(by); i++) {
		pattern_fill(user, 2 * G, i + 1);
		ASSERT_EQ(0, npumem_copy(self->fd, by[i], host, user, 2 * G));
		EXPECT_EQ(-1, pattern_verify(host, 2 * G, i + 1));
		memset(user, 0, 2 * G);
		ASSERT_EQ(0, npumem_copy(self->fd, by[i], user, host, 2 * G));
		EXPECT_EQ(-1, pattern_verify(user, 2 * G, i + 1));
		ASSERT_EQ(0, npumem_copy(self->fd, by[i], to_ptr(self->address + 4096),
					 host, G));
		EXPECT_EQ(-1, pattern_verify(to_ptr(self->address + 4096), G, i + 1));
		ASSERT_EQ(0, npumem_fill(self->fd, by[i], host, 2 * G, 0x3c));
		EXPECT_EQ(-1, bytes_differ(host, 2 * G, 0x3c));
		/* The end of what is mapped, and beyond. */
		EXPECT_EQ(-EADDRNOTAVAIL, npumem_copy(self->fd, by[i],
						      to_ptr(self->address + G), user, 2 * G));
		EXPECT_EQ(-EADDRNOTAVAIL, npumem_fill(self->fd, by[i],
						      to_ptr(self->address + 2 * G), 1, 0));
		EXPECT_EQ(-1, bytes_differ(host, 2 * G, 0x3c));
	}
	free(user);
}

TEST_F(host, copies_need_rights)
{
	const __u32 by[] = { NOBODY, 0, 1 };
	void *host = to_ptr(self->address);
	unsigned char user[64] = { 1 };
	unsigned int i;

	ASSERT_EQ(0, npumem_set_host_access(self->fd, self->address, G, READ));
	for (i = 0; i < ARRAY_SIZE(by); i++) {
		EXPECT_EQ(-EROFS, npumem_copy(self->fd, by[i], host, user, 64));
		EXPECT_EQ(-EROFS, npumem_fill(self->fd, by[i], host, 64, 1));
		EXPECT_EQ(0, npumem_copy(self->fd, by[i], user, host, 64));
	}
	ASSERT_EQ(0, npumem_set_host_access(self->fd, self->address, G, NONE));
	for (i = 0; i < ARRAY_SIZE(by); i++) {
		EXPECT_EQ(-EPERM, npumem_copy(self->fd, by[i], user, host, 64));
		EXPECT_EQ(-EROFS, npumem_fill(self->fd, by[i], host, 64, 1));
	}
	/* Without the host's rights, each device has its own. */
	ASSERT_EQ(0, npumem_set_access(self->fd, self->address, G, 0, RW));
	ASSERT_EQ(0, npumem_set_access(self->fd, self->address, G, 1, READ));
	EXPECT_EQ(0, npumem_fill(self->fd, 0, host, 64, 7));
	EXPECT_EQ(-EROFS, npumem_fill(self->fd, 1, host, 64, 8));
	EXPECT_EQ(0, npumem_copy(self->fd, 1, user, host, 64));
	EXPECT_EQ(-1, bytes_differ(user, 64, 7));
	EXPECT_EQ(-EPERM, npumem_copy(self->fd, NOBODY, user, host, 64));
	EXPECT_EQ(-EROFS, npumem_fill(self->fd, NOBODY, host, 64, 8));
}

TEST_F(host, copies_to_and_from_a_device)
{
	__u64 handle, address;

	ASSERT_EQ(0, npumem_new_mapping(self->fd, 1, G, &handle, &address));
	pattern_fill(to_ptr(self->address), G, 9);
	EXPECT_EQ(-ENOTCONN, npumem_copy(self->fd, NOBODY, to_ptr(address),
					 to_ptr(self->address), G));
	EXPECT_EQ(-ENOTCONN, npumem_copy(self->fd, NOBODY, to_ptr(self->address),
					 to_ptr(address), G));
	/* Device 0 reaches the host, but not device 1. */
	EXPECT_EQ(-EROFS, npumem_copy(self->fd, 0, to_ptr(address),
				      to_ptr(self->address), G));
	EXPECT_EQ(-1, bytes_differ(to_ptr(address), G, 0));
	EXPECT_EQ(0, npumem_copy(self->fd, 1, to_ptr(address), to_ptr(self->address), G));
	EXPECT_EQ(-1, pattern_verify(to_ptr(address), G, 9));
	EXPECT_EQ(0, npumem_fill(self->fd, NOBODY, to_ptr(self->address), G, 0));
	EXPECT_EQ(0, npumem_copy(self->fd, 1, to_ptr(self->address), to_ptr(address), G));
	EXPECT_EQ(-1, pattern_verify(to_ptr(self->address), G, 9));
	munmap(to_ptr(address), G);
}

/* ---- other processes ---- */

TEST_F_TIMEOUT(host, is_shared_with_another_process, 180)
{
	struct process importer;
	struct npumem_memory_info info;
	struct npumem_range range;
	__u64 token, handle, address;
	__u64 enabled;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, npumem_export(self->fd, self->handle, NPUMEM_EXPORT_ANYONE, &token));
	pattern_mark(to_ptr(self->address), 2 * G, 5);
	ASSERT_EQ(0, client_import(&importer, token, 1, &handle));
	ASSERT_EQ(0, client_map(&importer, handle, 2 * G, &address));
	EXPECT_EQ(0, client_check(&importer, address, 2 * G, 5));
	ASSERT_EQ(0, client_mark(&importer, address, 2 * G, 6));
	EXPECT_EQ(-1, pattern_check(to_ptr(self->address), 2 * G, 6));
	EXPECT_EQ(0, client_peer_status(&importer, 1, 0, &enabled));
	EXPECT_EQ(0, enabled);
	/* It stays when the exporter lets go. */
	ASSERT_EQ(0, npumem_unmap(self->fd, self->address));
	ASSERT_EQ(0, npumem_free(self->fd, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, NOBODY, 2 * G));
	EXPECT_EQ(0, client_check(&importer, address, 2 * G, 6));

	/* Here too, for a device: then it is that device's mapping. */
	ASSERT_EQ(0, npumem_import(self->fd, token, 0, &handle, NULL));
	ASSERT_EQ(0, npumem_memory_info(self->fd, handle, &info));
	EXPECT_EQ(0, info.device);
	EXPECT_EQ(HOST, info.location_type);
	EXPECT_EQ(NPUMEM_MEMORY_IMPORTED | NPUMEM_MEMORY_EXPORTED, info.flags);
	ASSERT_EQ(0, npumem_reserve(self->fd, 2 * G, &address));
	ASSERT_EQ(0, npumem_map(self->fd, address, 2 * G, handle));
	ASSERT_EQ(0, npumem_range(self->fd, address, &range));
	EXPECT_EQ(0, range.device);
	EXPECT_EQ(RW, DEVICE_ACCESS(address, 0));
	EXPECT_EQ(NONE, HOST_ACCESS(address));
	EXPECT_EQ(-1, pattern_check(to_ptr(address), 2 * G, 6));
	EXPECT_EQ(-ENOTCONN, npumem_fill(self->fd, NOBODY, to_ptr(address), 8, 0));
	EXPECT_EQ(0, npumem_fill(self->fd, 0, to_ptr(address), 8, 0));
	EXPECT_EQ(0, npumem_fill(self->fd, 1, to_ptr(address), 8, 0));
	EXPECT_EQ(0, npumem_reset(self->fd, 1));
	EXPECT_EQ(0, load_signal(address));
	EXPECT_EQ(0, npumem_reset(self->fd, 0));
	EXPECT_EQ(SIGSEGV, load_signal(address));
	munmap(to_ptr(address), 2 * G);
	ASSERT_EQ(0, process_kill(&importer));
	EXPECT_TRUE(watch_used_becomes(&self->watch, NOBODY, 0));
}

/* One's own, for a device, is another handle. */
TEST_F(host, own_share_may_be_imported_for_a_device)
{
	__u64 token, handle;

	ASSERT_EQ(0, npumem_export(self->fd, self->handle, 0, &token));
	ASSERT_EQ(0, npumem_import(self->fd, token, 0, &handle, NULL));
	EXPECT_NE(self->handle, handle);
	EXPECT_EQ(-ENXIO, npumem_import(self->fd, token, NOBODY, &handle, NULL));
	EXPECT_EQ(-ENXIO, npumem_import(self->fd, token, 63, &handle, NULL));
	EXPECT_TRUE(watch_used(&self->watch, NOBODY, 2 * G));
}

/* ---- NUMA nodes ---- */

#define PIECE		(128 * MIB)

TEST_F_TIMEOUT(host, numa_memory_is_of_that_node, 180)
{
	unsigned int last = last_node(), node, i;
	__u64 before[2], handle;

	if (!last)
		SKIP(return, "one NUMA node only: tools/vm/vm --node gives another");
	machine_free();
	for (i = 0; i < 2; i++) {
		node = i ? last : 0;
		if (PIECE >> 10 > node_free(node))
			SKIP(return, "node %u has too little memory free", node);
		before[0] = node_free(0);
		before[1] = node_free(last);
		ASSERT_EQ(0, npumem_alloc_at(self->fd, NUMA, node, PIECE, &handle));
		EXPECT_TRUE(node_lost(0, before[0], i ? 0 : PIECE));
		EXPECT_TRUE(node_lost(last, before[1], i ? PIECE : 0));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
		EXPECT_TRUE(becomes_true(node_lost(node, before[i], 0)));
	}
	for (node = last + 1; node < last + 200; node++)
		EXPECT_EQ(-ENXIO, npumem_alloc_at(self->fd, NUMA, node, G, &handle));
}

TEST_F_TIMEOUT(host, numa_memory_falls_back_to_no_other_node, 180)
{
	unsigned int last = last_node();
	__u64 before, other, handle, asked;
	int64_t start;

	if (!last)
		SKIP(return, "one NUMA node only: tools/vm/vm --node gives another");
	machine_free();
	/* The other has so much, and the capacity allows it. */
	asked = node_kib(last, "MemTotal") << 10;
	if (asked > npumem_free_bytes(self->fd, NOBODY) ||
	    asked >> 10 > node_free(0))
		SKIP(return, "node %u is too large for this", last);
	before = node_free(last);
	other = node_free(0);
	start = now_ms();
	EXPECT_EQ(-ENOMEM, npumem_alloc_at(self->fd, NUMA, last, asked, &handle));
	printf("# %llu MiB of node %u refused after %lld ms\n",
	       (unsigned long long)(asked / MIB), last, (long long)(now_ms() - start));
	EXPECT_GT(20000, now_ms() - start);
	EXPECT_TRUE(watch_used(&self->watch, NOBODY, 2 * G));
	EXPECT_TRUE(becomes_true(node_lost(last, before, 0)));
	EXPECT_TRUE(node_lost(0, other, 0));
	/* From anywhere there is that much, and most of the node can be had. */
	EXPECT_EQ(0, npumem_alloc_at(self->fd, HOST, 0, asked, &handle));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(0, npumem_alloc_at(self->fd, NUMA, last, before * 3 / 4 * 1024, &handle));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
}

/* Memory of the host is the process's own, and keeps to the nodes of its cpuset. */
TEST_F_TIMEOUT(host, keeps_to_the_nodes_of_the_cpuset, 180)
{
	unsigned int last = last_node(), i;
	char path[96], text[16];
	struct process process;
	__u64 before, handle;

	if (!last)
		SKIP(return, "one NUMA node only: tools/vm/vm --node gives another");
	if (group_write(GROUP_ROOT, "cgroup.subtree_control", "+cpuset"))
		SKIP(return, "needs root and the cpuset controller of cgroup v2");
	machine_free();
	ASSERT_EQ(0, client_start(&process));
	snprintf(path, sizeof(path), GROUP_ROOT "/npumem-test-%d", getpid());
	ASSERT_EQ(0, mkdir(path, 0755));
	ASSERT_EQ(0, group_enter(path, process.pid));
	for (i = 0; i < 2; i++) {
		unsigned int node = i ? last : 0;

		snprintf(text, sizeof(text), "%u", node);
		ASSERT_EQ(0, group_write(path, "cpuset.mems", text));
		EXPECT_EQ(-ENOMEM, process_do(&process, client_do_alloc_at, NUMA,
					      i ? 0 : last, G));
		EXPECT_TRUE(watch_used(&self->watch, NOBODY, 2 * G));
		EXPECT_EQ(0, process_get(&process, &handle, 3, client_do_alloc_at, NUMA, node,
					 G));
		EXPECT_EQ(0, client_free(&process, handle));
		before = node_free(node);
		ASSERT_EQ(0, process_get(&process, &handle, 3, client_do_alloc_at, HOST, 0,
					 PIECE));
		EXPECT_TRUE(node_lost(node, before, PIECE));
		EXPECT_EQ(0, client_free(&process, handle));
		/* A device's memory is not the host's, wherever it is kept. */
		EXPECT_EQ(0, client_alloc(&process, 0, G, &handle));
		EXPECT_EQ(0, client_free(&process, handle));
	}
	ASSERT_EQ(0, process_kill(&process));
	EXPECT_TRUE(becomes_true(!rmdir(path)));
}

/* ---- what an administrator sees ---- */

static bool file_has(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[512];

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text);
	if (f)
		fclose(f);
	return found;
}

/* ~0 if it is not there. */
static unsigned long long attribute_of_host(const char *name)
{
	unsigned long long value = ~0ULL;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/npumem/npumem/host/%s", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu", &value) != 1)
		value = ~0ULL;
	if (f)
		fclose(f);
	return value;
}

TEST_F(host, administrator_sees_the_host)
{
	const char *const clients = "/sys/kernel/debug/npumem/clients";

	EXPECT_EQ(npumem_used(self->fd, NOBODY), attribute_of_host("used"));
	EXPECT_EQ(npumem_capacity(self->fd, NOBODY), attribute_of_host("capacity"));
	EXPECT_EQ(npumem_free_bytes(self->fd, NOBODY), attribute_of_host("free"));
	if (access(clients, R_OK))
		SKIP(return, "no debugfs");
	EXPECT_TRUE(file_has(clients, "bytes 4194304 device host owner-device host references 1"));
	EXPECT_TRUE(file_has(clients, " device host cpu rw"));
}

TEST_HARNESS_MAIN
