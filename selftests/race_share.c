// SPDX-License-Identifier: MIT
/*
 * Shares: processes and threads that import, let in, export, end and free at the same
 * time. What each may be told is told by who came first, where that is sure.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define ANYONE	NPUMEM_EXPORT_ANYONE

/* Seen by all processes; descriptors mean something in their owner only. */
struct scene {
	struct race *race;
	int fd, importer_fd[2];
	pid_t importer_pid[2];
	__u64 at[2];			/* a granule of address space of each importer */
	__u64 mine, ours;		/* and of this process, for either device */
	__u64 handle, token, fresh;
	__u64 imported[2];
	int error[3];
	bool strange;
	__u64 used;
	unsigned int round;
	unsigned long succeeded[3], refused[3];
};

static void count(struct scene *s, int side)
{
	if (s->error[side])
		s->refused[side]++;
	else
		s->succeeded[side]++;
}

/* Did one side end before the other began? */
static bool before(struct scene *s, int a, int b)
{
	return s->race->side[a].to < s->race->side[b].from;
}

/* New memory with the round's number in it, exported. */
static bool export_new(struct scene *s, __u32 flags)
{
	if (npumem_alloc(s->fd, 0, G, &s->handle) ||
	    npumem_map(s->fd, s->mine, G, s->handle))
		return false;
	pattern_mark(to_ptr(s->mine), G, s->round);
	return !npumem_unmap(s->fd, s->mine) &&
	       !npumem_export(s->fd, s->handle, flags, &s->token);
}

static bool prepare_anyone(void *context)
{
	return export_new(context, ANYONE);
}

static bool prepare_whitelist(void *context)
{
	return export_new(context, 0);
}

/* ---- the importers ---- */

static bool begin_importer(struct scene *s, int nr)
{
	s->importer_fd[nr] = npumem_open();
	s->importer_pid[nr] = getpid();
	return s->importer_fd[nr] >= 0 &&
	       !npumem_reserve(s->importer_fd[nr], G, &s->at[nr]);
}

static bool begin_first(void *context)
{
	return begin_importer(context, 0);
}

static bool begin_second(void *context)
{
	return begin_importer(context, 1);
}

/* The side that an importer is comes after the others. */
static void import(struct scene *s, int nr)
{
	s->error[nr + 1] = npumem_import(s->importer_fd[nr], s->token, 0, &s->imported[nr],
					 NULL);
}

static void act_import_first(void *context)
{
	import(context, 0);
}

static void act_import_second(void *context)
{
	import(context, 1);
}

/* What was imported is there, whole, and nobody else's. */
static void use(struct scene *s, int nr)
{
	int fd = s->importer_fd[nr];

	if (s->error[nr + 1])
		return;
	if (npumem_map(fd, s->at[nr], G, s->imported[nr]) ||
	    pattern_check(to_ptr(s->at[nr]), G, s->round) >= 0 ||
	    npumem_unmap(fd, s->at[nr]) || npumem_free(fd, s->imported[nr]) ||
	    npumem_free(fd, s->imported[nr]) != -ENOENT)
		s->strange = true;
}

static void after_first(void *context)
{
	use(context, 0);
}

static void after_second(void *context)
{
	use(context, 1);
}

#define IMPORTER(nr_, which) (struct race_side) {			\
	.name = "import",						\
	.is_process = true,						\
	.begin = begin_##which,						\
	.act = act_import_##which,					\
	.after = after_##which,						\
}

/* ---- import against the last free ---- */

static void act_free(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_free(s->fd, s->handle);
}

static bool gone(struct scene *s)
{
	struct npumem_share_info info;

	return npumem_share_info(s->fd, s->token, &info) == -ENOENT &&
	       npumem_used(s->fd, 0) == s->used;
}

static bool import_and_free_right(struct scene *s, int side)
{
	int error = s->error[side];

	if (error && error != -ENOENT && error != -ESTALE)
		return false;
	if (before(s, side, 0) && error)
		return false;
	/* A second importer may hold it when the first free has been. */
	return s->race->sides > 2 || !before(s, 0, side) || error == -ENOENT;
}

static bool judge_free(void *context)
{
	struct scene *s = context;
	bool good = !s->strange && !s->error[0];
	unsigned int i;

	for (i = 1; i < s->race->sides; i++) {
		good &= import_and_free_right(s, i);
		count(s, i);
	}
	s->round++;
	return good && gone(s);
}

/* ---- the whitelist against import ---- */

static void act_allow(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_whitelist_add(s->fd, s->token, s->importer_pid[0]);
}

static bool judge_allow(void *context)
{
	struct scene *s = context;
	bool good = !s->strange && !s->error[0];

	if (s->error[1] && s->error[1] != -EPERM)
		good = false;
	if (before(s, 0, 1) && s->error[1])
		good = false;
	if (before(s, 1, 0) && !s->error[1])
		good = false;
	count(s, 1);
	s->round++;
	return good && !npumem_free(s->fd, s->handle) && gone(s);
}

/* With time to wait it is let in, and told at once. */
static bool judge_wait(void *context)
{
	struct scene *s = context;
	bool good = !s->strange && !s->error[0] && !s->error[1];

	good &= s->race->side[1].to - s->race->side[1].from < 20 * 1000000000LL;
	count(s, 1);
	s->round++;
	return good && !npumem_free(s->fd, s->handle) && gone(s);
}

/* An import that waits, and the memory, or the share, that ends meanwhile. */
static void act_unexport(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_unexport(s->fd, s->token);
}

static bool judge_end(void *context)
{
	struct scene *s = context;
	bool good = !s->strange && !s->error[0];

	good &= s->error[1] == -ENOENT || s->error[1] == -ESTALE;
	good &= s->race->side[1].to - s->race->side[1].from < 20 * 1000000000LL;
	count(s, 1);
	s->round++;
	npumem_free(s->fd, s->handle);
	return good && gone(s);
}

/* ---- export against free and unexport, in threads ---- */

static bool prepare_alloc(void *context)
{
	struct scene *s = context;

	s->token = 0;
	return !npumem_alloc(s->fd, 0, G, &s->handle);
}

static void act_export(void *context)
{
	struct scene *s = context;

	s->fresh = 0;
	s->error[1] = npumem_export(s->fd, s->handle, ANYONE, &s->fresh);
}

static bool judge_export(void *context)
{
	struct scene *s = context;
	bool good = !s->error[0];

	s->token = s->fresh;
	if (s->error[1] && s->error[1] != -ENOENT)
		good = false;
	if (before(s, 0, 1) && s->error[1] != -ENOENT)
		good = false;
	if (before(s, 1, 0) && s->error[1])
		good = false;
	if (!s->error[1] && !s->token)
		good = false;
	count(s, 1);
	s->round++;
	return good && gone(s);
}

static void act_unexport_too(void *context)
{
	struct scene *s = context;

	s->error[2] = npumem_unexport(s->fd, s->token);
}

/* Two end it: one does. One exports: anew, or it is told that it is too early. */
static bool judge_unexport(void *context)
{
	struct scene *s = context;
	struct npumem_share_info info;
	bool good = (!s->error[0] && s->error[2] == -ENOENT) ||
		    (!s->error[2] && s->error[0] == -ENOENT);

	good &= npumem_share_info(s->fd, s->token, &info) == -ENOENT;
	if (s->error[1])
		good &= s->error[1] == -EEXIST;
	else
		good &= s->fresh != s->token && !npumem_share_info(s->fd, s->fresh, &info);
	if (before(s, 1, 0) && before(s, 1, 2))
		good &= s->error[1] == -EEXIST;
	if (before(s, 0, 1) && before(s, 2, 1))
		good &= !s->error[1];
	count(s, 1);
	s->round++;
	if (!s->error[1])
		s->token = s->fresh;
	return good && !npumem_free(s->fd, s->handle) && gone(s);
}

/* ---- two imports in one process ---- */

static void act_import_here(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_import(s->fd, s->token, 1, &s->imported[0], NULL);
}

static void act_import_here_too(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_import(s->fd, s->token, 1, &s->imported[1], NULL);
}

/* One handle with two references, and one link, there and back. */
static bool judge_same(void *context)
{
	struct scene *s = context;
	struct npumem_memory_info info;
	__u32 there = 0, back = 0;
	bool good = !s->error[0] && !s->error[1] && s->imported[0] == s->imported[1];

	good &= !npumem_memory_info(s->fd, s->imported[0], &info) && info.references == 2 &&
		info.device == 1;
	good &= !npumem_peer_status(s->fd, 1, 0, &there) && there == 1;
	good &= !npumem_peer_status(s->fd, 0, 1, &back) && back == 1;
	good &= !npumem_map(s->fd, s->ours, G, s->imported[0]) &&
		pattern_check(to_ptr(s->ours), G, s->round) < 0;
	good &= !npumem_free(s->fd, s->imported[0]) && !npumem_free(s->fd, s->imported[0]) &&
		npumem_free(s->fd, s->imported[0]) == -ENOENT;
	good &= !npumem_reset(s->fd, 1) && !npumem_free(s->fd, s->handle);
	good &= !npumem_peer_status(s->fd, 1, 0, &there) && !there;
	count(s, 0);
	count(s, 1);
	s->round++;
	return good && gone(s);
}

/* ---- the tests ---- */

FIXTURE(share)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
	long long wait;
};

FIXTURE_SETUP(share)
{
	struct scene *s = race_shared(sizeof(*s));

	ASSERT_NE(NULL, s);
	self->scene = s;
	self->race = race_new();
	s->race = self->race;
	ASSERT_TRUE(watch_start(&self->watch));
	s->fd = npumem_open();
	ASSERT_LE(0, s->fd);
	s->used = npumem_used(s->fd, 0);
	ASSERT_EQ(0, npumem_reserve(s->fd, G, &s->mine));
	ASSERT_EQ(0, npumem_reserve(s->fd, G, &s->ours));
	self->wait = npumem_parameter("import_wait_ms");
	self->race->context = s;
	self->race->sides = 2;
}

FIXTURE_TEARDOWN(share)
{
	struct scene *s = self->scene;

	if (!geteuid())
		npumem_set_parameter("import_wait_ms", self->wait);
	printf("# succeeded %lu, %lu, %lu; refused %lu, %lu, %lu\n", s->succeeded[0],
	       s->succeeded[1], s->succeeded[2], s->refused[0], s->refused[1], s->refused[2]);
	munmap(to_ptr(s->mine), G);
	munmap(to_ptr(s->ours), G);
	close(s->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

#define SIDE(nr, call) self->race->side[nr] = (struct race_side) {	\
	.name = #call,							\
	.act = act_##call,						\
}

/* In a long run the side was successful at times, and refused at others. */
#define SAW_BOTH(side) do {						\
	if (npumem_many(self->scene->round)) {				\
		EXPECT_LT(0, self->scene->succeeded[side]);		\
		EXPECT_LT(0, self->scene->refused[side]);		\
	}								\
} while (0)

#define SET_WAIT(ms)							\
	if (npumem_set_parameter("import_wait_ms", ms))			\
		SKIP(return, "needs root")

TEST_F_TIMEOUT(share, import_against_the_last_free, 3000)
{
	SIDE(0, free);
	self->race->side[1] = IMPORTER(0, first);
	self->race->prepare = prepare_anyone;
	self->race->judge = judge_free;
	RACE_RUN(self->race, 15);
	SAW_BOTH(1);
}

TEST_F_TIMEOUT(share, two_processes_import_against_the_last_free, 3000)
{
	SIDE(0, free);
	self->race->side[1] = IMPORTER(0, first);
	self->race->side[2] = IMPORTER(1, second);
	self->race->sides = 3;
	self->race->prepare = prepare_anyone;
	self->race->judge = judge_free;
	RACE_RUN(self->race, 15);
	SAW_BOTH(1);
	SAW_BOTH(2);
}

TEST_F_TIMEOUT(share, whitelist_against_import, 3000)
{
	SET_WAIT(0);
	SIDE(0, allow);
	self->race->side[1] = IMPORTER(0, first);
	self->race->prepare = prepare_whitelist;
	self->race->judge = judge_allow;
	RACE_RUN(self->race, 15);
	SAW_BOTH(1);
}

TEST_F_TIMEOUT(share, whitelist_against_import_that_waits, 3000)
{
	SET_WAIT(60000);
	SIDE(0, allow);
	self->race->side[1] = IMPORTER(0, first);
	self->race->prepare = prepare_whitelist;
	self->race->judge = judge_wait;
	self->race->ordered = true;
	RACE_RUN(self->race, 15);
	EXPECT_EQ(0, self->scene->refused[1]);
}

TEST_F_TIMEOUT(share, last_free_against_import_that_waits, 3000)
{
	SET_WAIT(60000);
	SIDE(0, free);
	self->race->side[1] = IMPORTER(0, first);
	self->race->prepare = prepare_whitelist;
	self->race->judge = judge_end;
	self->race->ordered = true;
	RACE_RUN(self->race, 15);
}

TEST_F_TIMEOUT(share, unexport_against_import_that_waits, 3000)
{
	SET_WAIT(60000);
	SIDE(0, unexport);
	self->race->side[1] = IMPORTER(0, first);
	self->race->prepare = prepare_whitelist;
	self->race->judge = judge_end;
	self->race->ordered = true;
	RACE_RUN(self->race, 15);
}

TEST_F_TIMEOUT(share, export_against_free, 3000)
{
	SIDE(0, free);
	SIDE(1, export);
	self->race->prepare = prepare_alloc;
	self->race->judge = judge_export;
	RACE_RUN(self->race, 15);
	SAW_BOTH(1);
}

TEST_F_TIMEOUT(share, export_against_two_unexports, 3000)
{
	SIDE(0, unexport);
	SIDE(1, export);
	SIDE(2, unexport_too);
	self->race->sides = 3;
	self->race->prepare = prepare_anyone;
	self->race->judge = judge_unexport;
	RACE_RUN(self->race, 15);
	SAW_BOTH(1);
}

TEST_F_TIMEOUT(share, two_threads_import, 3000)
{
	SIDE(0, import_here);
	SIDE(1, import_here_too);
	self->race->prepare = prepare_anyone;
	self->race->judge = judge_same;
	RACE_RUN(self->race, 15);
}

TEST_HARNESS_MAIN
