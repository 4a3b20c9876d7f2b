// SPDX-License-Identifier: MIT
/* An exporter and an importer, as programs write it: every step and its code. */
#include "acl_process.h"

#include "kselftest_harness.h"

#define SIZE	(20 * MIB)

FIXTURE(story)
{
	struct watch watch;
	struct process exporter, importer, stranger;
	char *text;
	long long wait;
};

FIXTURE_SETUP(story)
{
	self->wait = npumem_parameter("import_wait_ms");
	ASSERT_TRUE(watch_start(&self->watch));
	self->text = process_shared(MESSAGE_SIZE);
	ASSERT_NE(NULL, self->text);
	ASSERT_EQ(0, acl_start(&self->exporter, 0));
	ASSERT_EQ(0, acl_start(&self->importer, 0));
	ASSERT_EQ(0, acl_start(&self->stranger, 0));
}

FIXTURE_TEARDOWN(story)
{
	npumem_set_parameter("import_wait_ms", self->wait);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* The exporter's part until it waits. out: handle, address, share. */
static long do_export_canonically(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	aclrtDrvMemHandle handle = NULL;
	void *address = NULL;
	size_t granularity = 0;
	uint64_t share = 0;
	aclError error;

	error = aclrtMemGetAllocationGranularity(&prop, ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED,
						 &granularity);
	if (error || granularity != 2 * MIB)
		return error ? error : -1;
	error = aclrtMallocPhysical(&handle, SIZE, &prop, 0);
	if (error)
		return error;
	error = aclrtReserveMemAddress(&address, SIZE, 0, NULL, 1);
	if (error)
		return error;
	error = aclrtMapMem(address, SIZE, 0, handle, 0);
	if (error)
		return error;
	error = aclrtMemSetAccess(address, SIZE, &desc, 1);
	if (error)
		return error;
	pattern_mark(address, SIZE, 11);
	error = aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, a[0], &share);
	a[1] = to_u64(handle);
	a[2] = to_u64(address);
	a[3] = share;
	return error;
}

static long export_canonically(struct process *p, __u64 flags, __u64 *handle, __u64 *address,
			       __u64 *share)
{
	struct call call = { .function = do_export_canonically, .argument = { flags } };
	long ret = process_call(p, &call);

	*handle = call.argument[1];
	*address = call.argument[2];
	*share = call.argument[3];
	return ret;
}

TEST_F_TIMEOUT(story, canonical_sequence_with_a_whitelist, 240)
{
	__u64 handle, address, share, theirs, view, value, pid;

	ASSERT_EQ(OK, export_canonically(&self->exporter, ACL_RT_VMM_EXPORT_FLAG_DEFAULT,
					 &handle, &address, &share));
	EXPECT_NE(0, share);
	ASSERT_EQ(OK, process_get(&self->importer, &pid, 0, acl_do_pid, 0));
	EXPECT_EQ(self->importer.pid, (pid_t)pid);
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, share, pid));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 11));
	ASSERT_EQ(0, client_store(&self->importer, view + 64, 0x1122));
	ASSERT_EQ(0, client_load(&self->exporter, address + 64, &value));
	EXPECT_EQ(0x1122ULL, value);
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(OK, acl_drop(&self->importer, view, theirs));
	EXPECT_EQ(OK, process_do(&self->importer, acl_do_end, 0));
	EXPECT_EQ(OK, acl_drop(&self->exporter, address, handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, process_do(&self->exporter, acl_do_end, 0));
	EXPECT_EQ(0, process_stop(&self->exporter));
	EXPECT_EQ(0, process_stop(&self->importer));
}

TEST_F_TIMEOUT(story, canonical_sequence_without_pid_validation, 240)
{
	__u64 handle, address, share, theirs, view;

	ASSERT_EQ(OK, export_canonically(&self->exporter,
					 ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION,
					 &handle, &address, &share));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 11));
	/* There is no whitelist to add to. */
	EXPECT_EQ(NO_PERMISSION, acl_set_pid(&self->exporter, share, self->importer.pid));
	EXPECT_EQ(1, acl_message(&self->exporter, self->text));
	EXPECT_NE(NULL, strstr(self->text, "aclrtMemSetPidToShareableHandle"));
}

TEST_F_TIMEOUT(story, aclGetRecentErrMsg_of_a_refused_import_names_both_pids, 240)
{
	__u64 handle, address, share, theirs;
	char pid[16];

	ASSERT_EQ(OK, export_canonically(&self->exporter, 0, &handle, &address, &share));
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, share, self->importer.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->stranger, share, 0, &theirs));
	ASSERT_EQ(1, acl_message(&self->stranger, self->text));
	EXPECT_NE(NULL, strstr(self->text, "aclrtMemImportFromShareableHandle"));
	snprintf(pid, sizeof(pid), "%d", self->exporter.pid);
	EXPECT_NE(NULL, strstr(self->text, pid))
		TH_LOG("no exporter %s in: %s", pid, self->text);
	snprintf(pid, sizeof(pid), "%d", self->stranger.pid);
	EXPECT_NE(NULL, strstr(self->text, pid))
		TH_LOG("no importer %s in: %s", pid, self->text);
	EXPECT_EQ(0, acl_message(&self->stranger, self->text));
	/* With that number the exporter can help. */
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, share, self->stranger.pid));
	EXPECT_EQ(OK, acl_import(&self->stranger, share, 0, &theirs));
	EXPECT_EQ(0, acl_message(&self->stranger, self->text));
}

TEST_F_TIMEOUT(story, aclrtMemImportFromShareableHandle_needs_no_barrier_after_SetPid, 240)
{
	__u64 handle, address, share;
	struct call call = { .function = acl_do_import };
	int i;

	/* The bound is raised only because this machine may be very slow. */
	ASSERT_EQ(0, npumem_set_parameter("import_wait_ms", 50000));
	for (i = 0; i < 20; i++) {
		struct process importer;

		ASSERT_EQ(OK, export_canonically(&self->exporter, 0, &handle, &address, &share));
		ASSERT_EQ(0, acl_start(&importer, 0));
		call.argument[0] = share;
		call.argument[1] = 0;
		/* The import is under way before the whitelist is. */
		ASSERT_EQ(0, process_begin(&importer, &call));
		EXPECT_EQ(OK, acl_set_pid(&self->exporter, share, importer.pid));
		EXPECT_EQ(OK, process_end(&importer, &call));
		EXPECT_EQ(0, process_stop(&importer));
		EXPECT_EQ(OK, acl_drop(&self->exporter, address, handle));
	}
}

TEST_F_TIMEOUT(story, exporter_that_is_killed_leaves_importers_the_memory, 240)
{
	__u64 handle, address, share, theirs, view, again;

	ASSERT_EQ(OK, export_canonically(&self->exporter, 0, &handle, &address, &share));
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, share, self->importer.pid));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	ASSERT_EQ(0, process_kill(&self->exporter));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 11));
	EXPECT_EQ(OK, acl_import(&self->importer, share, 0, &again));
	EXPECT_EQ(theirs, again);
	EXPECT_EQ(OK, process_do(&self->importer, acl_do_free, theirs));
	EXPECT_EQ(OK, acl_drop(&self->importer, view, theirs));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->importer, share, 0, &theirs));
}

/* a: address, handle; out: new handle. Frees all and maps fresh memory there. */
static long do_sleep_and_wake(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle = NULL;
	aclError error = aclrtUnmapMem(to_ptr(a[0]));

	if (!error)
		error = aclrtFreePhysical(to_ptr(a[1]));
	if (!error)
		error = aclrtMallocPhysical(&handle, SIZE, &prop, 0);
	if (!error)
		error = aclrtMapMem(to_ptr(a[0]), SIZE, 0, handle, 0);
	a[2] = to_u64(handle);
	if (!error && bytes_differ(to_ptr(a[0]), SIZE, 0) >= 0)
		return -EILSEQ;
	return error;
}

TEST_F_TIMEOUT(story, sleep_and_wake_at_a_kept_address, 240)
{
	__u64 handle, address, share, theirs, view, fresh;

	ASSERT_EQ(OK, export_canonically(&self->exporter, 1, &handle, &address, &share));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	ASSERT_EQ(OK, process_get(&self->exporter, &fresh, 2, do_sleep_and_wake, address, handle));
	EXPECT_NE(handle, fresh);
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 11));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * SIZE));
	EXPECT_EQ(OK, acl_drop(&self->importer, view, theirs));
	EXPECT_EQ(OK, acl_drop(&self->exporter, address, fresh));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_HARNESS_MAIN
