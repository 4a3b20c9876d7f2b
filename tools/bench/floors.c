// SPDX-License-Identifier: MIT
/* What the kernel takes for the least that could be asked of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

const char *const floor_names[FLOORS] = {
	[GETPPID] = "getppid",
	[REFUSED_IOCTL] = "ioctl refused by /dev/null",
	[QUERY] = "ioctl of ours that does nothing",
	[STOSQ] = "rep stosq of 2 MiB",
	[MMAP_MUNMAP] = "mmap and munmap of a memfd",
	[MEMFD_CLOSE] = "memfd_create and close",
	[SCM_RIGHTS_ONE] = "SCM_RIGHTS: send, receive, close",
	[TOUCH_POPULATED] = "touch of 2 MiB that are there",
};

struct room {
	int null;
	int node;
	int memfd;
	int sockets[2];
	char *at;
	char *block;
};

static void clear(void *at, uint64_t length)
{
#ifdef __x86_64__
	uint64_t words = length / 8;

	__asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(0UL) : "memory");
#else
	memset(at, 0, length);
#endif
}

static void mmap_and_munmap(const struct room *room)
{
	if (mmap(room->at, GRANULE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 room->memfd, 0) != room->at || munmap(room->at, GRANULE))
		die("mmap: %s", strerror(errno));
}

static void memfd_and_close(void)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd: %s", strerror(errno));
	close(fd);
}

static void send_and_receive(const struct room *room)
{
	int fd;

	send_descriptors(room->sockets[0], &room->memfd, 1);
	receive_descriptors(room->sockets[1], &fd, 1);
	close(fd);
}

static void make(struct room *room, int floor)
{
	struct npumem_query query = { .size = sizeof(query) };
	struct part part = { .at = room->block };
	struct unit unit = { .length = GRANULE, .parts = 1, .part = &part };

	switch (floor) {
	case GETPPID:
		syscall(SYS_getppid);
		break;
	case REFUSED_IOCTL:
		ioctl(room->null, NPUMEM_QUERY, &query);
		break;
	case QUERY:
		command(room->node, NPUMEM_QUERY, &query, "query");
		break;
	case STOSQ:
		clear(room->block, GRANULE);
		break;
	case MMAP_MUNMAP:
		mmap_and_munmap(room);
		break;
	case MEMFD_CLOSE:
		memfd_and_close();
		break;
	case SCM_RIGHTS_ONE:
		send_and_receive(room);
		break;
	case TOUCH_POPULATED:
		touch(&unit);
		break;
	}
}

void floors_run(struct cost *floors)
{
	struct room room = {
		.null = open("/dev/null", O_RDWR | O_CLOEXEC),
		.node = open_node(),
		.memfd = memfd_create("bench", MFD_CLOEXEC),
		.at = find_addresses(GRANULE),
		.block = mmap(NULL, GRANULE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
	};
	uint64_t row[ROUNDS], clock = clock_cost(), from;
	int floor, round;

	if (room.null < 0 || room.memfd < 0 || ftruncate(room.memfd, GRANULE) ||
	    room.block == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM, 0, room.sockets))
		die("floors: %s", strerror(errno));
	for (floor = 0; floor < FLOORS; floor++) {
		for (round = -1; round < ROUNDS; round++) {
			from = now();
			make(&room, floor);
			if (round >= 0)
				row[round] = now() - from - clock;
		}
		floors[floor] = cost_of(row, ROUNDS);
	}
	close(room.null);
	close(room.node);
	close(room.memfd);
	close(room.sockets[0]);
	close(room.sockets[1]);
	munmap(room.block, GRANULE);
}
