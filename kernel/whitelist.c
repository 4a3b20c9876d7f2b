// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whitelists: the processes that may import a share. Entries are processes
 * (struct pid), not numbers: one that has exited never matches again, and the
 * next owner of its number takes its slot.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

void npumem_whitelist_init(struct npumem_share *share)
{
	xa_init_flags(&share->whitelist, XA_FLAGS_ACCOUNT);
}

void npumem_whitelist_destroy(struct npumem_share *share)
{
	unsigned long nr;
	struct pid *pid;

	xa_for_each(&share->whitelist, nr, pid) {
		put_pid(pid);
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
	return xa_load(&share->whitelist, pid_nr(tgid)) == tgid;
}

/**
 * npumem_pid_alive() - does any thread of the process still run?
 * @pid: the process
 *
 * Context: any.
 */
bool npumem_pid_alive(struct pid *pid)
{
	struct task_struct *leader;
	bool alive;

	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	alive = leader && atomic_read(&leader->signal->live) > 0;
	rcu_read_unlock();
	return alive;
}

/* A live process by its number in the initial namespace, with a reference. */
static struct pid *npumem_find_process(s32 nr)
{
	struct pid *pid;

	if (nr <= 0)
		return NULL;
	rcu_read_lock();
	pid = get_pid(find_pid_ns(nr, &init_pid_ns));
	rcu_read_unlock();
	if (pid && !npumem_pid_alive(pid)) {
		put_pid(pid);
		pid = NULL;
	}
	return pid;
}

/* Drop the entries of processes that have exited. */
static void npumem_whitelist_prune_locked(struct npumem_share *share)
{
	unsigned long nr;
	struct pid *pid;

	lockdep_assert_held(&share->lock);
	xa_for_each(&share->whitelist, nr, pid) {
		if (!npumem_pid_alive(pid)) {
			xa_erase(&share->whitelist, nr);
			share->nr_pids--;
			npumem_uncharge(&share->payer, NPUMEM_ENTRIES, 1);
			put_pid(pid);
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

/* Is a number's slot neither taken nor reserved? */
static bool npumem_whitelist_vacant_locked(struct npumem_share *share, u32 nr)
{
	XA_STATE(xas, &share->whitelist, nr);
	bool vacant;

	lockdep_assert_held(&share->lock);
	rcu_read_lock();
	vacant = !xas_load(&xas);
	rcu_read_unlock();
	return vacant;
}

/* Give the slots that were reserved back. */
static void npumem_whitelist_unreserve_locked(struct npumem_share *share,
					      struct pid **pids, u32 count)
{
	lockdep_assert_held(&share->lock);
	while (count--) {
		if (pids[count])
			xa_release(&share->whitelist, pid_nr(pids[count]));
	}
}

/*
 * Make room for all of @pids, so that putting them in cannot fail half-way.
 * NULL elements are skipped. *@charged entries are charged for it. On failure the
 * whitelist is as it was.
 */
static int npumem_whitelist_reserve_locked(struct npumem_share *share,
					   struct pid **pids, u32 count,
					   u32 *charged)
{
	u32 i, fresh = 0;
	int ret = 0;

	lockdep_assert_held(&share->lock);
	for (i = 0; i < count; i++) {
		if (!pids[i])
			continue;
		/* A number may be given twice and takes one slot. */
		fresh += npumem_whitelist_vacant_locked(share,
							pid_nr(pids[i]));
		ret = xa_reserve(&share->whitelist, pid_nr(pids[i]),
				 GFP_KERNEL_ACCOUNT);
		if (ret)
			break;
	}
	/* Those that are in already need no room, whatever the limits are by now. */
	if (!ret && fresh &&
	    share->nr_pids + fresh > READ_ONCE(npumem_max_whitelist))
		ret = -ENOSPC;
	if (!ret)
		ret = npumem_charge(&share->payer, NPUMEM_ENTRIES, fresh);
	if (ret)
		npumem_whitelist_unreserve_locked(share, pids, i);
	*charged = fresh;
	return ret;
}

/* Put @pids in their slots; the references go to the whitelist. */
static void npumem_whitelist_store_locked(struct npumem_share *share,
					  struct pid **pids, u32 count)
{
	struct pid *old;
	u32 i;

	lockdep_assert_held(&share->lock);
	for (i = 0; i < count; i++) {
		if (!pids[i])
			continue;
		old = xa_store(&share->whitelist, pid_nr(pids[i]), pids[i],
			       GFP_KERNEL_ACCOUNT);
		WARN_ON_ONCE(xa_is_err(old));
		if (old)
			put_pid(old);
		else
			share->nr_pids++;
		pids[i] = NULL;
	}
}

/* The caller is told before the processes are in, which cannot fail then. */
static int npumem_whitelist_add(struct npumem_call *call,
				struct npumem_share *share, struct pid **pids,
				u32 count)
{
	u32 charged;
	int ret;

	if (mutex_lock_killable(&share->lock))
		return -EINTR;
	ret = npumem_whitelist_reserve_locked(share, pids, count, &charged);
	if (ret == -ENOSPC || ret == -EMFILE || ret == -EDQUOT) {
		npumem_whitelist_prune_locked(share);
		ret = npumem_whitelist_reserve_locked(share, pids, count,
						      &charged);
	}
	if (!ret) {
		ret = npumem_respond(call);
		if (ret) {
			npumem_uncharge(&share->payer, NPUMEM_ENTRIES, charged);
			npumem_whitelist_unreserve_locked(share, pids, count);
		} else {
			npumem_whitelist_store_locked(share, pids, count);
		}
	}
	mutex_unlock(&share->lock);
	if (!ret)
		wake_up_all(&share->wait);
	return ret;
}

/* Turn the caller's numbers into processes, NULL where there is none. */
static int npumem_read_pids(struct npumem_whitelist_add *arg,
			    struct pid **pids)
{
	s32 *numbers;
	u32 i;

	numbers = vmemdup_user(u64_to_user_ptr(arg->pids),
			       array_size(arg->count, sizeof(*numbers)));
	if (IS_ERR(numbers))
		return PTR_ERR(numbers);
	arg->added = 0;
	for (i = 0; i < arg->count; i++) {
		pids[i] = npumem_find_process(numbers[i]);
		arg->added += !!pids[i];
		cond_resched();
	}
	kvfree(numbers);
	return arg->added ? 0 : -ESRCH;
}

static int npumem_whitelist_call(struct npumem_call *call,
				 struct npumem_share *share)
{
	struct npumem_whitelist_add *arg = call->arg;
	struct pid **pids;
	int ret;
	u32 i;

	if (share->exporter != call->client->tgid)
		return -EREMOTE;
	if (share->anyone)
		return -EPERM;
	pids = kvcalloc(arg->count, sizeof(*pids), GFP_KERNEL_ACCOUNT);
	if (!pids)
		return -ENOMEM;
	ret = npumem_read_pids(arg, pids);
	if (!ret)
		ret = npumem_whitelist_add(call, share, pids, arg->count);
	for (i = 0; i < arg->count; i++)
		put_pid(pids[i]);
	kvfree(pids);
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
