// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits and knobs that root may change while the module is loaded. Those
 * that describe devices are in device.c.
 *
 * The limits of a process and of a user are there to stop what runs away, or
 * is out to harm others: 64 processes of a user, with 128 GiB each in pieces of
 * 2 MiB, all of them exported to each other, stay far below.
 */
#include <linux/module.h>

#include "internal.h"

unsigned int npumem_process_limits[NPUMEM_RESOURCES] = {
	[NPUMEM_CLIENTS] = 1 << 12,
	[NPUMEM_HANDLES] = 1 << 20,
	[NPUMEM_RESERVATIONS] = 1 << 16,
	[NPUMEM_MAPPINGS] = 1 << 20,
	[NPUMEM_SHARES] = 1 << 20,
	[NPUMEM_ENTRIES] = 1 << 24,
};

unsigned int npumem_user_limits[NPUMEM_RESOURCES] = {
	[NPUMEM_CLIENTS] = 1 << 16,
	[NPUMEM_HANDLES] = 1 << 25,
	[NPUMEM_RESERVATIONS] = 1 << 22,
	[NPUMEM_MAPPINGS] = 1 << 25,
	[NPUMEM_SHARES] = 1 << 25,
	[NPUMEM_ENTRIES] = 1 << 29,
};

module_param_named(max_clients, npumem_process_limits[NPUMEM_CLIENTS], uint, 0644);
MODULE_PARM_DESC(max_clients, "opened /dev/npumem per process (default 4096)");
module_param_named(max_user_clients, npumem_user_limits[NPUMEM_CLIENTS], uint, 0644);
MODULE_PARM_DESC(max_user_clients, "opened /dev/npumem per user (default 65536)");

module_param_named(max_handles, npumem_process_limits[NPUMEM_HANDLES], uint, 0644);
MODULE_PARM_DESC(max_handles, "handles per process (default 1048576)");
module_param_named(max_user_handles, npumem_user_limits[NPUMEM_HANDLES], uint, 0644);
MODULE_PARM_DESC(max_user_handles, "handles per user (default 33554432)");

module_param_named(max_reservations, npumem_process_limits[NPUMEM_RESERVATIONS], uint, 0644);
MODULE_PARM_DESC(max_reservations, "address reservations per process (default 65536)");
module_param_named(max_user_reservations, npumem_user_limits[NPUMEM_RESERVATIONS], uint, 0644);
MODULE_PARM_DESC(max_user_reservations, "address reservations per user (default 4194304)");

module_param_named(max_mappings, npumem_process_limits[NPUMEM_MAPPINGS], uint, 0644);
MODULE_PARM_DESC(max_mappings,
		 "mappings, and parts of them with rights of their own, per process (default 1048576)");
module_param_named(max_user_mappings, npumem_user_limits[NPUMEM_MAPPINGS], uint, 0644);
MODULE_PARM_DESC(max_user_mappings,
		 "mappings, and parts of them with rights of their own, per user (default 33554432)");

module_param_named(max_shares, npumem_process_limits[NPUMEM_SHARES], uint, 0644);
MODULE_PARM_DESC(max_shares, "shares of what a process exported (default 1048576)");
module_param_named(max_user_shares, npumem_user_limits[NPUMEM_SHARES], uint, 0644);
MODULE_PARM_DESC(max_user_shares, "shares of what a user's processes exported (default 33554432)");

module_param_named(max_entries, npumem_process_limits[NPUMEM_ENTRIES], uint, 0644);
MODULE_PARM_DESC(max_entries,
		 "whitelist entries in all shares of a process (default 16777216)");
module_param_named(max_user_entries, npumem_user_limits[NPUMEM_ENTRIES], uint, 0644);
MODULE_PARM_DESC(max_user_entries,
		 "whitelist entries in all shares of a user (default 536870912)");

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
