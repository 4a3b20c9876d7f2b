// SPDX-License-Identifier: MIT
/* Ending a share by NPUMEM_UNEXPORT, and what SHARE_INFO tells of the exporter. */
#include "npumem_client.h"

#include "kselftest_harness.h"

FIXTURE(end)
{
	struct watch watch;
	struct process exporter, importer;
	__u64 handle, token, address;
};

FIXTURE_SETUP(end)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, NPUMEM_EXPORT_ANYONE,
					   &self->handle, &self->token, &self->address));
}

FIXTURE_TEARDOWN(end)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(end, unknown_token_is_ENOENT, 180)
{
	unsigned int bit;
	__u64 handle;

	EXPECT_EQ(-ENOENT, client_unexport(&self->exporter, 0));
	EXPECT_EQ(-ENOENT, client_unexport(&self->exporter, BAD_HANDLE));
	EXPECT_EQ(-ENOENT, client_unexport(&self->exporter, self->handle));
	for (bit = 0; bit < 64; bit++)
		EXPECT_EQ(-ENOENT, client_unexport(&self->exporter,
						   self->token ^ 1ULL << bit));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
}

TEST_F_TIMEOUT(end, stranger_is_EREMOTE, 180)
{
	__u64 handle, other;

	/* Neither to whoever knows the token nor to whoever has the memory. */
	EXPECT_EQ(-EREMOTE, client_unexport(&self->importer, self->token));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-EREMOTE, client_unexport(&self->importer, self->token));
	EXPECT_EQ(-EREMOTE, npumem_unexport(self->watch.fd, self->token));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &other));
	EXPECT_EQ(handle, other);
	EXPECT_EQ(2, client_references(&self->importer, handle));
}

TEST_F_TIMEOUT(end, ended_share_is_unknown_to_all, 180)
{
	struct npumem_share_info info;
	__u64 handle;

	ASSERT_EQ(0, client_unexport(&self->exporter, self->token));
	EXPECT_EQ(-ENOENT, client_unexport(&self->exporter, self->token));
	EXPECT_EQ(-ENOENT, client_unexport(&self->importer, self->token));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-ENOENT, client_import(&self->exporter, self->token, 1, &handle));
	EXPECT_EQ(-ENOENT, client_allow(&self->exporter, self->token, getpid()));
	EXPECT_EQ(-ENOENT, npumem_share_info(self->watch.fd, self->token, &info));
	/* The exporter has the memory as before. */
	EXPECT_EQ(1, client_references(&self->exporter, self->handle));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, G, self->handle));
}

TEST_F_TIMEOUT(end, importers_keep_what_they_have, 180)
{
	__u64 handle, address;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, client_unexport(&self->exporter, self->token));
	EXPECT_EQ(1, client_references(&self->importer, handle));
	ASSERT_EQ(0, client_map(&self->importer, handle, G, &address));
	EXPECT_EQ(0, client_check(&self->importer, address, G, self->handle));
	/* It is still one memory, both ways. */
	ASSERT_EQ(0, client_mark(&self->importer, address, G, 77));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, G, 77));
	ASSERT_EQ(0, process_stop(&self->exporter));
	EXPECT_EQ(0, client_check(&self->importer, address, G, 77));
	EXPECT_TRUE(watch_used(&self->watch, 0, G));
	ASSERT_EQ(0, client_unmap(&self->importer, address));
	ASSERT_EQ(0, client_free(&self->importer, handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(end, new_share_has_another_token_and_an_empty_whitelist, 180)
{
	__u64 token, third, handle, other;

	ASSERT_EQ(0, client_unexport(&self->exporter, self->token));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &token));
	EXPECT_NE(self->token, token);
	ASSERT_EQ(0, client_allow(&self->exporter, token, self->importer.pid));
	ASSERT_EQ(0, client_import(&self->importer, token, 0, &handle));

	ASSERT_EQ(0, client_unexport(&self->exporter, token));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &third));
	EXPECT_NE(token, third);
	EXPECT_NE(self->token, third);
	EXPECT_EQ(-EPERM, client_import(&self->importer, third, 0, &other));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, token, 0, &other));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, self->token, 0, &other));
	/* The old handle and what comes of the new share are the same memory. */
	ASSERT_EQ(0, client_allow(&self->exporter, third, self->importer.pid));
	EXPECT_EQ(0, client_import(&self->importer, third, 0, &other));
	EXPECT_EQ(handle, other);
	EXPECT_EQ(2, client_references(&self->importer, handle));
}

TEST_F_TIMEOUT(end, waiting_import_is_ENOENT_at_once, 180)
{
	long long wait = npumem_parameter("import_wait_ms");
	__u64 token;
	int64_t start;
	struct call call;

	ASSERT_EQ(0, client_unexport(&self->exporter, self->token));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &token));
	call = (struct call) {
		.function = client_do_import,
		.argument = { token, 0 },
	};
	ASSERT_EQ(0, npumem_set_parameter("import_wait_ms", 2 * PROCESS_PATIENCE_MS));
	start = now_ms();
	EXPECT_EQ(0, process_begin(&self->importer, &call));
	EXPECT_FALSE(process_answers(&self->importer, 500));
	EXPECT_EQ(0, client_unexport(&self->exporter, token));
	EXPECT_EQ(-ENOENT, process_end(&self->importer, &call));
	EXPECT_GT(PROCESS_PATIENCE_MS, now_ms() - start);
	EXPECT_EQ(0, npumem_set_parameter("import_wait_ms", wait));
}

/* The right is the process's, as that to extend the whitelist. */
TEST_F_TIMEOUT(end, another_descriptor_of_the_exporter_may, 180)
{
	struct npumem_memory_info info;
	int other = npumem_open();
	__u64 handle, token;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, G, &handle));
	ASSERT_EQ(0, npumem_export(self->watch.fd, handle, 0, &token));
	ASSERT_EQ(0, npumem_memory_info(self->watch.fd, handle, &info));
	EXPECT_EQ(NPUMEM_MEMORY_EXPORTED, info.flags);
	EXPECT_EQ(0, npumem_unexport(other, token));
	ASSERT_EQ(0, npumem_memory_info(self->watch.fd, handle, &info));
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(-ENOENT, npumem_unexport(self->watch.fd, token));
	EXPECT_EQ(0, npumem_free(self->watch.fd, handle));
	close(other);
}

TEST_F_TIMEOUT(end, exporter_may_after_it_freed_the_handle, 180)
{
	__u64 handle, other;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, client_unmap(&self->exporter, self->address));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &other));
	EXPECT_EQ(handle, other);
	EXPECT_EQ(0, client_unexport(&self->exporter, self->token));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, self->token, 0, &other));
	EXPECT_EQ(2, client_references(&self->importer, handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, G));
}

TEST_F_TIMEOUT(end, exporter_that_has_ended_is_0, 180)
{
	struct npumem_share_info info;
	__u64 handle;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, npumem_share_info(self->watch.fd, self->token, &info));
	EXPECT_EQ(self->exporter.pid, info.exporter);
	ASSERT_EQ(0, process_kill(&self->exporter));
	/* The share lives on with its memory, and nobody may end it. */
	ASSERT_EQ(0, npumem_share_info(self->watch.fd, self->token, &info));
	EXPECT_EQ(0, info.exporter);
	EXPECT_EQ(0, info.device);
	EXPECT_EQ(NPUMEM_EXPORT_ANYONE, info.flags);
	EXPECT_EQ(-EREMOTE, client_unexport(&self->importer, self->token));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 1, &handle));
}

TEST_HARNESS_MAIN
