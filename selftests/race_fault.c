// SPDX-License-Identifier: MIT
/*
 * Page faults against calls that take away what they are about. What a load finds is
 * the memory's own bytes or a signal, while whoever got the pages next writes other
 * ones into them; and what a call has taken away is gone when it returns.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define MARKED	16384		/* bytes that are written and read */

/* One scene for all tests here: a mapping that nothing is in the page tables of. */
struct scene {
	int fd, other;		/* ours, and that of whoever gets the pages next */
	__u64 at, view;		/* the address at stake, and another one */
	__u64 there;		/* where the other one maps */
	__u64 handle, taken;
	unsigned int round;
	struct dice dice;
	struct race *race;

	/* of the round */
	__u32 access, access_before;
	int error;
	unsigned int loads, signals, stores;
	bool strange, over;
	__u64 later[2];
	unsigned long seen_data, seen_signal, seen_both;
};

/* All bytes of a round's memory; never 0, and never the next owner's. */
static __u64 word_of(unsigned int round)
{
	return (1 + round % 127) * 0x0101010101010101ULL;
}

#define NEXT_OWNERS	0xeeeeeeeeeeeeeeeeULL

static bool fill(struct scene *s, __u64 at, __u64 word)
{
	return !npumem_fill(s->fd, 0, to_ptr(at), MARKED, word & 0xff);
}

/*
 * Maps fresh memory while the VMA lets nobody in, so that the page tables stay empty,
 * and writes to it as the device does.
 */
static bool map_untouched(struct scene *s)
{
	return !npumem_alloc(s->fd, 0, G, &s->handle) &&
	       !mprotect(to_ptr(s->at), G, PROT_NONE) &&
	       !npumem_map(s->fd, s->at, G, s->handle) &&
	       fill(s, s->at, word_of(s->round)) &&
	       !mprotect(to_ptr(s->at), G, PROT_READ | PROT_WRITE);
}

/* Somebody else's memory: likely the pages that were just freed. */
static void take(struct scene *s)
{
	__u64 at;

	if (npumem_alloc(s->other, 0, G, &s->taken) ||
	    npumem_map(s->other, s->there, G, s->taken)) {
		s->strange = true;
		return;
	}
	for (at = s->there; at < s->there + MARKED; at += 8)
		*(volatile __u64 *)to_ptr(at) = NEXT_OWNERS;
}

/* Nobody else has written to it meanwhile. */
static bool give_back(struct scene *s)
{
	bool good = true;
	__u64 at;

	for (at = s->there; at < s->there + MARKED; at += 8)
		good &= *(volatile __u64 *)to_ptr(at) == NEXT_OWNERS;
	return good && !npumem_unmap(s->other, s->there) && !npumem_free(s->other, s->taken);
}

static __u64 somewhere(struct scene *s, __u64 base)
{
	return base + dice_below(&s->dice, MARKED / 8) * 8;
}

/* What a touch came to; what is gone does not come back. */
static void note_touch(struct scene *s, int caught, unsigned int *good)
{
	if (caught == SIGSEGV)
		s->signals++;
	else if (caught || s->signals)
		s->strange = true;
	else
		++*good;
}

/*
 * The first one is what races. The others go on until the other side has done all it
 * does, to see what they should not, and to make entries where none may be any more.
 */
#define TOUCHES(first, again) do {					\
	first;								\
	race_done(&s->race->side[0]);					\
	while (!__atomic_load_n(&s->over, __ATOMIC_ACQUIRE))		\
		again;							\
} while (0)

static void load_once(struct scene *s)
{
	__u64 word = word_of(s->round);

	note_touch(s, careful_load(somewhere(s, s->at), &word), &s->loads);
	if (word != word_of(s->round))
		s->strange = true;
}

static void act_load(void *context)
{
	struct scene *s = context;

	TOUCHES(load_once(s), load_once(s));
}

static void store_once(struct scene *s)
{
	note_touch(s, careful_store(somewhere(s, s->at), word_of(s->round)), &s->stores);
}

static void act_store(void *context)
{
	struct scene *s = context;

	TOUCHES(store_once(s), store_once(s));
}

/* The call is done: now the next owner comes. */
static void next_owner(struct scene *s)
{
	race_done(&s->race->side[1]);
	take(s);
	spin_until(now_ns() + 5000);
	__atomic_store_n(&s->over, true, __ATOMIC_RELEASE);
}

static void count_round(struct scene *s)
{
	unsigned int data = s->loads + s->stores;

	s->seen_data += data && !s->signals;
	s->seen_signal += !data && s->signals;
	s->seen_both += data && s->signals;
	s->loads = s->stores = s->signals = 0;
	s->over = false;
	s->round++;
}

/* ---- unmap, the last one to hold the memory ---- */

static bool prepare_unmap(void *context)
{
	struct scene *s = context;

	s->taken = 0;
	return map_untouched(s) && !npumem_free(s->fd, s->handle);
}

static void act_unmap(void *context)
{
	struct scene *s = context;

	s->error = npumem_unmap(s->fd, s->at);
	next_owner(s);
}

static bool judge_unmap(void *context)
{
	struct scene *s = context;
	bool good = !s->error && !s->strange;
	__u64 word;

	/* Not even an entry that came after the call. */
	good &= careful_load(somewhere(s, s->at), &word) == SIGSEGV;
	good &= give_back(s);
	count_round(s);
	return good;
}

/* ---- reset, which takes handle and mapping at once ---- */

static bool prepare_reset(void *context)
{
	return map_untouched(context);
}

static void act_reset(void *context)
{
	struct scene *s = context;

	s->error = npumem_reset(s->fd, 0);
	next_owner(s);
}

/* ---- free of the handle: the mapping keeps the memory ---- */

static void act_free(void *context)
{
	struct scene *s = context;

	s->error = npumem_free(s->fd, s->handle);
	next_owner(s);
}

static bool judge_free(void *context)
{
	struct scene *s = context;
	bool good = !s->error && !s->strange && !s->signals;
	__u64 word = 0;

	good &= !careful_load(somewhere(s, s->at), &word) && word == word_of(s->round);
	good &= !npumem_unmap(s->fd, s->at) && give_back(s);
	count_round(s);
	return good;
}

/* ---- rights ---- */

static bool prepare_access(void *context)
{
	static const __u32 rights[] = {
		NPUMEM_ACCESS_NONE, NPUMEM_ACCESS_READ, NPUMEM_ACCESS_READWRITE,
	};
	struct scene *s = context;

	s->access_before = rights[1 + dice_below(&s->dice, 2)];
	do {
		s->access = rights[dice_below(&s->dice, 3)];
	} while (s->access == s->access_before);
	return map_untouched(s) && !npumem_map(s->fd, s->view, G, s->handle) &&
	       !npumem_set_access(s->fd, s->at, G, 0, s->access_before);
}

/* A counter that goes up, where that is allowed. */
static void count_once(struct scene *s)
{
	__u64 word = 0;
	int caught = careful_load(s->at, &word);

	if (caught && caught != SIGSEGV)
		s->strange = true;
	if (caught) {
		s->signals++;
		return;
	}
	s->loads++;
	caught = careful_store(s->at, word + 1);
	if (caught && caught != SIGSEGV)
		s->strange = true;
	s->stores += !caught;
}

static void act_count(void *context)
{
	struct scene *s = context;

	TOUCHES(count_once(s), count_once(s));
}

/* When the call has returned nobody stores any more, if it said so. */
static void act_access(void *context)
{
	struct scene *s = context;

	s->error = npumem_set_access(s->fd, s->at, G, 0, s->access);
	s->later[0] = *(volatile __u64 *)to_ptr(s->view);
	race_done(&s->race->side[1]);
	spin_until(now_ns() + 20000);
	s->later[1] = *(volatile __u64 *)to_ptr(s->view);
	__atomic_store_n(&s->over, true, __ATOMIC_RELEASE);
}

static bool judge_access(void *context)
{
	struct scene *s = context;
	bool good = !s->error && !s->strange;
	bool reads = s->access != NPUMEM_ACCESS_NONE;
	bool writes = s->access == NPUMEM_ACCESS_READWRITE;
	__u64 word;

	good &= writes || s->later[0] == s->later[1];
	good &= careful_load(s->at, &word) == (reads ? 0 : SIGSEGV);
	good &= careful_store(s->at, 1) == (writes ? 0 : SIGSEGV);
	good &= !npumem_unmap(s->fd, s->at) && !npumem_unmap(s->fd, s->view) &&
		!npumem_free(s->fd, s->handle);
	/* What it may not do at all it has not done. */
	if (s->access_before == NPUMEM_ACCESS_READ && !writes)
		good &= s->later[0] == word_of(s->round) && !s->stores;
	count_round(s);
	return good;
}

/* ---- the tests ---- */

FIXTURE(fault)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
	long long before;
};

FIXTURE_VARIANT(fault)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(fault, huge_entries) { .huge = true };
FIXTURE_VARIANT_ADD(fault, base_entries) { .huge = false };

FIXTURE_SETUP(fault)
{
	struct scene *s = calloc(1, sizeof(*s));

	self->scene = s;
	self->race = race_new();
	ASSERT_TRUE(watch_start(&self->watch));
	self->before = npumem_parameter("pmd_entries");
	if (variant->huge && !huge_entries_fit())
		SKIP(return, "no huge entries here");
	if (npumem_set_parameter("pmd_entries", variant->huge) && !variant->huge)
		SKIP(return, "needs root");
	s->fd = npumem_open();
	s->other = npumem_open();
	ASSERT_LE(0, s->fd);
	ASSERT_LE(0, s->other);
	ASSERT_EQ(0, npumem_reserve(s->fd, G, &s->at));
	ASSERT_EQ(0, npumem_reserve(s->fd, G, &s->view));
	ASSERT_EQ(0, npumem_reserve(s->other, G, &s->there));
	dice_init(&s->dice, 1);
	careful_begin();
	self->race->context = s;
	s->race = self->race;
	self->race->sides = 2;
}

FIXTURE_TEARDOWN(fault)
{
	struct scene *s = self->scene;

	npumem_set_parameter("pmd_entries", self->before);
	printf("# data in %lu rounds, a signal in %lu, both in %lu\n", s->seen_data,
	       s->seen_signal, s->seen_both);
	munmap(to_ptr(s->at), G);
	munmap(to_ptr(s->view), G);
	munmap(to_ptr(s->there), G);
	close(s->fd);
	close(s->other);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Loads or stores against a call. */
#define SIDES(first, second) do {					\
	self->race->side[0] = (struct race_side) { .name = #first, .act = act_##first }; \
	self->race->side[1] = (struct race_side) { .name = #second, .act = act_##second }; \
} while (0)

/* Both orders, in a run that is long enough; what is gone is touched at the end always. */
#define SAW_BOTH(rounds) do {						\
	if (npumem_many(rounds)) {					\
		EXPECT_LT(0, self->scene->seen_signal);			\
		EXPECT_LT(0, self->scene->seen_both);			\
	}								\
} while (0)

TEST_F_TIMEOUT(fault, load_against_unmap, 3000)
{
	SIDES(load, unmap);
	self->race->prepare = prepare_unmap;
	self->race->judge = judge_unmap;
	RACE_RUN(self->race, 10);
	SAW_BOTH(self->scene->round);
}

TEST_F_TIMEOUT(fault, store_against_unmap, 3000)
{
	SIDES(store, unmap);
	self->race->prepare = prepare_unmap;
	self->race->judge = judge_unmap;
	RACE_RUN(self->race, 10);
	SAW_BOTH(self->scene->round);
}

TEST_F_TIMEOUT(fault, store_against_reset, 3000)
{
	SIDES(store, reset);
	self->race->prepare = prepare_reset;
	self->race->judge = judge_unmap;
	RACE_RUN(self->race, 10);
	SAW_BOTH(self->scene->round);
}

TEST_F_TIMEOUT(fault, load_against_free, 3000)
{
	SIDES(load, free);
	self->race->prepare = prepare_reset;
	self->race->judge = judge_free;
	RACE_RUN(self->race, 10);
}

TEST_F_TIMEOUT(fault, load_and_store_against_rights, 3000)
{
	SIDES(count, access);
	self->race->prepare = prepare_access;
	self->race->judge = judge_access;
	RACE_RUN(self->race, 10);
	SAW_BOTH(self->scene->round);
}

TEST_HARNESS_MAIN
