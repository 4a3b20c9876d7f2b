// SPDX-License-Identifier: MIT
/* A token cannot be guessed, and nearly the right one opens nothing. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define TOKENS	4000

FIXTURE(token)
{
	struct watch watch;
	struct process exporter;
	__u64 handle, token, address;
};

FIXTURE_SETUP(token)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, NPUMEM_EXPORT_ANYONE,
					   &self->handle, &self->token, &self->address));
}

FIXTURE_TEARDOWN(token)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(token, with_any_one_bit_flipped_is_ENOENT, 180)
{
	struct npumem_share_info info;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		__u64 wrong = self->token ^ (1ULL << bit), handle;

		EXPECT_EQ(-ENOENT, npumem_import(self->watch.fd, wrong, 0, &handle, NULL));
		EXPECT_EQ(-ENOENT, npumem_import(self->watch.fd, wrong, 1, &handle, NULL));
		EXPECT_EQ(-ENOENT, npumem_share_info(self->watch.fd, wrong, &info));
		EXPECT_EQ(-ENOENT, npumem_whitelist_add(self->watch.fd, wrong, getpid()));
	}
	EXPECT_EQ(0, npumem_share_info(self->watch.fd, self->token, &info));
}

TEST_F_TIMEOUT(token, of_notable_values_is_ENOENT, 180)
{
	const __u64 values[] = {
		0, 1, 2, 0xffffffff, 1ULL << 32, 1ULL << 63, ~0ULL, self->handle,
		self->handle >> 32, self->token >> 32, self->token & 0xffffffff, self->token + 1,
		self->token - 1, ~self->token, __builtin_bswap64(self->token),
	};
	struct npumem_share_info info;
	unsigned int i;
	__u64 handle;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		EXPECT_EQ(-ENOENT, npumem_import(self->watch.fd, values[i], 0, &handle, NULL));
		EXPECT_EQ(-ENOENT, npumem_share_info(self->watch.fd, values[i], &info));
	}
}

TEST_F_TIMEOUT(token, after_the_memorys_end_is_ENOENT, 180)
{
	struct npumem_share_info info;
	__u64 handle;

	ASSERT_EQ(0, npumem_share_info(self->watch.fd, self->token, &info));
	ASSERT_EQ(0, process_kill(&self->exporter));
	EXPECT_TRUE(becomes_true(npumem_share_info(self->watch.fd, self->token, &info) ==
				 -ENOENT));
	EXPECT_EQ(-ENOENT, npumem_import(self->watch.fd, self->token, 0, &handle, NULL));
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* With fair coins, 4000 throws leave 1700..2300 less than once in 10^20 runs. */
TEST_F_TIMEOUT(token, distribution_shows_no_pattern, 240)
{
	static __u64 token[TOKENS];
	int ones[64] = { 0 }, changes[64] = { 0 };
	__u64 handle;
	int i, bit;

	for (i = 0; i < TOKENS; i++) {
		ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, G, &handle));
		ASSERT_EQ(0, npumem_export(self->watch.fd, handle, 0, &token[i]));
		ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
		ASSERT_NE(0, token[i]);
		for (bit = 0; bit < 64; bit++) {
			ones[bit] += token[i] >> bit & 1;
			changes[bit] += i && (token[i] ^ token[i - 1]) >> bit & 1;
		}
	}
	for (bit = 0; bit < 64; bit++) {
		EXPECT_TRUE(ones[bit] > 1700 && ones[bit] < 2300)
			TH_LOG("bit %d is set in %d of %d", bit, ones[bit], TOKENS);
		EXPECT_TRUE(changes[bit] > 1700 && changes[bit] < 2300)
			TH_LOG("bit %d changes %d of %d times", bit, changes[bit], TOKENS);
	}
	qsort(token, TOKENS, sizeof(token[0]), compare);
	for (i = 1; i < TOKENS; i++)
		ASSERT_NE(token[i - 1], token[i]);
	/* The halves are not derived from one small seed either. */
	for (i = 0; i < TOKENS; i++)
		token[i] = (__u32)token[i];
	qsort(token, TOKENS, sizeof(token[0]), compare);
	for (i = 3; i < TOKENS; i++)
		ASSERT_NE(token[i - 3], token[i]);
}

TEST_HARNESS_MAIN
