// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools: where the physical memory of a device, or of the host, comes from.
 * What all kinds have in common: how much of a device is used. Each kind is in
 * a file of its own: ram.c, carveout.c, pci.c.
 */
#include <linux/mm.h>

#include "internal.h"

/**
 * npumem_pool_charge() - take bytes from what the device may hand out
 * @device: the device
 * @length: bytes
 *
 * Context: any.
 * Return: 0, or -ENOSPC if so much is not free.
 */
int npumem_pool_charge(struct npumem_device *device, u64 length)
{
	s64 used = atomic64_read(&device->used);

	do {
		if (length > device->capacity - used)
			return -ENOSPC;
	} while (!atomic64_try_cmpxchg(&device->used, &used, used + length));
	return 0;
}

/**
 * npumem_pool_uncharge() - give bytes back
 * @device: the device
 * @length: bytes that npumem_pool_charge() took
 */
void npumem_pool_uncharge(struct npumem_device *device, u64 length)
{
	atomic64_sub(length, &device->used);
}

/**
 * npumem_pool_can() - is it worth trying to allocate so much?
 * @device: for which device
 * @nid: on which node, or NUMA_NO_NODE
 * @nr_chunks: how many chunks, charged
 *
 * Lets what cannot succeed fail before others have suffered for it.
 */
bool npumem_pool_can(const struct npumem_device *device, int nid,
		     unsigned long nr_chunks)
{
	const struct npumem_pool_ops *ops = device->pool->ops;

	return !ops->can || ops->can(nid, nr_chunks);
}

/**
 * npumem_pool_alloc() - get zeroed chunks
 * @device: for which device
 * @nid: the node they must come from, or NUMA_NO_NODE
 * @chunks: filled with the chunks' first page frames; partly so on failure
 * @nr_chunks: how many, charged
 * @run: how many of them shall follow each other in physical memory, aligned
 *       to that; @nr_chunks is a multiple
 *
 * Context: process context, sleeps. Ends early on a fatal signal.
 * Return: 0, -ENOMEM, -ENOSPC or -EINTR; on failure nothing is left allocated.
 */
int npumem_pool_alloc(const struct npumem_device *device, int nid,
		      unsigned long *chunks, unsigned long nr_chunks,
		      unsigned long run)
{
	return device->pool->ops->alloc(device, nid, chunks, nr_chunks, run);
}

/**
 * npumem_pool_free() - give chunks back
 * @device: where they are from
 * @chunks: the chunks
 * @nr_chunks: how many
 *
 * Context: process context, may sleep.
 */
void npumem_pool_free(struct npumem_device *device,
		      const unsigned long *chunks, unsigned long nr_chunks)
{
	device->pool->ops->free(device->pool, chunks, nr_chunks);
	npumem_pool_uncharge(device, (u64)nr_chunks << NPUMEM_CHUNK_SHIFT);
}

/**
 * npumem_pool_address() - where the kernel sees a chunk
 * @device: where it is from
 * @chunk: its first page frame
 */
void *npumem_pool_address(const struct npumem_device *device,
			  unsigned long chunk)
{
	return device->pool->ops->address(device->pool, chunk);
}

/**
 * npumem_pool_failed() - has the hardware failed in a part of a chunk?
 * @device: where it is from
 * @chunk: its first page frame
 * @offset: bytes before the part
 * @length: its bytes, at least one
 *
 * Context: any.
 */
bool npumem_pool_failed(const struct npumem_device *device,
			unsigned long chunk, unsigned long offset,
			unsigned long length)
{
	const struct npumem_pool_ops *ops = device->pool->ops;

	return ops->failed && ops->failed(chunk, offset, length);
}

/**
 * npumem_pool_enter() - keep the memory where it is
 * @device: whose; somebody holds the memory
 *
 * A card can go while others hold its memory; between this and
 * npumem_pool_leave() it waits.
 *
 * Context: any; do not wait for user space until then.
 * Return: what npumem_pool_leave() wants, or -ENODEV the memory has gone.
 */
int npumem_pool_enter(const struct npumem_device *device)
{
	const struct npumem_pool *pool = device->pool;
	int ticket;

	if (!pool->ops->enter)
		return 0;
	ticket = pool->ops->enter();
	if (pool->ops->is_there(pool))
		return ticket;
	pool->ops->leave(ticket);
	return -ENODEV;
}

/**
 * npumem_pool_leave() - the memory may go
 * @device: whose
 * @ticket: from npumem_pool_enter()
 */
void npumem_pool_leave(const struct npumem_device *device, int ticket)
{
	const struct npumem_pool_ops *ops = device->pool->ops;

	if (ops->leave)
		ops->leave(ticket);
}

/**
 * npumem_pool_destroy() - the end of a pool
 * @pool: nobody has memory of it
 *
 * Context: process context, may sleep.
 */
void npumem_pool_destroy(struct npumem_pool *pool)
{
	if (pool->ops->destroy)
		pool->ops->destroy(pool);
}
