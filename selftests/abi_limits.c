// SPDX-License-Identifier: MIT
/* Limits are module parameters, and beyond them is EMFILE. */
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
	/* The process has the limit, however often it has opened the node. */
	other = npumem_open();
	ASSERT_LE(0, other);
	EXPECT_EQ(-EMFILE, npumem_alloc(other, 0, G, NULL));
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
	/* No mapping can be cut, and rights need not be cut where it is not. */
	EXPECT_EQ(0, npumem_set_access(self->fd, base, 3 * G, 0, NPUMEM_ACCESS_READ));
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

TEST_F(limits, shares)
{
	__u64 handles[3], tokens[3];
	unsigned int i;

	LIMIT("max_shares", 2);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handles[i]));
	ASSERT_EQ(0, npumem_export(self->fd, handles[0], 0, &tokens[0]));
	ASSERT_EQ(0, npumem_export(self->fd, handles[1], NPUMEM_EXPORT_KEY, &tokens[1]));
	EXPECT_EQ(-EMFILE, npumem_export(self->fd, handles[2], 0, &tokens[2]));
	/* Another door is not another share. */
	EXPECT_EQ(0, npumem_export(self->fd, handles[0], NPUMEM_EXPORT_KEY, &tokens[2]));
	EXPECT_EQ(tokens[0], tokens[2]);
	/* It ends with the memory, or before. */
	ASSERT_EQ(0, npumem_free(self->fd, handles[0]));
	EXPECT_EQ(0, npumem_export(self->fd, handles[2], 0, &tokens[2]));
	EXPECT_EQ(-EEXIST, npumem_export(self->fd, handles[2], 0, NULL));
	ASSERT_EQ(0, npumem_unexport(self->fd, tokens[2]));
	EXPECT_EQ(0, npumem_export(self->fd, handles[2], 0, NULL));
}

TEST_F(limits, entries_of_all_whitelists)
{
	__s32 pids[] = { getpid(), getppid(), 1 };
	__u64 handles[2], tokens[2];
	__u32 added = 0;
	unsigned int i;

	LIMIT("max_entries", 4);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &handles[i]));
		ASSERT_EQ(0, npumem_export(self->fd, handles[i], 0, &tokens[i]));
	}
	ASSERT_EQ(0, npumem_whitelist_add_list(self->fd, tokens[0], pids, 3, &added));
	ASSERT_EQ(3, added);
	EXPECT_EQ(-EMFILE, npumem_whitelist_add_list(self->fd, tokens[1], pids, 2, NULL));
	/* Twice in a list is one entry, and who is in needs none. */
	pids[1] = pids[0];
	EXPECT_EQ(0, npumem_whitelist_add_list(self->fd, tokens[1], pids, 2, NULL));
	EXPECT_EQ(0, npumem_whitelist_add_list(self->fd, tokens[0], pids, 3, NULL));
	EXPECT_EQ(-EMFILE, npumem_whitelist_add(self->fd, tokens[1], 1));
	/* They go with their share. */
	ASSERT_EQ(0, npumem_free(self->fd, handles[0]));
	EXPECT_EQ(0, npumem_whitelist_add(self->fd, tokens[1], 1));
}

/* The fixture has opened it once. */
TEST_F(limits, clients)
{
	int other;

	LIMIT("max_clients", 2);
	other = npumem_open();
	ASSERT_LE(0, other);
	EXPECT_EQ(-EUSERS, npumem_open());
	close(other);
	other = npumem_open();
	EXPECT_LE(0, other);
	close(other);
}

TEST_HARNESS_MAIN
