// SPDX-License-Identifier: MIT
/* An exporter in one container, an importer in another; neither sees the other. */
#include "acl_container.h"

#include "kselftest_harness.h"

#define SIZE	(20 * MIB)

FIXTURE(container)
{
	struct watch watch;
	struct container a, b;
	__u64 handle, address, share;
};

FIXTURE_SETUP(container)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(OK, acl_container(&self->a, NULL, 0));
	ASSERT_EQ(OK, acl_container(&self->b, NULL, 0));
	ASSERT_EQ(OK, acl_new(&self->a.process, 0, SIZE, 5, &self->handle, &self->address));
	ASSERT_EQ(OK, acl_export(&self->a.process, self->handle, 0, &self->share));
}

FIXTURE_TEARDOWN(container)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Imports what A exported, checks, writes and lets A look. */
static long import_and_use(FIXTURE_DATA(container) *self, struct process *importer,
			   __u64 *theirs, __u64 *view)
{
	static __u64 value = 100;
	__u64 seen = 0;
	long ret = acl_import(importer, self->share, 0, theirs);

	if (!ret)
		ret = acl_map(importer, *theirs, SIZE, 0, view);
	if (!ret)
		ret = client_check(importer, *view, SIZE, 5);
	if (!ret)
		ret = client_store(importer, *view + SIZE - 64, ++value);
	if (!ret)
		ret = client_load(&self->a.process, self->address + SIZE - 64, &seen);
	return ret ? ret : seen == value ? 0 : -EILSEQ;
}

/* How many processes does /proc show? */
static long do_count_processes(__u64 *a)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	long count = 0;

	(void)a;
	if (!proc)
		return -errno;
	while ((entry = readdir(proc)))
		count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
	closedir(proc);
	return count;
}

static long do_getpid(__u64 *a)
{
	(void)a;
	return getpid();
}

static long do_kill(__u64 *a)
{
	return kill(a[0], a[1]) ? -errno : 0;
}

static long do_access(__u64 *a)
{
	(void)a;
	return access(container_text, F_OK) ? -errno : 0;
}

/* What the program sees of the host: the containers are what they claim to be. */
TEST_F_TIMEOUT(container, sees_neither_the_host_nor_the_other, 180)
{
	struct process *a = &self->a.process, *b = &self->b.process;
	char numbers[64];

	EXPECT_EQ(1, process_do(a, do_getpid));
	EXPECT_EQ(1, process_do(b, do_getpid));
	EXPECT_EQ(1, process_do(a, do_count_processes));
	EXPECT_EQ(1, process_do(b, do_count_processes));
	EXPECT_EQ(-ESRCH, process_do(a, do_kill, b->pid, 0));
	EXPECT_EQ(-ESRCH, process_do(b, do_kill, a->pid, SIGKILL));
	snprintf(container_text, CONTAINER_TEXT_SIZE, "/proc/%d", b->pid);
	EXPECT_EQ(-ENOENT, process_do(a, do_access));
	snprintf(container_text, CONTAINER_TEXT_SIZE, "/sys/module/npumem");
	EXPECT_EQ(-ENOENT, process_do(a, do_access));
	snprintf(container_text, CONTAINER_TEXT_SIZE, "/dev/kmsg");
	EXPECT_EQ(-ENOENT, process_do(a, do_access));
	snprintf(container_text, CONTAINER_TEXT_SIZE, "/dev/npumem");
	EXPECT_EQ(0, process_do(a, do_access));
	snprintf(numbers, sizeof(numbers), "%d\t1", a->pid);
	EXPECT_STREQ(numbers, container_numbers(a->pid));
}

TEST_F_TIMEOUT(container, aclrtDeviceGetBareTgid_tells_the_number_of_the_host, 180)
{
	struct process member;

	EXPECT_EQ(self->a.process.pid, acl_bare_tgid(&self->a.process));
	EXPECT_EQ(self->b.process.pid, acl_bare_tgid(&self->b.process));
	ASSERT_EQ(0, container_enter(&self->b, &member, 0));
	EXPECT_EQ(member.pid, acl_bare_tgid(&member));
	EXPECT_NE(member.pid, process_do(&member, do_getpid));
}

TEST_F_TIMEOUT(container, story_from_one_to_the_other, 240)
{
	struct process *a = &self->a.process, *b = &self->b.process;
	__u64 theirs, view;

	EXPECT_EQ(DRIVER_ERROR, acl_import(b, self->share, 0, &theirs));
	ASSERT_EQ(OK, acl_set_pid(a, self->share, acl_bare_tgid(b)));
	ASSERT_EQ(0, import_and_use(self, b, &theirs, &view));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(OK, acl_drop(b, view, theirs));
	EXPECT_EQ(OK, process_do(b, acl_do_end, 0));
	EXPECT_EQ(OK, acl_drop(a, self->address, self->handle));
	EXPECT_EQ(OK, process_do(a, acl_do_end, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(0, process_stop(a));
	EXPECT_EQ(0, process_stop(b));
}

TEST_F_TIMEOUT(container, and_between_a_container_and_the_host, 240)
{
	struct process host;
	__u64 theirs, view, handle, address, share;

	ASSERT_EQ(OK, acl_start(&host, 0));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, host.pid));
	EXPECT_EQ(0, import_and_use(self, &host, &theirs, &view));
	ASSERT_EQ(OK, acl_new(&host, 0, SIZE, 8, &handle, &address));
	ASSERT_EQ(OK, acl_export(&host, handle, 0, &share));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_set_pid(&host, share, self->b.process.pid));
	ASSERT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->b.process, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->b.process, view, SIZE, 8));
}

/* Without a whitelist the number of the share is enough, wherever it is known. */
TEST_F_TIMEOUT(container, share_without_pid_validation, 180)
{
	__u64 handle, address, share, theirs, view;

	ASSERT_EQ(OK, acl_new(&self->a.process, 1, SIZE, 9, &handle, &address));
	ASSERT_EQ(OK, acl_export(&self->a.process, handle, 1, &share));
	ASSERT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->b.process, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->b.process, view, SIZE, 9));
}

/*
 * A process of B whose number inside is the one that C's program has on the
 * host: naming it lets in C's and nobody else.
 */
TEST_F_TIMEOUT(container, number_of_the_inside_grants_nothing, 240)
{
	struct container c;
	struct process member;
	__u64 theirs;

	ASSERT_EQ(OK, acl_container(&c, NULL, 0));
	ASSERT_EQ(0, container_enter(&self->b, &member, c.process.pid));
	ASSERT_EQ(OK, process_do(&member, acl_do_start, 0));
	ASSERT_EQ(c.process.pid, process_do(&member, do_getpid));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, c.process.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&member, self->share, 0, &theirs));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, self->share, 0, &theirs));
	EXPECT_EQ(OK, acl_import(&c.process, self->share, 0, &theirs));
	/* 1 is the host's init, not theirs. */
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, 1));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, self->share, 0, &theirs));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, member.pid));
	EXPECT_EQ(OK, acl_import(&member, self->share, 0, &theirs));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, self->share, 0, &theirs));
}

TEST_F_TIMEOUT(container, number_that_only_the_inside_has_is_refused, 180)
{
	pid_t inside = process_dead_pid() + 5000;
	struct process member;
	__u64 theirs;

	ASSERT_EQ(-1, kill(inside, 0));
	ASSERT_EQ(0, container_enter(&self->b, &member, inside));
	ASSERT_EQ(OK, process_do(&member, acl_do_start, 0));
	ASSERT_EQ(inside, process_do(&member, do_getpid));
	EXPECT_EQ(DRIVER_ERROR, acl_set_pid(&self->a.process, self->share, inside));
	ASSERT_EQ(1, acl_message(&self->a.process, container_text));
	/* It tells where the right number comes from. */
	EXPECT_NE(NULL, strstr(container_text, "aclrtDeviceGetBareTgid"))
		TH_LOG("%s", container_text);
	EXPECT_EQ(DRIVER_ERROR, acl_import(&member, self->share, 0, &theirs));
}

TEST_F_TIMEOUT(container, refusal_names_the_numbers_of_the_host, 180)
{
	char expected[64];
	__u64 theirs;

	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, self->share, 0, &theirs));
	ASSERT_EQ(1, acl_message(&self->b.process, container_text));
	snprintf(expected, sizeof(expected), "process %d", self->a.process.pid);
	EXPECT_NE(NULL, strstr(container_text, expected))
		TH_LOG("no \"%s\" in: %s", expected, container_text);
	snprintf(expected, sizeof(expected), "pid %d", self->b.process.pid);
	EXPECT_NE(NULL, strstr(container_text, expected))
		TH_LOG("no \"%s\" in: %s", expected, container_text);
}

TEST_F_TIMEOUT(container, nested_in_two_more, 240)
{
	static const struct container_options nested = { .nested = 2 };
	struct container deep, deeper;
	char numbers[64];
	__u64 theirs, view, handle, address, share;

	ASSERT_EQ(OK, acl_container(&deep, &nested, 0));
	snprintf(numbers, sizeof(numbers), "%d\t3\t2\t1", deep.program);
	EXPECT_STREQ(numbers, container_numbers(deep.program));
	EXPECT_EQ(1, process_do(&deep.process, do_getpid));
	ASSERT_EQ(deep.program, acl_bare_tgid(&deep.process));
	/* Not by the processes it is in, nor by what they call it. */
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, deep.process.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&deep.process, self->share, 0, &theirs));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, deep.program));
	EXPECT_EQ(0, import_and_use(self, &deep.process, &theirs, &view));
	/* And the other way round, to another as deep. */
	ASSERT_EQ(OK, acl_container(&deeper, &nested, 1));
	ASSERT_EQ(OK, acl_new(&deep.process, 0, SIZE, 12, &handle, &address));
	ASSERT_EQ(OK, acl_export(&deep.process, handle, 0, &share));
	ASSERT_EQ(OK, acl_set_pid(&deep.process, share, acl_bare_tgid(&deeper.process)));
	ASSERT_EQ(OK, acl_import(&deeper.process, share, 1, &theirs));
	ASSERT_EQ(OK, acl_map(&deeper.process, theirs, SIZE, 1, &view));
	EXPECT_EQ(0, client_check(&deeper.process, view, SIZE, 12));
	/* The outermost init ends, and so do they. */
	EXPECT_EQ(0, container_kill(&deep, NULL));
	EXPECT_EQ(0, client_check(&deeper.process, view, SIZE, 12));
	EXPECT_EQ(0, container_kill(&deeper, NULL));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, SIZE));
}

TEST_F_TIMEOUT(container, killed_exporter_leaves_the_memory_to_the_importer, 240)
{
	__u64 theirs, view, again;

	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, self->b.process.pid));
	ASSERT_EQ(0, import_and_use(self, &self->b.process, &theirs, &view));
	ASSERT_EQ(0, container_kill(&self->a, NULL));
	EXPECT_EQ(0, client_check(&self->b.process, view, SIZE - 4096, 5));
	EXPECT_EQ(OK, acl_import(&self->b.process, self->share, 0, &again));
	EXPECT_EQ(theirs, again);
	EXPECT_EQ(OK, process_do(&self->b.process, acl_do_free, theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(OK, acl_drop(&self->b.process, view, theirs));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->b.process, self->share, 0, &again));
}

/* Of a container all processes end with its first one. */
TEST_F_TIMEOUT(container, killed_container_gives_everything_back, 240)
{
	__u64 theirs, view, handle, address;
	struct container other;
	struct process member;

	ASSERT_EQ(0, container_enter(&self->b, &member, 0));
	ASSERT_EQ(OK, process_do(&member, acl_do_start, 0));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, member.pid));
	ASSERT_EQ(0, import_and_use(self, &member, &theirs, &view));
	ASSERT_EQ(OK, acl_new(&member, 1, 2 * SIZE, 1, &handle, &address));
	ASSERT_EQ(OK, acl_new(&self->b.process, 1, SIZE, 2, &handle, &address));
	EXPECT_TRUE(watch_used(&self->watch, 1, 3 * SIZE));
	ASSERT_EQ(0, container_kill(&self->b, &member));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	/* What was let in is gone with them; a new container is another one. */
	ASSERT_EQ(OK, acl_container(&other, NULL, 0));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&other.process, self->share, 0, &theirs));
	/* The memory's last holder is the exporter again. */
	EXPECT_EQ(OK, acl_drop(&self->a.process, self->address, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(container, without_proc, 240)
{
	static const struct container_options options = { .no_proc = true };
	struct container other;
	__u64 theirs, view, handle, address, share;

	ASSERT_EQ(OK, acl_container(&other, &options, 0));
	EXPECT_EQ(0, process_do(&other.process, do_count_processes));
	EXPECT_EQ(other.process.pid, acl_bare_tgid(&other.process));
	ASSERT_EQ(OK, acl_set_pid(&self->a.process, self->share, other.process.pid));
	ASSERT_EQ(0, import_and_use(self, &other.process, &theirs, &view));
	ASSERT_EQ(OK, acl_new(&other.process, 0, SIZE, 7, &handle, &address));
	ASSERT_EQ(OK, acl_export(&other.process, handle, 0, &share));
	ASSERT_EQ(OK, acl_set_pid(&other.process, share, self->b.process.pid));
	EXPECT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
	EXPECT_EQ(OK, acl_drop(&other.process, address, handle));
	EXPECT_EQ(OK, process_do(&other.process, acl_do_end, 0));
}

TEST_HARNESS_MAIN
