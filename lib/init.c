// SPDX-License-Identifier: MIT
/*
 * aclInit and aclFinalize, and what we say we are. Only how often they were called is state: the
 * connection to the driver is made when it is needed and lasts.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "npumem_shim.h"

/*
 * Programs look only at how it begins, to choose code for Atlas A2; memory is
 * shared alike on all of that generation.
 */
#define SOC_NAME "Ascend910B1"

static _Atomic uint64_t initialised;

void shim_init_forked(void)
{
	atomic_store(&initialised, 0);
}

aclError aclInit(const char *configPath)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(configPath));
	aclError err;

	err = shim_start(&call);
	if (err)
		return err;
	if (atomic_fetch_add(&initialised, 1))
		return shim_fail(&call, CAUSE_REPEAT_INITIALIZE);
	return ACL_SUCCESS;
}

aclError aclFinalize(void)
{
	const struct shim_call call = SHIM_CALL_BARE;

	if (!atomic_exchange(&initialised, 0))
		return shim_fail(&call, CAUSE_REPEAT_FINALIZE);
	return ACL_SUCCESS;
}

aclError aclFinalizeReference(uint64_t *refCount)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(refCount));
	uint64_t count = atomic_load(&initialised);

	do {
		if (!count)
			return shim_fail(&call, CAUSE_REPEAT_FINALIZE);
	} while (!atomic_compare_exchange_weak(&initialised, &count, count - 1));
	if (refCount)
		*refCount = count - 1;
	return ACL_SUCCESS;
}

aclError aclrtGetVersion(int32_t *majorVersion, int32_t *minorVersion,
			 int32_t *patchVersion)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(majorVersion),
						ADDRESS(minorVersion),
						ADDRESS(patchVersion));

	if (!majorVersion)
		return shim_null(&call, "majorVersion");
	if (!minorVersion)
		return shim_null(&call, "minorVersion");
	if (!patchVersion)
		return shim_null(&call, "patchVersion");
	*majorVersion = ACL_MAJOR_VERSION;
	*minorVersion = ACL_MINOR_VERSION;
	*patchVersion = ACL_PATCH_VERSION;
	return ACL_SUCCESS;
}

/* There is one package here, which stands for CANN's runtime. */
aclError aclsysGetVersionStr(char *pkgName, char *versionStr)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(pkgName), ADDRESS(versionStr));

	if (!pkgName)
		return shim_null(&call, "pkgName");
	if (!versionStr)
		return shim_null(&call, "versionStr");
	if (strcmp(pkgName, "runtime"))
		return shim_fail(&call, CAUSE_PACKAGE_UNKNOWN);
	snprintf(versionStr, ACL_PKG_VERSION_MAX_SIZE, "%d.%d.%d", ACL_MAJOR_VERSION,
		 ACL_MINOR_VERSION, ACL_PATCH_VERSION);
	return ACL_SUCCESS;
}

const char *aclrtGetSocName(void)
{
	return SOC_NAME;
}
