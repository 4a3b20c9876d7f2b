// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: one physical allocation, alive while any handle or mapping of any
 * client refers to it.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

static atomic64_t npumem_serial = ATOMIC64_INIT(0);

/**
 * npumem_memory_alloc() - allocate zeroed physical memory
 * @device: on which device; charged
 * @nid: the node it must come from, or NUMA_NO_NODE
 * @requested: bytes asked for
 * @granule: what to round it up to, a power of two
 *
 * Context: process context, sleeps.
 * Return: the memory with one reference, or an ERR_PTR: -EOVERFLOW, -ENODEV,
 * -ENOSPC, -ENOMEM, -EINTR.
 */
struct npumem_memory *npumem_memory_alloc(struct npumem_device *device,
					  int nid, u64 requested, u64 granule)
{
	struct npumem_memory *memory;
	unsigned long nr_chunks;
	u64 length;
	int ret;

	if (check_add_overflow(requested, granule - 1, &length))
		return ERR_PTR(-EOVERFLOW);
	length &= ~(granule - 1);
	nr_chunks = length >> NPUMEM_CHUNK_SHIFT;
	if (READ_ONCE(device->gone))
		return ERR_PTR(-ENODEV);
	/* These two first, since they bound the table of chunks as well. */
	ret = npumem_pool_charge(device, length);
	if (ret)
		return ERR_PTR(ret);
	ret = -ENOMEM;
	if (nr_chunks > U32_MAX || !npumem_pool_can(device, nid, nr_chunks))
		goto err_uncharge;
	memory = kvzalloc(struct_size(memory, chunks, nr_chunks),
			  GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!memory)
		goto err_uncharge;
	ret = npumem_pool_alloc(device, nid, memory->chunks, nr_chunks,
				granule >> NPUMEM_CHUNK_SHIFT);
	if (ret)
		goto err_free;

	kref_init(&memory->ref);
	memory->device = npumem_device_hold(device);
	memory->serial = atomic64_inc_return(&npumem_serial);
	memory->requested = requested;
	if (granule == NPUMEM_GRANULE_1G) {
		memory->flags = BIT(NPUMEM_MEMORY_1G);
		memory->gigantic = device->pool->gigantic;
	}
	memory->nr_chunks = nr_chunks;
	return memory;

err_free:
	kvfree(memory);
err_uncharge:
	npumem_pool_uncharge(device, length);
	return ERR_PTR(ret);
}

struct npumem_memory *npumem_memory_hold(struct npumem_memory *memory)
{
	kref_get(&memory->ref);
	return memory;
}

static void npumem_memory_release(struct kref *ref)
{
	struct npumem_memory *memory = container_of(ref, struct npumem_memory,
						    ref);

	trace_npumem_free(memory);
	if (memory->share)
		npumem_share_end(memory->share);
	npumem_pool_free(memory->device, memory->chunks, memory->nr_chunks);
	npumem_device_put(memory->device);
	kvfree_rcu(memory, rcu);
}

/**
 * npumem_memory_put() - drop a reference
 * @memory: the memory
 *
 * Context: process context, may sleep, no locks: the last one frees any
 * number of pages.
 */
void npumem_memory_put(struct npumem_memory *memory)
{
	kref_put(&memory->ref, npumem_memory_release);
}

/* Where a memory is to be: the device with a reference, and the node. */
static struct npumem_device *npumem_place(const struct npumem_alloc *arg,
					  int *nid)
{
	struct npumem_device *device;
	int ret;

	*nid = NUMA_NO_NODE;
	switch (arg->location_type) {
	case NPUMEM_LOCATION_DEVICE:
		device = npumem_device_get(arg->location_id);
		if (!IS_ERR(device))
			*nid = device->nid;
		return device;
	case NPUMEM_LOCATION_HOST:
		if (arg->location_id)
			return ERR_PTR(-EINVAL);
		break;
	case NPUMEM_LOCATION_HOST_NUMA:
		ret = npumem_host_node(arg->location_id, nid);
		if (ret)
			return ERR_PTR(ret);
		break;
	default:
		return ERR_PTR(-EINVAL);
	}
	if (arg->flags & NPUMEM_ALLOC_1G)
		return ERR_PTR(-EOPNOTSUPP);
	return npumem_host_get();
}

int npumem_ioctl_alloc(struct npumem_call *call)
{
	struct npumem_alloc *arg = call->arg;
	struct npumem_memory *memory;
	struct npumem_device *device;
	int nid, ret;

	if (arg->flags & ~NPUMEM_ALLOC_1G || arg->__reserved || !arg->length)
		return -EINVAL;
	device = npumem_place(arg, &nid);
	if (IS_ERR(device))
		return PTR_ERR(device);
	/* Whoever may not have it must not take it from others meanwhile. */
	ret = npumem_charge_fits(&call->client->payer, NPUMEM_HANDLES);
	if (ret) {
		npumem_device_put(device);
		return ret;
	}
	memory = npumem_memory_alloc(device, nid, arg->length,
				     arg->flags & NPUMEM_ALLOC_1G ?
				     NPUMEM_GRANULE_1G : NPUMEM_CHUNK_SIZE);
	npumem_device_put(device);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	memory->location_type = arg->location_type;
	memory->location_id = arg->location_id;
	memory->attr = arg->attr;
	trace_npumem_alloc(memory);

	arg->length = npumem_memory_length(memory);
	ret = npumem_handle_add(call->client, memory, memory->device->id,
				false, false, &arg->handle);
	npumem_memory_put(memory);
	if (ret)
		return ret;
	ret = npumem_respond(call);
	if (ret)
		npumem_handle_drop(call->client, arg->handle);
	return ret;
}
