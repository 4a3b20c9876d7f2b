// SPDX-License-Identifier: MIT
/* Opening the node, by processes that do not sit still meanwhile. */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

static void ignore(int signal_number)
{
	(void)signal_number;
}

/* A profiler's timer: its handler is installed with SA_RESTART. */
TEST(signals_do_not_end_an_open)
{
	const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = {};
	struct sigaction action = {
		.sa_handler = ignore,
		.sa_flags = SA_RESTART,
	};
	unsigned int i, ended = 0;
	int fd;

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; i < 400; i++) {
		fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			ended++;
		else
			close(fd);
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(0, ended);
}

/*
 * The kernel opens all misc devices under one lock, and our open waits for the
 * process's mmap_lock: one process could keep all others from opening /dev/kvm
 * or /dev/fuse. So the node must be of another kind.
 */
TEST(node_is_no_misc_device)
{
	struct stat node;

	ASSERT_EQ(0, stat(NPUMEM_DEVICE_PATH, &node));
	EXPECT_TRUE(S_ISCHR(node.st_mode));
	EXPECT_NE(10, major(node.st_rdev));
}

TEST_HARNESS_MAIN
