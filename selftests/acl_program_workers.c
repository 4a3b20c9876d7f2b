// SPDX-License-Identifier: MIT
/*
 * A trainer and its data loaders: the parent uses a device and forks workers,
 * most of which know nothing of devices; some start anew with one.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

#include "acl_program.h"

#include "kselftest_harness.h"

#define WORKERS	4
#define SIZE	(4 * MIB)
#define SAMPLES	(1024 * 1024)

extern char **environ;

/* Host memory that workers read, and where they leave what they made of it. */
static unsigned char *samples;
static _Atomic uint64_t *sums;
static struct acl_mapping weights;
static void *block, *pinned;

FIXTURE(workers)
{
	struct watch watch;
};

static uint64_t sum_of(int worker)
{
	uint64_t sum = 1;
	size_t i;

	for (i = worker; i < SAMPLES; i += WORKERS)
		sum += samples[i] * (i + 1);
	return sum;
}

FIXTURE_SETUP(workers)
{
	ASSERT_TRUE(watch_start(&self->watch));
	samples = malloc(SAMPLES);
	sums = process_shared(WORKERS * sizeof(*sums));
	ASSERT_TRUE(samples && sums);
	pattern_fill(samples, SAMPLES, 7);
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&weights, 0, SIZE));
	ASSERT_EQ(OK, aclrtMalloc(&block, SIZE, ACL_MEM_MALLOC_HUGE_FIRST));
	ASSERT_EQ(OK, aclrtMallocHost(&pinned, SIZE));
	pattern_mark(weights.address, SIZE, 1);
	pattern_mark(pinned, SIZE, 2);
}

/* Whatever became of the workers, the parent works on, and ends properly. */
FIXTURE_TEARDOWN(workers)
{
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 2 * SIZE));
	EXPECT_EQ(-1, pattern_check(weights.address, SIZE, 1));
	EXPECT_EQ(OK, aclrtMemcpy(block, SIZE, pinned, SIZE, ACL_MEMCPY_HOST_TO_DEVICE));
	EXPECT_EQ(-1, pattern_check(block, SIZE, 2));
	EXPECT_EQ(OK, aclrtFreeHost(pinned));
	EXPECT_EQ(OK, aclrtFree(block));
	EXPECT_EQ(OK, acl_mapping_end(&weights));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
	free(samples);
	munmap((void *)sums, WORKERS * sizeof(*sums));
}

/* Forks as torch does: the worker runs @work and ends by exit() or _exit(). */
static pid_t fork_worker(void (*work)(int), int number)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	work(number);
	if (number & 1)
		exit(0);
	_exit(0);
}

static int ended_well(pid_t pid)
{
	int status = -1;

	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* Reads and writes host memory only; pinned memory is its own copy. */
static void load_data(int number)
{
	if (pattern_check(pinned, SIZE, 2) >= 0)
		_exit(1);
	memset(pinned, 0, SIZE);
	atomic_store(&sums[number], sum_of(number));
}

TEST_F_TIMEOUT(workers, that_read_host_memory_and_exit, 120)
{
	pid_t pid[WORKERS];
	int epoch, i;

	for (epoch = 0; epoch < 5; epoch++) {
		memset((void *)sums, 0, WORKERS * sizeof(*sums));
		for (i = 0; i < WORKERS; i++)
			pid[i] = fork_worker(load_data, i);
		/* The parent trains meanwhile. */
		for (i = 0; i < 10; i++) {
			EXPECT_EQ(OK, aclrtMemcpy(block, SIZE, weights.address, SIZE,
						  ACL_MEMCPY_DEVICE_TO_DEVICE));
			EXPECT_EQ(-1, pattern_check(block, SIZE, 1));
		}
		for (i = 0; i < WORKERS; i++) {
			EXPECT_TRUE(ended_well(pid[i])) TH_LOG("worker %d", i);
			EXPECT_EQ(sum_of(i), atomic_load(&sums[i]));
		}
		EXPECT_TRUE(watch_used(&self->watch, 0, 2 * SIZE));
		EXPECT_EQ(-1, pattern_check(weights.address, SIZE, 1));
		EXPECT_EQ(-1, pattern_check(pinned, SIZE, 2));
	}
}

static long do_sleep_on(__u64 *a)
{
	return a[0];
}

/* Persistent workers live for hours: memory freed meanwhile is free at once. */
TEST_F_TIMEOUT(workers, that_outlive_what_the_parent_frees, 120)
{
	size_t before = program_free();
	struct process worker[WORKERS];
	struct acl_mapping more;
	int i;

	ASSERT_EQ(OK, acl_mapping_new(&more, 0, SIZE));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, process_start(&worker[i]));
	ASSERT_EQ(before - SIZE, program_free());
	ASSERT_EQ(OK, acl_mapping_end(&more));
	EXPECT_EQ(before, program_free());
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(i, process_do(&worker[i], do_sleep_on, i));
		EXPECT_EQ(0, process_stop(&worker[i]));
	}
}

/* A trainer: has memory, forks workers, is killed. a: out: pids of workers */
static long do_train(__u64 *a)
{
	static struct acl_mapping memory;
	aclError error = acl_do_start((__u64[]){ 0 });
	int i;

	if (!error)
		error = acl_mapping_new(&memory, 0, SIZE);
	for (i = 0; i < WORKERS && !error; i++) {
		a[i] = fork();
		if (!a[i]) {
			prctl(PR_SET_PDEATHSIG, 0);
			pause_ms(PROCESS_PATIENCE_MS);
			_exit(0);
		}
	}
	return error;
}

TEST_F_TIMEOUT(workers, that_outlive_a_killed_parent, 120)
{
	struct call train = { .function = do_train };
	struct process trainer;
	int i;

	ASSERT_EQ(0, process_start(&trainer));
	ASSERT_EQ(OK, process_call(&trainer, &train));
	ASSERT_TRUE(watch_used(&self->watch, 0, 3 * SIZE));
	ASSERT_EQ(0, process_kill(&trainer));
	/* Though they have inherited all of its descriptors. */
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 2 * SIZE));
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, kill(train.argument[i], SIGKILL));
}

/* A worker that uses a device of its own: a[0]. a: device, share; out: what went wrong */
static long do_work_on_device(__u64 *a)
{
	aclError error = acl_do_start(a);
	struct acl_mapping own;
	aclrtDrvMemHandle theirs;
	void *view;

	if (!error)
		error = acl_mapping_new(&own, a[0], SIZE);
	if (!error)
		error = aclrtMemImportFromShareableHandle(a[1], a[0], &theirs);
	if (!error)
		error = aclrtReserveMemAddress(&view, SIZE, 0, NULL, 0);
	if (!error)
		error = aclrtMapMem(view, SIZE, 0, theirs, 0);
	if (!error)
		error = aclrtMemcpy(own.address, SIZE, view, SIZE, ACL_MEMCPY_DEVICE_TO_DEVICE);
	if (!error && pattern_check(own.address, SIZE, 1) >= 0)
		return -EILSEQ;
	if (!error)
		error = acl_mapping_end(&own);
	if (!error)
		error = aclrtUnmapMem(view);
	if (!error)
		error = aclrtReleaseMemAddress(view);
	if (!error)
		error = aclrtFreePhysical(theirs);
	return error ? error : acl_do_end(a);
}

TEST_F_TIMEOUT(workers, that_start_anew_and_import, 120)
{
	struct process worker[WORKERS];
	struct call call[WORKERS];
	uint64_t share;
	int32_t pid;
	int i;

	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(weights.handle, ACL_MEM_HANDLE_TYPE_NONE,
						      0, &share));
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, process_start(&worker[i]));
		pid = worker[i].pid;
		ASSERT_EQ(OK, aclrtMemSetPidToShareableHandle(share, &pid, 1));
		call[i] = (struct call) {
			.function = do_work_on_device, .argument = { i & 1, share },
		};
		ASSERT_EQ(0, process_begin(&worker[i], &call[i]));
	}
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(OK, process_end(&worker[i], &call[i])) TH_LOG("worker %d", i);
		EXPECT_EQ(0, process_stop(&worker[i]));
	}
}

/* Workers are forked while other threads of the parent are in the middle of calls. */
static atomic_bool enough;

static void *train(void *out)
{
	struct acl_mapping mapping;
	aclError *error = out;

	*error = aclrtSetDevice(0);
	while (!*error && !atomic_load(&enough)) {
		*error = acl_mapping_new(&mapping, 0, SIZE);
		if (!*error)
			*error = aclrtMemcpy(mapping.address, SIZE, weights.address, SIZE,
					     ACL_MEMCPY_DEVICE_TO_DEVICE);
		if (!*error)
			*error = acl_mapping_end(&mapping);
	}
	return NULL;
}

static void start_anew(int number)
{
	__u64 arguments[] = { number & 1 };
	struct acl_mapping mapping;

	if (acl_do_start(arguments) || acl_mapping_new(&mapping, arguments[0], SIZE))
		_exit(1);
	pattern_mark(mapping.address, SIZE, number);
	if (pattern_check(mapping.address, SIZE, number) >= 0 || acl_mapping_end(&mapping) ||
	    acl_do_end(arguments))
		_exit(2);
}

TEST_F_TIMEOUT(workers, forked_while_the_parent_is_busy, 120)
{
	aclError error[2] = { OK, OK };
	pthread_t thread[2];
	int i;

	atomic_store(&enough, false);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, train, &error[i]));
	for (i = 0; i < 20; i++)
		EXPECT_TRUE(ended_well(fork_worker(start_anew, i))) TH_LOG("worker %d", i);
	atomic_store(&enough, true);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(OK, error[i]);
		EXPECT_EQ(OK, aclrtResetDevice(0));
	}
}

/* As subprocess does: the child shares the parent's memory until it calls exec. */
TEST_F_TIMEOUT(workers, spawned, 120)
{
	char *const arguments[] = { "true", NULL };
	pid_t pid;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ));
		EXPECT_EQ(OK, aclrtMemset(block, SIZE, i, SIZE));
		EXPECT_TRUE(ended_well(pid));
		EXPECT_EQ(-1, bytes_differ(block, SIZE, i));
	}
	EXPECT_EQ(0, system("exit 0"));
	EXPECT_EQ(-1, pattern_check(weights.address, SIZE, 1));
}

TEST_HARNESS_MAIN
