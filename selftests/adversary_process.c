// SPDX-License-Identifier: MIT
/*
 * An attacker who becomes another: root by a setuid program, root of a user namespace
 * of his own. And one who names addresses that are not his, or changes his arguments
 * while they are read.
 */
#include "npumem_adversary.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#include <pthread.h>
#include <sys/statvfs.h>

FIXTURE(process)
{
	struct watch watch;
	struct node node;
	struct process victim, attacker;
	__u64 handle, token, address;
};

FIXTURE_SETUP(process)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_TRUE(node_open_to_attackers(&self->node));
	ASSERT_EQ(0, client_start_exporter(&self->victim, G, 0, &self->handle, &self->token,
					   &self->address));
	ASSERT_EQ(0, attacker_start(&self->attacker, 0));
}

FIXTURE_TEARDOWN(process)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_TRUE(node_restore(&self->node));
}

/* ---- setuid ---- */

static long do_exec_setuid(__u64 *a)
{
	char text[3][32];
	__u64 handle, address;

	if (npumem_new_mapping(client_fd, 0, G, &handle, &address) ||
	    fcntl(client_fd, F_SETFD, 0))
		return -EIO;
	snprintf(text[0], 32, "%d", client_fd);
	snprintf(text[1], 32, "%llu", handle);
	snprintf(text[2], 32, "%llu", address);
	execl(to_ptr(a[0]), "adversary_process", "--setuid", text[0], text[1], text[2], NULL);
	return -errno;
}

/* The program that the attacker has become, as root, with his descriptor. */
static int setuid_role(char **argv)
{
	int fd = atoi(argv[2]);
	__u64 handle = strtoull(argv[3], NULL, 0), address = strtoull(argv[4], NULL, 0);
	struct npumem_stats stats;

	if (geteuid())
		return 77;
	if (load_signal(address) != SIGSEGV)
		return 1;
	if (npumem_stats(fd, &stats) != -EACCES || npumem_free(fd, handle) != -EACCES ||
	    npumem_alloc(fd, 0, G, &handle) != -EACCES)
		return 2;
	if (npumem_mmap(fd, NULL, G, PROT_READ, MAP_SHARED, 0, NULL) != -EACCES)
		return 3;
	return 0;
}

TEST_F_TIMEOUT(process, setuid_program_cannot_be_given_a_client, 180)
{
	const char *place[] = { "/tmp", "/var/tmp", "/run" };
	char *path = process_shared(4096), command[256];
	struct statvfs fs;
	unsigned int i;
	struct call become = { .function = do_exec_setuid };
	struct process attacker;
	int status;

	ASSERT_NE(NULL, path);
	for (i = 0; i < 3 && (statvfs(place[i], &fs) || fs.f_flag & ST_NOSUID); i++)
		;
	if (i == 3)
		SKIP(return, "setuid does not count in any of the usual places");
	sprintf(path, "%s/npumem-setuid-XXXXXX", place[i]);
	ASSERT_NE(NULL, mkdtemp(path));
	ASSERT_EQ(0, chmod(path, 0755));
	strcat(path, "/program");
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s && chmod 4755 %s", getpid(), path,
		 path);
	ASSERT_EQ(0, system(command));
	ASSERT_EQ(0, attacker_start(&attacker, 0));
	become.argument[0] = to_u64(path);
	ASSERT_EQ(0, process_begin(&attacker, &become));
	status = process_status(&attacker);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	ASSERT_TRUE(WIFEXITED(status)) TH_LOG("status %#x", status);
	if (WEXITSTATUS(status) == 77)
		SKIP(return, "setuid does not count here");
	EXPECT_EQ(0, WEXITSTATUS(status));
	TH_LOG("as root, with the attacker's descriptor: SIGSEGV and EACCES");
	EXPECT_TRUE(watch_used(&self->watch, 0, G));
}

/* ---- user namespaces ---- */

/* Root and all capabilities, of a namespace of his own. */
static long do_become_root_inside(__u64 *a)
{
	(void)a;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID))
		return -errno;
	client_fd = npumem_open();
	return client_fd < 0 ? client_fd : 0;
}

static long do_ask_all(__u64 *a)
{
	__u64 handle;

	a[1] = npumem_import(client_fd, a[0], 0, &handle, NULL);
	a[2] = npumem_whitelist_add(client_fd, a[0], a[3]);
	a[4] = npumem_unexport(client_fd, a[0]);
	a[5] = open("/sys/kernel/debug/npumem/clients", O_RDONLY) < 0 ? -errno : 0;
	a[6] = npumem_set_parameter("import_wait_ms", 0);
	a[7] = npumem_open() < 0 ? -1 : 0;
	return 0;
}

TEST_F_TIMEOUT(process, root_of_a_user_namespace_is_nobody, 180)
{
	struct call ask = {
		.function = do_ask_all,
		.argument = { self->token, [3] = self->attacker.pid },
	};
	long ret = process_do(&self->attacker, do_become_root_inside);

	if (ret == -EPERM || ret == -EINVAL || ret == -ENOSPC)
		SKIP(return, "user namespaces are not for everybody here (%ld)", ret);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, process_call(&self->attacker, &ask));
	TH_LOG("import %lld, whitelist %lld, unexport %lld, debugfs %lld, parameters %lld",
	       (__s64)ask.argument[1], (__s64)ask.argument[2], (__s64)ask.argument[4],
	       (__s64)ask.argument[5], (__s64)ask.argument[6]);
	EXPECT_EQ(-EPERM, (__s64)ask.argument[1]);
	EXPECT_EQ(-EREMOTE, (__s64)ask.argument[2]);
	EXPECT_EQ(-EREMOTE, (__s64)ask.argument[4]);
	EXPECT_EQ(-EACCES, (__s64)ask.argument[5]);
	EXPECT_EQ(-EACCES, (__s64)ask.argument[6]);
}

/* ---- addresses of the kernel ---- */

/* The first answer that is not EFAULT, or 0. */
static long do_name_kernel_addresses(__u64 *a)
{
	const __u64 where[] = {
		0, 8, page_bytes(), 0x7ffffffff000ULL, 0x800000000000ULL - 32,
		1ULL << 48, 1ULL << 56, 0xffff000000000000ULL, 0xffff800000000000ULL,
		0xffff888000000000ULL, 0xffffffff81000000ULL, 0xffffffff82000000ULL,
		0xffffffffff5ff000ULL, ~0ULL - 4095, ~0ULL - 63,
	};
	__u64 handle, base, i;
	long ret;

	if (npumem_new_mapping(client_fd, 0, G, &handle, &base))
		return -EIO;
	memset(to_ptr(base), 0x33, 4096);
	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		void *p = to_ptr(where[i]);

		a[0] = where[i];
		ret = npumem_call(client_fd, NPUMEM_STATS, p);
		if (ret != -EFAULT)
			return ret ?: 1;
		ret = npumem_copy(client_fd, 0, to_ptr(base), p, 32);
		if (ret != -EFAULT)
			return ret ?: 2;
		ret = npumem_copy(client_fd, 0, p, to_ptr(base), 32);
		if (ret != -EFAULT)
			return ret ?: 3;
		ret = npumem_whitelist_add_list(client_fd, a[1], p, 8, &(__u32){ 0 });
		if (ret != -EFAULT)
			return ret ?: 4;
		ret = npumem_set_access_list(client_fd, base, G, p, 2);
		if (ret != -EFAULT)
			return ret ?: 5;
	}
	a[0] = i;
	/* Nothing was copied out of there. */
	return bytes_differ(to_ptr(base), 4096, 0x33) < 0 ? 0 : -EILSEQ;
}

TEST_F_TIMEOUT(process, addresses_of_the_kernel_are_refused, 180)
{
	struct call name = { .function = do_name_kernel_addresses };
	__u64 handle, token;

	ASSERT_EQ(0, client_alloc(&self->attacker, 0, G, &handle));
	ASSERT_EQ(0, client_export(&self->attacker, handle, 0, &token));
	name.argument[1] = token;
	EXPECT_EQ(0, process_call(&self->attacker, &name))
		TH_LOG("at %#llx", name.argument[0]);
	TH_LOG("%llu addresses as arguments, lists and both sides of copies: EFAULT",
	       name.argument[0]);
}

/* ---- arguments that change while they are read ---- */

struct flip {
	volatile __u32 *size;
	volatile __u64 *field;
	__u64 values[2];
	bool stop;
};

static void *flip_thread(void *data)
{
	struct flip *flip = data;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&flip->stop, __ATOMIC_RELAXED); i++) {
		*flip->size = i & 1 ? 4096 : sizeof(struct npumem_copy);
		*flip->field = flip->values[i >> 1 & 1];
	}
	return NULL;
}

/*
 * A copy whose length and size flip between two values, one of which leads out of the
 * memory: what was checked is what is done. How many went either way: a[0], a[1].
 */
static long do_flip(__u64 *a)
{
	struct npumem_copy *copy;
	struct flip flip = { .values = { 64, 1ULL << 40 } };
	__u64 handle, base, i, rounds = a[0];
	pthread_t thread;
	int64_t start = now_ms();
	char *room, host[64];
	long ret;

	/* A page, of which all behind the argument is zero, and nothing behind that. */
	room = mmap(NULL, 3 * page_bytes(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (munmap(room + page_bytes(), page_bytes()) ||
	    npumem_new_mapping(client_fd, 0, G, &handle, &base))
		return -EIO;
	memset(to_ptr(base), 0x44, 64);
	copy = (void *)room;
	copy->destination = to_u64(host);
	copy->source = base;
	flip.size = &copy->size;
	flip.field = (volatile __u64 *)&copy->length;
	a[0] = a[1] = 0;
	*flip.size = sizeof(*copy);
	*flip.field = flip.values[0];
	if (pthread_create(&thread, NULL, flip_thread, &flip))
		return -EAGAIN;
	/* Longer than asked for, if the other thread does not get a processor. */
	for (i = 0, ret = 0; !ret && (i < rounds || ((!a[0] || !a[1]) &&
						     now_ms() - start < 60000)); i++) {
		memset(host, 0, sizeof(host));
		ret = npumem_call(client_fd, NPUMEM_COPY, copy);
		if (!ret && bytes_differ(host, 64, 0x44) >= 0)
			ret = -EILSEQ;
		a[0] += !ret;
		if (ret == -EADDRNOTAVAIL && bytes_differ(host, 64, 0) < 0) {
			a[1]++;
			ret = 0;
		}
	}
	flip.stop = true;
	pthread_join(thread, NULL);
	return ret;
}

TEST_F_TIMEOUT(process, arguments_that_change_are_read_once, 180)
{
	struct call flip = {
		.function = do_flip,
		.argument = { npumem_rounds(5000) },
	};

	EXPECT_EQ(0, process_call(&self->attacker, &flip));
	TH_LOG("%llu copies made, %llu refused, none in between", flip.argument[0],
	       flip.argument[1]);
	/* The other thread has been there. */
	EXPECT_LT(0, flip.argument[0]);
	EXPECT_LT(0, flip.argument[1]);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--setuid"))
		return setuid_role(argv);
	return test_harness_run(argc, argv);
}
