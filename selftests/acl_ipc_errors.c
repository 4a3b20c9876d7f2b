// SPDX-License-Identifier: MIT
/* Bad arguments of the calls for keys, one process by itself; and what is not supported. */
#include <pthread.h>

#include "acl_errors.h"
#include "acl_key.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define ANYONE	ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION

FIXTURE(ipc)
{
	struct watch watch;
	struct acl_mapping mapping;
	struct acl_state before;
	char *block;
	char key[KEY_SIZE];
};

FIXTURE_SETUP(ipc)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtMalloc((void **)&self->block, SIZE, 0));
	ASSERT_EQ(OK, acl_mapping_new(&self->mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtIpcMemGetExportKey(self->mapping.address, SIZE, self->key, KEY_SIZE,
					      0));
	pattern_mark(self->block, SIZE, 1);
	pattern_mark(self->mapping.address, SIZE, 2);
	self->before = acl_state_now(self->watch.fd);
	ASSERT_EQ(NULL, aclGetRecentErrMsg());
}

FIXTURE_TEARDOWN(ipc)
{
	char again[KEY_SIZE];

	EXPECT_TRUE(acl_state_same(self->watch.fd, &self->before));
	EXPECT_EQ(-1, pattern_check(self->block, SIZE, 1));
	EXPECT_EQ(-1, pattern_check(self->mapping.address, SIZE, 2));
	/* The key is there as it was. */
	EXPECT_EQ(OK, aclrtIpcMemGetExportKey(self->mapping.address, SIZE, again, KEY_SIZE, 0));
	EXPECT_EQ(0, memcmp(again, self->key, KEY_SIZE));
	EXPECT_EQ(OK, aclrtIpcMemClose(self->key));
	EXPECT_EQ(OK, acl_mapping_end(&self->mapping));
	EXPECT_EQ(OK, aclrtFree(self->block));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_of_bad_arguments, 180)
{
	char key[KEY_SIZE + 1], untouched[KEY_SIZE + 1];
	char *block = self->block;

	memset(key, 0x55, sizeof(key));
	memset(untouched, 0x55, sizeof(untouched));
	REFUSED(INVALID_PARAM, aclrtIpcMemGetExportKey, NULL, SIZE, key, KEY_SIZE, 0);
	REFUSED(INVALID_PARAM, aclrtIpcMemGetExportKey, block, SIZE, NULL, KEY_SIZE, 0);
	REFUSED(PARAM_INVALID, aclrtIpcMemGetExportKey, block, 0, key, KEY_SIZE, 0);
	REFUSED(PARAM_INVALID, aclrtIpcMemGetExportKey, block, SIZE, key, 0, 0);
	REFUSED(PARAM_INVALID, aclrtIpcMemGetExportKey, block, SIZE, key, KEY_SIZE - 1, 0);
	REFUSED(PARAM_INVALID, aclrtIpcMemGetExportKey, block, SIZE, key, KEY_SIZE, 2);
	REFUSED(PARAM_INVALID, aclrtIpcMemGetExportKey, block, SIZE, key, KEY_SIZE, 1UL << 63);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, block, SIZE + 1, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, block, SIZE_MAX, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, block + 1, 1, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, block + 2 * MIB, 1, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, GARBAGE, 1, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, (void *)1, 1, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, key, 1, key, KEY_SIZE, 0);
	EXPECT_EQ(0, memcmp(key, untouched, sizeof(key)));
	/* All that has not chosen the flag of the one share there is. */
	EXPECT_EQ(OK, aclrtIpcMemGetExportKey(block, SIZE, key, sizeof(key), ANYONE));
	EXPECT_EQ(0x55, key[KEY_SIZE]);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, block, SIZE, untouched, KEY_SIZE, 0);
	EXPECT_EQ(OK, aclrtIpcMemClose(key));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_of_what_is_not_device_memory, 180)
{
	char key[KEY_SIZE];
	void *host, *empty;
	int local;

	ASSERT_EQ(OK, aclrtMallocHost(&host, SIZE));
	ASSERT_EQ(OK, aclrtReserveMemAddress(&empty, SIZE, 0, NULL, 0));
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, host, SIZE, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, empty, SIZE, key, KEY_SIZE, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, &local, 1, key, KEY_SIZE, 0);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(empty));
	EXPECT_EQ(OK, aclrtFreeHost(host));
}

/* The text is of what would help: the address to pass, the bytes there are. */
TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_tells_where_the_memory_is, 180)
{
	char key[KEY_SIZE], expected[32];

	EXPECT_EQ(DRIVER_ERROR, aclrtIpcMemGetExportKey(self->block + 64, 64, key, KEY_SIZE, 0));
	snprintf(expected, sizeof(expected), "starts at %p", (void *)self->block);
	EXPECT_NE(NULL, strstr(aclGetRecentErrMsg(), expected));
	EXPECT_EQ(DRIVER_ERROR, aclrtIpcMemGetExportKey(self->block, 2 * SIZE, key, KEY_SIZE, 0));
	snprintf(expected, sizeof(expected), " %llu bytes", SIZE);
	EXPECT_NE(NULL, strstr(aclGetRecentErrMsg(), expected));
}

/* Each text that is no key, told apart by its place: 0 is the one that is. */
static const char *spoil(const char *key, int how, char *spoiled)
{
	int length = strlen(key);

	memcpy(spoiled, key, KEY_SIZE);
	switch (how) {
	case 1: spoiled[0] = '\0'; break;
	case 2: spoiled[0] ^= 1; break;
	case 3: spoiled[length - 1] = '\0'; break;
	case 4: spoiled[length - 1] = 'g'; break;
	case 5: spoiled[length - 1] = ' '; break;
	case 6: strcat(spoiled, "0"); break;
	case 7: memset(spoiled + length - 16, '0', 16); break;
	case 8: spoiled[length - 16] = '-'; break;
	case 9: memset(spoiled, '7', KEY_SIZE); break;
	case 10: spoiled[length - 16] = '\0'; break;
	case 11: memset(spoiled, 0xff, KEY_SIZE); break;
	}
	return spoiled;
}

#define SPOILED	12

/* The key whose digit @from the end, from 1, differs in one bit. */
static char *neighbour(const char *key, int from, int bit, char *other)
{
	char digit[2] = { key[strlen(key) - from] };

	memcpy(other, key, KEY_SIZE);
	other[strlen(key) - from] = "0123456789abcdef"[strtol(digit, NULL, 16) ^ 1 << bit];
	return other;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemSetImportPid_of_bad_arguments, 180)
{
	int32_t list[32] = { 0 };
	char other[KEY_SIZE];
	int i;

	list[0] = getpid();
	REFUSED(INVALID_PARAM, aclrtIpcMemSetImportPid, NULL, list, 1);
	REFUSED(INVALID_PARAM, aclrtIpcMemSetImportPid, self->key, NULL, 1);
	REFUSED(PARAM_INVALID, aclrtIpcMemSetImportPid, self->key, list, 0);
	REFUSED(PARAM_INVALID, aclrtIpcMemSetImportPid, self->key, list, 32);
	REFUSED(PARAM_INVALID, aclrtIpcMemSetImportPid, self->key, list, SIZE_MAX);
	for (i = 1; i < SPOILED; i++)
		REFUSED(INVALID_HANDLE, aclrtIpcMemSetImportPid, spoil(self->key, i, other),
			list, 1);
	/* A key in every way, but nobody's. */
	REFUSED(INVALID_HANDLE, aclrtIpcMemSetImportPid, neighbour(self->key, 1, 0, other), list,
		1);
	list[0] = 0;
	REFUSED(DRIVER_ERROR, aclrtIpcMemSetImportPid, self->key, list, 31);
	list[0] = -1;
	REFUSED(DRIVER_ERROR, aclrtIpcMemSetImportPid, self->key, list, 1);
	list[30] = getpid();
	EXPECT_EQ(OK, aclrtIpcMemSetImportPid(self->key, list, 31));
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_of_bad_arguments, 180)
{
	char other[KEY_SIZE];
	void *p = GARBAGE;
	int i;

	REFUSED(INVALID_PARAM, aclrtIpcMemImportByKey, NULL, self->key, 0);
	REFUSED(INVALID_PARAM, aclrtIpcMemImportByKey, &p, NULL, 0);
	REFUSED(PARAM_INVALID, aclrtIpcMemImportByKey, &p, self->key, 2);
	REFUSED(PARAM_INVALID, aclrtIpcMemImportByKey, &p, self->key, 1UL << 32);
	for (i = 1; i < SPOILED; i++)
		REFUSED(DRIVER_ERROR, aclrtIpcMemImportByKey, &p, spoil(self->key, i, other), 0);
	for (i = 0; i < 64; i++)
		REFUSED(DRIVER_ERROR, aclrtIpcMemImportByKey, &p,
			neighbour(self->key, i / 4 + 1, i % 4, other), 0);
	/* This process made it, and has the memory. */
	REFUSED(DRIVER_ERROR, aclrtIpcMemImportByKey, &p, self->key, 0);
	REFUSED(DRIVER_ERROR, aclrtIpcMemImportByKey, &p, self->key, 1);
	EXPECT_EQ(GARBAGE, p);
}

static void *import_without_context(void *key)
{
	void *p;
	aclError error = aclrtIpcMemImportByKey(&p, key, 0);

	return (void *)(long)error;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportByKey_without_a_context, 180)
{
	pthread_t thread;
	void *error;

	ASSERT_EQ(0, pthread_create(&thread, NULL, import_without_context, self->key));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(CONTEXT_NULL, (long)error);
}

/* The exporter's calls need none. */
static void *export_without_context(void *address)
{
	int32_t me = getpid();
	char key[KEY_SIZE];
	aclError error;

	error = aclrtIpcMemGetExportKey(address, SIZE, key, KEY_SIZE, 0);
	if (!error)
		error = aclrtIpcMemSetImportPid(key, &me, 1);
	if (!error)
		error = aclrtIpcMemClose(key);
	return (void *)(long)error;
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemGetExportKey_without_a_context, 180)
{
	pthread_t thread;
	void *error;

	ASSERT_EQ(0, pthread_create(&thread, NULL, export_without_context, self->block));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(OK, (long)error);
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemClose_of_bad_arguments, 180)
{
	char other[KEY_SIZE];
	int i;

	REFUSED(INVALID_PARAM, aclrtIpcMemClose, NULL);
	for (i = 1; i < SPOILED; i++)
		REFUSED(INVALID_HANDLE, aclrtIpcMemClose, spoil(self->key, i, other));
	REFUSED(INVALID_HANDLE, aclrtIpcMemClose, neighbour(self->key, 16, 3, other));
	ASSERT_EQ(OK, aclrtIpcMemGetExportKey(self->block, SIZE, other, KEY_SIZE, 0));
	EXPECT_EQ(OK, aclrtIpcMemClose(other));
	REFUSED(INVALID_HANDLE, aclrtIpcMemClose, other);
}

/* Keys are found by what they say, in memory of whatever kind. */
TEST_F_TIMEOUT(ipc, aclrtIpcMemClose_of_a_key_at_the_end_of_memory, 180)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int length = strlen(self->key) + 1;
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char other[KEY_SIZE];

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_NONE));
	ASSERT_EQ(OK, aclrtIpcMemGetExportKey(self->block, SIZE, other, KEY_SIZE, 0));
	memcpy(pages + page - length, other, length);
	EXPECT_EQ(OK, aclrtIpcMemClose(pages + page - length));
	REFUSED(INVALID_HANDLE, aclrtIpcMemClose, pages + page - length);
	pages[page - 1] = '\0';
	REFUSED(INVALID_HANDLE, aclrtIpcMemClose, pages + page - 1);
	memcpy(pages + page - 4, "npu", 4);
	REFUSED(INVALID_HANDLE, aclrtIpcMemClose, pages + page - 4);
	munmap(pages, 2 * page);
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemSetAttr, 180)
{
	REFUSED(INVALID_PARAM, aclrtIpcMemSetAttr, NULL, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK,
		ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_SIO);
	REFUSED(NOT_SUPPORTED, aclrtIpcMemSetAttr, self->key, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK,
		ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_SIO);
	REFUSED(NOT_SUPPORTED, aclrtIpcMemSetAttr, self->key, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK,
		ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_HCCS);
}

TEST_F_TIMEOUT(ipc, aclrtIpcMemImportPidInterServer, 180)
{
	int32_t me = getpid();
	aclrtServerPid server = { .sdid = 1, .pid = &me, .num = 1 };

	REFUSED(INVALID_PARAM, aclrtIpcMemImportPidInterServer, NULL, &server, 1);
	REFUSED(INVALID_PARAM, aclrtIpcMemImportPidInterServer, self->key, NULL, 1);
	REFUSED(NOT_SUPPORTED, aclrtIpcMemImportPidInterServer, self->key, &server, 1);
}

TEST_F_TIMEOUT(ipc, aclrtMemMapSelectedLink, 180)
{
	void *empty;

	ASSERT_EQ(OK, aclrtReserveMemAddress(&empty, SIZE, 0, NULL, 0));
	REFUSED(INVALID_PARAM, aclrtMemMapSelectedLink, NULL, SIZE, 0, self->mapping.handle, 0);
	REFUSED(INVALID_PARAM, aclrtMemMapSelectedLink, empty, SIZE, 0, NULL, 0);
	REFUSED(NOT_SUPPORTED, aclrtMemMapSelectedLink, empty, SIZE, 0, self->mapping.handle, 0);
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(empty)));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(empty));
}

TEST_HARNESS_MAIN
