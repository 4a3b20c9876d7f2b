// SPDX-License-Identifier: MIT
/* Contexts and streams. */
#include <pthread.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

FIXTURE(context)
{
	struct watch watch;
};

FIXTURE_SETUP(context)
{
	ASSERT_TRUE(watch_start(&self->watch));
}

FIXTURE_TEARDOWN(context)
{
	aclrtResetDeviceForce(0);
	aclrtResetDeviceForce(1);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* The thread's device, or minus the error. */
static int current_device(void)
{
	int32_t device = 99;
	aclError error = aclrtGetDevice(&device);

	return error ? -error : device;
}

TEST_F_TIMEOUT(context, aclrtCreateContext_belongs_to_its_device, 180)
{
	aclrtContext first, second;

	ASSERT_EQ(OK, aclrtCreateContext(&first, 1));
	EXPECT_EQ(1, current_device());
	ASSERT_EQ(OK, aclrtCreateContext(&second, 0));
	EXPECT_EQ(0, current_device());
	EXPECT_NE(first, second);
	EXPECT_EQ(OK, aclrtDestroyContext(second));
	EXPECT_EQ(OK, aclrtDestroyContext(first));
}

TEST_F_TIMEOUT(context, aclrtCreateContext_of_bad_arguments, 180)
{
	aclrtContext context = GARBAGE;

	REFUSED(INVALID_PARAM, aclrtCreateContext, NULL, 0);
	REFUSED(INVALID_DEVICE, aclrtCreateContext, &context, 31);
	REFUSED(INVALID_DEVICE, aclrtCreateContext, &context, -1);
	EXPECT_EQ(GARBAGE, context);
	EXPECT_EQ(-CONTEXT_NULL, current_device());
}

TEST_F_TIMEOUT(context, aclrtDestroyContext, 180)
{
	aclrtContext context, other, normal;
	aclrtStream stream;

	ASSERT_EQ(OK, aclrtCreateContext(&context, 1));
	ASSERT_EQ(OK, aclrtCreateContext(&other, 0));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	REFUSED(INVALID_PARAM, aclrtDestroyContext, NULL);
	REFUSED(PARAM_INVALID, aclrtDestroyContext, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtDestroyContext, &context);
	REFUSED(PARAM_INVALID, aclrtDestroyContext, stream);
	/* One that is not current: nothing changes for the thread. */
	EXPECT_EQ(OK, aclrtDestroyContext(context));
	REFUSED(PARAM_INVALID, aclrtDestroyContext, context);
	EXPECT_EQ(0, current_device());
	/* The current one: the thread has none. */
	EXPECT_EQ(OK, aclrtDestroyContext(other));
	EXPECT_EQ(-CONTEXT_NULL, current_device());
	/* A device's own goes with the device. */
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&normal));
	REFUSED(PARAM_INVALID, aclrtDestroyContext, normal);
	EXPECT_EQ(0, current_device());
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(PARAM_INVALID, aclrtSetCurrentContext, normal);
}

TEST_F_TIMEOUT(context, aclrtSetCurrentContext, 180)
{
	aclrtContext first, second;
	aclrtStream stream;

	ASSERT_EQ(OK, aclrtCreateContext(&first, 1));
	ASSERT_EQ(OK, aclrtCreateContext(&second, 0));
	EXPECT_EQ(OK, aclrtSetCurrentContext(first));
	EXPECT_EQ(1, current_device());
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	REFUSED(INVALID_PARAM, aclrtSetCurrentContext, NULL);
	REFUSED(PARAM_INVALID, aclrtSetCurrentContext, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtSetCurrentContext, stream);
	EXPECT_EQ(OK, aclrtDestroyContext(second));
	REFUSED(PARAM_INVALID, aclrtSetCurrentContext, second);
	EXPECT_EQ(1, current_device());
}

TEST_F_TIMEOUT(context, aclrtGetCurrentContext, 180)
{
	aclrtContext context, now = GARBAGE;

	/* That there is none is no error. */
	EXPECT_EQ(OK, aclrtGetCurrentContext(&now));
	EXPECT_EQ(NULL, now);
	EXPECT_EQ(NULL, aclGetRecentErrMsg());
	ASSERT_EQ(OK, aclrtCreateContext(&context, 1));
	EXPECT_EQ(OK, aclrtGetCurrentContext(&now));
	EXPECT_EQ(context, now);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtGetCurrentContext(&now));
	EXPECT_NE(NULL, now);
	EXPECT_NE(context, now);
	ASSERT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclrtGetCurrentContext(&now));
	EXPECT_EQ(NULL, now);
	REFUSED(INVALID_PARAM, aclrtGetCurrentContext, NULL);
}

struct in_thread {
	aclrtContext context;
	int before, set, after;
};

static void *take_context(void *data)
{
	struct in_thread *t = data;

	t->before = current_device();
	t->set = aclrtSetCurrentContext(t->context);
	t->after = current_device();
	return NULL;
}

TEST_F_TIMEOUT(context, aclrtSetCurrentContext_in_another_thread, 180)
{
	struct in_thread t = { 0 };
	pthread_t thread;

	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&t.context));
	ASSERT_NE(NULL, t.context);
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_context, &t));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-CONTEXT_NULL, t.before);
	EXPECT_EQ(OK, t.set);
	EXPECT_EQ(1, t.after);
	EXPECT_EQ(OK, aclrtResetDevice(1));
}

TEST_F_TIMEOUT(context, aclrtCreateStream, 180)
{
	aclrtStream stream = GARBAGE, other;

	REFUSED(INVALID_PARAM, aclrtCreateStream, NULL);
	REFUSED(CONTEXT_NULL, aclrtCreateStream, &stream);
	EXPECT_EQ(GARBAGE, stream);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	ASSERT_EQ(OK, aclrtCreateStream(&other));
	EXPECT_NE(NULL, stream);
	EXPECT_NE(stream, other);
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
	EXPECT_EQ(OK, aclrtDestroyStream(other));
}

TEST_F_TIMEOUT(context, aclrtCreateStreamWithConfig, 180)
{
	const uint32_t flags[] = { 0, 1, 2, 3, UINT32_MAX };
	aclrtStream stream = GARBAGE;
	size_t i;

	REFUSED(INVALID_PARAM, aclrtCreateStreamWithConfig, NULL, 0, 0);
	REFUSED(CONTEXT_NULL, aclrtCreateStreamWithConfig, &stream, 0, 0);
	EXPECT_EQ(GARBAGE, stream);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		ASSERT_EQ(OK, aclrtCreateStreamWithConfig(&stream, i, flags[i]));
		EXPECT_EQ(OK, aclrtSynchronizeStream(stream));
		EXPECT_EQ(OK, aclrtDestroyStream(stream));
	}
}

/* Both ways to destroy one refuse the same. */
TEST_F_TIMEOUT(context, aclrtDestroyStream, 180)
{
	aclrtContext context;
	aclrtStream stream;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&context));
	REFUSED(INVALID_PARAM, aclrtDestroyStream, NULL);
	REFUSED(PARAM_INVALID, aclrtDestroyStream, GARBAGE);
	REFUSED(PARAM_INVALID, aclrtDestroyStream, context);
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
	REFUSED(PARAM_INVALID, aclrtDestroyStream, stream);
	REFUSED(PARAM_INVALID, aclrtDestroyStreamForce, stream);
	REFUSED(PARAM_INVALID, aclrtSynchronizeStream, stream);
}

TEST_F_TIMEOUT(context, aclrtDestroyStreamForce, 180)
{
	aclrtStream stream;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	REFUSED(INVALID_PARAM, aclrtDestroyStreamForce, NULL);
	REFUSED(PARAM_INVALID, aclrtDestroyStreamForce, GARBAGE);
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	EXPECT_EQ(OK, aclrtDestroyStreamForce(stream));
	REFUSED(PARAM_INVALID, aclrtDestroyStreamForce, stream);
	REFUSED(PARAM_INVALID, aclrtDestroyStream, stream);
	/* With its device it goes as well. */
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(PARAM_INVALID, aclrtDestroyStreamForce, stream);
}

TEST_F_TIMEOUT(context, aclrtSynchronizeStream, 180)
{
	aclrtStream stream;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	EXPECT_EQ(OK, aclrtSynchronizeStream(stream));
	EXPECT_EQ(OK, aclrtSynchronizeStream(NULL));
	REFUSED(PARAM_INVALID, aclrtSynchronizeStream, GARBAGE);
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
	REFUSED(PARAM_INVALID, aclrtSynchronizeStream, stream);
}

TEST_F_TIMEOUT(context, aclrtSynchronizeStreamWithTimeout, 180)
{
	const int32_t timeouts[] = { -1, 0, 1, 1000, INT32_MAX };
	aclrtStream stream;
	size_t i;

	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	for (i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		EXPECT_EQ(OK, aclrtSynchronizeStreamWithTimeout(stream, timeouts[i]));
		EXPECT_EQ(OK, aclrtSynchronizeStreamWithTimeout(NULL, timeouts[i]));
	}
	REFUSED(PARAM_INVALID, aclrtSynchronizeStreamWithTimeout, stream, -2);
	REFUSED(PARAM_INVALID, aclrtSynchronizeStreamWithTimeout, stream, INT32_MIN);
	REFUSED(PARAM_INVALID, aclrtSynchronizeStreamWithTimeout, GARBAGE, 1);
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
}

TEST_F_TIMEOUT(context, aclrtSynchronizeDevice, 180)
{
	REFUSED(CONTEXT_NULL, aclrtSynchronizeDevice);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtSynchronizeDevice());
	ASSERT_EQ(OK, aclrtResetDevice(0));
	REFUSED(CONTEXT_NULL, aclrtSynchronizeDevice);
}

TEST_F_TIMEOUT(context, aclrtSynchronizeDeviceWithTimeout, 180)
{
	REFUSED(CONTEXT_NULL, aclrtSynchronizeDeviceWithTimeout, -1);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	EXPECT_EQ(OK, aclrtSynchronizeDeviceWithTimeout(-1));
	EXPECT_EQ(OK, aclrtSynchronizeDeviceWithTimeout(0));
	EXPECT_EQ(OK, aclrtSynchronizeDeviceWithTimeout(INT32_MAX));
	REFUSED(PARAM_INVALID, aclrtSynchronizeDeviceWithTimeout, -2);
}

TEST_HARNESS_MAIN
