// SPDX-License-Identifier: MIT
/* A whitelist entry is for the process and not for its number. */
#include "npumem_client.h"

#include "kselftest_harness.h"

FIXTURE(pid)
{
	struct watch watch;
	struct process exporter;
	__u64 handle, token, address;
};

FIXTURE_SETUP(pid)
{
	__s32 tgid;

	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, npumem_host_tgid(self->watch.fd, &tgid));
	if (tgid != getpid() || geteuid())
		SKIP(return, "needs root in the initial pid namespace");
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, 0, &self->handle, &self->token,
					   &self->address));
}

FIXTURE_TEARDOWN(pid)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

static long start_as(struct process *process, pid_t pid)
{
	long ret = process_start_again(process, pid);

	return ret ? ret : client_open(process);
}

TEST_F_TIMEOUT(pid, reused_by_another_process_is_refused, 180)
{
	struct process first, second;
	__u64 handle;
	int i;

	ASSERT_EQ(0, client_start(&first));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, first.pid));
		ASSERT_EQ(0, client_import(&first, self->token, 0, &handle));
		ASSERT_EQ(0, i % 2 ? process_kill(&first) : process_stop(&first));
		ASSERT_EQ(0, start_as(&second, first.pid));
		ASSERT_EQ(first.pid, second.pid);
		EXPECT_EQ(-EPERM, client_import(&second, self->token, 0, &handle));
		first = second;
	}
}

TEST_F_TIMEOUT(pid, let_in_but_never_used_is_refused_when_reused, 180)
{
	struct process first, second;
	__u64 handle;

	/* This one does not even open the node. */
	ASSERT_EQ(0, process_start(&first));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, first.pid));
	ASSERT_EQ(0, process_kill(&first));
	ASSERT_EQ(0, start_as(&second, first.pid));
	EXPECT_EQ(-EPERM, client_import(&second, self->token, 0, &handle));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, second.pid));
	EXPECT_EQ(0, client_import(&second, self->token, 0, &handle));
}

TEST_F_TIMEOUT(pid, added_before_its_process_existed_grants_nothing, 180)
{
	pid_t free_pid = process_dead_pid();
	struct process late;
	__u64 handle;

	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, free_pid));
	/* Next to one that is accepted, too. */
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, getpid()));
	ASSERT_EQ(0, start_as(&late, free_pid));
	EXPECT_EQ(-EPERM, client_import(&late, self->token, 0, &handle));
}

TEST_F_TIMEOUT(pid, of_a_zombie_lets_nobody_in, 180)
{
	pid_t pid = fork();
	siginfo_t info;

	if (!pid)
		_exit(0);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	/* It may count as there while it is not reaped, but it can do nothing. */
	client_allow(&self->exporter, self->token, pid);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-ESRCH, client_allow(&self->exporter, self->token, pid));
}

TEST_F_TIMEOUT(pid, of_the_exporter_reused_is_not_the_exporter, 180)
{
	struct process importer, impostor;
	__u64 handle;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, importer.pid));
	ASSERT_EQ(0, client_import(&importer, self->token, 0, &handle));
	ASSERT_EQ(0, process_kill(&self->exporter));
	ASSERT_EQ(0, start_as(&impostor, self->exporter.pid));
	EXPECT_EQ(-EREMOTE, client_allow(&impostor, self->token, getpid()));
	EXPECT_EQ(-EPERM, client_import(&impostor, self->token, 0, &handle));
	ASSERT_EQ(0, process_kill(&impostor));
}

static long do_exec_self(__u64 *a)
{
	char channel[16], token[32];

	snprintf(token, sizeof(token), "%llu", a[0]);
	snprintf(channel, sizeof(channel), "%llu", a[1]);
	execl("/proc/self/exe", "share_pid", "--import", token, channel, NULL);
	return -errno;
}

/* What the process becomes: imports once more and says how that went. */
static int import_role(char **argv)
{
	__u64 token = strtoull(argv[2], NULL, 0), handle;
	int channel = strtol(argv[3], NULL, 0);
	int fd = npumem_open();
	long ret = fd < 0 ? fd : npumem_import(fd, token, 0, &handle, NULL);

	return write(channel, &ret, sizeof(ret)) != sizeof(ret);
}

TEST_F_TIMEOUT(pid, is_the_same_process_after_exec, 180)
{
	struct process importer;
	struct call call = { .function = do_exec_self };
	int pipes[2];
	long ret = 1;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, importer.pid));
	call.argument[0] = self->token;
	call.argument[1] = pipes[1];
	ASSERT_EQ(0, process_begin(&importer, &call));
	ASSERT_EQ(sizeof(ret), read(pipes[0], &ret, sizeof(ret)));
	/* exec() changes what a process holds, not who it is. */
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, process_status(&importer));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--import"))
		return import_role(argv);
	return test_harness_run(argc, argv);
}
