// SPDX-License-Identifier: MIT
/*
 * Programs that make as few calls as they get by with, with sizes as they come,
 * and that take an error for what it says.
 */
#include <pthread.h>

#include "acl_program.h"

#include "kselftest_harness.h"

#define SIZE	(2 * MIB)
/* No multiple of anything; two granules. */
#define ODD	3000000UL
#define HELD	(4 * MIB)

FIXTURE(plain)
{
	struct watch watch;
	struct process other;
};

FIXTURE_SETUP(plain)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, process_start(&self->other));
}

FIXTURE_TEARDOWN(plain)
{
	process_end_all();
	EXPECT_TRUE(watch_end(&self->watch));
}

/*
 * No aclInit, no granularity, no SetAccess, no aclFinalize. a: device, seed;
 * out: share, handle, address
 */
static long do_export_plainly(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(a[0]);
	aclrtDrvMemHandle handle;
	uint64_t share = 0;
	void *address;
	aclError error = aclrtSetDevice(a[0]);

	if (!error)
		error = aclrtMallocPhysical(&handle, ODD, &prop, 0);
	if (!error)
		error = aclrtReserveMemAddress(&address, ODD, 0, NULL, 0);
	if (!error)
		error = aclrtMapMem(address, ODD, 0, handle, 0);
	if (error)
		return error;
	pattern_fill(address, ODD, a[1]);
	error = aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE,
		ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, &share);
	a[2] = share;
	a[3] = to_u64(handle);
	a[4] = to_u64(address);
	return error;
}

/* a: device, seed, share. Imports, looks, writes a byte, lets go. */
static long do_import_plainly(__u64 *a)
{
	aclrtDrvMemHandle handle;
	unsigned char *address;
	aclError error = aclrtSetDevice(a[0]);

	if (!error)
		error = aclrtMemImportFromShareableHandle(a[2], a[0], &handle);
	if (!error)
		error = aclrtReserveMemAddress((void **)&address, ODD, 0, NULL, 0);
	if (!error)
		error = aclrtMapMem(address, ODD, 0, handle, 0);
	if (error)
		return error;
	if (pattern_verify(address, ODD, a[1]) >= 0)
		return -EILSEQ;
	/* The rest of the last page was never given to anybody. */
	if (bytes_differ(address + ODD, HELD - 1 - ODD, 0) >= 0)
		return -EILSEQ;
	address[HELD - 1]++;
	error = aclrtUnmapMem(address);
	if (!error)
		error = aclrtReleaseMemAddress(address);
	return error ? error : aclrtFreePhysical(handle);
}

TEST_F_TIMEOUT(plain, no_init_no_set_access_no_granularity, 120)
{
	__u64 arguments[8] = { 0, 5 };

	ASSERT_EQ(OK, do_export_plainly(arguments));
	EXPECT_TRUE(watch_used(&self->watch, 0, HELD));
	EXPECT_EQ(OK, process_do(&self->other, do_import_plainly, 0, 5, arguments[2]));
	EXPECT_EQ(1, ((unsigned char *)to_ptr(arguments[4]))[HELD - 1]);
	EXPECT_EQ(OK, aclrtUnmapMem(to_ptr(arguments[4])));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(to_ptr(arguments[4])));
	EXPECT_EQ(OK, aclrtFreePhysical(to_ptr(arguments[3])));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

/* Not even a device: memory needs none to be had, mapped and exported. */
TEST_F_TIMEOUT(plain, no_device_either, 120)
{
	struct acl_mapping mapping;
	aclrtContext context = GARBAGE;
	uint64_t share;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	pattern_mark(mapping.address, SIZE, 3);
	EXPECT_EQ(OK, aclrtMemExportToShareableHandle(mapping.handle, ACL_MEM_HANDLE_TYPE_NONE,
		ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, &share));
	EXPECT_EQ(OK, aclrtGetCurrentContext(&context));
	EXPECT_EQ(NULL, context);
	EXPECT_EQ(-1, pattern_check(mapping.address, SIZE, 3));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

/* Where nothing is current it sets a device; other threads get its context. */
static void *use_context(void *context)
{
	aclrtContext now = GARBAGE;
	struct acl_mapping mapping;
	void *block;

	if (aclrtGetCurrentContext(&now) || now ||
	    aclrtMalloc(&block, SIZE, ACL_MEM_MALLOC_HUGE_FIRST) != CONTEXT_NULL)
		return NULL;
	if (aclrtSetCurrentContext(context) || aclrtGetCurrentContext(&now) || now != context)
		return NULL;
	if (aclrtMalloc(&block, SIZE, ACL_MEM_MALLOC_HUGE_FIRST) ||
	    acl_mapping_new(&mapping, 1, SIZE) ||
	    aclrtMemset(block, SIZE, 7, SIZE) ||
	    aclrtMemcpy(mapping.address, SIZE, block, SIZE, ACL_MEMCPY_DEVICE_TO_DEVICE) ||
	    bytes_differ(mapping.address, SIZE, 7) >= 0 ||
	    aclrtFree(block) || acl_mapping_end(&mapping))
		return NULL;
	return context;
}

TEST_F_TIMEOUT(plain, current_context_where_there_is_none, 120)
{
	aclrtContext context = GARBAGE, again;
	pthread_t thread;
	void *result;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(OK, aclrtGetCurrentContext(&context));
		ASSERT_EQ(NULL, context);
	}
	EXPECT_EQ(NULL, aclGetRecentErrMsg());
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&context));
	ASSERT_NE(NULL, context);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, use_context, context));
		ASSERT_EQ(0, pthread_join(thread, &result));
		EXPECT_EQ(context, result);
	}
	ASSERT_EQ(OK, aclrtGetCurrentContext(&again));
	EXPECT_EQ(context, again);
	EXPECT_EQ(OK, aclrtResetDevice(1));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&context));
	EXPECT_EQ(NULL, context);
}

TEST_F_TIMEOUT(plain, reservations_of_512_bytes, 120)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	char *address[64];
	int i, k;

	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, 512, &prop, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&address[i], 512, 0, NULL, 0));
		EXPECT_EQ(0, to_u64(address[i]) % SIZE);
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(address[i])));
		for (k = 0; k < i; k++)
			EXPECT_TRUE(address[i] - address[k] >= (long)SIZE ||
				    address[k] - address[i] >= (long)SIZE);
	}
	/* One memory, seen at each: with the size as it was asked for, or rounded. */
	for (i = 0; i < 64; i++)
		ASSERT_EQ(OK, aclrtMapMem(address[i], i & 1 ? 512 : SIZE, 0, handle, 0));
	for (i = 0; i < 64; i++) {
		address[i][511] = i + 1;
		EXPECT_EQ(i + 1, address[63 - i][511]);
		EXPECT_EQ(0, address[i][SIZE - 1]);
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	for (i = 0; i < 64; i++) {
		EXPECT_EQ(OK, aclrtUnmapMem(address[i]));
		EXPECT_EQ(OK, aclrtReleaseMemAddress(address[i]));
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

static aclError grant(void *address, size_t size, int flags)
{
	aclrtMemAccessDesc desc = {
		.flags = flags,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	return aclrtMemSetAccess(address, size, &desc, 1);
}

TEST_F_TIMEOUT(plain, allocations_of_3000000_bytes, 120)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle[3];
	char *range;
	int i;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&range, 3 * ODD, 0, NULL, 0));
	/* Three times the rounded size do not fit into three times the raw one. */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(OK, aclrtMallocPhysical(&handle[i], ODD, &prop, 0));
		ASSERT_EQ(OK, aclrtMapMem(range + i * HELD, ODD, 0, handle[i], 0));
		EXPECT_EQ(OK, grant(range + i * HELD, ODD, ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
		EXPECT_EQ(OK, aclrtMemset(range + i * HELD, ODD, i + 1, ODD));
		EXPECT_EQ(-1, bytes_differ(range + i * HELD, ODD, i + 1));
		EXPECT_EQ(-1, bytes_differ(range + i * HELD + ODD, HELD - ODD, 0));
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * HELD));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle[2], ODD, &prop, 0));
	REFUSED(DRIVER_ERROR, aclrtMapMem, range + 2 * HELD, ODD, 0, handle[2], 0);
	REFUSED(DRIVER_ERROR, aclrtMapMem, range + ODD, ODD, 0, handle[2], 0);
	REFUSED(OUT_OF_MEMORY, aclrtMapMem, range, 2 * ODD, 0, handle[2], 0);
	REFUSED(PARAM_INVALID, aclrtMapMem, range, SIZE, 0, handle[2], 0);
	EXPECT_EQ(OK, aclrtFreePhysical(handle[2]));
	/* A right for the raw size is one for all that was mapped with it. */
	ASSERT_EQ(OK, grant(range, ODD, ACL_RT_MEM_ACCESS_FLAGS_READ));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(range + HELD - 1)));
	EXPECT_EQ(0, load_signal(to_u64(range + HELD - 1)));
	EXPECT_EQ(0, store_signal(to_u64(range + HELD)));
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, range + ODD / SIZE * SIZE);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(OK, aclrtUnmapMem(range + i * HELD));
		EXPECT_EQ(OK, aclrtFreePhysical(handle[i]));
	}
	EXPECT_EQ(OK, aclrtReleaseMemAddress(range));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

/* Exported once, the number is kept; whoever asks for it gets it, for as long as it lasts. */
TEST_F_TIMEOUT(plain, number_exported_once_and_cached, 120)
{
	__u64 arguments[8] = { 1, 9 };
	uint64_t again;
	struct process late;
	int i;

	ASSERT_EQ(OK, do_export_plainly(arguments));
	for (i = 0; i < 3; i++) {
		REFUSED(DRIVER_ERROR, aclrtMemExportToShareableHandle, to_ptr(arguments[3]),
			ACL_MEM_HANDLE_TYPE_NONE, i & 1, &again);
		ASSERT_EQ(0, process_start(&late));
		EXPECT_EQ(OK, process_do(&late, do_import_plainly, i & 1, 9, arguments[2]));
		EXPECT_EQ(OK, process_do(&self->other, do_import_plainly, 1, 9, arguments[2]));
		EXPECT_EQ(0, i & 1 ? process_stop(&late) : process_kill(&late));
		/* What they added up so far; each wants to see zeros before it. */
		EXPECT_EQ(2 * i + 2, ((unsigned char *)to_ptr(arguments[4]))[HELD - 1]);
	}
	/* It needs nobody's pid, and takes none. */
	REFUSED(NO_PERMISSION, aclrtMemSetPidToShareableHandle, arguments[2],
		&(int32_t){ self->other.pid }, 1);
	/* Mapped, the memory is there though its handle is not. */
	EXPECT_EQ(OK, aclrtFreePhysical(to_ptr(arguments[3])));
	EXPECT_EQ(OK, process_do(&self->other, do_import_plainly, 1, 9, arguments[2]));
	EXPECT_EQ(OK, aclrtUnmapMem(to_ptr(arguments[4])));
	EXPECT_EQ(INVALID_HANDLE, process_do(&self->other, do_import_plainly, 1, 9,
					     arguments[2]));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(to_ptr(arguments[4])));
	EXPECT_EQ(OK, aclrtResetDevice(1));
}

/* A cache of blocks: out of memory, it frees those that are not in use and retries. */
#define BLOCK	(32 * MIB)
#define BLOCKS	256

struct cache {
	struct acl_mapping mapping[BLOCKS];
	int count;
};

static void free_cached(struct __test_metadata *_metadata, struct cache *cache, int keep)
{
	while (cache->count > keep) {
		cache->count--;
		EXPECT_EQ(OK, acl_mapping_end(&cache->mapping[cache->count]));
	}
}

TEST_F_TIMEOUT(plain, out_of_memory_frees_the_cache_and_retries, 180)
{
	struct cache cache = { .count = 0 };
	size_t free, full;
	void *block;
	int round;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	free = program_free();
	for (round = 0; round < 3; round++) {
		struct acl_mapping *next = &cache.mapping[cache.count];
		aclError error;

		while (!(error = acl_mapping_new(next, 0, BLOCK))) {
			next = &cache.mapping[++cache.count];
			ASSERT_GT(BLOCKS, cache.count);
		}
		EXPECT_EQ(OUT_OF_MEMORY, error);
		EXPECT_TRUE(acl_message_names("aclrtMallocPhysical"));
		full = program_free();
		EXPECT_EQ(free - cache.count * BLOCK, full);
		EXPECT_GT(BLOCK, full);
		/* So it is for blocks of the other kind. */
		block = GARBAGE;
		REFUSED(OUT_OF_MEMORY, aclrtMalloc, &block, BLOCK, ACL_MEM_MALLOC_HUGE_FIRST);
		EXPECT_EQ(GARBAGE, block);
		EXPECT_EQ(full, program_free());
		/* More than there ever was: no cache helps. */
		REFUSED(OUT_OF_MEMORY, aclrtMalloc, &block, 1UL << 50, ACL_MEM_MALLOC_HUGE_FIRST);
		free_cached(_metadata, &cache, cache.count / 2);
		ASSERT_EQ(OK, aclrtMalloc(&block, BLOCK, ACL_MEM_MALLOC_HUGE_FIRST));
		EXPECT_EQ(-1, bytes_differ(block, BLOCK, 0));
		EXPECT_EQ(OK, aclrtMemset(block, BLOCK, round + 1, BLOCK));
		ASSERT_EQ(OK, aclrtFree(block));
	}
	free_cached(_metadata, &cache, 0);
	EXPECT_EQ(free, program_free());
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

/* Out of addresses is out of memory too. */
TEST_F_TIMEOUT(plain, out_of_addresses_is_out_of_memory, 120)
{
	static void *range[64];
	int count = 0, i;

	/* 127 TiB at most, in pieces of 4. */
	while (count < 64 && !aclrtReserveMemAddress(&range[count], 1UL << 42, 0, NULL, 0))
		count++;
	ASSERT_GT(64, count);
	EXPECT_TRUE(acl_message_names("aclrtReserveMemAddress"));
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &range[count], 1UL << 42, 0, NULL, 0);
	REFUSED(OUT_OF_MEMORY, aclrtReserveMemAddress, &range[count], 1UL << 62, 0, NULL, 0);
	ASSERT_LT(0, count);
	ASSERT_EQ(OK, aclrtReleaseMemAddress(range[--count]));
	ASSERT_EQ(OK, aclrtReserveMemAddress(&range[count], 1UL << 42, 0, NULL, 0));
	for (i = 0; i <= count; i++)
		EXPECT_EQ(OK, aclrtReleaseMemAddress(range[i]));
}

TEST_HARNESS_MAIN
