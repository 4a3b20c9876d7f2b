// SPDX-License-Identifier: MIT
/*
 * As fail_nth, for what two processes have in common: shares, whitelists, imports and
 * peer links; and for their ends.
 */
#include "kselftest_harness.h"
#include "fail_steps.h"

#include <sched.h>

/* ---- shares ---- */

static long export_flags(__u32 flags)
{
	return npumem_export(fd, me->handle, flags, &scene->token);
}

static long export_plain(void)
{
	return export_flags(0);
}

static long export_key(void)
{
	return export_flags(NPUMEM_EXPORT_KEY);
}

static long export_anyone(void)
{
	return export_flags(NPUMEM_EXPORT_ANYONE);
}

static long unexport(void)
{
	return npumem_unexport(fd, scene->token);
}

/* A share cannot lose what it has: it takes another one. */
static long only_plain(void)
{
	long ret = unexport();

	return ret ? ret : export_plain();
}

static long export_both(void)
{
	long ret = export_plain();

	return ret ? ret : export_key();
}

static long only_both(void)
{
	long ret = unexport();

	return ret ? ret : export_both();
}

static long is_not_exported(void)
{
	struct npumem_memory_info info;
	long ret = npumem_memory_info(fd, me->handle, &info);

	return ret ? ret : info.flags & NPUMEM_MEMORY_EXPORTED ? -EEXIST : 0;
}

static long ask_for_share(void)
{
	struct npumem_share_info info;

	return npumem_share_info(fd, scene->token, &info);
}

/*
 * The kernel's own processes, and ours, so that they are in many parts of the
 * whitelist; some twice, and some that are nobody's.
 */
#define PIDS	400

static long let_in(void)
{
	static __s32 pids[PIDS];
	__u32 added = 0;
	long ret;
	int i;

	for (i = 0; i < PIDS; i++)
		pids[i] = i / 2 * 3 + 1;
	pids[0] = scene->tgid[1];
	pids[PIDS - 1] = scene->tgid[0];
	ret = npumem_whitelist_add_list(fd, scene->token, pids, PIDS, &added);
	return ret || added > 10 ? ret : -ESRCH;
}

static long let_one_in(void)
{
	return npumem_whitelist_add(fd, scene->token, scene->tgid[1]);
}

static long try_import(void)
{
	return npumem_import(fd, scene->token, 0, &me->second, NULL);
}

static long is_refused(void)
{
	return in_other(try_import) == -EPERM ? 0 : -EEXIST;
}

TEST_F_TIMEOUT(fail, shares, 300)
{
	static const struct step steps[] = {
		STEP("export to anyone", export_anyone, unexport, .probe = is_not_exported),
		STEP("unexport", unexport, export_anyone, .flags = NEVER_FAILS),
		STEP("export as a key", export_key, unexport, .probe = is_not_exported),
		STEP("unexport", unexport, export_key, .flags = NEVER_FAILS),
		STEP("export", export_plain, unexport, .probe = is_not_exported),
		STEP("export as a key too", export_key, only_plain),
		STEP("ask for the share", ask_for_share, NULL),
		STEP("let many in", let_in, only_both, .probe = is_refused, .flags = RETRIES),
		STEP("let one in again", let_one_in, NULL),
		STEP("unexport what many may import", unexport, export_both,
		     .flags = NEVER_FAILS),
	};

	ASSERT_EQ(0, begin_mapped());
	ASSERT_EQ(0, in_other(open_node));
	scene->tgid[0] = getpid();
	scene->tgid[1] = other.pid;
	fail_steps(steps);
}

/* ---- imports and peer links ---- */

static long import_for(__u32 device, __u32 flags)
{
	return npumem_import_flags(fd, scene->token, device, flags, &me->handle, NULL);
}

static long import_same(void)
{
	return import_for(0, 0);
}

static long import_peer(void)
{
	return import_for(1, 0);
}

static long import_no_peer(void)
{
	return import_for(1, NPUMEM_IMPORT_NO_PEER);
}

static long import_own(void)
{
	return npumem_import(fd, scene->token, 1, &me->second, NULL);
}

static long leave_peers(void)
{
	long ret = npumem_peer_disable(fd, 0, 1);

	return ret ? ret : npumem_peer_disable(fd, 1, 0);
}

static long free_and_leave(void)
{
	long ret = free_memory();

	return ret ? ret : leave_peers();
}

static long free_second_and_leave(void)
{
	long ret = free_second();

	return ret ? ret : leave_peers();
}

static long enable_peer(void)
{
	return npumem_peer_enable(fd, 1, 0);
}

static long disable_peer(void)
{
	return npumem_peer_disable(fd, 1, 0);
}

static long import_and_map(void)
{
	long ret = import_peer();

	return ret ? ret : map();
}

static long begin_importer(void)
{
	long ret = open_node();

	ret = ret ? ret : find_addresses();
	ret = ret ? ret : reserve();
	return ret ? ret : import_and_map();
}

/* Its addresses are not there any more. */
static long end_importer(void)
{
	long ret = take_away();

	return ret ? ret : close_node();
}

TEST_F_TIMEOUT(fail, imports, 300)
{
	static const struct step first[] = {
		STEP("import", import_same, free_memory, .flags = IN_OTHER),
		STEP("import again", import_same, free_memory, .flags = IN_OTHER),
		STEP("enable a peer", enable_peer, disable_peer, .ready = reopen_node,
		     .flags = IN_OTHER | RETRIES),
		STEP("enable a peer again", enable_peer, disable_peer, .flags = IN_OTHER),
		STEP("disable a peer", disable_peer, enable_peer,
		     .flags = IN_OTHER | NEVER_FAILS),
		STEP("import for another device", import_peer, free_and_leave,
		     .ready = reopen_node, .flags = IN_OTHER | RETRIES),
		STEP("import for another device again", import_peer, free_memory,
		     .flags = IN_OTHER),
		STEP("import without a link", import_no_peer, free_memory,
		     .ready = reopen_node, .flags = IN_OTHER),
		STEP("import what is one's own", import_own, free_second_and_leave),
	}, second[] = {
		STEP("set rights of what was imported", split, merge, .flags = IN_OTHER),
		STEP("set them back", merge, split, .flags = IN_OTHER),
		STEP("retain what was imported", retain, free_second, .flags = IN_OTHER),
		STEP("unexport what is imported", unexport, export_anyone,
		     .flags = NEVER_FAILS),
	}, third[] = {
		STEP("reset with what was imported", reset, import_and_map,
		     .flags = IN_OTHER | NEVER_FAILS),
	};

	ASSERT_EQ(0, begin_mapped());
	ASSERT_EQ(0, export_anyone());
	ASSERT_EQ(0, in_other(open_node));
	fail_steps(first);
	ASSERT_EQ(0, in_other(close_node));
	ASSERT_EQ(0, in_other(begin_importer));
	ASSERT_EQ(0, in_other(is_marked));
	fail_steps(second);
	EXPECT_EQ(0, in_other(is_marked));
	EXPECT_EQ(0, in_other(free_second));
	ASSERT_EQ(0, export_anyone());
	fail_steps(third);
	EXPECT_EQ(0, in_other(take_away));
	EXPECT_EQ(0, is_marked());
}

/* ---- a table of all shares that cannot grow ---- */

/* More than there is room for to begin with. */
#define SHARES	80

TEST_F_TIMEOUT(fail, table_of_shares, 300)
{
	__u64 handle[SHARES], token[SHARES];
	unsigned long start, end;
	int i, refused = 0;

	if (!inject_function("bucket_table_alloc", &start, &end))
		SKIP(return, "this kernel does not tell where bucket_table_alloc() is");
	ASSERT_EQ(0, open_node());
	for (i = 0; i < SHARES; i++) {
		ASSERT_EQ(0, npumem_alloc(fd, 0, 1, &handle[i]));
	}
	/* Whoever wants to make it grow, which is a kernel thread as a rule. */
	inject_among(INJECT_SLAB | INJECT_PAGE, start, end, INJECT_NOT_KMEMLEAK);
	for (i = 0; i < INJECT_KINDS - 1; i++) {
		ASSERT_TRUE(inject_set(i, "probability", "100"));
	}
	for (i = 0; i < SHARES; i++) {
		int ret = npumem_export(fd, handle[i], 0, &token[i]);

		EXPECT_TRUE(!ret || ret == -ENOMEM) {
			TH_LOG("export %d: %d", i, ret);
		}
		if (ret) {
			struct npumem_memory_info info;

			refused++;
			token[i] = 0;
			EXPECT_EQ(0, npumem_memory_info(fd, handle[i], &info));
			EXPECT_EQ(0, info.flags);
		}
	}
	inject_always(false);
	inject_npumem(0);
	printf("# %d of %d exports refused\n", refused, SHARES);
	EXPECT_LT(0, refused);
	/* And now it can. */
	for (i = 0; i < SHARES; i++) {
		struct npumem_share_info info;

		if (!token[i])
			EXPECT_EQ(0, npumem_export(fd, handle[i], 0, &token[i]));
		EXPECT_EQ(0, npumem_share_info(fd, token[i], &info));
		EXPECT_EQ(0, npumem_free(fd, handle[i]));
		EXPECT_EQ(-ENOENT, npumem_share_info(fd, token[i], &info));
	}
}

/* ---- ends ---- */

static long split_off(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (!child)
		_exit(0);
	if (waitpid(child, &status, 0) != child || status)
		return -ECHILD;
	return 0;
}

TEST_F_TIMEOUT(fail, fork, 300)
{
	static const struct step steps[] = {
		STEP("fork", split_off, NULL, .flags = WIDE | SAMPLED),
	};

	ASSERT_EQ(0, begin_mapped());
	ASSERT_EQ(0, export_anyone());
	ASSERT_EQ(0, in_other(begin_importer));
	fail_steps(steps);
	EXPECT_EQ(0, in_other(is_marked));
	EXPECT_EQ(0, in_other(end_importer));
}

TEST_F_TIMEOUT(fail, close, 300)
{
	static const struct step steps[] = {
		STEP("munmap of what was imported", take_away, reserve_and_map,
		     .flags = IN_OTHER | NEVER_FAILS),
		STEP("reserve", reserve, take_away, .flags = IN_OTHER),
		STEP("map what was imported", map, unmap, .flags = IN_OTHER),
		STEP("close of an importer", end_importer, begin_importer,
		     .flags = IN_OTHER | NEVER_FAILS),
	};

	ASSERT_EQ(0, begin_mapped());
	ASSERT_EQ(0, export_anyone());
	ASSERT_EQ(0, in_other(begin_importer));
	fail_steps(steps);
}

/* The call does not come back: the process exits at the N-th. */
static long exit_at(__u64 *a)
{
	if (a[0] == ALL_FAIL)
		inject_make_it_fail(true);
	else
		inject_nth(a[0]);
	_exit(0);
}

/*
 * Ends @process with failures from the @n-th on; how many were left then, which a
 * process tells until it is waited for, or -1.
 */
static long end_at(struct process *process, unsigned int n)
{
	struct call call = { .function = exit_at, .argument = { n } };
	char path[64], text[16] = "";
	siginfo_t info;

	if (process_begin(process, &call) ||
	    waitid(P_PID, process->pid, &info, WEXITED | WNOWAIT))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", process->pid);
	if (!slurp(path, text, sizeof(text)))
		return -1;
	return process_status(process) ? -1 : strtol(text, NULL, 10);
}

static long begin_exporter(void)
{
	long ret = begin_mapped();

	return ret ? ret : export_anyone();
}

/* One ends while another one, which has its memory or lent it, stays. */
static bool end_one(struct __test_metadata *_metadata, struct watch *watch, bool exporter,
		    unsigned int n, long *left)
{
	struct process a = { 0 }, b = { 0 };

	ASSERT_EQ(0, process_start(&a));
	ASSERT_EQ(0, process_start(&b));
	ASSERT_EQ(0, process_do(&a, simply_here, to_u64(inject_nth_opened)));
	ASSERT_EQ(0, process_do(&b, begin_other));
	ASSERT_EQ(0, process_do(&a, simply_here, to_u64(begin_exporter)));
	ASSERT_EQ(0, process_do(&b, simply_here, to_u64(begin_importer)));
	*left = end_at(exporter ? &a : &b, n);
	ASSERT_LE(0, *left);
	/* What one held alone is back, and what both held is the other's. */
	EXPECT_TRUE(watch_used_becomes(watch, 0, LENGTH));
	EXPECT_EQ(0, process_do(exporter ? &b : &a, simply_here, to_u64(is_marked)));
	EXPECT_EQ(0, process_stop(exporter ? &b : &a));
	EXPECT_TRUE(watch_used_becomes(watch, 0, 0));
	return _metadata->exit_code == KSFT_PASS;
}

TEST_F_TIMEOUT(fail, exit, 300)
{
	static const char *const who[] = { "importer", "exporter" };
	int side, kind;
	unsigned int n;
	long left;

	for (side = 0; side < 2; side++) {
		for (kind = 0; kind < 2; kind++) {
			inject_npumem(1U << kind);
			for (n = 1, left = 0; !left; n++) {
				ASSERT_GT(MOST_PLACES, n);
				ASSERT_TRUE(end_one(_metadata, &self->watch, side, n, &left));
			}
			printf("# exit of an %s: %u places of %s\n", who[side], n - 2,
			       inject_kinds[kind]);
			fflush(stdout);
		}
		inject_npumem(INJECT_SLAB | INJECT_PAGE);
		inject_always(true);
		ASSERT_TRUE(end_one(_metadata, &self->watch, side, ALL_FAIL, &left));
		inject_always(false);
	}
}

TEST_HARNESS_MAIN
