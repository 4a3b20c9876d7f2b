/* SPDX-License-Identifier: MIT */
/*
 * The frame of acl_causes.c: a cause is provoked in a process of its own, which
 * may do to itself what it likes, and leaves there what the library said.
 */
#ifndef _ACL_CAUSES_H
#define _ACL_CAUSES_H

#include <fnmatch.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "acl_errors.h"
#include "npumem_module.h"

/* The parts of a cause in the library's own table. */
struct parts {
	int code;
	const char *cause;
	const char *remedy;
};

#define CAUSE(code, cause, remedy) { code, cause, remedy }
#include "../lib/causes.h"

/* What the failing call left, in memory that all processes of a test have. */
static struct said {
	char function[64];
	int arguments;
	int code;
	char text[MESSAGE_SIZE];
} *said;

/* One call, whose failure is looked at: CALL(aclrtFreePhysical, handle). */
#define CALL(name, ...)								\
	((void)snprintf(said->function, sizeof(said->function), #name),		\
	 (void)(said->arguments = COUNT(__VA_ARGS__)), name(__VA_ARGS__))
#define COUNT(...)	COUNT_(0, ##__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)
#define COUNT_(a, b, c, d, e, f, g, count, ...)	count

/* In whichever process the call was made. */
static void keep(int code)
{
	const char *text = aclGetRecentErrMsg();

	said->code = code;
	snprintf(said->text, sizeof(said->text), "%s", text ? text : "");
}

/* On the way to the cause nothing else may go wrong. */
#define MUST(condition)								\
	do {									\
		if (!(condition)) {						\
			const char *__text = aclGetRecentErrMsg();		\
										\
			printf("# %s:%d: not so: %s (errno %d, %s)\n", __FILE__, __LINE__,	\
			       #condition, errno, __text ? __text : "no text");	\
			return NOT_REACHED;					\
		}								\
	} while (0)
#define NOT_REACHED	(-1)
/* Another process than the one that provokes has kept it. */
#define KEPT		(-2)

/*
 * PROVOKE(SIZE_ZERO) { return CALL(...); } - the body runs in a process that
 * has not used the library; PROVOKE_WITH loads the module with a parameter for
 * it. UNPROVOKED is for what no test can bring about.
 */
#define PROVOKE(name)								\
	PROVOKE_AS(#name, provoke_##name, covered_##name, of_##name, NULL, CAUSE_##name)
#define PROVOKE_WITH(name, parameter)						\
	PROVOKE_AS(#name, provoke_##name, covered_##name, of_##name, parameter, CAUSE_##name)
#define UNPROVOKED(name, reason)	COVER(#name, covered_##name)

/* Names of all causes that are dealt with, where the linker gathers them. */
#define COVER(name, variable)							\
	static const char *const variable __attribute__((section("covered"), used)) = name

#define PROVOKE_AS(name, function, variable, variant, parameter, ...)		\
	static int function(void);						\
	COVER(name, variable);							\
	FIXTURE_VARIANT_ADD(cause, variant) {					\
		.parts = __VA_ARGS__,						\
		.provoke = function,						\
		.module = parameter,						\
	};									\
	static int function(void)

FIXTURE(cause)
{
	struct watch watch;
	struct process process;
};

FIXTURE_VARIANT(cause)
{
	struct parts parts;
	int (*provoke)(void);
	const char *module;
};

#define SIZE		(4 * MIB)

static aclrtDrvMemHandle handle;
static void *pointer;
static uint64_t number;
static int32_t value;
static size_t amount;

/* A process that uses device 0, with memory of it mapped. */
static struct acl_mapping mapping;

static bool start(void)
{
	return !aclrtSetDevice(0);
}

static bool start_mapped(void)
{
	return start() && !acl_mapping_new(&mapping, 0, SIZE);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/*
 * From now on a limit of the user's is @value, and for this process, if it has not
 * used the library yet: who may do all with resources is exempt.
 */
static bool start_limited(const char *limit, long long value)
{
	return !npumem_set_parameter(limit, value) && drop_capability(CAP_SYS_RESOURCE) &&
	       start();
}

/* Another process, that has exported memory of device 0. */
static struct process exporter;

static bool start_exporter(uint64_t flags)
{
	__u64 theirs, address, share;

	if (acl_start(&exporter, 0) || acl_new(&exporter, 0, SIZE, 1, &theirs, &address) ||
	    acl_export(&exporter, theirs, flags, &share))
		return false;
	number = share;
	return true;
}

#endif /* _ACL_CAUSES_H */
