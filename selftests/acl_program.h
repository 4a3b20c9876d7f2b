/* SPDX-License-Identifier: MIT */
/*
 * What the tests of whole programs have in common: each acl_program_*.c makes
 * the calls that some kind of program makes, in its order and with its habits.
 */
#ifndef _ACL_PROGRAM_H
#define _ACL_PROGRAM_H

#include "acl_errors.h"

#include "npumem_testing.h"

/* What the current device has free, as a program sees it; all ones if it sees nothing. */
static inline size_t program_free(void)
{
	size_t free = 0, total = 0;

	return aclrtGetMemInfo(ACL_HBM_MEM, &free, &total) ? (size_t)-1 : free;
}

static inline size_t program_total(void)
{
	size_t free = 0, total = 0;

	return aclrtGetMemInfo(ACL_HBM_MEM, &free, &total) ? 0 : total;
}

/* New memory of @device at @address, which is in a reservation. */
static inline aclError program_map_new(void *address, size_t size, int device,
				       aclrtDrvMemHandle *handle)
{
	aclrtPhysicalMemProp prop = acl_memory(device);
	aclError error = aclrtMallocPhysical(handle, size, &prop, 0);

	if (error)
		return error;
	error = aclrtMapMem(address, size, 0, *handle, 0);
	if (error)
		aclrtFreePhysical(*handle);
	return error;
}

/* a: device, bytes to leave; out: handle. Takes all other memory of the device. */
static inline long program_do_take(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(a[0]);
	aclrtDrvMemHandle handle = NULL;
	aclError error = aclrtMallocPhysical(&handle, program_free() - a[1], &prop, 0);

	a[2] = to_u64(handle);
	return error;
}

/* A process that has all memory of @device but @rest. */
static inline long program_take(struct process *p, int device, size_t rest, __u64 *handle)
{
	return process_get(p, handle, 2, program_do_take, device, rest);
}

#endif /* _ACL_PROGRAM_H */
