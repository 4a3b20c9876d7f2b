// SPDX-License-Identifier: MIT
/*
 * Counts the instructions of each call that shares memory, for one size.
 *
 * It is to run in a virtual machine whose clock counts instructions, where
 * CLOCK_MONOTONIC_RAW advances by 1 ns with each (make bench-calls). An
 * exporter and an importer, two processes, do a round after the other; nothing
 * is printed between, as a line on a console costs millions.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <npumem.h>

#define ROUNDS 24

enum step {
	GETPPID, QUERY,
	ALLOC, EXPORT, WHITELIST, FREE,
	IMPORT, RESERVE, MAP, TOUCH, SET_ACCESS, UNMAP, RELEASE, FREE_IMPORT,
	STEPS
};

static const char *const names[STEPS] = {
	[GETPPID] = "getppid, for scale",
	[QUERY] = "ioctl that does nothing",
	[ALLOC] = "allocate and zero",
	[EXPORT] = "export",
	[WHITELIST] = "whitelist one process",
	[FREE] = "free by the exporter, last",
	[IMPORT] = "import",
	[RESERVE] = "reserve addresses",
	[MAP] = "map and populate",
	[TOUCH] = "touch each 4 KiB",
	[SET_ACCESS] = "set access as it is",
	[UNMAP] = "unmap",
	[RELEASE] = "release addresses",
	[FREE_IMPORT] = "free by the importer, not last",
};

/* Shared by both processes. */
static uint64_t (*counts)[ROUNDS];

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void command(int fd, unsigned long number, void *argument,
		    const char *what)
{
	if (ioctl(fd, number, argument))
		die(what);
}

#define COUNT(step, round, statement) do {				\
	uint64_t from_ = now();						\
	statement;							\
	counts[step][round] = now() - from_;				\
} while (0)

static int open_node(void)
{
	int fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(NPUMEM_DEVICE_PATH);
	return fd;
}

static void send_number(int fd, uint64_t number)
{
	if (write(fd, &number, sizeof(number)) != sizeof(number))
		die("write to the other process");
}

static uint64_t receive_number(int fd)
{
	uint64_t number;

	if (read(fd, &number, sizeof(number)) != sizeof(number))
		die("read from the other process");
	return number;
}

/* Aligned addresses, held by an inaccessible mapping. */
static char *find_addresses(uint64_t length)
{
	char *address = mmap(NULL, length + NPUMEM_GRANULE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);

	if (address == MAP_FAILED)
		die("mmap");
	return (char *)(((uintptr_t)address + NPUMEM_GRANULE - 1) &
			~(uintptr_t)(NPUMEM_GRANULE - 1));
}

static void importer_round(int fd, uint64_t token, uint64_t length, int round)
{
	char *at = find_addresses(length);
	struct npumem_import import = {
		.size = sizeof(import), .token = token,
	};
	struct npumem_map map = {
		.size = sizeof(map), .address = (uintptr_t)at,
		.length = length,
	};
	struct npumem_access access = {
		.location_type = NPUMEM_LOCATION_DEVICE,
		.access = NPUMEM_ACCESS_READWRITE,
	};
	struct npumem_set_access set = {
		.size = sizeof(set), .count = 1, .address = (uintptr_t)at,
		.length = length, .entries = (uintptr_t)&access,
	};
	struct npumem_unmap unmap = {
		.size = sizeof(unmap), .address = (uintptr_t)at,
	};
	struct npumem_release release = {
		.size = sizeof(release), .address = (uintptr_t)at,
	};
	struct npumem_free drop = { .size = sizeof(drop) };
	volatile char *byte;

	COUNT(IMPORT, round, command(fd, NPUMEM_IMPORT, &import, "import"));
	COUNT(RESERVE, round,
	      if (mmap(at, length, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, fd, 0) != at)
		      die("reserve"));
	map.handle = import.handle;
	COUNT(MAP, round, command(fd, NPUMEM_MAP, &map, "map"));
	COUNT(TOUCH, round,
	      for (byte = at; byte < at + length; byte += 4096)
		      if (*byte)
			      die("memory that is not zero"));
	COUNT(SET_ACCESS, round,
	      command(fd, NPUMEM_SET_ACCESS, &set, "set access"));
	COUNT(UNMAP, round, command(fd, NPUMEM_UNMAP, &unmap, "unmap"));
	COUNT(RELEASE, round, command(fd, NPUMEM_RELEASE, &release, "release"));
	drop.handle = import.handle;
	COUNT(FREE_IMPORT, round, command(fd, NPUMEM_FREE, &drop, "free"));
}

static void importer(int from, int to, uint64_t length)
{
	int fd = open_node();
	int round;

	for (round = 0; round < ROUNDS; round++) {
		importer_round(fd, receive_number(from), length, round);
		send_number(to, 0);
	}
	exit(0);
}

static void exporter(int from, int to, uint64_t length, int32_t child)
{
	int fd = open_node();
	int round;

	for (round = 0; round < ROUNDS; round++) {
		struct npumem_query query = { .size = sizeof(query) };
		struct npumem_alloc alloc = {
			.size = sizeof(alloc), .length = length,
			.location_type = NPUMEM_LOCATION_DEVICE,
		};
		struct npumem_export export = { .size = sizeof(export) };
		struct npumem_whitelist_add add = {
			.size = sizeof(add), .count = 1,
			.pids = (uintptr_t)&child,
		};
		struct npumem_free drop = { .size = sizeof(drop) };

		COUNT(GETPPID, round, syscall(SYS_getppid));
		COUNT(QUERY, round,
		      command(fd, NPUMEM_QUERY, &query, "query"));
		COUNT(ALLOC, round,
		      command(fd, NPUMEM_ALLOC, &alloc, "alloc"));
		export.handle = alloc.handle;
		COUNT(EXPORT, round,
		      command(fd, NPUMEM_EXPORT, &export, "export"));
		add.token = export.token;
		COUNT(WHITELIST, round,
		      command(fd, NPUMEM_WHITELIST_ADD, &add, "whitelist"));
		send_number(to, export.token);
		receive_number(from);
		drop.handle = alloc.handle;
		COUNT(FREE, round, command(fd, NPUMEM_FREE, &drop, "free"));
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void report(uint64_t length)
{
	int step;

	printf("instructions per call, %" PRIu64 " MiB, %d rounds\n",
	       length >> 20, ROUNDS);
	printf("%-32s %12s %12s\n", "call", "minimum", "median");
	for (step = 0; step < STEPS; step++) {
		qsort(counts[step], ROUNDS, sizeof(counts[step][0]), compare);
		printf("%-32s %12" PRIu64 " %12" PRIu64 "\n", names[step],
		       counts[step][0], counts[step][ROUNDS / 2]);
	}
}

int main(int argc, char **argv)
{
	uint64_t length = NPUMEM_GRANULE;
	int down[2], up[2], status;
	pid_t child;

	if (argc > 2 || (argc == 2 && !(length = strtoull(argv[1], NULL, 0) <<
						 20))) {
		fprintf(stderr, "usage: calls [MIB]\n");
		return 2;
	}
	counts = mmap(NULL, sizeof(*counts) * STEPS, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED || pipe(down) || pipe(up))
		die("set-up");
	memset(counts, 0, sizeof(*counts) * STEPS);
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		importer(down[0], up[1], length);
	exporter(up[0], down[1], length, child);
	if (waitpid(child, &status, 0) != child || status) {
		fprintf(stderr, "calls: the importer failed\n");
		return 1;
	}
	report(length);
	return 0;
}
