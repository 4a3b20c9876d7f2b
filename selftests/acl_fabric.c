// SPDX-License-Identifier: MIT
/* Shares named by an aclrtMemFabricHandle: ours, others' and what is none. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_MEM_HANDLE_TYPE_NONE
#define DEFAULT	ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT
#define FABRIC	ACL_MEM_SHARE_HANDLE_TYPE_FABRIC
#define BYTES	sizeof(aclrtMemFabricHandle)

/* What a test may take to be known of the 128 bytes: where which part is. */
#define HOST_AT		8
#define TOKEN_AT	24
#define ZEROS_AT	32

FIXTURE(fabric)
{
	struct watch watch;
	struct process exporter, importer, stranger;
	__u64 handle, address;
	/* Three payloads in memory that all have, at odd addresses. */
	char *payload, *other, *third;
};

FIXTURE_SETUP(fabric)
{
	char *shared = process_shared(4096);

	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_NE(NULL, shared);
	self->payload = shared + 1;
	self->other = shared + 1001;
	self->third = shared + 2001;
	ASSERT_EQ(0, acl_start(&self->exporter, 0));
	ASSERT_EQ(0, acl_start(&self->importer, 0));
	ASSERT_EQ(0, acl_start(&self->stranger, 0));
	ASSERT_EQ(OK, acl_new(&self->exporter, 0, SIZE, 11, &self->handle, &self->address));
}

FIXTURE_TEARDOWN(fabric)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* a: handle, flags, type, payload */
static long do_export(__u64 *a)
{
	return aclrtMemExportToShareableHandleV2(to_ptr(a[0]), a[1], a[2], to_ptr(a[3]));
}

/* a: payload, type, pid */
static long do_set_pid(__u64 *a)
{
	int32_t pid = a[2];

	return aclrtMemSetPidToShareableHandleV2(to_ptr(a[0]), a[1], &pid, 1);
}

/* a: payload, type; out: handle */
static long do_import(__u64 *a)
{
	aclrtDrvMemHandle handle = NULL;
	aclError error = aclrtMemImportFromShareableHandleV2(to_ptr(a[0]), a[1], 0, &handle);

	a[2] = to_u64(handle);
	return error;
}

static long export_as(FIXTURE_DATA(fabric) *self, int type, __u64 flags, char *payload)
{
	return process_do(&self->exporter, do_export, self->handle, flags, type,
			  to_u64(payload));
}

static long set_pid(struct process *p, char *payload, int type, pid_t pid)
{
	return process_do(p, do_set_pid, to_u64(payload), type, pid);
}

static long import_as(struct process *p, char *payload, int type, __u64 *handle)
{
	return process_get(p, handle, 2, do_import, to_u64(payload), type);
}

TEST_F_TIMEOUT(fabric, aclrtMemImportFromShareableHandleV2_of_this_host, 240)
{
	__u64 theirs, again, view;

	ASSERT_EQ(OK, export_as(self, FABRIC, 0, self->payload));
	EXPECT_EQ(DRIVER_ERROR, import_as(&self->importer, self->payload, FABRIC, &theirs));
	ASSERT_EQ(OK, set_pid(&self->exporter, self->payload, FABRIC, self->importer.pid));
	ASSERT_EQ(OK, import_as(&self->importer, self->payload, FABRIC, &theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 11));
	ASSERT_EQ(OK, import_as(&self->importer, self->payload, FABRIC, &again));
	EXPECT_EQ(theirs, again);
	EXPECT_EQ(OK, process_do(&self->importer, acl_do_free, again));
	EXPECT_EQ(DRIVER_ERROR, import_as(&self->stranger, self->payload, FABRIC, &again));
	EXPECT_EQ(DRIVER_ERROR, import_as(&self->exporter, self->payload, FABRIC, &again));
	EXPECT_EQ(DRIVER_ERROR, set_pid(&self->importer, self->payload, FABRIC,
					self->stranger.pid));
	EXPECT_EQ(OK, acl_drop(&self->importer, view, theirs));
	/* Once per memory, whatever the type. */
	EXPECT_EQ(DRIVER_ERROR, export_as(self, FABRIC, 0, self->other));
	EXPECT_EQ(DRIVER_ERROR, export_as(self, DEFAULT, 0, self->other));
	/* It ends with the memory. */
	ASSERT_EQ(OK, acl_drop(&self->exporter, self->address, self->handle));
	EXPECT_EQ(INVALID_HANDLE, import_as(&self->importer, self->payload, FABRIC, &theirs));
	EXPECT_EQ(INVALID_HANDLE, set_pid(&self->exporter, self->payload, FABRIC,
					  self->importer.pid));
}

TEST_F_TIMEOUT(fabric, aclrtMemExportToShareableHandleV2_fills_128_bytes, 240)
{
	__u64 second, address;

	memset(self->payload - 1, 0x55, BYTES + 2);
	ASSERT_EQ(OK, export_as(self, FABRIC, 0, self->payload));
	EXPECT_EQ(0x55, self->payload[-1]);
	EXPECT_EQ(0x55, self->payload[BYTES]);
	EXPECT_EQ(-1, bytes_differ((unsigned char *)self->payload + ZEROS_AT,
				   BYTES - ZEROS_AT, 0));
	/* Two of a host differ in the share alone. */
	ASSERT_EQ(OK, acl_new(&self->exporter, 0, SIZE, 12, &second, &address));
	ASSERT_EQ(OK, process_do(&self->exporter, do_export, second, 0, FABRIC,
				 to_u64(self->other)));
	EXPECT_EQ(0, memcmp(self->payload, self->other, TOKEN_AT));
	EXPECT_NE(0, memcmp(self->payload + TOKEN_AT, self->other + TOKEN_AT, 8));
	/* And the host has a name. */
	EXPECT_NE(0, memcmp(self->payload + HOST_AT, self->other + ZEROS_AT, 16));
}

TEST_F_TIMEOUT(fabric, aclrtMemExportToShareableHandleV2_default_is_8_bytes, 240)
{
	__u64 theirs, share;

	memset(self->payload - 1, 0x55, BYTES);
	ASSERT_EQ(OK, export_as(self, DEFAULT, 0, self->payload));
	EXPECT_EQ(0x55, self->payload[-1]);
	EXPECT_EQ(-1, bytes_differ((unsigned char *)self->payload + 8, BYTES - 10, 0x55));
	/* No more is read, either: there is nothing behind. */
	ASSERT_EQ(OK, set_pid(&self->exporter, self->payload, DEFAULT, self->importer.pid));
	ASSERT_EQ(OK, import_as(&self->importer, self->payload, DEFAULT, &theirs));
	memcpy(&share, self->payload, sizeof(share));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &share));
	EXPECT_EQ(theirs, share);
}

TEST_F_TIMEOUT(fabric, aclrtMemExportToShareableHandleV2_without_whitelist, 240)
{
	__u64 theirs;

	ASSERT_EQ(OK, export_as(self, FABRIC, 1, self->payload));
	EXPECT_EQ(NO_PERMISSION, set_pid(&self->exporter, self->payload, FABRIC,
					 self->importer.pid));
	EXPECT_EQ(OK, import_as(&self->stranger, self->payload, FABRIC, &theirs));
}

/* The number inside is the share's, for all who may know it. */
TEST_F_TIMEOUT(fabric, aclrtMemImportFromShareableHandleV2_by_number_and_fabric, 240)
{
	__u64 first, second;

	ASSERT_EQ(OK, export_as(self, FABRIC, 1, self->payload));
	ASSERT_EQ(OK, import_as(&self->importer, self->payload, FABRIC, &first));
	ASSERT_EQ(OK, import_as(&self->importer, self->payload + TOKEN_AT, DEFAULT, &second));
	EXPECT_EQ(first, second);
}

TEST_F_TIMEOUT(fabric, aclrtMemImportFromShareableHandleV2_of_another_host, 240)
{
	char *text = self->third;
	__u64 theirs;
	int bit;

	ASSERT_EQ(OK, export_as(self, FABRIC, 0, self->payload));
	ASSERT_EQ(OK, set_pid(&self->exporter, self->payload, FABRIC, self->importer.pid));
	for (bit = 0; bit < 128; bit++) {
		memcpy(self->other, self->payload, BYTES);
		self->other[HOST_AT + bit / 8] ^= 1 << bit % 8;
		EXPECT_EQ(NOT_SUPPORTED, import_as(&self->importer, self->other, FABRIC,
						   &theirs));
		EXPECT_EQ(0, theirs);
		EXPECT_EQ(NOT_SUPPORTED, set_pid(&self->exporter, self->other, FABRIC,
						 self->stranger.pid));
	}
	EXPECT_EQ(1, acl_message(&self->importer, text));
	EXPECT_NE(NULL, strstr(text, "another host"));
	EXPECT_NE(NULL, strstr(text, "module was last loaded"));
	EXPECT_EQ(OK, import_as(&self->importer, self->payload, FABRIC, &theirs));
}

TEST_F_TIMEOUT(fabric, aclrtMemImportFromShareableHandleV2_of_what_is_not_ours, 240)
{
	__u64 theirs;
	size_t i;

	ASSERT_EQ(OK, export_as(self, FABRIC, 0, self->payload));
	ASSERT_EQ(OK, set_pid(&self->exporter, self->payload, FABRIC, self->importer.pid));
	for (i = 0; i < BYTES; i++) {
		if (i >= HOST_AT && i < ZEROS_AT)
			continue;
		memcpy(self->other, self->payload, BYTES);
		self->other[i] ^= 0x80;
		EXPECT_EQ(PARAM_INVALID, import_as(&self->importer, self->other, FABRIC, &theirs))
			TH_LOG("byte %zu", i);
		EXPECT_EQ(PARAM_INVALID, set_pid(&self->exporter, self->other, FABRIC,
						 self->importer.pid));
	}
	memset(self->other, 0, BYTES);
	EXPECT_EQ(PARAM_INVALID, import_as(&self->importer, self->other, FABRIC, &theirs));
	memset(self->other, 0xff, BYTES);
	EXPECT_EQ(PARAM_INVALID, import_as(&self->importer, self->other, FABRIC, &theirs));
	memcpy(self->other, self->payload, BYTES);
	memset(self->other + TOKEN_AT, 0, 8);
	EXPECT_EQ(PARAM_INVALID, import_as(&self->importer, self->other, FABRIC, &theirs));
	/* Ours, but of no share: as an unknown number. */
	memcpy(self->other, self->payload, BYTES);
	self->other[TOKEN_AT] ^= 1;
	EXPECT_EQ(INVALID_HANDLE, import_as(&self->importer, self->other, FABRIC, &theirs));
	/* A number is no such payload, and the reverse. */
	EXPECT_EQ(PARAM_INVALID, import_as(&self->importer, self->payload + TOKEN_AT, FABRIC,
					   &theirs));
	EXPECT_EQ(INVALID_HANDLE, import_as(&self->importer, self->payload, DEFAULT, &theirs));
}

TEST_F_TIMEOUT(fabric, aclrtMemExportToShareableHandleV2_of_bad_arguments, 240)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtMemFabricHandle payload, untouched;
	aclrtDrvMemHandle handle, imported = GARBAGE;
	int32_t me = getpid();

	memset(&payload, 0x55, sizeof(payload));
	untouched = payload;
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, NULL, 0, FABRIC, &payload);
	REFUSED(INVALID_PARAM, aclrtMemExportToShareableHandleV2, handle, 0, FABRIC, NULL);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 2, FABRIC, &payload);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, GARBAGE, 0, FABRIC, &payload);
	REFUSED(PARAM_INVALID, aclrtMemExportToShareableHandleV2, handle, 0, 4, &payload);
	EXPECT_EQ(0, memcmp(&payload, &untouched, sizeof(payload)));
	EXPECT_EQ(OK, aclrtMemExportToShareableHandleV2(handle, 0, FABRIC, &payload));
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, NULL, FABRIC, &me, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &payload, FABRIC, NULL, 1);
	REFUSED(INVALID_PARAM, aclrtMemSetPidToShareableHandleV2, &payload, FABRIC, &me, 0);
	REFUSED(PARAM_INVALID, aclrtMemSetPidToShareableHandleV2, &payload, FABRIC, &me, 65536);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, NULL, FABRIC, 0, &imported);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &payload, FABRIC, 0, NULL);
	REFUSED(INVALID_PARAM, aclrtMemImportFromShareableHandleV2, &payload, FABRIC, 1,
		&imported);
	ASSERT_EQ(OK, aclrtFreePhysical(handle));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(CONTEXT_NULL, aclrtMemImportFromShareableHandleV2, &payload, FABRIC, 0,
		&imported);
	EXPECT_EQ(GARBAGE, imported);
}

TEST_HARNESS_MAIN
