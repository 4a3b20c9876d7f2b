/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's operations: what is generated from a seed, removed one by one when
 * a failure is made shorter, written to a file and read back. Operands are symbolic: a
 * handle is the number of a slot that an earlier operation put it in, an address is an
 * offset in a window that all actors have at the same place. So the rest of a list
 * means the same when a part of it is taken out.
 */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include <stdbool.h>
#include <stdio.h>

#include <npumem.h>

#define FUZZ_COMMANDS	27	/* ioctls; their operations are numbered as they are */
#define FUZZ_ACTORS	5	/* processes at a time */
#define FUZZ_FDS	3	/* descriptors that one of them keeps track of */
#define FUZZ_HANDLES	24	/* slots for handles, of all actors together */
#define FUZZ_TOKENS	8	/* slots for tokens */
#define FUZZ_VALUES	6	/* operands besides actor, descriptor and twist */

/* Reservations are made in so many granules from here on. */
#define FUZZ_WINDOW	0x1000000000ULL
#define FUZZ_GRANULES	48
#define FUZZ_WINDOW_BYTES	(FUZZ_GRANULES * NPUMEM_GRANULE)
/* Memory of an actor's own, and addresses where nothing ever is. */
#define FUZZ_SCRATCH	0x2000000000ULL
#define FUZZ_SCRATCH_BYTES	(2 * NPUMEM_GRANULE)
#define FUZZ_NOTHING	0x3000000000ULL

enum fuzz_kind {
	FUZZ_WILD = FUZZ_COMMANDS,	/* an ioctl that there is not */
	FUZZ_OPEN, FUZZ_CLOSE, FUZZ_DUP,
	FUZZ_MMAP, FUZZ_MUNMAP, FUZZ_MPROTECT, FUZZ_MREMAP, FUZZ_MADVISE,
	FUZZ_READ, FUZZ_WRITE, FUZZ_SWEEP, FUZZ_SPLICE, FUZZ_SPY,
	FUZZ_SPAWN, FUZZ_FORK, FUZZ_EXEC, FUZZ_EXIT, FUZZ_KILL,
	FUZZ_PASS, FUZZ_STEAL,
	FUZZ_UNBIND, FUZZ_BIND, FUZZ_LIMITS,
	FUZZ_KINDS
};

/* What is done to an ioctl besides its operands. */
enum fuzz_twist {
	TWIST_NONE,
	TWIST_SHORT,	/* one byte less than the first version */
	TWIST_ZERO,	/* size 0 */
	TWIST_MIN,	/* just the first version */
	TWIST_LONG,	/* longer, zeros in the tail */
	TWIST_TAIL,	/* longer, something else in the tail */
	TWIST_HUGE,	/* more than is ever accepted */
	TWIST_NULL, TWIST_UNMAPPED, TWIST_KERNEL,
	TWIST_EDGE,	/* the last byte is not there */
	TWIST_READONLY,	/* nowhere to put the results */
	TWIST_USERFAULT,	/* a page that another thread brings */
	TWIST_RESERVED, TWIST_FLAG,
	TWIST_ARRAY,	/* the array that the argument points to is not there */
	TWIST_THREAD, TWIST_SIGNAL,
	TWIST_CHILD,	/* by a forked child */
	TWIST_VFORK,	/* by a process with the same address space */
	TWISTS
};

struct fuzz_op {
	unsigned char kind, actor, fd, twist;
	__u64 value[FUZZ_VALUES];
};

/* Which operands a kind has, in value[]; NULL ends them. */
struct fuzz_kind_info {
	const char *name;
	const char *field[FUZZ_VALUES];
};

extern const struct fuzz_kind_info fuzz_kinds[FUZZ_KINDS];

/* Operands by name. */
enum { ALLOC_TYPE, ALLOC_ID, ALLOC_LENGTH, ALLOC_FLAGS, ALLOC_ATTR, ALLOC_HANDLE };
enum { MAP_AT, MAP_HANDLE, MAP_PLUS, MAP_FLAGS, MAP_OFFSET };
enum { ACCESS_AT, ACCESS_LENGTH, ACCESS_COUNT, ACCESS_FIRST };
enum { GET_TYPE, GET_ID, GET_AT };
enum { EXPORT_HANDLE, EXPORT_FLAGS, EXPORT_TOKEN };
enum { LIST_TOKEN, LIST_COUNT, LIST_FIRST };
enum { IMPORT_TOKEN, IMPORT_DEVICE, IMPORT_FLAGS, IMPORT_HANDLE };
enum { COPY_DEVICE, COPY_TO, COPY_FROM, COPY_LENGTH };
enum { FILL_DEVICE, FILL_AT, FILL_LENGTH, FILL_VALUE };
enum { RETAIN_AT, RETAIN_HANDLE };
enum { BATCH_AT, BATCH_HANDLE, BATCH_OTHER, BATCH_STEP, BATCH_COUNT, BATCH_FLAGS };
enum { DROP_FIRST, DROP_COUNT = 3 };
enum { MMAP_AT, MMAP_LENGTH, MMAP_PROT, MMAP_HOW, MMAP_OFFSET };

/* How mmap() is asked. */
enum { MMAP_SHARED, MMAP_OVER, MMAP_PRIVATE };

/* One entry of SET_ACCESS in one number. */
static inline __u64 fuzz_entry(__u32 type, __u32 id, __u32 access, __u32 reserved)
{
	return type | id << 8 | access << 16 | (__u64)reserved << 24;
}

/* Offsets in the window are small, whatever else is the address itself. */
static inline __u64 fuzz_address(__u64 at)
{
	return at < 1ULL << 34 ? FUZZ_WINDOW + at : at;
}

const char *fuzz_twist_name(unsigned int twist);
void fuzz_print(FILE *file, const struct fuzz_op *op);
/* The number of operations, or -1 after a message. */
int fuzz_parse(FILE *file, struct fuzz_op *ops, int max);

/* ---- random numbers ---- */

struct fuzz_random {
	__u64 state;
};

static inline __u64 fuzz_next(struct fuzz_random *random)
{
	__u64 x = random->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline __u32 fuzz_below(struct fuzz_random *random, __u32 limit)
{
	return (fuzz_next(random) >> 32) % limit;
}

static inline bool fuzz_chance(struct fuzz_random *random, __u32 percent)
{
	return fuzz_below(random, 100) < percent;
}

#endif /* FUZZ_OPS_H */
