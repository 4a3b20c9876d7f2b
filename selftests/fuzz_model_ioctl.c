// SPDX-License-Identifier: MIT
/*
 * The fuzzer's model: what each ioctl has to say, and what it changes. Each handler
 * gets the argument as the caller gives it and leaves it as the caller has to find it
 * after success.
 */
#include <errno.h>

#include "fuzz_model_call.h"

/* The new handle or token goes to a slot, and to a field of the argument. */
void m_put_id(struct m_call *call, int *slot, int id, bool fresh, __u32 at)
{
	*slot = id;
	call->expect->id = id;
	call->expect->fresh = fresh;
	call->expect->id_at = at;
	if (fresh)
		memset(call->expect->known + at, 0, sizeof(__u64));
}

int *m_slot_handle(struct m_call *call, int value)
{
	return &call->model->slot_handle[call->op->value[value] % FUZZ_HANDLES];
}

int *m_slot_token(struct m_call *call, int value)
{
	return &call->model->slot_token[call->op->value[value] % FUZZ_TOKENS];
}

__u32 m_number(int device)
{
	return device == MODEL_HOST ? NPUMEM_DEVICE_NONE : (__u32)device;
}

/* The device of a number, or its errno in *ret. */
struct m_device *m_device(struct m_call *call, __u32 id, long *ret)
{
	*ret = -ENXIO;
	if (id >= (__u32)call->model->machine.devices)
		return NULL;
	*ret = -ENODEV;
	return call->model->devices[id];
}

struct m_handle *m_handle(struct m_call *call, int value)
{
	return model_handle(call->client, *m_slot_handle(call, value));
}

long m_query(struct m_call *call, struct npumem_query *arg)
{
	arg->abi_major = NPUMEM_ABI_MAJOR;
	arg->max_devices = NPUMEM_MAX_DEVICES;
	arg->device_count = call->model->machine.devices;
	arg->granule = NPUMEM_GRANULE;
	UNKNOWN(call, struct npumem_query, abi_minor);
	UNKNOWN(call, struct npumem_query, handle_tag);
	UNKNOWN(call, struct npumem_query, host);
	return 0;
}

long m_device_info(struct m_call *call, struct npumem_device_info *arg)
{
	struct m_device *device = &call->model->host;
	long ret;

	if (arg->device != NPUMEM_DEVICE_NONE) {
		device = m_device(call, arg->device, &ret);
		if (!device)
			return ret;
	}
	arg->flags = device->is_virtual ? NPUMEM_DEVICE_VIRTUAL : 0;
	arg->capacity = device->capacity;
	arg->used = device->used;
	UNKNOWN(call, struct npumem_device_info, numa_node);
	return 0;
}

/* Another reference to a memory: a new handle, or the one that is there. */
long m_handle_add(struct m_call *call, struct m_memory *memory, int device,
			 bool imported, bool link, int *slot, __u32 at)
{
	struct m_client *client = call->client;
	struct m_handle *handle = client->handles;
	int owner = memory->device->id;
	bool enables;

	while (handle && (handle->memory != memory || handle->device != device))
		handle = handle->next;
	if (!handle && model_count_all(call->model, call->actor, MODEL_HANDLES) >=
		       (int)call->model->limit[0])
		return -EMFILE;
	if (call->blind)
		return -EFAULT;
	enables = link && !(handle && handle->links && client->peers[device][owner] &&
			    client->peers[owner][device]);
	if (enables) {
		client->peers[device][owner]++;
		client->peers[owner][device]++;
	}
	if (handle) {
		m_put_id(call, slot, handle->id, false, at);
	} else {
		handle = model_new(sizeof(*handle));
		handle->memory = memory;
		handle->device = device;
		handle->imported = imported;
		handle->id = model_new_id(call->model);
		handle->next = client->handles;
		client->handles = handle;
		memory->references++;
		m_put_id(call, slot, handle->id, true, at);
	}
	handle->references++;
	handle->links = enables ? 1 : handle->links + link;
	return 0;
}

static struct m_device *m_place(struct m_call *call, const struct npumem_alloc *arg,
				long *ret)
{
	*ret = -EINVAL;
	switch (arg->location_type) {
	case NPUMEM_LOCATION_DEVICE:
		return m_device(call, arg->location_id, ret);
	case NPUMEM_LOCATION_HOST:
		if (arg->location_id)
			return NULL;
		break;
	case NPUMEM_LOCATION_HOST_NUMA:
		*ret = -ENXIO;
		if (arg->location_id > 31 ||
		    !(call->model->machine.nodes & 1U << arg->location_id))
			return NULL;
		break;
	default:
		return NULL;
	}
	*ret = -EOPNOTSUPP;
	return arg->flags & NPUMEM_ALLOC_1G ? NULL : &call->model->host;
}

long m_alloc(struct m_call *call, struct npumem_alloc *arg)
{
	__u64 granule = arg->flags & NPUMEM_ALLOC_1G ? NPUMEM_GRANULE_1G : NPUMEM_GRANULE;
	struct m_device *device;
	struct m_memory *memory;
	__u64 length;
	long ret;

	if (arg->flags & ~NPUMEM_ALLOC_1G || !arg->length)
		return -EINVAL;
	device = m_place(call, arg, &ret);
	if (!device)
		return ret;
	/* Before any memory is taken. */
	if (model_count_all(call->model, call->actor, MODEL_HANDLES) >=
	    (int)call->model->limit[0])
		return -EMFILE;
	if (__builtin_add_overflow(arg->length, granule - 1, &length))
		return -EOVERFLOW;
	length &= ~(granule - 1);
	if (length > device->capacity - device->used)
		return -ENOSPC;
	if (length > NPUMEM_GRANULE_1G || (granule == NPUMEM_GRANULE && length > 8 * granule))
		return MODEL_SKIP;
	/* So much may not be there in the machine. */
	if (granule == NPUMEM_GRANULE_1G)
		call->expect->also = -ENOMEM;
	memory = model_new(sizeof(*memory));
	memory->references = 1;
	memory->device = device;
	memory->requested = arg->length;
	memory->length = length;
	memory->granule = granule;
	memory->type = arg->location_type;
	memory->id = arg->location_id;
	memory->attr = arg->attr;
	bytes_init(&memory->bytes, length);
	device->used += length;
	arg->length = length;
	ret = m_handle_add(call, memory, device->id, false, false,
			   m_slot_handle(call, ALLOC_HANDLE),
			   offsetof(struct npumem_alloc, handle));
	model_memory_put(call->model, memory);
	return ret;
}

long m_free(struct m_call *call)
{
	struct m_handle *handle = m_handle(call, 0), **at = &call->client->handles;

	if (!handle)
		return -ENOENT;
	if (--handle->references)
		return 0;
	while (*at != handle)
		at = &(*at)->next;
	*at = handle->next;
	model_memory_put(call->model, handle->memory);
	return 0;
}

long m_memory_info(struct m_call *call, struct npumem_memory_info *arg)
{
	struct m_handle *handle = m_handle(call, 0);

	if (!handle)
		return -ENOENT;
	arg->flags = (handle->imported ? NPUMEM_MEMORY_IMPORTED : 0) |
		     (handle->memory->share ? NPUMEM_MEMORY_EXPORTED : 0);
	arg->location_type = handle->memory->type;
	arg->location_id = handle->memory->id;
	arg->attr = handle->memory->attr;
	arg->device = m_number(handle->device);
	arg->requested = handle->memory->requested;
	arg->length = handle->memory->length;
	arg->references = handle->references;
	return 0;
}

/* Is the reservation of a granule this client's? */
bool m_mine(struct m_call *call, const struct m_granule *granule)
{
	return granule->reservation && granule->reservation->client == call->client;
}

/* The mapping of this client at an address. */
static struct m_mapping *m_mapping(struct m_call *call, __u64 address)
{
	struct m_granule *granule = model_granule(call->actor, address);

	return granule && m_mine(call, granule) ? granule->mapping : NULL;
}

/* The mapping that begins at an address. */
struct m_mapping *m_mapping_at(struct m_call *call, __u64 address)
{
	struct m_mapping *mapping = m_mapping(call, address);

	return mapping && address == FUZZ_WINDOW + mapping->first * NPUMEM_GRANULE ?
	       mapping : NULL;
}

static long m_location(struct m_call *call, __u32 type, __u32 id, __u64 *bit)
{
	switch (type) {
	case NPUMEM_LOCATION_HOST:
		*bit = 1ULL << MODEL_HOST;
		return id ? -EINVAL : 0;
	case NPUMEM_LOCATION_DEVICE:
		*bit = 1ULL << (id & 31);
		return id < (__u32)call->model->machine.devices ? 0 : -ENXIO;
	}
	return -EINVAL;
}

/* What a SET_ACCESS says, of those it says it of. */
struct m_change {
	__u64 told, read, write;
};

static long m_change(struct m_call *call, __u32 count, struct m_change *change)
{
	struct npumem_access entry;
	__u64 bit;
	long ret;
	__u32 i;

	for (i = 0; i < count; i++) {
		memcpy(&entry, call->request->array + i * sizeof(entry), sizeof(entry));
		if (entry.__reserved || entry.access > 3 || entry.access == 2)
			return -EINVAL;
		ret = m_location(call, entry.location_type, entry.location_id, &bit);
		if (ret)
			return ret;
		change->told |= bit;
		change->read &= ~bit;
		change->write &= ~bit;
		if (entry.access & 1)
			change->read |= bit;
		if (entry.access == NPUMEM_ACCESS_READWRITE)
			change->write |= bit;
	}
	return 0;
}

/* A link is up when both directions are enabled, by whomever. */
static bool m_linked(struct m_call *call, int device, int peer)
{
	struct m_client *client;
	bool there = false, back = false;

	if (call->client->peers[device][peer])
		return true;
	for (client = call->model->clients; client; client = client->next) {
		there |= client->peers[device][peer] != 0;
		back |= client->peers[peer][device] != 0;
	}
	return there && back;
}

static bool m_reachable(struct m_call *call, const struct m_change *change,
			const struct m_mapping *mapping)
{
	int id, owner = mapping->memory->device->id;

	for (id = 0; id < call->model->machine.devices && owner != MODEL_HOST; id++)
		if (change->read & 1ULL << id && id != mapping->device && id != owner &&
		    !m_linked(call, id, owner))
			return false;
	return true;
}

/* Is there a span with that address inside, which would become two? */
static int m_cuts(struct m_call *call, __u64 address)
{
	struct m_granule *after = model_granule(call->actor, address), *before = after - 1;

	return after && m_mapping(call, address) && before->mapping == after->mapping &&
	       address != FUZZ_WINDOW && before->read == after->read &&
	       before->write == after->write;
}

long m_set_access(struct m_call *call, struct npumem_set_access *arg)
{
	struct m_change change = { 0 };
	struct m_mapping *mapping;
	__u64 last, at;
	bool changes = false;
	long ret;

	if (!arg->count || arg->count > NPUMEM_MAX_DEVICES + 1 || !arg->length)
		return -EINVAL;
	if (arg->address % NPUMEM_GRANULE ||
	    __builtin_add_overflow(arg->address, arg->length - 1, &last))
		return -EADDRNOTAVAIL;
	if (call->op->twist == TWIST_ARRAY)
		return -EFAULT;
	ret = m_change(call, arg->count, &change);
	if (ret)
		return ret;
	last |= NPUMEM_GRANULE - 1;
	mapping = m_mapping_at(call, arg->address);
	if (mapping && mapping->memory->requested == arg->length)
		last = arg->address + mapping->count * NPUMEM_GRANULE - 1;
	for (at = arg->address; at - arg->address <= last - arg->address;
	     at += NPUMEM_GRANULE) {
		struct m_granule *granule = model_granule(call->actor, at);

		if (!m_mapping(call, at))
			return -EADDRNOTAVAIL;
		if (!m_reachable(call, &change, granule->mapping))
			return -EHOSTUNREACH;
		changes |= granule->read != ((granule->read & ~change.told) | change.read) ||
			   granule->write != ((granule->write & ~change.told) | change.write);
		if (last - at < NPUMEM_GRANULE)
			break;
	}
	if (!changes)
		return 0;
	if (model_count_all(call->model, call->actor, MODEL_SPANS) +
	    m_cuts(call, arg->address) + m_cuts(call, last + 1) >
	    (int)call->model->limit[1])
		return -EMFILE;
	for (at = arg->address; at < last; at += NPUMEM_GRANULE) {
		struct m_granule *granule = model_granule(call->actor, at);

		granule->read = (granule->read & ~change.told) | change.read;
		granule->write = (granule->write & ~change.told) | change.write;
	}
	return 0;
}

long m_get_access(struct m_call *call, struct npumem_get_access *arg)
{
	struct m_granule *granule = model_granule(call->actor, arg->address);
	__u64 bit;
	long ret;

	ret = m_location(call, arg->location_type, arg->location_id, &bit);
	if (ret)
		return ret;
	if (!m_mapping(call, arg->address))
		return -ENOENT;
	arg->access = granule->write & bit ? NPUMEM_ACCESS_READWRITE :
		      granule->read & bit ? NPUMEM_ACCESS_READ : NPUMEM_ACCESS_NONE;
	return 0;
}

long m_range(struct m_call *call, struct npumem_range *arg)
{
	struct m_mapping *mapping = m_mapping(call, arg->address);

	if (!mapping)
		return -ENOENT;
	arg->device = m_number(mapping->device);
	arg->address = FUZZ_WINDOW + mapping->first * NPUMEM_GRANULE;
	arg->length = mapping->count * NPUMEM_GRANULE;
	arg->location_type = mapping->memory->type;
	arg->location_id = mapping->memory->id;
	return 0;
}

long m_release(struct m_call *call, struct npumem_release *arg)
{
	struct m_granule *granule = model_granule(call->actor, arg->address);
	struct m_reservation *reservation;
	int i;

	if (!granule || !m_mine(call, granule))
		return -ENOENT;
	reservation = granule->reservation;
	if (arg->address != FUZZ_WINDOW + reservation->first * NPUMEM_GRANULE)
		return -ENOENT;
	for (i = 0; i < reservation->count; i++)
		if (call->actor->window[reservation->first + i].mapping)
			return -EBUSY;
	model_release(call->model, call->actor, reservation);
	return 0;
}

long m_stats(struct m_call *call, struct npumem_stats *arg)
{
	int imports;

	arg->handles = model_count_handles(call->client, &imports);
	arg->imports = imports;
	arg->reservations = model_count_reservations(call->actor, call->client,
						     (__u64 *)&arg->reserved_bytes);
	arg->mappings = model_count_mappings(call->actor, call->client,
					     (__u64 *)&arg->mapped_bytes);
	arg->refused_imports = call->client->refused;
	UNKNOWN(call, struct npumem_stats, faults);
	UNKNOWN(call, struct npumem_stats, pmd_entries);
	UNKNOWN(call, struct npumem_stats, pte_entries);
	UNKNOWN(call, struct npumem_stats, pud_entries);
	return 0;
}

long m_retain(struct m_call *call, struct npumem_retain *arg)
{
	struct m_mapping *mapping = m_mapping_at(call, arg->address);

	if (!mapping)
		return -ENOENT;
	return m_handle_add(call, mapping->memory, mapping->device, mapping->imported,
			    false, m_slot_handle(call, RETAIN_HANDLE),
			    offsetof(struct npumem_retain, handle));
}

long m_reset(struct m_call *call, struct npumem_reset *arg)
{
	int i;

	if (arg->device >= (__u32)call->model->machine.devices)
		return -ENXIO;
	for (i = 0; i < FUZZ_GRANULES; i++) {
		struct m_mapping *mapping = call->actor->window[i].mapping;

		if (mapping && mapping->device == (int)arg->device &&
		    m_mine(call, &call->actor->window[i]))
			model_unmap(call->model, call->actor, mapping);
	}
	model_handles_drop(call->model, call->client, arg->device);
	model_peers_drop(call->client, arg->device);
	return 0;
}

