// SPDX-License-Identifier: MIT
/* The bounded wait of an import that nobody has let in yet. */
#include "npumem_client.h"

#include "kselftest_harness.h"

/* Long enough that a wait which only ends by its bound cannot be missed. */
#define LONG_WAIT_MS	12000

static int set_wait(long long ms)
{
	int fd = open("/sys/module/npumem/parameters/import_wait_ms", O_WRONLY | O_CLOEXEC);
	char text[24];
	bool done;

	if (fd < 0)
		return -errno;
	snprintf(text, sizeof(text), "%lld", ms);
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done ? 0 : -EIO;
}

FIXTURE(wait)
{
	struct watch watch;
	struct process exporter, importer;
	__u64 handle, token, address;
	long long before;
};

FIXTURE_SETUP(wait)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->before = npumem_parameter("import_wait_ms");
	ASSERT_LE(0, self->before);
	ASSERT_EQ(0, client_start(&self->importer));
	ASSERT_EQ(0, client_start_exporter(&self->exporter, G, 0, &self->handle, &self->token,
					   &self->address));
}

FIXTURE_TEARDOWN(wait)
{
	EXPECT_EQ(0, set_wait(self->before));
	EXPECT_TRUE(watch_end(&self->watch));
}

TEST_F_TIMEOUT(wait, refuses_after_the_wait_and_not_before, 180)
{
	int64_t start = now_ms();
	__u64 handle;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
	/* The kernel waits in ticks, which a busy host delivers late, in heaps. */
	EXPECT_LE(10 * self->before / 4, now_ms() - start);
	EXPECT_GE(10 * self->before + 15000, now_ms() - start);
}

TEST_F_TIMEOUT(wait, length_is_the_parameter, 180)
{
	int64_t start;
	__u64 handle;

	ASSERT_EQ(0, set_wait(1000));
	start = now_ms();
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_LE(500, now_ms() - start);
	ASSERT_EQ(0, set_wait(0));
	EXPECT_EQ(-EPERM, client_import(&self->importer, self->token, 0, &handle));
}

TEST_F_TIMEOUT(wait, is_not_for_what_cannot_change, 180)
{
	int64_t start;
	__u64 handle;

	ASSERT_EQ(0, set_wait(60000));
	start = now_ms();
	EXPECT_EQ(-ENOENT, client_import(&self->importer, ~self->token, 0, &handle));
	EXPECT_EQ(-ENXIO, client_import(&self->importer, self->token, 31, &handle));
	EXPECT_EQ(-ELOOP, client_import(&self->exporter, self->token, 0, &handle));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	EXPECT_EQ(0, client_import(&self->importer, self->token, 0, &handle));
	EXPECT_GT(PROCESS_PATIENCE_MS, now_ms() - start);
}

TEST_F_TIMEOUT(wait, ends_when_the_exporter_lets_the_process_in, 180)
{
	struct call call = {
		.function = client_do_import,
		.argument = { self->token, 0 },
	};

	ASSERT_EQ(0, set_wait(600000));
	ASSERT_EQ(0, process_begin(&self->importer, &call));
	EXPECT_FALSE(process_answers(&self->importer, 200));
	/* Somebody else's entry does not help. */
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, getpid()));
	EXPECT_FALSE(process_answers(&self->importer, 200));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, self->importer.pid));
	EXPECT_EQ(0, process_end(&self->importer, &call));
	EXPECT_EQ(1, client_references(&self->importer, call.argument[2]));
}

TEST_F_TIMEOUT(wait, of_many_ends_for_each_that_is_let_in, 180)
{
	struct process waiter[8];
	struct call call[8];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, client_start(&waiter[i]));
	ASSERT_EQ(0, set_wait(LONG_WAIT_MS));
	for (i = 0; i < 8; i++) {
		call[i] = (struct call) {
			.function = client_do_import,
			.argument = { self->token, 0 },
		};
		ASSERT_EQ(0, process_begin(&waiter[i], &call[i]));
	}
	for (i = 0; i < 8; i += 2)
		ASSERT_EQ(0, client_allow(&self->exporter, self->token, waiter[i].pid));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(i % 2 ? -EPERM : 0, process_end(&waiter[i], &call[i]));
}

TEST_F_TIMEOUT(wait, can_be_killed, 180)
{
	struct call call = {
		.function = client_do_import,
		.argument = { self->token, 0 },
	};

	ASSERT_EQ(0, set_wait(600000));
	ASSERT_EQ(0, process_begin(&self->importer, &call));
	EXPECT_FALSE(process_answers(&self->importer, 200));
	EXPECT_EQ(0, process_kill(&self->importer));
}

TEST_F_TIMEOUT(wait, does_not_hold_the_memory, 180)
{
	struct call call = {
		.function = client_do_import,
		.argument = { self->token, 0 },
	};
	long ret;

	ASSERT_EQ(0, set_wait(LONG_WAIT_MS));
	ASSERT_EQ(0, process_begin(&self->importer, &call));
	EXPECT_FALSE(process_answers(&self->importer, 200));
	ASSERT_EQ(0, process_kill(&self->exporter));
	/* Either the refusal or the share's end may be seen, but not success. */
	ret = process_end(&self->importer, &call);
	EXPECT_TRUE(ret == -EPERM || ret == -ENOENT || ret == -ESTALE);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(wait, does_not_block_the_exporter_or_other_importers, 180)
{
	struct process other;
	struct call call = {
		.function = client_do_import,
		.argument = { self->token, 0 },
	};
	__u64 handle, token;

	ASSERT_EQ(0, client_start(&other));
	ASSERT_EQ(0, set_wait(600000));
	ASSERT_EQ(0, process_begin(&self->importer, &call));
	EXPECT_FALSE(process_answers(&self->importer, 200));
	ASSERT_EQ(0, client_alloc(&self->exporter, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->exporter, handle, 0, &token));
	ASSERT_EQ(0, client_allow(&self->exporter, self->token, other.pid));
	ASSERT_EQ(0, client_import(&other, self->token, 0, &handle));
	EXPECT_FALSE(process_answers(&self->importer, 0));
	EXPECT_EQ(0, process_kill(&self->importer));
}

TEST_HARNESS_MAIN
