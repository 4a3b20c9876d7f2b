/* SPDX-License-Identifier: MIT */
/*
 * One entry per ioctl: how to make an argument that succeeds in a small world
 * of known objects, and which of its fields carry flags or are reserved. The
 * tests walk the table, and a command of the module without an entry fails.
 */
#ifndef ABI_COMMANDS_H
#define ABI_COMMANDS_H

#include "npumem_abi.h"

/*
 * A client with one of everything: memory that is mapped and exported, memory
 * that is neither, a reservation with a mapping in it and an empty one.
 */
struct world {
	int fd;
	__u64 used[2];		/* per device, before the world was made */
	__u64 mapped;		/* handle of 2 MiB, mapped at @address */
	__u64 spare;		/* handle of 2 MiB */
	__u64 address;		/* reservation of 8 MiB, first 2 MiB mapped */
	__u64 empty;		/* reservation of 4 MiB */
	__u64 token;		/* share of @mapped, for anyone */
	__s32 pid;		/* this process */
	__u64 other_token;	/* share of @spare_exported, with a whitelist */
	__u64 spare_exported;	/* handle of 2 MiB */
	struct npumem_access entry;
	struct npumem_map_entry map_entry;
	unsigned char host[64];
};

/* What a failed call must leave alone. */
struct snapshot {
	struct npumem_stats stats;
	__u64 used[2];
	__u32 references[3];
	__u32 access[3];
	__u32 peers[2];
	struct npumem_share_info shares[2];
	__u64 words[4];
};

union argument {
	__u32 size;
	unsigned char bytes[4096];	/* the most that it may have */
	struct npumem_query query;
	struct npumem_device_info device_info;
	struct npumem_alloc alloc;
	struct npumem_free free;
	struct npumem_memory_info memory_info;
	struct npumem_map map;
	struct npumem_unmap unmap;
	struct npumem_set_access set_access;
	struct npumem_get_access get_access;
	struct npumem_range range;
	struct npumem_release release;
	struct npumem_export export;
	struct npumem_whitelist_add whitelist_add;
	struct npumem_import import;
	struct npumem_share_info share_info;
	struct npumem_peer peer;
	struct npumem_host_tgid host_tgid;
	struct npumem_stats stats;
	struct npumem_copy copy;
	struct npumem_fill fill;
	struct npumem_retain retain;
	struct npumem_reset reset;
	struct npumem_unexport unexport;
	struct npumem_map_batch map_batch;
	struct npumem_unmap_batch unmap_batch;
};

struct command {
	const char *name;
	unsigned long number;
	__u32 size;
	__u32 added;		/* bytes of it that the first version lacked */
	void (*make)(struct world *world, union argument *argument);
	bool results;		/* writes into the argument */
	int flags;		/* offset of the flags it takes, or -1 */
	__u32 known_flags;
	int reserved;		/* offset of a reserved input field, or -1 */
	int output;		/* offset of an output field (u32), or -1 */
};

/* 0, or the line that failed, with errno's negative in @error. */
static inline int world_make(struct world *w, int *error)
{
#define WORLD(call) do { *error = (call); if (*error) return __LINE__; } while (0)
	memset(w, 0, sizeof(*w));
	w->fd = npumem_open();
	WORLD(w->fd < 0 ? w->fd : 0);
	w->used[0] = npumem_used(w->fd, 0);
	w->used[1] = npumem_used(w->fd, 1);
	WORLD(npumem_alloc(w->fd, 0, G, &w->mapped));
	WORLD(npumem_alloc(w->fd, 0, G, &w->spare));
	WORLD(npumem_alloc(w->fd, 0, G, &w->spare_exported));
	WORLD(npumem_reserve(w->fd, 4 * G, &w->address));
	WORLD(npumem_reserve(w->fd, 2 * G, &w->empty));
	WORLD(npumem_map(w->fd, w->address, G, w->mapped));
	WORLD(npumem_export(w->fd, w->mapped, NPUMEM_EXPORT_ANYONE, &w->token));
	WORLD(npumem_export(w->fd, w->spare_exported, 0, &w->other_token));
	WORLD(npumem_host_tgid(w->fd, &w->pid));
	/* So that a disable has something to take back. */
	WORLD(npumem_peer_enable(w->fd, 0, 1));
	pattern_fill(to_ptr(w->address), 32, 1);
	w->map_entry.address = w->address + 2 * G;
	w->map_entry.length = G;
	w->map_entry.handle = w->spare;
	w->entry.location_type = NPUMEM_LOCATION_DEVICE;
	w->entry.access = NPUMEM_ACCESS_READ;
#undef WORLD
	return 0;
}

/* 0, or what is wrong: the line. Everything must be given back. */
static inline int world_end(struct world *w)
{
	int fd;

	if (munmap(to_ptr(w->empty), 2 * G) && errno != EINVAL)
		return __LINE__;
	if (munmap(to_ptr(w->address), 4 * G))
		return __LINE__;
	if (close(w->fd))
		return __LINE__;
	fd = npumem_open();
	if (fd < 0)
		return __LINE__;
	if (!npumem_used_becomes(fd, 0, w->used[0], 2000) ||
	    !npumem_used_becomes(fd, 1, w->used[1], 2000))
		return __LINE__;
	close(fd);
	return 0;
}

static inline void world_snapshot(struct world *w, struct snapshot *s)
{
	const __u64 handles[] = { w->mapped, w->spare, w->spare_exported };
	struct npumem_memory_info info;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	npumem_stats(w->fd, &s->stats);
	/* These count work, not state. */
	s->stats.faults = 0;
	s->stats.pmd_entries = 0;
	s->stats.pte_entries = 0;
	s->stats.pud_entries = 0;
	s->stats.refused_imports = 0;
	for (i = 0; i < 2; i++)
		s->used[i] = npumem_used(w->fd, i);
	for (i = 0; i < 3; i++)
		if (!npumem_memory_info(w->fd, handles[i], &info))
			s->references[i] = info.references;
	for (i = 0; i < 2; i++)
		npumem_get_access(w->fd, w->address, i, &s->access[i]);
	npumem_get_host_access(w->fd, w->address, &s->access[2]);
	npumem_peer_status(w->fd, 0, 1, &s->peers[0]);
	npumem_peer_status(w->fd, 1, 0, &s->peers[1]);
	npumem_share_info(w->fd, w->token, &s->shares[0]);
	npumem_share_info(w->fd, w->other_token, &s->shares[1]);
	if (!load_signal(w->address))
		memcpy(s->words, to_ptr(w->address), sizeof(s->words));
}

static inline bool world_same(struct world *w, const struct snapshot *before)
{
	struct snapshot now;

	world_snapshot(w, &now);
	return !memcmp(&now, before, sizeof(now));
}

#define MAKE(what) \
static void make_##what(MAYBE_UNUSED struct world *w, union argument *a)

MAKE(query)
{
	a->query.size = sizeof(a->query);
}

MAKE(device_info)
{
	a->device_info.size = sizeof(a->device_info);
	a->device_info.device = 1;
}

MAKE(alloc)
{
	a->alloc = (struct npumem_alloc) {
		.size = sizeof(a->alloc),
		.location_type = NPUMEM_LOCATION_DEVICE,
		.location_id = 1,
		.length = G,
	};
}

MAKE(free)
{
	a->free.size = sizeof(a->free);
	a->free.handle = w->spare;
}

MAKE(memory_info)
{
	a->memory_info.size = sizeof(a->memory_info);
	a->memory_info.handle = w->mapped;
}

MAKE(map)
{
	a->map = (struct npumem_map) {
		.size = sizeof(a->map),
		.address = w->address + 2 * G,
		.length = G,
		.handle = w->spare,
	};
}

MAKE(unmap)
{
	a->unmap.size = sizeof(a->unmap);
	a->unmap.address = w->address;
}

MAKE(set_access)
{
	a->set_access = (struct npumem_set_access) {
		.size = sizeof(a->set_access),
		.count = 1,
		.address = w->address,
		.length = G,
		.entries = to_u64(&w->entry),
	};
}

MAKE(get_access)
{
	a->get_access = (struct npumem_get_access) {
		.size = sizeof(a->get_access),
		.location_type = NPUMEM_LOCATION_DEVICE,
		.address = w->address + 5,
	};
}

MAKE(range)
{
	a->range.size = sizeof(a->range);
	a->range.address = w->address + 5;
}

MAKE(release)
{
	a->release.size = sizeof(a->release);
	a->release.address = w->empty;
}

MAKE(export)
{
	a->export.size = sizeof(a->export);
	a->export.handle = w->spare;
}

MAKE(whitelist_add)
{
	a->whitelist_add = (struct npumem_whitelist_add) {
		.size = sizeof(a->whitelist_add),
		.count = 1,
		.token = w->other_token,
		.pids = to_u64(&w->pid),
	};
}

/* One's own share may be imported for another device. */
MAKE(import)
{
	a->import = (struct npumem_import) {
		.size = sizeof(a->import),
		.token = w->token,
		.device = 1,
	};
}

MAKE(share_info)
{
	a->share_info.size = sizeof(a->share_info);
	a->share_info.token = w->token;
}

MAKE(peer)
{
	a->peer = (struct npumem_peer) {
		.size = sizeof(a->peer),
		.device = 0,
		.peer = 1,
	};
}

MAKE(host_tgid)
{
	a->host_tgid.size = sizeof(a->host_tgid);
}

MAKE(stats)
{
	a->stats.size = sizeof(a->stats);
}

MAKE(copy)
{
	a->copy = (struct npumem_copy) {
		.size = sizeof(a->copy),
		.device = 0,
		.destination = w->address,
		.source = to_u64(w->host),
		.length = sizeof(w->host),
	};
}

MAKE(fill)
{
	a->fill = (struct npumem_fill) {
		.size = sizeof(a->fill),
		.device = 0,
		.address = w->address,
		.length = 4096,
		.value = 7,
	};
}

MAKE(retain)
{
	a->retain.size = sizeof(a->retain);
	a->retain.address = w->address;
}

MAKE(reset)
{
	a->reset.size = sizeof(a->reset);
	a->reset.device = 0;
}

MAKE(unexport)
{
	a->unexport.size = sizeof(a->unexport);
	a->unexport.token = w->token;
}

MAKE(map_batch)
{
	a->map_batch.size = sizeof(a->map_batch);
	a->map_batch.count = 1;
	a->map_batch.entries = to_u64(&w->map_entry);
}

MAKE(unmap_batch)
{
	a->unmap_batch.size = sizeof(a->unmap_batch);
	a->unmap_batch.count = 1;
	a->unmap_batch.addresses = to_u64(&w->address);
}

#define COMMAND(NUMBER, type, maker, ...)				\
	{								\
		.name = #NUMBER, .number = NPUMEM_##NUMBER,		\
		.size = sizeof(struct npumem_##type), .make = make_##maker, \
		__VA_ARGS__						\
	}
#define IN_FLAGS(type, known)						\
	.flags = offsetof(struct npumem_##type, flags), .known_flags = (known)
#define NO_FLAGS	.flags = -1
#define RESERVED(type)	.reserved = offsetof(struct npumem_##type, __reserved)
#define NO_RESERVED	.reserved = -1
#define OUTPUT(type, field)						\
	.results = true, .output = offsetof(struct npumem_##type, field)
#define NO_OUTPUT	.output = -1
/* All from this field on came later. */
#define SINCE(type, field)						\
	.added = sizeof(struct npumem_##type) -				\
		 offsetof(struct npumem_##type, field)

static const struct command commands[] = {
	COMMAND(QUERY, query, query, NO_FLAGS, NO_RESERVED,
		OUTPUT(query, handle_tag), SINCE(query, host)),
	COMMAND(DEVICE_INFO, device_info, device_info, NO_FLAGS, NO_RESERVED,
		OUTPUT(device_info, flags)),
	COMMAND(ALLOC, alloc, alloc, IN_FLAGS(alloc, NPUMEM_ALLOC_1G),
		RESERVED(alloc), OUTPUT(alloc, handle)),
	COMMAND(FREE, free, free, NO_FLAGS, RESERVED(free), NO_OUTPUT),
	COMMAND(MEMORY_INFO, memory_info, memory_info, NO_FLAGS, NO_RESERVED,
		OUTPUT(memory_info, flags)),
	COMMAND(MAP, map, map, IN_FLAGS(map, NPUMEM_MAP_NO_ACCESS),
		NO_RESERVED, NO_OUTPUT),
	COMMAND(UNMAP, unmap, unmap, NO_FLAGS, RESERVED(unmap), NO_OUTPUT),
	COMMAND(SET_ACCESS, set_access, set_access, NO_FLAGS, NO_RESERVED,
		NO_OUTPUT),
	COMMAND(GET_ACCESS, get_access, get_access, NO_FLAGS, NO_RESERVED,
		OUTPUT(get_access, access)),
	COMMAND(RANGE, range, range, NO_FLAGS, NO_RESERVED,
		OUTPUT(range, device)),
	COMMAND(RELEASE, release, release, NO_FLAGS, RESERVED(release),
		NO_OUTPUT),
	COMMAND(EXPORT, export, export,
		IN_FLAGS(export, NPUMEM_EXPORT_ANYONE | NPUMEM_EXPORT_KEY),
		NO_RESERVED, OUTPUT(export, token)),
	COMMAND(WHITELIST_ADD, whitelist_add, whitelist_add, NO_FLAGS,
		RESERVED(whitelist_add), OUTPUT(whitelist_add, added)),
	COMMAND(IMPORT, import, import, IN_FLAGS(import, NPUMEM_IMPORT_NO_PEER),
		RESERVED(import), OUTPUT(import, length)),
	COMMAND(SHARE_INFO, share_info, share_info, NO_FLAGS, NO_RESERVED,
		OUTPUT(share_info, flags)),
	COMMAND(PEER_ENABLE, peer, peer, NO_FLAGS, NO_RESERVED,
		OUTPUT(peer, enabled)),
	COMMAND(PEER_DISABLE, peer, peer, NO_FLAGS, NO_RESERVED,
		OUTPUT(peer, enabled)),
	COMMAND(PEER_STATUS, peer, peer, NO_FLAGS, NO_RESERVED,
		OUTPUT(peer, enabled)),
	COMMAND(HOST_TGID, host_tgid, host_tgid, NO_FLAGS, NO_RESERVED,
		OUTPUT(host_tgid, tgid)),
	COMMAND(STATS, stats, stats, NO_FLAGS, NO_RESERVED,
		OUTPUT(stats, handles), SINCE(stats, pud_entries)),
	COMMAND(COPY, copy, copy, NO_FLAGS, NO_RESERVED, NO_OUTPUT),
	COMMAND(FILL, fill, fill, NO_FLAGS, RESERVED(fill), NO_OUTPUT),
	COMMAND(RETAIN, retain, retain, NO_FLAGS, RESERVED(retain),
		OUTPUT(retain, handle)),
	COMMAND(RESET, reset, reset, NO_FLAGS, NO_RESERVED, NO_OUTPUT),
	COMMAND(UNEXPORT, unexport, unexport, NO_FLAGS, RESERVED(unexport),
		NO_OUTPUT),
	COMMAND(MAP_BATCH, map_batch, map_batch,
		IN_FLAGS(map_batch, NPUMEM_MAP_NO_ACCESS), RESERVED(map_batch),
		NO_OUTPUT),
	COMMAND(UNMAP_BATCH, unmap_batch, unmap_batch, NO_FLAGS, NO_RESERVED,
		NO_OUTPUT),
};

#define COMMAND_COUNT	(sizeof(commands) / sizeof(commands[0]))

#endif /* ABI_COMMANDS_H */
