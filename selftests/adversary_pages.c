// SPDX-License-Identifier: MIT
/*
 * An attacker tries to see a victim's bytes: through addresses and pins that he has
 * kept, in other processes, in files of the kernel and in core files; and to write
 * where he may only read. What mm_pages and mm_calls have tried already is not here.
 */
#include "npumem_adversary.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#include <dirent.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define SECRET		0x5ec2e75ec2e75ec2ULL
#define LENGTH		(2 * G)

FIXTURE(pages)
{
	struct watch watch;
	struct node node;
	__u64 *stop;		/* the victim's */
	struct process victim, attacker;
};

FIXTURE_SETUP(pages)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_TRUE(node_open_to_attackers(&self->node));
	self->stop = process_shared(4096);
	ASSERT_NE(NULL, self->stop);
	ASSERT_EQ(0, attacker_start(&self->victim, 1));
	ASSERT_EQ(0, attacker_start(&self->attacker, 0));
}

FIXTURE_TEARDOWN(pages)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(node_restore(&self->node));
}

/* ---- addresses that are stale ---- */

struct peek {
	__u64 address;
	bool stop;
	unsigned long seen, refused, secrets;
};

/* Pages that one processor frees wait there: the next owner has to be there too. */
static void stay_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *peek_thread(void *data)
{
	struct peek *peek = data;
	__u64 word = 0, at = 0;

	stay_on(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (!__atomic_load_n(&peek->stop, __ATOMIC_RELAXED)) {
		if (careful_load(peek->address + at, &word))
			peek->refused++;
		else if (word == SECRET)
			peek->secrets++;
		else
			peek->seen++;
		at = (at + 4096) % LENGTH;
		if (!at)
			pause_ms(1);
	}
	return NULL;
}

/* Waits until the victim has allocated and written anew. */
static void let_victim(volatile __u64 *victim)
{
	__u64 count = victim[1];

	becomes_true(victim[1] >= count + 2 || victim[0]);
}

/*
 * Gives memory back in each way there is while a thread goes on reading where it was.
 * How often it read a secret; a[1], a[2]: it read something else, and it could not.
 */
static long do_give_back_and_peek(__u64 *a)
{
	struct peek peek = { 0 };
	pthread_t thread;
	__u64 handle, i;
	int error = 0;

	careful_begin();
	stay_on(0);
	if (npumem_reserve(client_fd, LENGTH, &peek.address) ||
	    pthread_create(&thread, NULL, peek_thread, &peek))
		return -EIO;
	for (i = 0; i < a[0] && !error; i++) {
		error = npumem_alloc(client_fd, 0, LENGTH, &handle);
		if (!error)
			error = npumem_map(client_fd, peek.address, LENGTH, handle);
		pause_ms(1);
		if (i % 3 == 2) {
			error = error ?: npumem_reset(client_fd, 0);
		} else {
			error = error ?: npumem_free(client_fd, handle);
			error = error ?: npumem_unmap(client_fd, peek.address);
		}
		if (!error)
			let_victim(to_ptr(a[3]));
	}
	peek.stop = true;
	pthread_join(thread, NULL);
	npumem_release(client_fd, peek.address);
	a[1] = peek.seen;
	a[2] = peek.refused;
	return error ?: (long)peek.secrets;
}

/* Until a[0] says so: allocates, writes the secret to each page, frees. */
static long do_keep_secrets(__u64 *a)
{
	volatile __u64 *stop = to_ptr(a[0]);
	__u64 handle, address, at;
	long n = 0;
	int error = 0;

	stay_on(0);
	while (!*stop && !error) {
		error = npumem_new_mapping(client_fd, 0, 2 * LENGTH, &handle, &address);
		if (error)
			break;
		for (at = 0; at < 2 * LENGTH; at += 4096)
			*(volatile __u64 *)to_ptr(address + at) = SECRET;
		stop[1]++;
		error = npumem_free(client_fd, handle);
		if (munmap(to_ptr(address), 2 * LENGTH))
			error = -errno;
		n++;
	}
	return error ?: n;
}

TEST_F_TIMEOUT(pages, stale_addresses_never_show_the_next_owners_secret, 300)
{
	struct call secrets = { .function = do_keep_secrets };
	struct call peek = {
		.function = do_give_back_and_peek,
		.argument = { npumem_rounds(9), [3] = to_u64(self->stop) },
	};

	secrets.argument[0] = to_u64(self->stop);
	ASSERT_EQ(0, process_begin(&self->victim, &secrets));
	EXPECT_EQ(0, process_call(&self->attacker, &peek));
	*self->stop = 1;
	EXPECT_LT(0, process_end(&self->victim, &secrets));
	TH_LOG("%llu loads saw nothing, %llu were refused, %ld saw one of %ld secrets",
	       peek.argument[1], peek.argument[2], peek.result, secrets.result);
	EXPECT_LT(0, peek.argument[1]);
	EXPECT_LT(0, peek.argument[2]);
}

/* ---- io_uring ---- */

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static int ring_make(struct ring *ring)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring->fd = syscall(SYS_io_uring_setup, 4, &p);
	if (ring->fd < 0)
		return -errno;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED,
		  ring->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*ring->cqes),
		  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, p.sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED, ring->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -errno;
	ring->sq_tail = (void *)(sq + p.sq_off.tail);
	ring->sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring->sq_array = (void *)(sq + p.sq_off.array);
	ring->cq_head = (void *)(cq + p.cq_off.head);
	ring->cq_tail = (void *)(cq + p.cq_off.tail);
	ring->cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring->cqes = (void *)(cq + p.cq_off.cqes);
	return 0;
}

/* Result of one request. */
static int ring_do(struct ring *ring, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *ring->sq_tail, index = tail & *ring->sq_mask, head;
	int ret;

	ring->sqes[index] = *sqe;
	ring->sq_array[index] = index;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	head = *ring->cq_head;
	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	ret = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return ret;
}

/*
 * Registers device memory with io_uring, gives it back and keeps the pin. a[1]: the
 * pin; a[2]: what io_uring makes of the node itself.
 */
static struct ring attackers_ring;
static __u64 attackers_address;

static long do_pin_and_give_back(__u64 *a)
{
	struct ring *ring = &attackers_ring;
	struct io_uring_sqe read = {
		.opcode = IORING_OP_READ,
		.fd = client_fd,
		.addr = to_u64(&read),
		.len = 8,
	};
	struct iovec vec = { .iov_len = 65536 };
	__u64 handle, address;
	long ret = ring_make(ring);

	if (ret)
		return ret;
	if (npumem_new_mapping(client_fd, 0, G, &handle, &address))
		return -EIO;
	vec.iov_base = to_ptr(address);
	memset(vec.iov_base, 0x11, G);
	a[1] = syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &vec, 1) ?
	       -errno : 0;
	a[2] = ring_do(ring, &read);
	attackers_address = address;
	return npumem_free(client_fd, handle) ?: npumem_unmap(client_fd, address);
}

/* What the pin shows now: how many words are the secret. */
static long do_look_through_pin(__u64 *a)
{
	struct io_uring_sqe write = {
		.opcode = IORING_OP_WRITE_FIXED,
		.addr = attackers_address,
		.len = 4096,
	};
	__u64 words[512];
	int fds[2], n;
	unsigned int i;
	long secrets = 0;

	if (pipe(fds))
		return -errno;
	write.fd = fds[1];
	n = ring_do(&attackers_ring, &write);
	a[0] = n;
	if (n > 0 && read(fds[0], words, n) != n)
		return -EIO;
	for (i = 0; n > 0 && i < n / 8U; i++)
		secrets += words[i] == SECRET;
	close(fds[0]);
	close(fds[1]);
	close(attackers_ring.fd);
	return secrets;
}

TEST_F_TIMEOUT(pages, buffers_of_io_uring_never_show_the_next_owners_secret, 240)
{
	struct call pin = { .function = do_pin_and_give_back };
	struct call look = { .function = do_look_through_pin };
	struct call secrets = { .function = do_keep_secrets };
	long ret;

	ret = process_call(&self->attacker, &pin);
	if (ret == -ENOSYS || ret == -EPERM)
		SKIP(return, "no io_uring here");
	ASSERT_EQ(0, ret);
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	secrets.argument[0] = to_u64(self->stop);
	ASSERT_EQ(0, process_begin(&self->victim, &secrets));
	EXPECT_TRUE(becomes_true(npumem_used(self->watch.fd, 0) >=
				 self->watch.used[0] + 2 * LENGTH));
	pause_ms(30);
	EXPECT_EQ(0, process_call(&self->attacker, &look));
	*self->stop = 1;
	EXPECT_LT(0, process_end(&self->victim, &secrets));
	TH_LOG("registering a buffer gave %lld, a read of the node %lld, the buffer after the free %lld bytes without a secret",
	       (__s64)pin.argument[1], (__s64)pin.argument[2], (__s64)look.argument[0]);
	EXPECT_EQ(-EINVAL, (__s64)pin.argument[2]);
}

/* ---- other processes ---- */

static long do_secret(__u64 *a)
{
	__u64 handle;
	long ret = npumem_new_mapping(client_fd, 0, G, &handle, &a[0]);

	if (!ret)
		pattern_fill(to_ptr(a[0]), G, SECRET);
	return ret;
}

/* Each way into the memory of process a[0] at a[1]: -errno, or 0 for in. */
static long do_look_into(__u64 *a)
{
	__u64 word = 0;
	struct iovec local = { &word, 8 }, remote = { to_ptr(a[1]), 8 };
	char path[64];
	int fd, status;

	a[2] = process_vm_readv(a[0], &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
	a[3] = process_vm_writev(a[0], &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)a[0]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	a[4] = fd < 0 ? -errno : pread(fd, &word, 8, a[1]) < 0 ? -errno : 0;
	a[5] = fd < 0 ? -errno : pwrite(fd, &word, 8, a[1]) < 0 ? -errno : 0;
	close(fd);
	if (ptrace(PTRACE_ATTACH, (pid_t)a[0], 0, 0)) {
		a[6] = a[7] = -errno;
		return 0;
	}
	waitpid(a[0], &status, __WALL);
	errno = 0;
	ptrace(PTRACE_PEEKDATA, (pid_t)a[0], to_ptr(a[1]), 0);
	a[6] = -errno;
	errno = 0;
	ptrace(PTRACE_POKEDATA, (pid_t)a[0], to_ptr(a[1]), 0);
	a[7] = -errno;
	ptrace(PTRACE_DETACH, (pid_t)a[0], 0, 0);
	return 0;
}

static bool is_no_right(__s64 error)
{
	return error == -EPERM || error == -EACCES || error == -ESRCH;
}

static bool is_no_memory(__s64 error)
{
	return error == -EFAULT || error == -EIO;
}

/*
 * Not even who may trace a process, its own user or root, gets at the bytes by that.
 * He can make it read them for him, of course: who may trace a process is it.
 */
TEST_F_TIMEOUT(pages, tracing_a_process_does_not_show_them, 240)
{
	static const char *const who[] = { "another user", "the same user", "root" };
	struct process tracer[3];
	__u64 address;
	int i, j;

	ASSERT_EQ(0, process_get(&self->victim, &address, 0, do_secret));
	ASSERT_EQ(0, attacker_start_idle(&tracer[0], 0));
	ASSERT_EQ(0, attacker_start_idle(&tracer[1], 1));
	ASSERT_EQ(0, process_start(&tracer[2]));
	for (i = 0; i < 3; i++) {
		struct call look = {
			.function = do_look_into,
			.argument = { self->victim.pid, address },
		};

		ASSERT_EQ(0, process_call(&tracer[i], &look));
		TH_LOG("%s: process_vm_readv %lld, writev %lld, /proc/PID/mem read %lld, write %lld, PEEKDATA %lld, POKEDATA %lld",
		       who[i], (__s64)look.argument[2], (__s64)look.argument[3],
		       (__s64)look.argument[4], (__s64)look.argument[5],
		       (__s64)look.argument[6], (__s64)look.argument[7]);
		for (j = 2; j < 8; j++)
			EXPECT_TRUE(i ? is_no_memory(look.argument[j]) ||
					/* where tracing is for root only */
					(i == 1 && is_no_right(look.argument[j])) :
					is_no_right(look.argument[j]));
	}
}

/* The words of a mapping in /proc/self/pagemap; how many of them tell anything. */
static long do_count_frames(__u64 *a)
{
	__u64 entry, at, base = a[1] ? a[1] : attackers_address;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long n = 0;

	if (fd < 0)
		return -errno;
	for (at = 0; at < a[0]; at += page_bytes()) {
		if (pread(fd, &entry, 8, (base + at) / page_bytes() * 8) != 8)
			return -EIO;
		/* Its frame, and whether it is present, swapped or a file's. */
		n += !!(entry & ~(1ULL << 55));
	}
	close(fd);
	return n;
}

static long do_heap(__u64 *a)
{
	char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 65536);
	a[0] = to_u64(p);
	return 0;
}

TEST_F_TIMEOUT(pages, physical_addresses_are_not_told_to_anybody, 240)
{
	struct process root;
	__u64 address, heap;

	ASSERT_EQ(0, client_start(&root));
	ASSERT_EQ(0, process_get(&root, &address, 0, do_secret));
	ASSERT_EQ(0, process_get(&root, &heap, 0, do_heap));
	EXPECT_EQ((long)(65536 / page_bytes()), process_do(&root, do_count_frames, 65536, heap));
	EXPECT_EQ(0, process_do(&root, do_count_frames, G, address));
	ASSERT_EQ(0, process_get(&self->attacker, &address, 0, do_secret));
	EXPECT_EQ(0, process_do(&self->attacker, do_count_frames, G, address));
	TH_LOG("pagemap shows frames of the heap, and none of device memory, not even to root");
}

/* ---- core files ---- */

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

static int core_pattern(const char *text, char *was, size_t size)
{
	int fd = open(CORE_PATTERN, O_RDWR | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (was) {
		n = read(fd, was, size - 1);
		was[n > 0 ? n : 0] = '\0';
	}
	n = pwrite(fd, text, strlen(text), 0);
	close(fd);
	return n < 0 ? -errno : 0;
}

/* A process with the pattern @seed in its heap and in device memory, and no more. */
static void dump_core(__u64 heap_seed, __u64 device_seed)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	__u64 *heap = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	int fd = npumem_open();
	__u64 handle, address;

	if (fd < 0 || npumem_new_mapping(fd, 0, 8 * G, &handle, &address))
		_exit(1);
	/* All that can be asked for. */
	if (write(filter, "0xffff", 6) != 6 || setrlimit(RLIMIT_CORE, &limit))
		_exit(2);
	madvise(to_ptr(address), 8 * G, MADV_DODUMP);
	prctl(PR_SET_DUMPABLE, 1);
	pattern_fill(heap, 65536, heap_seed);
	pattern_fill(to_ptr(address), 8 * G, device_seed);
	kill(getpid(), SIGSEGV);
	_exit(3);
}

/* How often two words of a pattern follow each other in a file. */
static long pattern_in_file(const char *path, __u64 seed, __u64 *size)
{
	static __u64 words[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	__u64 a = pattern_word(seed, 0), b = pattern_word(seed, 1);
	ssize_t n, i;
	long found = 0;

	*size = 0;
	if (fd < 0)
		return -errno;
	while ((n = read(fd, words, sizeof(words))) > 0) {
		for (i = 0; i + 1 < n / 8; i++)
			found += words[i] == a && words[i + 1] == b;
		*size += n;
	}
	close(fd);
	return found;
}

TEST_F_TIMEOUT(pages, core_file_has_none_of_them, 240)
{
	char directory[] = "/tmp/npumem-core-XXXXXX", path[64], was[256], pattern[64];
	long heap, device;
	__u64 size;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/core", directory);
	snprintf(pattern, sizeof(pattern), "%s", path);
	status = core_pattern(pattern, was, sizeof(was));
	if (status)
		SKIP(return, "core files cannot be had (%d)", status);
	core_pattern("0", NULL, 0);
	core_pattern(pattern, NULL, 0);
	pid = fork();
	if (!pid)
		dump_core(1234, 4321);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	core_pattern(was, NULL, 0);
	if (access(path, R_OK)) {
		/* As core_uses_pid has it. */
		snprintf(path, sizeof(path), "%s/core.%d", directory, pid);
	}
	heap = pattern_in_file(path, 1234, &size);
	device = pattern_in_file(path, 4321, &size);
	unlink(path);
	rmdir(directory);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	if (heap == -ENOENT)
		SKIP(return, "this kernel writes no core files");
	TH_LOG("core of %llu KiB: the heap %ld times, device memory %ld times", size / 1024, heap,
	       device);
	EXPECT_LT(0, heap);
	EXPECT_EQ(0, device);
	EXPECT_GT(8 * G, size);
}

/* ---- reading only ---- */

/* Tries @call; says what it gave, and whether a store still fails. */
#define UPGRADE(call) do {						\
	long ret_ = (call);						\
									\
	TH_LOG("%-52s %ld, errno %d; a store: signal %d", #call, ret_,	\
	       ret_ == -1 ? errno : 0, store_signal(base));		\
	EXPECT_EQ(SIGSEGV, store_signal(base));				\
	EXPECT_EQ(SIGSEGV, store_signal(base + G + 4096));		\
} while (0)

static long write_protect_and_back(__u64 base)
{
	struct uffdio_api api = { .api = UFFD_API, .features = 1 << 15 /* WP_ASYNC */ };
	struct uffdio_register reg = {
		.range = { .start = base, .len = 2 * G },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = { .range = { .start = base, .len = 2 * G } };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int ret = fd < 0 ? -errno : 0;

	if (!ret && (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg)))
		ret = -errno;
	protect.mode = UFFDIO_WRITEPROTECT_MODE_WP;
	if (!ret && ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		ret = -errno;
	protect.mode = 0;
	if (!ret && ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

TEST_F_TIMEOUT(pages, no_call_makes_writable_what_may_only_be_read, 240)
{
	unsigned long all_nodes = ~0UL;
	int fd = self->watch.fd, mem, status = 0, node = 0;
	struct iovec local, remote;
	__u64 handle, base, word = ~0ULL;
	void *page;

	ASSERT_EQ(0, npumem_new_mapping(fd, 0, 2 * G, &handle, &base));
	page = to_ptr(base);
	pattern_fill(page, 2 * G, 77);
	ASSERT_EQ(0, npumem_set_access(fd, base, 2 * G, 0, NPUMEM_ACCESS_READ));
	ASSERT_EQ(0, load_signal(base));
	local = (struct iovec) { &word, 8 };
	remote = (struct iovec) { page, 8 };
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, mem);

	UPGRADE(mprotect(page, 2 * G, PROT_READ | PROT_WRITE));
	UPGRADE(mprotect(page, 2 * G, PROT_READ) + mprotect(page, 2 * G, PROT_READ | PROT_WRITE));
	UPGRADE(mprotect(page, 2 * G, PROT_WRITE | PROT_GROWSDOWN));
	UPGRADE(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	UPGRADE(syscall(SYS_pkey_mprotect, page, 2 * G, PROT_READ | PROT_WRITE, 0));
	UPGRADE(syscall(SYS_pkey_mprotect, page, 2 * G, PROT_READ | PROT_WRITE, -1));
	UPGRADE(mremap(page, 2 * G, 2 * G, MREMAP_MAYMOVE | 4 /* DONTUNMAP */) == MAP_FAILED ?
		-1 : 0);
	UPGRADE(syscall(SYS_remap_file_pages, page + G, G, 0, 0, 0));
	UPGRADE(syscall(SYS_remap_file_pages, page, 4096, 0, 1, 0));
	UPGRADE(madvise(page, 2 * G, MADV_DONTNEED));
	UPGRADE(madvise(page, 2 * G, MADV_REMOVE));
	UPGRADE(madvise(page, 2 * G, 22 /* POPULATE_READ */));
	UPGRADE(madvise(page, 2 * G, 23 /* POPULATE_WRITE */));
	UPGRADE(madvise(page, 2 * G, 25 /* COLLAPSE */));
	UPGRADE(madvise(page, 2 * G, 102 /* GUARD_INSTALL */));
	UPGRADE(mlock(page, 2 * G));
	UPGRADE(munlock(page, 2 * G));
	UPGRADE(syscall(SYS_mbind, page, 2 * G, 3 /* INTERLEAVE */, &all_nodes, 2, 2 /* MOVE */));
	UPGRADE(syscall(SYS_move_pages, 0, 1, &page, &node, &status, 2));
	UPGRADE(write_protect_and_back(base));
	UPGRADE(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	UPGRADE(pwrite(mem, &word, 8, base));
	UPGRADE(read(open("/dev/zero", O_RDONLY | O_CLOEXEC), page, 8));
	UPGRADE(npumem_copy(fd, 0, page, &word, 8));
	UPGRADE(npumem_fill(fd, 0, page, 8, 1));
	EXPECT_EQ(0, status == 0 ? -1 : 0);

	EXPECT_EQ(-1, pattern_verify(page, 2 * G, 77));
	close(mem);
	munmap(page, 2 * G);
	EXPECT_EQ(0, npumem_free(fd, handle));
}

/* The kernel moves page tables before it asks whether it may. There is nothing in them. */
TEST_F_TIMEOUT(pages, mremap_that_is_refused_has_moved_no_entry, 120)
{
	struct npumem_stats before, after;
	int fd = self->watch.fd;
	__u64 handle, base;

	ASSERT_EQ(0, npumem_new_mapping(fd, 0, G, &handle, &base));
	pattern_fill(to_ptr(base), G, 6);
	ASSERT_EQ(0, npumem_stats(fd, &before));
	EXPECT_EQ(-1, pattern_verify(to_ptr(base), G, 6));
	ASSERT_EQ(0, npumem_stats(fd, &after));
	EXPECT_EQ(before.faults, after.faults);
	EXPECT_EQ(MAP_FAILED, mremap(to_ptr(base), G, G, MREMAP_MAYMOVE | MREMAP_FIXED,
				     to_ptr(base + 16 * G)));
	EXPECT_EQ(-1, pattern_verify(to_ptr(base), G, 6));
	ASSERT_EQ(0, npumem_stats(fd, &after));
	TH_LOG("%llu faults brought the entries back", after.faults - before.faults);
	EXPECT_LT(before.faults, after.faults);
	munmap(to_ptr(base), G);
	EXPECT_EQ(0, npumem_free(fd, handle));
}

TEST_HARNESS_MAIN
