// SPDX-License-Identifier: MIT
/* Who is the owner: its threads are, another process in its memory is not. */
#include <pthread.h>

#include "npumem_client.h"

#include "kselftest_harness.h"

#define LENGTH	(2 * G)
#define STACK	(256 * 1024)

FIXTURE(clone)
{
	struct watch watch;
	__u64 handle, address;
	int fd;
};

FIXTURE_SETUP(clone)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, LENGTH, &self->handle, &self->address));
}

FIXTURE_TEARDOWN(clone)
{
	close(self->fd);
	if (self->address)
		munmap(to_ptr(self->address), LENGTH);
	EXPECT_TRUE(watch_end(&self->watch));
}

struct attempt {
	int fd;
	__u64 handle, address;
	int alloc, free, mmap, touch;
};

static int try_all(void *data)
{
	struct attempt *attempt = data;
	__u64 space;

	attempt->alloc = npumem_alloc(attempt->fd, 0, G, NULL);
	attempt->free = npumem_free(attempt->fd, attempt->handle);
	attempt->mmap = find_space(G, G, &space);
	if (!attempt->mmap) {
		attempt->mmap = npumem_mmap(attempt->fd, to_ptr(space), G, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_FIXED, 0, NULL);
		munmap(to_ptr(space), G);
	}
	attempt->touch = load_signal(attempt->address);
	return 0;
}

/* Runs try_all() in a process made by clone() with @flags and waits for its end. */
static int try_in(struct attempt *attempt, int flags)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int status = -1;
	pid_t pid;

	if (stack == MAP_FAILED)
		return -errno;
	pid = clone(try_all, stack + STACK, flags | SIGCHLD, attempt);
	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	munmap(stack, STACK);
	return status;
}

TEST_F_TIMEOUT(clone, process_that_shares_the_memory_is_EACCES, 180)
{
	/* With the parent stopped until its end, as with vfork(): errno is shared. */
	struct attempt attempt = {
		.fd = self->fd, .handle = self->handle, .address = self->address,
	};

	ASSERT_EQ(0, try_in(&attempt, CLONE_VM | CLONE_VFORK));
	EXPECT_EQ(-EACCES, attempt.alloc);
	EXPECT_EQ(-EACCES, attempt.free);
	EXPECT_EQ(-EACCES, attempt.mmap);
	/* The page tables it shares are the owner's doing, though. */
	EXPECT_EQ(0, attempt.touch);
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
}

TEST_F_TIMEOUT(clone, process_that_shares_memory_and_files_is_EACCES, 180)
{
	struct attempt attempt = {
		.fd = self->fd, .handle = self->handle, .address = self->address,
	};

	ASSERT_EQ(0, try_in(&attempt, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS));
	EXPECT_EQ(-EACCES, attempt.alloc);
	EXPECT_EQ(-EACCES, attempt.free);
	EXPECT_EQ(-EACCES, attempt.mmap);
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
}

TEST_F_TIMEOUT(clone, vfork_child_is_EACCES, 180)
{
	static volatile int result;
	pid_t pid = vfork();

	if (!pid) {
		result = npumem_free(self->fd, self->handle);
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-EACCES, result);
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(0, npumem_free(self->fd, self->handle));
}

static void *work_in_thread(void *data)
{
	struct attempt *attempt = data;
	__u64 handle, address;

	attempt->alloc = npumem_new_mapping(attempt->fd, 0, G, &handle, &address);
	if (attempt->alloc)
		return NULL;
	pattern_mark(to_ptr(address), G, 1);
	attempt->touch = pattern_check(to_ptr(address), G, 1) >= 0;
	attempt->mmap = npumem_unmap(attempt->fd, address);
	if (!attempt->mmap)
		attempt->mmap = npumem_release(attempt->fd, address);
	attempt->free = npumem_free(attempt->fd, handle);
	return NULL;
}

TEST_F_TIMEOUT(clone, thread_is_the_owner, 180)
{
	struct attempt attempt[4];
	pthread_t thread[4];
	int i;

	for (i = 0; i < 4; i++) {
		attempt[i] = (struct attempt){ .fd = self->fd };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, work_in_thread, &attempt[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, attempt[i].alloc);
		EXPECT_EQ(0, attempt[i].touch);
		EXPECT_EQ(0, attempt[i].mmap);
		EXPECT_EQ(0, attempt[i].free);
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
}

static void *allocate_in_thread(void *fd)
{
	return (void *)(long)npumem_alloc(*(int *)fd, 0, G, NULL);
}

static long do_leader_exits(__u64 *a)
{
	(void)a;
	pthread_exit(NULL);
	return 0;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static long do_start_thread(__u64 *a)
{
	pthread_t thread;
	void *ret;

	(void)a;
	if (pthread_create(&thread, NULL, allocate_in_thread, &client_fd))
		return -EAGAIN;
	pthread_join(thread, &ret);
	return pthread_create(&thread, NULL, wait_for_ever, NULL) ? -EAGAIN : (long)ret;
}

TEST_F_TIMEOUT(clone, leaders_exit_alone_takes_nothing, 180)
{
	struct call last = { .function = do_leader_exits };
	struct process process;
	char path[64], text[512] = "";
	int fd;

	ASSERT_EQ(0, client_start(&process));
	/* A second thread allocates; the third stays when the first exits. */
	ASSERT_EQ(0, process_do(&process, do_start_thread));
	ASSERT_EQ(0, process_begin(&process, &last));
	snprintf(path, sizeof(path), "/proc/%d/stat", process.pid);
	for (int64_t end = now_ms() + PROCESS_PATIENCE_MS; now_ms() < end; pause_ms(5)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		ASSERT_LT(0, read(fd, text, sizeof(text) - 1));
		close(fd);
		if (strstr(text, ") Z "))
			break;
	}
	ASSERT_NE(NULL, strstr(text, ") Z "));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH + G));
	kill(process.pid, SIGKILL);
	process_status(&process);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
}

static int wait_in_clone(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

/* Owner of memory whose address space lives on in a process that it cloned. */
static long do_own_and_clone(__u64 *a)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	__u64 handle, address;
	long ret;

	if (stack == MAP_FAILED)
		return -errno;
	ret = npumem_new_mapping(client_fd, 0, LENGTH, &handle, &address);
	if (ret)
		return ret;
	ret = clone(wait_in_clone, stack + STACK, CLONE_VM | SIGCHLD, NULL);
	if (ret < 0)
		return -errno;
	a[0] = ret;
	return 0;
}

TEST_F_TIMEOUT(clone, memory_goes_with_the_address_space_not_later, 180)
{
	struct process owner;
	__u64 clone;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, client_start(&owner));
	ASSERT_EQ(0, process_get(&owner, &clone, 0, do_own_and_clone, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * LENGTH));
	ASSERT_EQ(0, process_kill(&owner));
	ASSERT_EQ(0, kill(clone, SIGKILL));
	ASSERT_EQ((pid_t)clone, waitpid(clone, NULL, __WALL));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
}

TEST_HARNESS_MAIN
