// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies and fills made under a device, or in the host's memory: by the
 * kernel's own mapping of the pages, so that an address that is unmapped
 * meanwhile, by another thread, is an error and not a signal, and so that the
 * rights of devices other than the mapping's own hold too.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "internal.h"

/**
 * struct npumem_side - one range of a copy
 * @address: where it begins
 * @length: bytes
 * @write: it is the destination
 * @is_device: it is memory of a device, or of the host, that we handed out
 */
struct npumem_side {
	u64 address;
	u64 length;
	bool write;
	bool is_device;
};

/**
 * struct npumem_piece - device memory at hand
 * @memory: a reference that keeps it
 * @chunk: that it is in, by its first page frame
 * @bytes: where the kernel sees it
 * @offset: of @bytes in @memory
 * @before: bytes of @chunk before @bytes
 * @after: bytes of @chunk from @bytes on
 */
struct npumem_piece {
	struct npumem_memory *memory;
	unsigned long chunk;
	void *bytes;
	u64 offset;
	unsigned long before;
	unsigned long after;
};

/* Does the device, if there is one, reach the memory? */
static bool npumem_reaches(struct npumem_client *client, u32 device, u32 owner)
{
	return owner == NPUMEM_HOST || owner == device ||
	       npumem_peer_enabled(client, device, owner);
}

/*
 * May the device access the span? With rights of its own; with those of the
 * mapping's device, where it reaches the memory; or, to the host's memory, with
 * those of the host, for which it takes no device.
 */
static int npumem_span_permit(struct npumem_client *client,
			      const struct npumem_span *span, u32 device,
			      bool write)
{
	u64 rights = write ? span->rights.write : span->rights.read;
	u32 own = span->mapping->device;
	u32 owner = span->mapping->memory->device->id;

	if (device == NPUMEM_DEVICE_NONE && own != NPUMEM_HOST)
		return -ENOTCONN;
	if (READ_ONCE(span->mapping->memory->device->gone))
		return -ENODEV;
	if (owner == NPUMEM_HOST && rights & NPUMEM_RIGHTS_HOST)
		return 0;
	if (device == NPUMEM_DEVICE_NONE)
		return write ? -EROFS : -EPERM;
	if (rights & NPUMEM_RIGHTS_DEVICE(device))
		return 0;
	if (rights & NPUMEM_RIGHTS_DEVICE(own) &&
	    npumem_reaches(client, device, owner))
		return 0;
	return write ? -EROFS : -EPERM;
}

/* Is the side device memory, and all of it there for the device? */
static int npumem_side_check(struct npumem_client *client,
			     struct npumem_side *side, u32 device)
{
	u64 next = side->address, last;
	struct npumem_reservation *reservation;
	struct npumem_span *span;
	bool wraps;
	int ret;

	wraps = check_add_overflow(side->address, side->length - 1, &last);
	if (wraps)
		last = U64_MAX;
	down_read(&client->map_lock);
	reservation = npumem_reservation_find(client, next, last);
	side->is_device = reservation;
	ret = wraps ? -EFAULT : 0;
	if (!side->is_device)
		goto out;
	ret = -ENOTCONN;
	if (device == NPUMEM_DEVICE_NONE &&
	    reservation->device != NPUMEM_HOST)
		goto out;
	for (span = npumem_span_first(client, next, last); span;
	     span = npumem_span_next(span, last)) {
		ret = -EADDRNOTAVAIL;
		if (span->mapping->dying || span->it.start > next)
			goto out;
		ret = npumem_span_permit(client, span, device, side->write);
		if (ret || span->it.last >= last)
			goto out;
		next = span->it.last + 1;
		cond_resched();
	}
	ret = -EADDRNOTAVAIL;
out:
	up_read(&client->map_lock);
	return ret;
}

/* Get hold of what is mapped at an address; npumem_memory_put() lets go. */
static int npumem_piece_get(struct npumem_client *client, u32 device,
			    bool write, unsigned long address,
			    struct npumem_piece *piece)
{
	struct npumem_span *span;
	int ret = -EADDRNOTAVAIL;

	down_read(&client->map_lock);
	span = npumem_span_first(client, address, address);
	if (span && !span->mapping->dying)
		ret = npumem_span_permit(client, span, device, write);
	if (!ret) {
		piece->memory = npumem_memory_hold(span->mapping->memory);
		piece->offset = address - npumem_mapping_first(span->mapping);
		piece->before = piece->offset & ~NPUMEM_CHUNK_MASK;
		piece->after = NPUMEM_CHUNK_SIZE - piece->before;
		piece->chunk = piece->memory->chunks[piece->offset >>
						     NPUMEM_CHUNK_SHIFT];
		piece->bytes = npumem_pool_address(piece->memory->device,
						   piece->chunk) + piece->before;
	}
	up_read(&client->map_lock);
	return ret;
}

/*
 * Has the hardware failed in any of @n bytes, from @back before the piece on? To
 * touch those would be the end of the machine, and not of a program.
 */
static bool npumem_piece_failed(const struct npumem_piece *piece,
				unsigned long back, unsigned long n)
{
	return npumem_pool_failed(piece->memory->device, piece->chunk,
				  piece->before - back, n);
}

static int npumem_pause(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * Copy from or to the host's side; returns what is left. copy_from_user()
 * would not do: where the source ends it zeroes the rest of the destination,
 * which others see.
 */
static unsigned long npumem_copy_user(void *bytes, u64 user, unsigned long n,
				      bool to_device)
{
	void __user *at = u64_to_user_ptr(user);

	if (!to_device)
		return copy_to_user(at, bytes, n);
	if (!access_ok(at, n))
		return n;
	barrier_nospec();
	might_fault();
	return __copy_from_user_inatomic(bytes, at, n);
}

/*
 * The same for memory that can go while we wait for a page of the user's: by way
 * of a page of our own, which is allocated when it is needed. Returns the bytes
 * or an errno.
 */
static long npumem_copy_by_page(const struct npumem_piece *piece, u64 user,
				unsigned long n, bool to_device, void **page)
{
	const struct npumem_device *device = piece->memory->device;
	void __user *at = u64_to_user_ptr(user);
	int ticket;

	if (!*page)
		*page = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!*page)
		return -ENOMEM;
	n = min(n, PAGE_SIZE);
	if (to_device && copy_from_user(*page, at, n))
		return -EFAULT;
	ticket = npumem_pool_enter(device);
	if (ticket < 0)
		return ticket;
	if (to_device)
		memcpy(piece->bytes, *page, n);
	else
		memcpy(*page, piece->bytes, n);
	npumem_pool_leave(device, ticket);
	if (!to_device && copy_to_user(at, *page, n))
		return -EFAULT;
	return n;
}

static long npumem_copy_host_piece(const struct npumem_piece *piece, u64 user,
				   u64 length, bool to_device, void **page)
{
	unsigned long n = min_t(u64, piece->after, length);

	if (npumem_piece_failed(piece, 0, n))
		return -EIO;
	if (piece->memory->device->pool->ops->enter)
		return npumem_copy_by_page(piece, user, n, to_device, page);
	return npumem_copy_user(piece->bytes, user, n, to_device) ? -EFAULT : n;
}

/* One side is the host's. */
static int npumem_copy_host(struct npumem_client *client,
			    const struct npumem_copy *arg, bool to_device)
{
	u64 device = to_device ? arg->destination : arg->source;
	u64 host = to_device ? arg->source : arg->destination;
	void *page = NULL;
	u64 done = 0;
	int ret = 0;

	while (done < arg->length && !ret) {
		struct npumem_piece piece;
		long n;

		ret = npumem_piece_get(client, arg->device, to_device,
				       device + done, &piece);
		if (ret)
			break;
		n = npumem_copy_host_piece(&piece, host + done,
					   arg->length - done, to_device,
					   &page);
		npumem_memory_put(piece.memory);
		if (n < 0) {
			ret = n;
			break;
		}
		done += n;
		ret = npumem_pause();
	}
	free_page((unsigned long)page);
	return ret;
}

/* Both are there, or -ENODEV. */
static long npumem_copy_bytes(const struct npumem_piece *to,
			      const struct npumem_piece *from, u64 length,
			      bool down)
{
	unsigned long n, back = 0;
	int to_ticket, from_ticket;

	n = min3((u64)to->after, (u64)from->after, length);
	if (down) {
		n = min3((u64)to->before + 1, (u64)from->before + 1, length);
		back = n - 1;
	}
	if (npumem_piece_failed(to, back, n) ||
	    npumem_piece_failed(from, back, n))
		return -EIO;
	to_ticket = npumem_pool_enter(to->memory->device);
	if (to_ticket < 0)
		return to_ticket;
	from_ticket = npumem_pool_enter(from->memory->device);
	if (from_ticket < 0) {
		npumem_pool_leave(to->memory->device, to_ticket);
		return from_ticket;
	}
	memmove(to->bytes - back, from->bytes - back, n);
	npumem_pool_leave(from->memory->device, from_ticket);
	npumem_pool_leave(to->memory->device, to_ticket);
	return n;
}

/*
 * Copy between device memory as much as both chunks allow, upwards from the
 * addresses, or downwards ending before them. Returns the bytes or an errno.
 */
static long npumem_copy_piece(struct npumem_client *client, u32 device,
			      u64 destination, u64 source, u64 length,
			      bool down)
{
	struct npumem_piece to, from;
	long ret;

	ret = npumem_piece_get(client, device, true, destination - down, &to);
	if (ret)
		return ret;
	ret = npumem_piece_get(client, device, false, source - down, &from);
	if (ret)
		goto out;
	ret = npumem_copy_bytes(&to, &from, length, down);
	npumem_memory_put(from.memory);
out:
	npumem_memory_put(to.memory);
	return ret;
}

/*
 * Does the destination begin inside the source, so that copying upwards would
 * overwrite what is still to be read? It may do so in the addresses or, by two
 * mappings of one memory, in the memory.
 */
static bool npumem_copy_is_down(struct npumem_client *client,
				const struct npumem_copy *arg)
{
	struct npumem_piece to, from;
	bool down = arg->destination > arg->source &&
		    arg->destination - arg->source < arg->length;

	if (npumem_piece_get(client, arg->device, true, arg->destination, &to))
		return down;
	if (!npumem_piece_get(client, arg->device, false, arg->source, &from)) {
		if (to.memory == from.memory)
			down = to.offset > from.offset &&
			       to.offset - from.offset < arg->length;
		npumem_memory_put(from.memory);
	}
	npumem_memory_put(to.memory);
	return down;
}

static int npumem_copy_device(struct npumem_client *client,
			      const struct npumem_copy *arg)
{
	bool down = npumem_copy_is_down(client, arg);
	u64 left = arg->length;
	long n;
	int ret = 0;

	while (left && !ret) {
		u64 at = down ? left : arg->length - left;

		n = npumem_copy_piece(client, arg->device,
				      arg->destination + at, arg->source + at,
				      left, down);
		if (n < 0)
			return n;
		left -= n;
		ret = npumem_pause();
	}
	return ret;
}

int npumem_ioctl_copy(struct npumem_call *call)
{
	struct npumem_copy *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_side destination = {
		.address = arg->destination,
		.length = arg->length,
		.write = true,
	};
	struct npumem_side source = {
		.address = arg->source,
		.length = arg->length,
	};
	int ret;

	if (!arg->length)
		return -EINVAL;
	if (arg->device != NPUMEM_DEVICE_NONE &&
	    arg->device >= npumem_device_count())
		return -ENXIO;
	ret = npumem_side_check(client, &destination, arg->device);
	if (ret)
		return ret;
	ret = npumem_side_check(client, &source, arg->device);
	if (ret)
		return ret;
	if (destination.is_device && source.is_device)
		return npumem_copy_device(client, arg);
	if (destination.is_device || source.is_device)
		return npumem_copy_host(client, arg, destination.is_device);
	return -ENOENT;
}

static long npumem_fill_piece(const struct npumem_piece *piece, u64 length,
			      u8 value)
{
	unsigned long n = min_t(u64, piece->after, length);
	int ticket;

	if (npumem_piece_failed(piece, 0, n))
		return -EIO;
	ticket = npumem_pool_enter(piece->memory->device);
	if (ticket < 0)
		return ticket;
	memset(piece->bytes, value, n);
	npumem_pool_leave(piece->memory->device, ticket);
	return n;
}

int npumem_ioctl_fill(struct npumem_call *call)
{
	struct npumem_fill *arg = call->arg;
	struct npumem_client *client = call->client;
	struct npumem_side side = {
		.address = arg->address,
		.length = arg->length,
		.write = true,
	};
	u64 done = 0;
	int ret;

	if (!arg->length || arg->value > U8_MAX || arg->__reserved)
		return -EINVAL;
	if (arg->device != NPUMEM_DEVICE_NONE &&
	    arg->device >= npumem_device_count())
		return -ENXIO;
	ret = npumem_side_check(client, &side, arg->device);
	if (ret)
		return ret;
	if (!side.is_device)
		return -ENOENT;
	while (done < arg->length && !ret) {
		struct npumem_piece piece;
		long n;

		ret = npumem_piece_get(client, arg->device, true,
				       arg->address + done, &piece);
		if (ret)
			return ret;
		n = npumem_fill_piece(&piece, arg->length - done, arg->value);
		npumem_memory_put(piece.memory);
		if (n < 0)
			return n;
		done += n;
		ret = npumem_pause();
	}
	return ret;
}
