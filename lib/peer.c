// SPDX-License-Identifier: MIT
/*
 * Access from one device to another's memory.
 */
#include <errno.h>

#include "npumem_shim.h"

static const struct shim_rule peer_rules[] = {
	{ EINVAL, CAUSE_PEER_SAME },
	{ ENOENT, CAUSE_PEER_NOT_ENABLED },
	{ EOVERFLOW, CAUSE_PEER_TOO_OFTEN },
	{ 0 }
};

static aclError ask_pair(const struct shim_call *call, unsigned int command,
			 int32_t device_id, int32_t peer_id, uint32_t *enabled)
{
	struct npumem_peer peer = { .size = sizeof(peer) };
	aclError err;

	if (device_id == peer_id)
		return shim_fail(call, CAUSE_PEER_SAME);
	err = shim_device_number(call, device_id, &peer.device);
	if (!err)
		err = shim_device_number(call, peer_id, &peer.peer);
	if (!err)
		err = shim_ask(call, command, &peer, peer_rules);
	if (err)
		return err;
	*enabled = peer.enabled;
	return ACL_SUCCESS;
}

/* From the current device. */
static aclError ask_current(const struct shim_call *call, unsigned int command,
			    int32_t peer_id)
{
	uint32_t enabled = 0;
	uint32_t number = 0;
	aclError err;

	err = shim_need_device(call, &number);
	if (err)
		return err;
	return ask_pair(call, command, shim_device_id(number), peer_id, &enabled);
}

aclError aclrtDeviceCanAccessPeer(int32_t *canAccessPeer, int32_t deviceId,
				  int32_t peerDeviceId)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(canAccessPeer), DEVICE(deviceId),
						DEVICE(peerDeviceId));
	struct npumem_device_info info;
	uint32_t enabled = 0;
	aclError err;

	if (!canAccessPeer)
		return shim_null(&call, "canAccessPeer");
	err = shim_start(&call);
	if (!err)
		err = ask_pair(&call, NPUMEM_PEER_STATUS, deviceId, peerDeviceId, &enabled);
	/* Both are to be there: one may have been removed. */
	if (!err)
		err = shim_device_find(&call, deviceId, &info);
	if (!err)
		err = shim_device_find(&call, peerDeviceId, &info);
	if (err)
		return err;
	*canAccessPeer = 1;
	return ACL_SUCCESS;
}

aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId, uint32_t flags)
{
	const struct shim_call call = SHIM_CALL(DEVICE(peerDeviceId), HEX(flags),
						CURRENT_DEVICE);

	if (flags)
		return shim_fail(&call, CAUSE_PEER_FLAGS);
	return ask_current(&call, NPUMEM_PEER_ENABLE, peerDeviceId);
}

aclError aclrtDeviceDisablePeerAccess(int32_t peerDeviceId)
{
	const struct shim_call call = SHIM_CALL(DEVICE(peerDeviceId), CURRENT_DEVICE);

	return ask_current(&call, NPUMEM_PEER_DISABLE, peerDeviceId);
}

aclError aclrtDevicePeerAccessStatus(int32_t deviceId, int32_t peerDeviceId,
				     int32_t *status)
{
	const struct shim_call call = SHIM_CALL(DEVICE(deviceId), DEVICE(peerDeviceId),
						ADDRESS(status));
	uint32_t enabled = 0;
	aclError err;

	if (!status)
		return shim_null(&call, "status");
	err = shim_start(&call);
	if (!err)
		err = ask_pair(&call, NPUMEM_PEER_STATUS, deviceId, peerDeviceId, &enabled);
	if (err)
		return err;
	*status = enabled ? 1 : 0;
	return ACL_SUCCESS;
}
