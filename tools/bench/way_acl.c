// SPDX-License-Identifier: MIT
/* AscendCL, as programs call it: what it takes more than the module is the library's. */
#include <stdlib.h>

#include <acl/acl.h>

#include "bench.h"

static void check(aclError error)
{
	const char *text;

	if (!error)
		return;
	text = aclGetRecentErrMsg();
	die("error %d: %s", error, text ? text : "no text");
}

static void start(struct unit *unit)
{
	(void)unit;
	check(aclrtSetDevice(0));
}

static aclrtDrvMemHandle handle(const struct part *part)
{
	return (aclrtDrvMemHandle)(uintptr_t)part->handle;
}

static void allocate(struct unit *unit)
{
	const aclrtPhysicalMemProp prop = {
		.memAttr = ACL_HBM_MEM_HUGE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	aclrtDrvMemHandle fresh;
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		check(aclrtMallocPhysical(&fresh, unit->length, &prop, 0));
		unit->part[i].handle = (uintptr_t)fresh;
	}
}

static void export(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		check(aclrtMemExportToShareableHandle(handle(&unit->part[i]),
						      ACL_MEM_HANDLE_TYPE_NONE,
						      ACL_RT_VMM_EXPORT_FLAG_DEFAULT,
						      &unit->token[i]));
}

static void whitelist(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		check(aclrtMemSetPidToShareableHandle(unit->token[i], &unit->importer, 1));
}

static void receive(struct unit *unit)
{
	aclrtDrvMemHandle fresh;
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		check(aclrtMemImportFromShareableHandle(unit->token[i], 0, &fresh));
		unit->part[i].handle = (uintptr_t)fresh;
	}
}

static void reserve(struct unit *unit)
{
	void *at;

	check(aclrtReserveMemAddress(&at, unit->length * unit->parts, 0, NULL, 0));
	unit->at = at;
}

static void map(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		unit->part[i].at = unit->at + i * unit->length;
		check(aclrtMapMem(unit->part[i].at, unit->length, 0, handle(&unit->part[i]), 0));
	}
}

static void set_access(struct unit *unit, aclrtMemAccessFlags flags)
{
	aclrtMemAccessDesc desc = {
		.flags = flags,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};

	check(aclrtMemSetAccess(unit->at, unit->length * unit->parts, &desc, 1));
}

static void read_only(struct unit *unit)
{
	set_access(unit, ACL_RT_MEM_ACCESS_FLAGS_READ);
}

static void read_write(struct unit *unit)
{
	set_access(unit, ACL_RT_MEM_ACCESS_FLAGS_READWRITE);
}

static void unmap(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		check(aclrtUnmapMem(unit->part[i].at));
}

static void release(struct unit *unit)
{
	check(aclrtReleaseMemAddress(unit->at));
}

static void drop(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		check(aclrtFreePhysical(handle(&unit->part[i])));
}

const struct way way_acl = {
	.name = "AscendCL",
	.start = start,
	.step = {
		[ALLOCATE] = allocate, [EXPORT] = export, [WHITELIST] = whitelist,
		[RECEIVE] = receive, [RESERVE] = reserve, [MAP] = map,
		[READ_ONLY] = read_only, [READ_WRITE] = read_write,
		[UNMAP] = unmap, [RELEASE] = release, [DROP] = drop, [FREE] = drop,
	},
};
