// SPDX-License-Identifier: MIT
/* Host memory with an address. */
#include "acl_errors.h"

#include "kselftest_harness.h"

FIXTURE(malloc_host)
{
	struct acl_scene scene;
};

FIXTURE_SETUP(malloc_host)
{
	ASSERT_TRUE(acl_scene_start(&self->scene, 4 * MIB));
}

FIXTURE_TEARDOWN(malloc_host)
{
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

TEST_F_TIMEOUT(malloc_host, aclrtMallocHost_is_page_aligned, 180)
{
	const size_t sizes[] = { 1, 100, 4096, 4097, 10000, 3 * MIB };
	long page = sysconf(_SC_PAGESIZE);
	char local[16], *p[6];
	size_t i;

	for (i = 0; i < 6; i++) {
		ASSERT_EQ(OK, aclrtMallocHost((void **)&p[i], sizes[i]));
		EXPECT_EQ(0, to_u64(p[i]) % page);
		memset(p[i], i, sizes[i]);
	}
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(-1, bytes_differ(p[i], sizes[i], i));
		EXPECT_EQ(OK, aclrtMemcpy(local, 16, p[i], 1, ACL_MEMCPY_HOST_TO_HOST));
		EXPECT_EQ(OK, aclrtFreeHost(p[i]));
	}
}

TEST_F_TIMEOUT(malloc_host, aclrtMallocHost_of_bad_arguments, 180)
{
	void *p = GARBAGE;

	REFUSED(INVALID_PARAM, aclrtMallocHost, NULL, 4096);
	REFUSED(INVALID_PARAM, aclrtMallocHost, &p, 0);
	REFUSED(OUT_OF_MEMORY, aclrtMallocHost, &p, SIZE_MAX);
	REFUSED(OUT_OF_MEMORY, aclrtMallocHost, &p, SIZE_MAX - 4096);
	REFUSED(OUT_OF_MEMORY, aclrtMallocHost, &p, 1UL << 62);
	EXPECT_EQ(GARBAGE, p);
}

TEST_F_TIMEOUT(malloc_host, aclrtFreeHost_takes_what_aclrtMallocHost_gave_and_once, 180)
{
	void *p = NULL;

	ASSERT_EQ(OK, aclrtMallocHost(&p, 10000));
	memset(p, 1, 10000);
	REFUSED(INVALID_PARAM, aclrtFreeHost, NULL);
	REFUSED(PARAM_INVALID, aclrtFreeHost, &p);
	REFUSED(PARAM_INVALID, aclrtFreeHost, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtFreeHost, self->scene.mapping.address);
	REFUSED(PARAM_INVALID, aclrtFreeHost, (char *)p + 1);
	REFUSED(PARAM_INVALID, aclrtFreeHost, (char *)p + 4096);
	EXPECT_EQ(-1, bytes_differ(p, 10000, 1));
	EXPECT_EQ(OK, aclrtFreeHost(p));
	REFUSED(PARAM_INVALID, aclrtFreeHost, p);
}

TEST_F_TIMEOUT(malloc_host, aclrtMallocHost_needs_no_context, 180)
{
	void *p;

	ASSERT_EQ(OK, acl_mapping_end(&self->scene.mapping));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclrtMallocHost(&p, 4096));
	EXPECT_EQ(OK, aclrtFreeHost(p));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&self->scene.mapping, 0, 4 * MIB));
	pattern_mark(self->scene.mapping.address, 4 * MIB, 1);
}

TEST_HARNESS_MAIN
