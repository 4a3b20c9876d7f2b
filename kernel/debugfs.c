// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: who holds, imported and maps which memory, for root. Memories go by
 * serial number; tokens and physical addresses are nobody's business.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "internal.h"

static struct dentry *npumem_debugfs;

#define NPUMEM_DEVICE_TEXT	11

static const char *npumem_device_text(char *text, u32 id)
{
	if (id == NPUMEM_HOST)
		return "host";
	snprintf(text, NPUMEM_DEVICE_TEXT, "%u", id);
	return text;
}

static void npumem_show_handles(struct seq_file *m,
				struct npumem_client *client)
{
	char device[NPUMEM_DEVICE_TEXT], owner[NPUMEM_DEVICE_TEXT];
	struct npumem_handle *handle;
	unsigned long id;

	mutex_lock(&client->handle_lock);
	xa_for_each(&client->handles, id, handle) {
		struct npumem_memory *memory = handle->memory;

		seq_printf(m, "  handle %lu memory %llu bytes %llu device %s owner-device %s references %u%s%s\n",
			   id, memory->serial, npumem_memory_length(memory),
			   npumem_device_text(device, handle->device),
			   npumem_device_text(owner, memory->device->id),
			   handle->references,
			   READ_ONCE(memory->share) ? " exported" : "",
			   handle->imported ? " imported" : "");
		if (seq_has_overflowed(m))
			break;
	}
	mutex_unlock(&client->handle_lock);
}

static void npumem_show_mappings(struct seq_file *m,
				 struct npumem_client *client)
{
	char device[NPUMEM_DEVICE_TEXT];
	struct npumem_span *span;

	down_read(&client->map_lock);
	for (span = npumem_span_first(client, 0, ULONG_MAX); span;
	     span = npumem_span_next(span, ULONG_MAX)) {
		seq_printf(m, "  span 0x%lx-0x%lx memory %llu device %s cpu %c%c\n",
			   span->it.start, span->it.last + 1,
			   span->mapping->memory->serial,
			   npumem_device_text(device, span->mapping->device),
			   npumem_span_cpu_reads(span) ? 'r' : '-',
			   npumem_span_cpu_writes(span) ? 'w' : '-');
		/* This is called again with a larger buffer. */
		if (seq_has_overflowed(m))
			break;
		cond_resched();
	}
	up_read(&client->map_lock);
}

/* A client is one record: only it has to fit in the buffer. */
static int clients_show(struct seq_file *m, void *entry)
{
	struct npumem_client *client = list_entry(entry, struct npumem_client,
						  node);
	struct npumem_stats stats;
	struct task_struct *task;
	char comm[TASK_COMM_LEN] = "(gone)";

	task = get_pid_task(client->tgid, PIDTYPE_TGID);
	if (task) {
		get_task_comm(comm, task);
		put_task_struct(task);
	}
	npumem_client_stats(client, &stats);
	seq_printf(m, "client pid %d command %s handles %llu imports %llu reservations %llu reserved %llu mappings %llu mapped %llu\n",
		   pid_nr(client->tgid), comm, stats.handles, stats.imports,
		   stats.reservations, stats.reserved_bytes, stats.mappings,
		   stats.mapped_bytes);
	npumem_show_handles(m, client);
	npumem_show_mappings(m, client);
	return 0;
}

static void *clients_start(struct seq_file *m, loff_t *at)
{
	mutex_lock(&npumem_clients_lock);
	return seq_list_start(&npumem_clients, *at);
}

static void *clients_next(struct seq_file *m, void *entry, loff_t *at)
{
	return seq_list_next(entry, &npumem_clients, at);
}

static void clients_stop(struct seq_file *m, void *entry)
{
	mutex_unlock(&npumem_clients_lock);
}

static const struct seq_operations clients_sops = {
	.start = clients_start,
	.next = clients_next,
	.stop = clients_stop,
	.show = clients_show,
};
DEFINE_SEQ_ATTRIBUTE(clients);

static int accounts_show(struct seq_file *m, void *unused)
{
	npumem_accounts_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(accounts);

static int zeroed_show(struct seq_file *m, void *unused)
{
	npumem_zeroed_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(zeroed);

/* A kernel without debugfs, or one that refuses, is none of our concern. */
void npumem_debugfs_init(void)
{
	npumem_debugfs = debugfs_create_dir("npumem", NULL);
	debugfs_create_file("clients", 0400, npumem_debugfs, NULL,
			    &clients_fops);
	debugfs_create_file("accounts", 0400, npumem_debugfs, NULL,
			    &accounts_fops);
	debugfs_create_file("zeroed", 0400, npumem_debugfs, NULL, &zeroed_fops);
}

void npumem_debugfs_exit(void)
{
	debugfs_remove_recursive(npumem_debugfs);
}
