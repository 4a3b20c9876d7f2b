// SPDX-License-Identifier: MIT
/* The fuzzer's model: shares, who may import them, and links between devices. */
#include <errno.h>

#include "fuzz_model_call.h"

static struct m_share *m_share(struct m_call *call, int value)
{
	int id = *m_slot_token(call, value);
	struct m_share *share = id ? call->model->shares[id] : NULL;

	return share && share->memory ? share : NULL;
}

long m_export(struct m_call *call, struct npumem_export *arg)
{
	struct m_handle *handle = m_handle(call, EXPORT_HANDLE);
	bool anyone = arg->flags & NPUMEM_EXPORT_ANYONE, fresh;
	struct m_share *share;

	if (arg->flags & ~(NPUMEM_EXPORT_ANYONE | NPUMEM_EXPORT_KEY))
		return -EINVAL;
	if (!handle)
		return -ENOENT;
	if (handle->imported)
		return -EREMOTE;
	if (handle->memory->device->is_virtual)
		return -EOPNOTSUPP;
	if (handle->memory->device->gone)
		return -ENODEV;
	share = handle->memory->share;
	if (share && share->plain && !(arg->flags & NPUMEM_EXPORT_KEY))
		return -EEXIST;
	if (share && share->anyone != anyone)
		return -EBUSY;
	if (call->blind)
		return -EFAULT;
	fresh = !share;
	if (fresh) {
		share = model_new(sizeof(*share));
		share->memory = handle->memory;
		share->exporter = call->actor->process;
		share->anyone = anyone;
		share->id = model_new_id(call->model);
		call->model->shares[share->id] = share;
		handle->memory->share = share;
	}
	*(arg->flags & NPUMEM_EXPORT_KEY ? &share->key : &share->plain) = true;
	m_put_id(call, m_slot_token(call, EXPORT_TOKEN), share->id, fresh,
		 offsetof(struct npumem_export, token));
	return 0;
}

long m_unexport(struct m_call *call)
{
	struct m_share *share = m_share(call, 0);

	if (!share)
		return -ENOENT;
	if (share->exporter != call->actor->process)
		return -EREMOTE;
	model_share_end(share);
	return 0;
}

/* Processes that are always there, and none of ours. */
static struct m_process m_init = { .pid = 1, .alive = true };

static struct m_process *m_process(struct m_call *call, __s32 pid)
{
	int i;

	for (i = 0; i < FUZZ_ACTORS; i++) {
		struct m_process *process = call->model->actors[i].process;

		if (process && process->alive && process->pid == pid)
			return process;
	}
	return pid == m_init.pid ? &m_init : NULL;
}

static bool m_listed(const struct m_share *share, const struct m_process *process)
{
	int i;

	for (i = 0; i < share->count; i++)
		if (share->listed[i] == process)
			return true;
	return false;
}

static void m_prune(struct m_share *share)
{
	int i, n = 0;

	for (i = 0; i < share->count; i++)
		if (share->listed[i]->alive)
			share->listed[n++] = share->listed[i];
	share->count = n;
}

long m_whitelist_add(struct m_call *call, struct npumem_whitelist_add *arg)
{
	struct m_process *fresh[FUZZ_ACTORS + 1];
	struct m_share *share = m_share(call, LIST_TOKEN);
	int nr_fresh = 0, limit = call->model->limit[3], j;
	__u32 i, added = 0;
	__s32 pid;

	if (!arg->count || arg->count > NPUMEM_WHITELIST_MAX)
		return -EINVAL;
	if (!share)
		return -ENOENT;
	if (share->exporter != call->actor->process)
		return -EREMOTE;
	if (share->anyone)
		return -EPERM;
	if (call->op->twist == TWIST_ARRAY)
		return -EFAULT;
	if (arg->count * sizeof(pid) > ACTOR_ARRAY)
		return MODEL_SKIP;
	for (i = 0; i < arg->count; i++) {
		struct m_process *process;

		memcpy(&pid, call->request->array + i * sizeof(pid), sizeof(pid));
		process = m_process(call, pid);
		added += process != NULL;
		if (!process || m_listed(share, process))
			continue;
		for (j = 0; j < nr_fresh && fresh[j] != process; j++)
			;
		if (j == nr_fresh)
			fresh[nr_fresh++] = process;
	}
	if (!added)
		return -ESRCH;
	if (nr_fresh && share->count + nr_fresh > limit)
		m_prune(share);
	if (nr_fresh && share->count + nr_fresh > limit)
		return -ENOSPC;
	if (share->count + nr_fresh > MODEL_LISTED)
		return MODEL_SKIP;
	if (call->blind)
		return -EFAULT;
	for (j = 0; j < nr_fresh; j++)
		share->listed[share->count++] = fresh[j];
	arg->added = added;
	return 0;
}

long m_import(struct m_call *call, struct npumem_import *arg)
{
	struct m_process *me = call->actor->process;
	struct m_share *share = m_share(call, IMPORT_TOKEN);
	struct m_memory *memory;
	long ret;
	int owner;

	if (arg->flags & ~NPUMEM_IMPORT_NO_PEER)
		return -EINVAL;
	if (!m_device(call, arg->device, &ret))
		return ret;
	if (!share)
		return -ENOENT;
	if (!share->anyone && share->exporter != me && !m_listed(share, me)) {
		call->client->refused++;
		return -EPERM;
	}
	memory = share->memory;
	owner = memory->device->id;
	if (share->exporter == me && owner == (int)arg->device)
		return -ELOOP;
	if (memory->device->gone)
		return -ENODEV;
	arg->length = memory->length;
	return m_handle_add(call, memory, arg->device, true,
			    (int)arg->device != owner && owner != MODEL_HOST &&
			    !(arg->flags & NPUMEM_IMPORT_NO_PEER),
			    m_slot_handle(call, IMPORT_HANDLE),
			    offsetof(struct npumem_import, handle));
}

long m_share_info(struct m_call *call, struct npumem_share_info *arg)
{
	struct m_share *share = m_share(call, 0);

	if (!share)
		return -ENOENT;
	arg->flags = (share->anyone ? NPUMEM_EXPORT_ANYONE : 0) |
		     (share->key ? NPUMEM_EXPORT_KEY : 0);
	arg->exporter = share->exporter->alive ? share->exporter->pid : 0;
	arg->device = m_number(share->memory->device->id);
	return 0;
}

long m_peer(struct m_call *call, struct npumem_peer *arg)
{
	__u64 *count;
	long ret;

	if (arg->device == arg->peer)
		return -EINVAL;
	if (arg->device >= (__u32)call->model->machine.devices ||
	    arg->peer >= (__u32)call->model->machine.devices)
		return -ENXIO;
	count = &call->client->peers[arg->device][arg->peer];
	if (call->op->kind == 15 && (!m_device(call, arg->device, &ret) ||
				     !m_device(call, arg->peer, &ret)))
		return ret;
	if (call->op->kind == 16 && !*count)
		return -ENOENT;
	if (call->blind)
		return -EFAULT;
	*count += call->op->kind == 15 ? 1 : call->op->kind == 16 ? -1 : 0;
	arg->enabled = *count;
	return 0;
}
