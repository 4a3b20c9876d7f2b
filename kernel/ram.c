// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's RAM as a pool: compound pages of one granule from the page
 * allocator, charged to the memory cgroup of the process that allocates.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "internal.h"

/* Reclaim would evict all others for what cannot be had anyway. */
static bool npumem_ram_can(int nid, unsigned long nr_chunks)
{
	if (nid != NUMA_NO_NODE &&
	    nr_chunks > node_present_pages(nid) >> NPUMEM_CHUNK_ORDER)
		return false;
	return nr_chunks <= (unsigned long)max(si_mem_available(), 0L) >>
			    NPUMEM_CHUNK_ORDER;
}

/* Of how many pages npumem_ram_failed() looks at the flags at once. */
#define NPUMEM_RAM_STRIDE	8

static unsigned long npumem_ram_flags(const struct page *page)
{
	/* Others may change other flags than the one that is asked for. */
	return data_race(npumem_page_flags(page) |
			 npumem_page_flags(page + 1) |
			 npumem_page_flags(page + 2) |
			 npumem_page_flags(page + 3) |
			 npumem_page_flags(page + 4) |
			 npumem_page_flags(page + 5) |
			 npumem_page_flags(page + 6) |
			 npumem_page_flags(page + 7));
}

/**
 * npumem_ram_failed() - has the hardware failed in a part of a chunk?
 * @chunk: its first page frame
 * @offset: bytes before the part
 * @length: its bytes, at least one
 *
 * Context: any.
 */
bool npumem_ram_failed(unsigned long chunk, unsigned long offset,
		       unsigned long length)
{
	struct page *page = pfn_to_page(chunk) + (offset >> PAGE_SHIFT);
	struct page *end = pfn_to_page(chunk) +
			   ((offset + length - 1) >> PAGE_SHIFT) + 1;
	unsigned long flags = 0;

	/* PageHWPoison() of one after the other takes twelve times as long. */
	for (; end - page >= NPUMEM_RAM_STRIDE; page += NPUMEM_RAM_STRIDE)
		flags |= npumem_ram_flags(page);
	for (; page < end; page++) {
		/* Others may change other flags: this one stays once set. */
		flags |= data_race(npumem_page_flags(page));
	}
	return flags & __PG_HWPOISON;
}

/**
 * npumem_ram_put() - give a chunk back to the page allocator
 * @chunk: which
 *
 * Drops a reference and no more: before 6.12 somebody may have pinned the
 * chunk through its huge entry, and keeps it until he lets go. Not by
 * __free_pages(), which up to 6.2 looks at the page again after that. A chunk
 * that has failed is kept from everybody for good: the page allocator does not
 * ask when it takes back more than one page, nor, since 6.3, when it hands out.
 *
 * Context: any but interrupts.
 */
void npumem_ram_put(struct page *chunk)
{
	if (!npumem_ram_failed(page_to_pfn(chunk), 0, NPUMEM_CHUNK_SIZE))
		put_page(chunk);
}

static void npumem_ram_free(struct npumem_pool *pool,
			    const unsigned long *chunks,
			    unsigned long nr_chunks)
{
	npumem_zeroed_free(chunks, nr_chunks);
}

/*
 * The host's memory keeps to the nodes of the caller's cpuset, as all memory of
 * its own does. A device's stands for that of a card, which has no node.
 *
 * The page allocator has no runs of chunks: a run of them is a wish.
 */
static int npumem_ram_alloc(const struct npumem_device *device, int nid,
			    unsigned long *chunks, unsigned long nr_chunks,
			    unsigned long run)
{
	const bool bound = device->id == NPUMEM_HOST;
	gfp_t gfp = NPUMEM_RAM_GFP;
	struct page *chunk;
	unsigned long i;
	int ret;

	if (nid != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	if (bound)
		gfp |= __GFP_HARDWALL;
	i = npumem_zeroed_take(nid, bound, chunks, nr_chunks);
	for (; i < nr_chunks; i++) {
		ret = -EINTR;
		if (fatal_signal_pending(current))
			goto err;
		ret = -ENOMEM;
		chunk = alloc_pages_node(nid, gfp, NPUMEM_CHUNK_ORDER);
		if (!chunk)
			goto err;
		chunks[i] = page_to_pfn(chunk);
		cond_resched();
	}
	return 0;

err:
	npumem_ram_free(device->pool, chunks, i);
	return ret;
}

static void *npumem_ram_address(const struct npumem_pool *pool,
				unsigned long chunk)
{
	return page_address(pfn_to_page(chunk));
}

static const struct npumem_pool_ops npumem_ram_ops = {
	.name = "system-ram",
	.can = npumem_ram_can,
	.alloc = npumem_ram_alloc,
	.free = npumem_ram_free,
	.address = npumem_ram_address,
	.failed = npumem_ram_failed,
};

/* One for all devices: what each may have of it is the device's capacity. */
struct npumem_pool npumem_ram = {
	.ops = &npumem_ram_ops,
	.huge = true,
};
