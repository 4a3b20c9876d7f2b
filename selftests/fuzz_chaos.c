// SPDX-License-Identifier: MIT
/*
 * Chaos: processes with several threads each, all of which call what they like at once,
 * while processes are killed and devices go. What each call gives cannot be foretold. What
 * is checked: it is documented for the call; whoever imports was let in; and each word
 * read from memory of ours is 0 or names a memory that this process was given. In the end
 * all is given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_round.h"
#include "fuzz_world.h"

#define PROCESSES	3
#define THREADS		3
#define LIVES		64	/* processes that there ever are in an epoch */
#define MEMORIES	65536	/* likewise memories; they have numbers from 1 */
#define SHARES		8192
#define SLOTS		10	/* handles of a process */
#define EPOCH_SECONDS	6

#define G	NPUMEM_GRANULE
/* Four reservations that all threads use, and one for each thread alone. */
#define PLACES		16
#define PLACES_EACH	4
#define OWN(thread)	(FUZZ_WINDOW + (PLACES + 2 * (thread)) * G)

struct chaos_share {
	_Atomic __u64 token;
	__u32 memory;
};

/* All processes share it. */
struct chaos {
	_Atomic bool stop, failed;
	char text[512];
	__u64 secret;
	_Atomic __u32 memories, shares;
	_Atomic __u64 given[MEMORIES];	/* to which lives */
	struct chaos_share share[SHARES];
	_Atomic __u64 process[PROCESSES];	/* pid, and life in the upper half */
};

static struct chaos *chaos;
static struct fuzz_counts *counts;
static const struct model_machine *machine;

/* Of this process. */
static int fd = -1, life;
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	__u64 handle;
	__u32 memory;
} slots[SLOTS];

struct thread {
	struct fuzz_random random;
	int index;
};

static void chaos_fail(const char *format, ...)
{
	va_list list;

	if (atomic_exchange(&chaos->failed, true))
		return;
	va_start(list, format);
	vsnprintf(chaos->text, sizeof(chaos->text), format, list);
	va_end(list);
	chaos->stop = true;
}

/* ---- patterns ---- */

static __u64 pattern(__u32 memory)
{
	struct fuzz_random random = { chaos->secret ^ (__u64)memory << 32 };

	return fuzz_next(&random) << 16 | memory;
}

static void check_word(__u64 word, __u64 address, const char *how)
{
	__u32 memory = word & 0xffff;

	if (!word)
		return;
	if (word != pattern(memory))
		chaos_fail("%s of 0x%llx gave 0x%llx, which nobody has written", how,
			   (unsigned long long)address, (unsigned long long)word);
	else if (!(chaos->given[memory] & 1ULL << life))
		chaos_fail("%s of 0x%llx gave 0x%llx: a memory (%u) that process %d was never given",
			   how, (unsigned long long)address, (unsigned long long)word,
			   memory, (int)getpid());
}

/* ---- calls ---- */

/* What is documented, besides what any call may say. */
static const short documented[FUZZ_COMMANDS][10] = {
	[1] = { ENXIO, ENODEV },
	[2] = { ENXIO, ENODEV, ENOSPC, ENOMEM, EMFILE, EOVERFLOW, EOPNOTSUPP },
	[3] = { ENOENT },
	[4] = { ENOENT },
	[5] = { ENOENT, EADDRNOTAVAIL, EEXIST, EXDEV, EOVERFLOW, ERANGE, ENODEV, EMFILE, ENOMEM },
	[6] = { ENOENT },
	[7] = { EADDRNOTAVAIL, ENXIO, EHOSTUNREACH, EMFILE, ENOMEM },
	[8] = { ENOENT, ENXIO },
	[9] = { ENOENT },
	[10] = { ENOENT, EBUSY },
	[11] = { ENOENT, EEXIST, EBUSY, EREMOTE, EOPNOTSUPP, ENODEV, ENOMEM },
	[12] = { ENOENT, EREMOTE, EPERM, ESRCH, ENOSPC, ENOMEM },
	[13] = { ENOENT, EPERM, ELOOP, ESTALE, ENXIO, ENODEV, EMFILE, ENOMEM },
	[14] = { ENOENT },
	[15] = { ENXIO, ENODEV, EOVERFLOW, ENOMEM },
	[16] = { ENXIO, ENOENT },
	[17] = { ENXIO },
	[20] = { ENOENT, EADDRNOTAVAIL, EROFS, EPERM, ENOTCONN, ENXIO, ENODEV },
	[21] = { ENOENT, EADDRNOTAVAIL, EROFS, EPERM, ENOTCONN, ENXIO, ENODEV },
	[22] = { ENOENT, EMFILE, ENOMEM },
	[23] = { ENXIO },
	[24] = { ENOENT, EREMOTE },
	[25] = { ENOENT, EADDRNOTAVAIL, EEXIST, EXDEV, EOVERFLOW, ERANGE, ENODEV, EMFILE, ENOMEM },
	[26] = { ENOENT, ENOMEM },
};

static bool is_documented(int number, int twist, long error)
{
	int i;

	if (twist == TWIST_CHILD || twist == TWIST_VFORK)
		return error == EACCES || error == EAGAIN;
	if (error == EINVAL || error == EFAULT || error == E2BIG)
		return true;
	for (i = 0; i < 10 && documented[number][i]; i++)
		if (documented[number][i] == error)
			return true;
	return false;
}

static int pick_twist(struct thread *t)
{
	static const unsigned char twists[] = {
		TWIST_LONG, TWIST_TAIL, TWIST_NULL, TWIST_UNMAPPED, TWIST_EDGE,
		TWIST_READONLY, TWIST_USERFAULT, TWIST_USERFAULT, TWIST_CHILD, TWIST_VFORK,
	};

	if (!fuzz_chance(&t->random, 6))
		return TWIST_NONE;
	return twists[fuzz_below(&t->random, sizeof(twists))];
}

/* The argument comes back if all is well. */
static long call_with(int number, void *argument, __u32 size, int twist)
{
	struct actor_request request = {
		.command = _IO(NPUMEM_IOC_TYPE, number), .twist = twist, .length = size,
	};
	__u32 said = size;
	long ret;

	if (twist == TWIST_LONG || twist == TWIST_TAIL) {
		request.length = said = size + 32;
		request.bytes[size + 31] = twist == TWIST_TAIL;
	}
	memcpy(request.bytes, argument, size);
	memcpy(request.bytes, &said, sizeof(said));
	ret = actor_ioctl(fd, &request);
	fuzz_count(counts, number, ret);
	if (ret && !is_documented(number, twist, -ret))
		chaos_fail("%s (%s) failed with %s, which is not documented",
			   fuzz_kinds[number].name, fuzz_twist_name(twist),
			   strerrorname_np(-ret) ? strerrorname_np(-ret) : "?");
	if (!ret)
		memcpy(argument, request.bytes, size);
	return ret;
}

#define CALL(t, number, argument) call_with(number, &(argument), sizeof(argument), pick_twist(t))
#define SURELY(number, argument) call_with(number, &(argument), sizeof(argument), TWIST_NONE)

/* ---- handles ---- */

static __u64 slot_get(struct thread *t, __u32 *memory)
{
	int i = fuzz_below(&t->random, SLOTS);
	__u64 handle;

	pthread_mutex_lock(&slots_lock);
	handle = slots[i].handle;
	*memory = slots[i].memory;
	pthread_mutex_unlock(&slots_lock);
	return handle;
}

static void slot_put(struct thread *t, __u64 handle, __u32 memory)
{
	int i = fuzz_below(&t->random, SLOTS);
	struct npumem_free old = { 0 };

	pthread_mutex_lock(&slots_lock);
	old.handle = slots[i].handle;
	slots[i].handle = handle;
	slots[i].memory = memory;
	pthread_mutex_unlock(&slots_lock);
	if (old.handle)
		SURELY(3, old);
}

static __u64 place(struct thread *t)
{
	return FUZZ_WINDOW + fuzz_below(&t->random, PLACES) * G;
}

static __u32 device(struct thread *t)
{
	return fuzz_below(&t->random, machine->devices + fuzz_chance(&t->random, 2));
}

static __u64 offset(struct thread *t)
{
	static const __u32 offsets[] = { 0, 0, 8, 4096, 65536, 1 << 20, (2 << 20) - 8 };

	return offsets[fuzz_below(&t->random, 7)];
}

/* ---- what threads do ---- */

/* Fresh memory is all zero; then each page says whose it is, before others know of it. */
static void do_alloc(struct thread *t)
{
	struct npumem_alloc alloc = {
		.location_type = fuzz_chance(&t->random, 80) ? NPUMEM_LOCATION_DEVICE :
				 NPUMEM_LOCATION_HOST,
		.length = G << fuzz_chance(&t->random, 30),
	};
	struct npumem_map map = { .address = OWN(t->index) };
	struct npumem_unmap unmap = { .address = map.address };
	__u64 at, word;
	__u32 memory;

	if (alloc.location_type == NPUMEM_LOCATION_DEVICE)
		alloc.location_id = device(t);
	if (CALL(t, 2, alloc))
		return;
	memory = chaos->memories + 1;
	if (memory < MEMORIES)
		memory = ++chaos->memories;
	if (memory >= MEMORIES) {
		struct npumem_free free = { .handle = alloc.handle };

		SURELY(3, free);
		return;
	}
	chaos->given[memory] = 1ULL << life;
	map.handle = alloc.handle;
	map.length = alloc.length;
	if (!SURELY(5, map)) {
		word = pattern(memory);
		for (at = map.address; at < map.address + map.length; at += 4096) {
			__u64 was = 0;
			int where = at / 4096 % 4 ? 0 : 4088;

			if (actor_load(at + where, &was, 8))
				break;
			if (was)
				chaos_fail("fresh memory at 0x%llx has 0x%llx",
					   (unsigned long long)at + where,
					   (unsigned long long)was);
			if (actor_store(at, word) || actor_store(at + 8, word) ||
			    actor_store(at + 4088, word))
				break;
		}
		SURELY(6, unmap);
	}
	/* A reservation keeps to the device of its first mapping: make it anew. */
	munmap((void *)(uintptr_t)OWN(t->index), 2 * G);
	mmap((void *)(uintptr_t)OWN(t->index), 2 * G, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_FIXED, fd, 0);
	slot_put(t, alloc.handle, memory);
}

static void do_map(struct thread *t)
{
	struct npumem_map map = {
		.flags = fuzz_chance(&t->random, 10), .address = place(t),
		.length = G << fuzz_chance(&t->random, 30),
	};
	struct npumem_map_entry both[2] = { { map.address, map.length, 0 } };
	struct npumem_map_batch batch = {
		.flags = map.flags, .count = 2, .entries = (uintptr_t)both,
	};
	__u32 memory;

	map.handle = slot_get(t, &memory);
	if (!fuzz_chance(&t->random, 30)) {
		CALL(t, 5, map);
		return;
	}
	both[0].handle = map.handle;
	both[1] = both[0];
	both[1].address = fuzz_chance(&t->random, 50) ? both[0].address + map.length : place(t);
	CALL(t, 25, batch);
}

static void do_access(struct thread *t)
{
	struct npumem_access entries[2] = {
		{ NPUMEM_LOCATION_DEVICE, device(t), fuzz_below(&t->random, 4), 0 },
		{ NPUMEM_LOCATION_HOST, 0, NPUMEM_ACCESS_READ, 0 },
	};
	struct npumem_set_access access = {
		.count = 1 + fuzz_chance(&t->random, 10), .address = place(t),
		.length = G << fuzz_chance(&t->random, 30),
		.entries = (uintptr_t)entries,
	};

	CALL(t, 7, access);
}

static void do_look(struct thread *t)
{
	int i;

	for (i = 0; i < 16; i++) {
		__u64 at = place(t) + offset(t), word = 0;

		if (!actor_load(at, &word, 8))
			check_word(word, at, "a load");
	}
}

/* Stores what is there, if it may store. */
static void do_store(struct thread *t)
{
	__u64 at = place(t) + offset(t);
	struct npumem_fill zero = {
		.device = device(t), .address = at & ~4095ULL, .length = 64,
	};

	if (fuzz_chance(&t->random, 30))
		CALL(t, 21, zero);
	else
		actor_store(at, 0);
}

static void do_copy(struct thread *t)
{
	__u64 words[64] = { 0 }, at = place(t) + (offset(t) & ~4095ULL);
	struct npumem_copy copy = {
		.device = device(t), .destination = (uintptr_t)words, .source = at,
		.length = sizeof(words),
	};
	int i;

	if (fuzz_chance(&t->random, 30)) {
		copy.destination = at;
		copy.source = (uintptr_t)words;
	}
	CALL(t, 20, copy);
	for (i = 0; i < 64; i++)
		check_word(words[i], at + 8 * i, "a copy");
}

/* Who is let in is written down first: the rest may be fast. */
static void do_export(struct thread *t)
{
	struct npumem_export export = { .flags = fuzz_chance(&t->random, 20) };
	struct npumem_whitelist_add list = { .count = 1 };
	__u32 memory, share;
	__u64 who = chaos->process[fuzz_below(&t->random, PROCESSES)];
	__s32 pid = who;

	export.flags |= fuzz_chance(&t->random, 50) * NPUMEM_EXPORT_KEY;
	export.handle = slot_get(t, &memory);
	if (export.flags & NPUMEM_EXPORT_ANYONE && fuzz_chance(&t->random, 70))
		export.flags &= ~NPUMEM_EXPORT_ANYONE;
	if (export.flags & NPUMEM_EXPORT_ANYONE)
		chaos->given[memory] = ~0ULL;
	if (CALL(t, 11, export))
		return;
	share = chaos->shares++;
	if (share >= SHARES) {
		chaos->shares = SHARES;
		return;
	}
	chaos->share[share].memory = memory;
	chaos->share[share].token = export.token;
	if (!who || fuzz_chance(&t->random, 30))
		return;
	chaos->given[memory] |= 1ULL << (who >> 32);
	list.token = export.token;
	list.pids = (uintptr_t)&pid;
	CALL(t, 12, list);
}

static struct chaos_share *some_share(struct thread *t)
{
	__u32 n = chaos->shares, back;

	if (n > SHARES)
		n = SHARES;
	if (!n)
		return NULL;
	back = fuzz_below(&t->random, n < 12 ? n : 12);
	return &chaos->share[n - 1 - back];
}

static void do_import(struct thread *t)
{
	struct chaos_share *share = some_share(t);
	struct npumem_import import = { .device = device(t) };

	if (!share || !share->token)
		return;
	import.token = share->token;
	if (CALL(t, 13, import))
		return;
	if (!(chaos->given[share->memory] & 1ULL << life))
		chaos_fail("process %d imported memory %u without being let in", (int)getpid(),
			   share->memory);
	slot_put(t, import.handle, share->memory);
}

static void do_share(struct thread *t)
{
	struct chaos_share *share = some_share(t);
	struct npumem_share_info info = { 0 };
	struct npumem_unexport unexport = { 0 };

	if (!share)
		return;
	info.token = unexport.token = share->token;
	CALL(t, 14, info);
	if (fuzz_chance(&t->random, 10))
		CALL(t, 24, unexport);
}

static void do_handle(struct thread *t)
{
	struct npumem_memory_info info = { 0 };
	struct npumem_retain retain = { .address = place(t) };
	struct npumem_free free = { 0 };
	__u32 memory;

	switch (fuzz_below(&t->random, 3)) {
	case 0:
		info.handle = slot_get(t, &memory);
		CALL(t, 4, info);
		break;
	case 1:
		/* Whose memory that is, others may change; so it is given back. */
		if (CALL(t, 22, retain))
			break;
		free.handle = retain.handle;
		SURELY(3, free);
		break;
	default:
		free.handle = slot_get(t, &memory);
		CALL(t, 3, free);
	}
}

static void do_ask(struct thread *t)
{
	struct npumem_query query = { 0 };
	struct npumem_device_info device_info = { .device = device(t) };
	struct npumem_get_access access = {
		.location_type = NPUMEM_LOCATION_DEVICE, .location_id = device(t),
		.address = place(t),
	};
	struct npumem_range range = { .address = place(t) };
	struct npumem_peer peer = { .device = device(t), .peer = device(t) };
	struct npumem_host_tgid tgid = { 0 };
	struct npumem_stats stats = { 0 };

	switch (fuzz_below(&t->random, 8)) {
	case 0: CALL(t, 0, query); break;
	case 1: CALL(t, 1, device_info); break;
	case 2: CALL(t, 8, access); break;
	case 3: CALL(t, 9, range); break;
	case 4: CALL(t, 15 + (int)fuzz_below(&t->random, 3), peer); break;
	case 5: CALL(t, 18, tgid); break;
	default: CALL(t, 19, stats);
	}
}

static void reserve(__u64 at)
{
	mmap((void *)(uintptr_t)at, PLACES_EACH * G, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
}

static void do_space(struct thread *t)
{
	__u64 at = FUZZ_WINDOW + fuzz_below(&t->random, PLACES / PLACES_EACH) * PLACES_EACH * G;
	static const int advice[] = {
		MADV_DONTNEED, MADV_DOFORK, MADV_NOHUGEPAGE, MADV_HUGEPAGE, MADV_REMOVE, MADV_FREE,
	};
	struct npumem_release release = { .address = at };
	struct npumem_reset reset = { .device = device(t) };
	void *address = (void *)(uintptr_t)at;

	switch (fuzz_below(&t->random, 8)) {
	case 0: munmap(address, PLACES_EACH * G); break;
	case 1: munmap(address, G); break;
	case 2: mprotect(address, PLACES_EACH * G, PROT_READ); break;
	case 3: mprotect(address, PLACES_EACH * G, PROT_READ | PROT_WRITE); break;
	case 4: madvise(address, PLACES_EACH * G, advice[fuzz_below(&t->random, 6)]); break;
	case 5:
		if (mremap(address, PLACES_EACH * G, PLACES_EACH * G,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)(uintptr_t)(FUZZ_NOTHING + (t->index + 1) * (1ULL << 30))) !=
		    MAP_FAILED)
			chaos_fail("a reservation was moved");
		break;
	case 6: CALL(t, 10, release); break;
	default:
		if (fuzz_chance(&t->random, 10))
			CALL(t, 23, reset);
	}
	reserve(at);
}

/* A child has the descriptor, and nothing at the addresses. */
static void do_fork(struct thread *t)
{
	struct npumem_unmap unmap = { .address = place(t) };
	__u64 at = unmap.address, word;
	pid_t pid = fork();

	if (!pid) {
		if (!actor_load(at, &word, 8))
			chaos_fail("a child read 0x%llx", (unsigned long long)at);
		call_with(6, &unmap, sizeof(unmap), TWIST_CHILD);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void do_unmap(struct thread *t)
{
	struct npumem_unmap unmap = { .address = place(t) };
	__u64 both[2] = { unmap.address, place(t) };
	struct npumem_unmap_batch batch = { .count = 2, .addresses = (uintptr_t)both };

	if (fuzz_chance(&t->random, 30))
		CALL(t, 26, batch);
	else
		CALL(t, 6, unmap);
}

static void *thread_main(void *data)
{
	static void (*const what[])(struct thread *) = {
		do_alloc, do_map, do_map, do_map, do_unmap, do_unmap, do_access, do_access,
		do_look, do_look, do_look, do_store, do_copy, do_export, do_import, do_import,
		do_share, do_handle, do_ask, do_space,
	};
	struct thread *t = data;

	while (!chaos->stop) {
		if (fuzz_chance(&t->random, 1))
			do_fork(t);
		else
			what[fuzz_below(&t->random, sizeof(what) / sizeof(*what))](t);
	}
	return NULL;
}

static void process_main(__u64 seed, int index, int number)
{
	struct thread threads[THREADS];
	pthread_t ids[THREADS];
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		_exit(0);
	life = number;
	chaos->process[index] = (__u64)life << 32 | getpid();
	actor_setup();
	fd = open(NPUMEM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		_exit(1);
	for (i = 0; i < PLACES; i += PLACES_EACH)
		reserve(FUZZ_WINDOW + i * G);
	for (i = 0; i < THREADS; i++) {
		threads[i].index = i;
		threads[i].random.state = seed ^ (__u64)(number * THREADS + i + 1) << 40;
		mmap((void *)(uintptr_t)OWN(i), 2 * G, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
		if (pthread_create(&ids[i], NULL, thread_main, &threads[i]))
			_exit(1);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	_exit(0);
}

/* ---- an epoch ---- */

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void reap(pid_t pid, bool killed)
{
	int status = round_wait(pid, 60);

	if (status == -1)
		chaos_fail("process %d does not end", (int)pid);
	else if (!killed && status)
		chaos_fail("process %d ended with status 0x%x", (int)pid, status);
}

static void epoch(__u64 seed, double seconds)
{
	struct fuzz_random random = { seed };
	double end = seconds_now() + seconds;
	pid_t pids[PROCESSES];
	int lives = 0, i;

	memset(chaos, 0, sizeof(*chaos));
	chaos->secret = fuzz_next(&random);
	fflush(NULL);
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i])
			process_main(seed, i, lives);
		lives++;
	}
	while (seconds_now() < end && !chaos->stop) {
		usleep(20000 + fuzz_below(&random, 200000));
		i = fuzz_below(&random, PROCESSES);
		if (lives < LIVES && fuzz_chance(&random, 50)) {
			kill(pids[i], SIGKILL);
			reap(pids[i], true);
			pids[i] = fork();
			if (!pids[i])
				process_main(seed, i, lives);
			lives++;
		}
		i = fuzz_below(&random, machine->devices);
		if (machine->unbinds && fuzz_chance(&random, 4)) {
			world_bind(i, false);
			usleep(fuzz_below(&random, 50000));
			world_bind(i, true);
		}
	}
	chaos->stop = true;
	for (i = 0; i < PROCESSES; i++)
		reap(pids[i], false);
}

bool chaos_run(struct fuzz_shared *shared, const struct model_machine *now, __u64 seed,
	       int seconds)
{
	struct fuzz_random seeds = { seed };
	struct model *empty = model_new(sizeof(*empty));
	double end = seconds_now() + seconds;
	char text[1024];
	int n = 0;

	chaos = mmap(NULL, sizeof(*chaos), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (chaos == MAP_FAILED)
		return false;
	counts = &shared->counts;
	machine = now;
	do {
		double left = end - seconds_now();

		epoch(fuzz_next(&seeds), left < EPOCH_SECONDS ? left : EPOCH_SECONDS);
		n++;
		model_init(empty, now);
		if (!chaos->failed && !world_is(empty, text, sizeof(text)))
			chaos_fail("after all have ended, %s", text);
		round_restore(now);
	} while (!chaos->failed && seconds_now() < end);
	printf("# %d epochs of chaos, in the last one %u memories and %u shares\n", n,
	       (unsigned int)chaos->memories, (unsigned int)chaos->shares);
	if (chaos->failed)
		printf("# chaos failed in epoch %d: %s\n", n, chaos->text);
	return !chaos->failed;
}
