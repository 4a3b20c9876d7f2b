// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access: which locations may read and write a mapping, down to a granule.
 */
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "internal.h"

/**
 * struct npumem_change - what SET_ACCESS asks for
 * @first: first address
 * @length: bytes, as the caller gave it
 * @last: last address that this means, as long as map_lock is held
 * @told: locations that something is said about
 * @rights: their rights from now on
 * @fresh: spans for splitting at either end, used up by need
 */
struct npumem_change {
	unsigned long first;
	u64 length;
	unsigned long last;
	u64 told;
	struct npumem_rights rights;
	struct npumem_span *fresh[2];
};

static int npumem_location_bit(u32 type, u32 id, u64 *bit)
{
	switch (type) {
	case NPUMEM_LOCATION_HOST:
		*bit = NPUMEM_RIGHTS_HOST;
		return id ? -EINVAL : 0;
	case NPUMEM_LOCATION_DEVICE:
		if (id >= npumem_device_count())
			return -ENXIO;
		*bit = NPUMEM_RIGHTS_DEVICE(id);
		return 0;
	default:
		return -EINVAL;
	}
}

static int npumem_change_add(struct npumem_change *change,
			     const struct npumem_access *entry)
{
	u64 bit;
	int ret;

	if (entry->__reserved || (entry->access != NPUMEM_ACCESS_NONE &&
				  entry->access != NPUMEM_ACCESS_READ &&
				  entry->access != NPUMEM_ACCESS_READWRITE))
		return -EINVAL;
	ret = npumem_location_bit(entry->location_type, entry->location_id,
				  &bit);
	if (ret)
		return ret;
	/* Of two entries for one location the later one counts. */
	change->told |= bit;
	change->rights.read &= ~bit;
	change->rights.write &= ~bit;
	if (entry->access != NPUMEM_ACCESS_NONE)
		change->rights.read |= bit;
	if (entry->access == NPUMEM_ACCESS_READWRITE)
		change->rights.write |= bit;
	return 0;
}

static int npumem_change_read(struct npumem_change *change,
			      const struct npumem_set_access *arg)
{
	struct npumem_access *entries;
	u64 last;
	int ret = 0;
	u32 i;

	if (!arg->count || arg->count > NPUMEM_MAX_DEVICES + 1 || !arg->length)
		return -EINVAL;
	if (arg->address & ~NPUMEM_CHUNK_MASK ||
	    check_add_overflow(arg->address, arg->length - 1, &last))
		return -EADDRNOTAVAIL;
	change->first = arg->address;
	change->length = arg->length;

	entries = memdup_user(u64_to_user_ptr(arg->entries),
			      array_size(arg->count, sizeof(*entries)));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (i = 0; i < arg->count && !ret; i++)
		ret = npumem_change_add(change, &entries[i]);
	kfree(entries);
	return ret;
}

static struct npumem_rights
npumem_change_rights(const struct npumem_change *change,
		     struct npumem_rights rights)
{
	rights.read = (rights.read & ~change->told) | change->rights.read;
	rights.write = (rights.write & ~change->told) | change->rights.write;
	return rights;
}

static bool npumem_rights_equal(struct npumem_rights a, struct npumem_rights b)
{
	return a.read == b.read && a.write == b.write;
}

/* Can each device that is granted something reach the memory? */
static int npumem_change_reachable(struct npumem_client *client,
				   const struct npumem_change *change,
				   const struct npumem_mapping *mapping)
{
	unsigned long devices = change->rights.read & ~NPUMEM_RIGHTS_HOST;
	u32 owner = mapping->memory->device->id;
	unsigned int id;

	/* All devices reach the host. */
	if (owner == NPUMEM_HOST)
		return 0;
	for_each_set_bit(id, &devices, NPUMEM_MAX_DEVICES) {
		if (id != mapping->device && id != owner &&
		    !npumem_peer_linked(client, id, owner))
			return -EHOSTUNREACH;
	}
	return 0;
}

/*
 * The last address. From the start of a mapping on, the bytes its memory was
 * asked for with are all of it: who has 1 GiB for less of them need not know.
 */
static unsigned long npumem_change_last_locked(struct npumem_client *client,
					       const struct npumem_change *change)
{
	struct npumem_mapping *mapping;
	struct npumem_span *span;

	span = npumem_span_first(client, change->first, change->first);
	mapping = span ? span->mapping : NULL;
	if (mapping && npumem_mapping_first(mapping) == change->first &&
	    mapping->memory->requested == change->length)
		return npumem_mapping_last(mapping);
	return (change->first + change->length - 1) | ~NPUMEM_CHUNK_MASK;
}

/*
 * Can the change be made? 0 if nothing would change, 1 if something would, or
 * the errno that refuses it.
 */
static int npumem_change_check_locked(struct npumem_client *client,
				      struct npumem_change *change)
{
	unsigned long next = change->first;
	struct npumem_span *span;
	int ret, changes = 0;

	lockdep_assert_held(&client->map_lock);
	change->last = npumem_change_last_locked(client, change);
	for (span = npumem_span_first(client, change->first, change->last);
	     span; span = npumem_span_next(span, change->last)) {
		if (span->mapping->dying || span->it.start > next)
			return -EADDRNOTAVAIL;
		ret = npumem_change_reachable(client, change, span->mapping);
		if (ret)
			return ret;
		changes |= !npumem_rights_equal(span->rights,
				npumem_change_rights(change, span->rights));
		next = span->it.last + 1;
		if (span->it.last >= change->last)
			return changes;
		cond_resched();
	}
	return -EADDRNOTAVAIL;
}

/*
 * Does the change take nothing from anybody? Then, if nothing changes, there
 * is nothing to do. Otherwise another thread may have taken the same from the
 * tree just now, and still have to take it from the page tables.
 */
static bool npumem_change_only_grants(const struct npumem_change *change)
{
	return change->rights.write == change->told;
}

/* Cut the span that has @at inside in two, so that one begins there. */
static void npumem_span_split_locked(struct npumem_client *client,
				     struct npumem_change *change,
				     unsigned long at)
{
	struct npumem_span *span = npumem_span_first(client, at, at);
	struct npumem_span *fresh;

	lockdep_assert_held_write(&client->map_lock);
	if (!span || span->it.start == at)
		return;
	fresh = change->fresh[0];
	change->fresh[0] = change->fresh[1];
	change->fresh[1] = NULL;

	client->nr_spans++;
	*fresh = *span;
	interval_tree_remove(&span->it, &client->spans);
	span->it.last = at - 1;
	fresh->it.start = at;
	interval_tree_insert(&span->it, &client->spans);
	interval_tree_insert(&fresh->it, &client->spans);
}

/* Join the spans of the range, and those next to it, that are alike again. */
static void npumem_spans_merge_locked(struct npumem_client *client,
				      unsigned long first, unsigned long last)
{
	struct npumem_span *span, *next;

	lockdep_assert_held_write(&client->map_lock);
	if (first)
		first--;
	if (last < ULONG_MAX)
		last++;
	span = npumem_span_first(client, first, last);
	while (span) {
		next = npumem_span_next(span, last);
		if (!next || next->mapping != span->mapping ||
		    !npumem_rights_equal(next->rights, span->rights)) {
			span = next;
			cond_resched();
			continue;
		}
		/* The head of a mapping is its first span and never next. */
		interval_tree_remove(&span->it, &client->spans);
		interval_tree_remove(&next->it, &client->spans);
		span->it.last = next->it.last;
		interval_tree_insert(&span->it, &client->spans);
		client->nr_spans--;
		kfree(next);
		cond_resched();
	}
}

/* Returns whether the page tables have to follow. */
static bool npumem_change_apply_locked(struct npumem_client *client,
				       struct npumem_change *change)
{
	struct npumem_span *span;
	bool reads, writes, zap = false;

	lockdep_assert_held_write(&client->map_lock);
	npumem_span_split_locked(client, change, change->first);
	if (change->last < ULONG_MAX)
		npumem_span_split_locked(client, change, change->last + 1);
	for (span = npumem_span_first(client, change->first, change->last);
	     span; span = npumem_span_next(span, change->last)) {
		reads = npumem_span_cpu_reads(span);
		writes = npumem_span_cpu_writes(span);
		span->rights = npumem_change_rights(change, span->rights);
		zap |= reads != npumem_span_cpu_reads(span) ||
		       writes != npumem_span_cpu_writes(span);
		cond_resched();
	}
	npumem_spans_merge_locked(client, change->first, change->last);
	return zap;
}

/* How many spans there will be more, until some of them join. */
static unsigned int npumem_change_cuts_locked(struct npumem_client *client,
					      const struct npumem_change *change)
{
	unsigned long first = change->first, last = change->last;

	lockdep_assert_held_write(&client->map_lock);
	return (npumem_span_first(client, first, first)->it.start < first) +
	       (npumem_span_first(client, last, last)->it.last > last);
}

static int npumem_change_make(struct npumem_client *client,
			      struct npumem_change *change)
{
	unsigned long spans;
	unsigned int cuts;
	bool zap;
	int ret;

	/* The kernel wants it for a zap of less than an entry of 1 GiB. */
	if (mmap_read_lock_killable(client->mm))
		return -EINTR;
	if (down_write_killable(&client->map_lock)) {
		mmap_read_unlock(client->mm);
		return -EINTR;
	}
	ret = npumem_change_check_locked(client, change);
	zap = !npumem_change_only_grants(change);
	if (ret > 0) {
		cuts = npumem_change_cuts_locked(client, change);
		ret = npumem_charge(&client->payer, NPUMEM_MAPPINGS, cuts) ?: 1;
	}
	if (ret > 0) {
		spans = client->nr_spans;
		zap |= npumem_change_apply_locked(client, change);
		npumem_uncharge(&client->payer, NPUMEM_MAPPINGS,
				spans + cuts - client->nr_spans);
	}
	up_write(&client->map_lock);
	zap &= ret >= 0;
	if (zap)
		npumem_client_zap(client, change->first, change->last);
	mmap_read_unlock(client->mm);
	if (zap)
		npumem_populate(client, change->first, change->last);
	return min(ret, 0);
}

int npumem_ioctl_set_access(struct npumem_call *call)
{
	struct npumem_client *client = call->client;
	struct npumem_change change = {};
	int ret;

	ret = npumem_change_read(&change, call->arg);
	if (ret)
		return ret;

	/* Most programs ask for what they have: that takes no memory. */
	down_read(&client->map_lock);
	ret = npumem_change_check_locked(client, &change);
	up_read(&client->map_lock);
	if (ret < 0 || (!ret && npumem_change_only_grants(&change)))
		return ret;

	ret = -ENOMEM;
	change.fresh[0] = kzalloc(sizeof(*change.fresh[0]), GFP_KERNEL_ACCOUNT);
	change.fresh[1] = kzalloc(sizeof(*change.fresh[1]), GFP_KERNEL_ACCOUNT);
	if (change.fresh[0] && change.fresh[1])
		ret = npumem_change_make(client, &change);
	kfree(change.fresh[0]);
	kfree(change.fresh[1]);
	return ret;
}

int npumem_ioctl_get_access(struct npumem_call *call)
{
	struct npumem_get_access *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_span *span;
	u64 bit;
	int ret;

	ret = npumem_location_bit(arg->location_type, arg->location_id, &bit);
	if (ret)
		return ret;
	ret = -ENOENT;
	down_read(&client->map_lock);
	span = npumem_span_first(client, arg->address, arg->address);
	if (span && !span->mapping->dying) {
		arg->access = span->rights.write & bit ?
				NPUMEM_ACCESS_READWRITE :
			      span->rights.read & bit ? NPUMEM_ACCESS_READ :
							NPUMEM_ACCESS_NONE;
		ret = 0;
	}
	up_read(&client->map_lock);
	return ret ?: npumem_respond(call);
}
