/* SPDX-License-Identifier: MIT */
/*
 * What tests need besides the calls: loads and stores that may raise a signal,
 * patterns, module parameters and seeds. Comes with npumem_abi.h.
 */
#ifndef NPUMEM_TESTING_H
#define NPUMEM_TESTING_H

#include "npumem_abi.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

/* ---- how often ---- */

/*
 * @n rounds; a part of them if the environment says how many times slower this kernel
 * is (NPUMEM_SLOW=4) than those on which all are run.
 */
static MAYBE_UNUSED int repeats(int n)
{
	const char *text = getenv("NPUMEM_SLOW");
	int slow = text ? atoi(text) : 1;

	return slow > 1 && slow < n ? n / slow : n;
}

/* ---- files of the kernel ---- */

/* Returns 0 or -errno. */
static MAYBE_UNUSED int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* ---- the kernel ---- */

static MAYBE_UNUSED bool kernel_at_least(int major, int minor)
{
	int is_major, is_minor;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%d.%d", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
}

/* ---- the kernel's pages ---- */

static inline __u64 page_bytes(void)
{
	return sysconf(_SC_PAGESIZE);
}

/*
 * Does the kernel have huge entries of one granule? Not with PREEMPT_RT, which
 * excludes them, nor with pages of 64 KiB, where one has 512 MiB.
 */
static MAYBE_UNUSED bool huge_entries_fit(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	unsigned long long size = 0;

	if (!file)
		return false;
	if (fscanf(file, "%llu", &size) != 1)
		size = 0;
	fclose(file);
	return size == G;
}

/* ---- touching memory that may not be there ---- */

static sigjmp_buf touch_env;
static volatile sig_atomic_t touch_last;
/* si_code of the last signal that touch_signal() caught. */
static MAYBE_UNUSED volatile sig_atomic_t touch_code;

static MAYBE_UNUSED void touch_handler(int signal_number, siginfo_t *info,
				       void *context)
{
	(void)context;
	touch_last = signal_number;
	touch_code = info->si_code;
	siglongjmp(touch_env, 1);
}

/*
 * The signal that a load (or a store of what was just loaded plus nothing, if
 * @write) raises at @address, or 0. Not for several threads at once.
 */
static MAYBE_UNUSED int touch_signal(const volatile void *address, bool write)
{
	struct sigaction action = {
		.sa_sigaction = touch_handler,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct sigaction old_segv, old_bus;

	touch_last = 0;
	sigaction(SIGSEGV, &action, &old_segv);
	sigaction(SIGBUS, &action, &old_bus);
	if (!sigsetjmp(touch_env, 1)) {
		volatile unsigned char *p = (volatile unsigned char *)address;

		if (write)
			__atomic_fetch_or(p, 0, __ATOMIC_RELAXED);
		else
			(void)*p;
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return touch_last;
}

static inline int load_signal(__u64 address)
{
	return touch_signal(to_ptr(address), false);
}

static inline int store_signal(__u64 address)
{
	return touch_signal(to_ptr(address), true);
}

/* ---- patterns ---- */

static inline __u64 pattern_word(__u64 seed, __u64 index)
{
	__u64 x = seed * 0x9e3779b97f4a7c15ULL + index;

	x ^= x >> 31;
	x *= 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 29);
}

/* @length in whole words. */
static MAYBE_UNUSED void pattern_fill(void *address, __u64 length, __u64 seed)
{
	__u64 *words = address;
	__u64 i;

	for (i = 0; i < length / 8; i++)
		words[i] = pattern_word(seed, i);
}

/* The byte offset of the first difference, or -1. */
static MAYBE_UNUSED __s64 pattern_verify(const void *address, __u64 length,
					 __u64 seed)
{
	const __u64 *words = address;
	__u64 i;

	for (i = 0; i < length / 8; i++)
		if (words[i] != pattern_word(seed, i))
			return i * 8;
	return -1;
}

/*
 * Quick forms for large ranges: first and last word of each 4 KiB page carry
 * the pattern, so that every page is touched.
 */
static MAYBE_UNUSED void pattern_mark(void *address, __u64 length, __u64 seed)
{
	__u64 page;

	for (page = 0; page < length; page += 4096) {
		__u64 *words = to_ptr(to_u64(address) + page);

		words[0] = pattern_word(seed, page);
		words[511] = pattern_word(seed, page + 511);
	}
}

static MAYBE_UNUSED __s64 pattern_check(const void *address, __u64 length,
					__u64 seed)
{
	__u64 page;

	for (page = 0; page < length; page += 4096) {
		const __u64 *words = to_ptr(to_u64(address) + page);

		if (words[0] != pattern_word(seed, page))
			return page;
		if (words[511] != pattern_word(seed, page + 511))
			return page + 511 * 8;
	}
	return -1;
}

/* The byte offset of the first byte that is not @value, or -1. */
static MAYBE_UNUSED __s64 bytes_differ(const void *address, __u64 length,
				       unsigned char value)
{
	const unsigned char *bytes = address;
	__u64 word = value * 0x0101010101010101ULL;
	__u64 i = 0;

	for (; i + 8 <= length; i += 8) {
		__u64 got;

		memcpy(&got, bytes + i, 8);
		if (got != word)
			break;
	}
	for (; i < length; i++)
		if (bytes[i] != value)
			return i;
	return -1;
}

/* As memcmp() tells, whose vector instructions take long to emulate. */
static MAYBE_UNUSED bool bytes_equal(const void *a, const void *b, __u64 length)
{
	const unsigned char *these = a, *those = b;
	__u64 i, one, other;

	for (i = 0; i + 8 <= length; i += 8) {
		memcpy(&one, these + i, 8);
		memcpy(&other, those + i, 8);
		if (one != other)
			return false;
	}
	for (; i < length; i++)
		if (these[i] != those[i])
			return false;
	return true;
}

/* ---- what a process may do ---- */

/* For this thread, and for good. */
static MAYBE_UNUSED bool drop_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	data[capability / 32].effective &= ~(1U << capability % 32);
	data[capability / 32].permitted &= ~(1U << capability % 32);
	return !syscall(SYS_capset, &header, data);
}

/* ---- module parameters and seeds ---- */

/* A number from /sys/module/npumem/parameters, bools as 0 and 1; -errno. */
static MAYBE_UNUSED long long npumem_parameter(const char *name)
{
	char path[128], text[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/npumem/parameters/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	if (text[0] == 'Y' || text[0] == 'N')
		return text[0] == 'Y';
	return strtoll(text, NULL, 0);
}

/* 0 or -errno. For root, and for parameters that may be changed. */
static MAYBE_UNUSED int npumem_set_parameter(const char *name, long long value)
{
	char path[128], text[32];
	int fd, n, error = 0;

	snprintf(path, sizeof(path), "/sys/module/npumem/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%lld", value);
	if (write(fd, text, n) != n)
		error = -errno;
	close(fd);
	return error;
}

/* NPUMEM_SEED from the environment or a fresh one; printed as a TAP comment. */
static MAYBE_UNUSED unsigned int test_seed(void)
{
	const char *text = getenv("NPUMEM_SEED");
	unsigned int seed = text ? strtoul(text, NULL, 0) :
		(unsigned int)(time(NULL) ^ (getpid() << 16));

	printf("# NPUMEM_SEED=%u\n", seed);
	fflush(stdout);
	return seed;
}

#endif /* NPUMEM_TESTING_H */
