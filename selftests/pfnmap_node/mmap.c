// SPDX-License-Identifier: MIT
/*
 * open() and mmap() for the kernel's own test of VM_PFNMAP mappings, pfnmap.c, linked
 * with -Wl,--wrap=open,--wrap=mmap: it opens a file and maps the beginning of it. The
 * node has no contents to map; a mapping of it is a reservation with memory in it,
 * made here. Everything else, and all that the test does with the mapping, goes to the
 * kernel as it is.
 */
#include <stdarg.h>
#include <sys/stat.h>

#include "../npumem_abi.h"

static dev_t node;

int __real_open(const char *path, int flags, ...);
void *__real_mmap(void *address, size_t length, int protection, int flags, int fd,
		  off_t offset);
int __wrap_open(const char *path, int flags, ...);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd,
		  off_t offset);

/* The node can only be opened for reading and writing. */
int __wrap_open(const char *path, int flags, ...)
{
	bool is_node = !strcmp(path, NPUMEM_DEVICE_PATH);
	struct stat st;
	va_list list;
	int mode, fd;

	va_start(list, flags);
	mode = flags & O_CREAT ? va_arg(list, int) : 0;
	va_end(list);
	fd = __real_open(path, is_node ? O_RDWR : flags, mode);
	if (is_node && fd >= 0 && !fstat(fd, &st))
		node = st.st_rdev;
	return fd;
}

/*
 * The test runs in a child of the process that opened the node, and what is open belongs
 * to that one only: a mapping has a descriptor of its own. Its length becomes that of
 * whole granules.
 */
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd,
		  off_t offset)
{
	size_t size = (length + G - 1) & ~(G - 1);
	struct stat st;
	__u64 handle;
	char *from, *at;

	if (!node || fd < 0 || fstat(fd, &st) || st.st_rdev != node)
		return __real_mmap(address, length, protection, flags, fd, offset);

	fd = npumem_open();
	if (fd < 0 || npumem_alloc(fd, 0, size, &handle))
		return MAP_FAILED;
	from = __real_mmap(NULL, size + G, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (from == MAP_FAILED)
		return MAP_FAILED;
	at = to_ptr((to_u64(from) + G - 1) & ~(G - 1));
	munmap(from, at - from);
	munmap(at + size, from + G - at);
	if (__real_mmap(at, size, protection, flags | MAP_FIXED, fd, offset) != at ||
	    npumem_map(fd, to_u64(at), size, handle))
		return MAP_FAILED;
	return at;
}
