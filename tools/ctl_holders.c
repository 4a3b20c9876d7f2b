// SPDX-License-Identifier: MIT
/*
 * npumemctl: who has the node open or mapped.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

static unsigned int count_descriptors(pid_t pid, dev_t node)
{
	unsigned int count = 0;
	struct dirent *entry;
	struct stat st;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (!fstatat(dirfd(dir), entry->d_name, &st, 0) &&
		    S_ISCHR(st.st_mode) && st.st_rdev == node)
			count++;
	closedir(dir);
	return count;
}

/* A reservation outlives the descriptor that it was made with. */
static unsigned int count_reservations(pid_t pid)
{
	static const char end[] = " " NPUMEM_DEVICE_PATH "\n";
	unsigned int count = 0;
	char *line = NULL;
	size_t size = 0;
	char path[64];
	ssize_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while ((length = getline(&line, &size, file)) > 0)
		if (length >= (ssize_t)sizeof(end) - 1 &&
		    !strcmp(line + length - (sizeof(end) - 1), end))
			count++;
	free(line);
	fclose(file);
	return count;
}

size_t ctl_find_holders(dev_t node, struct ctl_holder **holders)
{
	struct ctl_holder holder, *more;
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	*holders = NULL;
	dir = opendir("/proc");
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		holder.pid = atoi(entry->d_name);
		holder.descriptors = count_descriptors(holder.pid, node);
		holder.reservations = count_reservations(holder.pid);
		if (!holder.descriptors && !holder.reservations)
			continue;
		if (!ctl_read_line(holder.name, sizeof(holder.name),
				   "/proc/%d/comm", (int)holder.pid))
			strcpy(holder.name, "?");
		more = realloc(*holders, (count + 1) * sizeof(**holders));
		if (!more)
			break;
		*holders = more;
		more[count++] = holder;
	}
	closedir(dir);
	return count;
}
