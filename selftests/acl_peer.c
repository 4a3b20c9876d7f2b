// SPDX-License-Identifier: MIT
/* Access from one device to another's memory. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(peer)
{
	struct acl_scene scene;
};

FIXTURE_SETUP(peer)
{
	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
}

FIXTURE_TEARDOWN(peer)
{
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

/* As this process enabled it, or minus the error. */
static int status_of(int device, int peer)
{
	int32_t status = 7;
	aclError error = aclrtDevicePeerAccessStatus(device, peer, &status);

	return error ? -error : status;
}

TEST_F_TIMEOUT(peer, aclrtDeviceCanAccessPeer, 180)
{
	int32_t can = 7;

	REFUSED(INVALID_PARAM, aclrtDeviceCanAccessPeer, NULL, 0, 1);
	REFUSED(INVALID_PARAM, aclrtDeviceCanAccessPeer, &can, 0, 0);
	REFUSED(INVALID_PARAM, aclrtDeviceCanAccessPeer, &can, 1, 1);
	REFUSED(INVALID_DEVICE, aclrtDeviceCanAccessPeer, &can, 0, 31);
	REFUSED(INVALID_DEVICE, aclrtDeviceCanAccessPeer, &can, 31, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceCanAccessPeer, &can, -1, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceCanAccessPeer, &can, 0, INT32_MAX);
	EXPECT_EQ(7, can);
	EXPECT_EQ(OK, aclrtDeviceCanAccessPeer(&can, 0, 1));
	EXPECT_EQ(1, can);
	can = 7;
	EXPECT_EQ(OK, aclrtDeviceCanAccessPeer(&can, 1, 0));
	EXPECT_EQ(1, can);
}

TEST_F_TIMEOUT(peer, aclrtDeviceEnablePeerAccess_of_bad_arguments, 180)
{
	REFUSED(INVALID_PARAM, aclrtDeviceEnablePeerAccess, 0, 0);
	REFUSED(UNSUPPORTED_FLAGS, aclrtDeviceEnablePeerAccess, 1, 1);
	REFUSED(UNSUPPORTED_FLAGS, aclrtDeviceEnablePeerAccess, 1, 1U << 31);
	REFUSED(INVALID_DEVICE, aclrtDeviceEnablePeerAccess, 31, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceEnablePeerAccess, -1, 0);
	EXPECT_EQ(0, status_of(0, 1));
}

TEST_F_TIMEOUT(peer, aclrtDeviceDisablePeerAccess_of_bad_arguments, 180)
{
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	REFUSED(INVALID_PARAM, aclrtDeviceDisablePeerAccess, 0);
	REFUSED(INVALID_DEVICE, aclrtDeviceDisablePeerAccess, 31);
	REFUSED(INVALID_DEVICE, aclrtDeviceDisablePeerAccess, -1);
	EXPECT_EQ(1, status_of(0, 1));
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(1));
	REFUSED(DRIVER_ERROR, aclrtDeviceDisablePeerAccess, 1);
}

TEST_F_TIMEOUT(peer, aclrtDevicePeerAccessStatus_of_bad_arguments, 180)
{
	int32_t status = 7;

	REFUSED(INVALID_PARAM, aclrtDevicePeerAccessStatus, 0, 1, NULL);
	REFUSED(INVALID_PARAM, aclrtDevicePeerAccessStatus, 1, 1, &status);
	REFUSED(INVALID_DEVICE, aclrtDevicePeerAccessStatus, 0, 31, &status);
	REFUSED(INVALID_DEVICE, aclrtDevicePeerAccessStatus, -1, 0, &status);
	EXPECT_EQ(7, status);
}

TEST_F_TIMEOUT(peer, aclrtDevicePeerAccessStatus_tells_one_direction, 180)
{
	EXPECT_EQ(0, status_of(0, 1));
	EXPECT_EQ(0, status_of(1, 0));
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	EXPECT_EQ(1, status_of(0, 1));
	EXPECT_EQ(0, status_of(1, 0));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	EXPECT_EQ(1, status_of(1, 0));
	ASSERT_EQ(OK, aclrtDeviceDisablePeerAccess(0));
	EXPECT_EQ(1, status_of(0, 1));
	EXPECT_EQ(0, status_of(1, 0));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(1));
	EXPECT_EQ(0, status_of(0, 1));
	EXPECT_EQ(OK, aclrtResetDevice(1));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

static long do_status(__u64 *a)
{
	return status_of(a[0], a[1]);
}

static long do_enable(__u64 *a)
{
	return aclrtDeviceEnablePeerAccess(a[0], 0);
}

TEST_F_TIMEOUT(peer, aclrtDeviceEnablePeerAccess_is_counted_per_process, 180)
{
	struct process other;
	int i;

	ASSERT_EQ(0, acl_start(&other, 0));
	ASSERT_EQ(OK, process_do(&other, do_enable, 1));
	EXPECT_EQ(1, process_do(&other, do_status, 0, 1));
	/* What another has enabled is not ours to disable. */
	EXPECT_EQ(0, status_of(0, 1));
	REFUSED(DRIVER_ERROR, aclrtDeviceDisablePeerAccess, 1);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, status_of(0, 1));
		EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(1));
	}
	EXPECT_EQ(0, status_of(0, 1));
	REFUSED(DRIVER_ERROR, aclrtDeviceDisablePeerAccess, 1);
	EXPECT_EQ(1, process_do(&other, do_status, 0, 1));
}

static void *work_without_context(void *result)
{
	aclError *error = result;
	int32_t value = 7;

	*error++ = aclrtDeviceEnablePeerAccess(1, 0);
	*error++ = aclrtDeviceDisablePeerAccess(1);
	/* These two name both devices. */
	*error++ = aclrtDeviceCanAccessPeer(&value, 0, 1);
	*error++ = aclrtDevicePeerAccessStatus(0, 1, &value);
	return NULL;
}

TEST_F_TIMEOUT(peer, aclrtDeviceEnablePeerAccess_without_a_context, 180)
{
	const aclError expected[] = { CONTEXT_NULL, CONTEXT_NULL, OK, OK };
	aclError seen[4];
	pthread_t thread;
	int i;

	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, work_without_context, seen));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(expected[i], seen[i]) TH_LOG("step %d", i);
	}
	EXPECT_EQ(1, status_of(0, 1));
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(1));
}

/* "Both directions are enabled by somebody": what that opens. */
TEST_F_TIMEOUT(peer, aclrtDeviceEnablePeerAccess_opens_the_others_memory, 180)
{
	char *mapped = self->scene.mapping.address;
	unsigned char local[64];

	ASSERT_EQ(OK, aclrtSetDevice(1));
	REFUSED(PARAM_INVALID, aclrtMemcpy, local, 64, mapped, 64, ACL_MEMCPY_DEVICE_TO_HOST);
	/* The other way round is of no use. */
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(1, 0));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	REFUSED(PARAM_INVALID, aclrtMemcpy, local, 64, mapped, 64, ACL_MEMCPY_DEVICE_TO_HOST);
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	EXPECT_EQ(OK, aclrtMemcpy(local, 64, mapped, 64, ACL_MEMCPY_DEVICE_TO_HOST));
	EXPECT_EQ(0, memcmp(local, mapped, 64));
	ASSERT_EQ(OK, aclrtDeviceDisablePeerAccess(0));
	REFUSED(PARAM_INVALID, aclrtMemcpy, local, 64, mapped, 64, ACL_MEMCPY_DEVICE_TO_HOST);
	/* What is enabled from or to a device goes with its reset. */
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	ASSERT_EQ(OK, aclrtResetDeviceForce(1));
	EXPECT_EQ(0, status_of(0, 1));
	EXPECT_EQ(0, status_of(1, 0));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

TEST_HARNESS_MAIN
