// SPDX-License-Identifier: GPL-2.0-only
/*
 * A range of physical memory as a pool, beside what the kernel uses: what the
 * kinds of it have in common. Its chunks are a device's alone, and runs of 1 GiB
 * are there as long as the device has not been cut up. A bit says of each chunk
 * whether it is somebody's.
 *
 * No call that hands out pages can take a reference to what we hand out, so nothing
 * outlives its free: all entries in page tables are marked for that.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "internal.h"

/* How many chunks are taken or given back before others get the lock. */
#define NPUMEM_WINDOW_BATCH	512

static struct npumem_window *npumem_window_of(const struct npumem_pool *pool)
{
	return container_of(pool, struct npumem_window, pool);
}

static unsigned long npumem_window_pfn(const struct npumem_window *window,
				       unsigned long index)
{
	return PHYS_PFN(window->start) + (index << NPUMEM_CHUNK_ORDER);
}

/**
 * npumem_window_address() - of struct npumem_pool_ops
 * @pool: in a range
 * @chunk: the chunk's first page frame
 */
void *npumem_window_address(const struct npumem_pool *pool,
			    unsigned long chunk)
{
	const struct npumem_window *window = npumem_window_of(pool);

	return window->bytes + (PFN_PHYS(chunk) - window->start);
}

/*
 * Find a free run that is aligned to its length in physical memory. From the top,
 * while single chunks are taken from the bottom: so both keep out of each other's
 * way.
 */
static unsigned long
npumem_window_find_run_locked(const struct npumem_window *window,
			      unsigned long run)
{
	unsigned long first = window->start >> NPUMEM_CHUNK_SHIFT;
	unsigned long at = round_down(first + window->nr_chunks, run);
	unsigned long end;

	lockdep_assert_held(&window->lock);
	while (at >= first + run) {
		at -= run;
		end = at - first + run;
		if (find_next_bit(window->taken, end, at - first) >= end)
			return at - first;
	}
	return window->nr_chunks;
}

static int npumem_window_take_locked(struct npumem_window *window,
				     unsigned long *chunks, unsigned long run)
{
	unsigned long at, i;

	lockdep_assert_held(&window->lock);
	if (run > 1)
		at = npumem_window_find_run_locked(window, run);
	else
		at = find_next_zero_bit(window->taken, window->nr_chunks,
					window->lowest);
	if (at >= window->nr_chunks)
		return -ENOSPC;
	if (run == 1)
		window->lowest = at + 1;
	bitmap_set(window->taken, at, run);
	for (i = 0; i < run; i++)
		chunks[i] = npumem_window_pfn(window, at + i);
	return 0;
}

/**
 * npumem_window_free() - of struct npumem_pool_ops
 * @pool: in a range
 * @chunks: first page frames
 * @nr_chunks: how many
 *
 * Context: process context, may sleep.
 */
void npumem_window_free(struct npumem_pool *pool, const unsigned long *chunks,
			unsigned long nr_chunks)
{
	struct npumem_window *window = npumem_window_of(pool);
	unsigned long i = 0, end, index;

	while (i < nr_chunks) {
		end = min(nr_chunks, i + NPUMEM_WINDOW_BATCH);
		spin_lock(&window->lock);
		for (; i < end; i++) {
			index = (PFN_PHYS(chunks[i]) - window->start) >>
				NPUMEM_CHUNK_SHIFT;
			WARN_ON_ONCE(!__test_and_clear_bit(index,
							   window->taken));
			window->lowest = min(window->lowest, index);
		}
		spin_unlock(&window->lock);
		cond_resched();
	}
}

/* Whoever had them last may have left something there. */
static int npumem_window_clear(const struct npumem_device *device,
			       const unsigned long *chunks,
			       unsigned long nr_chunks)
{
	unsigned long i;
	int ticket;

	for (i = 0; i < nr_chunks; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ticket = npumem_pool_enter(device);
		if (ticket < 0)
			return ticket;
		memset(npumem_window_address(device->pool, chunks[i]), 0,
		       NPUMEM_CHUNK_SIZE);
		npumem_pool_leave(device, ticket);
		cond_resched();
	}
	return 0;
}

/**
 * npumem_window_alloc() - of struct npumem_pool_ops
 * @device: whose pool is in a range
 * @nid: not looked at: the range is where it is
 * @chunks: filled with first page frames
 * @nr_chunks: how many; charged, so single ones are there. Runs may not be
 * @run: how many of them are one run
 *
 * Context: process context, sleeps.
 * Return: 0, -ENOSPC, -EINTR or -ENODEV.
 */
int npumem_window_alloc(const struct npumem_device *device, int nid,
			unsigned long *chunks, unsigned long nr_chunks,
			unsigned long run)
{
	struct npumem_window *window = npumem_window_of(device->pool);
	unsigned long i = 0, end;
	int ret = 0;

	while (i < nr_chunks && !ret) {
		end = min(nr_chunks, i + NPUMEM_WINDOW_BATCH);
		spin_lock(&window->lock);
		while (i < end && !ret) {
			ret = npumem_window_take_locked(window, chunks + i,
							run);
			if (!ret)
				i += run;
		}
		spin_unlock(&window->lock);
		cond_resched();
	}
	if (!ret)
		ret = npumem_window_clear(device, chunks, nr_chunks);
	if (ret)
		npumem_window_free(device->pool, chunks, i);
	return ret;
}

/**
 * npumem_window_init() - a range of which nothing is taken
 * @window: to be filled, of zeros
 * @ops: its kind
 * @start: physical address, a multiple of the granule
 * @size: bytes, likewise
 * @bytes: where the kernel sees it
 *
 * Context: process context, sleeps.
 * Return: 0 or -ENOMEM.
 */
int npumem_window_init(struct npumem_window *window,
		       const struct npumem_pool_ops *ops, phys_addr_t start,
		       u64 size, void *bytes)
{
	window->pool.ops = ops;
	window->start = start;
	window->size = size;
	window->bytes = bytes;
	window->nr_chunks = size >> NPUMEM_CHUNK_SHIFT;
	spin_lock_init(&window->lock);
	window->taken = kvcalloc(BITS_TO_LONGS(window->nr_chunks), sizeof(long),
				 GFP_KERNEL);
	return window->taken ? 0 : -ENOMEM;
}

/**
 * npumem_window_exit() - the end of a range of which nothing is taken
 * @window: the range
 *
 * Context: process context, may sleep.
 */
void npumem_window_exit(struct npumem_window *window)
{
	WARN_ON(!bitmap_empty(window->taken, window->nr_chunks));
	kvfree(window->taken);
}
