// SPDX-License-Identifier: MIT
/* Every call from any thread at any time. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define THREADS	8
#define SIZE	(2 * MIB)

FIXTURE(threads)
{
	struct watch watch;
	unsigned int seed;
};

FIXTURE_SETUP(threads)
{
	self->seed = test_seed();
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtSetDevice(1));
}

FIXTURE_TEARDOWN(threads)
{
	EXPECT_EQ(OK, aclrtResetDevice(1));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
}

struct worker {
	pthread_t thread;
	int number, rounds;
	unsigned int seed;
	/* The line and the code of what went wrong first. */
	int line;
	aclError error;
	void *data;
};

#define STEP(worker, good, call) ({					\
	aclError __error = (call);					\
									\
	if (__error != (good) && !(worker)->line) {			\
		(worker)->line = __LINE__;				\
		(worker)->error = __error;				\
	}								\
	__error == (good);						\
})

static int run_workers(struct worker *workers, void *(*function)(void *), int rounds,
		       unsigned int seed, void *data)
{
	int i, bad = 0;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.number = i, .rounds = repeats(rounds), .seed = seed + i, .data = data,
		};
		if (pthread_create(&workers[i].thread, NULL, function, &workers[i]))
			return -1;
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (!workers[i].line)
			continue;
		bad++;
		printf("# thread %d: line %d gave %d\n", i, workers[i].line, workers[i].error);
	}
	return bad;
}

static void *live_a_life(void *data)
{
	struct worker *w = data;
	int device = w->number & 1, round;
	int32_t now = -1;

	if (!STEP(w, OK, aclrtSetDevice(device)))
		return NULL;
	for (round = 0; round < w->rounds && !w->line; round++) {
		struct acl_mapping mapping;
		unsigned char local[256];
		size_t size;
		void *base;

		if (!STEP(w, OK, acl_mapping_new(&mapping, device, SIZE)))
			break;
		STEP(w, OK, aclrtMemset(mapping.address, SIZE, w->number + 1, SIZE));
		STEP(w, OK, aclrtMemcpy(local, 256, mapping.address, 256,
					ACL_MEMCPY_DEVICE_TO_HOST));
		STEP(w, 0, bytes_differ(local, 256, w->number + 1) >= 0);
		STEP(w, OK, aclrtMemGetAddressRange((char *)mapping.address + 77, &base, &size));
		STEP(w, 0, base != mapping.address || size != SIZE);
		STEP(w, PARAM_INVALID, aclrtFreePhysical(GARBAGE));
		STEP(w, 0, !acl_message_names("aclrtFreePhysical"));
		STEP(w, OK, aclrtGetDevice(&now));
		STEP(w, device, now);
		STEP(w, OK, acl_mapping_end(&mapping));
		STEP(w, 0, !!aclGetRecentErrMsg());
	}
	STEP(w, OK, aclrtResetDevice(device));
	return NULL;
}

TEST_F_TIMEOUT(threads, each_with_a_life_of_its_own, 300)
{
	struct worker workers[THREADS];

	EXPECT_EQ(0, run_workers(workers, live_a_life, 30, self->seed, NULL));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

/* Threads map and unmap segments of one range that they share. */
static void *share_a_range(void *data)
{
	struct worker *w = data;
	aclrtPhysicalMemProp prop = acl_memory(0);
	char *place = (char *)w->data + w->number * SIZE;
	aclrtDrvMemHandle handle;
	int round;

	for (round = 0; round < w->rounds && !w->line; round++) {
		STEP(w, OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
		STEP(w, OK, aclrtMapMem(place, SIZE, 0, handle, 0));
		STEP(w, DRIVER_ERROR, aclrtReleaseMemAddress(w->data));
		if (w->line)
			break;
		STEP(w, 0, bytes_differ(place, 4096, 0) >= 0);
		pattern_mark(place, SIZE, w->number);
		STEP(w, 0, pattern_check(place, SIZE, w->number) >= 0);
		STEP(w, OK, aclrtUnmapMem(place));
		STEP(w, OK, aclrtFreePhysical(handle));
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, in_one_range, 300)
{
	struct worker workers[THREADS];
	void *range;

	ASSERT_EQ(OK, aclrtReserveMemAddress(&range, THREADS * SIZE, 0, NULL, 0));
	EXPECT_EQ(0, run_workers(workers, share_a_range, 30, self->seed, range));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(range));
}

/* All free the same handles: each exactly once succeeds. */
struct heap {
	aclrtDrvMemHandle handle[64];
	int freed;
};

static void *free_all(void *data)
{
	struct worker *w = data;
	struct heap *heap = w->data;
	int i;

	for (i = 0; i < 64; i++) {
		aclError error = aclrtFreePhysical(heap->handle[(i + w->number * 8) % 64]);

		if (!error)
			__atomic_fetch_add(&heap->freed, 1, __ATOMIC_RELAXED);
		else
			STEP(w, PARAM_INVALID, error);
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, racing_to_free_the_same, 300)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	struct worker workers[THREADS];
	static struct heap heap;
	int i, round;

	for (round = 0; round < 5; round++) {
		for (i = 0; i < 64; i++)
			ASSERT_EQ(OK, aclrtMallocPhysical(&heap.handle[i], SIZE, &prop, 0));
		heap.freed = 0;
		EXPECT_EQ(0, run_workers(workers, free_all, 1, self->seed, &heap));
		EXPECT_EQ(64, heap.freed);
		EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	}
}

static void *reset_and_set(void *data)
{
	struct worker *w = data;
	aclrtStream stream;
	aclrtContext context;
	int round;

	for (round = 0; round < w->rounds * 5 && !w->line; round++) {
		STEP(w, OK, aclrtSetDevice(round & 1));
		STEP(w, OK, aclrtCreateStream(&stream));
		STEP(w, OK, aclrtSynchronizeStream(stream));
		STEP(w, OK, aclrtDestroyStream(stream));
		STEP(w, OK, aclrtCreateContext(&context, round & 1));
		STEP(w, OK, aclrtDestroyContext(context));
		STEP(w, OK, aclrtResetDevice(round & 1));
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, with_devices_contexts_and_streams, 300)
{
	struct worker workers[THREADS];

	EXPECT_EQ(0, run_workers(workers, reset_and_set, 20, self->seed, NULL));
}

/* Blocks of device 0, which any of the threads may reset. */
static void *malloc_amid_resets(void *data)
{
	struct worker *w = data;
	unsigned char local = 1;
	aclError error;
	void *block;
	int round;

	for (round = 0; round < w->rounds && !w->line; round++) {
		STEP(w, OK, aclrtSetDevice(0));
		if (rand_r(&w->seed) % 3 == 0) {
			STEP(w, OK, aclrtResetDeviceForce(0));
			continue;
		}
		error = aclrtMalloc(&block, SIZE, ACL_MEM_MALLOC_HUGE_FIRST);
		if (error) {
			STEP(w, CONTEXT_NULL, error);
			continue;
		}
		error = aclrtMemcpy(block, 1, &local, 1, ACL_MEMCPY_DEFAULT);
		if (error && error != CONTEXT_NULL)
			STEP(w, PARAM_INVALID, error);
		error = aclrtFree(block);
		if (error)
			STEP(w, PARAM_INVALID, error);
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, aclrtMemcpy_and_aclrtFree_during_aclrtResetDeviceForce, 300)
{
	struct worker workers[THREADS];

	EXPECT_EQ(0, run_workers(workers, malloc_amid_resets, 250, self->seed, NULL));
	EXPECT_EQ(OK, aclrtResetDeviceForce(0));
	/* Memory and addresses alike. */
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(0, acl_count_reservations());
	ASSERT_EQ(OK, aclrtSetDevice(0));
}

struct common {
	void *volatile address;
	pthread_barrier_t all_run;
};

/*
 * An address that half of the threads reserve and release, and half read. Stacks and
 * heaps of threads that begin would be found at it too, and before they can be read.
 */
static void *reserve_or_read(void *data)
{
	struct worker *w = data;
	struct common *common = w->data;
	void *volatile heap;
	unsigned char local;
	aclError error;
	void *address;
	int round;

	STEP(w, OK, aclrtSetDevice(0));
	heap = malloc(1);
	free(heap);
	pthread_barrier_wait(&common->all_run);
	for (round = 0; round < w->rounds && !w->line; round++) {
		if (w->number & 1) {
			STEP(w, OK, aclrtReserveMemAddress(&address, SIZE, 0, NULL, 0));
			common->address = address;
			STEP(w, OK, aclrtReleaseMemAddress(address));
			continue;
		}
		error = aclrtMemcpy(&local, 1, common->address, 1, ACL_MEMCPY_DEVICE_TO_HOST);
		if (error)
			STEP(w, PARAM_INVALID, error);
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, aclrtMemcpy_where_others_reserve_and_release, 300)
{
	struct worker workers[THREADS];
	struct common common;
	void *address;

	ASSERT_EQ(OK, aclrtReserveMemAddress(&address, SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(address));
	common.address = address;
	ASSERT_EQ(0, pthread_barrier_init(&common.all_run, NULL, THREADS));
	EXPECT_EQ(0, run_workers(workers, reserve_or_read, 3000, self->seed, &common));
}

/* Any call with anything: only that nothing crashes, hangs or leaks. */
static void *make_havoc(void *data)
{
	struct worker *w = data;
	struct acl_mapping *shared = w->data;
	int round;

	aclrtSetDevice(w->number & 1);
	for (round = 0; round < w->rounds * 20; round++) {
		struct acl_mapping *m = &shared[rand_r(&w->seed) % 4];
		aclrtPhysicalMemProp prop = acl_memory(rand_r(&w->seed) & 1);
		aclrtDrvMemHandle handle = m->handle;
		void *address = m->address;
		char local[64];

		switch (rand_r(&w->seed) % 9) {
		case 0:
			if (!aclrtMallocPhysical(&handle, SIZE, &prop, 0))
				m->handle = handle;
			break;
		case 1:
			aclrtFreePhysical(handle);
			break;
		case 2:
			if (!aclrtReserveMemAddress(&address, SIZE, 0, NULL, 0))
				aclrtReleaseMemAddress(address);
			break;
		case 3:
			aclrtMemGetAddressRange(address, &address, NULL);
			break;
		case 4:
			aclrtMapMem(address, SIZE, 0, handle, 0);
			break;
		case 5:
			aclrtUnmapMem(address);
			break;
		case 6:
			aclrtMemset(address, SIZE, 1, SIZE);
			break;
		case 7:
			aclrtMemcpy(local, 64, address, 64, ACL_MEMCPY_DEFAULT);
			break;
		case 8:
			aclGetRecentErrMsg();
			break;
		}
	}
	aclrtResetDevice(w->number & 1);
	return NULL;
}

static long do_havoc(__u64 *a)
{
	static struct acl_mapping shared[4];
	struct worker workers[THREADS];
	aclError error;
	int i;

	/* The ranges stay: what is not reserved is not the library's to protect. */
	for (i = 0; i < 4; i++) {
		error = aclrtReserveMemAddress(&shared[i].address, SIZE, 0, NULL, 0);
		if (error)
			return error;
	}
	return run_workers(workers, make_havoc, 20, a[0], shared);
}

TEST_F_TIMEOUT(threads, with_each_others_things, 300)
{
	struct process process;

	ASSERT_EQ(0, process_start(&process));
	ASSERT_EQ(OK, process_do(&process, acl_do_start, 0));
	EXPECT_EQ(0, process_do(&process, do_havoc, self->seed));
	EXPECT_EQ(0, process_stop(&process));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
}

static volatile bool enough;

static void *work_until_enough(void *data)
{
	struct worker *w = data;
	struct acl_mapping mapping;

	STEP(w, OK, aclrtSetDevice(0));
	while (!enough && !w->line) {
		if (STEP(w, OK, acl_mapping_new(&mapping, 0, SIZE)))
			STEP(w, OK, acl_mapping_end(&mapping));
		STEP(w, PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	}
	STEP(w, OK, aclrtResetDevice(0));
	return NULL;
}

/* No lock of the library is ever held across a fork by nobody. */
TEST_F_TIMEOUT(threads, that_work_while_another_forks, 300)
{
	struct worker workers[4] = { 0 };
	struct process child;
	__u64 handle, address;
	int i;

	enough = false;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work_until_enough,
					    &workers[i]));
	for (i = 0; i < 25; i++) {
		ASSERT_EQ(0, process_start(&child));
		ASSERT_EQ(OK, process_do(&child, acl_do_start, 1));
		ASSERT_EQ(OK, acl_new(&child, 1, SIZE, 1, &handle, &address));
		EXPECT_EQ(OK, acl_drop(&child, address, handle));
		ASSERT_EQ(0, process_stop(&child));
	}
	enough = true;
	for (i = 0; i < 4; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].line) TH_LOG("line %d gave %d", workers[i].line,
						     workers[i].error);
	}
}

TEST_HARNESS_MAIN
