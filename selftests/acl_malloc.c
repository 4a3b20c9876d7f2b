// SPDX-License-Identifier: MIT
/* Device memory with an address, and what an address is of. */
#include <pthread.h>
#include <sys/resource.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define FIRST	ACL_MEM_MALLOC_HUGE_FIRST

FIXTURE(malloc)
{
	struct watch watch;
	int reservations;
};

FIXTURE_SETUP(malloc)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	self->reservations = acl_count_reservations();
}

FIXTURE_TEARDOWN(malloc)
{
	process_end_all();
	EXPECT_EQ(self->reservations, acl_count_reservations());
	aclrtResetDeviceForce(0);
	aclrtResetDeviceForce(1);
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_gives_zeroed_memory_of_the_current_device, 180)
{
	unsigned char local[64] = { 1, 2, 3 };
	unsigned char *p;

	ASSERT_EQ(OK, aclrtMalloc((void **)&p, SIZE, FIRST));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
	EXPECT_EQ(-1, bytes_differ(p, SIZE, 0));
	memset(p, 7, SIZE);
	EXPECT_EQ(OK, aclrtMemcpy(p + SIZE - 64, 64, local, 64, ACL_MEMCPY_HOST_TO_DEVICE));
	EXPECT_EQ(0, memcmp(p + SIZE - 64, local, 64));
	EXPECT_EQ(OK, aclrtMemset(p, SIZE, 9, SIZE));
	EXPECT_EQ(-1, bytes_differ(p, SIZE, 9));
	EXPECT_EQ(OK, aclrtFree(p));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(p)));
	/* The next one is zeroed as well, and may be another device's. */
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtMalloc((void **)&p, SIZE, FIRST));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(-1, bytes_differ(p, SIZE, 0));
	EXPECT_EQ(OK, aclrtFree(p));
}

TEST_F_TIMEOUT(malloc, aclrtMallocAlign32_of_any_size_is_aligned_and_rounds_up, 180)
{
	const size_t sizes[] = { 1, 512, 3000000, 2 * MIB, 2 * MIB + 1, 64 * MIB };
	char *p;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t rounded = (sizes[i] + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);

		ASSERT_EQ(OK, aclrtMallocAlign32((void **)&p, sizes[i], FIRST));
		EXPECT_EQ(0, to_u64(p) % (2 * MIB));
		EXPECT_TRUE(watch_used(&self->watch, 0, rounded));
		p[0] = p[sizes[i] - 1] = 1;
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(p) + rounded));
		EXPECT_EQ(OK, aclrtFree(p));
	}
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_takes_every_policy, 180)
{
	const int hints[] = { 0, ACL_MEM_TYPE_LOW_BAND_WIDTH, ACL_MEM_TYPE_HIGH_BAND_WIDTH };
	const int attributes[] = {
		ACL_HBM_MEM_HUGE, ACL_HBM_MEM_HUGE, ACL_HBM_MEM_NORMAL,
		ACL_MEM_P2P_HUGE, ACL_MEM_P2P_HUGE, ACL_MEM_P2P_NORMAL,
	};
	aclrtPhysicalMemProp prop;
	aclrtDrvMemHandle handle;
	int policy, hint;
	void *p;

	for (policy = 0; policy < 6; policy++) {
		for (hint = 0; hint < 3; hint++) {
			ASSERT_EQ(OK, aclrtMalloc(&p, SIZE, policy | hints[hint]));
			EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
			ASSERT_EQ(OK, aclrtMemRetainAllocationHandle(p, &handle));
			ASSERT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(handle, &prop));
			EXPECT_EQ(attributes[policy], prop.memAttr);
			EXPECT_EQ(0, prop.location.id);
			EXPECT_EQ(OK, aclrtFreePhysical(handle));
			EXPECT_EQ(OK, aclrtFree(p));
		}
	}
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_of_pages_of_1_GiB, 180)
{
	int policy;
	void *p;

	for (policy = ACL_MEM_MALLOC_HUGE1G_ONLY; policy <= ACL_MEM_MALLOC_HUGE1G_ONLY_P2P;
	     policy++) {
		if (npumem_free_bytes(self->watch.fd, 0) < GIB) {
			REFUSED(OUT_OF_MEMORY, aclrtMalloc, &p, 1, policy);
			continue;
		}
		ASSERT_EQ(OK, aclrtMalloc(&p, 1, policy));
		EXPECT_TRUE(watch_used(&self->watch, 0, GIB));
		EXPECT_EQ(0, to_u64(p) % GIB);
		EXPECT_EQ(OK, aclrtFree(p));
	}
}

TEST_F_TIMEOUT(malloc, aclrtMallocWithCfg_takes_the_module_id_only, 180)
{
	aclrtMallocAttribute attrs[2] = {
		{ .attr = ACL_RT_MEM_ATTR_MODULE_ID, .value = { .moduleId = 33 } },
		{ .attr = ACL_RT_MEM_ATTR_DEVICE_ID, .value = { .deviceId = 1 } },
	};
	aclrtMallocConfig cfg = { .attrs = attrs, .numAttrs = 1 };
	void *p;

	ASSERT_EQ(OK, aclrtMallocWithCfg(&p, SIZE, FIRST, NULL));
	EXPECT_EQ(OK, aclrtFree(p));
	ASSERT_EQ(OK, aclrtMallocWithCfg(&p, SIZE, FIRST, &cfg));
	EXPECT_EQ(OK, aclrtFree(p));
	cfg.numAttrs = 2;
	REFUSED(NOT_SUPPORTED, aclrtMallocWithCfg, &p, SIZE, FIRST, &cfg);
	cfg.attrs = NULL;
	REFUSED(INVALID_PARAM, aclrtMallocWithCfg, &p, SIZE, FIRST, &cfg);
	cfg.numAttrs = 0;
	ASSERT_EQ(OK, aclrtMallocWithCfg(&p, SIZE, FIRST, &cfg));
	EXPECT_EQ(OK, aclrtFree(p));
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_of_bad_arguments_changes_nothing, 180)
{
	const int policies[] = { 8, 0xff, 0x200, 0x2000, 0x200000, -1 };
	struct acl_state before = acl_state_now(self->watch.fd);
	void *p = GARBAGE;
	size_t i;

	REFUSED(INVALID_PARAM, aclrtMalloc, NULL, SIZE, FIRST);
	REFUSED(INVALID_PARAM, aclrtMallocAlign32, NULL, SIZE, FIRST);
	REFUSED(INVALID_PARAM, aclrtMallocWithCfg, NULL, SIZE, FIRST, NULL);
	REFUSED(INVALID_PARAM, aclrtMalloc, &p, 0, FIRST);
	REFUSED(INVALID_PARAM, aclrtMallocAlign32, &p, 0, FIRST);
	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		REFUSED(INVALID_PARAM, aclrtMalloc, &p, SIZE, policies[i]);
	REFUSED(NOT_SUPPORTED, aclrtMalloc, &p, SIZE,
		FIRST | ACL_MEM_ACCESS_USER_SPACE_READONLY);
	EXPECT_EQ(GARBAGE, p);
	EXPECT_TRUE(acl_state_same(self->watch.fd, &before));
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_out_of_memory_changes_nothing, 180)
{
	const size_t sizes[] = {
		SIZE_MAX, SIZE_MAX - 2 * MIB, SIZE_MAX / 2, 1UL << 50, 1UL << 47,
	};
	struct acl_state before = acl_state_now(self->watch.fd);
	void *p = GARBAGE, *all, *rest;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		REFUSED(OUT_OF_MEMORY, aclrtMalloc, &p, sizes[i], FIRST);
	REFUSED(OUT_OF_MEMORY, aclrtMalloc, &p, before.free + 1, FIRST);
	EXPECT_TRUE(acl_state_same(self->watch.fd, &before));
	ASSERT_EQ(OK, aclrtMalloc(&all, before.free - 2 * MIB, FIRST));
	REFUSED(OUT_OF_MEMORY, aclrtMalloc, &p, SIZE, FIRST);
	ASSERT_EQ(OK, aclrtMalloc(&rest, 2 * MIB, FIRST));
	REFUSED(OUT_OF_MEMORY, aclrtMalloc, &p, 1, FIRST);
	EXPECT_EQ(GARBAGE, p);
	EXPECT_EQ(OK, aclrtFree(all));
	EXPECT_EQ(OK, aclrtFree(rest));
	EXPECT_TRUE(acl_state_same(self->watch.fd, &before));
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_without_addresses_is_out_of_memory, 180)
{
	struct acl_state before = acl_state_now(self->watch.fd);
	struct rlimit limit, none = { 0 };
	void *p;

	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &limit));
	none.rlim_max = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
	EXPECT_EQ(OUT_OF_MEMORY, aclrtMalloc(&p, SIZE, FIRST));
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_TRUE(acl_message_names("aclrtMalloc"));
	EXPECT_TRUE(acl_state_same(self->watch.fd, &before));
	ASSERT_EQ(OK, aclrtMalloc(&p, SIZE, FIRST));
	EXPECT_EQ(OK, aclrtFree(p));
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_without_a_context, 180)
{
	void *p, *q;

	ASSERT_EQ(OK, aclrtMalloc(&q, SIZE, FIRST));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(CONTEXT_NULL, aclrtMalloc, &p, SIZE, FIRST);
	REFUSED(CONTEXT_NULL, aclrtMallocAlign32, &p, SIZE, FIRST);
	REFUSED(CONTEXT_NULL, aclrtMallocWithCfg, &p, SIZE, FIRST, NULL);
}

TEST_F_TIMEOUT(malloc, aclrtFree_takes_blocks_only_and_once, 180)
{
	struct acl_mapping mapping;
	char *p, *host, local;

	ASSERT_EQ(OK, aclrtMalloc((void **)&p, SIZE, FIRST));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtMallocHost((void **)&host, SIZE));
	memset(p, 5, SIZE);
	REFUSED(INVALID_PARAM, aclrtFree, NULL);
	REFUSED(PARAM_INVALID, aclrtFree, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtFree, p + 1);
	REFUSED(PARAM_INVALID, aclrtFree, p + 2 * MIB);
	REFUSED(PARAM_INVALID, aclrtFree, p + SIZE);
	REFUSED(PARAM_INVALID, aclrtFree, &local);
	REFUSED(PARAM_INVALID, aclrtFree, host);
	REFUSED(PARAM_INVALID, aclrtFree, mapping.address);
	REFUSED(PARAM_INVALID, aclrtFreeHost, p);
	EXPECT_EQ(-1, bytes_differ(p, SIZE, 5));
	EXPECT_EQ(OK, aclrtFree(p));
	REFUSED(PARAM_INVALID, aclrtFree, p);
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_EQ(OK, aclrtFreeHost(host));
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_makes_no_reservation_or_mapping_of_the_program, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	char *p;

	ASSERT_EQ(OK, aclrtMalloc((void **)&p, SIZE, FIRST));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, 2 * MIB, &prop, 0));
	memset(p, 5, SIZE);
	REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, p);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, p);
	REFUSED(DRIVER_ERROR, aclrtUnmapMem, p + 2 * MIB);
	REFUSED(DRIVER_ERROR, aclrtMapMem, p, 2 * MIB, 0, handle, 0);
	EXPECT_EQ(-1, bytes_differ(p, SIZE, 5));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_EQ(OK, aclrtFree(p));
	/* The addresses are free again for whoever wants them. */
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&p, 2 * MIB, 0, p, 0));
	REFUSED(PARAM_INVALID, aclrtFree, p);
	EXPECT_EQ(OK, aclrtReleaseMemAddress(p));
}

TEST_F_TIMEOUT(malloc, aclrtMemRetainAllocationHandle_of_a_block_outlives_it, 180)
{
	aclrtDrvMemHandle handle;
	void *p, *other;

	ASSERT_EQ(OK, aclrtMalloc(&p, SIZE, FIRST));
	pattern_mark(p, SIZE, 3);
	ASSERT_EQ(OK, aclrtMemRetainAllocationHandle(p, &handle));
	EXPECT_EQ(OK, aclrtFree(p));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	ASSERT_EQ(OK, aclrtReserveMemAddress(&other, SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(other, SIZE, 0, handle, 0));
	EXPECT_EQ(-1, pattern_check(other, SIZE, 3));
	EXPECT_EQ(OK, aclrtUnmapMem(other));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(other));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	REFUSED(PARAM_INVALID, aclrtFreePhysical, handle);
}

TEST_F_TIMEOUT(malloc, aclrtMemGetAddressRange_tells_the_block, 180)
{
	size_t size;
	void *base;
	char *p;

	ASSERT_EQ(OK, aclrtMalloc((void **)&p, SIZE - 5, FIRST));
	EXPECT_EQ(OK, aclrtMemGetAddressRange(p, &base, &size));
	EXPECT_EQ(p, base);
	EXPECT_EQ(SIZE, size);
	base = NULL;
	EXPECT_EQ(OK, aclrtMemGetAddressRange(p + SIZE - 6, &base, NULL));
	EXPECT_EQ(p, base);
	EXPECT_EQ(OK, aclrtFree(p));
	REFUSED(PARAM_INVALID, aclrtMemGetAddressRange, p, &base, &size);
}

TEST_F_TIMEOUT(malloc, aclrtResetDevice_takes_the_blocks_of_its_device, 180)
{
	void *zero[20], *one, *reserved;
	int i;

	ASSERT_EQ(OK, aclrtReserveMemAddress(&reserved, SIZE, 0, NULL, 0));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(OK, aclrtMalloc(&zero[i], 2 * MIB, FIRST));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtMalloc(&one, SIZE, FIRST));
	pattern_mark(one, SIZE, 4);
	ASSERT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(self->reservations + 2, acl_count_reservations());
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(SIGSEGV, load_signal(to_u64(zero[i])));
		REFUSED(PARAM_INVALID, aclrtFree, zero[i]);
		REFUSED(PARAM_INVALID, aclrtReleaseMemAddress, zero[i]);
	}
	EXPECT_EQ(-1, pattern_check(one, SIZE, 4));
	EXPECT_EQ(OK, aclrtFree(one));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(reserved));
}

TEST_F_TIMEOUT(malloc, aclrtFree_after_munmap_has_only_to_forget, 180)
{
	void *p;

	ASSERT_EQ(OK, aclrtMalloc(&p, SIZE, FIRST));
	ASSERT_EQ(0, munmap(p, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, aclrtFree(p));
	REFUSED(PARAM_INVALID, aclrtFree, p);
}

/* a: address; out: was there a text? */
static long do_free_block(__u64 *a)
{
	aclError error = aclrtFree(to_ptr(a[0]));

	a[1] = acl_message_names("aclrtFree");
	return error;
}

/* a: address; out: text, type */
static long do_attributes(__u64 *a)
{
	aclrtPtrAttributes attributes = { .location = { .type = 99 } };
	aclError error = aclrtPointerGetAttributes(to_ptr(a[0]), &attributes);

	a[1] = error ? acl_message_names("aclrtPointerGetAttributes") : 1;
	a[2] = attributes.location.type;
	return error;
}

static long do_malloc_and_free(__u64 *a)
{
	void *p;
	aclError error = aclrtMalloc(&p, a[0], FIRST);

	return error ? error : aclrtFree(p);
}

TEST_F_TIMEOUT(malloc, fork_leaves_the_child_without_the_block, 180)
{
	struct process child;
	void *p, *host;
	__u64 value;
	int i;

	ASSERT_EQ(OK, aclrtMalloc(&p, SIZE, FIRST));
	ASSERT_EQ(OK, aclrtMallocHost(&host, SIZE));
	pattern_mark(p, SIZE, 6);
	ASSERT_EQ(0, process_start(&child));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(DRIVER_ERROR, process_get(&child, &value, 1, do_free_block, to_u64(p)));
		EXPECT_TRUE(value);
		EXPECT_EQ(PARAM_INVALID, process_do(&child, do_free_block, to_u64(GARBAGE)));
		EXPECT_EQ(DRIVER_ERROR, process_get(&child, &value, 1, do_attributes, to_u64(p)));
		EXPECT_TRUE(value);
		/* Host memory is the child's own copy. */
		EXPECT_EQ(OK, process_get(&child, &value, 2, do_attributes, to_u64(host)));
		EXPECT_EQ(ACL_MEM_LOCATION_TYPE_HOST, value);
		if (!i)
			EXPECT_EQ(DRIVER_ERROR, process_do(&child, do_malloc_and_free, SIZE));
		ASSERT_EQ(OK, process_do(&child, acl_do_start, 0));
		EXPECT_EQ(OK, process_do(&child, do_malloc_and_free, SIZE));
		if (!i)
			ASSERT_EQ(OK, process_do(&child, acl_do_end, 0));
	}
	EXPECT_EQ(0, process_stop(&child));
	EXPECT_EQ(-1, pattern_check(p, SIZE, 6));
	EXPECT_EQ(OK, aclrtFree(p));
	EXPECT_EQ(OK, aclrtFreeHost(host));
}

#define THREADS	8
#define ROUNDS	60

struct worker {
	pthread_t thread;
	int seed, failures;
	bool resets;
};

/* A few blocks at a time, each with what only this thread writes. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	unsigned char *p[4];
	int i, k, rounds = repeats(ROUNDS);

	worker->failures += aclrtSetDevice(0) != OK;
	for (i = 0; i < rounds; i++) {
		for (k = 0; k < 4; k++) {
			worker->failures += aclrtMalloc((void **)&p[k], 2 * MIB, FIRST) != OK;
			worker->failures += bytes_differ(p[k], 4096, 0) != -1;
			memset(p[k], worker->seed + k, 4096);
		}
		for (k = 3; k >= 0; k--) {
			worker->failures += bytes_differ(p[k], 4096, worker->seed + k) != -1;
			worker->failures += aclrtFree(p[k]) != OK;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_from_many_threads, 180)
{
	struct worker workers[THREADS] = { 0 };
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i].seed = 1 + 10 * i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].failures);
	}
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

/* Nothing here is read or written: resets take it at any time. */
static void *work_under_resets(void *argument)
{
	struct worker *worker = argument;
	aclError error;
	void *p;
	int i, rounds = repeats(ROUNDS);

	for (i = 0; i < rounds; i++) {
		if (worker->resets) {
			aclrtSetDevice(0);
			aclrtResetDeviceForce(0);
			continue;
		}
		worker->failures += aclrtSetDevice(0) != OK;
		error = aclrtMalloc(&p, 2 * MIB, FIRST);
		worker->failures += error && error != CONTEXT_NULL;
		if (error)
			continue;
		error = aclrtFree(p);
		worker->failures += error && error != PARAM_INVALID;
	}
	return NULL;
}

TEST_F_TIMEOUT(malloc, aclrtMalloc_with_resets_at_the_same_time_leaks_nothing, 180)
{
	struct worker workers[THREADS] = { 0 };
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i].resets = i % 4 == 0;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work_under_resets,
					    &workers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].failures);
	}
	EXPECT_EQ(OK, aclrtResetDeviceForce(0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(self->reservations, acl_count_reservations());
}

static bool pointer_is(const void *pointer, int type, uint32_t id, uint32_t page)
{
	aclrtPtrAttributes attributes;

	memset(&attributes, 0xee, sizeof(attributes));
	return aclrtPointerGetAttributes(pointer, &attributes) == OK &&
	       (int)attributes.location.type == type && attributes.location.id == id &&
	       attributes.pageSize == page &&
	       bytes_differ((unsigned char *)attributes.rsv, sizeof(attributes.rsv), 0) == -1;
}

TEST_F_TIMEOUT(malloc, aclrtPointerGetAttributes, 180)
{
	uint32_t page = sysconf(_SC_PAGESIZE);
	struct acl_mapping mapping;
	char *p, *host, *empty, local;
	aclrtPtrAttributes attributes;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&empty, SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMallocHost((void **)&host, 5000));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtMalloc((void **)&p, SIZE, FIRST));
	/* Whatever the current device is. */
	EXPECT_TRUE(pointer_is(p, ACL_MEM_LOCATION_TYPE_DEVICE, 1, 2 * MIB));
	EXPECT_TRUE(pointer_is(p + SIZE - 1, ACL_MEM_LOCATION_TYPE_DEVICE, 1, 2 * MIB));
	EXPECT_TRUE(pointer_is(mapping.address, ACL_MEM_LOCATION_TYPE_DEVICE, 0, 2 * MIB));
	EXPECT_TRUE(pointer_is(host, ACL_MEM_LOCATION_TYPE_HOST, 0, page));
	EXPECT_TRUE(pointer_is(host + 4999, ACL_MEM_LOCATION_TYPE_HOST, 0, page));
	EXPECT_TRUE(pointer_is(&local, ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0));
	EXPECT_TRUE(pointer_is(empty, ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0));
	EXPECT_TRUE(pointer_is(GARBAGE, ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0));
	REFUSED(INVALID_PARAM, aclrtPointerGetAttributes, NULL, &attributes);
	REFUSED(INVALID_PARAM, aclrtPointerGetAttributes, p, NULL);
	EXPECT_EQ(OK, aclrtFree(p));
	EXPECT_EQ(OK, aclrtFreeHost(host));
	EXPECT_TRUE(pointer_is(p, ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0));
	EXPECT_TRUE(pointer_is(host, ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, 0));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(empty));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

TEST_HARNESS_MAIN
