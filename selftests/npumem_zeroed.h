/* SPDX-License-Identifier: MIT */
/* What the module tells of the memory that it keeps zeroed. */
#ifndef _NPUMEM_ZEROED_H
#define _NPUMEM_ZEROED_H

#include "npumem_testing.h"

/* The bytes kept, or ~0 if the module cannot tell. */
static MAYBE_UNUSED __u64 zeroed_bytes(void)
{
	FILE *f = fopen("/sys/class/npumem/npumem/host/zeroed", "re");
	unsigned long long bytes = ~0ULL;

	if (!f)
		return ~0ULL;
	if (fscanf(f, "%llu", &bytes) != 1)
		bytes = ~0ULL;
	fclose(f);
	return bytes;
}

/* "filled", "taken", "reused" and "reclaimed": chunks since the module was loaded; ~0. */
static MAYBE_UNUSED __u64 zeroed_count(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/npumem/zeroed", "re");
	unsigned long long value = ~0ULL;
	char word[32];

	while (f && fscanf(f, "%31s %llu", word, &value) == 2)
		if (!strcmp(word, name))
			break;
	if (f)
		fclose(f);
	return value;
}

/* The bytes kept of one node. */
static MAYBE_UNUSED __u64 zeroed_of_node(unsigned int node)
{
	FILE *f = fopen("/sys/kernel/debug/npumem/zeroed", "re");
	unsigned long long value, found = 0;
	char line[128];
	unsigned int n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "node %u bytes %llu", &n, &value) == 2 && n == node)
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* The sum of what follows a word in the lines of all nodes. */
static MAYBE_UNUSED __u64 zeroed_of_nodes(const char *word)
{
	FILE *f = fopen("/sys/kernel/debug/npumem/zeroed", "re");
	char line[128], *at;
	__u64 all = 0;

	if (!f)
		return ~0ULL;
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, word);
		if (!strncmp(line, "node ", strlen("node ")) && at)
			all += strtoull(at + strlen(word), NULL, 10);
	}
	fclose(f);
	return all;
}

/* The bytes kept that are as they were freed. */
static MAYBE_UNUSED __u64 zeroed_dirty(void)
{
	return zeroed_of_nodes(" dirty ");
}

/* How many chunks are still to be taken from the page allocator. */
static MAYBE_UNUSED __u64 zeroed_wanted(void)
{
	return zeroed_of_nodes(" wanted ");
}

/* For tests that count what the page allocator has. Returns the bound as it was. */
static MAYBE_UNUSED long long zeroed_off(void)
{
	long long before = npumem_parameter("max_zeroed");

	return npumem_set_parameter("max_zeroed", 0) ? -1 : before;
}

static MAYBE_UNUSED void zeroed_restore(long long before)
{
	if (before >= 0)
		npumem_set_parameter("max_zeroed", before);
}

#endif /* _NPUMEM_ZEROED_H */
