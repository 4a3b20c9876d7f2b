// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: how much of what is limited a process has, in all the files that it
 * opened, and a user, in all processes. Who opens the node is charged for what
 * that client makes, until it is given back, whoever that is done by.
 *
 * Accounts are looked up when the node is opened, and counted from then on:
 * nothing but atomics is between unrelated processes afterwards. A share outlives
 * its exporter while others hold the memory, and so do the exporter's accounts.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "internal.h"

/**
 * struct npumem_account - what a process, or a user, has
 * @ref: held by clients and shares
 * @node: in the table of all accounts, while there are references
 * @tgid: the process, with a reference, or NULL
 * @uid: the user, or INVALID_UID
 * @used: of each resource
 */
struct npumem_account {
	refcount_t ref;
	struct hlist_node node;
	struct pid *tgid;
	kuid_t uid;
	atomic_long_t used[NPUMEM_RESOURCES];
};

/* Guards the table. Nothing else is locked inside. */
static DEFINE_SPINLOCK(npumem_accounts_lock);
static DEFINE_HASHTABLE(npumem_accounts, 8);

static const char *const npumem_resource_names[NPUMEM_RESOURCES] = {
	[NPUMEM_CLIENTS] = "clients",
	[NPUMEM_HANDLES] = "handles",
	[NPUMEM_RESERVATIONS] = "reservations",
	[NPUMEM_MAPPINGS] = "mappings",
	[NPUMEM_SHARES] = "shares",
	[NPUMEM_ENTRIES] = "entries",
};

static unsigned long npumem_account_key(const struct pid *tgid, kuid_t uid)
{
	return (unsigned long)tgid ^ __kuid_val(uid);
}

static struct npumem_account *npumem_account_find_locked(const struct pid *tgid,
							 kuid_t uid)
{
	struct npumem_account *account;

	lockdep_assert_held(&npumem_accounts_lock);
	hash_for_each_possible(npumem_accounts, account, node,
			       npumem_account_key(tgid, uid)) {
		if (account->tgid == tgid && uid_eq(account->uid, uid))
			return account;
	}
	return NULL;
}

/* The account of a process or of a user, with a reference, or NULL. */
static struct npumem_account *npumem_account_get(struct pid *tgid, kuid_t uid)
{
	struct npumem_account *account, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return NULL;
	refcount_set(&fresh->ref, 1);
	fresh->tgid = tgid;
	fresh->uid = uid;

	spin_lock(&npumem_accounts_lock);
	account = npumem_account_find_locked(tgid, uid);
	if (account) {
		refcount_inc(&account->ref);
	} else {
		get_pid(tgid);
		hash_add(npumem_accounts, &fresh->node,
			 npumem_account_key(tgid, uid));
	}
	spin_unlock(&npumem_accounts_lock);
	if (!account)
		return fresh;
	kfree(fresh);
	return account;
}

static void npumem_account_put(struct npumem_account *account)
{
	unsigned int resource;

	/*
	 * Those in the table have references: it goes with the last one. This
	 * is refcount_dec_and_lock(), which sparse cannot follow.
	 */
	if (refcount_dec_not_one(&account->ref))
		return;
	spin_lock(&npumem_accounts_lock);
	if (!refcount_dec_and_test(&account->ref)) {
		spin_unlock(&npumem_accounts_lock);
		return;
	}
	hash_del(&account->node);
	spin_unlock(&npumem_accounts_lock);
	for (resource = 0; resource < NPUMEM_RESOURCES; resource++)
		WARN_ON_ONCE(atomic_long_read(&account->used[resource]));
	put_pid(account->tgid);
	kfree(account);
}

/**
 * npumem_payer_init() - who pays for what the caller is going to have
 * @payer: filled with the accounts of the caller's process and user
 *
 * The user is the real one: a set-user-ID program is on the account of whoever
 * runs it. With CAP_SYS_RESOURCE in the initial user namespace the limits of a
 * user do not hold, so that no heap of processes of one's own keeps one from
 * putting things right; those of a process do, since they are about mistakes.
 *
 * Context: process context, sleeps.
 * Return: 0 or -ENOMEM.
 */
int npumem_payer_init(struct npumem_payer *payer)
{
	payer->exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	payer->process = npumem_account_get(task_tgid(current), INVALID_UID);
	if (!payer->process)
		return -ENOMEM;
	payer->user = npumem_account_get(NULL, current_uid());
	if (payer->user)
		return 0;
	npumem_account_put(payer->process);
	return -ENOMEM;
}

/**
 * npumem_payer_hold() - a copy that lives by itself
 * @payer: to be put like the original
 *
 * Context: any.
 */
struct npumem_payer npumem_payer_hold(const struct npumem_payer *payer)
{
	refcount_inc(&payer->process->ref);
	refcount_inc(&payer->user->ref);
	return *payer;
}

/**
 * npumem_payer_put() - let the accounts go
 * @payer: who owes nothing any more by this reference
 *
 * Context: any but interrupts.
 */
void npumem_payer_put(struct npumem_payer *payer)
{
	npumem_account_put(payer->process);
	npumem_account_put(payer->user);
}

static bool npumem_account_charge(struct npumem_account *account,
				  enum npumem_resource resource,
				  unsigned long count, unsigned int limit)
{
	long used = atomic_long_read(&account->used[resource]);

	/* What is refused is never seen by another one. */
	do {
		if (used + count > limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&account->used[resource], &used,
					  used + count));
	return true;
}

/**
 * npumem_charge() - count what somebody is about to have
 * @payer: who
 * @resource: what
 * @count: how many of it
 *
 * While a charge is refused for the user's sake another one of the process at
 * the same moment may be refused too, though it would have fitted.
 *
 * Context: any.
 * Return: 0, -EMFILE beyond the limit of a process, -EDQUOT beyond a user's.
 */
int npumem_charge(const struct npumem_payer *payer,
		  enum npumem_resource resource, unsigned long count)
{
	unsigned int limit = READ_ONCE(npumem_process_limits[resource]);

	/* A limit may be below what there is already. */
	if (!count)
		return 0;
	if (!npumem_account_charge(payer->process, resource, count, limit))
		return -EMFILE;
	limit = READ_ONCE(npumem_user_limits[resource]);
	if (payer->exempt)
		limit = UINT_MAX;
	if (npumem_account_charge(payer->user, resource, count, limit))
		return 0;
	atomic_long_sub(count, &payer->process->used[resource]);
	return -EDQUOT;
}

/**
 * npumem_charge_fits() - could one more be counted?
 * @payer: who
 * @resource: what
 *
 * For those who are about to do much before they know whether they may have
 * what comes out: npumem_charge() is asked all the same.
 *
 * Context: any.
 * Return: 0, or what charging one would have returned.
 */
int npumem_charge_fits(const struct npumem_payer *payer,
		       enum npumem_resource resource)
{
	if (atomic_long_read(&payer->process->used[resource]) >=
	    READ_ONCE(npumem_process_limits[resource]))
		return -EMFILE;
	if (!payer->exempt && atomic_long_read(&payer->user->used[resource]) >=
			      READ_ONCE(npumem_user_limits[resource]))
		return -EDQUOT;
	return 0;
}

/**
 * npumem_uncharge() - count what somebody has no more
 * @payer: as charged
 * @resource: as charged
 * @count: how many of it
 *
 * Context: any.
 */
void npumem_uncharge(const struct npumem_payer *payer,
		     enum npumem_resource resource, unsigned long count)
{
	atomic_long_t *process = &payer->process->used[resource];
	atomic_long_t *user = &payer->user->used[resource];

	WARN_ON_ONCE(atomic_long_sub_return(count, process) < 0);
	WARN_ON_ONCE(atomic_long_sub_return(count, user) < 0);
}

/**
 * npumem_accounts_show() - all accounts, for the administrator
 * @m: one line each
 *
 * Context: process context.
 */
void npumem_accounts_show(struct seq_file *m)
{
	struct npumem_account *account;
	unsigned int resource;
	int bucket;

	spin_lock(&npumem_accounts_lock);
	hash_for_each(npumem_accounts, bucket, account, node) {
		if (account->tgid)
			seq_printf(m, "process %d", pid_nr(account->tgid));
		else
			seq_printf(m, "user %u",
				   from_kuid(&init_user_ns, account->uid));
		for (resource = 0; resource < NPUMEM_RESOURCES; resource++)
			seq_printf(m, " %s %ld",
				   npumem_resource_names[resource],
				   atomic_long_read(&account->used[resource]));
		seq_putc(m, '\n');
		/* This is called again with a larger buffer. */
		if (seq_has_overflowed(m))
			break;
	}
	spin_unlock(&npumem_accounts_lock);
}

/* After clients and shares. */
void npumem_accounts_exit(void)
{
	WARN_ON(!hash_empty(npumem_accounts));
}
