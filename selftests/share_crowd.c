// SPDX-License-Identifier: MIT
/*
 * Whitelists of many processes, whose numbers are far from each other as those of
 * programs with many threads are, and of processes that come and go.
 */
#include "npumem_limit.h"

#include "kselftest_harness.h"

#define CROWD		48
#define APART		67
/* Some of these at least are nobody's on a machine that has just been started. */
#define FIRST_NUMBER	12000

FIXTURE(crowd)
{
	struct watch watch;
	struct process exporter, stranger, guest[CROWD];
	__u64 handle, token, address;
	__s32 *list;
};

FIXTURE_SETUP(crowd)
{
	__s32 tgid;

	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, npumem_host_tgid(self->watch.fd, &tgid));
	if (tgid != getpid() || geteuid())
		SKIP(return, "needs root in the initial pid namespace");
	self->list = process_shared(2 * CROWD * sizeof(*self->list));
	ASSERT_NE(NULL, self->list);
	ASSERT_EQ(0, client_start(&self->stranger));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, 0, &self->handle, &self->token,
					   &self->address));
}

FIXTURE_TEARDOWN(crowd)
{
	EXPECT_TRUE(limits_restore());
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Starts a process with the first number from @pid on that is free. */
static long start_from(struct process *process, pid_t pid)
{
	int tries;
	long ret;

	for (tries = 0; tries < APART; tries++) {
		ret = process_start_as(process, 0, pid + tries);
		if (ret != -EEXIST)
			return ret ? ret : client_open(process);
	}
	return -EEXIST;
}

static bool start_crowd(struct process *guest, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (start_from(&guest[i], FIRST_NUMBER + i * APART))
			return false;
	return true;
}

static long add(struct process *process, __u64 token, __s32 *list, __u32 count, __u64 *added)
{
	return process_get(process, added, 3, client_do_allow_list, token, to_u64(list), count);
}

static bool may_import(struct process *process, __u64 token)
{
	__u64 handle;

	return !client_import(process, token, 0, &handle) && !client_free(process, handle);
}

/* How many processes may not do what they should be let in for. */
static int left_out(struct process *guest, int count, __u64 token)
{
	int i, out = 0;

	for (i = 0; i < count; i++)
		out += !may_import(&guest[i], token);
	return out;
}

/* How many are let in that should not be: those that are asked wait for a moment. */
static int let_in(struct process *guest, int count, __u64 token)
{
	__u64 handle;
	int i, in = 0;

	for (i = 0; i < count; i++)
		in += client_import(&guest[i], token, 0, &handle) != -EPERM;
	return in;
}

static long entries(struct process *exporter)
{
	return account("process", exporter->pid, "entries");
}

TEST_F_TIMEOUT(crowd, is_let_in_one_by_one, 300)
{
	int i;

	ASSERT_TRUE(start_crowd(self->guest, CROWD));
	for (i = 0; i < CROWD; i++) {
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->guest[i].pid));
		/* Those that were in stay so, however the whitelist grows. */
		if (i < 16 || i % 16 == 0)
			ASSERT_EQ(0, left_out(self->guest, i + 1, self->token));
		ASSERT_EQ(i + 1, entries(&self->exporter));
	}
	EXPECT_EQ(0, left_out(self->guest, CROWD, self->token));
	EXPECT_EQ(0, let_in(&self->stranger, 1, self->token));
	/* Once more: nobody is counted twice. */
	for (i = 0; i < CROWD; i++)
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->guest[i].pid));
	EXPECT_EQ(CROWD, entries(&self->exporter));
	ASSERT_EQ(0, client_unexport(&self->exporter, self->token));
	EXPECT_EQ(0, entries(&self->exporter));
}

TEST_F_TIMEOUT(crowd, is_let_in_by_lists_of_all_lengths, 300)
{
	int count, in = 0, i;
	__u64 added;

	ASSERT_TRUE(start_crowd(self->guest, CROWD));
	for (count = 1; in < CROWD; count = count * 3 / 2 + 1) {
		if (count > CROWD - in)
			count = CROWD - in;
		for (i = 0; i < count; i++)
			self->list[i] = self->guest[in + i].pid;
		ASSERT_EQ(0, add(&self->exporter, self->token, self->list, count, &added));
		ASSERT_EQ(count, added);
		in += count;
		ASSERT_EQ(0, left_out(self->guest, in, self->token));
		ASSERT_EQ(in, entries(&self->exporter));
		if (in < CROWD)
			ASSERT_EQ(0, let_in(&self->guest[in], 1, self->token));
	}
	EXPECT_EQ(0, let_in(&self->stranger, 1, self->token));
}

/* Two ways to put all in a list: those that are in, others, twice each, and nobody. */
TEST_F_TIMEOUT(crowd, is_let_in_once_by_a_list_that_names_each_twice, 300)
{
	const int before = CROWD / 4;
	__u64 added;
	int i;

	ASSERT_TRUE(start_crowd(self->guest, CROWD));
	for (i = 0; i < before; i++)
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->guest[i].pid));
	for (i = 0; i < 2 * CROWD; i++)
		self->list[i] = self->guest[i % CROWD].pid;
	self->list[CROWD] = process_dead_pid();
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 2 * CROWD, &added));
	EXPECT_EQ(2 * CROWD - 1, added);
	EXPECT_EQ(CROWD, entries(&self->exporter));
	EXPECT_EQ(0, left_out(self->guest, CROWD, self->token));
	EXPECT_EQ(0, let_in(&self->stranger, 1, self->token));
	/* One that stays after a long list of nobody else. */
	ASSERT_EQ(0, client_unexport(&self->exporter, self->token));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &self->token));
	for (i = 0; i < 2 * CROWD - 1; i++)
		self->list[i] = i % 2 ? self->list[CROWD] : -1;
	self->list[i] = self->guest[0].pid;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, 2 * CROWD, &added));
	EXPECT_EQ(1, added);
	EXPECT_EQ(1, entries(&self->exporter));
	EXPECT_EQ(0, left_out(self->guest, 1, self->token));
	EXPECT_EQ(0, let_in(&self->guest[1], 1, self->token));
}

/* Lets a list in with arguments that can be read but not written back. */
static long do_allow_readonly(__u64 *a)
{
	const struct npumem_whitelist_add argument = {
		.size = sizeof(argument), .token = a[0], .pids = a[1], .count = a[2],
	};

	return call_readonly(client_fd, NPUMEM_WHITELIST_ADD, &argument, sizeof(argument));
}

TEST_F_TIMEOUT(crowd, that_is_refused_is_not_let_in_in_part, 300)
{
	const int before = CROWD / 4, count = CROWD / 2;
	__u64 added;
	int i, round;

	ASSERT_TRUE(start_crowd(self->guest, count));
	for (i = 0; i < count; i++)
		self->list[i] = self->guest[i].pid;
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, before, &added));
	for (round = 0; round < 8; round++) {
		EXPECT_EQ(-EFAULT, process_do(&self->exporter, do_allow_readonly, self->token,
					      to_u64(self->list), count));
		ASSERT_EQ(before, entries(&self->exporter));
		ASSERT_TRUE(limit_set("whitelist", count - 1));
		EXPECT_EQ(-ENOSPC, add(&self->exporter, self->token, self->list, count, &added));
		ASSERT_TRUE(limit_set("whitelist", NPUMEM_WHITELIST_MAX));
		ASSERT_TRUE(limit_set("entries", count - 1));
		EXPECT_EQ(-EMFILE, add(&self->exporter, self->token, self->list, count, &added));
		ASSERT_TRUE(limit_set("entries", NPUMEM_WHITELIST_MAX));
		ASSERT_EQ(before, entries(&self->exporter));
		EXPECT_EQ(0, left_out(self->guest, before, self->token));
		EXPECT_EQ(0, let_in(&self->guest[before + round], 1, self->token));
	}
	EXPECT_EQ(0, let_in(&self->guest[before], count - before, self->token));
	ASSERT_EQ(0, add(&self->exporter, self->token, self->list, count, &added));
	EXPECT_EQ(0, left_out(self->guest, count, self->token));
	EXPECT_EQ(count, entries(&self->exporter));
}

/* Entries of those who have gone make room for others, in the same place again and again. */
TEST_F_TIMEOUT(crowd, stays_while_others_come_and_go, 300)
{
	const int stay = 20, rounds = repeats(100);
	struct process passing, again;
	int i;

	ASSERT_TRUE(start_crowd(self->guest, stay));
	for (i = 0; i < stay; i++)
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->guest[i].pid));
	/* So that somebody has to be taken out at every third. */
	ASSERT_TRUE(limit_set("whitelist", stay + 3));
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, process_start(&passing));
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, passing.pid));
		ASSERT_EQ(0, process_kill(&passing));
		ASSERT_GE(stay + 3, entries(&self->exporter));
		if (i % 10)
			continue;
		EXPECT_EQ(0, left_out(self->guest, stay, self->token));
		/* Who has the number now was not let in. */
		ASSERT_EQ(0, process_start_again(&again, passing.pid));
		ASSERT_EQ(0, client_open(&again));
		EXPECT_EQ(0, let_in(&again, 1, self->token));
		EXPECT_EQ(0, client_allow(&self->exporter, self->token, again.pid));
		EXPECT_EQ(0, left_out(&again, 1, self->token));
		ASSERT_EQ(0, process_kill(&again));
	}
	EXPECT_EQ(0, left_out(self->guest, stay, self->token));
	EXPECT_EQ(0, let_in(&self->stranger, 1, self->token));
	EXPECT_TRUE(becomes_true(entries(&self->exporter) == stay));
	/* And when all have gone. */
	for (i = 0; i < stay; i++)
		ASSERT_EQ(0, process_kill(&self->guest[i]));
	EXPECT_TRUE(becomes_true(entries(&self->exporter) == 0));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->stranger.pid));
	EXPECT_EQ(0, left_out(&self->stranger, 1, self->token));
	EXPECT_EQ(1, entries(&self->exporter));
}

TEST_HARNESS_MAIN
