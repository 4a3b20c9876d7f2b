// SPDX-License-Identifier: MIT
/* Processes that are killed at any point leave nothing behind. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define WORKERS		3
#define ROUNDS		35
#define SLOTS		16
#define HELD		8

/* What the workers of a round have in common. */
struct board {
	__u64 token[SLOTS];
	__u32 steps;
	__u32 corrupt;
};

static struct board *board;

struct held {
	__u64 handle, address, length;
};

static __u64 next_random(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void drop(struct held *held)
{
	if (held->address) {
		npumem_unmap(client_fd, held->address);
		npumem_release(client_fd, held->address);
	}
	if (held->handle)
		npumem_free(client_fd, held->handle);
	memset(held, 0, sizeof(*held));
}

/* One random step; what fails because others die or exceed limits, fails. */
static void step(struct held *held, __u64 random)
{
	struct held *one = &held[random % HELD];
	__u64 *slot = &board->token[random / HELD % SLOTS];
	__u32 device = random >> 40 & 1;
	__u64 token;

	switch (random >> 32 & 7) {
	case 0:
	case 1:
		drop(one);
		one->length = G * (1 + (random >> 48) % 3);
		if (npumem_alloc(client_fd, device, one->length, &one->handle))
			one->handle = 0;
		break;
	case 2:
		if (one->handle &&
		    !npumem_export(client_fd, one->handle, NPUMEM_EXPORT_ANYONE, &token))
			__atomic_store_n(slot, token, __ATOMIC_RELAXED);
		break;
	case 3:
		drop(one);
		token = __atomic_load_n(slot, __ATOMIC_RELAXED);
		if (npumem_import(client_fd, token, device, &one->handle, &one->length))
			one->handle = 0;
		break;
	case 4:
	case 5:
		if (!one->handle || one->address ||
		    npumem_reserve(client_fd, one->length, &one->address))
			break;
		if (npumem_map(client_fd, one->address, one->length, one->handle)) {
			npumem_release(client_fd, one->address);
			one->address = 0;
		}
		break;
	case 6:
		if (!one->address)
			break;
		/* Whoever else has it writes the same. */
		pattern_mark(to_ptr(one->address), one->length, 1);
		if (pattern_check(to_ptr(one->address), one->length, 1) >= 0)
			__atomic_fetch_add(&board->corrupt, 1, __ATOMIC_RELAXED);
		break;
	case 7:
		drop(one);
		break;
	}
	__atomic_fetch_add(&board->steps, 1, __ATOMIC_RELAXED);
}

static long do_work(__u64 *a)
{
	struct held held[HELD] = { 0 };
	__u64 state = a[0];

	for (;;)
		step(held, next_random(&state));
	return 0;
}

FIXTURE(kill)
{
	struct watch watch;
	struct process worker[WORKERS];
	__u64 state;
};

FIXTURE_SETUP(kill)
{
	self->state = test_seed() * 2654435761ULL + 1;
	board = process_shared(sizeof(*board));
	ASSERT_NE(NULL, board);
	ASSERT_TRUE(watch_start(&self->watch));
}

FIXTURE_TEARDOWN(kill)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

static long start_worker(struct process *process, __u64 *state)
{
	struct call call = {
		.function = do_work,
		.argument = { next_random(state) | 1 },
	};
	long ret = client_start(process);

	return ret ? ret : process_begin(process, &call);
}

/* WORKERS * ROUNDS kills, or fewer: processes die at points of no one's choosing. */
TEST_F_TIMEOUT(kill, of_any_process_at_any_point_leaves_nothing_behind, 600)
{
	int round, i, rounds = repeats(ROUNDS);

	for (round = 0; round < rounds; round++) {
		__u32 steps = board->steps;

		for (i = 0; i < WORKERS; i++)
			ASSERT_EQ(0, start_worker(&self->worker[i], &self->state));
		EXPECT_TRUE(becomes_true(board->steps > steps + 20));
		for (i = 0; i < WORKERS; i++) {
			pause_ms(next_random(&self->state) % 20);
			ASSERT_EQ(0, process_kill(&self->worker[i]));
		}
		ASSERT_TRUE(watch_used_becomes(&self->watch, 0, 0))
			TH_LOG("device 0 keeps memory after round %d", round);
		ASSERT_TRUE(watch_used_becomes(&self->watch, 1, 0))
			TH_LOG("device 1 keeps memory after round %d", round);
	}
	EXPECT_EQ(0, board->corrupt);
	TH_LOG("%u steps", board->steps);
}

TEST_F_TIMEOUT(kill, of_one_does_not_disturb_the_others, 300)
{
	int i, round, rounds = repeats(20);

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, start_worker(&self->worker[i], &self->state));
	for (round = 0; round < rounds; round++) {
		struct process *victim = &self->worker[round % WORKERS];

		pause_ms(next_random(&self->state) % 20);
		ASSERT_EQ(0, process_kill(victim));
		ASSERT_EQ(0, start_worker(victim, &self->state));
		for (i = 0; i < WORKERS; i++)
			ASSERT_FALSE(process_answers(&self->worker[i], 0));
	}
	EXPECT_EQ(0, board->corrupt);
}

static long do_allocate_most(__u64 *a)
{
	return npumem_alloc(client_fd, 0, a[0], NULL);
}

TEST_F_TIMEOUT(kill, during_a_large_allocation_ends_it_and_gives_all_back, 300)
{
	__u64 most = npumem_free_bytes(self->watch.fd, 0) / 10 * 9 / G * G;
	struct call call = { .function = do_allocate_most, .argument = { most } };
	int i;

	for (i = 0; i < 10; i++) {
		struct process victim;

		ASSERT_EQ(0, client_start(&victim));
		ASSERT_EQ(0, process_begin(&victim, &call));
		pause_ms(next_random(&self->state) % 100);
		EXPECT_EQ(0, process_kill(&victim));
		ASSERT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	}
}

TEST_F_TIMEOUT(kill, with_many_mappings_and_handles_gives_all_back, 240)
{
	struct process owner;
	__u64 handle, address;
	int i;

	ASSERT_EQ(0, client_start(&owner));
	ASSERT_EQ(0, client_alloc(&owner, 0, G, &handle));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, client_map(&owner, handle, G, &address));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, client_alloc(&owner, 1, G, &handle));
	ASSERT_EQ(0, process_kill(&owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
}

TEST_HARNESS_MAIN
