// SPDX-License-Identifier: MIT
/* Users: who may open the node, and that a client is a process's, not a user's. */
#include <grp.h>
#include <sys/stat.h>

#include "npumem_client.h"

#include "kselftest_harness.h"

#define NOBODY	65534

FIXTURE(credentials)
{
	struct watch watch;
	struct process exporter, process;
	__u64 handle, token, address;
};

static long do_become_nobody(__u64 *a)
{
	(void)a;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	/* Where that cleared it; nobody's processes must go with the test, too. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

FIXTURE_SETUP(credentials)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, process_start(&self->process));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, 0, &self->handle, &self->token,
					   &self->address));
}

FIXTURE_TEARDOWN(credentials)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(credentials, node_is_not_for_everybody, 180)
{
	struct stat st;

	ASSERT_EQ(0, stat(NPUMEM_DEVICE_PATH, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0, st.st_mode & 0007);
	ASSERT_EQ(0, process_do(&self->process, do_become_nobody));
	EXPECT_EQ(-EACCES, client_open(&self->process));
}

TEST_F_TIMEOUT(credentials, change_takes_nothing_from_a_client, 180)
{
	__u64 handle, address, more, token, theirs, view;

	ASSERT_EQ(0, client_open(&self->process));
	ASSERT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	ASSERT_EQ(0, client_map(&self->process, handle, G, &address));
	ASSERT_EQ(0, process_do(&self->process, do_become_nobody));
	EXPECT_EQ(0, client_mark(&self->process, address, G, 3));
	EXPECT_EQ(0, client_check(&self->process, address, G, 3));
	EXPECT_EQ(0, client_alloc(&self->process, 1, G, &more));
	EXPECT_EQ(0, client_export(&self->process, more, 0, &token));
	EXPECT_EQ(0, client_allow(&self->process, token, self->exporter.pid));
	EXPECT_EQ(0, client_import(&self->exporter, token, 1, &theirs));
	EXPECT_EQ(-EPERM, client_import(&self->process, self->token, 0, &theirs));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->process.pid));
	EXPECT_EQ(0, client_import(&self->process, self->token, 0, &theirs));
	EXPECT_EQ(0, client_map(&self->process, theirs, G, &view));
	EXPECT_EQ(0, client_check(&self->process, view, G, self->handle));
	EXPECT_EQ(0, client_unmap(&self->process, address));
	EXPECT_EQ(0, client_free(&self->process, handle));
}

/* Files in /sys and debugfs that tell what others hold. */
static long do_read(__u64 *a)
{
	char byte;
	int fd = open(to_ptr(a[0]), O_RDONLY | O_CLOEXEC);
	long ret = fd < 0 ? -errno : read(fd, &byte, 1);

	if (fd >= 0)
		close(fd);
	return ret;
}

TEST_F_TIMEOUT(credentials, only_root_sees_who_holds_what, 180)
{
	char *path = process_shared(4096);
	struct process nobody;

	ASSERT_NE(NULL, path);
	snprintf(path, 4096, "/sys/kernel/debug/npumem/clients");
	if (access(path, R_OK))
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, process_start(&nobody));
	EXPECT_EQ(1, process_do(&nobody, do_read, to_u64(path)));
	ASSERT_EQ(0, process_do(&nobody, do_become_nobody));
	EXPECT_EQ(-EACCES, process_do(&nobody, do_read, to_u64(path)));
}

/* How many lines of a file contain a text? */
static int lines_with(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found += !!strcasestr(line, text);
	if (f)
		fclose(f);
	return found;
}

TEST_F_TIMEOUT(credentials, nothing_tells_a_token_not_even_to_root, 180)
{
	static const char tracing[] = "/sys/kernel/tracing/events/npumem/enable";
	int trace = open(tracing, O_WRONLY | O_CLOEXEC);
	char hex[32], decimal[32];
	__u64 handle, token, theirs, at;

	if (trace >= 0)
		ASSERT_EQ(1, write(trace, "1", 1));
	ASSERT_EQ(0, client_alloc(&self->exporter, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->exporter, handle, 0, &token));
	ASSERT_EQ(0, client_open(&self->process));
	EXPECT_EQ(-EPERM, client_import(&self->process, token, 0, &theirs));
	EXPECT_EQ(0, client_allow(&self->exporter, token, self->process.pid));
	EXPECT_EQ(0, client_import(&self->process, token, 0, &theirs));
	EXPECT_EQ(0, client_map(&self->process, theirs, G, &at));
	EXPECT_EQ(0, client_unmap(&self->process, at));
	snprintf(hex, sizeof(hex), "%llx", token);
	snprintf(decimal, sizeof(decimal), "%llu", token);
	EXPECT_EQ(0, lines_with("/sys/kernel/debug/npumem/clients", hex));
	EXPECT_EQ(0, lines_with("/sys/kernel/debug/npumem/clients", decimal));
	EXPECT_EQ(0, lines_with("/sys/kernel/tracing/trace", hex));
	EXPECT_EQ(0, lines_with("/sys/kernel/tracing/trace", decimal));
	if (trace >= 0) {
		EXPECT_LT(3, lines_with("/sys/kernel/tracing/trace", "npumem_"));
		EXPECT_EQ(1, write(trace, "0", 1));
		close(trace);
	}
}

TEST_HARNESS_MAIN
