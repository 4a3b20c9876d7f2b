// SPDX-License-Identifier: MIT
/*
 * Requests by hand, counted one by one; and what else the benchmarks share.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(1);
}

void *shared_memory(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("shared memory");
	/* No page of it is to be had first while something is counted. */
	memset(memory, 0, size);
	return memory;
}

void send_number(int fd, uint64_t number)
{
	if (write(fd, &number, sizeof(number)) != sizeof(number))
		die("write to the other process");
}

uint64_t receive_number(int fd)
{
	uint64_t number;

	if (read(fd, &number, sizeof(number)) != sizeof(number))
		die("read from the other process");
	return number;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t minimum(uint64_t *row)
{
	qsort(row, ROUNDS, sizeof(*row), compare);
	return row[0];
}

uint64_t median(uint64_t *row)
{
	qsort(row, ROUNDS, sizeof(*row), compare);
	return row[ROUNDS / 2];
}

int bench_run(const struct bench *bench, int argc, char **argv)
{
	uint64_t length = NPUMEM_GRANULE;
	int down[2], up[2], status;
	pid_t child;

	if (argc > 1)
		length = argc == 2 ? strtoull(argv[1], NULL, 0) << 20 : 0;
	if (!length) {
		fprintf(stderr, "usage: %s [MIB]\n", program_invocation_short_name);
		return 2;
	}
	if (pipe(down) || pipe(up))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		bench->importer(down[0], up[1], length);
	bench->exporter(up[0], down[1], length, child);
	if (waitpid(child, &status, 0) != child || status) {
		fprintf(stderr, "%s: the importer failed\n", program_invocation_short_name);
		return 1;
	}
	bench->report(length);
	return 0;
}

int open_node(void)
{
	int fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(NPUMEM_DEVICE_PATH);
	return fd;
}

static void command(int fd, unsigned long number, void *argument, const char *what)
{
	if (ioctl(fd, number, argument))
		die(what);
}

/* Aligned addresses, held by an inaccessible mapping. */
static char *find_addresses(uint64_t length)
{
	char *address = mmap(NULL, length + NPUMEM_GRANULE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (address == MAP_FAILED)
		die("mmap");
	return (char *)(((uintptr_t)address + NPUMEM_GRANULE - 1) &
			~(uintptr_t)(NPUMEM_GRANULE - 1));
}

void raw_export(counts_t *counts, int round, int fd, uint64_t length, int32_t importer,
		struct raw_share *share)
{
	struct npumem_query query = { .size = sizeof(query) };
	struct npumem_alloc alloc = {
		.size = sizeof(alloc), .length = length,
		.location_type = NPUMEM_LOCATION_DEVICE,
	};
	struct npumem_export export = { .size = sizeof(export) };
	struct npumem_whitelist_add add = {
		.size = sizeof(add), .count = 1, .pids = (uintptr_t)&importer,
	};

	COUNT(counts, NOTHING, round, );
	COUNT(counts, GETPPID, round, syscall(SYS_getppid));
	COUNT(counts, QUERY, round, command(fd, NPUMEM_QUERY, &query, "query"));
	COUNT(counts, ALLOC, round, command(fd, NPUMEM_ALLOC, &alloc, "alloc"));
	export.handle = alloc.handle;
	COUNT(counts, EXPORT, round, command(fd, NPUMEM_EXPORT, &export, "export"));
	add.token = export.token;
	COUNT(counts, WHITELIST, round,
	      command(fd, NPUMEM_WHITELIST_ADD, &add, "whitelist"));
	share->handle = alloc.handle;
	share->token = export.token;
}

void raw_export_end(counts_t *counts, int round, int fd, const struct raw_share *share)
{
	struct npumem_free drop = { .size = sizeof(drop), .handle = share->handle };

	COUNT(counts, FREE, round, command(fd, NPUMEM_FREE, &drop, "free"));
}

void raw_import(counts_t *counts, int round, int fd, uint64_t length, uint64_t token)
{
	static char data[COPY_BYTES];
	char *at = find_addresses(length);
	struct npumem_import import = { .size = sizeof(import), .token = token };
	struct npumem_map map = {
		.size = sizeof(map), .address = (uintptr_t)at, .length = length,
	};
	struct npumem_access access = {
		.location_type = NPUMEM_LOCATION_DEVICE,
		.access = NPUMEM_ACCESS_READWRITE,
	};
	struct npumem_set_access set = {
		.size = sizeof(set), .count = 1, .address = (uintptr_t)at,
		.length = length, .entries = (uintptr_t)&access,
	};
	struct npumem_copy copy = {
		.size = sizeof(copy), .destination = (uintptr_t)at,
		.source = (uintptr_t)data, .length = COPY_BYTES,
	};
	struct npumem_unmap unmap = { .size = sizeof(unmap), .address = (uintptr_t)at };
	struct npumem_release release = { .size = sizeof(release), .address = (uintptr_t)at };
	struct npumem_free drop = { .size = sizeof(drop) };
	volatile char *byte;

	/* Not in the count of the first copy. */
	memset(data, 0, sizeof(data));
	COUNT(counts, IMPORT, round, command(fd, NPUMEM_IMPORT, &import, "import"));
	COUNT(counts, RESERVE, round,
	      if (mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != at)
		      die("reserve"));
	map.handle = import.handle;
	COUNT(counts, MAP, round, command(fd, NPUMEM_MAP, &map, "map"));
	COUNT(counts, TOUCH, round,
	      for (byte = at; byte < at + length; byte += 4096)
		      if (*byte)
			      die("memory that is not zero"));
	COUNT(counts, SET_ACCESS, round,
	      command(fd, NPUMEM_SET_ACCESS, &set, "set access"));
	COUNT(counts, COPY, round, command(fd, NPUMEM_COPY, &copy, "copy"));
	COUNT(counts, UNMAP, round, command(fd, NPUMEM_UNMAP, &unmap, "unmap"));
	COUNT(counts, RELEASE, round, command(fd, NPUMEM_RELEASE, &release, "release"));
	drop.handle = import.handle;
	COUNT(counts, FREE_IMPORT, round, command(fd, NPUMEM_FREE, &drop, "free"));
}
