// SPDX-License-Identifier: MIT
/*
 * The other ways to share memory, all of which name it by a descriptor that is
 * sent to the other process. mmap() finds them addresses: they need not reserve.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"
#define UDMABUF_LIMIT	"/sys/module/udmabuf/parameters/size_limit_mb"

/* ---- what all of them do ---- */

static void send_all(struct unit *unit)
{
	int fds[unit->parts];
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		fds[i] = unit->part[i].fd;
	send_descriptors(unit->socket, fds, unit->parts);
}

static void receive_all(struct unit *unit)
{
	int fds[unit->parts];
	unsigned int i;

	receive_descriptors(unit->socket, fds, unit->parts);
	for (i = 0; i < unit->parts; i++)
		unit->part[i].fd = fds[i];
}

static void map_all(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		unit->part[i].at = mmap(NULL, unit->length, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_POPULATE, unit->part[i].fd, 0);
		if (unit->part[i].at == MAP_FAILED)
			die("mmap: %s", strerror(errno));
	}
}

/* For mappings that MAP_POPULATE leaves empty. */
static void map_and_touch_all(struct unit *unit)
{
	map_all(unit);
	touch(unit);
}

static void protect_all(struct unit *unit, int prot)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		if (mprotect(unit->part[i].at, unit->length, prot))
			die("mprotect: %s", strerror(errno));
}

static void read_only_all(struct unit *unit)
{
	protect_all(unit, PROT_READ);
}

static void read_write_all(struct unit *unit)
{
	protect_all(unit, PROT_READ | PROT_WRITE);
}

static void unmap_all(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		if (munmap(unit->part[i].at, unit->length))
			die("munmap: %s", strerror(errno));
}

static void close_all(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		close(unit->part[i].fd);
		if (unit->part[i].other_fd >= 0)
			close(unit->part[i].other_fd);
	}
}

#define STEPS_OF_ALL							\
	[SEND] = send_all, [RECEIVE] = receive_all,			\
	[READ_ONLY] = read_only_all, [READ_WRITE] = read_write_all,	\
	[UNMAP] = unmap_all, [DROP] = close_all, [FREE] = close_all

/* ---- memfd ---- */

static int new_memfd(uint64_t length, unsigned int flags)
{
	int fd = memfd_create("bench", MFD_CLOEXEC | flags);

	/*
	 * As cheap for the whole cycle as it gets: populating a mapping here costs
	 * more than it saves in the other process.
	 */
	if (fd < 0 || ftruncate(fd, (off_t)length) || fallocate(fd, 0, 0, (off_t)length))
		die("memfd: %s", strerror(errno));
	return fd;
}

static void allocate_memfd(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		unit->part[i].fd = new_memfd(unit->length, 0);
}

static const char *prepare_memfd(uint64_t bytes)
{
	(void)bytes;
	return write_file(SHMEM_HUGE, "never") ? NULL : "no " SHMEM_HUGE;
}

const struct way way_memfd = {
	.name = "memfd",
	.prepare = prepare_memfd,
	.step = { [ALLOCATE] = allocate_memfd, [MAP] = map_all, STEPS_OF_ALL },
};

static const char *prepare_thp(uint64_t bytes)
{
	(void)bytes;
	return write_file(SHMEM_HUGE, "always") ? NULL : "no " SHMEM_HUGE;
}

static void finish_thp(void)
{
	write_file(SHMEM_HUGE, "never");
}

const struct way way_thp = {
	.name = "memfd THP",
	.prepare = prepare_thp,
	.finish = finish_thp,
	.step = { [ALLOCATE] = allocate_memfd, [MAP] = map_all, STEPS_OF_ALL },
};

static const char *prepare_hugetlb(uint64_t bytes)
{
	long long pages = (long long)(bytes / GRANULE);

	write_file(HUGE_PAGES, "%lld", pages);
	return read_number(HUGE_PAGES) == pages ? NULL : "not enough huge pages";
}

static void finish_hugetlb(void)
{
	write_file(HUGE_PAGES, "0");
}

static void allocate_hugetlb(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++)
		unit->part[i].fd = new_memfd(unit->length, MFD_HUGETLB | MFD_HUGE_2MB);
}

const struct way way_hugetlb = {
	.name = "memfd hugetlb",
	.prepare = prepare_hugetlb,
	.finish = finish_hugetlb,
	.step = { [ALLOCATE] = allocate_hugetlb, [MAP] = map_all, STEPS_OF_ALL },
};

/* ---- dma-buf ---- */

static void start_dma_heap(struct unit *unit)
{
	unit->node = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	if (unit->node < 0)
		die("/dev/dma_heap/system: %s", strerror(errno));
}

static const char *prepare_dma_heap(uint64_t bytes)
{
	(void)bytes;
	return access("/dev/dma_heap/system", R_OK) ? "no /dev/dma_heap/system" : NULL;
}

static void allocate_dma_heap(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		struct dma_heap_allocation_data data = {
			.len = unit->length, .fd_flags = O_RDWR | O_CLOEXEC,
		};

		command(unit->node, DMA_HEAP_IOCTL_ALLOC, &data, "dma-heap");
		unit->part[i].fd = (int)data.fd;
	}
}

const struct way way_dma_heap = {
	.name = "dma-heap",
	.prepare = prepare_dma_heap,
	.start = start_dma_heap,
	.step = { [ALLOCATE] = allocate_dma_heap, [MAP] = map_all, STEPS_OF_ALL },
};

static void start_udmabuf(struct unit *unit)
{
	unit->node = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (unit->node < 0)
		die("/dev/udmabuf: %s", strerror(errno));
}

static const char *prepare_udmabuf(uint64_t bytes)
{
	if (access("/dev/udmabuf", R_OK))
		return "no /dev/udmabuf";
	if (!write_file(UDMABUF_LIMIT, "%llu", (unsigned long long)(bytes / MIB + 1)))
		return "no " UDMABUF_LIMIT;
	return prepare_memfd(bytes);
}

static void allocate_udmabuf(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		int fd = new_memfd(unit->length, MFD_ALLOW_SEALING);

		if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
			die("seal: %s", strerror(errno));
		unit->part[i].other_fd = fd;
	}
}

static void export_udmabuf(struct unit *unit)
{
	unsigned int i;

	for (i = 0; i < unit->parts; i++) {
		struct udmabuf_create create = {
			.memfd = (uint32_t)unit->part[i].other_fd,
			.flags = UDMABUF_FLAGS_CLOEXEC, .size = unit->length,
		};

		unit->part[i].fd = ioctl(unit->node, UDMABUF_CREATE, &create);
		if (unit->part[i].fd < 0)
			die("udmabuf: %s", strerror(errno));
	}
}

const struct way way_udmabuf = {
	.name = "udmabuf",
	.prepare = prepare_udmabuf,
	.start = start_udmabuf,
	.step = {
		[ALLOCATE] = allocate_udmabuf, [EXPORT] = export_udmabuf,
		[MAP] = map_and_touch_all, STEPS_OF_ALL,
	},
};
