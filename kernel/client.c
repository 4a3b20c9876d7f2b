// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: one opened file of one process, from open() to the end of the
 * process's address space.
 *
 * The file may outlive its process, in a forked child or in a socket, and the
 * address space may outlive the file, by the reservations mapped in it. What
 * ends a client's possessions is the end of the address space, which an mmu
 * notifier tells; the last close frees the shell.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pseudo_fs.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "internal.h"
#include "trace.h"

#define NPUMEM_FS_MAGIC		0x6e70756d	/* "npum" */

/* Guards npumem_clients; a client in the list is not freed meanwhile. */
DEFINE_MUTEX(npumem_clients_lock);
LIST_HEAD(npumem_clients);

/* Clients that are not freed yet, those after their last close included. */
static atomic_t npumem_nr_clients = ATOMIC_INIT(0);

/* Home of the clients' inodes; nobody else ever sees it. */
static struct vfsmount *npumem_mount;

static int npumem_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, NPUMEM_FS_MAGIC) ? 0 : -ENOMEM;
}

/* Without an owner: its only mount, ours, would hold the module for ever. */
static struct file_system_type npumem_fs = {
	.name = "npumem",
	.init_fs_context = npumem_init_fs_context,
	.kill_sb = kill_anon_super,
};

int npumem_clients_init(void)
{
	int ret;

	ret = npumem_handles_init();
	if (ret)
		return ret;
	ret = npumem_mappings_init();
	if (ret)
		goto err_handles;
	npumem_mount = kern_mount(&npumem_fs);
	if (!IS_ERR(npumem_mount))
		return 0;
	ret = PTR_ERR(npumem_mount);
	npumem_mappings_exit();
err_handles:
	npumem_handles_exit();
	return ret;
}

void npumem_clients_exit(void)
{
	WARN_ON(!list_empty(&npumem_clients));
	/*
	 * The notifiers' last callbacks run code of this module: see to it that
	 * they have begun, by the count, and have ended, by the grace period.
	 */
	wait_var_event(&npumem_nr_clients, !atomic_read(&npumem_nr_clients));
	mmu_notifier_synchronize();
	kern_unmount(npumem_mount);
	npumem_mappings_exit();
	npumem_handles_exit();
}

/*
 * Drop all that the client holds. Comes from the end of the address space and
 * from the last close, in either order or at once: each thing is taken off
 * its list under a lock, so that it is dropped once.
 */
static void npumem_client_reclaim(struct npumem_client *client)
{
	trace_npumem_reclaim(client);
	npumem_mappings_drop(client, 0, ULONG_MAX);
	npumem_handles_drop_all(client, -1);
	npumem_peers_drop(client, -1);
}

static void npumem_client_mm_release(struct mmu_notifier *notifier,
				     struct mm_struct *mm)
{
	npumem_client_reclaim(container_of(notifier, struct npumem_client,
					   notifier));
}

/*
 * After the last close and a grace period, with bottom halves off. The mm is
 * let go by the caller.
 */
static void npumem_client_free(struct mmu_notifier *notifier)
{
	struct npumem_client *client = container_of(notifier,
						    struct npumem_client,
						    notifier);

	WARN_ON(!xa_empty(&client->handles));
	WARN_ON(!RB_EMPTY_ROOT(&client->spans.rb_root));
	WARN_ON(!RB_EMPTY_ROOT(&client->reservations.rb_root));
	xa_destroy(&client->handles);
	xa_destroy(&client->peers);
	put_pid(client->tgid);
	npumem_payer_put(&client->payer);
	kfree(client);
	if (atomic_dec_and_test(&npumem_nr_clients))
		wake_up_var(&npumem_nr_clients);
}

static const struct mmu_notifier_ops npumem_notifier_ops = {
	.release = npumem_client_mm_release,
	.free_notifier = npumem_client_free,
};

int npumem_client_open(struct inode *inode, struct file *file)
{
	struct npumem_client *client;
	int ret;

	if (!current->mm)
		return -EINVAL;
	/* Rights to memory are the whitelist's business, not half a node's. */
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;

	ret = npumem_payer_init(&client->payer);
	if (ret)
		goto err_free;
	ret = npumem_charge(&client->payer, NPUMEM_CLIENTS, 1);
	if (ret) {
		/* EMFILE is what the kernel says of a process's descriptors. */
		if (ret == -EMFILE)
			ret = -EUSERS;
		goto err_payer;
	}

	client->mm = current->mm;
	client->huge = READ_ONCE(npumem_pmd_entries) &&
		       IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
		       PMD_SIZE == NPUMEM_CHUNK_SIZE;
	do {
		client->handle_tag = get_random_u32();
	} while (!client->handle_tag);
	mutex_init(&client->handle_lock);
	xa_init_flags(&client->handles, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	client->by_memory = RB_ROOT;
	xa_init_flags(&client->peers, XA_FLAGS_ACCOUNT);
	init_rwsem(&client->map_lock);
	client->reservations = RB_ROOT_CACHED;
	client->spans = RB_ROOT_CACHED;

	client->inode = alloc_anon_inode(npumem_mount->mnt_sb);
	if (IS_ERR(client->inode)) {
		ret = PTR_ERR(client->inode);
		goto err_charge;
	}
	client->tgid = get_task_pid(current, PIDTYPE_TGID);
	client->notifier.ops = &npumem_notifier_ops;
	ret = mmu_notifier_register(&client->notifier, client->mm);
	if (ret) {
		/* It gives up at any signal; nothing has happened, so again. */
		if (ret == -EINTR)
			ret = -ERESTARTSYS;
		goto err_inode;
	}

	atomic_inc(&npumem_nr_clients);
	file->private_data = client;
	file->f_mapping = client->inode->i_mapping;
	mutex_lock(&npumem_clients_lock);
	list_add_tail(&client->node, &npumem_clients);
	mutex_unlock(&npumem_clients_lock);
	return nonseekable_open(inode, file);

err_inode:
	put_pid(client->tgid);
	iput(client->inode);
err_charge:
	npumem_uncharge(&client->payer, NPUMEM_CLIENTS, 1);
err_payer:
	npumem_payer_put(&client->payer);
err_free:
	kfree(client);
	return ret;
}

/* The last close. Each VMA holds the file, so there are none left. */
int npumem_client_release(struct inode *inode, struct file *file)
{
	struct npumem_client *client = file->private_data;

	mutex_lock(&npumem_clients_lock);
	list_del(&client->node);
	mutex_unlock(&npumem_clients_lock);
	npumem_client_reclaim(client);
	xa_release(&client->handles, client->kept_handle);
	npumem_uncharge(&client->payer, NPUMEM_CLIENTS, 1);
	iput(client->inode);
	mmu_notifier_put(&client->notifier);
	return 0;
}

/**
 * npumem_client_is_mine() - may the caller use this client?
 * @client: of the descriptor at hand
 *
 * A descriptor can be inherited, passed on and kept across exec(); the right
 * to use it cannot.
 */
bool npumem_client_is_mine(const struct npumem_client *client)
{
	return client->tgid == task_tgid(current) && client->mm == current->mm;
}

void npumem_client_stats(struct npumem_client *client,
			 struct npumem_stats *stats)
{
	mutex_lock(&client->handle_lock);
	stats->handles = client->nr_handles;
	stats->imports = client->nr_imports;
	mutex_unlock(&client->handle_lock);

	down_read(&client->map_lock);
	stats->reservations = client->nr_reservations;
	stats->mappings = client->nr_mappings;
	stats->reserved_bytes = client->reserved;
	stats->mapped_bytes = client->mapped;
	up_read(&client->map_lock);

	stats->faults = atomic_long_read(&client->faults);
	stats->pmd_entries = atomic_long_read(&client->pmd_entries);
	stats->pte_entries = atomic_long_read(&client->pte_entries);
	stats->refused_imports = atomic_long_read(&client->refused);
	stats->pud_entries = atomic_long_read(&client->pud_entries);
}

int npumem_ioctl_stats(struct npumem_call *call)
{
	struct npumem_stats *arg = call->arg;

	if (arg->__reserved)
		return -EINVAL;
	npumem_client_stats(call->client, arg);
	return npumem_respond(call);
}

int npumem_ioctl_reset(struct npumem_call *call)
{
	struct npumem_reset *arg = call->arg;
	LIST_HEAD(dying);

	if (arg->device >= npumem_device_count())
		return -ENXIO;
	if (mmap_write_lock_killable(call->client->mm))
		return -EINTR;
	npumem_mappings_take(call->client, 0, ULONG_MAX, arg->device, &dying);
	mmap_write_unlock(call->client->mm);
	npumem_mappings_free(&dying);
	npumem_handles_drop_all(call->client, arg->device);
	npumem_peers_drop(call->client, arg->device);
	return 0;
}

void npumem_client_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct npumem_client *client = file->private_data;
	struct npumem_stats stats;

	npumem_client_stats(client, &stats);
	seq_printf(m, "npumem-pid:\t%d\n",
		   pid_nr_ns(client->tgid, task_active_pid_ns(current)));
	seq_printf(m, "npumem-handles:\t%llu\n", stats.handles);
	seq_printf(m, "npumem-imports:\t%llu\n", stats.imports);
	seq_printf(m, "npumem-reservations:\t%llu\n", stats.reservations);
	seq_printf(m, "npumem-reserved:\t%llu\n", stats.reserved_bytes);
	seq_printf(m, "npumem-mappings:\t%llu\n", stats.mappings);
	seq_printf(m, "npumem-mapped:\t%llu\n", stats.mapped_bytes);
	seq_printf(m, "npumem-faults:\t%llu\n", stats.faults);
	seq_printf(m, "npumem-pud-entries:\t%llu\n", stats.pud_entries);
	seq_printf(m, "npumem-pmd-entries:\t%llu\n", stats.pmd_entries);
	seq_printf(m, "npumem-pte-entries:\t%llu\n", stats.pte_entries);
	seq_printf(m, "npumem-refused-imports:\t%llu\n",
		   stats.refused_imports);
}
