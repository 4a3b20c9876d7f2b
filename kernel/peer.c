// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peer links: which device may access another's memory. Each client counts
 * how often it has enabled a direction; the link between two devices is up
 * when both directions are enabled, by whomever.
 */
#include <linux/limits.h>
#include <linux/nospec.h>

#include "internal.h"

/* How many clients have enabled a direction: [device][peer]. */
static atomic_t npumem_links[NPUMEM_MAX_DEVICES][NPUMEM_MAX_DEVICES];

static unsigned long npumem_peer_index(u32 device, u32 peer)
{
	return (unsigned long)device * NPUMEM_MAX_DEVICES + peer;
}

static unsigned long npumem_peer_count(struct npumem_client *client,
				       u32 device, u32 peer)
{
	void *entry = xa_load(&client->peers, npumem_peer_index(device, peer));

	return entry ? xa_to_value(entry) : 0;
}

/*
 * Set a count that was @old. An entry stays when its count is 0, so that only
 * the first enable of a direction needs memory, and no undo ever does.
 */
static int npumem_peer_set_locked(struct npumem_client *client, u32 device,
				  u32 peer, unsigned long old,
				  unsigned long count)
{
	unsigned long index = npumem_peer_index(device, peer);
	int ret;

	lockdep_assert_held(&client->handle_lock);
	ret = xa_err(xa_store(&client->peers, index, xa_mk_value(count),
			      GFP_KERNEL_ACCOUNT));
	if (ret)
		return ret;
	if (!old && count)
		atomic_inc(&npumem_links[device][peer]);
	else if (old && !count)
		atomic_dec(&npumem_links[device][peer]);
	return 0;
}

static int npumem_peer_change_locked(struct npumem_client *client, u32 device,
				     u32 peer, int by, u32 *enabled)
{
	unsigned long count = npumem_peer_count(client, device, peer);
	int ret;

	lockdep_assert_held(&client->handle_lock);
	if (by < 0 && !count)
		ret = -ENOENT;
	else if (by > 0 && count == U32_MAX)
		ret = -EOVERFLOW;
	else
		ret = npumem_peer_set_locked(client, device, peer, count,
					     count + by);
	if (!ret && enabled)
		*enabled = count + by;
	return ret;
}

static int npumem_peer_change(struct npumem_client *client, u32 device,
			      u32 peer, int by, u32 *enabled)
{
	int ret;

	mutex_lock(&client->handle_lock);
	ret = npumem_peer_change_locked(client, device, peer, by, enabled);
	mutex_unlock(&client->handle_lock);
	return ret;
}

/**
 * npumem_peer_enabled() - has the client enabled a direction?
 * @client: the client
 * @device: the device that accesses
 * @peer: the device whose memory is accessed
 *
 * Context: any.
 */
bool npumem_peer_enabled(struct npumem_client *client, u32 device, u32 peer)
{
	return npumem_peer_count(client, device, peer);
}

/**
 * npumem_peer_linked() - may the client let a device at a peer's memory?
 * @client: the client
 * @device: the device that accesses
 * @peer: the device whose memory is accessed
 *
 * Context: any.
 * Return: true if the client has enabled the direction, or the link is up.
 */
bool npumem_peer_linked(struct npumem_client *client, u32 device, u32 peer)
{
	return npumem_peer_enabled(client, device, peer) ||
	       (atomic_read(&npumem_links[device][peer]) &&
		atomic_read(&npumem_links[peer][device]));
}

/**
 * npumem_peer_enable_both_locked() - enable both directions once, or none
 * @client: the client, handle_lock held
 * @a: a device
 * @b: another one
 *
 * Context: process context, sleeps.
 * Return: 0, -EOVERFLOW or -ENOMEM.
 */
int npumem_peer_enable_both_locked(struct npumem_client *client, u32 a, u32 b)
{
	int ret;

	ret = npumem_peer_change_locked(client, a, b, 1, NULL);
	if (ret)
		return ret;
	ret = npumem_peer_change_locked(client, b, a, 1, NULL);
	if (ret)
		npumem_peer_change_locked(client, a, b, -1, NULL);
	return ret;
}

void npumem_peer_disable_both_locked(struct npumem_client *client, u32 a,
				     u32 b)
{
	npumem_peer_change_locked(client, a, b, -1, NULL);
	npumem_peer_change_locked(client, b, a, -1, NULL);
}

/**
 * npumem_peers_drop() - disable what a client has enabled
 * @client: the client
 * @device: directions from and to this device, or -1 for all
 *
 * Handles that are left have brought none, so that the next import does.
 *
 * Context: process context, sleeps, takes handle_lock.
 */
void npumem_peers_drop(struct npumem_client *client, int device)
{
	struct npumem_handle *handle;
	unsigned long index;
	u32 from, to;
	void *entry;

	mutex_lock(&client->handle_lock);
	xa_for_each(&client->peers, index, entry) {
		from = index / NPUMEM_MAX_DEVICES;
		to = index % NPUMEM_MAX_DEVICES;
		if (device < 0 || from == device || to == device)
			npumem_peer_set_locked(client, from, to,
					       xa_to_value(entry), 0);
	}
	xa_for_each(&client->handles, index, handle) {
		if (device < 0 || handle->device == device ||
		    handle->memory->device->id == device)
			handle->links = 0;
		cond_resched();
	}
	mutex_unlock(&client->handle_lock);
}

static int npumem_peer_check(struct npumem_peer *arg)
{
	if (arg->device == arg->peer)
		return -EINVAL;
	if (arg->device >= npumem_device_count() ||
	    arg->peer >= npumem_device_count())
		return -ENXIO;
	arg->device = array_index_nospec(arg->device, NPUMEM_MAX_DEVICES);
	arg->peer = array_index_nospec(arg->peer, NPUMEM_MAX_DEVICES);
	return 0;
}

static int npumem_peer_call(struct npumem_call *call, int by)
{
	struct npumem_peer *arg = call->arg;
	int ret;

	ret = npumem_peer_check(arg);
	if (ret)
		return ret;
	ret = npumem_peer_change(call->client, arg->device, arg->peer, by,
				 &arg->enabled);
	if (ret)
		return ret;
	ret = npumem_respond(call);
	if (ret)
		npumem_peer_change(call->client, arg->device, arg->peer, -by,
				   NULL);
	return ret;
}

/* Not for a device that was removed; what is enabled is disabled as ever. */
int npumem_ioctl_peer_enable(struct npumem_call *call)
{
	struct npumem_peer *arg = call->arg;
	struct npumem_device *device, *peer;
	int ret;

	ret = npumem_peer_check(arg);
	if (ret)
		return ret;
	device = npumem_device_get(arg->device);
	if (IS_ERR(device))
		return PTR_ERR(device);
	peer = npumem_device_get(arg->peer);
	npumem_device_put(device);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	npumem_device_put(peer);
	return npumem_peer_call(call, 1);
}

int npumem_ioctl_peer_disable(struct npumem_call *call)
{
	return npumem_peer_call(call, -1);
}

int npumem_ioctl_peer_status(struct npumem_call *call)
{
	struct npumem_peer *arg = call->arg;
	int ret;

	ret = npumem_peer_check(arg);
	if (ret)
		return ret;
	arg->enabled = npumem_peer_count(call->client, arg->device, arg->peer);
	return npumem_respond(call);
}
