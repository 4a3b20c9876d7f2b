// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares: the random numbers under which memories can be imported. A share
 * does not hold its memory; it ends with it.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

/* Of the whole module. Lookups are under RCU, the table locks changes. */
static struct rhashtable npumem_shares;

static const struct rhashtable_params npumem_shares_params = {
	.key_len = sizeof_field(struct npumem_share, token),
	.key_offset = offsetof(struct npumem_share, token),
	.head_offset = offsetof(struct npumem_share, node),
	.automatic_shrinking = true,
};

int npumem_shares_init(void)
{
	return rhashtable_init(&npumem_shares, &npumem_shares_params);
}

void npumem_shares_exit(void)
{
	WARN_ON(atomic_read(&npumem_shares.nelems));
	rhashtable_destroy(&npumem_shares);
}

/**
 * npumem_share_get() - look a share up
 * @token: its number
 *
 * Context: any.
 * Return: the share with a reference for the caller, or NULL.
 */
struct npumem_share *npumem_share_get(u64 token)
{
	struct npumem_share *share;

	rcu_read_lock();
	share = rhashtable_lookup(&npumem_shares, &token, npumem_shares_params);
	if (share && !kref_get_unless_zero(&share->ref))
		share = NULL;
	rcu_read_unlock();
	return share;
}

static void npumem_share_release(struct kref *ref)
{
	struct npumem_share *share = container_of(ref, struct npumem_share,
						  ref);

	npumem_whitelist_destroy(share);
	put_pid(share->exporter);
	kfree_rcu(share, rcu);
}

void npumem_share_put(struct npumem_share *share)
{
	kref_put(&share->ref, npumem_share_release);
}

/**
 * npumem_share_memory() - the memory of a share
 * @share: the share
 *
 * The share is in the hands of the caller, its memory may be on its way out.
 *
 * Context: any.
 * Return: the memory with a reference for the caller, or ERR_PTR: -ENOENT it
 * is gone, -ESTALE it is going.
 */
struct npumem_memory *npumem_share_memory(struct npumem_share *share)
{
	struct npumem_memory *memory;

	rcu_read_lock();
	memory = rcu_dereference(share->memory);
	if (!memory)
		memory = ERR_PTR(-ENOENT);
	else if (!kref_get_unless_zero(&memory->ref))
		memory = ERR_PTR(-ESTALE);
	rcu_read_unlock();
	return memory;
}

/**
 * npumem_share_end() - the share's memory ends
 * @share: the share; the memory's reference is dropped
 *
 * Imports that wait for the whitelist fail at once.
 *
 * Context: process context, may sleep.
 */
void npumem_share_end(struct npumem_share *share)
{
	rhashtable_remove_fast(&npumem_shares, &share->node,
			       npumem_shares_params);
	RCU_INIT_POINTER(share->memory, NULL);
	wake_up_all(&share->wait);
	npumem_share_put(share);
}

static struct npumem_share *npumem_share_create(struct npumem_client *client,
						struct npumem_memory *memory,
						bool anyone)
{
	struct npumem_share *share;

	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (!share)
		return NULL;
	kref_init(&share->ref);
	RCU_INIT_POINTER(share->memory, memory);
	share->serial = memory->serial;
	share->exporter = get_pid(client->tgid);
	share->anyone = anyone;
	mutex_init(&share->lock);
	npumem_whitelist_init(share);
	init_waitqueue_head(&share->wait);
	return share;
}

/*
 * Give the share a number and make it the memory's. Two exports of a memory
 * may meet here: the first to set memory->share has it.
 */
static int npumem_share_publish(struct npumem_memory *memory,
				struct npumem_share *share)
{
	int ret;

	if (cmpxchg(&memory->share, NULL, share))
		return -EEXIST;
	do {
		do {
			share->token = get_random_u64();
		} while (!share->token);
		ret = rhashtable_lookup_insert_fast(&npumem_shares,
						    &share->node,
						    npumem_shares_params);
	} while (ret == -EEXIST);
	if (!ret)
		return 0;
	/* The table could not grow, by whatever name. */
	WRITE_ONCE(memory->share, NULL);
	return -ENOMEM;
}

int npumem_ioctl_export(struct npumem_call *call)
{
	struct npumem_export *arg = call->arg;
	struct npumem_memory *memory;
	struct npumem_share *share;
	bool imported;
	u32 device;
	int ret;

	if (arg->flags & ~NPUMEM_EXPORT_ANYONE)
		return -EINVAL;
	memory = npumem_handle_memory(call->client, arg->handle, &device,
				      &imported);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	ret = -EREMOTE;
	if (imported)
		goto out;
	ret = -EOPNOTSUPP;
	if (memory->device->is_virtual)
		goto out;
	ret = -ENODEV;
	if (READ_ONCE(memory->device->gone))
		goto out;

	ret = -ENOMEM;
	share = npumem_share_create(call->client, memory,
				    arg->flags & NPUMEM_EXPORT_ANYONE);
	if (!share)
		goto out;
	ret = npumem_share_publish(memory, share);
	if (ret) {
		npumem_share_put(share);
		goto out;
	}
	arg->token = share->token;
	ret = npumem_respond(call);
	if (ret) {
		/* Nobody was told the token. */
		WRITE_ONCE(memory->share, NULL);
		npumem_share_end(share);
		goto out;
	}
	trace_npumem_export(memory, share->anyone);
out:
	npumem_memory_put(memory);
	return ret;
}

int npumem_ioctl_share_info(struct npumem_call *call)
{
	struct npumem_share_info *arg = call->arg;
	struct npumem_memory *memory;
	struct npumem_share *share;

	share = npumem_share_get(arg->token);
	if (!share)
		return -ENOENT;
	memory = npumem_share_memory(share);
	if (IS_ERR(memory)) {
		npumem_share_put(share);
		return -ENOENT;
	}
	arg->flags = share->anyone ? NPUMEM_EXPORT_ANYONE : 0;
	arg->exporter = pid_nr(share->exporter);
	arg->device = memory->device->id;
	npumem_memory_put(memory);
	npumem_share_put(share);
	return npumem_respond(call);
}
