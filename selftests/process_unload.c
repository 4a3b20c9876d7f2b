// SPDX-License-Identifier: MIT
/* The module stays while anything of it is in use. */
#include "npumem_client.h"

#include "kselftest_harness.h"

/* Never waits: O_NONBLOCK makes a module in use EWOULDBLOCK. */
static int unload(void)
{
	return syscall(SYS_delete_module, "npumem", O_NONBLOCK) ? -errno : 0;
}

TEST(a_module_that_is_open_does_not_unload)
{
	int fd = npumem_open();

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	ASSERT_EQ(0, npumem_alloc(fd, 0, G, NULL));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, close(fd));
}

TEST(a_module_that_is_mapped_does_not_unload)
{
	__u64 handle, address;
	int fd = npumem_open();

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, npumem_new_mapping(fd, 0, G, &handle, &address));
	pattern_mark(to_ptr(address), G, 1);
	ASSERT_EQ(0, npumem_free(fd, handle));
	/* Only the reservation holds the file now. */
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(-1, pattern_check(to_ptr(address), G, 1));
	EXPECT_EQ(0, munmap(to_ptr(address), G));
}

TEST(a_module_whose_descriptor_outlives_its_owner_does_not_unload)
{
	struct process child;
	int fd = npumem_open();

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, process_stop(&child));
}

TEST(an_importer_alone_keeps_the_module)
{
	__u64 handle, token, address, theirs, view;
	struct process exporter, importer;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_start_exporter(&exporter, G, NPUMEM_EXPORT_ANYONE, &handle, &token,
					   &address));
	ASSERT_EQ(0, client_import(&importer, token, 0, &theirs));
	ASSERT_EQ(0, client_map(&importer, theirs, G, &view));
	ASSERT_EQ(0, client_free(&importer, theirs));
	ASSERT_EQ(0, client_close(&importer));
	ASSERT_EQ(0, process_kill(&exporter));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, client_check(&importer, view, G, handle));
	EXPECT_EQ(0, process_stop(&importer));
}

TEST_HARNESS_MAIN
