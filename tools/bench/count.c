// SPDX-License-Identifier: MIT
/* The clock, what else is counted, and small things that all of it needs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define TRACING	"/sys/kernel/tracing/events/"

const char *const event_names[EVENTS] = {
	[FAULTS] = "page faults",
	[SYSCALLS] = "system calls",
	[PAGES_CLEARED] = "pages cleared",
	[TLB_FLUSHES] = "TLB flushes",
};

/*
 * One kernel clears by one of the first three, whichever suits the processor, and the
 * module by the last. Processors have no more than four breakpoints.
 */
static const struct {
	const char *name;
	unsigned int pages;
} clear_functions[] = {
	{ "clear_page_rep", 1 }, { "clear_page_orig", 1 }, { "clear_page_erms", 1 },
	{ "npumem_zeroed_clear", GRANULE / PAGE },
};

#define CLEAR_FUNCTIONS	(sizeof(clear_functions) / sizeof(clear_functions[0]))
#define MAX_EVENTS	(EVENTS + CLEAR_FUNCTIONS)

/* A descriptor, what it counts, and how much each time. */
static int event_fd[MAX_EVENTS];
static enum event event_kind[MAX_EVENTS];
static unsigned int event_weight[MAX_EVENTS];
static unsigned int events;

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX, from, to;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		from = now();
		to = now();
		if (to - from < least)
			least = to - from;
	}
	return least;
}

static void event_open(enum event kind, struct perf_event_attr *attr)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		die("cannot count %s: %s", event_names[kind], strerror(errno));
	event_kind[events] = kind;
	event_weight[events] = 1;
	event_fd[events++] = fd;
}

static void event_open_tracepoint(enum event kind, const char *path)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	long long id = read_number(path);

	if (id < 0)
		die("no %s", path);
	attr.config = (uint64_t)id;
	event_open(kind, &attr);
}

/* Their addresses: kprobes cannot be put on these. */
static uint64_t clear_address[CLEAR_FUNCTIONS];

void events_prepare(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char symbol[256];
	size_t i;

	while (file && fscanf(file, "%llx %*c %255s%*[^\n]", &address, symbol) == 2)
		for (i = 0; i < CLEAR_FUNCTIONS; i++)
			if (!strcmp(symbol, clear_functions[i].name))
				clear_address[i] = address;
	if (file)
		fclose(file);
	for (i = 0; i < CLEAR_FUNCTIONS; i++)
		if (!clear_address[i])
			die("no %s in /proc/kallsyms", clear_functions[i].name);
}

void events_open(void)
{
	struct perf_event_attr faults = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_PAGE_FAULTS,
	};
	size_t i;

	event_open(FAULTS, &faults);
	event_open_tracepoint(SYSCALLS, TRACING "raw_syscalls/sys_enter/id");
	event_open_tracepoint(TLB_FLUSHES, TRACING "tlb/tlb_flush/id");
	for (i = 0; i < CLEAR_FUNCTIONS; i++) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_BREAKPOINT, .bp_type = HW_BREAKPOINT_X,
			.bp_addr = clear_address[i],
			.bp_len = sizeof(long),
		};

		event_open(PAGES_CLEARED, &attr);
		event_weight[events - 1] = clear_functions[i].pages;
	}
}

void events_close(void)
{
	while (events)
		close(event_fd[--events]);
}

struct sample sample(void)
{
	struct sample sample = { 0 };
	uint64_t value;
	unsigned int i;

	for (i = 0; i < events; i++) {
		if (read(event_fd[i], &value, sizeof(value)) != sizeof(value))
			die("cannot read the events: %s", strerror(errno));
		sample.event[event_kind[i]] += value * event_weight[i];
	}
	sample.time = now();
	return sample;
}

struct sample sample_difference(const struct sample *from, const struct sample *to)
{
	struct sample difference = { .time = to->time - from->time };
	int i;

	for (i = 0; i < EVENTS; i++)
		difference.event[i] = to->event[i] - from->event[i];
	return difference;
}

static void say(const char *format, va_list ap)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void die(const char *what, ...)
{
	va_list ap;

	va_start(ap, what);
	say(what, ap);
	va_end(ap);
	exit(1);
}

void progress(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
}

void *shared_memory(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("no shared memory: %s", strerror(errno));
	/* No page of it is to be had first while something is counted. */
	memset(memory, 0, size);
	return memory;
}

char *find_addresses(uint64_t length)
{
	uint64_t slack = length + GRANULE;
	char *address = mmap(NULL, slack, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (address == MAP_FAILED)
		die("no addresses: %s", strerror(errno));
	munmap(address, slack);
	return (char *)(((uintptr_t)address + GRANULE - 1) & ~(uintptr_t)(GRANULE - 1));
}

bool write_file(const char *path, const char *format, ...)
{
	char text[64];
	va_list ap;
	int fd = open(path, O_WRONLY | O_CLOEXEC), length;
	bool done;

	va_start(ap, format);
	length = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	done = fd >= 0 && write(fd, text, length) == length;
	if (fd >= 0)
		close(fd);
	return done;
}

long long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long long number;

	if (!file || fscanf(file, "%lld", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number;
}

uint64_t memory_available(void)
{
	FILE *info = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	if (info)
		fclose(info);
	return kib * KIB;
}

/* As many descriptors as handles. */
void raise_limits(void)
{
	const struct rlimit limit = { 1 << 16, 1 << 16 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("no more descriptors: %s", strerror(errno));
}

unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	if (!dir)
		die("no /proc/self/fd");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

unsigned int count_vmas(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned int lines = 0;
	int c;

	if (!maps)
		die("no /proc/self/maps");
	while ((c = getc(maps)) != EOF)
		lines += c == '\n';
	fclose(maps);
	return lines;
}
