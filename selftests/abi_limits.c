// SPDX-License-Identifier: MIT
/* Limits per client are module parameters, and beyond them is EMFILE. */
#include "kselftest_harness.h"
#include "npumem_abi.h"

FIXTURE(limits) {
	int fd;
	__u64 used;
	const char *parameter;
	long long old;
};

FIXTURE_SETUP(limits)
{
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used = npumem_used(self->fd, 0);
}

/* Also after a failed assertion: others need the old limits. */
FIXTURE_TEARDOWN(limits)
{
	if (self->parameter) {
		EXPECT_EQ(0, npumem_set_parameter(self->parameter, self->old));
	}
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used, 3000));
	close(self->fd);
}

#define LIMIT(name, value) do {						\
	self->old = npumem_parameter(name);				\
	ASSERT_LT(0, self->old);					\
	self->parameter = name;						\
	ASSERT_EQ(0, npumem_set_parameter(name, value));		\
} while (0)

TEST_F(limits, handles)
{
	__u64 handles[4], token;
	unsigned int i;
	int other;

	LIMIT("max_handles", 4);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handles[i]));
	EXPECT_EQ(-EMFILE, npumem_alloc(self->fd, 0, G, NULL));
	EXPECT_EQ(self->used + 4 * G, npumem_used(self->fd, 0));
	/* One's own share, for another device, would be a new handle. */
	ASSERT_EQ(0, npumem_export(self->fd, handles[0], NPUMEM_EXPORT_ANYONE,
				   &token));
	EXPECT_EQ(-EMFILE, npumem_import(self->fd, token, 1, NULL, NULL));
	/* Each client has a limit of its own. */
	other = npumem_open();
	EXPECT_EQ(0, npumem_alloc(other, 0, G, NULL));
	close(other);
	ASSERT_EQ(0, npumem_free(self->fd, handles[3]));
	EXPECT_EQ(0, npumem_import(self->fd, token, 1, &handles[3], NULL));
	/* Another reference is not another handle. */
	EXPECT_EQ(0, npumem_import(self->fd, token, 1, NULL, NULL));
	EXPECT_EQ(-EMFILE, npumem_alloc(self->fd, 0, G, NULL));
}

TEST_F(limits, handles_by_retain)
{
	__u64 handle, address;

	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, G, &handle, &address));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	LIMIT("max_handles", 1);
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	EXPECT_EQ(-EMFILE, npumem_retain(self->fd, address, NULL));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(0, npumem_retain(self->fd, address, &handle));
	EXPECT_EQ(0, npumem_retain(self->fd, address, NULL));
	EXPECT_EQ(0, munmap(to_ptr(address), G));
}

TEST_F(limits, mappings)
{
	__u64 handle, base;
	unsigned int i;

	LIMIT("max_mappings", 3);
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	ASSERT_EQ(0, npumem_reserve(self->fd, 8 * G, &base));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, npumem_map(self->fd, base + i * G, G, handle));
	EXPECT_EQ(-EMFILE, npumem_map(self->fd, base + 3 * G, G, handle));
	EXPECT_EQ(SIGSEGV, load_signal(base + 3 * G));
	ASSERT_EQ(0, npumem_unmap(self->fd, base));
	EXPECT_EQ(0, npumem_map(self->fd, base + 3 * G, G, handle));
	EXPECT_EQ(0, munmap(to_ptr(base), 8 * G));
}

TEST_F(limits, reservations)
{
	__u64 space;
	unsigned int i;

#define RESERVE(granule) npumem_mmap(self->fd, to_ptr(space + (granule) * G), \
	G, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0, NULL)
	LIMIT("max_reservations", 3);
	ASSERT_EQ(0, find_space(8 * G, G, &space));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, RESERVE(2 * i));
	EXPECT_EQ(-EMFILE, RESERVE(7));
	ASSERT_EQ(0, npumem_release(self->fd, space + 2 * G));
	EXPECT_EQ(0, RESERVE(7));
	EXPECT_EQ(-EMFILE, RESERVE(2));
	EXPECT_EQ(0, munmap(to_ptr(space), G));
	EXPECT_EQ(0, RESERVE(2));
	EXPECT_EQ(0, munmap(to_ptr(space), 8 * G));
#undef RESERVE
}

TEST_F(limits, whitelist)
{
	__s32 pids[] = { getpid(), getppid(), 1 };
	__u64 handle, token;
	__u32 added = 0;

	LIMIT("max_whitelist", 2);
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handle));
	ASSERT_EQ(0, npumem_export(self->fd, handle, 0, &token));
	EXPECT_EQ(-ENOSPC, npumem_whitelist_add_list(self->fd, token, pids, 3,
						     NULL));
	EXPECT_EQ(0, npumem_whitelist_add_list(self->fd, token, pids, 2,
					       &added));
	EXPECT_EQ(2, added);
	/* Those that are in already need no room. */
	EXPECT_EQ(0, npumem_whitelist_add(self->fd, token, pids[0]));
	EXPECT_EQ(-ENOSPC, npumem_whitelist_add(self->fd, token, pids[2]));
}

TEST_HARNESS_MAIN
