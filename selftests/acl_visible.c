// SPDX-License-Identifier: MIT
/* ASCEND_RT_VISIBLE_DEVICES selects and renumbers; and no driver at all. */
#include <sys/mount.h>

#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)

FIXTURE(visible)
{
	struct watch watch;
	struct process process;
	char *text;
};

static long do_choose(__u64 *a)
{
	return setenv("ASCEND_RT_VISIBLE_DEVICES", to_ptr(a[0]), 1) ? -errno : 0;
}

static long do_count(__u64 *a)
{
	uint32_t count = 99;
	aclError error = aclrtGetDeviceCount(&count);

	a[0] = count;
	return error;
}

static long do_set_device(__u64 *a)
{
	return aclrtSetDevice(a[0]);
}

FIXTURE_SETUP(visible)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->text = process_shared(MESSAGE_SIZE);
	ASSERT_NE(NULL, self->text);
	ASSERT_EQ(0, process_start(&self->process));
}

FIXTURE_TEARDOWN(visible)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

/* Before the process has made any call. */
static long choose(struct process *process, char *text, const char *list)
{
	snprintf(text, MESSAGE_SIZE, "%s", list);
	return process_do(process, do_choose, to_u64(text));
}

TEST_F_TIMEOUT(visible, ASCEND_RT_VISIBLE_DEVICES_of_one_device_makes_it_number_0, 180)
{
	__u64 count, handle, address;

	ASSERT_EQ(0, choose(&self->process, self->text, "1"));
	EXPECT_EQ(OK, process_get(&self->process, &count, 0, do_count, 0));
	EXPECT_EQ(1, count);
	ASSERT_EQ(OK, process_do(&self->process, acl_do_start, 0));
	ASSERT_EQ(OK, acl_new(&self->process, 0, SIZE, 1, &handle, &address));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_EQ(OK, acl_drop(&self->process, address, handle));
	EXPECT_EQ(OK, process_do(&self->process, acl_do_end, 0));
}

TEST_F_TIMEOUT(visible, ASCEND_RT_VISIBLE_DEVICES_leaves_no_other_device, 180)
{
	__u64 handle, address;

	ASSERT_EQ(0, choose(&self->process, self->text, "1"));
	EXPECT_EQ(INVALID_DEVICE, process_do(&self->process, acl_do_start, 1));
	EXPECT_EQ(1, acl_message(&self->process, self->text));
	EXPECT_EQ(INVALID_DEVICE, acl_new(&self->process, 1, SIZE, 1, &handle, &address));
}

TEST_F_TIMEOUT(visible, ASCEND_RT_VISIBLE_DEVICES_ends_at_a_device_that_is_not_there, 180)
{
	__u64 count, handle, address;

	/* Nobody has so many. */
	ASSERT_EQ(0, choose(&self->process, self->text, "1,31,0"));
	EXPECT_EQ(INVALID_DEVICE, acl_new(&self->process, 2, SIZE, 1, &handle, &address));
	EXPECT_EQ(OK, process_get(&self->process, &count, 0, do_count, 0));
	EXPECT_EQ(1, count);
	EXPECT_EQ(INVALID_DEVICE, process_do(&self->process, acl_do_start, 2));
	EXPECT_EQ(1, acl_message(&self->process, self->text));
	EXPECT_NE(NULL, strstr(self->text, "no more than 1")) TH_LOG("%s", self->text);
	EXPECT_EQ(INVALID_DEVICE, process_do(&self->process, do_set_device, 1));
	EXPECT_EQ(OK, process_do(&self->process, do_set_device, 0));
}

static long do_get_handle_device(__u64 *a)
{
	aclrtPhysicalMemProp prop;
	aclError error = aclrtMemGetAllocationPropertiesFromHandle(to_ptr(a[0]), &prop);

	a[1] = prop.location.id;
	return error;
}

TEST_F_TIMEOUT(visible, ASCEND_RT_VISIBLE_DEVICES_in_another_order, 180)
{
	__u64 handle, address, device;

	ASSERT_EQ(0, choose(&self->process, self->text, "1,0"));
	ASSERT_EQ(OK, process_do(&self->process, acl_do_start, 0));
	ASSERT_EQ(OK, acl_new(&self->process, 0, SIZE, 1, &handle, &address));
	EXPECT_TRUE(watch_used(&self->watch, 1, SIZE));
	EXPECT_EQ(OK, process_get(&self->process, &device, 1, do_get_handle_device, handle));
	EXPECT_EQ(0, device);
	ASSERT_EQ(OK, acl_new(&self->process, 1, 2 * SIZE, 1, &handle, &address));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * SIZE));
}

TEST_F_TIMEOUT(visible, ASCEND_RT_VISIBLE_DEVICES_is_each_process_own, 180)
{
	struct process exporter;
	__u64 handle, address, share, theirs, view, device;

	/* Device 1 for one, device 0 for the other: the same memory. */
	ASSERT_EQ(0, acl_start(&exporter, 1));
	ASSERT_EQ(0, choose(&self->process, self->text, "1"));
	ASSERT_EQ(OK, process_do(&self->process, acl_do_start, 0));
	ASSERT_EQ(OK, acl_new(&exporter, 1, SIZE, 6, &handle, &address));
	ASSERT_EQ(OK, acl_export(&exporter, handle, 1, &share));
	ASSERT_EQ(OK, acl_import(&self->process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->process, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->process, view, SIZE, 6));
	EXPECT_EQ(OK, process_get(&self->process, &device, 1, do_get_handle_device, theirs));
	EXPECT_EQ(0, device);
}

/* a: address; out: device */
static long do_get_pointer_device(__u64 *a)
{
	aclrtPtrAttributes attributes;
	aclError error = aclrtPointerGetAttributes(to_ptr(a[0]), &attributes);

	a[1] = attributes.location.id;
	return error;
}

TEST_F_TIMEOUT(visible, ASCEND_RT_VISIBLE_DEVICES_hides_where_imported_memory_is, 180)
{
	struct process exporter;
	__u64 handle, address, share, theirs, view, device;

	ASSERT_EQ(0, acl_start(&exporter, 1));
	ASSERT_EQ(0, choose(&self->process, self->text, "0"));
	ASSERT_EQ(OK, process_do(&self->process, acl_do_start, 0));
	ASSERT_EQ(OK, acl_new(&exporter, 1, SIZE, 6, &handle, &address));
	ASSERT_EQ(OK, acl_export(&exporter, handle, 1, &share));
	EXPECT_EQ(INVALID_DEVICE, acl_import(&self->process, share, 1, &theirs));
	/* It has no number here, but can be used all the same. */
	ASSERT_EQ(OK, acl_import(&self->process, share, 0, &theirs));
	ASSERT_EQ(OK, acl_map(&self->process, theirs, SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&self->process, view, SIZE, 6));
	EXPECT_EQ(OK, process_get(&self->process, &device, 1, do_get_handle_device, theirs));
	EXPECT_EQ(UINT32_MAX, device);
	EXPECT_EQ(OK, process_get(&self->process, &device, 1, do_get_pointer_device, view));
	EXPECT_EQ(UINT32_MAX, device);
}

/* The calls that turn one number of a device into another. */
static aclError (*const translations[])(int32_t, int32_t *) = {
	aclrtGetLogicDevIdByUserDevId, aclrtGetUserDevIdByLogicDevId, aclrtGetPhyDevIdByLogicDevId,
};

enum { TO_LOGIC, TO_USER, TO_PHY };

/* a: which of them, number; out: the other number */
static long do_translate(__u64 *a)
{
	int32_t number = 99;
	aclError error = translations[a[0]](a[1], &number);

	a[2] = number;
	if (!error)
		return OK;
	return number == 99 && acl_message_names("aclrtGet") ? error : -EINVAL;
}

/* The number in a process that sees device 1 only, or minus the error. */
static long translate(struct process *p, int call, int number)
{
	__u64 result;
	long error = process_get(p, &result, 2, do_translate, call, number);

	return error ? -error : (int)result;
}

/* Numbers that no call takes for a device's. */
static void refuse_others(struct __test_metadata *_metadata, struct process *p, int call)
{
	const int bad[] = { 2, 31, 32, 1000, -1, INT32_MIN, INT32_MAX };
	uint32_t count;
	size_t i;

	aclrtGetDeviceCount(&count);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bad[i] >= 0 && bad[i] < (int)count)
			continue;
		EXPECT_EQ(-INVALID_DEVICE, translate(p, call, bad[i]))
			TH_LOG("number %d", bad[i]);
	}
}

TEST_F_TIMEOUT(visible, aclrtGetLogicDevIdByUserDevId, 180)
{
	int32_t number;

	ASSERT_EQ(0, choose(&self->process, self->text, "1"));
	EXPECT_EQ(1, translate(&self->process, TO_LOGIC, 0));
	EXPECT_EQ(-INVALID_DEVICE, translate(&self->process, TO_LOGIC, 1));
	refuse_others(_metadata, &self->process, TO_LOGIC);
	REFUSED(INVALID_PARAM, aclrtGetLogicDevIdByUserDevId, 0, NULL);
	/* Without a list the numbers are the driver's. */
	EXPECT_EQ(OK, aclrtGetLogicDevIdByUserDevId(1, &number));
	EXPECT_EQ(1, number);
}

TEST_F_TIMEOUT(visible, aclrtGetUserDevIdByLogicDevId, 180)
{
	int32_t number;

	ASSERT_EQ(0, choose(&self->process, self->text, "1"));
	EXPECT_EQ(0, translate(&self->process, TO_USER, 1));
	/* It is there but cannot be seen. */
	EXPECT_EQ(-INVALID_DEVICE, translate(&self->process, TO_USER, 0));
	refuse_others(_metadata, &self->process, TO_USER);
	REFUSED(INVALID_PARAM, aclrtGetUserDevIdByLogicDevId, 0, NULL);
	EXPECT_EQ(OK, aclrtGetUserDevIdByLogicDevId(1, &number));
	EXPECT_EQ(1, number);
}

TEST_F_TIMEOUT(visible, aclrtGetPhyDevIdByLogicDevId, 180)
{
	int32_t number;

	ASSERT_EQ(0, choose(&self->process, self->text, "1"));
	EXPECT_EQ(1, translate(&self->process, TO_PHY, 1));
	EXPECT_EQ(0, translate(&self->process, TO_PHY, 0));
	refuse_others(_metadata, &self->process, TO_PHY);
	REFUSED(INVALID_PARAM, aclrtGetPhyDevIdByLogicDevId, 0, NULL);
	EXPECT_EQ(OK, aclrtGetPhyDevIdByLogicDevId(1, &number));
	EXPECT_EQ(1, number);
}

/* a: which call, and what the text is to hold */
static long do_fail(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(1);
	aclrtMemAccessDesc desc = {
		.flags = ACL_RT_MEM_ACCESS_FLAGS_READWRITE,
		.location = { .id = 1, .type = ACL_MEM_LOCATION_TYPE_DEVICE },
	};
	struct acl_mapping mapping;
	aclrtDrvMemHandle handle;
	aclrtContext context;
	const char *text;
	char byte;
	void *p;

	if (a[0] == 0)
		aclrtMallocPhysical(&handle, 1UL << 46, &prop, 0);
	else if (a[0] == 1)
		aclrtResetDevice(1);
	else if (a[0] == 2)
		aclrtDeviceDisablePeerAccess(1);
	else if (a[0] == 3)
		aclrtMalloc(&p, 1UL << 46, ACL_MEM_MALLOC_HUGE_FIRST);
	else if (a[0] == 4)
		aclrtMemImportFromShareableHandle(1, 1, &handle);
	else if (acl_mapping_new(&mapping, 0, SIZE))
		return -ENOMEM;
	else if (a[0] == 5)
		aclrtMemSetAccess(mapping.address, SIZE, &desc, 1);
	else if (a[0] == 6)
		aclrtMemcpy(mapping.address, SIZE, &byte, SIZE + 1, ACL_MEMCPY_DEFAULT);
	else if (!aclrtGetCurrentContext(&context))
		aclrtDestroyContext(context);
	text = aclGetRecentErrMsg();
	if (text && strstr(text, to_ptr(a[1])))
		return 0;
	printf("# not \"%s\": %s\n", (char *)to_ptr(a[1]), text ? text : "(none)");
	return -ENOMSG;
}

TEST_F_TIMEOUT(visible, texts_name_both_numbers, 180)
{
	static const char *const parts[] = {
		"prop->location.id=1 (npumem.0)",
		"deviceId=1 (npumem.0)",
		"peerDeviceId=1 (npumem.0), current device 0 (npumem.1)",
		"current device 0 (npumem.1)): size",
		"deviceId=1 (npumem.0)",
		"device 1 (npumem.0) has no access to the memory's device, 0 (npumem.1)",
		"current device 0 (npumem.1)): count",
		"default context of device 0 (npumem.1)",
	};
	unsigned int i;

	ASSERT_EQ(0, choose(&self->process, self->text, "1,0"));
	ASSERT_EQ(OK, process_do(&self->process, acl_do_start, 0));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, process_do(&self->process, do_fail, i, to_u64(parts[i])));
}

TEST_F_TIMEOUT(visible, texts_have_one_number_without_a_list, 180)
{
	ASSERT_EQ(OK, process_do(&self->process, acl_do_start, 0));
	EXPECT_EQ(0, process_do(&self->process, do_fail, 2,
				to_u64("(peerDeviceId=1, current device 0): ")));
	EXPECT_EQ(0, process_do(&self->process, do_fail, 7, to_u64("device 0; ")));
}

/* A mount namespace where the node is not. */
static long do_hide_node(__u64 *a)
{
	(void)a;
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev", "tmpfs", 0, NULL))
		return -errno;
	return 0;
}

static long do_malloc(__u64 *a)
{
	aclrtPhysicalMemProp prop = acl_memory(a[0]);
	aclrtDrvMemHandle handle;

	return aclrtMallocPhysical(&handle, SIZE, &prop, 0);
}

TEST_F_TIMEOUT(visible, aclrtSetDevice_without_a_node, 180)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, process_do(&self->process, do_hide_node));
	EXPECT_EQ(NO_DEVICE, process_do(&self->process, do_set_device, 0));
	ASSERT_EQ(1, acl_message(&self->process, self->text));
	EXPECT_NE(NULL, strstr(self->text, "/dev/npumem"))
		TH_LOG("%s", self->text);
	EXPECT_EQ(NO_DEVICE, process_do(&self->process, do_malloc, 0));
	EXPECT_EQ(NO_DEVICE, process_do(&self->process, do_count));
	EXPECT_EQ(NO_DEVICE, process_do(&self->process, acl_do_pid));
}

TEST_HARNESS_MAIN
