// SPDX-License-Identifier: MIT
/*
 * Which addresses the program got from us: its reservations, and the blocks of
 * host memory. Sorted by address, no two overlap.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npumem_shim.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

struct shim_ranges shim_reservations;
struct shim_ranges shim_host_blocks;

void shim_range_read(void)
{
	pthread_rwlock_rdlock(&lock);
}

void shim_range_write(void)
{
	pthread_rwlock_wrlock(&lock);
}

void shim_range_unlock(void)
{
	pthread_rwlock_unlock(&lock);
}

/* The first range that ends after @address. */
static size_t lookup(const struct shim_ranges *set, uintptr_t address)
{
	size_t low = 0;
	size_t high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->range[middle].base + (set->range[middle].size - 1) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool shim_range_room(struct shim_ranges *set)
{
	size_t room = set->room ? 2 * set->room : 16;
	struct shim_range *range;

	if (set->count < set->room)
		return true;
	range = reallocarray(set->range, room, sizeof(*range));
	if (!range)
		return false;
	set->range = range;
	set->room = room;
	return true;
}

/* A range that this one overlaps was unmapped behind our back. */
void shim_range_add(struct shim_ranges *set, uintptr_t base, size_t size)
{
	size_t at = lookup(set, base);
	size_t end = at;

	while (end < set->count && (set->range[end].base <= base ||
				    set->range[end].base - base < size))
		end++;
	memmove(&set->range[at + 1], &set->range[end],
		(set->count - end) * sizeof(set->range[0]));
	set->count = set->count - (end - at) + 1;
	set->range[at] = (struct shim_range){
		.base = base,
		.size = size,
		.device = NPUMEM_DEVICE_NONE,
	};
}

struct shim_range *shim_range_find(const struct shim_ranges *set, uintptr_t base)
{
	size_t at = lookup(set, base);

	if (at == set->count || set->range[at].base != base)
		return NULL;
	return &set->range[at];
}

bool shim_range_remove(struct shim_ranges *set, uintptr_t base)
{
	struct shim_range *range = shim_range_find(set, base);
	size_t at;

	if (!range)
		return false;
	at = (size_t)(range - set->range);
	set->count--;
	memmove(&set->range[at], &set->range[at + 1],
		(set->count - at) * sizeof(set->range[0]));
	return true;
}

bool shim_range_overlaps(const struct shim_ranges *set, uintptr_t address,
			 size_t length)
{
	size_t at = lookup(set, address);

	if (at == set->count)
		return false;
	return set->range[at].base <= address ||
	       set->range[at].base - address < length;
}

bool shim_is_reserved(uint64_t address, uint64_t length)
{
	bool found;

	shim_range_read();
	found = shim_range_overlaps(&shim_reservations, address, length);
	shim_range_unlock();
	return found;
}

bool shim_has_hole(uint64_t address, uint64_t length)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)address & ~(page - 1);

	length += (uintptr_t)address - start;
	/* Does nothing but fail where a page has no mapping at all. */
	return msync((void *)start, length, MS_ASYNC) && errno == ENOMEM;
}

/* The child keeps the host blocks, which are its own copies. */
void shim_range_forked(struct shim_ranges *taken)
{
	pthread_rwlock_init(&lock, NULL);
	if (!taken)
		return;
	*taken = shim_reservations;
	shim_reservations = (struct shim_ranges){ NULL, 0, 0 };
}
