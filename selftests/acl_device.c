// SPDX-License-Identifier: MIT
/* Devices, contexts, streams, free memory and links between devices. */
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

TEST_F_TIMEOUT(device, count_and_pid_need_neither_init_nor_device, 180)
{
	struct npumem_query query;
	uint32_t count = 0;
	int32_t pid = 0, major, minor, patch;
	aclrtRunMode mode;

	ASSERT_EQ(0, npumem_query(self->watch.fd, &query));
	EXPECT_EQ(OK, aclrtGetDeviceCount(&count));
	EXPECT_EQ(query.device_count, count);
	EXPECT_EQ(OK, aclrtDeviceGetBareTgid(&pid));
	EXPECT_EQ(getpid(), pid);
	EXPECT_EQ(OK, aclrtGetRunMode(&mode));
	EXPECT_EQ(ACL_HOST, mode);
	EXPECT_EQ(OK, aclrtGetVersion(&major, &minor, &patch));
	EXPECT_EQ(1, major);
	EXPECT_EQ(17, minor);
	EXPECT_EQ(0, strncmp(aclrtGetSocName(), "Ascend910B", 10));
}

TEST_F_TIMEOUT(device, init_and_finalize_may_be_repeated_in_turn, 180)
{
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(OK, aclInit(NULL));
		REFUSED(REPEAT_INITIALIZE, aclInit, NULL);
		EXPECT_EQ(OK, aclFinalize());
		REFUSED(REPEAT_FINALIZE, aclFinalize);
	}
}

TEST_F_TIMEOUT(device, init_is_optional, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

static void *work_without_device(void *result)
{
	aclError *error = result;
	struct acl_mapping mapping = { 0 };
	int32_t device, pid = getpid();
	size_t free, total;
	uint64_t share;

	*error++ = aclrtGetDevice(&device);
	*error++ = aclrtGetMemInfo(ACL_HBM_MEM, &free, &total);
	*error++ = aclrtSynchronizeDevice();
	*error++ = acl_mapping_new(&mapping, 0, SIZE);
	*error++ = aclrtMemExportToShareableHandle(mapping.handle, ACL_MEM_HANDLE_TYPE_NONE, 0,
						   &share);
	*error++ = aclrtMemSetPidToShareableHandle(share, &pid, 1);
	*error++ = aclrtMemcpy(mapping.address, SIZE, &pid, 4, ACL_MEMCPY_HOST_TO_DEVICE);
	*error++ = aclrtMemset(mapping.address, SIZE, 1, 4);
	*error++ = acl_mapping_end(&mapping);
	return NULL;
}

TEST_F_TIMEOUT(device, thread_that_set_none_can_do_what_needs_none, 180)
{
	const aclError expected[] = {
		CONTEXT_NULL, CONTEXT_NULL, CONTEXT_NULL, OK, OK, OK, CONTEXT_NULL, CONTEXT_NULL,
		OK,
	};
	aclError seen[9];
	pthread_t thread;
	int i;

	/* What another thread has set is that thread's. */
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, work_without_device, seen));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	for (i = 0; i < 9; i++)
		EXPECT_EQ(expected[i], seen[i]) TH_LOG("step %d", i);
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(device, set_is_counted, 180)
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

TEST_F_TIMEOUT(device, last_reset_drops_what_the_process_holds_on_it, 180)
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
	EXPECT_EQ(OK, aclrtReleaseMemAddress(here.address));
	EXPECT_EQ(0, store_signal(to_u64(there.address)));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	EXPECT_EQ(OK, acl_mapping_end(&there));
}

TEST_F_TIMEOUT(device, force_resets_whatever_the_count_is, 180)
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

TEST_F_TIMEOUT(device, exported_memory_outlives_the_reset, 180)
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

TEST_F_TIMEOUT(device, memory_info_is_exact, 180)
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

TEST_F_TIMEOUT(device, contexts_belong_to_devices, 180)
{
	aclrtContext first, second, now = GARBAGE;
	int32_t device;

	EXPECT_EQ(OK, aclrtGetCurrentContext(&now));
	EXPECT_EQ(NULL, now);
	ASSERT_EQ(OK, aclrtCreateContext(&first, 1));
	EXPECT_EQ(OK, aclrtGetDevice(&device));
	EXPECT_EQ(1, device);
	ASSERT_EQ(OK, aclrtCreateContext(&second, 0));
	EXPECT_EQ(OK, aclrtGetDevice(&device));
	EXPECT_EQ(0, device);
	EXPECT_NE(first, second);
	EXPECT_EQ(OK, aclrtSetCurrentContext(first));
	EXPECT_EQ(OK, aclrtGetDevice(&device));
	EXPECT_EQ(1, device);
	EXPECT_EQ(OK, aclrtGetCurrentContext(&now));
	EXPECT_EQ(first, now);
	EXPECT_EQ(OK, aclrtDestroyContext(second));
	REFUSED(PARAM_INVALID, aclrtDestroyContext, second);
	REFUSED(PARAM_INVALID, aclrtSetCurrentContext, second);
	EXPECT_EQ(OK, aclrtGetDevice(&device));
	EXPECT_EQ(1, device);
	EXPECT_EQ(OK, aclrtDestroyContext(first));
	REFUSED(CONTEXT_NULL, aclrtGetDevice, &device);
}

struct in_thread {
	aclrtContext context;
	aclError before, set, after;
	int32_t device;
};

static void *take_context(void *data)
{
	struct in_thread *t = data;

	t->before = aclrtGetDevice(&t->device);
	t->set = aclrtSetCurrentContext(t->context);
	t->after = aclrtGetDevice(&t->device);
	return NULL;
}

TEST_F_TIMEOUT(device, contexts_are_passed_between_threads, 180)
{
	struct in_thread t = { .device = -1 };
	pthread_t thread;

	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&t.context));
	ASSERT_NE(NULL, t.context);
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_context, &t));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(CONTEXT_NULL, t.before);
	EXPECT_EQ(OK, t.set);
	EXPECT_EQ(OK, t.after);
	EXPECT_EQ(1, t.device);
	EXPECT_EQ(OK, aclrtResetDevice(1));
}

TEST_F_TIMEOUT(device, streams, 180)
{
	aclrtStream stream, other;

	REFUSED(CONTEXT_NULL, aclrtCreateStream, &stream);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	ASSERT_EQ(OK, aclrtCreateStreamWithConfig(&other, 3, 1));
	EXPECT_NE(stream, other);
	EXPECT_EQ(OK, aclrtSynchronizeStream(stream));
	EXPECT_EQ(OK, aclrtSynchronizeStreamWithTimeout(other, -1));
	EXPECT_EQ(OK, aclrtSynchronizeStreamWithTimeout(other, 1000));
	EXPECT_EQ(OK, aclrtSynchronizeStream(NULL));
	EXPECT_EQ(OK, aclrtSynchronizeDevice());
	EXPECT_EQ(OK, aclrtSynchronizeDeviceWithTimeout(-1));
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
	REFUSED(PARAM_INVALID, aclrtDestroyStream, stream);
	REFUSED(PARAM_INVALID, aclrtSynchronizeStream, stream);
	EXPECT_EQ(OK, aclrtDestroyStreamForce(other));
	REFUSED(PARAM_INVALID, aclrtDestroyStreamForce, other);
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(device, peer_access_is_counted_one_way, 180)
{
	int32_t can = 0, status = 7;

	EXPECT_EQ(OK, aclrtDeviceCanAccessPeer(&can, 0, 1));
	EXPECT_EQ(1, can);
	REFUSED(CONTEXT_NULL, aclrtDeviceEnablePeerAccess, 1, 0);
	REFUSED(CONTEXT_NULL, aclrtDeviceDisablePeerAccess, 1);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	EXPECT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(0, 1, &status));
	EXPECT_EQ(1, status);
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(1, 0, &status));
	EXPECT_EQ(0, status);
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(1));
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(0, 1, &status));
	EXPECT_EQ(1, status);
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(1));
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(0, 1, &status));
	EXPECT_EQ(0, status);
	REFUSED(DRIVER_ERROR, aclrtDeviceDisablePeerAccess, 1);
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(device, access_for_a_peer_needs_the_link, 180)
{
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READ,
		.location = { .id = 1, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	struct acl_mapping mapping;
	uint64_t flag = 7;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	EXPECT_EQ(DRIVER_ERROR, aclrtMemSetAccess(mapping.address, SIZE, &desc, 1));
	EXPECT_EQ(OK, aclrtMemGetAccess(mapping.address, &desc.location, &flag));
	EXPECT_EQ(0, flag);
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	EXPECT_EQ(OK, aclrtMemSetAccess(mapping.address, SIZE, &desc, 1));
	EXPECT_EQ(OK, aclrtMemGetAccess(mapping.address, &desc.location, &flag));
	EXPECT_EQ(1, flag);
	desc.location.id = 0;
	EXPECT_EQ(OK, aclrtMemGetAccess(mapping.address, &desc.location, &flag));
	EXPECT_EQ(3, flag);
	desc.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	EXPECT_EQ(OK, aclrtMemGetAccess(mapping.address, &desc.location, &flag));
	EXPECT_EQ(0, flag);
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(0));
}

TEST_HARNESS_MAIN
