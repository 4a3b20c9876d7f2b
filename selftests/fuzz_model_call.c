// SPDX-License-Identifier: MIT
/*
 * The fuzzer's model: from an operation to the argument of an ioctl, and to what the
 * call has to make of it, however the argument is twisted.
 */
#include <errno.h>

#include "fuzz_model_call.h"

static long m_handler(struct m_call *call, void *arg)
{
	switch (call->op->kind) {
	case 0: return m_query(call, arg);
	case 1: return m_device_info(call, arg);
	case 2: return m_alloc(call, arg);
	case 3: return m_free(call);
	case 4: return m_memory_info(call, arg);
	case 5: return m_map(call, arg);
	case 6: return m_unmap(call, arg);
	case 7: return m_set_access(call, arg);
	case 8: return m_get_access(call, arg);
	case 9: return m_range(call, arg);
	case 10: return m_release(call, arg);
	case 11: return m_export(call, arg);
	case 12: return m_whitelist_add(call, arg);
	case 13: return m_import(call, arg);
	case 14: return m_share_info(call, arg);
	case 15: case 16: case 17: return m_peer(call, arg);
	case 18: ((struct npumem_host_tgid *)arg)->tgid = call->actor->process->pid; return 0;
	case 19: return m_stats(call, arg);
	case 20: return model_copy(call->model, call->actor, call->client, arg);
	case 21: return model_fill(call->model, call->actor, call->client, arg);
	case 22: return m_retain(call, arg);
	case 23: return m_reset(call, arg);
	case 24: return m_unexport(call);
	case 25: return m_map_batch(call, arg);
	default: return m_unmap_batch(call, arg);
	}
}

/* Arguments: size, that of the first version, and what of them is special. */
static const struct m_argument {
	unsigned char size, first;
	bool answers;		/* writes the argument back */
	unsigned char reserved;	/* where a reserved field is, or 0 */
	unsigned char flags;	/* where flags are, or 0 */
} m_arguments[FUZZ_COMMANDS] = {
#define SIZED(type) sizeof(struct npumem_##type), sizeof(struct npumem_##type)
#define AT(type, field) offsetof(struct npumem_##type, field)
	{ sizeof(struct npumem_query), AT(query, host), true, 0, 0 },
	{ SIZED(device_info), true, 0, 0 },
	{ SIZED(alloc), true, AT(alloc, __reserved), AT(alloc, flags) },
	{ SIZED(free), false, AT(free, __reserved), 0 },
	{ SIZED(memory_info), true, AT(memory_info, __reserved), 0 },
	{ SIZED(map), false, 0, AT(map, flags) },
	{ SIZED(unmap), false, AT(unmap, __reserved), 0 },
	{ SIZED(set_access), false, 0, 0 },
	{ SIZED(get_access), true, 0, 0 },
	{ SIZED(range), true, 0, 0 },
	{ SIZED(release), false, AT(release, __reserved), 0 },
	{ SIZED(export), true, 0, AT(export, flags) },
	{ SIZED(whitelist_add), true, AT(whitelist_add, __reserved), 0 },
	{ SIZED(import), true, AT(import, __reserved), AT(import, flags) },
	{ SIZED(share_info), true, 0, 0 },
	{ SIZED(peer), true, 0, 0 },
	{ SIZED(peer), true, 0, 0 },
	{ SIZED(peer), true, 0, 0 },
	{ SIZED(host_tgid), true, 0, 0 },
	{ sizeof(struct npumem_stats), AT(stats, pud_entries), true,
	  AT(stats, __reserved), 0 },
	{ SIZED(copy), false, 0, 0 },
	{ SIZED(fill), false, AT(fill, __reserved), 0 },
	{ SIZED(retain), true, AT(retain, __reserved), 0 },
	{ SIZED(reset), false, 0, 0 },
	{ SIZED(unexport), false, AT(unexport, __reserved), 0 },
	{ SIZED(map_batch), false, AT(map_batch, __reserved), AT(map_batch, flags) },
	{ SIZED(unmap_batch), false, 0, 0 },
};

/* Elements of an array in the argument: the operands given, again and again. */
static void m_array(struct m_call *call, __u32 count, __u32 size, __u32 field)
{
	unsigned char *to = call->request->array;
	__u32 i;

	call->request->array_length = 1;
	call->request->array_field = field;
	memset(call->expect->known + field, 0, sizeof(__u64));
	for (i = 0; i < count && (i + 1) * size <= ACTOR_ARRAY; i++) {
		__u64 value = call->op->value[(size == 4 ? LIST_FIRST : ACCESS_FIRST) + i % 3];
		struct npumem_access entry = {
			.location_type = value & 0xff, .location_id = value >> 8 & 0xff,
			.access = value >> 16 & 0xff, .__reserved = value >> 24,
		};
		__s32 pid = 0x7fffffff;

		if (size == sizeof(entry)) {
			memcpy(to + i * size, &entry, size);
			continue;
		}
		/* An actor's, dead or alive, or one of no process of ours. */
		if (value < FUZZ_ACTORS && call->model->actors[value].process)
			pid = call->model->actors[value].process->pid;
		else if (value == 100)
			pid = 0;
		else if (value == 101)
			pid = -1;
		else if (value == 102)
			pid = 1;
		memcpy(to + i * size, &pid, size);
	}
}

static __u64 m_handle_number(struct m_call *call, int value)
{
	return call->model->number[*m_slot_handle(call, value)];
}

static __u64 m_token_number(struct m_call *call, int value)
{
	return call->model->number[*m_slot_token(call, value)];
}

/* The length of the memory that an operand names. */
static __u64 m_memory_length(struct m_call *call, int value)
{
	struct m_handle *handle = call->client ?
		model_handle(call->client, *m_slot_handle(call, value)) : NULL;

	return handle ? handle->memory->length : NPUMEM_GRANULE;
}

/* The mappings of a batch: of two handles in turns, at addresses that go on by a step. */
static void m_map_array(struct m_call *call)
{
	const __u64 *v = call->op->value;
	const __u32 field = offsetof(struct npumem_map_batch, entries);
	struct npumem_map_entry entry;
	__u32 i;

	call->request->array_length = 1;
	call->request->array_field = field;
	memset(call->expect->known + field, 0, sizeof(__u64));
	for (i = 0; i < (__u32)v[BATCH_COUNT] && (i + 1) * sizeof(entry) <= ACTOR_ARRAY; i++) {
		int value = i % 2 ? BATCH_OTHER : BATCH_HANDLE;

		entry.address = fuzz_address(v[BATCH_AT]) + i * v[BATCH_STEP];
		entry.length = m_memory_length(call, value);
		entry.handle = m_handle_number(call, value);
		memcpy(call->request->array + i * sizeof(entry), &entry, sizeof(entry));
	}
}

static void m_unmap_array(struct m_call *call)
{
	const __u64 *v = call->op->value;
	const __u32 field = offsetof(struct npumem_unmap_batch, addresses);
	__u64 address;
	__u32 i;

	call->request->array_length = 1;
	call->request->array_field = field;
	memset(call->expect->known + field, 0, sizeof(__u64));
	for (i = 0; i < (__u32)v[DROP_COUNT] && (i + 1) * sizeof(address) <= ACTOR_ARRAY; i++) {
		address = fuzz_address(v[DROP_FIRST + i % 3]);
		memcpy(call->request->array + i * sizeof(address), &address, sizeof(address));
	}
}

/* The argument as the operation says, all but the size. */
static void m_build(struct m_call *call)
{
	const __u64 *v = call->op->value;
	union {
		struct npumem_device_info device_info;
		struct npumem_alloc alloc;
		struct npumem_free free;
		struct npumem_memory_info memory_info;
		struct npumem_map map;
		struct npumem_unmap unmap;
		struct npumem_set_access set_access;
		struct npumem_get_access get_access;
		struct npumem_range range;
		struct npumem_export export;
		struct npumem_whitelist_add whitelist_add;
		struct npumem_import import;
		struct npumem_share_info share_info;
		struct npumem_peer peer;
		struct npumem_copy copy;
		struct npumem_fill fill;
		struct npumem_retain retain;
		struct npumem_reset reset;
		struct npumem_unexport unexport;
		struct npumem_map_batch map_batch;
		struct npumem_unmap_batch unmap_batch;
	} a;

	memset(&a, 0, sizeof(a));
	switch (call->op->kind) {
	case 1: a.device_info.device = v[0]; break;
	case 2:
		a.alloc.flags = v[ALLOC_FLAGS];
		a.alloc.location_type = v[ALLOC_TYPE];
		a.alloc.location_id = v[ALLOC_ID];
		a.alloc.attr = v[ALLOC_ATTR];
		a.alloc.length = v[ALLOC_LENGTH];
		break;
	case 3: a.free.handle = m_handle_number(call, 0); break;
	case 4: a.memory_info.handle = m_handle_number(call, 0); break;
	case 5:
		a.map.flags = v[MAP_FLAGS];
		a.map.address = fuzz_address(v[MAP_AT]);
		a.map.length = m_memory_length(call, MAP_HANDLE) + v[MAP_PLUS];
		a.map.offset = v[MAP_OFFSET];
		a.map.handle = m_handle_number(call, MAP_HANDLE);
		break;
	case 6: case 10: a.unmap.address = fuzz_address(v[0]); break;
	case 7:
		a.set_access.count = v[ACCESS_COUNT];
		a.set_access.address = fuzz_address(v[ACCESS_AT]);
		a.set_access.length = v[ACCESS_LENGTH];
		m_array(call, v[ACCESS_COUNT], sizeof(struct npumem_access),
			offsetof(struct npumem_set_access, entries));
		break;
	case 8:
		a.get_access.location_type = v[GET_TYPE];
		a.get_access.location_id = v[GET_ID];
		a.get_access.address = fuzz_address(v[GET_AT]);
		break;
	case 9: a.range.address = fuzz_address(v[0]); break;
	case 11:
		a.export.flags = v[EXPORT_FLAGS];
		a.export.handle = m_handle_number(call, EXPORT_HANDLE);
		break;
	case 12:
		a.whitelist_add.count = v[LIST_COUNT];
		a.whitelist_add.token = m_token_number(call, LIST_TOKEN);
		m_array(call, v[LIST_COUNT], sizeof(__s32),
			offsetof(struct npumem_whitelist_add, pids));
		break;
	case 13:
		a.import.flags = v[IMPORT_FLAGS];
		a.import.token = m_token_number(call, IMPORT_TOKEN);
		a.import.device = v[IMPORT_DEVICE];
		break;
	case 14: a.share_info.token = m_token_number(call, 0); break;
	case 15: case 16: case 17: a.peer.device = v[0]; a.peer.peer = v[1]; break;
	case 20:
		a.copy.device = v[COPY_DEVICE];
		a.copy.destination = fuzz_address(v[COPY_TO]);
		a.copy.source = fuzz_address(v[COPY_FROM]);
		a.copy.length = v[COPY_LENGTH];
		break;
	case 21:
		a.fill.device = v[FILL_DEVICE];
		a.fill.address = fuzz_address(v[FILL_AT]);
		a.fill.length = v[FILL_LENGTH];
		a.fill.value = v[FILL_VALUE];
		break;
	case 22: a.retain.address = fuzz_address(v[RETAIN_AT]); break;
	case 23: a.reset.device = v[0]; break;
	case 24: a.unexport.token = m_token_number(call, 0); break;
	case 25:
		a.map_batch.flags = v[BATCH_FLAGS];
		a.map_batch.count = v[BATCH_COUNT];
		m_map_array(call);
		break;
	case 26:
		a.unmap_batch.count = v[DROP_COUNT];
		m_unmap_array(call);
		break;
	}
	memcpy(call->request->bytes, &a, sizeof(a));
}

static void m_set_word(struct m_call *call, __u32 at, __u32 word)
{
	memcpy(call->request->bytes + at, &word, sizeof(word));
}

/* Twists the argument. Returns the errno that this alone makes, or 0. */
static long m_twist(struct m_call *call, const struct m_argument *argument)
{
	__u32 size = argument->size, word;

	call->request->length = size;
	m_set_word(call, 0, size);
	switch (call->op->twist) {
	case TWIST_SHORT:
		m_set_word(call, 0, argument->first - 1);
		return -EINVAL;
	case TWIST_ZERO:
		m_set_word(call, 0, 0);
		return -EINVAL;
	case TWIST_MIN:
		m_set_word(call, 0, argument->first);
		call->request->length = argument->first;
		return 0;
	case TWIST_LONG:
		m_set_word(call, 0, size + 64);
		call->request->length = size + 64;
		return 0;
	case TWIST_TAIL:
		m_set_word(call, 0, size + 64);
		call->request->length = size + 64;
		call->request->bytes[size + 63] = 1;
		return -E2BIG;
	case TWIST_HUGE:
		m_set_word(call, 0, 4097 | (__u32)call->op->value[0]);
		return -E2BIG;
	case TWIST_NULL: case TWIST_UNMAPPED: case TWIST_KERNEL: case TWIST_EDGE:
		return -EFAULT;
	case TWIST_RESERVED:
		if (!argument->reserved)
			return 0;
		m_set_word(call, argument->reserved, 0x80000000U);
		return -EINVAL;
	case TWIST_FLAG:
		if (!argument->flags)
			return 0;
		memcpy(&word, call->request->bytes + argument->flags, sizeof(word));
		m_set_word(call, argument->flags, word | 4U);
		return -EINVAL;
	case TWIST_CHILD: case TWIST_VFORK:
		return -EACCES;
	}
	return 0;
}

static long m_wild(struct m_call *call)
{
	__u32 command = call->op->value[0];

	call->request->command = command;
	call->request->length = 64;
	m_set_word(call, 0, 64);
	if (!call->client)
		return -EBADF;
	/* Not one of ours by chance, nor one that every file has. */
	if (command >> 8 == NPUMEM_IOC_TYPE && (command & 0xff) < FUZZ_COMMANDS)
		return MODEL_SKIP;
	return (command >> 8 & 0xff) == NPUMEM_IOC_TYPE ? -ENOTTY : MODEL_SKIP;
}

void model_ioctl(struct model *model, const struct fuzz_op *op,
		 struct actor_request *request, struct model_expect *expect)
{
	struct m_call call = {
		.model = model, .op = op, .request = request, .expect = expect,
		.actor = &model->actors[op->actor],
		.client = model->actors[op->actor].fds[op->fd],
	};
	const struct m_argument *argument;
	unsigned char after[ACTOR_BYTES] = { 0 };
	long twisted;

	expect->ret = MODEL_SKIP;
	if (!call.actor->process || !call.actor->process->alive)
		return;
	memset(expect->known, 1, sizeof(expect->known));
	if (op->kind == FUZZ_WILD) {
		expect->ret = m_wild(&call);
		return;
	}
	argument = &m_arguments[op->kind];
	request->command = _IO(NPUMEM_IOC_TYPE, op->kind);
	m_build(&call);
	twisted = m_twist(&call, argument);
	expect->length = request->length;
	memcpy(expect->bytes, request->bytes, sizeof(expect->bytes));
	call.blind = op->twist == TWIST_READONLY && argument->answers;
	if (!call.client)
		expect->ret = -EBADF;
	else if (!model_usable(model, op->actor, op->fd))
		expect->ret = -EACCES;
	else if (twisted)
		expect->ret = twisted;
	if (expect->ret != MODEL_SKIP) {
		return;
	}
	memcpy(after, request->bytes, request->length);
	expect->ret = m_handler(&call, after);
	if (!expect->ret && call.blind)
		expect->ret = -EFAULT;
	if (!expect->ret && argument->answers)
		memcpy(expect->bytes, after, request->length);
	/* Nothing is written unless all is well. */
	if (expect->ret) {
		memset(expect->known, 1, sizeof(expect->known));
		if (request->array_length)
			memset(expect->known + request->array_field, 0, sizeof(__u64));
	}
}
