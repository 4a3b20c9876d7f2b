// SPDX-License-Identifier: MIT
/* Who may read and write a mapping: every code, and what each call promises. */
#include "acl_errors.h"

#include "kselftest_harness.h"

#define SIZE	(4 * MIB)
#define NONE	ACL_RT_MEM_ACCESS_FLAGS_NONE
#define READ	ACL_RT_MEM_ACCESS_FLAGS_READ
#define BOTH	ACL_RT_MEM_ACCESS_FLAGS_READWRITE
#define HOST	ACL_MEM_LOCATION_TYPE_HOST
#define DEVICE	ACL_MEM_LOCATION_TYPE_DEVICE

FIXTURE(access)
{
	struct acl_scene scene;
	char *mapped, *empty;
};

FIXTURE_SETUP(access)
{
	ASSERT_TRUE(acl_scene_start(&self->scene, SIZE));
	self->mapped = self->scene.mapping.address;
	self->empty = self->scene.empty;
}

FIXTURE_TEARDOWN(access)
{
	EXPECT_TRUE(acl_scene_end(&self->scene));
}

static aclrtMemAccessDesc desc_of(int type, int id, int flags)
{
	aclrtMemAccessDesc desc = {
		.flags = flags, .location = { .id = id, .type = type },
	};

	/* As programs leave it. */
	memset(desc.rsv, 0xdb, sizeof(desc.rsv));
	return desc;
}

static aclError set_access(void *address, size_t size, int type, int id, int flags)
{
	aclrtMemAccessDesc desc = desc_of(type, id, flags);

	return aclrtMemSetAccess(address, size, &desc, 1);
}

/* The flag, or minus the error. */
static long get_access(void *address, int type, int id)
{
	aclrtMemLocation location = { .id = id, .type = type };
	uint64_t flag = 7;
	aclError error = aclrtMemGetAccess(address, &location, &flag);

	return error ? -(long)error : (long)flag;
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_of_bad_arguments, 180)
{
	aclrtMemAccessDesc bad[2] = { desc_of(DEVICE, 0, NONE), desc_of(DEVICE, 0, NONE) };
	const aclrtMemAccessDesc entries[] = {
		desc_of(DEVICE, 0, 2), desc_of(DEVICE, 0, 4), desc_of(DEVICE, 0, -1),
		desc_of(DEVICE, 31, READ), desc_of(DEVICE, -1, READ),
		desc_of(ACL_MEM_LOCATION_TYPE_UNREGISTERED, 0, READ),
		desc_of(ACL_MEM_LOCATION_TYPE_MANAGED, 0, READ), desc_of(5, 0, READ),
		desc_of(-1, 0, READ),
	};
	size_t i;

	REFUSED(PARAM_INVALID, aclrtMemSetAccess, NULL, SIZE, bad, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, self->mapped, SIZE, NULL, 1);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, self->mapped, SIZE, bad, 0);
	REFUSED(PARAM_INVALID, aclrtMemSetAccess, self->mapped, 0, bad, 1);
	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		/* Behind a good one, which then has no effect either. */
		bad[1] = entries[i];
		REFUSED(PARAM_INVALID, aclrtMemSetAccess, self->mapped, SIZE, bad, 2);
	}
	EXPECT_EQ(BOTH, get_access(self->mapped, DEVICE, 0));
	EXPECT_EQ(0, store_signal(to_u64(self->mapped)));
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_of_what_is_not_wholly_mapped, 180)
{
	aclrtMemAccessDesc desc = desc_of(DEVICE, 0, NONE);
	char *mapped = self->mapped, *empty = self->empty;
	aclrtDrvMemHandle handle = self->scene.mapping.handle;

	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped, SIZE + 1, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped, SIZE_MAX, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped + 2 * MIB, SIZE, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped - 2 * MIB, SIZE, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped + 4096, 2 * MIB, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, mapped + 1, 2 * MIB, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, empty, SIZE, &desc, 1);
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, &desc, SIZE, &desc, 1);
	/* Two mappings with a hole between them: neither changes. */
	ASSERT_EQ(OK, aclrtMapMem(empty, SIZE, 0, handle, 0));
	ASSERT_EQ(OK, aclrtMapMem(empty + 2 * SIZE, SIZE, 0, handle, 0));
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, empty, 3 * SIZE, &desc, 1);
	EXPECT_EQ(BOTH, get_access(empty, DEVICE, 0));
	EXPECT_EQ(BOTH, get_access(empty + 2 * SIZE, DEVICE, 0));
	EXPECT_EQ(0, store_signal(to_u64(empty)));
	ASSERT_EQ(OK, aclrtUnmapMem(empty));
	ASSERT_EQ(OK, aclrtUnmapMem(empty + 2 * SIZE));
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_across_several_mappings, 180)
{
	aclrtDrvMemHandle handle = self->scene.mapping.handle;
	char *range = self->empty, *end = range + 3 * SIZE;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(OK, aclrtMapMem(range + i * SIZE, SIZE, 0, handle, 0));
	/* From the middle of the first to the middle of the last. */
	ASSERT_EQ(OK, set_access(range + 2 * MIB, 2 * SIZE, DEVICE, 0, NONE));
	EXPECT_EQ(0, store_signal(to_u64(range) + 2 * MIB - 1));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(range) + 2 * MIB));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(range) + SIZE));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(end) - 2 * MIB - 1));
	EXPECT_EQ(0, store_signal(to_u64(end) - 2 * MIB));
	EXPECT_EQ(BOTH, get_access(range, DEVICE, 0));
	EXPECT_EQ(NONE, get_access(range + 2 * MIB, DEVICE, 0));
	EXPECT_EQ(NONE, get_access(range + 2 * SIZE, DEVICE, 0));
	EXPECT_EQ(BOTH, get_access(end - 2 * MIB, DEVICE, 0));
	/* Over what is uneven now, and the same memory elsewhere never noticed. */
	ASSERT_EQ(OK, set_access(range, 3 * SIZE, DEVICE, 0, READ));
	EXPECT_EQ(-1, pattern_check(range + SIZE, SIZE, 1));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(range)));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(end) - 1));
	EXPECT_EQ(0, store_signal(to_u64(self->mapped)));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(OK, aclrtUnmapMem(range + i * SIZE));
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_may_be_repeated, 180)
{
	const int flags[] = { BOTH, READ, READ, NONE, NONE, BOTH, NONE, READ, BOTH, BOTH };
	const int load[] = { [NONE] = SIGSEGV, [READ] = 0, [BOTH] = 0 };
	const int store[] = { [NONE] = SIGSEGV, [READ] = SIGSEGV, [BOTH] = 0 };
	__u64 address = to_u64(self->mapped);
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		ASSERT_EQ(OK, set_access(self->mapped, SIZE, DEVICE, 0, flags[i]));
		EXPECT_EQ(flags[i], get_access(self->mapped, DEVICE, 0));
		EXPECT_EQ(load[flags[i]], load_signal(address)) TH_LOG("flags %d", flags[i]);
		EXPECT_EQ(store[flags[i]], store_signal(address + SIZE - 1))
			TH_LOG("flags %d", flags[i]);
	}
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_takes_the_size_given_to_aclrtMapMem, 180)
{
	struct acl_mapping mapping;

	ASSERT_EQ(OK, acl_mapping_new(&mapping, 0, 3000000));
	ASSERT_EQ(OK, set_access(mapping.address, 3000000, DEVICE, 0, READ));
	/* It rounds up. */
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(mapping.address) + SIZE - 1));
	ASSERT_EQ(OK, set_access(mapping.address, 2 * MIB + 1, DEVICE, 0, BOTH));
	EXPECT_EQ(0, store_signal(to_u64(mapping.address) + SIZE - 1));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_ignores_rsv, 180)
{
	aclrtMemAccessDesc desc = desc_of(DEVICE, 0, BOTH);
	int byte;

	for (byte = 0; byte < 12; byte++) {
		memset(desc.rsv, 0, sizeof(desc.rsv));
		desc.rsv[byte] = 1 + byte;
		EXPECT_EQ(OK, aclrtMemSetAccess(self->mapped, SIZE, &desc, 1));
	}
	memset(desc.rsv, 0xff, sizeof(desc.rsv));
	EXPECT_EQ(OK, aclrtMemSetAccess(self->mapped, SIZE, &desc, 1));
}

TEST_F_TIMEOUT(access, aclrtMemSetAccess_for_a_peer_needs_the_link, 180)
{
	aclrtMemAccessDesc both[2] = { desc_of(DEVICE, 0, READ), desc_of(DEVICE, 1, READ) };

	/* Without it nothing changes for the other location either. */
	REFUSED(DRIVER_ERROR, aclrtMemSetAccess, self->mapped, SIZE, both, 2);
	EXPECT_EQ(NONE, get_access(self->mapped, DEVICE, 1));
	EXPECT_EQ(BOTH, get_access(self->mapped, DEVICE, 0));
	ASSERT_EQ(OK, aclrtSetDevice(1));
	ASSERT_EQ(OK, aclrtDeviceEnablePeerAccess(0, 0));
	EXPECT_EQ(OK, aclrtMemSetAccess(self->mapped, SIZE, both, 2));
	EXPECT_EQ(READ, get_access(self->mapped, DEVICE, 1));
	EXPECT_EQ(READ, get_access(self->mapped, DEVICE, 0));
	EXPECT_EQ(OK, set_access(self->mapped, SIZE, DEVICE, 1, NONE));
	EXPECT_EQ(NONE, get_access(self->mapped, DEVICE, 1));
	EXPECT_EQ(OK, aclrtDeviceDisablePeerAccess(0));
	EXPECT_EQ(OK, aclrtResetDevice(1));
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, aclrtResetDevice(0));
}

TEST_F_TIMEOUT(access, aclrtMemGetAccess_of_the_host, 180)
{
	__u64 address = to_u64(self->mapped);

	/* The CPU stands in for the device, without having been granted. */
	EXPECT_EQ(NONE, get_access(self->mapped, HOST, 0));
	EXPECT_EQ(0, store_signal(address));
	ASSERT_EQ(OK, set_access(self->mapped, SIZE, DEVICE, 0, NONE));
	EXPECT_EQ(SIGSEGV, load_signal(address));
	/* Its rights are the union of the device's and the host's. */
	ASSERT_EQ(OK, set_access(self->mapped, SIZE, HOST, 0, READ));
	EXPECT_EQ(READ, get_access(self->mapped, HOST, 0));
	EXPECT_EQ(NONE, get_access(self->mapped, DEVICE, 0));
	EXPECT_EQ(0, load_signal(address));
	EXPECT_EQ(SIGSEGV, store_signal(address));
	ASSERT_EQ(OK, set_access(self->mapped, SIZE, HOST, 0, BOTH));
	EXPECT_EQ(BOTH, get_access(self->mapped, HOST, 0));
	EXPECT_EQ(0, store_signal(address));
	ASSERT_EQ(OK, set_access(self->mapped, SIZE, DEVICE, 0, BOTH));
	ASSERT_EQ(OK, set_access(self->mapped, SIZE, HOST, 0, NONE));
	EXPECT_EQ(0, store_signal(address));
}

TEST_F_TIMEOUT(access, aclrtMemGetAccess, 180)
{
	char *mapped = self->mapped;

	EXPECT_EQ(BOTH, get_access(mapped, DEVICE, 0));
	EXPECT_EQ(NONE, get_access(mapped, DEVICE, 1));
	EXPECT_EQ(BOTH, get_access(mapped + SIZE - 1, DEVICE, 0));
	ASSERT_EQ(OK, set_access(mapped + 2 * MIB, 2 * MIB, DEVICE, 0, READ));
	EXPECT_EQ(BOTH, get_access(mapped + 2 * MIB - 1, DEVICE, 0));
	EXPECT_EQ(READ, get_access(mapped + 2 * MIB, DEVICE, 0));
	ASSERT_EQ(OK, set_access(mapped, SIZE, DEVICE, 0, BOTH));
}

TEST_F_TIMEOUT(access, aclrtMemGetAccess_of_bad_arguments, 180)
{
	aclrtMemLocation location = { .id = 0, .type = DEVICE };
	uint64_t flag = 7;

	REFUSED(INVALID_PARAM, aclrtMemGetAccess, NULL, &location, &flag);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, self->mapped, NULL, &flag);
	REFUSED(INVALID_PARAM, aclrtMemGetAccess, self->mapped, &location, NULL);
	REFUSED(DRIVER_ERROR, aclrtMemGetAccess, self->empty, &location, &flag);
	REFUSED(DRIVER_ERROR, aclrtMemGetAccess, &flag, &location, &flag);
	location.id = 31;
	REFUSED(PARAM_INVALID, aclrtMemGetAccess, self->mapped, &location, &flag);
	location = (aclrtMemLocation){ .type = ACL_MEM_LOCATION_TYPE_UNREGISTERED };
	REFUSED(PARAM_INVALID, aclrtMemGetAccess, self->mapped, &location, &flag);
	EXPECT_EQ(7, flag);
}

TEST_HARNESS_MAIN
