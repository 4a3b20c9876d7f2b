// SPDX-License-Identifier: MIT
/*
 * A user of the node who knows nothing guesses: tokens, near tokens of his own and at
 * random, and handles. He finds nothing, and is told nothing but that.
 */
#include "npumem_adversary.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define EXPORTERS	8
#define EXPORTS		64	/* by each */

FIXTURE(guess)
{
	struct watch watch;
	struct node node;
	struct process victim, attacker;
	__u64 handle, token, address;
};

FIXTURE_SETUP(guess)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_TRUE(node_open_to_attackers(&self->node));
	ASSERT_EQ(0, client_start_exporter(&self->victim, G, NPUMEM_EXPORT_ANYONE,
					   &self->handle, &self->token, &self->address));
	ASSERT_EQ(0, attacker_start(&self->attacker, 0));
}

FIXTURE_TEARDOWN(guess)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(node_restore(&self->node));
}

/* Exports a piece so many times, each time under another token. */
static int export_some(__u64 *tokens, unsigned int count)
{
	unsigned int i;
	__u64 handle;
	int error = npumem_alloc(client_fd, 0, G, &handle);

	for (i = 0; i < count && !error; i++) {
		error = npumem_export(client_fd, handle, 0, &tokens[i]);
		if (!error)
			error = npumem_unexport(client_fd, tokens[i]);
	}
	return error ?: npumem_free(client_fd, handle);
}

static long do_export_some(__u64 *a)
{
	return export_some(to_ptr(a[0]), a[1]);
}

/* What anybody can ask about a number. False if one answer is not ENOENT. */
static bool finds_nothing(__u64 token)
{
	struct npumem_share_info info;
	__u64 handle;

	return npumem_share_info(client_fd, token, &info) == -ENOENT &&
	       npumem_import(client_fd, token, 0, &handle, NULL) == -ENOENT &&
	       npumem_whitelist_add(client_fd, token, 1) == -ENOENT &&
	       npumem_unexport(client_fd, token) == -ENOENT;
}

/* Guesses from what the attacker's own tokens tell; how many there were. */
static long do_guess_near_own(__u64 *a)
{
	__u64 own[EXPORTS], last[EXPORTS];
	unsigned int i, j;
	long n = 0;
	int bit;

	(void)a;
	if (export_some(own, EXPORTS) || export_some(last, EXPORTS))
		return -EIO;
	for (i = 0; i < EXPORTS; i++) {
		for (j = 1; j <= 16; j++, n += 2)
			if (!finds_nothing(own[i] + j) || !finds_nothing(own[i] - j))
				return -EEXIST;
		for (bit = 0; bit < 64; bit++, n++)
			if (!finds_nothing(last[i] ^ 1ULL << bit))
				return -EEXIST;
		/* As a counter, a stream or a linear generator would go on. */
		j = (i + 1) % EXPORTS;
		if (!finds_nothing(2 * own[j] - own[i]) || !finds_nothing(own[i] ^ own[j]) ||
		    !finds_nothing(own[i] ^ last[i]) ||
		    !finds_nothing(own[i] * 6364136223846793005ULL + 1442695040888963407ULL))
			return -EEXIST;
		n += 4;
	}
	return n;
}

static long do_guess_at_random(__u64 *a)
{
	struct dice dice = { a[0] };
	__u64 i;

	for (i = 0; i < a[1]; i++)
		if (!finds_nothing(dice_roll(&dice)))
			return -EEXIST;
	return i;
}

static long do_try(__u64 *a)
{
	return finds_nothing(a[0]) ? 0 : -EEXIST;
}

TEST_F_TIMEOUT(guess, tokens_by_an_attacker_are_never_right, 300)
{
	long near, random;

	near = process_do(&self->attacker, do_guess_near_own);
	random = process_do(&self->attacker, do_guess_at_random, npumem_seed(),
			    npumem_rounds(1000));
	TH_LOG("%ld guesses derived from own tokens and %ld at random: all ENOENT", near,
	       random);
	EXPECT_LT(0, near);
	EXPECT_EQ((long)npumem_rounds(1000), random);
	/* The dice could have thrown it, and then it would have been noticed. */
	EXPECT_EQ(-EEXIST, process_do(&self->attacker, do_try, self->token));
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* How many bits any two of them have in common at most, from the upper end. */
static int longest_prefix(__u64 *values, unsigned int count)
{
	unsigned int i;
	int longest = 0, bits;

	qsort(values, count, sizeof(*values), compare);
	for (i = 1; i < count; i++) {
		bits = values[i] == values[i - 1] ? 64 :
			__builtin_clzll(values[i] ^ values[i - 1]);
		longest = bits > longest ? bits : longest;
	}
	return longest;
}

static __u64 mirrored(__u64 value)
{
	__u64 result = 0;
	int bit;

	for (bit = 0; bit < 64; bit++)
		result |= (value >> bit & 1) << (63 - bit);
	return result;
}

/*
 * Of 512 fair numbers two have 40 bits in common once in eight million runs; of
 * their differences likewise.
 */
TEST_F_TIMEOUT(guess, tokens_of_all_processes_have_nothing_in_common, 240)
{
	const unsigned int count = EXPORTERS * EXPORTS;
	__u64 *tokens = process_shared(count * sizeof(*tokens));
	__u64 *changed = calloc(count, sizeof(*changed));
	int head, tail, step, i;

	ASSERT_NE(NULL, tokens);
	ASSERT_NE(NULL, changed);
	for (i = 0; i < EXPORTERS; i++) {
		struct process exporter;

		ASSERT_EQ(0, attacker_start(&exporter, i));
		ASSERT_EQ(0, process_do(&exporter, do_export_some,
					to_u64(tokens + i * EXPORTS), EXPORTS));
		ASSERT_EQ(0, process_stop(&exporter));
	}
	for (i = 1; i < (int)count; i++)
		changed[i] = tokens[i] - tokens[i - 1];
	step = longest_prefix(changed, count);
	for (i = 0; i < (int)count; i++)
		changed[i] = mirrored(tokens[i]);
	tail = longest_prefix(changed, count);
	head = longest_prefix(tokens, count);
	TH_LOG("%u tokens of %d processes: at most %d bits alike at the upper end, %d at the lower, %d of differences",
	       count, EXPORTERS, head, tail, step);
	EXPECT_GT(40, head);
	EXPECT_GT(40, tail);
	EXPECT_GT(40, step);
	free(changed);
}

/*
 * What the answer to a number tells: no such share, or you are not in its whitelist.
 * The refused one changes nothing in the argument, and neither hears of the other.
 */
static long do_ask(__u64 *a)
{
	struct npumem_import import = {
		.size = sizeof(import),
		.token = a[0],
		.handle = ~0ULL,
		.length = ~0ULL,
	}, as_given = import;
	long ret = npumem_call(client_fd, NPUMEM_IMPORT, &import);

	if (memcmp(&import, &as_given, sizeof(import)))
		return -EBADMSG;
	a[1] = npumem_whitelist_add(client_fd, a[0], getpid());
	a[2] = npumem_unexport(client_fd, a[0]);
	return ret;
}

TEST_F_TIMEOUT(guess, answers_tell_no_more_than_the_errno, 180)
{
	struct call ask = { .function = do_ask };
	__u64 handle, token;
	int i;

	ASSERT_EQ(0, client_alloc(&self->victim, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->victim, handle, 0, &token));
	ask.argument[0] = token;
	EXPECT_EQ(-EPERM, process_call(&self->attacker, &ask));
	EXPECT_EQ(-EREMOTE, (__s64)ask.argument[1]);
	EXPECT_EQ(-EREMOTE, (__s64)ask.argument[2]);
	/* Its end leaves no trace: it is like one that never was. */
	ASSERT_EQ(0, client_free(&self->victim, handle));
	for (i = 0; i < 2; i++) {
		ask.argument[0] = i ? ~token : token;
		EXPECT_EQ(-ENOENT, process_call(&self->attacker, &ask));
		EXPECT_EQ(-ENOENT, (__s64)ask.argument[1]);
		EXPECT_EQ(-ENOENT, (__s64)ask.argument[2]);
	}
	TH_LOG("known and refused: EPERM; to change it: EREMOTE; ended, or never there: ENOENT");
}

/* Whatever the handle, nothing is done to what is not the caller's. */
static bool handle_is_nobodys(__u64 handle, __u64 space)
{
	struct npumem_memory_info info;
	__u64 token;

	return npumem_memory_info(client_fd, handle, &info) == -ENOENT &&
	       npumem_map(client_fd, space, G, handle) == -ENOENT &&
	       npumem_export(client_fd, handle, 0, &token) == -ENOENT &&
	       npumem_free(client_fd, handle) == -ENOENT;
}

/* a[0]: the victim's handle. How many were tried. */
static long do_guess_handles(__u64 *a)
{
	struct npumem_query query;
	__u64 space, id, tag;
	long n = 0;

	if (npumem_query(client_fd, &query) || npumem_reserve(client_fd, G, &space))
		return -EIO;
	tag = (__u64)query.handle_tag << 32;
	for (id = 0; id < 300; id++, n += 3)
		if (!handle_is_nobodys(tag | id, space) ||
		    !handle_is_nobodys((a[0] >> 32 << 32) + id, space) ||
		    !handle_is_nobodys(id, space))
			return -EEXIST;
	if (!handle_is_nobodys(a[0], space) ||
	    !handle_is_nobodys(tag | (__u32)a[0], space) || !handle_is_nobodys(~0ULL, space))
		return -EEXIST;
	return n + 3;
}

TEST_F_TIMEOUT(guess, handles_of_others_are_nobodys, 240)
{
	long n = process_do(&self->attacker, do_guess_handles, self->handle);

	TH_LOG("%ld handles, the victim's own and all near it: ENOENT, by 4 calls each", n);
	EXPECT_EQ(903, n);
	EXPECT_EQ(0, client_check(&self->victim, self->address, G, self->handle));
}

TEST_HARNESS_MAIN
