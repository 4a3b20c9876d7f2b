// SPDX-License-Identifier: MIT
/*
 * Counts the instructions of each AscendCL call that shares memory, beside
 * those of the same request by hand: what is between is the library's
 * (make bench-shim). Both are done in turn, in the same processes.
 *
 * The system calls that the library makes are counted, too: the functions for
 * them are replaced by those below, for both sides.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <acl/acl.h>

#include "bench.h"

static const struct {
	enum step step;
	const char *name;
} calls[] = {
	{ ALLOC, "aclrtMallocPhysical" },
	{ EXPORT, "aclrtMemExportToShareableHandle" },
	{ WHITELIST, "aclrtMemSetPidToShareableHandle" },
	{ IMPORT, "aclrtMemImportFromShareableHandle" },
	{ RESERVE, "aclrtReserveMemAddress" },
	{ MAP, "aclrtMapMem" },
	{ SET_ACCESS, "aclrtMemSetAccess" },
	{ COPY, "aclrtMemcpy, 4 KiB" },
	{ UNMAP, "aclrtUnmapMem" },
	{ RELEASE, "aclrtReleaseMemAddress" },
	{ FREE_IMPORT, "aclrtFreePhysical, by the importer" },
	{ FREE, "aclrtFreePhysical, by the exporter" },
};

/* Shared by both processes. */
struct results {
	counts_t raw;
	counts_t library;
	/* System calls of the library, in the last round. */
	uint64_t requests[STEPS];
};

static struct results *results;
static uint64_t requests;

int ioctl(int fd, unsigned long number, ...)
{
	void *argument;
	va_list ap;

	va_start(ap, number);
	argument = va_arg(ap, void *);
	va_end(ap);
	requests++;
	return (int)syscall(SYS_ioctl, fd, number, argument);
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	requests++;
	return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

int munmap(void *address, size_t length)
{
	requests++;
	return (int)syscall(SYS_munmap, address, length);
}

int msync(void *address, size_t length, int flags)
{
	requests++;
	return (int)syscall(SYS_msync, address, length, flags);
}

static void check(aclError error)
{
	const char *text;

	if (!error)
		return;
	text = aclGetRecentErrMsg();
	fprintf(stderr, "shim: error %d: %s\n", error, text ? text : "no text");
	exit(1);
}

#define CALL(step, round, call) do {					\
	aclError error_;						\
	uint64_t before_ = requests;					\
									\
	COUNT(&results->library, step, round, error_ = (call));		\
	results->requests[step] = requests - before_;			\
	check(error_);							\
} while (0)

static aclrtDrvMemHandle export(int round, uint64_t length, int32_t child, uint64_t *share)
{
	const aclrtPhysicalMemProp prop = {
		.memAttr = ACL_HBM_MEM_HUGE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	aclrtDrvMemHandle handle;

	CALL(ALLOC, round, aclrtMallocPhysical(&handle, length, &prop, 0));
	CALL(EXPORT, round,
	     aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE,
					     ACL_RT_VMM_EXPORT_FLAG_DEFAULT, share));
	CALL(WHITELIST, round, aclrtMemSetPidToShareableHandle(*share, &child, 1));
	return handle;
}

static void import(int round, uint64_t length, uint64_t share)
{
	static char data[COPY_BYTES];
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	aclrtDrvMemHandle handle;
	void *at;

	memset(data, 0, sizeof(data));
	CALL(IMPORT, round, aclrtMemImportFromShareableHandle(share, 0, &handle));
	CALL(RESERVE, round, aclrtReserveMemAddress(&at, length, 0, NULL, 0));
	CALL(MAP, round, aclrtMapMem(at, length, 0, handle, 0));
	CALL(SET_ACCESS, round, aclrtMemSetAccess(at, length, &desc, 1));
	CALL(COPY, round, aclrtMemcpy(at, length, data, sizeof(data),
				      ACL_MEMCPY_HOST_TO_DEVICE));
	CALL(UNMAP, round, aclrtUnmapMem(at));
	CALL(RELEASE, round, aclrtReleaseMemAddress(at));
	CALL(FREE_IMPORT, round, aclrtFreePhysical(handle));
}

static void importer(int from, int to, uint64_t length)
{
	int fd = open_node();
	int round;

	check(aclrtSetDevice(0));
	for (round = 0; round < ROUNDS; round++) {
		import(round, length, receive_number(from));
		raw_import(&results->raw, round, fd, length, receive_number(from));
		send_number(to, 0);
	}
	exit(0);
}

static void exporter(int from, int to, uint64_t length, int32_t child)
{
	struct raw_share share;
	int fd = open_node();
	int round;

	check(aclrtSetDevice(0));
	for (round = 0; round < ROUNDS; round++) {
		aclrtDrvMemHandle handle;
		uint64_t number;

		handle = export(round, length, child, &number);
		raw_export(&results->raw, round, fd, length, child, &share);
		send_number(to, number);
		send_number(to, share.token);
		receive_number(from);
		CALL(FREE, round, aclrtFreePhysical(handle));
		raw_export_end(&results->raw, round, fd, &share);
	}
}

static void report(uint64_t length)
{
	uint64_t clock = median(results->raw[NOTHING]), total = 0, kernel = 0;
	size_t i;

	printf("instructions per call, %" PRIu64 " MiB, median of %d rounds\n"
	       "kernel: the same request by hand; shim: what the library adds\n",
	       length >> 20, ROUNDS);
	printf("%-36s %10s %10s %8s %7s\n", "call", "total", "kernel", "shim", "system");
	printf("%-36s %10s %10s %8s %7s\n", "", "", "", "", "calls");
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		enum step step = calls[i].step;
		uint64_t library = median(results->library[step]) - clock;
		uint64_t raw = median(results->raw[step]) - clock;

		total += library;
		kernel += raw;
		printf("%-36s %10" PRIu64 " %10" PRIu64 " %8" PRId64 " %7" PRIu64 "\n",
		       calls[i].name, library, raw, (int64_t)(library - raw),
		       results->requests[step]);
	}
	printf("%-36s %10" PRIu64 " %10" PRIu64 " %8" PRId64 "\n", "all of them", total,
	       kernel, (int64_t)(total - kernel));
}

int main(int argc, char **argv)
{
	static const struct bench bench = { importer, exporter, report };

	results = shared_memory(sizeof(*results));
	return bench_run(&bench, argc, argv);
}
