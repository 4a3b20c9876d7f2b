// SPDX-License-Identifier: MIT
/*
 * Names of contexts and streams. A name says where to look and which of the
 * things that were there is meant; it is never dereferenced.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "npumem_shim.h"

/* Name: 8 bits mark, 8 bits epoch, 24 bits serial number, 24 bits index. */
#define MARK 0xacU
#define BITS_24 0xffffffU

struct slot {
	struct shim_object object;	/* kind 0: free */
	uint32_t serial;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static size_t slot_count;
static uint32_t last_serial;

static uint8_t epoch_mark(void)
{
	return (uint8_t)shim_epoch();
}

static struct slot *free_slot(void)
{
	size_t count = slot_count ? 2 * slot_count : 16;
	struct slot *grown;

	for (size_t i = 0; i < slot_count; i++)
		if (!slots[i].object.kind)
			return &slots[i];
	if (count > BITS_24)
		return NULL;
	grown = reallocarray(slots, count, sizeof(*grown));
	if (!grown)
		return NULL;
	slots = grown;
	memset(&slots[slot_count], 0, (count - slot_count) * sizeof(*grown));
	grown = &slots[slot_count];
	slot_count = count;
	return grown;
}

void *shim_object_new(enum shim_object_kind kind, uint32_t device)
{
	struct slot *slot;
	uint64_t name = 0;

	pthread_mutex_lock(&lock);
	slot = free_slot();
	if (slot) {
		last_serial = (last_serial + 1) & BITS_24;
		slot->object.kind = kind;
		slot->object.device = device;
		slot->serial = last_serial;
		name = (uint64_t)MARK << 56 | (uint64_t)epoch_mark() << 48 |
		       (uint64_t)last_serial << 24 | (uint64_t)(slot - slots);
	}
	pthread_mutex_unlock(&lock);
	return (void *)(uintptr_t)name;
}

/* With @lock held. */
static struct slot *find(const void *pointer, int *error)
{
	uint64_t name = (uint64_t)(uintptr_t)pointer;
	size_t index = name & BITS_24;

	*error = ENOENT;
	if (name >> 56 != MARK)
		return NULL;
	if ((uint8_t)(name >> 48) != epoch_mark()) {
		if ((uint8_t)(name >> 48) < epoch_mark())
			*error = ESTALE;
		return NULL;
	}
	if (index >= slot_count || !slots[index].object.kind ||
	    slots[index].serial != ((name >> 24) & BITS_24))
		return NULL;
	*error = 0;
	return &slots[index];
}

int shim_object_get(const void *name, struct shim_object *object)
{
	struct slot *slot;
	int error;

	pthread_mutex_lock(&lock);
	slot = find(name, &error);
	if (slot)
		*object = slot->object;
	pthread_mutex_unlock(&lock);
	return error;
}

int shim_object_delete(const void *name)
{
	struct slot *slot;
	int error;

	pthread_mutex_lock(&lock);
	slot = find(name, &error);
	if (slot)
		slot->object.kind = 0;
	pthread_mutex_unlock(&lock);
	return error;
}

void shim_object_drop_device(uint32_t device)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < slot_count; i++)
		if (slots[i].object.device == device)
			slots[i].object.kind = 0;
	pthread_mutex_unlock(&lock);
}

void shim_object_lock(void)
{
	pthread_mutex_lock(&lock);
}

void shim_object_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void shim_object_forked(bool lost)
{
	pthread_mutex_init(&lock, NULL);
	for (size_t i = 0; lost && i < slot_count; i++)
		slots[i].object.kind = 0;
}
