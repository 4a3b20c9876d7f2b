// SPDX-License-Identifier: MIT
/* A share's two doors: exported as it is, and as a key. */
#include "npumem_client.h"

#include "kselftest_harness.h"

#define ANYONE	NPUMEM_EXPORT_ANYONE
#define KEY	NPUMEM_EXPORT_KEY

FIXTURE(key)
{
	struct watch watch;
	int fd;
	__u64 handle;
};

FIXTURE_SETUP(key)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, G, &self->handle));
}

FIXTURE_TEARDOWN(key)
{
	close(self->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

#define EXPORT(flags, token)	npumem_export(self->fd, self->handle, flags, token)

/* The flags that a share has, or ~0 if it is unknown. */
static __u32 flags_of(int fd, __u64 token)
{
	struct npumem_share_info info;

	return npumem_share_info(fd, token, &info) ? ~0U : info.flags;
}

#define FLAGS(token)	flags_of(self->fd, token)

TEST_F(key, as_it_is_once_and_as_key_any_number_of_times)
{
	__u64 token, again;
	int i;

	ASSERT_EQ(0, EXPORT(0, &token));
	EXPECT_EQ(0, FLAGS(token));
	for (i = 0; i < 5; i++) {
		again = 0;
		EXPECT_EQ(0, EXPORT(KEY, &again));
		EXPECT_EQ(token, again);
		EXPECT_EQ(KEY, FLAGS(token));
		EXPECT_EQ(-EEXIST, EXPORT(0, &again));
	}
}

TEST_F(key, key_first_then_as_it_is)
{
	__u64 token, again;

	ASSERT_EQ(0, EXPORT(KEY, &token));
	EXPECT_NE(0, token);
	EXPECT_EQ(KEY, FLAGS(token));
	EXPECT_EQ(0, EXPORT(KEY, &again));
	EXPECT_EQ(token, again);
	EXPECT_EQ(0, EXPORT(0, &again));
	EXPECT_EQ(token, again);
	EXPECT_EQ(-EEXIST, EXPORT(0, &again));
	EXPECT_EQ(0, EXPORT(KEY, &again));
	EXPECT_EQ(token, again);
	EXPECT_EQ(KEY, FLAGS(token));
}

TEST_F(key, other_anyone_is_EBUSY)
{
	const __u32 anyone[] = { 0, ANYONE };
	__u64 token, again;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		__u32 same = anyone[i], other = anyone[!i];

		ASSERT_EQ(0, EXPORT(same, &token));
		again = 5;
		EXPECT_EQ(-EBUSY, EXPORT(other | KEY, &again));
		EXPECT_EQ(5, again);
		EXPECT_EQ(same, FLAGS(token));
		/* The door that is open comes first. */
		EXPECT_EQ(-EEXIST, EXPORT(other, &again));
		EXPECT_EQ(-EEXIST, EXPORT(same, &again));
		ASSERT_EQ(0, npumem_unexport(self->fd, token));

		ASSERT_EQ(0, EXPORT(same | KEY, &token));
		EXPECT_EQ(-EBUSY, EXPORT(other, &again));
		EXPECT_EQ(-EBUSY, EXPORT(other | KEY, &again));
		EXPECT_EQ(same | KEY, FLAGS(token));
		EXPECT_EQ(0, EXPORT(same, &again));
		EXPECT_EQ(token, again);
		EXPECT_EQ(same | KEY, FLAGS(token));
		ASSERT_EQ(0, npumem_unexport(self->fd, token));
	}
}

TEST_F(key, unexport_closes_both_doors)
{
	__u64 token, again;

	ASSERT_EQ(0, EXPORT(ANYONE, &token));
	ASSERT_EQ(0, EXPORT(ANYONE | KEY, &again));
	ASSERT_EQ(0, npumem_unexport(self->fd, token));
	EXPECT_EQ(~0U, FLAGS(token));
	/* What comes next knows nothing of what was. */
	ASSERT_EQ(0, EXPORT(0, &again));
	EXPECT_NE(token, again);
	EXPECT_EQ(0, FLAGS(again));
}

TEST_F(key, answer_that_cannot_be_delivered_opens_no_door)
{
	struct npumem_export *argument = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct npumem_memory_info info;
	__u64 token, again;

	ASSERT_NE(MAP_FAILED, argument);
	argument->size = sizeof(*argument);
	argument->flags = KEY;
	argument->handle = self->handle;
	ASSERT_EQ(0, mprotect(argument, 4096, PROT_READ));
	/* Not the share that it would have made, */
	EXPECT_EQ(-EFAULT, npumem_call(self->fd, NPUMEM_EXPORT, argument));
	ASSERT_EQ(0, npumem_memory_info(self->fd, self->handle, &info));
	EXPECT_EQ(0, info.flags);
	/* not a door of one that is there, */
	ASSERT_EQ(0, EXPORT(0, &token));
	EXPECT_EQ(-EFAULT, npumem_call(self->fd, NPUMEM_EXPORT, argument));
	EXPECT_EQ(0, FLAGS(token));
	EXPECT_EQ(-EEXIST, EXPORT(0, &again));
	/* and it closes none. */
	ASSERT_EQ(0, EXPORT(KEY, &again));
	EXPECT_EQ(-EFAULT, npumem_call(self->fd, NPUMEM_EXPORT, argument));
	EXPECT_EQ(KEY, FLAGS(token));
	munmap(argument, 4096);
}

TEST_F_TIMEOUT(key, whitelist_is_one_for_both, 180)
{
	struct process importer;
	__u64 token, again, handle;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, EXPORT(KEY, &token));
	EXPECT_EQ(-EPERM, client_import(&importer, token, 0, &handle));
	ASSERT_EQ(0, npumem_whitelist_add(self->fd, token, importer.pid));
	ASSERT_EQ(0, EXPORT(0, &again));
	ASSERT_EQ(0, client_import(&importer, token, 0, &handle));
	/* Who imported may hand it on in neither way. */
	EXPECT_EQ(-EREMOTE, client_export(&importer, handle, KEY, &again));
	EXPECT_EQ(-EREMOTE, client_export(&importer, handle, KEY | ANYONE, &again));
}

TEST_F_TIMEOUT(key, anyone_needs_no_whitelist, 180)
{
	struct process importer;
	__u64 token, handle;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, EXPORT(KEY | ANYONE, &token));
	EXPECT_EQ(KEY | ANYONE, FLAGS(token));
	EXPECT_EQ(-EPERM, npumem_whitelist_add(self->fd, token, importer.pid));
	EXPECT_EQ(0, client_import(&importer, token, 0, &handle));
}

TEST_F(key, retained_handle_has_the_same_share)
{
	__u64 address, retained, token, again;

	ASSERT_EQ(0, npumem_reserve(self->fd, G, &address));
	ASSERT_EQ(0, npumem_map(self->fd, address, G, self->handle));
	ASSERT_EQ(0, EXPORT(KEY, &token));
	ASSERT_EQ(0, npumem_free(self->fd, self->handle));
	ASSERT_EQ(0, npumem_retain(self->fd, address, &retained));
	ASSERT_EQ(0, npumem_export(self->fd, retained, KEY, &again));
	EXPECT_EQ(token, again);
	ASSERT_EQ(0, npumem_export(self->fd, retained, 0, &again));
	EXPECT_EQ(token, again);
	munmap(to_ptr(address), G);
}

TEST_HARNESS_MAIN
