// SPDX-License-Identifier: MIT
/*
 * Copies against calls that take away what they read or write. Whatever the copy says,
 * it has read this memory only and written to this memory only, though the pages
 * may have gone to somebody else before it was over.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define LENGTH		(2 * G)

/* What is in each byte of the memory, of the buffer, and of the next owner's. */
#define OURS		0x11
#define BUFFERS		0x22
#define NEXT_OWNERS	0xee

struct scene {
	struct race *race;
	int fd, other;
	__u64 at, there, view;
	__u64 handle, taken;
	unsigned char *buffer;
	int error[2];
	bool strange;
	__u64 used;
	unsigned int round;
	unsigned long whole, refused, cut;
};

static bool before(struct scene *s, int a, int b)
{
	return s->race->side[a].to < s->race->side[b].from;
}

static bool prepare(void *context)
{
	struct scene *s = context;

	memset(s->buffer, BUFFERS, LENGTH);
	return !npumem_alloc(s->fd, 0, LENGTH, &s->handle) &&
	       !npumem_map(s->fd, s->at, LENGTH, s->handle) &&
	       !npumem_fill(s->fd, 0, to_ptr(s->at), LENGTH, OURS);
}

/* Its last reference is the mapping's. */
static bool prepare_last(void *context)
{
	struct scene *s = context;

	return prepare(s) && !npumem_free(s->fd, s->handle);
}

static bool prepare_viewed(void *context)
{
	struct scene *s = context;

	return prepare(s) && !npumem_map(s->fd, s->view, LENGTH, s->handle);
}

/* ---- the copies ---- */

static void act_read(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_copy(s->fd, 0, s->buffer, to_ptr(s->at), LENGTH);
}

static void act_write(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_copy(s->fd, 0, to_ptr(s->at), s->buffer, LENGTH);
}

static void act_fill(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_fill(s->fd, 0, to_ptr(s->at), LENGTH, BUFFERS);
}

/* Its upper half into its lower one: the same bytes. */
static void act_move(void *context)
{
	struct scene *s = context;

	s->error[0] = npumem_copy(s->fd, 0, to_ptr(s->at), to_ptr(s->at + G), G);
}

/* ---- what takes the memory away ---- */

static void act_unmap(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_unmap(s->fd, s->at);
	race_done(&s->race->side[1]);
	if (npumem_alloc(s->other, 0, LENGTH, &s->taken) ||
	    npumem_map(s->other, s->there, LENGTH, s->taken))
		s->strange = true;
	else
		memset(to_ptr(s->there), NEXT_OWNERS, LENGTH);
}

static void act_close_rights(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_set_access(s->fd, s->at, LENGTH, 0, NPUMEM_ACCESS_NONE);
}

static void act_free(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_free(s->fd, s->handle);
}

/* ---- what has become of it ---- */

/* How many bytes of @p are @first up to where @rest begins; -1 if it is neither. */
static long border(const unsigned char *p, unsigned char first, unsigned char rest)
{
	__s64 at = bytes_differ(p, LENGTH, first);

	if (at < 0)
		return LENGTH;
	return bytes_differ(p + at, LENGTH - at, rest) < 0 ? at : -1;
}

static bool judge_error(struct scene *s, int refusal)
{
	bool good = !s->error[1] && !s->strange;

	if (s->error[0])
		good &= s->error[0] == refusal && !before(s, 0, 1);
	else
		good &= !before(s, 1, 0);
	s->whole += !s->error[0];
	s->round++;
	return good;
}

/* Of a copy that failed in the middle a part was done. */
static bool judge_bytes(struct scene *s, long done)
{
	if (s->error[0]) {
		s->cut += done > 0;
		s->refused += !done;
	}
	return done >= 0 && (s->error[0] || done == LENGTH);
}

static bool judge_read(void *context)
{
	struct scene *s = context;
	bool good = judge_error(s, -EADDRNOTAVAIL) &&
		    judge_bytes(s, border(s->buffer, OURS, BUFFERS));

	good &= bytes_differ(to_ptr(s->there), LENGTH, NEXT_OWNERS) < 0;
	good &= !npumem_unmap(s->other, s->there) && !npumem_free(s->other, s->taken);
	return good && npumem_used(s->fd, 0) == s->used;
}

/* What was written went to the old owner's, which nobody sees any more. */
static bool judge_write(void *context)
{
	struct scene *s = context;
	bool good = judge_error(s, -EADDRNOTAVAIL);

	good &= bytes_differ(to_ptr(s->there), LENGTH, NEXT_OWNERS) < 0;
	good &= !npumem_unmap(s->other, s->there) && !npumem_free(s->other, s->taken);
	return good && npumem_used(s->fd, 0) == s->used;
}

static bool end_viewed(struct scene *s)
{
	return !npumem_unmap(s->fd, s->at) && !npumem_unmap(s->fd, s->view) &&
	       !npumem_free(s->fd, s->handle) && npumem_used(s->fd, 0) == s->used;
}

static bool judge_read_rights(void *context)
{
	struct scene *s = context;
	bool good = judge_error(s, -EPERM) &&
		    judge_bytes(s, border(s->buffer, OURS, BUFFERS));

	return end_viewed(s) && good;
}

static bool judge_write_rights(void *context)
{
	struct scene *s = context;
	bool good = judge_error(s, -EROFS) &&
		    judge_bytes(s, border(to_ptr(s->view), BUFFERS, OURS));

	return end_viewed(s) && good;
}

/* The mapping holds it. */
static bool judge_read_freed(void *context)
{
	struct scene *s = context;
	bool good = !s->error[0] && !s->error[1] && border(s->buffer, OURS, OURS) == LENGTH;

	s->whole++;
	s->round++;
	return !npumem_unmap(s->fd, s->at) && good && npumem_used(s->fd, 0) == s->used;
}

/* ---- the tests ---- */

FIXTURE(copy)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
};

FIXTURE_SETUP(copy)
{
	struct scene *s = calloc(1, sizeof(*s));

	self->scene = s;
	self->race = race_new();
	s->race = self->race;
	ASSERT_TRUE(watch_start(&self->watch));
	s->fd = npumem_open();
	s->other = npumem_open();
	ASSERT_LE(0, s->fd);
	ASSERT_LE(0, s->other);
	s->used = npumem_used(s->fd, 0);
	s->buffer = aligned_alloc(4096, LENGTH);
	ASSERT_EQ(0, npumem_reserve(s->fd, LENGTH, &s->at));
	ASSERT_EQ(0, npumem_reserve(s->fd, LENGTH, &s->view));
	ASSERT_EQ(0, npumem_reserve(s->other, LENGTH, &s->there));
	self->race->context = s;
	self->race->sides = 2;
}

FIXTURE_TEARDOWN(copy)
{
	struct scene *s = self->scene;

	printf("# copied in %lu rounds, in %lu a part, in %lu nothing\n", s->whole, s->cut,
	       s->refused);
	munmap(to_ptr(s->at), LENGTH);
	munmap(to_ptr(s->view), LENGTH);
	munmap(to_ptr(s->there), LENGTH);
	free(s->buffer);
	close(s->fd);
	close(s->other);
	EXPECT_TRUE(watch_end(&self->watch));
}

#define RACE(first, second, prepare_, judge_) do {			\
	self->race->side[0] = (struct race_side) { .name = #first, .act = act_##first }; \
	self->race->side[1] = (struct race_side) { .name = #second, .act = act_##second }; \
	self->race->prepare = prepare_;					\
	self->race->judge = judge_;					\
	RACE_RUN(self->race, 10);					\
} while (0)

TEST_F_TIMEOUT(copy, from_memory_against_unmap, 3000)
{
	RACE(read, unmap, prepare_last, judge_read);
}

TEST_F_TIMEOUT(copy, to_memory_against_unmap, 3000)
{
	RACE(write, unmap, prepare_last, judge_write);
}

TEST_F_TIMEOUT(copy, fill_against_unmap, 3000)
{
	RACE(fill, unmap, prepare_last, judge_write);
}

TEST_F_TIMEOUT(copy, within_memory_against_unmap, 3000)
{
	RACE(move, unmap, prepare_last, judge_write);
}

TEST_F_TIMEOUT(copy, from_memory_against_rights, 3000)
{
	RACE(read, close_rights, prepare_viewed, judge_read_rights);
}

TEST_F_TIMEOUT(copy, to_memory_against_rights, 3000)
{
	RACE(write, close_rights, prepare_viewed, judge_write_rights);
}

TEST_F_TIMEOUT(copy, fill_against_rights, 3000)
{
	RACE(fill, close_rights, prepare_viewed, judge_write_rights);
}

TEST_F_TIMEOUT(copy, from_memory_against_free, 3000)
{
	RACE(read, free, prepare, judge_read_freed);
}

TEST_HARNESS_MAIN
