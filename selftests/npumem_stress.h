/* SPDX-License-Identifier: MIT */
/*
 * Stress: how often, random numbers that can be had again, and threads or processes
 * that do something at the same moment, again and again.
 *
 *	NPUMEM_STRESS=100	a hundred times as many rounds
 *	NPUMEM_SEED=N		the random numbers of an earlier run, which printed N
 */
#ifndef NPUMEM_STRESS_H
#define NPUMEM_STRESS_H

#include "npumem_abi.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>

/* ---- how often ---- */

/* @n rounds, times what the environment says. */
static MAYBE_UNUSED unsigned long npumem_rounds(unsigned long n)
{
	const char *text = getenv("NPUMEM_STRESS");
	unsigned long factor = text ? strtoul(text, NULL, 0) : 1;

	return n * (factor ? factor : 1);
}

/* Is this a run so long that what is likely must have happened? */
static MAYBE_UNUSED bool npumem_many(unsigned long rounds)
{
	return rounds >= 500;
}

/* ---- random numbers ---- */

/* Of this process and those it forks from now on. */
static MAYBE_UNUSED __u64 npumem_seed(void)
{
	static bool known;
	static __u64 seed;
	const char *text = getenv("NPUMEM_SEED");

	if (known)
		return seed;
	if (text)
		seed = strtoull(text, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = time(NULL) ^ (__u64)getpid() << 32;
	known = true;
	printf("# NPUMEM_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

struct dice {
	__u64 state;
};

/* SplitMix64, by its formula. */
static MAYBE_UNUSED __u64 dice_roll(struct dice *dice)
{
	__u64 x = dice->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* One sequence per @stream, all of them other ones. */
static MAYBE_UNUSED void dice_init(struct dice *dice, __u64 stream)
{
	struct dice other = { stream };

	dice->state = npumem_seed() ^ dice_roll(&other);
}

/* From 0 to @limit - 1; @limit is not 0. */
static MAYBE_UNUSED __u64 dice_below(struct dice *dice, __u64 limit)
{
	return dice_roll(dice) % limit;
}

/* ---- time ---- */

static MAYBE_UNUSED __s64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Awake, so that it ends on time. */
static MAYBE_UNUSED void spin_until(__s64 time)
{
	while (now_ns() < time)
		;
}

/* ---- a place to meet ---- */

/* How long one may wait for the others. */
#define GATE_PATIENCE_NS	(120 * 1000000000LL)

/* In shared memory, if processes meet. All zero but @parties to begin with. */
struct gate {
	unsigned int parties;
	unsigned int arrived;
	unsigned int turn;
	bool broken;		/* somebody will not come any more */
	__s64 opened;		/* when the last one came, the last time */
};

static MAYBE_UNUSED void gate_break(struct gate *gate)
{
	__atomic_store_n(&gate->broken, true, __ATOMIC_RELEASE);
}

/* Waits until all have come; false if that will not be. */
static MAYBE_UNUSED bool gate_pass(struct gate *gate)
{
	unsigned int turn = __atomic_load_n(&gate->turn, __ATOMIC_ACQUIRE);
	__s64 limit = now_ns() + GATE_PATIENCE_NS;
	unsigned int spins;

	if (__atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL) == gate->parties) {
		gate->arrived = 0;
		gate->opened = now_ns();
		__atomic_store_n(&gate->turn, turn + 1, __ATOMIC_RELEASE);
		return !gate->broken;
	}
	for (spins = 0; __atomic_load_n(&gate->turn, __ATOMIC_ACQUIRE) == turn; spins++) {
		if (__atomic_load_n(&gate->broken, __ATOMIC_ACQUIRE))
			return false;
		if (spins > 100)	/* there may be more of us than processors */
			sched_yield();
		if (spins % 256 == 255 && now_ns() > limit)
			gate_break(gate);
	}
	return !__atomic_load_n(&gate->broken, __ATOMIC_ACQUIRE);
}

/* ---- sides of a race ---- */

#define RACE_SIDES	6

/*
 * One of those that do something at the same time. The first side of a race is
 * the caller itself, the others are threads, or processes.
 */
struct race_side {
	const char *name;
	void (*act)(void *context);
	bool is_process;
	bool (*begin)(void *context);	/* once, in that process; may be NULL */

	/* what race_run() counts */
	pthread_t thread;
	pid_t pid;
	__s64 delay, from, to;		/* of this round */
	__s64 takes;			/* on average, in ns */
	unsigned long first;		/* rounds in which it had ended before others began */
	unsigned long ended;		/* and in which it was the first to end */
};

/*
 * A race, in memory of race_new(). Each round: prepare(), act() of all sides at
 * about the same time, judge(), which says whether all is as it may be. How much
 * later one side begins than the other is random, but no more than they take: so that
 * each comes first sometimes, and mostly they overlap.
 */
struct race {
	struct race_side side[RACE_SIDES];
	unsigned int sides;
	bool (*prepare)(void *context);	/* may be NULL */
	bool (*judge)(void *context);
	void *context;			/* shared, if a side is a process */

	struct gate gate;
	struct dice dice;
	bool over;
	unsigned long rounds, together;
};

/* Longer than this is no more a matter of microseconds. */
#define RACE_LONG_NS	2000000

static inline void *race_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static MAYBE_UNUSED struct race *race_new(void)
{
	struct race *race = race_shared(sizeof(*race));

	if (!race)
		abort();
	return race;
}

/* One round of one side. */
static inline bool race_act(struct race *race, struct race_side *side)
{
	if (!gate_pass(&race->gate) || race->over)
		return false;
	spin_until(race->gate.opened + side->delay);
	side->from = now_ns();
	side->act(race->context);
	side->to = now_ns();
	return gate_pass(&race->gate);
}

struct race_thread {
	struct race *race;
	struct race_side *side;
};

static inline void *race_thread(void *data)
{
	struct race_thread own = *(struct race_thread *)data;

	free(data);
	while (race_act(own.race, own.side))
		;
	return NULL;
}

static inline bool race_start(struct race *race, struct race_side *side)
{
	struct race_thread *own;

	if (!side->is_process) {
		own = malloc(sizeof(*own));
		*own = (struct race_thread) { race, side };
		return !pthread_create(&side->thread, NULL, race_thread, own);
	}
	fflush(NULL);
	side->pid = fork();
	if (side->pid)
		return side->pid > 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (side->begin && !side->begin(race->context)) {
		printf("# race: %s cannot begin\n", side->name);
		fflush(stdout);
		gate_break(&race->gate);
	}
	while (race_act(race, side))
		;
	_exit(0);
}

static inline bool race_end(struct race_side *side)
{
	int status = 0;

	if (!side->is_process)
		return !pthread_join(side->thread, NULL);
	if (waitpid(side->pid, &status, 0) == side->pid && !status)
		return true;
	printf("# race: %s ended with %#x\n", side->name, status);
	return false;
}

/* 2 us more than what it takes, for what nobody measures. */
static inline __s64 race_span(const struct race_side *side)
{
	return side->takes + side->takes / 4 + 2000;
}

static inline void race_choose(struct race *race)
{
	struct race_side *a = &race->side[0], *b = &race->side[1];
	__s64 most = 0, offset;
	unsigned int i;

	if (race->sides == 2) {
		offset = dice_below(&race->dice, race_span(a) + race_span(b));
		offset -= race_span(b);
		a->delay = offset < 0 ? -offset : 0;
		b->delay = offset > 0 ? offset : 0;
	}
	for (i = 0; race->sides != 2 && i < race->sides; i++)
		if (race_span(&race->side[i]) > most)
			most = race_span(&race->side[i]);
	for (i = 0; race->sides != 2 && i < race->sides; i++)
		race->side[i].delay = dice_below(&race->dice, most);
	/* All have to be awake. */
	for (i = 0; i < race->sides; i++)
		race->side[i].delay += 20000;
}

/* What has been of the round: who came first, and how long it took. */
static inline void race_count(struct race *race)
{
	struct race_side *winner = &race->side[0], *side;
	__s64 others = INT64_MAX, took;
	unsigned int i;

	for (i = 0; i < race->sides; i++) {
		side = &race->side[i];
		if (side->to < winner->to)
			winner = side;
		took = side->to - side->from;
		if (took > RACE_LONG_NS)
			took = RACE_LONG_NS;
		side->takes += race->rounds ? (took - side->takes) / 8 : took;
	}
	for (i = 0; i < race->sides; i++)
		if (&race->side[i] != winner && race->side[i].from < others)
			others = race->side[i].from;
	winner->ended++;
	if (winner->to < others)
		winner->first++;
	else
		race->together++;
	race->rounds++;
}

static inline void race_print(const struct race *race)
{
	unsigned int i;

	printf("# %lu rounds, in %lu of them at once", race->rounds, race->together);
	for (i = 0; i < race->sides; i++)
		printf("; %s %lu us, %lu before all, %lu ended first", race->side[i].name,
		       (unsigned long)race->side[i].takes / 1000, race->side[i].first,
		       race->side[i].ended);
	printf("\n");
	fflush(stdout);
}

/*
 * Runs so many rounds. Returns the round that went wrong, -1 if none did, -2 if a
 * side ended or did not come.
 */
static MAYBE_UNUSED long race_run(struct race *race, unsigned long rounds)
{
	long wrong = -1;
	unsigned int i;
	bool good = true;

	dice_init(&race->dice, 0);
	race->gate.parties = race->sides;
	/* Processes before there are threads. */
	for (i = 1; i < race->sides; i++)
		if (race->side[i].is_process)
			good &= race_start(race, &race->side[i]);
	for (i = 1; i < race->sides; i++)
		if (!race->side[i].is_process)
			good &= race_start(race, &race->side[i]);
	while (good && race->rounds < rounds && wrong == -1) {
		race_choose(race);
		if (race->prepare && !race->prepare(race->context)) {
			wrong = race->rounds;
			break;
		}
		good = race_act(race, &race->side[0]);
		if (!good)
			break;
		race_count(race);
		if (!race->judge(race->context))
			wrong = race->rounds - 1;
	}
	race->over = true;
	if (good)
		gate_pass(&race->gate);
	else
		gate_break(&race->gate);
	for (i = 1; i < race->sides; i++)
		good &= race_end(&race->side[i]);
	race_print(race);
	return good ? wrong : -2;
}

/* Did the sides meet, and did each one win? True of a run that is too short. */
static MAYBE_UNUSED bool race_met(const struct race *race)
{
	unsigned int i;

	if (!npumem_many(race->rounds))
		return true;
	for (i = 0; i < race->sides; i++)
		if (race->side[i].ended < race->rounds / 100)
			return false;
	return race->together >= race->rounds / 10;
}

/* For a process that races, which talks to the node by itself. */
static MAYBE_UNUSED void race_free(struct race *race)
{
	munmap(race, sizeof(*race));
}

/* ---- loads and stores of threads that may be refused ---- */

static __thread sigjmp_buf careful_env;
static __thread volatile sig_atomic_t careful_armed;

static MAYBE_UNUSED void careful_handler(int signal_number)
{
	if (careful_armed)
		siglongjmp(careful_env, signal_number);
	signal(signal_number, SIG_DFL);
}

/* Before the first of them in a process. */
static MAYBE_UNUSED void careful_begin(void)
{
	struct sigaction action = {
		.sa_handler = careful_handler,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* 0 and the word, or the signal. */
static MAYBE_UNUSED int careful_load(__u64 address, __u64 *word)
{
	int signal_number = sigsetjmp(careful_env, 0);

	if (!signal_number) {
		careful_armed = true;
		*word = *(volatile __u64 *)to_ptr(address);
	}
	careful_armed = false;
	return signal_number;
}

static MAYBE_UNUSED int careful_store(__u64 address, __u64 word)
{
	int signal_number = sigsetjmp(careful_env, 0);

	if (!signal_number) {
		careful_armed = true;
		*(volatile __u64 *)to_ptr(address) = word;
	}
	careful_armed = false;
	return signal_number;
}

#endif /* NPUMEM_STRESS_H */
