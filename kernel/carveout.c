// SPDX-License-Identifier: GPL-2.0-only
/*
 * A carve-out as a pool: a range of RAM that the kernel leaves alone, because its
 * command line says so (memmap=, mem=) or the firmware.
 *
 * Whatever walks page tables takes huge entries for those of pages, mbind() for
 * one, so they need struct pages: compound ones, as large as an entry. And they need
 * marks, or get_user_pages_fast() would take references to those pages, which would
 * outlive a free. Where the kernel lacks either, base entries do, which have
 * always been marked and whose pages nobody looks for.
 */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

/**
 * struct npumem_carveout - a range of RAM
 * @window: what others see of it
 * @pgmap: its struct pages, if it has any
 * @work: gives it back, which takes locks that whoever frees the last memory may
 *        not take
 */
struct npumem_carveout {
	struct npumem_window window;
	struct dev_pagemap pgmap;
	struct work_struct work;
};

/* Where carve-outs are given back. */
static struct workqueue_struct *npumem_carveout_wq;

#if defined(CONFIG_ZONE_DEVICE) && defined(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP)
#define NPUMEM_CARVEOUT_HAS_PAGES	true

static void *npumem_carveout_map(struct npumem_carveout *carveout,
				 phys_addr_t start, u64 size, int nid)
{
	struct dev_pagemap *pgmap = &carveout->pgmap;
	void *bytes;

	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->vmemmap_shift = NPUMEM_CHUNK_ORDER;
	pgmap->range.start = start;
	pgmap->range.end = start + size - 1;
	pgmap->nr_range = 1;
	bytes = memremap_pages(pgmap, nid);
	return IS_ERR(bytes) ? NULL : bytes;
}

static void npumem_carveout_unmap(struct npumem_carveout *carveout, void *bytes)
{
	memunmap_pages(&carveout->pgmap);
}
#else
#define NPUMEM_CARVEOUT_HAS_PAGES	false

static void *npumem_carveout_map(struct npumem_carveout *carveout,
				 phys_addr_t start, u64 size, int nid)
{
	return memremap(start, size, MEMREMAP_WB);
}

static void npumem_carveout_unmap(struct npumem_carveout *carveout, void *bytes)
{
	memunmap(bytes);
}
#endif

static void npumem_carveout_work(struct work_struct *work)
{
	struct npumem_carveout *carveout =
		container_of(work, struct npumem_carveout, work);

	npumem_carveout_unmap(carveout, carveout->window.bytes);
	release_mem_region(carveout->window.start, carveout->window.size);
	kfree(carveout);
}

static void npumem_carveout_destroy(struct npumem_pool *pool)
{
	struct npumem_carveout *carveout =
		container_of(pool, struct npumem_carveout, window.pool);

	npumem_window_exit(&carveout->window);
	queue_work(npumem_carveout_wq, &carveout->work);
}

static const struct npumem_pool_ops npumem_carveout_ops = {
	.name = "carve-out",
	.alloc = npumem_window_alloc,
	.free = npumem_window_free,
	.address = npumem_window_address,
	.destroy = npumem_carveout_destroy,
};

/**
 * npumem_carveout_create() - make a pool of a range of physical memory
 * @start: where it begins, a multiple of the granule
 * @size: bytes, likewise
 * @nid: the node it is on, or NUMA_NO_NODE
 *
 * The range is ours until the pool is destroyed, which is when the last memory
 * that came from it is freed; nobody can have it meanwhile, a later binding of
 * the same device neither.
 *
 * Context: process context, sleeps.
 * Return: the pool, or an ERR_PTR: -EBUSY somebody has the range, maybe the
 * kernel as its RAM; -ENOMEM.
 */
struct npumem_pool *npumem_carveout_create(phys_addr_t start, u64 size, int nid)
{
	struct npumem_carveout *carveout;
	int ret = -EBUSY;
	void *bytes;

	/* What is about to be given back is free. */
	flush_workqueue(npumem_carveout_wq);
	carveout = kzalloc(sizeof(*carveout), GFP_KERNEL);
	if (!carveout)
		return ERR_PTR(-ENOMEM);
	INIT_WORK(&carveout->work, npumem_carveout_work);
	if (region_intersects(start, size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT ||
	    !request_mem_region(start, size, KBUILD_MODNAME))
		goto err_free;
	ret = -ENOMEM;
	bytes = npumem_carveout_map(carveout, start, size, nid);
	if (!bytes)
		goto err_region;
	ret = npumem_window_init(&carveout->window, &npumem_carveout_ops,
				 start, size, bytes);
	if (ret)
		goto err_unmap;
	carveout->window.pool.huge = NPUMEM_CARVEOUT_HAS_PAGES;
	carveout->window.pool.decrypted = !NPUMEM_CARVEOUT_HAS_PAGES;
	carveout->window.pool.gigantic = NPUMEM_CARVEOUT_HAS_PAGES &&
					 npumem_cpu_has_pud();
	return &carveout->window.pool;

err_unmap:
	npumem_carveout_unmap(carveout, bytes);
err_region:
	release_mem_region(start, size);
err_free:
	kfree(carveout);
	return ERR_PTR(ret);
}

/* When nobody has memory of any device. */
void npumem_carveouts_exit(void)
{
	destroy_workqueue(npumem_carveout_wq);
}

int npumem_carveouts_init(void)
{
	npumem_carveout_wq = alloc_workqueue("npumem", WQ_UNBOUND, 0);
	return npumem_carveout_wq ? 0 : -ENOMEM;
}
