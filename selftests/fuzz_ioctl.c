// SPDX-License-Identifier: MIT
/*
 * How an actor makes an ioctl: where its argument is, and who makes the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz_actor.h"

static __thread sigjmp_buf actor_env;
static __thread volatile sig_atomic_t actor_guarded;

static void actor_fault(int signal_number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (!actor_guarded) {
		signal(signal_number, SIG_DFL);
		return;
	}
	siglongjmp(actor_env, signal_number);
}

static void actor_nothing(int signal_number)
{
	(void)signal_number;
}

void actor_setup(void)
{
	struct sigaction fault = {
		.sa_sigaction = actor_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct sigaction alarm = {
		.sa_handler = actor_nothing,
		.sa_flags = SA_RESTART,
	};

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGALRM, &alarm, NULL);
}

int actor_load(__u64 address, void *data, __u64 length)
{
	const volatile unsigned char *from = (void *)(uintptr_t)address;
	volatile unsigned char *to = data;
	int ret = sigsetjmp(actor_env, 0);
	__u64 i;

	if (!ret) {
		actor_guarded = 1;
		/* A word in one piece: others may be at it. */
		if (length == 8)
			memcpy(data, &(__u64){ *(const volatile __u64 *)from }, 8);
		for (i = 0; i < length && length != 8; i++)
			to[i] = from[i];
	}
	actor_guarded = 0;
	return ret;
}

int actor_store(__u64 address, __u64 word)
{
	int ret = sigsetjmp(actor_env, 0);

	if (!ret) {
		actor_guarded = 1;
		*(volatile __u64 *)(uintptr_t)address = word;
	}
	actor_guarded = 0;
	return ret;
}

struct actor_ioctl {
	int fd;
	unsigned long command;
	void *argument;
	long ret;
};

static void *actor_do_ioctl(void *data)
{
	struct actor_ioctl *call = data;

	call->ret = ioctl(call->fd, call->command, call->argument) ? -errno : 0;
	return NULL;
}

static void actor_by_thread(struct actor_ioctl *call)
{
	pthread_t thread;

	call->ret = -EAGAIN;
	if (!pthread_create(&thread, NULL, actor_do_ioctl, call))
		pthread_join(thread, NULL);
}

static void actor_by_child(struct actor_ioctl *call)
{
	int pipes[2], ret = -EIO;
	pid_t pid;

	call->ret = -EIO;
	if (pipe2(pipes, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		actor_do_ioctl(call);
		ret = call->ret;
		_exit(write(pipes[1], &ret, sizeof(ret)) != sizeof(ret));
	}
	close(pipes[1]);
	if (pid > 0 && read(pipes[0], &ret, sizeof(ret)) == sizeof(ret))
		call->ret = ret;
	close(pipes[0]);
	waitpid(pid, NULL, 0);
}

static void actor_by_vfork(struct actor_ioctl *call)
{
	/* The child is in our address space: its answer is just there. */
	pid_t pid = vfork();

	if (!pid) {
		actor_do_ioctl(call);
		_exit(0);
	}
	if (pid < 0)
		call->ret = -EAGAIN;
	else
		waitpid(pid, NULL, 0);
}

static void actor_with_signals(struct actor_ioctl *call)
{
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &often, NULL);
	actor_do_ioctl(call);
	setitimer(ITIMER_REAL, &never, NULL);
}

/* Brings a page when it is touched. */
struct actor_pager {
	int fd;
	void *page, *content;
	size_t size;
	int stop;
};

static void *actor_page(void *data)
{
	struct actor_pager *pager = data;
	struct pollfd wait[2] = {
		{ .fd = pager->fd, .events = POLLIN },
		{ .fd = pager->stop, .events = POLLIN },
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)pager->page,
		.src = (uintptr_t)pager->content,
		.len = pager->size,
	};
	struct uffd_msg message;

	while (poll(wait, 2, ACTOR_PATIENCE_MS) > 0 && !wait[1].revents)
		if (read(pager->fd, &message, sizeof(message)) == sizeof(message))
			ioctl(pager->fd, UFFDIO_COPY, &copy);
	return NULL;
}

/* 0 if there is no userfaultfd: then the call has not been made. */
static int actor_by_userfault(struct actor_ioctl *call, const void *bytes, size_t length,
			      void *result)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct actor_pager pager = { .size = sysconf(_SC_PAGESIZE) };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;
	int stop[2], done = 0;

	pager.fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (pager.fd < 0)
		return 0;
	pager.page = mmap(NULL, 2 * pager.size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pager.content = (char *)pager.page + pager.size;
	range.range.start = (uintptr_t)pager.page;
	range.range.len = pager.size;
	if (pager.page == MAP_FAILED || pipe2(stop, O_CLOEXEC)) {
		close(pager.fd);
		return 0;
	}
	pager.stop = stop[0];
	memcpy(pager.content, bytes, length);
	if (!ioctl(pager.fd, UFFDIO_API, &api) &&
	    !ioctl(pager.fd, UFFDIO_REGISTER, &range) &&
	    !pthread_create(&thread, NULL, actor_page, &pager)) {
		call->argument = pager.page;
		actor_do_ioctl(call);
		memcpy(result, pager.page, length);
		close(stop[1]);
		stop[1] = -1;
		pthread_join(thread, NULL);
		done = 1;
	}
	close(stop[0]);
	if (stop[1] >= 0)
		close(stop[1]);
	close(pager.fd);
	munmap(pager.page, 2 * pager.size);
	return done;
}

/* At the end of a page that nothing comes after, but for one byte. */
static void actor_at_edge(struct actor_ioctl *call, const void *bytes, size_t length)
{
	size_t size = sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return;
	mprotect(pages + size, size, PROT_NONE);
	memcpy(pages + size - (length - 1), bytes, length - 1);
	call->argument = pages + size - (length - 1);
	actor_do_ioctl(call);
	munmap(pages, 2 * size);
}

static void actor_read_only(struct actor_ioctl *call, const void *bytes, size_t length)
{
	size_t size = sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	memcpy(page, bytes, length);
	mprotect(page, size, PROT_READ);
	call->argument = page;
	actor_do_ioctl(call);
	munmap(page, size);
}

long actor_ioctl(int fd, struct actor_request *request)
{
	static __thread unsigned char argument[8192] __attribute__((aligned(64)));
	struct actor_ioctl call = {
		.fd = fd, .command = request->command, .argument = argument, .ret = -ENOMEM,
	};
	__u64 array = (uintptr_t)request->array;

	if (request->twist == TWIST_ARRAY)
		array = FUZZ_NOTHING;
	if (request->array_length)
		memcpy(request->bytes + request->array_field, &array, sizeof(array));
	memset(argument, 0, sizeof(argument));
	memcpy(argument, request->bytes, request->length);
	switch (request->twist) {
	case TWIST_NULL:
		call.argument = NULL;
		actor_do_ioctl(&call);
		return call.ret;
	case TWIST_UNMAPPED:
		call.argument = (void *)(uintptr_t)FUZZ_NOTHING;
		actor_do_ioctl(&call);
		return call.ret;
	case TWIST_KERNEL:
		call.argument = (void *)(uintptr_t)0xffff888000000000ULL;
		actor_do_ioctl(&call);
		return call.ret;
	case TWIST_EDGE:
		actor_at_edge(&call, argument, request->length);
		return call.ret;
	case TWIST_READONLY:
		actor_read_only(&call, argument, request->length);
		return call.ret;
	case TWIST_USERFAULT:
		if (!actor_by_userfault(&call, argument, request->length, request->bytes))
			break;
		return call.ret;
	case TWIST_THREAD:
		actor_by_thread(&call);
		goto out;
	case TWIST_SIGNAL:
		actor_with_signals(&call);
		goto out;
	case TWIST_CHILD:
		actor_by_child(&call);
		goto out;
	case TWIST_VFORK:
		actor_by_vfork(&call);
		goto out;
	}
	actor_do_ioctl(&call);
out:
	memcpy(request->bytes, argument, request->length);
	return call.ret;
}
