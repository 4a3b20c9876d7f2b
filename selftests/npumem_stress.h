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

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>

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
	return rounds >= 200;
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

static inline void gate_sleep(struct gate *gate, unsigned int turn)
{
	struct timespec second = { .tv_sec = 1 };

	syscall(SYS_futex, &gate->turn, FUTEX_WAIT, turn, &second, NULL, 0);
}

/* Waits until all have come; false if that will not be. Asleep, for it may be long. */
static MAYBE_UNUSED bool gate_pass(struct gate *gate)
{
	unsigned int turn = __atomic_load_n(&gate->turn, __ATOMIC_ACQUIRE), spins = 0;
	__s64 limit = now_ns() + GATE_PATIENCE_NS;

	if (__atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL) == gate->parties) {
		gate->arrived = 0;
		gate->opened = now_ns();
		__atomic_store_n(&gate->turn, turn + 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &gate->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return !gate->broken;
	}
	while (__atomic_load_n(&gate->turn, __ATOMIC_ACQUIRE) == turn) {
		if (__atomic_load_n(&gate->broken, __ATOMIC_ACQUIRE))
			return false;
		if (spins++ < 100)
			continue;
		gate_sleep(gate, turn);
		if (now_ns() > limit)
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
	void (*after)(void *context);	/* each round, when the race is over; may be NULL */

	/* what race_run() counts */
	pthread_t thread;
	pid_t pid;
	__s64 delay, from, to;		/* of this round */
	__s64 takes;			/* usually, in ns */
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
	bool ordered;			/* the first side always ends first: others wait for it */
	void *context;			/* shared, if a side is a process */

	struct gate gate;
	struct dice dice;
	bool over;
	unsigned int ball;		/* odd in one side's court, even in the other's */
	__s64 start;			/* of the round, known when all are awake */
	__s64 shift;			/* so much later begins the second side, on average */
	unsigned long rounds, together;
};

/* Longer than this no call takes, on the slowest kernel: the processor was away. */
#define RACE_LONG_NS	20000000

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

/*
 * What the side has to do in a race is done: all that act() does after that is not
 * part of it, like looking at what became of it.
 */
static inline void race_done(struct race_side *side)
{
	if (!side->to)
		__atomic_store_n(&side->to, now_ns(), __ATOMIC_RELEASE);
}

/* Is the other side done, this round? */
static MAYBE_UNUSED bool race_is_done(const struct race_side *side)
{
	return __atomic_load_n(&side->to, __ATOMIC_ACQUIRE);
}

/*
 * Who comes through a gate may have been asleep at it, and a processor of an emulated
 * machine is not always there: begin when both sides are seen to run, by an answer that
 * comes at once. Of more sides than two, some may have no processor anyway.
 */
#define RACE_LINE_UP_NS		10000000
#define RACE_ANSWER_NS		8000

static inline void race_line_up(struct race *race, const struct race_side *side)
{
	__s64 limit = now_ns() + RACE_LINE_UP_NS, asked, now;
	unsigned int ball;

	if (race->sides != 2) {
		race->start = race->gate.opened + 20000;
		return;
	}
	while (side != &race->side[0] && !__atomic_load_n(&race->start, __ATOMIC_ACQUIRE)) {
		ball = __atomic_load_n(&race->ball, __ATOMIC_ACQUIRE);
		if (ball & 1)
			__atomic_store_n(&race->ball, ball + 1, __ATOMIC_RELEASE);
	}
	while (side == &race->side[0] && !race->start) {
		ball = race->ball + 1;
		asked = now_ns();
		__atomic_store_n(&race->ball, ball, __ATOMIC_RELEASE);
		do {
			now = now_ns();
		} while (__atomic_load_n(&race->ball, __ATOMIC_ACQUIRE) == ball &&
			 now < limit);
		if (now - asked < RACE_ANSWER_NS || now >= limit)
			__atomic_store_n(&race->start, now + 2000, __ATOMIC_RELEASE);
	}
}

/* One round of one side. */
static inline bool race_act(struct race *race, struct race_side *side)
{
	if (!gate_pass(&race->gate) || race->over)
		return false;
	race_line_up(race, side);
	spin_until(race->start + side->delay);
	side->from = now_ns();
	side->act(race->context);
	race_done(side);
	if (side->after)
		side->after(race->context);
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
	pid_t pid;

	if (!side->is_process) {
		own = malloc(sizeof(*own));
		*own = (struct race_thread) { race, side };
		return !pthread_create(&side->thread, NULL, race_thread, own);
	}
	fflush(NULL);
	pid = fork();
	if (pid) {
		side->pid = pid;	/* it shares this memory */
		return pid > 0;
	}
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
		most = race_span(a) < race_span(b) ? race_span(a) : race_span(b);
		/* Every other time about when both begin, which is when most is decided. */
		if (race->rounds & 1)
			offset = (__s64)dice_below(&race->dice, 2 * most) - most;
		else
			offset = (__s64)dice_below(&race->dice,
						   race_span(a) + race_span(b)) -
				 race_span(b);
		offset += race->shift;
		a->delay = offset < 0 ? -offset : 0;
		b->delay = offset > 0 ? offset : 0;
	}
	for (i = 0; race->sides != 2 && i < race->sides; i++)
		if (race_span(&race->side[i]) > most)
			most = race_span(&race->side[i]);
	for (i = 0; race->sides != 2 && i < race->sides; i++)
		race->side[i].delay = dice_below(&race->dice, most);
	for (i = 0; i < race->sides; i++)
		race->side[i].to = 0;
	race->ball = 0;
	race->start = 0;
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
		/* What is longer has likely been interrupted. */
		side->takes += !race->rounds ? took :
			       (took - side->takes) / (took < side->takes ? 4 : 32);
	}
	for (i = 0; i < race->sides; i++)
		if (&race->side[i] != winner && race->side[i].from < others)
			others = race->side[i].from;
	/* Who always begins first, as the other's processor is slow to come, waits longer. */
	if (race->side[0].from < race->side[1].from)
		race->shift -= race->shift > -RACE_LONG_NS ? race->side[0].takes / 8 : 0;
	else
		race->shift += race->shift < RACE_LONG_NS ? race->side[1].takes / 8 : 0;
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

/*
 * Did the sides meet, and did each one win? True of a run that is too short. On a busy
 * host the processors of an emulated machine seldom run at the same time.
 */
static MAYBE_UNUSED bool race_met(const struct race *race)
{
	unsigned int i;

	if (!npumem_many(race->rounds))
		return true;
	for (i = 0; i < race->sides && !race->ordered; i++)
		if (!race->side[i].ended)
			return false;
	return race->together >= race->rounds / 100;
}

static MAYBE_UNUSED void race_free(struct race *race)
{
	munmap(race, sizeof(*race));
}

/* In a TEST: @rounds_ of @race_, which is gone afterwards. */
#define RACE_RUN(race_, rounds_) do {					\
	struct race *__race = (race_);					\
	long __wrong = race_run(__race, npumem_rounds(rounds_));	\
									\
	EXPECT_EQ(-1, __wrong)						\
		TH_LOG("wrong: round %ld", __wrong);			\
	EXPECT_TRUE(race_met(__race))					\
		TH_LOG("the sides did not meet, or one always won");	\
	race_free(__race);						\
} while (0)

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
