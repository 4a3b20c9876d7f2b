// SPDX-License-Identifier: MIT
/*
 * Streams. The order of a stream is the order of the calls: each has completed
 * when it returns, so that there is never anything to wait for.
 */
#include <errno.h>

#include "npumem_shim.h"

/* NULL is the default stream of the current context. */
aclError shim_stream_check(const struct shim_call *call, aclrtStream stream)
{
	struct shim_object object;
	int error;

	if (!stream)
		return ACL_SUCCESS;
	error = shim_object_get(stream, &object);
	if (error == ESTALE)
		return shim_fail_inherited(call);
	if (error || object.kind != SHIM_STREAM)
		return shim_fail(call, CAUSE_NO_SUCH_STREAM);
	return ACL_SUCCESS;
}

static aclError create(const struct shim_call *call, aclrtStream *stream)
{
	uint32_t number = 0;
	void *created;
	aclError err;

	if (!stream)
		return shim_null(call, "stream");
	err = shim_need_device(call, &number);
	if (err)
		return err;
	created = shim_object_new(SHIM_STREAM, number);
	if (!created)
		return shim_explain(call, NULL, ENOMEM);
	*stream = created;
	return ACL_SUCCESS;
}

static aclError destroy(const struct shim_call *call, aclrtStream stream)
{
	aclError err;

	if (!stream)
		return shim_null(call, "stream");
	err = shim_stream_check(call, stream);
	if (err)
		return err;
	if (shim_object_delete(stream))
		return shim_fail(call, CAUSE_STREAM_GONE);
	return ACL_SUCCESS;
}

static aclError check_timeout(const struct shim_call *call, int32_t timeout)
{
	if (timeout < -1)
		return shim_fail(call, CAUSE_TIMEOUT);
	return ACL_SUCCESS;
}

aclError aclrtCreateStream(aclrtStream *stream)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(stream));

	return create(&call, stream);
}

aclError aclrtCreateStreamWithConfig(aclrtStream *stream, uint32_t priority,
				     uint32_t flag)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(stream), SIZE(priority), HEX(flag));

	return create(&call, stream);
}

aclError aclrtDestroyStream(aclrtStream stream)
{
	const struct shim_call call = SHIM_CALL(HANDLE(stream));

	return destroy(&call, stream);
}

aclError aclrtDestroyStreamForce(aclrtStream stream)
{
	const struct shim_call call = SHIM_CALL(HANDLE(stream));

	return destroy(&call, stream);
}

aclError aclrtSynchronizeStream(aclrtStream stream)
{
	const struct shim_call call = SHIM_CALL(HANDLE(stream));

	return shim_stream_check(&call, stream);
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout)
{
	const struct shim_call call = SHIM_CALL(HANDLE(stream), INT(timeout));
	aclError err;

	err = check_timeout(&call, timeout);
	return err ? err : shim_stream_check(&call, stream);
}

aclError aclrtSynchronizeDevice(void)
{
	const struct shim_call call = SHIM_CALL_BARE;
	uint32_t number = 0;

	return shim_need_device(&call, &number);
}

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout)
{
	const struct shim_call call = SHIM_CALL(INT(timeout));
	uint32_t number = 0;
	aclError err;

	err = check_timeout(&call, timeout);
	return err ? err : shim_need_device(&call, &number);
}
