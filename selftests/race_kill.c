// SPDX-License-Identifier: MIT
/*
 * Exporters and importers that are killed at any point, while others hold what they
 * shared: who is left reads what was written, and in the end everything is back.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define SLOTS		8
#define EXPORTERS	2
#define IMPORTERS	2
#define LENGTH(seed)	(G * (1 + ((seed) & 1)))
/* After so many kills all let go, and counters are looked at. */
#define SEASON		50

/* What an exporter has for others, in the memory of all. */
struct offer {
	__u64 token, seed;	/* 0 while it changes */
};

struct board {
	struct offer offer[SLOTS];
	unsigned long offered, imported, checked, held_dead;
	__u64 seed;		/* of the next memory */
	unsigned int pause, paused;
	int strange;
};

static struct board *board;

static void strange(int what)
{
	__atomic_store_n(&board->strange, what, __ATOMIC_RELAXED);
}

static void bump(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- a process's life, from any point of which it may be killed ---- */

static void publish(struct offer *offer, __u64 token, __u64 seed)
{
	__atomic_store_n(&offer->seed, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&offer->token, token, __ATOMIC_RELEASE);
	__atomic_store_n(&offer->seed, seed, __ATOMIC_RELEASE);
}

static void live_exporter(int fd, struct dice *dice)
{
	__u64 handle, token, at, seed;

	for (;;) {
		seed = __atomic_add_fetch(&board->seed, 1, __ATOMIC_RELAXED);
		if (npumem_new_mapping(fd, seed >> 1 & 1, LENGTH(seed), &handle, &at)) {
			strange(1);
			return;
		}
		pattern_mark(to_ptr(at), LENGTH(seed), seed);
		if (npumem_export(fd, handle, NPUMEM_EXPORT_ANYONE, &token))
			strange(2);
		publish(&board->offer[dice_below(dice, SLOTS)], token, seed);
		bump(&board->offered);
		if (dice_below(dice, 2))
			usleep(dice_below(dice, 1000));
		if (pattern_check(to_ptr(at), LENGTH(seed), seed) >= 0)
			strange(3);
		if (npumem_free(fd, handle))
			strange(4);
		if (npumem_unmap(fd, at) || npumem_release(fd, at))
			strange(5);
	}
}

struct held {
	__u64 handle, at, token, seed;
};

static void let_go(int fd, struct held *held)
{
	if (!held->seed)
		return;
	if (pattern_check(to_ptr(held->at), LENGTH(held->seed), held->seed) >= 0)
		strange(10);
	if (npumem_unmap(fd, held->at) || npumem_release(fd, held->at) ||
	    npumem_free(fd, held->handle))
		strange(11);
	bump(&board->checked);
	held->seed = 0;
}

/* What an offer says now may be of a memory that is gone, or half written. */
static void get_hold(int fd, struct held *held, const struct offer *offer)
{
	int error;

	held->seed = 0;
	held->token = __atomic_load_n(&offer->token, __ATOMIC_ACQUIRE);
	if (!held->token)
		return;
	error = npumem_import(fd, held->token, 0, &held->handle, NULL);
	if (error) {
		if (error != -ENOENT && error != -ESTALE)
			strange(error);
		return;
	}
	held->seed = __atomic_load_n(&offer->seed, __ATOMIC_ACQUIRE);
	if (!held->seed || __atomic_load_n(&offer->token, __ATOMIC_ACQUIRE) != held->token ||
	    npumem_reserve(fd, LENGTH(held->seed), &held->at)) {
		held->seed = 0;
		npumem_free(fd, held->handle);
		return;
	}
	if (npumem_map(fd, held->at, LENGTH(held->seed), held->handle)) {
		strange(12);
		held->seed = 0;
		return;
	}
	if (pattern_check(to_ptr(held->at), LENGTH(held->seed), held->seed) >= 0)
		strange(13);
	bump(&board->imported);
}

static bool is_dead(int fd, __u64 token)
{
	struct npumem_share_info info;

	return npumem_share_info(fd, token, &info) || !info.exporter;
}

static void live_importer(int fd, struct dice *dice)
{
	struct held held[4] = { 0 };
	bool resting = false;
	unsigned int i;

	for (;;) {
		if (__atomic_load_n(&board->pause, __ATOMIC_ACQUIRE)) {
			for (i = 0; i < 4; i++)
				let_go(fd, &held[i]);
			if (!resting)
				__atomic_add_fetch(&board->paused, 1, __ATOMIC_RELEASE);
			resting = true;
			usleep(500);
			continue;
		}
		resting = false;
		i = dice_below(dice, 4);
		if (held[i].seed && is_dead(fd, held[i].token))
			bump(&board->held_dead);
		let_go(fd, &held[i]);
		get_hold(fd, &held[i], &board->offer[dice_below(dice, SLOTS)]);
		if (dice_below(dice, 2))
			usleep(dice_below(dice, 500));
	}
}

static pid_t start(void (*live)(int fd, struct dice *dice), __u64 seed)
{
	struct dice dice = { seed };
	pid_t pid;
	int fd;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = npumem_open();
	if (fd < 0)
		strange(fd);
	else
		live(fd, &dice);
	_exit(1);
}

/* ---- the tests ---- */

FIXTURE(kill)
{
	struct watch watch;
	struct dice dice;
	pid_t exporter[EXPORTERS], importer[IMPORTERS];
};

FIXTURE_SETUP(kill)
{
	int i;

	board = process_shared(sizeof(*board));
	ASSERT_NE(NULL, board);
	ASSERT_TRUE(watch_start(&self->watch));
	dice_init(&self->dice, 4);
	for (i = 0; i < EXPORTERS; i++)
		self->exporter[i] = start(live_exporter, dice_roll(&self->dice));
	for (i = 0; i < IMPORTERS; i++)
		self->importer[i] = start(live_importer, dice_roll(&self->dice));
}

static int end(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

FIXTURE_TEARDOWN(kill)
{
	int i;

	for (i = 0; i < EXPORTERS; i++)
		end(self->exporter[i]);
	for (i = 0; i < IMPORTERS; i++)
		end(self->importer[i]);
	printf("# %lu memories offered, %lu imported, %lu read again, %lu of them of the dead\n",
	       board->offered, board->imported, board->checked, board->held_dead);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* All are killed and the importers let go: is everything back? */
static bool season_ends(struct watch *watch, pid_t *exporter)
{
	bool good;
	int i;

	for (i = 0; i < EXPORTERS; i++)
		end(exporter[i]);
	__atomic_store_n(&board->paused, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&board->pause, 1, __ATOMIC_RELEASE);
	good = becomes_true(__atomic_load_n(&board->paused, __ATOMIC_ACQUIRE) == IMPORTERS);
	good &= watch_used_becomes(watch, 0, 0) && watch_used_becomes(watch, 1, 0);
	memset(board->offer, 0, sizeof(board->offer));
	__atomic_store_n(&board->pause, 0, __ATOMIC_RELEASE);
	return good;
}

/* Three of four that are killed are exporters. */
TEST_F_TIMEOUT(kill, at_any_point_with_importers_alive, 3000)
{
	unsigned long rounds = npumem_rounds(100), round;
	__s64 life = 3000000;
	int i;

	for (round = 0; round < rounds && !board->strange; round++) {
		spin_until(now_ns() + dice_below(&self->dice, life));
		i = dice_below(&self->dice, 2);
		if (dice_below(&self->dice, 4)) {
			ASSERT_EQ(SIGKILL, end(self->exporter[i]));
			self->exporter[i] = start(live_exporter, dice_roll(&self->dice));
		} else {
			ASSERT_EQ(SIGKILL, end(self->importer[i]));
			self->importer[i] = start(live_importer, dice_roll(&self->dice));
		}
		if (round % SEASON != SEASON - 1)
			continue;
		ASSERT_TRUE(season_ends(&self->watch, self->exporter))
			TH_LOG("after %lu kills something is left", round + 1);
		for (i = 0; i < EXPORTERS; i++)
			self->exporter[i] = start(live_exporter, dice_roll(&self->dice));
	}
	printf("# %lu kills\n", round);
	EXPECT_EQ(0, board->strange);
	EXPECT_LT(0, board->imported);
	EXPECT_LT(0, board->checked);
	if (npumem_many(rounds))
		EXPECT_LT(rounds / 20, board->held_dead);
}

TEST_HARNESS_MAIN
