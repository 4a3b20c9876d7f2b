// SPDX-License-Identifier: MIT
/*
 * Bad numbers in every field that is a size, an address, an offset, a count or
 * a device: the exact errno, and nothing changes.
 */
#include "kselftest_harness.h"
#include "abi_commands.h"

static const __u64 edges[] = {
	0, 1, 4095, 4096, 4097, G / 2, G - 1, G, G + 1, 2 * G - 1, 2 * G,
	2 * G + 1, (1ULL << 31) - 1, 1ULL << 31, (1ULL << 31) + 1,
	(1ULL << 32) - 1, 1ULL << 32, (1ULL << 32) + 1, (1ULL << 32) + G,
	(1ULL << 47) - G, (1ULL << 47) - 1, 1ULL << 47, (1ULL << 48),
	(1ULL << 56), (1ULL << 63) - G, (1ULL << 63) - 1, 1ULL << 63,
	(1ULL << 63) + 1, (1ULL << 63) + G, ~0ULL - G, ~0ULL - G + 1,
	~0ULL - G + 2, ~0ULL - 4096, ~0ULL - 4095, ~0ULL - 1, ~0ULL,
};

static const __u32 bad_devices[] = {
	31, 32, 33, 63, 64, 255, 256, 0x7fffffff, 0x80000000, 0xfffffffe,
};

/* For one entry of a list: say which if the expectation fails. */
#define EXPECT_ERROR(expected, call, value) do {			\
	int error_ = (call);						\
	EXPECT_EQ(expected, error_) {					\
		TH_LOG("for %#llx", (unsigned long long)(value));	\
	}								\
} while (0)

FIXTURE(edges) {
	struct world world;
	struct snapshot before;
	int fd;
	__u64 address;
};

FIXTURE_SETUP(edges)
{
	int error, line = world_make(&self->world, &error);

	ASSERT_EQ(0, line) {
		TH_LOG("the world cannot be made: errno %d", -error);
	}
	self->fd = self->world.fd;
	self->address = self->world.address;
	world_snapshot(&self->world, &self->before);
}

/* None of these tests may leave a trace. */
FIXTURE_TEARDOWN(edges)
{
	EXPECT_TRUE(world_same(&self->world, &self->before));
	EXPECT_EQ(0, world_end(&self->world));
}

static int alloc_expectation(__u64 length, __u64 granule, __u64 available)
{
	if (!length)
		return -EINVAL;
	if (length > ~0ULL - granule + 1)
		return -EOVERFLOW;
	if (((length + granule - 1) & ~(granule - 1)) > available)
		return -ENOSPC;
	return 0;
}

TEST_F_TIMEOUT(edges, alloc_length, 120)
{
	__u64 available = npumem_free_bytes(self->fd, 1), handle, got;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		int expected = alloc_expectation(edges[i], G, available);

		EXPECT_ERROR(expected, npumem_alloc_flags(self->fd, 1, edges[i],
							  0, &handle, &got),
			     edges[i]);
		if (expected)
			continue;
		EXPECT_EQ((edges[i] + G - 1) & ~(G - 1), got);
		EXPECT_EQ(available - got, npumem_free_bytes(self->fd, 1));
		EXPECT_EQ(0, npumem_free(self->fd, handle));
	}
	EXPECT_EQ(available, npumem_free_bytes(self->fd, 1));
}

TEST_F_TIMEOUT(edges, alloc_length_in_gigabytes, 120)
{
	__u64 available = npumem_free_bytes(self->fd, 1), handle, got;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		int expected = alloc_expectation(edges[i], NPUMEM_GRANULE_1G,
						 available);

		/* Success takes long and is another test's business. */
		if (!expected && i > 1 && edges[i] != 1ULL << 31)
			continue;
		EXPECT_ERROR(expected,
			     npumem_alloc_flags(self->fd, 1, edges[i],
						NPUMEM_ALLOC_1G, &handle, &got),
			     edges[i]);
		if (expected)
			continue;
		EXPECT_EQ(0, got % NPUMEM_GRANULE_1G);
		EXPECT_EQ(available - got, npumem_free_bytes(self->fd, 1));
		EXPECT_EQ(0, npumem_free(self->fd, handle));
	}
}

TEST_F(edges, alloc_location)
{
	struct npumem_alloc argument = {
		.size = sizeof(argument),
		.length = G,
	};
	__u32 type;

	for (type = 0; type < 64; type++) {
		if (type == NPUMEM_LOCATION_DEVICE ||
		    type == NPUMEM_LOCATION_HOST ||
		    type == NPUMEM_LOCATION_HOST_NUMA)
			continue;
		argument.location_type = type;
		EXPECT_ERROR(-EINVAL, npumem_call(self->fd, NPUMEM_ALLOC,
						  &argument), type);
	}
	argument.location_type = ~0U;
	EXPECT_EQ(-EINVAL, npumem_call(self->fd, NPUMEM_ALLOC, &argument));
}

TEST_F(edges, device_numbers)
{
	struct npumem_device_info info;
	struct npumem_query query;
	__u32 access, enabled;
	unsigned int i;

	ASSERT_EQ(0, npumem_query(self->fd, &query));
	for (i = 0; i <= ARRAY_SIZE(bad_devices); i++) {
		__u32 d = i ? bad_devices[i - 1] : query.device_count;

		if (d < query.device_count)
			continue;
		EXPECT_ERROR(-ENXIO, npumem_device_info(self->fd, d, &info), d);
		EXPECT_ERROR(-ENXIO, npumem_alloc(self->fd, d, G, NULL), d);
		EXPECT_ERROR(-ENXIO, npumem_import(self->fd, self->world.token,
						   d, NULL, NULL), d);
		EXPECT_ERROR(-ENXIO, npumem_get_access(self->fd, self->address,
						       d, &access), d);
		EXPECT_ERROR(-ENXIO, npumem_set_access(self->fd, self->address,
						       G, d, 1), d);
		EXPECT_ERROR(-ENXIO, npumem_peer_enable(self->fd, d, 0), d);
		EXPECT_ERROR(-ENXIO, npumem_peer_enable(self->fd, 0, d), d);
		EXPECT_ERROR(-ENXIO, npumem_peer_disable(self->fd, d, 0), d);
		EXPECT_ERROR(-ENXIO, npumem_peer_disable(self->fd, 0, d), d);
		EXPECT_ERROR(-ENXIO, npumem_peer_status(self->fd, d, 0,
							&enabled), d);
		EXPECT_ERROR(-ENXIO, npumem_peer_status(self->fd, 0, d,
							&enabled), d);
		EXPECT_ERROR(-ENXIO, npumem_reset(self->fd, d), d);
		EXPECT_ERROR(-ENXIO, npumem_copy(self->fd, d, self->world.host,
						 to_ptr(self->address), 8), d);
		EXPECT_ERROR(-ENXIO, npumem_fill(self->fd, d,
						 to_ptr(self->address), 8, 0),
			     d);
	}
}

TEST_F(edges, no_device)
{
	struct npumem_device_info info;
	const __u32 none = NPUMEM_DEVICE_NONE;
	void *device = to_ptr(self->address);

	/* It is how the host's memory is asked about, and nothing else. */
	EXPECT_EQ(0, npumem_device_info(self->fd, none, &info));
	EXPECT_EQ(-1, info.numa_node);
	EXPECT_EQ(-ENXIO, npumem_alloc(self->fd, none, G, NULL));
	EXPECT_EQ(-ENXIO, npumem_import(self->fd, self->world.token, none,
					NULL, NULL));
	EXPECT_EQ(-ENXIO, npumem_reset(self->fd, none));
	EXPECT_EQ(-ENOTCONN, npumem_copy(self->fd, none, self->world.host,
					 device, 8));
	EXPECT_EQ(-ENOTCONN, npumem_copy(self->fd, none, device,
					 self->world.host, 8));
	EXPECT_EQ(-ENOTCONN, npumem_fill(self->fd, none, device, 8, 1));
}

TEST_F(edges, peer_of_itself)
{
	__u32 device;

	for (device = 0; device < 2; device++) {
		EXPECT_EQ(-EINVAL, npumem_peer_enable(self->fd, device,
						      device));
		EXPECT_EQ(-EINVAL, npumem_peer_disable(self->fd, device,
						       device));
		EXPECT_EQ(-EINVAL, npumem_peer_status(self->fd, device, device,
						      NULL));
	}
	EXPECT_EQ(-ENOENT, npumem_peer_disable(self->fd, 1, 0));
}

TEST_F(edges, map_address)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++)
		EXPECT_ERROR(edges[i] % G ? -EINVAL : -EADDRNOTAVAIL,
			     npumem_map(self->fd, edges[i], G,
					self->world.spare), edges[i]);
	/* Around the reservation of four granules. */
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, self->address - G, G,
					     self->world.spare));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, self->address + 4 * G, G,
					     self->world.spare));
	EXPECT_EQ(-EINVAL, npumem_map(self->fd, self->address + G + 4096, G,
				      self->world.spare));
	EXPECT_EQ(-EINVAL, npumem_map(self->fd, self->address + 2 * G - 1, G,
				      self->world.spare));
	EXPECT_EQ(-EEXIST, npumem_map(self->fd, self->address, G,
				      self->world.spare));
	/* Ordinary memory of the process is no reservation. */
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd,
					     to_u64(self) & ~(G - 1), G,
					     self->world.spare));
}

TEST_F(edges, map_length)
{
	__u64 handle, at = self->world.empty;
	unsigned int i;

	ASSERT_EQ(0, npumem_alloc(self->fd, 0, 2 * G, &handle));
	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		__u64 length = edges[i];
		int expected = !length ? -EINVAL : length > 2 * G ? -EOVERFLOW :
			length <= G ? -ERANGE : 0;

		EXPECT_ERROR(expected, npumem_map(self->fd, at, length, handle),
			     length);
		if (!expected) {
			struct npumem_range range;

			EXPECT_EQ(0, npumem_range(self->fd, at, &range));
			EXPECT_EQ(2 * G, range.length);
			EXPECT_EQ(0, npumem_unmap(self->fd, at));
		}
	}
	/* Right for the memory, but not all of it is in the reservation. */
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_map(self->fd, at + G, 2 * G, handle));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	/* An empty reservation has no device any more, or device 0 as now. */
}

TEST_F(edges, map_offset)
{
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(edges); i++) {
		struct npumem_map argument = {
			.size = sizeof(argument),
			.address = self->address + G,
			.length = G,
			.offset = edges[i],
			.handle = self->world.spare,
		};

		EXPECT_ERROR(-EINVAL, npumem_call(self->fd, NPUMEM_MAP,
						  &argument), edges[i]);
	}
}

TEST_F(edges, addresses_that_must_be_a_start)
{
	const __u64 here[] = { 1, 4096, G - 1, G, 2 * G, 4 * G - 1, 4 * G };
	__u64 handle;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		EXPECT_ERROR(-ENOENT, npumem_unmap(self->fd, edges[i]),
			     edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_release(self->fd, edges[i]),
			     edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_retain(self->fd, edges[i],
						    &handle), edges[i]);
	}
	for (i = 0; i < ARRAY_SIZE(here); i++) {
		__u64 address = self->address + here[i];

		EXPECT_ERROR(-ENOENT, npumem_unmap(self->fd, address), here[i]);
		EXPECT_ERROR(-ENOENT, npumem_release(self->fd, address),
			     here[i]);
		EXPECT_ERROR(-ENOENT, npumem_retain(self->fd, address, &handle),
			     here[i]);
	}
	EXPECT_EQ(-EBUSY, npumem_release(self->fd, self->address));
}

TEST_F(edges, addresses_that_must_be_inside)
{
	struct npumem_range range;
	__u32 access;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		EXPECT_ERROR(-ENOENT, npumem_range(self->fd, edges[i], &range),
			     edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_get_access(self->fd, edges[i], 0,
							&access), edges[i]);
	}
	for (i = 0; i < 2; i++) {
		__u64 address = i ? self->address + G : self->address - 1;

		EXPECT_EQ(-ENOENT, npumem_range(self->fd, address, &range));
		EXPECT_EQ(-ENOENT, npumem_get_access(self->fd, address, 0,
						     &access));
	}
	EXPECT_EQ(0, npumem_range(self->fd, self->address + G - 1, &range));
	EXPECT_EQ(self->address, range.address);
	EXPECT_EQ(0, npumem_get_access(self->fd, self->address + G - 1, 0,
				       &access));
}

TEST_F(edges, get_access_location)
{
	__u32 access, type;

	for (type = 2; type < 16; type++)
		EXPECT_ERROR(-EINVAL, npumem_get_access_of(self->fd,
							   self->address, type,
							   0, &access), type);
	EXPECT_EQ(-EINVAL, npumem_get_access_of(self->fd, self->address,
						NPUMEM_LOCATION_HOST, 1,
						&access));
}

TEST_F(edges, set_access_range)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		__u64 length = edges[i];

		EXPECT_ERROR(-EADDRNOTAVAIL,
			     npumem_set_access(self->fd, edges[i], G, 0, 1),
			     edges[i]);
		/* 1 to 2 MiB are the mapping; it is given what it has. */
		EXPECT_ERROR(!length ? -EINVAL :
			     length <= G ? 0 : -EADDRNOTAVAIL,
			     npumem_set_access(self->fd, self->address, length,
					       0, NPUMEM_ACCESS_READWRITE),
			     length);
	}
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_set_access(self->fd,
						    self->address + 4096, 4096,
						    0, 1));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_set_access(self->fd,
						    self->address + G, G, 0, 1));
	EXPECT_EQ(-EADDRNOTAVAIL, npumem_set_access(self->fd,
						    self->address - G, 2 * G,
						    0, 1));
}

TEST_F(edges, set_access_entries)
{
	struct npumem_access list[NPUMEM_MAX_DEVICES + 2] = {};
	const __u32 counts[] = { NPUMEM_MAX_DEVICES + 2, 255, 65536, 1U << 28,
		1U << 31, ~0U };
	struct npumem_access *good = &list[0];
	unsigned int i;

#define SET(count) npumem_set_access_list(self->fd, self->address, G, list, count)
	good->location_type = NPUMEM_LOCATION_DEVICE;
	good->access = NPUMEM_ACCESS_READ;
	EXPECT_EQ(-EINVAL, SET(0));
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		EXPECT_ERROR(-EINVAL, SET(counts[i]), counts[i]);
	EXPECT_EQ(-EFAULT, npumem_set_access_list(self->fd, self->address, G,
						  NULL, 1));
	EXPECT_EQ(-EFAULT, npumem_set_access_list(self->fd, self->address, G,
						  to_ptr(~0ULL - 8), 1));
	/* Whatever is wrong in the second entry, the first has no effect. */
	for (i = 0; i < 32; i++) {
		list[1] = *good;
		list[1].access = i;
		if (i == NPUMEM_ACCESS_NONE || i == NPUMEM_ACCESS_READ ||
		    i == NPUMEM_ACCESS_READWRITE)
			continue;
		EXPECT_ERROR(-EINVAL, SET(2), i);
	}
	list[1] = *good;
	for (i = 0; i < 32; i++) {
		list[1].access = NPUMEM_ACCESS_READ | 1U << i;
		if (i < 2)
			continue;
		EXPECT_ERROR(-EINVAL, SET(2), i);
		list[1].access = NPUMEM_ACCESS_READ;
		list[1].__reserved = 1U << i;
		EXPECT_ERROR(-EINVAL, SET(2), i);
		list[1].__reserved = 0;
		list[1].location_type = i;
		EXPECT_ERROR(-EINVAL, SET(2), i);
		list[1].location_type = NPUMEM_LOCATION_DEVICE;
	}
	list[1].location_type = NPUMEM_LOCATION_HOST;
	list[1].location_id = 1;
	EXPECT_EQ(-EINVAL, SET(2));
	/* Direction 1 -> 0 is not enabled; the world has 0 -> 1. */
	list[1].location_type = NPUMEM_LOCATION_DEVICE;
	EXPECT_EQ(-EHOSTUNREACH, SET(2));
	list[1].location_id = 5;
	EXPECT_EQ(-ENXIO, SET(2));
#undef SET
}

TEST_F(edges, copy_and_fill_ranges)
{
	void *device = to_ptr(self->address), *host = self->world.host;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		__u64 n = edges[i];
		int error;

		if (!n) {
			EXPECT_EQ(-EINVAL, npumem_copy(self->fd, 0, device,
						       host, n));
			EXPECT_EQ(-EINVAL, npumem_copy(self->fd, 0, host,
						       device, n));
			EXPECT_EQ(-EINVAL, npumem_fill(self->fd, 0, device, n,
						       1));
			continue;
		}
		if (n <= G)
			continue;
		/* Where both ranges end nowhere, either may be blamed. */
		error = npumem_copy(self->fd, 0, device, host, n);
		EXPECT_TRUE(error == -EADDRNOTAVAIL || (error == -EFAULT &&
			    self->address + n < n)) {
			TH_LOG("length %#llx gives %d",
			       (unsigned long long)n, error);
		}
		error = npumem_copy(self->fd, 0, host, device, n);
		EXPECT_TRUE(error == -EADDRNOTAVAIL || (error == -EFAULT &&
			    self->address + n < n)) {
			TH_LOG("length %#llx gives %d",
			       (unsigned long long)n, error);
		}
		EXPECT_ERROR(-EADDRNOTAVAIL, npumem_fill(self->fd, 0, device,
							 n, 1), n);
	}
	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		void *p = to_ptr(edges[i]);

		/* Wrapping around is no range at all. */
		if (edges[i] + 8 < edges[i]) {
			EXPECT_ERROR(-EFAULT, npumem_fill(self->fd, 0, p, 8, 1),
				     edges[i]);
			EXPECT_ERROR(-EFAULT, npumem_copy(self->fd, 0, p, host,
							  8), edges[i]);
			EXPECT_ERROR(-EFAULT, npumem_copy(self->fd, 0, device,
							  p, 8), edges[i]);
			continue;
		}
		/* Neither is device memory: not ours to do. */
		EXPECT_ERROR(-ENOENT, npumem_copy(self->fd, 0, p, host, 8),
			     edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_copy(self->fd, 0, host, p, 8),
			     edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_fill(self->fd, 0, p, 8, 1),
			     edges[i]);
		/* One is, and the other is not there. */
		EXPECT_ERROR(-EFAULT, npumem_copy(self->fd, 0, p, device, 8),
			     edges[i]);
		EXPECT_ERROR(-EFAULT, npumem_copy(self->fd, 0, device, p, 8),
			     edges[i]);
	}
}

TEST_F(edges, fill_value)
{
	unsigned int bit;

	for (bit = 8; bit < 32; bit++)
		EXPECT_ERROR(-EINVAL, npumem_fill(self->fd, 0,
						  to_ptr(self->address), 8,
						  1U << bit), 1U << bit);
}

TEST_F(edges, whitelist_count_and_pids)
{
	const __u32 counts[] = { NPUMEM_WHITELIST_MAX + 1, 1U << 17, 1U << 30,
		1U << 31, ~0U };
	const __s32 nobody[] = { 0, -1, -getpid(), INT32_MIN, INT32_MAX,
		1 << 22, 1 << 30 };
	__s32 *many = calloc(NPUMEM_WHITELIST_MAX + 1, sizeof(*many));
	__u64 token = self->world.other_token;
	unsigned int i;

	ASSERT_NE(NULL, many);
	EXPECT_EQ(-EINVAL, npumem_whitelist_add_list(self->fd, token, many, 0,
						     NULL));
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		EXPECT_ERROR(-EINVAL,
			     npumem_whitelist_add_list(self->fd, token, many,
						       counts[i], NULL),
			     counts[i]);
	for (i = 0; i < ARRAY_SIZE(nobody); i++)
		EXPECT_ERROR(-ESRCH, npumem_whitelist_add(self->fd, token,
							  nobody[i]),
			     nobody[i]);
	EXPECT_EQ(-ESRCH, npumem_whitelist_add_list(self->fd, token, many,
						    NPUMEM_WHITELIST_MAX,
						    NULL));
	EXPECT_EQ(-EFAULT, npumem_whitelist_add_list(self->fd, token, NULL, 1,
						     NULL));
	EXPECT_EQ(-EFAULT, npumem_whitelist_add_list(self->fd, token,
						     to_ptr(~0ULL - 3), 4,
						     NULL));
	EXPECT_EQ(-EPERM, npumem_whitelist_add(self->fd, self->world.token,
					       self->world.pid));
	free(many);
}

TEST_F(edges, tokens)
{
	struct npumem_share_info info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		EXPECT_ERROR(-ENOENT, npumem_share_info(self->fd, edges[i],
							&info), edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_import(self->fd, edges[i], 0, NULL,
						    NULL), edges[i]);
		EXPECT_ERROR(-ENOENT, npumem_whitelist_add(self->fd, edges[i],
							   getpid()), edges[i]);
	}
	/* Each bit of the token counts. */
	for (i = 0; i < 64; i++)
		EXPECT_ERROR(-ENOENT,
			     npumem_share_info(self->fd,
					       self->world.token ^ (1ULL << i),
					       &info), i);
	EXPECT_EQ(-ELOOP, npumem_import(self->fd, self->world.token, 0, NULL,
					NULL));
	EXPECT_EQ(-EEXIST, npumem_export(self->fd, self->world.mapped, 0,
					 NULL));
}

TEST_F(edges, handles)
{
	struct npumem_memory_info info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges) + 64; i++) {
		__u64 handle = i < ARRAY_SIZE(edges) ? edges[i] :
			self->world.spare ^ (1ULL << (i - ARRAY_SIZE(edges)));

		/* Neighbours of a handle may be handles too. */
		if (handle == self->world.mapped ||
		    handle == self->world.spare_exported)
			continue;
		EXPECT_ERROR(-ENOENT, npumem_free(self->fd, handle), handle);
		EXPECT_ERROR(-ENOENT, npumem_memory_info(self->fd, handle,
							 &info), handle);
		EXPECT_ERROR(-ENOENT, npumem_map(self->fd, self->address + G, G,
						 handle), handle);
		EXPECT_ERROR(-ENOENT, npumem_export(self->fd, handle, 0, NULL),
			     handle);
	}
}

TEST_F(edges, mmap_arguments)
{
	const int rw = PROT_READ | PROT_WRITE;
	const __u64 page = page_bytes();
	unsigned int i;
	__u64 space;

	ASSERT_EQ(0, find_space(4 * G, G, &space));
#define MAP_AT(at, length, prot, flags, offset) \
	npumem_mmap(self->fd, to_ptr(at), length, prot, flags, offset, NULL)
	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		__u64 length = edges[i];
		int error;

		/* mm rounds up to pages before the module sees it. */
		if (length > ~0ULL - (page - 1))
			continue;
		if (length && (length + page - 1) / page * page % G == 0)
			continue;
		/* MAP_FIXED only over what is ours, even in failure. */
		error = MAP_AT(space, length, rw, MAP_SHARED |
			       (length <= 4 * G ? MAP_FIXED : 0), 0);
		/* Too long is mm's to refuse, and it says ENOMEM. */
		EXPECT_TRUE(error == -EINVAL ||
			    (length > 1ULL << 40 && error == -ENOMEM)) {
			TH_LOG("length %#llx gives %d",
			       (unsigned long long)length, error);
		}
	}
	EXPECT_EQ(-EINVAL, MAP_AT(space + page, G, rw, MAP_SHARED | MAP_FIXED,
				  0));
	EXPECT_EQ(-EINVAL, MAP_AT(space + G / 2, G, rw, MAP_SHARED | MAP_FIXED,
				  0));
	EXPECT_EQ(-EINVAL, MAP_AT(space, G, rw, MAP_SHARED | MAP_FIXED, page));
	EXPECT_EQ(-EINVAL, MAP_AT(space, G, rw, MAP_SHARED | MAP_FIXED, G));
	EXPECT_EQ(-EINVAL, MAP_AT(space, G, rw, MAP_PRIVATE | MAP_FIXED, 0));
	EXPECT_EQ(-EINVAL, MAP_AT(space, G, PROT_READ, MAP_PRIVATE | MAP_FIXED,
				  0));
	EXPECT_EQ(-EINVAL, MAP_AT(space, G, rw | PROT_EXEC,
				  MAP_SHARED | MAP_FIXED, 0));
#undef MAP_AT
	munmap(to_ptr(space), 4 * G);
}

TEST_HARNESS_MAIN
