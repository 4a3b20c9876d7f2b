// SPDX-License-Identifier: MIT
/*
 * Contexts: each belongs to a device, each thread has one current or none.
 */
#include <errno.h>

#include "npumem_shim.h"

/* A name; what it names may be gone, which is as good as none. */
static _Thread_local void *current;

void shim_context_set(void *context)
{
	current = context;
}

uint32_t shim_current_device(void)
{
	struct shim_object object;

	if (!current || shim_object_get(current, &object))
		return NPUMEM_DEVICE_NONE;
	return object.device;
}

aclError shim_need_device(const struct shim_call *call, uint32_t *number)
{
	*number = shim_current_device();
	if (*number != NPUMEM_DEVICE_NONE)
		return ACL_SUCCESS;
	if (shim_client_lost())
		return shim_fail_inherited(call);
	return shim_fail(call, CAUSE_NO_CONTEXT);
}

static aclError unknown_context(const struct shim_call *call, int error)
{
	if (error == ESTALE)
		return shim_fail_inherited(call);
	return shim_fail(call, CAUSE_NO_SUCH_CONTEXT);
}

/* The context that a program named. */
static aclError get_context(const struct shim_call *call, aclrtContext context,
			    struct shim_object *object)
{
	int error = shim_object_get(context, object);

	if (!error && object->kind == SHIM_STREAM)
		error = ENOENT;
	return error ? unknown_context(call, error) : ACL_SUCCESS;
}

aclError aclrtCreateContext(aclrtContext *context, int32_t deviceId)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(context), DEVICE(deviceId));
	struct npumem_device_info info;
	void *created;
	aclError err;

	if (!context)
		return shim_null(&call, "context");
	err = shim_start(&call);
	if (!err)
		err = shim_device_find(&call, deviceId, &info);
	if (err)
		return err;
	created = shim_object_new(SHIM_CONTEXT, info.device);
	if (!created)
		return shim_explain(&call, NULL, ENOMEM);
	shim_context_set(created);
	*context = created;
	return ACL_SUCCESS;
}

aclError aclrtDestroyContext(aclrtContext context)
{
	const struct shim_call call = SHIM_CALL(HANDLE(context));
	struct shim_object object;
	aclError err;
	int error;

	if (!context)
		return shim_null(&call, "context");
	err = get_context(&call, context, &object);
	if (err)
		return err;
	if (object.kind == SHIM_DEFAULT_CONTEXT)
		return shim_fail(&call, CAUSE_DEFAULT_CONTEXT,
				 shim_device_text(object.device).text);
	error = shim_object_delete(context);
	return error ? unknown_context(&call, error) : ACL_SUCCESS;
}

aclError aclrtSetCurrentContext(aclrtContext context)
{
	const struct shim_call call = SHIM_CALL(HANDLE(context));
	struct shim_object object;
	aclError err;

	if (!context)
		return shim_null(&call, "context");
	err = get_context(&call, context, &object);
	if (err)
		return err;
	shim_context_set(context);
	return ACL_SUCCESS;
}

aclError aclrtGetCurrentContext(aclrtContext *context)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(context));

	if (!context)
		return shim_null(&call, "context");
	*context = shim_current_device() == NPUMEM_DEVICE_NONE ? NULL : current;
	return ACL_SUCCESS;
}
