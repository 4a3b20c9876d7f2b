// SPDX-License-Identifier: GPL-2.0-only
/*
 * Import: from a token to a handle, if the caller is let in.
 */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/wait.h>

#include "internal.h"
#include "trace.h"

/* Is there no more reason to wait? */
static bool npumem_import_settled(struct npumem_share *share, struct pid *tgid)
{
	return npumem_whitelist_has(share, tgid) ||
	       !rcu_access_pointer(share->memory);
}

/*
 * Is the caller let in? If not yet, wait for the exporter to say so: programs
 * import right after the exporter's call that lets them in was begun. The
 * memory is not held meanwhile: its end, and that of the share, end the wait.
 */
static int npumem_import_permit(struct npumem_share *share, struct pid *tgid)
{
	unsigned long wait;
	long left;

	if (share->anyone || share->exporter == tgid ||
	    npumem_whitelist_has(share, tgid))
		return 0;
	wait = msecs_to_jiffies(READ_ONCE(npumem_import_wait_ms));
	left = wait_event_killable_timeout(share->wait,
					   npumem_import_settled(share, tgid),
					   wait);
	if (left < 0)
		return -EINTR;
	/* If it is the end of the share that woke us, that is found next. */
	return left ? 0 : -EPERM;
}

/*
 * A device other than the memory's gets peer access to it, if that is wanted.
 * All devices reach the host.
 */
static int npumem_import_handle(struct npumem_call *call,
				struct npumem_memory *memory)
{
	struct npumem_import *arg = call->arg;
	u32 owner = memory->device->id;
	bool link = arg->device != owner && owner != NPUMEM_HOST &&
		    !(arg->flags & NPUMEM_IMPORT_NO_PEER);
	int ret;

	if (READ_ONCE(memory->device->gone))
		return -ENODEV;
	ret = npumem_handle_add(call->client, memory, arg->device, true, link,
				&arg->handle);
	if (ret)
		return ret;
	arg->length = npumem_memory_length(memory);
	ret = npumem_respond(call);
	if (ret)
		npumem_handle_undo_import(call->client, arg->handle, link);
	return ret;
}

/* The memory of a share, if the caller may have it. */
static struct npumem_memory *npumem_import_find(struct npumem_call *call,
						struct npumem_share *share)
{
	struct npumem_import *arg = call->arg;
	struct pid *tgid = call->client->tgid;
	struct npumem_memory *memory;
	int ret;

	ret = npumem_import_permit(share, tgid);
	if (ret == -EPERM)
		atomic_long_inc(&call->client->refused);
	if (ret)
		return ERR_PTR(ret);
	memory = npumem_share_memory(share);
	if (!IS_ERR(memory) && share->exporter == tgid &&
	    memory->device->id == arg->device) {
		npumem_memory_put(memory);
		return ERR_PTR(-ELOOP);
	}
	return memory;
}

/*
 * Takes the caller's reference. It is let go before the answer: writing that may
 * take as long as the importer likes, and the exporter is charged for the share.
 */
static int npumem_import_share(struct npumem_call *call,
			       struct npumem_share *share)
{
	struct npumem_import *arg = call->arg;
	struct pid *exporter = get_pid(share->exporter);
	u64 serial = share->serial;
	struct npumem_memory *memory;
	int ret;

	memory = npumem_import_find(call, share);
	npumem_share_put(share);
	ret = PTR_ERR_OR_ZERO(memory);
	if (!ret) {
		ret = npumem_import_handle(call, memory);
		npumem_memory_put(memory);
	}
	trace_npumem_import(serial, exporter, arg->device, ret);
	put_pid(exporter);
	return ret;
}

int npumem_ioctl_import(struct npumem_call *call)
{
	struct npumem_import *arg = call->arg;
	struct npumem_device *device;
	struct npumem_share *share;
	int ret;

	if (arg->flags & ~NPUMEM_IMPORT_NO_PEER || arg->__reserved)
		return -EINVAL;
	device = npumem_device_get(arg->device);
	if (IS_ERR(device))
		return PTR_ERR(device);
	/* The same number, but out of the reach of speculation. */
	arg->device = device->id;
	share = npumem_share_get(arg->token);
	ret = share ? npumem_import_share(call, share) : -ENOENT;
	npumem_device_put(device);
	return ret;
}
