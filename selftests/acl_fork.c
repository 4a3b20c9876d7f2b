// SPDX-License-Identifier: MIT
/* A forked child inherits names of things, and gets 507899 for all of them. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_MEM_HANDLE_TYPE_NONE

/* What the parent has when it forks. */
static struct acl_mapping mapping;
static char *empty;
static aclrtContext context;
static aclrtStream stream;
static uint64_t share;

FIXTURE(fork)
{
	struct watch watch;
	char *text;
};

FIXTURE_SETUP(fork)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->text = process_shared(MESSAGE_SIZE);
	ASSERT_NE(NULL, self->text);
	ASSERT_EQ(OK, aclInit(NULL));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtGetCurrentContext(&context));
	ASSERT_EQ(OK, aclrtCreateStream(&stream));
	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, SIZE));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&empty, SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(mapping.handle, NONE, 0, &share));
	pattern_mark(mapping.address, SIZE, 1);
}

/* Whatever children did, the parent goes on. */
FIXTURE_TEARDOWN(fork)
{
	process_end_all();
	EXPECT_TRUE(watch_used(&self->watch, 0, SIZE));
	EXPECT_EQ(-1, pattern_check(mapping.address, SIZE, 1));
	EXPECT_EQ(OK, aclrtUnmapMem(mapping.address));
	EXPECT_EQ(OK, aclrtMapMem(empty, SIZE, 0, mapping.handle, 0));
	EXPECT_EQ(-1, pattern_check(empty, SIZE, 1));
	EXPECT_EQ(OK, aclrtUnmapMem(empty));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(empty));
	EXPECT_EQ(OK, aclrtReleaseMemAddress(mapping.address));
	EXPECT_EQ(OK, aclrtFreePhysical(mapping.handle));
	EXPECT_EQ(OK, aclrtSynchronizeStream(stream));
	EXPECT_EQ(OK, aclrtDestroyStream(stream));
	EXPECT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(OK, aclFinalize());
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Calls with something inherited: what each gave, and a text or not. */
enum {
	FREE, RETAIN, PROPERTIES, MAP, MAP_NO_ACCESS, UNMAP, RELEASE, SET_ACCESS, GET_ACCESS,
	RANGE, EXPORT, EXPORT_V2, SET_CONTEXT, DESTROY_CONTEXT, DESTROY_STREAM, SYNCHRONIZE,
	COPY_TO, COPY_FROM, FILL, CALLS
};

static const char *const call_name[CALLS] = {
	"aclrtFreePhysical", "aclrtMemRetainAllocationHandle",
	"aclrtMemGetAllocationPropertiesFromHandle", "aclrtMapMem", "aclrtMemMapNoAccess",
	"aclrtUnmapMem", "aclrtReleaseMemAddress", "aclrtMemSetAccess", "aclrtMemGetAccess",
	"aclrtMemGetAddressRange", "aclrtMemExportToShareableHandle",
	"aclrtMemExportToShareableHandleV2", "aclrtSetCurrentContext", "aclrtDestroyContext",
	"aclrtDestroyStream", "aclrtSynchronizeStream", "aclrtMemcpy", "aclrtMemcpy",
	"aclrtMemset",
};

struct outcome {
	aclError error;
	bool text;
};

static struct outcome outcome_of(int call, aclError error)
{
	struct outcome outcome = { error, false };

	outcome.text = acl_message_names(call_name[call]);
	return outcome;
}

static aclError call_inherited(int call)
{
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = { .id = 0, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	aclrtDrvMemHandle handle = mapping.handle, other;
	aclrtPhysicalMemProp prop;
	char local[64] = "";
	uint64_t number;
	size_t size;
	void *base;

	switch (call) {
	case FREE:
		return aclrtFreePhysical(handle);
	case RETAIN:
		return aclrtMemRetainAllocationHandle(mapping.address, &other);
	case PROPERTIES:
		return aclrtMemGetAllocationPropertiesFromHandle(handle, &prop);
	case MAP:
		return aclrtMapMem(empty, SIZE, 0, handle, 0);
	case MAP_NO_ACCESS:
		return aclrtMemMapNoAccess(empty, SIZE, 0, handle, 0);
	case UNMAP:
		return aclrtUnmapMem(mapping.address);
	case RELEASE:
		return aclrtReleaseMemAddress(empty);
	case SET_ACCESS:
		return aclrtMemSetAccess(mapping.address, SIZE, &desc, 1);
	case GET_ACCESS:
		return aclrtMemGetAccess(mapping.address, &desc.location, &number);
	case RANGE:
		return aclrtMemGetAddressRange((char *)mapping.address + 5, &base, &size);
	case EXPORT:
		return aclrtMemExportToShareableHandle(handle, NONE, 0, &number);
	case EXPORT_V2:
		return aclrtMemExportToShareableHandleV2(handle, 0,
			ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, &number);
	case SET_CONTEXT:
		return aclrtSetCurrentContext(context);
	case DESTROY_CONTEXT:
		return aclrtDestroyContext(context);
	case DESTROY_STREAM:
		return aclrtDestroyStream(stream);
	case SYNCHRONIZE:
		return aclrtSynchronizeStream(stream);
	case COPY_TO:
		return aclrtMemcpy(mapping.address, SIZE, local, 64, ACL_MEMCPY_HOST_TO_DEVICE);
	case COPY_FROM:
		return aclrtMemcpy(local, 64, mapping.address, 64, ACL_MEMCPY_DEVICE_TO_HOST);
	default:
		return aclrtMemset(mapping.address, SIZE, 1, 64);
	}
}

/* a: call; out: was there a text? */
static long do_call_inherited(__u64 *a)
{
	struct outcome outcome = outcome_of(a[0], call_inherited(a[0]));

	a[1] = outcome.text;
	return outcome.error;
}

/* A child that has memory of its own may have it at the parent's addresses. */
static bool is_by_address(int call)
{
	return call == RETAIN || (call >= MAP && call <= RANGE) || call >= COPY_TO;
}

static void try_all(struct __test_metadata *_metadata, struct process *child, bool addresses)
{
	__u64 text;
	int call;

	for (call = 0; call < CALLS; call++) {
		if (!addresses && is_by_address(call))
			continue;
		EXPECT_EQ(DRIVER_ERROR, process_get(child, &text, 1, do_call_inherited, call))
			TH_LOG("%s in the child", call_name[call]);
		EXPECT_TRUE(text) TH_LOG("%s left no text", call_name[call]);
	}
}

TEST_F_TIMEOUT(fork, child_that_does_not_start_anew, 180)
{
	struct process child;

	ASSERT_EQ(0, process_start(&child));
	try_all(_metadata, &child, true);
}

TEST_F_TIMEOUT(fork, child_that_starts_anew, 180)
{
	struct process child;
	__u64 handle, address;

	ASSERT_EQ(0, process_start(&child));
	/* 0, not "initialised already": that was the parent. */
	ASSERT_EQ(OK, process_do(&child, acl_do_start, 0));
	try_all(_metadata, &child, true);
	ASSERT_EQ(OK, acl_new(&child, 0, SIZE, 2, &handle, &address));
	EXPECT_NE(to_u64(mapping.handle), handle);
	try_all(_metadata, &child, false);
	EXPECT_EQ(0, client_check(&child, address, SIZE, 2));
	EXPECT_EQ(OK, acl_drop(&child, address, handle));
	EXPECT_EQ(OK, process_do(&child, acl_do_end, 0));
	EXPECT_EQ(0, process_stop(&child));
}

/* What needs nothing of the parent's needs no aclInit either. */
static long do_own_without_init(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	uint32_t count = 0;
	int32_t pid = 0;
	aclError error;

	error = aclrtGetDeviceCount(&count);
	if (!error)
		error = aclrtDeviceGetBareTgid(&pid);
	if (!error)
		error = aclrtMallocPhysical(&handle, SIZE, &prop, 0);
	if (!error)
		error = aclrtFreePhysical(handle);
	a[0] = count;
	a[1] = pid;
	return error;
}

TEST_F_TIMEOUT(fork, child_needs_no_init_for_what_is_its_own, 180)
{
	struct process child;
	__u64 pid;

	ASSERT_EQ(0, process_start(&child));
	EXPECT_EQ(OK, process_get(&child, &pid, 1, do_own_without_init, 0));
	EXPECT_EQ(child.pid, pid);
	EXPECT_EQ(0, process_stop(&child));
}

/* a: which; what a device is called is nobody's. */
static long do_translate(__u64 *a)
{
	int32_t number = 99;
	aclError error;

	if (a[0] == 0)
		error = aclrtGetLogicDevIdByUserDevId(1, &number);
	else if (a[0] == 1)
		error = aclrtGetUserDevIdByLogicDevId(1, &number);
	else
		error = aclrtGetPhyDevIdByLogicDevId(1, &number);
	return error ? error : number;
}

TEST_F_TIMEOUT(fork, child_needs_no_init_for_numbers_of_devices, 180)
{
	struct process child;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, process_start(&child));
		EXPECT_EQ(1, process_do(&child, do_translate, i));
		EXPECT_EQ(0, process_stop(&child));
	}
}

/* Things that nobody ever had are as bad in a child as anywhere. */
static long do_call_with_garbage(__u64 *a)
{
	aclrtPhysicalMemProp prop;

	switch (a[0]) {
	case 0:
		return aclrtFreePhysical(GARBAGE);
	case 1:
		return aclrtMemGetAllocationPropertiesFromHandle(GARBAGE, &prop);
	case 2:
		return aclrtReleaseMemAddress(GARBAGE);
	case 3:
		return aclrtSetCurrentContext(GARBAGE);
	case 4:
		return aclrtDestroyStream(GARBAGE);
	default:
		return aclrtFreePhysical(NULL);
	}
}

TEST_F_TIMEOUT(fork, garbage_in_a_child_is_still_garbage, 180)
{
	struct process child;
	int i;

	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(OK, process_do(&child, acl_do_start, 0));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(PARAM_INVALID, process_do(&child, do_call_with_garbage, i))
			TH_LOG("case %d", i);
	EXPECT_EQ(INVALID_PARAM, process_do(&child, do_call_with_garbage, 5));
}

/* Its own handle, freed, is stale and not inherited. */
TEST_F_TIMEOUT(fork, childs_own_stale_handles_are_stale, 180)
{
	struct process child;
	__u64 handle, address;

	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(OK, process_do(&child, acl_do_start, 0));
	ASSERT_EQ(OK, acl_new(&child, 0, SIZE, 2, &handle, &address));
	ASSERT_EQ(OK, acl_drop(&child, address, handle));
	EXPECT_EQ(PARAM_INVALID, process_do(&child, acl_do_free, handle));
}

static long do_touch(__u64 *a)
{
	return load_signal(a[0]);
}

TEST_F_TIMEOUT(fork, child_has_no_mapping, 180)
{
	struct process child;

	ASSERT_EQ(0, process_start(&child));
	EXPECT_EQ(SIGSEGV, process_do(&child, do_touch, to_u64(mapping.address)));
	EXPECT_EQ(SIGSEGV, process_do(&child, do_touch, to_u64(mapping.address) + SIZE - 1));
	EXPECT_EQ(SIGSEGV, process_do(&child, do_touch, to_u64(empty)));
}

TEST_F_TIMEOUT(fork, child_imports_what_the_parent_exports, 180)
{
	struct process child;
	__u64 handle, view, pid, more;
	int32_t number;

	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(OK, process_do(&child, acl_do_start, 0));
	ASSERT_EQ(OK, process_get(&child, &pid, 0, acl_do_pid, 0));
	EXPECT_EQ(child.pid, (pid_t)pid);
	/* The number is no secret to the child, but the right is the parent's. */
	EXPECT_EQ(DRIVER_ERROR, acl_set_pid(&child, share, child.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&child, share, 0, &handle));
	number = child.pid;
	ASSERT_EQ(OK, aclrtMemSetPidToShareableHandle(share, &number, 1));
	ASSERT_EQ(OK, acl_import(&child, share, 0, &handle));
	ASSERT_EQ(OK, acl_map(&child, handle, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&child, view, SIZE, 1));
	EXPECT_EQ(DRIVER_ERROR, acl_export(&child, handle, 0, &more));
	EXPECT_EQ(OK, acl_drop(&child, view, handle));
}

/* Forks once more; a: handle of the child. What the grandchild got. */
static long do_fork_again(__u64 *a)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int good = 0;

		good |= (aclrtFreePhysical(mapping.handle) == DRIVER_ERROR) << 0;
		good |= (aclrtFreePhysical(to_ptr(a[0])) == DRIVER_ERROR) << 1;
		good |= (acl_do_start((__u64[]){ 1 }) == OK) << 2;
		good |= (aclrtFreePhysical(mapping.handle) == DRIVER_ERROR) << 3;
		good |= (aclrtFreePhysical(to_ptr(a[0])) == DRIVER_ERROR) << 4;
		_exit(good);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F_TIMEOUT(fork, of_a_fork, 180)
{
	struct process child;
	__u64 handle, address;

	ASSERT_EQ(0, process_start(&child));
	ASSERT_EQ(OK, process_do(&child, acl_do_start, 0));
	ASSERT_EQ(OK, acl_new(&child, 0, SIZE, 2, &handle, &address));
	EXPECT_EQ(31, process_do(&child, do_fork_again, handle));
	EXPECT_EQ(OK, acl_drop(&child, address, handle));
}

TEST_F_TIMEOUT(fork, texts_are_the_childs_own, 180)
{
	struct process child;

	EXPECT_EQ(PARAM_INVALID, aclrtFreePhysical(GARBAGE));
	ASSERT_EQ(0, process_start(&child));
	EXPECT_EQ(DRIVER_ERROR, process_do(&child, acl_do_free, to_u64(mapping.handle)));
	EXPECT_EQ(1, acl_message(&child, self->text));
	/* It tells the reader what to do about it. */
	EXPECT_NE(NULL, strstr(self->text, "fork"));
	EXPECT_TRUE(acl_message_names("aclrtFreePhysical"));
}

TEST_F_TIMEOUT(fork, many_children_one_after_the_other, 240)
{
	struct process child;
	__u64 handle, address;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, process_start(&child));
		ASSERT_EQ(OK, process_do(&child, acl_do_start, i & 1));
		ASSERT_EQ(OK, acl_new(&child, i & 1, SIZE, i, &handle, &address));
		ASSERT_EQ(0, i % 3 ? process_stop(&child) : process_kill(&child));
	}
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, SIZE));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
}

TEST_HARNESS_MAIN
