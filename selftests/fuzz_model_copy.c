// SPDX-License-Identifier: MIT
/* The fuzzer's model: copies and fills on behalf of a device, to the byte. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_model.h"

/* More is not worth the time that it takes. */
#define COPY_MOST	(4 * NPUMEM_GRANULE)

struct m_side {
	struct m_actor *actor;
	struct m_client *client;
	__u64 address, length;
	bool write, is_device;
};

static long m_permit(struct model *model, struct m_side *side,
		     const struct m_granule *granule, __u32 device)
{
	__u64 rights = side->write ? granule->write : granule->read;
	int own = granule->mapping->device, owner = granule->mapping->memory->device->id;
	long refused = side->write ? -EROFS : -EPERM;

	(void)model;
	if (device == NPUMEM_DEVICE_NONE && own != MODEL_HOST)
		return -ENOTCONN;
	if (granule->mapping->memory->device->gone)
		return -ENODEV;
	if (owner == MODEL_HOST && rights & 1ULL << MODEL_HOST)
		return 0;
	if (device == NPUMEM_DEVICE_NONE)
		return refused;
	if (rights & 1ULL << device)
		return 0;
	if (rights & 1ULL << own &&
	    (owner == MODEL_HOST || owner == (int)device ||
	     side->client->peers[device][owner]))
		return 0;
	return refused;
}

/* The granule, if its mapping is the client's. */
static struct m_granule *m_own(struct m_side *side, __u64 address)
{
	struct m_granule *granule = model_granule(side->actor, address);

	return granule && granule->mapping &&
	       granule->reservation->client == side->client ? granule : NULL;
}

static long m_check(struct model *model, struct m_side *side, __u32 device)
{
	struct m_granule *granule;
	__u64 last, at;
	bool wraps;
	long ret;
	int i;

	wraps = __builtin_add_overflow(side->address, side->length - 1, &last);
	if (wraps)
		last = ~0ULL;
	for (i = 0; i < FUZZ_GRANULES && !side->is_device; i++) {
		at = FUZZ_WINDOW + i * NPUMEM_GRANULE;
		granule = &side->actor->window[i];
		if (at > last || at + NPUMEM_GRANULE - 1 < side->address ||
		    !granule->reservation || granule->reservation->client != side->client)
			continue;
		side->is_device = true;
		if (device == NPUMEM_DEVICE_NONE && granule->reservation->device != MODEL_HOST)
			return -ENOTCONN;
	}
	if (!side->is_device)
		return wraps ? -EFAULT : 0;
	for (at = side->address;; at = (at | (NPUMEM_GRANULE - 1)) + 1) {
		granule = m_own(side, at);
		if (!granule)
			return -EADDRNOTAVAIL;
		ret = m_permit(model, side, granule, device);
		if (ret || last - at < NPUMEM_GRANULE - at % NPUMEM_GRANULE)
			return ret;
	}
}

/* Bytes of a side at an address, and how many there are in one piece. */
static struct fuzz_bytes *m_bytes(struct m_side *side, __u64 address, __u64 *offset,
				  __u64 *n)
{
	struct m_memory *memory;
	struct m_granule *granule;

	*n = NPUMEM_GRANULE - address % NPUMEM_GRANULE;
	if (side->is_device) {
		granule = m_own(side, address);
		*offset = address - FUZZ_WINDOW - granule->mapping->first * NPUMEM_GRANULE;
		return &granule->mapping->memory->bytes;
	}
	if (address >= FUZZ_SCRATCH && address < FUZZ_SCRATCH + FUZZ_SCRATCH_BYTES) {
		*offset = address - FUZZ_SCRATCH;
		return &side->actor->scratch;
	}
	/* What another client of this process has mapped is the process's memory too. */
	if (model_touch(side->actor, address, side->write, &memory, offset))
		return NULL;
	return &memory->bytes;
}

/* How much of the host's side is there? 0: nothing, 1: all, -1: a part. */
static int m_there(struct m_side *side)
{
	__u64 done, offset, n;
	int there = 0, missing = 0;

	/* By length: the range may reach up to the last address. */
	for (done = 0; done < side->length; done += n) {
		if (m_bytes(side, side->address + done, &offset, &n))
			there = 1;
		else
			missing = 1;
	}
	return there && missing ? -1 : there;
}

/*
 * A range of several mappings that has a memory in common with the other range: which
 * bytes are read before they are written is not for us to say.
 */
static bool m_entangled(struct m_side *a, struct m_side *b)
{
	__u64 at, bt, offset, other, n, m, parts = 0;
	struct fuzz_bytes *first;

	for (at = a->address; at < a->address + a->length; at += n) {
		first = m_bytes(a, at, &offset, &n);
		for (bt = b->address; bt < b->address + b->length; bt += m)
			if (m_bytes(b, bt, &other, &m) == first)
				parts |= 1;
	}
	if (!parts)
		return false;
	if (!a->is_device || !b->is_device)
		return true;
	return m_own(a, a->address)->mapping != m_own(a, a->address + a->length - 1)->mapping ||
	       m_own(b, b->address)->mapping != m_own(b, b->address + b->length - 1)->mapping;
}

static void m_transfer(struct m_side *side, unsigned char *data)
{
	__u64 done = 0, offset, n;

	for (; done < side->length; done += n) {
		struct fuzz_bytes *bytes = m_bytes(side, side->address + done, &offset, &n);

		if (n > side->length - done)
			n = side->length - done;
		if (side->write)
			bytes_write(bytes, offset, data + done, n);
		else
			bytes_read(bytes, offset, data + done, n);
	}
}

long model_copy(struct model *model, struct m_actor *actor, struct m_client *client,
		const struct npumem_copy *arg)
{
	struct m_side to = {
		.actor = actor, .client = client, .address = arg->destination,
		.length = arg->length, .write = true,
	};
	struct m_side from = {
		.actor = actor, .client = client, .address = arg->source,
		.length = arg->length,
	};
	struct m_side *host = NULL;
	unsigned char *data;
	long ret;

	if (!arg->length)
		return -EINVAL;
	if (arg->device != NPUMEM_DEVICE_NONE &&
	    arg->device >= (__u32)model->machine.devices)
		return -ENXIO;
	ret = m_check(model, &to, arg->device);
	if (!ret)
		ret = m_check(model, &from, arg->device);
	if (ret)
		return ret;
	if (!to.is_device && !from.is_device)
		return -ENOENT;
	if (arg->length > COPY_MOST)
		return MODEL_SKIP;
	if (!to.is_device)
		host = &to;
	if (!from.is_device)
		host = &from;
	if (host) {
		switch (m_there(host)) {
		case 0: return -EFAULT;
		case -1: return MODEL_SKIP;
		}
	}
	if (m_entangled(&to, &from))
		return MODEL_SKIP;
	data = malloc(arg->length);
	if (!data)
		return MODEL_SKIP;
	m_transfer(&from, data);
	m_transfer(&to, data);
	free(data);
	return 0;
}

long model_fill(struct model *model, struct m_actor *actor, struct m_client *client,
		const struct npumem_fill *arg)
{
	struct m_side side = {
		.actor = actor, .client = client, .address = arg->address,
		.length = arg->length, .write = true,
	};
	__u64 done = 0, offset, n;
	long ret;

	if (!arg->length || arg->value > 255)
		return -EINVAL;
	if (arg->device != NPUMEM_DEVICE_NONE &&
	    arg->device >= (__u32)model->machine.devices)
		return -ENXIO;
	ret = m_check(model, &side, arg->device);
	if (ret)
		return ret;
	if (!side.is_device)
		return -ENOENT;
	if (side.length > 2 * COPY_MOST)
		return MODEL_SKIP;
	for (; done < side.length; done += n) {
		struct fuzz_bytes *bytes = m_bytes(&side, side.address + done, &offset, &n);

		if (n > side.length - done)
			n = side.length - done;
		bytes_fill(bytes, offset, arg->value, n);
	}
	return 0;
}
