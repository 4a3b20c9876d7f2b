// SPDX-License-Identifier: MIT
/* The second version of export, whitelist and import, by 8 bytes. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define DEFAULT	ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT

/* What the calls read and write, and what is next to it. */
struct payload {
	uint64_t before, share, after[16];
};

FIXTURE(share_v2)
{
	struct acl_scene scene;
	aclrtDrvMemHandle handle;
	struct payload payload;
	struct process other;
};

FIXTURE_SETUP(share_v2)
{
	aclrtPhysicalMemProp prop = acl_memory(0);

	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
	ASSERT_EQ(0, acl_start(&self->other, 0));
	ASSERT_EQ(OK, aclrtMallocPhysical(&self->handle, SIZE, &prop, 0));
	memset(&self->payload, 7, sizeof(self->payload));
}

FIXTURE_TEARDOWN(share_v2)
{
	process_end_all();
	EXPECT_EQ(OK, aclrtFreePhysical(self->handle));
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

/* a: payload; out: handle */
static long do_import(__u64 *a)
{
	aclrtDrvMemHandle handle = NULL;
	aclError error = aclrtMemImportFromShareableHandleV2(&a[0], DEFAULT, 0, &handle);

	a[1] = to_u64(handle);
	return error;
}

TEST_F_TIMEOUT(share_v2, aclrtMemExportToShareableHandleV2, 180)
{
	aclrtDrvMemHandle handle = self->handle;
	struct payload *payload = &self->payload;
	uint64_t *out = &payload->share, same;
	int type;

	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, NULL, 0, DEFAULT, out);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, handle, 0, DEFAULT, NULL);
	for (type = -1; type < 5; type++)
		if (type != DEFAULT && type != ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
			REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 0, type,
				out);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 2, DEFAULT, out);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, GARBAGE, 0, DEFAULT, out);
	EXPECT_EQ(-1, bytes_differ(payload, sizeof(*payload), 7));
	/* 8 bytes and no more; and once, by whichever version. */
	ASSERT_EQ(OK, aclrtMemExportToShareableHandleV2(handle, 0, DEFAULT, out));
	EXPECT_EQ(-1, bytes_differ(&payload->before, 8, 7));
	EXPECT_EQ(-1, bytes_differ(payload->after, sizeof(payload->after), 7));
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandleV2, handle, 0, DEFAULT, &same);
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, handle, ACL_MEM_HANDLE_TYPE_NONE, 0,
		&same);
}

TEST_F_TIMEOUT(share_v2, aclrtMemSetPidToShareableHandleV2, 180)
{
	static int32_t list[65536];
	int32_t me = getpid(), none = 0;
	uint64_t share = 0, anyone, unknown;
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	int type;

	ASSERT_EQ(OK, aclrtMemExportToShareableHandleV2(self->handle, 0, DEFAULT, &share));
	unknown = ~share;
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, NULL, DEFAULT, &me, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, NULL, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, &me, 0);
	for (type = -1; type < 5; type++)
		if (type != DEFAULT && type != ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
			REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandleV2, &share, type,
				&me, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, list, 65536);
	REFUSED(INVALID_HANDLE, aclrtMemSetPidToShareableHandleV2, &unknown, DEFAULT, &me, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandleV2, &share, DEFAULT, &none, 1);
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandleV2(handle, 1, DEFAULT, &anyone));
	REFUSED(NO_PERMISSION, aclrtMemSetPidToShareableHandleV2, &anyone, DEFAULT, &me, 1);
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_EQ(OK, aclrtMemSetPidToShareableHandleV2(&share, DEFAULT, &me, 1));
}

TEST_F_TIMEOUT(share_v2, aclrtMemImportFromShareableHandleV2_of_bad_arguments, 180)
{
	aclrtDrvMemHandle imported = GARBAGE;
	uint64_t share = 0, unknown;
	int type;

	ASSERT_EQ(OK, aclrtMemExportToShareableHandleV2(self->handle, 0, DEFAULT, &share));
	unknown = share ^ 1;
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, NULL, DEFAULT, 0, &imported);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 1, &imported);
	for (type = -1; type < 5; type++)
		if (type != DEFAULT && type != ACL_MEM_SHARE_HANDLE_TYPE_FABRIC)
			REFUSED(PARAM_INVALID, aclrtMemImportFromShareableHandleV2, &share, type,
				0, &imported);
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandleV2, &share, DEFAULT, 0, &imported);
	REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandleV2, &unknown, DEFAULT, 0,
		&imported);
	EXPECT_EQ(GARBAGE, imported);
}

TEST_F_TIMEOUT(share_v2, aclrtMemImportFromShareableHandleV2_is_for_the_current_device, 180)
{
	aclrtDrvMemHandle imported = GARBAGE;
	int32_t pids[] = { self->other.pid, getpid() };
	__u64 first, again;
	uint64_t share;

	ASSERT_EQ(OK, aclrtMemExportToShareableHandleV2(self->handle, 0, DEFAULT, &share));
	ASSERT_EQ(OK, aclrtMemSetPidToShareableHandleV2(&share, DEFAULT, pids, 2));
	/* The exporter itself may under another device. */
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandleV2(&share, DEFAULT, 0, &imported));
	EXPECT_NE(self->handle, imported);
	EXPECT_EQ(OK, aclrtFreePhysical(imported));
	EXPECT_EQ(OK, aclrtResetDevice(1));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	/* Number and payload name the same share, and the handle is the same. */
	ASSERT_EQ(OK, process_get(&self->other, &first, 1, do_import, share));
	ASSERT_EQ(OK, acl_import(&self->other, share, 0, &again));
	EXPECT_EQ(first, again);
	ASSERT_EQ(OK, process_do(&self->other, acl_do_end, 0));
	EXPECT_EQ(CONTEXT_NULL, process_do(&self->other, do_import, share));
}

TEST_HARNESS_MAIN
