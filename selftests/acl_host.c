// SPDX-License-Identifier: MIT
/* Memory of the host: of any node, of one node, and beside that of devices. */
#include <pthread.h>

#include "acl_errors.h"
#include "acl_key.h"
#include "npumem_zeroed.h"

#include "kselftest_harness.h"

#define SIZE		(4 * MIB)
#define NONE		ACL_MEM_HANDLE_TYPE_NONE
#define HOST		ACL_MEM_LOCATION_TYPE_HOST
#define NODE		ACL_MEM_LOCATION_TYPE_HOST_NUMA
#define DEVICE		ACL_MEM_LOCATION_TYPE_DEVICE
#define READ		ACL_RT_MEM_ACCESS_FLAGS_READ
#define READWRITE	ACL_RT_MEM_ACCESS_FLAGS_READWRITE
#define NO_ACCESS	ACL_RT_MEM_ACCESS_FLAGS_NONE

/* A node that no machine here has. */
#define NO_NODE		900

FIXTURE(host)
{
	struct watch watch;
	__u64 used;
	struct acl_mapping mapping;
	unsigned char *bytes;
};

static aclrtPhysicalMemProp memory_at(int type, int id)
{
	aclrtPhysicalMemProp prop = acl_memory(id);

	prop.location.type = type;
	prop.memAttr = ACL_MEM_HUGE;
	return prop;
}

static aclError new_mapping(struct acl_mapping *mapping, int type, int id, size_t size)
{
	aclrtPhysicalMemProp prop = memory_at(type, id);
	aclError error = aclrtMallocPhysical(&mapping->handle, size, &prop, 0);

	mapping->size = size;
	if (!error)
		error = aclrtReserveMemAddress(&mapping->address, size, 0, NULL, 1);
	return error ? error : aclrtMapMem(mapping->address, size, 0, mapping->handle, 0);
}

/* Is @bytes more of the host's memory in use than at the start? */
static bool host_used(FIXTURE_DATA(host) *self, __u64 bytes)
{
	return npumem_used(self->watch.fd, NPUMEM_DEVICE_NONE) == self->used + bytes;
}

static aclError set_access(void *address, size_t size, int type, int id, int flags)
{
	aclrtMemAccessDesc desc = { .flags = flags, .location = { .type = type, .id = id } };

	return aclrtMemSetAccess(address, size, &desc, 1);
}

/* What a location may do, or ~0. */
static uint64_t get_access(void *address, int type, int id)
{
	aclrtMemLocation location = { .type = type, .id = id };
	uint64_t flag;

	return aclrtMemGetAccess(address, &location, &flag) ? ~0UL : flag;
}

FIXTURE_SETUP(host)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->used = npumem_used(self->watch.fd, NPUMEM_DEVICE_NONE);
	ASSERT_NE(~0ULL, self->used);
	ASSERT_EQ(OK, aclrtSetDevice(0));
	ASSERT_EQ(OK, new_mapping(&self->mapping, HOST, 0, SIZE));
	self->bytes = self->mapping.address;
}

FIXTURE_TEARDOWN(host)
{
	process_end_all();
	EXPECT_EQ(OK, acl_mapping_end(&self->mapping));
	EXPECT_TRUE(host_used(self, 0));
	aclrtResetDeviceForce(0);
	aclrtResetDeviceForce(1);
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(host, aclrtMallocPhysical_is_zeroed_and_no_device_s, 180)
{
	size_t free, total, before;

	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &before, &total));
	EXPECT_TRUE(host_used(self, SIZE));
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
	EXPECT_EQ(-1, bytes_differ(self->bytes, SIZE, 0));
	pattern_mark(self->bytes, SIZE, 1);
	ASSERT_EQ(OK, aclrtUnmapMem(self->bytes));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->bytes)));
	ASSERT_EQ(OK, aclrtMapMem(self->bytes, SIZE, 0, self->mapping.handle, 0));
	EXPECT_EQ(-1, pattern_check(self->bytes, SIZE, 1));
	ASSERT_EQ(OK, aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
	EXPECT_EQ(before, free);
}

TEST_F_TIMEOUT(host, aclrtMallocPhysical_takes_the_host_s_attributes, 180)
{
	const char *codes = "xx......xx1x..1..1";
	aclrtPhysicalMemProp prop = memory_at(HOST, 0), told;
	aclrtDrvMemHandle handle;
	size_t granularity;
	int attr, node;

	for (attr = -1; attr < 20; attr++) {
		char code = attr < 0 || attr > 17 ? 'x' : codes[attr];
		int expected = code == 'x' ? INVALID_PARAM : code == '1' ? NOT_SUPPORTED : OK;

		for (node = 0; node < 2; node++) {
			prop.location.type = node ? NODE : HOST;
			prop.memAttr = attr;
			granularity = 7;
			EXPECT_EQ(expected, aclrtMemGetAllocationGranularity(&prop, 0,
									     &granularity))
				TH_LOG("memAttr %d", attr);
			EXPECT_EQ(expected ? 7 : 2 * MIB, granularity);
			handle = GARBAGE;
			ASSERT_EQ(expected, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
			if (expected) {
				EXPECT_EQ(GARBAGE, handle);
				continue;
			}
			ASSERT_EQ(OK, aclrtMemGetAllocationPropertiesFromHandle(handle, &told));
			EXPECT_EQ(0, memcmp(&prop.location, &told.location,
					    sizeof(told.location)));
			EXPECT_EQ(attr, told.memAttr);
			EXPECT_EQ(0, told.reserve);
			EXPECT_EQ(OK, aclrtFreePhysical(handle));
		}
	}
	aclGetRecentErrMsg();
	EXPECT_TRUE(host_used(self, SIZE));
}

TEST_F_TIMEOUT(host, aclrtMallocPhysical_of_a_bad_place, 180)
{
	const unsigned int ids[] = { 1, NO_NODE, 1U << 31, ~0U };
	aclrtDrvMemHandle handle = GARBAGE;
	aclrtPhysicalMemProp prop;
	size_t granularity = 7;
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		prop = memory_at(HOST, ids[i]);
		REFUSED(NOT_SUPPORTED, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
		REFUSED(NOT_SUPPORTED, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
		if (ids[i] == 1)
			continue;
		prop = memory_at(NODE, ids[i]);
		REFUSED(PARAM_INVALID, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
		REFUSED(PARAM_INVALID, aclrtMemGetAllocationGranularity, &prop, 0, &granularity);
	}
	prop = memory_at(NODE, 0);
	prop.reserve = 1;
	REFUSED(PARAM_INVALID, aclrtMallocPhysical, &handle, SIZE, &prop, 0);
	EXPECT_EQ(GARBAGE, handle);
	EXPECT_EQ(7, granularity);
	EXPECT_TRUE(host_used(self, SIZE));
}

TEST_F_TIMEOUT(host, aclrtMallocPhysical_out_of_memory, 180)
{
	const __u64 free = npumem_free_bytes(self->watch.fd, NPUMEM_DEVICE_NONE);
	const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 2 * MIB, 1UL << 62, 1UL << 50, free + 1 };
	aclrtDrvMemHandle handle = GARBAGE;
	aclrtPhysicalMemProp prop;
	size_t i;
	int node;

	for (node = 0; node < 2; node++) {
		prop = memory_at(node ? NODE : HOST, 0);
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			REFUSED(OUT_OF_MEMORY, aclrtMallocPhysical, &handle, sizes[i], &prop, 0);
	}
	EXPECT_EQ(GARBAGE, handle);
	EXPECT_TRUE(host_used(self, SIZE));
}

/* How much of a node is free, or 0. */
static size_t node_free(int node)
{
	char path[64], line[128];
	size_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Node %*d MemFree: %zu kB", &kib) == 1)
			break;
	fclose(file);
	return kib << 10;
}

TEST_F_TIMEOUT(host, aclrtMallocPhysical_of_a_node_without_processors, 180)
{
	const size_t size = 64 * MIB;
	/* What is kept zeroed is not among the free pages of this count. */
	long long zeroed = zeroed_off();
	size_t before = node_free(1);
	struct acl_mapping mapping;

	if (before < 2 * size)
		zeroed_restore(zeroed);
	if (before < 2 * size)
		SKIP(return, "no node 1 with that much memory (see --node of tools/vm/vm)");
	ASSERT_EQ(OK, new_mapping(&mapping, NODE, 1, size));
	EXPECT_EQ(-1, bytes_differ(mapping.address, size, 0));
	pattern_mark(mapping.address, size, 3);
	EXPECT_EQ(-1, pattern_check(mapping.address, size, 3));
	EXPECT_LT(node_free(1) + size / 2, before);
	EXPECT_TRUE(host_used(self, SIZE + size));
	EXPECT_EQ(OK, acl_mapping_end(&mapping));
	EXPECT_GT(node_free(1) + size / 2, before);
	zeroed_restore(zeroed);
}

TEST_F_TIMEOUT(host, aclrtPointerGetAttributes_and_GetAddressRange, 180)
{
	struct acl_mapping node;
	aclrtPtrAttributes told;
	size_t size;
	void *base;

	ASSERT_EQ(OK, new_mapping(&node, NODE, 0, SIZE));
	ASSERT_EQ(OK, aclrtPointerGetAttributes(self->bytes + SIZE - 1, &told));
	EXPECT_EQ(HOST, told.location.type);
	EXPECT_EQ(0, told.location.id);
	EXPECT_EQ(2 * MIB, told.pageSize);
	ASSERT_EQ(OK, aclrtPointerGetAttributes(node.address, &told));
	EXPECT_EQ(HOST, told.location.type);
	EXPECT_EQ(0, told.location.id);
	EXPECT_EQ(2 * MIB, told.pageSize);
	ASSERT_EQ(OK, aclrtMemGetAddressRange(self->bytes + SIZE - 1, &base, &size));
	EXPECT_EQ(self->bytes, base);
	EXPECT_EQ(SIZE, size);
	EXPECT_EQ(OK, acl_mapping_end(&node));
	ASSERT_EQ(OK, aclrtUnmapMem(self->bytes));
	ASSERT_EQ(OK, aclrtPointerGetAttributes(self->bytes, &told));
	EXPECT_EQ(ACL_MEM_LOCATION_TYPE_UNREGISTERED, told.location.type);
	ASSERT_EQ(OK, aclrtMapMem(self->bytes, SIZE, 0, self->mapping.handle, 0));
}

TEST_F_TIMEOUT(host, aclrtMemGetAccess, 180)
{
	struct acl_mapping device;

	/* The host has its own memory at once, and a device its own. */
	EXPECT_EQ(READWRITE, get_access(self->bytes, HOST, 0));
	EXPECT_EQ(READWRITE, get_access(self->bytes, NODE, 0));
	EXPECT_EQ(NO_ACCESS, get_access(self->bytes, DEVICE, 0));
	ASSERT_EQ(OK, acl_mapping_new(&device, 0, SIZE));
	EXPECT_EQ(READWRITE, get_access(device.address, DEVICE, 0));
	EXPECT_EQ(NO_ACCESS, get_access(device.address, HOST, 0));
	EXPECT_EQ(0, store_signal(to_u64(device.address)));
	ASSERT_EQ(OK, set_access(device.address, SIZE, HOST, 0, READ));
	EXPECT_EQ(READ, get_access(device.address, HOST, 0));
	EXPECT_EQ(~0UL, get_access(device.address, NODE, NO_NODE));
	EXPECT_TRUE(acl_message_names("aclrtMemGetAccess"));
	/* The processor may do what either of the two may. */
	ASSERT_EQ(OK, set_access(device.address, SIZE, DEVICE, 0, NO_ACCESS));
	EXPECT_EQ(0, load_signal(to_u64(device.address)));
	EXPECT_EQ(SIGSEGV, store_signal(to_u64(device.address)));
	EXPECT_EQ(OK, acl_mapping_end(&device));
}

TEST_F_TIMEOUT(host, aclrtMemSetAccess, 180)
{
	__u64 at = to_u64(self->bytes);

	pattern_mark(self->bytes, SIZE, 2);
	/* Every device reaches the host: it takes no link. */
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, DEVICE, 0, READ));
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, DEVICE, 1, READWRITE));
	EXPECT_EQ(READ, get_access(self->bytes, DEVICE, 0));
	EXPECT_EQ(READWRITE, get_access(self->bytes, DEVICE, 1));
	EXPECT_EQ(0, store_signal(at));
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, NODE, 0, READ));
	EXPECT_EQ(READ, get_access(self->bytes, HOST, 0));
	EXPECT_EQ(0, load_signal(at));
	EXPECT_EQ(SIGSEGV, store_signal(at));
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, HOST, 0, NO_ACCESS));
	EXPECT_EQ(SIGSEGV, load_signal(at));
	EXPECT_EQ(PARAM_INVALID, set_access(self->bytes, SIZE, NODE, NO_NODE, READWRITE));
	EXPECT_TRUE(acl_message_names("aclrtMemSetAccess"));
	EXPECT_EQ(PARAM_INVALID, set_access(self->bytes, SIZE, ACL_MEM_LOCATION_TYPE_MANAGED, 0,
					    READWRITE));
	EXPECT_EQ(NO_ACCESS, get_access(self->bytes, HOST, 0));
	EXPECT_EQ(SIGSEGV, load_signal(at));
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, HOST, 0, READWRITE));
	EXPECT_EQ(-1, pattern_check(self->bytes, SIZE, 2));
	aclGetRecentErrMsg();
}

TEST_F_TIMEOUT(host, aclrtMemMapNoAccess, 180)
{
	ASSERT_EQ(OK, aclrtUnmapMem(self->bytes));
	ASSERT_EQ(OK, aclrtMemMapNoAccess(self->bytes, SIZE, 0, self->mapping.handle, 0));
	EXPECT_EQ(NO_ACCESS, get_access(self->bytes, HOST, 0));
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(self->bytes)));
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, HOST, 0, READWRITE));
	EXPECT_EQ(0, store_signal(to_u64(self->bytes)));
}

TEST_F_TIMEOUT(host, aclrtMapMem_into_a_device_s_reservation, 180)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	aclrtDrvMemHandle handle;
	char *both;

	ASSERT_EQ(OK, aclrtMallocPhysical(&handle, SIZE, &prop, 0));
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&both, 2 * SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(both, SIZE, 0, handle, 0));
	REFUSED(DRIVER_ERROR, aclrtMapMem, both + SIZE, SIZE, 0, self->mapping.handle, 0);
	EXPECT_EQ(SIGSEGV, load_signal(to_u64(both + SIZE)));
	ASSERT_EQ(OK, aclrtUnmapMem(both));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(both));
	/* And the reverse. */
	ASSERT_EQ(OK, aclrtReserveMemAddress((void **)&both, 2 * SIZE, 0, NULL, 0));
	ASSERT_EQ(OK, aclrtMapMem(both, SIZE, 0, self->mapping.handle, 0));
	REFUSED(DRIVER_ERROR, aclrtMapMem, both + SIZE, SIZE, 0, handle, 0);
	ASSERT_EQ(OK, aclrtUnmapMem(both));
	ASSERT_EQ(OK, aclrtReleaseMemAddress(both));
	EXPECT_EQ(OK, aclrtFreePhysical(handle));
}

TEST_F_TIMEOUT(host, aclrtMemcpy_between_host_and_device, 180)
{
	struct acl_mapping device;
	void *block;

	ASSERT_EQ(OK, acl_mapping_new(&device, 0, SIZE));
	ASSERT_EQ(OK, aclrtMalloc(&block, SIZE, 0));
	pattern_mark(self->bytes, SIZE, 5);
	ASSERT_EQ(OK, aclrtMemcpy(device.address, SIZE, self->bytes, SIZE,
				  ACL_MEMCPY_HOST_TO_DEVICE));
	EXPECT_EQ(-1, pattern_check(device.address, SIZE, 5));
	ASSERT_EQ(OK, aclrtMemcpy(block, SIZE, device.address, SIZE,
				  ACL_MEMCPY_DEVICE_TO_DEVICE));
	ASSERT_EQ(OK, aclrtMemset(self->bytes, SIZE, 9, SIZE));
	EXPECT_EQ(-1, bytes_differ(self->bytes, SIZE, 9));
	ASSERT_EQ(OK, aclrtMemcpy(self->bytes, SIZE, block, SIZE, ACL_MEMCPY_DEVICE_TO_HOST));
	EXPECT_EQ(-1, pattern_check(self->bytes, SIZE, 5));
	/* What nobody here may read is not copied. */
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, HOST, 0, NO_ACCESS));
	REFUSED(PARAM_INVALID, aclrtMemcpy, block, SIZE, self->bytes, SIZE,
		ACL_MEMCPY_HOST_TO_DEVICE);
	REFUSED(PARAM_INVALID, aclrtMemcpy, self->bytes, SIZE, block, SIZE,
		ACL_MEMCPY_DEVICE_TO_HOST);
	REFUSED(PARAM_INVALID, aclrtMemset, self->bytes, SIZE, 1, SIZE);
	ASSERT_EQ(OK, set_access(self->bytes, SIZE, HOST, 0, READWRITE));
	EXPECT_EQ(-1, pattern_check(self->bytes, SIZE, 5));
	EXPECT_EQ(OK, aclrtFree(block));
	EXPECT_EQ(OK, acl_mapping_end(&device));
}

/* It takes no device to allocate and to copy the host's memory. */
static void *without_context(void *unused)
{
	unsigned char local[4096];
	struct acl_mapping mapping;
	aclError error;

	(void)unused;
	memset(local, 6, sizeof(local));
	error = new_mapping(&mapping, HOST, 0, SIZE);
	if (!error)
		error = aclrtMemset(mapping.address, SIZE, 5, SIZE);
	if (!error)
		error = aclrtMemcpy(mapping.address, SIZE, local, 4096,
				    ACL_MEMCPY_HOST_TO_HOST);
	if (!error)
		error = aclrtMemcpy((char *)mapping.address + 4096, SIZE, mapping.address, 4096,
				    ACL_MEMCPY_HOST_TO_HOST);
	if (!error)
		error = bytes_differ(mapping.address, 8192, 6) != -1 ||
			((unsigned char *)mapping.address)[8192] != 5;
	if (!error)
		error = acl_mapping_end(&mapping);
	return (void *)(long)error;
}

TEST_F_TIMEOUT(host, aclrtMemcpy_without_a_context, 180)
{
	pthread_t thread;
	void *error;

	ASSERT_EQ(0, pthread_create(&thread, NULL, without_context, NULL));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(OK, (long)error);
}

TEST_F_TIMEOUT(host, aclrtResetDevice_leaves_it_alone, 180)
{
	pattern_mark(self->bytes, SIZE, 7);
	ASSERT_EQ(OK, aclrtResetDevice(0));
	EXPECT_EQ(-1, pattern_check(self->bytes, SIZE, 7));
	EXPECT_TRUE(host_used(self, SIZE));
}

/* a: share; out: handle, location type */
static long do_import_host(__u64 *a)
{
	aclrtPhysicalMemProp prop = { 0 };
	long error = acl_do_import(a);

	if (!error)
		error = aclrtMemGetAllocationPropertiesFromHandle(to_ptr(a[2]), &prop);
	a[3] = prop.location.type;
	return error;
}

TEST_F_TIMEOUT(host, aclrtMemImportFromShareableHandle, 240)
{
	struct call call = { .function = do_import_host };
	struct process importer;
	uint64_t share;
	__u64 view;
	int32_t pid;

	pattern_mark(self->bytes, SIZE, 8);
	ASSERT_EQ(OK, aclrtMemExportToShareableHandle(self->mapping.handle, NONE, 0, &share));
	ASSERT_EQ(OK, acl_start(&importer, 0));
	call.argument[0] = share;
	EXPECT_EQ(DRIVER_ERROR, process_call(&importer, &call));
	pid = importer.pid;
	ASSERT_EQ(OK, aclrtMemSetPidToShareableHandle(share, &pid, 1));
	ASSERT_EQ(OK, process_call(&importer, &call));
	EXPECT_EQ(HOST, call.argument[3]);
	ASSERT_EQ(OK, acl_map(&importer, call.argument[2], SIZE, 0, &view));
	EXPECT_EQ(0, client_check(&importer, view, SIZE, 8));
	EXPECT_EQ(0, client_store(&importer, view, 42));
	EXPECT_EQ(42, *(volatile __u64 *)self->bytes);
	EXPECT_EQ(OK, acl_drop(&importer, view, call.argument[2]));
	EXPECT_TRUE(host_used(self, SIZE));
}

TEST_F_TIMEOUT(host, aclrtIpcMemGetExportKey_is_for_device_memory, 180)
{
	char key[KEY_SIZE];
	uint64_t share;

	REFUSED(DRIVER_ERROR, aclrtIpcMemGetExportKey, self->bytes, SIZE, key, KEY_SIZE, 0);
	EXPECT_EQ(OK, aclrtMemExportToShareableHandle(self->mapping.handle, NONE, 0, &share));
}

TEST_HARNESS_MAIN
