// SPDX-License-Identifier: MIT
/*
 * Knows the number of a share, but is not in its whitelist.
 *
 *	at the start	-> pid PID
 *	import NUMBER	-> refused ERROR TEXT, or imported
 */
#include "program.h"

int main(void)
{
	aclrtDrvMemHandle handle;
	uint64_t share;
	char line[128];
	const char *text;
	aclError error;
	int32_t pid;

	setlinebuf(stdout);
	DO(aclInit(NULL));
	DO(aclrtSetDevice(DEVICE));
	DO(aclrtDeviceGetBareTgid(&pid));
	printf("pid %" PRId32 "\n", pid);

	if (!fgets(line, sizeof(line), stdin) ||
	    sscanf(line, "import %" SCNu64, &share) != 1) {
		fprintf(stderr, "stranger: what is: %s", line);
		return 2;
	}
	error = aclrtMemImportFromShareableHandle(share, DEVICE, &handle);
	if (error == ACL_SUCCESS) {
		printf("imported\n");
		DO(aclrtFreePhysical(handle));
	} else {
		text = aclGetRecentErrMsg();
		printf("refused %d %s\n", error, text ? text : "");
	}
	DO(aclrtResetDevice(DEVICE));
	DO(aclFinalize());
	return 0;
}
