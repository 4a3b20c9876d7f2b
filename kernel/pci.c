// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cards: a memory window (BAR) of a PCI device as the memory of an NPU. The
 * driver makes a platform device of it, which device.c binds like all others, and
 * takes that away when the card goes, under load too.
 *
 * What cards there are, root tells: by new_id, or driver_override. A memory window
 * says nothing of what it is for.
 *
 * A card that goes takes its memory along, so no access of the kernel may last
 * longer: each is inside of npumem_pci_srcu, never waits for user space there, and
 * looks first whether the card is there. No page tables lead to it by then, as the
 * device was unbound before.
 */
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "internal.h"

static struct srcu_struct npumem_pci_srcu;

/**
 * struct npumem_card - a card's memory window
 * @ref: held by the driver's binding, and by the pool while it lives
 * @start: physical address
 * @size: bytes
 * @bar: which of the card's
 * @bytes: where the kernel sees it, NULL when the card has gone; see
 *         npumem_pci_srcu
 * @busy: bit 0: there is a pool of it, which may outlive its device
 * @pdev: the NPU that was made of it
 */
struct npumem_card {
	struct kref ref;
	phys_addr_t start;
	u64 size;
	int bar;
	void *bytes;
	unsigned long busy;
	struct platform_device *pdev;
};

/**
 * struct npumem_card_pool - the pool of a card
 * @window: what others see of it
 * @card: a reference
 */
struct npumem_card_pool {
	struct npumem_window window;
	struct npumem_card *card;
};

static void npumem_card_release(struct kref *ref)
{
	kfree(container_of(ref, struct npumem_card, ref));
}

static struct npumem_card_pool *npumem_card_pool_of(const struct npumem_pool *pool)
{
	return container_of(pool, struct npumem_card_pool, window.pool);
}

static int npumem_card_enter(void)
	__acquires(&npumem_pci_srcu)
{
	return srcu_read_lock(&npumem_pci_srcu);
}

static bool npumem_card_is_there(const struct npumem_pool *pool)
{
	return READ_ONCE(npumem_card_pool_of(pool)->card->bytes);
}

static void npumem_card_leave(int ticket)
	__releases(&npumem_pci_srcu)
{
	srcu_read_unlock(&npumem_pci_srcu, ticket);
}

static void npumem_card_destroy(struct npumem_pool *pool)
{
	struct npumem_card_pool *card_pool = npumem_card_pool_of(pool);

	npumem_window_exit(&card_pool->window);
	clear_bit_unlock(0, &card_pool->card->busy);
	kref_put(&card_pool->card->ref, npumem_card_release);
	kfree(card_pool);
}

static const struct npumem_pool_ops npumem_card_ops = {
	.name = "pci-window",
	.alloc = npumem_window_alloc,
	.free = npumem_window_free,
	.address = npumem_window_address,
	.enter = npumem_card_enter,
	.is_there = npumem_card_is_there,
	.leave = npumem_card_leave,
	.destroy = npumem_card_destroy,
};

/**
 * npumem_card_pool() - make a pool of a card's memory
 * @card: whose driver is bound
 *
 * Context: process context, sleeps.
 * Return: the pool, or an ERR_PTR: -EBUSY somebody has memory of an earlier one;
 * -ENOMEM.
 */
struct npumem_pool *npumem_card_pool(struct npumem_card *card)
{
	struct npumem_card_pool *card_pool;
	int ret = -EBUSY;

	card_pool = kzalloc(sizeof(*card_pool), GFP_KERNEL);
	if (!card_pool)
		return ERR_PTR(-ENOMEM);
	if (test_and_set_bit_lock(0, &card->busy))
		goto err_free;
	ret = npumem_window_init(&card_pool->window, &npumem_card_ops,
				 card->start, card->size, card->bytes);
	if (ret)
		goto err_busy;
	/* No huge entries, which would need struct pages. */
	card_pool->window.pool.write_combined = true;
	card_pool->window.pool.decrypted = true;
	kref_get(&card->ref);
	card_pool->card = card;
	return &card_pool->window.pool;

err_busy:
	clear_bit_unlock(0, &card->busy);
err_free:
	kfree(card_pool);
	return ERR_PTR(ret);
}

/* The largest window that is memory without side effects, or -ENODEV. */
static int npumem_pci_bar(struct pci_dev *pci)
{
	const unsigned long flags = IORESOURCE_MEM | IORESOURCE_PREFETCH;
	int bar, best = -ENODEV;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if ((pci_resource_flags(pci, bar) & flags) != flags ||
		    pci_resource_len(pci, bar) < NPUMEM_CHUNK_SIZE)
			continue;
		if (best < 0 || pci_resource_len(pci, bar) >
				pci_resource_len(pci, best))
			best = bar;
	}
	return best;
}

static int npumem_pci_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct npumem_card *card;
	int ret;

	card = kzalloc(sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	kref_init(&card->ref);
	ret = npumem_pci_bar(pci);
	if (ret < 0) {
		dev_err(&pci->dev, "no prefetchable memory of 2 MiB or more\n");
		goto err_free;
	}
	card->bar = ret;
	card->start = pci_resource_start(pci, card->bar);
	card->size = pci_resource_len(pci, card->bar);

	ret = pci_enable_device_mem(pci);
	if (ret)
		goto err_free;
	ret = pci_request_region(pci, card->bar, KBUILD_MODNAME);
	if (ret)
		goto err_disable;
	ret = -ENOMEM;
	card->bytes = memremap(card->start, card->size, MEMREMAP_WC);
	if (!card->bytes)
		goto err_region;
	pci_set_drvdata(pci, card);
	card->pdev = npumem_device_plug(&pci->dev, card, card->size);
	ret = PTR_ERR_OR_ZERO(card->pdev);
	if (ret)
		goto err_unmap;
	return 0;

err_unmap:
	memunmap(card->bytes);
err_region:
	pci_release_region(pci, card->bar);
err_disable:
	pci_disable_device(pci);
err_free:
	kfree(card);
	return ret;
}

static void npumem_pci_remove(struct pci_dev *pci)
{
	struct npumem_card *card = pci_get_drvdata(pci);
	void *bytes = card->bytes;

	/* No new users from here on, and no entries in page tables. */
	npumem_device_unplug(card->pdev);
	WRITE_ONCE(card->bytes, NULL);
	synchronize_srcu(&npumem_pci_srcu);
	memunmap(bytes);
	pci_release_region(pci, card->bar);
	pci_disable_device(pci);
	kref_put(&card->ref, npumem_card_release);
}

static struct pci_driver npumem_pci_driver = {
	.name = "npumem",
	.id_table = NULL,	/* only what root adds */
	.probe = npumem_pci_probe,
	.remove = npumem_pci_remove,
};

int npumem_pci_init(void)
{
	int ret;

	ret = init_srcu_struct(&npumem_pci_srcu);
	if (ret)
		return ret;
	ret = pci_register_driver(&npumem_pci_driver);
	if (ret)
		cleanup_srcu_struct(&npumem_pci_srcu);
	return ret;
}

void npumem_pci_exit(void)
{
	pci_unregister_driver(&npumem_pci_driver);
	cleanup_srcu_struct(&npumem_pci_srcu);
}
