// SPDX-License-Identifier: MIT
/*
 * Loading and unloading. Runs when nobody else uses the module, and leaves it
 * loaded as it found it.
 */
#include "kselftest_harness.h"
#include "npumem_module.h"
#include "npumem_zeroed.h"

FIXTURE(module) {
	int unused;
};

FIXTURE_SETUP(module)
{
	const char *why = module_begin();

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(module)
{
	EXPECT_TRUE(module_end());
}

TEST_F(module, in_use_it_is_not_unloaded)
{
	int fd = npumem_open();
	__u64 handle, address;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	ASSERT_EQ(0, npumem_new_mapping(fd, 0, G, &handle, &address));
	pattern_mark(to_ptr(address), G, 3);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	/* The mapping alone is enough. */
	ASSERT_EQ(0, npumem_free(fd, handle));
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(-1, pattern_check(to_ptr(address), G, 3));
	ASSERT_EQ(0, munmap(to_ptr(address), G));
	EXPECT_EQ(0, unload());
	EXPECT_FALSE(is_loaded());
}

/* Twenty times in and out, used each time, and no memory stays behind. */
TEST_F_TIMEOUT(module, twenty_times, 120)
{
	__u64 handle, address, before = 0, after;
	int i, fd;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, unload());
		EXPECT_NE(0, access("/sys/bus/platform/devices/npumem.0", F_OK));
		EXPECT_NE(0, access("/sys/kernel/debug/npumem", F_OK));
		if (i == 1)
			before = machine_free();
		ASSERT_EQ(0, load(parameters));
		fd = open_patiently();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, npumem_new_mapping(fd, i & 1, 32 * MIB, &handle,
						&address));
		ASSERT_EQ(0, npumem_export(fd, handle, 0, NULL));
		pattern_mark(to_ptr(address), 32 * MIB, i);
		if (i & 1) {
			ASSERT_EQ(0, npumem_unmap(fd, address));
			ASSERT_EQ(0, npumem_free(fd, handle));
		}
		ASSERT_EQ(0, munmap(to_ptr(address), 32 * MIB));
		close(fd);
	}
	ASSERT_EQ(0, unload());
	/* The text of old modules is given back late: some MiB at a time. */
	for (i = 0; i < 20; i++) {
		after = machine_free();
		if (after + 64 * MIB > before)
			break;
		usleep(100000);
	}
	EXPECT_LT(before, after + 64 * MIB) {
		TH_LOG("%llu MiB before, %llu after", before / MIB,
		       after / MIB);
	}
}

/* What is kept zeroed goes with the module, however much it is. */
TEST_F_TIMEOUT(module, with_memory_kept_zeroed, 120)
{
	__u64 handle, before;
	int i, k, fd;

	ASSERT_EQ(0, unload());
	for (i = 0; i < 2; i++) {
		before = machine_free();
		ASSERT_EQ(0, load("devices=2 max_zeroed=96M"));
		fd = open_patiently();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, npumem_alloc(fd, 0, 96 * MIB, &handle));
		ASSERT_EQ(0, npumem_free(fd, handle));
		close(fd);
		/* Also in the midst of it. */
		for (k = 0; k < 300 && zeroed_bytes() < (i ? 96 : 8) * MIB; k++)
			usleep(20000);
		EXPECT_LE((i ? 96 : 8) * MIB, zeroed_bytes());
		ASSERT_EQ(0, unload());
		for (k = 0; k < 20 && machine_free() + 64 * MIB < before; k++)
			usleep(100000);
		EXPECT_LT(before, machine_free() + 64 * MIB);
	}
	/* None to begin with, and so it stays. */
	ASSERT_EQ(0, load("max_zeroed=0"));
	fd = open_patiently();
	ASSERT_EQ(0, npumem_alloc(fd, 0, 32 * MIB, &handle));
	close(fd);
	usleep(500000);
	EXPECT_EQ(0, zeroed_bytes());
	EXPECT_EQ(0, unload());
}

TEST_F(module, bad_parameters_are_refused)
{
	const char *const bad[] = { "devices=0", "devices=33", "devices=-1",
		"devices=x", "capacity=x", "capacity=0", "capacity=1",
		"capacity=1G,x", "capacity=1M,1G", "pmd_entries=7",
		"host_capacity=x", "host_capacity=1M", "host_capacity=0",
		"host_capacity=8E", "numa_node=-2", "numa_node=0,100000",
		"devices=1 numa_node=9", "max_zeroed=x", "max_zeroed=1Z" };
	unsigned int i;

	ASSERT_EQ(0, unload());
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int error = load(bad[i]);

		EXPECT_TRUE(error == -EINVAL || error == -ERANGE) {
			TH_LOG("%s gives %d", bad[i], error);
		}
		if (!error) {
			EXPECT_EQ(0, unload());
		}
		EXPECT_FALSE(is_loaded());
		EXPECT_NE(0, access("/sys/bus/platform/devices/npumem.0", F_OK));
	}
}

TEST_F_TIMEOUT(module, devices_are_as_many_and_as_large_as_asked_for, 120)
{
	struct npumem_device_info info;
	struct npumem_query query;
	unsigned int i;
	int fd;

	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=5 capacity=6M,1G,32M virtual=0x8"));
	fd = open_patiently();
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, npumem_query(fd, &query));
	EXPECT_EQ(5, query.device_count);
	for (i = 0; i < 5; i++) {
		/* The last one given is repeated. */
		const __u64 capacity[] = { 6 * MIB, GIB, 32 * MIB };

		EXPECT_EQ(0, npumem_device_info(fd, i, &info));
		EXPECT_EQ(capacity[i < 3 ? i : 2], info.capacity);
		EXPECT_EQ(i == 3 ? NPUMEM_DEVICE_VIRTUAL : 0, info.flags);
	}
	EXPECT_EQ(-ENXIO, npumem_device_info(fd, 5, &info));
	EXPECT_EQ(-ENOSPC, npumem_alloc(fd, 0, 4 * G, NULL));
	EXPECT_EQ(0, npumem_alloc(fd, 0, 3 * G, NULL));
	close(fd);
	EXPECT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=32 capacity=2M"));
	fd = open_patiently();
	for (i = 0; i < 32; i++)
		EXPECT_EQ(0, npumem_alloc(fd, i, 1, NULL));
	EXPECT_EQ(-ENXIO, npumem_alloc(fd, 32, 1, NULL));
	close(fd);
	EXPECT_EQ(0, unload());
}

TEST_F_TIMEOUT(module, host_has_as_much_as_asked_for, 120)
{
	const __u32 none = NPUMEM_DEVICE_NONE;
	struct npumem_device_info info;
	struct npumem_query first, second;
	__u64 handle;
	int fd;

	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=1 capacity=2M host_capacity=7M"));
	fd = open_patiently();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, npumem_query(fd, &first));
	EXPECT_EQ(1, first.device_count);
	ASSERT_EQ(0, npumem_device_info(fd, none, &info));
	EXPECT_EQ(none, info.device);
	EXPECT_EQ(6 * MIB, info.capacity);
	EXPECT_EQ(0, info.used);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(-1, info.numa_node);
	EXPECT_EQ(-ENOSPC, npumem_alloc_at(fd, NPUMEM_LOCATION_HOST, 0, 4 * G, &handle));
	EXPECT_EQ(0, npumem_alloc_at(fd, NPUMEM_LOCATION_HOST, 0, 2 * G, &handle));
	EXPECT_EQ(0, npumem_alloc_at(fd, NPUMEM_LOCATION_HOST_NUMA, 0, G, &handle));
	/* One capacity for all nodes. */
	EXPECT_EQ(-ENOSPC, npumem_alloc_at(fd, NPUMEM_LOCATION_HOST_NUMA, 0, 1, &handle));
	EXPECT_EQ(0, npumem_alloc(fd, 0, 1, &handle));
	close(fd);
	ASSERT_EQ(0, unload());
	/* Another load is another host. */
	ASSERT_EQ(0, load(""));
	fd = open_patiently();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, npumem_query(fd, &second));
	EXPECT_NE(0, memcmp(first.host, second.host, sizeof(first.host)));
	ASSERT_EQ(0, npumem_device_info(fd, none, &info));
	EXPECT_EQ(npumem_capacity(fd, 0), info.capacity);
	close(fd);
	EXPECT_EQ(0, unload());
}

TEST_F(module, memory_of_a_virtual_device_is_not_exported)
{
	__u64 handle;
	int fd;

	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=2 capacity=64M virtual=2"));
	fd = open_patiently();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, npumem_alloc(fd, 1, G, &handle));
	EXPECT_EQ(-EOPNOTSUPP, npumem_export(fd, handle, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, npumem_export(fd, handle, NPUMEM_EXPORT_ANYONE,
					     NULL));
	ASSERT_EQ(0, npumem_alloc(fd, 0, G, &handle));
	EXPECT_EQ(0, npumem_export(fd, handle, 0, NULL));
	close(fd);
	EXPECT_EQ(0, unload());
}

TEST_HARNESS_MAIN
