// SPDX-License-Identifier: MIT
/* Devices: how many there are, which one a thread has, and what a reset takes. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(device)
{
	struct watch watch;
};

FIXTURE_SETUP(device)
{
	ASSERT_TRUE(watch_start(&self->watch));
}

FIXTURE_TEARDOWN(device)
{
	aclrtResetDeviceForce(0);
	aclrtResetDeviceForce(1);
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(device, aclrtGetDeviceCount_before_anything_else, 180)
{
	struct npumem_query query;
	uint32_t count = 0;

	ASSERT_EQ(0, npumem_query(self->watch.fd, &query));
	EXPECT_EQ(OK, aclrtGetDeviceCount(&count));
	EXPECT_EQ(query.device_count, count);
	REFUSED(INVALID_PARAM, aclrtGetDeviceCount, NULL);
}

TEST_F_TIMEOUT(device, aclrtDeviceGetBareTgid_before_anything_else, 180)
{
	int32_t pid = 0;

	EXPECT_EQ(OK, aclrtDeviceGetBareTgid(&pid));
	EXPECT_EQ(getpid(), pid);
	REFUSED(INVALID_PARAM, aclrtDeviceGetBareTgid, NULL);
}

TEST_F_TIMEOUT(device, aclrtGetRunMode, 180)
{
	aclrtRunMode mode = 7;

	EXPECT_EQ(OK, aclrtGetRunMode(&mode));
	EXPECT_EQ(ACL_HOST, mode);
	REFUSED(INVALID_PARAM, aclrtGetRunMode, NULL);
}

struct work {
	uint64_t share;
	struct acl_mapping mapping;
	aclError error[16];
};

static void *work_without_device(void *data)
{
	struct work *work = data;
	aclError *error = work->error;
	struct acl_mapping *m = &work->mapping;
	aclrtDrvMemHandle handle;
	int32_t device, pid = getpid();
	size_t free, total;
	uint64_t share;
	void *block;

	*error++ = acl_mapping_new(m, 0, SIZE);
	*error++ = aclrtMemExportToShareableHandle(m->handle, ACL_MEM_HANDLE_TYPE_NONE, 0, &share);
	*error++ = aclrtMemSetPidToShareableHandle(share, &pid, 1);
	*error++ = aclrtMemImportFromShareableHandle(work->share, 0, &handle);
	*error++ = aclrtMalloc(&block, SIZE, ACL_MEM_MALLOC_HUGE_FIRST);
	*error++ = aclrtMemcpy(m->address, SIZE, &pid, 4, ACL_MEMCPY_HOST_TO_DEVICE);
	*error++ = aclrtMemcpy(&pid, 4, m->address, 4, ACL_MEMCPY_DEVICE_TO_HOST);
	*error++ = aclrtMemset(m->address, SIZE, 1, 4);
	*error++ = aclrtGetMemInfo(ACL_HBM_MEM, &free, &total);
	*error++ = aclrtGetDevice(&device);
	*error++ = aclrtMemcpy(&device, 4, &pid, 4, ACL_MEMCPY_HOST_TO_HOST);
	*error++ = acl_mapping_end(m);
	return NULL;
}

TEST_F_TIMEOUT(device, a_thread_that_set_no_device, 180)
{
	const aclError expected[] = {
		OK, OK, OK, CONTEXT_NULL, CONTEXT_NULL, CONTEXT_NULL, CONTEXT_NULL, CONTEXT_NULL,
		CONTEXT_NULL, CONTEXT_NULL, OK, OK,
	};
	struct process exporter;
	__u64 handle, address, share;
	struct work work = { 0 };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, acl_start(&exporter, 0));
	ASSERT_EQ(OK, acl_new(&exporter, 0, SIZE, 1, &handle, &address));
	ASSERT_EQ(OK, acl_export(&exporter, handle, 1, &share));
	/* What another thread has set is that thread's. */
	ASSERT_EQ(OK, aclrtSetDevice(0));
	work.share = share;
	ASSERT_EQ(0, pthread_create(&thread, NULL, work_without_device, &work));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	for (i = 0; i < (int)(sizeof(expected) / sizeof(expected[0])); i++) {
		EXPECT_EQ(expected[i], work.error[i]) TH_LOG("step %d", i);
	}
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(device, aclrtSetDevice_of_no_device, 180)
{
	const int32_t bad[] = { -1, 31, 32, 1 << 20, INT32_MAX, INT32_MIN };
	int32_t device = 7;
	size_t i;

	ASSERT_EQ(OK, aclrtSetDevice(1));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSED(INVALID_DEVICE, aclrtSetDevice, bad[i]);
		REFUSED(INVALID_DEVICE, aclrtResetDevice, bad[i]);
		REFUSED(INVALID_DEVICE, aclrtResetDeviceForce, bad[i]);
	}
	EXPECT_EQ(OK, aclrtGetDevice(&device));
	EXPECT_EQ(1, device);
	EXPECT_EQ(OK, aclrtResetDevice(1));
}

TEST_F_TIMEOUT(device, aclrtGetDevice, 180)
{
	int32_t device = 7;

	REFUSED(INVALID_PARAM, aclrtGetDevice, NULL);
	REFUSED(CONTEXT_NULL, aclrtGetDevice, &device);
	EXPECT_EQ(7, device);
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(OK, aclrtSetDevice(i & 1));
		EXPECT_EQ(OK, aclrtGetDevice(&device));
		EXPECT_EQ(i & 1, device);
	}
}

TEST_F_TIMEOUT(device, aclrtSetDevice_is_counted, 180)
{
	struct acl_mapping mapping;
	int32_t device = -1;

	REFUSED(CONTEXT_NULL, aclrtGetDevice, &device);
	ASSERT_EQ(OK, aclrtSetDevice(1));
	EXPECT_EQ(OK, aclrtGetDevice(&device));
	EXPECT_EQ(1, device);
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 1, SIZE));
	ASSERT_EQ(OK, aclrtResetDevice(1));
	/* One more to go: everything is still there. */
	EXPECT_EQ(0, store_signal(to_u64(mapping.address)));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	ASSERT_EQ(OK, aclrtResetDevice(1));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
	REFUSED(CONTEXT_NULL, aclrtGetDevice, &device);
}

TEST_F_TIMEOUT(device, aclrtResetDevice_at_count_0_drops_what_the_process_holds, 180)
{
	struct acl_mapping here, there;
	aclrtDrvMemHandle handle;
	aclrtPhysicalMemProp prop = acl_memory(0);
	size_t free, total;

	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, acl_mapping_new(&there, 1, SIZE));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&here, 0, SIZE));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	REFUSED(CONTEXT_NULL, aclrtGetMemInfo, ACL_HBM_MEM, &free, &total);
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(here.address)));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, handle);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, here.address);
	/* The reservation remains, empty, and the other device is untouched. */
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	EXPECT_EQ(OK, aclrtMapMem(here.address, SIZE, 0, handle, 0));
	EXPECT_EQ(-1, bytes_differ(here.address, SIZE, 0));
	EXPECT_EQ(OK, aclrtUnmapMem(here.address));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(here.address));
	EXPECT_EQ(0, store_signal(to_u64(there.address)));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	EXPECT_EQ(OK, acl_mapping_end(&there));
}

TEST_F_TIMEOUT(device, aclrtResetDeviceForce_whatever_the_count_is, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtResetDeviceForce(0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
	/* And starts anew. */
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(device, aclrtResetDevice_leaves_exported_memory_to_importers, 180)
{
	struct process importer;
	struct acl_mapping mapping;
	__u64 theirs, view;
	uint64_t share;

	ASSERT_EQ(0, acl_start(&importer, 0));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	pattern_mark(mapping.address, SIZE, 4);
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(mapping.handle, ACL_MEM_HANDLE_TYPE_NONE,
						      1, &share));
	ASSERT_EQ(OK, acl_import(&importer, share, 0, &theirs));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	ASSERT_EQ(OK, acl_map(&importer, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&importer, view, SIZE, 4));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
}

TEST_F_TIMEOUT(device, aclrtGetMemInfo_is_exact, 180)
{
	size_t free, total, less, same;
	struct acl_mapping mapping;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
	EXPECT_EQ(npumem_capacity(self->watch.fd, 0), total);
	EXPECT_EQ(npumem_free_bytes(self->watch.fd, 0), free);
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, 3 * MIB));
	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &less, &same));
	EXPECT_EQ(free - 4 * MIB, less);
	EXPECT_EQ(total, same);
	/* Of the current device only. */
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &less, &same));
	EXPECT_EQ(npumem_free_bytes(self->watch.fd, 1), less);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &less, &same));
	EXPECT_EQ(free, less);
}

struct resets {
	pthread_barrier_t barrier;
	aclError before, after;
};

static void *ask_before_and_after(void *data)
{
	struct resets *resets = data;
	int32_t device;

	resets->before = aclrtSetDevice(0);
	pthread_barrier_wait(&resets->barrier);
	/* Now the other thread resets it. */
	pthread_barrier_wait(&resets->barrier);
	resets->after = aclrtGetDevice(&device);
	return NULL;
}

TEST_F_TIMEOUT(device, aclrtResetDevice_at_count_0_is_for_all_threads, 180)
{
	struct resets resets;
	pthread_t thread;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(0, pthread_barrier_init(&resets.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask_before_and_after, &resets));
	pthread_barrier_wait(&resets.barrier);
	/* Counted for the process, not for the thread. */
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	pthread_barrier_wait(&resets.barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(OK, resets.before);
	EXPECT_EQ(CONTEXT_NULL, resets.after);
}

TEST_F_TIMEOUT(device, aclrtResetDevice_more_often_than_set, 180)
{
	struct acl_mapping mapping;

	REFUSED(CONTEXT_NULL, aclrtResetDevice, 0);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 1, SIZE));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(CONTEXT_NULL, aclrtResetDevice, 0);
	EXPECT_EQ(0, store_signal(to_u64(mapping.address)));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtResetDevice(1));
}

TEST_F_TIMEOUT(device, aclrtGetMemInfo_of_bad_arguments, 180)
{
	size_t free = 7, total = 7;
	int attr;

	REFUSED(CONTEXT_NULL, aclrtGetMemInfo, ACL_HBM_MEM, &free, &total);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, ACL_HBM_MEM, NULL, &total);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, ACL_HBM_MEM, &free, NULL);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, -1, &free, &total);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, 18, &free, &total);
	EXPECT_EQ(7, free);
	EXPECT_EQ(7, total);
	for (attr = 0; attr < 18; attr++) {
		EXPECT_EQ(OK, aclrtGetMemInfo(attr, &free, &total));
		EXPECT_EQ(npumem_capacity(self->watch.fd, 0), total);
	}
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(CONTEXT_NULL, aclrtGetMemInfo, ACL_HBM_MEM, &free, &total);
}

TEST_HARNESS_MAIN
