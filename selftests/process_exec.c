// SPDX-License-Identifier: MIT
/* exec() ends what a process holds, even if it keeps the descriptor. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define LENGTH	(3 * G)

FIXTURE(exec)
{
	struct watch watch;
	struct process process;
	int to[2], from[2];
};

FIXTURE_SETUP(exec)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, pipe(self->to));
	ASSERT_EQ(0, pipe(self->from));
	ASSERT_EQ(0, client_start(&self->process));
}

FIXTURE_TEARDOWN(exec)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* What the program that was executed found. */
struct findings {
	long stats, alloc, mmap, touch, own;
};

/* argv: name --role fd in out address */
static int role(char **argv)
{
	int fd = strtol(argv[2], NULL, 0), in = strtol(argv[3], NULL, 0);
	int out = strtol(argv[4], NULL, 0), own;
	__u64 address = strtoull(argv[5], NULL, 0), handle, space;
	struct findings found;
	struct npumem_stats stats;
	char byte;

	found.stats = npumem_stats(fd, &stats);
	found.alloc = npumem_alloc(fd, 0, G, &handle);
	found.mmap = find_space(G, G, &space) ?:
		npumem_mmap(fd, to_ptr(space), G, PROT_READ, MAP_SHARED | MAP_FIXED, 0, NULL);
	found.touch = load_signal(address);
	own = npumem_open();
	found.own = own < 0 ? own : npumem_alloc(own, 1, G, &handle);
	if (!found.own)
		found.own = npumem_free(own, handle);
	if (write(out, &found, sizeof(found)) != sizeof(found))
		return 1;
	/* Stay, with the descriptor open, until told to go. */
	return read(in, &byte, 1) != 1;
}

/* Becomes another program that inherits the descriptor. */
static long do_exec(__u64 *a)
{
	char fd[16], in[16], out[16], at[32];
	__u64 handle, address;
	long ret = npumem_new_mapping(client_fd, 0, LENGTH, &handle, &address);

	if (ret)
		return ret;
	pattern_mark(to_ptr(address), LENGTH, 3);
	if (fcntl(client_fd, F_SETFD, 0))
		return -errno;
	snprintf(fd, sizeof(fd), "%d", client_fd);
	snprintf(in, sizeof(in), "%d", (int)a[0]);
	snprintf(out, sizeof(out), "%d", (int)a[1]);
	snprintf(at, sizeof(at), "%llu", address);
	execl("/proc/self/exe", "process_exec", "--role", fd, in, out, at, NULL);
	return -errno;
}

TEST_F_TIMEOUT(exec, program_gets_EACCES_and_the_memory_is_reclaimed, 180)
{
	struct call call = {
		.function = do_exec,
		.argument = { self->to[0], self->from[1] },
	};
	struct findings found = { 0 };

	ASSERT_EQ(0, process_begin(&self->process, &call));
	ASSERT_EQ(sizeof(found), read(self->from[0], &found, sizeof(found)));
	EXPECT_EQ(-EACCES, found.stats);
	EXPECT_EQ(-EACCES, found.alloc);
	EXPECT_EQ(-EACCES, found.mmap);
	EXPECT_EQ(SIGSEGV, found.touch);
	EXPECT_EQ(0, found.own);
	/* The descriptor is open still, and the memory back. */
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_EQ(0, kill(self->process.pid, 0));
	ASSERT_EQ(1, write(self->to[1], "x", 1));
	EXPECT_EQ(0, process_status(&self->process));
}

static long do_exec_failing(__u64 *a)
{
	__u64 handle, address;
	long ret = npumem_new_mapping(client_fd, 0, LENGTH, &handle, &address);

	if (ret)
		return ret;
	pattern_mark(to_ptr(address), LENGTH, 3);
	if (execl("/proc/self/no-such-program", "x", NULL) != -1)
		return -EINVAL;
	a[0] = address;
	return pattern_check(to_ptr(address), LENGTH, 3) < 0 ? 0 : -EILSEQ;
}

TEST_F_TIMEOUT(exec, that_fails_takes_nothing, 180)
{
	__u64 address;

	ASSERT_EQ(0, process_get(&self->process, &address, 0, do_exec_failing, 0));
	EXPECT_TRUE(watch_used(&self->watch, 0, LENGTH));
	EXPECT_EQ(0, client_check(&self->process, address, LENGTH, 3));
}

TEST_F_TIMEOUT(exec, of_the_exporter_leaves_the_importer_the_data, 180)
{
	struct process importer;
	__u64 handle, token, address, theirs, view;
	struct call call = {
		.function = do_exec,
		.argument = { self->to[0], self->from[1] },
	};
	struct findings found;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	ASSERT_EQ(0, client_map(&self->process, handle, G, &address));
	ASSERT_EQ(0, client_mark(&self->process, address, G, 9));
	ASSERT_EQ(0, client_export(&self->process, handle, 0, &token));
	ASSERT_EQ(0, client_allow(&self->process, token, importer.pid));
	ASSERT_EQ(0, client_import(&importer, token, 0, &theirs));
	ASSERT_EQ(0, client_map(&importer, theirs, G, &view));
	ASSERT_EQ(0, process_begin(&self->process, &call));
	ASSERT_EQ(sizeof(found), read(self->from[0], &found, sizeof(found)));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, G));
	EXPECT_EQ(0, client_check(&importer, view, G, 9));
	ASSERT_EQ(1, write(self->to[1], "x", 1));
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "--role"))
		return role(argv);
	return test_harness_run(argc, argv);
}
