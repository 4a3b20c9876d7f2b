// SPDX-License-Identifier: MIT
/*
 * npumemctl unload: remove the module, or tell who uses it.
 */
#include <argp.h>
#include <errno.h>
#include <libkmod.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

static const struct argp argp = {
	.doc = "Remove npumem from the kernel. Refused while a process has "
	       NPUMEM_DEVICE_PATH " open or mapped: the message tells which.",
};

/* Remove it. Returns 0 or a negative errno; -EAGAIN is: in use. */
static int remove_module(void)
{
	struct kmod_module *module;
	struct kmod_ctx *ctx;
	int error;

	ctx = kmod_new(NULL, NULL);
	if (!ctx)
		return -ENOMEM;
	error = kmod_module_new_from_name(ctx, CTL_MODULE, &module);
	if (!error) {
		error = kmod_module_remove_module(module, KMOD_REMOVE_NOLOG);
		kmod_module_unref(module);
	}
	kmod_unref(ctx);
	return error;
}

static int say_busy(const struct ctl_holder *holders, size_t count)
{
	size_t i;

	ctl_say("npumem is in use; end these processes first:");
	for (i = 0; i < count; i++)
		fprintf(stderr, "  pid %d (%s): %u descriptor%s, %u reservation%s\n",
			(int)holders[i].pid, holders[i].name,
			holders[i].descriptors,
			holders[i].descriptors == 1 ? "" : "s",
			holders[i].reservations,
			holders[i].reservations == 1 ? "" : "s");
	return CTL_BUSY;
}

static int say_refused(int error)
{
	switch (error) {
	case EAGAIN:
	case EBUSY:
		ctl_say("npumem is in use, by nobody that can be seen from here: a process in another"
			" container, a descriptor on its way through a socket, or another module (%s)",
			CTL_SYS_MODULE "/holders");
		return CTL_BUSY;
	case EPERM:
		if (geteuid())
			ctl_say("only root may remove modules; try: sudo npumemctl unload");
		else
			ctl_say("the kernel does not let us remove modules:"
				" a container, or kernel.modules_disabled=1");
		return CTL_DENIED;
	case ENOENT:
		return ctl_say_absent();
	default:
		ctl_say("cannot remove npumem: %s; the kernel's log may say more: dmesg | tail",
			strerror(error));
		return CTL_FAILED;
	}
}

int ctl_unload(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	struct ctl_holder *holders;
	long long references;
	int error, i, status;
	size_t count;
	dev_t node;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (!ctl_is_loaded())
		return ctl_say_absent();
	if (!ctl_read_number(&references, CTL_SYS_MODULE "/refcnt")) {
		ctl_say("npumem is a part of this kernel and cannot be removed");
		return CTL_FAILED;
	}

	/* A process that has just ended may hold it for a moment yet. */
	for (i = 0; i < 100; i++) {
		error = remove_module();
		if (error != -EAGAIN && error != -EBUSY)
			break;
		count = ctl_node_number(&node) ?
			ctl_find_holders(node, &holders) : 0;
		if (count) {
			status = say_busy(holders, count);
			free(holders);
			return status;
		}
		nanosleep(&pause, NULL);
	}
	return error ? say_refused(-error) : CTL_OK;
}
