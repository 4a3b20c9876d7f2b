// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares: the random numbers under which memories can be imported. A share
 * does not hold its memory; it ends with it, or when its exporter says so.
 */
#include <linux/compiler.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "trace.h"

/* Of the whole module. Lookups are under RCU, the table locks changes. */
static struct rhashtable npumem_shares;

/*
 * Tokens are secrets, and whoever opens the node may have any number looked up.
 * Where a number is looked for depends on a key that nobody knows, and it is
 * compared in one go: neither how long the chain is nor where two numbers first
 * differ tells anything about those that are in the table.
 */
static hsiphash_key_t npumem_shares_key;

static u32 npumem_share_hash(const void *token, u32 length, u32 seed)
{
	u64 number = *(const u64 *)token;

	return hsiphash_3u32(lower_32_bits(number), upper_32_bits(number), seed,
			     &npumem_shares_key);
}

/* 0 if it is the one. */
static int npumem_share_compare(struct rhashtable_compare_arg *arg,
				const void *entry)
{
	const struct npumem_share *share = entry;

	return share->token != *(const u64 *)arg->key;
}

/*
 * What lockdep knows share_lock by, which is a bit of each memory's flags: nobody
 * holds two of them.
 */
static struct lock_class_key npumem_share_lock_key;
static struct {
	struct lockdep_map dep_map;
} npumem_share_lock;

static int npumem_share_lock_killable(struct npumem_memory *memory)
{
	int ret;

	lock_map_acquire(&npumem_share_lock.dep_map);
	ret = wait_on_bit_lock(&memory->flags, NPUMEM_MEMORY_SHARE_LOCK,
			       TASK_KILLABLE);
	if (ret)
		lock_map_release(&npumem_share_lock.dep_map);
	return ret;
}

static void npumem_share_unlock(struct npumem_memory *memory)
{
	lock_map_release(&npumem_share_lock.dep_map);
	clear_and_wake_up_bit(NPUMEM_MEMORY_SHARE_LOCK, &memory->flags);
}

static const struct rhashtable_params npumem_shares_params = {
	.key_len = sizeof_field(struct npumem_share, token),
	.key_offset = offsetof(struct npumem_share, token),
	.head_offset = offsetof(struct npumem_share, node),
	.hashfn = npumem_share_hash,
	.obj_cmpfn = npumem_share_compare,
	.automatic_shrinking = true,
};

/*
 * Who was let in and has exited is not to be kept: with its number go, for as
 * long, its pid namespace and its charge to a cgroup, which are not those of
 * the one who let it in. No more than a fiftieth of a processor's time is
 * spent on that.
 */
#define NPUMEM_SWEEP_PERIOD	(5 * HZ)
#define NPUMEM_SWEEP_SHARE	50

static void npumem_shares_sweep(struct work_struct *work);
static DECLARE_DELAYED_WORK(npumem_sweeper, npumem_shares_sweep);

static void npumem_shares_sweep(struct work_struct *work)
{
	unsigned long start = jiffies;
	struct rhashtable_iter iter;
	struct npumem_share *share;

	rhashtable_walk_enter(&npumem_shares, &iter);
	rhashtable_walk_start(&iter);
	while ((share = rhashtable_walk_next(&iter))) {
		/* The table grows: some come twice. Or it goes just now. */
		if (IS_ERR(share) || !kref_get_unless_zero(&share->ref))
			continue;
		rhashtable_walk_stop(&iter);
		npumem_whitelist_prune(share);
		npumem_share_put(share);
		cond_resched();
		rhashtable_walk_start(&iter);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	/* An export may have asked for it meanwhile, and for sooner. */
	if (atomic_read(&npumem_shares.nelems))
		mod_delayed_work(system_dfl_wq, &npumem_sweeper,
				 max_t(unsigned long, NPUMEM_SWEEP_PERIOD,
				       (jiffies - start) * NPUMEM_SWEEP_SHARE));
}

int npumem_shares_init(void)
{
	lockdep_init_map(&npumem_share_lock.dep_map, "npumem_share_lock",
			 &npumem_share_lock_key, 0);
	get_random_bytes(&npumem_shares_key, sizeof(npumem_shares_key));
	return rhashtable_init(&npumem_shares, &npumem_shares_params);
}

void npumem_shares_exit(void)
{
	cancel_delayed_work_sync(&npumem_sweeper);
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
	npumem_uncharge(&share->payer, NPUMEM_SHARES, 1);
	npumem_payer_put(&share->payer);
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
 * npumem_share_end() - the share, or its memory, ends
 * @share: the share, which the memory has no more; its reference is dropped
 *
 * Imports that wait for the whitelist fail at once.
 *
 * Context: process context, may sleep.
 */
void npumem_share_end(struct npumem_share *share)
{
	/* It reads a bucket while others set the bit in it that is its lock. */
	data_race(rhashtable_remove_fast(&npumem_shares, &share->node,
					 npumem_shares_params));
	RCU_INIT_POINTER(share->memory, NULL);
	wake_up_all(&share->wait);
	npumem_share_put(share);
}

static struct npumem_share *npumem_share_create(struct npumem_client *client,
						struct npumem_memory *memory,
						bool anyone)
{
	struct npumem_share *share;
	int ret;

	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (!share)
		return ERR_PTR(-ENOMEM);
	ret = npumem_charge(&client->payer, NPUMEM_SHARES, 1);
	if (ret) {
		kfree(share);
		return ERR_PTR(ret);
	}
	share->payer = npumem_payer_hold(&client->payer);
	kref_init(&share->ref);
	RCU_INIT_POINTER(share->memory, memory);
	share->serial = memory->serial;
	share->exporter = get_pid(client->tgid);
	share->anyone = anyone;
	mutex_init(&share->lock);
	init_waitqueue_head(&share->wait);
	return share;
}

/* Give the share a number under which it is found from now on. */
static int npumem_share_publish(struct npumem_share *share)
{
	int ret;

	/* Right after boot there may be nothing yet to draw from. */
	if (wait_for_random_bytes())
		return -ERESTARTSYS;
	do {
		do {
			share->token = get_random_u64();
		} while (!share->token);
		/* As in npumem_share_end(). */
		ret = data_race(rhashtable_lookup_insert_fast(&npumem_shares,
							      &share->node,
							      npumem_shares_params));
	} while (ret == -EEXIST);
	/* The table could not grow, by whatever name. */
	return ret ? -ENOMEM : 0;
}

/* Make a share and make it the memory's. */
static struct npumem_share *
npumem_share_begin_locked(struct npumem_client *client,
			  struct npumem_memory *memory, bool anyone)
{
	struct npumem_share *share;
	int ret;

	lockdep_assert_held(&npumem_share_lock);
	share = npumem_share_create(client, memory, anyone);
	if (IS_ERR(share))
		return share;
	ret = npumem_share_publish(share);
	if (ret) {
		npumem_share_put(share);
		return ERR_PTR(ret);
	}
	WRITE_ONCE(memory->share, share);
	/* From now on it runs again and again while there are shares. */
	if (!delayed_work_pending(&npumem_sweeper))
		queue_delayed_work(system_dfl_wq, &npumem_sweeper,
				   NPUMEM_SWEEP_PERIOD);
	return share;
}

static void npumem_share_end_locked(struct npumem_memory *memory)
{
	struct npumem_share *share = memory->share;

	lockdep_assert_held(&npumem_share_lock);
	WRITE_ONCE(memory->share, NULL);
	npumem_share_end(share);
}

/* May the share be exported in this way too? */
static int npumem_share_check(const struct npumem_share *share, u32 flags)
{
	if (share->plain && !(flags & NPUMEM_EXPORT_KEY))
		return -EEXIST;
	if (share->anyone != !!(flags & NPUMEM_EXPORT_ANYONE))
		return -EBUSY;
	return 0;
}

/*
 * The lock is held until the caller has been told: of two exports that meet,
 * the second finds what the first one left, a share that somebody knows or
 * none.
 */
static int npumem_share_export_locked(struct npumem_call *call,
				      struct npumem_memory *memory)
{
	struct npumem_export *arg = call->arg;
	struct npumem_share *share = memory->share;
	bool begun = !share;
	bool *door;
	bool was;
	int ret;

	lockdep_assert_held(&npumem_share_lock);
	if (begun) {
		share = npumem_share_begin_locked(call->client, memory,
						  arg->flags &
						  NPUMEM_EXPORT_ANYONE);
		if (IS_ERR(share))
			return PTR_ERR(share);
	} else {
		ret = npumem_share_check(share, arg->flags);
		if (ret)
			return ret;
	}
	/* Open before anybody can know the token. */
	door = arg->flags & NPUMEM_EXPORT_KEY ? &share->key : &share->plain;
	was = *door;
	WRITE_ONCE(*door, true);
	arg->token = share->token;
	ret = npumem_respond(call);
	if (!ret) {
		trace_npumem_export(memory, arg->flags);
		return 0;
	}
	if (begun)
		npumem_share_end_locked(memory);
	else
		WRITE_ONCE(*door, was);
	return ret;
}

int npumem_ioctl_export(struct npumem_call *call)
{
	struct npumem_export *arg = call->arg;
	struct npumem_memory *memory;
	bool imported;
	u32 device;
	int ret;

	if (arg->flags & ~(NPUMEM_EXPORT_ANYONE | NPUMEM_EXPORT_KEY))
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
	ret = -EINTR;
	if (npumem_share_lock_killable(memory))
		goto out;
	ret = npumem_share_export_locked(call, memory);
	npumem_share_unlock(memory);
out:
	npumem_memory_put(memory);
	return ret;
}

/* End this share, unless it has ended since it was found. */
static int npumem_share_unexport(struct npumem_share *share)
{
	struct npumem_memory *memory;
	int ret = -ENOENT;

	memory = npumem_share_memory(share);
	if (IS_ERR(memory))
		return -ENOENT;
	if (npumem_share_lock_killable(memory)) {
		npumem_memory_put(memory);
		return -EINTR;
	}
	if (memory->share == share) {
		npumem_share_end_locked(memory);
		trace_npumem_unexport(memory);
		ret = 0;
	}
	npumem_share_unlock(memory);
	npumem_memory_put(memory);
	return ret;
}

int npumem_ioctl_unexport(struct npumem_call *call)
{
	struct npumem_unexport *arg = call->arg;
	struct npumem_share *share;
	int ret = -EREMOTE;

	if (arg->__reserved)
		return -EINVAL;
	share = npumem_share_get(arg->token);
	if (!share)
		return -ENOENT;
	if (share->exporter == call->client->tgid)
		ret = npumem_share_unexport(share);
	npumem_share_put(share);
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
	arg->flags = (share->anyone ? NPUMEM_EXPORT_ANYONE : 0) |
		     (READ_ONCE(share->key) ? NPUMEM_EXPORT_KEY : 0);
	/* After exec() it is the same process, and may still let others in. */
	arg->exporter = npumem_pid_alive(share->exporter) ?
			pid_nr(share->exporter) : 0;
	arg->device = npumem_device_number(memory->device->id);
	npumem_memory_put(memory);
	npumem_share_put(share);
	return npumem_respond(call);
}
