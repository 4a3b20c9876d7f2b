// SPDX-License-Identifier: MIT
/* The fuzzer's model: reservations, what the kernel's own calls do to them, and loads and stores. */
#include <errno.h>
#include <sys/mman.h>

#include "fuzz_model.h"

/* Granules of a range; false if it is none of whole granules in the window. */
static bool model_range(__u64 address, __u64 length, int *first, int *count)
{
	if (address < FUZZ_WINDOW || address >= FUZZ_WINDOW + FUZZ_WINDOW_BYTES ||
	    !length || length > FUZZ_WINDOW_BYTES ||
	    address + length > FUZZ_WINDOW + FUZZ_WINDOW_BYTES ||
	    (address | length) % NPUMEM_GRANULE)
		return false;
	*first = (address - FUZZ_WINDOW) / NPUMEM_GRANULE;
	*count = length / NPUMEM_GRANULE;
	return true;
}

/* Would a reservation be cut by taking the bytes [address, address + length) away? */
static bool model_cuts(struct m_actor *actor, __u64 address, __u64 length)
{
	__u64 end = address + length - 1;
	struct m_granule *a = model_granule(actor, address), *b = model_granule(actor, end);

	if (a && a->reservation &&
	    address != FUZZ_WINDOW + a->reservation->first * NPUMEM_GRANULE)
		return true;
	return b && b->reservation &&
	       end + 1 != FUZZ_WINDOW + (b->reservation->first + b->reservation->count) *
			  NPUMEM_GRANULE;
}

static void model_munmap_all(struct model *model, struct m_actor *actor, int first,
			     int count)
{
	int i;

	for (i = first; i < first + count; i++)
		if (actor->window[i].reservation)
			model_release(model, actor, actor->window[i].reservation);
}

long model_mmap(struct model *model, const struct fuzz_op *op,
		       const struct actor_request *request, struct model_expect *expect)
{
	struct m_actor *actor = &model->actors[op->actor];
	struct m_client *client = actor->fds[op->fd];
	struct m_reservation *reservation;
	int first, count, i, how = request->a[MMAP_HOW] % 3;
	bool good = model_usable(model, op->actor, op->fd) && how != MMAP_PRIVATE &&
		    !request->a[MMAP_OFFSET];

	if (!client)
		return -EBADF;
	if (!model_range(request->a[MMAP_AT], request->a[MMAP_LENGTH], &first, &count)) {
		/* Whole pages in the window, with nothing there: not of our size. */
		if (request->a[MMAP_AT] % 65536 || request->a[MMAP_LENGTH] % 65536 ||
		    !request->a[MMAP_LENGTH] || how == MMAP_OVER ||
		    request->a[MMAP_AT] < FUZZ_WINDOW ||
		    request->a[MMAP_AT] >= FUZZ_WINDOW + FUZZ_WINDOW_BYTES ||
		    request->a[MMAP_LENGTH] > FUZZ_WINDOW_BYTES ||
		    !((request->a[MMAP_AT] | request->a[MMAP_LENGTH]) % NPUMEM_GRANULE) ||
		    request->a[MMAP_OFFSET] % 65536)
			return MODEL_SKIP;
		for (i = 0; i < FUZZ_GRANULES; i++)
			if (actor->window[i].reservation)
				return MODEL_SKIP;
		return model_usable(model, op->actor, op->fd) ? -EINVAL : -EACCES;
	}
	if (how == MMAP_OVER) {
		/* What it leaves behind when it fails differs by kernel. */
		if (!good || model->limit[2] < 65535)
			return MODEL_SKIP;
		if (model_cuts(actor, request->a[MMAP_AT], request->a[MMAP_LENGTH])) {
			expect->also = -ENOMEM;
			return -EINVAL;
		}
		/* The client could go with its last reservation. */
		model_munmap_all(model, actor, first, count);
	} else {
		for (i = first; i < first + count; i++)
			if (actor->window[i].reservation)
				return -EEXIST;
		if (!model_usable(model, op->actor, op->fd))
			return -EACCES;
		if (!good)
			return -EINVAL;
		if (model_count_all(model, actor, MODEL_RESERVATIONS) >= (int)model->limit[2])
			return -EMFILE;
	}
	reservation = model_new(sizeof(*reservation));
	reservation->client = client;
	reservation->first = first;
	reservation->count = count;
	reservation->device = -1;
	reservation->prot = request->a[MMAP_PROT];
	client->vmas++;
	for (i = first; i < first + count; i++)
		actor->window[i].reservation = reservation;
	return 0;
}

long model_munmap(struct model *model, struct m_actor *actor, __u64 address,
			 __u64 length)
{
	int first, count;

	if (address < FUZZ_WINDOW || address >= FUZZ_WINDOW + FUZZ_WINDOW_BYTES ||
	    length > FUZZ_WINDOW_BYTES || !length ||
	    address + length > FUZZ_WINDOW + FUZZ_WINDOW_BYTES ||
	    (address | length) % 65536)
		return MODEL_SKIP;
	if (model_cuts(actor, address, length))
		return -EINVAL;
	first = (address - FUZZ_WINDOW) / NPUMEM_GRANULE;
	count = (address + length - 1 - FUZZ_WINDOW) / NPUMEM_GRANULE - first + 1;
	model_munmap_all(model, actor, first, count);
	return 0;
}

long model_mprotect(struct m_actor *actor, __u64 address, __u64 length, int prot)
{
	struct m_granule *granule = model_granule(actor, address);
	struct m_reservation *reservation = granule ? granule->reservation : NULL;
	__u64 start, size;

	if (!reservation || !length || (address | length) % 65536)
		return MODEL_SKIP;
	start = FUZZ_WINDOW + reservation->first * NPUMEM_GRANULE;
	size = reservation->count * NPUMEM_GRANULE;
	if (length > start + size - address)
		return MODEL_SKIP;
	if (prot & PROT_EXEC)
		return -EACCES;
	if (prot == reservation->prot)
		return 0;
	if (length != size)
		return -EINVAL;
	reservation->prot = prot;
	return 0;
}

long model_mremap(struct m_actor *actor, const struct actor_request *request)
{
	struct m_granule *granule = model_granule(actor, request->a[0]);
	struct m_reservation *reservation = granule ? granule->reservation : NULL;

	if (!reservation || (request->a[1] &&
	    request->a[1] != reservation->count * NPUMEM_GRANULE) ||
	    request->a[0] != FUZZ_WINDOW + reservation->first * NPUMEM_GRANULE)
		return MODEL_SKIP;
	/* It may stay where and as it is, but for that nothing is done. */
	if (request->a[1] && request->a[1] == request->a[2] && request->a[3] % 4 < 2)
		return 0;
	return MODEL_FAILS;
}

long model_access(struct m_actor *actor, const struct actor_request *request,
			 bool write, struct model_expect *expect)
{
	struct m_memory *memory;
	__u64 offset, address = request->a[0];

	if (address < FUZZ_WINDOW || address >= FUZZ_WINDOW + FUZZ_WINDOW_BYTES ||
	    address % NPUMEM_GRANULE > NPUMEM_GRANULE - ACTOR_LOOK || address % 8)
		return MODEL_SKIP;
	expect->signal = model_touch(actor, address, write, &memory, &offset);
	if (expect->signal)
		return 0;
	if (write)
		bytes_write(&memory->bytes, offset, &request->a[1], 8);
	else
		bytes_read(&memory->bytes, offset, expect->look, ACTOR_LOOK);
	return 0;
}
