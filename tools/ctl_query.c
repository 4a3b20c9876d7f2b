// SPDX-License-Identifier: MIT
/*
 * npumemctl query: what the node tells any program that may open it.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

struct answer {
	struct npumem_query query;
	struct npumem_host_tgid process;
	struct npumem_device_info *devices;
	unsigned int nr_devices;
	struct npumem_device_info host;
	bool has_host;
};

static int say_no_node(int error)
{
	const struct group *group;
	struct stat st;

	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		if (!ctl_is_loaded())
			return ctl_say_absent();
		ctl_say("npumem is loaded, but " NPUMEM_DEVICE_PATH
			" is not there or is another device's; a container needs"
			" it passed in (--device " NPUMEM_DEVICE_PATH ")");
		return CTL_ABSENT;
	case EACCES:
	case EPERM:
		group = stat(NPUMEM_DEVICE_PATH, &st) ? NULL : getgrgid(st.st_gid);
		if (group && st.st_gid && (st.st_mode & 0060) == 0060)
			ctl_say("may not open " NPUMEM_DEVICE_PATH
				": join its group (adduser USER %s) and log in again",
				group->gr_name);
		else
			ctl_say("may not open " NPUMEM_DEVICE_PATH
				": ask an administrator to install npumem's udev rule");
		return CTL_DENIED;
	default:
		ctl_say("cannot open " NPUMEM_DEVICE_PATH ": %s", strerror(error));
		return CTL_FAILED;
	}
}

static int ask(int fd, struct answer *answer)
{
	struct npumem_device_info info;
	unsigned int id;

	answer->query.size = sizeof(answer->query);
	if (ioctl(fd, NPUMEM_QUERY, &answer->query)) {
		ctl_say(NPUMEM_DEVICE_PATH " does not answer like npumem: %s",
			strerror(errno));
		return CTL_FAILED;
	}
	if (answer->query.abi_major != NPUMEM_ABI_MAJOR) {
		ctl_say("the module speaks ABI %u.%u, this tool %u.%u: install both from one source",
			answer->query.abi_major, answer->query.abi_minor,
			NPUMEM_ABI_MAJOR, NPUMEM_ABI_MINOR);
		return CTL_FAILED;
	}
	answer->process.size = sizeof(answer->process);
	if (ioctl(fd, NPUMEM_HOST_TGID, &answer->process)) {
		ctl_say("NPUMEM_HOST_TGID: %s", strerror(errno));
		return CTL_FAILED;
	}
	answer->host.size = sizeof(answer->host);
	answer->host.device = NPUMEM_DEVICE_NONE;
	/* A module that is older has no memory of the host. */
	answer->has_host = !ioctl(fd, NPUMEM_DEVICE_INFO, &answer->host);
	answer->devices = calloc(answer->query.device_count + 1, sizeof(info));
	if (!answer->devices) {
		ctl_say("out of memory");
		return CTL_FAILED;
	}
	for (id = 0; id < answer->query.device_count; id++) {
		info = (struct npumem_device_info){
			.size = sizeof(info), .device = id,
		};
		if (!ioctl(fd, NPUMEM_DEVICE_INFO, &info)) {
			answer->devices[answer->nr_devices++] = info;
		} else if (errno != ENXIO && errno != ENODEV) {
			/* These are devices that were removed. */
			ctl_say("NPUMEM_DEVICE_INFO: %s", strerror(errno));
			return CTL_FAILED;
		}
	}
	return CTL_OK;
}

static void write_text(const struct answer *answer)
{
	char granule[CTL_SIZE_TEXT], capacity[CTL_SIZE_TEXT], used[CTL_SIZE_TEXT];
	unsigned int i;

	printf("ABI        %u.%u (this tool: %u.%u)\n", answer->query.abi_major,
	       answer->query.abi_minor, NPUMEM_ABI_MAJOR, NPUMEM_ABI_MINOR);
	printf("granule    %s\n", ctl_size(granule, answer->query.granule, false));
	printf("host pid   %d\n", answer->process.tgid);
	printf("\n%-6s %-5s %16s %16s\n", "DEVICE", "NODE", "CAPACITY", "USED");
	for (i = 0; i < answer->nr_devices; i++)
		printf("%-6u %-5d %16s %16s%s\n", answer->devices[i].device,
		       answer->devices[i].numa_node,
		       ctl_size(capacity, answer->devices[i].capacity, false),
		       ctl_size(used, answer->devices[i].used, false),
		       answer->devices[i].flags & NPUMEM_DEVICE_VIRTUAL ?
		       "  virtual" : "");
	if (answer->has_host)
		printf("%-6s %-5s %16s %16s\n", "host", "-1",
		       ctl_size(capacity, answer->host.capacity, false),
		       ctl_size(used, answer->host.used, false));
}

static void write_json(const struct answer *answer)
{
	const struct npumem_device_info *device;
	unsigned int i;

	printf("{\n  \"abi\": { \"major\": %u, \"minor\": %u },\n"
	       "  \"granule\": %llu,\n  \"host_pid\": %d,\n  \"devices\": [",
	       answer->query.abi_major, answer->query.abi_minor,
	       (unsigned long long)answer->query.granule, answer->process.tgid);
	for (i = 0; i < answer->nr_devices; i++) {
		device = &answer->devices[i];
		printf("%s\n    { \"id\": %u, \"numa_node\": %d, \"virtual\": %s,"
		       " \"capacity\": %llu, \"used\": %llu }", i ? "," : "",
		       device->device, device->numa_node,
		       device->flags & NPUMEM_DEVICE_VIRTUAL ? "true" : "false",
		       (unsigned long long)device->capacity,
		       (unsigned long long)device->used);
	}
	printf("%s]", i ? "\n  " : "");
	if (answer->has_host)
		printf(",\n  \"host\": { \"capacity\": %llu, \"used\": %llu }",
		       (unsigned long long)answer->host.capacity,
		       (unsigned long long)answer->host.used);
	printf("\n}\n");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*json = true;
	return 0;
}

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Write JSON; sizes are in bytes", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Open " NPUMEM_DEVICE_PATH " as any program would, and show what it tells:"
	       " the version of its interface, our process id outside of containers, the devices and the host with their memory.",
};

int ctl_query(int argc, char **argv)
{
	struct answer answer = { 0 };
	bool json = false;
	int fd, status;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return say_no_node(errno);
	status = ask(fd, &answer);
	if (!status) {
		if (json)
			write_json(&answer);
		else
			write_text(&answer);
	}
	free(answer.devices);
	close(fd);
	return status;
}
