// SPDX-License-Identifier: MIT
/*
 * Devices in sysfs, and a device that is taken away while it is used: what it
 * backed fails cleanly, and what is left of it goes with its last user.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#define DRIVER	"/sys/bus/platform/drivers/npumem"
#define NAME	"npumem.1"

static int unbind(void)
{
	return write_file(DRIVER "/unbind", NAME);
}

static int bind_again(void)
{
	return write_file(DRIVER "/bind", NAME);
}

static bool is_bound(void)
{
	return !access(DRIVER "/" NAME, F_OK);
}

/* ~0 if it is not there. */
static __u64 attribute(unsigned int device, const char *name)
{
	char path[128], text[64] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/npumem.%u/%s", device, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ~0ULL;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 1 && text[n - 1] == '\n' ? strtoull(text, NULL, 10) : ~0ULL;
}

static bool text_is(unsigned int device, const char *name, const char *expected)
{
	char path[128], text[64] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/npumem.%u/%s", device, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && !strcmp(text, expected);
}

FIXTURE(device) {
	int fd;
	__u64 used[2];
	__u64 handle, address;	/* 4 MiB of device 1 */
	__u64 other, other_address;	/* 2 MiB of device 0 */
	__u64 capacity;
};

FIXTURE_SETUP(device)
{
	if (geteuid())
		SKIP(return, "needs root");
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used[0] = npumem_used(self->fd, 0);
	self->used[1] = npumem_used(self->fd, 1);
	self->capacity = npumem_capacity(self->fd, 1);
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 1, 2 * G, &self->handle,
					&self->address));
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, G, &self->other,
					&self->other_address));
	pattern_mark(to_ptr(self->address), 2 * G, 1);
	pattern_mark(to_ptr(self->other_address), G, 2);
}

FIXTURE_TEARDOWN(device)
{
	if (!is_bound()) {
		EXPECT_EQ(0, bind_again());
	}
	/* Device 0 has noticed nothing. */
	EXPECT_EQ(-1, pattern_check(to_ptr(self->other_address), G, 2));
	munmap(to_ptr(self->address), 2 * G);
	munmap(to_ptr(self->other_address), G);
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 3000));
	EXPECT_TRUE(npumem_used_becomes(self->fd, 1, 0, 3000));
	EXPECT_EQ(self->capacity, npumem_capacity(self->fd, 1));
	close(self->fd);
}

TEST_F(device, attributes_agree_with_the_ioctl)
{
	struct npumem_device_info info;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, npumem_device_info(self->fd, i, &info));
		EXPECT_EQ(info.capacity, attribute(i, "capacity"));
		EXPECT_EQ(info.used, attribute(i, "used"));
		EXPECT_EQ(info.capacity - info.used, attribute(i, "free"));
		EXPECT_EQ(!!(info.flags & NPUMEM_DEVICE_VIRTUAL),
			  attribute(i, "virtual"));
		EXPECT_EQ(0, info.capacity % G);
		EXPECT_LT(0, info.capacity);
		EXPECT_LE(-1, info.numa_node);
	}
	EXPECT_EQ(self->used[1] + 2 * G, attribute(1, "used"));
	EXPECT_TRUE(text_is(1, "pool", "system-ram\n"));
	EXPECT_NE(0, access("/sys/bus/platform/devices/npumem.32", F_OK));
}

TEST_F(device, attributes_cannot_be_written)
{
	EXPECT_NE(0, write_file("/sys/bus/platform/devices/npumem.1/used", "0"));
	EXPECT_NE(0, write_file("/sys/bus/platform/devices/npumem.1/capacity",
				"0"));
	EXPECT_EQ(self->capacity, attribute(1, "capacity"));
}

TEST_F(device, unbind_while_mapped_is_sigbus)
{
	ASSERT_EQ(0, load_signal(self->address));
	ASSERT_EQ(0, unbind());
	EXPECT_EQ(SIGBUS, load_signal(self->address));
	EXPECT_EQ(SIGBUS, store_signal(self->address + 2 * G - 1));
	EXPECT_EQ(0, load_signal(self->other_address));
	/* What was never mapped is not different from before. */
	ASSERT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(SIGSEGV, load_signal(self->address));
	EXPECT_EQ(0, npumem_free(self->fd, self->handle));
	EXPECT_EQ(0, npumem_release(self->fd, self->address));
}

TEST_F(device, calls_after_unbind)
{
	char buffer[64];
	void *p = to_ptr(self->address);
	struct npumem_memory_info info;
	struct npumem_device_info device;
	struct npumem_query query;
	__u64 spare, at, token;
	int error;

	ASSERT_EQ(0, npumem_export(self->fd, self->handle, NPUMEM_EXPORT_ANYONE,
				   &token));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &spare));
	ASSERT_EQ(0, npumem_reserve(self->fd, 4 * G, &at));
	ASSERT_EQ(0, unbind());
	/* The number was one of a device, and may be again. */
	EXPECT_EQ(-ENODEV, npumem_alloc(self->fd, 1, G, NULL));
	/* The links of a device need both of them. */
	EXPECT_EQ(-ENODEV, npumem_peer_enable(self->fd, 0, 1));
	EXPECT_EQ(-ENODEV, npumem_peer_enable(self->fd, 1, 0));
	error = npumem_device_info(self->fd, 1, &device);
	EXPECT_TRUE(error == -ENODEV || error == -ENXIO);
	ASSERT_EQ(0, npumem_query(self->fd, &query));
	EXPECT_LE(2, query.device_count);
	/* What was on it is there, and dead. */
	EXPECT_EQ(-ENODEV, npumem_map(self->fd, at, G, spare));
	EXPECT_EQ(-ENODEV, npumem_export(self->fd, spare, 0, NULL));
	EXPECT_EQ(-ENODEV, npumem_import(self->fd, token, 0, NULL, NULL));
	error = npumem_copy(self->fd, 1, buffer, p, 8);
	EXPECT_TRUE(error == -ENODEV || error == -ENXIO);
	error = npumem_copy(self->fd, 1, p, buffer, 8);
	EXPECT_TRUE(error == -ENODEV || error == -ENXIO);
	error = npumem_fill(self->fd, 1, p, 8, 0);
	EXPECT_TRUE(error == -ENODEV || error == -ENXIO);
	EXPECT_EQ(0, npumem_memory_info(self->fd, self->handle, &info));
	EXPECT_EQ(0, npumem_free(self->fd, spare));
	EXPECT_EQ(-ENOENT, npumem_free(self->fd, spare));
	/* The other device works. */
	EXPECT_EQ(0, npumem_alloc(self->fd, 0, G, &spare));
	EXPECT_EQ(0, npumem_map(self->fd, at, G, spare));
	EXPECT_EQ(0, store_signal(at));
	EXPECT_EQ(0, munmap(to_ptr(at), 4 * G));
}

TEST_F(device, comes_back_empty)
{
	__u64 handle, at;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, unbind());
		EXPECT_FALSE(is_bound());
		ASSERT_EQ(0, bind_again());
		EXPECT_TRUE(is_bound());
		/* The old memory still has users, but not here. */
		EXPECT_EQ(0, npumem_used(self->fd, 1));
		EXPECT_EQ(self->capacity, npumem_capacity(self->fd, 1));
		EXPECT_EQ(SIGBUS, load_signal(self->address));
		ASSERT_EQ(0, npumem_new_mapping(self->fd, 1, G, &handle, &at));
		EXPECT_EQ(-1, bytes_differ(to_ptr(at), G, 0));
		EXPECT_EQ(G, npumem_used(self->fd, 1));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
		ASSERT_EQ(0, munmap(to_ptr(at), G));
		EXPECT_EQ(0, npumem_used(self->fd, 1));
	}
	EXPECT_EQ(-ENODEV, npumem_export(self->fd, self->handle, 0, NULL));
	/* Giving back what was the old device's is not the new one's gain. */
	ASSERT_EQ(0, npumem_free(self->fd, self->handle));
	ASSERT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(0, npumem_used(self->fd, 1));
}

TEST_F(device, memory_goes_with_its_last_user)
{
	const __u64 length = 256 * MIB;
	__u64 handle, at, before, held, after;

	before = machine_free();
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 1, length, &handle, &at));
	ASSERT_EQ(0, unbind());
	held = machine_free();
	/* Unbinding waits for nobody, so it cannot give this back yet. */
	EXPECT_GT(before - length / 2, held);
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	ASSERT_EQ(0, npumem_unmap(self->fd, at));
	after = machine_free();
	EXPECT_LT(before - length / 4, after) {
		TH_LOG("before %llu MiB, held %llu, after %llu",
		       before / MIB, held / MIB, after / MIB);
	}
	EXPECT_EQ(0, npumem_release(self->fd, at));
}

TEST_F(device, unbind_twice_and_of_nobody_fails)
{
	ASSERT_EQ(0, unbind());
	EXPECT_NE(0, unbind());
	EXPECT_NE(0, write_file(DRIVER "/unbind", "npumem.77"));
	ASSERT_EQ(0, bind_again());
	EXPECT_NE(0, bind_again());
}

/* A thousand loads of another process while the device goes and comes. */
TEST_F(device, reader_gets_data_or_sigbus)
{
	pid_t child = fork();
	int status, i;

	ASSERT_LE(0, child);
	if (!child) {
		struct timespec pause = { .tv_nsec = 100000 };
		int fd = npumem_open();
		unsigned int seen = 0;
		__u64 handle, at;

		for (i = 0; i < 2000; i++) {
			int got;

			/* The device may be away just now. */
			if (npumem_alloc(fd, 1, G, &handle)) {
				nanosleep(&pause, NULL);
				continue;
			}
			if (npumem_reserve(fd, G, &at))
				_exit(1);
			if (!npumem_map(fd, at, G, handle)) {
				got = store_signal(at + 4096);
				if (got && got != SIGBUS)
					_exit(2);
				seen++;
				if (npumem_unmap(fd, at))
					_exit(3);
			}
			if (npumem_release(fd, at) || npumem_free(fd, handle))
				_exit(4);
		}
		_exit(seen ? 0 : 5);
	}
	while (!waitpid(child, &status, WNOHANG)) {
		struct timespec pause = { .tv_nsec = 1000000 };

		ASSERT_EQ(0, unbind());
		ASSERT_EQ(0, bind_again());
		nanosleep(&pause, NULL);
	}
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
