/* SPDX-License-Identifier: MIT */
/* What the tests of AscendCL's error codes have in common. */
#ifndef _ACL_ERRORS_H
#define _ACL_ERRORS_H

#include "acl_process.h"

/* A call that is refused with @code and leaves a text that names it. */
#define REFUSED(code, function, ...)					\
	do {								\
		EXPECT_EQ((code), function(__VA_ARGS__))		\
			TH_LOG("%s(%s)", #function, #__VA_ARGS__);	\
		EXPECT_TRUE(acl_message_names(#function))		\
			TH_LOG("%s(%s)", #function, #__VA_ARGS__);	\
	} while (0)

#define GARBAGE		((void *)0xdeadbeefcafef00dUL)

/* VMAs of the node: reservations, whole or in parts. */
static inline int acl_count_reservations(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	if (!maps)
		return -1;
	while (fgets(line, sizeof(line), maps))
		/* With the space: programs may be in a folder of this name. */
		count += !!strstr(line, " " NPUMEM_DEVICE_PATH);
	fclose(maps);
	return count;
}

/* What a refused call must not change. */
struct acl_state {
	size_t free, total;
	__u64 used[2];
	int reservations;
};

static inline struct acl_state acl_state_now(int fd)
{
	struct acl_state state = { .reservations = acl_count_reservations() };

	/* Of nothing, if the test has no device. */
	if (aclrtGetMemInfo(ACL_HBM_MEM, &state.free, &state.total))
		aclGetRecentErrMsg();
	state.used[0] = npumem_used(fd, 0);
	state.used[1] = npumem_used(fd, 1);
	return state;
}

static inline bool acl_state_same(int fd, const struct acl_state *before)
{
	struct acl_state now = acl_state_now(fd);

	return now.free == before->free && now.total == before->total &&
	       now.used[0] == before->used[0] && now.used[1] == before->used[1] &&
	       now.reservations == before->reservations;
}

/*
 * What tests of refusals begin and end with: memory of device 0, mapped and
 * marked, and an empty reservation of four times its size. Nothing of it may
 * change.
 */
struct acl_scene {
	struct watch watch;
	struct acl_mapping mapping;
	struct acl_state before;
	char *empty;
};

static inline bool acl_scene_start(struct acl_scene *scene, size_t size)
{
	if (!watch_start(&scene->watch) || aclInit(NULL) || aclrtSetDevice(0) ||
	    acl_mapping_new(&scene->mapping, 0, size) ||
	    aclrtReserveMemAddress((void **)&scene->empty, 4 * size, 0, NULL, 0))
		return false;
	pattern_mark(scene->mapping.address, size, 1);
	scene->before = acl_state_now(scene->watch.fd);
	return !aclGetRecentErrMsg();
}

static inline bool acl_scene_end(struct acl_scene *scene)
{
	struct acl_mapping *mapping = &scene->mapping;
	bool same;

	process_end_all();
	/* What others had comes back with their end, if not at once. */
	same = npumem_used_becomes(scene->watch.fd, 0, scene->before.used[0],
				   PROCESS_PATIENCE_MS) &&
	       npumem_used_becomes(scene->watch.fd, 1, scene->before.used[1],
				   PROCESS_PATIENCE_MS) &&
	       acl_state_same(scene->watch.fd, &scene->before) &&
	       pattern_check(mapping->address, mapping->size, 1) < 0;
	if (acl_mapping_end(mapping) || aclrtReleaseMemAddress(scene->empty) ||
	    aclrtResetDevice(0) || aclFinalize()) {
		printf("# the end of the test: %s\n", aclGetRecentErrMsg());
		same = false;
	}
	return watch_end(&scene->watch) && same;
}

#endif /* _ACL_ERRORS_H */
