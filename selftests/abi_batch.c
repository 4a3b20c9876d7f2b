// SPDX-License-Identifier: MIT
/* Many mappings at once: all of them or none, and what that saves. */
#include <pthread.h>
#include <sys/stat.h>

#include "npumem_cgroup.h"
#include "npumem_client.h"

#include "kselftest_harness.h"

#define N		32
#define INSTANCE	"/sys/kernel/tracing/instances/npumem-batch"

FIXTURE(batch)
{
	struct watch watch;
	int fd;
	__u64 base;			/* a reservation of 2 * N granules */
	__u64 handle[N];		/* a granule each, of device 0 */
	__u64 foreign;			/* of device 1 */
	struct npumem_map_entry entry[N];
	__u64 address[N];
};

FIXTURE_SETUP(batch)
{
	int i;

	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_reserve(self->fd, 2 * N * G, &self->base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 1, G, &self->foreign));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->handle[i]));
		self->address[i] = self->base + i * G;
		self->entry[i] = (struct npumem_map_entry) {
			self->address[i], G, self->handle[i],
		};
	}
}

FIXTURE_TEARDOWN(batch)
{
	munmap(to_ptr(self->base), 2 * N * G);
	close(self->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

static __u64 mappings(int fd)
{
	struct npumem_stats stats;

	return npumem_stats(fd, &stats) ? ~0ULL : stats.mappings;
}

#define MAP_ALL		npumem_map_batch(self->fd, self->entry, N, 0)
#define UNMAP_ALL	npumem_unmap_batch(self->fd, self->address, N)

TEST_F(batch, all_are_there_at_once)
{
	struct npumem_stats before, after;
	struct npumem_range range;
	int i, round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, MAP_ALL);
		EXPECT_EQ(N, mappings(self->fd));
		ASSERT_EQ(0, npumem_stats(self->fd, &before));
		for (i = 0; i < N; i++) {
			ASSERT_EQ(0, npumem_range(self->fd, self->address[i] + 5, &range));
			EXPECT_EQ(self->address[i], range.address);
			EXPECT_EQ(G, range.length);
			EXPECT_EQ(round ? -1 : 0,
				  pattern_check(to_ptr(self->address[i]), G, i + 1));
			pattern_mark(to_ptr(self->address[i]), G, i + 1);
		}
		/* They are populated, as those that come one by one. */
		ASSERT_EQ(0, npumem_stats(self->fd, &after));
		EXPECT_EQ(before.faults, after.faults);
		ASSERT_EQ(0, UNMAP_ALL);
		EXPECT_EQ(0, mappings(self->fd));
		for (i = 0; i < N; i++)
			EXPECT_EQ(SIGSEGV, load_signal(self->address[i]));
	}
}

TEST_F(batch, order_and_gaps_do_not_matter)
{
	__u64 scattered[N];
	int i;

	/* All even granules, backwards; then one of another kind between two of them. */
	for (i = 0; i < N; i++)
		scattered[i] = self->entry[i].address = self->base + 2 * (N - 1 - i) * G;
	ASSERT_EQ(0, MAP_ALL);
	ASSERT_EQ(0, npumem_map(self->fd, self->base + G, G, self->handle[0]));
	for (i = 0; i < N; i++)
		pattern_mark(to_ptr(scattered[i]), G, i);
	EXPECT_EQ(-1, pattern_check(to_ptr(self->base + G), G, 0));
	/* Forwards, so that they could be taken for one range. */
	for (i = 0; i < N; i++)
		scattered[i] = self->base + 2 * i * G;
	ASSERT_EQ(0, npumem_unmap_batch(self->fd, scattered, N));
	EXPECT_EQ(1, mappings(self->fd));
	EXPECT_EQ(-1, pattern_check(to_ptr(self->base + G), G, 0));
	for (i = 0; i < N; i++)
		EXPECT_EQ(SIGSEGV, load_signal(scattered[i]));
}

TEST_F(batch, one_handle_at_many_places)
{
	int i;

	for (i = 0; i < N; i++)
		self->entry[i].handle = self->handle[0];
	ASSERT_EQ(0, MAP_ALL);
	pattern_mark(to_ptr(self->address[5]), G, 5);
	for (i = 0; i < N; i++)
		EXPECT_EQ(-1, pattern_check(to_ptr(self->address[i]), G, 5));
	ASSERT_EQ(0, UNMAP_ALL);
}

TEST_F(batch, without_access_until_it_is_given)
{
	ASSERT_EQ(0, npumem_map_batch(self->fd, self->entry, N, NPUMEM_MAP_NO_ACCESS));
	EXPECT_EQ(SIGSEGV, load_signal(self->address[0]));
	EXPECT_EQ(SIGSEGV, load_signal(self->address[N - 1]));
	ASSERT_EQ(0, npumem_set_access(self->fd, self->base, N * G, 0, NPUMEM_ACCESS_READWRITE));
	EXPECT_EQ(0, store_signal(self->address[N - 1]));
	ASSERT_EQ(0, UNMAP_ALL);
}

/* The last element is wrong; then nothing has happened to the first. */
TEST_F(batch, one_that_cannot_be_leaves_none)
{
	struct npumem_map_entry *last = &self->entry[N - 1];
	const struct npumem_map_entry good = *last;
	const struct {
		long error;
		struct npumem_map_entry entry;
	} wrong[] = {
		{ -ENOENT, { good.address, G, BAD_HANDLE } },
		{ -EINVAL, { good.address + 4096, G, good.handle } },
		{ -EINVAL, { good.address, 0, good.handle } },
		{ -ERANGE, { good.address, 1, self->handle[0] } },
		{ -EOVERFLOW, { good.address, G + 1, good.handle } },
		{ -EOVERFLOW, { good.address, ~0ULL, good.handle } },
		{ -EADDRNOTAVAIL, { self->base + 2 * N * G, G, good.handle } },
		{ -EADDRNOTAVAIL, { self->base - G, G, good.handle } },
		{ -EADDRNOTAVAIL, { -G, G, good.handle } },
		{ -EEXIST, { self->address[0], G, good.handle } },
		{ -EEXIST, { self->base + (2 * N - 1) * G, G, good.handle } },
		{ -EXDEV, { good.address, G, self->foreign } },
	};
	struct npumem_stats before, after;
	unsigned int i;
	int k;

	ASSERT_EQ(0, npumem_map(self->fd, self->base + (2 * N - 1) * G, G, good.handle));
	ASSERT_EQ(0, npumem_stats(self->fd, &before));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		*last = wrong[i].entry;
		/* Any length up to a granule is all of a memory of one granule. */
		EXPECT_EQ(wrong[i].error == -ERANGE ? 0 : wrong[i].error, MAP_ALL) {
			TH_LOG("wrong[%u]", i);
		}
		if (wrong[i].error == -ERANGE) {
			EXPECT_EQ(0, UNMAP_ALL);
		}
		EXPECT_EQ(1, mappings(self->fd));
		for (k = 0; k < N; k++)
			EXPECT_EQ(SIGSEGV, load_signal(self->address[k]));
	}
	ASSERT_EQ(0, npumem_stats(self->fd, &after));
	EXPECT_EQ(before.mapped_bytes, after.mapped_bytes);
	*last = good;
	EXPECT_EQ(0, MAP_ALL);
	EXPECT_EQ(0, UNMAP_ALL);
}

/* The first mapping of a reservation claims it: what was undone has not. */
TEST_F(batch, undone_it_claims_no_reservation)
{
	__u64 fresh;

	ASSERT_EQ(0, npumem_reserve(self->fd, 4 * G, &fresh));
	self->entry[0].address = fresh;
	self->entry[1].address = fresh + G;
	self->entry[2] = (struct npumem_map_entry) { fresh + 2 * G, G, self->foreign };
	EXPECT_EQ(-EXDEV, npumem_map_batch(self->fd, self->entry, 3, 0));
	EXPECT_EQ(0, npumem_map(self->fd, fresh, G, self->foreign));
	EXPECT_EQ(0, npumem_unmap(self->fd, fresh));
	EXPECT_EQ(-EXDEV, npumem_map_batch(self->fd, self->entry, 2, 0));
	EXPECT_EQ(0, npumem_release(self->fd, fresh));
}

TEST_F(batch, unmaps_all_or_none)
{
	const __u64 bad[] = {
		self->base + N * G, self->address[3] + 4096, self->address[0], 0, ~0ULL, 4096,
	};
	const __u64 good = self->address[N - 1];
	unsigned int i;
	int k;

	ASSERT_EQ(0, MAP_ALL);
	for (k = 0; k < N; k++)
		pattern_mark(to_ptr(self->address[k]), G, k);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		self->address[N - 1] = bad[i];
		EXPECT_EQ(-ENOENT, UNMAP_ALL);
		EXPECT_EQ(N, mappings(self->fd));
	}
	for (k = 0; k < N; k++)
		EXPECT_EQ(-1, pattern_check(to_ptr(self->base + k * G), G, k));
	self->address[N - 1] = good;
	EXPECT_EQ(0, UNMAP_ALL);
	EXPECT_EQ(-ENOENT, UNMAP_ALL);
}

TEST_F(batch, counts_and_pointers)
{
	const __u32 counts[] = { 0, NPUMEM_BATCH_MAX + 1, 1U << 31, ~0U };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-EINVAL, npumem_map_batch(self->fd, self->entry, counts[i], 0));
		EXPECT_EQ(-EINVAL, npumem_unmap_batch(self->fd, self->address, counts[i]));
	}
	EXPECT_EQ(-EINVAL, npumem_map_batch(self->fd, self->entry, 1, 2));
	EXPECT_EQ(-EFAULT, npumem_map_batch(self->fd, NULL, 1, 0));
	EXPECT_EQ(-EFAULT, npumem_unmap_batch(self->fd, NULL, 1));
	EXPECT_EQ(-EFAULT, npumem_map_batch(self->fd, to_ptr(~0ULL - 8), 3, 0));
	/* An array in what is reserved, but not mapped. */
	EXPECT_EQ(-EFAULT, npumem_unmap_batch(self->fd, to_ptr(self->base), 8));
	EXPECT_EQ(0, mappings(self->fd));
}

TEST_F_TIMEOUT(batch, as_many_as_a_call_takes, 240)
{
	struct npumem_map_entry *entries = calloc(NPUMEM_BATCH_MAX, sizeof(*entries));
	__u64 *addresses = calloc(NPUMEM_BATCH_MAX, sizeof(*addresses));
	__u64 at;
	int i;

	ASSERT_NE(NULL, entries);
	ASSERT_NE(NULL, addresses);
	ASSERT_EQ(0, npumem_reserve(self->fd, NPUMEM_BATCH_MAX * G, &at));
	for (i = 0; i < NPUMEM_BATCH_MAX; i++) {
		addresses[i] = at + i * G;
		entries[i] = (struct npumem_map_entry) { addresses[i], G, self->handle[0] };
	}
	/* 128 GiB, of which nothing is to be populated. */
	ASSERT_EQ(0, npumem_map_batch(self->fd, entries, NPUMEM_BATCH_MAX, NPUMEM_MAP_NO_ACCESS));
	EXPECT_EQ(NPUMEM_BATCH_MAX, mappings(self->fd));
	ASSERT_EQ(0, npumem_set_access(self->fd, addresses[NPUMEM_BATCH_MAX - 1], G, 0,
				       NPUMEM_ACCESS_READ));
	EXPECT_EQ(0, load_signal(addresses[NPUMEM_BATCH_MAX - 1]));
	ASSERT_EQ(0, npumem_unmap_batch(self->fd, addresses, NPUMEM_BATCH_MAX));
	EXPECT_EQ(0, mappings(self->fd));
	EXPECT_EQ(0, npumem_release(self->fd, at));
	free(entries);
	free(addresses);
}

/* What a process may have counts for all of a batch. */
TEST_F(batch, limit_refuses_all)
{
	long long before = npumem_parameter("max_mappings");

	if (npumem_set_parameter("max_mappings", N - 1))
		SKIP(return, "needs root");
	EXPECT_EQ(-EMFILE, MAP_ALL);
	EXPECT_EQ(0, mappings(self->fd));
	EXPECT_EQ(0, npumem_map_batch(self->fd, self->entry, N - 1, 0));
	EXPECT_EQ(0, npumem_unmap_batch(self->fd, self->address, N - 1));
	EXPECT_EQ(0, npumem_set_parameter("max_mappings", before));
}

/* ---- what others see ---- */

struct shared {
	int fd;
	const struct npumem_map_entry *entries;
	bool stop;
	unsigned long failed;
};

static void *keep_failing(void *argument)
{
	struct shared *s = argument;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		s->failed += npumem_map_batch(s->fd, s->entries, N, 0) == -EEXIST;
	return NULL;
}

/* Another thread never gets at a part of a batch that fails in the end. */
TEST_F_TIMEOUT(batch, no_part_is_seen, 120)
{
	struct shared s = { .fd = self->fd, .entries = self->entry };
	struct npumem_range range;
	unsigned long seen = 0;
	pthread_t thread;
	int i;

	self->entry[N - 1].address = self->address[0];
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_failing, &s));
	for (i = 0; i < repeats(4000); i++) {
		seen += !load_signal(self->address[i % (N - 1)]);
		seen += !npumem_range(self->fd, self->address[i % (N - 1)], &range);
		seen += mappings(self->fd) != 0;
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, seen);
	EXPECT_LT(0, s.failed);
}

static long do_batches(__u64 *a)
{
	struct npumem_map_entry entries[N];
	__u64 addresses[N], handle, at;
	int i;

	(void)a;
	if (npumem_alloc(client_fd, 0, G, &handle) || npumem_reserve(client_fd, N * G, &at))
		return -ENOMEM;
	for (i = 0; i < N; i++) {
		addresses[i] = at + i * G;
		entries[i] = (struct npumem_map_entry) { addresses[i], G, handle };
	}
	while (!npumem_map_batch(client_fd, entries, N, 0) &&
	       !npumem_unmap_batch(client_fd, addresses, N))
		;
	return -EIO;
}

TEST_F_TIMEOUT(batch, killed_in_the_midst_it_leaves_nothing, 120)
{
	struct process process;
	struct call call = { .function = do_batches };
	int i;

	for (i = 0; i < repeats(20); i++) {
		ASSERT_EQ(0, client_start(&process));
		ASSERT_EQ(0, process_begin(&process, &call));
		pause_ms(5 + i * 3);
		ASSERT_EQ(0, process_kill(&process));
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, N * G));
	}
}

/* ---- what it saves ---- */

/* Others have the tracepoint and never pass it. */
#if defined(__x86_64__)
#define TRACE_TELLS	true
#else
#define TRACE_TELLS	false
#endif

/* Flushes of the TLB here for this address space alone, as x86 tells them. */
static bool trace_start(void)
{
	char filter[64];

	mkdir(INSTANCE, 0755);
	snprintf(filter, sizeof(filter), "common_pid == %d && reason == 3", gettid());
	return !group_write(INSTANCE, "events/tlb/tlb_flush/filter", filter) &&
	       !group_write(INSTANCE, "trace", "\n") &&
	       !group_write(INSTANCE, "tracing_on", "1") &&
	       !group_write(INSTANCE, "events/tlb/tlb_flush/enable", "1");
}

static int trace_stop(void)
{
	char line[512];
	int count = 0;
	FILE *f;

	group_write(INSTANCE, "events/tlb/tlb_flush/enable", "0");
	f = fopen(INSTANCE "/trace", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		count += !!strstr(line, "tlb_flush:");
	fclose(f);
	rmdir(INSTANCE);
	return count;
}

/* A model that goes to sleep and wakes: its segments go and come back at their places. */
TEST_F(batch, sleep_and_wake_take_one_call_and_one_flush_each)
{
	int one_by_one, at_once, i;

	if (!TRACE_TELLS || geteuid() || !trace_start())
		SKIP(return, "needs root and the tracepoint tlb/tlb_flush, which is x86's");
	trace_stop();
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, npumem_map(self->fd, self->address[i], G, self->handle[i]));
	ASSERT_TRUE(trace_start());
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, npumem_unmap(self->fd, self->address[i]));
	one_by_one = trace_stop();
	ASSERT_EQ(0, MAP_ALL);
	ASSERT_TRUE(trace_start());
	ASSERT_EQ(0, UNMAP_ALL);
	at_once = trace_stop();
	printf("# to sleep: %d calls and %d flushes one by one, 1 and %d at once\n", N,
	       one_by_one, at_once);
	EXPECT_LE(N, one_by_one);
	EXPECT_EQ(1, at_once);

	ASSERT_TRUE(trace_start());
	ASSERT_EQ(0, MAP_ALL);
	EXPECT_EQ(0, trace_stop());
	for (i = 0; i < N; i++)
		pattern_mark(to_ptr(self->address[i]), G, i);
	ASSERT_EQ(0, UNMAP_ALL);
}

/* A segment that grows at its end, and shrinks by what a cache lets go in pieces. */
TEST_F(batch, segment_grows_and_shrinks_by_one_call_each)
{
	__u64 gone[N];
	int size, i, n;

	for (size = 0; size < N; size += N / 4) {
		ASSERT_EQ(0, npumem_map_batch(self->fd, self->entry + size, N / 4, 0));
		for (i = 0; i < size + N / 4; i++)
			pattern_mark(to_ptr(self->address[i]), G, i);
	}
	for (i = n = 0; i < N; i++)
		if (i % 3)
			gone[n++] = self->address[i];
	ASSERT_EQ(0, npumem_unmap_batch(self->fd, gone, n));
	EXPECT_EQ((__u64)(N - n), mappings(self->fd));
	for (i = 0; i < N; i++) {
		if (i % 3) {
			EXPECT_EQ(SIGSEGV, load_signal(self->address[i]));
		} else {
			EXPECT_EQ(-1, pattern_check(to_ptr(self->address[i]), G, i));
		}
	}
}

TEST_HARNESS_MAIN
