// SPDX-License-Identifier: MIT
/*
 * Threads of one process against each other: calls that take away what others
 * are using. A load sees the memory's data or raises SIGSEGV, never anything
 * else. npumem_stress.h tells how to have a run again, or a longer one.
 */
#include "kselftest_harness.h"
#include "npumem_stress.h"

#define SLOTS	16

FIXTURE(threads) {
	int fd;
	__u64 used[2];
	__u64 base;		/* SLOTS granules */
	__u64 handles[4];	/* 2 MiB each, of device 0 */
};

FIXTURE_SETUP(threads)
{
	unsigned int i;

	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used[0] = npumem_used(self->fd, 0);
	self->used[1] = npumem_used(self->fd, 1);
	ASSERT_EQ(0, npumem_reserve(self->fd, SLOTS * G, &self->base));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->handles[i]));
}

FIXTURE_TEARDOWN(threads)
{
	munmap(to_ptr(self->base), SLOTS * G);
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used[0], 5000));
	EXPECT_TRUE(npumem_used_becomes(self->fd, 1, self->used[1], 5000));
	close(self->fd);
}

/* ---- loads and stores of threads that may be refused ---- */

static __thread sigjmp_buf thread_env;
static __thread volatile sig_atomic_t thread_armed;

static void thread_handler(int signal_number)
{
	if (thread_armed)
		siglongjmp(thread_env, 1);
	signal(signal_number, SIG_DFL);
}

static void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = thread_handler,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* 1 and the word, or 0 after a signal. */
static int try_load(__u64 address, __u64 *word)
{
	if (sigsetjmp(thread_env, 0)) {
		thread_armed = false;
		return 0;
	}
	thread_armed = true;
	*word = *(volatile __u64 *)to_ptr(address);
	thread_armed = false;
	return 1;
}

static int try_store(__u64 address, __u64 word)
{
	if (sigsetjmp(thread_env, 0)) {
		thread_armed = false;
		return 0;
	}
	thread_armed = true;
	*(volatile __u64 *)to_ptr(address) = word;
	thread_armed = false;
	return 1;
}

/* ---- workers ---- */

struct contest {
	int fd;
	__u64 base;
	__u64 *handles;
	unsigned int seed;
	volatile bool stop;
	/* per thread, added up at the end */
	unsigned long loads, refused, wrong, stores, calls, failures;
	int unexpected;		/* an errno that no call may give here */
};

struct worker {
	pthread_t thread;
	void *(*function)(void *data);
	struct contest *race;
	unsigned int seed;
	unsigned long loads, refused, wrong, stores, calls, failures;
	int unexpected;
};

/* Stacks are mmap()ed too: nobody begins before all have theirs. */
static pthread_barrier_t start_line;

static void *start(void *data)
{
	struct worker *w = data;

	pthread_barrier_wait(&start_line);
	return w->function(w);
}

static void run_race(struct contest *race, void *(*const *functions)(void *),
		     unsigned int count)
{
	double seconds = 0.5 * npumem_rounds(1);
	struct timespec span = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (time_t)seconds) * 1e9),
	};
	struct worker workers[8] = {};
	unsigned int i;

	race->seed = test_seed();
	catch_signals();
	pthread_barrier_init(&start_line, NULL, count + 1);
	for (i = 0; i < count; i++) {
		workers[i].race = race;
		workers[i].seed = race->seed + i;
		workers[i].function = functions[i];
		if (pthread_create(&workers[i].thread, NULL, start,
				   &workers[i]))
			abort();
	}
	pthread_barrier_wait(&start_line);
	nanosleep(&span, NULL);
	race->stop = true;
	for (i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		race->loads += workers[i].loads;
		race->refused += workers[i].refused;
		race->wrong += workers[i].wrong;
		race->stores += workers[i].stores;
		race->calls += workers[i].calls;
		race->failures += workers[i].failures;
		if (workers[i].unexpected)
			race->unexpected = workers[i].unexpected;
	}
	printf("# loads %lu, refused %lu, stores %lu, calls %lu, of which failed %lu\n",
	       race->loads, race->refused, race->stores, race->calls,
	       race->failures);
}

static unsigned int pick(struct worker *w, unsigned int limit)
{
	return rand_r(&w->seed) % limit;
}

/* Every word of slot memory carries its handle's number and its offset. */
static __u64 tag(unsigned int memory, __u64 offset)
{
	return 0x6e70750000000000ULL | (__u64)memory << 32 | offset;
}

static void tag_memory(__u64 address, unsigned int memory)
{
	__u64 offset;

	for (offset = 0; offset < G; offset += 64)
		*(__u64 *)to_ptr(address + offset) = tag(memory, offset);
}

/* Reads random words anywhere: the offset must be right, the memory any. */
static void *reader(void *data)
{
	struct worker *w = data;

	while (!w->race->stop) {
		__u64 offset = pick(w, SLOTS * (G / 64)) * 64ULL, word;

		if (!try_load(w->race->base + offset, &word)) {
			w->refused++;
			continue;
		}
		w->loads++;
		if ((word & ~(7ULL << 32)) != tag(0, offset % G))
			w->wrong++;
	}
	return NULL;
}

/* Stores what is there already. */
static void *writer(void *data)
{
	struct worker *w = data;

	while (!w->race->stop) {
		__u64 offset = pick(w, SLOTS * (G / 64)) * 64ULL;

		/* Words between the tags belong to the writers. */
		if (try_store(w->race->base + offset + 8, offset))
			w->stores++;
		else
			w->refused++;
	}
	return NULL;
}

static void note(struct worker *w, int error, int allowed, int also)
{
	w->calls++;
	if (!error)
		return;
	w->failures++;
	if (error != allowed && error != also)
		w->unexpected = error;
}

static void *mapper(void *data)
{
	struct worker *w = data;
	struct contest *race = w->race;

	while (!race->stop) {
		__u64 at = race->base + pick(w, SLOTS) * G;

		if (pick(w, 2))
			note(w, npumem_map(race->fd, at, G,
					   race->handles[pick(w, 4)]),
			     -EEXIST, -EEXIST);
		else
			note(w, npumem_unmap(race->fd, at), -ENOENT, -ENOENT);
	}
	return NULL;
}

static void *access_setter(void *data)
{
	const __u32 rights[] = { NPUMEM_ACCESS_NONE, NPUMEM_ACCESS_READ,
		NPUMEM_ACCESS_READWRITE };
	struct worker *w = data;
	struct contest *race = w->race;

	while (!race->stop) {
		unsigned int slot = pick(w, SLOTS), count = 1 + pick(w, 3);

		if (slot + count > SLOTS)
			count = SLOTS - slot;
		note(w, npumem_set_access(race->fd, race->base + slot * G,
					  count * G, 0, rights[pick(w, 3)]),
		     -EADDRNOTAVAIL, -EADDRNOTAVAIL);
	}
	return NULL;
}

static void *releaser(void *data)
{
	struct worker *w = data;

	while (!w->race->stop)
		note(w, npumem_release(w->race->fd, w->race->base), -EBUSY,
		     -EBUSY);
	return NULL;
}

static void *protector(void *data)
{
	const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	struct worker *w = data;

	while (!w->race->stop) {
		if (mprotect(to_ptr(w->race->base), SLOTS * G,
			     prots[pick(w, 3)]))
			w->unexpected = -errno;
		w->calls++;
	}
	return NULL;
}

static void *copier(void *data)
{
	static __thread unsigned char buffer[65536];
	struct worker *w = data;
	struct contest *race = w->race;

	while (!race->stop) {
		__u64 offset = pick(w, SLOTS * G / 65536) * 65536ULL;
		int error = npumem_copy(race->fd, 0, buffer,
					to_ptr(race->base + offset), 65536);

		note(w, error, -EADDRNOTAVAIL, -EPERM);
		if (!error && (*(__u64 *)buffer & ~(7ULL << 32)) !=
		    tag(0, offset % G))
			w->wrong++;
	}
	return NULL;
}

static void prepare(struct contest *race, int fd, __u64 base, __u64 *handles)
{
	unsigned int i;

	*race = (struct contest) { .fd = fd, .base = base, .handles = handles };
	for (i = 0; i < 4; i++) {
		if (npumem_map(fd, base, G, handles[i]))
			abort();
		tag_memory(base, i);
		if (npumem_unmap(fd, base))
			abort();
	}
}

#define RACE(...) do {							\
	void *(*const functions_[])(void *) = { __VA_ARGS__ };		\
	prepare(&race, self->fd, self->base, self->handles);		\
	run_race(&race, functions_, ARRAY_SIZE(functions_));		\
	EXPECT_EQ(0, race.wrong);					\
	EXPECT_EQ(0, race.unexpected);					\
	EXPECT_LT(0, race.calls);					\
} while (0)

TEST_F(threads, unmap_while_another_thread_reads)
{
	struct contest race;

	RACE(mapper, reader, reader);
	EXPECT_LT(0, race.loads);
}

TEST_F(threads, unmap_while_another_thread_writes)
{
	struct contest race;

	RACE(mapper, writer, reader);
	EXPECT_LT(0, race.stores);
}

TEST_F(threads, set_access_against_all)
{
	struct contest race;

	RACE(mapper, access_setter, access_setter, reader, writer);
}

TEST_F(threads, mprotect_against_all)
{
	struct contest race;

	RACE(mapper, access_setter, protector, reader, writer);
	EXPECT_EQ(0, mprotect(to_ptr(self->base), SLOTS * G,
			      PROT_READ | PROT_WRITE));
}

TEST_F(threads, copies_against_all)
{
	struct contest race;

	RACE(mapper, access_setter, copier, copier);
}

TEST_F(threads, release_while_mapped)
{
	struct contest race;
	__u64 pin = self->base + (SLOTS - 1) * G;

	prepare(&race, self->fd, self->base, self->handles);
	ASSERT_EQ(0, npumem_map(self->fd, pin, G, self->handles[0]));
	{
		void *(*const functions[])(void *) = { releaser, releaser,
			reader };

		run_race(&race, functions, ARRAY_SIZE(functions));
	}
	EXPECT_EQ(0, race.wrong);
	EXPECT_EQ(0, race.unexpected);
	EXPECT_EQ(race.calls, race.failures);
	EXPECT_EQ(0, load_signal(pin));
	/* With nothing mapped, one of many wins. */
	ASSERT_EQ(0, npumem_unmap(self->fd, pin));
	EXPECT_EQ(0, npumem_release(self->fd, self->base));
}

/* Handles made and freed by all: each is freed exactly once. */
static __u64 shared_handles[64];

static void *handle_worker(void *data)
{
	struct worker *w = data;
	struct contest *race = w->race;

	while (!race->stop) {
		unsigned int slot = pick(w, 64);
		__u64 handle = __atomic_load_n(&shared_handles[slot],
					       __ATOMIC_RELAXED);
		__u64 at = race->base + pick(w, SLOTS) * G;
		struct npumem_memory_info info;

		switch (pick(w, 5)) {
		case 0:
			if (handle)
				break;
			note(w, npumem_alloc(race->fd, 0, G, &handle), 0, 0);
			/* Somebody may have been here: then it is ours alone. */
			if (!__sync_bool_compare_and_swap(&shared_handles[slot],
							  0, handle))
				note(w, npumem_free(race->fd, handle), 0, 0);
			break;
		case 1:
			if (!handle ||
			    !__sync_bool_compare_and_swap(&shared_handles[slot],
							  handle, 0))
				break;
			note(w, npumem_free(race->fd, handle), 0, 0);
			note(w, npumem_free(race->fd, handle), -ENOENT,
			     -ENOENT);
			break;
		case 2:
			note(w, npumem_map(race->fd, at, G, handle), -ENOENT,
			     -EEXIST);
			break;
		case 3:
			note(w, npumem_unmap(race->fd, at), -ENOENT, -ENOENT);
			break;
		case 4:
			note(w, npumem_memory_info(race->fd, handle, &info),
			     -ENOENT, -ENOENT);
			break;
		}
	}
	return NULL;
}

TEST_F(threads, alloc_free_and_map_of_the_same_handles)
{
	struct npumem_stats stats;
	struct contest race;
	unsigned int i;

	RACE(handle_worker, handle_worker, handle_worker, handle_worker);
	for (i = 0; i < 64; i++)
		if (shared_handles[i]) {
			EXPECT_EQ(0, npumem_free(self->fd, shared_handles[i]));
		}
	for (i = 0; i < SLOTS; i++)
		npumem_unmap(self->fd, self->base + i * G);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, npumem_free(self->fd, self->handles[i]));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.handles);
	EXPECT_EQ(0, stats.mappings);
	EXPECT_EQ(self->used[0], npumem_used(self->fd, 0));
}

/* Reservations come and go under the others' feet. */
static void *reserver(void *data)
{
	struct worker *w = data;
	struct contest *race = w->race;

	while (!race->stop) {
		__u64 at, handle = race->handles[pick(w, 4)], word;
		int error = npumem_reserve(race->fd, 2 * G, &at);

		if (error) {
			w->unexpected = error;
			break;
		}
		note(w, npumem_map(race->fd, at, G, handle), 0, 0);
		if (!try_load(at + 64, &word) ||
		    (word & ~(7ULL << 32)) != tag(0, 64))
			w->wrong++;
		if (pick(w, 2)) {
			note(w, npumem_unmap(race->fd, at), 0, 0);
			note(w, npumem_release(race->fd, at), 0, 0);
		} else {
			if (munmap(to_ptr(at), 2 * G))
				w->unexpected = -errno;
		}
	}
	return NULL;
}

TEST_F(threads, reservations_come_and_go)
{
	struct contest race;

	RACE(reserver, reserver, mapper, reader);
}

/* munmap() of a reservation against the calls that change what is in it. */
static __u64 contested;

static void *contest_owner(void *data)
{
	struct worker *w = data;
	struct contest *race = w->race;
	unsigned int i;

	while (!race->stop) {
		/* MAP_FIXED: the others know where it will be. */
		int error = npumem_mmap(race->fd, to_ptr(contested), 4 * G,
					PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, 0, NULL);

		if (error) {
			w->unexpected = error;
			break;
		}
		for (i = 0; i < 4; i++)
			note(w, npumem_map(race->fd, contested + i * G, G,
					   race->handles[i]), -EEXIST,
			     -EADDRNOTAVAIL);
		if (munmap(to_ptr(contested), 4 * G))
			w->unexpected = -errno;
	}
	return NULL;
}

static void *contest_caller(void *data)
{
	struct worker *w = data;
	struct contest *race = w->race;

	while (!race->stop) {
		__u64 at = contested + pick(w, 4) * G;

		switch (pick(w, 4)) {
		case 0:
		case 1:
			note(w, npumem_unmap(race->fd, at), -ENOENT, -ENOENT);
			break;
		case 2:
			note(w, npumem_set_access(race->fd, at, G, 0,
						  NPUMEM_ACCESS_READ),
			     -EADDRNOTAVAIL, -EADDRNOTAVAIL);
			break;
		case 3:
			note(w, npumem_release(race->fd, contested), -ENOENT,
			     -EBUSY);
			break;
		}
	}
	return NULL;
}

TEST_F(threads, munmap_against_calls)
{
	struct contest race;

	ASSERT_EQ(0, find_space(4 * G, G, &contested));
	RACE(contest_owner, contest_caller, contest_caller);
}

static void *resetter(void *data)
{
	struct worker *w = data;

	while (!w->race->stop) {
		note(w, npumem_reset(w->race->fd, 1), 0, 0);
		usleep(200);
	}
	return NULL;
}

static void *other_device(void *data)
{
	struct worker *w = data;
	struct contest *race = w->race;
	__u64 at;

	if (npumem_reserve(race->fd, 4 * G, &at)) {
		w->unexpected = -1;
		return NULL;
	}
	while (!race->stop) {
		__u64 handle, word;

		note(w, npumem_alloc(race->fd, 1, G, &handle), 0, 0);
		note(w, npumem_map(race->fd, at, G, handle), -ENOENT, -EEXIST);
		/* Fresh memory is zero, whoever had it before. */
		if (try_load(at + pick(w, G / 64) * 64, &word) && word)
			w->wrong++;
		note(w, npumem_unmap(race->fd, at), -ENOENT, -ENOENT);
		note(w, npumem_free(race->fd, handle), -ENOENT, -ENOENT);
	}
	munmap(to_ptr(at), 4 * G);
	return NULL;
}

TEST_F(threads, reset_of_a_device_in_use)
{
	struct contest race;

	RACE(resetter, other_device, other_device, mapper, reader);
	EXPECT_EQ(0, npumem_reset(self->fd, 1));
	EXPECT_EQ(self->used[1], npumem_used(self->fd, 1));
}

/* exit_group() in the middle of everything; the teardown counts the rest. */
TEST_F(threads, exit_in_the_middle)
{
	int round, status;

	for (round = 0; round < 5; round++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child) {
			void *(*const functions[])(void *) = { mapper, reader,
				access_setter, reserver };
			struct worker workers[4] = {};
			__u64 handles[4], base;
			struct contest race;
			int fd = npumem_open(), i;

			if (fd < 0 || npumem_reserve(fd, SLOTS * G, &base))
				_exit(1);
			for (i = 0; i < 4; i++)
				if (npumem_alloc(fd, 0, G, &handles[i]))
					_exit(2);
			prepare(&race, fd, base, handles);
			catch_signals();
			for (i = 0; i < 4; i++) {
				workers[i].race = &race;
				workers[i].seed = round * 4 + i;
				pthread_create(&workers[i].thread, NULL,
					       functions[i], &workers[i]);
			}
			usleep(50000 + round * 20000);
			if (round & 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) || !WEXITSTATUS(status));
		EXPECT_TRUE(npumem_used_becomes(self->fd, 0,
						self->used[0] + 4 * G, 3000));
	}
}

TEST_HARNESS_MAIN
