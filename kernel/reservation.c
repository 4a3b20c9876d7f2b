// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reservations: the address ranges of a client that mappings are made in.
 *
 * A reservation is one VMA, whatever is mapped in it: mapping, unmapping and
 * changing rights act on the client's tree of spans, and on page tables by
 * the faults and zaps that follow. So the VMA is never split, merged, moved
 * or copied. Its offset in the client's own inode is its address, which makes
 * unmap_mapping_range() of an address range mean just that.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

/*
 * VM_PFNMAP and VM_IO keep everybody else's hands off the pages: they are not
 * counted, pinned, swapped, dumped or shared by fork. VM_HUGEPAGE lets faults
 * be huge where transparent huge pages are on request only.
 */
#define NPUMEM_VM_FLAGS	(VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP | \
			 VM_DONTCOPY | VM_HUGEPAGE)

/**
 * npumem_reservation_find() - the reservation of an address range
 * @client: the client, map_lock held
 * @first: first address
 * @last: last address
 *
 * Return: the lowest reservation that has any of the addresses, or NULL.
 */
struct npumem_reservation *npumem_reservation_find(struct npumem_client *client,
						   u64 first, u64 last)
{
	struct interval_tree_node *it;

	lockdep_assert_held(&client->map_lock);
	it = interval_tree_iter_first(&client->reservations, first, last);
	return it ? container_of(it, struct npumem_reservation, it) : NULL;
}

/*
 * Called by mremap() alone, for the copy that it is about to be denied: before
 * it moves the page tables there, and back. We have none in them meanwhile, so
 * that no zap has to find entries on the move.
 */
static void npumem_vm_open(struct vm_area_struct *vma)
{
	struct npumem_reservation *reservation = vma->vm_private_data;

	refcount_inc(&reservation->vmas);
	npumem_client_zap(reservation->client, reservation->it.start,
			  reservation->it.last);
}

/*
 * The kernel has taken the page tables down and holds mmap_lock. Another thread
 * may be in the middle of unmapping something here: then that frees the struct.
 */
static void npumem_vm_close(struct vm_area_struct *vma)
{
	struct npumem_reservation *reservation = vma->vm_private_data;
	struct npumem_client *client = reservation->client;
	unsigned long first = reservation->it.start;
	unsigned long last = reservation->it.last;
	bool mapped;

	if (!refcount_dec_and_test(&reservation->vmas))
		return;

	down_write(&client->map_lock);
	interval_tree_remove(&reservation->it, &client->reservations);
	npumem_uncharge(&client->payer, NPUMEM_RESERVATIONS, 1);
	client->nr_reservations--;
	client->reserved -= last - first + 1;
	reservation->closed = true;
	mapped = reservation->mappings;
	up_write(&client->map_lock);

	if (mapped)
		npumem_mappings_drop(client, first, last);
	else
		kfree(reservation);
}

static int npumem_vm_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int npumem_vm_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct npumem_vm_ops = {
	.open = npumem_vm_open,
	.close = npumem_vm_close,
	.may_split = npumem_vm_may_split,
	.mremap = npumem_vm_mremap,
	.fault = npumem_vm_fault,
	.huge_fault = npumem_vm_huge_fault,
	.pfn_mkwrite = npumem_vm_pfn_mkwrite,
};

static int npumem_reservation_insert(struct npumem_client *client,
				     struct npumem_reservation *reservation)
{
	int ret;

	if (down_write_killable(&client->map_lock))
		return -EINTR;
	ret = npumem_charge(&client->payer, NPUMEM_RESERVATIONS, 1);
	if (!ret) {
		interval_tree_insert(&reservation->it, &client->reservations);
		client->nr_reservations++;
		client->reserved += reservation->it.last -
				    reservation->it.start + 1;
	}
	up_write(&client->map_lock);
	return ret;
}

int npumem_reservation_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct npumem_client *client = file->private_data;
	struct npumem_reservation *reservation;
	int ret;

	if (!npumem_client_is_mine(client))
		return -EACCES;
	/*
	 * A private mapping would be copied on write. User space picks the
	 * address: where to find one that is aligned, the kernel's ways differ
	 * by version.
	 */
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    vma->vm_pgoff ||
	    (vma->vm_start | vma->vm_end) & ~NPUMEM_CHUNK_MASK)
		return -EINVAL;

	reservation = kzalloc(sizeof(*reservation), GFP_KERNEL_ACCOUNT);
	if (!reservation)
		return -ENOMEM;
	reservation->it.start = vma->vm_start;
	reservation->it.last = vma->vm_end - 1;
	reservation->client = client;
	refcount_set(&reservation->vmas, 1);
	reservation->device = -1;
	ret = npumem_reservation_insert(client, reservation);
	if (ret) {
		kfree(reservation);
		return ret;
	}
	vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	vma->vm_ops = &npumem_vm_ops;
	vma->vm_private_data = reservation;
	npumem_vm_flags_mod(vma, NPUMEM_VM_FLAGS, VM_MAYEXEC);
	return 0;
}

static int npumem_reservation_mark_released(struct npumem_client *client,
					    u64 first, bool released,
					    u64 *length)
{
	struct npumem_reservation *reservation;
	int ret = 0;

	if (down_write_killable(&client->map_lock))
		return -EINTR;
	reservation = npumem_reservation_find(client, first, first);
	if (!reservation || reservation->it.start != first ||
	    reservation->released == released) {
		ret = -ENOENT;
	} else if (reservation->mappings) {
		ret = -EBUSY;
	} else {
		reservation->released = released;
		*length = reservation->it.last - first + 1;
	}
	up_write(&client->map_lock);
	return ret;
}

int npumem_ioctl_release(struct npumem_call *call)
{
	struct npumem_release *arg = call->arg;
	u64 length;
	int ret;

	if (arg->__reserved)
		return -EINVAL;
	ret = npumem_reservation_mark_released(call->client, arg->address,
					       true, &length);
	if (ret)
		return ret;
	/* No mapping can come into being any more: the VMA may go. */
	ret = vm_munmap(arg->address, length);
	if (ret)
		npumem_reservation_mark_released(call->client, arg->address,
						 false, &length);
	return ret;
}
