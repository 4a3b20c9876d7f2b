// SPDX-License-Identifier: MIT
/*
 * Error codes and the text that goes with them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "npumem_shim.h"

#define TEXT_SIZE 1024

/* The text being told stays valid while the next one is written. */
static _Thread_local char pending[TEXT_SIZE];
static _Thread_local char told[TEXT_SIZE];

/* Causes that no call has a meaning of its own for. */
static const struct shim_rule common_rules[] = {
	{ EPERM, CAUSE_DENIED },
	{ ENXIO, CAUSE_MEMORY_REMOVED },
	{ ENODEV, CAUSE_MEMORY_REMOVED },
	{ ENOMEM, CAUSE_HOST_MEMORY },
	{ EIO, CAUSE_MEMORY_FAILED },
	/* All other pointers of the program are read by the library itself. */
	{ EFAULT, CAUSE_PIDS_UNREADABLE },
	{ EOPNOTSUPP, CAUSE_UNSUPPORTED },
	{ EACCES, CAUSE_OTHER_PROCESS },
	{ EMFILE, CAUSE_TOO_MANY_HANDLES },
	{ EDQUOT, CAUSE_USER_HANDLES },
	{ EINVAL, CAUSE_REQUEST_MALFORMED },
	{ EBADF, CAUSE_DESCRIPTOR_CLOSED },
	{ ENOTTY, CAUSE_REQUEST_UNKNOWN },
	{ 0 }
};

static void append(size_t *used, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append_va(size_t *used, const char *format, va_list ap)
{
	int n = vsnprintf(pending + *used, TEXT_SIZE - *used, format, ap);

	if (n > 0)
		*used += (size_t)n < TEXT_SIZE - *used ? (size_t)n :
							 TEXT_SIZE - 1 - *used;
}

static void append(size_t *used, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	append_va(used, format, ap);
	va_end(ap);
}

/* The device that an argument stands for, if it does so. */
static bool argument_device(const struct shim_arg *arg, uint32_t *number)
{
	if (arg->kind == SHIM_ARG_DEVICE)
		return shim_device_lookup((int32_t)arg->value, number);
	if (arg->kind != SHIM_ARG_CURRENT)
		return false;
	*number = shim_current_device();
	return *number != NPUMEM_DEVICE_NONE;
}

static void append_arg(size_t *used, const struct shim_arg *arg)
{
	const uint64_t *token = (const uint64_t *)(uintptr_t)arg->value;
	uint32_t number;

	switch (arg->kind) {
	case SHIM_ARG_SHARE:
		if (*token)
			append(used, "share 0x%" PRIx64, *token);
		else
			append(used, "no share");
		break;
	case SHIM_ARG_CURRENT:
		if (argument_device(arg, &number))
			append(used, "current device %s", shim_device_text(number).text);
		else
			append(used, "no current device");
		break;
	case SHIM_ARG_DEVICE:
		if (argument_device(arg, &number)) {
			append(used, "%s=%s", arg->name, shim_device_text(number).text);
			break;
		}
		append(used, "%s=%" PRId64, arg->name, (int64_t)arg->value);
		break;
	case SHIM_ARG_ADDRESS:
	case SHIM_ARG_HANDLE:
		if (!arg->value) {
			append(used, "%s=NULL", arg->name);
			break;
		}
		/* fall through */
	case SHIM_ARG_HEX:
		append(used, "%s=0x%" PRIx64, arg->name, arg->value);
		break;
	case SHIM_ARG_SIZE:
		append(used, "%s=%" PRIu64, arg->name, arg->value);
		break;
	case SHIM_ARG_INT:
		append(used, "%s=%" PRId64, arg->name, (int64_t)arg->value);
		break;
	case SHIM_ARG_NONE:
		break;
	}
}

/* "aclrtFreePhysical(handle=0x12): handle: ... (error 107000)" */
aclError shim_fail(const struct shim_call *call, aclError code,
		   const char *format, ...)
{
	const struct shim_arg *arg = call->args;
	size_t used = 0;
	va_list ap;

	append(&used, "%s(", call->name);
	for (; arg->kind; arg++) {
		if (arg > call->args)
			append(&used, ", ");
		append_arg(&used, arg);
	}
	append(&used, "): ");
	va_start(ap, format);
	append_va(&used, format, ap);
	va_end(ap);
	append(&used, " (error %d)", code);
	return code;
}

aclError shim_null(const struct shim_call *call, const char *argument)
{
	return shim_fail(call, CAUSE_NULL_POINTER, argument);
}

static const struct shim_rule *find_rule(const struct shim_rule *rules, int error)
{
	for (; rules && rules->error; rules++)
		if (rules->error == error)
			return rules;
	return NULL;
}

/* The name of the device argument that the driver gives @error for, or NULL. */
static const char *device_at_fault(const struct shim_call *call, int error)
{
	struct npumem_device_info info = { .size = sizeof(info) };
	const struct shim_arg *arg = call->args;

	for (; arg->kind; arg++)
		if (argument_device(arg, &info.device) &&
		    shim_try(NPUMEM_DEVICE_INFO, &info) == error)
			return arg->name;
	return NULL;
}

aclError shim_explain(const struct shim_call *call, const struct shim_rule *rules,
		      int error)
{
	const struct shim_rule *rule = find_rule(rules, error);
	const char *device = NULL;

	if (!rule && (error == ENXIO || error == ENODEV))
		device = device_at_fault(call, error);
	if (device && error == ENXIO)
		return shim_fail(call, CAUSE_NO_DEVICE, device);
	if (device)
		return shim_fail(call, CAUSE_DEVICE_REMOVED, device);
	if (!rule)
		rule = find_rule(common_rules, error);
	if (rule)
		return shim_fail(call, rule->code, "%s", rule->text);
	return shim_fail(call, CAUSE_ERRNO, error);
}

aclError shim_refuse(const struct shim_call *call, const struct shim_rule *rules,
		     int error)
{
	if (shim_inherited(call))
		return shim_fail_inherited(call);
	return shim_explain(call, rules, error);
}

const char *aclGetRecentErrMsg(void)
{
	if (!pending[0])
		return NULL;
	memcpy(told, pending, sizeof(told));
	pending[0] = '\0';
	return told;
}
