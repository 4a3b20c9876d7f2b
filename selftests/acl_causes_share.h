/* SPDX-License-Identifier: MIT */
/* Causes of sharing: by number, by key, by fabric handle. */

#define NONE		ACL_MEM_HANDLE_TYPE_NONE
#define DEFAULT		ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT
#define FABRIC		ACL_MEM_SHARE_HANDLE_TYPE_FABRIC
#define ANYONE		ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION

static int try_export(uint64_t flags)
{
	return CALL(aclrtMemExportToShareableHandle, mapping.handle, NONE, flags, &number);
}

static int try_import(void)
{
	return CALL(aclrtMemImportFromShareableHandle, number, 0, &handle);
}

static int try_set_pid(pid_t pid)
{
	int32_t pids[2] = { pid, 0 };

	return CALL(aclrtMemSetPidToShareableHandle, number, pids, 2);
}

static bool start_exported(uint64_t flags)
{
	return start_mapped() && !try_export(flags);
}

PROVOKE(EXPORT_TYPE)
{
	MUST(start_mapped());
	return CALL(aclrtMemExportToShareableHandle, mapping.handle, ACL_MEM_HANDLE_TYPE_POSIX, 0,
		    &number);
}

PROVOKE(EXPORT_FLAGS)
{
	MUST(start_mapped());
	return try_export(2);
}

PROVOKE(EXPORTED_ALREADY)
{
	MUST(start_exported(0));
	return try_export(0);
}

PROVOKE(EXPORT_IMPORTED)
{
	MUST(start_exporter(ANYONE) && start());
	MUST(!try_import());
	return CALL(aclrtMemExportToShareableHandle, handle, NONE, 0, &number);
}

PROVOKE(TOO_MANY_SHARES)
{
	MUST(start_mapped());
	MUST(!npumem_set_parameter("max_shares", 0));
	return try_export(0);
}

PROVOKE(USER_SHARES)
{
	MUST(start_limited("max_user_shares", 1));
	MUST(start_exported(0));
	MUST(!acl_mapping_new(&mapping, 0, SIZE));
	return try_export(0);
}

PROVOKE_WITH(EXPORT_VIRTUAL, "virtual=1")
{
	MUST(start_mapped());
	return try_export(0);
}

PROVOKE(SHARE_TYPE)
{
	MUST(start_mapped());
	return CALL(aclrtMemExportToShareableHandleV2, mapping.handle, 0,
		    (aclrtMemSharedHandleType)3, &number);
}

PROVOKE(NO_SHARE)
{
	MUST(start_exported(ANYONE));
	number ^= 1;
	return try_import();
}

PROVOKE(PIDS_NONE)
{
	MUST(start_exported(0));
	return CALL(aclrtMemSetPidToShareableHandle, number, &value, 0);
}

PROVOKE(PIDS_MANY)
{
	static int32_t pids[65536];

	MUST(start_exported(0));
	return CALL(aclrtMemSetPidToShareableHandle, number, pids, 65536);
}

PROVOKE(PIDS_UNREADABLE)
{
	MUST(start_exported(0));
	return CALL(aclrtMemSetPidToShareableHandle, number, (int32_t *)8, 1);
}

PROVOKE(PIDS_DEAD)
{
	pid_t dead = process_dead_pid();

	MUST(start_exported(0));
	return try_set_pid(dead);
}

PROVOKE(WHITELIST_FOREIGN)
{
	MUST(start_exporter(0) && start());
	return try_set_pid(getpid());
}

PROVOKE(WHITELIST_NONE)
{
	MUST(start_exported(ANYONE));
	return try_set_pid(getpid());
}

PROVOKE(WHITELIST_FULL)
{
	MUST(start_exported(0));
	MUST(!npumem_set_parameter("max_whitelist", 1));
	MUST(!try_set_pid(getpid()));
	return try_set_pid(getppid());
}

PROVOKE(TOO_MANY_ENTRIES)
{
	MUST(start_exported(0));
	MUST(!npumem_set_parameter("max_entries", 1));
	MUST(!try_set_pid(getpid()));
	return try_set_pid(getppid());
}

PROVOKE(USER_ENTRIES)
{
	MUST(start_limited("max_user_entries", 1));
	MUST(start_exported(0));
	MUST(!try_set_pid(getpid()));
	return try_set_pid(getppid());
}

PROVOKE(NOT_WHITELISTED)
{
	MUST(start_exporter(0) && start());
	return try_import();
}

/* Somebody else was let in, and keeps the memory alive. */
PROVOKE(EXPORTER_ENDED)
{
	struct process importer;
	__u64 theirs;

	MUST(start_exporter(0));
	MUST(!acl_start(&importer, 0));
	MUST(!acl_set_pid(&exporter, number, importer.pid));
	MUST(!acl_import(&importer, number, 0, &theirs));
	MUST(!process_kill(&exporter) && start());
	return try_import();
}

PROVOKE(IMPORT_OWN)
{
	MUST(start_exported(0));
	return try_import();
}

UNPROVOKED(IMPORT_ENDING, "a race between two instructions of the driver");

/* ---- fabric ---- */

static aclrtMemFabricHandle fabric;

UNPROVOKED(FABRIC_OLD_MODULE, "needs a module that is older than fabric handles");

PROVOKE(FABRIC_FOREIGN)
{
	MUST(start());
	return CALL(aclrtMemImportFromShareableHandleV2, &fabric, FABRIC, 0, &handle);
}

/* The host is told by 16 bytes behind the mark. */
PROVOKE(FABRIC_OTHER_HOST)
{
	MUST(start_mapped());
	MUST(!aclrtMemExportToShareableHandleV2(mapping.handle, 0, FABRIC, &fabric));
	fabric.data[11] ^= 1;
	return CALL(aclrtMemImportFromShareableHandleV2, &fabric, FABRIC, 0, &handle);
}

/* ---- keys ---- */

static char *key;

static int try_get_key(void *address, size_t size, uint64_t flags)
{
	return CALL(aclrtIpcMemGetExportKey, address, size, key, 65, flags);
}

static int try_import_key(void)
{
	return CALL(aclrtIpcMemImportByKey, &pointer, key, 0);
}

static int try_pid_of_key(pid_t pid)
{
	int32_t pids[2] = { pid, 0 };

	return CALL(aclrtIpcMemSetImportPid, key, pids, 2);
}

static bool start_key(uint64_t flags)
{
	key = process_shared(65);
	return key && start_mapped() && !try_get_key(mapping.address, SIZE, flags);
}

static long do_start_key(__u64 *a)
{
	return start_mapped() && !try_get_key(mapping.address, SIZE, a[0]) ? 0 : -1;
}

static long do_import_key(__u64 *a)
{
	(void)a;
	return start() && !try_import_key() ? 0 : -1;
}

/* Another process has the key made. */
static bool start_maker(uint64_t flags)
{
	key = process_shared(65);
	return key && !process_start(&exporter) && !process_do(&exporter, do_start_key, flags);
}

static bool start_imported(void)
{
	return start_maker(ANYONE) && start() && !try_import_key();
}

PROVOKE(FREE_IMPORTED)
{
	MUST(start_imported());
	return CALL(aclrtFree, pointer);
}

PROVOKE(UNMAP_IMPORTED)
{
	MUST(start_imported());
	return CALL(aclrtUnmapMem, pointer);
}

PROVOKE(RELEASE_IMPORTED)
{
	MUST(start_imported());
	return CALL(aclrtReleaseMemAddress, pointer);
}

PROVOKE(KEY_SIZE_ZERO)
{
	MUST(start_key(0));
	return try_get_key(mapping.address, 0, 0);
}

PROVOKE(KEY_LENGTH)
{
	MUST(start_key(0));
	return CALL(aclrtIpcMemGetExportKey, mapping.address, SIZE, key, 64, 0);
}

PROVOKE(KEY_EXPORT_FLAGS)
{
	MUST(start_key(0));
	return try_get_key(mapping.address, SIZE, 2);
}

PROVOKE(KEY_IMPORT_FLAGS)
{
	MUST(start_key(0));
	return CALL(aclrtIpcMemImportByKey, &pointer, key, 2);
}

PROVOKE(KEY_NOT_MAPPED)
{
	MUST(start_key(0));
	return try_get_key(&value, 4, 0);
}

PROVOKE(KEY_HOST_MEMORY)
{
	prop = acl_memory(0);
	prop.location.type = ACL_MEM_LOCATION_TYPE_HOST;
	key = process_shared(65);
	MUST(start() && !try_malloc());
	MUST(!aclrtReserveMemAddress(&pointer, SIZE, 0, NULL, 0));
	MUST(!aclrtMapMem(pointer, SIZE, 0, handle, 0));
	return try_get_key(pointer, SIZE, 0);
}

PROVOKE(KEY_INSIDE)
{
	MUST(start_key(0));
	return try_get_key((char *)mapping.address + 2 * MIB, 2 * MIB, 0);
}

PROVOKE(KEY_SIZE_BEYOND)
{
	MUST(start_key(0));
	return try_get_key(mapping.address, SIZE + 1, 0);
}

PROVOKE(KEY_OTHER_FLAG)
{
	MUST(start_key(0));
	return try_get_key(mapping.address, SIZE, ANYONE);
}

PROVOKE(EXPORT_OTHER_FLAG)
{
	MUST(start_key(0));
	return try_export(ANYONE);
}

PROVOKE(KEY_IMPORTED)
{
	MUST(start_imported());
	return try_get_key(pointer, SIZE, 0);
}

PROVOKE_WITH(KEY_VIRTUAL, "virtual=1")
{
	key = process_shared(65);
	MUST(start_mapped());
	return try_get_key(mapping.address, SIZE, 0);
}

PROVOKE(KEY_PIDS)
{
	static int32_t pids[32];

	MUST(start_key(0));
	return CALL(aclrtIpcMemSetImportPid, key, pids, 32);
}

PROVOKE(KEY_NOT_ONE)
{
	MUST(start_key(0));
	key[0] ^= 1;
	return CALL(aclrtIpcMemClose, key);
}

PROVOKE(KEY_ENDED)
{
	MUST(start_key(0));
	MUST(!aclrtIpcMemClose(key));
	return CALL(aclrtIpcMemClose, key);
}

PROVOKE(KEY_STRANGER)
{
	MUST(start_maker(0) && start());
	return try_pid_of_key(getpid());
}

PROVOKE(KEY_NO_WHITELIST)
{
	MUST(start_key(ANYONE));
	return try_pid_of_key(getpid());
}

PROVOKE(KEY_WHITELIST_FULL)
{
	MUST(start_key(0));
	MUST(!npumem_set_parameter("max_whitelist", 1));
	MUST(!try_pid_of_key(getpid()));
	return try_pid_of_key(getppid());
}

PROVOKE(KEY_IMPORT_NOT_ONE)
{
	MUST(start_key(0));
	key[0] ^= 1;
	return try_import_key();
}

PROVOKE(KEY_UNKNOWN)
{
	MUST(start_key(0));
	MUST(!aclrtIpcMemClose(key));
	return try_import_key();
}

PROVOKE(KEY_OWN)
{
	MUST(start_key(0));
	return try_import_key();
}

UNPROVOKED(KEY_ENDING, "a race between two instructions of the driver");

PROVOKE(KEY_NOT_WHITELISTED)
{
	MUST(start_maker(0) && start());
	return try_import_key();
}

static long do_pid_of_key(__u64 *a)
{
	return try_pid_of_key(a[0]);
}

PROVOKE(KEY_WHITELIST_CLOSED)
{
	struct process importer;

	MUST(start_maker(0));
	MUST(!process_start(&importer));
	MUST(!process_do(&exporter, do_pid_of_key, importer.pid));
	MUST(!process_do(&importer, do_import_key));
	MUST(!process_kill(&exporter) && start());
	return try_import_key();
}

PROVOKE(KEY_NEITHER)
{
	MUST(start_maker(ANYONE) && start());
	return CALL(aclrtIpcMemClose, key);
}

PROVOKE(KEY_NO_LINKS)
{
	MUST(start_key(0));
	return CALL(aclrtIpcMemSetAttr, key, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, 0);
}

PROVOKE(KEY_OTHER_SERVERS)
{
	aclrtServerPid server = { .sdid = 1, .pid = &value, .num = 1 };

	MUST(start_key(0));
	return CALL(aclrtIpcMemImportPidInterServer, key, &server, 1);
}

PROVOKE(MAP_LINK)
{
	MUST(start_mapped());
	return CALL(aclrtMemMapSelectedLink, mapping.address, SIZE, 0, mapping.handle);
}
