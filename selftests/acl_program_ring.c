// SPDX-License-Identifier: MIT
/*
 * Ranks of one job: each exports memory to all others, adds them to its
 * whitelist and imports from them, and nobody waits for anybody in between.
 */
#include <stdatomic.h>

#include "acl_program.h"

#include "kselftest_harness.h"

#define RANKS	8
#define SIZE	(2 * MIB)
#define ROUNDS	6
/*
 * For how long an import waits for the whitelist: what is tested is that it
 * does, not that eight processes get a turn on an emulated machine in time.
 */
#define WAIT_MS	5000

/* What a job's launcher provides: an all-gather of numbers. */
struct board {
	_Atomic int arrived[4 * ROUNDS];
	_Atomic int32_t pid[RANKS];
	_Atomic uint64_t share[ROUNDS][RANKS];
	_Atomic int waited;
};

FIXTURE(ring)
{
	struct watch watch;
	struct process rank[RANKS];
	struct board *board;
	long long wait_ms;
};

FIXTURE_SETUP(ring)
{
	int i;

	ASSERT_TRUE(watch_start(&self->watch));
	self->wait_ms = npumem_parameter("import_wait_ms");
	ASSERT_GT(self->wait_ms, 0);
	ASSERT_EQ(0, npumem_set_parameter("import_wait_ms", WAIT_MS));
	self->board = process_shared(sizeof(*self->board));
	ASSERT_NE(NULL, self->board);
	for (i = 0; i < RANKS; i++)
		ASSERT_EQ(OK, acl_start(&self->rank[i], i & 1));
}

FIXTURE_TEARDOWN(ring)
{
	EXPECT_EQ(0, npumem_set_parameter("import_wait_ms", self->wait_ms));
	EXPECT_TRUE(watch_end(&self->watch));
}

static bool gather(struct board *board, int step)
{
	atomic_fetch_add(&board->arrived[step], 1);
	return becomes_true(atomic_load(&board->arrived[step]) >= RANKS);
}

static aclError set_pids(struct board *board, int rank, uint64_t share)
{
	int32_t others[RANKS - 1];
	int i, n = 0;

	for (i = 0; i < RANKS; i++)
		if (i != rank)
			others[n++] = atomic_load(&board->pid[i]);
	return aclrtMemSetPidToShareableHandle(share, others, n);
}

/* Imports of rank @i, checks what it wrote, and leaves a word for it. */
static aclError visit(struct board *board, int round, int rank, int i, void **view,
		      aclrtDrvMemHandle *handle)
{
	int64_t start = now_ms();
	aclError error;

	error = aclrtMemImportFromShareableHandle(atomic_load(&board->share[round][i]), rank & 1,
						  handle);
	/* Longer than it takes: it was refused at first. */
	if (!error && now_ms() - start >= 2)
		atomic_fetch_add(&board->waited, 1);
	if (!error)
		error = aclrtReserveMemAddress(view, SIZE, 0, NULL, 0);
	if (!error)
		error = aclrtMapMem(*view, SIZE, 0, *handle, 0);
	if (!error && pattern_check(*view, SIZE, 100 * round + i) >= 0)
		return -EILSEQ;
	if (!error)
		((_Atomic uint64_t *)*view)[1 + rank] = 1000 * round + rank;
	return error;
}

static aclError leave(void *view, aclrtDrvMemHandle handle)
{
	aclError error = aclrtUnmapMem(view);

	if (!error)
		error = aclrtReleaseMemAddress(view);
	return error ? error : aclrtFreePhysical(handle);
}

/* Has each of the others left its word? */
static bool was_visited(const _Atomic uint64_t *own, int round, int rank)
{
	int i;

	for (i = 0; i < RANKS; i++)
		if (i != rank && atomic_load(&own[1 + i]) != 1000ULL * round + i)
			return false;
	return true;
}

static aclError do_round(struct board *board, int round, int rank, int delay_ms)
{
	aclrtDrvMemHandle theirs[RANKS];
	struct acl_mapping own;
	uint64_t share = 0;
	void *view[RANKS];
	aclError error;
	int i, k;

	error = acl_mapping_new(&own, rank & 1, SIZE);
	if (!error)
		error = aclrtMemExportToShareableHandle(own.handle, ACL_MEM_HANDLE_TYPE_NONE, 0,
							&share);
	if (error)
		return error;
	pattern_mark(own.address, SIZE, 100 * round + rank);
	atomic_store(&board->share[round][rank], share);
	if (!gather(board, 4 * round))
		return -ETIME;
	/* From here on nobody waits: some are late to let the others in. */
	pause_ms(delay_ms);
	error = set_pids(board, rank, share);
	for (k = 1; k < RANKS && !error; k++) {
		i = (rank + k) % RANKS;
		error = visit(board, round, rank, i, &view[i], &theirs[i]);
	}
	if (error)
		return error;
	if (!gather(board, 4 * round + 1))
		return -ETIME;
	if (!was_visited(own.address, round, rank))
		return -EILSEQ;
	/* Some let go of what they have before the others are through. */
	if (rank & 2)
		error = acl_mapping_end(&own);
	for (i = 0; i < RANKS && !error; i++)
		if (i != rank)
			error = leave(view[i], theirs[i]);
	if (!error && !(rank & 2))
		error = acl_mapping_end(&own);
	if (error)
		return error;
	return gather(board, 4 * round + 2) ? ACL_SUCCESS : -ETIME;
}

/* a: board, rank, most that it is late in ms */
static long do_rank(__u64 *a)
{
	struct board *board = to_ptr(a[0]);
	int rank = a[1], round;
	int32_t pid = 0;
	aclError error = aclrtDeviceGetBareTgid(&pid);

	atomic_store(&board->pid[rank], pid);
	if (!error && !gather(board, 3))
		return -ETIME;
	for (round = 0; round < ROUNDS && !error; round++)
		error = do_round(board, round, rank, (rank + round) * a[2] / (RANKS + ROUNDS));
	return error;
}

static void run_job(struct __test_metadata *_metadata, FIXTURE_DATA(ring) *self, int late_ms)
{
	struct call call[RANKS];
	int i;

	for (i = 0; i < RANKS; i++) {
		call[i] = (struct call) {
			.function = do_rank, .argument = { to_u64(self->board), i, late_ms },
		};
		ASSERT_EQ(0, process_begin(&self->rank[i], &call[i]));
	}
	for (i = 0; i < RANKS; i++)
		EXPECT_EQ(0, process_end(&self->rank[i], &call[i])) TH_LOG("rank %d", i);
	EXPECT_TRUE(watch_used(&self->watch, 0, 0));
	EXPECT_TRUE(watch_used(&self->watch, 1, 0));
	for (i = 0; i < RANKS; i++)
		EXPECT_EQ(0, process_stop(&self->rank[i]));
}

TEST_F_TIMEOUT(ring, of_ranks_without_a_barrier, 180)
{
	run_job(_metadata, self, 0);
}

/* So late that imports do come before the exporter has let them in. */
TEST_F_TIMEOUT(ring, of_ranks_that_are_late, 180)
{
	run_job(_metadata, self, 150);
	EXPECT_GT(atomic_load(&self->board->waited), ROUNDS);
}

/* One rank dies before it lets the others in: they are told, and clean up. */
TEST_F_TIMEOUT(ring, with_a_rank_that_dies, 180)
{
	__u64 handle, address, share, theirs;
	struct call call[RANKS];
	int i;

	ASSERT_EQ(0, npumem_set_parameter("import_wait_ms", 500));
	ASSERT_EQ(OK, acl_new(&self->rank[0], 0, SIZE, 1, &handle, &address));
	ASSERT_EQ(OK, acl_export(&self->rank[0], handle, 0, &share));
	for (i = 1; i < RANKS; i++) {
		call[i] = (struct call) {
			.function = acl_do_import, .argument = { share, i & 1 },
		};
		ASSERT_EQ(0, process_begin(&self->rank[i], &call[i]));
	}
	pause_ms(50);
	ASSERT_EQ(0, process_kill(&self->rank[0]));
	for (i = 1; i < RANKS; i++) {
		long ret = process_end(&self->rank[i], &call[i]);

		EXPECT_TRUE(ret == INVALID_HANDLE || ret == DRIVER_ERROR)
			TH_LOG("rank %d got %ld", i, ret);
		EXPECT_EQ(INVALID_HANDLE, acl_import(&self->rank[i], share, 0, &theirs));
	}
	EXPECT_TRUE(watch_used_becomes(&self->watch, 0, 0));
}

TEST_HARNESS_MAIN
