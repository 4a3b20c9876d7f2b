// SPDX-License-Identifier: MIT
/* What whitelists cost, and what the import of a memory costs among many others. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* For a process that only waits, after the linker has found what to wait with. */
#define STACK		(16 * KIB)

static int wait_for_ever(void *nothing)
{
	(void)nothing;
	for (;;)
		pause();
	return 0;
}

/*
 * Processes with our address space: no others would be so small. The kernel lets an
 * eighth of the memory be their stacks, which may be less than @count. Their pids follow
 * each other, or are @apart.
 */
void idlers_start(struct idlers *idlers, unsigned int count, unsigned int apart)
{
	char *stack = mmap(NULL, (size_t)count * STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	idlers->count = 0;
	idlers->stacks = stack;
	idlers->size = (size_t)count * STACK;
	idlers->pid = calloc(count, sizeof(*idlers->pid));
	if (stack == MAP_FAILED || !idlers->pid)
		die("no memory for %u processes", count);
	if (!write_file("/proc/sys/kernel/pid_max", "%u", 4 * count * apart + 32768) ||
	    !write_file("/proc/sys/kernel/threads-max", "%u", count + 1024))
		die("no more pids: %s", strerror(errno));
	while (idlers->count < count) {
		pid_t pid;

		if (apart > 1 && idlers->count &&
		    !write_file("/proc/sys/kernel/ns_last_pid", "%u",
				idlers->pid[idlers->count - 1] + apart - 1))
			die("pids cannot be chosen: %s", strerror(errno));
		pid = clone(wait_for_ever, stack + STACK,
			    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, NULL);

		if (pid < 0 && errno == EAGAIN)
			break;
		if (pid < 0)
			die("clone: %s", strerror(errno));
		stack += STACK;
		idlers->pid[idlers->count++] = pid;
	}
}

/* The same each time. */
void idlers_shuffle(struct idlers *idlers)
{
	unsigned int seed = 1, i, drawn;
	pid_t pid;

	for (i = idlers->count; i > 1; i--) {
		drawn = (unsigned int)rand_r(&seed) % i;
		pid = idlers->pid[drawn];
		idlers->pid[drawn] = idlers->pid[i - 1];
		idlers->pid[i - 1] = pid;
	}
}

void idlers_end(struct idlers *idlers)
{
	unsigned int i;

	for (i = 0; i < idlers->count; i++)
		kill(idlers->pid[i], SIGKILL);
	for (i = 0; i < idlers->count; i++)
		while (waitpid(idlers->pid[i], NULL, 0) < 0 && errno == EINTR)
			;
	munmap(idlers->stacks, idlers->size);
	free(idlers->pid);
}

uint64_t new_memory(int node, uint64_t length)
{
	struct npumem_alloc alloc = {
		.size = sizeof(alloc), .location_type = NPUMEM_LOCATION_DEVICE, .length = length,
	};

	command(node, NPUMEM_ALLOC, &alloc, "alloc");
	return alloc.handle;
}

uint64_t new_share(int node, uint64_t handle)
{
	struct npumem_export export = { .size = sizeof(export), .handle = handle };

	command(node, NPUMEM_EXPORT, &export, "export");
	return export.token;
}

void end_share(int node, uint64_t token)
{
	struct npumem_unexport unexport = { .size = sizeof(unexport), .token = token };

	command(node, NPUMEM_UNEXPORT, &unexport, "unexport");
}

void end_handle(int node, uint64_t handle)
{
	struct npumem_free drop = { .size = sizeof(drop), .handle = handle };

	command(node, NPUMEM_FREE, &drop, "free");
}

void let_in(int node, uint64_t token, const int32_t *pids, unsigned int count)
{
	struct npumem_whitelist_add add = {
		.size = sizeof(add), .count = count, .token = token, .pids = (uintptr_t)pids,
	};

	command(node, NPUMEM_WHITELIST_ADD, &add, "whitelist");
	if (add.added != count)
		die("whitelisted %u of %u processes", add.added, count);
}

/* All in one request, into an empty whitelist. */
struct cost whitelist_cost(const int32_t *pids, unsigned int count)
{
	int node = open_node(), round;
	uint64_t handle = new_memory(node, GRANULE), row[ROUNDS], clock = clock_cost();

	for (round = -1; round < ROUNDS; round++) {
		uint64_t token = new_share(node, handle), from = now();

		let_in(node, token, pids, count);
		if (round >= 0)
			row[round] = now() - from - clock;
		end_share(node, token);
	}
	close(node);
	return cost_of(row, ROUNDS);
}

/* The importing half: a token comes in, and what its import costs goes out. */
static void import_for(struct pair *pair, struct cost *cost)
{
	uint64_t row[ROUNDS], clock = clock_cost(), token;
	int node = open_node(), round;

	for (;;) {
		token = pair_hear(pair);
		if (!token)
			exit(0);
		for (round = -1; round < ROUNDS; round++) {
			struct npumem_import import = { .size = sizeof(import), .token = token };
			uint64_t from = now();

			command(node, NPUMEM_IMPORT, &import, "import");
			if (round >= 0)
				row[round] = now() - from - clock;
			end_handle(node, import.handle);
		}
		*cost = cost_of(row, ROUNDS);
		pair_tell(pair, 0);
	}
}

static struct cost import_cost(struct pair *pair, const struct cost *cost, uint64_t token)
{
	pair_tell(pair, token);
	pair_hear(pair);
	return *cost;
}

/* As many as there is memory for, up to @wanted. */
static unsigned int share_many(int node, unsigned int wanted, pid_t importer)
{
	unsigned int count;

	for (count = 0; count < wanted; count++) {
		struct npumem_alloc alloc = {
			.size = sizeof(alloc), .length = GRANULE,
			.location_type = NPUMEM_LOCATION_DEVICE,
		};
		uint64_t token;

		if (memory_available() < 256 * MIB)
			break;
		if (ioctl(node, NPUMEM_ALLOC, &alloc)) {
			if (errno == ENOSPC || errno == ENOMEM)
				break;
			die("alloc: %s", strerror(errno));
		}
		token = new_share(node, alloc.handle);
		let_in(node, token, &importer, 1);
	}
	return count;
}

/* Up to @shares, as many as there is memory for. */
void imports_run(const int32_t *pids, unsigned int count, unsigned int shares,
		 struct imports *imports)
{
	struct cost *cost = shared_memory(sizeof(*cost));
	struct pair pair;
	uint64_t token;
	int node;

	if (!pair_start(&pair))
		import_for(&pair, cost);
	node = open_node();
	token = new_share(node, new_memory(node, GRANULE));
	let_in(node, token, &pair.child, 1);
	imports->alone = import_cost(&pair, cost, token);
	let_in(node, token, pids, count);
	imports->among_pids = import_cost(&pair, cost, token);
	close(node);

	node = open_node();
	token = new_share(node, new_memory(node, GRANULE));
	let_in(node, token, &pair.child, 1);
	imports->shares = share_many(node, shares, pair.child);
	imports->among_shares = import_cost(&pair, cost, token);
	pair_tell(&pair, 0);
	pair_end(&pair);
	close(node);
	munmap(cost, sizeof(*cost));
}
