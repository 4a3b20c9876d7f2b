// SPDX-License-Identifier: MIT
/* NPUMEM_COPY and NPUMEM_FILL: data, rights, and nothing written on failure. */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#define NONE	NPUMEM_ACCESS_NONE
#define READ	NPUMEM_ACCESS_READ
#define RW	NPUMEM_ACCESS_READWRITE
#define BASES	6

FIXTURE(copy) {
	int fd;
	__u64 used[2];
	unsigned char *d;	/* 12 MiB of device 0: 2 + 4 + 2 mapped, a hole */
	unsigned char *other;	/* 2 MiB of device 1 */
	unsigned char *h;	/* 8 MiB of the host */
	__u64 big;
};

FIXTURE_SETUP(copy)
{
	__u64 a, b, foreign, base, other;

	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used[0] = npumem_used(self->fd, 0);
	self->used[1] = npumem_used(self->fd, 1);
	ASSERT_EQ(0, npumem_reserve(self->fd, 6 * G, &base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &a));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, 2 * G, &self->big));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &b));
	ASSERT_EQ(0, npumem_map(self->fd, base, G, a));
	ASSERT_EQ(0, npumem_map(self->fd, base + G, 2 * G, self->big));
	ASSERT_EQ(0, npumem_map(self->fd, base + 3 * G, G, b));
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 1, G, &foreign, &other));
	self->d = to_ptr(base);
	self->other = to_ptr(other);
	self->h = mmap(NULL, 4 * G, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->h);
}

FIXTURE_TEARDOWN(copy)
{
	munmap(self->d, BASES * G);
	munmap(self->other, G);
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 3000));
	EXPECT_TRUE(npumem_used_becomes(self->fd, 1, self->used[1], 3000));
	close(self->fd);
}

#define COPY(to, from, length)	npumem_copy(self->fd, 0, to, from, length)
#define FILL(at, length, value)	npumem_fill(self->fd, 0, at, length, value)
#define SET(granule, count, device, right) \
	npumem_set_access(self->fd, to_u64(self->d) + (granule) * G, \
			  (count) * G, device, right)

TEST_F(copy, host_to_device_and_back)
{
	pattern_fill(self->h, 2 * G, 1);
	ASSERT_EQ(0, COPY(self->d, self->h, 2 * G));
	EXPECT_EQ(-1, pattern_verify(self->d, 2 * G, 1));
	memset(self->h, 0, 2 * G);
	ASSERT_EQ(0, COPY(self->h, self->d, 2 * G));
	EXPECT_EQ(-1, pattern_verify(self->h, 2 * G, 1));
}

TEST_F(copy, device_to_device)
{
	pattern_fill(self->d, G, 2);
	ASSERT_EQ(0, COPY(self->d + 3 * G, self->d, G));
	EXPECT_EQ(-1, pattern_verify(self->d + 3 * G, G, 2));
	EXPECT_EQ(-1, pattern_verify(self->d, G, 2));
}

TEST_F(copy, odd_lengths_and_addresses)
{
	const __u64 lengths[] = { 1, 7, 8, 9, 4095, 4096, 4097, 65537,
		G - 4095, G, G + 1, 3 * G - 77 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		__u64 n = lengths[i], from = 1 + 13 * i, to = G - 1000 + 7 * i;

		if (to + n + 1 > 4 * G)
			to = 3 + i;
		memset(self->d, 0x11, 4 * G);
		pattern_fill(self->h, 4 * G, i);
		ASSERT_EQ(0, COPY(self->d + to, self->h + from, n));
		EXPECT_EQ(0, memcmp(self->d + to, self->h + from, n));
		EXPECT_EQ(0x11, self->d[to - 1]);
		EXPECT_EQ(0x11, self->d[to + n]);
		memset(self->h, 0x22, 4 * G);
		ASSERT_EQ(0, COPY(self->h + from, self->d + to, n));
		EXPECT_EQ(0, memcmp(self->d + to, self->h + from, n));
		EXPECT_EQ(0x22, self->h[from - 1]);
		EXPECT_EQ(0x22, self->h[from + n]);
	}
}

TEST_F(copy, overlap_is_memmove)
{
	const __s64 shifts[] = { 1, -1, 8, -8, 4096, -4096, 4097, -4097,
		G / 2, -(__s64)(G / 2), G, -(__s64)G, G + 5, 0 };
	unsigned char *expected = self->h;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		__u64 from = shifts[i] < 0 ? -shifts[i] : 3;
		__u64 to = from + shifts[i];
		__u64 n = 4 * G - (from > to ? from : to) - 9;

		pattern_fill(expected, 4 * G, i);
		memcpy(self->d, expected, 4 * G);
		memmove(expected + to, expected + from, n);
		ASSERT_EQ(0, COPY(self->d + to, self->d + from, n));
		EXPECT_EQ(0, memcmp(self->d, expected, 4 * G)) {
			TH_LOG("shift %lld", shifts[i]);
		}
	}
}

/* The same memory at two addresses overlaps too, and addresses do not tell. */
TEST_F(copy, overlap_through_two_mappings)
{
	unsigned char *twin = self->d + 4 * G, *expected = self->h;
	int back;

	ASSERT_EQ(0, npumem_map(self->fd, to_u64(twin), 2 * G, self->big));
	for (back = 0; back < 2; back++) {
		unsigned char *from = back ? twin + 4096 : self->d + G;
		unsigned char *to = back ? self->d + G : twin + 4096;

		pattern_fill(expected, 2 * G, back);
		memcpy(twin, expected, 2 * G);
		memmove(expected + (back ? 0 : 4096),
			expected + (back ? 4096 : 0), 2 * G - 4096);
		ASSERT_EQ(0, COPY(to, from, 2 * G - 4096));
		EXPECT_EQ(0, memcmp(twin, expected, 2 * G)) {
			TH_LOG("direction %d", back);
		}
	}
}

TEST_F(copy, unmapped_tail_writes_nothing)
{
	memset(self->d, 0x33, 4 * G);
	memset(self->h, 0x44, 4 * G);
	EXPECT_EQ(-EADDRNOTAVAIL, COPY(self->d + 3 * G, self->h, G + 1));
	EXPECT_EQ(-EADDRNOTAVAIL, COPY(self->d, self->d + 3 * G + 8, G));
	EXPECT_EQ(-EADDRNOTAVAIL, COPY(self->h, self->d + 3 * G, G + 1));
	EXPECT_EQ(-EADDRNOTAVAIL, FILL(self->d + 4 * G - 8, 9, 1));
	EXPECT_EQ(-EADDRNOTAVAIL, FILL(self->d + 4 * G, 8, 1));
	/* Beyond the reservation, and before it. */
	EXPECT_EQ(-EADDRNOTAVAIL, COPY(self->d, self->d, 7 * G));
	EXPECT_EQ(-EADDRNOTAVAIL, FILL(self->d - 8, 16, 1));
	EXPECT_EQ(-1, bytes_differ(self->d, 4 * G, 0x33));
	EXPECT_EQ(-1, bytes_differ(self->h, 4 * G, 0x44));
}

TEST_F(copy, rights_of_the_device)
{
	memset(self->d, 0x33, 4 * G);
	ASSERT_EQ(0, SET(2, 1, 0, READ));
	/* The right is checked on all of it before the first byte goes. */
	EXPECT_EQ(-EROFS, COPY(self->d, self->h, 3 * G));
	EXPECT_EQ(-EROFS, COPY(self->d + 3 * G - 1, self->h, 2));
	EXPECT_EQ(-EROFS, FILL(self->d + G, 2 * G, 1));
	EXPECT_EQ(0, COPY(self->h, self->d, 4 * G));
	EXPECT_EQ(-1, bytes_differ(self->h, 4 * G, 0x33));
	ASSERT_EQ(0, SET(2, 1, 0, NONE));
	memset(self->h, 0x44, 4 * G);
	EXPECT_EQ(-EPERM, COPY(self->h, self->d, 3 * G));
	EXPECT_EQ(-EROFS, COPY(self->d + 2 * G, self->h, 8));
	EXPECT_EQ(-EPERM, COPY(self->d, self->d + 2 * G, 8));
	EXPECT_EQ(-1, bytes_differ(self->h, 4 * G, 0x44));
	EXPECT_EQ(-1, bytes_differ(self->d, 2 * G, 0x33));
	ASSERT_EQ(0, SET(2, 1, 0, RW));
	EXPECT_EQ(-1, bytes_differ(self->d, 4 * G, 0x33));
}

/* What the host may do is for the CPU, not for copies of a device. */
TEST_F(copy, rights_of_the_host_do_not_count)
{
	ASSERT_EQ(0, SET(0, 1, 0, NONE));
	ASSERT_EQ(0, npumem_set_host_access(self->fd, to_u64(self->d), G, RW));
	EXPECT_EQ(0, store_signal(to_u64(self->d)));
	EXPECT_EQ(-EPERM, COPY(self->h, self->d, 8));
	EXPECT_EQ(-EROFS, FILL(self->d, 8, 1));
}

TEST_F(copy, another_device_needs_a_right_or_a_link)
{
#define COPY1(to, from, n)	npumem_copy(self->fd, 1, to, from, n)
	EXPECT_EQ(-EPERM, COPY1(self->h, self->d, 8));
	EXPECT_EQ(-EROFS, COPY1(self->d, self->h, 8));
	EXPECT_EQ(-EROFS, npumem_fill(self->fd, 1, self->d, 8, 1));
	/* Device 1 may use its own. */
	EXPECT_EQ(0, COPY1(self->other, self->h, G));
	EXPECT_EQ(-EPERM, COPY(self->h, self->other, 8));
	/* Only the direction from the user to the memory helps. */
	ASSERT_EQ(0, npumem_peer_enable(self->fd, 0, 1));
	EXPECT_EQ(-EPERM, COPY1(self->h, self->d, 8));
	EXPECT_EQ(0, COPY(self->h, self->other, 8));
	ASSERT_EQ(0, npumem_peer_enable(self->fd, 1, 0));
	EXPECT_EQ(0, COPY1(self->h, self->d, 8));
	pattern_fill(self->d, G, 5);
	EXPECT_EQ(0, COPY1(self->other, self->d, G));
	EXPECT_EQ(-1, pattern_verify(self->other, G, 5));
	/* The link gives what the mapping's own device has. */
	ASSERT_EQ(0, SET(0, 1, 0, READ));
	EXPECT_EQ(-EROFS, COPY1(self->d, self->h, 8));
	EXPECT_EQ(0, COPY1(self->h, self->d, 8));
	/* A right of its own stays when the link goes. */
	ASSERT_EQ(0, SET(3, 1, 1, READ));
	ASSERT_EQ(0, npumem_peer_disable(self->fd, 1, 0));
	EXPECT_EQ(0, COPY1(self->h, self->d + 3 * G, 8));
	EXPECT_EQ(-EROFS, COPY1(self->d + 3 * G, self->h, 8));
	EXPECT_EQ(-EPERM, COPY1(self->h, self->d, 8));
#undef COPY1
}

TEST_F(copy, host_side_that_is_not_there_is_efault)
{
	unsigned char *hole = self->h + 2 * G;
	unsigned char *read_only = self->h + 3 * G;

	memset(self->d, 0x33, 4 * G);
	ASSERT_EQ(0, munmap(hole, 4096));
	ASSERT_EQ(0, mprotect(read_only, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, COPY(self->d, hole, 8));
	EXPECT_EQ(-EFAULT, COPY(hole, self->d, 8));
	EXPECT_EQ(-EFAULT, COPY(read_only, self->d, 8));
	EXPECT_EQ(0, COPY(self->d, read_only, 8));
	EXPECT_EQ(-EFAULT, COPY(self->d, to_ptr(0xffff888000000000ULL), 8));
	EXPECT_EQ(-EFAULT, COPY(to_ptr(0xffff888000000000ULL), self->d, 8));
	/* In the middle: what lies behind it must not have been written. */
	EXPECT_EQ(-EFAULT, COPY(self->d, hole - G, 2 * G));
	EXPECT_EQ(-1, bytes_differ(self->d + G, 3 * G, 0x33));
}

/* The host's side is faulted in, not refused. */
TEST_F(copy, host_side_not_yet_touched)
{
	unsigned char *fresh = mmap(NULL, 2 * G, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char stack[64];

	ASSERT_NE(MAP_FAILED, fresh);
	pattern_fill(self->d, 2 * G, 6);
	ASSERT_EQ(0, COPY(fresh, self->d, 2 * G));
	EXPECT_EQ(-1, pattern_verify(fresh, 2 * G, 6));
	ASSERT_EQ(0, COPY(stack, self->d, sizeof(stack)));
	EXPECT_EQ(0, memcmp(stack, self->d, sizeof(stack)));
}

TEST_F(copy, host_to_host_is_enoent)
{
	EXPECT_EQ(-ENOENT, COPY(self->h, self->h + G, 64));
	EXPECT_EQ(-ENOENT, FILL(self->h, 64, 1));
	EXPECT_EQ(-ENOENT, npumem_copy(self->fd, NPUMEM_DEVICE_NONE, self->h,
				       self->h + G, 64));
}

/* Freed memory is copied from as long as it is mapped. */
TEST_F(copy, after_free)
{
	pattern_fill(self->d + G, 2 * G, 7);
	ASSERT_EQ(0, npumem_free(self->fd, self->big));
	ASSERT_EQ(0, COPY(self->h, self->d + G, 2 * G));
	EXPECT_EQ(-1, pattern_verify(self->h, 2 * G, 7));
	ASSERT_EQ(0, npumem_unmap(self->fd, to_u64(self->d) + G));
	EXPECT_EQ(-EADDRNOTAVAIL, COPY(self->h, self->d + G, 8));
}

TEST_F(copy, reservation_of_another_client_is_host_memory_to_it)
{
	int other = npumem_open();

	ASSERT_LE(0, other);
	EXPECT_EQ(-ENOENT, npumem_copy(other, 0, self->h, self->d, 8));
	EXPECT_EQ(-ENOENT, npumem_fill(other, 0, self->d, 8, 1));
	close(other);
}

TEST_F(copy, fill_writes_the_value)
{
	const __u64 spans[][2] = { { 0, 1 }, { 1, 1 }, { 4095, 2 }, { 5, 4096 },
		{ 0, G }, { G - 3, 7 }, { 17, 3 * G + 1 }, { 0, 4 * G } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(spans); i++) {
		__u64 at = spans[i][0], n = spans[i][1];

		memset(self->d, 0x11, 4 * G);
		ASSERT_EQ(0, FILL(self->d + at, n, 0xf0 + i));
		EXPECT_EQ(-1, bytes_differ(self->d + at, n, 0xf0 + i));
		EXPECT_EQ(-1, bytes_differ(self->d, at, 0x11));
		EXPECT_EQ(-1, bytes_differ(self->d + at + n, 4 * G - at - n,
					   0x11));
	}
	ASSERT_EQ(0, FILL(self->d, 4 * G, 0));
	EXPECT_EQ(-1, bytes_differ(self->d, 4 * G, 0));
	ASSERT_EQ(0, FILL(self->d, 4 * G, 255));
	EXPECT_EQ(-1, bytes_differ(self->d, 4 * G, 255));
}

TEST_HARNESS_MAIN
