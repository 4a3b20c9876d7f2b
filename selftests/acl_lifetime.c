// SPDX-License-Identifier: MIT
/* Who keeps memory and shares alive, and what ends them. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(lifetime)
{
	struct watch watch;
	struct process exporter, importer;
	__u64 handle, address, share;
};

FIXTURE_SETUP(lifetime)
{
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, acl_start(&self->exporter, 0));
	ASSERT_EQ(0, acl_start(&self->importer, 0));
	ASSERT_EQ(OK, acl_new(&self->exporter, 0, SIZE, 1, &self->handle, &self->address));
	ASSERT_EQ(OK, acl_export(&self->exporter, self->handle, 0, &self->share));
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, self->share, self->importer.pid));
}

FIXTURE_TEARDOWN(lifetime)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* The importer has the memory mapped and sees what the exporter wrote. */
static long import_and_map(struct process *p, uint64_t share, __u64 *handle, __u64 *view)
{
	long ret = acl_import(p, share, 0, handle);

	if (!ret)
		ret = acl_map(p, *handle, SIZE, 0, view);
	return ret ? ret : client_check(p, *view, SIZE, 1);
}

TEST_F_TIMEOUT(lifetime, exporter_frees_while_importers_hold_the_memory, 180)
{
	__u64 theirs, view, late_handle, late_view;
	struct process late;

	ASSERT_EQ(0, acl_start(&late, 0));
	ASSERT_EQ(OK, acl_set_pid(&self->exporter, self->share, late.pid));
	ASSERT_EQ(OK, import_and_map(&self->importer, self->share, &theirs, &view));
	ASSERT_EQ(OK, acl_drop(&self->exporter, self->address, self->handle));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 1));
	/* Who is in the whitelist may come even now. */
	ASSERT_EQ(OK, import_and_map(&late, self->share, &late_handle, &late_view));
	ASSERT_EQ(OK, acl_drop(&self->importer, view, theirs));
	EXPECT_EQ(0, client_check(&late, late_view, SIZE, 1));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	/* The last release frees the pages and the share. */
	ASSERT_EQ(OK, acl_drop(&late, late_view, late_handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->importer, self->share, 0, &theirs));
}

TEST_F_TIMEOUT(lifetime, exporter_exits_while_importers_hold_the_memory, 180)
{
	__u64 theirs, view, again;

	ASSERT_EQ(OK, import_and_map(&self->importer, self->share, &theirs, &view));
	ASSERT_EQ(0, process_stop(&self->exporter));
	EXPECT_EQ(0, client_check(&self->importer, view, SIZE, 1));
	EXPECT_EQ(OK, acl_import(&self->importer, self->share, 0, &again));
	EXPECT_EQ(theirs, again);
	EXPECT_EQ(OK, process_do(&self->importer, acl_do_free, again));
	ASSERT_EQ(OK, acl_drop(&self->importer, view, theirs));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->importer, self->share, 0, &theirs));
}

TEST_F_TIMEOUT(lifetime, exporter_frees_before_anyone_imported, 180)
{
	__u64 theirs;

	ASSERT_EQ(OK, acl_drop(&self->exporter, self->address, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->importer, self->share, 0, &theirs));
	EXPECT_EQ(INVALID_HANDLE, acl_set_pid(&self->exporter, self->share, self->importer.pid));
}

TEST_F_TIMEOUT(lifetime, importer_exits_without_free, 180)
{
	__u64 theirs, view;
	struct process next;

	ASSERT_EQ(OK, import_and_map(&self->importer, self->share, &theirs, &view));
	ASSERT_EQ(OK, acl_import(&self->importer, self->share, 0, &theirs));
	ASSERT_EQ(0, process_stop(&self->importer));
	/* Nobody else is let in by that, and the exporter notices nothing. */
	ASSERT_EQ(0, acl_start(&next, 0));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&next, self->share, 0, &theirs));
	EXPECT_EQ(0, client_check(&self->exporter, self->address, SIZE, 1));
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	/* Its references are gone: the exporter's were the last. */
	ASSERT_EQ(OK, acl_drop(&self->exporter, self->address, self->handle));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(lifetime, pid_reuse, 180)
{
	struct process next;
	__u64 theirs;
	pid_t dead;
	int i;

	if (geteuid())
		SKIP(return, "needs root to choose a pid");
	/* Before and after an import, the entry dies with its process. */
	for (i = 0; i < 2; i++) {
		if (i)
			ASSERT_EQ(OK, acl_import(&self->importer, self->share, 0, &theirs));
		ASSERT_EQ(0, i ? process_stop(&self->importer) : process_kill(&self->importer));
		ASSERT_EQ(0, process_start_again(&next, self->importer.pid));
		ASSERT_EQ(OK, process_do(&next, acl_do_start, 0));
		EXPECT_EQ(DRIVER_ERROR, acl_import(&next, self->share, 0, &theirs));
		ASSERT_EQ(OK, acl_set_pid(&self->exporter, self->share, next.pid));
		EXPECT_EQ(OK, acl_import(&next, self->share, 0, &theirs));
		self->importer = next;
	}
	/* A number set before its process existed was nobody's. */
	dead = process_dead_pid();
	EXPECT_EQ(DRIVER_ERROR, acl_set_pid(&self->exporter, self->share, dead));
	ASSERT_EQ(0, process_start_again(&next, dead));
	ASSERT_EQ(OK, process_do(&next, acl_do_start, 0));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&next, self->share, 0, &theirs));
	/* The exporter's own number is no exporter's either. */
	ASSERT_EQ(0, process_kill(&self->exporter));
	ASSERT_EQ(0, process_start_again(&next, self->exporter.pid));
	ASSERT_EQ(OK, process_do(&next, acl_do_start, 0));
	EXPECT_EQ(DRIVER_ERROR, acl_set_pid(&next, self->share, next.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&next, self->share, 0, &theirs));
}

/* Leaves a child that has inherited everything open. Out: its pid. */
static long do_leave_a_child(__u64 *a)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(PROCESS_PATIENCE_MS / 1000 * 3);
		for (;;)
			pause();
	}
	a[0] = pid;
	return pid < 0 ? -errno : 0;
}

TEST_F_TIMEOUT(lifetime, any_process_that_ends_is_reclaimed_while_its_children_live, 180)
{
	__u64 child = 0;
	int way;

	for (way = 0; way < 2; way++) {
		ASSERT_EQ(0, process_get(&self->exporter, &child, 0, do_leave_a_child, 0));
		ASSERT_EQ(0, way ? process_stop(&self->exporter) : process_kill(&self->exporter));
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
		EXPECT_EQ(0, kill(child, 0));
		kill(child, SIGKILL);
		if (way)
			break;
		ASSERT_EQ(0, acl_start(&self->exporter, 0));
		ASSERT_EQ(OK, acl_new(&self->exporter, 0, SIZE, 1, &self->handle, &self->address));
	}
}

/* a: share. Makes and drops all there is, until a step fails. */
static long do_work(__u64 *a)
{
	for (;;) {
		__u64 own[4] = { 0, SIZE }, import[3] = { a[0], 0 }, map[4] = { 0, SIZE };

		if (acl_do_new(own))
			return -1;
		if (acl_do_export((__u64[]){ own[2], 1, 0 }))
			return -2;
		if (acl_do_import(import))
			return -3;
		map[0] = import[2];
		if (acl_do_map(map))
			return -4;
		if (acl_do_drop((__u64[]){ map[2], map[0] }) ||
		    acl_do_drop((__u64[]){ own[3], own[2] }))
			return -5;
	}
}

TEST_F_TIMEOUT(lifetime, any_process_that_is_killed_at_any_point_is_reclaimed, 180)
{
	struct call call = { .function = do_work };
	unsigned int seed = test_seed();
	struct process worker;
	int i;

	call.argument[0] = self->share;
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, acl_start(&worker, 0));
		ASSERT_EQ(OK, acl_set_pid(&self->exporter, self->share, worker.pid));
		ASSERT_EQ(0, process_begin(&worker, &call));
		/* It goes on until it is killed. */
		EXPECT_FALSE(process_answers(&worker, rand_r(&seed) % 25));
		ASSERT_EQ(0, process_kill(&worker));
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, SIZE));
	}
	EXPECT_EQ(0, client_check(&self->exporter, self->address, SIZE, 1));
}

/* What does not survive exec: argv: name --role address handle free. The step that was wrong. */
static int role(char **argv)
{
	size_t before = strtoull(argv[4], NULL, 0), free = 0, total;
	void *address = to_ptr(strtoull(argv[2], NULL, 0));
	aclrtDrvMemHandle handle = to_ptr(strtoull(argv[3], NULL, 0));
	struct acl_mapping mapping;

	if (load_signal(to_u64(address)) != SIGSEGV)
		return 1;
	if (aclrtFreePhysical(handle) != PARAM_INVALID)
		return 2;
	if (aclrtUnmapMem(address) != DRIVER_ERROR)
		return 3;
	if (aclrtReleaseMemAddress(address) != PARAM_INVALID)
		return 4;
	/* A program of its own, which has called nothing yet. */
	if (aclInit(NULL))
		return 5;
	if (aclrtGetDevice((int32_t[]){ 0 }) != CONTEXT_NULL || aclrtSetDevice(0))
		return 6;
	if (!becomes_true(!aclrtGetMemInfo(ACL_HBM_MEM, &free, &total) && free == before))
		return 7;
	if (acl_mapping_new(&mapping, 0, SIZE) || acl_mapping_end(&mapping))
		return 8;
	return 0;
}

/* a: address, handle, bytes that were free without them */
static long do_exec(__u64 *a)
{
	char text[3][32];
	int i;

	for (i = 0; i < 3; i++)
		snprintf(text[i], sizeof(text[i]), "%#llx", a[i]);
	execl("/proc/self/exe", "acl_lifetime", "--role", text[0], text[1], text[2], NULL);
	return -errno;
}

TEST_F_TIMEOUT(lifetime, exec_leaves_nothing, 180)
{
	struct call call = { .function = do_exec };
	int status;

	call.argument[0] = self->address;
	call.argument[1] = self->handle;
	call.argument[2] = npumem_free_bytes(self->watch.fd, 0) + SIZE;
	ASSERT_EQ(0, process_begin(&self->exporter, &call));
	status = process_status(&self->exporter);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status)) TH_LOG("step %d", WEXITSTATUS(status));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(lifetime, map_then_export_and_export_then_map, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	__u64 theirs, view;
	uint64_t share;
	int32_t pid = self->importer.pid;
	void *place;

	/* The fixture has mapped first; here the importer is earlier than that, too. */
	ASSERT_EQ(OK, import_and_map(&self->importer, self->share, &theirs, &view));
	ASSERT_EQ(OK, acl_drop(&self->importer, view, theirs));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 0,
						      &share));
	ASSERT_EQ(OK, aclrtMemSetPidToShareableHandle(share, &pid, 1));
	ASSERT_EQ(OK, acl_import(&self->importer, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->importer, theirs, SIZE, 0, &view));
	ASSERT_EQ(0, client_mark(&self->importer, view, SIZE, 3));
	ASSERT_EQ(OK, aclrtReserveMemAddress(&place, SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(place, SIZE, 0, handle, 0));
	EXPECT_EQ(-1, pattern_check(place, SIZE, 3));
	EXPECT_EQ(OK, aclrtUnmapMem(place));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(place));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
	EXPECT_EQ(OK, aclrtResetDevice(0));
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--role"))
		return role(argv);
	return test_harness_run(argc, argv);
}
