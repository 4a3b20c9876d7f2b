// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whitelists: the processes that may import a share. Entries are processes
 * (struct pid), not numbers: one that has exited never matches again, and the
 * next owner of its number is another one, who finds no entry of his.
 *
 * They are looked up by their addresses, in a hash table with open addressing.
 * Numbers would be no help: those of processes with many threads each are far
 * from each other. Nor can anybody choose addresses so that they collide.
 */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/radix-tree.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

/**
 * struct npumem_pid_table - processes by their addresses
 * @rcu: frees it after those who found it have looked
 * @size: elements of @slots
 * @room: how many that are NULL may be taken yet: a quarter stays, so that each
 *        search comes to an end
 * @slots: processes, each with a reference, in the first place from its hash on
 *         that was not taken; pending ones are marked. A slot never becomes NULL
 *         again: the search for others goes on past it. Changed under the share's
 *         lock, and compared under RCU
 */
struct npumem_pid_table {
	struct rcu_head rcu;
	u32 size;
	u32 room;
	struct pid *slots[];
};

/*
 * The mark of a process that is not let in yet, nor counted, but has its place: it
 * makes the pointer that of no process.
 */
#define NPUMEM_PENDING		1UL

/* Who was in this slot was removed. */
#define NPUMEM_REMOVED		((struct pid *)NPUMEM_PENDING)

/* So many slots are gone through without a break. */
#define NPUMEM_SLOTS_BATCH	1024

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

/*
 * How many slots a table of @need processes has: a quarter stays empty, and an
 * eighth is for others to come in place of some that have exited, before there has
 * to be another table. With its header it has a power of two of bytes, which is
 * what it takes anyway.
 */
static u32 npumem_pid_table_size(u32 need)
{
	const size_t header = sizeof(struct npumem_pid_table);
	size_t slots = DIV_ROUND_UP(4 * ((size_t)need + need / 8), 3);

	return (roundup_pow_of_two(header + slots * sizeof(struct pid *)) -
		header) / sizeof(struct pid *);
}

/* The slot of a process, or, if it has none, the one that it could have. */
static u32 npumem_pid_table_find(const struct npumem_pid_table *table,
				 struct pid *pid)
{
	u32 slot = reciprocal_scale(hash_ptr(pid, 32), table->size);
	struct pid *entry;

	while ((entry = READ_ONCE(table->slots[slot]))) {
		if (npumem_pid_unmark(entry) == pid)
			break;
		if (++slot == table->size)
			slot = 0;
	}
	return slot;
}

static struct npumem_pid_table *
npumem_whitelist_locked(const struct npumem_share *share)
{
	return rcu_dereference_protected(share->whitelist,
					 lockdep_is_held(&share->lock));
}

/* The references to processes go from one table to the other by themselves. */
static void npumem_whitelist_replace_locked(struct npumem_share *share,
					    struct npumem_pid_table *table)
{
	struct npumem_pid_table *old = npumem_whitelist_locked(share);

	rcu_assign_pointer(share->whitelist, table);
	if (old)
		kvfree_rcu(old, rcu);
}

/**
 * npumem_whitelist_destroy() - the share that nobody has any more lets go of all
 * @share: the share
 *
 * Context: process context, may sleep.
 */
void npumem_whitelist_destroy(struct npumem_share *share)
{
	struct npumem_pid_table *table =
		rcu_dereference_protected(share->whitelist,
					  !kref_read(&share->ref));
	u32 i;

	for (i = 0; table && i < table->size; i++) {
		put_pid(npumem_pid_unmark(table->slots[i]));
		if (!(i % NPUMEM_SLOTS_BATCH))
			cond_resched();
	}
	kvfree(table);
	npumem_uncharge(&share->payer, NPUMEM_ENTRIES, share->nr_pids);
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
	struct npumem_pid_table *table;
	bool has = false;
	u32 slot;

	rcu_read_lock();
	table = rcu_dereference(share->whitelist);
	if (table) {
		slot = npumem_pid_table_find(table, tgid);
		has = READ_ONCE(table->slots[slot]) == tgid;
	}
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
 * Live processes by their numbers in the initial namespace, each with a reference:
 * how many there are. What find_pid_ns() would look up from the root for each number
 * is in the node where the one before was, if they are close together.
 */
static unsigned int npumem_find_processes(const s32 *numbers,
					  unsigned int count, struct pid **pids)
{
	const struct idr *idr = &init_pid_ns.idr;
	unsigned long index, last = 0;
	void __rcu **slot = NULL;
	struct pid *pid;
	unsigned int i, found = 0;

	rcu_read_lock();
	for (i = 0; i < count; i++) {
		if (numbers[i] <= 0)
			continue;
		index = numbers[i] - idr->idr_base;
		if (slot && !((index ^ last) >> RADIX_TREE_MAP_SHIFT))
			slot += (long)(index & RADIX_TREE_MAP_MASK) -
				(long)(last & RADIX_TREE_MAP_MASK);
		else
			slot = radix_tree_lookup_slot(&idr->idr_rt, index);
		last = index;
		if (!slot)
			continue;
		pid = radix_tree_deref_slot(slot);
		/* The tree has been changed so that it has to be looked for anew. */
		pid = radix_tree_deref_retry(pid) ?
		      find_pid_ns(numbers[i], &init_pid_ns) : pid;
		if (pid && npumem_pid_alive_rcu(pid))
			pids[found++] = get_pid(pid);
	}
	rcu_read_unlock();
	return found;
}

/* Those that are pending stay. */
static void npumem_whitelist_prune_locked(struct npumem_share *share)
{
	struct npumem_pid_table *table = npumem_whitelist_locked(share);
	u32 i, dead = 0, left = 0;

	for (i = 0; table && i < table->size; i++) {
		struct pid *pid = table->slots[i];

		if (!(i % NPUMEM_SLOTS_BATCH))
			cond_resched();
		if (!npumem_pid_unmark(pid))
			continue;
		if (npumem_pid_pending(pid) || npumem_pid_alive(pid)) {
			left++;
			continue;
		}
		WRITE_ONCE(table->slots[i], NPUMEM_REMOVED);
		put_pid(pid);
		dead++;
	}
	if (!left)
		npumem_whitelist_replace_locked(share, NULL);
	if (dead) {
		share->nr_pids -= dead;
		npumem_uncharge(&share->payer, NPUMEM_ENTRIES, dead);
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

/**
 * struct npumem_entrants - a list of processes to be let in
 * @numbers: of theirs, in the initial namespace, as far as they are not looked up
 * @slots: of those that are pending, @fresh of them. They take the place of
 *         numbers that were looked up, of which there are as many or more
 * @count: how many numbers there are
 * @found: how many of them are live processes
 * @fresh: how many of these are pending: not in yet, nor twice in the list
 */
struct npumem_entrants {
	union {
		s32 *numbers;
		u32 *slots;
	};
	u32 count;
	u32 found;
	u32 fresh;
};

/*
 * Another table, for as many as @need, without what is left of those who were removed.
 * Entrants that are pending have other slots from now on.
 */
static int npumem_whitelist_resize_locked(struct npumem_share *share,
					  struct npumem_entrants *entrants,
					  u32 need, gfp_t gfp)
{
	struct npumem_pid_table *old = npumem_whitelist_locked(share), *table;
	u32 i, slot, size = npumem_pid_table_size(need);
	struct pid *pid;

	table = kvzalloc(struct_size(table, slots, size), gfp);
	if (!table)
		return -ENOMEM;
	table->size = size;
	table->room = size * 3 / 4;
	entrants->fresh = 0;
	for (i = 0; old && i < old->size; i++) {
		if (!(i % NPUMEM_SLOTS_BATCH))
			cond_resched();
		pid = npumem_pid_unmark(old->slots[i]);
		if (!pid)
			continue;
		slot = npumem_pid_table_find(table, pid);
		table->slots[slot] = old->slots[i];
		table->room--;
		if (npumem_pid_pending(old->slots[i]))
			entrants->slots[entrants->fresh++] = slot;
	}
	npumem_whitelist_replace_locked(share, table);
	return 0;
}

/*
 * After a list that had fewer new processes than numbers, or was not let in: the
 * table need not be as large as it was made for that. It may be, if there is no
 * memory for another one; nobody is to be killed for it.
 */
static void npumem_whitelist_fit_locked(struct npumem_share *share,
					struct npumem_entrants *entrants)
{
	struct npumem_pid_table *table = npumem_whitelist_locked(share);

	if (!share->nr_pids)
		npumem_whitelist_replace_locked(share, NULL);
	else if (npumem_pid_table_size(share->nr_pids) < table->size)
		npumem_whitelist_resize_locked(share, entrants, share->nr_pids,
					       GFP_KERNEL_ACCOUNT |
					       __GFP_NOWARN | __GFP_NORETRY);
}

/*
 * How many a larger table is to be for, if so many are @left of the list. They may be
 * nobody, or in it twice, and a table that was too large for them is not free at
 * once: it is not to be much larger than what there is.
 */
static u32 npumem_whitelist_need_locked(const struct npumem_share *share,
					const struct npumem_entrants *entrants,
					u32 left)
{
	u32 there = share->nr_pids + entrants->fresh;

	lockdep_assert_held(&share->lock);
	return there + min(left, max_t(u32, 4 * there, NPUMEM_SLOTS_BATCH));
}

/*
 * Make a process pending, unless it is, or is in. Takes the reference. So many are
 * @left of the list, this one included.
 */
static int npumem_entrant_place_locked(struct npumem_share *share,
				       struct npumem_entrants *entrants,
				       struct pid *pid, u32 left)
{
	struct npumem_pid_table *table = npumem_whitelist_locked(share);
	u32 slot = table ? npumem_pid_table_find(table, pid) : 0;
	u32 need;
	int ret;

	if (table && table->slots[slot]) {
		put_pid(pid);
		return 0;
	}
	if (!table || !table->room) {
		need = npumem_whitelist_need_locked(share, entrants, left);
		ret = npumem_whitelist_resize_locked(share, entrants, need,
						     GFP_KERNEL_ACCOUNT |
						     __GFP_NOWARN);
		if (ret) {
			put_pid(pid);
			return ret;
		}
		table = npumem_whitelist_locked(share);
		slot = npumem_pid_table_find(table, pid);
	}
	WRITE_ONCE(table->slots[slot], npumem_pid_mark(pid));
	table->room--;
	entrants->slots[entrants->fresh++] = slot;
	return 0;
}

/*
 * Give all processes of the list a place, so that letting them in cannot fail
 * half-way. After a failure some may be pending.
 */
static int npumem_entrants_place_locked(struct npumem_share *share,
					struct npumem_entrants *entrants)
{
	struct pid *pids[NPUMEM_PIDS_BATCH];
	u32 i, j, some, found, left;
	int ret;

	for (i = 0; i < entrants->count; i += some) {
		left = entrants->count - i;
		some = min_t(u32, left, NPUMEM_PIDS_BATCH);
		found = npumem_find_processes(entrants->numbers + i, some, pids);
		for (j = 0; j < found; j++) {
			ret = npumem_entrant_place_locked(share, entrants,
							  pids[j], left - j);
			if (!ret)
				continue;
			while (++j < found)
				put_pid(pids[j]);
			return ret;
		}
		entrants->found += found;
		cond_resched();
	}
	return entrants->found ? 0 : -ESRCH;
}

/* Charge for those that are new. */
static int npumem_entrants_charge_locked(struct npumem_share *share,
					 const struct npumem_entrants *entrants)
{
	lockdep_assert_held(&share->lock);
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
	struct npumem_pid_table *table = npumem_whitelist_locked(share);
	struct pid **slot;
	u32 i;

	for (i = 0; i < entrants->fresh; i++) {
		slot = &table->slots[entrants->slots[i]];
		WRITE_ONCE(*slot, npumem_pid_unmark(*slot));
		if (!(i % NPUMEM_SLOTS_BATCH))
			cond_resched();
	}
	share->nr_pids += entrants->fresh;
}

/* Or they lose it. */
static void npumem_entrants_remove_locked(struct npumem_share *share,
					  const struct npumem_entrants *entrants)
{
	struct npumem_pid_table *table = npumem_whitelist_locked(share);
	struct pid **slot, *pid;
	u32 i;

	for (i = 0; i < entrants->fresh; i++) {
		slot = &table->slots[entrants->slots[i]];
		pid = npumem_pid_unmark(*slot);
		WRITE_ONCE(*slot, NPUMEM_REMOVED);
		put_pid(pid);
		if (!(i % NPUMEM_SLOTS_BATCH))
			cond_resched();
	}
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
	ret = npumem_entrants_place_locked(share, entrants) ?:
	      npumem_entrants_charge_locked(share, entrants);
	if (ret == -ENOSPC || ret == -EMFILE || ret == -EDQUOT) {
		npumem_whitelist_prune_locked(share);
		ret = npumem_entrants_charge_locked(share, entrants);
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
	else
		npumem_entrants_remove_locked(share, entrants);
	npumem_whitelist_fit_locked(share, entrants);
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
