// SPDX-License-Identifier: MIT
/* Pid namespaces: numbers are those of the initial one, whoever names them. */
#include <pthread.h>

#include "npumem_client.h"

#include "kselftest_harness.h"

FIXTURE(namespace)
{
	struct watch watch;
	struct process exporter, inner;
	__u64 handle, token, address;
};

static long do_numbers(__u64 *a)
{
	__s32 tgid = 0;
	long ret = npumem_host_tgid(client_fd, &tgid);

	a[0] = tgid;
	a[1] = getpid();
	return ret;
}

FIXTURE_SETUP(namespace)
{
	__s32 tgid;

	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, npumem_host_tgid(self->watch.fd, &tgid));
	if (tgid != getpid() || geteuid())
		SKIP(return, "needs root in the initial pid namespace");
	ASSERT_EQ(0, process_start_as(&self->inner, CLONE_NEWPID, 0));
	ASSERT_EQ(0, client_open(&self->inner));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, 0, &self->handle, &self->token,
					   &self->address));
}

FIXTURE_TEARDOWN(namespace)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(namespace, inner_process_learns_its_outer_number, 180)
{
	struct call call = { .function = do_numbers };

	ASSERT_EQ(0, process_call(&self->inner, &call));
	EXPECT_EQ(self->inner.pid, (pid_t)call.argument[0]);
	EXPECT_EQ(1, call.argument[1]);
}

static void *numbers_in_thread(void *unused)
{
	__s32 tgid = 0;

	(void)unused;
	return npumem_host_tgid(client_fd, &tgid) ? NULL : (void *)(long)tgid;
}

static long do_numbers_in_thread(__u64 *a)
{
	pthread_t thread;
	void *tgid;

	(void)a;
	if (pthread_create(&thread, NULL, numbers_in_thread, NULL))
		return -EAGAIN;
	pthread_join(thread, &tgid);
	return (long)tgid;
}

TEST_F_TIMEOUT(namespace, threads_of_a_process_tell_the_same_number, 180)
{
	EXPECT_EQ(self->exporter.pid, process_do(&self->exporter, do_numbers_in_thread));
	EXPECT_EQ(self->inner.pid, process_do(&self->inner, do_numbers_in_thread));
}

TEST_F_TIMEOUT(namespace, import_works_by_the_outer_number, 180)
{
	__u64 handle, view;

	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->inner.pid));
	ASSERT_EQ(0, client_import(&self->inner, self->token, 0, &handle));
	ASSERT_EQ(0, client_map(&self->inner, handle, G, &view));
	EXPECT_EQ(0, client_check(&self->inner, view, G, self->handle));
}

TEST_F_TIMEOUT(namespace, import_is_refused_by_the_inner_number, 180)
{
	__u64 handle;

	/* That is the number of somebody else, who lives. */
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, 1));
	EXPECT_EQ(-EPERM, client_import(&self->inner, self->token, 0, &handle));
}

TEST_F_TIMEOUT(namespace, exporter_inside_names_outer_numbers, 180)
{
	struct call info = { .function = client_do_share_info };
	struct process importer;
	__u64 handle, token, theirs;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_alloc(&self->inner, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->inner, handle, 0, &token));
	/* It does not see the importer, yet can let it in. */
	ASSERT_EQ(0, client_allow(&self->inner, token, importer.pid));
	EXPECT_EQ(0, client_import(&importer, token, 0, &theirs));
	info.argument[0] = token;
	ASSERT_EQ(0, process_call(&importer, &info));
	EXPECT_EQ(self->inner.pid, (pid_t)info.argument[1]);
}

TEST_F_TIMEOUT(namespace, share_info_inside_tells_the_outer_number, 180)
{
	struct call info = {
		.function = client_do_share_info,
		.argument = { self->token },
	};

	ASSERT_EQ(0, process_call(&self->inner, &info));
	EXPECT_EQ(self->exporter.pid, (pid_t)info.argument[1]);
}

TEST_F_TIMEOUT(namespace, siblings_with_the_same_inner_number_are_told_apart, 180)
{
	struct process sibling;
	__u64 handle;

	ASSERT_EQ(0, process_start_as(&sibling, CLONE_NEWPID, 0));
	ASSERT_EQ(0, client_open(&sibling));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->inner.pid));
	EXPECT_EQ(-EPERM, client_import(&sibling, self->token, 0, &handle));
	EXPECT_EQ(0, client_import(&self->inner, self->token, 0, &handle));
}

TEST_F_TIMEOUT(namespace, end_of_one_reclaims_what_its_processes_held, 180)
{
	struct process other;
	__u64 handle, view;

	ASSERT_EQ(0, process_start_as(&other, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC, 0));
	ASSERT_EQ(0, client_open(&other));
	ASSERT_EQ(0, client_alloc(&other, 1, 3 * G, &handle));
	ASSERT_EQ(0, client_map(&other, handle, 3 * G, &view));
	ASSERT_EQ(0, client_mark(&other, view, 3 * G, 1));
	EXPECT_TRUE(watch_used(&self->watch, 1, 3 * G));
	ASSERT_EQ(0, process_kill(&other));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
}

TEST_HARNESS_MAIN
