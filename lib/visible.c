// SPDX-License-Identifier: MIT
/*
 * Device numbers: ASCEND_RT_VISIBLE_DEVICES selects and renumbers, for this
 * process and all its calls. Only here are the program's numbers turned into
 * those of the driver and back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npumem_shim.h"

#define VARIABLE "ASCEND_RT_VISIBLE_DEVICES"

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* What the variable was; NULL: each device has its own number. */
static const char *list;
/* The driver's number of each visible device. */
static uint32_t visible[NPUMEM_MAX_DEVICES];
static uint32_t count;
/* How many devices the driver has, as it told last. */
static _Atomic uint32_t driver_count = NPUMEM_MAX_DEVICES;

static bool is_listed(unsigned long number)
{
	for (uint32_t i = 0; i < count; i++)
		if (visible[i] == number)
			return true;
	return false;
}

/*
 * "2,0" makes device 2 number 0, and device 0 number 1. What is not a number
 * or comes again ends the list: devices behind it are not visible.
 */
static void read_list(void)
{
	const char *at = getenv(VARIABLE);
	unsigned long number;
	char *end;

	if (!at)
		return;
	/* A copy, for the program may change its environment. */
	list = at = strdup(at);
	while (at && *at >= '0' && *at <= '9' && count < NPUMEM_MAX_DEVICES) {
		number = strtoul(at, &end, 10);
		if (number >= NPUMEM_MAX_DEVICES || is_listed(number) ||
		    (*end && *end != ','))
			break;
		visible[count++] = (uint32_t)number;
		at = *end ? end + 1 : end;
	}
}

/* A number that the driver does not have ends the list, too. */
static uint32_t list_length(void)
{
	uint32_t n = 0;

	while (n < count && visible[n] < atomic_load(&driver_count))
		n++;
	return n;
}

bool shim_device_lookup(int32_t id, uint32_t *number)
{
	pthread_once(&once, read_list);
	if (id < 0 || (uint32_t)id >= (list ? list_length() : NPUMEM_MAX_DEVICES))
		return false;
	*number = list ? visible[id] : (uint32_t)id;
	return true;
}

/* What the program calls the argument with the device @id. */
static const char *argument_name(const struct shim_call *call, int32_t id)
{
	const struct shim_arg *arg = call->args;

	while (arg->kind && (arg->kind != SHIM_ARG_DEVICE || (int32_t)arg->value != id))
		arg++;
	return arg->kind ? arg->name : "device";
}

aclError shim_device_number(const struct shim_call *call, int32_t id,
			    uint32_t *number)
{
	if (shim_device_lookup(id, number))
		return ACL_SUCCESS;
	if (list)
		return shim_fail(call, CAUSE_NOT_VISIBLE, argument_name(call, id), list,
				 list_length());
	return shim_fail(call, CAUSE_NO_DEVICE, argument_name(call, id));
}

int32_t shim_device_id(uint32_t number)
{
	pthread_once(&once, read_list);
	if (!list)
		return (int32_t)number;
	for (uint32_t i = 0; i < list_length(); i++)
		if (visible[i] == number)
			return (int32_t)i;
	return -1;
}

struct shim_device_text shim_device_text(uint32_t number)
{
	struct shim_device_text text;
	int32_t id = shim_device_id(number);

	if (!list)
		snprintf(text.text, sizeof(text.text), "%d", id);
	else if (id < 0)
		snprintf(text.text, sizeof(text.text), "(npumem.%u)", number);
	else
		snprintf(text.text, sizeof(text.text), "%d (npumem.%u)", id, number);
	return text;
}

void shim_device_told(uint32_t devices)
{
	atomic_store(&driver_count, devices);
}

uint32_t shim_device_visible(uint32_t devices)
{
	pthread_once(&once, read_list);
	shim_device_told(devices);
	return list ? list_length() : devices;
}

/* A number of the driver's that stands for a device which is there. */
static aclError check_driver_number(const struct shim_call *call, int32_t number)
{
	struct npumem_device_info info = {
		.size = sizeof(info),
		.device = (uint32_t)number,
	};
	static const struct shim_rule rules[] = {
		{ ENXIO, CAUSE_NO_DRIVER_DEVICE },
		{ 0 }
	};
	aclError err;

	if (number < 0)
		return shim_explain(call, rules, ENXIO);
	err = shim_start(call);
	return err ? err : shim_ask(call, NPUMEM_DEVICE_INFO, &info, rules);
}

aclError aclrtGetLogicDevIdByUserDevId(int32_t userDevId, int32_t *logicDevId)
{
	const struct shim_call call = SHIM_CALL(DEVICE(userDevId), ADDRESS(logicDevId));
	struct npumem_device_info info;
	aclError err;

	if (!logicDevId)
		return shim_null(&call, "logicDevId");
	err = shim_start(&call);
	if (!err)
		err = shim_device_find(&call, userDevId, &info);
	if (err)
		return err;
	*logicDevId = (int32_t)info.device;
	return ACL_SUCCESS;
}

aclError aclrtGetUserDevIdByLogicDevId(int32_t logicDevId, int32_t *userDevId)
{
	const struct shim_call call = SHIM_CALL(INT(logicDevId), ADDRESS(userDevId));
	aclError err;
	int32_t id;

	if (!userDevId)
		return shim_null(&call, "userDevId");
	err = check_driver_number(&call, logicDevId);
	if (err)
		return err;
	id = shim_device_id((uint32_t)logicDevId);
	if (id < 0)
		return shim_fail(&call, CAUSE_HIDDEN_DEVICE, list);
	*userDevId = id;
	return ACL_SUCCESS;
}

/* The driver has one numbering, in which devices stand where they are. */
aclError aclrtGetPhyDevIdByLogicDevId(int32_t logicDevId, int32_t *phyDevId)
{
	const struct shim_call call = SHIM_CALL(INT(logicDevId), ADDRESS(phyDevId));
	aclError err;

	if (!phyDevId)
		return shim_null(&call, "phyDevId");
	err = check_driver_number(&call, logicDevId);
	if (err)
		return err;
	*phyDevId = logicDevId;
	return ACL_SUCCESS;
}
