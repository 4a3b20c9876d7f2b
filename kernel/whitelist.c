// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whitelists: the processes that may import a share. Entries are processes
 * (struct pid), not numbers: one that has exited never matches again, and the
 * next owner of its number takes its slot.
 *
 * Lists are long and their numbers close together, so what is looked up is looked
 * up for many: slots are in blocks, and the kernel's tree of numbers is gone
 * through node by node.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/radix-tree.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

#define NPUMEM_BLOCK_SHIFT	6
#define NPUMEM_BLOCK_SLOTS	BIT(NPUMEM_BLOCK_SHIFT)

/**
 * struct npumem_block - the slots of as many numbers that follow each other
 * @pids: processes, each with a reference; pending ones are marked. Changed
 *        under the share's lock, and compared under RCU
 * @rcu: frees it when no slot is taken. Who still compares has a process in hand,
 *       and no word of this is the address of one
 */
struct npumem_block {
	union {
		struct pid *pids[NPUMEM_BLOCK_SLOTS];
		struct rcu_head rcu;
	};
};

/*
 * The mark of a process that is not let in yet, nor counted, but has its place: it
 * makes the pointer that of no process.
 */
#define NPUMEM_PENDING		1UL

static struct pid *npumem_pid_mark(struct pid *pid)
{
	return (struct pid *)((unsigned long)pid | NPUMEM_PENDING);
}

static struct pid *npumem_pid_unmark(struct pid *pid)
{
	return (struct pid *)((unsigned long)pid & ~NPUMEM_PENDING);
}

static bool npumem_pid_pending(struct pid *pid)
{
	return (unsigned long)pid & NPUMEM_PENDING;
}

void npumem_whitelist_init(struct npumem_share *share)
{
	xa_init_flags(&share->whitelist, XA_FLAGS_ACCOUNT);
}

void npumem_whitelist_destroy(struct npumem_share *share)
{
	struct npumem_block *block;
	unsigned long index;
	unsigned int i;

	xa_for_each(&share->whitelist, index, block) {
		for (i = 0; i < NPUMEM_BLOCK_SLOTS; i++)
			put_pid(block->pids[i]);
		kfree(block);
		cond_resched();
	}
	npumem_uncharge(&share->payer, NPUMEM_ENTRIES, share->nr_pids);
	xa_destroy(&share->whitelist);
}

/**
 * npumem_whitelist_has() - may a process import the share?
 * @share: the share
 * @tgid: the process
 *
 * Context: any. The entry is compared, not followed, so it needs no
 * reference.
 */
bool npumem_whitelist_has(struct npumem_share *share, struct pid *tgid)
{
	unsigned long nr = pid_nr(tgid);
	struct npumem_block *block;
	bool has;

	rcu_read_lock();
	block = xa_load(&share->whitelist, nr >> NPUMEM_BLOCK_SHIFT);
	has = block &&
	      READ_ONCE(block->pids[nr % NPUMEM_BLOCK_SLOTS]) == tgid;
	rcu_read_unlock();
	return has;
}

static bool npumem_pid_alive_rcu(struct pid *pid)
{
	struct task_struct *leader = pid_task(pid, PIDTYPE_TGID);

	return leader && atomic_read(&leader->signal->live) > 0;
}

/**
 * npumem_pid_alive() - does any thread of the process still run?
 * @pid: the process
 *
 * Context: any.
 */
bool npumem_pid_alive(struct pid *pid)
{
	bool alive;

	rcu_read_lock();
	alive = npumem_pid_alive_rcu(pid);
	rcu_read_unlock();
	return alive;
}

/* So many are looked up without a break. */
#define NPUMEM_PIDS_BATCH	32

/*
 * Live processes by their numbers in the initial namespace, each with a reference,
 * or NULL. What find_pid_ns() would look up from the root for each number is in the
 * node where the one before was, as a rule.
 */
static void npumem_find_processes(const s32 *numbers, unsigned int count,
				  struct pid **pids)
{
	const struct idr *idr = &init_pid_ns.idr;
	struct radix_tree_iter iter = { .next_index = 0 };
	void __rcu **slot = NULL;
	unsigned long index;
	struct pid *pid;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < count; i++) {
		pids[i] = NULL;
		if (numbers[i] <= 0)
			continue;
		index = numbers[i] - idr->idr_base;
		if (!slot || index < iter.index || index >= iter.next_index)
			slot = radix_tree_iter_lookup(&idr->idr_rt, &iter,
						      index);
		if (!slot)
			continue;
		pid = radix_tree_deref_slot(slot + (index - iter.index));
		/* The tree has been changed so that it has to be looked for anew. */
		pid = radix_tree_deref_retry(pid) ?
		      find_pid_ns(numbers[i], &init_pid_ns) : pid;
		if (pid && npumem_pid_alive_rcu(pid))
			pids[i] = get_pid(pid);
	}
	rcu_read_unlock();
}

/* Drop the entries of processes that have exited, and those that are pending. */
static bool npumem_block_prune_locked(struct npumem_share *share,
				      struct npumem_block *block)
{
	unsigned int i, dead = 0;
	bool empty = true;

	lockdep_assert_held(&share->lock);
	for (i = 0; i < NPUMEM_BLOCK_SLOTS; i++) {
		struct pid *pid = block->pids[i];
		bool pending = npumem_pid_pending(pid);

		if (!pid)
			continue;
		if (!pending && npumem_pid_alive(pid)) {
			empty = false;
			continue;
		}
		WRITE_ONCE(block->pids[i], NULL);
		put_pid(npumem_pid_unmark(pid));
		dead += !pending;
	}
	if (dead) {
		share->nr_pids -= dead;
		npumem_uncharge(&share->payer, NPUMEM_ENTRIES, dead);
	}
	return empty;
}

static void npumem_whitelist_prune_locked(struct npumem_share *share)
{
	struct npumem_block *block;
	unsigned long index;

	lockdep_assert_held(&share->lock);
	xa_for_each(&share->whitelist, index, block) {
		if (npumem_block_prune_locked(share, block)) {
			xa_erase(&share->whitelist, index);
			kfree_rcu(block, rcu);
		}
		cond_resched();
	}
}

/**
 * npumem_whitelist_prune() - drop the entries of processes that have exited
 * @share: the share
 *
 * Not if the whitelist is being added to: that may be for as long as the
 * caller likes, who keeps his answer from being stored.
 *
 * Context: process context, may sleep.
 */
void npumem_whitelist_prune(struct npumem_share *share)
{
	if (!mutex_trylock(&share->lock))
		return;
	npumem_whitelist_prune_locked(share);
	mutex_unlock(&share->lock);
}

/* The block of that index, a new one if there is none, or NULL. */
static struct npumem_block *npumem_block_get_locked(struct npumem_share *share,
						    unsigned long index)
{
	struct npumem_block *block;

	lockdep_assert_held(&share->lock);
	block = xa_load(&share->whitelist, index);
	if (block)
		return block;
	block = kzalloc(sizeof(*block), GFP_KERNEL_ACCOUNT);
	if (!block)
		return NULL;
	if (xa_err(xa_store(&share->whitelist, index, block,
			    GFP_KERNEL_ACCOUNT))) {
		kfree(block);
		return NULL;
	}
	return block;
}

/**
 * struct npumem_entrants - a list of processes to be let in
 * @numbers: of theirs, in the initial namespace
 * @count: elements of @numbers
 * @found: how many of them are live processes
 * @fresh: how many of these are pending: not in yet, nor twice in the list
 * @index: of @block
 * @block: where the last one was looked for, or NULL
 */
struct npumem_entrants {
	s32 *numbers;
	u32 count;
	u32 found;
	u32 fresh;
	unsigned long index;
	struct npumem_block *block;
};

/* Make a process pending, unless it is, or is in. Takes the reference. */
static int npumem_entrant_place_locked(struct npumem_share *share,
				       struct npumem_entrants *entrants,
				       struct pid *pid)
{
	unsigned long nr = pid_nr(pid);
	struct pid **slot, *old;

	lockdep_assert_held(&share->lock);
	if (!entrants->block || nr >> NPUMEM_BLOCK_SHIFT != entrants->index) {
		entrants->index = nr >> NPUMEM_BLOCK_SHIFT;
		entrants->block = npumem_block_get_locked(share,
							  entrants->index);
		if (!entrants->block) {
			put_pid(pid);
			return -ENOMEM;
		}
	}
	slot = &entrants->block->pids[nr % NPUMEM_BLOCK_SLOTS];
	old = *slot;
	if (npumem_pid_unmark(old) == pid) {
		put_pid(pid);
		return 0;
	}
	/* Who had the number before has exited, maybe since this list began. */
	if (npumem_pid_pending(old)) {
		entrants->fresh--;
		put_pid(npumem_pid_unmark(old));
	} else if (old) {
		share->nr_pids--;
		npumem_uncharge(&share->payer, NPUMEM_ENTRIES, 1);
		put_pid(old);
	}
	WRITE_ONCE(*slot, npumem_pid_mark(pid));
	entrants->fresh++;
	return 0;
}

/*
 * Give all processes of the list a place, and charge for those that are new, so that
 * letting them in cannot fail half-way. After a failure some are pending, and the
 * whitelist is to be pruned.
 */
static int npumem_entrants_place_locked(struct npumem_share *share,
					struct npumem_entrants *entrants)
{
	struct pid *pids[NPUMEM_PIDS_BATCH];
	u32 i, j, some;
	int ret = 0;

	lockdep_assert_held(&share->lock);
	entrants->found = 0;
	entrants->fresh = 0;
	entrants->block = NULL;
	for (i = 0; i < entrants->count; i += some) {
		some = min_t(u32, entrants->count - i, NPUMEM_PIDS_BATCH);
		npumem_find_processes(entrants->numbers + i, some, pids);
		for (j = 0; j < some; j++) {
			if (!pids[j])
				continue;
			entrants->found++;
			ret = npumem_entrant_place_locked(share, entrants,
							  pids[j]) ?: ret;
		}
		if (ret)
			return ret;
		cond_resched();
	}
	if (!entrants->found)
		return -ESRCH;
	/* Those that are in already need no room, whatever the limits are by now. */
	if (entrants->fresh && share->nr_pids + entrants->fresh >
			       READ_ONCE(npumem_max_whitelist))
		return -ENOSPC;
	return npumem_charge(&share->payer, NPUMEM_ENTRIES, entrants->fresh);
}

/* Those that have a place are let in. */
static void npumem_entrants_admit_locked(struct npumem_share *share,
					 const struct npumem_entrants *entrants)
{
	struct npumem_block *block = NULL;
	unsigned long nr, index = ULONG_MAX;
	struct pid **slot;
	u32 i;

	lockdep_assert_held(&share->lock);
	for (i = 0; i < entrants->count; i++) {
		nr = (u32)entrants->numbers[i];
		if (nr >> NPUMEM_BLOCK_SHIFT != index) {
			index = nr >> NPUMEM_BLOCK_SHIFT;
			block = xa_load(&share->whitelist, index);
			cond_resched();
		}
		if (!block)
			continue;
		slot = &block->pids[nr % NPUMEM_BLOCK_SLOTS];
		if (npumem_pid_pending(*slot))
			WRITE_ONCE(*slot, npumem_pid_unmark(*slot));
	}
	share->nr_pids += entrants->fresh;
}

/* The caller is told before the processes are in, which cannot fail then. */
static int npumem_whitelist_add(struct npumem_call *call,
				struct npumem_share *share,
				struct npumem_entrants *entrants)
{
	struct npumem_whitelist_add *arg = call->arg;
	int ret;

	if (mutex_lock_killable(&share->lock))
		return -EINTR;
	ret = npumem_entrants_place_locked(share, entrants);
	if (ret == -ENOSPC || ret == -EMFILE || ret == -EDQUOT) {
		npumem_whitelist_prune_locked(share);
		ret = npumem_entrants_place_locked(share, entrants);
	}
	if (!ret) {
		arg->added = entrants->found;
		ret = npumem_respond(call);
		if (ret)
			npumem_uncharge(&share->payer, NPUMEM_ENTRIES,
					entrants->fresh);
	}
	if (!ret)
		npumem_entrants_admit_locked(share, entrants);
	else if (entrants->fresh)
		npumem_whitelist_prune_locked(share);
	mutex_unlock(&share->lock);
	if (!ret)
		wake_up_all(&share->wait);
	return ret;
}

static int npumem_whitelist_call(struct npumem_call *call,
				 struct npumem_share *share)
{
	struct npumem_whitelist_add *arg = call->arg;
	struct npumem_entrants entrants = { .count = arg->count };
	int ret;

	if (share->exporter != call->client->tgid)
		return -EREMOTE;
	if (share->anyone)
		return -EPERM;
	entrants.numbers = npumem_read_list(arg->pids, arg->count,
					    sizeof(*entrants.numbers));
	if (IS_ERR(entrants.numbers))
		return PTR_ERR(entrants.numbers);
	ret = npumem_whitelist_add(call, share, &entrants);
	kvfree(entrants.numbers);
	if (!ret)
		trace_npumem_whitelist(share, arg->added);
	return ret;
}

int npumem_ioctl_whitelist_add(struct npumem_call *call)
{
	struct npumem_whitelist_add *arg = call->arg;
	struct npumem_share *share;
	int ret;

	if (arg->__reserved || !arg->count || arg->count > NPUMEM_WHITELIST_MAX)
		return -EINVAL;
	share = npumem_share_get(arg->token);
	if (!share)
		return -ENOENT;
	ret = npumem_whitelist_call(call, share);
	npumem_share_put(share);
	return ret;
}
