// SPDX-License-Identifier: MIT
/* Many processes at once: one share, many importers; many shares, one importer. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define IMPORTERS	32
#define LENGTH		(2 * G)

FIXTURE(many)
{
	struct watch watch;
	struct process exporter;
	struct process importer[IMPORTERS];
	__u64 handle, token, address;
};

FIXTURE_SETUP(many)
{
	int i;

	ASSERT_TRUE(watch_start(&self->watch));
	for (i = 0; i < IMPORTERS; i++)
		ASSERT_EQ(0, client_start(&self->importer[i]));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, LENGTH, 0, &self->handle,
					   &self->token, &self->address));
	for (i = 0; i < IMPORTERS; i++)
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer[i].pid));
}

FIXTURE_TEARDOWN(many)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* a: token, seed of the pattern, own slot. Imports, maps, checks, writes, lets go. */
static long do_everything(__u64 *a)
{
	__u64 handle, view, length;
	int round;
	long ret;

	for (round = 0; round < 10; round++) {
		ret = npumem_import(client_fd, a[0], a[2] & 1, &handle, &length);
		if (!ret && length != LENGTH)
			ret = -EILSEQ;
		if (!ret)
			ret = npumem_reserve(client_fd, length, &view);
		if (!ret)
			ret = npumem_map(client_fd, view, length, handle);
		if (ret)
			return ret;
		if (pattern_check(to_ptr(view), length, a[1]) >= 0)
			return -EILSEQ;
		/* Between the words that carry the pattern. */
		((volatile __u64 *)to_ptr(view))[1 + a[2]] = a[2] + 100;
		ret = npumem_free(client_fd, handle);
		if (!ret)
			ret = npumem_unmap(client_fd, view);
		if (!ret)
			ret = npumem_release(client_fd, view);
		if (ret)
			return ret;
	}
	return 0;
}

TEST_F_TIMEOUT(many, import_one_share_at_the_same_time, 240)
{
	struct call call[IMPORTERS];
	__u64 value;
	int i;

	for (i = 0; i < IMPORTERS; i++) {
		call[i] = (struct call) {
			.function = do_everything,
			.argument = { self->token, self->handle, i },
		};
		ASSERT_EQ(0, process_begin(&self->importer[i], &call[i]));
	}
	for (i = 0; i < IMPORTERS; i++)
		EXPECT_EQ(0, process_end(&self->importer[i], &call[i]));
	for (i = 0; i < IMPORTERS; i++) {
		ASSERT_EQ(0, client_load(&self->exporter, self->address + 8 * (1 + i), &value));
		EXPECT_EQ(i + 100, value);
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

TEST_F_TIMEOUT(many, importers_keep_it_until_the_last_has_gone, 240)
{
	__u64 handle, view[IMPORTERS];
	int i;

	for (i = 0; i < IMPORTERS; i++) {
		ASSERT_EQ(0, client_import(&self->importer[i], self->token, 0, &handle));
		ASSERT_EQ(0, client_map(&self->importer[i], handle, LENGTH, &view[i]));
	}
	ASSERT_EQ(0, process_kill(&self->exporter));
	for (i = 0; i < IMPORTERS; i++) {
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
		EXPECT_EQ(0, client_check(&self->importer[i], view[i], LENGTH, self->handle));
		EXPECT_EQ(0, i % 2 ? process_kill(&self->importer[i]) :
			     process_stop(&self->importer[i]));
	}
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

/* Imports and frees a share over and over; ends when it is gone. */
static long do_race_import(__u64 *a)
{
	__u64 handle;
	long ret;

	while (!(ret = npumem_import(client_fd, a[0], 0, &handle, NULL)))
		npumem_free(client_fd, handle);
	return ret;
}

TEST_F_TIMEOUT(many, importers_race_with_the_last_free, 240)
{
	struct call call[3];
	int round, i;
	long ret;

	for (round = 0; round < 15; round++) {
		__u64 handle, token;

		ASSERT_EQ(0, client_alloc(&self->exporter, 0, G, &handle));
		ASSERT_EQ(0, client_export(&self->exporter, handle, NPUMEM_EXPORT_ANYONE,
					   &token));
		for (i = 0; i < 3; i++) {
			call[i] = (struct call) {
				.function = do_race_import, .argument = { token },
			};
			ASSERT_EQ(0, process_begin(&self->importer[i], &call[i]));
		}
		ASSERT_EQ(0, client_free(&self->exporter, handle));
		for (i = 0; i < 3; i++) {
			ret = process_end(&self->importer[i], &call[i]);
			EXPECT_TRUE(ret == -ENOENT || ret == -ESTALE)
				TH_LOG("importer %d ended with %ld", i, ret);
		}
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
	}
}

TEST_F_TIMEOUT(many, shares_of_one_exporter_are_told_apart, 240)
{
	__u64 handle[64], token[64], theirs, address, view;
	int i;

	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, client_alloc(&self->exporter, i & 1, G, &handle[i]));
		ASSERT_EQ(0, client_map(&self->exporter, handle[i], G, &address));
		ASSERT_EQ(0, client_store(&self->exporter, address + 16, 1000 + i));
		ASSERT_EQ(0, client_export(&self->exporter, handle[i], NPUMEM_EXPORT_ANYONE,
					   &token[i]));
	}
	for (i = 63; i >= 0; i--) {
		__u64 value;

		ASSERT_EQ(0, client_import(&self->importer[0], token[i], i & 1, &theirs));
		ASSERT_EQ(0, client_map(&self->importer[0], theirs, G, &view));
		ASSERT_EQ(0, client_load(&self->importer[0], view + 16, &value));
		EXPECT_EQ(1000 + i, value);
	}
}

TEST_HARNESS_MAIN
