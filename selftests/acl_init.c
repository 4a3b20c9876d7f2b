// SPDX-License-Identifier: MIT
/* Beginning and end, and what the library says it is. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(init)
{
	struct watch watch;
};

FIXTURE_SETUP(init)
{
	ASSERT_TRUE(watch_start(&self->watch));
}

FIXTURE_TEARDOWN(init)
{
	aclrtResetDeviceForce(0);
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(init, aclInit_and_aclFinalize_in_turn, 180)
{
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(OK, aclInit(NULL));
		REFUSED(REPEAT_INITIALIZE, aclInit, NULL);
		EXPECT_EQ(OK, aclFinalize());
		REFUSED(REPEAT_FINALIZE, aclFinalize);
	}
}

TEST_F_TIMEOUT(init, aclInit_takes_any_path, 180)
{
	const char *const paths[] = { NULL, "", "acl.json", "/no/such/file", "/" };
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		EXPECT_EQ(OK, aclInit(paths[i]));
		EXPECT_EQ(OK, aclFinalize());
	}
}

TEST_F_TIMEOUT(init, aclInit_is_optional, 180)
{
	struct acl_mapping mapping;

	REFUSED(REPEAT_FINALIZE, aclFinalize);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	/* Later is early enough, and it takes nothing away. */
	EXPECT_EQ(OK, aclInit(NULL));
	EXPECT_EQ(0, store_signal(to_u64(mapping.address)));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
}

TEST_F_TIMEOUT(init, aclFinalize_leaves_memory_to_the_program, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclFinalize());
	EXPECT_EQ(0, store_signal(to_u64(mapping.address)));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

TEST_F_TIMEOUT(init, aclFinalizeReference, 180)
{
	uint64_t count = 7;

	REFUSED(REPEAT_FINALIZE, aclFinalizeReference, &count);
	EXPECT_EQ(7, count);
	ASSERT_EQ(OK, aclInit(NULL));
	/* Those that came again are counted, too. */
	ASSERT_EQ(REPEAT_INITIALIZE, aclInit(NULL));
	ASSERT_EQ(REPEAT_INITIALIZE, aclInit(NULL));
	EXPECT_TRUE(acl_message_names("aclInit"));
	EXPECT_EQ(OK, aclFinalizeReference(&count));
	EXPECT_EQ(2, count);
	EXPECT_EQ(OK, aclFinalizeReference(NULL));
	EXPECT_EQ(OK, aclFinalizeReference(&count));
	EXPECT_EQ(0, count);
	REFUSED(REPEAT_FINALIZE, aclFinalizeReference, &count);
	REFUSED(REPEAT_FINALIZE, aclFinalize);
	/* And it begins anew, for aclFinalize whatever the count is. */
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(REPEAT_INITIALIZE, aclInit(NULL));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(acl_message_names("aclInit"));
	REFUSED(REPEAT_FINALIZE, aclFinalizeReference, NULL);
}

TEST_F_TIMEOUT(init, aclrtGetVersion, 180)
{
	int32_t major = 7, minor = 7, patch = 7;

	EXPECT_EQ(OK, aclrtGetVersion(&major, &minor, &patch));
	EXPECT_EQ(1, major);
	EXPECT_EQ(17, minor);
	EXPECT_EQ(0, patch);
	REFUSED(INVALID_PARAM, aclrtGetVersion, NULL, &minor, &patch);
	REFUSED(INVALID_PARAM, aclrtGetVersion, &major, NULL, &patch);
	REFUSED(INVALID_PARAM, aclrtGetVersion, &major, &minor, NULL);
}

TEST_F_TIMEOUT(init, aclsysGetVersionStr, 180)
{
	char text[ACL_PKG_VERSION_MAX_SIZE], runtime[] = "runtime", other[] = "no such package";

	memset(text, 7, sizeof(text));
	REFUSED(INVALID_PARAM, aclsysGetVersionStr, NULL, text);
	REFUSED(INVALID_PARAM, aclsysGetVersionStr, runtime, NULL);
	REFUSED(NOT_SUPPORTED, aclsysGetVersionStr, other, text);
	EXPECT_EQ(-1, bytes_differ(text, sizeof(text), 7));
	EXPECT_EQ(OK, aclsysGetVersionStr(runtime, text));
	EXPECT_STREQ("1.17.0", text);
}

TEST_F_TIMEOUT(init, aclrtGetSocName, 180)
{
	const char *name = aclrtGetSocName();

	/* The same whatever has been called, and programs keep the pointer. */
	EXPECT_EQ(0, strncmp(name, "Ascend910B", 10));
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(name, aclrtGetSocName());
	EXPECT_EQ(OK, aclFinalize());
}

TEST_HARNESS_MAIN
