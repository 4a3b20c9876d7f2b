// SPDX-License-Identifier: MIT
/* Programs that do not clean up: importers that never free, and sudden ends. */
#include <pthread.h>
#include <sys/resource.h>

#include "acl_program.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define IMPORTS	200

FIXTURE(careless)
{
	struct watch watch;
	struct process exporter, importer;
};

FIXTURE_SETUP(careless)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, acl_start(&self->exporter, 0));
	ASSERT_EQ(OK, acl_start(&self->importer, 0));
}

FIXTURE_TEARDOWN(careless)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Memory of the exporter that the importer may have. */
static long new_share(FIXTURE_DATA(careless) *self, __u64 seed, __u64 *handle, __u64 *address,
		      __u64 *share)
{
	long ret = acl_new(&self->exporter, 0, SIZE, seed, handle, address);

	if (!ret)
		ret = acl_export(&self->exporter, *handle, 0, share);
	return ret ? ret : acl_set_pid(&self->exporter, *share, self->importer.pid);
}

TEST_F_TIMEOUT(careless, importer_that_never_frees_one_share, 120)
{
	__u64 handle, address, share, theirs, first = 0, view;
	int i;

	ASSERT_EQ(0, new_share(self, 1, &handle, &address, &share));
	for (i = 0; i < IMPORTS; i++) {
		ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
		ASSERT_TRUE(!i || theirs == first);
		first = theirs;
	}
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	ASSERT_EQ(OK, acl_drop(&self->exporter, address, handle));
	/* One of two hundred references goes. */
	ASSERT_EQ(OK, process_do(&self->importer, acl_do_free, theirs));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 1));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(0, process_stop(&self->importer));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_set_pid(&self->exporter, share, getpid()));
}

TEST_F_TIMEOUT(careless, importer_that_never_frees_any_of_many_shares, 120)
{
	__u64 handle, address, share, theirs, view;
	int i;

	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, new_share(self, i, &handle, &address, &share));
		ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
		ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
		/* The exporter goes on: to it, each is freed. */
		ASSERT_EQ(OK, acl_drop(&self->exporter, address, handle));
		EXPECT_TRUE(watch_used(&self->watch, 0, (i + 1) * SIZE));
		EXPECT_EQ(0, client_check(&self->importer, view, SIZE, i));
	}
	EXPECT_EQ(OK, process_do(&self->exporter, acl_do_end, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 32 * SIZE));
	EXPECT_EQ(0, process_kill(&self->importer));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

/* It fills the device with what it does not free, until nobody gets any more. */
TEST_F_TIMEOUT(careless, importer_whose_leak_fills_the_device, 180)
{
	__u64 handle, address, share, theirs, rest;

	ASSERT_EQ(OK, program_take(&self->exporter, 0, 4 * SIZE, &rest));
	for (;;) {
		long ret = new_share(self, 1, &handle, &address, &share);

		if (ret == OUT_OF_MEMORY)
			break;
		ASSERT_EQ(0, ret);
		ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
		ASSERT_EQ(OK, acl_drop(&self->exporter, address, handle));
	}
	EXPECT_EQ(0, process_stop(&self->importer));
	EXPECT_TRUE(becomes_true(!acl_new(&self->exporter, 0, SIZE, 1, &handle, &address)));
	EXPECT_EQ(OK, acl_drop(&self->exporter, address, handle));
	EXPECT_EQ(OK, process_do(&self->exporter, acl_do_free, rest));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

/* What a program has when it ends suddenly: something of each kind. */
static long do_have_all(__u64 *a)
{
	struct acl_mapping mapping;
	aclrtDrvMemHandle theirs, spare;
	aclrtStream stream;
	aclrtContext context;
	void *address, *block, *host;
	uint64_t share;
	aclError error = acl_mapping_new(&mapping, 0, SIZE);

	if (!error)
		error = aclrtMemExportToShareableHandle(mapping.handle, ACL_MEM_HANDLE_TYPE_NONE,
			ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, &share);
	if (!error)
		error = aclrtMemImportFromShareableHandle(a[0], 0, &theirs);
	if (!error)
		error = aclrtReserveMemAddress(&address, 8 * SIZE, 0, NULL, 0);
	if (!error)
		error = aclrtMapMem((char *)address + SIZE, SIZE, 0, theirs, 0);
	if (!error)
		error = aclrtMemRetainAllocationHandle(mapping.address, &spare);
	if (!error)
		error = aclrtMalloc(&block, SIZE, ACL_MEM_MALLOC_HUGE_FIRST);
	if (!error)
		error = aclrtMallocHost(&host, SIZE);
	if (!error)
		error = aclrtDeviceEnablePeerAccess(1, 0);
	if (!error)
		error = aclrtCreateStream(&stream);
	if (!error)
		error = aclrtMemcpyAsync(block, SIZE, mapping.address, SIZE,
					 ACL_MEMCPY_DEVICE_TO_DEVICE, stream);
	if (!error)
		error = aclrtCreateContext(&context, 1);
	a[1] = share;
	a[2] = to_u64(mapping.address);
	return error;
}

/* Allocates and frees for ever. */
static void *keep_busy(void *unused)
{
	struct acl_mapping mapping;

	aclrtSetDevice(0);
	while (!acl_mapping_new(&mapping, 0, SIZE) && !aclrtMemset(mapping.address, SIZE, 1, SIZE))
		acl_mapping_end(&mapping);
	return unused;
}

static void *exec_true(void *unused)
{
	execl("/bin/true", "true", NULL);
	return unused;
}

/* Deeper than any stack. */
static long recurse(long depth)
{
	volatile char frame[65536];

	frame[0] = depth;
	return depth ? recurse(depth - 1) + frame[0] : 0;
}

static volatile int *volatile wild = (int *)8;

enum { EXIT, QUICK_EXIT, RETURN_STATUS, ABORT, CRASH, OVERFLOW, BUSY, EXEC, THREAD_EXEC, ENDS };

/* a: how, address of device memory. Does not return. */
static long do_end_suddenly(__u64 *a)
{
	pthread_t thread;
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	switch (a[0]) {
	case EXIT:
		exit(0);
	case QUICK_EXIT:
		_exit(0);
	case RETURN_STATUS:
		exit(3);
	case ABORT:
		abort();
	case CRASH:
		/* As a wild pointer would be: after a store to device memory. */
		*(volatile int *)to_ptr(a[1]) = 1;
		*wild = 1;
		break;
	case OVERFLOW:
		return recurse(1L << 40);
	case BUSY:
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, keep_busy, NULL);
		pause_ms(30);
		exit(0);
	case EXEC:
		exec_true(NULL);
		break;
	case THREAD_EXEC:
		pthread_create(&thread, NULL, exec_true, NULL);
		pause_ms(PROCESS_PATIENCE_MS);
	}
	return 0;
}

TEST_F_TIMEOUT(careless, programs_that_end_without_any_cleanup, 240)
{
	__u64 handle, address, share, theirs, view, leaked, own;
	struct process program;
	int how;

	ASSERT_EQ(0, new_share(self, 1, &handle, &address, &share));
	for (how = 0; how < ENDS; how++) {
		struct call all = { .function = do_have_all, .argument = { share } };

		ASSERT_EQ(OK, acl_start(&program, 0));
		ASSERT_EQ(OK, acl_set_pid(&self->exporter, share, program.pid));
		ASSERT_EQ(OK, process_call(&program, &all)) TH_LOG("end %d", how);
		leaked = all.argument[1];
		own = all.argument[2];
		ASSERT_EQ(0, client_mark(&program, own, SIZE, 50 + how));
		ASSERT_EQ(OK, acl_import(&self->importer, leaked, 0, &theirs));
		ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
		EXPECT_TRUE(watch_used(&self->watch, 0, 3 * SIZE));
		EXPECT_EQ(PROCESS_DIED, process_do(&program, do_end_suddenly, how, own))
			TH_LOG("end %d", how);
		EXPECT_NE(-1, process_status(&program));
		/* What others hold of it lives on. */
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 2 * SIZE)) TH_LOG("end %d", how);
		if (how != CRASH)
			EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 50 + how));
		ASSERT_EQ(OK, acl_drop(&self->importer, view, theirs));
		EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	}
	EXPECT_EQ(0, client_check(&self->exporter, address, SIZE, 1));
}

TEST_HARNESS_MAIN
