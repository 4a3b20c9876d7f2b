// SPDX-License-Identifier: MIT
/*
 * npumemctl: what an administrator needs for npumem.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define TEXT_(x)	#x
#define TEXT(x)		TEXT_(x)

const char *argp_program_version =
	"npumemctl " NPUMEM_VERSION
	" (ABI " TEXT(NPUMEM_ABI_MAJOR) "." TEXT(NPUMEM_ABI_MINOR) ")";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	/* What messages and the usage call the program. */
	const char *title;
} commands[] = {
	{ "load", ctl_load, "npumemctl load" },
	{ "unload", ctl_unload, "npumemctl unload" },
	{ "status", ctl_status, "npumemctl status" },
	{ "clients", ctl_clients, "npumemctl clients" },
	{ "query", ctl_query, "npumemctl query" },
	{ "info", ctl_query, "npumemctl info" },
};

static const char doc[] =
	"Load, unload and look at npumem, the kernel's module for device memory"
	" that processes share.\n"
	"\n"
	"Commands (COMMAND --help tells more):\n"
	"  load     load the module, with parameters, and wait for its node\n"
	"  unload   remove the module, or tell who uses it\n"
	"  status   show module, node and devices with their used and free memory\n"
	"  clients  show who holds, imported and maps which memory (root)\n"
	"  query    ask the node itself: what any program that may open it sees\n"
	"\v"
	"Examples:\n"
	"  npumemctl load devices=4 capacity=8G,2G\n"
	"  npumemctl load --module kernel/npumem.ko\n"
	"  npumemctl status --json\n"
	"  npumemctl unload\n"
	"\n"
	"Exit status:\n"
	"  0  done\n"
	"  1  failed, and no other number fits\n"
	"  2  wrong command line\n"
	"  3  the module is not loaded\n"
	"  4  the module is loaded already\n"
	"  5  the module is in use\n"
	"  6  not permitted\n"
	"  7  no module file, or one that this kernel does not take\n"
	"\n"
	"npumemctl(8) is the manual.";

struct choice {
	size_t command;
	int first;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct choice *choice = state->input;
	size_t i;

	switch (key) {
	case ARGP_KEY_ARG:
		for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (strcmp(arg, commands[i].name))
				continue;
			choice->command = i;
			choice->first = state->next - 1;
			/* The rest is the command's. */
			state->next = state->argc;
			return 0;
		}
		argp_error(state, "no such command: %s", arg);
		return EINVAL;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no command given");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = doc,
	};
	struct choice choice = { 0 };
	char *name = argv[0];
	int status;

	argp_err_exit_status = CTL_USAGE;
	argv[0] = (char *)"npumemctl";
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice);
	argv[0] = name;

	argc -= choice.first;
	argv += choice.first;
	argv[0] = (char *)commands[choice.command].title;
	status = commands[choice.command].run(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		ctl_say("cannot write the output");
		return status ? status : CTL_FAILED;
	}
	return status;
}
