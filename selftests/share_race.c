// SPDX-License-Identifier: MIT
/*
 * Exports of one memory that meet, and shares that are ended while others export,
 * import and free. npumem_stress.h tells how to have a run again, or a longer one.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define ANYONE	NPUMEM_EXPORT_ANYONE
#define KEY	NPUMEM_EXPORT_KEY

FIXTURE(race)
{
	struct watch watch;
	int fd;
};

FIXTURE_SETUP(race)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(race)
{
	close(self->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* ---- two exports of one memory at the same moment ---- */

#define ROUNDS	200

struct exporter {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int fd;
	__u64 *handle;			/* of each round */
	__u32 flags;
	struct npumem_export *argument;	/* read-only: its answer is lost */
	int result[ROUNDS];
	__u64 token[ROUNDS];
};

static void *export_all(void *data)
{
	struct exporter *e = data;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(e->barrier);
		if (e->argument)
			e->result[i] = npumem_call(e->fd, NPUMEM_EXPORT, e->argument);
		else
			e->result[i] = npumem_export(e->fd, *e->handle, e->flags,
						     &e->token[i]);
		pthread_barrier_wait(e->barrier);
	}
	return NULL;
}

/* What the two have left in one round. */
static bool round_is_right(struct exporter *a, struct exporter *b, int i)
{
	struct npumem_share_info info;
	__u32 key = 0;
	__u64 token = 0;
	int told = 0;

	if (!a->result[i]) {
		token = a->token[i];
		key |= a->flags & KEY;
		told++;
	}
	if (!b->result[i]) {
		if (told && b->token[i] != token)
			return false;
		token = b->token[i];
		key |= b->flags & KEY;
		told++;
	}
	/* One of the two was told, unless its answer was lost. */
	if (!told || npumem_share_info(a->fd, token, &info))
		return false;
	if (info.flags != (ANYONE | key))
		return false;
	if (!(a->flags & KEY) && !(b->flags & KEY))
		return told == 1 && a->result[i] + b->result[i] == -EEXIST;
	return a->result[i] + b->result[i] == (told == 1 ? -EFAULT : 0);
}

/* Returns the round that went wrong, or -1. */
static int meet_once(struct exporter *a, struct exporter *b, struct npumem_export *lost)
{
	pthread_barrier_t barrier;
	__u64 handle = 0;
	int i, wrong = -1;

	pthread_barrier_init(&barrier, NULL, 3);
	a->barrier = b->barrier = &barrier;
	a->handle = b->handle = &handle;
	b->fd = a->fd;
	pthread_create(&a->thread, NULL, export_all, a);
	pthread_create(&b->thread, NULL, export_all, b);
	for (i = 0; i < ROUNDS; i++) {
		if (npumem_alloc(a->fd, 0, G, &handle))
			wrong = i;
		if (lost) {
			mprotect(lost, 4096, PROT_READ | PROT_WRITE);
			lost->handle = handle;
			mprotect(lost, 4096, PROT_READ);
		}
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		if (wrong < 0 && !round_is_right(a, b, i))
			wrong = i;
		npumem_free(a->fd, handle);
	}
	pthread_join(a->thread, NULL);
	pthread_join(b->thread, NULL);
	pthread_barrier_destroy(&barrier);
	return wrong;
}

static int meet(struct exporter *a, struct exporter *b, struct npumem_export *lost)
{
	unsigned long left = npumem_rounds(1);
	int wrong;

	do
		wrong = meet_once(a, b, lost);
	while (wrong < 0 && --left);
	return wrong;
}

static struct exporter first, second;

static void meet_as(struct __test_metadata *_metadata, int fd, __u32 a, __u32 b)
{
	int wrong;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	first.fd = fd;
	first.flags = a | ANYONE;
	second.flags = b | ANYONE;
	wrong = meet(&first, &second, NULL);
	EXPECT_EQ(-1, wrong) {
		TH_LOG("round %d: %d and %d, tokens %s", wrong, first.result[wrong],
		       second.result[wrong],
		       first.token[wrong] == second.token[wrong] ? "equal" : "differ");
	}
}

TEST_F_TIMEOUT(race, as_it_is_and_as_key, 240)
{
	meet_as(_metadata, self->fd, 0, KEY);
}

TEST_F_TIMEOUT(race, as_key_twice, 240)
{
	meet_as(_metadata, self->fd, KEY, KEY);
}

TEST_F_TIMEOUT(race, as_it_is_twice, 240)
{
	meet_as(_metadata, self->fd, 0, 0);
}

TEST_F_TIMEOUT(race, lost_answer_ends_nobody_elses_share, 240)
{
	struct npumem_export *lost = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong;

	ASSERT_NE(MAP_FAILED, lost);
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	first.fd = self->fd;
	first.flags = ANYONE;
	second.flags = ANYONE | KEY;
	second.argument = lost;
	lost->size = sizeof(*lost);
	lost->flags = second.flags;
	wrong = meet(&first, &second, lost);
	EXPECT_EQ(-1, wrong) {
		TH_LOG("round %d: %d and %d", wrong, first.result[wrong],
		       second.result[wrong]);
	}
	munmap(lost, 4096);
}

/* ---- all of it at once ---- */

#define MEMORIES	3
#define TOKENS		(1 << 18)

enum kind { EXPORTS, ENDS, IMPORTS, FREES, KINDS };

static struct {
	int fd;
	volatile bool stop;
	__u64 handle[MEMORIES];		/* replaced by the one that frees */
	__u64 token[MEMORIES];		/* last one that was told */
	/* Every token that was told, and every one that was ended. */
	__u64 told[TOKENS], ended[TOKENS];
	unsigned int nr_told, nr_ended;
	unsigned long done[KINDS], refused[KINDS];
	int strange[KINDS];
} all;

struct worker {
	pthread_t thread;
	enum kind kind;
	unsigned int seed;
};

static void note(struct worker *w, int error, int a, int b, int c)
{
	if (!error)
		__atomic_fetch_add(&all.done[w->kind], 1, __ATOMIC_RELAXED);
	else if (error == a || error == b || error == c)
		__atomic_fetch_add(&all.refused[w->kind], 1, __ATOMIC_RELAXED);
	else
		all.strange[w->kind] = error;
}

static void record(__u64 *list, unsigned int *count, __u64 token)
{
	unsigned int i = __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);

	if (i < TOKENS)
		list[i] = token;
	if (i >= TOKENS - 16)
		all.stop = true;
}

static void one_call(struct worker *w, unsigned int at)
{
	__u64 token = __atomic_load_n(&all.token[at], __ATOMIC_RELAXED), handle;
	__u64 held = __atomic_load_n(&all.handle[at], __ATOMIC_RELAXED);
	int error;

	switch (w->kind) {
	case EXPORTS:
		error = npumem_export(all.fd, held, ANYONE |
				      (rand_r(&w->seed) & 1 ? KEY : 0), &token);
		/* What was told already is recorded already, or just now. */
		if (!error && __atomic_exchange_n(&all.token[at], token,
						  __ATOMIC_RELAXED) != token)
			record(all.told, &all.nr_told, token);
		note(w, error, -EEXIST, -ENOENT, 0);
		break;
	case ENDS:
		error = npumem_unexport(all.fd, token);
		if (!error)
			record(all.ended, &all.nr_ended, token);
		note(w, error, -ENOENT, 0, 0);
		break;
	case IMPORTS:
		error = npumem_import(all.fd, token, 1, &handle, NULL);
		note(w, error, -ENOENT, -ESTALE, 0);
		if (!error && npumem_free(all.fd, handle))
			all.strange[w->kind] = 1;
		break;
	default:
		error = npumem_alloc(all.fd, 0, G, &handle);
		if (!error)
			error = npumem_free(all.fd, __atomic_exchange_n(&all.handle[at],
						handle, __ATOMIC_RELAXED));
		note(w, error, 0, 0, 0);
		break;
	}
}

static void *work(void *data)
{
	struct worker *w = data;

	while (!all.stop)
		one_call(w, rand_r(&w->seed) % MEMORIES);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

TEST_F_TIMEOUT(race, export_end_import_and_free, 240)
{
	static const enum kind kinds[] = { EXPORTS, EXPORTS, ENDS, ENDS, IMPORTS,
					   IMPORTS, FREES };
	struct worker workers[ARRAY_SIZE(kinds)];
	unsigned long i;
	unsigned int seed = test_seed(), alive = 0, known = 0;
	struct npumem_share_info info;
	struct npumem_stats stats;

	memset(&all, 0, sizeof(all));
	all.fd = self->fd;
	for (i = 0; i < MEMORIES; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &all.handle[i]));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		workers[i].kind = kinds[i];
		workers[i].seed = seed + i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	}
	for (i = 0; i < 200 * npumem_rounds(1) && !all.stop; i++)
		pause_ms(10);
	all.stop = true;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));

	for (i = 0; i < KINDS; i++) {
		EXPECT_EQ(0, all.strange[i]);
		EXPECT_NE(0, all.done[i]);
		printf("# kind %lu: %lu done, %lu refused\n", i, all.done[i],
		       all.refused[i]);
	}
	ASSERT_GE(TOKENS, all.nr_told);
	/* No share ends twice, and none that nobody was told of. */
	qsort(all.told, all.nr_told, sizeof(__u64), compare);
	qsort(all.ended, all.nr_ended, sizeof(__u64), compare);
	for (i = 0; i < all.nr_ended; i++) {
		EXPECT_TRUE(!i || all.ended[i] != all.ended[i - 1]);
		EXPECT_NE(NULL, bsearch(&all.ended[i], all.told, all.nr_told,
					sizeof(__u64), compare));
		EXPECT_EQ(-ENOENT, npumem_share_info(self->fd, all.ended[i], &info));
	}
	/* What is left are the shares of the memories that are left. */
	for (i = 0; i < all.nr_told; i++) {
		if (i && all.told[i] == all.told[i - 1])
			continue;
		known++;
		alive += !npumem_share_info(self->fd, all.told[i], &info);
	}
	EXPECT_GE(MEMORIES, alive);
	EXPECT_LE(all.nr_ended + alive, known);
	for (i = 0; i < MEMORIES; i++) {
		struct npumem_memory_info memory;

		ASSERT_EQ(0, npumem_memory_info(self->fd, all.handle[i], &memory));
		EXPECT_EQ(1, memory.references);
		alive -= memory.flags == NPUMEM_MEMORY_EXPORTED;
	}
	EXPECT_EQ(0, alive);
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(MEMORIES, stats.handles);
	EXPECT_EQ(0, stats.imports);
	EXPECT_TRUE(watch_used(&self->watch, 0, MEMORIES * G));
}

TEST_HARNESS_MAIN
