// SPDX-License-Identifier: MIT
/*
 * A process that ends, becomes another program or closes the descriptor while its other
 * threads are in calls and in page faults. All it held is given back at once, and whoever
 * gets its pages next is not disturbed by a thread that still ran.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define SLOTS		4
#define WORKERS		2

/* In a shared page: a process that is about to end tells where it is. */
struct board {
	volatile bool running;
	volatile int strange;
	volatile unsigned long calls;
};

static struct board *board;

/* ---- threads of a process that does not live long ---- */

struct doomed {
	int fd;
	__u64 base;
	__u64 seed;
};

/* Besides @allowed, the descriptor and the addresses may be gone in some of the tests. */
static void tell(int error, int allowed)
{
	if (error && error != allowed && error != -EBADF && error != -EADDRNOTAVAIL)
		board->strange = error;
	board->calls++;
}

static void *doomed_calls(void *data)
{
	struct doomed *d = data;
	struct dice dice = { d->seed++ };
	__u64 handle, token, at;
	int error;

	for (;;) {
		at = d->base + dice_below(&dice, SLOTS) * G;
		error = npumem_alloc(d->fd, 0, G, &handle);
		if (error == -EBADF)
			return NULL;
		tell(error, 0);
		tell(npumem_export(d->fd, handle, NPUMEM_EXPORT_ANYONE, &token), 0);
		tell(npumem_map(d->fd, at, G, handle), -EEXIST);
		tell(npumem_free(d->fd, handle), 0);
		tell(npumem_set_access(d->fd, at, G, 0, NPUMEM_ACCESS_READ), 0);
		tell(npumem_unmap(d->fd, at), -ENOENT);
		board->running = true;
	}
}

/* Stores all the time, wherever something is mapped: to its end. */
static void *doomed_stores(void *data)
{
	struct doomed *d = data;
	struct dice dice = { ~d->seed };

	for (;;)
		careful_store(d->base + dice_below(&dice, SLOTS * G / 8) * 8, 0xdddddddd);
	return NULL;
}

static struct doomed doomed;

/* Its own memory to store to, and threads at work. */
static bool doomed_begin(__u64 seed)
{
	pthread_t thread;
	__u64 handle;
	int i;

	doomed.seed = seed;
	doomed.fd = npumem_open();
	careful_begin();
	if (doomed.fd < 0 || npumem_reserve(doomed.fd, SLOTS * G, &doomed.base) ||
	    npumem_alloc(doomed.fd, 0, G, &handle) ||
	    npumem_map(doomed.fd, doomed.base, G, handle))
		return false;
	for (i = 0; i < WORKERS; i++)
		if (pthread_create(&thread, NULL, doomed_calls, &doomed))
			return false;
	if (pthread_create(&thread, NULL, doomed_stores, &doomed))
		return false;
	while (!board->running)
		sched_yield();
	return true;
}

/* ---- the tests ---- */

FIXTURE(exit)
{
	struct watch watch;
	struct dice dice;
	int fd;
	__u64 at;
};

FIXTURE_SETUP(exit)
{
	board = process_shared(sizeof(*board));
	ASSERT_NE(NULL, board);
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_reserve(self->fd, G, &self->at));
	dice_init(&self->dice, 2);
}

FIXTURE_TEARDOWN(exit)
{
	printf("# %lu calls\n", board->calls);
	EXPECT_EQ(0, board->strange);
	munmap(to_ptr(self->at), G);
	close(self->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

enum how { BY_EXIT, BY_KILL, BY_EXEC, HOWS };

static void end_by(enum how how)
{
	char *const nothing[] = { NULL };

	switch (how) {
	case BY_EXIT:
		_exit(0);
	case BY_EXEC:
		fcntl(doomed.fd, F_SETFD, 0);	/* it is there, and nobody's */
		execve("/proc/self/exe", (char *const []){ "race_exit", "--nothing", NULL },
		       nothing);
		_exit(2);
	default:
		for (;;)
			pause();
	}
}

/* What it had is zero again, for the next owner, and stays what that makes of it. */
static bool pages_are_ours(int fd, __u64 at)
{
	bool good;
	__u64 handle;

	if (npumem_alloc(fd, 0, G, &handle) || npumem_map(fd, at, G, handle))
		return false;
	good = bytes_differ(to_ptr(at), G, 0) < 0;
	pattern_mark(to_ptr(at), G, 7);
	good &= pattern_check(to_ptr(at), G, 7) < 0;
	return !npumem_unmap(fd, at) && !npumem_free(fd, handle) && good;
}

static void end_many(struct __test_metadata *_metadata, FIXTURE_DATA(exit) *self,
		     enum how how)
{
	unsigned long round, rounds = npumem_rounds(15);
	int status;
	pid_t pid;

	for (round = 0; round < rounds; round++) {
		__u64 seed = dice_roll(&self->dice);
		__s64 delay = dice_below(&self->dice, 3000000);

		board->running = false;
		fflush(NULL);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (!doomed_begin(seed))
				_exit(1);
			spin_until(now_ns() + (how == BY_KILL ? 0 : delay));
			end_by(how);
		}
		if (how == BY_KILL) {
			while (!board->running && !waitpid(pid, &status, WNOHANG))
				sched_yield();
			spin_until(now_ns() + delay);
			kill(pid, SIGKILL);
		}
		/* While it goes, and what it had goes. */
		EXPECT_TRUE(pages_are_ours(self->fd, self->at));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(how == BY_KILL ? SIGKILL : 0, status)
			TH_LOG("round %lu: status %#x", round, status);
		EXPECT_TRUE(pages_are_ours(self->fd, self->at));
		ASSERT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	}
	EXPECT_LT(rounds, board->calls);
}

TEST_F_TIMEOUT(exit, exit_against_calls_and_faults, 3000)
{
	end_many(_metadata, self, BY_EXIT);
}

TEST_F_TIMEOUT(exit, kill_against_calls_and_faults, 3000)
{
	end_many(_metadata, self, BY_KILL);
}

TEST_F_TIMEOUT(exit, exec_against_calls_and_faults, 3000)
{
	end_many(_metadata, self, BY_EXEC);
}

/*
 * close() while threads are in calls: they end, or find no descriptor. The reservation
 * holds the file, so that goes after them.
 */
TEST_F_TIMEOUT(exit, close_against_calls, 3000)
{
	unsigned long round, rounds = npumem_rounds(30);
	pthread_t thread[WORKERS];
	struct doomed d = { 0 };
	unsigned int i;

	for (round = 0; round < rounds; round++) {
		d.seed = dice_roll(&self->dice);
		board->running = false;
		d.fd = npumem_open();
		ASSERT_LE(0, d.fd);
		ASSERT_EQ(0, npumem_reserve(d.fd, SLOTS * G, &d.base));
		for (i = 0; i < WORKERS; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, doomed_calls, &d));
		while (!board->running)
			sched_yield();
		spin_until(now_ns() + dice_below(&self->dice, 1000000));
		/* First the addresses, or first the descriptor. */
		if (round & 1)
			ASSERT_EQ(0, close(d.fd));
		ASSERT_EQ(0, munmap(to_ptr(d.base), SLOTS * G));
		if (!(round & 1))
			ASSERT_EQ(0, close(d.fd));
		for (i = 0; i < WORKERS; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		/* The last call's end, or that of the last to look it up, is the file's. */
		ASSERT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--nothing"))
		return 0;
	return test_harness_run(argc, argv);
}
