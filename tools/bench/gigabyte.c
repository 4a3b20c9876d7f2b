// SPDX-License-Identifier: MIT
/*
 * A gibibyte in one piece is one entry of a page table; of RAM it is 512. In a machine
 * whose device 1 has a carve-out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define GIB	(1024 * MIB)

static uint64_t new_gigabyte(int node, uint32_t device)
{
	struct npumem_alloc alloc = {
		.size = sizeof(alloc), .location_type = NPUMEM_LOCATION_DEVICE,
		.location_id = device, .length = GIB,
		.flags = device == CARVEOUT ? NPUMEM_ALLOC_1G : 0,
	};

	command(node, NPUMEM_ALLOC, &alloc, "alloc 1 GiB");
	return alloc.handle;
}

static void run_device(uint32_t device, struct gigabyte *gigabyte)
{
	uint64_t row[2][ROUNDS], clock = clock_cost(), from, between, to;
	struct npumem_stats stats = { .size = sizeof(stats) };
	struct npumem_unmap unmap = { .size = sizeof(unmap) };
	struct npumem_map map = { .size = sizeof(map), .length = GIB };
	int node = open_node(), round;
	uintptr_t at;

	map.handle = new_gigabyte(node, device);
	at = ((uintptr_t)find_addresses(2 * GIB) + GIB - 1) & ~(GIB - 1);
	if (mmap((void *)at, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, node,
		 0) != (void *)at)
		die("reserve: %s", strerror(errno));
	map.address = at;
	unmap.address = at;
	for (round = -1; round < ROUNDS; round++) {
		from = now();
		command(node, NPUMEM_MAP, &map, "map");
		between = now();
		command(node, NPUMEM_UNMAP, &unmap, "unmap");
		to = now();
		if (round < 0)
			continue;
		row[0][round] = between - from - clock;
		row[1][round] = to - between - clock;
	}
	gigabyte->map[device] = cost_of(row[0], ROUNDS);
	gigabyte->unmap[device] = cost_of(row[1], ROUNDS);
	command(node, NPUMEM_STATS, &stats, "stats");
	gigabyte->entries[device] = (stats.pud_entries + stats.pmd_entries + stats.pte_entries) /
				    (ROUNDS + 1);
	munmap((void *)at, GIB);
	close(node);
}

void gigabyte_run(struct gigabyte *gigabyte)
{
	run_device(RAM, gigabyte);
	run_device(CARVEOUT, gigabyte);
}

void gigabyte_write(const struct gigabyte *gigabyte, const char *path)
{
	FILE *file = fopen(path, "we");
	int i;

	if (!file)
		die("%s: %s", path, strerror(errno));
	for (i = RAM; i <= CARVEOUT; i++)
		fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", gigabyte->map[i].median,
			gigabyte->unmap[i].median, gigabyte->entries[i]);
	if (ferror(file) | fclose(file))
		die("%s: %s", path, strerror(errno));
}

void gigabyte_read(struct gigabyte *gigabyte, const char *path)
{
	FILE *file = fopen(path, "re");
	int i;

	if (!file)
		die("%s: %s", path, strerror(errno));
	for (i = RAM; i <= CARVEOUT; i++)
		if (fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &gigabyte->map[i].median,
			   &gigabyte->unmap[i].median, &gigabyte->entries[i]) != 3)
			die("%s: not what --gigabyte writes", path);
	fclose(file);
}
