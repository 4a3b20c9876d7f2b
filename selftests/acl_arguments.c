// SPDX-License-Identifier: MIT
/* What no call takes: NULL, and handles that are nobody's. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_MEM_HANDLE_TYPE_NONE
#define DEFAULT	ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT
#define FIRST	ACL_MEM_MALLOC_HUGE_FIRST

FIXTURE(arguments)
{
	struct acl_scene scene;
	uint64_t share;
};

FIXTURE_SETUP(arguments)
{
	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(self->scene.mapping.handle, NONE, 0,
						      &self->share));
}

FIXTURE_TEARDOWN(arguments)
{
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

TEST_F_TIMEOUT(arguments, NULL_pointer_or_NULL_handle_of_memory, 180)
{
	aclrtDrvMemHandle handle = self->scene.mapping.handle, out = GARBAGE;
	aclrtMemLocation location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE };
	void *mapped = self->scene.mapping.address, *base;
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtPtrAttributes attributes;
	size_t size = 7;
	uint64_t number;

	REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, NULL, 0, &size);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationGranularity, &prop, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, NULL, SIZE, &prop, 0);
	REFUSED(INVALID_PARAM, aclrtMallocPhysical, &out, SIZE, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtFreePhysical, NULL);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddress, NULL, SIZE, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtReserveMemAddressNoUCMemory, NULL, GIB, 0, (void *)GIB, 0);
	REFUSED(INVALID_PARAM, aclrtReleaseMemAddress, NULL);
	REFUSED(INVALID_PARAM, aclrtMapMem, NULL, SIZE, 0, handle, 0);
	REFUSED(INVALID_PARAM, aclrtMapMem, self->scene.empty, SIZE, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtMemMapNoAccess, NULL, SIZE, 0, handle, 0);
	REFUSED(INVALID_PARAM, aclrtMemMapNoAccess, self->scene.empty, SIZE, 0, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtUnmapMem, NULL);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, NULL, &location, &number);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, mapped, NULL, &number);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, mapped, &location, NULL);
	REFUSED(INVALID_PARAM, aclrtMemRetainAllocationHandle, NULL, &out);
	REFUSED(INVALID_PARAM, aclrtMemRetainAllocationHandle, mapped, NULL);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationPropertiesFromHandle, NULL, &prop);
	REFUSED(INVALID_PARAM, aclrtMemGetAllocationPropertiesFromHandle, handle, NULL);
	REFUSED(INVALID_PARAM, aclrtMemGetAddressRange, NULL, &base, &size);
	REFUSED(INVALID_PARAM, aclrtPointerGetAttributes, NULL, &attributes);
	REFUSED(INVALID_PARAM, aclrtPointerGetAttributes, mapped, NULL);
	REFUSED(INVALID_PARAM, aclrtMalloc, NULL, SIZE, FIRST);
	REFUSED(INVALID_PARAM, aclrtMallocAlign32, NULL, SIZE, FIRST);
	REFUSED(INVALID_PARAM, aclrtMallocWithCfg, NULL, SIZE, FIRST, NULL);
	REFUSED(INVALID_PARAM, aclrtFree, NULL);
	REFUSED(INVALID_PARAM, aclrtMallocHost, NULL, SIZE);
	REFUSED(INVALID_PARAM, aclrtFreeHost, NULL);
	REFUSED(INVALID_PARAM, aclrtMemcpy, NULL, SIZE, mapped, 1, 0);
	REFUSED(INVALID_PARAM, aclrtMemcpy, mapped, SIZE, NULL, 1, 0);
	REFUSED(INVALID_PARAM, aclrtMemset, NULL, SIZE, 1, 1);
	/* Those that have a code of their own for it. */
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, NULL, SIZE, (aclrtMemAccessDesc[1]){ 0 }, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, mapped, SIZE, NULL, 1);
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, mapped, NULL, NULL);
	REFUSED(NOT_SUPPORTED, aclrtReserveMemAddressNoUCMemory, &base, GIB, 0, NULL, 0);
	EXPECT_EQ(GARBAGE, out);
	EXPECT_EQ(7, size);
}

TEST_F_TIMEOUT(arguments, NULL_pointer_or_NULL_handle_of_shares_and_devices, 180)
{
	aclrtDrvMemHandle handle = self->scene.mapping.handle, out = GARBAGE;
	uint64_t number = 7, share = self->share;
	int32_t pid = getpid();

	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandle, NULL, NONE, 0, &number);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandle, handle, NONE, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandle, share, NULL, 1);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandle, share, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, NULL, 0, DEFAULT, &number);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, handle, 0, DEFAULT, NULL);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, NULL, DEFAULT, &pid, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, NULL, 1);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, NULL, DEFAULT, 0, &out);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtDeviceGetBareTgid, NULL);
	REFUSED(INVALID_PARAM, aclrtDeviceCanAccessPeer, NULL, 0, 1);
	REFUSED(INVALID_PARAM, aclrtDevicePeerAccessStatus, 0, 1, NULL);
	REFUSED(INVALID_PARAM, aclrtGetDevice, NULL);
	REFUSED(INVALID_PARAM, aclrtGetDeviceCount, NULL);
	REFUSED(INVALID_PARAM, aclrtGetRunMode, NULL);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, ACL_HBM_MEM, NULL, (size_t *)&number);
	REFUSED(INVALID_PARAM, aclrtGetMemInfo, ACL_HBM_MEM, (size_t *)&number, NULL);
	REFUSED(INVALID_PARAM, aclrtGetLogicDevIdByUserDevId, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtGetUserDevIdByLogicDevId, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtGetPhyDevIdByLogicDevId, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtCreateContext, NULL, 0);
	REFUSED(INVALID_PARAM, aclrtDestroyContext, NULL);
	REFUSED(INVALID_PARAM, aclrtSetCurrentContext, NULL);
	REFUSED(INVALID_PARAM, aclrtGetCurrentContext, NULL);
	REFUSED(INVALID_PARAM, aclrtCreateStream, NULL);
	REFUSED(INVALID_PARAM, aclrtCreateStreamWithConfig, NULL, 0, 0);
	REFUSED(INVALID_PARAM, aclrtDestroyStream, NULL);
	REFUSED(INVALID_PARAM, aclrtDestroyStreamForce, NULL);
	EXPECT_EQ(GARBAGE, out);
	EXPECT_EQ(7, number);
}

TEST_F_TIMEOUT(arguments, unknown_stale_or_garbage_handle, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	struct process other;
	aclrtDrvMemHandle bad[72];
	__u64 theirs, address;
	uint64_t number = 7;
	int count = 0, i;

	/* Freed, another process's, no handles, and one bit beside a good one. */
	ASSERT_EQ(OK, aclrtMallocPhysical(&bad[count], SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtFreePhysical(bad[count++]));
	ASSERT_EQ(0, acl_start(&other, 0));
	ASSERT_EQ(OK, acl_new(&other, 0, SIZE, 1, &theirs, &address));
	bad[count++] = to_ptr(theirs);
	bad[count++] = self->scene.mapping.address;
	bad[count++] = &number;
	bad[count++] = GARBAGE;
	bad[count++] = (void *)1;
	bad[count++] = (void *)-1;
	for (i = 0; i < 64; i++)
		bad[count++] = to_ptr(to_u64(self->scene.mapping.handle) ^ 1UL << i);
	prop.reserve = 7;
	for (i = 0; i < count; i++) {
		REFUSED(PARAM_INVALID, aclrtFreePhysical, bad[i]);
		REFUSED(PARAM_INVALID, aclrtMapMem, self->scene.empty, SIZE, 0, bad[i], 0);
		REFUSED(PARAM_INVALID, aclrtMemMapNoAccess, self->scene.empty, SIZE, 0, bad[i], 0);
		REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandle, bad[i], NONE, 0, &number);
		REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, bad[i], 0, DEFAULT,
			&number);
		REFUSED(PARAM_INVALID, aclrtMemGetAllocationPropertiesFromHandle, bad[i], &prop);
	}
	EXPECT_EQ(7, number);
	EXPECT_EQ(7, prop.reserve);
	EXPECT_EQ(0, client_check(&other, address, SIZE, 1));
}

TEST_HARNESS_MAIN
