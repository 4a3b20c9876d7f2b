// SPDX-License-Identifier: MIT
/*
 * Whoever waits for a lock can be killed, also while the lock's holder waits for a page
 * that never comes; and other processes do not wait for it.
 */
#include <dirent.h>
#include <pthread.h>

#include "npumem_userfaultfd.h"

#include "kselftest_harness.h"

FIXTURE(wait)
{
	struct watch watch;
	struct process holder, importer;
	__u64 handle, token, at, theirs;
};

FIXTURE_VARIANT(wait)
{
	bool whitelist;
	bool unexport;		/* is what waits */
};

/* EXPORT holds share_lock until its caller has been told. */
FIXTURE_VARIANT_ADD(wait, for_export)
{
	.whitelist = false,
};

FIXTURE_VARIANT_ADD(wait, for_export_to_end_it)
{
	.unexport = true,
};

/* WHITELIST_ADD holds the share's own lock. */
FIXTURE_VARIANT_ADD(wait, for_whitelist)
{
	.whitelist = true,
};

/* ---- in the process ---- */

static union {
	struct npumem_export export;
	struct npumem_whitelist_add add;
	struct npumem_unexport unexport;
	char page[65536];
} *stuck, fluid;
static __s32 pids[1];
static unsigned long command, waiting;

/* An argument that can be read, and not be written until somebody allows it. */
static long do_protect(__u64 *a)
{
	struct trap trap;
	int ret = trap_make(&trap, sizeof(*stuck), UFFDIO_REGISTER_MODE_WP);

	if (ret)
		return ret;
	stuck = (void *)trap.page;
	memset(stuck, 0, sizeof(*stuck));
	pids[0] = getpid();
	if (a[2]) {
		command = NPUMEM_WHITELIST_ADD;
		stuck->add = (struct npumem_whitelist_add) {
			.size = sizeof(stuck->add), .count = 1, .token = a[1],
			.pids = to_u64(pids),
		};
	} else {
		command = NPUMEM_EXPORT;
		stuck->export = (struct npumem_export) {
			.size = sizeof(stuck->export), .flags = NPUMEM_EXPORT_KEY,
			.handle = a[0],
		};
	}
	memcpy(&fluid, stuck, sizeof(fluid));
	waiting = command;
	if (a[3]) {
		waiting = NPUMEM_UNEXPORT;
		fluid.unexport = (struct npumem_unexport) {
			.size = sizeof(fluid.unexport), .token = a[1],
		};
	}
	return trap_arm(&trap);
}

static void *call_with(void *argument)
{
	npumem_call(client_fd, argument == stuck ? command : waiting, argument);
	return NULL;
}

static long do_begin(__u64 *a)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, call_with, a[0] ? (void *)stuck : &fluid);
}

static long do_exec(__u64 *a)
{
	(void)a;
	execl("/proc/self/exe", "resource_wait", "--end", NULL);
	return -errno;
}

/* ---- in the test ---- */

/* How many threads of a process sleep in an ioctl. */
static int threads_waiting(pid_t pid)
{
	char path[64];
	long number;
	struct dirent *entry;
	int count = 0;
	FILE *f;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/syscall", pid, entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		/* Of one that does not sleep it says "running". */
		count += fscanf(f, "%ld", &number) == 1 && number == SYS_ioctl;
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return count;
}

FIXTURE_SETUP(wait)
{
	long ret;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start_exporter(&self->holder, G, 0, &self->handle, &self->token,
					   &self->at));
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_allow(&self->holder, self->token, self->importer.pid));
	ret = process_do(&self->holder, do_protect, self->handle, self->token,
			 variant->whitelist, variant->unexport);
	if (ret == -ENOSYS || ret == -EINVAL)
		SKIP(return, "this kernel's userfaultfd protects no pages from writing");
	ASSERT_EQ(0, ret);
	/* One is stuck with the lock held, and two wait for it. */
	ASSERT_EQ(0, process_do(&self->holder, do_begin, true));
	ASSERT_TRUE(becomes_true(threads_waiting(self->holder.pid) == 1));
	ASSERT_EQ(0, process_do(&self->holder, do_begin, false));
	ASSERT_EQ(0, process_do(&self->holder, do_begin, false));
	ASSERT_TRUE(becomes_true(threads_waiting(self->holder.pid) == 3));
}

FIXTURE_TEARDOWN(wait)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* All that an importer does goes on meanwhile. */
TEST_F_TIMEOUT(wait, is_for_nobody_else, 120)
{
	struct npumem_share_info info;
	__u64 theirs, view, other, at;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &theirs));
	ASSERT_EQ(0, client_map(&self->importer, theirs, G, &view));
	EXPECT_EQ(0, client_check(&self->importer, view, G, self->handle));
	ASSERT_EQ(0, client_unmap(&self->importer, view));
	ASSERT_EQ(0, client_free(&self->importer, theirs));
	EXPECT_EQ(0, npumem_share_info(self->watch.fd, self->token, &info));
	EXPECT_EQ(-EPERM, npumem_import(self->watch.fd, self->token, 0, NULL, NULL));
	/* And what the process itself does with other things. */
	EXPECT_EQ(0, client_alloc(&self->holder, 0, G, &other));
	EXPECT_EQ(0, client_map(&self->holder, other, G, &at));
	EXPECT_EQ(0, client_unmap(&self->holder, at));
	EXPECT_EQ(3, threads_waiting(self->holder.pid));
	ASSERT_EQ(0, process_kill(&self->holder));
}

TEST_F_TIMEOUT(wait, ends_by_a_kill, 120)
{
	__u64 theirs;

	ASSERT_EQ(0, client_import(&self->importer, self->token, 0, &theirs));
	ASSERT_EQ(0, process_kill(&self->holder));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, G));
	ASSERT_EQ(0, client_free(&self->importer, theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

/* Which kills all other threads. */
TEST_F_TIMEOUT(wait, ends_by_exec, 120)
{
	struct call call = { .function = do_exec };

	ASSERT_EQ(0, process_begin(&self->holder, &call));
	EXPECT_EQ(0, process_status(&self->holder));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--end"))
		return 0;
	return test_harness_run(argc, argv);
}
