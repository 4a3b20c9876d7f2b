// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits and knobs that root may change while the module is loaded. Those
 * that describe devices are in device.c.
 */
#include <linux/module.h>

#include "internal.h"

unsigned int npumem_max_handles = 1 << 20;
module_param_named(max_handles, npumem_max_handles, uint, 0644);
MODULE_PARM_DESC(max_handles, "handles per opened /dev/npumem (default 1048576)");

unsigned int npumem_max_mappings = 1 << 20;
module_param_named(max_mappings, npumem_max_mappings, uint, 0644);
MODULE_PARM_DESC(max_mappings,
		 "mappings, and parts of them with rights of their own, per opened /dev/npumem (default 1048576)");

unsigned int npumem_max_reservations = 1 << 16;
module_param_named(max_reservations, npumem_max_reservations, uint, 0644);
MODULE_PARM_DESC(max_reservations,
		 "address reservations per opened /dev/npumem (default 65536)");

unsigned int npumem_max_whitelist = NPUMEM_WHITELIST_MAX;
module_param_named(max_whitelist, npumem_max_whitelist, uint, 0644);
MODULE_PARM_DESC(max_whitelist, "processes in one share's whitelist (default 65535)");

unsigned int npumem_import_wait_ms = 10;
module_param_named(import_wait_ms, npumem_import_wait_ms, uint, 0644);
MODULE_PARM_DESC(import_wait_ms,
		 "how long an import waits to be put in the whitelist, in ms (default 10)");

bool npumem_pmd_entries = true;
module_param_named(pmd_entries, npumem_pmd_entries, bool, 0644);
MODULE_PARM_DESC(pmd_entries,
		 "map with huge page-table entries where they fit (default Y)");
