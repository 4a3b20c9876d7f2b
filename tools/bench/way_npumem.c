// SPDX-License-Identifier: MIT
/*
 * The module's own requests, without the library. A token is a number, which
 * programs put into a message that they send anyway: here, into shared memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

int open_node(void)
{
	int fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", NPUMEM_DEVICE_PATH, strerror(errno));
	return fd;
}

void command(int fd, unsigned long number, void *argument, const char *what)
{
	if (ioctl(fd, number, argument))
		die("%s: %s", what, strerror(errno));
}

static void start(struct unit *unit)
{
	unit->node = open_node();
	unit->at = find_addresses(unit->length * unit->parts);
}

static void allocate(struct unit *unit)
{
	struct npumem_alloc alloc = {
		.size = sizeof(alloc), .location_type = NPUMEM_LOCATION_DEVICE,
	};
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		alloc.length = unit->length;
		command(unit->node, NPUMEM_ALLOC, &alloc, "alloc");
		unit->part[i].handle = alloc.handle;
	}
}

static void export(struct unit *unit)
{
	struct npumem_export export = { .size = sizeof(export) };
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		export.handle = unit->part[i].handle;
		command(unit->node, NPUMEM_EXPORT, &export, "export");
		unit->token[i] = export.token;
	}
}

static void whitelist(struct unit *unit)
{
	struct npumem_whitelist_add add = {
		.size = sizeof(add), .count = 1, .pids = (uintptr_t)&unit->importer,
	};
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		add.token = unit->token[i];
		command(unit->node, NPUMEM_WHITELIST_ADD, &add, "whitelist");
	}
}

static void receive(struct unit *unit)
{
	struct npumem_import import = { .size = sizeof(import) };
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		import.token = unit->token[i];
		import.device = unit->part[i].device;
		import.flags = import.device ? NPUMEM_IMPORT_NO_PEER : 0;
		command(unit->node, NPUMEM_IMPORT, &import, "import");
		unit->part[i].handle = import.handle;
	}
}

/*
 * A reservation belongs to one device. Calls @act for each, with its first part and how
 * many it has.
 */
static void for_each_reservation(struct unit *unit,
				 void (*act)(struct unit *unit, unsigned int first,
					     unsigned int parts))
{
	unsigned int first = 0, i;

	for (i = 1; i <= unit->parts; i++) {
		if (i < unit->parts && unit->part[i].device == unit->part[first].device)
			continue;
		act(unit, first, i - first);
		first = i;
	}
}

static void reserve_one(struct unit *unit, unsigned int first, unsigned int parts)
{
	char *at = unit->at + first * unit->length;

	if (mmap(at, unit->length * parts, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, unit->node, 0) != at)
		die("reserve: %s", strerror(errno));
}

static void reserve(struct unit *unit)
{
	for_each_reservation(unit, reserve_one);
}

static void map(struct unit *unit)
{
	struct npumem_map map = { .size = sizeof(map), .length = unit->length };
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		unit->part[i].at = unit->at + i * unit->length;
		map.address = (uintptr_t)unit->part[i].at;
		map.handle = unit->part[i].handle;
		command(unit->node, NPUMEM_MAP, &map, "map");
	}
}

static void set_access(struct unit *unit, uint32_t rights)
{
	struct npumem_access access = {
		.location_type = NPUMEM_LOCATION_DEVICE, .access = rights,
	};
	struct npumem_set_access set = {
		.size = sizeof(set), .count = 1, .address = (uintptr_t)unit->at,
		.length = unit->length * unit->parts, .entries = (uintptr_t)&access,
	};

	command(unit->node, NPUMEM_SET_ACCESS, &set, "set access");
}

static void read_only(struct unit *unit)
{
	set_access(unit, NPUMEM_ACCESS_READ);
}

static void read_write(struct unit *unit)
{
	set_access(unit, NPUMEM_ACCESS_READWRITE);
}

static void unmap(struct unit *unit)
{
	struct npumem_unmap unmap = { .size = sizeof(unmap) };
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		unmap.address = (uintptr_t)unit->part[i].at;
		command(unit->node, NPUMEM_UNMAP, &unmap, "unmap");
	}
}

static void release_one(struct unit *unit, unsigned int first, unsigned int parts)
{
	struct npumem_release release = {
		.size = sizeof(release),
		.address = (uintptr_t)(unit->at + first * unit->length),
	};

	(void)parts;
	command(unit->node, NPUMEM_RELEASE, &release, "release");
}

static void release(struct unit *unit)
{
	for_each_reservation(unit, release_one);
}

static void drop(struct unit *unit)
{
	struct npumem_free drop = { .size = sizeof(drop) };
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		drop.handle = unit->part[i].handle;
		command(unit->node, NPUMEM_FREE, &drop, "free");
	}
}

const struct way way_npumem = {
	.name = "npumem",
	.start = start,
	.step = {
		[ALLOCATE] = allocate, [EXPORT] = export, [WHITELIST] = whitelist,
		[RECEIVE] = receive, [RESERVE] = reserve, [MAP] = map,
		[READ_ONLY] = read_only, [READ_WRITE] = read_write,
		[UNMAP] = unmap, [RELEASE] = release, [DROP] = drop, [FREE] = drop,
	},
};
