// SPDX-License-Identifier: MIT
/* A forked child inherits the descriptor, and nothing else. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define LENGTH	(2 * G)

FIXTURE(fork)
{
	struct watch watch;
	__u64 handle, address, token;
	int fd;
};

/* The test itself is the owner here; the child is a struct process. */
FIXTURE_SETUP(fork)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, LENGTH, &self->handle, &self->address));
	ASSERT_EQ(0, npumem_export(self->fd, self->handle, 0, &self->token));
	pattern_mark(to_ptr(self->address), LENGTH, 1);
}

FIXTURE_TEARDOWN(fork)
{
	close(self->fd);
	if (self->address)
		munmap(to_ptr(self->address), LENGTH);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Every command with a valid size; the first result that is not EACCES. */
static long do_all_commands(__u64 *a)
{
	unsigned char argument[256];
	unsigned long command;

	for (command = 0; command <= _IOC_NR(NPUMEM_RESET); command++) {
		long ret;

		memset(argument, 0, sizeof(argument));
		*(__u32 *)argument = sizeof(argument);
		ret = npumem_call(a[0], _IO(NPUMEM_IOC_TYPE, command), argument);
		if (ret != -EACCES) {
			a[1] = command;
			return ret;
		}
	}
	return -EACCES;
}

static long do_mmap(__u64 *a)
{
	__u64 space;
	long ret = find_space(G, G, &space);

	return ret ? ret : npumem_mmap(a[0], to_ptr(space), G, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_FIXED, 0, NULL);
}

/* Is any part of [a[0], a[0] + a[1]) in this process's maps? */
static long do_has_vma(__u64 *a)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long start, end;
	char line[512];
	long found = 0;

	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx", &start, &end) == 2 && start < a[0] + a[1] &&
		    end > a[0])
			found++;
		/* With the space: this program may be in a folder of this name. */
		if (strstr(line, " " NPUMEM_DEVICE_PATH))
			found++;
	}
	fclose(maps);
	return found;
}

TEST_F_TIMEOUT(fork, child_gets_EACCES_from_every_ioctl_and_mmap, 180)
{
	struct process child;

	ASSERT_EQ(0, process_start(&child));
	EXPECT_EQ(-EACCES, process_do(&child, do_all_commands, self->fd));
	EXPECT_EQ(-EACCES, process_do(&child, do_mmap, self->fd));
	/* The parent's goes on as before. */
	EXPECT_EQ(-1, pattern_check(to_ptr(self->address), LENGTH, 1));
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(0, npumem_map(self->fd, self->address, LENGTH, self->handle));
}

TEST_F_TIMEOUT(fork, child_has_no_mapping_and_touching_it_is_SIGSEGV, 180)
{
	struct process child;
	__u64 value;

	/* Mapped it is where this very question is answered with yes. */
	__u64 here[] = { self->address, LENGTH };

	EXPECT_LT(0, do_has_vma(here));
	ASSERT_EQ(0, process_start(&child));
	EXPECT_EQ(0, process_do(&child, do_has_vma, self->address, LENGTH));
	EXPECT_EQ(-EFAULT, client_load(&child, self->address, &value));
	EXPECT_EQ(-EFAULT, client_load(&child, self->address + LENGTH - 8, &value));
	EXPECT_EQ(-EFAULT, client_store(&child, self->address, 1));
	EXPECT_EQ(-1, pattern_check(to_ptr(self->address), LENGTH, 1));
}

TEST_F_TIMEOUT(fork, madvise_DOFORK_does_not_bring_the_mapping_to_a_child, 180)
{
	struct process child;
	__u64 value;

	madvise(to_ptr(self->address), LENGTH, MADV_DOFORK);
	ASSERT_EQ(0, process_start(&child));
	EXPECT_EQ(-EFAULT, client_load(&child, self->address, &value));
}

TEST_F_TIMEOUT(fork, child_opens_a_client_of_its_own, 180)
{
	struct process child;
	__u64 handle, address;

	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(0, client_open(&child));
	EXPECT_EQ(-ENOENT, client_free(&child, self->handle));
	EXPECT_EQ(-EPERM, client_import(&child, self->token, 0, &handle));
	ASSERT_EQ(0, npumem_whitelist_add(self->fd, self->token, child.pid));
	ASSERT_EQ(0, client_import(&child, self->token, 0, &handle));
	ASSERT_EQ(0, client_map(&child, handle, LENGTH, &address));
	EXPECT_EQ(0, client_check(&child, address, LENGTH, 1));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
}

TEST_F_TIMEOUT(fork, childs_end_takes_nothing_from_the_parent, 180)
{
	struct process child;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, process_start(&child));
		ASSERT_EQ(0, i % 2 ? process_kill(&child) : process_stop(&child));
		EXPECT_EQ(-1, pattern_check(to_ptr(self->address), LENGTH, 1));
		EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	}
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(0, npumem_free(self->fd, self->handle));
}

static long do_close(__u64 *a)
{
	return close(a[0]) ? -errno : 0;
}

TEST_F_TIMEOUT(fork, childs_close_takes_nothing_from_the_parent, 180)
{
	struct process child;

	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(0, process_do(&child, do_close, self->fd));
	EXPECT_EQ(-1, pattern_check(to_ptr(self->address), LENGTH, 1));
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(0, npumem_map(self->fd, self->address, LENGTH, self->handle));
}

static pid_t kept_child;

/* Owner of memory with a child that keeps its descriptor; a[2] is the child. */
static long do_own_and_fork(__u64 *a)
{
	__u64 address;
	long ret = npumem_new_mapping(client_fd, 0, a[0], &a[1], &address);

	if (ret)
		return ret;
	memset(to_ptr(address), 0x5a, a[0]);
	kept_child = fork();
	if (kept_child < 0)
		return -errno;
	if (!kept_child) {
		/* Outlives its parent on purpose; the test ends it. */
		prctl(PR_SET_PDEATHSIG, 0);
		for (;;)
			pause();
	}
	a[2] = kept_child;
	return 0;
}

TEST_F_TIMEOUT(fork, killed_owner_is_reclaimed_while_a_child_keeps_the_descriptor, 180)
{
	struct process owner;
	__u64 child;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, client_start(&owner));
	ASSERT_EQ(0, process_get(&owner, &child, 2, do_own_and_fork, LENGTH));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * LENGTH));
	EXPECT_EQ(0, process_kill(&owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, kill(child, 0));
	kill(child, SIGKILL);
	EXPECT_EQ((pid_t)child, waitpid(child, NULL, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
}

TEST_F_TIMEOUT(fork, parents_memory_outlives_forks_of_many_children, 240)
{
	struct process child[16];
	__u64 offset;
	int i;

	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, process_start(&child[i]));
	for (offset = 0; offset < LENGTH; offset += 4096)
		ASSERT_EQ(0, store_signal(self->address + offset));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(0, process_stop(&child[i]));
	EXPECT_EQ(-1, pattern_check(to_ptr(self->address), LENGTH, 1));
}

TEST_HARNESS_MAIN
