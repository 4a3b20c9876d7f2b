// SPDX-License-Identifier: MIT
/*
 * The connection to the driver: one descriptor, opened when it is first
 * needed and kept until the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "npumem_shim.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int client_fd = -1;
/* A fork took the client away and nothing has asked for a new one. */
static _Atomic bool lost;
static uint32_t handle_tag;

static const struct shim_rule open_rules[] = {
	{ ENOENT, CAUSE_NODE_MISSING },
	{ ENXIO, CAUSE_NODE_DEAD },
	{ ENODEV, CAUSE_NODE_DEAD },
	{ EACCES, CAUSE_NODE_MODE },
	{ EPERM, CAUSE_NODE_DENIED },
	{ EMFILE, CAUSE_PROCESS_FILES },
	{ ENFILE, CAUSE_SYSTEM_FILES },
	{ EUSERS, CAUSE_TOO_MANY_CLIENTS },
	{ EDQUOT, CAUSE_USER_CLIENTS },
	{ 0 }
};

static aclError check_version(const struct shim_call *call, int fd,
			      uint32_t *tag)
{
	struct npumem_query query = { .size = sizeof(query) };

	if (ioctl(fd, NPUMEM_QUERY, &query))
		return shim_fail(call, CAUSE_NOT_OURS, errno);
	if (query.abi_major != NPUMEM_ABI_MAJOR)
		return shim_fail(call, CAUSE_VERSION, query.abi_major, query.abi_minor,
				 NPUMEM_ABI_MAJOR, NPUMEM_ABI_MINOR,
				 query.abi_major < NPUMEM_ABI_MAJOR ? "module" : "library");
	*tag = query.handle_tag;
	shim_device_told(query.device_count);
	return ACL_SUCCESS;
}

/* With @lock held. */
static aclError open_client(const struct shim_call *call)
{
	aclError err;
	uint32_t tag = 0;
	int moved;
	int fd;

	/* A signal can end it, like a profiler's; there is nothing to lose. */
	do {
		fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return shim_explain(call, open_rules, errno);
	/* A program without stdin will yet want to have one. */
	if (fd <= STDERR_FILENO) {
		moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (moved < 0) {
			err = shim_explain(call, open_rules, errno);
			close(fd);
			return err;
		}
		close(fd);
		fd = moved;
	}
	err = check_version(call, fd, &tag);
	if (err) {
		close(fd);
		return err;
	}
	handle_tag = tag;
	atomic_store(&lost, false);
	atomic_store(&client_fd, fd);
	return ACL_SUCCESS;
}

static aclError get_client(const struct shim_call *call, int *fd, bool anew)
{
	aclError err = ACL_SUCCESS;

	*fd = atomic_load(&client_fd);
	if (*fd >= 0)
		return ACL_SUCCESS;
	pthread_mutex_lock(&lock);
	if (atomic_load(&client_fd) < 0) {
		if (atomic_load(&lost) && !anew)
			err = shim_fail_inherited(call);
		else
			err = open_client(call);
	}
	*fd = atomic_load(&client_fd);
	pthread_mutex_unlock(&lock);
	return err;
}

aclError shim_client(const struct shim_call *call, int *fd)
{
	return get_client(call, fd, false);
}

aclError shim_start(const struct shim_call *call)
{
	int fd;

	return get_client(call, &fd, true);
}

bool shim_client_exists(void)
{
	return atomic_load(&client_fd) >= 0;
}

bool shim_client_lost(void)
{
	return atomic_load(&client_fd) < 0 && atomic_load(&lost);
}

/* @command is small enough to be an int: the ABI encodes no size in it. */
aclError shim_ask(const struct shim_call *call, unsigned int command,
		  void *argument, const struct shim_rule *rules)
{
	aclError err;
	int fd;

	err = shim_client(call, &fd);
	if (err)
		return err;
	if (ioctl(fd, command, argument))
		return shim_refuse(call, rules, errno);
	return ACL_SUCCESS;
}

int shim_try(unsigned int command, void *argument)
{
	int fd = atomic_load(&client_fd);

	if (fd < 0)
		return ENODEV;
	return ioctl(fd, command, argument) ? errno : 0;
}

aclError shim_query(const struct shim_call *call, struct npumem_query *query)
{
	query->size = sizeof(*query);
	return shim_ask(call, NPUMEM_QUERY, query, NULL);
}

void shim_client_lock(void)
{
	pthread_mutex_lock(&lock);
}

void shim_client_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* In the child: the tag of the client that was its parent's, or 0. */
uint32_t shim_client_forked(void)
{
	struct npumem_query query = { .size = sizeof(query) };
	int fd = atomic_load(&client_fd);

	pthread_mutex_init(&lock, NULL);
	if (fd < 0)
		return 0;
	/* Only ours says EACCES: the program may have closed and reused it. */
	if (ioctl(fd, NPUMEM_QUERY, &query) && errno == EACCES)
		close(fd);
	atomic_store(&client_fd, -1);
	atomic_store(&lost, true);
	return handle_tag;
}
