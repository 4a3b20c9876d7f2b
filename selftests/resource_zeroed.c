// SPDX-License-Identifier: MIT
/*
 * Memory that is kept zeroed for allocations to come: bounded, free in all accounts,
 * gone when anybody needs it, and never a page that somebody else still has.
 */
#include "npumem_cgroup.h"
#include "npumem_client.h"
#include "npumem_stress.h"
#include "npumem_zeroed.h"

#include "kselftest_harness.h"

#define BOUND	(32 * MIB)
/* The thread waits for a tenth of a second, and is the last to get a processor. */
#define A_WHILE_MS	700
#define INSTANCE	"/sys/kernel/tracing/instances/npumem-zeroed"

FIXTURE(zeroed)
{
	struct watch watch;
	long long before, delay;
};

static bool drop_caches(void)
{
	return !group_write("/proc/sys/vm", "drop_caches", "3");
}

static __u64 vmstat(const char *key)
{
	return group_read("/proc", "vmstat", key);
}

FIXTURE_SETUP(zeroed)
{
	if (geteuid())
		SKIP(return, "needs root");
	self->before = npumem_parameter("max_zeroed");
	ASSERT_LE(0, self->before);
	self->delay = npumem_parameter("zeroing_delay_ms");
	ASSERT_LT(0, self->delay);
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 0));
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", BOUND));
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, zeroed_bytes());
}

FIXTURE_TEARDOWN(zeroed)
{
	EXPECT_TRUE(watch_end(&self->watch));
	/* What is kept goes at once. */
	EXPECT_EQ(0, npumem_set_parameter("max_zeroed", 0));
	EXPECT_EQ(0, zeroed_bytes());
	EXPECT_EQ(0, npumem_set_parameter("max_zeroed", self->before));
	EXPECT_EQ(0, npumem_set_parameter("zeroing_delay_ms", self->delay));
}

/* Has the cache full, by memory that was allocated and freed. */
static bool fill_up(int fd, __u64 bytes)
{
	__u64 handle;

	return !npumem_alloc(fd, 0, bytes, &handle) && !npumem_free(fd, handle) &&
	       becomes_true(zeroed_bytes() >= bytes);
}

/* ---- what the page allocator was asked for ---- */

static int trace_write(const char *file, const char *text)
{
	return group_write(INSTANCE, file, text);
}

/* Starts to record what this thread gets of a granule's size. */
static bool trace_start(void)
{
	char filter[64];

	mkdir(INSTANCE, 0755);
	snprintf(filter, sizeof(filter), "common_pid == %d && order == %d", gettid(),
		 __builtin_ctzll(G / page_bytes()));
	return !trace_write("events/kmem/mm_page_alloc/filter", filter) &&
	       !trace_write("trace", "\n") && !trace_write("tracing_on", "1") &&
	       !trace_write("events/kmem/mm_page_alloc/enable", "1");
}

/* How many that were. */
static int trace_stop(void)
{
	char line[512];
	int count = 0;
	FILE *f;

	trace_write("events/kmem/mm_page_alloc/enable", "0");
	f = fopen(INSTANCE "/trace", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		count += !!strstr(line, "mm_page_alloc:");
	fclose(f);
	rmdir(INSTANCE);
	return count;
}

static bool is_zero_then_marked(int fd, __u64 bytes, __u64 handle)
{
	__u64 address;
	bool zero;

	if (npumem_reserve(fd, bytes, &address) || npumem_map(fd, address, bytes, handle))
		return false;
	zero = bytes_differ(to_ptr(address), bytes, 0) < 0;
	pattern_mark(to_ptr(address), bytes, 7);
	return !npumem_unmap(fd, address) && !npumem_release(fd, address) && zero;
}

/* With nothing kept that is not zeroed, what is not got zeroed now was so before. */
TEST_F_TIMEOUT(zeroed, allocation_asks_the_page_allocator_for_nothing, 120)
{
	__u64 handle, taken;
	int i;

	if (!trace_start())
		SKIP(return, "needs the tracepoint kmem/mm_page_alloc");
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 0));
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	EXPECT_EQ((int)(BOUND / G), trace_stop());

	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", BOUND));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(fill_up(self->watch.fd, BOUND));
		taken = zeroed_count("taken");
		ASSERT_TRUE(trace_start());
		ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
		EXPECT_EQ(0, trace_stop());
		EXPECT_EQ(taken + BOUND / G, zeroed_count("taken"));
		EXPECT_EQ(0, zeroed_bytes());
		EXPECT_TRUE(is_zero_then_marked(self->watch.fd, BOUND, handle));
		ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	}
}

/* Was the kernel told to? The last word counts. */
static bool free_pages_are_wiped(void)
{
	static const char *const names[] = { "init_on_free=", "page_poison=", "debug_pagealloc=" };
	bool wiped[3] = { false };
	char word[256];
	FILE *f = fopen("/proc/cmdline", "re");
	unsigned int i;

	while (f && fscanf(f, "%255s", word) == 1)
		for (i = 0; i < 3; i++)
			if (!strncmp(word, names[i], strlen(names[i])))
				wiped[i] = !strchr("0noff", word[strlen(names[i])]) ||
					   !strcmp(word + strlen(names[i]), "on");
	if (f)
		fclose(f);
	return wiped[0] || wiped[1] || wiped[2];
}

/* From now on nothing is zeroed in advance. */
#define NEVER_MS	3600000

TEST_F_TIMEOUT(zeroed, what_was_freed_is_zeroed_when_it_is_used_again, 120)
{
	__u64 handle, taken, reused;
	int i;

	if (free_pages_are_wiped())
		SKIP(return, "this kernel wipes or marks what is freed");
	ASSERT_EQ(0, npumem_set_parameter("zeroing_delay_ms", NEVER_MS));
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	taken = zeroed_count("taken");
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(BOUND, zeroed_dirty());
		EXPECT_EQ(0, zeroed_bytes());
		reused = zeroed_count("reused");
		ASSERT_TRUE(trace_start());
		ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
		EXPECT_EQ(0, trace_stop());
		EXPECT_EQ(reused + BOUND / G, zeroed_count("reused"));
		EXPECT_EQ(0, zeroed_dirty());
		EXPECT_TRUE(is_zero_then_marked(self->watch.fd, BOUND, handle));
		ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	}
	EXPECT_EQ(taken, zeroed_count("taken"));
	/* It is bounded, and goes, as what is zeroed. */
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 8 * MIB));
	EXPECT_EQ(8 * MIB, zeroed_dirty());
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	EXPECT_EQ(8 * MIB, zeroed_dirty());
	for (i = 0; i < 5 && zeroed_dirty(); i++)
		ASSERT_TRUE(drop_caches());
	EXPECT_EQ(0, zeroed_dirty());
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 0));
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	EXPECT_EQ(0, zeroed_dirty());
	/* Who waits for the long time hears that it is a short one now. */
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", BOUND));
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	ASSERT_EQ(0, npumem_set_parameter("zeroing_delay_ms", self->delay));
	EXPECT_TRUE(becomes_true(zeroed_bytes() == BOUND));
	EXPECT_EQ(0, zeroed_dirty());
}

TEST_F_TIMEOUT(zeroed, more_than_there_is_comes_from_both, 120)
{
	__u64 handle, taken;

	ASSERT_TRUE(fill_up(self->watch.fd, BOUND));
	taken = zeroed_count("taken");
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, 2 * BOUND, &handle));
	EXPECT_EQ(taken + BOUND / G, zeroed_count("taken"));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
}

TEST_F_TIMEOUT(zeroed, counts_as_free, 120)
{
	__u64 reclaimable = vmstat("nr_kernel_misc_reclaimable"), free_bytes;

	free_bytes = npumem_free_bytes(self->watch.fd, 0);
	ASSERT_TRUE(fill_up(self->watch.fd, BOUND));
	EXPECT_EQ(free_bytes, npumem_free_bytes(self->watch.fd, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used(&self->watch, NPUMEM_DEVICE_NONE, 0));
	/* The kernel keeps such counts by processor, and adds them up now and then. */
	EXPECT_TRUE(becomes_true(vmstat("nr_kernel_misc_reclaimable") ==
				 reclaimable + BOUND / page_bytes()));
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 0));
	EXPECT_TRUE(becomes_true(vmstat("nr_kernel_misc_reclaimable") == reclaimable));
}

TEST_F_TIMEOUT(zeroed, is_bounded, 120)
{
	__u64 handle, most = 0;
	int i;

	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 8 * MIB));
	EXPECT_EQ(8 * MIB, npumem_parameter("max_zeroed"));
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, 4 * BOUND, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	EXPECT_TRUE(becomes_true(zeroed_bytes() == 8 * MIB));
	for (i = 0; i < A_WHILE_MS / 10; i++) {
		most = zeroed_bytes() > most ? zeroed_bytes() : most;
		pause_ms(10);
	}
	EXPECT_EQ(8 * MIB, most);
	/* What is less than a granule is nothing. */
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 5 * MIB));
	EXPECT_EQ(4 * MIB, npumem_parameter("max_zeroed"));
	EXPECT_EQ(4 * MIB, zeroed_bytes());
	/* Nothing comes by itself. */
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", BOUND));
	pause_ms(A_WHILE_MS);
	EXPECT_EQ(4 * MIB, zeroed_bytes());
}

TEST_F_TIMEOUT(zeroed, off_is_off, 120)
{
	__u64 filled, taken, handle;
	int i;

	ASSERT_TRUE(fill_up(self->watch.fd, BOUND));
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 0));
	EXPECT_EQ(0, zeroed_bytes());
	filled = zeroed_count("filled");
	taken = zeroed_count("taken");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, BOUND, &handle));
		ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
		pause_ms(A_WHILE_MS);
		EXPECT_EQ(0, zeroed_bytes());
	}
	EXPECT_EQ(filled, zeroed_count("filled"));
	EXPECT_EQ(taken, zeroed_count("taken"));
}

TEST_F(zeroed, parameter_is_a_size)
{
	static const char *const bad[] = { "x", "1Q", "-1", "1M,1M", "9E" };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_NE(0, group_write("/sys/module/npumem/parameters", "max_zeroed", bad[i])) {
			TH_LOG("bad[%u] is taken", i);
		}
	EXPECT_EQ(BOUND, npumem_parameter("max_zeroed"));
	EXPECT_EQ(0, group_write("/sys/module/npumem/parameters", "max_zeroed", "6M\n"));
	EXPECT_EQ(6 * MIB, npumem_parameter("max_zeroed"));
}

TEST_F_TIMEOUT(zeroed, goes_with_all_other_caches, 120)
{
	__u64 reclaimed;
	int i;

	ASSERT_TRUE(fill_up(self->watch.fd, BOUND));
	reclaimed = zeroed_count("reclaimed");
	/* The kernel asks for parts of it, each time. */
	for (i = 0; i < 5 && zeroed_bytes(); i++)
		ASSERT_TRUE(drop_caches());
	EXPECT_EQ(0, zeroed_bytes());
	EXPECT_EQ(reclaimed + BOUND / G, zeroed_count("reclaimed"));
	/* And does not come back by itself. */
	pause_ms(A_WHILE_MS);
	EXPECT_EQ(0, zeroed_bytes());
}

/*
 * Needs more and more memory until a part of what is kept is gone; in a child, which
 * the kernel kills if it has to kill anybody.
 */
static int press(__u64 most)
{
	__u64 reclaimed = zeroed_count("reclaimed"), at;
	pid_t child = fork();
	int status;
	char *p;

	if (child)
		return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
	group_write("/proc/self", "oom_score_adj", "1000");
	p = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		_exit(1);
	madvise(p, most, MADV_HUGEPAGE);
	for (at = 0; at < most; at += 4096) {
		p[at] = 1;
		if (!(at % (4 * MIB)) && zeroed_count("reclaimed") != reclaimed)
			_exit(0);
	}
	_exit(2);
}

TEST_F_TIMEOUT(zeroed, goes_under_pressure_and_nobody_is_killed, 240)
{
	const __u64 kept = 256 * MIB;
	__u64 kills = vmstat("oom_kill"), available;

	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", kept));
	ASSERT_TRUE(fill_up(self->watch.fd, kept));
	available = group_read("/proc", "meminfo", "MemAvailable:") * KIB;
	EXPECT_EQ(0, press(available + kept));
	EXPECT_GT(kept, zeroed_bytes());
	EXPECT_EQ(kills, vmstat("oom_kill"));
}

/* ---- whose pages ---- */

static bool all_zero_then_mark(int fd, __u64 bytes, __u64 *handle)
{
	return !npumem_alloc(fd, 0, bytes, handle) && is_zero_then_marked(fd, bytes, *handle);
}

TEST_F_TIMEOUT(zeroed, pinned_page_stays_with_who_pinned_it, 180)
{
	__u64 handle, again, address;
	unsigned char buffer[4096], got[4096];
	struct iovec vec;
	int fds[2], i;
	ssize_t n;

	ASSERT_EQ(0, npumem_new_mapping(self->watch.fd, 0, BOUND, &handle, &address));
	pattern_fill(to_ptr(address), BOUND, 41);
	ASSERT_EQ(0, pipe(fds));
	vec.iov_base = to_ptr(address + 6 * G + 8192);
	vec.iov_len = sizeof(buffer);
	memcpy(buffer, vec.iov_base, sizeof(buffer));
	n = vmsplice(fds[1], &vec, 1, SPLICE_F_NONBLOCK);
	/* Before 6.12 huge entries cannot be kept from that: it is what this is about. */
	if (!kernel_at_least(6, 12) && huge_entries_fit() &&
	    npumem_parameter("pmd_entries")) {
		ASSERT_LT(0, n);
	} else {
		ASSERT_EQ(-1, n);
		EXPECT_EQ(EFAULT, errno);
	}
	ASSERT_EQ(0, npumem_unmap(self->watch.fd, address));
	ASSERT_EQ(0, npumem_release(self->watch.fd, address));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	/* Others come round and round. */
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(becomes_true(zeroed_bytes() == BOUND));
		EXPECT_TRUE(all_zero_then_mark(self->watch.fd, 2 * BOUND, &again));
		ASSERT_EQ(0, npumem_free(self->watch.fd, again));
	}
	if (n > 0) {
		ASSERT_EQ(n, read(fds[0], got, sizeof(got)));
		EXPECT_EQ(0, memcmp(buffer, got, n));
	}
	close(fds[0]);
	close(fds[1]);
}

#define LIMIT	(64 * MIB)
#define SLACK	(6 * MIB + 64 * page_bytes() * sysconf(_SC_NPROCESSORS_ONLN))

/* Has a process in a group of its own, which may have LIMIT. */
static bool start_in_group(struct process *process, char *path, size_t size)
{
	group_write(GROUP_ROOT, "cgroup.subtree_control", "+memory");
	snprintf(path, size, GROUP_ROOT "/npumem-zeroed-%d", getpid());
	if (mkdir(path, 0755))
		return false;
	if (!group_write(path, "memory.max", "64M") && !client_start(process)) {
		group_write(path, "memory.swap.max", "0");
		if (!group_enter(path, process->pid))
			return true;
		process_kill(process);
	}
	rmdir(path);
	return false;
}

/*
 * What somebody is charged for cannot be kept: as much is taken later, but no more
 * than there is room for.
 */
TEST_F_TIMEOUT(zeroed, is_not_filled_beyond_its_bound, 120)
{
	__u64 filled = zeroed_count("filled"), handle, room = 8 * MIB;
	struct process process;
	char path[96];

	if (!start_in_group(&process, path, sizeof(path)))
		SKIP(return, "needs a memory controller of cgroup v2 at " GROUP_ROOT);
	/* Before that, he could not be given it either. */
	if (!kernel_at_least(6, 12))
		room = 0;
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 8 * MIB));
	ASSERT_EQ(0, npumem_set_parameter("zeroing_delay_ms", 600000));
	ASSERT_EQ(0, client_alloc(&process, 0, BOUND, &handle));
	ASSERT_EQ(0, client_free(&process, handle));
	EXPECT_EQ(room ? BOUND / G : 0, zeroed_wanted());
	EXPECT_EQ(0, zeroed_bytes());
	ASSERT_EQ(0, npumem_set_parameter("zeroing_delay_ms", 1));
	EXPECT_TRUE(becomes_true(zeroed_bytes() == room));
	EXPECT_TRUE(becomes_true(!zeroed_wanted()));
	EXPECT_EQ(room, zeroed_bytes());
	EXPECT_EQ(filled + room / G, zeroed_count("filled"));
	ASSERT_EQ(0, process_kill(&process));
	EXPECT_TRUE(becomes_true(!rmdir(path)));
}

/* Kept chunks are nobody's charge, and whoever gets one is charged, or gets none. */
TEST_F_TIMEOUT(zeroed, is_charged_to_who_gets_it, 240)
{
	__u64 start, taken, handle, slab, global;
	struct process process;
	char path[96];
	int i;

	if (!start_in_group(&process, path, sizeof(path)))
		SKIP(return, "needs a memory controller of cgroup v2 at " GROUP_ROOT);
	ASSERT_EQ(0, npumem_set_parameter("max_zeroed", 2 * LIMIT));
	start = group_read(path, "memory.current", NULL);
	slab = group_read(path, "memory.stat", "slab_unreclaimable");
	global = vmstat("nr_slab_unreclaimable");

	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(fill_up(self->watch.fd, 2 * LIMIT));
		EXPECT_GT(start + SLACK, group_read(path, "memory.current", NULL));
		taken = zeroed_count("taken");
		ASSERT_EQ(0, client_alloc(&process, 0, 32 * MIB, &handle));
		printf("# %llu chunks of %llu were zeroed already\n",
		       zeroed_count("taken") - taken, 32 * MIB / G);
		/* Before that, a page that is there cannot be charged for. */
		EXPECT_EQ(taken + (kernel_at_least(6, 12) ? 32 * MIB / G : 0),
			  zeroed_count("taken"));
		EXPECT_LE(32 * MIB, group_read(path, "memory.current", NULL));
		EXPECT_GT(32 * MIB + start + SLACK, group_read(path, "memory.current", NULL));
		ASSERT_EQ(0, client_free(&process, handle));
		EXPECT_TRUE(becomes_true(group_read(path, "memory.current", NULL) <
					 start + SLACK));
	}
	/* The limit holds, and what the cache had stays there. */
	EXPECT_EQ(-ENOMEM, client_alloc(&process, 0, LIMIT, &handle));
	EXPECT_EQ(-ENOMEM, client_alloc(&process, 0, 2 * LIMIT, &handle));
	EXPECT_TRUE(becomes_true(group_read(path, "memory.current", NULL) < start + SLACK));
	EXPECT_EQ(0, group_read(path, "memory.events", "oom_kill"));
	/* It does not turn up as what it is not. */
	if (slab != ~0ULL) {
		EXPECT_TRUE(becomes_true(group_read(path, "memory.stat", "slab_unreclaimable") <
					 slab + 8 * MIB));
	}
	EXPECT_TRUE(becomes_true(vmstat("nr_slab_unreclaimable") <
				 global + 16 * MIB / page_bytes()));
	ASSERT_EQ(0, process_kill(&process));
	EXPECT_TRUE(becomes_true(!rmdir(path)));
}

/* A node that a process may not use is not used for it, whatever is kept of it. */
TEST_F_TIMEOUT(zeroed, keeps_to_the_node_and_the_cpuset, 180)
{
	__u64 handle, taken, kept;
	struct process process;
	char path[96];
	int i;

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "one NUMA node only: tools/vm/vm --node gives another");
	/* What another processor has on its lists is not had without reclaim. */
	for (i = 0; i < 20 && zeroed_of_node(1) < BOUND; i++) {
		ASSERT_EQ(0, npumem_alloc_at(self->watch.fd, NPUMEM_LOCATION_HOST_NUMA, 1, BOUND,
					     &handle));
		ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
		pause_ms(A_WHILE_MS);
	}
	ASSERT_EQ(BOUND, zeroed_of_node(1));
	/* Not for who is near to another one, nor for who names another one. */
	taken = zeroed_count("taken");
	ASSERT_EQ(0, npumem_alloc_at(self->watch.fd, NPUMEM_LOCATION_HOST_NUMA, 0, G, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	ASSERT_EQ(0, npumem_alloc(self->watch.fd, 0, G, &handle));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));
	EXPECT_EQ(taken, zeroed_count("taken"));
	EXPECT_EQ(BOUND, zeroed_of_node(1));
	ASSERT_EQ(0, npumem_alloc_at(self->watch.fd, NPUMEM_LOCATION_HOST_NUMA, 1, G, &handle));
	EXPECT_EQ(taken + 1, zeroed_count("taken"));
	ASSERT_EQ(0, npumem_free(self->watch.fd, handle));

	if (group_write(GROUP_ROOT, "cgroup.subtree_control", "+cpuset"))
		SKIP(return, "needs the cpuset controller of cgroup v2");
	ASSERT_EQ(0, client_start(&process));
	snprintf(path, sizeof(path), GROUP_ROOT "/npumem-zeroed-%d", getpid());
	ASSERT_EQ(0, mkdir(path, 0755));
	ASSERT_EQ(0, group_write(path, "cpuset.mems", "0"));
	ASSERT_EQ(0, group_enter(path, process.pid));
	taken = zeroed_count("taken");
	kept = zeroed_of_node(1);
	ASSERT_LE(G, kept);
	EXPECT_EQ(-ENOMEM, process_do(&process, client_do_alloc_at, NPUMEM_LOCATION_HOST_NUMA, 1,
				      G));
	EXPECT_EQ(taken, zeroed_count("taken"));
	EXPECT_LE(kept, zeroed_of_node(1));
	ASSERT_EQ(0, process_kill(&process));
	EXPECT_TRUE(becomes_true(!rmdir(path)));
}

/* ---- all at once ---- */

struct shared {
	int fd;
	unsigned int stream;
	__u64 taken;	/* before */
	bool stop;
	const char *wrong;
};

/* Has anybody got what the thread had zeroed? */
static bool met(const struct shared *s)
{
	return zeroed_count("taken") > s->taken;
}

/* What anybody gets is zero, whoever had it before. */
static void *churn(void *argument)
{
	struct shared *s = argument;
	unsigned long rounds = npumem_rounds(repeats(150)), i;
	struct dice dice;

	dice_init(&dice, s->stream);
	/* The thread may get no processor for long. */
	for (i = 0; !s->wrong && (i < rounds || (i < 20 * rounds && !met(s))); i++) {
		__u64 length = (1 + dice_below(&dice, 6)) * G, handle, address, at;

		if (npumem_new_mapping(s->fd, 0, length, &handle, &address)) {
			s->wrong = "allocation";
			break;
		}
		for (at = address; at < address + length; at += 4096)
			if (*(volatile __u64 *)to_ptr(at))
				s->wrong = "contents";
		pattern_mark(to_ptr(address), length, i);
		if (!dice_below(&dice, 8))
			pause_ms(dice_below(&dice, 150));
		if (pattern_check(to_ptr(address), length, i) >= 0)
			s->wrong = "another's stores";
		if (npumem_unmap(s->fd, address) || npumem_release(s->fd, address) ||
		    npumem_free(s->fd, handle))
			s->wrong = "freeing";
	}
	return NULL;
}

static void *disturb(void *argument)
{
	struct shared *s = argument;
	struct dice dice;

	dice_init(&dice, s->stream);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		switch (dice_below(&dice, 4)) {
		case 0:
			npumem_set_parameter("max_zeroed", 0);
			break;
		case 1:
			drop_caches();
			break;
		default:
			npumem_set_parameter("max_zeroed", dice_below(&dice, 20) * G);
		}
		pause_ms(50 + dice_below(&dice, 200));
	}
	return NULL;
}

TEST_F_TIMEOUT(zeroed, what_is_handed_out_is_zero_and_nobody_elses, 600)
{
	struct shared all[4] = { { 0 } };
	pthread_t thread[4];
	__u64 filled = zeroed_count("filled"), taken = zeroed_count("taken");
	__u64 reused = zeroed_count("reused");
	int i;

	/* The thread is to be in the midst of it. */
	ASSERT_EQ(0, npumem_set_parameter("zeroing_delay_ms", 1));
	for (i = 0; i < 4; i++) {
		all[i].fd = self->watch.fd;
		all[i].stream = i;
		all[i].taken = taken;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, i ? churn : disturb, &all[i]));
	}
	for (i = 1; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(NULL, all[i].wrong) {
			TH_LOG("%s", all[i].wrong ? all[i].wrong : "");
		}
	}
	__atomic_store_n(&all[0].stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread[0], NULL));
	filled = zeroed_count("filled") - filled;
	taken = zeroed_count("taken") - taken;
	reused = zeroed_count("reused") - reused;
	printf("# %llu filled, %llu taken, %llu reused\n", filled, taken, reused);
	EXPECT_LT(0, filled);
	EXPECT_LT(0, taken);
}

TEST_HARNESS_MAIN
