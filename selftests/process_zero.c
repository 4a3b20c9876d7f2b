// SPDX-License-Identifier: MIT
/* Nobody ever sees what another process left in memory. */
#include "npumem_client.h"

#include "kselftest_harness.h"

FIXTURE(zero)
{
	struct watch watch;
	__u64 length;
};

FIXTURE_SETUP(zero)
{
	ASSERT_TRUE(watch_start(&self->watch));
	/* Most of the device, so that pages come round again; within reason. */
	self->length = npumem_free_bytes(self->watch.fd, 0) / G * 3 / 4 * G;
	if (self->length > 256 * MIB)
		self->length = 256 * MIB;
}

FIXTURE_TEARDOWN(zero)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

static long do_fill(__u64 *a)
{
	memset(to_ptr(a[0]), 0xa5, a[1]);
	return 0;
}

/* The first offset that is not zero, or -ENODATA. */
static long do_find_data(__u64 *a)
{
	__s64 at = bytes_differ(to_ptr(a[0]), a[1], 0);

	return at < 0 ? -ENODATA : at;
}

TEST_F_TIMEOUT(zero, after_a_process_that_died_dirty, 300)
{
	struct process dirty, clean;
	__u64 handle, address;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, client_start(&dirty));
		ASSERT_EQ(0, client_alloc(&dirty, 0, self->length, &handle));
		ASSERT_EQ(0, client_map(&dirty, handle, self->length, &address));
		ASSERT_EQ(0, process_do(&dirty, do_fill, address, self->length));
		ASSERT_EQ(0, process_kill(&dirty));
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
		ASSERT_EQ(0, client_start(&clean));
		ASSERT_EQ(0, client_alloc(&clean, 0, self->length, &handle));
		ASSERT_EQ(0, client_map(&clean, handle, self->length, &address));
		EXPECT_EQ(-ENODATA, process_do(&clean, do_find_data, address, self->length));
		ASSERT_EQ(0, process_stop(&clean));
	}
}

TEST_F_TIMEOUT(zero, after_the_last_importers_release, 300)
{
	struct process exporter, importer, clean;
	__u64 handle, address, token, theirs, view;
	__u64 length = self->length / 4 / G * G;

	ASSERT_EQ(0, client_start(&exporter));
	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_start(&clean));
	ASSERT_EQ(0, client_alloc(&exporter, 0, length, &handle));
	ASSERT_EQ(0, client_export(&exporter, handle, NPUMEM_EXPORT_ANYONE, &token));
	ASSERT_EQ(0, client_import(&importer, token, 0, &theirs));
	ASSERT_EQ(0, client_map(&importer, theirs, length, &view));
	ASSERT_EQ(0, process_do(&importer, do_fill, view, length));
	ASSERT_EQ(0, client_free(&exporter, handle));
	/* What is freed here is held there: a third gets other pages. */
	ASSERT_EQ(0, client_alloc(&clean, 0, length, &handle));
	ASSERT_EQ(0, client_map(&clean, handle, length, &address));
	EXPECT_EQ(-ENODATA, process_do(&clean, do_find_data, address, length));
	ASSERT_EQ(0, client_free(&importer, theirs));
	ASSERT_EQ(0, client_unmap(&importer, view));
	EXPECT_TRUE(watch_used(&self->watch, 0, length));
	ASSERT_EQ(0, client_alloc(&clean, 0, length, &handle));
	ASSERT_EQ(0, client_map(&clean, handle, length, &address));
	EXPECT_EQ(-ENODATA, process_do(&clean, do_find_data, address, length));
}

TEST_F_TIMEOUT(zero, beyond_the_requested_length_too, 240)
{
	struct process dirty, clean;
	__u64 handle, address;

	ASSERT_EQ(0, client_start(&dirty));
	ASSERT_EQ(0, client_alloc(&dirty, 0, 8 * G, &handle));
	ASSERT_EQ(0, client_map(&dirty, handle, 8 * G, &address));
	ASSERT_EQ(0, process_do(&dirty, do_fill, address, 8 * G));
	ASSERT_EQ(0, process_stop(&dirty));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	ASSERT_EQ(0, client_start(&clean));
	ASSERT_EQ(0, client_alloc(&clean, 0, 7 * G + 1, &handle));
	ASSERT_EQ(0, client_map(&clean, handle, 7 * G + 1, &address));
	EXPECT_EQ(-ENODATA, process_do(&clean, do_find_data, address, 8 * G));
}

TEST_HARNESS_MAIN
