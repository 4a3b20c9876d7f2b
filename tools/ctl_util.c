// SPDX-License-Identifier: MIT
/*
 * npumemctl: messages, files of sysfs, and output.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ctl.h"

void ctl_say(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "npumemctl: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int ctl_say_absent(void)
{
	ctl_say("npumem is not loaded; load it with: npumemctl load");
	return CTL_ABSENT;
}

bool ctl_is_loaded(void)
{
	return access(CTL_SYS_MODULE, F_OK) == 0;
}

static bool read_line(char *line, size_t size, const char *format, va_list args)
{
	char path[512];
	FILE *file = NULL;

	line[0] = '\0';
	if (vsnprintf(path, sizeof(path), format, args) < (int)sizeof(path))
		file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, size, file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return line[0] != '\0';
}

bool ctl_read_line(char *line, size_t size, const char *format, ...)
{
	va_list args;
	bool found;

	va_start(args, format);
	found = read_line(line, size, format, args);
	va_end(args);
	return found;
}

bool ctl_read_number(long long *value, const char *format, ...)
{
	char line[64], *end;
	long long number;
	va_list args;
	bool found;

	va_start(args, format);
	found = read_line(line, sizeof(line), format, args);
	va_end(args);
	if (!found)
		return false;
	errno = 0;
	number = strtoll(line, &end, 10);
	if (errno || end == line || *end)
		return false;
	*value = number;
	return true;
}

bool ctl_node_number(dev_t *number)
{
	unsigned int major_number, minor_number;
	char line[64];

	if (!ctl_read_line(line, sizeof(line), CTL_SYS_NODE "/dev") ||
	    sscanf(line, "%u:%u", &major_number, &minor_number) != 2)
		return false;
	*number = makedev(major_number, minor_number);
	return true;
}

const char *ctl_size(char text[CTL_SIZE_TEXT], uint64_t bytes, bool exact)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;
	double number = bytes;

	if (exact) {
		snprintf(text, CTL_SIZE_TEXT, "%llu", (unsigned long long)bytes);
		return text;
	}
	/* 1022 MiB says more than 1.0 GiB. */
	while (unit + 1 < sizeof(units) / sizeof(units[0]) &&
	       (number >= 10 * 1024 ||
		(number >= 1024 && bytes % (1ULL << (10 * (unit + 1))) == 0))) {
		number /= 1024;
		unit++;
	}
	if (number == (uint64_t)number)
		snprintf(text, CTL_SIZE_TEXT, "%.0f %s", number, units[unit]);
	else
		snprintf(text, CTL_SIZE_TEXT, "%.1f %s", number, units[unit]);
	return text;
}

void ctl_json_string(const char *text)
{
	const unsigned char *c;

	putchar('"');
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < ' ')
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}
