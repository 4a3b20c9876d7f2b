/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's model of the module: who holds what, who may do what, and which bytes
 * are where. It says of each operation what has to come of it. It knows nothing of
 * addresses of the kernel, locks or page tables.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <sys/types.h>

#include "fuzz_actor.h"
#include "fuzz_bytes.h"
#include "fuzz_ops.h"

#define MODEL_DEVICES	8	/* more than any machine of ours has */
#define MODEL_HOST	63	/* the host, where a device is meant; its bit in rights */
#define MODEL_LISTED	64	/* entries of a whitelist */
#define MODEL_IDS	4096	/* handles and tokens that there ever were */

/* A result that no call gives: the operation is not to be run. */
#define MODEL_SKIP	(-100001)
/* What the call says does not matter; that nothing changes does. */
#define MODEL_ANY	(-100002)
/* It must fail, however. */
#define MODEL_FAILS	(-100003)

struct m_device {
	int id;
	bool gone, is_virtual;
	__u64 capacity, used;
};

/* A process, which exec() does not end. */
struct m_process {
	pid_t pid;
	bool alive;
};

struct m_share {
	struct m_memory *memory;	/* NULL: it has ended */
	struct m_process *exporter;
	bool anyone, plain, key;
	int id;
	int count;
	struct m_process *listed[MODEL_LISTED];
};

struct m_memory {
	int references;
	struct m_device *device;
	__u64 requested, length, granule;
	__u32 type, id, attr;
	struct m_share *share;
	struct fuzz_bytes bytes;
};

struct m_handle {
	struct m_handle *next;
	struct m_memory *memory;
	int id, device;
	__u32 references;
	__u64 links;
	bool imported;
};

struct m_client {
	struct m_client *next;		/* in the order of opening */
	struct m_process *owner;
	unsigned int mm;		/* the address space that it belongs to */
	int files, vmas;
	struct m_handle *handles;
	__u64 peers[MODEL_DEVICES][MODEL_DEVICES];
	__u64 refused;
	__u64 faults, entries;		/* as last told */
};

struct m_reservation {
	struct m_client *client;
	int first, count;		/* granules */
	int device;
	int prot;
};

struct m_mapping {
	struct m_memory *memory;
	struct m_reservation *reservation;
	int first, count, device;
	bool imported;
};

struct m_granule {
	struct m_reservation *reservation;
	struct m_mapping *mapping;
	__u64 read, write;
};

struct m_actor {
	struct m_process *process;	/* the last one, alive or not */
	unsigned int mm;
	struct m_client *fds[FUZZ_FDS];
	struct m_granule window[FUZZ_GRANULES];
	struct fuzz_bytes scratch;
};

/* What the machine is like; of the generator's own choice when nothing runs. */
struct model_machine {
	int devices;
	__u32 nodes;			/* bit mask of nodes with memory */
	__u64 capacity[MODEL_DEVICES], host_capacity;
	__u64 used[MODEL_DEVICES], host_used;	/* by others, before */
	bool is_virtual[MODEL_DEVICES];
	bool unbinds;			/* devices may be unbound */
};

struct model {
	struct model_machine machine;
	struct m_device *devices[MODEL_DEVICES];	/* NULL: unbound */
	struct m_device host;
	struct m_actor actors[FUZZ_ACTORS];
	struct m_client *clients;
	unsigned int next_mm;
	__u64 limit[4];		/* handles, mappings, reservations, one whitelist */
	int slot_handle[FUZZ_HANDLES], slot_token[FUZZ_TOKENS];	/* ids, 0: none */
	int nr_ids;
	__u64 number[MODEL_IDS];	/* what the module calls them */
	struct m_share *shares[MODEL_IDS];	/* of ids that are tokens */
};

/* What has to come of an operation. */
struct model_expect {
	long ret;
	int id;			/* the handle or token that comes out, or 0 */
	bool fresh;		/* it is a new one */
	__u32 id_at;		/* where it is in the argument */
	long also;		/* another result that is as good, or 0 */
	int signal;		/* of a load or store */
	/* The argument afterwards: bytes of which @known is 0 are not looked at. */
	__u32 length;
	unsigned char bytes[ACTOR_BYTES], known[ACTOR_BYTES];
	unsigned char look[ACTOR_LOOK];
};

void model_init(struct model *model, const struct model_machine *machine);
void model_free(struct model *model);

/*
 * Turn an operation into a request and, by what is so, into an expectation; what
 * it changes is changed in the model.
 */
void model_apply(struct model *model, const struct fuzz_op *op,
		 struct actor_request *request, struct model_expect *expect);
/* Ioctls, from the request's bytes; fuzz_model_ioctl.c. */
void model_ioctl(struct model *model, const struct fuzz_op *op,
		 struct actor_request *request, struct model_expect *expect);
/* Calls on address space, loads and stores; fuzz_model_space.c. */
long model_mmap(struct model *model, const struct fuzz_op *op,
		const struct actor_request *request, struct model_expect *expect);
long model_munmap(struct model *model, struct m_actor *actor, __u64 address,
			 __u64 length);
long model_mprotect(struct m_actor *actor, __u64 address, __u64 length, int prot);
long model_mremap(struct m_actor *actor, const struct actor_request *request);
long model_access(struct m_actor *actor, const struct actor_request *request,
			 bool write, struct model_expect *expect);
/* COPY and FILL; fuzz_model_copy.c. */
long model_copy(struct model *model, struct m_actor *actor, struct m_client *client,
		const struct npumem_copy *arg);
long model_fill(struct model *model, struct m_actor *actor, struct m_client *client,
		const struct npumem_fill *arg);

/* ---- what the parts of the model share ---- */

void *model_new(size_t size);
bool model_usable(const struct model *model, int actor, int fd);
int model_new_id(struct model *model);
struct m_handle *model_handle(struct m_client *client, int id);
void model_memory_put(struct model *model, struct m_memory *memory);
void model_share_end(struct m_share *share);
void model_unmap(struct model *model, struct m_actor *actor, struct m_mapping *mapping);
void model_release(struct model *model, struct m_actor *actor,
		   struct m_reservation *reservation);
void model_handles_drop(struct model *model, struct m_client *client, int device);
void model_peers_drop(struct m_client *client, int device);
struct m_actor *model_actor_of(struct model *model, const struct m_client *client);
/* SIGSEGV, SIGBUS or 0; the byte's memory and where in it. */
int model_touch(struct m_actor *actor, __u64 address, bool write,
		struct m_memory **memory, __u64 *offset);
bool model_cpu(const struct m_granule *granule, bool write);
struct m_granule *model_granule(struct m_actor *actor, __u64 address);
int model_count_mappings(struct m_actor *actor, struct m_client *client, __u64 *bytes);
/* Of all clients of a process: its limits hold for them together. */
enum model_resource { MODEL_HANDLES, MODEL_SPANS, MODEL_RESERVATIONS };
int model_count_all(struct model *model, const struct m_actor *actor,
		    enum model_resource what);
int model_count_spans(struct m_actor *actor, struct m_client *client);
int model_count_reservations(struct m_actor *actor, struct m_client *client,
			     __u64 *bytes);
int model_count_handles(struct m_client *client, int *imports);
void model_look(struct m_actor *actor, __u64 address, struct actor_look *look);

#endif /* FUZZ_MODEL_H */
