/* SPDX-License-Identifier: MIT */
/*
 * Other processes for tests. A process waits for calls, makes them in its own
 * address space and hands results back, so that a test with many processes
 * reads from top to bottom and every check is made in the test itself.
 */
#ifndef _NPUMEM_PROCESS_H
#define _NPUMEM_PROCESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* How long anything may take on an emulated machine under load. */
#define PROCESS_PATIENCE_MS	60000

/* Results that no system call gives. */
#define PROCESS_DIED		(-100001L)
#define PROCESS_SILENT		(-100002L)

#define CALL_ARGUMENTS		8

/*
 * One call: @function runs in the other process, with @argument copied to it
 * and back. Pointers in @argument must mean the same in both processes: take
 * them from process_shared().
 */
struct call {
	long (*function)(__u64 *argument);
	__u64 argument[CALL_ARGUMENTS];
	long result;
};

struct process {
	pid_t pid;
	int channel;
};

static inline int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void pause_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* Waits until @condition is true and tells whether it became so. */
#define becomes_true(condition) ({					\
	int64_t __limit = now_ms() + PROCESS_PATIENCE_MS;		\
	bool __true;							\
									\
	while (!(__true = (condition)) && now_ms() < __limit)		\
		pause_ms(5);						\
	__true;								\
})

/* Memory that the test and all processes started after it have in common. */
static inline void *process_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline bool channel_transfer(int channel, void *data, size_t size, bool out)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		if (out)
			n = send(channel, (char *)data + done, size - done, MSG_NOSIGNAL);
		else
			n = recv(channel, (char *)data + done, size - done, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

/* Makes calls until one without a function comes, or the test is gone. */
static inline void process_serve(int channel)
{
	struct call call;

	while (channel_transfer(channel, &call, sizeof(call), false) && call.function) {
		call.result = call.function(call.argument);
		if (!channel_transfer(channel, &call, sizeof(call), true))
			break;
	}
	_exit(0);
}

/* Those started and not yet reaped, for process_end_all(). */
#define PROCESS_MAX		256
static pid_t process_running[PROCESS_MAX];

static inline void process_note(pid_t old, pid_t new)
{
	int i;

	for (i = 0; i < PROCESS_MAX; i++) {
		if (process_running[i] == old) {
			process_running[i] = new;
			return;
		}
	}
}

/*
 * For a test's end, however it came about. All are killed before any is waited
 * for: the first process of a pid namespace ends after the others are reaped.
 */
static inline void process_end_all(void)
{
	int i, left;

	for (i = 0; i < PROCESS_MAX; i++)
		if (process_running[i])
			kill(process_running[i], SIGKILL);
	do {
		left = 0;
		for (i = 0; i < PROCESS_MAX; i++) {
			if (!process_running[i])
				continue;
			if (waitpid(process_running[i], NULL, WNOHANG | __WALL))
				process_running[i] = 0;
			else
				left++;
		}
		if (left)
			pause_ms(1);
	} while (left);
}

/* Starts a process with clone3 flags and, unless 0, a pid of the caller's choice. */
static inline int process_start_as(struct process *process, __u64 flags, pid_t set_tid)
{
	struct clone_args args = {
		.flags = flags,
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&set_tid,
		.set_tid_size = 1,
	};
	int channel[2];
	pid_t parent = getpid();
	long pid;

	if (!set_tid)
		args.set_tid = args.set_tid_size = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		return -errno;
	fflush(NULL);
	/* fork() proper keeps libc's idea of the process intact. */
	pid = flags || set_tid ? syscall(SYS_clone3, &args, sizeof(args)) : fork();
	if (pid < 0) {
		pid = -errno;
		close(channel[0]);
		close(channel[1]);
		return pid;
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* In a pid namespace of its own it sees no parent. */
		if (getppid() != parent && getppid() != 0)
			_exit(0);
		memset(process_running, 0, sizeof(process_running));
		close(channel[0]);
		process_serve(channel[1]);
	}
	close(channel[1]);
	process_note(0, pid);
	process->pid = pid;
	process->channel = channel[0];
	return 0;
}

static inline int process_start(struct process *process)
{
	return process_start_as(process, 0, 0);
}

/* Starts a process with the number that another one had until just now. */
static inline int process_start_again(struct process *process, pid_t pid)
{
	int64_t limit = now_ms() + PROCESS_PATIENCE_MS;
	int ret;

	/* The old one's number is given back some time after it was reaped. */
	do {
		ret = process_start_as(process, 0, pid);
	} while (ret == -EEXIST && now_ms() < limit);
	return !ret && process->pid != pid ? -EINVAL : ret;
}

/* Sends a call without waiting for its end. */
static inline long process_begin(struct process *process, struct call *call)
{
	return channel_transfer(process->channel, call, sizeof(*call), true) ?
	       0 : PROCESS_DIED;
}

/* Has the call that was begun ended within @ms? */
static inline bool process_answers(struct process *process, int ms)
{
	struct pollfd p = { .fd = process->channel, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static inline long process_end(struct process *process, struct call *call)
{
	if (!process_answers(process, PROCESS_PATIENCE_MS))
		return PROCESS_SILENT;
	if (!channel_transfer(process->channel, call, sizeof(*call), false))
		return PROCESS_DIED;
	return call->result;
}

static inline long process_call(struct process *process, struct call *call)
{
	long ret = process_begin(process, call);

	return ret ? ret : process_end(process, call);
}

/* process_do(&process, function, arguments...): a call whose arguments only go in. */
#define process_do(process, function_, ...) ({				\
	struct call __call = {						\
		.function = (function_), .argument = { __VA_ARGS__ },	\
	};								\
									\
	process_call((process), &__call);				\
})

/* The same, and stores what argument @index is afterwards in *@out. */
#define process_get(process, out, index, function_, ...) ({		\
	struct call __call = {						\
		.function = (function_), .argument = { __VA_ARGS__ },	\
	};								\
	long __ret = process_call((process), &__call);			\
									\
	*(out) = __call.argument[(index)];				\
	__ret;								\
})

/* The status that waitpid() gives, or -1. The process's end is waited for. */
static inline int process_status(struct process *process)
{
	int64_t limit = now_ms() + PROCESS_PATIENCE_MS;
	int status;
	pid_t pid;

	while ((pid = waitpid(process->pid, &status, WNOHANG | __WALL)) == 0) {
		if (now_ms() > limit)
			return -1;
		pause_ms(2);
	}
	process_note(process->pid, 0);
	close(process->channel);
	process->channel = -1;
	return pid == process->pid ? status : -1;
}

/* Lets it exit; 0 if it did so by itself. */
static inline int process_stop(struct process *process)
{
	struct call end = { 0 };

	process_begin(process, &end);
	return process_status(process);
}

/* Kills it; 0 if that is what ended it. */
static inline int process_kill(struct process *process)
{
	int status;

	kill(process->pid, SIGKILL);
	status = process_status(process);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

/* A process id that no live process has. */
static inline pid_t process_dead_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

#endif /* _NPUMEM_PROCESS_H */
