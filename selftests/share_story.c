// SPDX-License-Identifier: MIT
/* Two processes share device memory, and either of them may go first. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define LENGTH	(4 * G)

FIXTURE(story)
{
	struct watch watch;
	struct process exporter, importer, second;
	__u64 handle, token, address;
};

FIXTURE_SETUP(story)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start(&self->second));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, LENGTH, 0, &self->handle,
					   &self->token, &self->address));
}

FIXTURE_TEARDOWN(story)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

static long enter(struct process *exporter, struct process *importer, __u64 token,
		  __u64 *handle, __u64 *address)
{
	long ret = client_allow(exporter, token, importer->pid);

	if (!ret)
		ret = client_import(importer, token, 0, handle);
	return ret ? ret : client_map(importer, *handle, LENGTH, address);
}

TEST_F_TIMEOUT(story, both_see_the_same_bytes, 240)
{
	__u64 theirs, view, value;
	__u64 offset;

	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	EXPECT_EQ(0, client_check(&self->importer, view, LENGTH, self->handle));
	for (offset = 0; offset < LENGTH; offset += G / 2 + 8) {
		ASSERT_EQ(0, client_store(&self->importer, view + offset, offset + 1));
		ASSERT_EQ(0, client_load(&self->exporter, self->address + offset, &value));
		EXPECT_EQ(offset + 1, value);
		ASSERT_EQ(0, client_store(&self->exporter, self->address + offset, ~offset));
		ASSERT_EQ(0, client_load(&self->importer, view + offset, &value));
		EXPECT_EQ(~offset, value);
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
}

TEST_F_TIMEOUT(story, import_does_not_use_more_memory, 240)
{
	__u64 theirs, view;

	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	ASSERT_EQ(0, enter(&self->exporter, &self->second, self->token, &theirs, &view));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

TEST_F_TIMEOUT(story, import_without_whitelist_entry_is_EPERM, 240)
{
	__u64 theirs, view;

	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &theirs));
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 1, &theirs));
	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	EXPECT_EQ(-EPERM, client_import(&self->second, self->token, 0, &theirs));
}

TEST_F_TIMEOUT(story, the_exporter_orderly_end, 240)
{
	__u64 theirs, view;

	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	EXPECT_EQ(0, client_unmap(&self->importer, view));
	EXPECT_EQ(0, client_free(&self->importer, theirs));
	EXPECT_EQ(-ENOENT, client_free(&self->importer, theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, client_unmap(&self->exporter, self->address));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, client_free(&self->exporter, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(0, process_stop(&self->exporter));
	EXPECT_EQ(0, process_stop(&self->importer));
}

TEST_F_TIMEOUT(story, exporter_gone_before_anyone_imported_is_ENOENT, 240)
{
	__u64 theirs;

	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	ASSERT_EQ(0, client_unmap(&self->exporter, self->address));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, self->token, 0, &theirs));
	EXPECT_EQ(-ENOENT, client_allow(&self->exporter, self->token, self->importer.pid));
	EXPECT_EQ(-ENOENT, process_do(&self->second, client_do_share_info, self->token));
}

TEST_F_TIMEOUT(story, a_mapping_alone_keeps_the_share, 240)
{
	__u64 theirs, view;

	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	EXPECT_EQ(0, client_check(&self->importer, view, LENGTH, self->handle));
}

TEST_F_TIMEOUT(story, exporter_frees_and_the_importer_keeps_the_data, 240)
{
	__u64 theirs, view, more, other;

	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	ASSERT_EQ(0, client_unmap(&self->exporter, self->address));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, client_check(&self->importer, view, LENGTH, self->handle));
	/* The share lives on, and so does its owner's right to add to it. */
	ASSERT_EQ(0, enter(&self->exporter, &self->second, self->token, &more, &other));
	EXPECT_EQ(0, client_check(&self->second, other, LENGTH, self->handle));
	EXPECT_EQ(0, client_unmap(&self->importer, view));
	EXPECT_EQ(0, client_free(&self->importer, theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, client_free(&self->second, more));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, client_unmap(&self->second, other));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, self->token, 0, &theirs));
}

FIXTURE(ending)
{
	struct watch watch;
	struct process exporter, importer, second;
	__u64 handle, token, address;
};

/* How the exporter ends. */
FIXTURE_VARIANT(ending)
{
	int (*end)(struct process *process);
};

FIXTURE_VARIANT_ADD(ending, exit)
{
	.end = process_stop,
};

FIXTURE_VARIANT_ADD(ending, kill)
{
	.end = process_kill,
};

FIXTURE_SETUP(ending)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start(&self->second));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, LENGTH, 0, &self->handle,
					   &self->token, &self->address));
}

FIXTURE_TEARDOWN(ending)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(ending, of_the_exporter_leaves_the_importer_the_data, 240)
{
	__u64 theirs, view, more, other, value;

	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->second.pid));
	ASSERT_EQ(0, variant->end(&self->exporter));
	EXPECT_EQ(0, client_check(&self->importer, view, LENGTH, self->handle));
	EXPECT_EQ(0, client_store(&self->importer, view + LENGTH - 8, 42));
	/* Whom it let in while it lived may still come. */
	ASSERT_EQ(0, client_import(&self->second, self->token, 0, &more));
	ASSERT_EQ(0, client_map(&self->second, more, LENGTH, &other));
	ASSERT_EQ(0, client_load(&self->second, other + LENGTH - 8, &value));
	EXPECT_EQ(42ULL, value);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, process_stop(&self->importer));
	ASSERT_EQ(0, client_load(&self->second, other + LENGTH - 8, &value));
	EXPECT_EQ(42ULL, value);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, client_unmap(&self->second, other));
	ASSERT_EQ(0, client_free(&self->second, more));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(-ENOENT, client_import(&self->second, self->token, 0, &more));
}

TEST_F_TIMEOUT(ending, of_the_exporter_leaves_others_refused, 240)
{
	__u64 theirs, view, more;

	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	ASSERT_EQ(0, variant->end(&self->exporter));
	EXPECT_EQ(-EPERM, client_import(&self->second, self->token, 0, &more));
	/* An importer cannot let others in. */
	EXPECT_EQ(-EREMOTE, client_allow(&self->importer, self->token, self->second.pid));
}

TEST_F_TIMEOUT(ending, of_the_exporter_alone_frees_everything, 240)
{
	__u64 theirs;

	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, variant->end(&self->exporter));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(-ENOENT, client_import(&self->importer, self->token, 0, &theirs));
}

TEST_F_TIMEOUT(ending, of_the_importer_leaves_the_exporter_the_data, 240)
{
	__u64 theirs, view;

	ASSERT_EQ(0, enter(&self->exporter, &self->importer, self->token, &theirs, &view));
	ASSERT_EQ(0, client_mark(&self->importer, view, LENGTH, 5));
	ASSERT_EQ(0, variant->end(&self->importer));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, LENGTH, 5));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, client_unmap(&self->exporter, self->address));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_HARNESS_MAIN
