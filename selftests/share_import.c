// SPDX-License-Identifier: MIT
/* What may be exported and imported, how often, by whom and for which device. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define LENGTH	(2 * G)

FIXTURE(import)
{
	struct watch watch;
	struct process exporter, importer;
	__u64 handle, token, address;
};

FIXTURE_SETUP(import)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, LENGTH, 0, &self->handle,
					   &self->token, &self->address));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
}

FIXTURE_TEARDOWN(import)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(import, tells_the_length, 180)
{
	struct call call = {
		.function = client_do_import,
		.argument = { self->token, 0 },
	};

	ASSERT_EQ(0, process_call(&self->importer, &call));
	EXPECT_EQ(LENGTH, call.argument[3]);
}

TEST_F_TIMEOUT(import, twice_gives_the_same_handle_with_two_references, 180)
{
	__u64 first, again;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &first));
	EXPECT_EQ(1, client_references(&self->importer, first));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &again));
	EXPECT_EQ(first, again);
	EXPECT_EQ(2, client_references(&self->importer, first));
	EXPECT_EQ(0, client_free(&self->importer, first));
	EXPECT_EQ(1, client_references(&self->importer, first));
	EXPECT_EQ(0, client_free(&self->importer, first));
	EXPECT_EQ(-ENOENT, client_references(&self->importer, first));
	EXPECT_EQ(-ENOENT, client_free(&self->importer, first));
}

TEST_F_TIMEOUT(import, for_another_device_gives_a_second_handle, 180)
{
	__u64 first, second;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &first));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 1, &second));
	EXPECT_NE(first, second);
	EXPECT_EQ(1, client_references(&self->importer, first));
	EXPECT_EQ(1, client_references(&self->importer, second));
	EXPECT_EQ(0, client_free(&self->importer, first));
	EXPECT_EQ(1, client_references(&self->importer, second));
	/* The memory stays where it is. */
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
}

static long do_memory_info(__u64 *a)
{
	return npumem_memory_info(client_fd, a[0], to_ptr(a[1]));
}

TEST_F_TIMEOUT(import, an_imported_handle_tells_the_exporters_device, 180)
{
	struct npumem_memory_info *info = process_shared(sizeof(*info));
	struct process importer;
	__u64 handle;

	ASSERT_NE(NULL, info);
	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, importer.pid));
	ASSERT_EQ(0, client_import(&importer, self->token, 1, &handle));
	ASSERT_EQ(0, process_do(&importer, do_memory_info, handle, to_u64(info)));
	EXPECT_EQ(NPUMEM_LOCATION_DEVICE, info->location_type);
	EXPECT_EQ(0, info->location_id);
	EXPECT_EQ(1, info->device);
	EXPECT_EQ(LENGTH, info->length);
	EXPECT_EQ(NPUMEM_MEMORY_IMPORTED | NPUMEM_MEMORY_EXPORTED, info->flags);
}

TEST_F_TIMEOUT(import, for_another_device_links_the_devices_both_ways, 180)
{
	__u64 handle, there, back;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, client_peer_status(&self->importer, 0, 1, &there));
	ASSERT_EQ(0, client_peer_status(&self->importer, 1, 0, &back));
	EXPECT_EQ(0, there);
	EXPECT_EQ(0, back);
	ASSERT_EQ(0, client_import(&self->importer, self->token, 1, &handle));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 1, &handle));
	ASSERT_EQ(0, client_peer_status(&self->importer, 0, 1, &there));
	ASSERT_EQ(0, client_peer_status(&self->importer, 1, 0, &back));
	EXPECT_EQ(1, there);
	EXPECT_EQ(1, back);
	/* The exporter's own links are its own affair. */
	ASSERT_EQ(0, client_peer_status(&self->exporter, 0, 1, &there));
	EXPECT_EQ(0, there);
}

TEST_F_TIMEOUT(import, for_a_device_that_does_not_exist_is_ENXIO, 180)
{
	__u64 handle;

	EXPECT_EQ(-ENXIO, client_import(&self->importer, self->token, 31, &handle));
	EXPECT_EQ(-ENXIO, client_import(&self->importer, self->token, 32, &handle));
	EXPECT_EQ(-ENXIO, client_import(&self->importer, self->token, 1U << 31, &handle));
	EXPECT_EQ(-ENXIO, client_import(&self->importer, self->token, NPUMEM_DEVICE_NONE,
					&handle));
}

TEST_F_TIMEOUT(import, of_the_own_export_on_its_device_is_ELOOP, 180)
{
	__u64 handle;

	EXPECT_EQ(-ELOOP, client_import(&self->exporter, self->token, 0, &handle));
	/* Being in the own whitelist does not change that. */
	client_allow(&self->exporter, self->token, self->exporter.pid);
	EXPECT_EQ(-ELOOP, client_import(&self->exporter, self->token, 0, &handle));
	EXPECT_EQ(1, client_references(&self->exporter, self->handle));
}

TEST_F_TIMEOUT(import, of_the_own_export_for_another_device_is_allowed, 180)
{
	__u64 handle, address;

	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->exporter.pid));
	ASSERT_EQ(0, client_import(&self->exporter, self->token, 1, &handle));
	EXPECT_NE(self->handle, handle);
	ASSERT_EQ(0, client_map(&self->exporter, handle, LENGTH, &address));
	EXPECT_EQ(0, client_check(&self->exporter, address, LENGTH, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
}

TEST_F_TIMEOUT(import, exporter_is_the_process_and_not_the_client, 180)
{
	struct process stranger;
	__u64 handle;

	ASSERT_EQ(0, client_start(&stranger));
	ASSERT_EQ(0, client_open(&self->exporter));
	EXPECT_EQ(-ELOOP, client_import(&self->exporter, self->token, 0, &handle));
	EXPECT_EQ(0, client_import(&self->exporter, self->token, 1, &handle));
	EXPECT_EQ(0, client_allow(&self->exporter, self->token, stranger.pid));
	EXPECT_EQ(0, client_import(&stranger, self->token, 0, &handle));
}

TEST_F_TIMEOUT(import, works_through_a_second_client_of_the_importer, 180)
{
	__u64 first, second, address;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &first));
	/* Another open(2) is another client of the same process. */
	ASSERT_EQ(0, client_open(&self->importer));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &second));
	EXPECT_NE(first, second);
	EXPECT_EQ(1, client_references(&self->importer, second));
	EXPECT_EQ(-ENOENT, client_references(&self->importer, first));
	ASSERT_EQ(0, client_map(&self->importer, second, LENGTH, &address));
	EXPECT_EQ(0, client_check(&self->importer, address, LENGTH, self->handle));
}

TEST_F_TIMEOUT(import, with_a_wrong_size_maps_nothing, 180)
{
	__u64 handle, address;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-EOVERFLOW, client_map(&self->importer, handle, LENGTH + 1, &address));
	EXPECT_EQ(-ERANGE, client_map(&self->importer, handle, LENGTH - G, &address));
	EXPECT_EQ(0, client_map(&self->importer, handle, LENGTH, &address));
}

TEST_F_TIMEOUT(import, handles_mean_nothing_in_another_process, 180)
{
	__u64 address;

	EXPECT_EQ(-ENOENT, client_free(&self->importer, self->handle));
	EXPECT_EQ(-ENOENT, client_map(&self->importer, self->handle, LENGTH, &address));
	EXPECT_EQ(-ENOENT, client_references(&self->importer, self->handle));
	EXPECT_EQ(1, client_references(&self->exporter, self->handle));
}

TEST_F_TIMEOUT(import, ends_with_the_handle_but_a_mapping_holds_the_memory, 180)
{
	__u64 handle, address;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, client_map(&self->importer, handle, LENGTH, &address));
	ASSERT_EQ(0, client_free(&self->importer, handle));
	ASSERT_EQ(0, process_kill(&self->exporter));
	EXPECT_EQ(0, client_check(&self->importer, address, LENGTH, self->handle));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LENGTH));
	ASSERT_EQ(0, client_unmap(&self->importer, address));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(import, after_the_last_free_is_a_new_import, 180)
{
	__u64 first, again;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &first));
	ASSERT_EQ(0, client_free(&self->importer, first));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &again));
	/* Handle numbers are not reused quickly: stale ones stay stale. */
	EXPECT_NE(first, again);
	EXPECT_EQ(-ENOENT, client_free(&self->importer, first));
	EXPECT_EQ(1, client_references(&self->importer, again));
}

/*
 * Imports and frees of the same share in one call of the other process: two
 * thousand calls would take longer than what they are for. Tells the handle, and
 * how many were done.
 */
static long do_import_times(__u64 *a)
{
	__u64 handle, actual;
	long ret;

	for (a[3] = 0; a[3] < a[1]; a[3]++) {
		ret = npumem_import(client_fd, a[0], 0, &handle, &actual);
		if (ret)
			return ret;
		if (a[3] && handle != a[2])
			return -EBADSLT;
		a[2] = handle;
	}
	return 0;
}

static long do_free_times(__u64 *a)
{
	long ret = 0;

	for (a[3] = 0; a[3] < a[1] && !ret; a[3]++)
		ret = npumem_free(client_fd, a[0]);
	return ret;
}

TEST_F_TIMEOUT(import, many_times_and_as_many_frees, 240)
{
	__u64 handle = 0, done = 0;

	ASSERT_EQ(0, process_get(&self->importer, &handle, 2, do_import_times, self->token,
				 2000));
	EXPECT_EQ(2000, client_references(&self->importer, handle));
	ASSERT_EQ(0, process_get(&self->importer, &done, 3, do_free_times, handle, 2000));
	EXPECT_EQ(2000, done);
	EXPECT_EQ(-ENOENT, client_free(&self->importer, handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
}

static long do_stats(__u64 *a)
{
	return npumem_stats(client_fd, to_ptr(a[0]));
}

TEST_F_TIMEOUT(import, is_counted, 180)
{
	struct npumem_stats *stats = process_shared(sizeof(*stats));
	struct process importer, stranger;
	__u64 handle;

	ASSERT_NE(NULL, stats);
	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_start(&stranger));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, importer.pid));
	ASSERT_EQ(0, client_import(&importer, self->token, 0, &handle));
	ASSERT_EQ(0, client_import(&importer, self->token, 1, &handle));
	ASSERT_EQ(0, process_do(&importer, do_stats, to_u64(stats)));
	EXPECT_EQ(2, stats->handles);
	EXPECT_EQ(2, stats->imports);
	EXPECT_EQ(0, stats->refused_imports);
	ASSERT_EQ(-EPERM, client_import(&stranger, self->token, 0, &handle));
	ASSERT_EQ(0, process_do(&stranger, do_stats, to_u64(stats)));
	EXPECT_EQ(0, stats->handles);
	EXPECT_EQ(0, stats->imports);
	EXPECT_EQ(1, stats->refused_imports);
}

static int set_limit(const char *name, long long limit)
{
	char path[128], text[24];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/module/npumem/parameters/%s", name);
	snprintf(text, sizeof(text), "%lld", limit);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -errno;
	close(fd);
	return ret;
}

/* Imports with arguments that can be read but not written back. */
static long do_import_readonly(__u64 *a)
{
	const struct npumem_import argument = {
		.size = sizeof(argument), .token = a[0], .device = a[1],
	};

	return call_readonly(client_fd, NPUMEM_IMPORT, &argument, sizeof(argument));
}

TEST_F_TIMEOUT(import, that_cannot_be_answered_changes_nothing, 180)
{
	__u64 handle, enabled;

	EXPECT_EQ(-EFAULT, process_do(&self->importer, do_import_readonly, self->token, 0));
	EXPECT_EQ(-EFAULT, process_do(&self->importer, do_import_readonly, self->token, 1));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-EFAULT, process_do(&self->importer, do_import_readonly, self->token, 0));
	EXPECT_EQ(1, client_references(&self->importer, handle));
	ASSERT_EQ(0, client_peer_status(&self->importer, 0, 1, &enabled));
	EXPECT_EQ(0, enabled);
	ASSERT_EQ(0, client_free(&self->importer, handle));
	ASSERT_EQ(0, process_kill(&self->exporter));
	/* No reference was left behind by the answers that failed. */
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(import, beyond_the_limit_of_handles_changes_nothing, 180)
{
	long long before = npumem_parameter("max_handles");
	__u64 handle, again, enabled;
	long one_more, refresh;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	ASSERT_EQ(0, set_limit("max_handles", 1));
	one_more = client_import(&self->importer, self->token, 1, &again);
	refresh = client_import(&self->importer, self->token, 0, &again);
	ASSERT_EQ(0, set_limit("max_handles", before));
	EXPECT_EQ(-EMFILE, one_more);
	/* The same handle once more needs no other. */
	EXPECT_EQ(0, refresh);
	EXPECT_EQ(2, client_references(&self->importer, handle));
	/* And the refused import has linked no devices. */
	ASSERT_EQ(0, client_peer_status(&self->importer, 0, 1, &enabled));
	EXPECT_EQ(0, enabled);
	ASSERT_EQ(0, client_peer_status(&self->importer, 1, 0, &enabled));
	EXPECT_EQ(0, enabled);
	EXPECT_EQ(0, client_import(&self->importer, self->token, 1, &again));
}

TEST_F_TIMEOUT(import, of_a_handle_cannot_be_exported_EREMOTE, 180)
{
	__u64 handle, token;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_EQ(-EREMOTE, client_export(&self->importer, handle, 0, &token));
	ASSERT_EQ(0, client_import(&self->importer, self->token, 1, &handle));
	EXPECT_EQ(-EREMOTE, client_export(&self->importer, handle, NPUMEM_EXPORT_ANYONE,
					  &token));
}

FIXTURE(export)
{
	struct watch watch;
	struct process exporter, importer;
	__u64 handle;
};

FIXTURE_SETUP(export)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start(&self->exporter));
	ASSERT_EQ(0, client_alloc(&self->exporter, 0, LENGTH, &self->handle));
}

FIXTURE_TEARDOWN(export)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(export, twice_is_EEXIST, 180)
{
	__u64 token, again;

	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &token));
	EXPECT_EQ(-EEXIST, client_export(&self->exporter, self->handle, 0, &again));
	EXPECT_EQ(-EEXIST, client_export(&self->exporter, self->handle, NPUMEM_EXPORT_ANYONE,
					 &again));
	/* The first one is as it was. */
	EXPECT_EQ(-EPERM, client_import(&self->importer, token, 0, &again));
	ASSERT_EQ(0, client_allow(&self->exporter, token, self->importer.pid));
	EXPECT_EQ(0, client_import(&self->importer, token, 0, &again));
}

static long do_retain(__u64 *a)
{
	return npumem_retain(client_fd, a[0], &a[1]);
}

TEST_F_TIMEOUT(export, through_a_retained_handle_is_the_same_share, 180)
{
	__u64 address, retained, token, again;

	ASSERT_EQ(0, client_map(&self->exporter, self->handle, LENGTH, &address));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &token));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	ASSERT_EQ(0, process_get(&self->exporter, &retained, 1, do_retain, address));
	EXPECT_EQ(-EEXIST, client_export(&self->exporter, retained, 0, &again));
	EXPECT_EQ(0, client_allow(&self->exporter, token, self->importer.pid));
	EXPECT_EQ(0, client_import(&self->importer, token, 0, &again));
}

TEST_F_TIMEOUT(export, ends_with_the_memory, 180)
{
	__u64 token, again;

	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &token));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	ASSERT_EQ(0, client_alloc(&self->exporter, 0, LENGTH, &self->handle));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &again));
	EXPECT_NE(token, again);
	EXPECT_EQ(-ENOENT, client_import(&self->importer, token, 0, &again));
}

TEST_F_TIMEOUT(export, of_an_unknown_handle_is_ENOENT, 180)
{
	__u64 token;

	EXPECT_EQ(-ENOENT, client_export(&self->exporter, self->handle + 1, 0, &token));
	EXPECT_EQ(-ENOENT, client_export(&self->exporter, 0, 0, &token));
	EXPECT_EQ(-ENOENT, client_export(&self->exporter, ~0ULL, 0, &token));
	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	EXPECT_EQ(-ENOENT, client_export(&self->exporter, self->handle, 0, &token));
}

TEST_F_TIMEOUT(export, to_anyone_needs_no_whitelist, 180)
{
	__u64 token, handle;
	struct call call = { .function = client_do_share_info };

	ASSERT_EQ(0, client_export(&self->exporter, self->handle, NPUMEM_EXPORT_ANYONE,
				   &token));
	EXPECT_EQ(-EPERM, client_allow(&self->exporter, token, self->importer.pid));
	EXPECT_EQ(0, client_import(&self->importer, token, 0, &handle));
	call.argument[0] = token;
	ASSERT_EQ(0, process_call(&self->importer, &call));
	EXPECT_EQ(self->exporter.pid, (pid_t)call.argument[1]);
	EXPECT_EQ(0, call.argument[2]);
	EXPECT_EQ(NPUMEM_EXPORT_ANYONE, call.argument[3]);
	/* But the exporter itself still has it already. */
	EXPECT_EQ(-ELOOP, client_import(&self->exporter, token, 0, &handle));
	EXPECT_EQ(0, client_import(&self->exporter, token, 1, &handle));
}

TEST_F_TIMEOUT(export, is_told_to_whoever_has_the_token, 180)
{
	struct call call = { .function = client_do_share_info };
	__u64 token;

	ASSERT_EQ(0, client_free(&self->exporter, self->handle));
	ASSERT_EQ(0, client_alloc(&self->exporter, 1, LENGTH, &self->handle));
	ASSERT_EQ(0, client_export(&self->exporter, self->handle, 0, &token));
	EXPECT_NE(0, token);
	call.argument[0] = token;
	ASSERT_EQ(0, process_call(&self->importer, &call));
	EXPECT_EQ(self->exporter.pid, (pid_t)call.argument[1]);
	EXPECT_EQ(1, call.argument[2]);
	EXPECT_EQ(0, call.argument[3]);
}

TEST_HARNESS_MAIN
