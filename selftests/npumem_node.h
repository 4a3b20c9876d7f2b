/* SPDX-License-Identifier: MIT */
/* How much memory of a NUMA node is free. */
#ifndef _NPUMEM_NODE_H
#define _NPUMEM_NODE_H

#include "npumem_testing.h"

/* KiB of a node, by the name that its meminfo has for it; ~0 without the node. */
static inline __u64 node_kib(unsigned int node, const char *name)
{
	char path[64], line[128], key[64];
	unsigned long long kib = ~0ULL;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo", node);
	snprintf(key, sizeof(key), "Node %u %s: %%llu", node, name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, key, &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/*
 * KiB free on a node: as its meminfo says, and on the lists of the processors,
 * where many pages may wait for long.
 */
static inline __u64 node_free(unsigned int node)
{
	__u64 kib = node_kib(node, "MemFree");
	FILE *f = fopen("/proc/zoneinfo", "re");
	unsigned int at = ~0U;
	unsigned long long pages;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Node %u, zone", &at);
		if (at == node && sscanf(line, " count: %llu", &pages) == 1)
			kib += pages * page_bytes() >> 10;
	}
	if (f)
		fclose(f);
	return kib;
}

/* The highest node that has memory, of those that can be asked for. */
static inline unsigned int last_node(void)
{
	unsigned int node, last = 0;

	for (node = 0; node < 64; node++) {
		__u64 kib = node_kib(node, "MemTotal");

		if (kib != ~0ULL && kib)
			last = node;
	}
	return last;
}

/* What may be going on besides, the page cache above all: less than half of 128 MiB. */
#define SLACK_KIB	(60 << 10)

static MAYBE_UNUSED bool node_lost(unsigned int node, __u64 before, __u64 bytes)
{
	__s64 more = before - node_free(node) - (bytes >> 10);

	if (more >= -SLACK_KIB && more <= SLACK_KIB)
		return true;
	printf("# node %u has lost %lld KiB more than expected\n", node, (long long)more);
	return false;
}

#endif /* _NPUMEM_NODE_H */
