// SPDX-License-Identifier: MIT
/*
 * Memory of a virtual device cannot be exported. Loads the module with one, so
 * that it runs when nobody else uses it.
 */
#include "acl_process.h"
#include "npumem_module.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(module_virtual)
{
	struct process process;
};

FIXTURE_SETUP(module_virtual)
{
	const char *why = module_begin();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=2 capacity=64M virtual=2"));
	close(open_patiently());
	ASSERT_EQ(0, acl_start(&self->process, 0));
}

FIXTURE_TEARDOWN(module_virtual)
{
	process_end_all();
	EXPECT_TRUE(becomes_true(!unload()));
	EXPECT_TRUE(module_end());
}

/* a: handle, flags, is V2 */
static long do_export(__u64 *a)
{
	const char *name = a[2] ? "aclrtMemExportToShareableHandleV2" :
				  "aclrtMemExportToShareableHandle";
	uint64_t share = 7;
	aclError error;

	if (a[2])
		error = aclrtMemExportToShareableHandleV2(to_ptr(a[0]), a[1],
			ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, &share);
	else
		error = aclrtMemExportToShareableHandle(to_ptr(a[0]), ACL_MEM_HANDLE_TYPE_NONE,
							a[1], &share);
	if (!error)
		return OK;
	return share == 7 && acl_message_names(name) ? error : -EINVAL;
}

TEST_F_TIMEOUT(module_virtual, aclrtMemExportToShareableHandle_on_a_virtual_device, 120)
{
	__u64 virtual, real, address, flags;

	ASSERT_EQ(OK, acl_new(&self->process, 1, SIZE, 1, &virtual, &address));
	for (flags = 0; flags < 2; flags++) {
		EXPECT_EQ(NOT_SUPPORTED, process_do(&self->process, do_export, virtual, flags, 0));
		EXPECT_EQ(NOT_SUPPORTED, process_do(&self->process, do_export, virtual, flags, 1));
	}
	/* All else works there, and the other device is none. */
	EXPECT_EQ(0, client_check(&self->process, address, SIZE, 1));
	EXPECT_EQ(OK, acl_drop(&self->process, address, virtual));
	ASSERT_EQ(OK, acl_new(&self->process, 0, SIZE, 1, &real, &address));
	EXPECT_EQ(OK, process_do(&self->process, do_export, real, 0, 0));
	EXPECT_EQ(OK, acl_drop(&self->process, address, real));
}

TEST_HARNESS_MAIN
