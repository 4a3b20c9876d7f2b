// SPDX-License-Identifier: MIT
/* What the fuzzer sees and changes in sysfs and debugfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_round.h"
#include "fuzz_world.h"
#include "npumem_testing.h"

static const char *const world_limits[] = {
	"max_handles", "max_mappings", "max_reservations", "max_whitelist",
};

static long long world_limits_before[4] = { -1, -1, -1, -1 };
static long long world_wait_before = -1;

static long long world_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long long value = -1;

	if (file && fscanf(file, "%lld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static long long world_device_number(int device, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/platform/devices/npumem.%d/%s", device, name);
	return world_number(path);
}

long world_bind(int device, bool bind)
{
	char text[32];
	long ret = 0;
	int fd, n;

	fd = open(bind ? "/sys/bus/platform/drivers/npumem/bind" :
			 "/sys/bus/platform/drivers/npumem/unbind", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "npumem.%d", device);
	if (write(fd, text, n) != n)
		ret = -errno;
	close(fd);
	return ret;
}

void world_limit(int index, __u64 value)
{
	npumem_set_parameter(world_limits[index],
			     value >= 65535 ? world_limits_before[index] : (long long)value);
}

void round_restore(const struct model_machine *machine)
{
	int i;

	for (i = 0; i < 4; i++)
		world_limit(i, 65535);
	for (i = 0; i < machine->devices; i++)
		if (world_device_number(i, "capacity") < 0)
			world_bind(i, true);
}

void world_end(void)
{
	npumem_set_parameter("import_wait_ms", world_wait_before);
}

/* Nodes with memory, from a list like 0-1,3. */
static __u32 world_nodes(void)
{
	FILE *file = fopen("/sys/devices/system/node/has_normal_memory", "re");
	unsigned int first, last;
	__u32 nodes = 0;
	char next;

	if (!file)
		return 1;
	while (fscanf(file, "%u", &first) == 1) {
		last = first;
		next = fgetc(file);
		if (next == '-' && fscanf(file, "%u", &last) == 1)
			next = fgetc(file);
		for (; first <= last && first < 32; first++)
			nodes |= 1U << first;
		if (next != ',')
			break;
	}
	fclose(file);
	return nodes;
}

const char *round_machine(struct model_machine *machine)
{
	struct npumem_query query;
	int i, fd;

	memset(machine, 0, sizeof(*machine));
	fd = npumem_open();
	if (fd < 0)
		return "cannot open " NPUMEM_DEVICE_PATH;
	i = npumem_query(fd, &query);
	close(fd);
	if (i)
		return "NPUMEM_QUERY fails";
	if (geteuid())
		return "must be root, to send processes each other's descriptors and to unbind";
	if (query.device_count > MODEL_DEVICES)
		return "more devices than the model has";
	machine->devices = query.device_count;
	machine->nodes = world_nodes();
	for (i = 0; i < machine->devices; i++) {
		machine->capacity[i] = world_device_number(i, "capacity");
		machine->used[i] = world_device_number(i, "used");
		machine->is_virtual[i] = world_device_number(i, "virtual") == 1;
		if ((long long)machine->capacity[i] < 0)
			return "a device is not bound";
	}
	machine->host_capacity = world_number("/sys/class/npumem/npumem/host/capacity");
	machine->host_used = world_number("/sys/class/npumem/npumem/host/used");
	for (i = 0; i < 4; i++)
		if (world_limits_before[i] < 0)
			world_limits_before[i] = npumem_parameter(world_limits[i]);
	if (world_wait_before < 0)
		world_wait_before = npumem_parameter("import_wait_ms");
	/* Nobody lets anybody in while he waits. */
	if (npumem_set_parameter("import_wait_ms", 0))
		return "cannot set the module's parameters";
	return NULL;
}

/* ---- is all as it should be? ---- */

static bool world_used(const struct model *model, char *text, size_t size)
{
	long long used = world_number("/sys/class/npumem/npumem/host/used");
	int i;

	if (used != (long long)model->host.used) {
		snprintf(text, size, "of the host's memory %lld bytes are used, expected %llu",
			 used, (unsigned long long)model->host.used);
		return false;
	}
	for (i = 0; i < model->machine.devices; i++) {
		if (!model->devices[i])
			continue;
		used = world_device_number(i, "used");
		if (used == (long long)model->devices[i]->used)
			continue;
		snprintf(text, size, "of device %d %lld bytes are used, expected %llu", i, used,
			 (unsigned long long)model->devices[i]->used);
		return false;
	}
	return true;
}

/* The model's line for a client; what comes between the words does not matter. */
static bool world_client_is(const struct model *model, const struct m_client *client,
			    const char *line)
{
	struct m_actor *actor = model_actor_of((struct model *)model, client);
	unsigned long long want[6], got;
	static const char *const names[] = {
		" handles ", " imports ", " reservations ", " reserved ", " mappings ", " mapped ",
	};
	const char *at;
	__u64 reserved, mapped;
	int i, imports;

	want[0] = model_count_handles((struct m_client *)client, &imports);
	want[1] = imports;
	want[2] = model_count_reservations(actor, (struct m_client *)client, &reserved);
	want[3] = reserved;
	want[4] = model_count_mappings(actor, (struct m_client *)client, &mapped);
	want[5] = mapped;
	for (i = 0; i < 6; i++) {
		at = strstr(line, names[i]);
		if (!at || sscanf(at + strlen(names[i]), "%llu", &got) != 1 || got != want[i])
			return false;
	}
	return true;
}

/* The clients that the module tells root of, in the order of their opening. */
static bool world_clients(const struct model *model, char *text, size_t size)
{
	const struct m_client *client = model->clients;
	FILE *file = fopen("/sys/kernel/debug/npumem/clients", "re");
	bool right = true;
	char line[512];
	int pid;

	if (!file)
		return true;
	while (right && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "client pid %d", &pid) != 1 || pid == getppid())
			continue;
		right = client && client->owner->pid == pid &&
			world_client_is(model, client, line);
		if (!right)
			snprintf(text, size, "debugfs has, for %s pid %d: %s",
				 client ? "the client of" : "no client; not",
				 client ? (int)client->owner->pid : 0, line);
		else
			client = client->next;
	}
	fclose(file);
	if (right && client) {
		snprintf(text, size, "debugfs lacks the client of pid %d",
			 (int)client->owner->pid);
		right = false;
	}
	return right;
}

bool world_is(const struct model *model, char *text, size_t size)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int i;

	/* The last word of a process that was killed may take a moment. */
	for (i = 0; i < 100; i++) {
		if (world_used(model, text, size) && world_clients(model, text, size))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}
