// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches: many mappings made or taken down by one call, all of them or none.
 * Expandable segments and models that are put to sleep and woken have thousands
 * of them at a time; what they share is one call, one turn with each lock, and
 * one zap for neighbours.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

static void *npumem_batch_read(u64 user, u32 count, size_t size)
{
	if (!count || count > NPUMEM_BATCH_MAX)
		return ERR_PTR(-EINVAL);
	return npumem_read_list(user, count, size);
}

static void npumem_batch_free(struct list_head *mappings)
{
	struct npumem_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, mappings, node) {
		npumem_mapping_free(mapping);
		cond_resched();
	}
}

/*
 * All the mappings, in no place yet. The length of each entry is replaced by
 * the last address.
 */
static int npumem_batch_prepare(struct npumem_call *call,
				struct npumem_map_entry *entries,
				struct list_head *mappings)
{
	const struct npumem_map_batch *arg = call->arg;
	struct npumem_mapping *mapping;
	struct npumem_map map = {
		.flags = arg->flags,
	};
	u32 i;

	for (i = 0; i < arg->count; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		map.address = entries[i].address;
		map.length = entries[i].length;
		map.handle = entries[i].handle;
		mapping = npumem_mapping_new(call->client, &map);
		if (IS_ERR(mapping))
			return PTR_ERR(mapping);
		list_add_tail(&mapping->node, mappings);
		entries[i].length = npumem_mapping_last(mapping);
		cond_resched();
	}
	return 0;
}

/* Nobody sees a part of it: faults wait for map_lock. */
static int npumem_batch_insert_locked(struct npumem_client *client,
				      struct list_head *mappings)
{
	struct npumem_mapping *mapping;
	int ret;

	lockdep_assert_held_write(&client->map_lock);
	list_for_each_entry(mapping, mappings, node) {
		ret = fatal_signal_pending(current) ? -EINTR :
		      npumem_mapping_insert_locked(client, mapping);
		if (ret)
			goto undo;
		cond_resched();
	}
	list_for_each_entry(mapping, mappings, node)
		trace_npumem_map(mapping);
	return 0;

undo:
	list_for_each_entry_continue_reverse(mapping, mappings, node) {
		npumem_mapping_withdraw_locked(client, mapping);
		cond_resched();
	}
	return ret;
}

/* By the entries: the mappings may be gone as soon as others see them. */
static void npumem_batch_populate(struct npumem_client *client,
				  const struct npumem_map_entry *entries,
				  u32 count)
{
	u64 first = entries[0].address;
	u32 i;

	for (i = 0; i < count; i++) {
		if (i + 1 < count &&
		    entries[i + 1].address == entries[i].length + 1)
			continue;
		npumem_populate(client, first, entries[i].length);
		if (i + 1 < count)
			first = entries[i + 1].address;
	}
}

int npumem_ioctl_map_batch(struct npumem_call *call)
{
	struct npumem_map_batch *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_map_entry *entries;
	LIST_HEAD(mappings);
	int ret;

	if (arg->flags & ~NPUMEM_MAP_NO_ACCESS || arg->__reserved)
		return -EINVAL;
	entries = npumem_batch_read(arg->entries, arg->count, sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	ret = npumem_batch_prepare(call, entries, &mappings);
	if (!ret)
		ret = down_write_killable(&client->map_lock);
	if (!ret) {
		ret = npumem_batch_insert_locked(client, &mappings);
		up_write(&client->map_lock);
	}
	if (ret)
		npumem_batch_free(&mappings);
	else
		npumem_batch_populate(client, entries, arg->count);
	kvfree(entries);
	return ret;
}

/* All are marked dying, or none. */
static int npumem_batch_mark_locked(struct npumem_client *client,
				    const u64 *addresses, u32 count,
				    struct list_head *dying)
{
	struct npumem_mapping *mapping;
	int ret = -ENOENT;
	u32 i;

	lockdep_assert_held_write(&client->map_lock);
	for (i = 0; i < count; i++) {
		mapping = npumem_mapping_at_locked(client, addresses[i]);
		if (!mapping)
			goto undo;
		ret = fatal_signal_pending(current) ? -EINTR : -ENOENT;
		if (ret == -EINTR)
			goto undo;
		mapping->dying = true;
		list_add_tail(&mapping->node, dying);
		cond_resched();
	}
	return 0;

undo:
	list_for_each_entry(mapping, dying, node)
		mapping->dying = false;
	return ret;
}

/* Is nothing mapped from one address to another, the latter not included? */
static bool npumem_batch_gap(struct npumem_client *client, unsigned long first,
			     unsigned long end)
{
	bool empty;

	if (first == end)
		return true;
	down_read(&client->map_lock);
	empty = !npumem_span_first(client, first, end - 1);
	up_read(&client->map_lock);
	return empty;
}

/* One zap for all that nothing else is between. */
static void npumem_batch_zap(struct npumem_client *client,
			     struct list_head *dying)
{
	struct npumem_mapping *mapping;
	unsigned long first, last, next;

	mapping = list_first_entry(dying, struct npumem_mapping, node);
	first = npumem_mapping_first(mapping);
	last = npumem_mapping_last(mapping);
	list_for_each_entry_continue(mapping, dying, node) {
		next = npumem_mapping_first(mapping);
		if (next <= last || !npumem_batch_gap(client, last + 1, next)) {
			npumem_client_zap(client, first, last);
			first = next;
		}
		last = npumem_mapping_last(mapping);
		cond_resched();
	}
	npumem_client_zap(client, first, last);
}

int npumem_ioctl_unmap_batch(struct npumem_call *call)
{
	struct npumem_unmap_batch *arg = call->arg;
	struct npumem_client *client = call->client;
	LIST_HEAD(dying);
	u64 *addresses;
	int ret;

	addresses = npumem_batch_read(arg->addresses, arg->count,
				      sizeof(*addresses));
	if (IS_ERR(addresses))
		return PTR_ERR(addresses);
	ret = mmap_write_lock_killable(client->mm);
	if (ret)
		goto out;
	down_write(&client->map_lock);
	ret = npumem_batch_mark_locked(client, addresses, arg->count, &dying);
	up_write(&client->map_lock);
	if (!ret) {
		npumem_batch_zap(client, &dying);
		npumem_mappings_erase(client, &dying);
	}
	mmap_write_unlock(client->mm);
	if (!ret)
		npumem_mappings_free(&dying);
out:
	kvfree(addresses);
	return ret;
}
