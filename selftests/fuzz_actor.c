// SPDX-License-Identifier: MIT
/* The fuzzer's actors: both ends of the conversation. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz_actor.h"

/* ---- messages ---- */

static bool message_send(int channel, const void *data, size_t size, int pass)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t n;

	if (pass >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &pass, sizeof(int));
	}
	do {
		n = sendmsg(channel, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

static bool message_receive(int channel, void *data, size_t size, int *passed)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd = -1;
	ssize_t n;

	do {
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	if (passed)
		*passed = fd;
	else if (fd >= 0)
		close(fd);
	return n == (ssize_t)size;
}

/* ---- the actor's end ---- */

static int actor_channel;
static pid_t actor_director;	/* whose children all actors are */
static int actor_fds[FUZZ_FDS] = { -1, -1, -1 };
static struct actor_request request;	/* large, and one at a time */

static void *actor_at(__u64 address)
{
	return (void *)(uintptr_t)address;
}

static void actor_put(int slot, int fd)
{
	if (actor_fds[slot] >= 0)
		close(actor_fds[slot]);
	actor_fds[slot] = fd;
}

static long actor_result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long actor_open_slot(int slot, int fd)
{
	if (fd < 0)
		return -errno;
	actor_put(slot, fd);
	return 0;
}

static long actor_mmap(void)
{
	static const int how[] = {
		[MMAP_SHARED] = MAP_SHARED | MAP_FIXED_NOREPLACE,
		[MMAP_OVER] = MAP_SHARED | MAP_FIXED,
		[MMAP_PRIVATE] = MAP_PRIVATE | MAP_FIXED_NOREPLACE,
	};
	void *at = mmap(actor_at(request.a[MMAP_AT]), request.a[MMAP_LENGTH],
			request.a[MMAP_PROT], how[request.a[MMAP_HOW] % 3],
			actor_fds[request.fd], request.a[MMAP_OFFSET]);

	return at == MAP_FAILED ? -errno : 0;
}

static long actor_mremap(void)
{
	static const int how[] = {
		0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
		MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */,
	};
	void *at = mremap(actor_at(request.a[0]), request.a[1], request.a[2],
			  how[request.a[3] % 4], actor_at(FUZZ_NOTHING));

	return at == MAP_FAILED ? -errno : 0;
}

/* Through a pipe by reference; bytes come back if the kernel takes any. */
static long actor_splice(struct actor_reply *reply)
{
	struct iovec part = { actor_at(request.a[0]), ACTOR_LOOK };
	int pipes[2];
	long n;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	n = actor_result(vmsplice(pipes[1], &part, 1, SPLICE_F_NONBLOCK));
	if (n > 0)
		n = actor_result(read(pipes[0], reply->look.bytes, ACTOR_LOOK));
	close(pipes[0]);
	close(pipes[1]);
	return n;
}

/* Another process's memory, as a debugger would have it. */
static long actor_spy(struct actor_reply *reply)
{
	struct iovec mine = { reply->look.bytes, 8 }, theirs = { actor_at(request.a[1]), 8 };
	int how = request.a[2] % 4, fd;
	char path[64];
	long ret;

	memset(reply->look.bytes, 0x5a, 8);
	if (how == 0)
		return actor_result(process_vm_readv(request.a[0], &mine, 1, &theirs, 1, 0));
	if (how == 1)
		return actor_result(process_vm_writev(request.a[0], &mine, 1, &theirs, 1, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)request.a[0]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (how == 2)
		ret = actor_result(pread(fd, reply->look.bytes, 8, request.a[1]));
	else
		ret = actor_result(pwrite(fd, reply->look.bytes, 8, request.a[1]));
	close(fd);
	return ret;
}

static void actor_sweep(struct actor_reply *reply)
{
	int i;

	for (i = 0; i < FUZZ_GRANULES; i++)
		reply->sweep[i].signal =
			actor_load(FUZZ_WINDOW + i * NPUMEM_GRANULE + request.a[0],
				   reply->sweep[i].bytes, ACTOR_LOOK);
}

static long actor_steal(void)
{
	int pidfd = syscall(SYS_pidfd_open, (pid_t)request.a[0], 0);
	int fd;

	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, (int)request.a[1], 0);
	close(pidfd);
	return actor_open_slot(request.fd, fd);
}

static void actor_serve(void) __attribute__((__noreturn__));

/* The child of a child, so that it becomes the director's, without parents of its own. */
static long actor_fork(struct actor_reply *reply, int *pass)
{
	int ends[2], pipes[2];
	pid_t middle, child = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ||
	    pipe2(pipes, O_CLOEXEC))
		return -errno;
	middle = fork();
	if (!middle) {
		child = fork();
		if (child)
			_exit(write(pipes[1], &child, sizeof(child)) != sizeof(child));
		close(actor_channel);
		close(ends[0]);
		close(pipes[0]);
		close(pipes[1]);
		actor_channel = ends[1];
		while (getppid() != actor_director)
			usleep(200);
		actor_serve();
	}
	close(ends[1]);
	close(pipes[1]);
	if (read(pipes[0], &child, sizeof(child)) != sizeof(child))
		child = -1;
	close(pipes[0]);
	waitpid(middle, NULL, 0);
	reply->a[0] = child;
	*pass = ends[0];
	return child > 0 ? 0 : -EAGAIN;
}

static long actor_exec(void)
{
	char channel[16], director[16], fds[FUZZ_FDS][16];
	char *argv[] = {
		(char *)"fuzz_abi", (char *)"--actor", channel, director,
		fds[0], fds[1], fds[2], NULL,
	};
	int i;

	snprintf(channel, sizeof(channel), "%d", actor_channel);
	snprintf(director, sizeof(director), "%d", actor_director);
	fcntl(actor_channel, F_SETFD, 0);
	for (i = 0; i < FUZZ_FDS; i++) {
		snprintf(fds[i], sizeof(fds[i]), "%d", request.a[0] ? actor_fds[i] : -1);
		if (actor_fds[i] >= 0)
			fcntl(actor_fds[i], F_SETFD, request.a[0] ? 0 : FD_CLOEXEC);
	}
	execv("/proc/self/exe", argv);
	return -errno;
}

static long actor_do(struct actor_reply *reply, int received, int *pass, bool *close_pass)
{
	int fd = actor_fds[request.fd];

	switch (request.what) {
	case FUZZ_OPEN:
		return actor_open_slot(request.fd,
				       open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC));
	case FUZZ_CLOSE:
		if (fd < 0)
			return -EBADF;
		actor_put(request.fd, -1);
		return 0;
	case FUZZ_DUP:
		return actor_open_slot(request.a[0], fcntl(fd, F_DUPFD_CLOEXEC, 0));
	case ACTOR_RECEIVE:
		return actor_open_slot(request.fd, received);
	case FUZZ_PASS:
		*pass = fd;
		return fd < 0 ? -EBADF : 0;
	case FUZZ_STEAL:
		return actor_steal();
	case FUZZ_MMAP:
		return actor_mmap();
	case FUZZ_MUNMAP:
		return actor_result(munmap(actor_at(request.a[0]), request.a[1]));
	case FUZZ_MPROTECT:
		return actor_result(mprotect(actor_at(request.a[0]), request.a[1],
					     request.a[2]));
	case FUZZ_MREMAP:
		return actor_mremap();
	case FUZZ_MADVISE:
		return actor_result(madvise(actor_at(request.a[0]), request.a[1],
					    request.a[2]));
	case FUZZ_READ:
		reply->look.signal = actor_load(request.a[0], reply->look.bytes, ACTOR_LOOK);
		return 0;
	case FUZZ_WRITE:
		reply->look.signal = actor_store(request.a[0], request.a[1]);
		return 0;
	case FUZZ_SWEEP:
		actor_sweep(reply);
		return 0;
	case FUZZ_SPLICE:
		return actor_splice(reply);
	case FUZZ_SPY:
		return actor_spy(reply);
	case FUZZ_FORK:
		*close_pass = true;
		return actor_fork(reply, pass);
	case FUZZ_EXEC:
		return actor_exec();
	case FUZZ_EXIT:
		_exit(0);
	default:
		return actor_ioctl(fd, &request);
	}
}

static void actor_serve(void)
{
	static struct actor_reply reply;
	int received;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != actor_director)
		_exit(0);
	actor_setup();
	/* What only an actor that has come to this has. */
	if (actor_load(FUZZ_SCRATCH, reply.bytes, 1))
		mmap(actor_at(FUZZ_SCRATCH), FUZZ_SCRATCH_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	memset(&reply, 0, sizeof(reply));
	memcpy(reply.fds, actor_fds, sizeof(reply.fds));
	message_send(actor_channel, &reply, sizeof(reply), -1);
	while (message_receive(actor_channel, &request, sizeof(request), &received)) {
		bool close_pass = false;
		int pass = -1;

		memset(&reply, 0, sizeof(reply));
		reply.ret = actor_do(&reply, received, &pass, &close_pass);
		memcpy(reply.bytes, request.bytes, sizeof(reply.bytes));
		memcpy(reply.fds, actor_fds, sizeof(reply.fds));
		if (!message_send(actor_channel, &reply, sizeof(reply), pass))
			break;
		if (close_pass)
			close(pass);
	}
	_exit(0);
}

int actor_main(int argc, char **argv)
{
	int i;

	if (argc < 4 + FUZZ_FDS)
		return 2;
	actor_channel = atoi(argv[2]);
	actor_director = atoi(argv[3]);
	for (i = 0; i < FUZZ_FDS; i++)
		actor_fds[i] = atoi(argv[4 + i]);
	fcntl(actor_channel, F_SETFD, FD_CLOEXEC);
	actor_serve();
}

/* ---- the director's end ---- */

int actor_call(struct actor *actor, const struct actor_request *call, int pass,
	       struct actor_reply *reply, int *passed)
{
	struct pollfd wait = { .fd = actor->channel, .events = POLLIN };

	if (!message_send(actor->channel, call, sizeof(*call), pass))
		return -EPIPE;
	if (poll(&wait, 1, ACTOR_PATIENCE_MS) != 1)
		return -ETIME;
	if (!message_receive(actor->channel, reply, sizeof(*reply), passed))
		return -EPIPE;
	memcpy(actor->fds, reply->fds, sizeof(actor->fds));
	return 0;
}

int actor_hello(struct actor *actor)
{
	static struct actor_reply reply;
	struct pollfd wait = { .fd = actor->channel, .events = POLLIN };

	if (poll(&wait, 1, ACTOR_PATIENCE_MS) != 1)
		return -ETIME;
	if (!message_receive(actor->channel, &reply, sizeof(reply), NULL))
		return -EPIPE;
	memcpy(actor->fds, reply.fds, sizeof(actor->fds));
	return 0;
}

int actor_spawn(struct actor *actor)
{
	pid_t director = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	fflush(NULL);
	actor->pid = fork();
	if (actor->pid < 0)
		return -errno;
	if (!actor->pid) {
		close(ends[0]);
		actor_channel = ends[1];
		actor_director = director;
		actor_serve();
	}
	close(ends[1]);
	actor->channel = ends[0];
	return actor_hello(actor);
}
