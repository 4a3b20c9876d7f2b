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
	{ EPERM, ACL_ERROR_RT_NO_PERMISSION, "the driver denied permission" },
	{ ENXIO, ACL_ERROR_RT_NO_DEVICE,
	  "no such device; aclrtGetDeviceCount tells how many there are" },
	{ ENODEV, ACL_ERROR_RT_NO_DEVICE,
	  "the device was removed from its driver; free what is left of its memory, or have "
	  "it bound again" },
	{ ENOMEM, ACL_ERROR_RT_MEMORY_ALLOCATION,
	  "the host or this process's memory cgroup is out of memory" },
	{ EFAULT, ACL_ERROR_RT_INVALID_HANDLE,
	  "memory that an argument points to cannot be accessed" },
	{ EOPNOTSUPP, ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
	  "not supported by this device or driver" },
	{ EACCES, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "this process is not the one that opened the driver (made by vfork or clone?); "
	  "use AscendCL in the process that called aclInit, or after fork() or exec" },
	{ EMFILE, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "a limit per process is reached; free some, or raise the module's max_* parameter" },
	{ EINVAL, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "an address or size is not a multiple of 2 MiB or out of range" },
	{ EBADF, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "the program closed the descriptor of " NPUMEM_DEVICE_PATH
	  "; it must not close descriptors it did not open" },
	{ ENOTTY, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
	  "the module does not know this request, or the program closed the descriptor of "
	  NPUMEM_DEVICE_PATH "; load the module that belongs to this library" },
	{ EINTR, ACL_ERROR_RT_DRV_INTERNAL_ERROR, "ended by a signal" },
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

static void append_arg(size_t *used, const struct shim_arg *arg)
{
	switch (arg->kind) {
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
	const size_t max = sizeof(call->args) / sizeof(call->args[0]);
	size_t used = 0;
	va_list ap;

	append(&used, "%s(", call->name);
	for (size_t i = 0; i < max && call->args[i].kind; i++) {
		if (i)
			append(&used, ", ");
		append_arg(&used, &call->args[i]);
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
	return shim_fail(call, CAUSE_NULL, argument);
}

static const struct shim_rule *find_rule(const struct shim_rule *rules, int error)
{
	for (; rules && rules->error; rules++)
		if (rules->error == error)
			return rules;
	return NULL;
}

aclError shim_explain(const struct shim_call *call, const struct shim_rule *rules,
		      int error)
{
	const struct shim_rule *rule = find_rule(rules, error);

	if (!rule)
		rule = find_rule(common_rules, error);
	if (rule)
		return shim_fail(call, rule->code, "%s", rule->text);
	return shim_fail(call, ACL_ERROR_RT_DRV_INTERNAL_ERROR,
			 "refused by the driver with errno %d", error);
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
