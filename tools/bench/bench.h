/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks share.
 *
 * They are to run in a virtual machine whose clock counts instructions, where
 * CLOCK_MONOTONIC_RAW advances by 1 ns with each (tools/vm/vm run --icount).
 * Nothing is printed between measurements, as a line on a console costs millions.
 */
#ifndef NPUMEM_BENCH_H
#define NPUMEM_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <npumem.h>

#define ROUNDS		7
#define EVENT_ROUNDS	2
#define PAGE		4096UL
#define KIB		1024UL
#define MIB		(1024 * KIB)
#define GRANULE		(2 * MIB)

/* ---- count.c: the clock, and what is counted beside it ---- */

enum event {
	FAULTS, SYSCALLS, PAGES_CLEARED, TLB_FLUSHES,
	EVENTS
};

struct sample {
	uint64_t time;
	uint64_t event[EVENTS];
};

extern const char *const event_names[EVENTS];

/* Never inlined: to read it takes the same everywhere, as clock_cost() says. */
uint64_t now(void) __attribute__((noinline));
/* What reading the clock adds. */
uint64_t clock_cost(void);
/* Once, before any of these. */
void events_prepare(void);
/* Of the calling process. Counting slows it down. */
void events_open(void);
void events_close(void);
struct sample sample(void);
struct sample sample_difference(const struct sample *from, const struct sample *to);

void die(const char *what, ...) __attribute__((noreturn, format(printf, 1, 2)));
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed memory that a child of fork() shares. */
void *shared_memory(uint64_t size);
/* Free addresses, aligned for huge pages. */
char *find_addresses(uint64_t length);
bool write_file(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
long long read_number(const char *path);
uint64_t memory_available(void);
void raise_limits(void);
unsigned int count_descriptors(void);
unsigned int count_vmas(void);

/* ---- pair.c: two processes that take turns ---- */

struct pair {
	pid_t child;
	int in;
	int out;
	/* For descriptors; a message on it wakes nobody. */
	int socket;
};

/* Forks; returns in both: 0 in the child, as fork(). */
pid_t pair_start(struct pair *pair);
void pair_end(struct pair *pair);
void pair_tell(struct pair *pair, uint64_t number);
uint64_t pair_hear(struct pair *pair);
void send_descriptors(int socket, const int *fds, unsigned int count);
void receive_descriptors(int socket, int *fds, unsigned int count);

/* ---- unit.c: the whole cycle, for one way of sharing memory ---- */

enum step {
	NOTHING,
	ALLOCATE, EXPORT, WHITELIST, SEND,
	RECEIVE, RESERVE, MAP, TOUCH, READ_ONLY, READ_WRITE, UNMAP, RELEASE, DROP,
	FREE,
	STEPS
};

extern const char *const step_names[STEPS];
/* Is it a part of the whole cycle? */
bool step_in_whole(int step);

/* One block of memory, in one of the two processes. */
struct part {
	uint64_t handle;
	int fd;
	int other_fd;
	uint32_t device;	/* that the importer uses it from, of ours */
	char *at;
};

struct unit {
	uint64_t length;	/* of each part */
	unsigned int parts;
	struct part *part;
	uint64_t *token;	/* of each part; shared by both processes */
	int socket;
	int node;
	int32_t importer;
	char *at;		/* addresses for all parts */
};

/* One way of sharing memory: what it does in each step, or nothing. */
struct way {
	const char *name;
	/* Turns on what it needs for so many bytes: NULL, or why it cannot be had. */
	const char *(*prepare)(uint64_t bytes);
	void (*finish)(void);
	/* In each of the two processes. */
	void (*start)(struct unit *unit);
	void (*step[STEPS])(struct unit *unit);
};

extern const struct way way_npumem, way_acl, way_memfd, way_thp, way_hugetlb,
			way_dma_heap, way_udmabuf;

enum { NPUMEM, ACL, MEMFD, THP, HUGETLB, DMA_HEAP, UDMABUF, WAYS };
extern const struct way *const ways[WAYS];

struct cost {
	uint64_t minimum;
	uint64_t median;
};

struct result {
	const char *missing;	/* why there is none */
	struct cost step[STEPS];
	struct cost whole;
	struct sample events[STEPS];
	unsigned int descriptors, vmas;	/* of all parts, while they are mapped */
};

/*
 * @parts blocks of @length. Where they would not fit into the machine, only so many
 * @memories are behind them: the importer has each several times, ours by a handle for
 * each of so many devices and the others' by so many descriptors.
 */
struct shape {
	uint64_t length;
	unsigned int parts;
	unsigned int memories;
};

void unit_run(const struct way *way, const struct shape *shape, unsigned int rounds,
	      bool events, struct result *result);
struct cost cost_of(uint64_t *row, unsigned int rounds);
void touch(const struct unit *unit);
/* What a way does in a step, if anything. */
void unit_step(const struct way *way, struct unit *unit, enum step step);

/* ---- npumem by hand: way_npumem.c, whitelist.c ---- */

int open_node(void);
void command(int fd, unsigned long number, void *argument, const char *what);
uint64_t new_memory(int node, uint64_t length);
uint64_t new_share(int node, uint64_t handle);
void end_share(int node, uint64_t token);
void end_handle(int node, uint64_t handle);
void let_in(int node, uint64_t token, const int32_t *pids, unsigned int count);

/* ---- whitelist.c ---- */

/* Processes that wait until they are killed. */
struct idlers {
	pid_t *pid;
	unsigned int count;
	void *stacks;
	size_t size;
};

void idlers_start(struct idlers *idlers, unsigned int count, unsigned int apart);
void idlers_shuffle(struct idlers *idlers);
void idlers_end(struct idlers *idlers);

/* What an import costs: alone, with many in the whitelist, and with many shares. */
struct imports {
	struct cost alone, among_pids, among_shares;
	unsigned int shares;
};

struct cost whitelist_cost(const int32_t *pids, unsigned int count);
void imports_run(const int32_t *pids, unsigned int count, unsigned int shares,
		 struct imports *imports);

/* ---- footprint.c: a memory cgroup, and bytes of the kernel's, each ---- */

void group_enter(void);
void group_leave(void);

double handle_bytes(const struct way *way, unsigned int count);
double entry_bytes(const int32_t *pids, unsigned int count);

/* ---- death.c ---- */

#define DEATH_ROUNDS	ROUNDS

struct death {
	double ratio;
	bool left;	/* memory of who had been killed, or what the module knew of him */
};

void death_run(const struct way *way, struct death *death);

/* ---- crowd.c, scaling.c: many processes at once ---- */

#define CROWD		64

struct seat;

struct crowd {
	const struct way *way;
	unsigned int count;
	struct seat *seats;
};

const char *crowd_start(struct crowd *crowd, const struct way *way, unsigned int count);
double crowd_cost(struct crowd *crowd, unsigned int running, unsigned int times);
void crowd_end(struct crowd *crowd);

/* How many times more CROWD processes do in the same time than one. */
struct scaling {
	double ours, other;
	double ratio, low, high;
	unsigned int processors;
};

void scaling_run(struct scaling *scaling);
void scaling_write(const struct scaling *scaling, const char *path);
void scaling_read(struct scaling *scaling, const char *path);

/* ---- zeroed.c: memory that is zeroed in advance ---- */

struct zeroed {
	struct cost allocate;	/* nothing, if it cannot be measured */
	struct cost all;	/* with what zeroing took */
};

long long zeroing_hold(void);
void zeroing_release(long long before);
long long keeping_stop(void);
void keeping_resume(long long bytes);
void zeroed_run(struct zeroed *zeroed);

/* ---- batch.c: many mappings at once ---- */

enum batch_by { IN_ONE, ONE_BY_ONE, BATCH_WAYS };
enum batch_step { BATCH_MAP, BATCH_UNMAP, BATCH_STEPS };

/* Of all of them. */
struct batch {
	unsigned int count;
	struct cost cost[BATCH_WAYS][BATCH_STEPS];
	struct sample events[BATCH_WAYS][BATCH_STEPS];
};

void batch_run(unsigned int count, struct batch *batch);

/* ---- gigabyte.c: one page-table entry for 1 GiB ---- */

/* Numbers of devices. */
enum { RAM, CARVEOUT };

struct gigabyte {
	struct cost map[CARVEOUT + 1], unmap[CARVEOUT + 1];
	uint64_t entries[CARVEOUT + 1];		/* that each mapping had */
};

void gigabyte_run(struct gigabyte *gigabyte);
void gigabyte_write(const struct gigabyte *gigabyte, const char *path);
void gigabyte_read(struct gigabyte *gigabyte, const char *path);

/* ---- many.c: one of many ---- */

#define MANY_POINTS	6

enum find { IMPORT_SHARE, FIND_HANDLE, FIND_MAPPING, MAP_AMONG, UNMAP_AMONG, FINDS };

/* What each takes where there are so many. */
struct lookups {
	unsigned int count[MANY_POINTS];
	struct cost cost[FINDS][MANY_POINTS];
};

void many_run(struct lookups *many);
void many_write(const struct lookups *many, const char *path);
void many_read(struct lookups *many, const char *path);
void many_print(const struct lookups *many);

/* ---- loop.c: one step again and again ---- */

void loop_run(const char *name, double seconds);

/* ---- locks.c ---- */

void locks_run(void);

/* ---- floors.c ---- */

enum floor {
	GETPPID, REFUSED_IOCTL, QUERY, STOSQ, MMAP_MUNMAP, MEMFD_CLOSE, SCM_RIGHTS_ONE,
	TOUCH_POPULATED,
	FLOORS
};

extern const char *const floor_names[FLOORS];
void floors_run(struct cost *floors);

#endif /* NPUMEM_BENCH_H */
