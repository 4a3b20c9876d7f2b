// SPDX-License-Identifier: MIT
/*
 * Every step of the life of a memory in one process fails once at each allocation, and
 * at each copy from and to user space, that it makes: nothing may have changed then, and
 * the next attempt succeeds. What gives back succeeds without any memory at all.
 */
#include "kselftest_harness.h"
#include "fail_steps.h"

#include <sys/uio.h>

/* The first of a process registers its notifier. */
TEST_F_TIMEOUT(fail, open, 300)
{
	static const struct step steps[] = {
		STEP("open the first time", open_node, close_node, .flags = IN_OTHER),
		STEP("open", open_node, close_node),
		STEP("close", close_node, open_node, .flags = NEVER_FAILS),
		STEP("open, with what is around it", open_node, close_node,
		     .flags = WIDE | SAMPLED),
	};

	fail_steps(steps);
}

static long alloc_less(void)
{
	return npumem_alloc_flags(fd, 0, G - 1, 0, &me->second, NULL);
}

static long alloc_many(void)
{
	return npumem_alloc(fd, 1, 64 * G, &me->second);
}

static long alloc_host(void)
{
	return npumem_alloc_at(fd, NPUMEM_LOCATION_HOST, 0, G, &me->second);
}

static long alloc_numa(void)
{
	return npumem_alloc_at(fd, NPUMEM_LOCATION_HOST_NUMA, 0, G, &me->second);
}

TEST_F_TIMEOUT(fail, memory, 300)
{
	static const struct step steps[] = {
		STEP("alloc", alloc, free_memory),
		STEP("alloc of less than it gets", alloc_less, free_second),
		STEP("free of that", free_second, alloc_less, .flags = NEVER_FAILS),
		STEP("alloc of the host", alloc_host, free_second),
		STEP("free of that", free_second, alloc_host, .flags = NEVER_FAILS),
		STEP("alloc of a node", alloc_numa, free_second),
		STEP("free of that", free_second, alloc_numa, .flags = NEVER_FAILS),
		STEP("alloc of 64 chunks", alloc_many, free_second,
		     .flags = SAMPLED | OF_PAGES),
		STEP("free", free_memory, alloc, .flags = NEVER_FAILS),
	};

	ASSERT_EQ(0, open_node());
	fail_steps(steps);
}

static long map_no_access(void)
{
	return npumem_map_flags(fd, me->at, LENGTH, me->handle, NPUMEM_MAP_NO_ACCESS);
}

/* Three mappings of one memory, which holds a reservation of its own for them. */
#define BATCH	3

static __u64 batch_at;

static long reserve_for_batch(void)
{
	return npumem_reserve(fd, BATCH * LENGTH, &batch_at);
}

static long map_batch(void)
{
	struct npumem_map_entry entries[BATCH];
	int i;

	for (i = 0; i < BATCH; i++)
		entries[i] = (struct npumem_map_entry) {
			batch_at + i * LENGTH, LENGTH, me->handle,
		};
	return npumem_map_batch(fd, entries, BATCH, 0);
}

static long unmap_batch(void)
{
	const __u64 addresses[BATCH] = { batch_at, batch_at + LENGTH, batch_at + 2 * LENGTH };

	return npumem_unmap_batch(fd, addresses, BATCH);
}

/* The array of addresses is all that it may lack memory for. */
static long unmap_and_release(void)
{
	return munmap(to_ptr(batch_at), BATCH * LENGTH) ? -errno : 0;
}

static long ask(void)
{
	struct npumem_memory_info memory;
	struct npumem_device_info device;
	struct npumem_query query;
	struct npumem_range range;
	struct npumem_stats stats;
	__s32 tgid;
	__u32 x;
	long ret;

	ret = npumem_query(fd, &query);
	ret = ret ? ret : npumem_host_tgid(fd, &tgid);
	ret = ret ? ret : npumem_device_info(fd, 0, &device);
	ret = ret ? ret : npumem_device_info(fd, NPUMEM_DEVICE_NONE, &device);
	ret = ret ? ret : npumem_memory_info(fd, me->handle, &memory);
	ret = ret ? ret : npumem_stats(fd, &stats);
	ret = ret ? ret : npumem_get_access(fd, me->at, 0, &x);
	ret = ret ? ret : npumem_range(fd, me->at + 1, &range);
	return ret ? ret : npumem_peer_status(fd, 0, 1, &x);
}

TEST_F_TIMEOUT(fail, batch, 300)
{
	static const struct step steps[] = {
		STEP("map three at once", map_batch, unmap_batch),
		STEP("unmap them", unmap_batch, map_batch),
	};

	ASSERT_EQ(0, open_node());
	ASSERT_EQ(0, find_addresses());
	ASSERT_EQ(0, reserve());
	ASSERT_EQ(0, alloc_and_map());
	ASSERT_EQ(0, reserve_for_batch());
	fail_steps(steps);
	EXPECT_EQ(0, unmap_and_release());
}

/* Of all but the first granule, by three entries of two locations. */
static long split_for_two(void)
{
	const struct npumem_access entries[] = {
		{ .location_type = NPUMEM_LOCATION_DEVICE },
		{ .location_type = NPUMEM_LOCATION_HOST, .access = NPUMEM_ACCESS_READ },
		{ .location_type = NPUMEM_LOCATION_DEVICE, .access = NPUMEM_ACCESS_READ },
	};

	return npumem_set_access_list(fd, me->at + G, 2 * G, entries, 3);
}

static long merge_for_two(void)
{
	const struct npumem_access entries[] = {
		{ .location_type = NPUMEM_LOCATION_DEVICE, .access = NPUMEM_ACCESS_READWRITE },
		{ .location_type = NPUMEM_LOCATION_HOST },
	};

	return npumem_set_access_list(fd, me->at, LENGTH, entries, 2);
}

static long take_all_rights(void)
{
	return npumem_set_access(fd, me->at, LENGTH, 0, NPUMEM_ACCESS_NONE);
}

static char host_bytes[LENGTH];

static long copy_out(void)
{
	return npumem_copy(fd, 0, host_bytes, to_ptr(me->at), LENGTH);
}

/* What was copied out, so that it makes no difference. */
static long copy_in(void)
{
	return npumem_copy(fd, 0, to_ptr(me->at), host_bytes, LENGTH);
}

static long copy_within(void)
{
	return npumem_copy(fd, 0, to_ptr(me->at), to_ptr(me->at), LENGTH);
}

/* Between the words that are looked at, which is as good. */
static long fill(void)
{
	return npumem_fill(fd, 0, to_ptr(me->at + 64), 256, 7);
}

TEST_F_TIMEOUT(fail, mapping, 300)
{
	static const struct step first[] = {
		STEP("reserve", reserve, unreserve),
		STEP("release", release, reserve),
		STEP("reserve, with what is around it", reserve, unreserve,
		     .flags = WIDE | SAMPLED),
		STEP("map without rights", map_no_access, unmap),
		STEP("unmap of that", unmap, map_no_access, .flags = NEVER_FAILS),
		STEP("map", map, unmap),
	}, second[] = {
		STEP("questions", ask, NULL),
		STEP("set rights of a part", split, merge),
		STEP("set them back", merge, split),
		STEP("set rights of two locations", split_for_two, merge_for_two),
		STEP("set them back", merge_for_two, split_for_two),
		STEP("take all rights", take_all_rights, merge),
		STEP("give all rights", merge, take_all_rights),
		STEP("copy out", copy_out, NULL),
		STEP("copy in", copy_in, NULL),
		STEP("copy within", copy_within, NULL),
		STEP("fill", fill, NULL),
		STEP("retain", retain, free_second),
		STEP("free of that", free_second, retain, .flags = NEVER_FAILS),
		STEP("free what is mapped", free_memory, retain_memory,
		     .flags = NEVER_FAILS),
		STEP("retain what is only mapped", retain_memory, free_memory),
		STEP("unmap", unmap, map, .flags = NEVER_FAILS),
		STEP("map again", map, unmap),
		STEP("munmap", take_away, reserve_and_map, .flags = NEVER_FAILS),
		STEP("reserve again", reserve, unreserve),
		STEP("map again", map, unmap),
		STEP("reset", reset, alloc_and_map, .flags = NEVER_FAILS),
	};

	ASSERT_EQ(0, open_node());
	ASSERT_EQ(0, alloc());
	ASSERT_EQ(0, find_addresses());
	fail_steps(first);
	mark();
	fail_steps(second);
}

/* ---- page tables ---- */

/*
 * Page faults of a system call, which makes an error of a fault that fails: that of the
 * program itself would be tried again, with a word in the kernel's log.
 */
static int sink = -1;

static long touch(void)
{
	struct iovec words[GRANULES];
	ssize_t n;
	int i;

	for (i = 0; i < GRANULES; i++)
		words[i] = (struct iovec) { to_ptr(me->at + i * G), 8 };
	n = pwritev(sink, words, GRANULES, 0);
	return n < 0 ? -errno : n < 8 * GRANULES ? -EFAULT : 0;
}

/* Then the page tables are gone too. */
static long drop(void)
{
	long ret = unreserve();

	return ret ? ret : reserve();
}

static long check_and_drop(void)
{
	long ret = is_marked();

	return ret ? ret : drop();
}

/* Maps without populating, for which no memory is found. */
static long map_empty(void)
{
	const struct inject_scope now = inject_now;
	unsigned long start, end;
	long ret = drop();

	if (ret || !inject_function("fixup_user_fault", &start, &end))
		return ret ? ret : -ENOSYS;
	inject_among(INJECT_PAGE, start, end, INJECT_NOT_KMEMLEAK);
	inject_always(true);
	inject_make_it_fail(true);
	ret = map();
	inject_make_it_fail(false);
	inject_always(false);
	inject_among(now.kinds, now.start, now.end, now.but);
	return ret;
}

static void make_page_tables_fail(struct __test_metadata *_metadata)
{
	static const struct step steps[] = {
		STEP("map", map, check_and_drop),
		STEP("touch what is not present", touch, is_marked, .ready = map_empty,
		     .flags = WIDE | UNTOUCHED | SAMPLED),
		STEP("set rights of a part", split, merge),
	};
	struct npumem_stats first, second;

	sink = memfd_create("sink", MFD_CLOEXEC);
	ASSERT_LE(0, sink);
	ASSERT_EQ(0, find_addresses());
	ASSERT_EQ(0, reserve());
	ASSERT_EQ(0, alloc_and_map());
	ASSERT_EQ(0, touch());
	/* The premise: after map_empty() nothing is present. */
	ASSERT_EQ(0, map_empty());
	ASSERT_EQ(0, npumem_stats(fd, &first));
	ASSERT_EQ(0, is_marked());
	ASSERT_EQ(0, npumem_stats(fd, &second));
	EXPECT_LT(first.faults, second.faults);
	ASSERT_EQ(0, drop());
	fail_steps(steps);
	close(sink);
}

TEST_F_TIMEOUT(fail, page_tables, 300)
{
	ASSERT_EQ(0, open_node());
	make_page_tables_fail(_metadata);
}

TEST_F_TIMEOUT(fail, page_tables_of_base_entries, 300)
{
	long long was = npumem_parameter("pmd_entries");
	long ret;

	/* Decided when a client begins. */
	ASSERT_EQ(0, npumem_set_parameter("pmd_entries", 0));
	ret = open_node();
	EXPECT_EQ(0, npumem_set_parameter("pmd_entries", was));
	ASSERT_EQ(0, ret);
	make_page_tables_fail(_metadata);
}

TEST_HARNESS_MAIN
