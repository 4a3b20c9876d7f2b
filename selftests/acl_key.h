/* SPDX-License-Identifier: MIT */
/* Blocks and keys in other processes, on top of acl_process.h. */
#ifndef _ACL_KEY_H
#define _ACL_KEY_H

#include "acl_process.h"

#define KEY_SIZE	65

/* Where all processes can have it, from process_shared(). */
struct key {
	char text[KEY_SIZE];
};

/* a: size; out: address. A block of the current device. */
static inline long acl_do_malloc(__u64 *a)
{
	void *address = NULL;
	aclError error = aclrtMalloc(&address, a[0], ACL_MEM_MALLOC_HUGE_FIRST);

	a[1] = to_u64(address);
	return error;
}

static inline long acl_do_free_block(__u64 *a)
{
	return aclrtFree(to_ptr(a[0]));
}

/* a: address, size, key, flags */
static inline long acl_do_get_key(__u64 *a)
{
	return aclrtIpcMemGetExportKey(to_ptr(a[0]), a[1], to_ptr(a[2]), KEY_SIZE, a[3]);
}

/* a: key, pid */
static inline long acl_do_set_import_pid(__u64 *a)
{
	int32_t pid = a[1];

	return aclrtIpcMemSetImportPid(to_ptr(a[0]), &pid, 1);
}

/* a: key, flags; out: address */
static inline long acl_do_import_key(__u64 *a)
{
	void *address = NULL;
	aclError error = aclrtIpcMemImportByKey(&address, to_ptr(a[0]), a[1]);

	a[2] = to_u64(address);
	return error;
}

static inline long acl_do_close_key(__u64 *a)
{
	return aclrtIpcMemClose(to_ptr(a[0]));
}

static inline long acl_do_set_device(__u64 *a)
{
	return aclrtSetDevice(a[0]);
}

static inline long acl_do_reset_device(__u64 *a)
{
	return aclrtResetDevice(a[0]);
}

/* New block of @p's current device, marked with @seed. */
static inline long acl_malloc(struct process *p, __u64 size, __u64 seed, __u64 *address)
{
	long ret = process_get(p, address, 1, acl_do_malloc, size);

	return ret ? ret : client_mark(p, *address, size & ~4095ULL, seed);
}

static inline long acl_get_key(struct process *p, __u64 address, __u64 size, __u64 flags,
			       struct key *key)
{
	return process_do(p, acl_do_get_key, address, size, to_u64(key), flags);
}

static inline long acl_set_import_pid(struct process *p, struct key *key, pid_t pid)
{
	return process_do(p, acl_do_set_import_pid, to_u64(key), pid);
}

static inline long acl_import_key(struct process *p, struct key *key, __u64 flags,
				  __u64 *address)
{
	return process_get(p, address, 2, acl_do_import_key, to_u64(key), flags);
}

static inline long acl_close_key(struct process *p, struct key *key)
{
	return process_do(p, acl_do_close_key, to_u64(key));
}

#endif /* _ACL_KEY_H */
