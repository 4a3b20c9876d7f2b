// SPDX-License-Identifier: MIT
/*
 * munmap() of a reservation against calls that change what is mapped in it: both of them
 * take the same entries out of the page tables and give the same memory back.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define LENGTH	(2 * G)		/* two mappings in a reservation */

struct scene {
	struct race *race;
	int fd;
	__u64 at, handle[2];
	int error[3];
	__u64 used;
	unsigned int round;
	unsigned long succeeded, refused;
};

static bool before(struct scene *s, int a, int b)
{
	return s->race->side[a].to < s->race->side[b].from;
}

/* The first memory is held by its mapping only, the second one by its handle too. */
static bool prepare(void *context)
{
	struct scene *s = context;
	int i;

	if (npumem_mmap(s->fd, to_ptr(s->at), LENGTH, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, 0, NULL))
		return false;
	for (i = 0; i < 2; i++) {
		if (npumem_alloc(s->fd, 0, G, &s->handle[i]) ||
		    npumem_map(s->fd, s->at + i * G, G, s->handle[i]))
			return false;
		pattern_mark(to_ptr(s->at + i * G), G, s->round);
	}
	return !npumem_free(s->fd, s->handle[0]);
}

static void act_munmap(void *context)
{
	struct scene *s = context;

	s->error[0] = munmap(to_ptr(s->at), LENGTH) ? -errno : 0;
}

static void act_unmap(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_unmap(s->fd, s->at);
}

static void act_reset(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_reset(s->fd, 0);
}

static void act_rights(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_set_access(s->fd, s->at, LENGTH, 0, NPUMEM_ACCESS_READ);
}

/* Finds its addresses gone, or its mappings, or is in the middle of it. */
static void act_load(void *context)
{
	struct scene *s = context;
	__u64 word, at = s->at + (s->round & 1) * G;

	s->error[1] = careful_load(at, &word);
	if (!s->error[1] && word != pattern_word(s->round, 0))
		s->error[1] = -EILSEQ;
}

static bool judge(struct scene *s, int refusal)
{
	struct npumem_stats stats;
	bool good = !s->error[0];
	__u64 word;

	good &= !s->error[1] || s->error[1] == refusal;
	if (refusal && before(s, 0, 1))
		good &= s->error[1] == refusal;
	if (before(s, 1, 0))
		good &= !s->error[1];
	s->succeeded += !s->error[1];
	s->refused += !!s->error[1];

	good &= careful_load(s->at, &word) == SIGSEGV &&
		careful_load(s->at + G, &word) == SIGSEGV;
	good &= npumem_free(s->fd, s->handle[0]) == -ENOENT;
	good &= npumem_free(s->fd, s->handle[1]) == (s->race->side[1].act == act_reset ?
						     -ENOENT : 0);
	good &= !npumem_stats(s->fd, &stats) && !stats.reservations && !stats.mappings &&
		!stats.handles && !stats.mapped_bytes && !stats.reserved_bytes;
	good &= npumem_used(s->fd, 0) == s->used;
	s->round++;
	return good;
}

static bool judge_unmap(void *context)
{
	return judge(context, -ENOENT);
}

static bool judge_reset(void *context)
{
	return judge(context, 0);
}

static bool judge_rights(void *context)
{
	return judge(context, -EADDRNOTAVAIL);
}

static bool judge_load(void *context)
{
	return judge(context, SIGSEGV);
}

FIXTURE(unmap)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
};

FIXTURE_SETUP(unmap)
{
	struct scene *s = calloc(1, sizeof(*s));

	self->scene = s;
	self->race = race_new();
	s->race = self->race;
	ASSERT_TRUE(watch_start(&self->watch));
	s->fd = npumem_open();
	ASSERT_LE(0, s->fd);
	s->used = npumem_used(s->fd, 0);
	ASSERT_EQ(0, find_space(LENGTH, G, &s->at));
	careful_begin();
	self->race->context = s;
	self->race->prepare = prepare;
	self->race->sides = 2;
}

FIXTURE_TEARDOWN(unmap)
{
	struct scene *s = self->scene;

	printf("# succeeded %lu, refused %lu\n", s->succeeded, s->refused);
	close(s->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

#define RACE(call) do {							\
	self->race->side[0] = (struct race_side) { .name = "munmap", .act = act_munmap }; \
	self->race->side[1] = (struct race_side) { .name = #call, .act = act_##call }; \
	self->race->judge = judge_##call;				\
	RACE_RUN(self->race, 15);					\
} while (0)

#define SAW_BOTH() do {							\
	if (npumem_many(self->scene->round)) {				\
		EXPECT_LT(0, self->scene->succeeded);			\
		EXPECT_LT(0, self->scene->refused);			\
	}								\
} while (0)

TEST_F_TIMEOUT(unmap, munmap_against_unmap, 3000)
{
	RACE(unmap);
	SAW_BOTH();
}

TEST_F_TIMEOUT(unmap, munmap_against_reset, 3000)
{
	RACE(reset);
}

TEST_F_TIMEOUT(unmap, munmap_against_rights, 3000)
{
	RACE(rights);
	SAW_BOTH();
}

TEST_F_TIMEOUT(unmap, munmap_against_load, 3000)
{
	RACE(load);
	SAW_BOTH();
}

TEST_HARNESS_MAIN
