/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks share: the clock, and rounds of requests by hand.
 *
 * They are to run in a virtual machine whose clock counts instructions, where
 * CLOCK_MONOTONIC_RAW advances by 1 ns with each (tools/vm/vm run --icount). An
 * exporter and an importer, two processes, do a round after the other; nothing
 * is printed between, as a line on a console costs millions.
 */
#ifndef NPUMEM_BENCH_H
#define NPUMEM_BENCH_H

#include <stdint.h>

#include <npumem.h>

#define ROUNDS 24
#define COPY_BYTES 4096

enum step {
	NOTHING, GETPPID, QUERY,
	ALLOC, EXPORT, WHITELIST, FREE,
	IMPORT, RESERVE, MAP, TOUCH, SET_ACCESS, COPY, UNMAP, RELEASE, FREE_IMPORT,
	STEPS
};

/* A row for each step. */
typedef uint64_t counts_t[STEPS][ROUNDS];

#define COUNT(counts, step, round, statement) do {			\
	uint64_t from_ = now();						\
	statement;							\
	(*(counts))[step][round] = now() - from_;			\
} while (0)

uint64_t now(void);
void die(const char *what) __attribute__((noreturn));
/* Zeroed memory that a child of fork() shares. */
void *shared_memory(uint64_t size);
void send_number(int fd, uint64_t number);
uint64_t receive_number(int fd);
/* Of a row; they sort it. */
uint64_t minimum(uint64_t *row);
uint64_t median(uint64_t *row);

/* Two processes that measure in turns. */
struct bench {
	/* In a child; does not return. */
	void (*importer)(int in, int out, uint64_t length);
	void (*exporter)(int in, int out, uint64_t length, int32_t importer);
	void (*report)(uint64_t length);
};

/* Of memory of the size in MiB that the arguments may give, 2 by default. */
int bench_run(const struct bench *bench, int argc, char **argv);

int open_node(void);

/* Memory that the exporter of a round has, and the importer is to get. */
struct raw_share {
	uint64_t handle;
	uint64_t token;
};

void raw_export(counts_t *counts, int round, int fd, uint64_t length, int32_t importer,
		struct raw_share *share);
void raw_export_end(counts_t *counts, int round, int fd, const struct raw_share *share);
void raw_import(counts_t *counts, int round, int fd, uint64_t length, uint64_t token);

#endif /* NPUMEM_BENCH_H */
