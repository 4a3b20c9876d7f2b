// SPDX-License-Identifier: MIT
/* What /proc tells of a client, and to whom. */
#include "npumem_client.h"

#include "kselftest_harness.h"

FIXTURE(fdinfo)
{
	struct watch watch;
	struct process owner;
	int fd;
};

static long do_fd(__u64 *a)
{
	(void)a;
	return client_fd;
}

FIXTURE_SETUP(fdinfo)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->owner));
	self->fd = process_do(&self->owner, do_fd);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(fdinfo)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* The value behind "npumem-@key:" of a process's descriptor, or -errno. */
static long long fdinfo(pid_t pid, int fd, const char *key)
{
	char path[64], line[256], name[64];
	long long value = -ENODATA;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	snprintf(name, sizeof(name), "npumem-%s:", key);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoll(line + strlen(name), NULL, 10);
	fclose(f);
	return value;
}

TEST_F_TIMEOUT(fdinfo, counts_what_the_client_holds, 180)
{
	__u64 handle, other, address;
	pid_t pid = self->owner.pid;

	EXPECT_EQ(pid, fdinfo(pid, self->fd, "pid"));
	EXPECT_EQ(0, fdinfo(pid, self->fd, "handles"));
	ASSERT_EQ(0, client_alloc(&self->owner, 0, 2 * G, &handle));
	ASSERT_EQ(0, client_alloc(&self->owner, 1, G, &other));
	ASSERT_EQ(0, client_map(&self->owner, handle, 2 * G, &address));
	EXPECT_EQ(2, fdinfo(pid, self->fd, "handles"));
	EXPECT_EQ(0, fdinfo(pid, self->fd, "imports"));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "reservations"));
	EXPECT_EQ(2 * G, fdinfo(pid, self->fd, "reserved"));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "mappings"));
	EXPECT_EQ(2 * G, fdinfo(pid, self->fd, "mapped"));
	ASSERT_EQ(0, client_unmap(&self->owner, address));
	ASSERT_EQ(0, client_free(&self->owner, handle));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "handles"));
	EXPECT_EQ(0, fdinfo(pid, self->fd, "reservations"));
	EXPECT_EQ(0, fdinfo(pid, self->fd, "mappings"));
	EXPECT_EQ(0, fdinfo(pid, self->fd, "mapped"));
}

TEST_F_TIMEOUT(fdinfo, counts_imports_and_refusals, 180)
{
	struct process exporter;
	__u64 handle, token, address, theirs;
	pid_t pid = self->owner.pid;

	ASSERT_EQ(0, client_start_exporter(&exporter, G, 0, &handle, &token, &address));
	ASSERT_EQ(-EPERM, client_import(&self->owner, token, 0, &theirs));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "refused-imports"));
	ASSERT_EQ(0, client_allow(&exporter, token, pid));
	ASSERT_EQ(0, client_import(&self->owner, token, 0, &theirs));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "imports"));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "handles"));
	EXPECT_EQ(1, fdinfo(pid, self->fd, "refused-imports"));
}

TEST_F_TIMEOUT(fdinfo, never_tells_a_token, 180)
{
	char path[64], line[256], hex[32], decimal[32];
	__u64 handle, token;
	FILE *f;

	ASSERT_EQ(0, client_alloc(&self->owner, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->owner, handle, 0, &token));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", self->owner.pid, self->fd);
	snprintf(hex, sizeof(hex), "%llx", token);
	snprintf(decimal, sizeof(decimal), "%llu", token);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		EXPECT_EQ(NULL, strcasestr(line, hex));
		EXPECT_EQ(NULL, strstr(line, decimal));
	}
	fclose(f);
}

TEST_F_TIMEOUT(fdinfo, of_a_client_whose_owner_is_gone_shows_nothing_held, 180)
{
	int pidfd = syscall(SYS_pidfd_open, self->owner.pid, 0), fd;
	__u64 handle, address;

	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, self->fd, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, client_alloc(&self->owner, 0, G, &handle));
	ASSERT_EQ(0, client_map(&self->owner, handle, G, &address));
	/* One who may have the descriptor may look, though not use it. */
	EXPECT_EQ(1, fdinfo(getpid(), fd, "handles"));
	EXPECT_EQ(1, fdinfo(getpid(), fd, "mappings"));
	ASSERT_EQ(0, process_kill(&self->owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(0, fdinfo(getpid(), fd, "handles"));
	EXPECT_EQ(0, fdinfo(getpid(), fd, "mappings"));
	EXPECT_EQ(0, fdinfo(getpid(), fd, "reservations"));
	EXPECT_EQ(0, fdinfo(getpid(), fd, "mapped"));
	close(fd);
}

TEST_HARNESS_MAIN
