// SPDX-License-Identifier: MIT
/*
 * The OOM killer ends a process for what it took besides: what it had of the driver
 * comes back, but for what others hold.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "npumem_cgroup.h"
#include "npumem_limit.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define LIMIT	(64 * MIB)
#define PART	(8 * MIB)

FIXTURE(oom)
{
	struct watch watch;
	struct process victim, other;
	char path[128];
};

FIXTURE_SETUP(oom)
{
	char text[32];

	if (access(GROUP_ROOT "/cgroup.controllers", R_OK) || geteuid())
		SKIP(return, "needs root and cgroup v2 at " GROUP_ROOT);
	group_write(GROUP_ROOT, "cgroup.subtree_control", "+memory");
	ASSERT_TRUE(watch_start(&self->watch));
	/* tools/vm/vm knows this name: what the kernel says of it is no bad sign. */
	snprintf(self->path, sizeof(self->path), GROUP_ROOT "/oom-test-%d", getpid());
	ASSERT_EQ(0, mkdir(self->path, 0755));
	snprintf(text, sizeof(text), "%llu", LIMIT);
	if (group_write(self->path, "memory.max", text))
		SKIP(return, "no memory controller");
	group_write(self->path, "memory.swap.max", "0");
	ASSERT_EQ(0, client_start(&self->other));
}

FIXTURE_TEARDOWN(oom)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(becomes_true(!rmdir(self->path)));
}

static bool start_in_group(struct process *p, const char *group)
{
	return !client_start(p) && !group_enter(group, p->pid);
}

/* Touches memory of its own until there is no more. */
static long do_eat(__u64 *a)
{
	char *p;

	(void)a;
	for (;;) {
		p = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (p == MAP_FAILED)
			return -errno;
		memset(p, 1, MIB);
	}
}

TEST_F_TIMEOUT(oom, leaves_importers_what_they_have, 180)
{
	__u64 handle, token, at, view, theirs, their_token, their_at, mine, spare, all = 0;
	struct call eat = { .function = do_eat };
	__u64 start, left;
	int status;

	ASSERT_TRUE(start_in_group(&self->victim, self->path));
	start = group_read(self->path, "memory.current", NULL);
	/* Each has what the other one exported, mapped. */
	ASSERT_EQ(0, client_alloc(&self->victim, 0, PART, &handle));
	ASSERT_EQ(0, client_map(&self->victim, handle, PART, &at));
	ASSERT_EQ(0, client_mark(&self->victim, at, PART, 1));
	ASSERT_EQ(0, client_export(&self->victim, handle, 0, &token));
	ASSERT_EQ(0, client_allow(&self->victim, token, self->other.pid));
	ASSERT_EQ(0, client_alloc(&self->victim, 1, PART, &spare));
	ASSERT_EQ(0, client_import(&self->other, token, 0, &mine));
	ASSERT_EQ(0, client_map(&self->other, mine, PART, &view));
	ASSERT_EQ(0, client_alloc(&self->other, 0, PART, &theirs));
	ASSERT_EQ(0, client_map(&self->other, theirs, PART, &their_at));
	ASSERT_EQ(0, client_mark(&self->other, their_at, PART, 2));
	ASSERT_EQ(0, client_export(&self->other, theirs, NPUMEM_EXPORT_ANYONE, &their_token));
	ASSERT_EQ(0, client_import(&self->victim, their_token, 0, &all));
	ASSERT_EQ(0, client_map(&self->victim, all, PART, &at));
	ASSERT_EQ(0, client_check(&self->victim, at, PART, 2));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * PART));
	EXPECT_TRUE(watch_used(&self->watch, 1, PART));

	ASSERT_EQ(0, process_begin(&self->victim, &eat));
	status = process_status(&self->victim);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_LE(1, group_read(self->path, "memory.events", "oom_kill"));

	/* Its own is gone, what is shared is not, and charged to its group. */
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * PART));
	EXPECT_TRUE(becomes_true(account("process", self->victim.pid, "clients") <= 0));
	left = account("process", self->victim.pid, "handles");
	EXPECT_TRUE(left == 0 || left == (__u64)-ENOENT);
	EXPECT_EQ(0, client_check(&self->other, view, PART, 1));
	EXPECT_EQ(0, client_check(&self->other, their_at, PART, 2));
	EXPECT_EQ(0, client_store(&self->other, view, 3));
	EXPECT_LE(PART, group_read(self->path, "memory.current", NULL));
	ASSERT_EQ(0, client_unmap(&self->other, view));
	ASSERT_EQ(0, client_free(&self->other, mine));
	EXPECT_TRUE(watch_used(&self->watch, 0, PART));
	EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) <
				 start + PART / 2));
	/* And all works as before. */
	ASSERT_EQ(0, client_alloc(&self->other, 0, PART, &handle));
	ASSERT_EQ(0, client_free(&self->other, handle));
}

/* Allocates, maps, exports, imports for another device, and takes all down again. */
static void *churn(void *unused)
{
	__u64 handle, again, token, at;

	for (;;) {
		if (npumem_alloc(client_fd, 0, 4 * G, &handle))
			continue;
		if (!npumem_reserve(client_fd, 4 * G, &at)) {
			npumem_map(client_fd, at, 4 * G, handle);
			if (!npumem_export(client_fd, handle, 0, &token) &&
			    !npumem_whitelist_add(client_fd, token, getppid()) &&
			    !npumem_import(client_fd, token, 1, &again, NULL))
				npumem_free(client_fd, again);
			npumem_unmap(client_fd, at);
			npumem_release(client_fd, at);
		}
		npumem_free(client_fd, handle);
	}
	return unused;
}

static long do_churn_and_eat(__u64 *a)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, churn, NULL))
			return -EAGAIN;
	pause_ms(a[0]);
	return do_eat(a);
}

TEST_F_TIMEOUT(oom, in_the_middle_of_calls_leaves_nothing, 600)
{
	struct call eat = { .function = do_churn_and_eat };
	unsigned long round, rounds = npumem_rounds(2);
	struct dice dice;
	int status;

	dice_init(&dice, 1);
	for (round = 0; round < rounds; round++) {
		ASSERT_TRUE(start_in_group(&self->victim, self->path));
		eat.argument[0] = dice_below(&dice, 30);
		ASSERT_EQ(0, process_begin(&self->victim, &eat));
		status = process_status(&self->victim);
		ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		ASSERT_LE(round + 1, group_read(self->path, "memory.events", "oom_kill"));
		ASSERT_TRUE(watch_used_becomes(&self->watch, 0, 0));
		ASSERT_TRUE(becomes_true(account("process", self->victim.pid, "clients") < 0));
	}
	EXPECT_TRUE(becomes_true(group_read(self->path, "memory.current", NULL) < 8 * MIB));
	printf("# %lu times\n", round);
}

TEST_HARNESS_MAIN
