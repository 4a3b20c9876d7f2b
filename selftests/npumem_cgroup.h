/* SPDX-License-Identifier: MIT */
/* Groups of cgroup v2, by their directories. */
#ifndef _NPUMEM_CGROUP_H
#define _NPUMEM_CGROUP_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/types.h>
#include <sys/stat.h>

#define GROUP_ROOT	"/sys/fs/cgroup"

static inline int group_write(const char *group, const char *file, const char *text)
{
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
	close(fd);
	return ret;
}

/* The number in a file, or the one behind @key in it; ~0 if there is none. */
static inline __u64 group_read(const char *group, const char *file, const char *key)
{
	unsigned long long value = ~0ULL;
	char path[256], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	f = fopen(path, "re");
	if (!f)
		return ~0ULL;
	while (fgets(line, sizeof(line), f)) {
		if (!key && sscanf(line, "%llu", &value) == 1)
			break;
		if (key && !strncmp(line, key, strlen(key)) && line[strlen(key)] == ' ' &&
		    sscanf(line + strlen(key), "%llu", &value) == 1)
			break;
	}
	fclose(f);
	return value;
}

/* Puts a process into a group; 0 or -errno. */
static inline int group_enter(const char *group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return group_write(group, "cgroup.procs", text);
}

#endif /* _NPUMEM_CGROUP_H */
