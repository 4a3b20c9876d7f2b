// SPDX-License-Identifier: MIT
/* Memory shared by key between processes: who may have it, and how long it lives. */
#include <pthread.h>

#include "acl_errors.h"
#include "acl_key.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_MEM_HANDLE_TYPE_NONE
#define ANYONE	ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION
#define PEER	ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS
#define SEED	11
#define KEYS	64

FIXTURE(ipc)
{
	struct watch watch;
	struct process exporter, importer, stranger;
	/* Of memory of the exporter. */
	struct key *key, *other;
	__u64 address;
	/* Memory that all have. */
	char *text;
	int32_t *list;
};

FIXTURE_SETUP(ipc)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->key = process_shared(KEYS * sizeof(*self->key));
	self->text = process_shared(MESSAGE_SIZE);
	self->list = process_shared(4096);
	ASSERT_NE(NULL, self->key);
	ASSERT_NE(NULL, self->text);
	ASSERT_NE(NULL, self->list);
	self->other = self->key + 1;
	ASSERT_EQ(0, acl_start(&self->exporter, 0));
	ASSERT_EQ(0, acl_start(&self->importer, 0));
	ASSERT_EQ(0, acl_start(&self->stranger, 0));
	ASSERT_EQ(OK, acl_malloc(&self->exporter, SIZE, SEED, &self->address));
}

FIXTURE_TEARDOWN(ipc)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* A key that the importer may import by. */
static long give_key(FIXTURE_DATA(ipc) *self)
{
	long ret = acl_get_key(&self->exporter, self->address, SIZE, 0, self->key);

	return ret ? ret : acl_set_import_pid(&self->exporter, self->key, self->importer.pid);
}

/* a: address; out: type, id, page size, base, size */
static long do_describe(__u64 *a)
{
	aclrtPtrAttributes attributes;
	size_t size = 0;
	void *base = NULL;
	aclError error = aclrtPointerGetAttributes(to_ptr(a[0]), &attributes);

	a[1] = attributes.location.type;
	a[2] = attributes.location.id;
	a[3] = attributes.pageSize;
	if (!error)
		error = aclrtMemGetAddressRange(to_ptr(a[0]), &base, &size);
	a[4] = to_u64(base);
	a[5] = size;
	return error;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_of_a_block, 240)
{
	struct call describe = { .function = do_describe };
	__u64 theirs, value;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(0, theirs % (2 * MIB));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	/* It is one memory. */
	EXPECT_EQ(0, client_store(&self->importer, theirs + SIZE - 8, 77));
	EXPECT_EQ(0, client_load(&self->exporter, self->address + SIZE - 8, &value));
	EXPECT_EQ(77, value);
	describe.argument[0] = theirs + SIZE - 1;
	EXPECT_EQ(OK, process_call(&self->importer, &describe));
	EXPECT_EQ(ACL_MEM_LOCATION_TYPE_DEVICE, describe.argument[1]);
	EXPECT_EQ(0, describe.argument[2]);
	EXPECT_EQ(2 * MIB, describe.argument[3]);
	EXPECT_EQ(theirs, describe.argument[4]);
	EXPECT_EQ(SIZE, describe.argument[5]);

	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(-EFAULT, client_load(&self->importer, theirs, &value));
	EXPECT_EQ(DRIVER_ERROR, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, process_do(&self->exporter, acl_do_free_block, self->address));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_of_a_mapping, 240)
{
	__u64 handle, mapped, theirs;

	ASSERT_EQ(OK, acl_new(&self->exporter, 1, SIZE, 5, &handle, &mapped));
	/* Whether the handle is held or not. */
	ASSERT_EQ(OK, acl_get_key(&self->exporter, mapped, SIZE, 0, self->key));
	ASSERT_EQ(OK, process_do(&self->exporter, acl_do_free, handle));
	EXPECT_EQ(PARAM_INVALID, process_do(&self->exporter, acl_do_free, handle));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, mapped, SIZE, 0, self->other));
	EXPECT_EQ(0, memcmp(self->key, self->other, KEY_SIZE));
	ASSERT_EQ(OK, acl_set_import_pid(&self->exporter, self->key, self->importer.pid));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, 5));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_of_a_block_of_any_size, 240)
{
	__u64 address, theirs;

	ASSERT_EQ(OK, acl_malloc(&self->exporter, 3000000, 6, &address));
	/* What is asked for need not be all of it; the key is. */
	ASSERT_EQ(OK, acl_get_key(&self->exporter, address, 1, ANYONE, self->key));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, address, 3000000, ANYONE, self->other));
	EXPECT_EQ(0, memcmp(self->key, self->other, KEY_SIZE));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, address, 4 * MIB, ANYONE, self->other));
	EXPECT_EQ(DRIVER_ERROR, acl_get_key(&self->exporter, address, 4 * MIB + 1, ANYONE,
					    self->other));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(0, client_check(&self->importer, theirs, 3000000 & ~4095, 6));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_is_printable_and_padded, 240)
{
	int i, length;

	memset(self->key, 0xaa, 2 * sizeof(*self->key));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, 0, self->key));
	length = strnlen(self->key->text, KEY_SIZE);
	ASSERT_LT(length, KEY_SIZE);
	EXPECT_GE(length, 16);
	for (i = 0; i < length; i++)
		EXPECT_TRUE(self->key->text[i] > ' ' && self->key->text[i] <= '~');
	EXPECT_EQ(-1, bytes_differ((unsigned char *)self->key + length, KEY_SIZE - length, 0));
	EXPECT_EQ(-1, bytes_differ((unsigned char *)self->other, KEY_SIZE, 0xaa));
	/* What follows the end of the text does not matter. */
	memset(self->key->text + length + 1, 'x', KEY_SIZE - length - 1);
	EXPECT_EQ(OK, acl_set_import_pid(&self->exporter, self->key, self->importer.pid));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_refused_names_both_pids, 240)
{
	char number[16];
	__u64 theirs;

	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, 0, self->key));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->stranger, self->key, 0, &theirs));
	EXPECT_EQ(0, theirs);
	EXPECT_EQ(1, acl_message(&self->stranger, self->text));
	snprintf(number, sizeof(number), "%d", self->exporter.pid);
	EXPECT_NE(NULL, strstr(self->text, number));
	snprintf(number, sizeof(number), "%d", self->stranger.pid);
	EXPECT_NE(NULL, strstr(self->text, number));
	EXPECT_NE(NULL, strstr(self->text, "aclrtIpcMemSetImportPid"));
	/* The key itself is for nobody's log. */
	EXPECT_EQ(NULL, strstr(self->text, self->key->text));
	EXPECT_EQ(NULL, strstr(self->text, strchr(self->key->text, '-') + 1));
	ASSERT_EQ(OK, acl_set_import_pid(&self->exporter, self->key, self->stranger.pid));
	EXPECT_EQ(OK, acl_import_key(&self->stranger, self->key, 0, &theirs));
	/* When there is nobody to ask any more, it says so. */
	ASSERT_EQ(0, process_kill(&self->exporter));
	ASSERT_TRUE(becomes_true(acl_import_key(&self->importer, self->key, 0, &theirs) ==
				 DRIVER_ERROR &&
				 acl_message(&self->importer, self->text) == 1 &&
				 strstr(self->text, "has ended")));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_again_is_the_same_address, 240)
{
	__u64 first, second, value;
	int i;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &first));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, i % 2, &second));
		EXPECT_EQ(first, second);
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, client_check(&self->importer, first, SIZE, SEED));
		EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	}
	EXPECT_EQ(-EFAULT, client_load(&self->importer, first, &value));
	EXPECT_EQ(DRIVER_ERROR, acl_close_key(&self->importer, self->key));
	/* And anew. */
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &first));
	EXPECT_EQ(0, client_check(&self->importer, first, SIZE, SEED));
}

/* a: address; out: share */
static long do_export_mapping(__u64 *a)
{
	aclrtDrvMemHandle handle;
	uint64_t share = 0;
	aclError error = aclrtMemRetainAllocationHandle(to_ptr(a[0]), &handle);

	if (error)
		return error;
	error = aclrtMemExportToShareableHandle(handle, NONE, a[1], &share);
	aclrtFreePhysical(handle);
	a[2] = share;
	return error;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_after_the_number_is_one_share, 240)
{
	__u64 share, theirs, handle, view;

	ASSERT_EQ(OK, process_get(&self->exporter, &share, 2, do_export_mapping, self->address,
				  0));
	EXPECT_EQ(DRIVER_ERROR, acl_get_key(&self->exporter, self->address, SIZE, ANYONE,
					    self->other));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, 0, self->key));
	/* One whitelist, whichever door it was filled by. */
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, share, self->importer.pid));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &handle));
	ASSERT_EQ(OK, acl_map(&self->importer, handle, SIZE, 0, &view));
	EXPECT_NE(theirs, view);
	EXPECT_EQ(0, client_store(&self->importer, theirs, 99));
	EXPECT_EQ(0, client_load(&self->importer, view, &share));
	EXPECT_EQ(99, share);
	/* Each is given back by its own call. */
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(DRIVER_ERROR, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(0, client_load(&self->importer, view, &share));
	EXPECT_EQ(OK, acl_drop(&self->importer, view, handle));
	EXPECT_EQ(PARAM_INVALID, process_do(&self->importer, acl_do_free, handle));
}

TEST_F_TIMEOUT(ipc, aclrtMemExportToShareableHandle_after_the_key_is_one_share, 240)
{
	__u64 share = 0, more = 0, handle;

	ASSERT_EQ(OK, give_key(self));
	EXPECT_EQ(DRIVER_ERROR, process_get(&self->exporter, &more, 2, do_export_mapping,
					    self->address, 1));
	EXPECT_EQ(1, acl_message(&self->exporter, self->text));
	EXPECT_NE(NULL, strstr(self->text, "aclrtIpcMemClose"));
	ASSERT_EQ(OK, process_get(&self->exporter, &share, 2, do_export_mapping, self->address,
				  0));
	EXPECT_EQ(DRIVER_ERROR, process_get(&self->exporter, &more, 2, do_export_mapping,
					    self->address, 0));
	EXPECT_EQ(0, more);
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &handle));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->stranger, share, 0, &handle));
	/* Closing ends both. */
	EXPECT_EQ(OK, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->importer, share, 0, &handle));
	EXPECT_EQ(INVALID_HANDLE, acl_set_pid(&self->exporter, share, self->importer.pid));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_without_whitelist, 240)
{
	__u64 theirs;

	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, ANYONE, self->key));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, ANYONE, self->other));
	EXPECT_EQ(0, memcmp(self->key, self->other, KEY_SIZE));
	EXPECT_EQ(DRIVER_ERROR, acl_get_key(&self->exporter, self->address, SIZE, 0,
					    self->other));
	EXPECT_EQ(NO_PERMISSION, acl_set_import_pid(&self->exporter, self->key,
						    self->importer.pid));
	EXPECT_EQ(OK, acl_import_key(&self->stranger, self->key, 0, &theirs));
	EXPECT_EQ(0, client_check(&self->stranger, theirs, SIZE, SEED));
}

TEST_F_TIMEOUT(ipc, aclrtFree_before_anyone_imported_ends_the_key, 240)
{
	__u64 theirs;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, process_do(&self->exporter, acl_do_free_block, self->address));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(INVALID_HANDLE, acl_set_import_pid(&self->exporter, self->key,
						     self->importer.pid));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(DRIVER_ERROR, acl_get_key(&self->exporter, self->address, SIZE, 0,
					    self->key));
}

TEST_F_TIMEOUT(ipc, aclrtFree_leaves_the_memory_to_its_importers, 240)
{
	__u64 theirs, more;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, process_do(&self->exporter, acl_do_free_block, self->address));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	/* While anyone holds it, others may yet be let in. */
	ASSERT_EQ(OK, acl_set_import_pid(&self->exporter, self->key, self->stranger.pid));
	ASSERT_EQ(OK, acl_import_key(&self->stranger, self->key, 0, &more));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(0, client_check(&self->stranger, more, SIZE, SEED));
	EXPECT_EQ(OK, acl_close_key(&self->stranger, self->key));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->exporter, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_after_the_exporter_died, 240)
{
	__u64 theirs, again;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_set_import_pid(&self->exporter, self->key, self->stranger.pid));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(0, process_kill(&self->exporter));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	ASSERT_EQ(OK, acl_import_key(&self->stranger, self->key, 0, &again));
	EXPECT_EQ(0, client_check(&self->stranger, again, SIZE, SEED));
	EXPECT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &again));
	EXPECT_EQ(theirs, again);
	EXPECT_EQ(DRIVER_ERROR, acl_set_import_pid(&self->importer, self->key,
						   self->stranger.pid));
	/* An importer that dies without a word holds nothing. */
	ASSERT_EQ(0, process_kill(&self->stranger));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->key, 0, &again));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_of_an_exporter_that_died_before, 240)
{
	__u64 theirs;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(0, process_kill(&self->exporter));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->importer, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemClose_by_the_exporter_leaves_importers_alone, 240)
{
	__u64 theirs, again, value;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, SIZE, SEED));
	/* The key is no more, for whoever it was meant. */
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->key, 0, &again));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->stranger, self->key, 0, &again));
	EXPECT_EQ(INVALID_HANDLE, acl_set_import_pid(&self->exporter, self->key,
						     self->stranger.pid));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->exporter, self->key));
	/* What was imported by it goes back by it. */
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(-EFAULT, client_load(&self->importer, theirs, &value));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->importer, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_after_a_close_is_a_new_key, 240)
{
	__u64 theirs, again;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, acl_close_key(&self->exporter, self->key));
	/* With the other flag, too. */
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, ANYONE, self->other));
	EXPECT_NE(0, memcmp(self->key, self->other, KEY_SIZE));
	ASSERT_EQ(OK, acl_close_key(&self->exporter, self->other));
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, 0, self->other));
	/* Its whitelist is its own. */
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->other, 0, &again));
	ASSERT_EQ(OK, acl_set_import_pid(&self->exporter, self->other, self->importer.pid));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->other, 0, &again));
	EXPECT_NE(theirs, again);
	EXPECT_EQ(0, client_check(&self->importer, again, SIZE, SEED));
	/* Each import goes by its own key. */
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(0, client_check(&self->importer, again, SIZE, SEED));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->other));
	EXPECT_EQ(OK, acl_close_key(&self->exporter, self->other));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemClose_and_SetImportPid_of_others_keys, 240)
{
	__u64 theirs;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(DRIVER_ERROR, acl_close_key(&self->stranger, self->key));
	EXPECT_EQ(DRIVER_ERROR, acl_set_import_pid(&self->stranger, self->key,
						   self->stranger.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_set_import_pid(&self->importer, self->key,
						   self->stranger.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->stranger, self->key, 0, &theirs));
	/* Nothing of that has ended it. */
	EXPECT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->exporter, self->key, 0, &theirs));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, SIZE, SEED));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_of_imported_memory, 240)
{
	__u64 theirs, share, handle, view;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(DRIVER_ERROR, acl_get_key(&self->importer, theirs, SIZE, 0, self->other));
	EXPECT_EQ(1, acl_message(&self->importer, self->text));
	EXPECT_NE(NULL, strstr(self->text, "imported"));
	/* By number and mapped, it is just as little the importer's. */
	ASSERT_EQ(OK, process_get(&self->exporter, &share, 2, do_export_mapping, self->address,
				  0));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &handle));
	ASSERT_EQ(OK, acl_map(&self->importer, handle, SIZE, 0, &view));
	EXPECT_EQ(DRIVER_ERROR, acl_get_key(&self->importer, view, SIZE, 0, self->other));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, acl_drop(&self->importer, view, handle));
}

/* a: pids of process_shared(), count, key */
static long do_set_import_pids(__u64 *a)
{
	return aclrtIpcMemSetImportPid(to_ptr(a[2]), to_ptr(a[0]), a[1]);
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemSetImportPid, 240)
{
	__u64 theirs, list = to_u64(self->list), key = to_u64(self->key);
	int32_t *pids = self->list;
	int i;

	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, 0, self->key));
	for (i = 0; i < 31; i++)
		pids[i] = i % 2 ? process_dead_pid() : 0;
	EXPECT_EQ(DRIVER_ERROR, process_do(&self->exporter, do_set_import_pids, list, 31, key));
	EXPECT_EQ(DRIVER_ERROR, process_do(&self->exporter, do_set_import_pids, list, 1, key));
	EXPECT_EQ(PARAM_INVALID, process_do(&self->exporter, do_set_import_pids, list, 0, key));
	pids[30] = self->importer.pid;
	EXPECT_EQ(PARAM_INVALID, process_do(&self->exporter, do_set_import_pids, list, 32, key));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->importer, self->key, 0, &theirs));
	/* One that lives is enough; more can follow, and the same again. */
	EXPECT_EQ(OK, process_do(&self->exporter, do_set_import_pids, list, 31, key));
	EXPECT_EQ(OK, process_do(&self->exporter, do_set_import_pids, list, 31, key));
	EXPECT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->stranger, self->key, 0, &theirs));
	EXPECT_EQ(OK, acl_set_import_pid(&self->exporter, self->key, self->stranger.pid));
	EXPECT_EQ(OK, acl_import_key(&self->stranger, self->key, 0, &theirs));
}

static long do_status(__u64 *a)
{
	int32_t status = -1;
	aclError error = aclrtDevicePeerAccessStatus(a[0], a[1], &status);

	a[2] = status;
	return error;
}

/* Whether the importer has both directions, or -1. */
static int has_peers(FIXTURE_DATA(ipc) *self)
{
	__u64 there, back;

	if (process_get(&self->importer, &there, 2, do_status, 0, 1) ||
	    process_get(&self->importer, &back, 2, do_status, 1, 0) || there != back)
		return -1;
	return there;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_enables_peers_by_the_flag, 240)
{
	__u64 theirs, again;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, process_do(&self->importer, acl_do_set_device, 1));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	EXPECT_EQ(0, has_peers(self));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, PEER, &again));
	EXPECT_EQ(theirs, again);
	EXPECT_EQ(1, has_peers(self));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_for_each_device_has_its_address, 240)
{
	__u64 zero, one, again, value;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &zero));
	ASSERT_EQ(OK, process_do(&self->importer, acl_do_set_device, 1));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, PEER, &one));
	EXPECT_NE(zero, one);
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, PEER, &again));
	EXPECT_EQ(one, again);
	/* Close takes the current device's first. */
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(-EFAULT, client_load(&self->importer, one, &value));
	EXPECT_EQ(0, client_check(&self->importer, zero, SIZE, SEED));
	/* Then any. */
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(-EFAULT, client_load(&self->importer, zero, &value));
	EXPECT_EQ(DRIVER_ERROR, acl_close_key(&self->importer, self->key));
}

/* The exporter itself may import, for another device. */
TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_in_the_exporter, 240)
{
	__u64 view;

	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, 0, self->key));
	EXPECT_EQ(DRIVER_ERROR, acl_import_key(&self->exporter, self->key, 0, &view));
	ASSERT_EQ(OK, process_do(&self->exporter, acl_do_set_device, 1));
	ASSERT_EQ(OK, acl_import_key(&self->exporter, self->key, PEER, &view));
	EXPECT_EQ(0, client_check(&self->exporter, view, SIZE, SEED));
	/* First its import goes, then the key. */
	EXPECT_EQ(OK, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, SIZE, SEED));
	EXPECT_EQ(OK, acl_close_key(&self->exporter, self->key));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->exporter, self->key));
}

/* a: address; out: what the calls for blocks, mappings and reservations gave */
static long do_misuse(__u64 *a)
{
	a[1] = aclrtFree(to_ptr(a[0]));
	a[5] = acl_message_names("aclrtIpcMemClose");
	a[2] = aclrtUnmapMem(to_ptr(a[0]));
	a[5] += acl_message_names("aclrtIpcMemClose");
	a[3] = aclrtReleaseMemAddress(to_ptr(a[0]));
	a[5] += acl_message_names("aclrtIpcMemClose");
	a[4] = aclrtFreeHost(to_ptr(a[0]));
	aclGetRecentErrMsg();
	return 0;
}

TEST_F_TIMEOUT(ipc, aclrtFree_and_others_do_not_take_what_a_key_imported, 240)
{
	struct call misuse = { .function = do_misuse };

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &misuse.argument[0]));
	ASSERT_EQ(0, process_call(&self->importer, &misuse));
	EXPECT_EQ(PARAM_INVALID, misuse.argument[1]);
	EXPECT_EQ(DRIVER_ERROR, misuse.argument[2]);
	EXPECT_EQ(PARAM_INVALID, misuse.argument[3]);
	EXPECT_EQ(PARAM_INVALID, misuse.argument[4]);
	EXPECT_EQ(3, misuse.argument[5]);
	EXPECT_EQ(0, client_check(&self->importer, misuse.argument[0], SIZE, SEED));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtResetDevice_drops_what_keys_imported_for_it, 240)
{
	__u64 zero, one, value;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &zero));
	ASSERT_EQ(OK, process_do(&self->importer, acl_do_set_device, 1));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, PEER, &one));
	ASSERT_EQ(OK, process_do(&self->exporter, acl_do_free_block, self->address));
	ASSERT_EQ(OK, process_do(&self->importer, acl_do_reset_device, 0));
	EXPECT_EQ(-EFAULT, client_load(&self->importer, zero, &value));
	EXPECT_EQ(0, client_check(&self->importer, one, SIZE, SEED));
	ASSERT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_close_key(&self->importer, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtResetDevice_of_the_exporter_leaves_importers_alone, 240)
{
	__u64 theirs, again;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, process_do(&self->exporter, acl_do_reset_device, 0));
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	EXPECT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &again));
	EXPECT_EQ(theirs, again);
	/* It made the key, and may still end it. */
	EXPECT_EQ(OK, acl_close_key(&self->exporter, self->key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_of_64_blocks, 240)
{
	__u64 address[KEYS], theirs[KEYS];
	struct key *keys = self->key;
	int i, k;

	for (i = 0; i < KEYS; i++) {
		ASSERT_EQ(OK, acl_malloc(&self->exporter, 2 * MIB, 100 + i, &address[i]));
		ASSERT_EQ(OK, acl_get_key(&self->exporter, address[i], 2 * MIB, ANYONE, &keys[i]));
		for (k = 0; k < i; k++)
			EXPECT_NE(0, memcmp(&keys[k], &keys[i], KEY_SIZE));
	}
	for (i = KEYS - 1; i >= 0; i--)
		ASSERT_EQ(OK, acl_import_key(&self->importer, &keys[i], 0, &theirs[i]));
	for (i = 0; i < KEYS; i++)
		EXPECT_EQ(0, client_check(&self->importer, theirs[i], 2 * MIB, 100 + i));
	for (i = 0; i < KEYS; i += 2)
		EXPECT_EQ(OK, acl_close_key(&self->importer, &keys[i]));
	for (i = 1; i < KEYS; i += 2)
		EXPECT_EQ(0, client_check(&self->importer, theirs[i], 2 * MIB, 100 + i));
	for (i = 1; i < KEYS; i += 2)
		EXPECT_EQ(OK, acl_close_key(&self->importer, &keys[i]));
}

#define CALLS	7

/*
 * a: key, other key, address, results; in a child of this process, that has
 * started anew if a[4]. The first has been imported here, the second made.
 */
static long do_in_child(__u64 *a)
{
	aclError *result = to_ptr(a[3]);
	void *p = NULL;
	pid_t child = fork();
	int32_t me = getpid();
	int status;

	if (!child) {
		char key[KEY_SIZE];

		if (a[4])
			aclrtSetDevice(0);
		result[0] = aclrtIpcMemImportByKey(&p, to_ptr(a[0]), 0);
		result[1] = aclrtIpcMemClose(to_ptr(a[0]));
		result[2] = aclrtFree(to_ptr(a[2]));
		result[3] = aclrtIpcMemGetExportKey(to_ptr(a[2]), SIZE, key, KEY_SIZE, 0);
		result[4] = aclrtIpcMemClose(to_ptr(a[1]));
		result[5] = aclrtIpcMemSetImportPid(to_ptr(a[1]), &me, 1);
		result[6] = aclrtUnmapMem(to_ptr(a[2]));
		_exit(0);
	}
	return waitpid(child, &status, 0) != child || status;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_is_not_its_child_s, 240)
{
	aclError *result = self->list;
	__u64 theirs, mine;
	int anew, i;

	ASSERT_EQ(OK, give_key(self));
	ASSERT_EQ(OK, acl_import_key(&self->importer, self->key, 0, &theirs));
	ASSERT_EQ(OK, acl_malloc(&self->importer, SIZE, 3, &mine));
	ASSERT_EQ(OK, acl_get_key(&self->importer, mine, SIZE, 0, self->other));
	for (anew = 0; anew < 2; anew++) {
		memset(result, 0, CALLS * sizeof(*result));
		ASSERT_EQ(0, process_do(&self->importer, do_in_child, to_u64(self->key),
					to_u64(self->other), theirs, to_u64(result), anew));
		for (i = 0; i < CALLS; i++)
			EXPECT_EQ(DRIVER_ERROR, result[i])
				TH_LOG("call %d in a child that has %sstarted", i,
				       anew ? "" : "not ");
	}
	EXPECT_EQ(0, client_check(&self->importer, theirs, SIZE, SEED));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->key));
	EXPECT_EQ(OK, acl_close_key(&self->importer, self->other));
}

/* Made by the exporter, for the threads of this process. */
static struct key *shared_key;

#define THREADS	8
#define ROUNDS	100

struct worker {
	pthread_t thread;
	bool resets;
	int failures;
};

static void *import_and_close(void *argument)
{
	struct worker *worker = argument;
	void *p, *q;
	int i, rounds = repeats(ROUNDS);

	worker->failures += aclrtSetDevice(0) != OK;
	for (i = 0; i < rounds; i++) {
		worker->failures += aclrtIpcMemImportByKey(&p, shared_key->text, 0) != OK;
		worker->failures += pattern_check(p, 4096, SEED) != -1;
		worker->failures += aclrtIpcMemImportByKey(&q, shared_key->text, 0) != OK;
		worker->failures += p != q;
		worker->failures += aclrtIpcMemClose(shared_key->text) != OK;
		worker->failures += pattern_check(q, 4096, SEED) != -1;
		worker->failures += aclrtIpcMemClose(shared_key->text) != OK;
	}
	return NULL;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_and_Close_from_many_threads, 240)
{
	struct worker workers[THREADS] = { 0 };
	int i, reservations = acl_count_reservations();

	shared_key = self->key;
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, ANYONE, self->key));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, import_and_close,
					    &workers[i]));
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].failures);
	}
	EXPECT_EQ(DRIVER_ERROR, aclrtIpcMemClose(self->key->text));
	EXPECT_EQ(reservations, acl_count_reservations());
	EXPECT_EQ(OK, process_do(&self->exporter, acl_do_free_block, self->address));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	aclrtResetDeviceForce(0);
}

/* Nothing here is read or written: resets take it at any time. */
static void *import_under_resets(void *argument)
{
	struct worker *worker = argument;
	aclError error;
	void *p;
	int i, rounds = repeats(ROUNDS);

	for (i = 0; i < rounds; i++) {
		worker->failures += aclrtSetDevice(0) != OK;
		if (worker->resets) {
			aclrtResetDeviceForce(0);
			continue;
		}
		error = aclrtIpcMemImportByKey(&p, shared_key->text, 0);
		worker->failures += error && error != CONTEXT_NULL;
		if (error)
			continue;
		error = aclrtIpcMemClose(shared_key->text);
		worker->failures += error && error != DRIVER_ERROR;
	}
	return NULL;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_with_resets_leaks_nothing, 240)
{
	struct worker workers[THREADS] = { 0 };
	int i, reservations = acl_count_reservations();

	shared_key = self->key;
	ASSERT_EQ(OK, acl_get_key(&self->exporter, self->address, SIZE, ANYONE, self->key));
	for (i = 0; i < THREADS; i++) {
		workers[i].resets = i % 4 == 0;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, import_under_resets,
					    &workers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].failures);
	}
	EXPECT_EQ(OK, aclrtResetDeviceForce(0));
	EXPECT_EQ(reservations, acl_count_reservations());
	EXPECT_EQ(OK, process_do(&self->exporter, acl_do_free_block, self->address));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_HARNESS_MAIN
