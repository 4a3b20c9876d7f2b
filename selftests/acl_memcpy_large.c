// SPDX-License-Identifier: MIT
/* Copies and fills of a gibibyte, and of what is not quite one. */
#include "acl_program.h"

#include "kselftest_harness.h"

#define SIZE	(1024 * MIB)
/* At addresses and of a size that are multiples of nothing. */
#define SHIFT	4099
#define ODD	(SIZE - 3 * SHIFT)

FIXTURE(large)
{
	struct watch watch;
	struct acl_mapping a, b;
	char *host;
	bool fits;
};

static size_t device_free(int device)
{
	return aclrtSetDevice(device) ? 0 : program_free();
}

/* Two devices' memory and the host's copy. */
FIXTURE_SETUP(large)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->fits = device_free(1) >= SIZE && device_free(0) >= SIZE &&
		     machine_free() > 3 * SIZE + 256 * MIB;
	if (!self->fits)
		return;
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	ASSERT_EQ(OK, acl_mapping_new(&self->a, 0, SIZE));
	ASSERT_EQ(OK, acl_mapping_new(&self->b, 1, SIZE));
	self->host = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->host);
}

FIXTURE_TEARDOWN(large)
{
	if (self->fits) {
		munmap(self->host, SIZE);
		EXPECT_EQ(OK, acl_mapping_end(&self->a));
		EXPECT_EQ(OK, acl_mapping_end(&self->b));
	}
	EXPECT_EQ(OK, aclrtResetDeviceForce(0));
	EXPECT_EQ(OK, aclrtResetDeviceForce(1));
	EXPECT_TRUE(watch_end(&self->watch));
}

#define NEEDS_ROOM() do {						\
	if (!self->fits)						\
		SKIP(return, "needs 1 GiB free on each of two devices, and on the host"); \
} while (0)

TEST_F_TIMEOUT(large, aclrtMemcpy_of_1_gib_every_way, 300)
{
	char *a = self->a.address, *b = self->b.address;

	NEEDS_ROOM();
	pattern_mark(a, SIZE, 1);
	EXPECT_EQ(OK, aclrtMemcpy(b, SIZE, a, SIZE, ACL_MEMCPY_DEVICE_TO_DEVICE));
	EXPECT_EQ(-1, pattern_check(b, SIZE, 1));
	/* To memory of the host that was never touched. */
	EXPECT_EQ(OK, aclrtMemcpyAsync(self->host, SIZE, b, SIZE, ACL_MEMCPY_DEVICE_TO_HOST, NULL));
	EXPECT_EQ(-1, pattern_check(self->host, SIZE, 1));
	EXPECT_EQ(OK, aclrtMemset(a, SIZE, 0x5a, SIZE));
	EXPECT_EQ(-1, bytes_differ(a, SIZE, 0x5a));
	EXPECT_EQ(OK, aclrtMemcpy(a, SIZE, self->host, SIZE, ACL_MEMCPY_HOST_TO_DEVICE));
	EXPECT_TRUE(bytes_equal(a, b, SIZE));
}

TEST_F_TIMEOUT(large, aclrtMemcpy_of_almost_1_gib_at_odd_addresses, 300)
{
	char *a = self->a.address, *b = self->b.address;

	NEEDS_ROOM();
	pattern_mark(a, SIZE, 2);
	EXPECT_EQ(OK, aclrtMemset(b, SIZE, 7, SIZE));
	EXPECT_EQ(OK, aclrtMemcpy(b + SHIFT, SIZE - SHIFT, a + 1, ODD,
				  ACL_MEMCPY_DEVICE_TO_DEVICE));
	EXPECT_EQ(-1, bytes_differ(b, SHIFT, 7));
	EXPECT_TRUE(bytes_equal(b + SHIFT, a + 1, ODD));
	EXPECT_EQ(-1, bytes_differ(b + SHIFT + ODD, 2 * SHIFT, 7));
	/* Onto itself, up and down again. */
	EXPECT_EQ(OK, aclrtMemcpy(b + 2 * SHIFT, ODD, b + SHIFT, ODD,
				  ACL_MEMCPY_DEVICE_TO_DEVICE));
	EXPECT_TRUE(bytes_equal(b + 2 * SHIFT, a + 1, ODD));
	EXPECT_EQ(OK, aclrtMemcpy(b + 1, ODD, b + 2 * SHIFT, ODD, ACL_MEMCPY_DEVICE_TO_DEVICE));
	EXPECT_TRUE(bytes_equal(b + 1, a + 1, ODD));
	EXPECT_EQ(7, b[0]);
}

/* The last byte decides: nothing of the gibibyte before it is written. */
TEST_F_TIMEOUT(large, aclrtMemcpy_of_one_byte_too_much, 300)
{
	/* The one behind which the other is not. */
	bool a_is_last = self->a.address > self->b.address;
	char *last = a_is_last ? self->a.address : self->b.address;
	char *first = a_is_last ? self->b.address : self->a.address;

	NEEDS_ROOM();
	pattern_mark(self->a.address, SIZE, 3);
	pattern_mark(self->b.address, SIZE, 4);
	REFUSED(PARAM_INVALID, aclrtMemcpy, last + 1, SIZE, first, SIZE,
		ACL_MEMCPY_DEVICE_TO_DEVICE);
	REFUSED(PARAM_INVALID, aclrtMemcpy, last + 1, SIZE, self->host, SIZE,
		ACL_MEMCPY_HOST_TO_DEVICE);
	REFUSED(PARAM_INVALID, aclrtMemcpy, first, SIZE, last + 1, SIZE,
		ACL_MEMCPY_DEVICE_TO_DEVICE);
	REFUSED(PARAM_INVALID, aclrtMemset, last, SIZE + 1, 0, SIZE + 1);
	EXPECT_EQ(-1, pattern_check(self->a.address, SIZE, 3));
	EXPECT_EQ(-1, pattern_check(self->b.address, SIZE, 4));
}

TEST_HARNESS_MAIN
