/* SPDX-License-Identifier: MIT */
/*
 * What exporter, importer and stranger have in common and is not AscendCL.
 */
#ifndef DEMO_PROGRAM_H
#define DEMO_PROGRAM_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "acl/acl.h"

#define DEVICE	0

/* A call that must succeed. */
#define DO(call)	do_call(#call, call)

static inline void do_call(const char *call, aclError error)
{
	const char *text;

	if (error == ACL_SUCCESS)
		return;
	text = aclGetRecentErrMsg();
	fprintf(stderr, "%s: %s: error %d: %s\n", program_invocation_short_name,
		call, error, text ? text : "no further text");
	exit(1);
}

static inline void *host_buffer(size_t size)
{
	void *buffer = malloc(size);

	if (!buffer) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return buffer;
}

/* Bytes that nobody can guess: who has them has read them. */
static inline void fill_random(uint8_t *buffer, size_t size)
{
	size_t done = 0;
	ssize_t now;

	while (done < size) {
		now = getrandom(buffer + done, size - done, 0);
		if (now < 0) {
			perror("getrandom");
			exit(1);
		}
		done += now;
	}
}

/* FNV-1a over 64-bit words: tells the demo what was read without telling it. */
static inline uint64_t hash(const void *buffer, size_t size)
{
	const uint64_t *word = buffer;
	uint64_t value = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		value = (value ^ word[i]) * 0x100000001b3;
	return value;
}

/* Replace what is in device memory by random bytes, and print their hash. */
static inline void write_device(void *memory, void *buffer, size_t size)
{
	fill_random(buffer, size);
	DO(aclrtMemcpy(memory, size, buffer, size, ACL_MEMCPY_HOST_TO_DEVICE));
	printf("wrote %016" PRIx64 "\n", hash(buffer, size));
}

static inline uint64_t hash_device(const void *memory, void *buffer, size_t size)
{
	memset(buffer, 0, size);
	DO(aclrtMemcpy(buffer, size, memory, size, ACL_MEMCPY_DEVICE_TO_HOST));
	return hash(buffer, size);
}

#endif /* DEMO_PROGRAM_H */
