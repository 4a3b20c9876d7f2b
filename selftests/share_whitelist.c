// SPDX-License-Identifier: MIT
/* Who may be let in by whom, and what NPUMEM_WHITELIST_ADD says of bad lists. */
#include <pthread.h>

#include "npumem_client.h"

#include "kselftest_harness.h"

#define LIST_BYTES	((NPUMEM_WHITELIST_MAX + 1) * sizeof(__s32))

/* Sets the module parameter. */
static bool limit_whitelist(long long limit)
{
	int fd = open("/sys/module/npumem/parameters/max_whitelist", O_WRONLY | O_CLOEXEC);
	char text[24];
	bool done;

	snprintf(text, sizeof(text), "%lld", limit);
	done = fd >= 0 && write(fd, text, strlen(text)) > 0;
	close(fd);
	return done && npumem_parameter("max_whitelist") == limit;
}

FIXTURE(whitelist)
{
	struct watch watch;
	struct process exporter, importer, stranger;
	__u64 handle, token, address;
	__s32 *list;
	long long limit;
};

FIXTURE_SETUP(whitelist)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->limit = npumem_parameter("max_whitelist");
	ASSERT_LT(0, self->limit);
	self->list = process_shared(LIST_BYTES);
	ASSERT_NE(NULL, self->list);
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start(&self->stranger));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, 0, &self->handle, &self->token,
					   &self->address));
}

FIXTURE_TEARDOWN(whitelist)
{
	EXPECT_TRUE(limit_whitelist(self->limit));
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Adds the first @count of the list; @added is what the module counted. */
static long add(struct process *process, __u64 token, __s32 *list, __u32 count, __u64 *added)
{
	return process_get(process, added, 3, client_do_allow_list, token, to_u64(list), count);
}

TEST_F_TIMEOUT(whitelist, counts_what_it_added, 180)
{
	__u64 added, handle;

	self->list[0] = self->importer.pid;
	self->list[1] = process_dead_pid();
	self->list[2] = self->stranger.pid;
	self->list[3] = 0;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 4, &added));
	EXPECT_EQ(2, added);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(0, client_import(&self->stranger, self->token, 0, &handle));
}

TEST_F_TIMEOUT(whitelist, may_be_added_to_again_and_refreshed, 180)
{
	__u64 added, handle;
	int i;

	self->list[0] = self->importer.pid;
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 1, &added));
		ASSERT_EQ(1, added);
	}
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	self->list[1] = self->stranger.pid;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 2, &added));
	EXPECT_EQ(2, added);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(0, client_import(&self->stranger, self->token, 0, &handle));
}

TEST_F_TIMEOUT(whitelist, takes_the_same_process_many_times_in_one_list, 180)
{
	__u64 added, handle;
	int i;

	for (i = 0; i < 1000; i++)
		self->list[i] = self->importer.pid;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 1000, &added));
	EXPECT_GE(1000, added);
	EXPECT_LE(1, added);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
}

/* Whose number is in the list twice may end in between, and another one have it. */
TEST_F_TIMEOUT(whitelist, may_name_two_processes_by_one_number, 180)
{
	struct call call = {
		.function = client_do_allow_list,
		.argument = { self->token, to_u64(self->list), NPUMEM_WHITELIST_MAX },
	};
	unsigned int i, round;
	struct process named;
	__u64 added, handle;

	ASSERT_EQ(0, process_start(&named));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < NPUMEM_WHITELIST_MAX; i++)
			self->list[i] = named.pid;
		ASSERT_EQ(0, process_begin(&self->exporter, &call));
		pause_ms(round % 4);
		ASSERT_EQ(0, process_kill(&named));
		ASSERT_EQ(0, process_start_again(&named, named.pid));
		/* It had ended by the first look, or there was one to be let in. */
		if (process_end(&self->exporter, &call))
			ASSERT_EQ(-ESRCH, call.result);
	}
	/* There is room for as many as there are. */
	ASSERT_TRUE(limit_whitelist(3));
	self->list[0] = named.pid;
	self->list[1] = self->importer.pid;
	self->list[2] = self->stranger.pid;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 3, &added));
	EXPECT_EQ(3, added);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, process_kill(&named));
}

/* All numbers below a limit but that of the stranger, from either end. */
static __u32 list_all(__s32 *list, __s32 limit, __s32 stranger, bool backwards)
{
	__u32 count = 0;
	__s32 i;

	for (i = 1; i < limit; i++) {
		__s32 pid = backwards ? limit - i : i;

		if (pid != stranger)
			list[count++] = pid;
	}
	return count;
}

TEST_F_TIMEOUT(whitelist, lets_in_those_in_the_list_and_nobody_next_to_them, 180)
{
	__u64 added, again, handle;
	__u32 count;

	/* From 1 on, over all of the slots near those of the two. */
	count = list_all(self->list, NPUMEM_WHITELIST_MAX, self->stranger.pid, true);
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, count, &added));
	/* The two that are in, this one and init at the least. */
	EXPECT_LE(4, added);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-EPERM, client_import(&self->stranger, self->token, 0, &handle));
	count = list_all(self->list, NPUMEM_WHITELIST_MAX, self->stranger.pid, false);
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, count, &again));
	EXPECT_LE(4, again);
	EXPECT_EQ(-EPERM, client_import(&self->stranger, self->token, 0, &handle));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->stranger.pid));
	EXPECT_EQ(0, client_import(&self->stranger, self->token, 0, &handle));
}

TEST_F_TIMEOUT(whitelist, by_a_stranger_is_EREMOTE, 180)
{
	__u64 handle;

	EXPECT_EQ(-EREMOTE, client_allow(&self->stranger, self->token, self->stranger.pid));
	EXPECT_EQ(-EREMOTE, client_allow(&self->stranger, self->token, self->exporter.pid));
	EXPECT_EQ(-EPERM, client_import(&self->stranger, self->token, 0, &handle));
	/* One who was let in is a stranger still. */
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-EREMOTE, client_allow(&self->importer, self->token, self->stranger.pid));
	EXPECT_EQ(-EPERM, client_import(&self->stranger, self->token, 0, &handle));
}

TEST_F_TIMEOUT(whitelist, of_an_unknown_share_is_ENOENT, 180)
{
	EXPECT_EQ(-ENOENT, client_allow(&self->exporter, 0, self->importer.pid));
	EXPECT_EQ(-ENOENT, client_allow(&self->exporter, ~self->token, self->importer.pid));
	EXPECT_EQ(-ENOENT, client_allow(&self->stranger, ~0ULL, self->importer.pid));
}

TEST_F_TIMEOUT(whitelist, of_an_empty_list_is_EINVAL, 180)
{
	__u64 added;

	EXPECT_EQ(-EINVAL, add(&self->exporter, self->token, self->list, 0, &added));
	EXPECT_EQ(-EINVAL, add(&self->exporter, self->token, NULL, 0, &added));
}

TEST_F_TIMEOUT(whitelist, takes_65535_numbers_and_not_one_more, 240)
{
	__u64 added, handle;

	self->list[NPUMEM_WHITELIST_MAX - 1] = self->importer.pid;
	EXPECT_EQ(-EINVAL, add(&self->exporter, self->token, self->list,
			       NPUMEM_WHITELIST_MAX + 1, &added));
	EXPECT_EQ(-EINVAL, add(&self->exporter, self->token, self->list, ~0U, &added));
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, NPUMEM_WHITELIST_MAX, &added));
	EXPECT_EQ(1, added);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
}

TEST_F_TIMEOUT(whitelist, of_nobody_alive_is_ESRCH, 180)
{
	__u64 added;

	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, 0));
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, -1));
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, INT32_MIN));
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, INT32_MAX));
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, -self->importer.pid));
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, process_dead_pid()));
	self->list[0] = 0;
	self->list[1] = -1;
	self->list[2] = process_dead_pid();
	EXPECT_EQ(-ESRCH, add(&self->exporter, self->token, self->list, 3, &added));
}

static void *sleeper(void *tid)
{
	*(pid_t *)tid = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static long do_thread(__u64 *a)
{
	static volatile pid_t tid;
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleeper, (void *)&tid))
		return -EAGAIN;
	while (!tid)
		sched_yield();
	a[0] = tid;
	return 0;
}

TEST_F_TIMEOUT(whitelist, skips_thread_ids, 180)
{
	__u64 tid, added, handle;

	ASSERT_EQ(0, process_get(&self->importer, &tid, 0, do_thread, 0));
	ASSERT_NE(tid, self->importer.pid);
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, tid));
	self->list[0] = tid;
	self->list[1] = self->stranger.pid;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 2, &added));
	EXPECT_EQ(1, added);
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
}

static void *import_in_thread(void *token)
{
	__u64 handle;

	return (void *)(long)npumem_import(client_fd, *(__u64 *)token, 0, &handle, NULL);
}

static long do_import_in_thread(__u64 *a)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, import_in_thread, &a[0]))
		return -EAGAIN;
	pthread_join(thread, &result);
	return (long)result;
}

TEST_F_TIMEOUT(whitelist, lets_in_every_thread_of_a_process, 180)
{
	ASSERT_EQ(-EPERM, process_do(&self->importer, do_import_in_thread, self->token));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	ASSERT_EQ(0, process_do(&self->importer, do_import_in_thread, self->token));
}

TEST_F_TIMEOUT(whitelist, that_cannot_be_read_is_EFAULT, 180)
{
	long page = sysconf(_SC_PAGESIZE);
	struct process exporter;
	__u64 added, handle;
	__s32 *list;
	char *edge;

	EXPECT_EQ(-EFAULT, add(&self->exporter, self->token, NULL, 1, &added));
	EXPECT_EQ(-EFAULT, add(&self->exporter, self->token, (void *)8, 1, &added));
	EXPECT_EQ(-EFAULT, add(&self->exporter, self->token, (void *)-4096L, 1, &added));
	EXPECT_EQ(-EFAULT, add(&self->exporter, self->token, (void *)-4L, 2, &added));
	/* A list that runs into a hole lets in nobody, those before the hole included. */
	edge = process_shared(2 * page);
	ASSERT_NE(NULL, edge);
	ASSERT_EQ(0, mprotect(edge + page, page, PROT_NONE));
	ASSERT_EQ(0, client_start_exporter(&exporter, G, 0, &self->handle, &self->token,
					   &self->address));
	list = (__s32 *)(edge + page) - 1;
	*list = self->importer.pid;
	EXPECT_EQ(-EFAULT, add(&exporter, self->token, list, 2, &added));
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(0, add(&exporter, self->token, list, 1, &added));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
}

/* Lets a process in with arguments that can be read but not written back. */
static long do_allow_readonly(__u64 *a)
{
	__s32 pid = a[1];
	const struct npumem_whitelist_add argument = {
		.size = sizeof(argument), .count = 1, .token = a[0], .pids = to_u64(&pid),
	};

	return call_readonly(client_fd, NPUMEM_WHITELIST_ADD, &argument, sizeof(argument));
}

TEST_F_TIMEOUT(whitelist, that_cannot_be_answered_lets_nobody_in, 180)
{
	__u64 handle;

	EXPECT_EQ(-EFAULT, process_do(&self->exporter, do_allow_readonly, self->token,
				      self->importer.pid));
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
	/* Whom it had let in before stays. */
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	EXPECT_EQ(-EFAULT, process_do(&self->exporter, do_allow_readonly, self->token,
				      self->importer.pid));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
}

TEST_F_TIMEOUT(whitelist, that_is_full_is_ENOSPC_until_a_process_in_it_ends, 240)
{
	const int limit = 4;
	struct process guests[4 + 1];
	__u64 added, handle;
	int i;

	ASSERT_TRUE(limit_whitelist(limit));
	for (i = 0; i <= limit; i++)
		ASSERT_EQ(0, client_start(&guests[i]));
	for (i = 0; i < limit; i++)
		EXPECT_EQ(0, client_allow(&self->exporter, self->token, guests[i].pid));
	EXPECT_EQ(-ENOSPC, client_allow(&self->exporter, self->token, guests[limit].pid));
	EXPECT_EQ(-EPERM, client_import(&guests[limit], self->token, 0, &handle));
	/* A refresh needs no room. */
	EXPECT_EQ(0, client_allow(&self->exporter, self->token, guests[0].pid));
	/* Either all of a list is let in or nobody. */
	self->list[0] = guests[1].pid;
	self->list[1] = guests[limit].pid;
	EXPECT_EQ(-ENOSPC, add(&self->exporter, self->token, self->list, 2, &added));
	EXPECT_EQ(-EPERM, client_import(&guests[limit], self->token, 0, &handle));
	EXPECT_EQ(0, process_stop(&guests[0]));
	EXPECT_EQ(0, client_allow(&self->exporter, self->token, guests[limit].pid));
	EXPECT_EQ(0, client_import(&guests[limit], self->token, 0, &handle));
}

TEST_HARNESS_MAIN
