// SPDX-License-Identifier: MIT
/*
 * npumemctl status and clients: what sysfs and debugfs tell.
 */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

#define SYS_DEVICES	"/sys/bus/platform/devices"
#define SYS_PARAMETERS	CTL_SYS_MODULE "/parameters"
#define DEBUG_CLIENTS	"/sys/kernel/debug/" CTL_MODULE "/clients"

struct output {
	bool json;
	bool exact;
};

struct device {
	unsigned int id;
	bool bound;
	/* The rest is of bound devices only. */
	char pool[32];
	long long node, capacity, used, free, is_virtual;
};

static void read_device(struct device *device)
{
	char dir[128];

	snprintf(dir, sizeof(dir), SYS_DEVICES "/" CTL_MODULE ".%u", device->id);
	device->node = -1;
	ctl_read_number(&device->node, "%s/numa_node", dir);
	device->bound = ctl_read_number(&device->capacity, "%s/capacity", dir) &&
			ctl_read_number(&device->used, "%s/used", dir) &&
			ctl_read_number(&device->free, "%s/free", dir);
	if (!device->bound)
		return;
	ctl_read_number(&device->is_virtual, "%s/virtual", dir);
	ctl_read_line(device->pool, sizeof(device->pool), "%s/pool", dir);
}

/* The host's own memory; a module that is older has none to hand out. */
static bool read_host(struct device *host)
{
	memset(host, 0, sizeof(*host));
	return ctl_read_number(&host->capacity, CTL_SYS_NODE "/host/capacity") &&
	       ctl_read_number(&host->used, CTL_SYS_NODE "/host/used") &&
	       ctl_read_number(&host->free, CTL_SYS_NODE "/host/free");
}

static int is_device(const struct dirent *entry)
{
	unsigned int id;
	char rest;

	return sscanf(entry->d_name, CTL_MODULE ".%u%c", &id, &rest) == 1;
}

/* Returns the number of devices, or -1; *devices is for free(). */
static int read_devices(struct device **devices)
{
	struct dirent **entries;
	int count, i;

	count = scandir(SYS_DEVICES, &entries, is_device, versionsort);
	if (count < 0)
		return -1;
	*devices = calloc(count + 1, sizeof(**devices));
	for (i = 0; i < count; i++) {
		if (*devices) {
			sscanf(entries[i]->d_name, CTL_MODULE ".%u",
			       &(*devices)[i].id);
			read_device(&(*devices)[i]);
		}
		free(entries[i]);
	}
	free(entries);
	return *devices ? count : -1;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Call show() for each parameter that we may read. */
static void for_each_parameter(void (*show)(const char *name, const char *value,
					    bool first))
{
	struct dirent **entries;
	char value[4096];
	bool first = true;
	int count, i;

	count = scandir(SYS_PARAMETERS, &entries, is_visible, alphasort);
	for (i = 0; i < count; i++) {
		ctl_read_line(value, sizeof(value), SYS_PARAMETERS "/%s",
			      entries[i]->d_name);
		show(entries[i]->d_name, value, first);
		first = false;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* A list says how it ends only once: 4,-1,... */
static void parameter_text(const char *name, const char *value, bool first)
{
	size_t end = strlen(value), last, i;
	bool shortened = false;

	for (;;) {
		/* The last element is [last, end). */
		for (last = end; last > 0 && value[last - 1] != ','; last--)
			;
		i = end - last + 1;
		if (last < i || (last > i && value[last - i - 1] != ',') ||
		    memcmp(value + last - i, value + last, i - 1))
			break;
		end = last - 1;
		shortened = true;
	}
	printf("%-11s%s=%.*s%s\n", first ? "parameters" : "", name, (int)end,
	       value, shortened ? ",..." : "");
}

static void parameter_json(const char *name, const char *value, bool first)
{
	printf(first ? "\n      " : ",\n      ");
	ctl_json_string(name);
	printf(": ");
	ctl_json_string(value);
}

static void module_text(void)
{
	long long references;
	char line[256];

	printf("module     loaded");
	if (ctl_read_line(line, sizeof(line), CTL_SYS_MODULE "/version"))
		printf(", version %s", line);
	if (ctl_read_line(line, sizeof(line), CTL_SYS_MODULE "/srcversion"))
		printf(", source %s", line);
	if (ctl_read_number(&references, CTL_SYS_MODULE "/refcnt"))
		printf(", %lld user%s", references, references == 1 ? "" : "s");
	putchar('\n');
}

static void module_json(void)
{
	static const char *const facts[] = { "version", "srcversion" };
	long long references;
	char line[256];
	size_t i;

	printf("  \"module\": {\n    \"loaded\": true");
	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		if (!ctl_read_line(line, sizeof(line), CTL_SYS_MODULE "/%s",
				   facts[i]))
			continue;
		printf(",\n    \"%s\": ", facts[i]);
		ctl_json_string(line);
	}
	if (ctl_read_number(&references, CTL_SYS_MODULE "/refcnt"))
		printf(",\n    \"users\": %lld", references);
	printf(",\n    \"parameters\": {");
	for_each_parameter(parameter_json);
	printf("\n    }\n  }");
}

static void node_text(void)
{
	const struct passwd *owner;
	const struct group *group;
	struct stat st;

	if (stat(NPUMEM_DEVICE_PATH, &st)) {
		printf("node       " NPUMEM_DEVICE_PATH ": %s\n", strerror(errno));
		return;
	}
	printf("node       " NPUMEM_DEVICE_PATH ", mode %04o", st.st_mode & 07777);
	owner = getpwuid(st.st_uid);
	if (owner)
		printf(", owner %s", owner->pw_name);
	else
		printf(", owner %u", st.st_uid);
	group = getgrgid(st.st_gid);
	if (group)
		printf(", group %s\n", group->gr_name);
	else
		printf(", group %u\n", st.st_gid);
}

static void node_json(void)
{
	struct stat st;

	printf("  \"node\": {\n    \"path\": \"" NPUMEM_DEVICE_PATH "\",\n");
	if (stat(NPUMEM_DEVICE_PATH, &st))
		printf("    \"present\": false\n  }");
	else
		printf("    \"present\": true,\n    \"mode\": \"%04o\",\n"
		       "    \"uid\": %u,\n    \"gid\": %u\n  }",
		       st.st_mode & 07777, st.st_uid, st.st_gid);
}

static void devices_text(const struct device *devices, int count, bool exact)
{
	char capacity[CTL_SIZE_TEXT], used[CTL_SIZE_TEXT], free[CTL_SIZE_TEXT];
	const struct device *device;
	struct device host;

	printf("\n%-6s %-6s %-11s %-5s %16s %16s %16s\n", "DEVICE", "BOUND",
	       "POOL", "NODE", "CAPACITY", "USED", "FREE");
	for (device = devices; device < devices + count; device++) {
		if (!device->bound) {
			printf("%-6u %-6s %-11s %-5s %16s %16s %16s\n",
			       device->id, "no", "-", "-", "-", "-", "-");
			continue;
		}
		printf("%-6u %-6s %-11s %-5lld %16s %16s %16s%s\n", device->id,
		       "yes", device->pool, device->node,
		       ctl_size(capacity, device->capacity, exact),
		       ctl_size(used, device->used, exact),
		       ctl_size(free, device->free, exact),
		       device->is_virtual ? "  virtual" : "");
	}
	if (read_host(&host))
		printf("%-6s %-6s %-11s %-5s %16s %16s %16s\n", "host", "-",
		       "system-ram", "-1",
		       ctl_size(capacity, host.capacity, exact),
		       ctl_size(used, host.used, exact),
		       ctl_size(free, host.free, exact));
	if (!count)
		printf("(no device: see the parameter \"devices\")\n");
}

static void devices_json(const struct device *devices, int count)
{
	const struct device *device;

	printf("  \"devices\": [");
	for (device = devices; device < devices + count; device++) {
		printf("%s\n    { \"id\": %u, \"bound\": %s",
		       device == devices ? "" : ",", device->id,
		       device->bound ? "true" : "false");
		if (device->bound) {
			printf(", \"pool\": ");
			ctl_json_string(device->pool);
			printf(", \"numa_node\": %lld, \"virtual\": %s,\n"
			       "      \"capacity\": %lld, \"used\": %lld, \"free\": %lld",
			       device->node, device->is_virtual ? "true" : "false",
			       device->capacity, device->used, device->free);
		}
		printf(" }");
	}
	printf("%s]", count ? "\n  " : "");
}

static void host_json(void)
{
	struct device host;

	if (read_host(&host))
		printf(",\n  \"host\": { \"capacity\": %lld, \"used\": %lld,"
		       " \"free\": %lld }", host.capacity, host.used, host.free);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct output *output = state->input;

	(void)arg;
	switch (key) {
	case 'j':
		output->json = true;
		return 0;
	case 'b':
		output->exact = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Write JSON; sizes are in bytes", 0 },
	{ "bytes", 'b', NULL, 0, "Write sizes in bytes", 0 },
	{ 0 }
};

static const struct argp status_argp = {
	.options = options,
	.parser = parse,
	.doc = "Show the module with its parameters, the node, and each device and the host with their memory.\v"
	       "A device that is not bound was removed, or was never taken: bind it with\n"
	       "  echo npumem.0 >/sys/bus/platform/drivers/npumem/bind",
};

int ctl_status(int argc, char **argv)
{
	struct output output = { 0 };
	struct device *devices;
	int count;

	argp_parse(&status_argp, argc, argv, 0, NULL, &output);
	if (!ctl_is_loaded())
		return ctl_say_absent();
	count = read_devices(&devices);
	if (count < 0) {
		ctl_say("cannot read " SYS_DEVICES ": %s", strerror(errno));
		return CTL_FAILED;
	}
	if (output.json) {
		printf("{\n");
		module_json();
		printf(",\n");
		node_json();
		printf(",\n");
		devices_json(devices, count);
		host_json();
		printf("\n}\n");
	} else {
		module_text();
		for_each_parameter(parameter_text);
		node_text();
		devices_text(devices, count, output.exact);
	}
	free(devices);
	return CTL_OK;
}

static const struct argp clients_argp = {
	.doc = "Show who holds, imported and maps which memory."
	       " For root: it is read from debugfs.",
};

int ctl_clients(int argc, char **argv)
{
	char buffer[16384];
	FILE *file;
	size_t size;
	bool failed;

	argp_parse(&clients_argp, argc, argv, 0, NULL, NULL);
	if (!ctl_is_loaded())
		return ctl_say_absent();
	file = fopen(DEBUG_CLIENTS, "re");
	if (!file && errno == EPERM) {
		ctl_say("this kernel is locked down, and closes debugfs even to root;"
			" /proc/PID/fdinfo tells of each process what it holds");
		return CTL_DENIED;
	}
	if (!file && errno == EACCES) {
		ctl_say("only root may see other processes' memory; try: sudo npumemctl clients");
		return CTL_DENIED;
	}
	if (!file) {
		ctl_say("no " DEBUG_CLIENTS
			"; mount debugfs: mount -t debugfs debugfs /sys/kernel/debug");
		return CTL_FAILED;
	}
	while ((size = fread(buffer, 1, sizeof(buffer), file)) > 0)
		fwrite(buffer, 1, size, stdout);
	failed = ferror(file);
	fclose(file);
	if (failed) {
		ctl_say("cannot read " DEBUG_CLIENTS);
		return CTL_FAILED;
	}
	return CTL_OK;
}
