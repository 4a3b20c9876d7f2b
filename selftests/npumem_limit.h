/* SPDX-License-Identifier: MIT */
/*
 * Limits: what a process can take of each resource and give back, by several files
 * of its own, what the accounts say, and parameters that are put back at the end.
 */
#ifndef _NPUMEM_LIMIT_H
#define _NPUMEM_LIMIT_H

#include "npumem_client.h"

/* ---- parameters ---- */

static struct {
	char name[32];
	long long value;
} limits_changed[16];

/* The limit of a resource, "user_handles", for the rest of the test. */
static MAYBE_UNUSED bool limit_set(const char *what, long long value)
{
	char name[32];
	int i;

	snprintf(name, sizeof(name), "max_%s", what);
	for (i = 0; i < 15 && limits_changed[i].name[0]; i++)
		if (!strcmp(limits_changed[i].name, name))
			return !npumem_set_parameter(name, value);
	limits_changed[i].value = npumem_parameter(name);
	if (limits_changed[i].value < 0)
		return false;
	strcpy(limits_changed[i].name, name);
	return !npumem_set_parameter(name, value);
}

static MAYBE_UNUSED bool limits_restore(void)
{
	bool good = true;
	int i;

	for (i = 0; i < 16 && limits_changed[i].name[0]; i++) {
		good &= !npumem_set_parameter(limits_changed[i].name, limits_changed[i].value);
		limits_changed[i].name[0] = '\0';
	}
	return good;
}

/* ---- accounts ---- */

#define ACCOUNTS	"/sys/kernel/debug/npumem/accounts"

/*
 * How much of a resource "process 123" or "user 1000" has; -ENOENT without an
 * account.
 */
static MAYBE_UNUSED long account(const char *kind, unsigned int id, const char *resource)
{
	char line[256], start[32], name[32];
	long value = -ENOENT;
	const char *at;
	FILE *f;

	f = fopen(ACCOUNTS, "re");
	if (!f)
		return -errno;
	snprintf(start, sizeof(start), "%s %u ", kind, id);
	snprintf(name, sizeof(name), " %s ", resource);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, start, strlen(start)))
			continue;
		at = strstr(line, name);
		value = at ? strtol(at + strlen(name), NULL, 10) : -EBADMSG;
	}
	fclose(f);
	return value;
}

/* Is it all there? Who has no client any more keeps an account for a grace period. */
static inline bool accounts_settled(char *text, size_t size)
{
	int fd = open(ACCOUNTS, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0, got;

	while (fd >= 0 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += got;
	text[n] = '\0';
	close(fd);
	return n && !strstr(text, " clients 0 ");
}

/* All that they say, for comparison with another time. Empty: they do not settle. */
static MAYBE_UNUSED char *accounts_text(void)
{
	static char texts[2][16384];
	static int which;
	char *text = texts[which ^= 1];

	if (!becomes_true(accounts_settled(text, sizeof(texts[0]))))
		text[0] = '\0';
	return text;
}

/* ---- what a process takes ---- */

#define FILES		2
#define PIECES		4	/* each file takes of a resource at most */

/* Of one process: its files, and for each what it needs to take more. */
static struct {
	int fd;
	__u64 handle[PIECES], token[PIECES], base;
} own[FILES];

/* What was taken, the last one last. */
static __u64 taken[FILES][PIECES];
static unsigned int takes[FILES];

static inline int take_client(int fd, unsigned int file, unsigned int i, __u64 *what)
{
	int client = npumem_open();

	(void)fd, (void)file, (void)i;
	*what = client;
	return client < 0 ? client : 0;
}

static inline int give_client(int fd, unsigned int file, unsigned int i, __u64 what)
{
	(void)fd, (void)file, (void)i;
	return close(what) ? -errno : 0;
}

static inline int take_handle(int fd, unsigned int file, unsigned int i, __u64 *what)
{
	(void)file, (void)i;
	return npumem_alloc(fd, 1, G, what);
}

static inline int give_handle(int fd, unsigned int file, unsigned int i, __u64 what)
{
	(void)file, (void)i;
	return npumem_free(fd, what);
}

static inline int take_reservation(int fd, unsigned int file, unsigned int i, __u64 *what)
{
	(void)file, (void)i;
	return npumem_reserve(fd, G, what);
}

static inline int give_reservation(int fd, unsigned int file, unsigned int i, __u64 what)
{
	(void)file, (void)i;
	return npumem_release(fd, what);
}

static inline int take_mapping(int fd, unsigned int file, unsigned int i, __u64 *what)
{
	*what = own[file].base + i * G;
	return npumem_map(fd, *what, G, own[file].handle[0]);
}

static inline int give_mapping(int fd, unsigned int file, unsigned int i, __u64 what)
{
	(void)file, (void)i;
	return npumem_unmap(fd, what);
}

static inline int take_share(int fd, unsigned int file, unsigned int i, __u64 *what)
{
	__u64 handle;
	int ret = npumem_alloc(fd, 0, G, &handle);

	(void)file, (void)i;
	*what = handle;
	if (ret)
		return ret;
	ret = npumem_export(fd, handle, 0, NULL);
	if (ret)
		npumem_free(fd, handle);
	return ret;
}

static inline int take_entry(int fd, unsigned int file, unsigned int i, __u64 *what)
{
	*what = own[file].token[i];
	return npumem_whitelist_add(fd, *what, getpid());
}

/* Another share has none. */
static inline int give_entry(int fd, unsigned int file, unsigned int i, __u64 what)
{
	return npumem_unexport(fd, what) ?:
	       npumem_export(fd, own[file].handle[i], 0, &own[file].token[i]);
}

static const struct {
	const char *name;
	int (*take)(int fd, unsigned int file, unsigned int i, __u64 *what);
	int (*give)(int fd, unsigned int file, unsigned int i, __u64 what);
} resources[] = {
	{ "clients", take_client, give_client },
	{ "handles", take_handle, give_handle },
	{ "reservations", take_reservation, give_reservation },
	{ "mappings", take_mapping, give_mapping },
	/* The share goes with the memory. */
	{ "shares", take_share, give_handle },
	{ "entries", take_entry, give_entry },
};

enum { CLIENTS, HANDLES, RESERVATIONS, MAPPINGS, SHARES, ENTRIES };

/* Opens a file, with what it takes to have more of a resource. */
static inline long limit_prepare(unsigned int file, unsigned int resource)
{
	unsigned int i, handles = resource == ENTRIES ? PIECES : resource == MAPPINGS;
	int fd = npumem_open();
	long ret = fd < 0 ? fd : 0;

	own[file].fd = fd;
	client_fd = fd;
	for (i = 0; i < handles && !ret; i++) {
		ret = npumem_alloc(fd, 0, G, &own[file].handle[i]);
		if (!ret && resource == ENTRIES)
			ret = npumem_export(fd, own[file].handle[i], 0, &own[file].token[i]);
	}
	if (!ret && resource == MAPPINGS)
		ret = npumem_reserve(fd, PIECES * G, &own[file].base);
	return ret;
}

static MAYBE_UNUSED long limit_do_prepare(__u64 *a)
{
	unsigned int i;
	long ret = 0;

	for (i = 0; i < FILES && !ret; i++)
		ret = limit_prepare(i, a[0]);
	return ret;
}

/* One more of resource a[0] by file a[1]. */
static inline long limit_do_take(__u64 *a)
{
	unsigned int file = a[1], i = takes[file];
	long ret;

	ret = resources[a[0]].take(own[file].fd, file, i, &taken[file][i]);
	takes[file] += !ret;
	return ret;
}

/* And one less. */
static inline long limit_do_give(__u64 *a)
{
	unsigned int file = a[1], i = --takes[file];

	return resources[a[0]].give(own[file].fd, file, i, taken[file][i]);
}

static MAYBE_UNUSED long take(struct process *p, int resource, int file)
{
	return process_do(p, limit_do_take, resource, file);
}

static MAYBE_UNUSED long give(struct process *p, int resource, int file)
{
	return process_do(p, limit_do_give, resource, file);
}

/* Is what has been taken there all the same? Looks at mappings and handles. */
static inline long limit_do_use(__u64 *a)
{
	struct npumem_memory_info info;
	long ret = 0;
	unsigned int i;

	for (i = 0; i < takes[a[1]] && !ret; i++) {
		if (a[0] == MAPPINGS)
			ret = store_signal(taken[a[1]][i]) ? -EFAULT : 0;
		else if (a[0] == HANDLES || a[0] == SHARES)
			ret = npumem_memory_info(own[a[1]].fd, taken[a[1]][i], &info);
	}
	return ret;
}

static MAYBE_UNUSED long use(struct process *p, int resource, int file)
{
	return process_do(p, limit_do_use, resource, file);
}

/* ---- users ---- */

/*
 * Has the real id a[0] from now on. The effective one remains root, who can open
 * the node; but not (a[1]) what exempts from the limits of a user.
 */
static MAYBE_UNUSED long limit_do_become(__u64 *a)
{
	if (setresuid(a[0], 0, 0))
		return -errno;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return !a[1] && !drop_capability(CAP_SYS_RESOURCE) ? -EPERM : 0;
}

/* Starts a process of a user, with files for a resource. */
static MAYBE_UNUSED long limit_start(struct process *p, unsigned int uid, bool exempt,
				     int resource)
{
	long ret = process_start(p);

	if (!ret)
		ret = process_do(p, limit_do_become, uid, exempt);
	return ret ? ret : process_do(p, limit_do_prepare, resource);
}

#endif /* _NPUMEM_LIMIT_H */
