// SPDX-License-Identifier: MIT
/*
 * Limits of a process: of what there may be in all files that it opened. Each
 * resource in turn; what is refused changes nothing.
 */
#include <pthread.h>

#include "npumem_limit.h"

#include "kselftest_harness.h"

FIXTURE(process)
{
	struct watch watch;
	struct process one, other;
};

FIXTURE_VARIANT(process)
{
	int resource;
	int error;
};

#define RESOURCE(name_, resource_, error_)			\
FIXTURE_VARIANT_ADD(process, name_)				\
{								\
	.resource = resource_,					\
	.error = error_,					\
}

RESOURCE(clients, CLIENTS, -EUSERS);
RESOURCE(handles, HANDLES, -EMFILE);
RESOURCE(reservations, RESERVATIONS, -EMFILE);
RESOURCE(mappings, MAPPINGS, -EMFILE);
RESOURCE(shares, SHARES, -EMFILE);
RESOURCE(entries, ENTRIES, -EMFILE);

FIXTURE_SETUP(process)
{
	if (geteuid() || access(ACCOUNTS, R_OK))
		SKIP(return, "needs root and debugfs");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, process_start(&self->one));
	ASSERT_EQ(0, process_do(&self->one, limit_do_prepare, variant->resource));
	ASSERT_EQ(0, process_start(&self->other));
	ASSERT_EQ(0, process_do(&self->other, limit_do_prepare, variant->resource));
}

FIXTURE_TEARDOWN(process)
{
	EXPECT_TRUE(limits_restore());
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(becomes_true(account("process", self->one.pid, "clients") == -ENOENT));
}

TEST_F_TIMEOUT(process, has_its_limit_in_all_files_together, 120)
{
	const char *name = resources[variant->resource].name;
	int r = variant->resource, error = variant->error;
	long before = account("process", self->one.pid, name);
	char *text;

	ASSERT_LE(0, before);
	ASSERT_TRUE(limit_set(name, before + 3));
	EXPECT_EQ(0, take(&self->one, r, 0));
	EXPECT_EQ(0, take(&self->one, r, 1));
	EXPECT_EQ(0, take(&self->one, r, 1));
	EXPECT_EQ(before + 3, account("process", self->one.pid, name));
	text = accounts_text();
	ASSERT_NE('\0', text[0]);
	EXPECT_EQ(error, take(&self->one, r, 0));
	EXPECT_EQ(error, take(&self->one, r, 1));
	EXPECT_STREQ(text, accounts_text());
	EXPECT_EQ(0, use(&self->one, r, 0));
	EXPECT_EQ(0, use(&self->one, r, 1));

	/* Others have theirs. */
	EXPECT_EQ(0, take(&self->other, r, 0));
	EXPECT_EQ(before + 1, account("process", self->other.pid, name));

	/* What one file gives back another one may take. */
	EXPECT_EQ(0, give(&self->one, r, 1));
	EXPECT_EQ(0, take(&self->one, r, 0));
	EXPECT_EQ(error, take(&self->one, r, 1));

	EXPECT_EQ(0, give(&self->one, r, 0));
	EXPECT_EQ(0, give(&self->one, r, 0));
	EXPECT_EQ(0, give(&self->one, r, 1));
	EXPECT_EQ(before, account("process", self->one.pid, name));
}

TEST_F_TIMEOUT(process, limit_that_is_lowered_takes_nothing, 120)
{
	const char *name = resources[variant->resource].name;
	int r = variant->resource, error = variant->error;
	long before = account("process", self->one.pid, name);
	long user = account("user", 0, name);

	ASSERT_LE(before, user);
	ASSERT_EQ(0, take(&self->one, r, 0));
	ASSERT_EQ(0, take(&self->one, r, 0));
	ASSERT_TRUE(limit_set(name, 0));
	EXPECT_EQ(error, take(&self->one, r, 0));
	EXPECT_EQ(error, take(&self->one, r, 1));
	EXPECT_EQ(0, use(&self->one, r, 0));
	EXPECT_EQ(before + 2, account("process", self->one.pid, name));
	/* Less than there is, but not enough. */
	EXPECT_EQ(0, give(&self->one, r, 0));
	EXPECT_EQ(error, take(&self->one, r, 1));
	ASSERT_TRUE(limit_set(name, before + 2));
	EXPECT_EQ(0, take(&self->one, r, 1));
	EXPECT_EQ(error, take(&self->one, r, 1));
	EXPECT_EQ(user + 2, account("user", 0, name));
	/* A process that ends gives all back. */
	ASSERT_EQ(0, process_kill(&self->one));
	EXPECT_TRUE(becomes_true(account("process", self->one.pid, name) == -ENOENT));
	EXPECT_TRUE(becomes_true(account("user", 0, name) == user - before));
}

/* ---- what is not the same for each resource ---- */

FIXTURE(file)
{
	struct watch watch;
	struct process process, other;
};

FIXTURE_SETUP(file)
{
	if (geteuid() || access(ACCOUNTS, R_OK))
		SKIP(return, "needs root and debugfs");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, client_start(&self->process));
	ASSERT_EQ(0, client_start(&self->other));
}

FIXTURE_TEARDOWN(file)
{
	EXPECT_TRUE(limits_restore());
	EXPECT_TRUE(watch_end(&self->watch));
}

/* A child that only has its parent's descriptor; the pid, and in a[0] how to end it. */
static long do_fork(__u64 *a)
{
	int channel[2];
	pid_t pid;
	char byte;

	if (pipe(channel))
		return -errno;
	pid = fork();
	if (!pid) {
		close(channel[1]);
		_exit(read(channel[0], &byte, 1) != 0);
	}
	close(channel[0]);
	a[0] = channel[1];
	return pid;
}

static long do_reap(__u64 *a)
{
	close(a[0]);
	return waitpid(a[1], NULL, 0) == (pid_t)a[1] ? 0 : -ECHILD;
}

TEST_F_TIMEOUT(file, that_a_child_inherits_is_its_parents, 120)
{
	struct call call = { .function = do_fork };
	pid_t child = process_call(&self->process, &call);
	__u64 handle;

	ASSERT_LT(0, child);
	ASSERT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	EXPECT_EQ(-ENOENT, account("process", child, "clients"));
	/* Its own close leaves the child's descriptor, and so the client. */
	ASSERT_EQ(0, client_close(&self->process));
	EXPECT_EQ(1, account("process", self->process.pid, "clients"));
	EXPECT_EQ(1, account("process", self->process.pid, "handles"));
	ASSERT_EQ(0, process_do(&self->process, do_reap, call.argument[0], child));
	EXPECT_TRUE(becomes_true(account("process", self->process.pid, "clients") == -ENOENT));
	/* And after the owner's end it is on the account of one who is no more. */
	ASSERT_EQ(0, client_open(&self->other));
	ASSERT_LT(0, process_do(&self->other, do_fork));
	ASSERT_EQ(0, client_alloc(&self->other, 0, G, &handle));
	ASSERT_EQ(0, process_kill(&self->other));
	EXPECT_TRUE(becomes_true(account("process", self->other.pid, "handles") <= 0));
	EXPECT_TRUE(becomes_true(account("process", self->other.pid, "clients") == -ENOENT));
}

/* Nobody asks for it: who has gone is not to be kept for the sake of a list. */
TEST_F_TIMEOUT(file, entry_of_a_process_that_exited_is_given_back, 120)
{
	struct process guest;
	__u64 handle, token;

	ASSERT_EQ(0, client_alloc(&self->process, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->process, handle, 0, &token));
	ASSERT_EQ(0, process_start(&guest));
	ASSERT_EQ(0, client_allow(&self->process, token, guest.pid));
	ASSERT_EQ(0, client_allow(&self->process, token, self->other.pid));
	EXPECT_EQ(2, account("process", self->process.pid, "entries"));
	ASSERT_EQ(0, process_kill(&guest));
	EXPECT_TRUE(becomes_true(account("process", self->process.pid, "entries") == 1));
	EXPECT_EQ(0, client_import(&self->other, token, 0, &handle));
}

struct sampler {
	int fd;
	bool enough;
	unsigned long looks;
	__u64 most;
};

static void *sample(void *data)
{
	struct npumem_device_info info;
	struct sampler *sampler = data;

	while (!__atomic_load_n(&sampler->enough, __ATOMIC_RELAXED)) {
		if (npumem_device_info(sampler->fd, 0, &info))
			break;
		if (info.used > sampler->most)
			sampler->most = info.used;
		sampler->looks++;
	}
	return NULL;
}

static long do_alloc_in_vain(__u64 *a)
{
	__u64 handle;
	long ret = -EMFILE;
	int i;

	for (i = 0; i < 20 && ret == -EMFILE; i++)
		ret = npumem_alloc(client_fd, 0, a[0], &handle);
	return ret;
}

TEST_F_TIMEOUT(file, that_may_have_no_handle_takes_no_memory_meanwhile, 120)
{
	struct sampler sampler = { .fd = npumem_open() };
	pthread_t thread;

	ASSERT_LE(0, sampler.fd);
	ASSERT_TRUE(limit_set("handles", 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sample, &sampler));
	EXPECT_TRUE(becomes_true(__atomic_load_n(&sampler.looks, __ATOMIC_RELAXED)));
	EXPECT_EQ(-EMFILE, process_do(&self->process, do_alloc_in_vain, 64 * G));
	__atomic_store_n(&sampler.enough, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, sampler.most);
	close(sampler.fd);
}

/* argv: name --open; opens once more, says 0 on stdout and waits. */
static int role(void)
{
	int fd = npumem_open();
	char byte = fd < 0;

	return write(STDOUT_FILENO, &byte, 1) != 1 || read(STDIN_FILENO, &byte, 1) != 1;
}

static long do_exec(__u64 *a)
{
	fcntl(client_fd, F_SETFD, 0);
	dup2(a[0], STDIN_FILENO);
	dup2(a[1], STDOUT_FILENO);
	execl("/proc/self/exe", "limit_process", "--open", NULL);
	return -errno;
}

TEST_F_TIMEOUT(file, is_the_same_processs_after_exec, 120)
{
	struct call call = { .function = do_exec };
	int to[2], from[2];
	__u64 handle;
	char byte = 1;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	/* It has no others of these. */
	ASSERT_EQ(0, process_stop(&self->other));
	ASSERT_EQ(0, client_start(&self->other));
	ASSERT_EQ(0, client_alloc(&self->other, 0, G, &handle));
	call.argument[0] = to[0];
	call.argument[1] = from[1];
	ASSERT_EQ(0, process_begin(&self->other, &call));
	ASSERT_EQ(1, read(from[0], &byte, 1));
	EXPECT_EQ(0, byte);
	EXPECT_EQ(2, account("process", self->other.pid, "clients"));
	EXPECT_EQ(0, account("process", self->other.pid, "handles"));
	ASSERT_EQ(1, write(to[1], &byte, 1));
	process_status(&self->other);
	EXPECT_TRUE(becomes_true(account("process", self->other.pid, "clients") == -ENOENT));
}

/* As much as it gets, from several threads; a[0] is how much that is. */
static long got;

static void *grab(void *unused)
{
	__u64 address;

	(void)unused;
	while (!npumem_reserve(client_fd, G, &address))
		__atomic_add_fetch(&got, 1, __ATOMIC_RELAXED);
	return NULL;
}

static long do_grab(__u64 *a)
{
	pthread_t threads[4];
	__u64 address;
	int i;

	for (i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, grab, NULL))
			return -EAGAIN;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	/* One alone is not refused what there is. */
	a[0] = got;
	while (!npumem_reserve(client_fd, G, &address))
		got++;
	a[1] = got;
	return errno == EMFILE ? 0 : -errno;
}

TEST_F_TIMEOUT(file, of_many_threads_gets_exactly_the_limit, 120)
{
	struct call call = { .function = do_grab };

	ASSERT_TRUE(limit_set("reservations", 500));
	ASSERT_EQ(0, process_call(&self->process, &call));
	printf("# %llu of 500 by four threads\n", call.argument[0]);
	EXPECT_GE(500, call.argument[0]);
	EXPECT_EQ(500, call.argument[1]);
	EXPECT_EQ(500, account("process", self->process.pid, "reservations"));
}

/* Cutting a mapping takes spans, joining it again gives them back. */
static long do_cut(__u64 *a)
{
	return npumem_set_access(client_fd, a[0], G, 0, a[1]);
}

TEST_F_TIMEOUT(file, has_a_mapping_for_each_part_with_rights_of_its_own, 120)
{
	pid_t pid = self->process.pid;
	__u64 handle, at;

	ASSERT_EQ(0, client_alloc(&self->process, 0, 8 * G, &handle));
	ASSERT_EQ(0, client_map(&self->process, handle, 8 * G, &at));
	EXPECT_EQ(1, account("process", pid, "mappings"));
	ASSERT_EQ(0, process_do(&self->process, do_cut, at + 2 * G, NPUMEM_ACCESS_READ));
	EXPECT_EQ(3, account("process", pid, "mappings"));
	ASSERT_EQ(0, process_do(&self->process, do_cut, at + 3 * G, NPUMEM_ACCESS_READ));
	EXPECT_EQ(3, account("process", pid, "mappings"));
	ASSERT_TRUE(limit_set("mappings", 4));
	EXPECT_EQ(-EMFILE, process_do(&self->process, do_cut, at + 5 * G, NPUMEM_ACCESS_NONE));
	EXPECT_EQ(3, account("process", pid, "mappings"));
	EXPECT_EQ(0, client_store(&self->process, at + 5 * G, 1));
	ASSERT_TRUE(limit_set("mappings", 5));
	EXPECT_EQ(0, process_do(&self->process, do_cut, at + 5 * G, NPUMEM_ACCESS_NONE));
	EXPECT_EQ(5, account("process", pid, "mappings"));
	/* Where nothing has to be cut the limit is no matter. */
	ASSERT_TRUE(limit_set("mappings", 1));
	ASSERT_EQ(0, process_do(&self->process, do_cut, at + 5 * G, NPUMEM_ACCESS_READWRITE));
	EXPECT_EQ(3, account("process", pid, "mappings"));
	ASSERT_EQ(0, client_unmap(&self->process, at));
	EXPECT_EQ(0, account("process", pid, "mappings"));
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--open"))
		return role();
	return test_harness_run(argc, argv);
}
