// SPDX-License-Identifier: MIT
/*
 * A daemon that owns the memory of all devices and hands it out: 4,096 handles
 * in the course of a test, fewer where that takes long, to clients that come, go
 * and crash.
 */
#include "acl_program.h"

#include "kselftest_harness.h"

#define HANDLES		4096
/* So many at a time, half of them of each device. */
#define POOL		512
#define GENERATIONS	(HANDLES / POOL)
#define SEGMENT		(2 * MIB)
#define CLIENTS		16
/* What one client gets; each handle goes to two clients. */
#define LOT		(2 * POOL / CLIENTS)
/* Clients at the same time. */
#define ALIVE		4

/* The daemon's side. */
static aclrtDrvMemHandle handle[POOL];
static char *base[2];
/* In memory that all have. */
static uint64_t *share;

static char *segment_of(int i)
{
	return base[i & 1] + (size_t)(i / 2) * SEGMENT;
}

/* a: device */
static long do_open_pool(__u64 *a)
{
	aclError error = acl_do_start(a);
	int device;

	for (device = 0; device < 2 && !error; device++)
		error = aclrtReserveMemAddress((void **)&base[device], POOL / 2 * SEGMENT, 0,
					       NULL, 0);
	return error;
}

/* a: generation. Each handle is exported and stamped. */
static long do_fill_pool(__u64 *a)
{
	aclError error = ACL_SUCCESS;
	int i;

	for (i = 0; i < POOL && !error; i++) {
		error = program_map_new(segment_of(i), SEGMENT, i & 1, &handle[i]);
		if (!error)
			error = aclrtMemExportToShareableHandle(handle[i],
				ACL_MEM_HANDLE_TYPE_NONE, 0, &share[i]);
		if (!error)
			*(uint64_t *)segment_of(i) = a[0] * POOL + i;
	}
	return error;
}

static long do_empty_pool(__u64 *a)
{
	aclError error = ACL_SUCCESS;
	int i;

	(void)a;
	for (i = 0; i < POOL && !error; i++) {
		error = aclrtFreePhysical(handle[i]);
		if (!error)
			error = aclrtUnmapMem(segment_of(i));
	}
	return error;
}

/* a: first, pid. A lot for a client. */
static long do_grant(__u64 *a)
{
	int32_t pid = a[1];
	aclError error = ACL_SUCCESS;
	int i;

	for (i = 0; i < LOT && !error; i++)
		error = aclrtMemSetPidToShareableHandle(share[(a[0] + i) % POOL], &pid, 1);
	return error;
}

/* The client's side. */
static aclrtDrvMemHandle lot[LOT];
static char *range;

/* a: first, generation. Imports a lot into one range and uses it. */
static long do_take_lot(__u64 *a)
{
	aclError error = aclrtReserveMemAddress((void **)&range, LOT * SEGMENT, 0, NULL, 0);
	int32_t device = 0;
	int i;

	if (!error)
		error = aclrtGetDevice(&device);
	for (i = 0; i < LOT && !error; i++) {
		int number = (a[0] + i) % POOL;
		uint64_t *words = to_ptr(to_u64(range) + i * SEGMENT);

		error = aclrtMemImportFromShareableHandle(share[number], device, &lot[i]);
		if (!error)
			error = aclrtMapMem(words, SEGMENT, 0, lot[i], 0);
		if (error)
			break;
		if (words[0] != a[1] * POOL + number)
			return -EILSEQ;
		words[1 + device] = getpid();
		words[SEGMENT / 8 - 1] = words[0];
	}
	return error;
}

static long do_return_lot(__u64 *a)
{
	aclError error = ACL_SUCCESS;
	int i;

	(void)a;
	for (i = 0; i < LOT && !error; i++) {
		error = aclrtUnmapMem(range + i * SEGMENT);
		if (!error)
			error = aclrtFreePhysical(lot[i]);
	}
	return error ? error : aclrtReleaseMemAddress(range);
}

FIXTURE(pool)
{
	struct watch watch;
	struct process daemon;
	struct process client[CLIENTS];
	unsigned int seed;
};

FIXTURE_SETUP(pool)
{
	ASSERT_TRUE(watch_start(&self->watch));
	self->seed = test_seed();
	share = process_shared(POOL * sizeof(*share));
	ASSERT_NE(NULL, share);
	ASSERT_EQ(0, process_start(&self->daemon));
	ASSERT_EQ(OK, process_do(&self->daemon, do_open_pool, 0));
}

FIXTURE_TEARDOWN(pool)
{
	EXPECT_TRUE(watch_end(&self->watch));
}

static int first_of(int c)
{
	return c * POOL / CLIENTS;
}

/* In one of the four ways in which clients end. */
static void end_client(struct __test_metadata *_metadata, struct process *p, int way)
{
	switch (way) {
	case 0:
		EXPECT_EQ(OK, process_do(p, do_return_lot, 0));
		EXPECT_EQ(OK, process_do(p, acl_do_end, p->pid & 1));
		EXPECT_EQ(0, process_stop(p));
		break;
	case 1:
		EXPECT_EQ(OK, process_do(p, do_return_lot, 0));
		EXPECT_EQ(0, process_kill(p));
		break;
	case 2:
		EXPECT_EQ(0, process_stop(p));
		break;
	default:
		EXPECT_EQ(0, process_kill(p));
	}
}

/* A client and its lot; @crash: it is killed in the middle. */
static void begin_client(struct __test_metadata *_metadata, FIXTURE_DATA(pool) *self, int c,
			 int generation, bool crash)
{
	struct process *p = &self->client[c];
	struct call call = {
		.function = do_take_lot, .argument = { first_of(c), generation },
	};

	ASSERT_EQ(OK, process_start(p));
	/* Parity of the pid: any device will do. */
	ASSERT_EQ(OK, process_do(p, acl_do_start, p->pid & 1));
	ASSERT_EQ(OK, process_do(&self->daemon, do_grant, first_of(c), p->pid));
	if (!crash) {
		ASSERT_EQ(OK, process_call(p, &call));
		return;
	}
	ASSERT_EQ(0, process_begin(p, &call));
	usleep(rand_r(&self->seed) % 20000);
	ASSERT_EQ(0, process_kill(p));
}

/* Clients after each other, up to ALIVE at a time; the last one lives on. */
static void run_clients(struct __test_metadata *_metadata, FIXTURE_DATA(pool) *self,
			int generation)
{
	bool alive[CLIENTS] = { false };
	int c;

	for (c = 0; c < CLIENTS; c++) {
		if (c >= ALIVE && alive[c - ALIVE])
			end_client(_metadata, &self->client[c - ALIVE],
				   (generation + c) % 4);
		alive[c] = (c + generation) % 5 || c == CLIENTS - 1;
		begin_client(_metadata, self, c, generation, !alive[c]);
	}
	for (c = CLIENTS - ALIVE; c < CLIENTS - 1; c++)
		if (alive[c])
			end_client(_metadata, &self->client[c], c % 4);
}

TEST_F_TIMEOUT(pool, hands_out_generations_of_handles, 400)
{
	const int generations = repeats(GENERATIONS);
	struct process survivor;
	int generation;

	for (generation = 0; generation < generations; generation++) {
		ASSERT_EQ(OK, process_do(&self->daemon, do_fill_pool, generation));
		/* It still has the memory of the last generation, and nobody else has. */
		if (generation) {
			EXPECT_TRUE(watch_used(&self->watch, 0, (POOL + LOT) / 2 * SEGMENT));
			EXPECT_TRUE(watch_used(&self->watch, 1, (POOL + LOT) / 2 * SEGMENT));
			end_client(_metadata, &survivor, generation % 4);
		}
		run_clients(_metadata, self, generation);
		survivor = self->client[CLIENTS - 1];
		ASSERT_EQ(OK, process_do(&self->daemon, do_empty_pool, 0));
		EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LOT / 2 * SEGMENT));
		EXPECT_TRUE(watch_used_becomes(&self->watch, 1, LOT / 2 * SEGMENT));
	}
	end_client(_metadata, &survivor, 3);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
	EXPECT_EQ(OK, process_do(&self->daemon, acl_do_end, 0));
	EXPECT_EQ(0, process_stop(&self->daemon));
}

/* Who crashed before its turn cannot be let in; the next one can. */
TEST_F_TIMEOUT(pool, client_that_crashes_before_its_lot_is_granted, 120)
{
	struct process gone;

	ASSERT_EQ(OK, process_do(&self->daemon, do_fill_pool, 0));
	ASSERT_EQ(OK, acl_start(&gone, 0));
	ASSERT_EQ(0, process_kill(&gone));
	EXPECT_EQ(DRIVER_ERROR, process_do(&self->daemon, do_grant, 0, gone.pid));
	begin_client(_metadata, self, 0, 0, false);
	end_client(_metadata, &self->client[0], 0);
	EXPECT_TRUE(watch_used(&self->watch, 0, POOL / 2 * SEGMENT));
}

/* The daemon crashes: clients keep what they have, and that is all there is. */
TEST_F_TIMEOUT(pool, daemon_that_crashes, 120)
{
	__u64 handle;
	int c;

	ASSERT_EQ(OK, process_do(&self->daemon, do_fill_pool, 0));
	begin_client(_metadata, self, 0, 0, false);
	begin_client(_metadata, self, CLIENTS / 2, 0, false);
	ASSERT_EQ(0, process_kill(&self->daemon));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, LOT * SEGMENT));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, LOT * SEGMENT));
	/* Of what somebody holds, one who was let in may have more. */
	EXPECT_EQ(OK, acl_import(&self->client[0], share[0], self->client[0].pid & 1, &handle));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->client[0], share[first_of(CLIENTS / 2)], 0,
					   &handle));
	EXPECT_EQ(INVALID_HANDLE, acl_import(&self->client[0], share[POOL - 1], 0, &handle));
	EXPECT_EQ(DRIVER_ERROR, acl_set_pid(&self->client[0], share[0], getpid()));
	for (c = 0; c < CLIENTS; c += CLIENTS / 2)
		end_client(_metadata, &self->client[c], 2);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
}

TEST_HARNESS_MAIN
