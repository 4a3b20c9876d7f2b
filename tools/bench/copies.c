// SPDX-License-Identifier: MIT
/*
 * Counts the instructions of copies of device memory, beside those of memcpy
 * between two blocks from malloc.
 *
 * An instruction that repeats, as rep movsq does, counts once for each time: so
 * beside memcpy, which takes wider words, stands a copy by that one alone. All
 * memory has been touched before it is measured.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <acl/acl.h>

#include "bench.h"

#define MAX_ROUNDS	8

enum copy {
	MEMCPY, REP_MOVSQ, DEVICE_TO_DEVICE, HOST_TO_DEVICE, DEVICE_TO_HOST, BY_ADDRESS,
	COPIES
};

static const char *const names[COPIES] = {
	[MEMCPY] = "memcpy, malloc to malloc",
	[REP_MOVSQ] = "rep movsq, malloc to malloc",
	[DEVICE_TO_DEVICE] = "aclrtMemcpy, device to device",
	[HOST_TO_DEVICE] = "aclrtMemcpy, host to device",
	[DEVICE_TO_HOST] = "aclrtMemcpy, device to host",
	[BY_ADDRESS] = "memcpy, device to device",
};

static const size_t sizes[] = { 4 * KIB, 64 * KIB, 2 * MIB, 64 * MIB, 1024 * MIB };

#define SIZES	(sizeof(sizes) / sizeof(sizes[0]))

/* Instructions of each copy; 0 where the size does not fit. */
static uint64_t counts[SIZES][COPIES][MAX_ROUNDS];

static void fail(const char *what, aclError error)
{
	const char *text = aclGetRecentErrMsg();

	fprintf(stderr, "copies: %s: %d: %s\n", what, error, text ? text : "no text");
	exit(1);
}

static void check(const char *what, aclError error)
{
	if (error)
		fail(what, error);
}

static void copy_by_words(void *to, const void *from, size_t size)
{
#ifdef __x86_64__
	size_t words = size / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
	memcpy(to, from, size);
#endif
}

/* Two blocks of device memory, on two devices if there are two, and two of the host. */
struct room {
	void *device[2];
	void *host[2];
};

static void copy(const struct room *room, enum copy way, size_t size)
{
	void *const *device = room->device, *const *host = room->host;

	switch (way) {
	case MEMCPY:
		memcpy(host[1], host[0], size);
		break;
	case REP_MOVSQ:
		copy_by_words(host[1], host[0], size);
		break;
	case DEVICE_TO_DEVICE:
		check(names[way], aclrtMemcpy(device[1], size, device[0], size,
					      ACL_MEMCPY_DEVICE_TO_DEVICE));
		break;
	case HOST_TO_DEVICE:
		check(names[way], aclrtMemcpy(device[1], size, host[0], size,
					      ACL_MEMCPY_HOST_TO_DEVICE));
		break;
	case DEVICE_TO_HOST:
		check(names[way], aclrtMemcpy(host[1], size, device[0], size,
					      ACL_MEMCPY_DEVICE_TO_HOST));
		break;
	default:
		memcpy(device[1], device[0], size);
	}
	/* Whoever reads counts must know that it was done. */
	__asm__ volatile("" : : "r"(host[1]), "r"(device[1]) : "memory");
}

static int rounds_of(size_t size)
{
	return size > 64 * MIB ? 2 : MAX_ROUNDS;
}

static void free_room(struct room *room)
{
	int i;

	for (i = 0; i < 2; i++) {
		free(room->host[i]);
		if (room->device[i])
			check("aclrtFree", aclrtFree(room->device[i]));
	}
}

static int get_room(struct room *room, size_t size, uint32_t devices)
{
	aclError error = ACL_SUCCESS;
	uint32_t i;

	memset(room, 0, sizeof(*room));
	/* Linux promises memory that it has not got: ask how much there is. */
	if (memory_available() <= 4 * size + 64 * MIB)
		return 0;
	for (i = 0; i < 2 && !error; i++) {
		check("aclrtSetDevice", aclrtSetDevice(devices > 1 ? 1 - i : 0));
		error = aclrtMalloc(&room->device[i], size, ACL_MEM_MALLOC_HUGE_FIRST);
		room->host[i] = malloc(size);
		if (!room->host[i])
			error = ACL_ERROR_RT_MEMORY_ALLOCATION;
		else
			memset(room->host[i], i + 1, size);
	}
	if (!error)
		return 1;
	if (error != ACL_ERROR_RT_MEMORY_ALLOCATION)
		fail("aclrtMalloc", error);
	aclGetRecentErrMsg();
	free_room(room);
	return 0;
}

static void measure(uint32_t devices, size_t at)
{
	size_t size = sizes[at];
	struct room room;
	int round, way;

	if (!get_room(&room, size, devices))
		return;
	/* The first time is not counted. */
	for (way = 0; way < COPIES; way++)
		copy(&room, way, size);
	for (round = 0; round < rounds_of(size); round++) {
		for (way = 0; way < COPIES; way++) {
			uint64_t from = now();

			copy(&room, way, size);
			counts[at][way][round] = now() - from;
		}
	}
	free_room(&room);
}

static uint64_t least(size_t at, int way)
{
	uint64_t least = UINT64_MAX;
	int round;

	for (round = 0; round < rounds_of(sizes[at]); round++)
		if (counts[at][way][round] < least)
			least = counts[at][way][round];
	return least;
}

static void report(void)
{
	size_t at;
	int way;

	for (at = 0; at < SIZES; at++) {
		printf("%s%zu KiB%s\n", at ? "\n" : "", sizes[at] / KIB,
		       counts[at][0][0] ? "" : ": needs more memory (MEM=)");
		if (!counts[at][0][0])
			continue;
		printf("%-32s %14s %10s %10s %10s\n", "minimum of several rounds", "instructions",
		       "per MiB", "of memcpy", "of movsq");
		for (way = 0; way < COPIES; way++) {
			uint64_t count = least(at, way);

			printf("%-32s %14" PRIu64 " %10.0f %9.3fx %9.3fx\n", names[way], count,
			       (double)count * MIB / sizes[at],
			       (double)count / least(at, MEMCPY),
			       (double)count / least(at, REP_MOVSQ));
		}
	}
}

int main(void)
{
	uint32_t devices = 0;
	size_t at;

	check("aclrtGetDeviceCount", aclrtGetDeviceCount(&devices));
	if (devices > 1) {
		check("aclrtSetDevice", aclrtSetDevice(0));
		check("aclrtDeviceEnablePeerAccess", aclrtDeviceEnablePeerAccess(1, 0));
	}
	for (at = 0; at < SIZES; at++)
		measure(devices, at);
	report();
	return 0;
}
