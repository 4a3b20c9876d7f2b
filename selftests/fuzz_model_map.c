// SPDX-License-Identifier: MIT
/* The fuzzer's model: mappings, made and ended one by one and in batches. */
#include <errno.h>

#include "fuzz_model_call.h"

/* The place for a mapping, or its errno. */
static long m_map_place(struct m_call *call, __u64 address, __u64 length, int device,
			struct m_reservation **where)
{
	int first = (address - FUZZ_WINDOW) / NPUMEM_GRANULE, i;
	int count = length / NPUMEM_GRANULE;
	__u64 last;

	if (__builtin_add_overflow(address, length - 1, &last) ||
	    address < FUZZ_WINDOW || last >= FUZZ_WINDOW + FUZZ_WINDOW_BYTES)
		return -EADDRNOTAVAIL;
	for (i = first; i < first + count; i++)
		if (!m_mine(call, &call->actor->window[i]) ||
		    call->actor->window[i].reservation !=
		    call->actor->window[first].reservation)
			return -EADDRNOTAVAIL;
	*where = call->actor->window[first].reservation;
	for (i = first; i < first + count; i++)
		if (call->actor->window[i].mapping)
			return -EEXIST;
	if ((*where)->device >= 0 && (*where)->device != device)
		return -EXDEV;
	if (model_count_all(call->model, call->actor, MODEL_SPANS) >=
	    (int)call->model->limit[1])
		return -EMFILE;
	return 0;
}

/* Is a mapping right by itself, wherever it goes? Gives the handle and the length. */
static long m_map_check(struct m_call *call, const struct npumem_map *arg, int value,
			struct m_handle **handle, __u64 *length)
{
	if (arg->flags & ~NPUMEM_MAP_NO_ACCESS || arg->offset || !arg->length ||
	    arg->address % NPUMEM_GRANULE)
		return -EINVAL;
	*handle = m_handle(call, value);
	if (!*handle)
		return -ENOENT;
	if (__builtin_add_overflow(arg->length, (*handle)->memory->granule - 1, length))
		return -EOVERFLOW;
	*length &= ~((*handle)->memory->granule - 1);
	if (*length != (*handle)->memory->length)
		return *length > (*handle)->memory->length ? -EOVERFLOW : -ERANGE;
	if (arg->address + *length - 1 < arg->address)
		return -EADDRNOTAVAIL;
	return (*handle)->memory->device->gone ? -ENODEV : 0;
}

/* Puts a mapping that is right by itself where it is to go, if that can be. */
static long m_map_do(struct m_call *call, const struct npumem_map *arg, struct m_handle *handle,
		     __u64 length)
{
	struct m_reservation *where;
	struct m_mapping *mapping;
	long ret;
	int i;

	ret = m_map_place(call, arg->address, length, handle->device, &where);
	if (ret)
		return ret;
	mapping = model_new(sizeof(*mapping));
	mapping->memory = handle->memory;
	mapping->memory->references++;
	mapping->reservation = where;
	mapping->first = (arg->address - FUZZ_WINDOW) / NPUMEM_GRANULE;
	mapping->count = length / NPUMEM_GRANULE;
	mapping->device = handle->device;
	mapping->imported = handle->imported;
	where->device = handle->device;
	for (i = mapping->first; i < mapping->first + mapping->count; i++) {
		struct m_granule *granule = &call->actor->window[i];

		granule->mapping = mapping;
		granule->read = arg->flags & NPUMEM_MAP_NO_ACCESS ? 0 :
				1ULL << handle->device;
		granule->write = granule->read;
	}
	return 0;
}

long m_map(struct m_call *call, struct npumem_map *arg)
{
	struct m_handle *handle;
	__u64 length;
	long ret;

	ret = m_map_check(call, arg, MAP_HANDLE, &handle, &length);
	return ret ? ret : m_map_do(call, arg, handle, length);
}

long m_unmap(struct m_call *call, struct npumem_unmap *arg)
{
	struct m_mapping *mapping = m_mapping_at(call, arg->address);

	if (!mapping)
		return -ENOENT;
	model_unmap(call->model, call->actor, mapping);
	return 0;
}

/* One element of a batch, as an argument of MAP, and which operand has its handle. */
static struct npumem_map m_element(struct m_call *call, const struct npumem_map_batch *arg,
				   __u32 i, int *value)
{
	struct npumem_map_entry entry;

	memcpy(&entry, call->request->array + i * sizeof(entry), sizeof(entry));
	*value = i % 2 ? BATCH_OTHER : BATCH_HANDLE;
	return (struct npumem_map) {
		.flags = arg->flags, .address = entry.address, .length = entry.length,
	};
}

/* As many as the operands make fit into a request. */
#define MOST	(ACTOR_ARRAY / sizeof(struct npumem_map_entry))

long m_map_batch(struct m_call *call, struct npumem_map_batch *arg)
{
	struct m_handle *handle[MOST];
	int device[FUZZ_GRANULES], value, k;
	__u64 length[MOST];
	struct npumem_map map;
	__u32 i, done = 0;
	long ret = 0;

	if (arg->flags & ~NPUMEM_MAP_NO_ACCESS || !arg->count || arg->count > NPUMEM_BATCH_MAX)
		return -EINVAL;
	if (call->op->twist == TWIST_ARRAY)
		return -EFAULT;
	if (arg->count > MOST)
		return MODEL_SKIP;
	for (i = 0; i < arg->count && !ret; i++) {
		map = m_element(call, arg, i, &value);
		ret = m_map_check(call, &map, value, &handle[i], &length[i]);
	}
	if (ret)
		return ret;
	for (k = 0; k < FUZZ_GRANULES; k++)
		if (call->actor->window[k].reservation)
			device[k] = call->actor->window[k].reservation->device;
	for (; done < arg->count && !ret; done += !ret) {
		map = m_element(call, arg, done, &value);
		ret = m_map_do(call, &map, handle[done], length[done]);
	}
	if (!ret)
		return 0;
	while (done--) {
		map = m_element(call, arg, done, &value);
		model_unmap(call->model, call->actor, m_mapping_at(call, map.address));
	}
	for (k = 0; k < FUZZ_GRANULES; k++)
		if (call->actor->window[k].reservation)
			call->actor->window[k].reservation->device = device[k];
	return ret;
}

long m_unmap_batch(struct m_call *call, struct npumem_unmap_batch *arg)
{
	struct m_mapping *mapping[ACTOR_ARRAY / sizeof(__u64)];
	__u64 address;
	__u32 i, k;

	if (!arg->count || arg->count > NPUMEM_BATCH_MAX)
		return -EINVAL;
	if (call->op->twist == TWIST_ARRAY)
		return -EFAULT;
	if (arg->count > sizeof(mapping) / sizeof(*mapping))
		return MODEL_SKIP;
	for (i = 0; i < arg->count; i++) {
		memcpy(&address, call->request->array + i * sizeof(address), sizeof(address));
		mapping[i] = m_mapping_at(call, address);
		for (k = 0; k < i && mapping[k] != mapping[i]; k++)
			;
		if (!mapping[i] || k < i)
			return -ENOENT;
	}
	for (i = 0; i < arg->count; i++)
		model_unmap(call->model, call->actor, mapping[i]);
	return 0;
}
