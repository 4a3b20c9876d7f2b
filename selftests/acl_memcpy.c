// SPDX-License-Identifier: MIT
/* Copies and fills between any two addresses, and when they are refused. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
/* Across a 2 MiB boundary and not a multiple of anything. */
#define ODD	(2 * MIB + 12345)

FIXTURE(copy)
{
	struct watch watch;
	struct acl_mapping a, b;
	unsigned char *host, *other;
};

FIXTURE_SETUP(copy)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, acl_mapping_new(&self->a, 0, SIZE));
	ASSERT_EQ(OK, acl_mapping_new(&self->b, 0, SIZE));
	ASSERT_EQ(OK, aclrtMallocHost((void **)&self->host, SIZE));
	ASSERT_EQ(OK, aclrtMallocHost((void **)&self->other, SIZE));
	pattern_fill(self->host, SIZE, 1);
	memset(self->other, 0, SIZE);
}

FIXTURE_TEARDOWN(copy)
{
	aclrtFreeHost(self->host);
	aclrtFreeHost(self->other);
	aclrtResetDeviceForce(0);
	aclrtResetDeviceForce(1);
	EXPECT_TRUE(watch_end(&self->watch));
}

static aclError set_access(void *address, size_t size, int device, int flags)
{
	aclrtMemAccessDesc desc = {
		.flags = flags,
		.location = { .id = device, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	return aclrtMemSetAccess(address, size, &desc, 1);
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_goes_every_way, 180)
{
	char *a = self->a.address, *b = self->b.address;

	EXPECT_EQ(OK, aclrtMemcpy(a, SIZE, self->host, SIZE, ACL_MEMCPY_HOST_TO_DEVICE));
	EXPECT_EQ(-1, pattern_verify(a, SIZE, 1));
	EXPECT_EQ(OK, aclrtMemcpy(b, SIZE, a, SIZE, ACL_MEMCPY_DEVICE_TO_DEVICE));
	EXPECT_EQ(-1, pattern_verify(b, SIZE, 1));
	EXPECT_EQ(OK, aclrtMemcpy(self->other, SIZE, b, SIZE, ACL_MEMCPY_DEVICE_TO_HOST));
	EXPECT_EQ(-1, pattern_verify(self->other, SIZE, 1));
	memset(self->other, 0, SIZE);
	EXPECT_EQ(OK, aclrtMemcpy(self->other, SIZE, self->host, SIZE, ACL_MEMCPY_HOST_TO_HOST));
	EXPECT_EQ(-1, pattern_verify(self->other, SIZE, 1));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_takes_kinds_for_hints_that_must_exist, 180)
{
	char *a = self->a.address;
	int kind;

	for (kind = -2; kind < 9; kind++) {
		memset(a, 0, 4096);
		if (kind < 0 || kind > 5) {
			REFUSED(INVALID_PARAM, aclrtMemcpy, a, SIZE, self->host, 4096, kind);
			EXPECT_EQ(-1, bytes_differ(a, 4096, 0));
			continue;
		}
		EXPECT_EQ(OK, aclrtMemcpy(a, SIZE, self->host, 4096, kind));
		EXPECT_EQ(0, memcmp(a, self->host, 4096));
		memset(self->other, 0, 4096);
		EXPECT_EQ(OK, aclrtMemcpy(self->other, SIZE, a, 4096, kind));
		EXPECT_EQ(0, memcmp(self->other, self->host, 4096));
	}
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_of_odd_sizes_at_odd_addresses, 180)
{
	unsigned char *a = self->a.address;
	const size_t sizes[] = { 1, 2, 7, 63, 4095, 4097, 65537, ODD };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i], at = 2 * MIB - 3 - size / 2;

		memset(a, 0xee, SIZE);
		EXPECT_EQ(OK, aclrtMemcpy(a + at, size, self->host + 5, size,
					  ACL_MEMCPY_HOST_TO_DEVICE));
		EXPECT_EQ(0, memcmp(a + at, self->host + 5, size));
		EXPECT_EQ(-1, bytes_differ(a, at, 0xee));
		EXPECT_EQ(-1, bytes_differ(a + at + size, SIZE - at - size, 0xee));
		memset(self->other, 0, size + 1);
		EXPECT_EQ(OK, aclrtMemcpy(self->other, size, a + at, size,
					  ACL_MEMCPY_DEVICE_TO_HOST));
		EXPECT_EQ(0, memcmp(self->other, self->host + 5, size));
		EXPECT_EQ(0, self->other[size]);
	}
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_of_overlapping_ranges_is_as_memmove, 180)
{
	unsigned char *a = self->a.address;
	const long steps[] = { 1, -1, 4096, -4096, 2 * MIB - 1, -(long)(2 * MIB - 1) };
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		long step = steps[i], from = step < 0 ? -step : 0;
		size_t size = 2 * MIB;

		memcpy(a, self->host, SIZE);
		memcpy(self->other, self->host, SIZE);
		EXPECT_EQ(OK, aclrtMemcpy(a + from + step, size, a + from, size,
					  ACL_MEMCPY_DEVICE_TO_DEVICE));
		memmove(self->other + from + step, self->other + from, size);
		EXPECT_EQ(0, memcmp(a, self->other, SIZE)) TH_LOG("step %ld", step);
	}
	/* On the host likewise, and onto itself. */
	memcpy(self->other, self->host, 4096);
	EXPECT_EQ(OK, aclrtMemcpy(self->other + 1, 4096, self->other, 4096,
				  ACL_MEMCPY_HOST_TO_HOST));
	EXPECT_EQ(0, memcmp(self->other + 1, self->host, 4096));
	EXPECT_EQ(OK, aclrtMemcpy(a, SIZE, a, SIZE, ACL_MEMCPY_DEVICE_TO_DEVICE));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_and_aclrtMemset_of_nothing_succeed_before_anything_else, 180)
{
	EXPECT_EQ(OK, aclrtMemcpy(NULL, 0, NULL, 0, 99));
	EXPECT_EQ(OK, aclrtMemcpy(self->a.address, 0, NULL, 0, ACL_MEMCPY_DEFAULT));
	EXPECT_EQ(OK, aclrtMemcpy(GARBAGE, 0, GARBAGE, 0, -1));
	EXPECT_EQ(OK, aclrtMemcpyAsync(NULL, 0, NULL, 0, 99, NULL));
	EXPECT_EQ(OK, aclrtMemset(NULL, 0, 1, 0));
	EXPECT_EQ(OK, aclrtMemset(GARBAGE, 0, 1, 0));
	EXPECT_EQ(OK, aclrtMemsetAsync(NULL, 0, 1, 0, NULL));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_of_bad_arguments, 180)
{
	char *a = self->a.address;
	int i;

	memset(a, 7, SIZE);
	REFUSED(INVALID_PARAM, aclrtMemcpy, NULL, SIZE, self->host, 1, 1);
	REFUSED(INVALID_PARAM, aclrtMemcpy, a, SIZE, NULL, 1, 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, 1, self->host, 2, 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, 0, self->host, 1, 1);
	/* Both sides on the host are checked alike. */
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->other, 1, self->host, 2, 0);
	REFUSED(INVALID_PARAM, aclrtMemcpy, self->other, SIZE, NULL, 2, 0);
	for (i = 6; i < 9; i++)
		REFUSED(INVALID_PARAM, aclrtMemcpy, self->other, SIZE, self->host, 2, i);
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, SIZE_MAX, self->host, SIZE_MAX, 1);
	EXPECT_EQ(-1, bytes_differ(a, SIZE, 7));
	EXPECT_EQ(-1, bytes_differ(self->other, SIZE, 0));
}

TEST_F_TIMEOUT(copy, aclrtMemcpyAsync_of_bad_arguments, 180)
{
	char *a = self->a.address;

	memset(a, 7, SIZE);
	REFUSED(INVALID_PARAM, aclrtMemcpyAsync, NULL, SIZE, self->host, 1, 1, NULL);
	REFUSED(INVALID_PARAM, aclrtMemcpyAsync, a, SIZE, NULL, 1, 1, NULL);
	REFUSED(PARAM_INVALID, aclrtMemcpyAsync, a, 1, self->host, 2, 1, NULL);
	REFUSED(INVALID_PARAM, aclrtMemcpyAsync, a, SIZE, self->host, 2, 9, NULL);
	REFUSED(PARAM_INVALID, aclrtMemcpyAsync, a, SIZE, self->host, 2, 1, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtMemcpyAsync, a + SIZE - 1, SIZE, self->host, 2, 1, NULL);
	EXPECT_EQ(-1, bytes_differ(a, SIZE, 7));
}

TEST_F_TIMEOUT(copy, aclrtMemset_of_bad_arguments, 180)
{
	char *a = self->a.address;

	memset(a, 7, SIZE);
	REFUSED(INVALID_PARAM, aclrtMemset, NULL, SIZE, 1, 1);
	REFUSED(PARAM_INVALID, aclrtMemset, a, 1, 1, 2);
	REFUSED(PARAM_INVALID, aclrtMemset, a, 0, 1, 1);
	REFUSED(PARAM_INVALID, aclrtMemset, a, SIZE_MAX, 1, SIZE_MAX);
	REFUSED(PARAM_INVALID, aclrtMemset, a + SIZE - 1, SIZE, 1, 2);
	EXPECT_EQ(-1, bytes_differ(a, SIZE, 7));
}

TEST_F_TIMEOUT(copy, aclrtMemsetAsync, 180)
{
	char *a = self->a.address;
	aclrtStream stream;

	memset(a, 7, SIZE);
	REFUSED(INVALID_PARAM, aclrtMemsetAsync, NULL, SIZE, 1, 1, NULL);
	REFUSED(PARAM_INVALID, aclrtMemsetAsync, a, 1, 1, 2, NULL);
	REFUSED(PARAM_INVALID, aclrtMemsetAsync, a, SIZE, 1, 2, GARBAGE);
	EXPECT_EQ(-1, bytes_differ(a, SIZE, 7));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	EXPECT_EQ(OK, aclrtMemsetAsync(a, SIZE, 0x305, ODD, stream));
	EXPECT_EQ(-1, bytes_differ(a, ODD, 5));
	EXPECT_EQ(-1, bytes_differ(a + ODD, SIZE - ODD, 7));
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
	REFUSED(PARAM_INVALID, aclrtMemsetAsync, a, SIZE, 1, 2, stream);
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_beyond_a_mapping_changes_nothing, 180)
{
	char *a = self->a.address, *hole;

	memset(a, 7, SIZE);
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&hole, 4 * SIZE, 0, NULL, 0));
	REFUSED(PARAM_INVALID, aclrtMemcpy, hole, SIZE, self->host, 1, 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->host, SIZE, hole, 1, 2);
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, SIZE, hole, 1, 3);
	REFUSED(PARAM_INVALID, aclrtMemset, hole, SIZE, 1, 1);
	/* Mapped in the middle: whatever runs over an edge is refused as a whole. */
	ASSERT_EQ(OK, aclrtMapMem(hole + SIZE, SIZE, 0, self->b.handle, 0));
	memset(hole + SIZE, 9, SIZE);
	REFUSED(PARAM_INVALID, aclrtMemcpy, hole + 2 * SIZE - 1, SIZE, self->host, 2, 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, hole + SIZE - 1, SIZE, self->host, 2, 1);
	REFUSED(PARAM_INVALID, aclrtMemset, hole + SIZE - 1, SIZE, 1, 2);
	REFUSED(PARAM_INVALID, aclrtMemset, hole + SIZE, 4 * SIZE, 1, SIZE + 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, SIZE, hole + SIZE + 1, SIZE, 3);
	EXPECT_EQ(-1, bytes_differ(hole + SIZE, SIZE, 9));
	EXPECT_EQ(-1, bytes_differ(a, SIZE, 7));
	EXPECT_EQ(OK, aclrtMemcpy(hole + 2 * SIZE - 2, 2, self->host, 2, 1));
	EXPECT_EQ(OK, aclrtUnmapMem(hole + SIZE));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(hole));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_across_neighbouring_mappings, 180)
{
	char *range;

	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&range, 2 * SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(range, SIZE, 0, self->a.handle, 0));
	ASSERT_EQ(OK, aclrtMapMem(range + SIZE, SIZE, 0, self->b.handle, 0));
	EXPECT_EQ(OK, aclrtMemcpy(range + SIZE - 100, SIZE, self->host, 200,
				  ACL_MEMCPY_HOST_TO_DEVICE));
	EXPECT_EQ(0, memcmp((char *)self->a.address + SIZE - 100, self->host, 100));
	EXPECT_EQ(0, memcmp(self->b.address, self->host + 100, 100));
	EXPECT_EQ(OK, aclrtMemset(range, 2 * SIZE, 0x1234, 2 * SIZE));
	EXPECT_EQ(-1, bytes_differ(range, 2 * SIZE, 0x34));
	EXPECT_EQ(OK, aclrtUnmapMem(range));
	EXPECT_EQ(OK, aclrtUnmapMem(range + SIZE));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(range));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_obeys_rights, 180)
{
	char *a = self->a.address;

	memset(a, 7, SIZE);
	ASSERT_EQ(OK, set_access(a, SIZE, 0, ACL_RT_MEM_ACCESS_FLAGS_READ));
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, SIZE, self->host, 1, 1);
	REFUSED(PARAM_INVALID, aclrtMemset, a, SIZE, 1, 1);
	EXPECT_EQ(OK, aclrtMemcpy(self->other, SIZE, a, SIZE, 2));
	EXPECT_EQ(-1, bytes_differ(self->other, SIZE, 7));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(a)));
	EXPECT_EQ(0, load_signal(to_u64(a)));
	ASSERT_EQ(OK, set_access(a, SIZE, 0, ACL_RT_MEM_ACCESS_FLAGS_NONE));
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, SIZE, self->host, 1, 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->other, SIZE, a, 1, 2);
	REFUSED(PARAM_INVALID, aclrtMemset, a, SIZE, 1, 1);
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(a)));
	/* Half of it: a copy over both halves writes nothing. */
	ASSERT_EQ(OK, set_access(a, 2 * MIB, 0, ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
	REFUSED(PARAM_INVALID, aclrtMemset, a, SIZE, 1, SIZE);
	EXPECT_EQ(-1, bytes_differ(a, 2 * MIB, 7));
	EXPECT_EQ(OK, aclrtMemset(a, SIZE, 1, 2 * MIB));
	ASSERT_EQ(OK, set_access(a, SIZE, 0, ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
	EXPECT_EQ(-1, bytes_differ(a, 2 * MIB, 1));
	EXPECT_EQ(-1, bytes_differ(a + 2 * MIB, 2 * MIB, 7));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_under_another_device_needs_a_right_or_a_link, 180)
{
	char *a = self->a.address;

	memset(a, 7, SIZE);
	ASSERT_EQ(OK, aclrtSetDevice(1));
	REFUSED(PARAM_INVALID, aclrtMemcpy, a, SIZE, self->host, 4, 1);
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->other, SIZE, a, 4, 2);
	REFUSED(PARAM_INVALID, aclrtMemset, a, SIZE, 1, 4);
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	EXPECT_EQ(OK, aclrtMemset(a, SIZE, 1, 4));
	ASSERT_EQ(OK, set_access(a, SIZE, 1, ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
	EXPECT_EQ(OK, aclrtMemset(a, SIZE, 2, 4));
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(0));
	EXPECT_EQ(-1, bytes_differ(a, 4, 2));
}

static aclError copy_from_stack(void *device, unsigned char value)
{
	unsigned char local[3000];

	memset(local, value, sizeof(local));
	return aclrtMemcpy(device, SIZE, local, sizeof(local), ACL_MEMCPY_HOST_TO_DEVICE);
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_takes_any_host_address, 180)
{
	static unsigned char global[3000];
	unsigned char local[3000];
	char *a = self->a.address;

	EXPECT_EQ(OK, copy_from_stack(a, 0x21));
	EXPECT_EQ(-1, bytes_differ(a, 3000, 0x21));
	EXPECT_EQ(OK, aclrtMemcpy(local, sizeof(local), a, sizeof(local), 2));
	EXPECT_EQ(-1, bytes_differ(local, sizeof(local), 0x21));
	EXPECT_EQ(OK, aclrtMemcpy(global, sizeof(global), a, sizeof(global), 2));
	EXPECT_EQ(-1, bytes_differ(global, sizeof(global), 0x21));
	EXPECT_EQ(OK, aclrtMemcpy(a, SIZE, "constant", 9, 1));
	EXPECT_STREQ("constant", a);
	/* Memory of the host, untouched so far, is written for the first time. */
	unsigned char *fresh = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, fresh);
	EXPECT_EQ(OK, aclrtMemcpy(fresh, SIZE, a, SIZE, 2));
	EXPECT_EQ(0, memcmp(fresh, a, SIZE));
	munmap(fresh, SIZE);
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_with_a_bad_host_address_raises_no_signal, 180)
{
	char *a = self->a.address;
	char *none = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, none);
	EXPECT_NE(OK, aclrtMemcpy(a, SIZE, none, 4096, 1));
	EXPECT_NE(OK, aclrtMemcpy(none, SIZE, a, 4096, 2));
	munmap(none, SIZE);
	EXPECT_NE(OK, aclrtMemcpy(a, SIZE, none, 4096, 1));
}

TEST_F_TIMEOUT(copy, aclrtMemcpy_of_released_addresses_raises_no_signal, 180)
{
	struct acl_mapping gone;

	ASSERT_EQ(OK, acl_mapping_new(&gone, 0, SIZE));
	ASSERT_EQ(OK, aclrtUnmapMem(gone.address));
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->host, SIZE, gone.address, 64, 2);
	ASSERT_EQ(OK, aclrtReleaseMemAddress(gone.address));
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->host, SIZE, gone.address, 64, 2);
	REFUSED(PARAM_INVALID, aclrtMemcpy, gone.address, SIZE, self->host, 64, 1);
	REFUSED(PARAM_INVALID, aclrtMemset, gone.address, SIZE, 1, 64);
	ASSERT_EQ(OK, aclrtFreePhysical(gone.handle));
}

TEST_F_TIMEOUT(copy, aclrtMemcpyAsync_is_complete_on_return, 180)
{
	aclrtStream stream;

	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	EXPECT_EQ(OK, aclrtMemcpyAsync(self->a.address, SIZE, self->host, SIZE,
				       ACL_MEMCPY_HOST_TO_DEVICE, stream));
	EXPECT_EQ(-1, pattern_verify(self->a.address, SIZE, 1));
	EXPECT_EQ(OK, aclrtMemsetAsync(self->a.address, SIZE, 3, 100, NULL));
	EXPECT_EQ(-1, bytes_differ(self->a.address, 100, 3));
	EXPECT_EQ(OK, aclrtSynchronizeStream(stream));
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
}

TEST_F_TIMEOUT(copy, aclrtMemset_takes_the_low_byte, 180)
{
	EXPECT_EQ(OK, aclrtMemset(self->a.address, SIZE, -1, ODD));
	EXPECT_EQ(-1, bytes_differ(self->a.address, ODD, 0xff));
	EXPECT_EQ(-1, bytes_differ((char *)self->a.address + ODD, SIZE - ODD, 0));
	EXPECT_EQ(OK, aclrtMemset(self->host, SIZE, 0x7f, ODD));
	EXPECT_EQ(-1, bytes_differ(self->host, ODD, 0x7f));
}

TEST_HARNESS_MAIN
