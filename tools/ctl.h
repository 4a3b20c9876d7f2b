/* SPDX-License-Identifier: MIT */
/*
 * What the files of npumemctl share.
 */
#ifndef NPUMEM_CTL_H
#define NPUMEM_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "npumem.h"

#ifndef NPUMEM_VERSION
#error "the Makefile defines NPUMEM_VERSION"
#endif

#define CTL_MODULE	"npumem"
#define CTL_SYS_MODULE	"/sys/module/" CTL_MODULE
#define CTL_SYS_NODE	"/sys/class/npumem/" CTL_MODULE

/* Exit codes. Scripts rely on them: documented in npumemctl.8 and --help. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,		/* and no other code fits */
	CTL_USAGE = 2,		/* wrong command line */
	CTL_ABSENT = 3,		/* the module is not loaded */
	CTL_LOADED = 4,		/* the module is loaded already */
	CTL_BUSY = 5,		/* the module is in use */
	CTL_DENIED = 6,		/* not permitted */
	CTL_UNFIT = 7,		/* no module file, or none that this kernel takes */
};

/* The subcommands: argv[0] is what to call the program in messages. */
int ctl_load(int argc, char **argv);
int ctl_unload(int argc, char **argv);
int ctl_status(int argc, char **argv);
int ctl_clients(int argc, char **argv);
int ctl_query(int argc, char **argv);

/* ctl_util.c */

/* A message on stderr, after the program's name; a line feed is added. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say that the module is not loaded, and what to do. Returns CTL_ABSENT. */
int ctl_say_absent(void);

bool ctl_is_loaded(void);

/*
 * The first line of a file, without its line feed. The path is printf()ed.
 * False, and an empty @line, if there is none.
 */
bool ctl_read_line(char *line, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A file that holds one number. False, and *value unchanged, if it does not. */
bool ctl_read_number(long long *value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The device number of the node, from sysfs. */
bool ctl_node_number(dev_t *number);

/* Room for what ctl_size() writes. */
#define CTL_SIZE_TEXT	32

/* Bytes as people read them, or exactly. Returns @text. */
const char *ctl_size(char text[CTL_SIZE_TEXT], uint64_t bytes, bool exact);

/* A string in JSON, with its quotes. */
void ctl_json_string(const char *text);

/* ctl_holders.c */

/* What a process has of the node. */
struct ctl_holder {
	pid_t pid;
	char name[32];
	unsigned int descriptors;
	unsigned int reservations;
};

/*
 * The processes that have the node open or mapped, as far as we may see them.
 * Returns how many; *holders is for free().
 */
size_t ctl_find_holders(dev_t node, struct ctl_holder **holders);

#endif /* NPUMEM_CTL_H */
