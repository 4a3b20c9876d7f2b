// SPDX-License-Identifier: MIT
/*
 * Shares named so that hosts can tell whose they are: what an
 * aclrtMemFabricHandle holds.
 */
#include <string.h>

#include "npumem_shim.h"

/* The last byte is the version. */
static const uint8_t mark[8] = { 'n', 'p', 'u', 'm', 'e', 'm', 'F', 1 };

_Static_assert(sizeof(struct shim_fabric) == sizeof(aclrtMemFabricHandle),
	       "what programs keep and pass on");

/* What all shares of this host begin with. */
aclError shim_fabric_start(const struct shim_call *call, struct shim_fabric *fabric)
{
	static const uint8_t unknown[sizeof(fabric->host)];
	struct npumem_query query = { 0 };
	aclError err;

	err = shim_query(call, &query);
	if (err)
		return err;
	if (!memcmp(query.host, unknown, sizeof(unknown)))
		return shim_fail(call, CAUSE_FABRIC_OLD_MODULE);
	memset(fabric, 0, sizeof(*fabric));
	memcpy(fabric->mark, mark, sizeof(mark));
	memcpy(fabric->host, query.host, sizeof(fabric->host));
	return ACL_SUCCESS;
}

aclError shim_fabric_token(const struct shim_call *call, const void *payload,
			   uint64_t *token)
{
	struct shim_fabric given, here;
	bool ours;
	aclError err;

	/* It need not be aligned. */
	memcpy(&given, payload, sizeof(given));
	ours = given.token && !memcmp(given.mark, mark, sizeof(mark));
	for (size_t i = 0; i < sizeof(given.zeros); i++)
		ours = ours && !given.zeros[i];
	if (!ours)
		return shim_fail(call, CAUSE_FABRIC_FOREIGN);
	err = shim_fabric_start(call, &here);
	if (err)
		return err;
	if (memcmp(given.host, here.host, sizeof(here.host)))
		return shim_fail(call, CAUSE_FABRIC_OTHER_HOST);
	*token = given.token;
	return ACL_SUCCESS;
}
