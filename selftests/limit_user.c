// SPDX-License-Identifier: MIT
/*
 * Limits of a user: of what there may be in all his processes. Who can do all with
 * resources is counted, and not refused.
 */
#include <sys/socket.h>

#include "npumem_limit.h"

#include "kselftest_harness.h"

#define ANNA	65533
#define BERT	65532

FIXTURE(user)
{
	struct watch watch;
	struct process anna[2], bert, root;
};

FIXTURE_VARIANT(user)
{
	int resource;
};

#define RESOURCE(name_, resource_)				\
FIXTURE_VARIANT_ADD(user, name_)				\
{								\
	.resource = resource_,					\
}

RESOURCE(clients, CLIENTS);
RESOURCE(handles, HANDLES);
RESOURCE(reservations, RESERVATIONS);
RESOURCE(mappings, MAPPINGS);
RESOURCE(shares, SHARES);
RESOURCE(entries, ENTRIES);

FIXTURE_SETUP(user)
{
	if (geteuid() || access(ACCOUNTS, R_OK))
		SKIP(return, "needs root and debugfs");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, limit_start(&self->anna[0], ANNA, false,
				 variant->resource));
	ASSERT_EQ(0, limit_start(&self->anna[1], ANNA, false,
				 variant->resource));
	ASSERT_EQ(0, limit_start(&self->bert, BERT, false,
				 variant->resource));
	ASSERT_EQ(0, limit_start(&self->root, ANNA, true,
				 variant->resource));
}

FIXTURE_TEARDOWN(user)
{
	EXPECT_TRUE(limits_restore());
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(becomes_true(account("user", ANNA, "clients") == -ENOENT &&
				 account("user", BERT, "clients") == -ENOENT));
}

TEST_F_TIMEOUT(user, has_a_limit_in_all_processes_together, 120)
{
	const char *name = resources[variant->resource].name;
	int r = variant->resource, i;
	long before = account("user", ANNA, name);
	char limit[32], *text;

	ASSERT_LE(0, before);
	snprintf(limit, sizeof(limit), "user_%s", name);
	ASSERT_TRUE(limit_set(limit, before + 3));
	EXPECT_EQ(0, take(&self->anna[0], r, 0));
	EXPECT_EQ(0, take(&self->anna[0], r, 1));
	EXPECT_EQ(0, take(&self->anna[1], r, 0));
	text = accounts_text();
	ASSERT_NE('\0', text[0]);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EDQUOT, take(&self->anna[i], r, 0));
		EXPECT_EQ(-EDQUOT, take(&self->anna[i], r, 1));
	}
	EXPECT_STREQ(text, accounts_text());
	EXPECT_EQ(before + 3, account("user", ANNA, name));
	EXPECT_EQ(0, use(&self->anna[0], r, 0));

	/* Another user has what is his. */
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, take(&self->bert, r, 0));
	EXPECT_EQ(before + 3, account("user", ANNA, name));

	/* Who is exempt takes more, and from the same account. */
	EXPECT_EQ(0, take(&self->root, r, 0));
	EXPECT_EQ(before + 4, account("user", ANNA, name));
	EXPECT_EQ(0, give(&self->anna[0], r, 1));
	EXPECT_EQ(-EDQUOT, take(&self->anna[1], r, 1));
	EXPECT_EQ(0, give(&self->root, r, 0));
	/* What one process gives back another one may take. */
	EXPECT_EQ(0, take(&self->anna[1], r, 1));
	EXPECT_EQ(-EDQUOT, take(&self->anna[0], r, 1));

	/* By its end, too. */
	ASSERT_EQ(0, process_kill(&self->anna[1]));
	EXPECT_TRUE(becomes_true(account("process", self->anna[1].pid, name) == -ENOENT));
	EXPECT_EQ(0, take(&self->anna[0], r, 1));
	EXPECT_EQ(0, take(&self->anna[0], r, 1));
}

TEST_F_TIMEOUT(user, limit_that_is_lowered_takes_nothing, 120)
{
	const char *name = resources[variant->resource].name;
	int r = variant->resource;
	long before = account("user", ANNA, name);
	char limit[32];

	snprintf(limit, sizeof(limit), "user_%s", name);
	ASSERT_EQ(0, take(&self->anna[0], r, 0));
	ASSERT_EQ(0, take(&self->anna[1], r, 0));
	ASSERT_TRUE(limit_set(limit, 0));
	EXPECT_EQ(-EDQUOT, take(&self->anna[0], r, 0));
	EXPECT_EQ(-EDQUOT, take(&self->bert, r, 0));
	EXPECT_EQ(0, take(&self->root, r, 0));
	EXPECT_EQ(0, use(&self->anna[0], r, 0));
	EXPECT_EQ(before + 3, account("user", ANNA, name));
	EXPECT_EQ(0, give(&self->anna[0], r, 0));
	EXPECT_EQ(0, give(&self->anna[1], r, 0));
	EXPECT_EQ(0, give(&self->root, r, 0));
	EXPECT_EQ(before, account("user", ANNA, name));
	/* The limit of a process is told first, and holds for all. */
	ASSERT_TRUE(limit_set(name, 0));
	EXPECT_EQ(r == CLIENTS ? -EUSERS : -EMFILE, take(&self->root, r, 0));
	EXPECT_EQ(r == CLIENTS ? -EUSERS : -EMFILE, take(&self->anna[0], r, 0));
}

/* ---- who is charged ---- */

FIXTURE(charge)
{
	struct watch watch;
	struct process anna, bert;
	int sockets[2];
};

FIXTURE_SETUP(charge)
{
	if (geteuid() || access(ACCOUNTS, R_OK))
		SKIP(return, "needs root and debugfs");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sockets));
	ASSERT_EQ(0, process_start(&self->anna));
	ASSERT_EQ(0, process_do(&self->anna, limit_do_become, ANNA, false));
	ASSERT_EQ(0, client_open(&self->anna));
	ASSERT_EQ(0, process_start(&self->bert));
	ASSERT_EQ(0, process_do(&self->bert, limit_do_become, BERT, false));
	ASSERT_EQ(0, client_open(&self->bert));
}

FIXTURE_TEARDOWN(charge)
{
	EXPECT_TRUE(limits_restore());
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(becomes_true(account("user", ANNA, "clients") == -ENOENT &&
				 account("user", BERT, "clients") == -ENOENT));
}

TEST_F_TIMEOUT(charge, for_a_share_stays_with_its_exporter_who_has_ended, 120)
{
	pid_t pid = self->anna.pid;
	__u64 handle, token, other, theirs, again;

	ASSERT_EQ(0, client_alloc(&self->anna, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->anna, handle, 0, &token));
	ASSERT_EQ(0, client_allow(&self->anna, token, self->bert.pid));
	ASSERT_EQ(0, client_allow(&self->anna, token, getpid()));
	ASSERT_EQ(0, client_import(&self->bert, token, 0, &theirs));
	EXPECT_EQ(0, account("user", BERT, "shares"));
	EXPECT_EQ(1, account("user", BERT, "handles"));
	ASSERT_EQ(0, process_kill(&self->anna));
	EXPECT_TRUE(becomes_true(account("process", pid, "clients") == 0));
	EXPECT_EQ(0, account("process", pid, "handles"));
	EXPECT_EQ(1, account("process", pid, "shares"));
	EXPECT_EQ(2, account("process", pid, "entries"));
	EXPECT_EQ(1, account("user", ANNA, "shares"));
	EXPECT_EQ(2, account("user", ANNA, "entries"));

	/* Her other processes have that much less. */
	ASSERT_EQ(0, process_start(&self->anna));
	ASSERT_EQ(0, process_do(&self->anna, limit_do_become, ANNA, false));
	ASSERT_EQ(0, client_open(&self->anna));
	ASSERT_EQ(0, client_alloc(&self->anna, 0, G, &handle));
	ASSERT_TRUE(limit_set("user_shares", 1));
	EXPECT_EQ(-EDQUOT, client_export(&self->anna, handle, 0, &other));
	ASSERT_EQ(0, client_import(&self->bert, token, 0, &again));
	ASSERT_EQ(0, client_free(&self->bert, theirs));
	EXPECT_EQ(1, account("process", pid, "shares"));
	ASSERT_EQ(0, client_free(&self->bert, again));
	EXPECT_TRUE(becomes_true(account("process", pid, "shares") == -ENOENT));
	EXPECT_EQ(0, account("user", ANNA, "shares"));
	EXPECT_EQ(0, account("user", ANNA, "entries"));
	EXPECT_EQ(0, client_export(&self->anna, handle, 0, &other));
}

static long do_pass(__u64 *a)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &client_fd, sizeof(int));
	return sendmsg(a[0], &message, 0) == 1 ? 0 : -errno;
}

/* The descriptor, which is the process's from now on. */
static long do_receive(__u64 *a)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(a[0], &message, 0) != 1 || message.msg_controllen < CMSG_LEN(sizeof(int)))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

static long do_close(__u64 *a)
{
	return close(a[0]) ? -errno : 0;
}

TEST_F_TIMEOUT(charge, is_not_moved_by_passing_a_descriptor_on, 120)
{
	pid_t pid = self->anna.pid;
	__u64 handle;
	long fd;

	ASSERT_EQ(0, client_alloc(&self->anna, 0, G, &handle));
	ASSERT_EQ(0, process_do(&self->anna, do_pass, self->sockets[0]));
	/* On its way it is still open. */
	ASSERT_EQ(0, client_close(&self->anna));
	EXPECT_EQ(1, account("process", pid, "clients"));
	EXPECT_EQ(1, account("user", ANNA, "clients"));
	fd = process_do(&self->bert, do_receive, self->sockets[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, account("user", ANNA, "clients"));
	EXPECT_EQ(1, account("user", ANNA, "handles"));
	EXPECT_EQ(1, account("process", self->bert.pid, "clients"));
	EXPECT_EQ(1, account("user", BERT, "clients"));
	EXPECT_EQ(0, account("user", BERT, "handles"));
	ASSERT_EQ(0, process_kill(&self->anna));
	EXPECT_TRUE(becomes_true(account("user", ANNA, "handles") == 0));
	EXPECT_EQ(1, account("user", ANNA, "clients"));
	ASSERT_EQ(0, process_do(&self->bert, do_close, fd));
	EXPECT_TRUE(becomes_true(account("user", ANNA, "clients") == -ENOENT));
	EXPECT_EQ(1, account("user", BERT, "clients"));
}

static long do_change_user(__u64 *a)
{
	return setresuid(a[0], 0, 0) ? -errno : npumem_open();
}

TEST_F_TIMEOUT(charge, is_the_users_who_opened_the_file, 120)
{
	pid_t pid = self->anna.pid;
	__u64 handle, more;
	long fd;

	ASSERT_EQ(0, client_alloc(&self->anna, 0, G, &handle));
	/* One process, two users: each file remains whose it was. */
	fd = process_do(&self->anna, do_change_user, BERT);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, client_alloc(&self->anna, 0, G, &more));
	EXPECT_EQ(1, account("user", ANNA, "clients"));
	EXPECT_EQ(2, account("user", ANNA, "handles"));
	EXPECT_EQ(2, account("user", BERT, "clients"));
	EXPECT_EQ(0, account("user", BERT, "handles"));
	EXPECT_EQ(2, account("process", pid, "clients"));
	EXPECT_EQ(2, account("process", pid, "handles"));
	ASSERT_EQ(0, process_do(&self->anna, do_close, fd));
	EXPECT_EQ(1, account("user", BERT, "clients"));
	/* And the limit of the process is one. */
	ASSERT_TRUE(limit_set("clients", 1));
	EXPECT_EQ(-EUSERS, process_do(&self->anna, do_change_user, BERT));
}

TEST_HARNESS_MAIN
