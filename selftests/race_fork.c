// SPDX-License-Identifier: MIT
/*
 * Fork storms: threads that fork, all the time, while others map and unmap, and children
 * that try what they have inherited, share with their parent as strangers, and fork on.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define FORKERS		2
#define SLOTS		4

/* Of all processes. */
struct board {
	__u64 token, seed;
	volatile bool stop;
	unsigned long children, shared, refused;
	int strange;
};

static struct board *board;
static int fd;
static __u64 base, shared_at;

static void strange(int what)
{
	__atomic_store_n(&board->strange, what, __ATOMIC_RELAXED);
}

static void bump(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Nothing that it has inherited is of use. */
static void try_inherited(struct dice *dice)
{
	__u64 word, handle;

	if (careful_load(base + dice_below(dice, SLOTS) * G, &word) != SIGSEGV)
		strange(1);
	if (careful_load(shared_at, &word) != SIGSEGV)
		strange(2);
	if (npumem_alloc(fd, 0, G, &handle) != -EACCES)
		strange(3);
	if (npumem_unmap(fd, base) != -EACCES)
		strange(4);
	if (npumem_mmap(fd, NULL, G, PROT_READ, MAP_SHARED, 0, NULL) != -EACCES)
		strange(5);
}

/* As any other process it may import what anyone may. */
static void try_own(void)
{
	__u64 handle, at;
	int own = npumem_open(), error;

	if (own < 0) {
		strange(10);
		return;
	}
	error = npumem_import(own, board->token, 1, &handle, NULL);
	if (error)
		strange(error);
	else if (npumem_reserve(own, G, &at) || npumem_map(own, at, G, handle) ||
		 pattern_check(to_ptr(at), G, board->seed) >= 0)
		strange(11);
	else
		bump(&board->shared);
	/* And leaves all to its end. */
}

/* A third of them have a child themselves, which is like its parent. */
static void child(__u64 seed, int depth)
{
	struct dice dice = { seed };
	pid_t pid;

	do {
		bump(&board->children);
		switch (dice_below(&dice, 4)) {
		case 0:
			break;
		case 1:
			try_own();
			break;
		default:
			try_inherited(&dice);
			break;
		}
		pid = depth-- > 0 && !dice_below(&dice, 3) ? fork() : -1;
	} while (!pid);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (!dice_below(&dice, 4))
		kill(getpid(), SIGKILL);
	_exit(0);
}

struct forker {
	pthread_t thread;
	struct dice dice;
	unsigned long rounds;
};

static void *fork_on(void *data)
{
	struct forker *f = data;
	int status;
	pid_t pid;

	for (; f->rounds; f->rounds--) {
		__u64 seed = dice_roll(&f->dice);

		pid = fork();
		if (!pid)
			child(seed, 2);
		if (pid < 0 || waitpid(pid, &status, 0) != pid ||
		    (status && status != SIGKILL))
			strange(20);
	}
	return NULL;
}

/* Meanwhile page tables change, and what is shared stays. */
static void *map_on(void *data)
{
	struct dice dice;
	__u64 handle, at;

	(void)data;
	dice_init(&dice, 3);
	if (npumem_alloc(fd, 0, G, &handle))
		strange(30);
	while (!board->stop) {
		at = base + dice_below(&dice, SLOTS) * G;
		if (npumem_map(fd, at, G, handle))
			strange(31);
		if (careful_store(at, 1))
			strange(32);
		if (npumem_unmap(fd, at))
			strange(33);
		if (pattern_check(to_ptr(shared_at), G, board->seed) >= 0)
			strange(34);
	}
	if (npumem_free(fd, handle))
		strange(35);
	return NULL;
}

FIXTURE(fork)
{
	struct watch watch;
	__u64 handle;
};

FIXTURE_SETUP(fork)
{
	board = process_shared(sizeof(*board));
	ASSERT_NE(NULL, board);
	ASSERT_TRUE(watch_start(&self->watch));
	careful_begin();
	fd = npumem_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, npumem_reserve(fd, SLOTS * G, &base));
	ASSERT_EQ(0, npumem_new_mapping(fd, 0, G, &self->handle, &shared_at));
	board->seed = npumem_seed();
	pattern_mark(to_ptr(shared_at), G, board->seed);
	ASSERT_EQ(0, npumem_export(fd, self->handle, NPUMEM_EXPORT_ANYONE, &board->token));
}

FIXTURE_TEARDOWN(fork)
{
	printf("# %lu children, of which %lu shared\n", board->children, board->shared);
	munmap(to_ptr(base), SLOTS * G);
	munmap(to_ptr(shared_at), G);
	close(fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(fork, storm, 3000)
{
	unsigned long rounds = npumem_rounds(40);
	struct forker forker[FORKERS];
	struct npumem_stats stats;
	pthread_t mapper;
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&mapper, NULL, map_on, NULL));
	for (i = 0; i < FORKERS; i++) {
		dice_init(&forker[i].dice, 10 + i);
		forker[i].rounds = rounds / FORKERS;
		ASSERT_EQ(0, pthread_create(&forker[i].thread, NULL, fork_on, &forker[i]));
	}
	for (i = 0; i < FORKERS; i++)
		ASSERT_EQ(0, pthread_join(forker[i].thread, NULL));
	board->stop = true;
	ASSERT_EQ(0, pthread_join(mapper, NULL));
	EXPECT_EQ(0, board->strange);
	EXPECT_LE(rounds, board->children);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, G));
	EXPECT_EQ(-1, pattern_check(to_ptr(shared_at), G, board->seed));
	ASSERT_EQ(0, npumem_stats(fd, &stats));
	EXPECT_EQ(1, stats.handles);
	EXPECT_EQ(1, stats.mappings);
	EXPECT_EQ(2, stats.reservations);
}

TEST_HARNESS_MAIN
