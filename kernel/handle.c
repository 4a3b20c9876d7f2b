// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: a client's numbers for memories, each with a count. A client has
 * at most one handle for a memory and a device, so that importing again, or
 * asking for the handle of a mapping, finds the one that is there.
 */
#include <linux/slab.h>

#include "internal.h"

/* There may be millions, and there is no general cache of that size. */
static struct kmem_cache *npumem_handle_cache;

int npumem_handles_init(void)
{
	npumem_handle_cache = KMEM_CACHE(npumem_handle, SLAB_ACCOUNT);
	return npumem_handle_cache ? 0 : -ENOMEM;
}

void npumem_handles_exit(void)
{
	kmem_cache_destroy(npumem_handle_cache);
}

static u64 npumem_handle_number(const struct npumem_client *client,
				const struct npumem_handle *handle)
{
	return (u64)client->handle_tag << 32 | handle->id;
}

static struct npumem_handle *
npumem_handle_find_locked(struct npumem_client *client, u64 number)
{
	struct npumem_handle *handle = client->recent;

	lockdep_assert_held(&client->handle_lock);
	if (upper_32_bits(number) != client->handle_tag)
		return NULL;
	if (handle && handle->id == lower_32_bits(number))
		return handle;
	handle = xa_load(&client->handles, lower_32_bits(number));
	if (handle)
		client->recent = handle;
	return handle;
}

/*
 * Ids go up, so a client that always gives back what it got would have a node of the
 * table made and freed each time. The last id of the node where the next one comes from
 * is reserved, for the node to stay; having its node, this needs no memory.
 */
static void npumem_handle_keep_node_locked(struct npumem_client *client, u32 id)
{
	u32 last = id | XA_CHUNK_MASK;

	lockdep_assert_held(&client->handle_lock);
	if (client->kept_handle == last)
		return;
	WARN_ON_ONCE(xa_reserve(&client->handles, last, GFP_KERNEL_ACCOUNT));
	xa_release(&client->handles, client->kept_handle);
	client->kept_handle = last;
}

/*
 * The place in the tree of the handle for a memory and a device, as rb_link_node()
 * wants it. *@link is that handle if there is one.
 */
static struct rb_node **npumem_handle_place_locked(struct npumem_client *client,
						   const struct npumem_memory *memory,
						   u32 device,
						   struct rb_node **parent)
{
	struct rb_node **link = &client->by_memory.rb_node;

	lockdep_assert_held(&client->handle_lock);
	*parent = NULL;
	while (*link) {
		struct npumem_handle *handle = rb_entry(*link,
							struct npumem_handle,
							by_memory);

		if (memory == handle->memory && device == handle->device)
			break;
		*parent = *link;
		if (memory < handle->memory ||
		    (memory == handle->memory && device < handle->device))
			link = &(*link)->rb_left;
		else
			link = &(*link)->rb_right;
	}
	return link;
}

/* Off the table; the caller drops the memory and frees the handle. */
static void npumem_handle_remove_locked(struct npumem_client *client,
					struct npumem_handle *handle)
{
	lockdep_assert_held(&client->handle_lock);
	if (client->recent == handle)
		client->recent = NULL;
	xa_erase(&client->handles, handle->id);
	rb_erase(&handle->by_memory, &client->by_memory);
	npumem_uncharge(&client->payer, NPUMEM_HANDLES, 1);
	client->nr_handles--;
	client->nr_imports -= handle->imported;
}

/* Into the table; the handle takes a reference to its memory. */
static int npumem_handle_insert_locked(struct npumem_client *client,
				       struct npumem_handle *handle,
				       struct rb_node **link,
				       struct rb_node *parent)
{
	int ret;

	lockdep_assert_held(&client->handle_lock);
	ret = npumem_charge(&client->payer, NPUMEM_HANDLES, 1);
	if (ret)
		return ret;
	ret = xa_alloc_cyclic(&client->handles, &handle->id, handle,
			      xa_limit_32b, &client->next_handle,
			      GFP_KERNEL_ACCOUNT);
	/* 1 says that the ids wrapped around. */
	if (ret < 0) {
		npumem_uncharge(&client->payer, NPUMEM_HANDLES, 1);
		return ret == -EBUSY ? -EMFILE : ret;
	}
	npumem_handle_keep_node_locked(client, handle->id);
	client->recent = handle;
	npumem_memory_hold(handle->memory);
	rb_link_node(&handle->by_memory, parent, link);
	rb_insert_color(&handle->by_memory, &client->by_memory);
	client->nr_handles++;
	client->nr_imports += handle->imported;
	return 0;
}

/*
 * Take one more reference of a handle, the one that is there already or, if
 * none is, @fresh. Returns it or an ERR_PTR.
 */
static struct npumem_handle *
npumem_handle_add_locked(struct npumem_client *client,
			 struct npumem_handle *fresh, bool link)
{
	u32 owner = fresh->memory->device->id;
	struct npumem_handle *handle = fresh;
	struct rb_node **place, *parent;
	bool enables;
	int ret = 0;

	lockdep_assert_held(&client->handle_lock);
	place = npumem_handle_place_locked(client, fresh->memory,
					   fresh->device, &parent);
	if (*place)
		handle = rb_entry(*place, struct npumem_handle, by_memory);
	if (handle->references == U32_MAX)
		return ERR_PTR(-EMFILE);
	enables = link && !(handle->links &&
			    npumem_peer_enabled(client, fresh->device, owner) &&
			    npumem_peer_enabled(client, owner, fresh->device));
	if (enables) {
		ret = npumem_peer_enable_both_locked(client, fresh->device,
						     owner);
		if (ret)
			return ERR_PTR(ret);
	}
	if (handle == fresh)
		ret = npumem_handle_insert_locked(client, fresh, place, parent);
	if (ret) {
		if (enables)
			npumem_peer_disable_both_locked(client, fresh->device,
							owner);
		return ERR_PTR(ret);
	}
	handle->references++;
	/* What earlier imports brought was disabled, if this one had to. */
	if (enables)
		handle->links = 1;
	else
		handle->links += link && handle->links < U32_MAX;
	return handle;
}

/**
 * npumem_handle_add() - give a client a reference to a memory
 * @client: the client
 * @memory: the memory; a new handle takes a reference of its own
 * @device: the device that is to use it
 * @imported: the client did not allocate it
 * @link: the device, another one than the memory's, gets peer access to that
 *        one, both ways, unless it has it by this handle
 * @number: out: the handle
 *
 * A handle there is already gets one more reference.
 *
 * Context: process context, sleeps, takes handle_lock.
 * Return: 0, -EMFILE, -EDQUOT, -ENOMEM, and -EOVERFLOW for the peer access.
 */
int npumem_handle_add(struct npumem_client *client,
		      struct npumem_memory *memory, u32 device, bool imported,
		      bool link, u64 *number)
{
	struct npumem_handle *handle, *fresh;
	int ret;

	fresh = kmem_cache_zalloc(npumem_handle_cache, GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;
	fresh->memory = memory;
	fresh->device = device;
	fresh->imported = imported;

	mutex_lock(&client->handle_lock);
	handle = npumem_handle_add_locked(client, fresh, link);
	ret = PTR_ERR_OR_ZERO(handle);
	if (!ret)
		*number = npumem_handle_number(client, handle);
	mutex_unlock(&client->handle_lock);

	if (handle != fresh)
		kmem_cache_free(npumem_handle_cache, fresh);
	return ret;
}

/**
 * npumem_handle_undo_import() - take an import back that nobody learned of
 * @client: the client
 * @number: the handle that npumem_handle_add() gave
 * @link: as given to it
 *
 * Another import may rely on the peer access meanwhile: the last one that came
 * for it takes it back.
 *
 * Context: process context, sleeps, takes handle_lock; may free the memory.
 * Return: 0 or -ENOENT.
 */
int npumem_handle_undo_import(struct npumem_client *client, u64 number,
			      bool link)
{
	struct npumem_handle *handle;
	bool last;

	mutex_lock(&client->handle_lock);
	handle = npumem_handle_find_locked(client, number);
	if (!handle) {
		mutex_unlock(&client->handle_lock);
		return -ENOENT;
	}
	if (link && handle->links && handle->links < U32_MAX &&
	    !--handle->links)
		npumem_peer_disable_both_locked(client, handle->device,
						handle->memory->device->id);
	last = !--handle->references;
	if (last)
		npumem_handle_remove_locked(client, handle);
	mutex_unlock(&client->handle_lock);

	if (last) {
		npumem_memory_put(handle->memory);
		kmem_cache_free(npumem_handle_cache, handle);
	}
	return 0;
}

/**
 * npumem_handle_drop() - drop one reference of a handle
 * @client: the client
 * @number: the handle
 *
 * Peer access that it brought stays.
 *
 * Context: process context, sleeps, takes handle_lock; may free the memory.
 * Return: 0 or -ENOENT.
 */
int npumem_handle_drop(struct npumem_client *client, u64 number)
{
	return npumem_handle_undo_import(client, number, false);
}

/**
 * npumem_handle_memory() - the memory of a handle
 * @client: the client
 * @number: the handle
 * @device: out: the device of the handle
 * @imported: out: the handle was imported
 *
 * Context: process context, sleeps, takes handle_lock.
 * Return: the memory with a reference for the caller, or ERR_PTR(-ENOENT).
 */
struct npumem_memory *npumem_handle_memory(struct npumem_client *client,
					   u64 number, u32 *device,
					   bool *imported)
{
	struct npumem_memory *memory = ERR_PTR(-ENOENT);
	struct npumem_handle *handle;

	mutex_lock(&client->handle_lock);
	handle = npumem_handle_find_locked(client, number);
	if (handle) {
		memory = npumem_memory_hold(handle->memory);
		*device = handle->device;
		*imported = handle->imported;
	}
	mutex_unlock(&client->handle_lock);
	return memory;
}

/**
 * npumem_handles_drop_all() - drop handles whatever their counts
 * @client: the client
 * @device: those for this device, or -1 for all
 *
 * Context: process context, sleeps, takes handle_lock; may free memory.
 */
void npumem_handles_drop_all(struct npumem_client *client, int device)
{
	struct npumem_handle *handle;
	unsigned long id = 0;

	for (;;) {
		mutex_lock(&client->handle_lock);
		do {
			handle = id ? xa_find_after(&client->handles, &id,
						    ULONG_MAX, XA_PRESENT) :
				      xa_find(&client->handles, &id,
					      ULONG_MAX, XA_PRESENT);
		} while (handle && device >= 0 && handle->device != device);
		if (handle)
			npumem_handle_remove_locked(client, handle);
		mutex_unlock(&client->handle_lock);
		if (!handle)
			return;
		npumem_memory_put(handle->memory);
		kmem_cache_free(npumem_handle_cache, handle);
		cond_resched();
	}
}

int npumem_ioctl_free(struct npumem_call *call)
{
	struct npumem_free *arg = call->arg;

	if (arg->__reserved)
		return -EINVAL;
	return npumem_handle_drop(call->client, arg->handle);
}

int npumem_ioctl_memory_info(struct npumem_call *call)
{
	struct npumem_memory_info *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_memory *memory;
	struct npumem_handle *handle;

	if (arg->__reserved)
		return -EINVAL;
	mutex_lock(&client->handle_lock);
	handle = npumem_handle_find_locked(client, arg->handle);
	if (!handle) {
		mutex_unlock(&client->handle_lock);
		return -ENOENT;
	}
	memory = handle->memory;
	arg->flags = (handle->imported ? NPUMEM_MEMORY_IMPORTED : 0) |
		     (READ_ONCE(memory->share) ? NPUMEM_MEMORY_EXPORTED : 0);
	arg->location_type = memory->location_type;
	arg->location_id = memory->location_id;
	arg->attr = memory->attr;
	arg->device = npumem_device_number(handle->device);
	arg->requested = memory->requested;
	arg->length = npumem_memory_length(memory);
	arg->references = handle->references;
	mutex_unlock(&client->handle_lock);
	return npumem_respond(call);
}
