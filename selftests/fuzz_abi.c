// SPDX-License-Identifier: MIT
/*
 * A fuzzer of the kernel ABI. Rounds of random operations by several processes, whose
 * results and effects a model foretells; and chaos, the same by many threads at once,
 * where only what holds always is checked. See --help.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_shrink.h"
#include "fuzz_world.h"

/* How long the search for a shorter list of operations may take. */
#define SHRINK_SECONDS	240
/* From so many ioctls on each of them must have succeeded. */
#define ENOUGH_IOCTLS	20000

static struct {
	int seconds, rounds;
	__u64 seed;
	bool unbinds, predicted, chaos;
	const char *replay, *state;
} options = { .seconds = 3, .unbinds = true, .predicted = true, .chaos = true };

static struct fuzz_shared *shared;
static struct model_machine machine;
static int tests, failed;

static void usage(FILE *file)
{
	fprintf(file,
		"usage: fuzz_abi [OPTION]...\n"
		"\n"
		"As root, with npumem loaded and nobody else using it.\n"
		"\n"
		"  --seconds N    how long (NPUMEM_FUZZ_SECONDS, 3)\n"
		"  --seed N       of the first round (NPUMEM_SEED, random)\n"
		"  --rounds N     so many rounds that are foretold, whatever the time\n"
		"  --only NAME    predicted or chaos\n"
		"  --no-unbind    leave the devices bound\n"
		"  --state FILE   keep the seed of the round under way there\n"
		"  --replay FILE  run the operations in a file, as they are printed after a failure\n"
		"\n"
		"  fuzz_abi --seed 0x1234 --rounds 1\n");
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void result(bool good, const char *name, const char *skipped)
{
	printf("%s %d %s%s%s\n", good ? "ok" : "not ok", ++tests, name,
	       skipped ? " # SKIP " : "", skipped ? skipped : "");
	failed += !good;
	fflush(stdout);
}

/* Where it is found when the machine does not come back. */
static void tell_seed(__u64 round, __u64 seed, const char *what)
{
	static int fd = -1;
	char text[96];
	int n;

	n = snprintf(text, sizeof(text), "# %s %llu: seed 0x%llx\n", what,
		     (unsigned long long)round, (unsigned long long)seed);
	fputs(text, stdout);
	fflush(stdout);
	if (!options.state)
		return;
	if (fd < 0)
		fd = open(options.state, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0 && pwrite(fd, text, n, 0) == n && !ftruncate(fd, n))
		fsync(fd);
}

static void progress(time_t start)
{
	static time_t last;
	struct fuzz_counts *c = &shared->counts;
	int i;

	if (now() - last < 10)
		return;
	last = now();
	fprintf(stderr, "%5ld s: %llu rounds, %llu operations, %llu ioctls; succeeded:",
		(long)(last - start), (unsigned long long)c->rounds, (unsigned long long)c->ops,
		(unsigned long long)c->ioctls);
	for (i = 0; i < FUZZ_COMMANDS; i++)
		fprintf(stderr, " %s %llu", fuzz_kinds[i].name,
			(unsigned long long)c->results[i][0]);
	fputc('\n', stderr);
}

static void print_table(void)
{
	struct fuzz_counts *c = &shared->counts;
	int kind, error;

	printf("# %llu rounds, %llu operations, %llu ioctls\n", (unsigned long long)c->rounds,
	       (unsigned long long)c->ops, (unsigned long long)c->ioctls);
	for (kind = 0; kind < FUZZ_KINDS; kind++) {
		for (error = 0; error < COUNT_ERRNOS && !c->results[kind][error]; error++)
			;
		if (error == COUNT_ERRNOS)
			continue;
		printf("# %-14s %8llu succeeded;", fuzz_kinds[kind].name,
		       (unsigned long long)c->results[kind][0]);
		for (error = 1; error < COUNT_ERRNOS; error++)
			if (c->results[kind][error])
				printf(" %s %llu", strerrorname_np(error) ?
				       strerrorname_np(error) : "others",
				       (unsigned long long)c->results[kind][error]);
		putchar('\n');
	}
}

static void print_ops(const struct fuzz_op *ops, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		printf("#\t");
		fuzz_print(stdout, &ops[i]);
	}
}

static void report(struct fuzz_op *ops, int n, __u64 seed, long seconds)
{
	printf("# failed after %ld s and %llu rounds\n", seconds,
	       (unsigned long long)shared->counts.rounds);
	printf("# failed at operation %d of %d: %s\n", shared->failure.op + 1, n,
	       shared->failure.text);
	printf("# again: fuzz_abi --seed 0x%llx --rounds 1\n", (unsigned long long)seed);
	fflush(stdout);
	n = fuzz_shrink(shared, &machine, ops, n, SHRINK_SECONDS);
	printf("# the shortest list found, for --replay:\n");
	print_ops(ops, n);
	printf("# it fails at operation %d: %s\n", shared->failure.op + 1,
	       shared->failure.text);
	fflush(stdout);
}

static void test_predicted(int seconds)
{
	static struct fuzz_op ops[FUZZ_OPS + 64];
	struct fuzz_random seeds = { options.seed };
	time_t start = now();
	__u64 seed = options.seed;
	bool good = true;
	int n;

	do {
		tell_seed(shared->counts.rounds + 1, seed, "round");
		n = fuzz_generate(seed, &machine, ops);
		good = round_run(shared, &machine, ops, n, true);
		if (!good)
			report(ops, n, seed, now() - start);
		seed = fuzz_next(&seeds);
		if (seconds >= 20)
			progress(start);
	} while (good && (options.rounds ? (int)shared->counts.rounds < options.rounds :
			  now() - start < seconds));
	result(good, "predicted", NULL);
}

/* Does every ioctl get as far as it can? */
static void test_reached(void)
{
	char missing[512] = "";
	int i;

	for (i = 0; i < FUZZ_COMMANDS; i++) {
		if (shared->counts.results[i][0])
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " %s",
			 fuzz_kinds[i].name);
	}
	if (*missing)
		printf("# never succeeded:%s\n", missing);
	if (shared->counts.ioctls < ENOUGH_IOCTLS)
		result(true, "reached", "too few ioctls to tell");
	else
		result(!*missing, "reached", NULL);
}

static int replay(void)
{
	static struct fuzz_op ops[FUZZ_OPS + 64];
	FILE *file = fopen(options.replay, "re");
	int n = file ? fuzz_parse(file, ops, FUZZ_OPS) : -1;

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", options.replay, file ? "not a list" : strerror(errno));
		return 2;
	}
	if (round_run(shared, &machine, ops, n, true)) {
		printf("# %d operations, all as expected\n", n);
		return 0;
	}
	printf("# operation %d: %s\n", shared->failure.op + 1, shared->failure.text);
	if (shared->failure.op < n)
		print_ops(&ops[shared->failure.op], 1);
	return 1;
}

static long number(const char *text, long otherwise)
{
	return text && *text ? strtol(text, NULL, 0) : otherwise;
}

static bool parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seconds", 1, NULL, 's' }, { "seed", 1, NULL, 'S' },
		{ "rounds", 1, NULL, 'r' }, { "only", 1, NULL, 't' },
		{ "no-unbind", 0, NULL, 'u' }, { "state", 1, NULL, 'f' },
		{ "replay", 1, NULL, 'p' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	const char *seed = getenv("NPUMEM_SEED");
	struct timespec t;
	int c;

	clock_gettime(CLOCK_REALTIME, &t);
	options.seed = t.tv_sec * 1000000007ULL ^ t.tv_nsec << 8 ^ getpid();
	if (seed && *seed)
		options.seed = strtoull(seed, NULL, 0);
	options.seconds = number(getenv("NPUMEM_FUZZ_SECONDS"),
				 3 * number(getenv("NPUMEM_STRESS"), 1));
	while ((c = getopt_long(argc, argv, "t:h", names, NULL)) != -1) {
		switch (c) {
		case 's': options.seconds = atoi(optarg); break;
		case 'S': options.seed = strtoull(optarg, NULL, 0); break;
		case 'r': options.rounds = atoi(optarg); break;
		case 'u': options.unbinds = false; break;
		case 'f': options.state = optarg; break;
		case 'p': options.replay = optarg; break;
		case 't':
			options.predicted = !strcmp(optarg, "predicted");
			options.chaos = !strcmp(optarg, "chaos");
			if (options.predicted || options.chaos)
				break;
			/* fall through */
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (options.rounds)
		options.chaos = false;
	return optind == argc;
}

static void test_chaos(int seconds)
{
	bool good;

	tell_seed(1, options.seed, "chaos");
	good = chaos_run(shared, &machine, options.seed, seconds);
	result(good, "chaos", NULL);
}

static int run(void)
{
	int seconds = options.seconds;

	printf("TAP version 13\n1..%d\n", options.predicted + options.chaos + options.predicted);
	printf("# SEED=0x%llx\n", (unsigned long long)options.seed);
	if (options.predicted)
		test_predicted(options.chaos ? seconds * 2 / 3 : seconds);
	if (options.chaos)
		test_chaos(seconds - seconds * 2 / 3);
	if (options.predicted)
		test_reached();
	print_table();
	return failed != 0;
}

int main(int argc, char **argv)
{
	const char *reason;
	int ret;

	if (argc > 1 && !strcmp(argv[1], "--actor"))
		return actor_main(argc, argv);
	if (!parse(argc, argv)) {
		usage(stderr);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("fuzz_abi: mmap");
		return 2;
	}
	reason = round_machine(&machine);
	if (reason) {
		printf("%s\n", reason);
		return 4;
	}
	machine.unbinds = options.unbinds;
	ret = options.replay ? replay() : run();
	world_end();
	return ret;
}
