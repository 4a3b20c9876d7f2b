// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: memories at addresses of a client. A mapping is cut into spans,
 * the parts of it in which rights are the same; faults, copies and queries
 * look spans up by address.
 *
 * A mapping is taken down in this order, which must not change: marked dying
 * under map_lock, so that no fault inserts it any more and those that have
 * begun are over; zapped without the lock; taken out of the tree; its
 * reference to the memory dropped. Until it is out of the tree its addresses
 * are taken, so a zap never hits what comes next.
 *
 * A zap passes over what another zap has just taken away, when that may not be
 * through with it yet: the kernel counts what it takes away, if it checks its
 * page tables, and the pages must not be free before. So all zaps of ours are
 * made with map_lock shared, which is taken exclusively before the reference
 * goes; and what drops mappings while other threads run has mmap_lock, since
 * munmap() is a zap too.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

/* There may be millions, and there is no general cache of that size. */
static struct kmem_cache *npumem_mapping_cache;

int npumem_mappings_init(void)
{
	npumem_mapping_cache = KMEM_CACHE(npumem_mapping, SLAB_ACCOUNT);
	return npumem_mapping_cache ? 0 : -ENOMEM;
}

void npumem_mappings_exit(void)
{
	kmem_cache_destroy(npumem_mapping_cache);
}

static struct npumem_span *npumem_span_of(struct interval_tree_node *it)
{
	return it ? container_of(it, struct npumem_span, it) : NULL;
}

/**
 * npumem_span_first() - find the lowest span of an address range
 * @client: the client, map_lock held
 * @first: first address
 * @last: last address
 *
 * Return: the span, which may be of a dying mapping, or NULL.
 */
struct npumem_span *npumem_span_first(struct npumem_client *client,
				      unsigned long first, unsigned long last)
{
	lockdep_assert_held(&client->map_lock);
	return npumem_span_of(interval_tree_iter_first(&client->spans, first,
						       last));
}

/**
 * npumem_span_next() - the next span of an address range
 * @span: what npumem_span_first() or this gave
 * @last: last address
 */
struct npumem_span *npumem_span_next(struct npumem_span *span,
				     unsigned long last)
{
	/* Spans do not overlap: what comes next begins behind this one. */
	if (span->it.last >= last)
		return NULL;
	return npumem_span_of(interval_tree_iter_next(&span->it,
						      span->it.last + 1,
						      last));
}

/*
 * The CPU stands in for the device that the mapping belongs to, and is the
 * host: it may do what either may.
 */
static u64 npumem_span_cpu(const struct npumem_span *span)
{
	return NPUMEM_RIGHTS_DEVICE(span->mapping->device) |
	       NPUMEM_RIGHTS_HOST;
}

bool npumem_span_cpu_reads(const struct npumem_span *span)
{
	return span->rights.read & npumem_span_cpu(span);
}

bool npumem_span_cpu_writes(const struct npumem_span *span)
{
	return span->rights.write & npumem_span_cpu(span);
}

/**
 * npumem_client_zap() - take an address range out of the page tables
 * @client: the client, map_lock not held
 * @first: first address
 * @last: last address; ULONG_MAX with 0 as first is all there is
 *
 * Context: process context, sleeps; mmap_lock may be held. Faults go on
 * meanwhile.
 */
void npumem_client_zap(struct npumem_client *client, unsigned long first,
		       unsigned long last)
{
	down_read(&client->map_lock);
	/* The length wraps to 0 for all, which the kernel takes as such. */
	unmap_mapping_range(client->inode->i_mapping, first, last - first + 1,
			    1);
	up_read(&client->map_lock);
}

/**
 * npumem_mapping_free() - let a mapping go that is in no tree
 * @mapping: the mapping
 *
 * Context: process context, may sleep, no locks. May free memory.
 */
void npumem_mapping_free(struct npumem_mapping *mapping)
{
	npumem_memory_put(mapping->memory);
	kmem_cache_free(npumem_mapping_cache, mapping);
}

static void npumem_mapping_erase_locked(struct npumem_client *client,
					struct npumem_mapping *mapping)
{
	struct npumem_reservation *reservation = mapping->reservation;
	unsigned long last = npumem_mapping_last(mapping);
	unsigned long spans = client->nr_spans;
	struct npumem_span *span, *next;

	lockdep_assert_held_write(&client->map_lock);
	for (span = npumem_span_first(client, npumem_mapping_first(mapping),
				      last);
	     span; span = next) {
		next = npumem_span_next(span, last);
		interval_tree_remove(&span->it, &client->spans);
		client->nr_spans--;
		if (span != &mapping->head)
			kfree(span);
		cond_resched();
	}
	npumem_uncharge(&client->payer, NPUMEM_MAPPINGS,
			spans - client->nr_spans);
	if (!--reservation->mappings && reservation->closed)
		kfree(reservation);
	client->nr_mappings--;
	client->mapped -= npumem_memory_length(mapping->memory);
}

/**
 * npumem_mappings_erase() - take mappings that are zapped out of the tree
 * @client: the client, map_lock not held
 * @dying: the mappings, by their nodes; npumem_mappings_free() is next
 *
 * Context: process context, sleeps; as for npumem_mappings_take().
 */
void npumem_mappings_erase(struct npumem_client *client,
			   struct list_head *dying)
{
	struct npumem_mapping *mapping;

	down_write(&client->map_lock);
	list_for_each_entry(mapping, dying, node) {
		npumem_mapping_erase_locked(client, mapping);
		cond_resched();
	}
	up_write(&client->map_lock);
}

/**
 * npumem_mappings_free() - let mappings go that are in no tree any more
 * @dying: the mappings, by their nodes
 *
 * Context: process context, may sleep, best without mmap_lock: memory may be
 * freed, any amount of it.
 */
void npumem_mappings_free(struct list_head *dying)
{
	struct npumem_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, dying, node) {
		trace_npumem_unmap(mapping);
		npumem_mapping_free(mapping);
		cond_resched();
	}
}

/**
 * npumem_mappings_take() - unmap all that a range has, but free nothing
 * @client: the client, map_lock not held
 * @first: first address
 * @last: last address; no mapping crosses the range's ends
 * @device: mappings of this device only, or -1 for all
 * @dying: filled with the mappings, for npumem_mappings_free()
 *
 * Context: process context, sleeps; mmap_lock held for writing, or the VMAs of
 * the range are gone, or nobody runs in the mm any more.
 */
void npumem_mappings_take(struct npumem_client *client, unsigned long first,
			  unsigned long last, int device,
			  struct list_head *dying)
{
	struct npumem_span *span;

	down_write(&client->map_lock);
	for (span = npumem_span_first(client, first, last); span;
	     span = npumem_span_next(span, last)) {
		struct npumem_mapping *mapping = span->mapping;

		if (mapping->dying ||
		    (device >= 0 && mapping->device != device))
			continue;
		mapping->dying = true;
		list_add_tail(&mapping->node, dying);
		cond_resched();
	}
	up_write(&client->map_lock);

	if (list_empty(dying))
		return;
	npumem_client_zap(client, first, last);
	npumem_mappings_erase(client, dying);
}

/**
 * npumem_mappings_drop() - unmap all that a range has
 * @client: the client, map_lock not held
 * @first: first address
 * @last: last address; no mapping crosses the range's ends
 *
 * Context: as for npumem_mappings_take(). May free memory.
 */
void npumem_mappings_drop(struct npumem_client *client, unsigned long first,
			  unsigned long last)
{
	LIST_HEAD(dying);

	npumem_mappings_take(client, first, last, -1, &dying);
	npumem_mappings_free(&dying);
}

/**
 * npumem_mapping_insert_locked() - put a mapping where it is to be
 * @client: the client, map_lock held for writing
 * @mapping: the mapping; the client's if this succeeds
 *
 * Return: 0, -EADDRNOTAVAIL, -EEXIST, -EXDEV, -EMFILE or -EDQUOT.
 */
int npumem_mapping_insert_locked(struct npumem_client *client,
				 struct npumem_mapping *mapping)
{
	unsigned long first = npumem_mapping_first(mapping);
	unsigned long last = npumem_mapping_last(mapping);
	struct npumem_reservation *reservation;
	int ret;

	lockdep_assert_held_write(&client->map_lock);
	reservation = npumem_reservation_find(client, first, last);
	if (!reservation || reservation->released ||
	    reservation->it.start > first || reservation->it.last < last)
		return -EADDRNOTAVAIL;
	if (npumem_span_first(client, first, last))
		return -EEXIST;
	if (reservation->device >= 0 && reservation->device != mapping->device)
		return -EXDEV;
	ret = npumem_charge(&client->payer, NPUMEM_MAPPINGS, 1);
	if (ret)
		return ret;

	interval_tree_insert(&mapping->head.it, &client->spans);
	mapping->reservation = reservation;
	mapping->claims = reservation->device < 0;
	reservation->device = mapping->device;
	reservation->mappings++;
	if (mapping->memory->gigantic)
		WRITE_ONCE(reservation->gigantic, true);
	client->nr_spans++;
	client->nr_mappings++;
	client->mapped += npumem_memory_length(mapping->memory);
	return 0;
}

/**
 * npumem_mapping_withdraw_locked() - undo npumem_mapping_insert_locked()
 * @client: the client, map_lock held for writing since then
 * @mapping: the one inserted last; nobody has seen it
 */
void npumem_mapping_withdraw_locked(struct npumem_client *client,
				    struct npumem_mapping *mapping)
{
	if (mapping->claims)
		mapping->reservation->device = -1;
	npumem_mapping_erase_locked(client, mapping);
}

/* Does the length name all of the memory, and the range end below 2^64? */
static int npumem_map_check(const struct npumem_map *arg,
			    const struct npumem_memory *memory, u64 *last)
{
	u64 granule = npumem_memory_granule(memory), length;

	if (check_add_overflow(arg->length, granule - 1, &length))
		return -EOVERFLOW;
	length &= ~(granule - 1);
	if (length > npumem_memory_length(memory))
		return -EOVERFLOW;
	if (length < npumem_memory_length(memory))
		return -ERANGE;
	if (check_add_overflow(arg->address, length - 1, last))
		return -EADDRNOTAVAIL;
	return READ_ONCE(memory->device->gone) ? -ENODEV : 0;
}

/* Takes the caller's reference to the memory over. */
static struct npumem_mapping *
npumem_mapping_create(struct npumem_memory *memory, u64 first, u64 last,
		      u32 device, bool imported)
{
	struct npumem_mapping *mapping;

	mapping = kmem_cache_zalloc(npumem_mapping_cache, GFP_KERNEL);
	if (!mapping)
		return NULL;
	mapping->head.it.start = first;
	mapping->head.it.last = last;
	mapping->head.mapping = mapping;
	mapping->memory = memory;
	mapping->device = device;
	mapping->imported = imported;
	return mapping;
}

/**
 * npumem_mapping_new() - what NPUMEM_MAP asks for, not yet in its place
 * @client: the caller's client
 * @arg: what to map and where
 *
 * Context: process context, sleeps, takes handle_lock.
 * Return: the mapping, or an ERR_PTR: -EINVAL, -ENOENT, -EOVERFLOW, -ERANGE,
 * -EADDRNOTAVAIL, -ENODEV, -ENOMEM.
 */
struct npumem_mapping *npumem_mapping_new(struct npumem_client *client,
					  const struct npumem_map *arg)
{
	struct npumem_mapping *mapping;
	struct npumem_memory *memory;
	bool imported;
	u32 device;
	u64 last;
	int ret;

	if (arg->flags & ~NPUMEM_MAP_NO_ACCESS || arg->offset ||
	    !arg->length || arg->address & ~NPUMEM_CHUNK_MASK)
		return ERR_PTR(-EINVAL);
	memory = npumem_handle_memory(client, arg->handle, &device, &imported);
	if (IS_ERR(memory))
		return ERR_CAST(memory);
	ret = npumem_map_check(arg, memory, &last);
	if (ret)
		goto err;
	ret = -ENOMEM;
	mapping = npumem_mapping_create(memory, arg->address, last, device,
					imported);
	if (!mapping)
		goto err;
	if (!(arg->flags & NPUMEM_MAP_NO_ACCESS)) {
		mapping->head.rights.read = NPUMEM_RIGHTS_DEVICE(device);
		mapping->head.rights.write = NPUMEM_RIGHTS_DEVICE(device);
	}
	return mapping;

err:
	npumem_memory_put(memory);
	return ERR_PTR(ret);
}

int npumem_ioctl_map(struct npumem_call *call)
{
	struct npumem_client *client = call->client;
	struct npumem_mapping *mapping;
	unsigned long first, last;
	int ret = -EINTR;

	mapping = npumem_mapping_new(client, call->arg);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	/* It may be gone as soon as others see it. */
	first = npumem_mapping_first(mapping);
	last = npumem_mapping_last(mapping);
	if (!down_write_killable(&client->map_lock)) {
		ret = npumem_mapping_insert_locked(client, mapping);
		if (!ret)
			trace_npumem_map(mapping);
		up_write(&client->map_lock);
	}
	if (ret) {
		npumem_mapping_free(mapping);
		return ret;
	}
	npumem_populate(client, first, last);
	return 0;
}

/**
 * npumem_mapping_at_locked() - the live mapping that begins at an address
 * @client: the client, map_lock held
 * @first: the address
 *
 * Return: the mapping or NULL.
 */
struct npumem_mapping *npumem_mapping_at_locked(struct npumem_client *client,
						u64 first)
{
	struct npumem_span *span = npumem_span_first(client, first, first);

	if (!span || span->mapping->dying ||
	    npumem_mapping_first(span->mapping) != first)
		return NULL;
	return span->mapping;
}

int npumem_ioctl_unmap(struct npumem_call *call)
{
	struct npumem_unmap *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_mapping *mapping;
	LIST_HEAD(dying);

	if (arg->__reserved)
		return -EINVAL;
	if (mmap_write_lock_killable(client->mm))
		return -EINTR;
	down_write(&client->map_lock);
	mapping = npumem_mapping_at_locked(client, arg->address);
	if (mapping) {
		mapping->dying = true;
		list_add(&mapping->node, &dying);
	}
	up_write(&client->map_lock);
	if (mapping) {
		npumem_client_zap(client, npumem_mapping_first(mapping),
				  npumem_mapping_last(mapping));
		npumem_mappings_erase(client, &dying);
	}
	mmap_write_unlock(client->mm);
	npumem_mappings_free(&dying);
	return mapping ? 0 : -ENOENT;
}

int npumem_ioctl_range(struct npumem_call *call)
{
	struct npumem_range *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_mapping *mapping;
	struct npumem_span *span;
	int ret = -ENOENT;

	down_read(&client->map_lock);
	span = npumem_span_first(client, arg->address, arg->address);
	if (span && !span->mapping->dying) {
		mapping = span->mapping;
		arg->device = npumem_device_number(mapping->device);
		arg->address = npumem_mapping_first(mapping);
		arg->length = npumem_memory_length(mapping->memory);
		arg->location_type = mapping->memory->location_type;
		arg->location_id = mapping->memory->location_id;
		ret = 0;
	}
	up_read(&client->map_lock);
	return ret ?: npumem_respond(call);
}

int npumem_ioctl_retain(struct npumem_call *call)
{
	struct npumem_retain *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_memory *memory = NULL;
	struct npumem_mapping *mapping;
	bool imported;
	u32 device;
	int ret;

	if (arg->__reserved)
		return -EINVAL;
	down_read(&client->map_lock);
	mapping = npumem_mapping_at_locked(client, arg->address);
	if (mapping) {
		memory = npumem_memory_hold(mapping->memory);
		device = mapping->device;
		imported = mapping->imported;
	}
	up_read(&client->map_lock);
	if (!memory)
		return -ENOENT;

	ret = npumem_handle_add(client, memory, device, imported, false,
				&arg->handle);
	npumem_memory_put(memory);
	if (ret)
		return ret;
	ret = npumem_respond(call);
	if (ret)
		npumem_handle_drop(client, arg->handle);
	return ret;
}
