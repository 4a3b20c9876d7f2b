// SPDX-License-Identifier: MIT
/* Export, whitelist and import: every code, and what each call promises. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_MEM_HANDLE_TYPE_NONE
#define VALIDATE	ACL_RT_VMM_EXPORT_FLAG_DEFAULT
#define ANYONE	ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION

FIXTURE(share)
{
	struct acl_scene scene;
	/* Of the scene's memory, with a whitelist. */
	uint64_t share;
	/* Another process, which has memory of its own and exports it. */
	struct process other;
	__u64 theirs, their_address, their_share;
	long long wait, limit;
};

FIXTURE_SETUP(share)
{
	self->wait = npumem_parameter("import_wait_ms");
	self->limit = npumem_parameter("max_whitelist");
	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(self->scene.mapping.handle, NONE, VALIDATE,
						      &self->share));
	ASSERT_EQ(0, acl_start(&self->other, 0));
	ASSERT_EQ(OK, acl_new(&self->other, 0, SIZE, 2, &self->theirs, &self->their_address));
	ASSERT_EQ(OK, acl_export(&self->other, self->theirs, VALIDATE, &self->their_share));
}

FIXTURE_TEARDOWN(share)
{
	npumem_set_parameter("import_wait_ms", self->wait);
	npumem_set_parameter("max_whitelist", self->limit);
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

static aclError set_pid(uint64_t share, int32_t pid)
{
	return aclrtMemSetPidToShareableHandle(share, &pid, 1);
}

/* An importer, and what it gets. */
static long import_anew(struct process *p, uint64_t share, __u64 *handle)
{
	long ret = acl_start(p, 0);

	return ret ? ret : acl_import(p, share, 0, handle);
}

TEST_F_TIMEOUT(share, aclrtMemExportToShareableHandle_of_bad_arguments, 180)
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
	EXPECT_EQ(7, share);
	/* All those refusals have not used up the one export there is. */
	EXPECT_EQ(OK, aclrtMemExportToShareableHandle(handle, NONE, ANYONE, &share));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandle, handle, NONE, 0, &share);
}

TEST_F_TIMEOUT(share, aclrtMemExportToShareableHandle_once, 180)
{
	aclrtDrvMemHandle again, imported;
	uint64_t share = 7;

	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, self->scene.mapping.handle, NONE,
		VALIDATE, &share);
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, self->scene.mapping.handle, NONE,
		ANYONE, &share);
	ASSERT_EQ(OK, aclrtMemRetainAllocationHandle(self->scene.mapping.address, &again));
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, again, NONE, VALIDATE, &share);
	EXPECT_EQ(OK, aclrtFreePhysical(again));
	/* And what was imported not at all. */
	ASSERT_EQ(OK, acl_set_pid(&self->other, self->their_share, getpid()));
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(self->their_share, 0, &imported));
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, imported, NONE, VALIDATE, &share);
	REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, imported, NONE, ANYONE, &share);
	EXPECT_EQ(OK, aclrtFreePhysical(imported));
	EXPECT_EQ(7, share);
}

TEST_F_TIMEOUT(share, aclrtMemExportToShareableHandle_lasts_while_anyone_holds_the_memory, 180)
{
	struct acl_mapping mapping;
	struct process late;
	__u64 first, second;
	uint64_t share;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(mapping.handle, NONE, VALIDATE, &share));
	ASSERT_EQ(OK, set_pid(share, self->other.pid));
	/* The exporter's mapping holds it, then an importer. */
	ASSERT_EQ(OK, aclrtFreePhysical(mapping.handle));
	ASSERT_EQ(OK, acl_import(&self->other, share, 0, &first));
	ASSERT_EQ(0, acl_start(&late, 0));
	ASSERT_EQ(OK, set_pid(share, late.pid));
	ASSERT_EQ(OK, aclrtUnmapMem(mapping.address));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
	EXPECT_EQ(OK, acl_import(&late, share, 0, &second));
	ASSERT_EQ(OK, process_do(&self->other, acl_do_free, first));
	ASSERT_EQ(OK, acl_import(&self->other, share, 0, &first));
	ASSERT_EQ(OK, process_do(&self->other, acl_do_free, first));
	ASSERT_EQ(OK, process_do(&late, acl_do_free, second));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->other, share, 0, &first));
	REFUSED(INVALID_HANDLE, aclrtMemSetPidToShareableHandle, share, &late.pid, 1);
}

TEST_F_TIMEOUT(share, aclrtMemSetPidToShareableHandle_of_bad_arguments, 180)
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
	/* 65535 are taken; all of them 0 are nobody. */
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, share, list, 65535);
	list[65534] = me;
	EXPECT_EQ(OK, aclrtMemSetPidToShareableHandle(share, list, 65535));
}

TEST_F_TIMEOUT(share, aclrtMemSetPidToShareableHandle_skips_who_is_not_there, 180)
{
	const int32_t dead = process_dead_pid();
	int32_t nobody[] = { 0, dead, -1, INT32_MIN, INT32_MAX };
	int32_t list[] = { 0, dead, self->other.pid, -1 };
	__u64 handle;
	int i;

	for (i = 0; i < 5; i++)
		REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, self->share, &nobody[i], 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, self->share, nobody, 5);
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->other, self->share, 0, &handle));
	EXPECT_EQ(OK, aclrtMemSetPidToShareableHandle(self->share, list, 4));
	EXPECT_EQ(OK, acl_import(&self->other, self->share, 0, &handle));
}

TEST_F_TIMEOUT(share, aclrtMemSetPidToShareableHandle_adds_and_refreshes, 180)
{
	struct process second;
	__u64 handle;
	int i;

	/* None takes away what another gave, and repeating does no harm. */
	ASSERT_EQ(0, acl_start(&second, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(OK, set_pid(self->share, self->other.pid));
		EXPECT_EQ(OK, set_pid(self->share, second.pid));
	}
	EXPECT_EQ(OK, acl_import(&self->other, self->share, 0, &handle));
	EXPECT_EQ(OK, acl_import(&second, self->share, 0, &handle));
	/* After an import, too. */
	EXPECT_EQ(OK, set_pid(self->share, second.pid));
	EXPECT_EQ(OK, acl_import(&second, self->share, 0, &handle));
}

TEST_F_TIMEOUT(share, aclrtMemSetPidToShareableHandle_by_the_exporter_only, 180)
{
	int32_t me = getpid();
	aclrtDrvMemHandle handle = GARBAGE;

	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, self->their_share, &me, 1);
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandle, self->their_share, 0, &handle);
	EXPECT_EQ(GARBAGE, handle);
	/* To have imported it makes nobody the exporter. */
	ASSERT_EQ(OK, acl_set_pid(&self->other, self->their_share, me));
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(self->their_share, 0, &handle));
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, self->their_share, &me, 1);
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(share, aclrtMemSetPidToShareableHandle_of_a_share_for_anyone, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	int32_t pid = self->other.pid;
	aclrtDrvMemHandle handle;
	__u64 imported;
	uint64_t share;

	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(handle, NONE, ANYONE, &share));
	REFUSED(NO_PERMISSION, aclrtMemSetPidToShareableHandle, share, &pid, 1);
	/* It needs none. */
	EXPECT_EQ(OK, acl_import(&self->other, share, 0, &imported));
	EXPECT_EQ(OK, process_do(&self->other, acl_do_free, imported));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(share, aclrtMemSetPidToShareableHandle_of_too_many_in_total, 180)
{
	struct process second;
	int32_t list[2];
	__u64 handle;

	/* That many processes there cannot be, so that the limit comes to them. */
	EXPECT_EQ(65535, self->limit);
	if (npumem_set_parameter("max_whitelist", 1))
		SKIP(return, "needs root");
	ASSERT_EQ(0, acl_start(&second, 0));
	ASSERT_EQ(OK, set_pid(self->share, self->other.pid));
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, self->share, &second.pid, 1);
	list[0] = self->other.pid;
	list[1] = second.pid;
	REFUSED(DRIVER_ERROR, aclrtMemSetPidToShareableHandle, self->share, list, 2);
	EXPECT_EQ(DRIVER_ERROR, acl_import(&second, self->share, 0, &handle));
	/* Who is in already needs no room, and who ends makes some. */
	EXPECT_EQ(OK, set_pid(self->share, self->other.pid));
	EXPECT_EQ(OK, acl_import(&self->other, self->share, 0, &handle));
	ASSERT_EQ(0, process_stop(&self->other));
	EXPECT_EQ(OK, set_pid(self->share, second.pid));
	EXPECT_EQ(OK, acl_import(&second, self->share, 0, &handle));
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_of_bad_arguments, 180)
{
	const int32_t devices[] = { -1, 2, 31, 32, 1 << 30, INT32_MAX, INT32_MIN };
	aclrtDrvMemHandle handle = GARBAGE;
	uint64_t share = self->their_share;
	uint32_t count;
	size_t i;

	ASSERT_EQ(OK, acl_set_pid(&self->other, share, getpid()));
	ASSERT_EQ(OK, aclrtGetDeviceCount(&count));
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandle, share, 0, NULL);
	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (devices[i] >= 0 && devices[i] < (int)count)
			continue;
		REFUSED(INVALID_DEVICE, aclrtMemImportFromShareableHandle, share, devices[i],
			&handle);
	}
	REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandle, 0, 0, &handle);
	for (i = 0; i < 64; i++)
		REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandle, share ^ 1UL << i, 0,
			&handle);
	/* Its memory's end is the share's. */
	ASSERT_EQ(OK, acl_drop(&self->other, self->their_address, self->theirs));
	REFUSED(INVALID_HANDLE, aclrtMemImportFromShareableHandle, share, 0, &handle);
	EXPECT_EQ(GARBAGE, handle);
}

static int32_t import_device;

static void *import_in_thread(void *data)
{
	aclrtDrvMemHandle handle = GARBAGE;
	aclError error = aclrtMemImportFromShareableHandle(*(uint64_t *)data, import_device,
							   &handle);

	if (handle != GARBAGE || !acl_message_names("aclrtMemImportFromShareableHandle"))
		return NULL;
	return (void *)(long)error;
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_without_a_context, 180)
{
	pthread_t thread;
	void *error;

	ASSERT_EQ(OK, acl_set_pid(&self->other, self->their_share, getpid()));
	ASSERT_EQ(0, pthread_create(&thread, NULL, import_in_thread, &self->their_share));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(CONTEXT_NULL, (long)error);
	/* That a device is not there is found first. */
	import_device = 29;
	ASSERT_EQ(0, pthread_create(&thread, NULL, import_in_thread, &self->their_share));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(INVALID_DEVICE, (long)error);
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_by_the_exporter, 180)
{
	aclrtDrvMemHandle handle = GARBAGE;
	int32_t me = getpid();

	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandle, self->share, 0, &handle);
	ASSERT_EQ(OK, aclrtMemSetPidToShareableHandle(self->share, &me, 1));
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandle, self->share, 0, &handle);
	EXPECT_EQ(GARBAGE, handle);
	/* For another device it is as good as anybody's. */
	EXPECT_EQ(OK, aclrtMemImportFromShareableHandle(self->share, 1, &handle));
	EXPECT_NE(self->scene.mapping.handle, handle);
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_again_is_the_same_handle, 180)
{
	aclrtDrvMemHandle first, again;
	int i;

	ASSERT_EQ(OK, acl_set_pid(&self->other, self->their_share, getpid()));
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(self->their_share, 0, &first));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(self->their_share, 0, &again));
		EXPECT_EQ(first, again);
	}
	/* One more reference each, and one free each. */
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(OK, aclrtMapMem(self->scene.empty, SIZE, 0, first, 0));
		EXPECT_EQ(-1, pattern_check(self->scene.empty, SIZE, 2));
		EXPECT_EQ(OK, aclrtUnmapMem(self->scene.empty));
		EXPECT_EQ(OK, aclrtFreePhysical(first));
	}
	REFUSED(PARAM_INVALID, aclrtFreePhysical, first);
	REFUSED(PARAM_INVALID, aclrtMapMem, self->scene.empty, SIZE, 0, first, 0);
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_for_another_device, 180)
{
	aclrtDrvMemHandle same, other;
	aclrtPhysicalMemProp prop;
	struct acl_mapping mapping;
	int32_t there = 7, back = 7;
	char local[64] = "";

	ASSERT_EQ(OK, acl_set_pid(&self->other, self->their_share, getpid()));
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(self->their_share, 0, &same));
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(0, 1, &there));
	EXPECT_EQ(0, there);
	ASSERT_EQ(OK, aclrtMemImportFromShareableHandle(self->their_share, 1, &other));
	EXPECT_NE(same, other);
	/* The devices may reach each other's memory, both ways. */
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(0, 1, &there));
	EXPECT_EQ(OK, aclrtDevicePeerAccessStatus(1, 0, &back));
	EXPECT_EQ(1, there);
	EXPECT_EQ(1, back);
	EXPECT_EQ(OK, aclrtFreePhysical(same));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, same);
	/* The memory is the exporter's device's, whoever imports it. */
	ASSERT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(other, &prop));
	EXPECT_EQ(0, prop.location.id);
	EXPECT_EQ(ACL_HBM_MEM_HUGE, prop.memAttr);
	EXPECT_TRUE(watch_used(&self->scene.watch, 1, 0));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtReserveMemAddress(&mapping.address, SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(mapping.address, SIZE, 0, other, 0));
	EXPECT_EQ(OK, aclrtMemcpy(local, 64, mapping.address, 64, ACL_MEMCPY_DEVICE_TO_HOST));
	EXPECT_EQ(-1, pattern_check(mapping.address, SIZE, 2));
	mapping.handle = other;
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtResetDevice(1));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_is_refused_after_a_bounded_wait, 180)
{
	struct call call = { .function = acl_do_import, .argument = { self->share, 0 } };
	aclrtDrvMemHandle handle = GARBAGE;
	struct process stranger;
	int64_t start;

	EXPECT_EQ(10, self->wait);
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandle, self->their_share, 0, &handle);
	if (npumem_set_parameter("import_wait_ms", 300))
		SKIP(return, "needs root");
	start = now_ms();
	REFUSED(DRIVER_ERROR, aclrtMemImportFromShareableHandle, self->their_share, 0, &handle);
	EXPECT_LE(100, now_ms() - start);
	EXPECT_EQ(GARBAGE, handle);
	/* SetPid wakes who waits, and a signal that kills ends it. */
	ASSERT_EQ(0, npumem_set_parameter("import_wait_ms", 50000));
	ASSERT_EQ(0, process_begin(&self->other, &call));
	EXPECT_EQ(OK, set_pid(self->share, self->other.pid));
	EXPECT_EQ(OK, process_end(&self->other, &call));
	ASSERT_EQ(0, acl_start(&stranger, 0));
	ASSERT_EQ(0, process_begin(&stranger, &call));
	EXPECT_FALSE(process_answers(&stranger, 20));
	EXPECT_EQ(0, process_kill(&stranger));
}

TEST_F_TIMEOUT(share, aclrtMemImportFromShareableHandle_is_for_whom_the_exporter_let_in, 180)
{
	struct process first, second;
	__u64 handle;

	EXPECT_EQ(DRIVER_ERROR, import_anew(&first, self->share, &handle));
	ASSERT_EQ(OK, set_pid(self->share, first.pid));
	EXPECT_EQ(OK, acl_import(&first, self->share, 0, &handle));
	EXPECT_EQ(DRIVER_ERROR, import_anew(&second, self->share, &handle));
}

TEST_HARNESS_MAIN
