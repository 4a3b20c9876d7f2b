// SPDX-License-Identifier: MIT
/* The fuzzer's model: its objects, and the operations that are no ioctls. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz_model.h"

/* Objects live as long as the process that runs a round: stale ones can be asked. */
void *model_new(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		perror("fuzz_abi: calloc");
		exit(2);
	}
	return p;
}

static struct m_device *model_device_new(const struct model_machine *machine, int id)
{
	struct m_device *device = model_new(sizeof(*device));

	device->id = id;
	device->capacity = machine->capacity[id];
	device->is_virtual = machine->is_virtual[id];
	return device;
}

void model_init(struct model *model, const struct model_machine *machine)
{
	int i;

	memset(model, 0, sizeof(*model));
	model->machine = *machine;
	for (i = 0; i < machine->devices; i++) {
		model->devices[i] = model_device_new(machine, i);
		model->devices[i]->used = machine->used[i];
	}
	model->host.id = MODEL_HOST;
	model->host.capacity = machine->host_capacity;
	model->host.used = machine->host_used;
	for (i = 0; i < 4; i++)
		model->limit[i] = 65535;
	/* Id 0 stands for a number that nobody was ever given. */
	model->nr_ids = 1;
	model->number[0] = 0xdeadbeefcafef00dULL;
}

int model_new_id(struct model *model)
{
	/* Rounds are short; what comes after is taken for one and the same. */
	if (model->nr_ids == MODEL_IDS)
		return MODEL_IDS - 1;
	/* Until the module has said it; no two are the same. */
	model->number[model->nr_ids] = 0xfaceULL << 48 | model->nr_ids;
	return model->nr_ids++;
}

bool model_usable(const struct model *model, int actor, int fd)
{
	const struct m_actor *a = &model->actors[actor];
	const struct m_client *client = a->fds[fd];

	return a->process && a->process->alive && client &&
	       client->owner == a->process && client->mm == a->mm;
}

struct m_actor *model_actor_of(struct model *model, const struct m_client *client)
{
	int i;

	for (i = 0; i < FUZZ_ACTORS; i++)
		if (model->actors[i].process == client->owner &&
		    model->actors[i].mm == client->mm)
			return &model->actors[i];
	return NULL;
}

/* ---- memory, handles, mappings ---- */

void model_share_end(struct m_share *share)
{
	share->memory->share = NULL;
	share->memory = NULL;
}

void model_memory_put(struct model *model, struct m_memory *memory)
{
	(void)model;
	if (--memory->references)
		return;
	if (memory->share)
		model_share_end(memory->share);
	memory->device->used -= memory->length;
	bytes_free(&memory->bytes);
}

struct m_handle *model_handle(struct m_client *client, int id)
{
	struct m_handle *handle = client->handles;

	while (handle && handle->id != id)
		handle = handle->next;
	return id ? handle : NULL;
}

void model_handles_drop(struct model *model, struct m_client *client, int device)
{
	struct m_handle **at = &client->handles;

	while (*at) {
		struct m_handle *handle = *at;

		if (device >= 0 && handle->device != device) {
			at = &handle->next;
			continue;
		}
		*at = handle->next;
		model_memory_put(model, handle->memory);
	}
}

void model_peers_drop(struct m_client *client, int device)
{
	struct m_handle *handle;
	int from, to;

	for (from = 0; from < MODEL_DEVICES; from++)
		for (to = 0; to < MODEL_DEVICES; to++)
			if (device < 0 || from == device || to == device)
				client->peers[from][to] = 0;
	for (handle = client->handles; handle; handle = handle->next)
		if (device < 0 || handle->device == device ||
		    handle->memory->device->id == device)
			handle->links = 0;
}

void model_unmap(struct model *model, struct m_actor *actor, struct m_mapping *mapping)
{
	int i;

	for (i = mapping->first; i < mapping->first + mapping->count; i++) {
		actor->window[i].mapping = NULL;
		actor->window[i].read = actor->window[i].write = 0;
	}
	model_memory_put(model, mapping->memory);
}

/* The last descriptor and the last VMA are gone: so is the client. */
static void model_client_check(struct model *model, struct m_client *client)
{
	struct m_client **at = &model->clients;

	if (client->files || client->vmas)
		return;
	model_handles_drop(model, client, -1);
	model_peers_drop(client, -1);
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
}

void model_release(struct model *model, struct m_actor *actor,
		   struct m_reservation *reservation)
{
	int i;

	for (i = reservation->first; i < reservation->first + reservation->count; i++) {
		if (actor->window[i].mapping)
			model_unmap(model, actor, actor->window[i].mapping);
		actor->window[i].reservation = NULL;
	}
	reservation->client->vmas--;
	model_client_check(model, reservation->client);
}

static void model_close(struct model *model, struct m_actor *actor, int fd)
{
	struct m_client *client = actor->fds[fd];

	actor->fds[fd] = NULL;
	if (!client)
		return;
	client->files--;
	model_client_check(model, client);
}

static void model_put_fd(struct model *model, struct m_actor *actor, int fd,
			 struct m_client *client)
{
	client->files++;
	model_close(model, actor, fd);
	actor->fds[fd] = client;
}

/* The end of an address space: all goes that its clients held. */
static void model_end_mm(struct model *model, struct m_actor *actor)
{
	struct m_client *client, *next;
	int i;

	for (i = 0; i < FUZZ_GRANULES; i++)
		if (actor->window[i].reservation)
			model_release(model, actor, actor->window[i].reservation);
	for (client = model->clients; client; client = next) {
		next = client->next;
		if (client->owner != actor->process || client->mm != actor->mm)
			continue;
		model_handles_drop(model, client, -1);
		model_peers_drop(client, -1);
	}
	actor->mm = 0;
	bytes_free(&actor->scratch);
}

static void model_end_process(struct model *model, struct m_actor *actor)
{
	int i;

	model_end_mm(model, actor);
	for (i = 0; i < FUZZ_FDS; i++)
		model_close(model, actor, i);
	actor->process->alive = false;
}

static void model_begin_mm(struct model *model, struct m_actor *actor)
{
	actor->mm = ++model->next_mm;
	bytes_init(&actor->scratch, FUZZ_SCRATCH_BYTES);
}

static void model_begin_process(struct model *model, struct m_actor *actor)
{
	actor->process = model_new(sizeof(*actor->process));
	actor->process->alive = true;
	model_begin_mm(model, actor);
}

/* ---- addresses ---- */

struct m_granule *model_granule(struct m_actor *actor, __u64 address)
{
	if (address < FUZZ_WINDOW || address >= FUZZ_WINDOW + FUZZ_WINDOW_BYTES)
		return NULL;
	return &actor->window[(address - FUZZ_WINDOW) / NPUMEM_GRANULE];
}

bool model_cpu(const struct m_granule *granule, bool write)
{
	__u64 bits = 1ULL << MODEL_HOST;

	if (!granule->mapping)
		return false;
	bits |= 1ULL << granule->mapping->device;
	return (write ? granule->write : granule->read) & bits;
}

int model_touch(struct m_actor *actor, __u64 address, bool write,
		struct m_memory **memory, __u64 *offset)
{
	struct m_granule *granule = model_granule(actor, address);
	struct m_mapping *mapping;

	if (!granule || !granule->mapping)
		return SIGSEGV;
	/* What may be written may be read, as far as the kernel's VMAs go. */
	if (!(granule->reservation->prot & (write ? PROT_WRITE : PROT_READ | PROT_WRITE)))
		return SIGSEGV;
	if (!model_cpu(granule, false) || (write && !model_cpu(granule, true)))
		return SIGSEGV;
	mapping = granule->mapping;
	if (mapping->memory->device->gone)
		return SIGBUS;
	*memory = mapping->memory;
	*offset = address - FUZZ_WINDOW - mapping->first * NPUMEM_GRANULE;
	return 0;
}

void model_look(struct m_actor *actor, __u64 address, struct actor_look *look)
{
	struct m_memory *memory;
	__u64 offset;

	memset(look, 0, sizeof(*look));
	look->signal = model_touch(actor, address, false, &memory, &offset);
	if (!look->signal)
		bytes_read(&memory->bytes, offset, look->bytes, sizeof(look->bytes));
}

int model_count_handles(struct m_client *client, int *imports)
{
	struct m_handle *handle;
	int n = 0;

	*imports = 0;
	for (handle = client->handles; handle; handle = handle->next) {
		n++;
		*imports += handle->imported;
	}
	return n;
}

int model_count_mappings(struct m_actor *actor, struct m_client *client, __u64 *bytes)
{
	int i, n = 0;

	*bytes = 0;
	for (i = 0; actor && i < FUZZ_GRANULES; i++) {
		struct m_mapping *mapping = actor->window[i].mapping;

		if (!mapping || mapping->reservation->client != client)
			continue;
		n += mapping->first == i;
		*bytes += NPUMEM_GRANULE;
	}
	return n;
}

int model_count_spans(struct m_actor *actor, struct m_client *client)
{
	int i, n = 0;

	for (i = 0; i < FUZZ_GRANULES; i++) {
		const struct m_granule *g = &actor->window[i];

		if (g->mapping && g->mapping->reservation->client == client)
			n += g->mapping->first == i || g->read != g[-1].read ||
			     g->write != g[-1].write;
	}
	return n;
}

int model_count_reservations(struct m_actor *actor, struct m_client *client,
			     __u64 *bytes)
{
	int i, n = 0;

	*bytes = 0;
	for (i = 0; actor && i < FUZZ_GRANULES; i++) {
		struct m_reservation *reservation = actor->window[i].reservation;

		if (!reservation || reservation->client != client)
			continue;
		n += reservation->first == i;
		*bytes += NPUMEM_GRANULE;
	}
	return n;
}

int model_count_all(struct model *model, const struct m_actor *actor,
		    enum model_resource what)
{
	struct m_client *client;
	int n = 0, imports;
	__u64 bytes;

	for (client = model->clients; client; client = client->next) {
		struct m_actor *of = model_actor_of(model, client);

		if (client->owner != actor->process || of != actor)
			continue;
		if (what == MODEL_HANDLES)
			n += model_count_handles(client, &imports);
		else if (what == MODEL_SPANS)
			n += model_count_spans(of, client);
		else
			n += model_count_reservations(of, client, &bytes);
	}
	return n;
}

/* ---- operations on processes and descriptors ---- */

static long model_fork(struct model *model, struct m_actor *actor, __u64 child)
{
	struct m_actor *to = &model->actors[child % FUZZ_ACTORS];
	int i;

	if (to->process && to->process->alive)
		return MODEL_SKIP;
	model_begin_process(model, to);
	bytes_free(&to->scratch);
	bytes_copy(&to->scratch, &actor->scratch);
	for (i = 0; i < FUZZ_FDS; i++)
		if (actor->fds[i])
			model_put_fd(model, to, i, actor->fds[i]);
	return 0;
}

static long model_exec(struct model *model, struct m_actor *actor, bool keep)
{
	int i;

	model_end_mm(model, actor);
	for (i = 0; i < FUZZ_FDS && !keep; i++)
		model_close(model, actor, i);
	model_begin_mm(model, actor);
	return 0;
}

static long model_open(struct model *model, struct m_actor *actor, int fd)
{
	struct m_client *client = model_new(sizeof(*client));
	struct m_client **at = &model->clients;

	client->owner = actor->process;
	client->mm = actor->mm;
	while (*at)
		at = &(*at)->next;
	*at = client;
	model_put_fd(model, actor, fd, client);
	return 0;
}

static long model_pass(struct model *model, struct m_actor *from, int fd, __u64 to, int as)
{
	struct m_actor *receiver = &model->actors[to % FUZZ_ACTORS];

	if (!receiver->process || !receiver->process->alive || receiver == from ||
	    !from->process || !from->process->alive)
		return MODEL_SKIP;
	if (!from->fds[fd])
		return -EBADF;
	model_put_fd(model, receiver, as % FUZZ_FDS, from->fds[fd]);
	return 0;
}

static long model_unbind(struct model *model, __u64 id, bool bind)
{
	if (!model->machine.unbinds || id >= (__u64)model->machine.devices ||
	    !model->devices[id] != bind)
		return MODEL_SKIP;
	if (bind) {
		model->devices[id] = model_device_new(&model->machine, id);
	} else {
		model->devices[id]->gone = true;
		model->devices[id] = NULL;
	}
	return 0;
}

static long model_other(struct model *model, const struct fuzz_op *op,
			struct actor_request *request, struct model_expect *expect)
{
	struct m_actor *actor = &model->actors[op->actor], *other;
	bool alive = actor->process && actor->process->alive;
	int i;

	switch (op->kind) {
	case FUZZ_SPAWN:
		if (alive)
			return MODEL_SKIP;
		model_begin_process(model, actor);
		return 0;
	case FUZZ_UNBIND:
	case FUZZ_BIND:
		return model_unbind(model, op->value[0], op->kind == FUZZ_BIND);
	case FUZZ_LIMITS:
		for (i = 0; i < 4; i++)
			model->limit[i] = op->value[i];
		return 0;
	}
	if (!alive)
		return MODEL_SKIP;
	switch (op->kind) {
	case FUZZ_OPEN:
		return model_open(model, actor, op->fd);
	case FUZZ_CLOSE:
		if (!actor->fds[op->fd])
			return -EBADF;
		model_close(model, actor, op->fd);
		return 0;
	case FUZZ_DUP:
		request->a[0] %= FUZZ_FDS;
		if (!actor->fds[op->fd])
			return -EBADF;
		model_put_fd(model, actor, request->a[0], actor->fds[op->fd]);
		return 0;
	case FUZZ_MMAP:
		return model_mmap(model, op, request, expect);
	case FUZZ_MUNMAP:
		return model_munmap(model, actor, request->a[0], request->a[1]);
	case FUZZ_MPROTECT:
		return model_mprotect(actor, request->a[0], request->a[1], request->a[2]);
	case FUZZ_MREMAP:
		return model_mremap(actor, request);
	case FUZZ_MADVISE:
		/* Root may poison the machine's memory so: that is what it asked for. */
		if (request->a[2] == 100 || request->a[2] == 101)
			return MODEL_SKIP;
		return model_granule(actor, request->a[0]) ? MODEL_ANY : MODEL_SKIP;
	case FUZZ_READ:
	case FUZZ_WRITE:
		return model_access(actor, request, op->kind == FUZZ_WRITE, expect);
	case FUZZ_SWEEP:
		request->a[0] = request->a[0] % (NPUMEM_GRANULE - ACTOR_LOOK) & ~7ULL;
		return 0;
	case FUZZ_SPLICE:
		return model_access(actor, request, false, expect) ? MODEL_SKIP : MODEL_ANY;
	case FUZZ_SPY:
		other = &model->actors[op->value[0] % FUZZ_ACTORS];
		if (!other->process || !model_granule(other, request->a[1]))
			return MODEL_SKIP;
		request->a[0] = other->process->pid;
		return MODEL_FAILS;
	case FUZZ_FORK:
		return model_fork(model, actor, op->value[0]);
	case FUZZ_EXEC:
		return model_exec(model, actor, op->value[0]);
	case FUZZ_EXIT:
	case FUZZ_KILL:
		model_end_process(model, actor);
		return 0;
	case FUZZ_PASS:
		return model_pass(model, actor, op->fd, op->value[0], op->value[1]);
	case FUZZ_STEAL:
		other = &model->actors[op->value[0] % FUZZ_ACTORS];
		return model_pass(model, other, op->value[1] % FUZZ_FDS, op->actor, op->fd);
	}
	return MODEL_SKIP;
}

static bool model_has_address(const struct fuzz_op *op)
{
	switch (op->kind) {
	case FUZZ_MMAP: case FUZZ_MUNMAP: case FUZZ_MPROTECT: case FUZZ_MREMAP:
	case FUZZ_MADVISE: case FUZZ_READ: case FUZZ_WRITE: case FUZZ_SPLICE:
		return true;
	}
	return false;
}

void model_apply(struct model *model, const struct fuzz_op *op,
		 struct actor_request *request, struct model_expect *expect)
{
	memset(expect, 0, sizeof(*expect));
	memset(request, 0, sizeof(*request));
	request->what = op->kind;
	request->fd = op->fd;
	request->twist = op->twist;
	memcpy(request->a, op->value, sizeof(request->a));
	if (model_has_address(op))
		request->a[0] = fuzz_address(request->a[0]);
	if (op->kind == FUZZ_SPY)
		request->a[1] = fuzz_address(request->a[1]);
	if (op->kind <= FUZZ_WILD)
		model_ioctl(model, op, request, expect);
	else
		expect->ret = model_other(model, op, request, expect);
}

void model_free(struct model *model)
{
	int i;

	for (i = 0; i < FUZZ_ACTORS; i++)
		if (model->actors[i].process && model->actors[i].process->alive)
			model_end_process(model, &model->actors[i]);
}
