// SPDX-License-Identifier: MIT
/*
 * An attacker whose argument pages never arrive: he hands calls memory that is under
 * a userfaultfd which nobody serves. His threads are stuck then, with all that a call
 * holds; nobody else waits for them, the administrator included, and they can be killed.
 */
#include "npumem_adversary.h"

#include "kselftest_harness.h"

#include <pthread.h>

#include "npumem_cgroup.h"
#include "npumem_userfaultfd.h"

#define CLIENTS		"/sys/kernel/debug/npumem/clients"

FIXTURE(stuck)
{
	struct watch watch;
	struct process attacker, other, stranger, admin;
	__u64 handle, token, address;
	char *path;
};

FIXTURE_SETUP(stuck)
{
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_TRUE(watch_start(&self->watch));
	self->path = process_shared(4096);
	ASSERT_NE(NULL, self->path);
	ASSERT_EQ(0, client_start(&self->other));
	ASSERT_EQ(0, client_start(&self->stranger));
	ASSERT_EQ(0, process_start(&self->admin));
	ASSERT_EQ(0, client_start_exporter(&self->attacker, 2 * G, 0, &self->handle,
					   &self->token, &self->address));
	ASSERT_EQ(0, client_allow(&self->attacker, self->token, self->other.pid));
}

FIXTURE_TEARDOWN(stuck)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

struct stuck_call {
	unsigned long number;
	void *argument;
};

static void *stuck_thread(void *data)
{
	struct stuck_call *call = data;

	npumem_call(client_fd, call->number, call->argument);
	return NULL;
}

static int stick(unsigned long number, void *argument, struct trap *trap)
{
	struct stuck_call *call = malloc(sizeof(*call));
	pthread_t thread;

	*call = (struct stuck_call) { number, argument };
	if (pthread_create(&thread, NULL, stuck_thread, call))
		return -EAGAIN;
	return trap_has_caught(trap) ? 0 : -ETIMEDOUT;
}

/* Whose results cannot be stored. With EXPORT and WHITELIST_ADD a lock is held. */
static long do_stick_at_answers(__u64 *a)
{
	struct npumem_export *export;
	struct npumem_whitelist_add *add;
	struct npumem_alloc *alloc;
	static __s32 self;
	struct trap trap;
	long ret;

	ret = trap_make(&trap, page_bytes(), UFFDIO_REGISTER_MODE_WP);
	if (ret)
		return ret;
	export = (void *)trap.page;
	*export = (struct npumem_export) {
		.size = sizeof(*export), .flags = NPUMEM_EXPORT_KEY, .handle = a[0],
	};
	ret = trap_arm(&trap) ?: stick(NPUMEM_EXPORT, export, &trap);
	ret = ret ?: trap_make(&trap, page_bytes(), UFFDIO_REGISTER_MODE_WP);
	add = (void *)trap.page;
	self = getpid();
	if (!ret)
		*add = (struct npumem_whitelist_add) {
			.size = sizeof(*add), .count = 1, .token = a[1], .pids = to_u64(&self),
		};
	ret = ret ?: trap_arm(&trap) ?: stick(NPUMEM_WHITELIST_ADD, add, &trap);
	ret = ret ?: trap_make(&trap, page_bytes(), UFFDIO_REGISTER_MODE_WP);
	alloc = (void *)trap.page;
	if (!ret)
		*alloc = (struct npumem_alloc) {
			.size = sizeof(*alloc), .location_type = NPUMEM_LOCATION_DEVICE,
			.length = G,
		};
	return ret ?: trap_arm(&trap) ?: stick(NPUMEM_ALLOC, alloc, &trap);
}

/* Whose arguments, lists or data do not arrive. */
static long do_stick_at_arguments(__u64 *a)
{
	static struct npumem_whitelist_add add = { .size = sizeof(add), .count = 1 };
	static struct npumem_set_access access = {
		.size = sizeof(access), .count = 1, .length = G,
	};
	static struct npumem_copy in = { .size = sizeof(in), .length = 64 };
	static struct npumem_copy out = { .size = sizeof(out), .length = 64 };
	struct trap trap[6];
	long ret = 0;
	int i;

	for (i = 0; i < 6 && !ret; i++)
		ret = trap_make(&trap[i], page_bytes(), UFFDIO_REGISTER_MODE_MISSING);
	if (ret)
		return ret;
	add.token = a[1];
	add.pids = to_u64(trap[0].page);
	access.address = a[2];
	access.entries = to_u64(trap[1].page);
	in.source = to_u64(trap[2].page);
	in.destination = a[2];
	out.source = a[2];
	out.destination = to_u64(trap[3].page);
	return stick(NPUMEM_WHITELIST_ADD, &add, &trap[0]) ?:
	       stick(NPUMEM_SET_ACCESS, &access, &trap[1]) ?:
	       stick(NPUMEM_COPY, &in, &trap[2]) ?:
	       stick(NPUMEM_COPY, &out, &trap[3]) ?:
	       stick(NPUMEM_UNMAP, trap[4].page, &trap[4]) ?:
	       stick(NPUMEM_IMPORT, trap[5].page, &trap[5]);
}

static long do_stick_at_a_copy(__u64 *a)
{
	static struct npumem_copy out = { .size = sizeof(out), .length = 64 };
	struct trap trap;
	long ret = trap_make(&trap, page_bytes(), UFFDIO_REGISTER_MODE_MISSING);

	out.source = a[0];
	out.destination = to_u64(trap.page);
	return ret ?: stick(NPUMEM_COPY, &out, &trap);
}

/* One more thread that has to wait for the first: -EBUSY if it does, as it should. */
static long do_wait_for_the_stuck(__u64 *a)
{
	static struct npumem_export export = { .size = sizeof(export) };
	struct stuck_call call = { NPUMEM_EXPORT, &export };
	struct timespec limit;
	pthread_t thread;

	export.handle = a[0];
	export.flags = NPUMEM_EXPORT_KEY;
	if (pthread_create(&thread, NULL, stuck_thread, &call))
		return -EAGAIN;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec++;
	return pthread_timedjoin_np(thread, NULL, &limit) == ETIMEDOUT ? -EBUSY : 0;
}

static long do_read_all(__u64 *a)
{
	char bytes[4096];
	int fd = open(to_ptr(a[0]), O_RDONLY | O_CLOEXEC);
	long n, all = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		all += n;
	close(fd);
	return n < 0 ? -errno : all;
}

static long do_descriptor(__u64 *a)
{
	(void)a;
	return client_fd;
}

/* All that others do goes on. */
static void others_go_on(struct __test_metadata *_metadata, FIXTURE_DATA(stuck) *self,
			 int fd)
{
	__u64 handle, token, theirs, address;
	struct process late;

	/* Those who have to do with the attacker's share, */
	EXPECT_EQ(0, client_import(&self->other, self->token, 0, &theirs));
	EXPECT_EQ(0, client_map(&self->other, theirs, 2 * G, &address));
	EXPECT_EQ(0, client_check(&self->other, address, 2 * G, self->handle));
	EXPECT_EQ(-EPERM, client_import(&self->stranger, self->token, 0, &handle));
	EXPECT_EQ(0, process_do(&self->stranger, client_do_share_info, self->token));
	EXPECT_EQ(0, client_unmap(&self->other, address));
	EXPECT_EQ(0, client_free(&self->other, theirs));
	/* those who have not, */
	EXPECT_EQ(0, client_start(&late));
	EXPECT_EQ(0, client_alloc(&late, 0, G, &handle));
	EXPECT_EQ(0, client_export(&late, handle, 0, &token));
	EXPECT_EQ(0, client_allow(&late, token, self->other.pid));
	EXPECT_EQ(0, client_import(&self->other, token, 1, &theirs));
	EXPECT_EQ(0, client_free(&self->other, theirs));
	EXPECT_EQ(0, process_stop(&late));
	/* and the administrator. */
	snprintf(self->path, 4096, "/proc/%d/fdinfo/%d", self->attacker.pid, fd);
	EXPECT_LT(0, process_do(&self->admin, do_read_all, to_u64(self->path)));
	if (!access(CLIENTS, R_OK)) {
		strcpy(self->path, CLIENTS);
		EXPECT_LT(0, process_do(&self->admin, do_read_all, to_u64(self->path)));
	}
	EXPECT_EQ(0, process_kill(&self->attacker));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_F_TIMEOUT(stuck, answers_that_cannot_be_stored_block_nobody_else, 240)
{
	int fd = process_do(&self->attacker, do_descriptor);
	long ret;

	ret = process_do(&self->attacker, do_stick_at_answers, self->handle, self->token);
	if (ret == -EINVAL || ret == -ENOSYS) {
		SKIP(return, "no userfaultfd that protects from writing (%ld)", ret);
	}
	ASSERT_EQ(0, ret);
	EXPECT_EQ(-EBUSY, process_do(&self->attacker, do_wait_for_the_stuck, self->handle));
	others_go_on(_metadata, self, fd);
	TH_LOG("EXPORT, WHITELIST_ADD and ALLOC stuck at their answers, another EXPORT behind: all others went on, and the process could be killed");
}

TEST_F_TIMEOUT(stuck, arguments_that_never_arrive_block_nobody_else, 240)
{
	int fd = process_do(&self->attacker, do_descriptor);

	ASSERT_EQ(0, process_do(&self->attacker, do_stick_at_arguments, self->handle,
				self->token, self->address));
	/* Nothing is locked for its own threads either. */
	EXPECT_EQ(0, process_do(&self->attacker, do_wait_for_the_stuck, self->handle));
	others_go_on(_metadata, self, fd);
	TH_LOG("WHITELIST_ADD, SET_ACCESS, two COPY, UNMAP and IMPORT stuck at their arguments: all others went on, and the process could be killed");
}

/* Who holds a memory can hold it for long, this way or by its handle: only so. */
TEST_F_TIMEOUT(stuck, copy_of_an_importer_does_not_keep_the_exporter, 240)
{
	struct process importer;
	__u64 handle, address;

	ASSERT_EQ(0, client_start(&importer));
	ASSERT_EQ(0, client_allow(&self->attacker, self->token, importer.pid));
	ASSERT_EQ(0, client_import(&importer, self->token, 0, &handle));
	ASSERT_EQ(0, client_map(&importer, handle, 2 * G, &address));
	ASSERT_EQ(0, process_do(&importer, do_stick_at_a_copy, address));
	EXPECT_EQ(0, client_free(&self->attacker, self->handle));
	EXPECT_EQ(0, client_unmap(&self->attacker, self->address));
	EXPECT_EQ(0, process_stop(&self->attacker));
	EXPECT_TRUE(watch_used(&self->watch, 0, 2 * G));
	EXPECT_EQ(0, process_kill(&importer));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	TH_LOG("the exporter ended at once; the memory went with the importer");
}

/* The longest lists there may be. */
static long do_stick_at_lists(__u64 *a)
{
	static struct npumem_whitelist_add add = {
		.size = sizeof(add), .count = NPUMEM_WHITELIST_MAX,
	};
	static struct npumem_map_batch map = { .size = sizeof(map), .count = NPUMEM_BATCH_MAX };
	static struct npumem_unmap_batch unmap = {
		.size = sizeof(unmap), .count = NPUMEM_BATCH_MAX,
	};
	const size_t bytes[3] = {
		NPUMEM_WHITELIST_MAX * sizeof(__s32),
		NPUMEM_BATCH_MAX * sizeof(struct npumem_map_entry),
		NPUMEM_BATCH_MAX * sizeof(__u64),
	};
	struct trap trap[3];
	long ret = 0;
	int i;

	for (i = 0; i < 3 && !ret; i++)
		ret = trap_make(&trap[i], (bytes[i] + page_bytes() - 1) & ~(page_bytes() - 1),
				UFFDIO_REGISTER_MODE_MISSING);
	if (ret)
		return ret;
	add.token = a[0];
	add.pids = to_u64(trap[0].page);
	map.entries = to_u64(trap[1].page);
	unmap.addresses = to_u64(trap[2].page);
	ret = stick(NPUMEM_WHITELIST_ADD, &add, &trap[0]) ?:
	      stick(NPUMEM_MAP_BATCH, &map, &trap[1]) ?:
	      stick(NPUMEM_UNMAP_BATCH, &unmap, &trap[2]);
	return ret ? ret : (long)(bytes[0] + bytes[1] + bytes[2]);
}

/* What is kept for them for so long is at the expense of his cgroup. */
TEST_F_TIMEOUT(stuck, lists_that_never_arrive_are_charged, 240)
{
	char path[96];
	__u64 before;
	long bytes;

	if (access(GROUP_ROOT "/cgroup.controllers", R_OK))
		SKIP(return, "needs cgroup v2 at " GROUP_ROOT);
	group_write(GROUP_ROOT, "cgroup.subtree_control", "+memory");
	snprintf(path, sizeof(path), GROUP_ROOT "/npumem-stuck-%d", getpid());
	ASSERT_EQ(0, mkdir(path, 0755));
	before = group_read(path, "memory.current", NULL);
	if (before == ~0ULL) {
		rmdir(path);
		SKIP(return, "no memory controller");
	}
	ASSERT_EQ(0, group_enter(path, self->attacker.pid));
	bytes = process_do(&self->attacker, do_stick_at_lists, self->token);
	ASSERT_LT(0, bytes);
	EXPECT_LE(before + bytes, group_read(path, "memory.current", NULL));
	TH_LOG("WHITELIST_ADD, MAP_BATCH and UNMAP_BATCH stuck at lists of %ld bytes: all charged",
	       bytes);
	EXPECT_EQ(0, process_kill(&self->attacker));
	EXPECT_TRUE(becomes_true(!rmdir(path)));
}

TEST_HARNESS_MAIN
