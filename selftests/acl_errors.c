// SPDX-License-Identifier: MIT
/* aclGetRecentErrMsg(): what it says, to whom, and how often. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(text)
{
	struct watch watch;
	struct acl_mapping mapping;
};

FIXTURE_SETUP(text)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&self->mapping, 0, SIZE));
}

FIXTURE_TEARDOWN(text)
{
	EXPECT_EQ(OK, acl_mapping_end(&self->mapping));
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_is_NULL_when_nothing_failed, 180)
{
	EXPECT_EQ(NULL, aclGetRecentErrMsg());
	EXPECT_EQ(OK, aclrtSynchronizeDevice());
	EXPECT_EQ(NULL, aclGetRecentErrMsg());
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_is_told_once, 180)
{
	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	EXPECT_NE(NULL, aclGetRecentErrMsg());
	EXPECT_EQ(NULL, aclGetRecentErrMsg());
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_is_of_the_last_failure, 180)
{
	const char *text;

	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	EXPECT_EQ(DRIVER_ERROR, aclrtUnmapMem(GARBAGE));
	text = aclGetRecentErrMsg();
	ASSERT_NE(NULL, text);
	EXPECT_NE(NULL, strstr(text, "aclrtUnmapMem"));
	EXPECT_EQ(NULL, strstr(text, "aclrtFreePhysical"));
	EXPECT_EQ(NULL, aclGetRecentErrMsg());
}

static void *fail_in_thread(void *result)
{
	/* Nothing of what other threads did wrong. */
	*(bool *)result = !aclGetRecentErrMsg();
	*(bool *)result &= aclrtUnmapMem(GARBAGE) == DRIVER_ERROR;
	*(bool *)result &= acl_message_names("aclrtUnmapMem");
	aclrtReleaseMemAddress(GARBAGE);
	return NULL;
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_is_per_thread, 180)
{
	bool good = false;
	pthread_t thread;

	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_in_thread, &good));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(good);
	EXPECT_TRUE(acl_message_names("aclrtFreePhysical"));
}

static bool says(const char *a, const char *b)
{
	const char *text = aclGetRecentErrMsg();
	bool good = text && strcasestr(text, a) && strcasestr(text, b);

	if (!good)
		printf("# %s or %s is missing in: %s\n", a, b, text ? text : "(none)");
	return good;
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_names_the_argument_and_its_value, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	char number[32];

	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical((void *)0x12345678abcdUL));
	EXPECT_TRUE(says("handle", "0x12345678abcd"));
	EXPECT_EQ(INVALID_PARAM, aclrtMallocPhysical(&handle, SIZE, NULL, 0));
	EXPECT_TRUE(says("prop", "NULL"));
	EXPECT_EQ(INVALID_PARAM, aclrtMallocPhysical(&handle, SIZE, &prop, 5));
	EXPECT_TRUE(says("flags", "5"));
	EXPECT_EQ(PARAM_INVALID, aclrtMapMem(self->mapping.address, SIZE - 2 * MIB, 0,
					     self->mapping.handle, 0));
	snprintf(number, sizeof(number), "%llu", SIZE - 2 * MIB);
	EXPECT_TRUE(says("size", number));
	EXPECT_EQ(INVALID_DEVICE, aclrtSetDevice(29));
	EXPECT_TRUE(says("device", "29"));
	snprintf(number, sizeof(number), "%llu", SIZE + 1);
	EXPECT_EQ(OUT_OF_MEMORY, aclrtMapMem(self->mapping.address, SIZE + 1, 0,
					     self->mapping.handle, 0));
	EXPECT_TRUE(says("size", number));
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_of_out_of_memory_says_how_much_was_asked_for, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	char number[32];
	size_t free, total;

	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
	snprintf(number, sizeof(number), "%llu", total + 2 * MIB);
	EXPECT_EQ(OUT_OF_MEMORY, aclrtMallocPhysical(&handle, total + 2 * MIB, &prop, 0));
	EXPECT_TRUE(says("size", number));
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_survives_calls_that_succeed, 180)
{
	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	EXPECT_EQ(OK, aclrtSynchronizeDevice());
	EXPECT_TRUE(acl_message_names("aclrtFreePhysical"));
}

TEST_F_TIMEOUT(text, aclGetRecentErrMsg_stays_valid_until_the_next_question, 180)
{
	const char *text;
	char copy[MESSAGE_SIZE];

	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	text = aclGetRecentErrMsg();
	ASSERT_NE(NULL, text);
	snprintf(copy, sizeof(copy), "%s", text);
	EXPECT_EQ(OK, aclrtSynchronizeDevice());
	EXPECT_STREQ(copy, text);
}

TEST_F_TIMEOUT(text, error_texts_show_names_in_hexadecimal_and_numbers_in_decimal, 180)
{
	int32_t dead = process_dead_pid();
	char name[32], number[32];
	uint64_t share;

	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(self->mapping.handle,
						      ACL_MEM_HANDLE_TYPE_NONE, 0, &share));
	snprintf(name, sizeof(name), "0x%llx", to_u64(self->mapping.address) + 4096);
	EXPECT_EQ(DRIVER_ERROR, aclrtUnmapMem((char *)self->mapping.address + 4096));
	EXPECT_TRUE(says("virPtr", name));
	snprintf(name, sizeof(name), "0x%llx", to_u64(self->mapping.handle));
	snprintf(number, sizeof(number), "%llu", 2 * SIZE);
	EXPECT_EQ(OUT_OF_MEMORY, aclrtMapMem(self->mapping.address, 2 * SIZE, 0,
					     self->mapping.handle, 0));
	EXPECT_TRUE(says(name, number));
	snprintf(name, sizeof(name), "0x%lx", share);
	snprintf(number, sizeof(number), " %d", dead);
	EXPECT_EQ(DRIVER_ERROR, aclrtMemSetPidToShareableHandle(share, &dead, 1));
	EXPECT_TRUE(says(name, number));
}

/* Is the share's number in the text of the last failure, however written? */
static bool text_tells(uint64_t share)
{
	const char *text = aclGetRecentErrMsg();
	char hex[32], decimal[32];

	snprintf(hex, sizeof(hex), "%lx", share);
	snprintf(decimal, sizeof(decimal), "%lu", share);
	return !text || strcasestr(text, hex) || strstr(text, decimal);
}

TEST_F_TIMEOUT(text, error_texts_tell_a_share_only_to_whom_passed_it, 180)
{
	aclrtDrvMemHandle handle = self->mapping.handle;
	uint64_t share, out;

	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 0,
						      &share));
	EXPECT_EQ(DRIVER_ERROR, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE,
								0, &out));
	EXPECT_FALSE(text_tells(share));
	EXPECT_EQ(PARAM_INVALID, aclrtMapMem(self->mapping.address, 1, 0, handle, 0));
	EXPECT_FALSE(text_tells(share));
	EXPECT_EQ(DRIVER_ERROR, aclrtMemImportFromShareableHandle(share, 0, &handle));
	EXPECT_TRUE(text_tells(share));
}

TEST_HARNESS_MAIN
