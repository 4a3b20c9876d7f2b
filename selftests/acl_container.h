/* SPDX-License-Identifier: MIT */
/* What the tests with AscendCL in containers have in common. */
#ifndef _ACL_CONTAINER_H
#define _ACL_CONTAINER_H

#include "npumem_container.h"

#include "acl_process.h"

/* Starts a container whose program has set @device. */
static inline long acl_container(struct container *container,
				 const struct container_options *options, int device)
{
	long ret = container_start(container, options);

	return ret ? ret : process_do(&container->process, acl_do_start, device);
}

static inline pid_t acl_bare_tgid(struct process *process)
{
	__u64 pid = 0;

	return process_get(process, &pid, 0, acl_do_pid, 0) == OK ? (pid_t)pid : -1;
}

#define acl_step(expected, expression)						\
	do {									\
		long __result = (expression);					\
										\
		if (__result != (expected)) {					\
			printf("# %s is %ld\n", #expression, __result);		\
			return -EPROTO;						\
		}								\
	} while (0)

/*
 * The whole story of an exporter with its device 0 and an importer with its
 * device 0, with as much memory as asked for; 0 if all went as it should.
 */
static inline long acl_container_story(struct process *exporter, struct process *importer,
				       __u64 size)
{
	__u64 handle, address, share, theirs, view, value;

	acl_step(OK, acl_new(exporter, 0, size, 21, &handle, &address));
	acl_step(OK, acl_export(exporter, handle, 0, &share));
	/* Not before it is let in, and not by a number of its own. */
	acl_step(DRIVER_ERROR, acl_import(importer, share, 0, &theirs));
	acl_step(OK, acl_set_pid(exporter, share, acl_bare_tgid(importer)));
	acl_step(OK, acl_import(importer, share, 0, &theirs));
	acl_step(OK, acl_map(importer, theirs, size, 0, &view));
	acl_step(0, client_check(importer, view, size, 21));
	acl_step(0, client_store(importer, view + size - 64, ~size));
	acl_step(0, client_load(exporter, address + size - 64, &value));
	acl_step(0, value != ~size);
	acl_step(OK, acl_drop(exporter, address, handle));
	acl_step(0, client_check(importer, view, size, 21));
	acl_step(OK, acl_drop(importer, view, theirs));
	acl_step(INVALID_HANDLE, acl_import(importer, share, 0, &theirs));
	return 0;
}

#endif /* _ACL_CONTAINER_H */
