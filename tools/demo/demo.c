// SPDX-License-Identifier: MIT
/*
 * Runs exporter, importer and stranger against each other and checks what each
 * of them says against the others and against sysfs. One line per step; the
 * first step that does not hold ends it. Exit status 0: all steps held.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1ULL << 20)
/* For each answer. The virtual machine may be slow. */
#define TIMEOUT_MS	20000
#define FREE_FILE	"/sys/bus/platform/devices/npumem.0/free"

/* ACL_ERROR_RT_DRV_INTERNAL_ERROR: refused by the driver. */
#define REFUSED		507899

struct process {
	const char *name;
	pid_t pid;
	int in;			/* its stdin */
	int out;		/* its stdout */
	size_t length;
	char buffer[4096];	/* read and not yet looked at */
	char line[4096];	/* its last answer */
};

static struct process exporter = { .name = "exporter" };
static struct process importer = { .name = "importer" };
static struct process stranger = { .name = "stranger" };
static struct process *const all[] = { &exporter, &importer, &stranger };
static unsigned int steps;

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void nap(void)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	nanosleep(&pause, NULL);
}

static void __attribute__((format(printf, 1, 2), noreturn))
fail(const char *format, ...)
{
	va_list args;
	size_t i;

	printf("FAILED   step %u: ", steps + 1);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->pid > 0)
			kill(all[i]->pid, SIGKILL);
	exit(1);
}

/* A step that was verified. */
static void __attribute__((format(printf, 2, 3)))
step(const char *who, const char *format, ...)
{
	va_list args;

	printf("%2u %-9s ", ++steps, who);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* A text that is longer than a line, below a step. */
static void quote(const char *text)
{
	const size_t width = 66;
	size_t length;

	while (*text) {
		length = strlen(text);
		if (length > width) {
			for (length = width; length && text[length] != ' '; length--)
				;
			if (!length)
				length = strcspn(text, " ");
		}
		printf("             %.*s\n", (int)length, text);
		text += length;
		text += strspn(text, " ");
	}
	fflush(stdout);
}

static unsigned long long free_bytes(void)
{
	unsigned long long bytes;
	FILE *file = fopen(FREE_FILE, "re");

	if (!file || fscanf(file, "%llu", &bytes) != 1)
		fail(FREE_FILE ": %s", file ? "no number" : strerror(errno));
	fclose(file);
	return bytes;
}

static void expect_free(unsigned long long bytes)
{
	if (free_bytes() != bytes)
		fail("%llu bytes should be free on device 0, %llu are", bytes,
		     free_bytes());
}

/* Start the program of that name that is next to us. */
static void start(struct process *process)
{
	posix_spawn_file_actions_t actions;
	char path[4096], *slash, *argv[] = { (char *)process->name, NULL };
	int in[2], out[2], error;
	ssize_t length;

	length = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (length < 0)
		fail("/proc/self/exe: %s", strerror(errno));
	path[length] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash + 1, process->name);

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	error = posix_spawn(&process->pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		fail("%s: %s", path, strerror(error));
	close(in[0]);
	close(out[1]);
	process->in = in[1];
	process->out = out[0];
}

/* Read the process's next line into ->line. */
static void answer(struct process *process)
{
	struct pollfd output = { .fd = process->out, .events = POLLIN };
	long long end = now_ms() + TIMEOUT_MS, left;
	ssize_t length;
	char *feed;

	while (!(feed = memchr(process->buffer, '\n', process->length))) {
		left = end - now_ms();
		if (left <= 0 || poll(&output, 1, left) == 0)
			fail("%s did not answer within %d s", process->name,
			     TIMEOUT_MS / 1000);
		length = read(process->out, process->buffer + process->length,
			      sizeof(process->buffer) - process->length);
		if (length <= 0)
			fail("%s ended", process->name);
		process->length += length;
	}
	length = feed - process->buffer;
	memcpy(process->line, process->buffer, length);
	process->line[length] = '\0';
	process->length -= length + 1;
	memmove(process->buffer, feed + 1, process->length);
}

static void __attribute__((format(printf, 2, 3)))
ask(struct process *process, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vdprintf(process->in, format, args) < 0)
		fail("%s does not listen: %s", process->name, strerror(errno));
	va_end(args);
	answer(process);
}

/* The answer must be one word and a hash. */
static uint64_t expect_hash(struct process *process, const char *word)
{
	char got[32];
	uint64_t hash;

	if (sscanf(process->line, "%31s %" SCNx64, got, &hash) != 2 ||
	    strcmp(got, word))
		fail("%s answers: %s", process->name, process->line);
	return hash;
}

static int expect_pid(struct process *process)
{
	int pid;

	answer(process);
	if (sscanf(process->line, "pid %d", &pid) != 1)
		fail("%s answers: %s", process->name, process->line);
	return pid;
}

/* Wait for its end and return its status as of waitpid(). */
static int finish(struct process *process)
{
	long long end = now_ms() + TIMEOUT_MS;
	int status;
	pid_t pid;

	while (!(pid = waitpid(process->pid, &status, WNOHANG))) {
		if (now_ms() > end)
			fail("%s does not end", process->name);
		nap();
	}
	if (pid < 0)
		fail("waitpid: %s", strerror(errno));
	process->pid = 0;
	return status;
}

/* Is the number a word of its own in the text, and not a part of another? */
static bool mentions(const char *text, int number)
{
	const char *p;
	size_t length;
	char word[16];

	snprintf(word, sizeof(word), "%d", number);
	length = strlen(word);
	for (p = strstr(text, word); p; p = strstr(p + 1, word))
		if ((p == text || !isalnum((unsigned char)p[-1])) &&
		    !isalnum((unsigned char)p[length]))
			return true;
	return false;
}

static void stranger_is_refused(uint64_t share)
{
	int error, pid, text = 0;

	start(&stranger);
	pid = expect_pid(&stranger);
	ask(&stranger, "import %" PRIu64 "\n", share);
	if (sscanf(stranger.line, "refused %d %n", &error, &text) != 1 || !text)
		fail("stranger was not refused: %s", stranger.line);
	if (error != REFUSED)
		fail("stranger got error %d, not %d", error, REFUSED);
	if (!mentions(stranger.line + text, exporter.pid) ||
	    !mentions(stranger.line + text, pid))
		fail("not both pids (%d, %d) in the text: %s", exporter.pid, pid,
		     stranger.line + text);
	step("stranger", "pid %d knows the share too, but is refused with %d and told:",
	     pid, error);
	quote(stranger.line + text);
	if (finish(&stranger))
		fail("stranger failed");
}

/* The exporter dies in the middle of the importer's reading, which goes on. */
static unsigned long exporter_is_killed(uint64_t hash)
{
	unsigned long count;
	uint64_t seen;
	int status;

	ask(&importer, "watch\n");
	if (strcmp(importer.line, "watching"))
		fail("importer answers: %s", importer.line);
	kill(exporter.pid, SIGKILL);
	status = finish(&exporter);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail("exporter ended otherwise: status 0x%x", status);
	step("exporter", "killed with -9 while the importer reads");

	ask(&importer, "stop\n");
	if (sscanf(importer.line, "watched %lu %" SCNx64, &count, &seen) != 2)
		fail("importer answers: %s", importer.line);
	ask(&importer, "read\n");
	if (seen != hash || expect_hash(&importer, "read") != hash)
		fail("importer reads other bytes after the exporter's end");
	return count;
}

int main(void)
{
	unsigned long long size, at_start;
	uint64_t hash, share;
	unsigned long count;
	long long end;
	int pid;

	signal(SIGPIPE, SIG_IGN);
	if (access("/dev/npumem", R_OK | W_OK)) {
		fprintf(stderr, "demo: /dev/npumem: %s; \"make demo\" runs this"
			" where it is\n", strerror(errno));
		return 1;
	}
	at_start = free_bytes();
	step("device 0", "%llu MiB free", at_start / MIB);

	start(&exporter);
	answer(&exporter);
	hash = expect_hash(&exporter, "wrote");
	answer(&exporter);
	if (sscanf(exporter.line, "share %" SCNu64 " %llu", &share, &size) != 2 ||
	    !share || !size)
		fail("exporter answers: %s", exporter.line);
	expect_free(at_start - size);
	step("exporter", "pid %d allocated %llu MiB, mapped them, wrote bytes with hash %016"
	     PRIx64, exporter.pid, size / MIB, hash);

	start(&importer);
	pid = expect_pid(&importer);
	ask(&exporter, "allow %d\n", pid);
	if (pid != importer.pid || !mentions(exporter.line, pid))
		fail("exporter answers: %s", exporter.line);
	step("exporter", "exported them and whitelisted pid %d", pid);

	ask(&importer, "import %" PRIu64 " %llu\n", share, size);
	if (strncmp(importer.line, "imported", 8))
		fail("importer answers: %s", importer.line);
	ask(&importer, "read\n");
	if (expect_hash(&importer, "read") != hash)
		fail("importer reads other bytes: %s", importer.line);
	expect_free(at_start - size);
	step("importer", "pid %d imported them, mapped them, reads the same hash %016"
	     PRIx64, pid, hash);

	ask(&importer, "write\n");
	if (expect_hash(&importer, "wrote") == hash)
		fail("importer wrote nothing new");
	hash = expect_hash(&importer, "wrote");
	step("importer", "wrote back bytes with hash %016" PRIx64, hash);
	ask(&exporter, "read\n");
	if (expect_hash(&exporter, "read") != hash)
		fail("exporter reads other bytes: %s", exporter.line);
	step("exporter", "reads the same hash %016" PRIx64, hash);

	stranger_is_refused(share);
	count = exporter_is_killed(hash);
	expect_free(at_start - size);
	step("importer", "read %lu times meanwhile, and after it: always hash %016"
	     PRIx64, count, hash);

	close(importer.in);
	answer(&importer);
	if (strcmp(importer.line, "done") || finish(&importer))
		fail("importer answers: %s", importer.line);
	step("importer", "freed them and ended");

	/* What a process held is given back at the very end of its exit. */
	end = now_ms() + 1000;
	while (free_bytes() != at_start && now_ms() < end)
		nap();
	expect_free(at_start);
	step("device 0", "%llu MiB free, as at the start", free_bytes() / MIB);
	printf("demo: all %u steps verified\n", steps);
	return 0;
}
