/* SPDX-License-Identifier: MIT */
/*
 * Failures on demand: the kernel's own injection of failing allocations and copies
 * from and to user space (CONFIG_FAULT_INJECTION), limited to what this thread does
 * and, as a rule, to what npumem's code is on the stack of.
 */
#ifndef _NPUMEM_INJECT_H
#define _NPUMEM_INJECT_H

#include "npumem_abi.h"

#include <dirent.h>
#include <sys/rseq.h>

/* What is to fail. */
#define INJECT_SLAB	(1U << 0)
#define INJECT_PAGE	(1U << 1)
#define INJECT_COPY	(1U << 2)
#define INJECT_KINDS	3

static const char *const inject_kinds[INJECT_KINDS] = {
	"failslab", "fail_page_alloc", "fail_usercopy",
};

/* Of each kind, and then of some. Those that a kernel lacks do not matter. */
static const struct {
	const char *name;
	const char *value;
} inject_settings[] = {
	{ "probability", "0" },		/* the N-th is asked for in other ways */
	{ "interval", "1" },
	{ "times", "-1" },
	{ "space", "0" },
	{ "verbose", "0" },
	{ "task-filter", "N" },
	{ "stacktrace-depth", "32" },
	{ "require-start", "1" },
	{ "require-end", "1" },
	{ "reject-start", "0" },
	{ "reject-end", "0" },
	{ "ignore-gfp-wait", "N" },
	{ "ignore-gfp-highmem", "N" },
	{ "cache-filter", "N" },
	{ "min-order", "0" },
};
#define INJECT_SETTINGS	(sizeof(inject_settings) / sizeof(inject_settings[0]))

/* As they were. */
static char inject_before[INJECT_KINDS][INJECT_SETTINGS][64];

/* Addresses that must be on the stack: npumem's, unless somebody changes them. */
static unsigned long inject_start, inject_end;

static inline int inject_file(unsigned int kind, const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", inject_kinds[kind], name);
	return open(path, flags | O_CLOEXEC);
}

static inline bool inject_set(unsigned int kind, const char *name, const char *value)
{
	int fd = inject_file(kind, name, O_WRONLY);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return good;
}

/* Where the module's code is, as far as it tells: of its data too, which runs nothing. */
static inline bool inject_find_module(void)
{
	FILE *file = fopen("/proc/modules", "re");
	char line[512], state[16];
	unsigned long size, at;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "npumem %lu %*s %*s %15s %lx", &size, state, &at) == 3) {
			inject_start = at;
			inject_end = at + size;
		}
	}
	if (file)
		fclose(file);
	return inject_start;
}

/* Functions of the kernel that somebody may ask for: from where to what comes next. */
static struct inject_function {
	const char *name;
	unsigned long start, end;
} inject_functions[] = {
	{ .name = "__create_object" },		/* of kmemleak */
	{ .name = "__vmalloc_node_range_noprof" },
	{ .name = "fixup_user_fault" },
	{ .name = "bucket_table_alloc" },
	{ .name = "do_one_initcall" },
	{ .name = "do_syscall_64" },
	{ .name = "memremap_pages" },
	{ .name = "__kmem_cache_create_args" },
};
#define INJECT_FUNCTIONS	(sizeof(inject_functions) / sizeof(inject_functions[0]))

/* Once in a program, as it takes long. The kernel's own symbols are in order. */
static void __attribute__((__constructor__)) inject_find_functions(void)
{
	struct inject_function *last = NULL;
	char line[512], *symbol;
	unsigned long at;
	size_t i, missing = INJECT_FUNCTIONS;
	FILE *file;

	if (access("/proc/thread-self/fail-nth", F_OK))
		return;
	file = fopen("/proc/kallsyms", "re");
	while (file && (missing || last) && fgets(line, sizeof(line), file)) {
		at = strtoul(line, &symbol, 16);
		if (last && at > last->start) {
			last->end = at;
			last = NULL;
		}
		symbol += 3;		/* " t " */
		/* The compiler may have given it another name: NAME.isra.0. */
		symbol[strcspn(symbol, strstr(symbol, ".cold") ? "\t\n" : ".\t\n")] = '\0';
		for (i = 0; i < INJECT_FUNCTIONS; i++) {
			if (at && !strcmp(symbol, inject_functions[i].name)) {
				last = &inject_functions[i];
				last->start = at;
				missing--;
			}
		}
	}
	if (file)
		fclose(file);
}

static MAYBE_UNUSED bool inject_function(const char *name, unsigned long *start,
					 unsigned long *end)
{
	size_t i;

	for (i = 0; i < INJECT_FUNCTIONS; i++) {
		if (strcmp(name, inject_functions[i].name))
			continue;
		*start = inject_functions[i].start;
		*end = inject_functions[i].end;
		return *end;
	}
	return false;
}

/* What is chosen, for who wants something else for a while. */
static struct inject_scope {
	unsigned int kinds;
	unsigned long start, end;
	const char *but;
} inject_now;

/*
 * Only these kinds from now on, and only with code from @start to @end on the stack, all
 * of the kernel's with 0 and ULONG_MAX; nothing under the function @but.
 */
static inline void inject_among(unsigned int kinds, unsigned long start, unsigned long end,
				const char *but)
{
	unsigned long value[4] = { start, end };
	static const char *const name[] = {
		"require-start", "require-end", "reject-start", "reject-end",
	};
	unsigned int kind, i;
	char text[32];

	inject_now = (struct inject_scope) { kinds, start, end, but };
	inject_function(but, &value[2], &value[3]);
	for (kind = 0; kind < INJECT_KINDS; kind++) {
		for (i = 0; i < 4; i++) {
			bool nothing = i < 2 && !(kinds & 1U << kind);

			snprintf(text, sizeof(text), "%#lx", nothing ? 1 : value[i]);
			if (!inject_set(kind, name[i], text))
				abort();
		}
	}
}

/* Finding leaks takes an allocation for each, and does without. */
#define INJECT_NOT_KMEMLEAK	"__create_object"
/* What is short of a kernel stack says so in the log. */
#define INJECT_NOT_VMALLOC	"__vmalloc_node_range_noprof"

/* Making struct pages, the kernel warns that it cannot. */
#define INJECT_NOT_PAGES	"memremap_pages"
/* If it cannot make a cache of slabs, the kernel loses its name. */
#define INJECT_NOT_CACHES	"__kmem_cache_create_args"

/* Of what npumem does. */
static inline void inject_npumem(unsigned int kinds)
{
	inject_among(kinds, inject_start, inject_end, INJECT_NOT_KMEMLEAK);
}

static MAYBE_UNUSED void inject_npumem_but(unsigned int kinds, const char *but)
{
	inject_among(kinds, inject_start, inject_end, but);
}

/*
 * Of all that the kernel does in calls of this thread; but not in page faults of the
 * program, which it would try again, with a word in the log.
 */
static inline void inject_calls(unsigned int kinds)
{
	unsigned long start, end;

	if (!inject_function("do_syscall_64", &start, &end))
		abort();
	inject_among(kinds, start, end, INJECT_NOT_VMALLOC);
}

/* ---- of some caches of slabs only ---- */

/*
 * Whatever is allocated, kmemleak allocates a note of it, and does without: where the
 * stack cannot tell, as something else is left out by it, the cache does. Caches that are
 * made later count as left out. False if the kernel has no such choice.
 */
static MAYBE_UNUSED bool inject_not_notes(bool really)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *entry;
	unsigned int marked = 0;
	char path[320];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strncmp(entry->d_name, "kmemleak_", 9))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", entry->d_name);
		marked += !write_file(path, really ? "1" : "0");
	}
	if (dir)
		closedir(dir);
	return marked && inject_set(0, "cache-filter", really ? "Y" : "N");
}

/* ---- the N-th from now on, of this thread ---- */

/* More than anything asks for. */
#define INJECT_NEVER	1000000U

static int inject_fd = -1;
static pid_t inject_thread;

static inline void inject_nth_open(void)
{
	if (inject_fd >= 0 && inject_thread == gettid())
		return;
	if (inject_fd >= 0)
		close(inject_fd);
	inject_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	inject_thread = gettid();
}

static inline void inject_nth(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(inject_fd, text, length, 0) != length)
		abort();
}

/* Back to normal; how many were left, which is 0 if it has happened. */
static inline unsigned int inject_nth_end(void)
{
	char text[16] = "";
	unsigned int left;
	ssize_t n = pread(inject_fd, text, sizeof(text) - 1, 0);

	/* If all kinds count everywhere, it may be this that fails, and the next. */
	left = n > 0 ? strtoul(text, NULL, 10) : 1;
	if (pwrite(inject_fd, "0", 1, 0) != 1 && pwrite(inject_fd, "0", 1, 0) != 1)
		abort();
	return left;
}

/* ---- all of them, of this process ---- */

static inline bool inject_make_it_fail(bool fail)
{
	int fd = open("/proc/thread-self/make-it-fail", O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, fail ? "1" : "0", 1) == 1;

	close(fd);
	return good;
}

/*
 * What was chosen fails each time, of threads that say inject_make_it_fail(), once they
 * have got so many bytes or, of INJECT_PAGE, pages.
 */
static inline void inject_after(bool always, unsigned int space)
{
	unsigned int kind;
	char text[32];

	snprintf(text, sizeof(text), "%u", space);
	for (kind = 0; kind < INJECT_KINDS; kind++)
		if (!inject_set(kind, "space", text))
			abort();
	for (kind = 0; kind < INJECT_KINDS; kind++) {
		if (!inject_set(kind, "task-filter", always ? "Y" : "N") ||
		    !inject_set(kind, "probability", always ? "100" : "0"))
			abort();
	}
}

static inline void inject_always(bool always)
{
	inject_after(always, 0);
}

/* ---- beginning and end ---- */

/*
 * When a call that was interrupted returns, the kernel stores where the C library wants
 * to read on which processor that was. After fork() this takes a copy of the page, and
 * who gets no memory for it is killed. So not for this thread, nor its children.
 */
static inline void inject_without_rseq(void)
{
	static bool done;
	struct rseq *area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
	const long flag = RSEQ_FLAG_UNREGISTER;

	/* As long as it was at first, or as what of it is used. */
	if (!done && __rseq_size && syscall(SYS_rseq, area, 32, flag, RSEQ_SIG) &&
	    syscall(SYS_rseq, area, __rseq_size, flag, RSEQ_SIG))
		abort();
	done = true;
}

/* For a fixture's start: why the tests have to be skipped, or NULL. */
static MAYBE_UNUSED const char *inject_begin(void)
{
	unsigned int kind, i;
	int fd;

	if (geteuid())
		return "needs root";
	if (access("/proc/thread-self/fail-nth", W_OK))
		return "this kernel does not inject failures (CONFIG_FAULT_INJECTION)";
	for (kind = 0; kind < INJECT_KINDS; kind++) {
		fd = inject_file(kind, "require-start", O_RDONLY);
		if (fd < 0)
			return "this kernel lacks failslab, fail_page_alloc or fail_usercopy, or their filter by stack";
		close(fd);
	}
	if (!inject_find_module())
		return "npumem is not a module here";
	for (i = 0; i < INJECT_FUNCTIONS; i++)
		if (!inject_functions[i].end)
			return "this kernel does not tell where its functions are";
	inject_without_rseq();
	inject_now.but = INJECT_NOT_KMEMLEAK;
	for (kind = 0; kind < INJECT_KINDS; kind++) {
		for (i = 0; i < INJECT_SETTINGS; i++) {
			ssize_t n = 0;

			fd = inject_file(kind, inject_settings[i].name, O_RDONLY);
			if (fd >= 0) {
				n = read(fd, inject_before[kind][i],
					 sizeof(inject_before[kind][i]) - 1);
				close(fd);
			}
			inject_before[kind][i][n > 0 ? n : 0] = '\0';
			if (n > 0 && !inject_set(kind, inject_settings[i].name,
						 inject_settings[i].value))
				return "the settings of fault injection cannot be changed";
		}
	}
	return NULL;
}

/* And for its end: all settings are as they were. */
static MAYBE_UNUSED bool inject_end_all(void)
{
	unsigned int kind, i;
	bool good = true;

	for (kind = 0; kind < INJECT_KINDS; kind++)
		for (i = 0; i < INJECT_SETTINGS; i++)
			if (*inject_before[kind][i])
				good &= inject_set(kind, inject_settings[i].name,
						   inject_before[kind][i]);
	return good;
}

#endif /* _NPUMEM_INJECT_H */
