// SPDX-License-Identifier: MIT
/* A descriptor that another process got hold of gives it nothing. */
#include <sys/un.h>

#include "npumem_client.h"

#include "kselftest_harness.h"

#define LENGTH	(2 * G)

FIXTURE(pass)
{
	struct watch watch;
	struct process owner, receiver;
	__u64 handle, address;
	/* Created before the processes: both have both ends. */
	int sockets[2];
};

static int pass_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &message, 0) != 1)
		return -errno;
	if (message.msg_controllen < CMSG_LEN(sizeof(int)))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

static long do_pass(__u64 *a)
{
	return pass_fd(a[0], client_fd);
}

static long do_receive(__u64 *a)
{
	return receive_fd(a[0]);
}

static long do_steal(__u64 *a)
{
	int pidfd = syscall(SYS_pidfd_open, (pid_t)a[0], 0), fd;

	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, (int)a[1], 0);
	return fd < 0 ? -errno : fd;
}

static long do_fd(__u64 *a)
{
	(void)a;
	return client_fd;
}

/* With a descriptor that is not this process's: the first result but EACCES. */
static long do_misuse(__u64 *a)
{
	int fd = a[0];
	struct npumem_query query;
	struct npumem_stats stats;
	__u64 handle, space;
	__s32 tgid;
	long results[] = {
		npumem_query(fd, &query),
		npumem_stats(fd, &stats),
		npumem_host_tgid(fd, &tgid),
		npumem_alloc(fd, 0, G, &handle),
		npumem_free(fd, a[1]),
		npumem_export(fd, a[1], 0, &handle),
		npumem_unmap(fd, a[2]),
		npumem_release(fd, a[2]),
		npumem_reset(fd, 0),
		npumem_peer_enable(fd, 0, 1),
		find_space(G, G, &space) ?:
			npumem_mmap(fd, to_ptr(space), G, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, 0, NULL),
	};
	unsigned int i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i] != -EACCES)
			return (long)i * 1000 + results[i];
	return -EACCES;
}

FIXTURE_SETUP(pass)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->sockets));
	ASSERT_EQ(0, client_start(&self->owner));
	ASSERT_EQ(0, process_start(&self->receiver));
	ASSERT_EQ(0, client_alloc(&self->owner, 0, LENGTH, &self->handle));
	ASSERT_EQ(0, client_map(&self->owner, self->handle, LENGTH, &self->address));
	ASSERT_EQ(0, client_mark(&self->owner, self->address, LENGTH, 7));
}

FIXTURE_TEARDOWN(pass)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(pass, through_a_socket_is_EACCES, 180)
{
	long fd;

	ASSERT_EQ(0, process_do(&self->owner, do_pass, self->sockets[0]));
	fd = process_do(&self->receiver, do_receive, self->sockets[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, process_do(&self->receiver, do_misuse, fd, self->handle,
				      self->address));
	EXPECT_EQ(0, client_check(&self->owner, self->address, LENGTH, 7));
	EXPECT_EQ(1, client_references(&self->owner, self->handle));
	/* Here and there its end changes nothing for the owner. */
	EXPECT_EQ(0, process_kill(&self->receiver));
	EXPECT_EQ(0, client_check(&self->owner, self->address, LENGTH, 7));
}

TEST_F_TIMEOUT(pass, by_pidfd_getfd_is_EACCES, 180)
{
	long fd = process_do(&self->owner, do_fd);

	ASSERT_LE(0, fd);
	fd = process_do(&self->receiver, do_steal, self->owner.pid, fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, process_do(&self->receiver, do_misuse, fd, self->handle,
				      self->address));
	EXPECT_EQ(0, client_check(&self->owner, self->address, LENGTH, 7));
}

static long do_reopen(__u64 *a)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)a[0], (int)a[1]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	client_fd = fd;
	return fd;
}

TEST_F_TIMEOUT(pass, reopened_through_proc_is_a_client_of_its_own, 180)
{
	long fd = process_do(&self->owner, do_fd);
	__u64 handle;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, process_do(&self->receiver, do_reopen, self->owner.pid, fd));
	EXPECT_EQ(-ENOENT, client_free(&self->receiver, self->handle));
	EXPECT_EQ(0, client_alloc(&self->receiver, 0, G, &handle));
	EXPECT_EQ(1, client_references(&self->owner, self->handle));
}

TEST_F_TIMEOUT(pass, owner_that_dies_is_reclaimed_while_the_receiver_keeps_it, 180)
{
	long fd;

	ASSERT_EQ(0, process_do(&self->owner, do_pass, self->sockets[0]));
	fd = process_do(&self->receiver, do_receive, self->sockets[1]);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, process_kill(&self->owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(-EACCES, process_do(&self->receiver, do_misuse, fd, self->handle,
				      self->address));
}

TEST_F_TIMEOUT(pass, owner_that_dies_is_reclaimed_while_a_socket_holds_it, 180)
{
	int fd;

	ASSERT_EQ(0, process_do(&self->owner, do_pass, self->sockets[0]));
	ASSERT_EQ(0, process_kill(&self->owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	/* Whoever takes it out has the shell of a client that is gone. */
	fd = receive_fd(self->sockets[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, npumem_free(fd, self->handle));
	EXPECT_EQ(-EACCES, npumem_alloc(fd, 0, G, NULL));
	EXPECT_EQ(0, close(fd));
}

TEST_F_TIMEOUT(pass, in_a_cycle_of_sockets_is_reclaimed_too, 180)
{
	ASSERT_EQ(0, process_do(&self->owner, do_pass, self->sockets[0]));
	/* Each end in flight in the other's queue: only the collector frees them. */
	ASSERT_EQ(0, pass_fd(self->sockets[0], self->sockets[1]));
	ASSERT_EQ(0, pass_fd(self->sockets[1], self->sockets[0]));
	ASSERT_EQ(0, process_kill(&self->receiver));
	close(self->sockets[0]);
	close(self->sockets[1]);
	EXPECT_EQ(0, client_check(&self->owner, self->address, LENGTH, 7));
	ASSERT_EQ(0, process_kill(&self->owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_HARNESS_MAIN
