/* SPDX-License-Identifier: MIT */
/*
 * What other processes do as clients of /dev/npumem, on top of
 * npumem_process.h. All return 0 or -errno of the other process, or
 * PROCESS_DIED, or PROCESS_SILENT.
 */
#ifndef _NPUMEM_CLIENT_H
#define _NPUMEM_CLIENT_H

#include "npumem_abi.h"
#include "npumem_process.h"

/* The descriptor of a process, in that process. */
static int client_fd = -1;

static inline long client_do_open(__u64 *a)
{
	(void)a;
	client_fd = npumem_open();
	return client_fd < 0 ? client_fd : 0;
}

static inline long client_do_close(__u64 *a)
{
	(void)a;
	return close(client_fd) ? -errno : 0;
}

/* A call whose answer cannot be stored: its argument is in memory to read only. */
static MAYBE_UNUSED long call_readonly(int fd, unsigned long request, const void *argument,
				       size_t size)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long ret;

	if (page == MAP_FAILED)
		return -errno;
	memcpy(page, argument, size);
	mprotect(page, 4096, PROT_READ);
	ret = npumem_call(fd, request, page);
	munmap(page, 4096);
	return ret;
}

static inline long client_do_alloc(__u64 *a)
{
	return npumem_alloc(client_fd, a[0], a[1], &a[2]);
}

static inline long client_do_alloc_at(__u64 *a)
{
	return npumem_alloc_at(client_fd, a[0], a[1], a[2], &a[3]);
}

static inline long client_do_free(__u64 *a)
{
	return npumem_free(client_fd, a[0]);
}

static inline long client_do_export(__u64 *a)
{
	return npumem_export(client_fd, a[0], a[1], &a[2]);
}

static inline long client_do_unexport(__u64 *a)
{
	return npumem_unexport(client_fd, a[0]);
}

static inline long client_do_import(__u64 *a)
{
	return npumem_import(client_fd, a[0], a[1], &a[2], &a[3]);
}

static inline long client_do_allow(__u64 *a)
{
	return npumem_whitelist_add(client_fd, a[0], a[1]);
}

static inline long client_do_allow_list(__u64 *a)
{
	__u32 added = 0;
	long ret = npumem_whitelist_add_list(client_fd, a[0], to_ptr(a[1]), a[2], &added);

	a[3] = added;
	return ret;
}

/* Reserves and maps. */
static inline long client_do_map(__u64 *a)
{
	__u64 address = 0;
	long ret = npumem_reserve(client_fd, (a[1] + G - 1) & ~(G - 1), &address);

	if (ret)
		return ret;
	ret = npumem_map(client_fd, address, a[1], a[0]);
	if (ret)
		npumem_release(client_fd, address);
	a[2] = address;
	return ret;
}

static inline long client_do_unmap(__u64 *a)
{
	long ret = npumem_unmap(client_fd, a[0]);

	return ret ? ret : npumem_release(client_fd, a[0]);
}

static inline long client_do_load(__u64 *a)
{
	if (load_signal(a[0]))
		return -EFAULT;
	a[1] = *(volatile __u64 *)to_ptr(a[0]);
	return 0;
}

static inline long client_do_store(__u64 *a)
{
	if (store_signal(a[0]))
		return -EFAULT;
	*(volatile __u64 *)to_ptr(a[0]) = a[1];
	return 0;
}

static inline long client_do_mark(__u64 *a)
{
	pattern_mark(to_ptr(a[0]), a[1], a[2]);
	return 0;
}

/* -EILSEQ if the pattern is not there. */
static inline long client_do_check(__u64 *a)
{
	return pattern_check(to_ptr(a[0]), a[1], a[2]) < 0 ? 0 : -EILSEQ;
}

static inline long client_do_share_info(__u64 *a)
{
	struct npumem_share_info info;
	long ret = npumem_share_info(client_fd, a[0], &info);

	a[1] = info.exporter;
	a[2] = info.device;
	a[3] = info.flags;
	return ret;
}

static inline long client_do_peer_status(__u64 *a)
{
	__u32 enabled = 0;
	long ret = npumem_peer_status(client_fd, a[0], a[1], &enabled);

	a[2] = enabled;
	return ret;
}

static inline long client_do_stats(__u64 *a)
{
	return npumem_stats(client_fd, to_ptr(a[0]));
}

static inline long client_do_references(__u64 *a)
{
	struct npumem_memory_info info;
	long ret = npumem_memory_info(client_fd, a[0], &info);

	return ret ? ret : (long)info.references;
}

static inline long client_open(struct process *p)
{
	return process_do(p, client_do_open);
}

/* Starts a process that has the node open. */
static inline long client_start(struct process *p)
{
	long ret = process_start(p);

	return ret ? ret : client_open(p);
}

static inline long client_close(struct process *p)
{
	return process_do(p, client_do_close);
}

static inline long client_alloc(struct process *p, __u32 device, __u64 length,
				__u64 *handle)
{
	return process_get(p, handle, 2, client_do_alloc, device, length);
}

static inline long client_free(struct process *p, __u64 handle)
{
	return process_do(p, client_do_free, handle);
}

static inline long client_export(struct process *p, __u64 handle, __u32 flags,
				 __u64 *token)
{
	return process_get(p, token, 2, client_do_export, handle, flags);
}

static inline long client_unexport(struct process *p, __u64 token)
{
	return process_do(p, client_do_unexport, token);
}

static inline long client_import(struct process *p, __u64 token, __u32 device,
				 __u64 *handle)
{
	return process_get(p, handle, 2, client_do_import, token, device);
}

static inline long client_allow(struct process *p, __u64 token, pid_t pid)
{
	return process_do(p, client_do_allow, token, pid);
}

static inline long client_map(struct process *p, __u64 handle, __u64 length,
			      __u64 *address)
{
	return process_get(p, address, 2, client_do_map, handle, length);
}

/* Unmaps, and releases the reservation that client_map() made. */
static inline long client_unmap(struct process *p, __u64 address)
{
	return process_do(p, client_do_unmap, address);
}

static inline long client_load(struct process *p, __u64 address, __u64 *value)
{
	return process_get(p, value, 1, client_do_load, address);
}

static inline long client_store(struct process *p, __u64 address, __u64 value)
{
	return process_do(p, client_do_store, address, value);
}

static inline long client_mark(struct process *p, __u64 address, __u64 length,
			       __u64 seed)
{
	return process_do(p, client_do_mark, address, length, seed);
}

static inline long client_check(struct process *p, __u64 address, __u64 length,
				__u64 seed)
{
	return process_do(p, client_do_check, address, length, seed);
}

/* How many references a handle has, or -errno. */
static inline long client_references(struct process *p, __u64 handle)
{
	return process_do(p, client_do_references, handle);
}

/* How often @p has the direction enabled. */
static inline long client_peer_status(struct process *p, __u32 device, __u32 peer,
				      __u64 *enabled)
{
	return process_get(p, enabled, 2, client_do_peer_status, device, peer);
}

/* Starts an exporter with @length bytes of device 0 mapped, marked and exported. */
static inline long client_start_exporter(struct process *p, __u64 length, __u32 flags,
					 __u64 *handle, __u64 *token, __u64 *address)
{
	long ret = client_start(p);

	if (!ret)
		ret = client_alloc(p, 0, length, handle);
	if (!ret)
		ret = client_map(p, *handle, length, address);
	if (!ret)
		ret = client_mark(p, *address, length, *handle);
	return ret ? ret : client_export(p, *handle, flags, token);
}

/*
 * The watcher: the test process itself, which only looks at counters, so that
 * "everything came back" can be checked at a test's end.
 */
struct watch {
	int fd;
	__u64 used[2];
	__u64 used_host;
};

static inline bool watch_start(struct watch *watch)
{
	int device;

	setvbuf(stdout, NULL, _IOLBF, 0);
	watch->fd = npumem_open();
	if (watch->fd < 0)
		return false;
	for (device = 0; device < 2; device++)
		watch->used[device] = npumem_used(watch->fd, device);
	watch->used_host = npumem_used(watch->fd, NPUMEM_DEVICE_NONE);
	return watch->used[0] != ~0ULL && watch->used[1] != ~0ULL &&
	       watch->used_host != ~0ULL;
}

/* What a device, or the host (NPUMEM_DEVICE_NONE), had in use at the start. */
static inline __u64 watch_before(const struct watch *watch, __u32 device)
{
	return device == NPUMEM_DEVICE_NONE ? watch->used_host : watch->used[device];
}

/* Is @bytes more in use than at the start? */
static inline bool watch_used(struct watch *watch, __u32 device, __u64 bytes)
{
	return npumem_used(watch->fd, device) == watch_before(watch, device) + bytes;
}

/* Does that become so? Needed where memory is given back by a process's end. */
static inline bool watch_used_becomes(struct watch *watch, __u32 device, __u64 bytes)
{
	return npumem_used_becomes(watch->fd, device, watch_before(watch, device) + bytes,
				   PROCESS_PATIENCE_MS);
}

/* Ends all other processes; has all memory come back? */
static inline bool watch_end(struct watch *watch)
{
	bool back;

	process_end_all();
	back = watch_used_becomes(watch, 0, 0) && watch_used_becomes(watch, 1, 0) &&
	       watch_used_becomes(watch, NPUMEM_DEVICE_NONE, 0);
	close(watch->fd);
	return back;
}

#endif /* _NPUMEM_CLIENT_H */
