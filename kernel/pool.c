// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools: where the physical memory of a device, or of the host, comes from.
 * There is one kind, the host's RAM in compound pages of one granule, charged to the memory cgroup
 * of the process that allocates.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "internal.h"

/*
 * The pages are zeroed by the page allocator, which does it once, also where
 * it zeroes all pages. RETRY_MAYFAIL reclaims and compacts, but neither the
 * page allocator nor the cgroup's charge calls the OOM killer for it.
 */
#define NPUMEM_POOL_GFP	(GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_ZERO | \
			 __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

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
 * @nid: on which node, or NUMA_NO_NODE
 * @nr_chunks: how many chunks
 *
 * Lets what cannot succeed fail before reclaim has evicted all others for it.
 */
bool npumem_pool_can(int nid, unsigned long nr_chunks)
{
	if (nid != NUMA_NO_NODE &&
	    nr_chunks > node_present_pages(nid) >> NPUMEM_CHUNK_ORDER)
		return false;
	return nr_chunks <= (unsigned long)max(si_mem_available(), 0L) >>
			    NPUMEM_CHUNK_ORDER;
}

/**
 * npumem_pool_alloc() - get zeroed chunks
 * @device: for which device
 * @nid: the node they must come from, or NUMA_NO_NODE
 * @chunks: filled with the chunks; partly so on failure
 * @nr_chunks: how many
 *
 * The host's memory keeps to the nodes of the caller's cpuset, as all memory of
 * its own does. A device's stands for that of a card, which has no node.
 *
 * Context: process context, sleeps. Ends early on a fatal signal.
 * Return: 0, -ENOMEM or -EINTR; on failure nothing is left allocated.
 */
int npumem_pool_alloc(const struct npumem_device *device, int nid,
		      struct page **chunks, unsigned long nr_chunks)
{
	gfp_t gfp = NPUMEM_POOL_GFP;
	unsigned long i;
	int ret;

	if (nid != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	if (device->id == NPUMEM_HOST)
		gfp |= __GFP_HARDWALL;
	for (i = 0; i < nr_chunks; i++) {
		ret = -EINTR;
		if (fatal_signal_pending(current))
			goto err;
		ret = -ENOMEM;
		chunks[i] = alloc_pages_node(nid, gfp, NPUMEM_CHUNK_ORDER);
		if (!chunks[i])
			goto err;
		cond_resched();
	}
	return 0;

err:
	npumem_pool_free(chunks, i);
	return ret;
}

/**
 * npumem_chunk_failed() - has the hardware failed in a part of a chunk?
 * @chunk: the chunk
 * @offset: bytes before the part
 * @length: its bytes, at least one
 *
 * Context: any.
 */
bool npumem_chunk_failed(struct page *chunk, unsigned long offset,
			 unsigned long length)
{
	unsigned long i;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return false;
	for (i = offset >> PAGE_SHIFT;
	     i <= (offset + length - 1) >> PAGE_SHIFT; i++) {
		if (PageHWPoison(chunk + i))
			return true;
	}
	return false;
}

/**
 * npumem_pool_free() - give chunks back
 * @chunks: the chunks
 * @nr_chunks: how many
 *
 * Drops a reference of each and no more: before 6.12 somebody may have pinned
 * a chunk through its huge entry, and keeps it until he lets go. Not by
 * __free_pages(), which up to 6.2 looks at the page again after that. A chunk
 * that has failed is kept from everybody for good: the page allocator does not
 * ask when it takes back more than one page, nor, since 6.3, when it hands out.
 *
 * Context: process context, may sleep.
 */
void npumem_pool_free(struct page **chunks, unsigned long nr_chunks)
{
	while (nr_chunks--) {
		if (!npumem_chunk_failed(chunks[nr_chunks], 0,
					 NPUMEM_CHUNK_SIZE))
			put_page(chunks[nr_chunks]);
		cond_resched();
	}
}
