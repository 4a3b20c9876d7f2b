// SPDX-License-Identifier: MIT
/*
 * fork: the child has neither the parent's client nor its mappings. It
 * remembers what the parent had, to tell that from garbage.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npumem_shim.h"

/* Generations back that are remembered; nobody forks deeper with devices. */
#define ANCESTORS 64

struct ancestor {
	uint32_t tag;
	struct shim_ranges reservations;
};

/* Written in the child of fork() only, when it has one thread. */
static struct ancestor ancestors[ANCESTORS];
static unsigned int epoch;

unsigned int shim_epoch(void)
{
	return epoch;
}

static unsigned int known_ancestors(void)
{
	return epoch < ANCESTORS ? epoch : ANCESTORS;
}

bool shim_inherited_handle(uint64_t handle)
{
	uint32_t tag = (uint32_t)(handle >> 32);

	for (unsigned int i = 0; i < known_ancestors(); i++)
		if (tag && ancestors[i].tag == tag)
			return true;
	return false;
}

/*
 * Nothing of the parent's device memory is mapped in the child, but the
 * addresses are free there and may have become something else.
 */
bool shim_inherited_address(uint64_t address, uint64_t length)
{
	uintptr_t start = (uintptr_t)address;
	bool found = false;

	if (!epoch || length > UINTPTR_MAX - start)
		return false;
	for (unsigned int i = 0; i < known_ancestors() && !found; i++)
		found = shim_range_overlaps(&ancestors[i].reservations, start, length);
	return found && !shim_is_reserved(address, length) &&
	       shim_has_hole(address, length);
}

bool shim_inherited(const struct shim_call *call)
{
	const size_t max = sizeof(call->args) / sizeof(call->args[0]);

	if (!epoch)
		return false;
	for (size_t i = 0; i < max && call->args[i].kind; i++) {
		const struct shim_arg *arg = &call->args[i];

		if (arg->kind == SHIM_ARG_HANDLE && shim_inherited_handle(arg->value))
			return true;
		if (arg->kind == SHIM_ARG_ADDRESS && shim_inherited_address(arg->value, 1))
			return true;
	}
	return false;
}

aclError shim_fail_inherited(const struct shim_call *call)
{
	return shim_fail(call, CAUSE_INHERITED, (int)getpid());
}

static void before_fork(void)
{
	shim_device_lock();
	shim_range_write();
	shim_object_lock();
	shim_client_lock();
}

static void after_fork_parent(void)
{
	shim_client_unlock();
	shim_object_unlock();
	shim_range_unlock();
	shim_device_unlock();
}

/* No allocation here: other libraries' fork handlers may yet have to run. */
static void after_fork_child(void)
{
	struct shim_ranges reservations;
	uint32_t tag = shim_client_forked();

	shim_device_forked(tag != 0);
	shim_object_forked(tag != 0);
	shim_range_forked(tag ? &reservations : NULL);
	shim_init_forked();
	if (!tag)
		return;
	ancestors[epoch % ANCESTORS].tag = tag;
	ancestors[epoch % ANCESTORS].reservations = reservations;
	epoch++;
}

static void __attribute__((constructor)) register_fork(void)
{
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}
