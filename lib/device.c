// SPDX-License-Identifier: MIT
/*
 * Devices: their numbers, and how often the process has set each.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "npumem_shim.h"

struct device {
	uint64_t set_count;
	void *context;			/* the default context */
};

/* Held over a reset, so that nobody sets a device that is half reset. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct device devices[NPUMEM_MAX_DEVICES];

aclError shim_device_find(const struct shim_call *call, int32_t id,
			  struct npumem_device_info *info)
{
	aclError err;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	err = shim_device_number(call, id, &info->device);
	if (err)
		return err;
	return shim_ask(call, NPUMEM_DEVICE_INFO, info, NULL);
}

aclError aclrtSetDevice(int32_t deviceId)
{
	const struct shim_call call = SHIM_CALL(DEVICE(deviceId));
	struct npumem_device_info info;
	struct device *device;
	aclError err;

	err = shim_start(&call);
	if (err)
		return err;
	err = shim_device_find(&call, deviceId, &info);
	if (err)
		return err;
	device = &devices[info.device];
	pthread_mutex_lock(&lock);
	if (!device->context)
		device->context = shim_object_new(SHIM_DEFAULT_CONTEXT, info.device);
	if (device->context) {
		device->set_count++;
		shim_context_set(device->context);
	} else {
		err = shim_explain(&call, NULL, ENOMEM);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* With @lock held. */
static aclError reset_device(const struct shim_call *call, uint32_t number)
{
	int error = shim_blocks_reset(number);

	if (error)
		return shim_refuse(call, NULL, error);
	shim_object_drop_device(number);
	devices[number].set_count = 0;
	devices[number].context = NULL;
	return ACL_SUCCESS;
}

static aclError not_set(const struct shim_call *call, int32_t id)
{
	struct npumem_device_info info;
	aclError err;

	err = shim_device_find(call, id, &info);
	if (err)
		return err;
	return shim_fail(call, CAUSE_NOT_SET);
}

static aclError unset_device(const struct shim_call *call, int32_t id, bool force)
{
	struct device *device;
	uint32_t number = 0;
	aclError err;
	int fd;

	err = shim_device_number(call, id, &number);
	if (!err)
		err = shim_client(call, &fd);
	if (err)
		return err;
	device = &devices[number];
	pthread_mutex_lock(&lock);
	if (!device->set_count && !force)
		err = not_set(call, id);
	else if (device->set_count > 1 && !force)
		device->set_count--;
	else
		err = reset_device(call, number);
	pthread_mutex_unlock(&lock);
	return err;
}

aclError aclrtResetDevice(int32_t deviceId)
{
	const struct shim_call call = SHIM_CALL(DEVICE(deviceId));

	return unset_device(&call, deviceId, false);
}

aclError aclrtResetDeviceForce(int32_t deviceId)
{
	const struct shim_call call = SHIM_CALL(DEVICE(deviceId));

	return unset_device(&call, deviceId, true);
}

aclError aclrtGetDevice(int32_t *deviceId)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(deviceId));
	uint32_t number = 0;
	aclError err;

	if (!deviceId)
		return shim_null(&call, "deviceId");
	err = shim_need_device(&call, &number);
	if (err)
		return err;
	*deviceId = shim_device_id(number);
	return ACL_SUCCESS;
}

aclError aclrtGetDeviceCount(uint32_t *count)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(count));
	struct npumem_query query = { 0 };
	aclError err;

	if (!count)
		return shim_null(&call, "count");
	/* It is about nothing that a forked child inherited. */
	err = shim_start(&call);
	if (err)
		return err;
	err = shim_query(&call, &query);
	if (err)
		return err;
	*count = shim_device_visible(query.device_count);
	return ACL_SUCCESS;
}

aclError aclrtGetRunMode(aclrtRunMode *runMode)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(runMode));

	if (!runMode)
		return shim_null(&call, "runMode");
	*runMode = ACL_HOST;
	return ACL_SUCCESS;
}

aclError aclrtDeviceGetBareTgid(int32_t *pid)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(pid));
	struct npumem_host_tgid tgid = { .size = sizeof(tgid) };
	aclError err;

	if (!pid)
		return shim_null(&call, "pid");
	err = shim_start(&call);
	if (err)
		return err;
	err = shim_ask(&call, NPUMEM_HOST_TGID, &tgid, NULL);
	if (err)
		return err;
	*pid = tgid.tgid;
	return ACL_SUCCESS;
}

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t *free, size_t *total)
{
	const struct shim_call call = SHIM_CALL(INT(attr), ADDRESS(free), ADDRESS(total),
						CURRENT_DEVICE);
	struct npumem_device_info info;
	uint32_t number = 0;
	aclError err;

	if (!free)
		return shim_null(&call, "free");
	if (!total)
		return shim_null(&call, "total");
	if ((unsigned int)attr > ACL_MEM_P2P_HUGE1G)
		return shim_fail(&call, CAUSE_MEMORY_ATTR);
	err = shim_need_device(&call, &number);
	if (err)
		return err;
	err = shim_device_find(&call, shim_device_id(number), &info);
	if (err)
		return err;
	*free = info.used < info.capacity ? info.capacity - info.used : 0;
	*total = info.capacity;
	return ACL_SUCCESS;
}

void shim_device_lock(void)
{
	pthread_mutex_lock(&lock);
}

void shim_device_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void shim_device_forked(bool lost)
{
	pthread_mutex_init(&lock, NULL);
	if (lost)
		memset(devices, 0, sizeof(devices));
}
