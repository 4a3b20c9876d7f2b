// SPDX-License-Identifier: MIT
/*
 * Threads of one process that map, unmap, retain, free and release the same thing at
 * the same time. One of two wins, and what is left fits what the calls have said.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

struct scene {
	struct race *race;
	int fd;
	__u64 at, view;			/* two granules at stake, and one to look from */
	__u64 handle[2];
	__u64 retained;
	int error[2];
	__u64 used;
	unsigned int round;
	unsigned long outcome[2][2];	/* of both sides: refused or not */
};

static bool before(struct scene *s, int a, int b)
{
	return s->race->side[a].to < s->race->side[b].from;
}

static __u64 seed_of(struct scene *s, int nr)
{
	return s->round * 2 + nr;
}

/* Memory with a pattern of its own. */
static bool alloc_marked(struct scene *s, int nr)
{
	if (npumem_alloc(s->fd, 0, G, &s->handle[nr]) ||
	    npumem_map(s->fd, s->view, G, s->handle[nr]))
		return false;
	pattern_mark(to_ptr(s->view), G, seed_of(s, nr));
	return !npumem_unmap(s->fd, s->view);
}

static bool holds(struct scene *s, __u64 at, int nr)
{
	return pattern_check(to_ptr(at), G, seed_of(s, nr)) < 0;
}

static bool count(struct scene *s)
{
	s->outcome[!s->error[0]][!s->error[1]]++;
	s->round++;
	return npumem_used(s->fd, 0) == s->used;
}

static bool mapped(struct scene *s, __u64 mappings)
{
	struct npumem_stats stats;

	return !npumem_stats(s->fd, &stats) && stats.mappings == mappings &&
	       stats.mapped_bytes == mappings * G;
}

/* ---- two maps at one address ---- */

static bool prepare_two(void *context)
{
	return alloc_marked(context, 0) && alloc_marked(context, 1);
}

static void act_map_one(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_map(s->fd, s->at, G, s->handle[0]);
}

static void act_map_other(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_map(s->fd, s->at, G, s->handle[1]);
}

static bool judge_two(void *context)
{
	struct scene *s = context;
	int winner = s->error[0] ? 1 : 0;
	bool good = !s->error[winner] && s->error[!winner] == -EEXIST;

	if (before(s, 0, 1) || before(s, 1, 0))
		good &= before(s, winner, !winner);
	good &= mapped(s, 1) && holds(s, s->at, winner);
	good &= !npumem_unmap(s->fd, s->at) && npumem_unmap(s->fd, s->at) == -ENOENT &&
		!npumem_free(s->fd, s->handle[0]) && !npumem_free(s->fd, s->handle[1]);
	return count(s) && good;
}

/* ---- map where somebody unmaps ---- */

static bool prepare_replace(void *context)
{
	struct scene *s = context;

	return prepare_two(s) && !npumem_map(s->fd, s->at, G, s->handle[0]) &&
	       holds(s, s->at, 0) && !npumem_free(s->fd, s->handle[0]);
}

static void act_unmap(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_unmap(s->fd, s->at);
}

static bool judge_replace(void *context)
{
	struct scene *s = context;
	bool good = !s->error[0];
	__u64 word;

	if (s->error[1]) {
		good &= s->error[1] == -EEXIST && !before(s, 0, 1) && mapped(s, 0);
		good &= careful_load(s->at, &word) == SIGSEGV;
	} else {
		good &= !before(s, 1, 0) && mapped(s, 1) && holds(s, s->at, 1);
		good &= !npumem_unmap(s->fd, s->at);
	}
	good &= !npumem_free(s->fd, s->handle[1]);
	return count(s) && good;
}

/* ---- retain against unmap, the last to hold the memory ---- */

static bool prepare_last(void *context)
{
	struct scene *s = context;

	return alloc_marked(s, 0) && !npumem_map(s->fd, s->at, G, s->handle[0]) &&
	       !npumem_free(s->fd, s->handle[0]);
}

static void act_retain(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_retain(s->fd, s->at, &s->retained);
}

static bool judge_retain(void *context)
{
	struct scene *s = context;
	struct npumem_memory_info info;
	bool good = !s->error[0] && mapped(s, 0);

	if (s->error[1]) {
		good &= s->error[1] == -ENOENT && !before(s, 1, 0);
		good &= npumem_used(s->fd, 0) == s->used;
	} else {
		good &= !before(s, 0, 1) && npumem_used(s->fd, 0) == s->used + G;
		good &= !npumem_memory_info(s->fd, s->retained, &info) &&
			info.references == 1 && !info.flags;
		good &= !npumem_map(s->fd, s->at, G, s->retained) && holds(s, s->at, 0);
		good &= !npumem_unmap(s->fd, s->at) && !npumem_free(s->fd, s->retained);
	}
	return count(s) && good;
}

/* ---- map against free of the handle ---- */

static bool prepare_one(void *context)
{
	return alloc_marked(context, 0);
}

static void act_free(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_free(s->fd, s->handle[0]);
}

static void act_map_freed(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_map(s->fd, s->at, G, s->handle[0]);
}

static bool judge_freed(void *context)
{
	struct scene *s = context;
	bool good = !s->error[0];

	if (s->error[1]) {
		good &= s->error[1] == -ENOENT && !before(s, 1, 0) && mapped(s, 0);
	} else {
		good &= !before(s, 0, 1) && mapped(s, 1) && holds(s, s->at, 0);
		good &= npumem_used(s->fd, 0) == s->used + G && !npumem_unmap(s->fd, s->at);
	}
	return count(s) && good;
}

/* ---- two unmaps, and two frees, of one thing ---- */

static void act_unmap_too(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_unmap(s->fd, s->at);
}

static void act_free_too(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_free(s->fd, s->handle[0]);
}

static bool judge_once(void *context)
{
	struct scene *s = context;
	bool good = (!s->error[0] && s->error[1] == -ENOENT) ||
		    (!s->error[1] && s->error[0] == -ENOENT);

	good &= mapped(s, 0);
	return count(s) && good;
}

/* ---- set_access against unmap ---- */

static void act_rights(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_set_access(s->fd, s->at, G, 0, NPUMEM_ACCESS_READ);
}

static bool judge_rights(void *context)
{
	struct scene *s = context;
	bool good = !s->error[0] && mapped(s, 0);
	__u64 word;

	good &= !s->error[1] || (s->error[1] == -EADDRNOTAVAIL && !before(s, 1, 0));
	good &= s->error[1] || !before(s, 0, 1);
	good &= careful_load(s->at, &word) == SIGSEGV;
	return count(s) && good;
}

/* ---- release against map ---- */

static bool prepare_release(void *context)
{
	struct scene *s = context;

	/* Where the last one was, if that has gone. */
	if (npumem_mmap(s->fd, to_ptr(s->at), 2 * G, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, 0, NULL))
		return false;
	return alloc_marked(s, 0);
}

static void act_release(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_release(s->fd, s->at);
}

static void act_map_released(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_map(s->fd, s->at, G, s->handle[0]);
}

static bool judge_release(void *context)
{
	struct scene *s = context;
	struct npumem_stats stats;
	bool good = !npumem_stats(s->fd, &stats);
	__u64 word;

	if (s->error[0]) {
		good &= s->error[0] == -EBUSY && !s->error[1] && !before(s, 0, 1);
		good &= mapped(s, 1) && holds(s, s->at, 0) && stats.reservations == 2;
		good &= !npumem_unmap(s->fd, s->at);
	} else {
		good &= s->error[1] == -EADDRNOTAVAIL && !before(s, 1, 0);
		good &= mapped(s, 0) && stats.reservations == 1;
		good &= careful_load(s->at, &word) == SIGSEGV;
	}
	good &= !npumem_free(s->fd, s->handle[0]);
	return count(s) && good;
}

/* ---- the tests ---- */

FIXTURE(map)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
};

FIXTURE_SETUP(map)
{
	struct scene *s = calloc(1, sizeof(*s));

	self->scene = s;
	self->race = race_new();
	s->race = self->race;
	ASSERT_TRUE(watch_start(&self->watch));
	s->fd = npumem_open();
	ASSERT_LE(0, s->fd);
	s->used = npumem_used(s->fd, 0);
	ASSERT_EQ(0, npumem_reserve(s->fd, 2 * G, &s->at));
	ASSERT_EQ(0, npumem_reserve(s->fd, G, &s->view));
	careful_begin();
	self->race->context = s;
	self->race->sides = 2;
}

FIXTURE_TEARDOWN(map)
{
	struct scene *s = self->scene;

	printf("# both %lu, first %lu, second %lu, none %lu\n", s->outcome[1][1],
	       s->outcome[1][0], s->outcome[0][1], s->outcome[0][0]);
	munmap(to_ptr(s->at), 2 * G);
	munmap(to_ptr(s->view), G);
	close(s->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

/* @a and @b are what the two calls may say, and in a long run have said. */
#define RACE(first, second, prepare_, judge_, a, b) do {		\
	self->race->side[0] = (struct race_side) { .name = #first, .act = act_##first }; \
	self->race->side[1] = (struct race_side) { .name = #second, .act = act_##second }; \
	self->race->prepare = prepare_;					\
	self->race->judge = judge_;					\
	RACE_RUN(self->race, 15);					\
	if (npumem_many(self->scene->round)) {				\
		EXPECT_LT(0, (a));					\
		EXPECT_LT(0, (b));					\
	}								\
} while (0)

#define BOTH	(self->scene->outcome[1][1])
#define FIRST	(self->scene->outcome[1][0])
#define SECOND	(self->scene->outcome[0][1])

TEST_F_TIMEOUT(map, two_maps_at_one_address, 3000)
{
	RACE(map_one, map_other, prepare_two, judge_two, FIRST, SECOND);
}

TEST_F_TIMEOUT(map, map_against_unmap_at_one_address, 3000)
{
	RACE(unmap, map_other, prepare_replace, judge_replace, FIRST, BOTH);
}

TEST_F_TIMEOUT(map, retain_against_unmap, 3000)
{
	RACE(unmap, retain, prepare_last, judge_retain, FIRST, BOTH);
}

TEST_F_TIMEOUT(map, map_against_free, 3000)
{
	RACE(free, map_freed, prepare_one, judge_freed, FIRST, BOTH);
}

TEST_F_TIMEOUT(map, two_unmaps, 3000)
{
	RACE(unmap, unmap_too, prepare_last, judge_once, FIRST, SECOND);
}

TEST_F_TIMEOUT(map, two_frees, 3000)
{
	RACE(free, free_too, prepare_one, judge_once, FIRST, SECOND);
}

TEST_F_TIMEOUT(map, set_access_against_unmap, 3000)
{
	RACE(unmap, rights, prepare_last, judge_rights, FIRST, BOTH);
}

TEST_F_TIMEOUT(map, release_against_map, 3000)
{
	RACE(release, map_released, prepare_release, judge_release, FIRST, SECOND);
}

TEST_HARNESS_MAIN
