// SPDX-License-Identifier: MIT
/*
 * The driver's numbers are AscendCL's where the shim passes them on. Nothing
 * here runs: if it compiles, they are.
 */
#include "acl/acl.h"
#include "uapi/npumem.h"

#define SAME(theirs, ours) _Static_assert((theirs) == (ours), #theirs " is " #ours)

SAME(NPUMEM_LOCATION_HOST, ACL_MEM_LOCATION_TYPE_HOST);
SAME(NPUMEM_LOCATION_DEVICE, ACL_MEM_LOCATION_TYPE_DEVICE);
SAME(NPUMEM_LOCATION_HOST_NUMA, ACL_MEM_LOCATION_TYPE_HOST_NUMA);
SAME(NPUMEM_ACCESS_NONE, ACL_RT_MEM_ACCESS_FLAGS_NONE);
SAME(NPUMEM_ACCESS_READ, ACL_RT_MEM_ACCESS_FLAGS_READ);
SAME(NPUMEM_ACCESS_READWRITE, ACL_RT_MEM_ACCESS_FLAGS_READWRITE);
