// SPDX-License-Identifier: MIT
/* Peer access by import, and imports that leave it as it is. */
#include <pthread.h>

#include "npumem_client.h"

#include "kselftest_harness.h"

FIXTURE(peer)
{
	struct watch watch;
	struct process exporter;
	int fd;
	__u64 handle, token, address;
};

FIXTURE_SETUP(peer)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, NPUMEM_EXPORT_ANYONE,
					   &self->handle, &self->token, &self->address));
}

FIXTURE_TEARDOWN(peer)
{
	close(self->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* How often both directions are enabled, or -1 if they differ. */
static int links(int fd)
{
	__u32 there = ~0U, back = ~0U;

	if (npumem_peer_status(fd, 0, 1, &there) ||
	    npumem_peer_status(fd, 1, 0, &back) || there != back)
		return -1;
	return there;
}

static int references(int fd, __u64 handle)
{
	struct npumem_memory_info info;

	return npumem_memory_info(fd, handle, &info) ? -1 : (int)info.references;
}

#define IMPORT(flags, handle) \
	npumem_import_flags(self->fd, self->token, 1, flags, handle, NULL)
#define NO_PEER	NPUMEM_IMPORT_NO_PEER

TEST_F_TIMEOUT(peer, import_gives_access_once, 180)
{
	__u64 handle;

	ASSERT_EQ(0, IMPORT(0, &handle));
	EXPECT_EQ(1, links(self->fd));
	ASSERT_EQ(0, IMPORT(0, NULL));
	ASSERT_EQ(0, IMPORT(NO_PEER, NULL));
	EXPECT_EQ(1, links(self->fd));
	EXPECT_EQ(3, references(self->fd, handle));
}

TEST_F_TIMEOUT(peer, no_peer_leaves_it_to_a_later_import, 180)
{
	__u64 handle, again;

	ASSERT_EQ(0, IMPORT(NO_PEER, &handle));
	EXPECT_EQ(0, links(self->fd));
	ASSERT_EQ(0, IMPORT(NO_PEER, &again));
	EXPECT_EQ(0, links(self->fd));
	ASSERT_EQ(0, IMPORT(0, &again));
	EXPECT_EQ(handle, again);
	EXPECT_EQ(1, links(self->fd));
	ASSERT_EQ(0, IMPORT(0, &again));
	EXPECT_EQ(1, links(self->fd));
	EXPECT_EQ(4, references(self->fd, handle));
}

TEST_F_TIMEOUT(peer, no_peer_leaves_what_was_enabled, 180)
{
	__u64 handle;

	ASSERT_EQ(0, npumem_peer_enable(self->fd, 0, 1));
	ASSERT_EQ(0, npumem_peer_enable(self->fd, 1, 0));
	ASSERT_EQ(0, IMPORT(NO_PEER, &handle));
	EXPECT_EQ(1, links(self->fd));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(1, links(self->fd));
}

TEST_F_TIMEOUT(peer, memory_can_be_used_without_it, 180)
{
	__u64 handle, address;

	ASSERT_EQ(0, IMPORT(NO_PEER, &handle));
	ASSERT_EQ(0, npumem_reserve(self->fd, G, &address));
	ASSERT_EQ(0, npumem_map(self->fd, address, G, handle));
	EXPECT_EQ(-1, pattern_check(to_ptr(address), G, self->handle));
	munmap(to_ptr(address), G);
}

TEST_F_TIMEOUT(peer, own_device_needs_none, 180)
{
	__u64 handle;

	ASSERT_EQ(0, npumem_import_flags(self->fd, self->token, 0, NO_PEER,
					 &handle, NULL));
	ASSERT_EQ(0, npumem_import(self->fd, self->token, 0, NULL, NULL));
	EXPECT_EQ(0, links(self->fd));
	EXPECT_EQ(2, references(self->fd, handle));
}

/* An import for device 1 whose answer cannot be delivered. */
static int import_unanswered(int fd, __u64 token)
{
	struct npumem_import *argument = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error = -ENOMEM;

	if (argument == MAP_FAILED)
		return error;
	*argument = (struct npumem_import) {
		.size = sizeof(*argument),
		.token = token,
		.device = 1,
	};
	if (!mprotect(argument, 4096, PROT_READ))
		error = npumem_call(fd, NPUMEM_IMPORT, argument);
	munmap(argument, 4096);
	return error;
}

TEST_F_TIMEOUT(peer, answer_that_cannot_be_delivered_takes_back_its_own, 180)
{
	struct npumem_stats stats;
	__u64 handle;

	EXPECT_EQ(-EFAULT, import_unanswered(self->fd, self->token));
	EXPECT_EQ(0, links(self->fd));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.handles);

	ASSERT_EQ(0, IMPORT(NO_PEER, &handle));
	EXPECT_EQ(-EFAULT, import_unanswered(self->fd, self->token));
	EXPECT_EQ(0, links(self->fd));
	EXPECT_EQ(1, references(self->fd, handle));

	ASSERT_EQ(0, IMPORT(0, NULL));
	EXPECT_EQ(-EFAULT, import_unanswered(self->fd, self->token));
	EXPECT_EQ(1, links(self->fd));
	EXPECT_EQ(2, references(self->fd, handle));
}

/* A reset takes the access away; the handle of the other device is left. */
TEST_F_TIMEOUT(peer, import_after_a_reset_gives_access_again, 180)
{
	__u64 handle, again;

	ASSERT_EQ(0, IMPORT(0, &handle));
	ASSERT_EQ(0, npumem_reset(self->fd, 0));
	EXPECT_EQ(0, links(self->fd));
	ASSERT_EQ(1, references(self->fd, handle));
	ASSERT_EQ(0, IMPORT(0, &again));
	EXPECT_EQ(handle, again);
	EXPECT_EQ(1, links(self->fd));
	ASSERT_EQ(0, npumem_reset(self->fd, 1));
	EXPECT_EQ(0, links(self->fd));
	EXPECT_EQ(-1, references(self->fd, handle));
	ASSERT_EQ(0, IMPORT(0, &again));
	EXPECT_EQ(1, links(self->fd));
}

/* Disabling takes away what imports have brought; the next one brings it anew. */
TEST_F_TIMEOUT(peer, import_after_a_disable_gives_access_again, 180)
{
	__u64 handle;

	ASSERT_EQ(0, IMPORT(0, &handle));
	ASSERT_EQ(0, IMPORT(0, NULL));
	ASSERT_EQ(0, npumem_peer_disable(self->fd, 0, 1));
	ASSERT_EQ(0, npumem_peer_disable(self->fd, 1, 0));
	ASSERT_EQ(0, IMPORT(NO_PEER, NULL));
	EXPECT_EQ(0, links(self->fd));
	EXPECT_EQ(-EFAULT, import_unanswered(self->fd, self->token));
	EXPECT_EQ(0, links(self->fd));
	ASSERT_EQ(0, IMPORT(0, NULL));
	EXPECT_EQ(1, links(self->fd));
	EXPECT_EQ(-EFAULT, import_unanswered(self->fd, self->token));
	ASSERT_EQ(0, IMPORT(0, NULL));
	EXPECT_EQ(1, links(self->fd));
	EXPECT_EQ(5, references(self->fd, handle));
}

/* Resets device 1 once for each round that it is told of, as long as there are any. */
struct resetter {
	int fd, round, done;
};

static void *reset_rounds(void *data)
{
	struct resetter *r = data;
	int round, seen = 0;

	for (;;) {
		do {
			round = __atomic_load_n(&r->round, __ATOMIC_ACQUIRE);
		} while (round == seen);
		if (round < 0)
			return NULL;
		seen = round;
		npumem_reset(r->fd, 1);
		__atomic_store_n(&r->done, seen, __ATOMIC_RELEASE);
	}
}

/* Whatever a reset leaves of an import beside it, the next one gives access. */
TEST_F_TIMEOUT(peer, import_after_one_beside_a_reset_gives_access, 240)
{
	struct resetter resetter = { .fd = self->fd };
	pthread_t thread;
	int64_t end = now_ms() + 5000;
	int i, without = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_rounds, &resetter));
	for (i = 1; now_ms() < end && !without; i++) {
		volatile int wait = i % 400;

		__atomic_store_n(&resetter.round, i, __ATOMIC_RELEASE);
		while (wait)
			wait--;
		ASSERT_EQ(0, IMPORT(0, NULL));
		while (__atomic_load_n(&resetter.done, __ATOMIC_ACQUIRE) != i)
			;
		ASSERT_EQ(0, IMPORT(0, NULL));
		without += links(self->fd) < 1;
		ASSERT_EQ(0, npumem_reset(self->fd, 1));
	}
	__atomic_store_n(&resetter.round, -1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	printf("# %d rounds\n", i - 1);
	EXPECT_EQ(0, without);
}

TEST_HARNESS_MAIN
