/* SPDX-License-Identifier: MIT */
/*
 * What every selftest needs of the kernel ABI: one wrapper per ioctl that
 * returns 0 or -errno, and helpers for reservations and counters. Header only;
 * include it after kselftest_harness.h or without it.
 */
#ifndef NPUMEM_ABI_H
#define NPUMEM_ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <npumem.h>

#define MAYBE_UNUSED	__attribute__((__unused__))

#define G		NPUMEM_GRANULE
#define KIB		(1ULL << 10)
#define MIB		(1ULL << 20)
#define GIB		(1ULL << 30)

/* A handle or token that nobody was ever given. */
#define BAD_HANDLE	0xdeadbeefcafef00dULL

static inline void *to_ptr(__u64 address)
{
	return (void *)(uintptr_t)address;
}

static inline __u64 to_u64(const void *pointer)
{
	return (__u64)(uintptr_t)pointer;
}

/* ---- one wrapper per command ---- */

static inline int npumem_call(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) ? -errno : 0;
}

/* The descriptor, or -errno. */
static inline int npumem_open(void)
{
	int fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int npumem_query(int fd, struct npumem_query *query)
{
	memset(query, 0, sizeof(*query));
	query->size = sizeof(*query);
	return npumem_call(fd, NPUMEM_QUERY, query);
}

static inline int npumem_device_info(int fd, __u32 device,
				     struct npumem_device_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->device = device;
	return npumem_call(fd, NPUMEM_DEVICE_INFO, info);
}

static inline int npumem_alloc_flags(int fd, __u32 device, __u64 length,
				     __u32 flags, __u64 *handle,
				     __u64 *allocated)
{
	struct npumem_alloc argument = {
		.size = sizeof(argument),
		.flags = flags,
		.location_type = NPUMEM_LOCATION_DEVICE,
		.location_id = device,
		.length = length,
	};
	int error = npumem_call(fd, NPUMEM_ALLOC, &argument);

	if (error)
		return error;
	if (handle)
		*handle = argument.handle;
	if (allocated)
		*allocated = argument.length;
	return 0;
}

/* At any location. */
static inline int npumem_alloc_at(int fd, __u32 type, __u32 id, __u64 length,
				  __u64 *handle)
{
	struct npumem_alloc argument = {
		.size = sizeof(argument),
		.location_type = type,
		.location_id = id,
		.length = length,
	};
	int error = npumem_call(fd, NPUMEM_ALLOC, &argument);

	if (!error && handle)
		*handle = argument.handle;
	return error;
}

static inline int npumem_alloc(int fd, __u32 device, __u64 length,
			       __u64 *handle)
{
	return npumem_alloc_flags(fd, device, length, 0, handle, NULL);
}

static inline int npumem_free(int fd, __u64 handle)
{
	struct npumem_free argument = {
		.size = sizeof(argument),
		.handle = handle,
	};

	return npumem_call(fd, NPUMEM_FREE, &argument);
}

static inline int npumem_memory_info(int fd, __u64 handle,
				     struct npumem_memory_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->handle = handle;
	return npumem_call(fd, NPUMEM_MEMORY_INFO, info);
}

static inline int npumem_map_flags(int fd, __u64 address, __u64 length,
				   __u64 handle, __u32 flags)
{
	struct npumem_map argument = {
		.size = sizeof(argument),
		.flags = flags,
		.address = address,
		.length = length,
		.handle = handle,
	};

	return npumem_call(fd, NPUMEM_MAP, &argument);
}

static inline int npumem_map(int fd, __u64 address, __u64 length,
			     __u64 handle)
{
	return npumem_map_flags(fd, address, length, handle, 0);
}

static inline int npumem_unmap(int fd, __u64 address)
{
	struct npumem_unmap argument = {
		.size = sizeof(argument),
		.address = address,
	};

	return npumem_call(fd, NPUMEM_UNMAP, &argument);
}

static inline int npumem_map_batch(int fd, const struct npumem_map_entry *entries,
				   __u32 count, __u32 flags)
{
	struct npumem_map_batch argument = {
		.size = sizeof(argument),
		.flags = flags,
		.count = count,
		.entries = to_u64(entries),
	};

	return npumem_call(fd, NPUMEM_MAP_BATCH, &argument);
}

static inline int npumem_unmap_batch(int fd, const __u64 *addresses, __u32 count)
{
	struct npumem_unmap_batch argument = {
		.size = sizeof(argument),
		.count = count,
		.addresses = to_u64(addresses),
	};

	return npumem_call(fd, NPUMEM_UNMAP_BATCH, &argument);
}

static inline int npumem_set_access_list(int fd, __u64 address, __u64 length,
					 const struct npumem_access *entries,
					 __u32 count)
{
	struct npumem_set_access argument = {
		.size = sizeof(argument),
		.count = count,
		.address = address,
		.length = length,
		.entries = to_u64(entries),
	};

	return npumem_call(fd, NPUMEM_SET_ACCESS, &argument);
}

/* The rights of one device. */
static inline int npumem_set_access(int fd, __u64 address, __u64 length,
				    __u32 device, __u32 access)
{
	struct npumem_access entry = {
		.location_type = NPUMEM_LOCATION_DEVICE,
		.location_id = device,
		.access = access,
	};

	return npumem_set_access_list(fd, address, length, &entry, 1);
}

static inline int npumem_set_host_access(int fd, __u64 address, __u64 length,
					 __u32 access)
{
	struct npumem_access entry = {
		.location_type = NPUMEM_LOCATION_HOST,
		.access = access,
	};

	return npumem_set_access_list(fd, address, length, &entry, 1);
}

static inline int npumem_get_access_of(int fd, __u64 address, __u32 type,
				       __u32 id, __u32 *access)
{
	struct npumem_get_access argument = {
		.size = sizeof(argument),
		.location_type = type,
		.location_id = id,
		.address = address,
	};
	int error = npumem_call(fd, NPUMEM_GET_ACCESS, &argument);

	if (!error && access)
		*access = argument.access;
	return error;
}

static inline int npumem_get_access(int fd, __u64 address, __u32 device,
				    __u32 *access)
{
	return npumem_get_access_of(fd, address, NPUMEM_LOCATION_DEVICE,
				    device, access);
}

static inline int npumem_get_host_access(int fd, __u64 address, __u32 *access)
{
	return npumem_get_access_of(fd, address, NPUMEM_LOCATION_HOST, 0,
				    access);
}

static inline int npumem_range(int fd, __u64 address,
			       struct npumem_range *range)
{
	memset(range, 0, sizeof(*range));
	range->size = sizeof(*range);
	range->address = address;
	return npumem_call(fd, NPUMEM_RANGE, range);
}

static inline int npumem_release(int fd, __u64 address)
{
	struct npumem_release argument = {
		.size = sizeof(argument),
		.address = address,
	};

	return npumem_call(fd, NPUMEM_RELEASE, &argument);
}

static inline int npumem_export(int fd, __u64 handle, __u32 flags,
				__u64 *token)
{
	struct npumem_export argument = {
		.size = sizeof(argument),
		.flags = flags,
		.handle = handle,
	};
	int error = npumem_call(fd, NPUMEM_EXPORT, &argument);

	if (!error && token)
		*token = argument.token;
	return error;
}

static inline int npumem_unexport(int fd, __u64 token)
{
	struct npumem_unexport argument = {
		.size = sizeof(argument),
		.token = token,
	};

	return npumem_call(fd, NPUMEM_UNEXPORT, &argument);
}

static inline int npumem_whitelist_add_list(int fd, __u64 token,
					    const __s32 *pids, __u32 count,
					    __u32 *added)
{
	struct npumem_whitelist_add argument = {
		.size = sizeof(argument),
		.count = count,
		.token = token,
		.pids = to_u64(pids),
	};
	int error = npumem_call(fd, NPUMEM_WHITELIST_ADD, &argument);

	if (!error && added)
		*added = argument.added;
	return error;
}

static inline int npumem_whitelist_add(int fd, __u64 token, __s32 pid)
{
	return npumem_whitelist_add_list(fd, token, &pid, 1, NULL);
}

/* @handle and @length may be NULL. */
static inline int npumem_import_flags(int fd, __u64 token, __u32 device,
				      __u32 flags, __u64 *handle,
				      __u64 *length)
{
	struct npumem_import argument = {
		.size = sizeof(argument),
		.flags = flags,
		.token = token,
		.device = device,
	};
	int error = npumem_call(fd, NPUMEM_IMPORT, &argument);

	if (error)
		return error;
	if (handle)
		*handle = argument.handle;
	if (length)
		*length = argument.length;
	return 0;
}

static inline int npumem_import(int fd, __u64 token, __u32 device,
				__u64 *handle, __u64 *length)
{
	return npumem_import_flags(fd, token, device, 0, handle, length);
}

static inline int npumem_share_info(int fd, __u64 token,
				    struct npumem_share_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->token = token;
	return npumem_call(fd, NPUMEM_SHARE_INFO, info);
}

static inline int npumem_peer(int fd, unsigned long command, __u32 device,
			      __u32 peer, __u32 *enabled)
{
	struct npumem_peer argument = {
		.size = sizeof(argument),
		.device = device,
		.peer = peer,
	};
	int error = npumem_call(fd, command, &argument);

	if (!error && enabled)
		*enabled = argument.enabled;
	return error;
}

static inline int npumem_peer_enable(int fd, __u32 device, __u32 peer)
{
	return npumem_peer(fd, NPUMEM_PEER_ENABLE, device, peer, NULL);
}

static inline int npumem_peer_disable(int fd, __u32 device, __u32 peer)
{
	return npumem_peer(fd, NPUMEM_PEER_DISABLE, device, peer, NULL);
}

static inline int npumem_peer_status(int fd, __u32 device, __u32 peer,
				     __u32 *enabled)
{
	return npumem_peer(fd, NPUMEM_PEER_STATUS, device, peer, enabled);
}

static inline int npumem_host_tgid(int fd, __s32 *tgid)
{
	struct npumem_host_tgid argument = { .size = sizeof(argument) };
	int error = npumem_call(fd, NPUMEM_HOST_TGID, &argument);

	if (!error && tgid)
		*tgid = argument.tgid;
	return error;
}

static inline int npumem_stats(int fd, struct npumem_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return npumem_call(fd, NPUMEM_STATS, stats);
}

static inline int npumem_copy(int fd, __u32 device, const void *destination,
			      const void *source, __u64 length)
{
	struct npumem_copy argument = {
		.size = sizeof(argument),
		.device = device,
		.destination = to_u64(destination),
		.source = to_u64(source),
		.length = length,
	};

	return npumem_call(fd, NPUMEM_COPY, &argument);
}

static inline int npumem_fill(int fd, __u32 device, const void *address,
			      __u64 length, __u32 value)
{
	struct npumem_fill argument = {
		.size = sizeof(argument),
		.device = device,
		.address = to_u64(address),
		.length = length,
		.value = value,
	};

	return npumem_call(fd, NPUMEM_FILL, &argument);
}

static inline int npumem_retain(int fd, __u64 address, __u64 *handle)
{
	struct npumem_retain argument = {
		.size = sizeof(argument),
		.address = address,
	};
	int error = npumem_call(fd, NPUMEM_RETAIN, &argument);

	if (!error && handle)
		*handle = argument.handle;
	return error;
}

static inline int npumem_reset(int fd, __u32 device)
{
	struct npumem_reset argument = {
		.size = sizeof(argument),
		.device = device,
	};

	return npumem_call(fd, NPUMEM_RESET, &argument);
}

/* ---- reservations ---- */

/* mmap() of the node, as it is: 0 or -errno. */
static inline int npumem_mmap(int fd, void *address, __u64 length, int prot,
			      int flags, off_t offset, __u64 *result)
{
	void *p = mmap(address, length, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	if (result)
		*result = to_u64(p);
	return 0;
}

/* Finds @length bytes of free address space, a multiple of @alignment. */
static inline int find_space(__u64 length, __u64 alignment, __u64 *address)
{
	void *p = mmap(NULL, length + alignment, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	__u64 start, end, first;

	if (p == MAP_FAILED)
		return -errno;
	start = to_u64(p);
	end = start + length + alignment;
	first = (start + alignment - 1) & ~(alignment - 1);
	if (first > start)
		munmap(to_ptr(start), first - start);
	if (end > first + length)
		munmap(to_ptr(first + length), end - first - length);
	*address = first;
	return 0;
}

/*
 * Reserves @length bytes, aligned to @alignment; ends with npumem_release()
 * or munmap().
 */
static inline int npumem_reserve_aligned(int fd, __u64 length,
					 __u64 alignment, __u64 *address)
{
	__u64 space = 0;
	int error = find_space(length, alignment, &space);

	if (error)
		return error;
	error = npumem_mmap(fd, to_ptr(space), length, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, 0, address);
	if (error)
		munmap(to_ptr(space), length);
	return error;
}

static inline int npumem_reserve(int fd, __u64 length, __u64 *address)
{
	return npumem_reserve_aligned(fd, length, G, address);
}

/* Allocates, reserves and maps @length bytes of @device in one go. */
static inline int npumem_new_mapping(int fd, __u32 device, __u64 length,
				     __u64 *handle, __u64 *address)
{
	int error = npumem_alloc(fd, device, length, handle);

	if (error)
		return error;
	error = npumem_reserve(fd, (length + G - 1) & ~(G - 1), address);
	if (!error) {
		error = npumem_map(fd, *address, length, *handle);
		if (error)
			npumem_release(fd, *address);
	}
	if (error)
		npumem_free(fd, *handle);
	return error;
}

/* ---- counters ---- */

/* ~0 when the device does not answer. */
static inline __u64 npumem_used(int fd, __u32 device)
{
	struct npumem_device_info info;

	return npumem_device_info(fd, device, &info) ? ~0ULL : info.used;
}

static inline __u64 npumem_capacity(int fd, __u32 device)
{
	struct npumem_device_info info;

	return npumem_device_info(fd, device, &info) ? ~0ULL : info.capacity;
}

static inline __u64 npumem_free_bytes(int fd, __u32 device)
{
	struct npumem_device_info info;

	if (npumem_device_info(fd, device, &info))
		return ~0ULL;
	return info.capacity - info.used;
}

/* Waits up to @ms for a device's used bytes to become @expected. */
static inline bool npumem_used_becomes(int fd, __u32 device, __u64 expected,
				       int ms)
{
	struct timespec pause = { .tv_nsec = 5000000 };

	for (; npumem_used(fd, device) != expected; ms -= 5) {
		if (ms <= 0)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * Bytes that this machine could hand out, without caches. Free pages may wait
 * on the lists of a processor, many of them, for long.
 */
static MAYBE_UNUSED __u64 machine_free(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	unsigned long long kib = 0, pages;
	char line[256];
	FILE *f;

	if (fd >= 0) {
		if (write(fd, "3", 1) != 1)
			printf("# caches stay\n");
		close(fd);
	}
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	f = fopen("/proc/zoneinfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %llu", &pages) == 1)
			kib += 4 * pages;
	if (f)
		fclose(f);
	return kib << 10;
}

/* Lines of /proc/self/maps, which are VMAs. */
static inline long count_vmas(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	long lines = 0;
	int c;

	if (!f)
		return -1;
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

#include "npumem_testing.h"

#endif /* NPUMEM_ABI_H */
