/* SPDX-License-Identifier: MIT */
/*
 * What the steps of fail_nth and fail_share are made of: calls of one process, without
 * arguments, and the fixture of both programs.
 */
#ifndef _FAIL_STEPS_H
#define _FAIL_STEPS_H

#include "fail_nth.h"
#include "npumem_zeroed.h"

#define LENGTH		(GRANULES * G)
#define SEED		5

/* The device that a side maps its memory for is of its number. */
static inline __u32 my_device(void)
{
	return me - scene->side;
}

/* ---- the node ---- */

static inline long open_node(void)
{
	int node = npumem_open();

	if (node < 0)
		return node;
	fd = node;
	return 0;
}

static inline long close_node(void)
{
	int node = fd;

	fd = -1;
	return close(node) ? -errno : 0;
}

/* Another client of the same process, which never had a peer link. */
static inline long reopen_node(void)
{
	long ret = close_node();

	return ret ? ret : open_node();
}

/* ---- memory ---- */

static inline long alloc(void)
{
	return npumem_alloc(fd, my_device(), LENGTH, &me->handle);
}

static inline long free_memory(void)
{
	return npumem_free(fd, me->handle);
}

static inline long free_second(void)
{
	long ret = npumem_free(fd, me->second);

	if (!ret)
		me->second = 0;
	return ret;
}

static inline long retain(void)
{
	return npumem_retain(fd, me->at, &me->second);
}

static inline long retain_memory(void)
{
	return npumem_retain(fd, me->at, &me->handle);
}

/* ---- addresses ---- */

/* Far from all else, so that page tables come and go with what is mapped here. */
#define FAR_AWAY	0x200000000000ULL

static inline long find_addresses(void)
{
	me->at = FAR_AWAY;
	return mmap(to_ptr(me->at), LENGTH, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		    0) == to_ptr(me->at) ? 0 : -EEXIST;
}

static inline long reserve(void)
{
	return npumem_mmap(fd, to_ptr(me->at), LENGTH, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, 0, NULL);
}

/* The addresses stay taken, by nothing. */
static inline long unreserve(void)
{
	return mmap(to_ptr(me->at), LENGTH, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) == MAP_FAILED ? -errno : 0;
}

static inline long release(void)
{
	return npumem_release(fd, me->at);
}

static inline long take_away(void)
{
	return munmap(to_ptr(me->at), LENGTH) ? -errno : 0;
}

static inline long map(void)
{
	return npumem_map(fd, me->at, LENGTH, me->handle);
}

static inline long unmap(void)
{
	return npumem_unmap(fd, me->at);
}

static inline long mark(void)
{
	pattern_mark(to_ptr(me->at), LENGTH, SEED);
	return 0;
}

static inline long is_marked(void)
{
	return pattern_check(to_ptr(me->at), LENGTH, SEED) == -1 ? 0 : -EILSEQ;
}

static inline long reserve_and_map(void)
{
	long ret = reserve();

	return ret ? ret : map();
}

static inline long alloc_and_map(void)
{
	long ret = alloc();

	ret = ret ? ret : map();
	return ret ? ret : mark();
}

/* All that one side has to begin with. */
static inline long begin_mapped(void)
{
	long ret = open_node();

	ret = ret ? ret : find_addresses();
	ret = ret ? ret : reserve();
	return ret ? ret : alloc_and_map();
}

static inline long split(void)
{
	return npumem_set_access(fd, me->at + G, G, my_device(), NPUMEM_ACCESS_READ);
}

static inline long merge(void)
{
	return npumem_set_access(fd, me->at, LENGTH, my_device(), NPUMEM_ACCESS_READWRITE);
}

static inline long reset(void)
{
	return npumem_reset(fd, my_device());
}

/* ---- the fixture ---- */

/* Before counts are compared: it takes a descriptor. */
static inline long inject_nth_opened(void)
{
	inject_nth_open();
	return 0;
}

static long begin_other(__u64 *a)
{
	(void)a;
	me = &scene->side[1];
	inject_nth_open();
	return 0;
}

/* Makes a call in the other process, which no failure is injected into. */
static inline long in_other(long (*function)(void))
{
	return process_do(&other, simply_here, to_u64(function));
}

FIXTURE(fail) {
	struct watch watch;
	long long zeroed;
};

FIXTURE_SETUP(fail)
{
	const char *why = inject_begin();
	struct state *states;

	if (why)
		SKIP(return, "%s", why);
	/* Each chunk is to be asked for, and not to be had. */
	self->zeroed = zeroed_off();
	ASSERT_TRUE(watch_start(&self->watch));
	watcher = self->watch.fd;
	scene = process_shared(sizeof(*scene));
	states = process_shared(2 * sizeof(*states));
	ASSERT_NE(NULL, scene);
	ASSERT_NE(NULL, states);
	before = &states[0];
	after = &states[1];
	me = &scene->side[0];
	inject_nth_open();
	ASSERT_EQ(0, process_start(&other));
	ASSERT_EQ(0, process_do(&other, begin_other));
}

FIXTURE_TEARDOWN(fail)
{
	EXPECT_TRUE(inject_end_all());
	if (fd >= 0)
		close(fd);
	if (me->at)
		munmap(to_ptr(me->at), LENGTH);
	EXPECT_TRUE(watch_end(&self->watch));
	zeroed_restore(self->zeroed);
}

#endif /* _FAIL_STEPS_H */
