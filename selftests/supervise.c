// SPDX-License-Identifier: MIT
/*
 * Runs a test program for selftests/run: in a session of its own, for so many
 * seconds at most, and leaves no process of that session behind. One program for
 * what takes a shell five, as starting one takes long in an emulated machine.
 *
 *	supervise SECONDS FILE PROGRAM [ARGUMENT]...
 *
 * Exits as the program, with 128 + N after signal N. Makes FILE if the time was
 * up. Ends the output with the processor time that the program took.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long processes that were killed may take to end. */
#define END_MS 5000

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Is @name that of a process of @session which has not ended? */
static bool belongs(int proc, const char *name, pid_t session)
{
	char path[64], text[512], state, *rest;
	ssize_t n;
	int fd, of;

	snprintf(path, sizeof(path), "%.32s/stat", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* Behind the name, which may contain anything. */
	rest = strrchr(text, ')');
	return rest && sscanf(rest, ") %c %*d %*d %d", &state, &of) == 2 &&
		of == session && state != 'Z' && state != 'X';
}

/* Kills all of @session; returns how many there were. */
static int kill_session(pid_t session)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (belongs(dirfd(dir), entry->d_name, session)) {
			kill(atoi(entry->d_name), SIGKILL);
			n++;
		}
	}
	closedir(dir);
	return n;
}

/* As long as there are some they may have made more. */
static void end_session(pid_t session)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	long long end = now_ms() + END_MS;

	while (kill_session(session) && now_ms() < end)
		nanosleep(&pause, NULL);
}

static void say_time(void)
{
	struct rusage used;

	getrusage(RUSAGE_CHILDREN, &used);
	printf("\n# processor time: %.1f s\n",
	       used.ru_utime.tv_sec + used.ru_stime.tv_sec +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
	struct timespec wait = { 0 };
	int status = 0, signal_number;
	long long end, left;
	sigset_t set, old;
	pid_t child;

	if (argc < 4) {
		fprintf(stderr, "usage: supervise SECONDS FILE PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);

	child = fork();
	if (child < 0) {
		perror("supervise: fork");
		return 2;
	}
	if (!child) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		setsid();
		execv(argv[3], argv + 3);
		fprintf(stderr, "supervise: %s: %s\n", argv[3], strerror(errno));
		_exit(127);
	}

	end = now_ms() + atoll(argv[1]) * 1000;
	while (waitpid(child, &status, WNOHANG) == 0) {
		left = end - now_ms();
		if (left <= 0) {
			close(open(argv[2], O_WRONLY | O_CREAT, 0666));
			/* It may not have come to its setsid(). */
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			break;
		}
		wait.tv_sec = left / 1000;
		wait.tv_nsec = left % 1000 * 1000000;
		signal_number = sigtimedwait(&set, NULL, &wait);
		if (signal_number > 0 && signal_number != SIGCHLD) {
			kill(child, SIGKILL);
			end_session(child);
			return 128 + signal_number;
		}
	}
	end_session(child);
	say_time();
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
