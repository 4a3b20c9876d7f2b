// SPDX-License-Identifier: MIT
/* Copies while other processes die, and while other threads take things away. */
#include <pthread.h>
#include <stdatomic.h>

#include "acl_program.h"

#include "kselftest_harness.h"

#define SIZE	(32 * MIB)

FIXTURE(death)
{
	struct watch watch;
	struct process exporter, importer;
	__u64 handle, address, share, theirs, view;
	unsigned int seed;
	_Atomic int *copies;
};

FIXTURE_SETUP(death)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->seed = test_seed();
	self->copies = process_shared(sizeof(*self->copies));
	ASSERT_NE(NULL, self->copies);
	ASSERT_EQ(OK, acl_start(&self->exporter, 0));
	ASSERT_EQ(OK, acl_start(&self->importer, 0));
	ASSERT_EQ(OK, acl_new(&self->exporter, 0, SIZE, 1, &self->handle, &self->address));
	ASSERT_EQ(OK, acl_export(&self->exporter, self->handle, 0, &self->share));
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, self->share, self->importer.pid));
	ASSERT_EQ(OK, acl_import(&self->importer, self->share, 0, &self->theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, self->theirs, SIZE, 0, &self->view));
}

FIXTURE_TEARDOWN(death)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/*
 * a: view, counter, rounds. Copies the memory to memory of its own, from there
 * to the host, and back again, and finds it as it was each time.
 */
static long do_copy_around(__u64 *a)
{
	_Atomic int *copies = to_ptr(a[1]);
	void *view = to_ptr(a[0]), *host;
	struct acl_mapping own;
	aclError error = acl_mapping_new(&own, 0, SIZE);
	__u64 i;

	if (!error)
		error = aclrtMallocHost(&host, SIZE);
	for (i = 0; i < a[2] && !error; i++) {
		error = aclrtMemcpy(own.address, SIZE, view, SIZE, ACL_MEMCPY_DEVICE_TO_DEVICE);
		if (!error)
			error = aclrtMemcpy(host, SIZE, own.address, SIZE,
					    ACL_MEMCPY_DEVICE_TO_HOST);
		if (!error && pattern_check(host, SIZE, 1) >= 0)
			return -EILSEQ;
		if (!error)
			error = aclrtMemset(own.address, SIZE, 0, SIZE);
		if (!error)
			error = aclrtMemcpy(view, SIZE, host, SIZE, ACL_MEMCPY_HOST_TO_DEVICE);
		if (!error)
			atomic_fetch_add(copies, 1);
	}
	if (!error)
		error = acl_mapping_end(&own);
	return error ? error : aclrtFreeHost(host);
}

TEST_F_TIMEOUT(death, aclrtMemcpy_goes_on_when_the_exporter_is_killed, 120)
{
	struct call call = {
		.function = do_copy_around,
		.argument = { self->view, to_u64((void *)self->copies), 12 },
	};

	ASSERT_EQ(0, process_begin(&self->importer, &call));
	ASSERT_TRUE(becomes_true(atomic_load(self->copies) >= 2));
	usleep(rand_r(&self->seed) % 30000);
	ASSERT_EQ(0, process_kill(&self->exporter));
	EXPECT_GT(12, atomic_load(self->copies));
	EXPECT_EQ(OK, process_end(&self->importer, &call));
	EXPECT_EQ(12, atomic_load(self->copies));
	EXPECT_EQ(0, client_check(&self->importer, self->view, SIZE, 1));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(OK, acl_drop(&self->importer, self->view, self->theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

/* a: view, counter. Fills the memory for ever, by a copy of one value each. */
static long do_fill_by_copies(__u64 *a)
{
	_Atomic int *copies = to_ptr(a[1]);
	aclError error = ACL_SUCCESS;
	unsigned char *source;
	int value;

	error = aclrtMallocHost((void **)&source, SIZE);
	for (value = 0; !error; value = (value + 1) % 100) {
		memset(source, value, SIZE);
		error = aclrtMemcpy(to_ptr(a[0]), SIZE, source, SIZE, ACL_MEMCPY_HOST_TO_DEVICE);
		atomic_fetch_add(copies, 1);
	}
	return error;
}

/* a: address. How often one value ends and the one copied before it begins. */
static long do_count_steps(__u64 *a)
{
	const unsigned char *bytes = to_ptr(a[0]);
	long steps = 0;
	size_t i;

	for (i = 64; i < SIZE; i += 64) {
		if (bytes[i] == bytes[i - 64])
			continue;
		if ((bytes[i] + 1) % 100 != bytes[i - 64])
			return -EILSEQ;
		steps++;
	}
	return steps;
}

TEST_F_TIMEOUT(death, aclrtMemcpy_of_an_importer_that_is_killed, 180)
{
	struct call call;
	long steps;
	int round;

	for (round = 0; round < 8; round++) {
		struct process program;
		__u64 theirs, view;

		ASSERT_EQ(OK, acl_start(&program, 0));
		ASSERT_EQ(OK, acl_set_pid(&self->exporter, self->share, program.pid));
		ASSERT_EQ(OK, acl_import(&program, self->share, 0, &theirs));
		ASSERT_EQ(OK, acl_map(&program, theirs, SIZE, 0, &view));
		call = (struct call) {
			.function = do_fill_by_copies,
			.argument = { view, to_u64((void *)self->copies) },
		};
		atomic_store(self->copies, 0);
		ASSERT_EQ(0, process_begin(&program, &call));
		/* From the second copy on there are only such values. */
		ASSERT_TRUE(becomes_true(atomic_load(self->copies) >= 2));
		usleep(rand_r(&self->seed) % 20000);
		ASSERT_EQ(0, process_kill(&program));
		/* To the exporter it is a copy that was interrupted once, or was not. */
		steps = process_do(&self->exporter, do_count_steps, self->address);
		EXPECT_TRUE(steps == 0 || steps == 1) TH_LOG("round %d: %ld", round, steps);
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, SIZE));
	}
	EXPECT_EQ(0, client_mark(&self->exporter, self->address, SIZE, 1));
	EXPECT_EQ(OK, process_do(&self->importer, do_copy_around, self->view,
				 to_u64((void *)self->copies), 1));
}

/* ---- threads of one process ---- */

struct thief {
	unsigned char *range;
	unsigned char *host;
	aclrtDrvMemHandle handle;
	atomic_bool enough;
	unsigned int seed;
	int rounds;
	aclError error;
};

#define PIECE	(4 * MIB)
/* Mapped all the time, taken away and given back, mapped all the time. */
#define AT	PIECE

static aclError set_access(void *address, int flags)
{
	aclrtMemAccessDesc desc = {
		.flags = flags,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	return aclrtMemSetAccess(address, PIECE, &desc, 1);
}

/* Long enough for a copy to begin, and not for all of them to end. */
static void leave_be(struct thief *thief)
{
	usleep(rand_r(&thief->seed) % 8000);
}

static void *unmap_and_map(void *data)
{
	struct thief *thief = data;

	for (; !atomic_load(&thief->enough) && !thief->error; thief->rounds++) {
		leave_be(thief);
		thief->error = aclrtUnmapMem(thief->range + AT);
		if (!thief->error)
			thief->error = aclrtMapMem(thief->range + AT, PIECE, 0, thief->handle, 0);
	}
	return NULL;
}

static void *take_rights(void *data)
{
	struct thief *thief = data;

	for (; !atomic_load(&thief->enough) && !thief->error; thief->rounds++) {
		leave_be(thief);
		thief->error = set_access(thief->range + AT, ACL_RT_MEM_ACCESS_FLAGS_NONE);
		if (!thief->error)
			thief->error = set_access(thief->range + AT,
						  ACL_RT_MEM_ACCESS_FLAGS_READWRITE);
	}
	return NULL;
}

/* Memory of the host that is there and is not. */
static void *unmap_host(void *data)
{
	struct thief *thief = data;

	for (; !atomic_load(&thief->enough) && !thief->error; thief->rounds++) {
		leave_be(thief);
		if (munmap(thief->host + AT, PIECE) ||
		    mmap(thief->host + AT, PIECE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			thief->error = -errno;
	}
	return NULL;
}

FIXTURE(thief)
{
	struct watch watch;
	struct thief thief;
	aclrtDrvMemHandle first, last;
	struct acl_mapping other;
};

FIXTURE_SETUP(thief)
{
	struct thief *thief = &self->thief;

	ASSERT_TRUE(watch_start(&self->watch));
	thief->seed = test_seed();
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&thief->range, 3 * PIECE, 0, NULL, 0));
	ASSERT_EQ(OK, program_map_new(thief->range, PIECE, 0, &self->first));
	ASSERT_EQ(OK, program_map_new(thief->range + AT, PIECE, 0, &thief->handle));
	ASSERT_EQ(OK, program_map_new(thief->range + 2 * PIECE, PIECE, 0, &self->last));
	ASSERT_EQ(OK, acl_mapping_new(&self->other, 0, 3 * PIECE));
	thief->host = mmap(NULL, 3 * PIECE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, thief->host);
	memset(thief->host, 1, 3 * PIECE);
}

FIXTURE_TEARDOWN(thief)
{
	munmap(self->thief.host, 3 * PIECE);
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->thief.range));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(self->other.address));
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Every call there is, over all three pieces; how many succeeded, or -1. */
static int use_all(struct thief *thief, void *other, int value)
{
	const size_t all = 3 * PIECE;
	aclError results[] = {
		aclrtMemset(thief->range, all, value, all),
		aclrtMemcpy(other, all, thief->range, all, ACL_MEMCPY_DEVICE_TO_DEVICE),
		aclrtMemcpyAsync(thief->range, all, other, all, ACL_MEMCPY_DEVICE_TO_DEVICE,
				 NULL),
		aclrtMemcpy(thief->host, all, thief->range, all, ACL_MEMCPY_DEVICE_TO_HOST),
		aclrtMemcpy(thief->range, all, thief->host, all, ACL_MEMCPY_HOST_TO_DEVICE),
		aclrtMemcpyAsync(thief->range + PIECE / 2, all, thief->range, 2 * PIECE,
				 ACL_MEMCPY_DEFAULT, NULL),
		aclrtMemsetAsync(thief->range + AT, PIECE, value, PIECE, NULL),
	};
	int good = 0;
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i] && results[i] != PARAM_INVALID) {
			printf("# call %zu gave %d\n", i, results[i]);
			return -1;
		}
		good += !results[i];
	}
	return good;
}

static void run_thief(struct __test_metadata *_metadata, FIXTURE_DATA(thief) *self,
		      void *(*steal)(void *))
{
	struct thief *thief = &self->thief;
	int64_t end = now_ms() + 3000;
	int good = 0, all = 0, n, round;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, steal, thief));
	for (round = 0; round < 10 || now_ms() < end; round++) {
		n = use_all(thief, self->other.address, round % 100);
		ASSERT_LE(0, n);
		good += n;
		all += 7;
	}
	atomic_store(&thief->enough, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(OK, thief->error);
	EXPECT_LT(0, thief->rounds);
	printf("# %d of %d calls succeeded, %d thefts\n", good, all, thief->rounds);
	/* With all in place all succeeds again, and is right. */
	EXPECT_EQ(7, use_all(thief, self->other.address, 101));
	EXPECT_EQ(-1, bytes_differ(thief->range, 3 * PIECE, 101));
	EXPECT_EQ(-1, bytes_differ(self->other.address, 3 * PIECE, 101));
	EXPECT_EQ(-1, bytes_differ(thief->host, 3 * PIECE, 101));
}

TEST_F_TIMEOUT(thief, aclrtMemcpy_while_another_thread_unmaps, 120)
{
	run_thief(_metadata, self, unmap_and_map);
}

TEST_F_TIMEOUT(thief, aclrtMemcpy_while_another_thread_takes_rights, 120)
{
	run_thief(_metadata, self, take_rights);
}

TEST_F_TIMEOUT(thief, aclrtMemcpy_while_another_thread_unmaps_host_memory, 120)
{
	run_thief(_metadata, self, unmap_host);
}

TEST_HARNESS_MAIN
