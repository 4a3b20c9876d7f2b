/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The kernel ABI of npumem: device memory shared between processes.
 *
 * A process opens /dev/npumem and becomes a *client*. A client allocates
 * *memory* on a device and holds it by *handles*, reserves address ranges by
 * mmap() of the node, maps handles into them, exports a handle as a *share*
 * named by a 64-bit token, and imports the shares of other clients.
 *
 * A client belongs to the process (thread group and address space) that
 * opened it. An ioctl or mmap by anybody else, a forked child and the same
 * process after exec() included, fails with EACCES. All a client holds goes
 * when its address space ends, whoever still has the descriptor.
 *
 * Rules that hold for every ioctl:
 *
 *  - The argument is a struct that begins with @size, the caller's sizeof().
 *    A shorter struct than the module knows is completed with zeros, down to
 *    the size of the first version; shorter than that is EINVAL. A longer one
 *    is accepted while its tail is zero and refused with E2BIG otherwise, and
 *    always with more than 4096 bytes.
 *  - Unknown bits in @flags and reserved fields that are not zero: EINVAL.
 *    Fields that are "out" only are not looked at.
 *  - Results are written back only on success. A call that fails changes
 *    nothing.
 *  - An unknown command is ENOTTY, unreadable arguments are EFAULT, a fatal
 *    signal is EINTR.
 *
 * Errno is chosen per cause, and each command lists its own. Those that mean
 * the same everywhere:
 *
 *  EACCES   the caller is not the process that opened the descriptor; of
 *           open(): it was not for reading and writing
 *  EINVAL   malformed: flags, reserved fields, alignment, zero sizes
 *  ENOENT   no such handle, share, mapping or reservation
 *  ENXIO    no device has that number
 *  ENODEV   the device of that number, or of that memory, was removed
 *  ENOMEM   the host is out of memory, or the caller's memory cgroup is
 *  EMFILE   the process has as many handles, mappings, reservations, shares or
 *           whitelist entries as it may, in all files that it opened; of
 *           open(): as many descriptors
 *  EUSERS   of open(): the process has opened the node as often as it may
 *  EDQUOT   the same of the user who opened the node, in all processes
 *
 * The limits are parameters of the module, and a change affects only what comes
 * after it. What a client makes is charged to the process that opened the node
 * and to its real user id, until it is given back: a share as long as it exists,
 * though its exporter may have ended. A user's limits do not hold for a client
 * that was opened with CAP_SYS_RESOURCE in the initial user namespace.
 */
#ifndef _UAPI_NPUMEM_H
#define _UAPI_NPUMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define NPUMEM_DEVICE_PATH	"/dev/npumem"

/*
 * The ABI's version. The major number changes when old programs stop working
 * (never, if we can help it), the minor number with each addition.
 */
#define NPUMEM_ABI_MAJOR	1
#define NPUMEM_ABI_MINOR	2

/* Sizes and addresses of memory and mappings are multiples of this. */
#define NPUMEM_GRANULE		(1ULL << 21)
/* What NPUMEM_ALLOC_1G rounds the size to. */
#define NPUMEM_GRANULE_1G	(1ULL << 30)

/* Device numbers are below this. */
#define NPUMEM_MAX_DEVICES	32
/*
 * In place of a device number: none. Of a caller, it has no current device; of
 * memory, it is the host's.
 */
#define NPUMEM_DEVICE_NONE	0xffffffffU

/* Where memory lives and who accesses it; the numbers are AscendCL's. */
#define NPUMEM_LOCATION_HOST		0
#define NPUMEM_LOCATION_DEVICE		1
#define NPUMEM_LOCATION_HOST_NUMA	4

/* Rights of a location on a mapping. */
#define NPUMEM_ACCESS_NONE	0
#define NPUMEM_ACCESS_READ	1
#define NPUMEM_ACCESS_READWRITE	3

#define NPUMEM_IOC_TYPE		0xDA

/**
 * struct npumem_query - ioctl(NPUMEM_QUERY)
 * @size: sizeof(struct npumem_query)
 * @abi_major: out: NPUMEM_ABI_MAJOR of the module
 * @abi_minor: out: NPUMEM_ABI_MINOR of the module
 * @device_count: out: one more than the highest device number that was ever
 *                bound; single devices below it may be gone
 * @handle_tag: out: the upper 32 bits of every handle of this client
 * @max_devices: out: NPUMEM_MAX_DEVICES of the module
 * @granule: out: NPUMEM_GRANULE of the module
 * @host: out: random, anew each time the module is loaded. With a token it
 *        names a share among those of several hosts; by itself it says nothing
 *
 * What both sides need to know of each other before anything else.
 */
struct npumem_query {
	__u32 size;
	__u32 abi_major;
	__u32 abi_minor;
	__u32 device_count;
	__u32 handle_tag;
	__u32 max_devices;
	__aligned_u64 granule;
	/* since 1.1 */
	__u8 host[16];
};

#define NPUMEM_QUERY		_IO(NPUMEM_IOC_TYPE, 0)

/* The device is a slice of a card (vNPU): its memory cannot be exported. */
#define NPUMEM_DEVICE_VIRTUAL	(1U << 0)

/**
 * struct npumem_device_info - ioctl(NPUMEM_DEVICE_INFO)
 * @size: sizeof(struct npumem_device_info)
 * @device: in: device number, or NPUMEM_DEVICE_NONE for the host's memory
 * @flags: out: NPUMEM_DEVICE_*
 * @numa_node: out: the node its memory comes from, or -1 for any
 * @capacity: out: bytes it can hand out
 * @used: out: bytes handed out and not yet given back
 *
 * Errors: ENXIO; ENODEV.
 */
struct npumem_device_info {
	__u32 size;
	__u32 device;
	__u32 flags;
	__s32 numa_node;
	__aligned_u64 capacity;
	__aligned_u64 used;
};

#define NPUMEM_DEVICE_INFO	_IO(NPUMEM_IOC_TYPE, 1)

/* Round up to 1 GiB, each contiguous if the device's memory is of that kind. */
#define NPUMEM_ALLOC_1G		(1U << 0)

/**
 * struct npumem_alloc - ioctl(NPUMEM_ALLOC)
 * @size: sizeof(struct npumem_alloc)
 * @flags: in: NPUMEM_ALLOC_*
 * @location_type: in: NPUMEM_LOCATION_*
 * @location_id: in: device number, NUMA node, or 0 for the host
 * @attr: in: kept for NPUMEM_MEMORY_INFO, not looked at
 * @__reserved: in: 0
 * @length: in: bytes, rounded up to the granule; out: bytes allocated
 * @handle: out: the new handle, with one reference
 *
 * The memory reads as zeros. Nothing is left behind on failure. Memory of the
 * host is handled like that of a device which every process has: it can be
 * mapped, exported and imported, and its mappings belong to the host.
 * NPUMEM_LOCATION_HOST takes it from any node, NPUMEM_LOCATION_HOST_NUMA from
 * one node only, which needs no CPUs. Nodes that the caller's cpuset lacks have
 * no memory for it: ENOMEM. The location is looked at before the length, so
 * that a length beyond all bounds asks whether there is such a place.
 *
 * Errors: ENXIO no such device, or no such node with memory; ENODEV; ENOSPC
 * the device, or the share of the host that the module hands out, has not that
 * much free, or not in contiguous pieces; ENOMEM; EMFILE, EDQUOT too many
 * handles; EOVERFLOW @length does not fit when rounded up; EOPNOTSUPP
 * NPUMEM_ALLOC_1G on the host; EINVAL the host with an id.
 */
struct npumem_alloc {
	__u32 size;
	__u32 flags;
	__u32 location_type;
	__u32 location_id;
	__u32 attr;
	__u32 __reserved;
	__aligned_u64 length;
	__aligned_u64 handle;
};

#define NPUMEM_ALLOC		_IO(NPUMEM_IOC_TYPE, 2)

/**
 * struct npumem_free - ioctl(NPUMEM_FREE)
 * @size: sizeof(struct npumem_free)
 * @__reserved: in: 0
 * @handle: in: the handle that loses one reference
 *
 * Without references the handle is gone. The memory goes back to its device,
 * before the call returns, when no handle and no mapping of any client holds
 * it.
 *
 * Errors: ENOENT.
 */
struct npumem_free {
	__u32 size;
	__u32 __reserved;
	__aligned_u64 handle;
};

#define NPUMEM_FREE		_IO(NPUMEM_IOC_TYPE, 3)

/* The handle came from NPUMEM_IMPORT. */
#define NPUMEM_MEMORY_IMPORTED	(1U << 0)
/* There is a share of the memory. */
#define NPUMEM_MEMORY_EXPORTED	(1U << 1)

/**
 * struct npumem_memory_info - ioctl(NPUMEM_MEMORY_INFO)
 * @size: sizeof(struct npumem_memory_info)
 * @flags: out: NPUMEM_MEMORY_*
 * @handle: in: which memory
 * @location_type: out: as given to NPUMEM_ALLOC by whoever allocated it
 * @location_id: out: likewise
 * @attr: out: likewise
 * @device: out: the device that this handle uses it from, or
 *          NPUMEM_DEVICE_NONE for the host's memory
 * @requested: out: bytes as given to NPUMEM_ALLOC
 * @length: out: bytes allocated
 * @references: out: how many NPUMEM_FREE this handle takes
 * @__reserved: in: 0
 *
 * Errors: ENOENT.
 */
struct npumem_memory_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__u32 location_type;
	__u32 location_id;
	__u32 attr;
	__u32 device;
	__aligned_u64 requested;
	__aligned_u64 length;
	__u32 references;
	__u32 __reserved;
};

#define NPUMEM_MEMORY_INFO	_IO(NPUMEM_IOC_TYPE, 4)

/* No location may access the mapping until NPUMEM_SET_ACCESS. */
#define NPUMEM_MAP_NO_ACCESS	(1U << 0)

/**
 * struct npumem_map - ioctl(NPUMEM_MAP)
 * @size: sizeof(struct npumem_map)
 * @flags: in: NPUMEM_MAP_*
 * @address: in: where, a multiple of the granule inside one reservation
 * @length: in: bytes; must round up to all of the memory
 * @offset: in: 0
 * @handle: in: what
 *
 * The device of the handle may read and write the mapping at once. The
 * mapping holds the memory: the handle may be freed. A reservation belongs to
 * the device of its first mapping until it is released.
 *
 * Errors: ENOENT handle; EADDRNOTAVAIL not inside one reservation; EEXIST
 * overlaps a mapping; EXDEV the reservation belongs to another device;
 * EOVERFLOW @length is more than the memory has; ERANGE it is less; ENODEV;
 * EMFILE, EDQUOT too many mappings; ENOMEM.
 */
struct npumem_map {
	__u32 size;
	__u32 flags;
	__aligned_u64 address;
	__aligned_u64 length;
	__aligned_u64 offset;
	__aligned_u64 handle;
};

#define NPUMEM_MAP		_IO(NPUMEM_IOC_TYPE, 5)

/**
 * struct npumem_unmap - ioctl(NPUMEM_UNMAP)
 * @size: sizeof(struct npumem_unmap)
 * @__reserved: in: 0
 * @address: in: the first address of a mapping
 *
 * Errors: ENOENT no mapping starts there.
 */
struct npumem_unmap {
	__u32 size;
	__u32 __reserved;
	__aligned_u64 address;
};

#define NPUMEM_UNMAP		_IO(NPUMEM_IOC_TYPE, 6)

/**
 * struct npumem_access - the rights of one location
 * @location_type: NPUMEM_LOCATION_HOST or NPUMEM_LOCATION_DEVICE
 * @location_id: device number, or 0 for the host
 * @access: NPUMEM_ACCESS_*
 * @__reserved: 0
 */
struct npumem_access {
	__u32 location_type;
	__u32 location_id;
	__u32 access;
	__u32 __reserved;
};

/**
 * struct npumem_set_access - ioctl(NPUMEM_SET_ACCESS)
 * @size: sizeof(struct npumem_set_access)
 * @count: in: how many elements @entries has, at most NPUMEM_MAX_DEVICES + 1
 * @address: in: a multiple of the granule
 * @length: in: bytes, rounded up to the granule; mappings must cover all. From
 *          the start of a mapping on, what its memory was asked for with
 *          stands for all of the mapping
 * @entries: in: pointer to struct npumem_access
 *
 * What the CPU may do is what the device of the mapping's handle and the host
 * may do together. What another device may do counts for NPUMEM_COPY and
 * NPUMEM_FILL. Either all entries take effect on all of the range, or none.
 *
 * Errors: EADDRNOTAVAIL a part of the range is not mapped or misaligned;
 * ENXIO; EHOSTUNREACH a device without a peer link to the memory's; EMFILE,
 * EDQUOT too many parts of mappings with rights of their own; ENOMEM.
 */
struct npumem_set_access {
	__u32 size;
	__u32 count;
	__aligned_u64 address;
	__aligned_u64 length;
	__aligned_u64 entries;
};

#define NPUMEM_SET_ACCESS	_IO(NPUMEM_IOC_TYPE, 7)

/**
 * struct npumem_get_access - ioctl(NPUMEM_GET_ACCESS)
 * @size: sizeof(struct npumem_get_access)
 * @location_type: in: NPUMEM_LOCATION_HOST or NPUMEM_LOCATION_DEVICE
 * @location_id: in: device number, or 0 for the host
 * @access: out: NPUMEM_ACCESS_*
 * @address: in: any address inside a mapping
 *
 * Errors: ENOENT nothing is mapped there; ENXIO.
 */
struct npumem_get_access {
	__u32 size;
	__u32 location_type;
	__u32 location_id;
	__u32 access;
	__aligned_u64 address;
};

#define NPUMEM_GET_ACCESS	_IO(NPUMEM_IOC_TYPE, 8)

/**
 * struct npumem_range - ioctl(NPUMEM_RANGE)
 * @size: sizeof(struct npumem_range)
 * @device: out: the device that the mapping belongs to, or NPUMEM_DEVICE_NONE
 *          for the host
 * @address: in: any address inside a mapping; out: the mapping's first
 * @length: out: bytes of the mapping
 * @location_type: out: where the memory lives
 * @location_id: out: likewise
 *
 * Errors: ENOENT nothing is mapped there.
 */
struct npumem_range {
	__u32 size;
	__u32 device;
	__aligned_u64 address;
	__aligned_u64 length;
	__u32 location_type;
	__u32 location_id;
};

#define NPUMEM_RANGE		_IO(NPUMEM_IOC_TYPE, 9)

/**
 * struct npumem_release - ioctl(NPUMEM_RELEASE)
 * @size: sizeof(struct npumem_release)
 * @__reserved: in: 0
 * @address: in: the first address of a reservation (of an mmap() of the node)
 *
 * Gives the addresses back, as munmap() of the whole reservation does, but
 * only when nothing is mapped in it. To be used instead of munmap(), not at
 * the same time: what another thread maps at addresses that it has unmapped
 * meanwhile would go as well.
 *
 * Errors: ENOENT no reservation starts there; EBUSY something is mapped.
 */
struct npumem_release {
	__u32 size;
	__u32 __reserved;
	__aligned_u64 address;
};

#define NPUMEM_RELEASE		_IO(NPUMEM_IOC_TYPE, 10)

/* Whoever knows the token may import: there is no whitelist. */
#define NPUMEM_EXPORT_ANYONE	(1U << 0)
/*
 * The token is to be handed on as a key. A memory has one share, which can be
 * exported once as it is and any number of times as a key, if each time with
 * the same NPUMEM_EXPORT_ANYONE: all of them give the same token.
 */
#define NPUMEM_EXPORT_KEY	(1U << 1)

/**
 * struct npumem_export - ioctl(NPUMEM_EXPORT)
 * @size: sizeof(struct npumem_export)
 * @flags: in: NPUMEM_EXPORT_*
 * @handle: in: a handle from NPUMEM_ALLOC
 * @token: out: the share's name, random and never 0
 *
 * A memory has one share at a time. The share does not hold the memory: it is
 * gone when the last handle and mapping are, or with NPUMEM_UNEXPORT.
 *
 * Errors: ENOENT; EEXIST exported already; EBUSY exported already, but with
 * the other NPUMEM_EXPORT_ANYONE; EREMOTE the handle is an imported one;
 * EOPNOTSUPP memory of a virtual device; ENODEV; EMFILE, EDQUOT too many shares;
 * ENOMEM.
 */
struct npumem_export {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__aligned_u64 token;
};

#define NPUMEM_EXPORT		_IO(NPUMEM_IOC_TYPE, 11)

/* How many pids one NPUMEM_WHITELIST_ADD takes. */
#define NPUMEM_WHITELIST_MAX	65535

/**
 * struct npumem_whitelist_add - ioctl(NPUMEM_WHITELIST_ADD)
 * @size: sizeof(struct npumem_whitelist_add)
 * @count: in: how many elements @pids has
 * @token: in: a share of this process
 * @pids: in: pointer to __s32, process ids in the initial pid namespace
 * @added: out: how many of them are now in the whitelist
 * @__reserved: in: 0
 *
 * The whitelist holds processes, not numbers: an entry ends with its process.
 * Numbers that name no live process are skipped.
 *
 * Errors: ENOENT no such share; EREMOTE the share of another process; EPERM
 * the share has no whitelist; ESRCH not one of the numbers names a live
 * process; ENOSPC the whitelist is full; EMFILE, EDQUOT the whitelists of all
 * shares together are; ENOMEM.
 */
struct npumem_whitelist_add {
	__u32 size;
	__u32 count;
	__aligned_u64 token;
	__aligned_u64 pids;
	__u32 added;
	__u32 __reserved;
};

#define NPUMEM_WHITELIST_ADD	_IO(NPUMEM_IOC_TYPE, 12)

/* Leave peer access between @device and the memory's as it is. */
#define NPUMEM_IMPORT_NO_PEER	(1U << 0)

/**
 * struct npumem_import - ioctl(NPUMEM_IMPORT)
 * @size: sizeof(struct npumem_import)
 * @flags: in: NPUMEM_IMPORT_*
 * @token: in: the share
 * @device: in: the device that is to use the memory
 * @__reserved: in: 0
 * @handle: out: a handle; the same as before, with one more reference, if
 *          this client holds the memory for that device already
 * @length: out: bytes of the memory
 *
 * A process that is not in the whitelist is refused after a short wait (module
 * parameter import_wait_ms), which ends early when the exporter adds it. A
 * device other than the memory's gets peer access to it, both ways, unless it
 * has it by this handle already.
 *
 * Errors: ENOENT no such share; EPERM this process is not in its whitelist;
 * ELOOP this process exported it from that device; ESTALE the memory is
 * just going away; ENXIO; ENODEV; EMFILE, EDQUOT; ENOMEM.
 */
struct npumem_import {
	__u32 size;
	__u32 flags;
	__aligned_u64 token;
	__u32 device;
	__u32 __reserved;
	__aligned_u64 handle;
	__aligned_u64 length;
};

#define NPUMEM_IMPORT		_IO(NPUMEM_IOC_TYPE, 13)

/**
 * struct npumem_share_info - ioctl(NPUMEM_SHARE_INFO)
 * @size: sizeof(struct npumem_share_info)
 * @flags: out: NPUMEM_EXPORT_* of the share
 * @token: in: the share
 * @exporter: out: process id of the exporter, in the initial pid namespace, or
 *            0 if it has ended: then nobody can extend the whitelist
 * @device: out: the device that the memory is on, or NPUMEM_DEVICE_NONE
 *
 * Whoever has the token may know whom to ask to be let in.
 *
 * Errors: ENOENT no such share.
 */
struct npumem_share_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 token;
	__s32 exporter;
	__u32 device;
};

#define NPUMEM_SHARE_INFO	_IO(NPUMEM_IOC_TYPE, 14)

/**
 * struct npumem_peer - NPUMEM_PEER_ENABLE, _DISABLE and _STATUS
 * @size: sizeof(struct npumem_peer)
 * @device: in: the device that accesses
 * @peer: in: the device whose memory is accessed; not @device
 * @enabled: out: how often this client has the direction enabled, after the
 *           call
 *
 * Each client counts its enables of a direction, and each takes a disable.
 *
 * Errors: EINVAL @device is @peer; ENXIO; ENOENT (disable only) not enabled;
 * ENODEV, EOVERFLOW, ENOMEM (enable only).
 */
struct npumem_peer {
	__u32 size;
	__u32 device;
	__u32 peer;
	__u32 enabled;
};

#define NPUMEM_PEER_ENABLE	_IO(NPUMEM_IOC_TYPE, 15)
#define NPUMEM_PEER_DISABLE	_IO(NPUMEM_IOC_TYPE, 16)
#define NPUMEM_PEER_STATUS	_IO(NPUMEM_IOC_TYPE, 17)

/**
 * struct npumem_host_tgid - ioctl(NPUMEM_HOST_TGID)
 * @size: sizeof(struct npumem_host_tgid)
 * @tgid: out: the caller's process id in the initial pid namespace
 *
 * The number that an exporter needs for its whitelist, inside containers too.
 */
struct npumem_host_tgid {
	__u32 size;
	__s32 tgid;
};

#define NPUMEM_HOST_TGID	_IO(NPUMEM_IOC_TYPE, 18)

/**
 * struct npumem_stats - ioctl(NPUMEM_STATS)
 * @size: sizeof(struct npumem_stats)
 * @__reserved: in: 0
 * @handles: out: handles held
 * @imports: out: of these, imported ones
 * @reservations: out: reserved address ranges
 * @mappings: out: live mappings
 * @reserved_bytes: out: bytes of address space in reservations
 * @mapped_bytes: out: bytes of live mappings
 * @faults: out: page faults served, populating a mapping included
 * @pmd_entries: out: huge page-table entries installed so far
 * @pte_entries: out: base page-table entries installed so far
 * @refused_imports: out: imports refused so far
 * @pud_entries: out: page-table entries of 1 GiB installed so far
 *
 * Of this client.
 */
struct npumem_stats {
	__u32 size;
	__u32 __reserved;
	__aligned_u64 handles;
	__aligned_u64 imports;
	__aligned_u64 reservations;
	__aligned_u64 mappings;
	__aligned_u64 reserved_bytes;
	__aligned_u64 mapped_bytes;
	__aligned_u64 faults;
	__aligned_u64 pmd_entries;
	__aligned_u64 pte_entries;
	__aligned_u64 refused_imports;
	/* since 1.2 */
	__aligned_u64 pud_entries;
};

#define NPUMEM_STATS		_IO(NPUMEM_IOC_TYPE, 19)

/**
 * struct npumem_copy - ioctl(NPUMEM_COPY)
 * @size: sizeof(struct npumem_copy)
 * @device: in: on whose behalf, or NPUMEM_DEVICE_NONE
 * @destination: in: an address of this process
 * @source: in: an address of this process
 * @length: in: bytes
 *
 * Copies between device memory and any memory of the process, or within
 * device memory. Ranges that overlap are copied as memmove() does. Both ranges
 * are checked in full before the first byte is written. A copy that fails all
 * the same, because the host's side is not there, another thread unmaps or a
 * fatal signal arrives, has written a part, and only what it read.
 *
 * Errors: ENOENT neither range touches a reservation: the caller can copy by
 * itself; EADDRNOTAVAIL a range is not wholly mapped; EROFS @device may not
 * write the destination; EPERM it may not read the source; ENOTCONN @device
 * is NPUMEM_DEVICE_NONE; ENXIO; ENODEV; EFAULT the host's side is not there;
 * EIO the hardware has failed in a page of device memory.
 */
struct npumem_copy {
	__u32 size;
	__u32 device;
	__aligned_u64 destination;
	__aligned_u64 source;
	__aligned_u64 length;
};

#define NPUMEM_COPY		_IO(NPUMEM_IOC_TYPE, 20)

/**
 * struct npumem_fill - ioctl(NPUMEM_FILL)
 * @size: sizeof(struct npumem_fill)
 * @device: in: on whose behalf, or NPUMEM_DEVICE_NONE
 * @address: in: an address of this process
 * @length: in: bytes
 * @value: in: the byte to fill with, 0 to 255
 * @__reserved: in: 0
 *
 * Errors: as for NPUMEM_COPY, of the destination.
 */
struct npumem_fill {
	__u32 size;
	__u32 device;
	__aligned_u64 address;
	__aligned_u64 length;
	__u32 value;
	__u32 __reserved;
};

#define NPUMEM_FILL		_IO(NPUMEM_IOC_TYPE, 21)

/**
 * struct npumem_retain - ioctl(NPUMEM_RETAIN)
 * @size: sizeof(struct npumem_retain)
 * @__reserved: in: 0
 * @address: in: the first address of a mapping
 * @handle: out: a handle of its memory, with one more reference
 *
 * Errors: ENOENT no mapping starts there; EMFILE, EDQUOT; ENOMEM.
 */
struct npumem_retain {
	__u32 size;
	__u32 __reserved;
	__aligned_u64 address;
	__aligned_u64 handle;
};

#define NPUMEM_RETAIN		_IO(NPUMEM_IOC_TYPE, 22)

/**
 * struct npumem_reset - ioctl(NPUMEM_RESET)
 * @size: sizeof(struct npumem_reset)
 * @device: in: device number
 *
 * Drops every handle and mapping that this client has for the device, and its
 * peer links from and to it. Reservations stay, empty.
 *
 * Errors: ENXIO.
 */
struct npumem_reset {
	__u32 size;
	__u32 device;
};

#define NPUMEM_RESET		_IO(NPUMEM_IOC_TYPE, 23)

/**
 * struct npumem_unexport - ioctl(NPUMEM_UNEXPORT), since 1.1
 * @size: sizeof(struct npumem_unexport)
 * @__reserved: in: 0
 * @token: in: a share of this process
 *
 * Ends the share: nobody finds it any more. Whoever imported the memory keeps
 * it, and its exporter may export it anew.
 *
 * Errors: ENOENT no such share; EREMOTE the share of another process.
 */
struct npumem_unexport {
	__u32 size;
	__u32 __reserved;
	__aligned_u64 token;
};

#define NPUMEM_UNEXPORT		_IO(NPUMEM_IOC_TYPE, 24)

/* How many elements one NPUMEM_MAP_BATCH or NPUMEM_UNMAP_BATCH takes. */
#define NPUMEM_BATCH_MAX	65536

/**
 * struct npumem_map_entry - one mapping of a batch
 * @address: as for NPUMEM_MAP
 * @length: as for NPUMEM_MAP
 * @handle: as for NPUMEM_MAP
 */
struct npumem_map_entry {
	__aligned_u64 address;
	__aligned_u64 length;
	__aligned_u64 handle;
};

/**
 * struct npumem_map_batch - ioctl(NPUMEM_MAP_BATCH), since 1.2
 * @size: sizeof(struct npumem_map_batch)
 * @flags: in: NPUMEM_MAP_*, for all of them
 * @count: in: how many elements @entries has, 1 to NPUMEM_BATCH_MAX
 * @__reserved: in: 0
 * @entries: in: pointer to struct npumem_map_entry
 *
 * All are mapped as by NPUMEM_MAP, or none, and nobody sees a part of them. One
 * handle may be mapped several times. Neighbours that follow each other are
 * faster than others.
 *
 * Errors: EINVAL @count; those of NPUMEM_MAP, of the first element that is wrong
 * by itself, or else of the first that its place is not for; EEXIST elements
 * that overlap.
 */
struct npumem_map_batch {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 entries;
};

#define NPUMEM_MAP_BATCH	_IO(NPUMEM_IOC_TYPE, 25)

/**
 * struct npumem_unmap_batch - ioctl(NPUMEM_UNMAP_BATCH), since 1.2
 * @size: sizeof(struct npumem_unmap_batch)
 * @count: in: how many elements @addresses has, 1 to NPUMEM_BATCH_MAX
 * @addresses: in: pointer to __u64, the first addresses of mappings
 *
 * All or none. In ascending order with nothing else mapped between them they
 * take one flush of the TLBs for each reservation.
 *
 * Errors: EINVAL @count; ENOENT no mapping starts at one of them, or one is
 * there twice; ENOMEM.
 */
struct npumem_unmap_batch {
	__u32 size;
	__u32 count;
	__aligned_u64 addresses;
};

#define NPUMEM_UNMAP_BATCH	_IO(NPUMEM_IOC_TYPE, 26)

#endif /* _UAPI_NPUMEM_H */
