// SPDX-License-Identifier: MIT
/*
 * From a seed to a list of operations. The model runs along, so that most operands are
 * such that the call gets far: a handle that the client has, an address where something
 * is. Some are not, on purpose. Nothing here depends on what the module does.
 */
#include <sys/mman.h>

#include "fuzz_generate.h"

struct generator {
	struct fuzz_random random;
	struct model model;
	struct fuzz_op *ops;
	int n;
	int actors;	/* that most operations are of */
	pid_t pid;	/* of processes that there are not yet */
	__u64 word;	/* that no write has written before */
};

#define G	NPUMEM_GRANULE

/* How often which kind is tried. */
static const unsigned char weights[FUZZ_KINDS] = {
	[0] = 1, 2, 11, 6, 3, 14, 7, 14, 4, 3, 3, 9, 10, 14, 3, 4, 3, 2, 1, 4, 12, 6, 4, 1, 2, 7, 4,
	[FUZZ_WILD] = 1, [FUZZ_OPEN] = 3, [FUZZ_CLOSE] = 2, [FUZZ_DUP] = 1,
	[FUZZ_MMAP] = 8, [FUZZ_MUNMAP] = 4, [FUZZ_MPROTECT] = 3, [FUZZ_MREMAP] = 2,
	[FUZZ_MADVISE] = 2, [FUZZ_READ] = 8, [FUZZ_WRITE] = 16, [FUZZ_SWEEP] = 6,
	[FUZZ_SPLICE] = 2, [FUZZ_SPY] = 2, [FUZZ_SPAWN] = 2, [FUZZ_FORK] = 2,
	[FUZZ_EXEC] = 1, [FUZZ_EXIT] = 1, [FUZZ_KILL] = 2, [FUZZ_PASS] = 3,
	[FUZZ_STEAL] = 1, [FUZZ_UNBIND] = 1, [FUZZ_BIND] = 5,
};

static __u32 below(struct generator *g, __u32 limit)
{
	return fuzz_below(&g->random, limit);
}

static bool chance(struct generator *g, __u32 percent)
{
	return fuzz_chance(&g->random, percent);
}

#define PICK(g, ...) ({							\
	static const __u64 of_[] = { __VA_ARGS__ };			\
									\
	of_[below(g, sizeof(of_) / sizeof(*of_))];			\
})

static struct m_client *client_of(struct generator *g, const struct fuzz_op *op)
{
	return model_usable(&g->model, op->actor, op->fd) ?
	       g->model.actors[op->actor].fds[op->fd] : NULL;
}

/* ---- operands ---- */

/* A slot with a handle of the client, of any kind if @kind is 0, else: 1 its own, 2 imported. */
static __u64 pick_handle(struct generator *g, const struct fuzz_op *op, int kind)
{
	struct m_client *client = client_of(g, op);
	int found[FUZZ_HANDLES], n = 0, i;

	for (i = 0; i < FUZZ_HANDLES && client; i++) {
		struct m_handle *handle = model_handle(client, g->model.slot_handle[i]);

		if (handle && (!kind || handle->imported == (kind == 2)))
			found[n++] = i;
	}
	return n && !chance(g, 6) ? (__u64)found[below(g, n)] : below(g, FUZZ_HANDLES);
}

/* A slot for a handle: one whose handle is no more, if there is any. */
static __u64 pick_room(struct generator *g)
{
	int i, slot = below(g, FUZZ_HANDLES);
	struct m_client *client;

	for (i = 0; i < 4; i++) {
		for (client = g->model.clients; client; client = client->next)
			if (model_handle(client, g->model.slot_handle[slot]))
				break;
		if (!client)
			break;
		slot = below(g, FUZZ_HANDLES);
	}
	return slot;
}

/* A token; @mine: of a share of this actor's (1), of another's (2). */
static __u64 pick_token(struct generator *g, const struct fuzz_op *op, int mine)
{
	struct m_process *me = g->model.actors[op->actor].process;
	int found[FUZZ_TOKENS], n = 0, i;

	for (i = 0; i < FUZZ_TOKENS; i++) {
		int id = g->model.slot_token[i];
		struct m_share *share = id ? g->model.shares[id] : NULL;

		if (!share || !share->memory || (mine == 1 && share->exporter != me))
			continue;
		if (mine == 2 && share->exporter != me && chance(g, 50)) {
			int j;

			/* Rather one that lets this process in. */
			for (j = 0; j < share->count && share->listed[j] != me; j++)
				;
			if (!share->anyone && j == share->count)
				continue;
		}
		found[n++] = i;
	}
	if (!n && mine == 1)
		return FUZZ_TOKENS;
	return n && !chance(g, 6) ? (__u64)found[below(g, n)] : below(g, FUZZ_TOKENS);
}

static __u64 pick_device(struct generator *g)
{
	if (chance(g, 95))
		return below(g, g->model.machine.devices);
	return PICK(g, 7, 31, 32, 63, 64, 0x7fffffff, 0xffffffff);
}

static __u64 pick_behalf(struct generator *g)
{
	return chance(g, 12) ? NPUMEM_DEVICE_NONE : pick_device(g);
}

static __u64 wild_at(struct generator *g)
{
	if (chance(g, 70))
		return below(g, FUZZ_GRANULES + 2) * G;
	if (chance(g, 60))
		return below(g, FUZZ_GRANULES) * G + PICK(g, 1, 4096, 65536, G / 2, G - 1);
	return PICK(g, FUZZ_SCRATCH, FUZZ_NOTHING, 1ULL << 47, 0xffff888000000000ULL,
		    -G, ~0ULL, 1ULL << 63, FUZZ_WINDOW - G);
}

/* An index in the window that @want is true of, or -1. */
static int pick_granule(struct generator *g, const struct fuzz_op *op,
			bool (*want)(const struct m_granule *granule, int index))
{
	struct m_actor *actor = &g->model.actors[op->actor];
	struct m_client *client = client_of(g, op);
	int found[FUZZ_GRANULES], n = 0, i;

	for (i = 0; i < FUZZ_GRANULES; i++) {
		struct m_reservation *reservation = actor->window[i].reservation;

		if (reservation && (!client || reservation->client == client) &&
		    want(&actor->window[i], i))
			found[n++] = i;
	}
	return n ? found[below(g, n)] : -1;
}

static bool is_reservation(const struct m_granule *granule, int index)
{
	return granule->reservation->first == index;
}

static bool is_empty(const struct m_granule *granule, int index)
{
	(void)index;
	return !granule->mapping;
}

static bool is_mapping(const struct m_granule *granule, int index)
{
	return granule->mapping && granule->mapping->first == index;
}

static bool is_mapped(const struct m_granule *granule, int index)
{
	(void)index;
	return granule->mapping;
}

/* Where a store must be refused, but not a load. */
static bool is_readable(const struct m_granule *granule, int index)
{
	(void)index;
	return model_cpu(granule, false) && !model_cpu(granule, true);
}

static __u64 pick_at(struct generator *g, const struct fuzz_op *op,
		     bool (*want)(const struct m_granule *granule, int index))
{
	int index = chance(g, 92) ? pick_granule(g, op, want) : -1;

	return index < 0 ? wild_at(g) : index * G;
}

/* Is there anything in the window of the kind that @want tells? */
static bool has(struct generator *g, const struct fuzz_op *op,
		bool (*want)(const struct m_granule *granule, int index))
{
	return pick_granule(g, op, want) >= 0;
}

static __u64 pick_offset(struct generator *g)
{
	return PICK(g, 0, 0, 0, 8, 64, 4096, 65536, G / 2, G - 4096, G - 64);
}

static __u64 pick_length(struct generator *g)
{
	__u64 length = (1 + (chance(g, 40) ? below(g, 4) : 0)) * G;

	if (chance(g, 80))
		return length;
	return length + PICK(g, -1ULL, 1, -4096ULL, 4096, -G + 1);
}

/* Bytes for a copy or fill. */
static __u64 pick_bytes(struct generator *g)
{
	if (chance(g, 70))
		return PICK(g, 1, 7, 8, 64, 4096, 4096, 5000, 65536);
	if (chance(g, 85))
		return PICK(g, G - 4096, G, G + 1, 2 * G, G / 2 + 3);
	return PICK(g, 0, ~0ULL, 1ULL << 63, 1ULL << 32);
}

static __u64 pick_side(struct generator *g, const struct fuzz_op *op)
{
	if (chance(g, 25))
		return FUZZ_SCRATCH + below(g, 32) * 65536 + PICK(g, 0, 0, 1, 4096);
	return pick_at(g, op, is_mapped) + (chance(g, 60) ? pick_offset(g) : 0);
}

static __u64 pick_entry(struct generator *g)
{
	__u32 access = PICK(g, 0, 1, 1, 3, 3, 3);

	if (chance(g, 25))
		return fuzz_entry(NPUMEM_LOCATION_HOST, chance(g, 3), access, 0);
	if (chance(g, 4))
		return fuzz_entry(PICK(g, 1, 4, 2, 1), PICK(g, 0, 32, 63, 255), PICK(g, 2, 4, 3, 1),
				  chance(g, 30));
	return fuzz_entry(NPUMEM_LOCATION_DEVICE, pick_device(g) & 0xff, access, 0);
}

static __u64 pick_person(struct generator *g)
{
	return chance(g, 88) ? below(g, FUZZ_ACTORS) : 100 + below(g, 4);
}

/* ---- operations ---- */

static void fill_alloc(struct generator *g, struct fuzz_op *op)
{
	op->value[ALLOC_TYPE] = PICK(g, 1, 1, 1, 1, 1, 1, 0, 0, 4, 4);
	op->value[ALLOC_ID] = op->value[ALLOC_TYPE] == 1 ? pick_device(g) :
			      op->value[ALLOC_TYPE] == 4 ? PICK(g, 0, 0, 1, 5, 4096) : 0;
	op->value[ALLOC_LENGTH] = pick_length(g);
	op->value[ALLOC_ATTR] = PICK(g, 0, 4, 0xffffffff);
	op->value[ALLOC_HANDLE] = pick_room(g);
	if (chance(g, 7))
		op->value[ALLOC_LENGTH] = PICK(g, 0, ~0ULL, 1ULL << 50, 1ULL << 63, -G, 1 - G);
	if (chance(g, 3))
		op->value[ALLOC_TYPE] = PICK(g, 0, 1, 2, 3, 4, 5, 0xffffffff);
	if (chance(g, 2)) {
		op->value[ALLOC_FLAGS] = PICK(g, NPUMEM_ALLOC_1G, 2, 0xffffffff);
		/* Seldom so much that it can be had: it takes its time. */
		if (!chance(g, 5))
			op->value[ALLOC_LENGTH] = PICK(g, 1ULL << 40, ~0ULL, -NPUMEM_GRANULE_1G);
	}
}

static void fill_ioctl(struct generator *g, struct fuzz_op *op)
{
	__u64 *v = op->value;

	switch (op->kind) {
	case 1: v[0] = pick_behalf(g); break;
	case 2: fill_alloc(g, op); break;
	case 3: case 4: v[0] = pick_handle(g, op, 0); break;
	case 5:
		v[MAP_AT] = pick_at(g, op, is_empty);
		v[MAP_HANDLE] = pick_handle(g, op, 0);
		v[MAP_PLUS] = chance(g, 90) ? 0 : PICK(g, -1ULL, 1, -G, G, 1ULL << 63, -G + 1);
		v[MAP_FLAGS] = chance(g, 15) ? 1 : 0;
		v[MAP_OFFSET] = chance(g, 2) ? PICK(g, 1, G, ~0ULL) : 0;
		break;
	case 6: v[0] = pick_at(g, op, is_mapping); break;
	case 7:
		v[ACCESS_AT] = pick_at(g, op, is_mapped);
		v[ACCESS_LENGTH] = chance(g, 95) ? pick_length(g) : PICK(g, 0, ~0ULL, 1, 1ULL << 40);
		v[ACCESS_COUNT] = chance(g, 95) ? 1 + below(g, 3) : PICK(g, 0, 33, 34, 0xffffffff);
		v[ACCESS_FIRST] = pick_entry(g);
		v[ACCESS_FIRST + 1] = pick_entry(g);
		v[ACCESS_FIRST + 2] = pick_entry(g);
		break;
	case 8:
		v[GET_TYPE] = PICK(g, 1, 1, 1, 0, 0, 4);
		v[GET_ID] = v[GET_TYPE] ? pick_device(g) : chance(g, 5);
		v[GET_AT] = pick_at(g, op, is_mapped) + pick_offset(g);
		break;
	case 9: v[0] = pick_at(g, op, is_mapped) + pick_offset(g); break;
	case 10: v[0] = pick_at(g, op, is_reservation); break;
	case 11:
		v[EXPORT_HANDLE] = pick_handle(g, op, chance(g, 90) ? 1 : 2);
		v[EXPORT_FLAGS] = PICK(g, 0, 0, 0, 1, 2, 3);
		v[EXPORT_TOKEN] = below(g, FUZZ_TOKENS);
		break;
	case 12:
		v[LIST_TOKEN] = pick_token(g, op, chance(g, 90) ? 1 : 0);
		v[LIST_COUNT] = chance(g, 95) ? 1 + below(g, 3) : PICK(g, 0, 200, 65536, 0xffffffff);
		v[LIST_FIRST] = pick_person(g);
		v[LIST_FIRST + 1] = pick_person(g);
		v[LIST_FIRST + 2] = pick_person(g);
		break;
	case 13:
		v[IMPORT_TOKEN] = pick_token(g, op, chance(g, 90) ? 2 : 0);
		v[IMPORT_DEVICE] = pick_device(g);
		v[IMPORT_FLAGS] = chance(g, 20) ? 1 : 0;
		v[IMPORT_HANDLE] = pick_room(g);
		break;
	case 14: v[0] = pick_token(g, op, 0); break;
	case 15: case 16: case 17:
		v[0] = pick_device(g);
		v[1] = chance(g, 90) ? (v[0] + 1) % g->model.machine.devices : pick_device(g);
		break;
	case 20:
		v[COPY_DEVICE] = pick_behalf(g);
		v[COPY_TO] = pick_side(g, op);
		v[COPY_FROM] = pick_side(g, op);
		v[COPY_LENGTH] = pick_bytes(g);
		break;
	case 21:
		v[FILL_DEVICE] = pick_behalf(g);
		v[FILL_AT] = pick_side(g, op);
		v[FILL_LENGTH] = pick_bytes(g);
		v[FILL_VALUE] = chance(g, 97) ? below(g, 256) : PICK(g, 256, 0xffffffff);
		break;
	case 22:
		v[RETAIN_AT] = pick_at(g, op, is_mapping);
		v[RETAIN_HANDLE] = pick_room(g);
		break;
	case 23: v[0] = pick_device(g); break;
	case 24: v[0] = pick_token(g, op, chance(g, 80) ? 1 : 0); break;
	case 25:
		v[BATCH_AT] = pick_at(g, op, is_empty);
		v[BATCH_HANDLE] = pick_handle(g, op, 0);
		v[BATCH_OTHER] = pick_handle(g, op, 0);
		v[BATCH_STEP] = chance(g, 92) ? (1 + below(g, 4)) * G : PICK(g, 0, 4096, -G, ~0ULL);
		v[BATCH_COUNT] = chance(g, 95) ? 1 + below(g, 4) : PICK(g, 0, 30, 65537, 0xffffffff);
		v[BATCH_FLAGS] = chance(g, 15) ? 1 : 0;
		break;
	case 26:
		v[DROP_FIRST] = pick_at(g, op, is_mapping);
		v[DROP_FIRST + 1] = pick_at(g, op, is_mapping);
		v[DROP_FIRST + 2] = pick_at(g, op, is_mapping);
		v[DROP_COUNT] = chance(g, 95) ? 1 + below(g, 3) : PICK(g, 0, 4, 65537, 0xffffffff);
		break;
	case FUZZ_WILD:
		v[0] = NPUMEM_IOC_TYPE << 8 | (PICK(g, 27, 28, 63, 255) & 0xff);
		if (chance(g, 50))
			v[0] = NPUMEM_IOC_TYPE << 8 | 0xc0180000 | below(g, 256);
		break;
	}
	if (chance(g, 22))
		op->twist = below(g, TWISTS);
}

static void fill_mmap(struct generator *g, struct fuzz_op *op)
{
	op->value[MMAP_AT] = below(g, FUZZ_GRANULES / 4) * 4 * G;
	op->value[MMAP_LENGTH] = (1 + below(g, 8)) * G;
	op->value[MMAP_PROT] = chance(g, 85) ? PROT_READ | PROT_WRITE :
			       PICK(g, PROT_NONE, PROT_READ, PROT_WRITE);
	op->value[MMAP_HOW] = PICK(g, 0, 0, 0, 0, 0, 0, MMAP_OVER, MMAP_PRIVATE);
	op->value[MMAP_OFFSET] = chance(g, 3) ? 65536 : 0;
	if (chance(g, 5))
		op->value[MMAP_AT] += PICK(g, G, 65536, G / 2);
	if (chance(g, 4))
		op->value[MMAP_LENGTH] -= PICK(g, 65536, G / 2);
}

static __u64 length_at(struct generator *g, const struct fuzz_op *op)
{
	__u64 index = op->value[0] / G;
	struct m_reservation *reservation = NULL;

	if (index < FUZZ_GRANULES)
		reservation = g->model.actors[op->actor].window[index].reservation;
	if (!reservation || chance(g, 20))
		return PICK(g, G, 2 * G, 4 * G, 65536, G / 2, 8 * G);
	return reservation->count * G;
}

static void fill_other(struct generator *g, struct fuzz_op *op)
{
	__u64 *v = op->value;

	switch (op->kind) {
	case FUZZ_DUP: v[0] = below(g, FUZZ_FDS); break;
	case FUZZ_MMAP: fill_mmap(g, op); break;
	case FUZZ_MUNMAP:
	case FUZZ_MPROTECT:
		v[0] = pick_at(g, op, chance(g, 80) ? is_reservation : is_mapped);
		v[1] = length_at(g, op);
		v[2] = op->kind == FUZZ_MUNMAP ? 0 : PICK(g, 0, 1, 1, 3, 3, 3, 2, 5);
		break;
	case FUZZ_MREMAP:
		v[0] = pick_at(g, op, is_reservation);
		v[1] = chance(g, 90) ? length_at(g, op) : 0;
		v[2] = chance(g, 50) ? v[1] : PICK(g, G, 2 * G, 16 * G, 4096);
		v[3] = below(g, 4);
		break;
	case FUZZ_MADVISE:
		v[0] = pick_at(g, op, is_reservation);
		v[1] = length_at(g, op);
		v[2] = chance(g, 90) ? below(g, 27) : PICK(g, 102, 103, 1000);
		break;
	case FUZZ_READ:
	case FUZZ_WRITE:
	case FUZZ_SPLICE:
		v[0] = pick_at(g, op, is_mapped) + pick_offset(g);
		v[1] = op->kind == FUZZ_WRITE ? ++g->word : 0;
		if (op->kind == FUZZ_WRITE && chance(g, 35) && has(g, op, is_readable))
			v[0] = pick_at(g, op, is_readable) + pick_offset(g);
		break;
	case FUZZ_SWEEP: v[0] = pick_offset(g); break;
	case FUZZ_SPY:
		v[0] = below(g, FUZZ_ACTORS);
		v[1] = below(g, FUZZ_GRANULES) * G;
		v[2] = below(g, 4);
		break;
	case FUZZ_FORK: v[0] = below(g, FUZZ_ACTORS); break;
	case FUZZ_EXEC: v[0] = chance(g, 70); break;
	case FUZZ_PASS:
	case FUZZ_STEAL:
		v[0] = below(g, FUZZ_ACTORS);
		v[1] = below(g, FUZZ_FDS);
		break;
	case FUZZ_UNBIND:
	case FUZZ_BIND:
		v[0] = below(g, g->model.machine.devices);
		break;
	}
}

/* ---- lists ---- */

/* Into the list, unless the model has nothing to say about it. */
static bool put(struct generator *g, const struct fuzz_op *op)
{
	static struct actor_request request;
	static struct model_expect expect;
	int i;

	model_apply(&g->model, op, &request, &expect);
	if (expect.ret == MODEL_SKIP)
		return false;
	g->ops[g->n++] = *op;
	for (i = 0; i < FUZZ_ACTORS; i++) {
		struct m_process *process = g->model.actors[i].process;

		if (process && !process->pid)
			process->pid = ++g->pid;
	}
	return true;
}

/* Mostly, what a call needs to get far is made before it is made. */
static int steer(struct generator *g, const struct fuzz_op *op, struct m_client *client,
		 int kind)
{
	int imports;

	switch (kind) {
	case FUZZ_OPEN:	/* in the place of a client, which ends */
	case FUZZ_CLOSE:
	case FUZZ_EXIT:
	case FUZZ_KILL:
	case FUZZ_EXEC:
	case 23:
		return client && !chance(g, 30) ? FUZZ_SWEEP : kind;
	case FUZZ_UNBIND:
		return chance(g, 15) ? kind : 1;
	}
	if (!client || chance(g, 15))
		return kind;
	switch (kind) {
	case 6: case 7: case 8: case 9: case 20: case 21: case 22: case 26:
	case FUZZ_READ: case FUZZ_WRITE: case FUZZ_SPLICE:
		if (!has(g, op, is_mapped))
			kind = 5;
		break;
	}
	if ((kind == 5 || kind == 25) && !has(g, op, is_empty))
		return FUZZ_MMAP;
	if ((kind == 3 || kind == 4 || kind == 5 || kind == 11 || kind == 25) &&
	    !model_count_handles(client, &imports))
		return chance(g, 60) ? 2 : 13;
	if (kind == 12 && pick_token(g, op, 1) == FUZZ_TOKENS)
		return 11;
	if (kind == 16 && chance(g, 60))
		return 15;
	return kind;
}

static int pick_kind(struct generator *g, struct fuzz_op *op)
{
	struct m_actor *actor = &g->model.actors[op->actor];
	int i, sum = 0, at, imports;
	struct m_client *client;
	__u64 bytes;

	if (!actor->process || !actor->process->alive)
		return FUZZ_SPAWN;
	client = client_of(g, op);
	if (!client && chance(g, 60))
		return FUZZ_OPEN;
	if (client && chance(g, 25) && !model_count_reservations(actor, client, &bytes))
		return FUZZ_MMAP;
	if (client && chance(g, 20) && !model_count_handles(client, &imports))
		return chance(g, 60) ? 2 : 13;
	for (i = 0; i < FUZZ_KINDS; i++)
		sum += weights[i];
	at = below(g, sum);
	for (i = 0; at >= weights[i]; i++)
		at -= weights[i];
	return steer(g, op, client, i);
}

static void generate_one(struct generator *g)
{
	struct fuzz_op op = { 0 };
	int i;

	op.actor = below(g, g->actors);
	op.fd = chance(g, 65) ? 0 : below(g, FUZZ_FDS);
	for (i = 0; i < 5 && !model_usable(&g->model, op.actor, op.fd); i++)
		op.fd = below(g, FUZZ_FDS);
	op.kind = pick_kind(g, &op);
	if (op.kind <= FUZZ_WILD)
		fill_ioctl(g, &op);
	else
		fill_other(g, &op);
	put(g, &op);
}

/* What everybody sees and is told in the end. */
static void generate_end(struct generator *g)
{
	static const __u64 offsets[] = { 0, 65536, G - 64 };
	int actor, i;

	for (actor = 0; actor < FUZZ_ACTORS; actor++) {
		struct fuzz_op op = { .kind = FUZZ_SWEEP, .actor = actor };

		for (i = 0; i < 3; i++) {
			op.value[0] = offsets[i];
			put(g, &op);
		}
		op.kind = 19;
		op.value[0] = 0;
		for (op.fd = 0; op.fd < FUZZ_FDS; op.fd++)
			put(g, &op);
	}
}

int fuzz_generate(__u64 seed, const struct model_machine *machine, struct fuzz_op *ops)
{
	struct generator *g = model_new(sizeof(*g));
	int wanted, n, tries;

	g->random.state = seed;
	g->ops = ops;
	g->pid = 100000;
	g->word = seed << 16 | 1;
	g->actors = 2 + below(g, FUZZ_ACTORS - 1);
	model_init(&g->model, machine);
	if (chance(g, 25)) {
		struct fuzz_op op = { .kind = FUZZ_LIMITS };

		op.value[0] = PICK(g, 65535, 3, 6);
		op.value[1] = PICK(g, 65535, 2, 4, 7);
		op.value[2] = PICK(g, 65535, 1, 3);
		op.value[3] = PICK(g, 65535, 1, 2);
		put(g, &op);
	}
	wanted = 40 + below(g, FUZZ_OPS - 100);
	for (tries = 0; g->n < wanted && tries < 10 * FUZZ_OPS; tries++)
		generate_one(g);
	generate_end(g);
	n = g->n;
	model_free(&g->model);
	return n;
}
