/* SPDX-License-Identifier: MIT */
/*
 * Tests that load the module their own way, and leave it loaded as they found
 * it. For when nobody else uses it.
 */
#ifndef _NPUMEM_MODULE_H
#define _NPUMEM_MODULE_H

#include "npumem_abi.h"

#include <dirent.h>
#include <limits.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static char parameters[4096];	/* as the module had them */

/* NPUMEM_MODULE, or what the checkout's build made for this kernel. */
static inline int open_module(void)
{
	const char *given = getenv("NPUMEM_MODULE");
	char program[PATH_MAX] = "", path[PATH_MAX + 64];
	struct utsname name;
	int major, minor, i;

	if (given)
		return open(given, O_RDONLY | O_CLOEXEC);
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return -1;
	/* build/selftests/PROGRAM -> build */
	for (i = 0; i < 2; i++)
		*strrchr(program, '/') = '\0';
	uname(&name);
	if (sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return -1;
	snprintf(path, sizeof(path), "%s/modules/%d.%d/npumem.ko", program,
		 major, minor);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static inline int load(const char *text)
{
	int fd = open_module(), error = 0;

	if (fd < 0)
		return -ENOENT;
	if (syscall(SYS_finit_module, fd, text, 0))
		error = -errno;
	close(fd);
	return error;
}

/* Never waits for its users. */
static inline int unload(void)
{
	return syscall(SYS_delete_module, "npumem", O_NONBLOCK) ? -errno : 0;
}

static inline bool is_loaded(void)
{
	return !access("/sys/module/npumem", F_OK);
}

static inline void remember_parameters(void)
{
	DIR *dir = opendir("/sys/module/npumem/parameters");
	struct dirent *entry;
	size_t used = 0;

	while (dir && (entry = readdir(dir))) {
		char path[512], value[512] = "";
		ssize_t n;
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path),
			 "/sys/module/npumem/parameters/%s", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, value, sizeof(value) - 1);
		if (fd >= 0)
			close(fd);
		while (n > 0 && value[n - 1] == '\n')
			value[--n] = '\0';
		/* An array nobody set is empty, a string "(null)". */
		if (n > 0 && value[0] != '(' &&
		    used + n + strlen(entry->d_name) + 3 < sizeof(parameters))
			used += sprintf(parameters + used, "%s=%s ",
					entry->d_name, value);
	}
	if (dir)
		closedir(dir);
}

/* The node comes with the module, but maybe a moment later. */
static inline int open_patiently(void)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	int fd = -1, i;

	for (i = 0; i < 300; i++) {
		fd = npumem_open();
		if (fd >= 0)
			break;
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* For a fixture's start: why the tests have to be skipped, or NULL. */
static inline const char *module_begin(void)
{
	int fd;

	if (geteuid())
		return "needs root";
	if (!is_loaded())
		return "npumem is not a module here";
	fd = open_module();
	if (fd < 0)
		return "no npumem.ko of this kernel: set NPUMEM_MODULE";
	close(fd);
	remember_parameters();
	return NULL;
}

/* And for its end: is the module as it was, and nothing in use? */
static inline bool module_end(void)
{
	bool good = is_loaded() || !load(parameters);
	int fd = open_patiently();

	good = good && fd >= 0 && npumem_used(fd, 0) == 0;
	close(fd);
	return good;
}

#endif /* _NPUMEM_MODULE_H */
