// SPDX-License-Identifier: MIT
/* Bad arguments of the calls for sharing, peers, devices and copies. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_MEM_HANDLE_TYPE_NONE
#define DEFAULT	ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT

FIXTURE(share)
{
	struct watch watch;
	struct acl_mapping mapping;
	struct acl_state before;
	uint64_t share;
};

FIXTURE_SETUP(share)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&self->mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(self->mapping.handle, NONE, 0,
						      &self->share));
	pattern_mark(self->mapping.address, SIZE, 1);
	self->before = acl_state_now(self->watch.fd);
}

FIXTURE_TEARDOWN(share)
{
	EXPECT_TRUE(acl_state_same(self->watch.fd, &self->before));
	EXPECT_EQ(-1, pattern_check(self->mapping.address, SIZE, 1));
	EXPECT_EQ(OK, acl_mapping_end(&self->mapping));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(share, export, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	uint64_t share = 7;

	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandle, NULL, NONE, 0, &share);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandle, handle, NONE, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandle, handle, ACL_MEM_HANDLE_TYPE_POSIX,
		0, &share);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandle, handle, 1, 0, &share);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandle, handle, NONE, 2, &share);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandle, handle, NONE, 1UL << 32, &share);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandle, GARBAGE, NONE, 0, &share);
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, self->mapping.handle, NONE, 0,
		&share);
	EXPECT_EQ(7, share);
	/* All those refusals have not used up the one export there is. */
	EXPECT_EQ(OK, aclrtMemExportToShareableHandle(handle, NONE, 1, &share));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandle, handle, NONE, 0, &share);
}

TEST_F_TIMEOUT(share, set_pid, 180)
{
	static int32_t list[65536];
	int32_t me = getpid();
	uint64_t share = self->share;

	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandle, share, NULL, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandle, share, &me, 0);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandle, ~share, NULL, 0);
	REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandle, share, list, 65536);
	REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandle, share, list, SIZE_MAX);
	REFUSED(INVALID_HANDLE, aclrtMemSetPidToShareableHandle, ~share, &me, 1);
	REFUSED(INVALID_HANDLE, aclrtMemSetPidToShareableHandle, 0, &me, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, share, list, 65535);
	EXPECT_EQ(OK, aclrtMemSetPidToShareableHandle(share, &me, 1));
	list[65534] = me;
	EXPECT_EQ(OK, aclrtMemSetPidToShareableHandle(share, list, 65535));
}

TEST_F_TIMEOUT(share, import, 180)
{
	aclrtDrvMemHandle handle = GARBAGE;
	int bit;

	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandle, self->share, 0, NULL);
	REFUSED(INVALID_DEVICE, aclrtMemImportFromShareableHandle, self->share, -1, &handle);
	REFUSED(INVALID_DEVICE, aclrtMemImportFromShareableHandle, self->share, 31, &handle);
	REFUSED(INVALID_DEVICE, aclrtMemImportFromShareableHandle, self->share, 1 << 30, &handle);
	REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandle, 0, 0, &handle);
	for (bit = 0; bit < 64; bit++)
		REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandle,
			self->share ^ 1UL << bit, 0, &handle);
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandle, self->share, 0, &handle);
	EXPECT_EQ(GARBAGE, handle);
}

static void *import_without_context(void *share)
{
	aclrtDrvMemHandle handle;
	aclError error = aclrtMemImportFromShareableHandle(*(uint64_t *)share, 0, &handle);

	return (void *)(long)error;
}

TEST_F_TIMEOUT(share, import_without_a_context, 180)
{
	pthread_t thread;
	void *error;

	ASSERT_EQ(0, pthread_create(&thread, NULL, import_without_context, &self->share));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(CONTEXT_NULL, (long)error);
}

TEST_F_TIMEOUT(share, second_version, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle, imported = GARBAGE;
	uint64_t share = self->share, out = 7;
	int32_t me = getpid();

	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, NULL, 0, DEFAULT, &out);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, handle, 0, DEFAULT, NULL);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 0, 0, &out);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 0, 3, &out);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 2, DEFAULT, &out);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, GARBAGE, 0, DEFAULT, &out);
	EXPECT_EQ(7, out);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, NULL, DEFAULT, &me, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, NULL, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, &me, 0);
	REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandleV2, &share, 0, &me, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandleV2, &share, 3, &me, 1);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, NULL, DEFAULT, 0, &imported);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 1, &imported);
	REFUSED(PARAM_INVALID, aclrtMemImportFromShareableHandleV2, &share, 0, 0, &imported);
	REFUSED(PARAM_INVALID, aclrtMemImportFromShareableHandleV2, &share, 3, 0, &imported);
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 0, &imported);
	share ^= 1;
	REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 0, &imported);
	EXPECT_EQ(GARBAGE, imported);
	EXPECT_EQ(OK, aclrtMemExportToShareableHandleV2(handle, 0, DEFAULT, &out));
	EXPECT_EQ(OK, aclrtMemSetPidToShareableHandleV2(&out, DEFAULT, &me, 1));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(share, peer_access, 180)
{
	int32_t value = 7;

	REFUSED(INVALID_PARAM, aclrtDeviceCanAccessPeer, NULL, 0, 1);
	REFUSED(INVALID_PARAM, aclrtDeviceCanAccessPeer, &value, 0, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceCanAccessPeer, &value, 0, 31);
	REFUSED(INVALID_DEVICE, aclrtDeviceCanAccessPeer, &value, -1, 0);
	REFUSED(INVALID_PARAM, aclrtDeviceEnablePeerAccess, 0, 0);
	REFUSED(UNSUPPORTED_FLAGS, aclrtDeviceEnablePeerAccess, 1, 1);
	REFUSED(INVALID_DEVICE, aclrtDeviceEnablePeerAccess, 31, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceEnablePeerAccess, -1, 0);
	REFUSED(INVALID_PARAM, aclrtDeviceDisablePeerAccess, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceDisablePeerAccess, 31);
	REFUSED(DRIVER_ERROR, aclrtDeviceDisablePeerAccess, 1);
	REFUSED(INVALID_PARAM, aclrtDevicePeerAccessStatus, 0, 1, NULL);
	REFUSED(INVALID_PARAM, aclrtDevicePeerAccessStatus, 1, 1, &value);
	REFUSED(INVALID_DEVICE, aclrtDevicePeerAccessStatus, 0, 31, &value);
	EXPECT_EQ(7, value);
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(0, 1, &value));
	EXPECT_EQ(0, value);
}

TEST_F_TIMEOUT(share, devices_and_what_they_tell, 180)
{
	size_t free, total;

	REFUSED(INVALID_DEVICE, aclrtSetDevice, -1);
	REFUSED(INVALID_DEVICE, aclrtSetDevice, 31);
	REFUSED(INVALID_DEVICE, aclrtSetDevice, INT32_MAX);
	REFUSED(INVALID_DEVICE, aclrtSetDevice, INT32_MIN);
	REFUSED(INVALID_DEVICE, aclrtResetDevice, 31);
	REFUSED(INVALID_DEVICE, aclrtResetDeviceForce, -1);
	REFUSED(INVALID_PARAM, aclrtGetDevice, NULL);
	REFUSED(INVALID_PARAM, aclrtGetDeviceCount, NULL);
	REFUSED(INVALID_PARAM, aclrtGetRunMode, NULL);
	REFUSED(INVALID_PARAM, aclrtDeviceGetBareTgid, NULL);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, ACL_HBM_MEM, NULL, &total);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, ACL_HBM_MEM, &free, NULL);
	REFUSED(REPEAT_INITIALIZE, aclInit, NULL);
}

TEST_F_TIMEOUT(share, contexts_and_streams, 180)
{
	aclrtContext context = GARBAGE;
	aclrtStream stream = GARBAGE;

	REFUSED(INVALID_PARAM, aclrtCreateContext, NULL, 0);
	REFUSED(INVALID_DEVICE, aclrtCreateContext, &context, 31);
	EXPECT_EQ(GARBAGE, context);
	REFUSED(INVALID_PARAM, aclrtDestroyContext, NULL);
	REFUSED(INVALID_PARAM, aclrtSetCurrentContext, NULL);
	REFUSED(INVALID_PARAM, aclrtGetCurrentContext, NULL);
	REFUSED(PARAM_INVALID, aclrtDestroyContext, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtSetCurrentContext, GARBAGE);
	REFUSED(INVALID_PARAM, aclrtCreateStream, NULL);
	REFUSED(INVALID_PARAM, aclrtDestroyStream, NULL);
	REFUSED(PARAM_INVALID, aclrtDestroyStream, stream);
	REFUSED(PARAM_INVALID, aclrtDestroyStreamForce, stream);
	REFUSED(PARAM_INVALID, aclrtSynchronizeStream, stream);
	REFUSED(PARAM_INVALID, aclrtSynchronizeStreamWithTimeout, stream, 1);
}

TEST_F_TIMEOUT(share, host_memory, 180)
{
	void *p = GARBAGE;

	REFUSED(INVALID_PARAM, aclrtMallocHost, NULL, 4096);
	REFUSED(INVALID_PARAM, aclrtMallocHost, &p, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocHost, &p, SIZE_MAX);
	REFUSED(OUT_OF_MEMORY, aclrtMallocHost, &p, 1UL << 62);
	EXPECT_EQ(GARBAGE, p);
	REFUSED(INVALID_PARAM, aclrtFreeHost, NULL);
	REFUSED(PARAM_INVALID, aclrtFreeHost, &p);
	REFUSED(PARAM_INVALID, aclrtFreeHost, GARBAGE);
	ASSERT_EQ(OK, aclrtMallocHost(&p, 10000));
	EXPECT_EQ(0, to_u64(p) % 4096);
	REFUSED(PARAM_INVALID, aclrtFreeHost, (char *)p + 4096);
	memset(p, 1, 10000);
	EXPECT_EQ(OK, aclrtFreeHost(p));
	REFUSED(PARAM_INVALID, aclrtFreeHost, p);
}

TEST_HARNESS_MAIN
