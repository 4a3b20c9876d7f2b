// SPDX-License-Identifier: MIT
/*
 * Taking down very much at once never keeps a processor from other work for long:
 * the kernel's watchdog for soft lockups looks, and is made stricter by
 *
 *	NPUMEM_WATCHDOG=1	seconds, half of what it takes for a soft lockup
 *
 * which is for a machine with one processor (tools/vm/vm run --cpus 1 --append preempt=none):
 * of two that are emulated one may wait for the other, which a busy host has stopped. It
 * takes some NPUMEM_STRESS=500 there to keep the processor for two seconds in a loop that
 * does not let others in. Time is not measured here. One memory at very many addresses stands
 * for more of them than the machine could have.
 */
#include "npumem_cgroup.h"
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define MOST	2000000UL

FIXTURE(lockup)
{
	struct watch watch;
	struct process process;
	__u64 thresh;
	long long most;
	int kmsg;
};

FIXTURE_SETUP(lockup)
{
	self->thresh = group_read("/proc/sys/kernel", "watchdog_thresh", NULL);
	if (geteuid() || self->thresh == ~0ULL ||
	    group_read("/proc/sys/kernel", "soft_watchdog", NULL) != 1)
		SKIP(return, "needs root and a kernel that watches for soft lockups");
	ASSERT_TRUE(watch_start(&self->watch));
	self->most = npumem_parameter("max_mappings");
	ASSERT_EQ(0, npumem_set_parameter("max_mappings", MOST));
	self->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->kmsg);
	lseek(self->kmsg, 0, SEEK_END);
	if (getenv("NPUMEM_WATCHDOG"))
		ASSERT_EQ(0, group_write("/proc/sys/kernel", "watchdog_thresh",
					 getenv("NPUMEM_WATCHDOG")));
	ASSERT_EQ(0, client_start(&self->process));
}

FIXTURE_TEARDOWN(lockup)
{
	char text[32], record[2048];
	ssize_t n;

	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_EQ(0, npumem_set_parameter("max_mappings", self->most));
	snprintf(text, sizeof(text), "%llu", self->thresh);
	EXPECT_EQ(0, group_write("/proc/sys/kernel", "watchdog_thresh", text));
	while ((n = read(self->kmsg, record, sizeof(record) - 1)) > 0) {
		record[n] = '\0';
		EXPECT_EQ(NULL, strstr(record, "soft lockup"))
			TH_LOG("%s", record);
		EXPECT_EQ(NULL, strstr(record, "self-detected stall"))
			TH_LOG("%s", record);
	}
	close(self->kmsg);
}

static unsigned long how_many(unsigned long n)
{
	n = npumem_rounds(n);
	return n < MOST ? n : MOST;
}

/* Maps one granule a[0] times in one reservation; its address in a[1]. */
static long do_pile(__u64 *a)
{
	__u64 handle, i;
	long ret;

	ret = npumem_alloc(client_fd, 0, G, &handle);
	if (!ret)
		ret = npumem_reserve(client_fd, a[0] * G, &a[1]);
	for (i = 0; i < a[0] && !ret; i++)
		ret = npumem_map(client_fd, a[1] + i * G, G, handle);
	return ret;
}

static long do_reset(__u64 *a)
{
	return npumem_reset(client_fd, a[0]);
}

static long do_munmap(__u64 *a)
{
	return munmap(to_ptr(a[0]), a[1]) ? -errno : 0;
}

/* All of it at once, and then every other one: as many spans as can be. */
static long do_rights(__u64 *a)
{
	long ret = npumem_set_access(client_fd, a[0], a[1], 0, NPUMEM_ACCESS_NONE);

	if (!ret)
		ret = npumem_set_access(client_fd, a[0], a[1], 0, NPUMEM_ACCESS_READ);
	return ret ? ret : npumem_set_access(client_fd, a[0], a[1], 0, NPUMEM_ACCESS_READWRITE);
}

static long do_fork_and_close(__u64 *a)
{
	pid_t pid = fork();

	(void)a;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : 0;
}

/* Piles up, into @address; says how many they are. */
static unsigned long pile(struct process *p, unsigned long most, __u64 *address)
{
	struct call call = { .function = do_pile, .argument = { most } };

	if (process_begin(p, &call))
		return 0;
	/* This part may take longer than others would wait for a call. */
	while (!process_answers(p, PROCESS_PATIENCE_MS))
		if (kill(p->pid, 0))
			return 0;
	if (process_end(p, &call))
		return 0;
	*address = call.argument[1];
	printf("# %lu mappings\n", most);
	return most;
}

/* A call that takes as long as it takes. */
static long call_patiently(struct process *p, struct call *call)
{
	long ret = process_begin(p, call);

	while (!ret && !process_answers(p, PROCESS_PATIENCE_MS))
		ret = kill(p->pid, 0);
	return ret ? ret : process_end(p, call);
}

#define CALL(function_, ...) ({							\
	struct call __call = { .function = function_, .argument = { __VA_ARGS__ } };	\
										\
	call_patiently(&self->process, &__call);				\
})

TEST_F_TIMEOUT(lockup, never_by_a_kill, 1200)
{
	__u64 at;

	ASSERT_NE(0, pile(&self->process, how_many(4000), &at));
	ASSERT_EQ(0, kill(self->process.pid, SIGKILL));
	while (process_status(&self->process) < 0)
		;
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

/* Others hold the file: the end of the address space is what takes it down. */
TEST_F_TIMEOUT(lockup, never_by_an_end_with_a_child_left, 1200)
{
	__u64 at;

	ASSERT_NE(0, pile(&self->process, how_many(2000), &at));
	ASSERT_EQ(0, process_do(&self->process, do_fork_and_close));
	EXPECT_EQ(0, process_stop(&self->process));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(lockup, never_by_reset, 1200)
{
	__u64 at;

	ASSERT_NE(0, pile(&self->process, how_many(2000), &at));
	EXPECT_EQ(0, CALL(do_reset, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(lockup, never_by_munmap, 1200)
{
	unsigned long n;
	__u64 at;

	n = pile(&self->process, how_many(2000), &at);
	ASSERT_NE(0, n);
	EXPECT_EQ(0, CALL(do_munmap, at, n * G));
}

TEST_F_TIMEOUT(lockup, never_by_rights, 1200)
{
	unsigned long n;
	__u64 at;

	n = pile(&self->process, how_many(1000), &at);
	ASSERT_NE(0, n);
	EXPECT_EQ(0, CALL(do_rights, at, n * G));
}

/* A kill that comes while one of the above is at work. */
TEST_F_TIMEOUT(lockup, never_by_a_kill_in_the_middle, 1200)
{
	struct call reset = { .function = do_reset };
	__u64 at;

	ASSERT_NE(0, pile(&self->process, how_many(2000), &at));
	ASSERT_EQ(0, process_begin(&self->process, &reset));
	pause_ms(2);
	ASSERT_EQ(0, kill(self->process.pid, SIGKILL));
	while (process_status(&self->process) < 0)
		;
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

/* Batches of children, each of which lives only until it is in the whitelist. */
#define BATCH	128

static long do_fill_whitelist(__u64 *a)
{
	__s32 pids[BATCH];
	__u32 added;
	__u64 n = 0;
	long ret = 0;
	int i;

	while (n < a[1] && !ret) {
		for (i = 0; i < BATCH; i++) {
			pids[i] = fork();
			if (!pids[i])
				for (;;)
					pause();
		}
		ret = npumem_whitelist_add_list(client_fd, a[0], pids, BATCH, &added);
		n += ret ? 0 : added;
		for (i = 0; i < BATCH; i++)
			if (pids[i] > 0)
				kill(pids[i], SIGKILL);
		for (i = 0; i < BATCH; i++)
			if (pids[i] > 0)
				waitpid(pids[i], NULL, 0);
	}
	a[2] = n;
	return ret;
}

TEST_F_TIMEOUT(lockup, never_by_the_end_of_a_whitelist, 1200)
{
	struct call fill = { .function = do_fill_whitelist };
	unsigned long n = npumem_rounds(256);
	__u64 handle, token;

	ASSERT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->process, handle, 0, &token));
	fill.argument[0] = token;
	fill.argument[1] = n < 65000 ? n : 65000;
	ASSERT_EQ(0, call_patiently(&self->process, &fill));
	printf("# %llu entries\n", fill.argument[2]);
	EXPECT_LE(fill.argument[1], fill.argument[2]);
	ASSERT_EQ(0, client_free(&self->process, handle));
}

/* All that the device has in one memory, and in as many as can be. */
TEST_F_TIMEOUT(lockup, never_by_memory, 1200)
{
	__u64 bytes = npumem_free_bytes(self->watch.fd, 0), handle, at, i;
	__u64 most = npumem_rounds(256) * MIB;
	unsigned long round, rounds = npumem_rounds(1);

	bytes = bytes / 4 * 3 & ~(G - 1);
	if (bytes > most)
		bytes = most;
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, CALL(client_do_alloc, 0, bytes));
		ASSERT_EQ(0, CALL(do_reset, 0));
		ASSERT_TRUE(watch_used(&self->watch, 0, 0));
	}
	for (i = 0; i < bytes / G / 4; i++)
		ASSERT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	ASSERT_EQ(0, client_map(&self->process, handle, G, &at));
	ASSERT_EQ(0, process_kill(&self->process));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_HARNESS_MAIN
