// SPDX-License-Identifier: MIT
/*
 * userfaultfd on a reservation. Kernels from 6.7 on may accept it for
 * write-protection of any VMA, others refuse; either way a touch ends, and the
 * mapping is as before when it is over.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

FIXTURE(uffd) {
	int fd;
	int uffd;
	__u64 handle;
	__u64 base;
};

FIXTURE_SETUP(uffd)
{
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_reserve(self->fd, 2 * G, &self->base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, 2 * G, &self->handle));
	ASSERT_EQ(0, npumem_map(self->fd, self->base, 2 * G, self->handle));
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->uffd);
}

FIXTURE_TEARDOWN(uffd)
{
	close(self->uffd);
	close(self->fd);
}

/* 0, or -errno of what was refused first. */
static int write_protect(int uffd, __u64 address, __u64 length, __u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range = { .start = address, .len = length },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = { .start = address, .len = length },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg) ||
	    ioctl(uffd, UFFDIO_WRITEPROTECT, &protect))
		return -errno;
	return 0;
}

TEST_F(uffd, missing_pages_are_refused)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = self->base, .len = 2 * G },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, store_signal(self->base));
}

TEST_F(uffd, write_protection_ends_and_leaves_the_data)
{
	int error;

	*(volatile __u64 *)to_ptr(self->base) = 0x1234;
	error = write_protect(self->uffd, self->base, 2 * G,
			      UFFD_FEATURE_WP_ASYNC);
	TH_LOG("write-protecting gives %d", error);
	if (!error) {
		/* Served no more, but with a signal and not for ever. */
		EXPECT_EQ(SIGBUS, load_signal(self->base));
		EXPECT_EQ(SIGBUS, store_signal(self->base + G));
	}
	close(self->uffd);
	self->uffd = -1;
	EXPECT_EQ(0, store_signal(self->base + G));
	EXPECT_EQ(0x1234, *(volatile __u64 *)to_ptr(self->base));
}

TEST_HARNESS_MAIN
