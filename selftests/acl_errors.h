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
		count += !!strstr(line, "npumem");
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

	aclrtGetMemInfo(ACL_HBM_MEM, &state.free, &state.total);
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

#endif /* _ACL_ERRORS_H */
