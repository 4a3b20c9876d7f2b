/* SPDX-License-Identifier: MIT */
/*
 * All that walks the page tables of a range, with what is in them taken for pages if it
 * looks like that. Most of it is refused or does nothing; no more is wanted of it.
 */
#ifndef NPUMEM_WALK_H
#define NPUMEM_WALK_H

#include "npumem_abi.h"

#include <sys/syscall.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static MAYBE_UNUSED void walk_file(const char *path, off_t offset, size_t size)
{
	char *buffer = malloc(size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (offset)
		pread(fd, buffer, size, offset);
	else
		while (read(fd, buffer, size) > 0)
			;
	close(fd);
	free(buffer);
}

static MAYBE_UNUSED void walk_pages(__u64 address, __u64 length)
{
	static const int advice[] = { MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED,
		MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_MERGEABLE };
	const __u64 page = sysconf(_SC_PAGESIZE);
	unsigned char *in_core = malloc(length / page);
	void *p = to_ptr(address), *pages[] = { p };
	unsigned long nodes = 1;
	int mode, flags, status;
	unsigned int i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		madvise(p, length, advice[i]);
	/* MPOL_BIND and the like, with and without STRICT, MOVE and MOVE_ALL. */
	for (mode = 0; mode < 5; mode++)
		for (flags = 0; flags < 8; flags++)
			syscall(SYS_mbind, p, length, mode, mode ? &nodes : NULL,
				8 * sizeof(nodes), flags);
	syscall(SYS_mbind, p, length, 0, NULL, 0, 0);
	syscall(SYS_move_pages, 0, 1UL, pages, NULL, &status, 0);
	syscall(SYS_move_pages, 0, 1UL, pages, &(int){ 0 }, &status, 2);
	syscall(SYS_migrate_pages, 0, 8 * sizeof(nodes), &nodes, &nodes);
	mincore(p, length, in_core);
	mlock(p, length);
	munlock(p, length);
	msync(p, length, MS_SYNC);
	walk_file("/proc/self/pagemap", address / page * 8, 4096);
	walk_file("/proc/self/smaps", 0, 65536);
	walk_file("/proc/self/numa_maps", 0, 65536);
	free(in_core);
}

#endif
