/* SPDX-License-Identifier: MIT */
/*
 * Pages that keep whoever touches them waiting: what a hostile process passes as an
 * argument. A page that nobody brings, or one that can be read and not written.
 */
#ifndef _NPUMEM_USERFAULTFD_H
#define _NPUMEM_USERFAULTFD_H

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "npumem_client.h"

struct trap {
	int fd;
	char *page;
	size_t length;
};

/* A private area, with what userfaultfd offers beside it in features. */
static inline int trap_map(struct trap *trap, size_t length, int mode, __u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = { .range.len = length, .mode = mode };

	if (mode == UFFDIO_REGISTER_MODE_WP)
		api.features |= UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	trap->length = length;
	trap->fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (trap->fd < 0)
		return -errno;
	trap->page = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (trap->page == MAP_FAILED)
		return -errno;
	reg.range.start = to_u64(trap->page);
	if (ioctl(trap->fd, UFFDIO_API, &api) || ioctl(trap->fd, UFFDIO_REGISTER, &reg))
		return -errno;
	return 0;
}

/* From now on a store into what the area has waits. */
static MAYBE_UNUSED int trap_arm(struct trap *trap)
{
	struct uffdio_writeprotect protect = {
		.range = { .start = to_u64(trap->page), .len = trap->length },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(trap->fd, UFFDIO_WRITEPROTECT, &protect) ? -errno : 0;
}

static inline void trap_remove(struct trap *trap)
{
	close(trap->fd);
	munmap(trap->page, trap->length);
}

/*
 * 5.10 lets itself be asked for protection on processors on which it has none, and
 * protects nothing: a store that is to end by a signal tells.
 */
static inline int trap_protects(void)
{
	struct trap trap;
	int ret = trap_map(&trap, page_bytes(), UFFDIO_REGISTER_MODE_WP, UFFD_FEATURE_SIGBUS);

	if (ret)
		return ret;
	*(volatile char *)trap.page = 1;
	ret = trap_arm(&trap);
	if (!ret && store_signal(to_u64(trap.page)) != SIGBUS)
		ret = -ENOSYS;
	trap_remove(&trap);
	return ret;
}

/*
 * For mode UFFDIO_REGISTER_MODE_WP it waits for nobody before trap_arm(). -EINVAL and
 * -ENOSYS: not with this kernel.
 */
static MAYBE_UNUSED int trap_make(struct trap *trap, size_t length, int mode)
{
	int ret = mode == UFFDIO_REGISTER_MODE_WP ? trap_protects() : 0;

	return ret ? ret : trap_map(trap, length, mode, 0);
}

/* Somebody is in it. It is read, and not answered. */
static MAYBE_UNUSED bool trap_has_caught(struct trap *trap)
{
	struct pollfd p = { .fd = trap->fd, .events = POLLIN };
	struct uffd_msg message;

	return poll(&p, 1, PROCESS_PATIENCE_MS) == 1 &&
	       read(trap->fd, &message, sizeof(message)) == sizeof(message) &&
	       message.event == UFFD_EVENT_PAGEFAULT;
}

#endif /* _NPUMEM_USERFAULTFD_H */
