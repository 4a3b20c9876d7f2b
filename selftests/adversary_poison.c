// SPDX-License-Identifier: MIT
/*
 * Memory that the hardware has failed in: who has it is not told lies, and when it
 * was given back nobody gets it again.
 */
#include "npumem_client.h"
#include "npumem_cgroup.h"

#include "kselftest_harness.h"

#define OWNERS		GROUP_ROOT "/npumem-poison-owner"
#define OTHERS		GROUP_ROOT "/npumem-poison-others"
#define INJECT		"/sys/kernel/debug/hwpoison/corrupt-pfn"

/* Bits of /proc/kpageflags. */
#define FLAG_LRU	(1ULL << 5)
#define FLAG_FREE	(1ULL << 10)
#define FLAG_ANON	(1ULL << 12)
#define FLAG_HEAD	(1ULL << 15)
#define FLAG_TAIL	(1ULL << 16)
#define FLAG_POISONED	(1ULL << 19)

/* Page that is poisoned, of its chunk. */
#define WHICH		7

FIXTURE(poison)
{
	struct watch watch;
	struct process owner;
	__u64 handle, address;
	__u64 owners, others;	/* numbers of groups */
};

static long do_enter(__u64 *a)
{
	return group_write(a[0] ? OTHERS : OWNERS, "cgroup.procs", "0");
}

static __u64 make_group(const char *name)
{
	struct stat st;

	return (mkdir(name, 0755) && errno != EEXIST) || stat(name, &st) ? 0 : st.st_ino;
}

static long do_poison(__u64 *a)
{
	return madvise(to_ptr(a[0]), page_bytes(), MADV_HWPOISON) ? -errno : 0;
}

/* What the driver does in the caller's name with the failed page, or beside it. */
static long do_copies(__u64 *a)
{
	char *failed = to_ptr(a[0]);
	size_t page = page_bytes();
	char *bytes = malloc(page);
	long good = 0;

	memset(bytes, 0x5a, page);
	good |= (npumem_copy(client_fd, 0, bytes, failed, page) == -EIO) << 0;
	good |= (bytes[0] == 0x5a && bytes[page - 1] == 0x5a) << 1;
	good |= (npumem_copy(client_fd, 0, failed + page - 1, bytes, 1) == -EIO) << 2;
	good |= (npumem_fill(client_fd, 0, failed - 1, 2, 1) == -EIO) << 3;
	good |= (npumem_copy(client_fd, 0, failed + page, failed - page, 2 * page) == -EIO) << 4;
	good |= (npumem_copy(client_fd, 0, failed, failed + page, page) == -EIO) << 5;
	/* Downwards, from the end that is all right to where it is not. */
	good |= (npumem_copy(client_fd, 0, failed + page, failed, 2 * page) == -EIO) << 6;
	good |= !npumem_copy(client_fd, 0, bytes, failed - page, page) << 7;
	good |= !npumem_copy(client_fd, 0, failed + page, bytes, page) << 8;
	good |= !npumem_fill(client_fd, 0, failed - page, page, 0) << 9;
	free(bytes);
	return good;
}

/* Allocates pieces of one granule until there are none, or so many. */
static long do_alloc_all(__u64 *a)
{
	__u64 handle;
	long n = 0;

	while (n < (long)a[0] && !npumem_alloc(client_fd, 0, G, &handle))
		n++;
	return n;
}

FIXTURE_SETUP(poison)
{
	if (geteuid())
		SKIP(return, "needs root");
	if (access("/proc/kpagecgroup", R_OK) || access(GROUP_ROOT "/cgroup.procs", W_OK))
		SKIP(return, "needs /proc/kpagecgroup and cgroup v2");
	if (access(INJECT, W_OK) && system("modprobe -q hwpoison_inject"))
		TH_LOG("no module hwpoison_inject");
	if (!huge_entries_fit() && access(INJECT, W_OK))
		SKIP(return, "no way to poison a page");
	ASSERT_TRUE(watch_start(&self->watch));
	self->owners = make_group(OWNERS);
	self->others = make_group(OTHERS);
	ASSERT_NE(0, self->owners);
	ASSERT_NE(0, self->others);
	ASSERT_EQ(0, client_start(&self->owner));
	ASSERT_EQ(0, process_do(&self->owner, do_enter, 0));
	ASSERT_EQ(0, client_alloc(&self->owner, 0, G, &self->handle));
	ASSERT_EQ(0, client_map(&self->owner, self->handle, G, &self->address));
	ASSERT_EQ(0, client_mark(&self->owner, self->address, G, 5));
}

FIXTURE_TEARDOWN(poison)
{
	EXPECT_TRUE(watch_end(&self->watch));
	rmdir(OWNERS);
	rmdir(OTHERS);
}

static __u64 number_of(int fd, __u64 frame)
{
	__u64 value = 0;

	if (pread(fd, &value, sizeof(value), frame * sizeof(value)) != sizeof(value))
		return 0;
	return value;
}

static __u64 flags_of(__u64 frame)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	__u64 flags = number_of(fd, frame);

	close(fd);
	return flags;
}

/* Is the frame the first of 2 MiB in one piece that no program's heap has? */
static bool is_chunk(int flags, __u64 frame)
{
	return (number_of(flags, frame) & (FLAG_HEAD | FLAG_LRU | FLAG_ANON)) == FLAG_HEAD &&
	       number_of(flags, frame + 1) & FLAG_TAIL &&
	       number_of(flags, frame + G / page_bytes() - 1) & FLAG_TAIL;
}

/* The first frame of a chunk that is charged to a group, or 0. */
static __u64 chunk_of_group(__u64 group)
{
	int groups = open("/proc/kpagecgroup", O_RDONLY | O_CLOEXEC);
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	__u64 frame = 0, owner, found = 0;

	for (; !found && pread(groups, &owner, 8, frame * 8) == 8; frame += G / page_bytes())
		if (owner == group && is_chunk(flags, frame))
			found = frame;
	close(groups);
	close(flags);
	return found;
}

static bool belongs_to(__u64 frame, __u64 group)
{
	int groups = open("/proc/kpagecgroup", O_RDONLY | O_CLOEXEC);
	__u64 owner = number_of(groups, frame);

	close(groups);
	return owner == group;
}

static long inject(__u64 frame)
{
	char text[32];
	int fd, n;
	long ret;

	fd = open(INJECT, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%#llx", frame);
	ret = write(fd, text, n) == n ? 0 : -errno;
	close(fd);
	return ret;
}

/* Page WHICH of the owner's chunk fails: NULL and its first frame, or why it cannot. */
static const char *fail_page(struct process *owner, __u64 address, __u64 group, __u64 *chunk)
{
	long ret;

	*chunk = chunk_of_group(group);
	if (!*chunk)
		return "this kernel does not tell whose pages are";
	ret = inject(*chunk + WHICH);
	printf("# injecting gave %ld\n", ret);
	if (!(flags_of(*chunk + WHICH) & FLAG_POISONED)) {
		ret = process_do(owner, do_poison, address + WHICH * page_bytes());
		printf("# madvise() gave %ld\n", ret);
	}
	return flags_of(*chunk + WHICH) & FLAG_POISONED ? NULL :
		"this kernel lets nobody poison the page";
}

TEST_F_TIMEOUT(poison, memory_that_failed_is_not_copied, 240)
{
	const char *reason;
	__u64 chunk;

	reason = fail_page(&self->owner, self->address, self->owners, &chunk);
	if (reason)
		SKIP(return, "%s", reason);
	EXPECT_EQ(0x3ff, process_do(&self->owner, do_copies,
				    self->address + WHICH * page_bytes()));
	EXPECT_EQ(0, process_stop(&self->owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(poison, memory_that_failed_is_not_handed_out_again, 240)
{
	struct process next;
	const char *reason;
	long ret, pieces;
	__u64 chunk;

	reason = fail_page(&self->owner, self->address, self->owners, &chunk);
	if (reason)
		SKIP(return, "%s", reason);

	/* Simulated: the data is there, and the hardware would raise the alarm. */
	ret = client_check(&self->owner, self->address, G, 5);
	TH_LOG("its owner gets %ld", ret);
	EXPECT_TRUE(ret == 0 || ret == PROCESS_DIED);
	if (!ret)
		EXPECT_EQ(0, process_stop(&self->owner));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));

	EXPECT_TRUE(flags_of(chunk + WHICH) & FLAG_POISONED);
	EXPECT_EQ(0, flags_of(chunk) & FLAG_FREE);
	ASSERT_EQ(0, client_start(&next));
	ASSERT_EQ(0, process_do(&next, do_enter, 1));
	pieces = process_do(&next, do_alloc_all, 32);
	ASSERT_LT(0, pieces);
	EXPECT_NE(0, chunk_of_group(self->others));
	EXPECT_FALSE(belongs_to(chunk, self->others));
	TH_LOG("%ld other pieces were handed out, and not the chunk", pieces);
	ASSERT_EQ(0, process_stop(&next));
}

TEST_HARNESS_MAIN
