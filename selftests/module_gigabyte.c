// SPDX-License-Identifier: MIT
/*
 * Races about an entry of 1 GiB, of a carve-out: it is taken away, or a part of it gets
 * other rights, while others store to it. What is mapped there next must not be met by
 * what was meant for the GiB, nor the other way round.
 */
#include "npumem_client.h"
#include "npumem_module.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

/* A granule of the GiB, where another memory is mapped when the GiB is gone. */
#define PLACE	(7 * G)

struct scene {
	struct race *race;
	int fd;
	__u64 gib, small;	/* handles */
	__u64 at, view;		/* reservations; who looks what came of it maps at view */
	__u32 rights;		/* of the GiB, when a round begins */
	__u32 part;		/* of the granule, when its rights change */
	int unmap, map, store, change;	/* what came of them */
	unsigned int round;
	unsigned long stored, refused, to_gib, to_small;
};

static bool prepare(void *context)
{
	struct scene *s = context;

	s->unmap = s->map = s->store = s->change = 0;
	s->round++;
	if (npumem_map(s->fd, s->at, GIB, s->gib))
		return false;
	return s->rights == NPUMEM_ACCESS_READWRITE ||
	       !npumem_set_access(s->fd, s->at, GIB, 1, s->rights);
}

static void act_replace(void *context)
{
	struct scene *s = context;

	s->unmap = npumem_unmap(s->fd, s->at);
	s->map = npumem_map(s->fd, s->at + PLACE, G, s->small);
}

static void act_store(void *context)
{
	struct scene *s = context;

	s->store = careful_store(s->at + PLACE, s->round);
}

static void act_change(void *context)
{
	struct scene *s = context;

	s->change = npumem_set_access(s->fd, s->at + PLACE, G, 1, s->part);
}

/* What a memory has where the store was to go; the address is free again. */
static bool look(struct scene *s, __u64 handle, __u64 length, __u64 offset, __u64 *word)
{
	bool good = !npumem_map(s->fd, s->view, length, handle) &&
		    !careful_load(s->view + offset, word);

	return good & !npumem_unmap(s->fd, s->view);
}

static bool before(const struct scene *s, int a, int b)
{
	return s->race->side[a].to < s->race->side[b].from;
}

static bool judge_replace(void *context)
{
	struct scene *s = context;
	bool good = !s->unmap && !s->map, in_gib, in_small;
	__u64 gib = 0, small = 0;

	/* The granule is a part of the GiB, or the other memory, or nothing. */
	good &= !s->change || s->change == -EADDRNOTAVAIL;
	good &= !npumem_unmap(s->fd, s->at + PLACE);
	good &= look(s, s->gib, GIB, PLACE, &gib);
	good &= look(s, s->small, G, 0, &small);
	in_gib = gib == s->round;
	in_small = small == s->round;
	good &= in_gib + in_small == !s->store;
	if (before(s, 0, 1))
		good &= !in_gib;
	if (before(s, 1, 0))
		good &= !in_small;
	s->stored += !s->store;
	s->refused += !!s->store;
	s->to_gib += in_gib;
	s->to_small += in_small;
	return good;
}

static bool judge_change(void *context)
{
	struct scene *s = context;
	bool good = !s->change, takes = s->part == NPUMEM_ACCESS_READ;
	__u64 word = 0;

	if (before(s, 0, 1))
		good &= takes ? s->store == SIGSEGV : !s->store;
	if (before(s, 1, 0))
		good &= takes ? !s->store : s->store == SIGSEGV;
	good &= careful_store(s->at + PLACE, s->round) == (takes ? SIGSEGV : 0);
	good &= careful_store(s->at, s->round) == (takes ? 0 : SIGSEGV);
	good &= !npumem_unmap(s->fd, s->at);
	good &= look(s, s->gib, GIB, PLACE, &word);
	good &= (word == s->round) == (!takes || !s->store);
	s->stored += !s->store;
	s->refused += !!s->store;
	return good;
}

/* Nothing of it is left, nor the module. */
static bool scene_end(struct scene *s)
{
	bool good = !munmap(to_ptr(s->at), GIB) & !munmap(to_ptr(s->view), GIB);

	close(s->fd);
	return good & !unload();
}

FIXTURE(gigabyte)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
};

FIXTURE_SETUP(gigabyte)
{
	const char *given = getenv("NPUMEM_CARVEOUT"), *why = module_begin();
	struct scene *s = calloc(1, sizeof(*s));
	struct npumem_stats stats;
	char text[128];
	__u64 length;

	if (!why && !given)
		why = "no memory is carved out: set NPUMEM_CARVEOUT";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, unload());
	snprintf(text, sizeof(text), "devices=2 carveout=,%s", given);
	ASSERT_EQ(0, load(text));
	self->scene = s;
	self->race = race_new();
	s->race = self->race;
	s->fd = open_patiently();
	ASSERT_LE(0, s->fd);
	ASSERT_EQ(0, npumem_alloc_flags(s->fd, 1, GIB, NPUMEM_ALLOC_1G, &s->gib, &length));
	ASSERT_EQ(0, npumem_alloc(s->fd, 1, G, &s->small));
	ASSERT_EQ(0, npumem_reserve_aligned(s->fd, GIB, GIB, &s->at));
	ASSERT_EQ(0, npumem_reserve_aligned(s->fd, GIB, GIB, &s->view));
	/* Of smaller entries race_fault and race_unmap tell, and sooner. */
	ASSERT_EQ(0, npumem_map(s->fd, s->view, GIB, s->gib));
	ASSERT_EQ(0, npumem_stats(s->fd, &stats));
	ASSERT_EQ(0, npumem_unmap(s->fd, s->view));
	if (!stats.pud_entries) {
		self->scene = NULL;
		ASSERT_TRUE(scene_end(s));
		ASSERT_TRUE(module_end());
		SKIP(return, "this kernel has no entries of 1 GiB");
	}
	ASSERT_TRUE(watch_start(&self->watch));
	s->rights = NPUMEM_ACCESS_READWRITE;
	careful_begin();
	self->race->context = s;
	self->race->prepare = prepare;
}

FIXTURE_TEARDOWN(gigabyte)
{
	struct scene *s = self->scene;

	if (s) {
		printf("# stored %lu, refused %lu; to the GiB %lu, to what came after %lu\n",
		       s->stored, s->refused, s->to_gib, s->to_small);
		EXPECT_TRUE(watch_end(&self->watch));
		EXPECT_TRUE(scene_end(s));
	}
	EXPECT_TRUE(module_end());
}

#define SIDE(n, what)	(self->race->side[n] = \
			 (struct race_side) { .name = #what, .act = act_##what })

/* The GiB goes, and another memory comes to where the store is to go. */
TEST_F_TIMEOUT(gigabyte, replaced_against_store, 3000)
{
	SIDE(0, replace);
	SIDE(1, store);
	self->race->sides = 2;
	self->race->judge = judge_replace;
	RACE_RUN(self->race, 40);
	if (npumem_many(self->scene->round))
		EXPECT_LT(0, self->scene->to_gib);
}

/* Meanwhile the store loses its right, which cuts the GiB. */
TEST_F_TIMEOUT(gigabyte, replaced_and_cut_against_store, 3000)
{
	SIDE(0, replace);
	SIDE(1, store);
	SIDE(2, change);
	self->race->sides = 3;
	self->race->judge = judge_replace;
	self->scene->part = NPUMEM_ACCESS_READ;
	RACE_RUN(self->race, 40);
}

/* Meanwhile the store gets its right, which none in the GiB had. */
TEST_F_TIMEOUT(gigabyte, replaced_and_allowed_against_store, 3000)
{
	SIDE(0, replace);
	SIDE(1, store);
	SIDE(2, change);
	self->race->sides = 3;
	self->race->judge = judge_replace;
	self->scene->rights = NPUMEM_ACCESS_READ;
	self->scene->part = NPUMEM_ACCESS_READWRITE;
	RACE_RUN(self->race, 40);
}

TEST_F_TIMEOUT(gigabyte, store_against_cut, 3000)
{
	SIDE(0, change);
	SIDE(1, store);
	self->race->sides = 2;
	self->race->judge = judge_change;
	self->scene->part = NPUMEM_ACCESS_READ;
	RACE_RUN(self->race, 40);
	if (npumem_many(self->scene->round)) {
		EXPECT_LT(0, self->scene->stored);
		EXPECT_LT(0, self->scene->refused);
	}
}

TEST_F_TIMEOUT(gigabyte, store_against_right_to_it, 3000)
{
	SIDE(0, change);
	SIDE(1, store);
	self->race->sides = 2;
	self->race->judge = judge_change;
	self->scene->rights = NPUMEM_ACCESS_READ;
	self->scene->part = NPUMEM_ACCESS_READWRITE;
	RACE_RUN(self->race, 40);
	if (npumem_many(self->scene->round)) {
		EXPECT_LT(0, self->scene->stored);
		EXPECT_LT(0, self->scene->refused);
	}
}

TEST_HARNESS_MAIN
