/* SPDX-License-Identifier: MIT */
/*
 * Steps of a scenario of two processes, each made to fail at its first, second,
 * third ... allocation or copy until it meets no more of them; all that can be seen
 * from outside must be the same before and after each failure.
 */
#ifndef _FAIL_NTH_H
#define _FAIL_NTH_H

#include <sys/ioctl.h>

/*
 * The ABI promises that results are written only on success. Each argument begins
 * with its size, so this is looked at for all commands in one place.
 */
static int checked_ioctl(int fd, unsigned long command, void *argument);
#define ioctl checked_ioctl

#include "npumem_client.h"
#include "npumem_inject.h"

#undef ioctl

/* Of a reservation. */
#define GRANULES	3

/* What one of the two processes has. */
struct side {
	__u64 handle;		/* of GRANULES * G bytes */
	__u64 second;		/* whatever a step needs besides */
	__u64 at;		/* the reservation */
	unsigned long arguments_changed;
};

struct scene {
	struct side side[2];
	__u64 token;
	__s32 tgid[2];
};

static struct scene *scene;	/* shared by both */
static struct side *me;		/* in each process its own */
static int fd = -1;		/* likewise */
static struct process other;	/* side 1, as seen by side 0 */

static int checked_ioctl(int node, unsigned long command, void *argument)
{
	char before[256];
	__u32 size;
	int ret, error;

	memcpy(&size, argument, sizeof(size));
	if (size > sizeof(before))
		abort();
	memcpy(before, argument, size);
	ret = ioctl(node, command, argument);
	error = errno;
	if (ret && me && memcmp(before, argument, size))
		me->arguments_changed++;
	errno = error;
	return ret;
}

/* ---- what can be seen ---- */

struct own {
	struct npumem_stats stats;
	struct npumem_memory_info info[2];
	__u64 hash;		/* of what the CPU may read */
	__u32 access[GRANULES][3];
	__u32 peers[2];
	__u32 descriptors;
	__u32 reservations;	/* VMAs, as /proc tells */
	char fdinfo[2048];
};

struct state {
	struct own own[2];
	__u64 used[3];
	struct npumem_share_info share;
	char references[32];	/* of the module */
	char clients[16384];
};

static struct state *before, *after;	/* shared too */

static size_t slurp(const char *path, char *text, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	memset(text, 0, size);
	if (file < 0)
		return 0;
	while (done < size - 1 && (n = read(file, text + done, size - 1 - done)) > 0)
		done += n;
	close(file);
	return done;
}

/* First and last word of each page of a granule; they get present by that. */
static __u64 hash_granule(__u64 at)
{
	__u64 hash = 1469598103934665603ULL, page;

	for (page = at; page < at + G; page += 4096) {
		hash = (hash ^ *(volatile __u64 *)to_ptr(page)) * 1099511628211ULL;
		hash = (hash ^ *(volatile __u64 *)to_ptr(page + 4088)) * 1099511628211ULL;
	}
	return hash;
}

static __u32 count_reservations(void)
{
	static char maps[65536];
	const char *at = maps;
	__u32 n = 0;

	slurp("/proc/self/maps", maps, sizeof(maps));
	while ((at = strstr(at, " " NPUMEM_DEVICE_PATH "\n"))) {
		at++;
		n++;
	}
	return n;
}

/* Looking at contents makes them present. */
static bool looks_inside = true;

static void own_look(struct own *own)
{
	const __u32 types[] = { NPUMEM_LOCATION_DEVICE, NPUMEM_LOCATION_DEVICE,
				NPUMEM_LOCATION_HOST };
	char path[64];
	int i, k;

	memset(own, 0, sizeof(*own));
	for (i = 0; i < 32; i++)
		own->descriptors += fcntl(i, F_GETFD) >= 0;
	own->reservations = count_reservations();
	if (fd < 0)
		return;
	for (i = 0; i < GRANULES; i++) {
		__u64 at = me->at + i * G;
		__u32 device = 0, host = 0;

		if (!me->at)
			continue;
		for (k = 0; k < 3; k++)
			if (npumem_get_access_of(fd, at, types[k], k == 1,
						 &own->access[i][k]))
				own->access[i][k] = ~0U;
		device = own->access[i][me - scene->side];
		host = own->access[i][2];
		if (looks_inside && ((device != ~0U && device) || (host != ~0U && host)))
			own->hash = own->hash * 31 + hash_granule(at);
	}
	npumem_memory_info(fd, me->handle, &own->info[0]);
	npumem_memory_info(fd, me->second, &own->info[1]);
	npumem_peer_status(fd, 0, 1, &own->peers[0]);
	npumem_peer_status(fd, 1, 0, &own->peers[1]);
	npumem_stats(fd, &own->stats);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	slurp(path, own->fdinfo, sizeof(own->fdinfo));
}

static long own_look_call(__u64 *a)
{
	own_look(to_ptr(a[0]));
	return 0;
}

/* The watcher's descriptor, which no step uses. */
static int watcher = -1;

static void state_look(struct state *state)
{
	memset(state, 0, sizeof(*state));
	own_look(&state->own[0]);
	if (other.pid)
		process_do(&other, own_look_call, to_u64(&state->own[1]));
	state->used[0] = npumem_used(watcher, 0);
	state->used[1] = npumem_used(watcher, 1);
	state->used[2] = npumem_used(watcher, NPUMEM_DEVICE_NONE);
	npumem_share_info(watcher, scene->token, &state->share);
	slurp("/sys/module/npumem/refcnt", state->references, sizeof(state->references));
	slurp("/sys/kernel/debug/npumem/clients", state->clients, sizeof(state->clients));
}

/* What differs, or NULL. @exactly: counters of events and numbers of objects too. */
static const char *own_differs(struct own *a, struct own *b, bool exactly)
{
	if (!exactly) {
		a->stats.faults = b->stats.faults;
		a->stats.pmd_entries = b->stats.pmd_entries;
		a->stats.pte_entries = b->stats.pte_entries;
		a->stats.pud_entries = b->stats.pud_entries;
		a->stats.refused_imports = b->stats.refused_imports;
		a->info[0].handle = b->info[0].handle;
		a->info[1].handle = b->info[1].handle;
	}
	if (memcmp(&a->stats, &b->stats, sizeof(a->stats)))
		return "STATS";
	if (memcmp(a->info, b->info, sizeof(a->info)))
		return "MEMORY_INFO";
	if (memcmp(a->access, b->access, sizeof(a->access)))
		return "GET_ACCESS";
	if (a->hash != b->hash)
		return "contents";
	if (memcmp(a->peers, b->peers, sizeof(a->peers)))
		return "PEER_STATUS";
	if (a->descriptors != b->descriptors)
		return "descriptors";
	if (a->reservations != b->reservations)
		return "/proc/self/maps";
	if (exactly && strcmp(a->fdinfo, b->fdinfo))
		return "fdinfo";
	return NULL;
}

static const char *state_differs(struct state *a, struct state *b, bool exactly)
{
	const char *what;
	int i;

	for (i = 0; i < 2; i++) {
		what = own_differs(&a->own[i], &b->own[i], exactly);
		if (what)
			return what;
	}
	if (memcmp(a->used, b->used, sizeof(a->used)))
		return "DEVICE_INFO";
	if (!exactly)
		a->share.token = b->share.token;
	if (memcmp(&a->share, &b->share, sizeof(a->share)))
		return "SHARE_INFO";
	if (strcmp(a->references, b->references))
		return "references of the module";
	if (exactly && strcmp(a->clients, b->clients))
		return "debugfs";
	return NULL;
}

/* ---- steps ---- */

#define IN_OTHER	(1U << 0)	/* the other process makes it */
#define NEVER_FAILS	(1U << 1)	/* gives back: lack of memory is no excuse */
#define WIDE		(1U << 2)	/* also what the kernel does around npumem */
#define SAMPLED		(1U << 3)	/* has many places: some of them */
#define UNTOUCHED	(1U << 4)	/* is about what is not present: nothing is read */
#define OF_PAGES	(1U << 5)	/* by pages alone */
#define RETRIES		(1U << 6)	/* has a second try at what fails: both do */

/*
 * A step: @run is 0 or -errno; @undo takes a success back, or is NULL where repeating
 * does no harm; @ready comes before each attempt; @probe after each that failed, and
 * finds that it had no effect which others would see.
 */
struct step {
	const char *name;
	long (*run)(void);
	long (*undo)(void);
	long (*ready)(void);
	long (*probe)(void);
	unsigned int flags;
};

#define STEP(name_, run_, undo_, ...) {					\
	.name = (name_), .run = (run_), .undo = (undo_), ##__VA_ARGS__	\
}

#define NOTHING_FAILS	0
#define ALL_FAIL	(~0U)

static long attempt_here(__u64 *a)
{
	const struct step *step = to_ptr(a[0]);
	unsigned int n = a[1];
	long ret;

	if (n == ALL_FAIL) {
		if (!inject_make_it_fail(true))
			abort();
		ret = step->run();
		inject_make_it_fail(false);
		a[2] = 0;
	} else {
		inject_nth(n);
		ret = step->run();
		a[2] = inject_nth_end();
	}
	return ret;
}

/* @left: how many would still have come, so 0 if it was met. */
static long attempt(const struct step *step, unsigned int n, unsigned int *left)
{
	__u64 a[CALL_ARGUMENTS] = { to_u64(step), n };
	__u64 out;
	long ret;

	if (step->flags & IN_OTHER) {
		ret = process_get(&other, &out, 2, attempt_here, to_u64(step), n);
		*left = out;
	} else {
		ret = attempt_here(a);
		*left = a[2];
	}
	return ret;
}

static long simply_here(__u64 *a)
{
	return ((long (*)(void))to_ptr(a[0]))();
}

static long simply(const struct step *step, long (*function)(void))
{
	if (!function)
		return 0;
	if (step->flags & IN_OTHER)
		return process_do(&other, simply_here, to_u64(function));
	return function();
}

static bool is_expected(const struct step *step, unsigned int kind, long error)
{
	if (step->flags & WIDE)
		return error == -ENOMEM || error == -EFAULT || error == -EAGAIN ||
		       error == -ENFILE;
	return error == (kind == INJECT_COPY ? -EFAULT : -ENOMEM);
}

struct tally {
	unsigned int failed, tolerated;
};

/* Is @before what there is? After an attempt it is, as that is what was found. */
static bool before_is_now;

/* One attempt. False if there was nothing to fail any more, or all is lost. */
static bool try_once(struct __test_metadata *_metadata, const struct step *step,
		     unsigned int kind, unsigned int n, struct tally *tally)
{
	unsigned int left;
	const char *what;
	long ret;

	EXPECT_EQ(0, simply(step, step->ready)) {
		TH_LOG("%s: cannot get ready", step->name);
		return false;
	}
	looks_inside = !(step->flags & UNTOUCHED);
	if (!before_is_now || step->ready)
		state_look(before);
	ret = attempt(step, n, &left);
	EXPECT_EQ(0, scene->side[0].arguments_changed + scene->side[1].arguments_changed) {
		TH_LOG("%s %s %d: the argument was written to", step->name,
		       inject_kinds[kind >> 1], n);
		return false;
	}
	if (ret) {
		bool wrong = left || !is_expected(step, kind, ret) ||
			     (step->flags & NEVER_FAILS && kind != INJECT_COPY);

		EXPECT_FALSE(wrong) {
			TH_LOG("%s %s %d: %ld, %u left", step->name,
			       inject_kinds[kind >> 1], n, ret, left);
			return false;
		}
		tally->failed++;
	} else {
		tally->tolerated += !left;
		EXPECT_EQ(0, simply(step, step->undo)) {
			TH_LOG("%s: cannot be undone", step->name);
			return false;
		}
	}
	state_look(after);
	what = state_differs(before, after, ret && looks_inside);
	if (what && strcmp(before->clients, after->clients))
		TH_LOG("before:\n%safter:\n%s", before->clients, after->clients);
	looks_inside = true;
	*before = *after;
	before_is_now = !ret || !step->probe;
	EXPECT_EQ(NULL, what) {
		TH_LOG("%s %s %d (%ld): %s is not as before", step->name,
		       inject_kinds[kind >> 1], n, ret, what);
		return false;
	}
	if (ret && step->probe) {
		EXPECT_EQ(0, step->probe()) {
			TH_LOG("%s %s %d: had an effect", step->name,
			       inject_kinds[kind >> 1], n);
			return false;
		}
	}
	return ret || !left;
}

/* So many of the first, of the last, and evenly in between. */
#define SAMPLE_ENDS	3
#define SAMPLE_BETWEEN	6

static unsigned int next_of(const struct step *step, unsigned int n, unsigned int count)
{
	unsigned int stride = count / SAMPLE_BETWEEN;

	if (!(step->flags & SAMPLED) || n < SAMPLE_ENDS || stride < 2)
		return n + 1;
	if (n + stride + SAMPLE_ENDS < count)
		return n + stride;
	return n < count - SAMPLE_ENDS ? count - SAMPLE_ENDS : n + 1;
}

/* More than this nothing has that is not sampled. */
#define MOST_PLACES	400

static bool fail_step_kind(struct __test_metadata *_metadata, const struct step *step,
			   unsigned int kind, struct tally *tally)
{
	unsigned int n, left, count = 0;

	if (step->flags & SAMPLED) {
		if (simply(step, step->ready) || attempt(step, INJECT_NEVER, &left) ||
		    simply(step, step->undo))
			return false;
		count = INJECT_NEVER - left;
	}
	for (n = 1; try_once(_metadata, step, kind, n, tally); n = next_of(step, n, count))
		if (n > (count ? count + 50 : MOST_PLACES))
			return false;
	return _metadata->exit_code == KSFT_PASS;
}

/*
 * And no memory at all, so that what makes do with less finds none either; or none from
 * some point on.
 */
static bool fail_step_always(struct __test_metadata *_metadata, const struct step *step,
			     struct tally *tally)
{
	unsigned int space = 0;
	bool again;

	inject_npumem(INJECT_SLAB | INJECT_PAGE);
	do {
		unsigned int failed = tally->failed;

		inject_after(true, space);
		try_once(_metadata, step, INJECT_SLAB, ALL_FAIL, tally);
		again = tally->failed > failed && step->flags & RETRIES && space < 8192;
		space += 64 + space / 8;
	} while (again);
	inject_always(false);
	return _metadata->exit_code == KSFT_PASS;
}

/* Leaves the step done. */
static bool fail_step(struct __test_metadata *_metadata, const struct step *step)
{
	struct tally tally[INJECT_KINDS + 1] = { 0 };
	__s64 start = now_ms();
	unsigned int i, left;
	bool good = true;

	before_is_now = false;
	for (i = 0; i < INJECT_KINDS && good; i++) {
		if (step->flags & OF_PAGES && 1U << i != INJECT_PAGE)
			continue;
		if (step->flags & WIDE)
			inject_calls(1U << i);
		else
			inject_npumem(1U << i);
		good = fail_step_kind(_metadata, step, 1U << i, &tally[i]);
	}
	if (good && !(step->flags & WIDE))
		good = fail_step_always(_metadata, step, &tally[INJECT_KINDS]);
	inject_npumem(0);
	EXPECT_TRUE(good) {
		TH_LOG("%s: given up", step->name);
		return false;
	}
	if (simply(step, step->ready) || attempt(step, NOTHING_FAILS, &left)) {
		EXPECT_TRUE(false) {
			TH_LOG("%s fails without injection", step->name);
		}
		return false;
	}
	printf("# %s: %u slab, %u page, %u copy failed it, %u, %u, %u did not; "
	       "without memory it failed %u times; %lld ms\n", step->name,
	       tally[0].failed, tally[1].failed, tally[2].failed,
	       tally[0].tolerated, tally[1].tolerated, tally[2].tolerated, tally[3].failed,
	       (long long)(now_ms() - start));
	fflush(stdout);
	return true;
}

#define fail_steps(steps) do {							\
	size_t __i;								\
										\
	for (__i = 0; __i < ARRAY_SIZE(steps); __i++) {				\
		ASSERT_TRUE(fail_step(_metadata, &(steps)[__i]));		\
	}									\
} while (0)

#endif /* _FAIL_NTH_H */
