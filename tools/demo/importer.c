// SPDX-License-Identifier: MIT
/*
 * Uses memory that another process shares. Commands on stdin, answers on stdout:
 *
 *	at the start		-> pid PID
 *	import NUMBER SIZE	-> imported SIZE
 *	read			-> read HASH
 *	write			-> wrote HASH
 *	watch			-> watching, then reads until the next line, then:
 *				   watched COUNT HASH, or changed HASH
 *	end of file		-> frees all, and: done
 */
#include <poll.h>

#include "program.h"

static void watch(const void *memory, void *buffer, size_t size)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t first = hash_device(memory, buffer, size), now;
	unsigned long count = 1;
	char line[128];

	printf("watching\n");
	do {
		now = hash_device(memory, buffer, size);
		count++;
	} while (now == first && poll(&input, 1, 0) == 0);

	if (now != first)
		printf("changed %016" PRIx64 "\n", now);
	else if (fgets(line, sizeof(line), stdin))
		printf("watched %lu %016" PRIx64 "\n", count, now);
}

int main(void)
{
	void *memory = NULL, *buffer = NULL;
	aclrtDrvMemHandle handle = NULL;
	uint64_t share;
	char line[128];
	int32_t pid;
	size_t size = 0;

	setlinebuf(stdout);
	DO(aclInit(NULL));
	DO(aclrtSetDevice(DEVICE));
	DO(aclrtDeviceGetBareTgid(&pid));
	printf("pid %" PRId32 "\n", pid);

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "import %" SCNu64 " %zu", &share, &size) == 2) {
			DO(aclrtMemImportFromShareableHandle(share, DEVICE, &handle));
			DO(aclrtReserveMemAddress(&memory, size, 0, NULL, 0));
			DO(aclrtMapMem(memory, size, 0, handle, 0));
			buffer = host_buffer(size);
			printf("imported %zu\n", size);
		} else if (!strcmp(line, "read\n")) {
			printf("read %016" PRIx64 "\n",
			       hash_device(memory, buffer, size));
		} else if (!strcmp(line, "write\n")) {
			write_device(memory, buffer, size);
		} else if (!strcmp(line, "watch\n")) {
			watch(memory, buffer, size);
		} else {
			fprintf(stderr, "importer: what is: %s", line);
			return 2;
		}
	}

	if (memory) {
		DO(aclrtUnmapMem(memory));
		DO(aclrtReleaseMemAddress(memory));
		DO(aclrtFreePhysical(handle));
	}
	DO(aclrtResetDevice(DEVICE));
	DO(aclFinalize());
	free(buffer);
	printf("done\n");
	return 0;
}
