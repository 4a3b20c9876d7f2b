// SPDX-License-Identifier: MIT
/*
 * Allocates device memory and shares it. Commands on stdin, answers on stdout:
 *
 *	at the start	-> wrote HASH, then: share NUMBER SIZE
 *	allow PID	-> allowed PID
 *	read		-> read HASH
 */
#include "program.h"

#define SIZE	(8UL << 20)

int main(void)
{
	aclrtPhysicalMemProp prop = {
		.handleType = ACL_MEM_HANDLE_TYPE_NONE,
		.allocationType = ACL_MEM_ALLOCATION_TYPE_PINNED,
		.memAttr = ACL_HBM_MEM_HUGE,
		.location = { .id = DEVICE, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	aclrtMemAccessDesc access = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = prop.location,
	};
	void *memory, *buffer = host_buffer(SIZE);
	aclrtDrvMemHandle handle;
	uint64_t share;
	char line[128];
	int32_t pid;

	setlinebuf(stdout);
	DO(aclInit(NULL));
	DO(aclrtSetDevice(DEVICE));
	DO(aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	DO(aclrtReserveMemAddress(&memory, SIZE, 0, NULL, 0));
	DO(aclrtMapMem(memory, SIZE, 0, handle, 0));
	DO(aclrtMemSetAccess(memory, SIZE, &access, 1));
	write_device(memory, buffer, SIZE);

	DO(aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE,
					   ACL_RT_VMM_EXPORT_FLAG_DEFAULT,
					   &share));
	printf("share %" PRIu64 " %lu\n", share, SIZE);

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "allow %" SCNd32, &pid) == 1) {
			DO(aclrtMemSetPidToShareableHandle(share, &pid, 1));
			printf("allowed %" PRId32 "\n", pid);
		} else if (!strcmp(line, "read\n")) {
			printf("read %016" PRIx64 "\n",
			       hash_device(memory, buffer, SIZE));
		} else {
			fprintf(stderr, "exporter: what is: %s", line);
			return 2;
		}
	}

	DO(aclrtUnmapMem(memory));
	DO(aclrtReleaseMemAddress(memory));
	DO(aclrtFreePhysical(handle));
	DO(aclrtResetDevice(DEVICE));
	DO(aclFinalize());
	free(buffer);
	return 0;
}
