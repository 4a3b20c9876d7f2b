// SPDX-License-Identifier: MIT
/*
 * The fuzzer's operations as text, one a line:
 *
 *	map actor=1 fd=0 at=0x400000 handle=3 plus=0 flags=0 offset=0 twist=readonly
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_ops.h"

const struct fuzz_kind_info fuzz_kinds[FUZZ_KINDS] = {
	{ "query", { NULL } },
	{ "device_info", { "device" } },
	{ "alloc", { "type", "id", "length", "flags", "attr", "handle" } },
	{ "free", { "handle" } },
	{ "memory_info", { "handle" } },
	{ "map", { "at", "handle", "plus", "flags", "offset" } },
	{ "unmap", { "at" } },
	{ "set_access", { "at", "length", "count", "first", "second", "third" } },
	{ "get_access", { "type", "id", "at" } },
	{ "range", { "at" } },
	{ "release", { "at" } },
	{ "export", { "handle", "flags", "token" } },
	{ "whitelist_add", { "token", "count", "first", "second", "third" } },
	{ "import", { "token", "device", "flags", "handle" } },
	{ "share_info", { "token" } },
	{ "peer_enable", { "device", "peer" } },
	{ "peer_disable", { "device", "peer" } },
	{ "peer_status", { "device", "peer" } },
	{ "host_tgid", { NULL } },
	{ "stats", { NULL } },
	{ "copy", { "device", "to", "from", "length" } },
	{ "fill", { "device", "at", "length", "value" } },
	{ "retain", { "at", "handle" } },
	{ "reset", { "device" } },
	{ "unexport", { "token" } },
	{ "map_batch", { "at", "handle", "other", "step", "count", "flags" } },
	{ "unmap_batch", { "first", "second", "third", "count" } },
	{ "wild", { "command" } },
	{ "open", { NULL } },
	{ "close", { NULL } },
	{ "dup", { "to" } },
	{ "mmap", { "at", "length", "prot", "how", "offset" } },
	{ "munmap", { "at", "length" } },
	{ "mprotect", { "at", "length", "prot" } },
	{ "mremap", { "at", "length", "new", "how" } },
	{ "madvise", { "at", "length", "advice" } },
	{ "read", { "at" } },
	{ "write", { "at", "value" } },
	{ "sweep", { "offset" } },
	{ "splice", { "at" } },
	{ "spy", { "of", "at", "how" } },
	{ "spawn", { NULL } },
	{ "fork", { "child" } },
	{ "exec", { "keep" } },
	{ "exit", { NULL } },
	{ "kill", { NULL } },
	{ "pass", { "to", "as" } },
	{ "steal", { "from", "its" } },
	{ "unbind", { "device" } },
	{ "bind", { "device" } },
	{ "limits", { "handles", "mappings", "reservations", "whitelist" } },
};

static const char *const fuzz_twists[TWISTS] = {
	"none", "short", "zero", "min", "long", "tail", "huge", "null", "unmapped",
	"kernel", "edge", "readonly", "userfault", "reserved", "flag", "array",
	"thread", "signal", "child", "vfork",
};

const char *fuzz_twist_name(unsigned int twist)
{
	return twist < TWISTS ? fuzz_twists[twist] : "?";
}

void fuzz_print(FILE *file, const struct fuzz_op *op)
{
	const struct fuzz_kind_info *info = &fuzz_kinds[op->kind];
	int i;

	fprintf(file, "%s actor=%u fd=%u", info->name, op->actor, op->fd);
	for (i = 0; i < FUZZ_VALUES && info->field[i]; i++)
		fprintf(file, op->value[i] < 10 ? " %s=%llu" : " %s=0x%llx",
			info->field[i], (unsigned long long)op->value[i]);
	if (op->twist)
		fprintf(file, " twist=%s", fuzz_twists[op->twist]);
	fputc('\n', file);
}

static int fuzz_find(const char *name, const char *const *names, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	return -1;
}

static bool fuzz_parse_field(struct fuzz_op *op, char *word)
{
	char *value = strchr(word, '='), *end;
	unsigned long long number;
	int i;

	if (!value)
		return false;
	*value++ = '\0';
	if (!strcmp(word, "twist")) {
		i = fuzz_find(value, fuzz_twists, TWISTS);
		op->twist = i;
		return i >= 0;
	}
	number = strtoull(value, &end, 0);
	if (*end || end == value)
		return false;
	if (!strcmp(word, "actor")) {
		op->actor = number;
		return number < FUZZ_ACTORS;
	}
	if (!strcmp(word, "fd")) {
		op->fd = number;
		return number < FUZZ_FDS;
	}
	i = fuzz_find(word, fuzz_kinds[op->kind].field, FUZZ_VALUES);
	if (i >= 0)
		op->value[i] = number;
	return i >= 0;
}

static bool fuzz_parse_line(struct fuzz_op *op, char *line)
{
	char *word, *rest = line;
	int kind = 0;

	memset(op, 0, sizeof(*op));
	word = strtok_r(rest, " \t\n", &rest);
	while (kind < FUZZ_KINDS && strcmp(word, fuzz_kinds[kind].name))
		kind++;
	if (kind == FUZZ_KINDS)
		return false;
	op->kind = kind;
	while ((word = strtok_r(NULL, " \t\n", &rest)))
		if (!fuzz_parse_field(op, word))
			return false;
	return true;
}

int fuzz_parse(FILE *file, struct fuzz_op *ops, int max)
{
	char line[512], copy[512];
	int n = 0, number = 0;

	while (fgets(line, sizeof(line), file)) {
		char *text = line;

		number++;
		/* As it is printed, each line may stand in a comment of TAP. */
		while (*text == '#' || isspace((unsigned char)*text))
			text++;
		if (!*text)
			continue;
		strcpy(copy, text);
		if (n == max || !fuzz_parse_line(&ops[n], text)) {
			fprintf(stderr, "line %d: not an operation: %s", number, copy);
			return -1;
		}
		n++;
	}
	return n;
}
