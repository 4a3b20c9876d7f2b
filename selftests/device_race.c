// SPDX-License-Identifier: MIT
/*
 * A device that is taken away at the very moment in which it is used: by loads and
 * stores, copies, and every call that needs it. What began before works; what begins
 * after is refused by SIGBUS and ENODEV; and the device that comes back is another one.
 */
#include "npumem_client.h"
#include "npumem_stress.h"

#include "kselftest_harness.h"

#define DRIVER	"/sys/bus/platform/drivers/npumem"
#define NAME	"npumem.1"
#define LENGTH	(2 * G)
#define BYTE	0x5a
#define WORD	(BYTE * 0x0101010101010101ULL)

/* Shared with the processes that are a side. */
struct scene {
	struct race *race;
	int fd, importer_fd;
	pid_t importer;
	__u64 at, spare, there;		/* reservations; the last one is the importer's */
	__u64 handle, token, made;
	int error[2];
	bool strange;
	unsigned char *buffer;
	__u64 used;
	unsigned int round;
	unsigned long succeeded, refused;
};

static int driver(const char *file)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, NAME, strlen(NAME)) < 0)
		error = -errno;
	close(fd);
	return error;
}

static int unbind(void)
{
	return driver(DRIVER "/unbind");
}

static int bind_again(void)
{
	return driver(DRIVER "/bind");
}

static bool before(struct scene *s, int a, int b)
{
	return s->race->side[a].to < s->race->side[b].from;
}

/* Memory of the device, mapped, shared with the importer. */
static bool prepare(void *context)
{
	struct scene *s = context;

	memset(s->buffer, 0, LENGTH);
	return !npumem_alloc(s->fd, 1, LENGTH, &s->handle) &&
	       !npumem_map(s->fd, s->at, LENGTH, s->handle) &&
	       !npumem_fill(s->fd, 1, to_ptr(s->at), LENGTH, BYTE) &&
	       !npumem_export(s->fd, s->handle, NPUMEM_EXPORT_ANYONE, &s->token);
}

/* No entries, so that a load is a fault. */
static bool prepare_untouched(void *context)
{
	struct scene *s = context;

	return !mprotect(to_ptr(s->at), LENGTH, PROT_NONE) && prepare(s) &&
	       !mprotect(to_ptr(s->at), LENGTH, PROT_READ | PROT_WRITE);
}

static bool prepare_unexported(void *context)
{
	struct scene *s = context;

	return prepare(s) && !npumem_unexport(s->fd, s->token);
}

static void act_unbind(void *context)
{
	struct scene *s = context;

	s->error[0] = unbind();
}

/* ---- what uses it; the result goes to error[1] ---- */

static void act_load(void *context)
{
	struct scene *s = context;
	__u64 word = 0;

	s->error[1] = careful_load(s->at + G, &word);
	if (!s->error[1] && word != WORD)
		s->strange = true;
}

static void act_store(void *context)
{
	struct scene *s = context;

	s->error[1] = careful_store(s->at + 8, WORD);
}

static void act_copy(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_copy(s->fd, 1, s->buffer, to_ptr(s->at), LENGTH);
	race_done(&s->race->side[1]);
	if (!s->error[1] && bytes_differ(s->buffer, LENGTH, BYTE) >= 0)
		s->strange = true;
}

static void act_fill(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_fill(s->fd, 1, to_ptr(s->at), LENGTH, BYTE);
}

static void act_alloc(void *context)
{
	struct scene *s = context;

	s->made = 0;
	s->error[1] = npumem_alloc(s->fd, 1, G, &s->made);
}

static void act_map(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_map(s->fd, s->spare, LENGTH, s->handle);
}

static void act_export(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_export(s->fd, s->handle, NPUMEM_EXPORT_ANYONE, &s->token);
}

/* Not a matter of the device being there: it is a change of rights. */
static void act_rights(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_set_access(s->fd, s->at, LENGTH, 1, NPUMEM_ACCESS_READ);
}

static void act_import(void *context)
{
	struct scene *s = context;

	s->error[1] = npumem_import(s->importer_fd, s->token, 0, &s->made, NULL);
}

static bool begin_importer(void *context)
{
	struct scene *s = context;

	careful_begin();
	s->importer = getpid();
	s->importer_fd = npumem_open();
	return s->importer_fd >= 0 && !npumem_reserve(s->importer_fd, LENGTH, &s->there);
}

/* What an importer may have got is as dead as the rest, and goes by its free. */
static void after_import(void *context)
{
	struct scene *s = context;
	int error;

	if (s->error[1])
		return;
	error = npumem_map(s->importer_fd, s->there, LENGTH, s->made);
	if (error && error != -ENODEV)
		s->strange = true;
	if (!error && npumem_unmap(s->importer_fd, s->there))
		s->strange = true;
	if (npumem_free(s->importer_fd, s->made) || npumem_reset(s->importer_fd, 0))
		s->strange = true;
}

/* ---- what has become of it ---- */

static bool is_dead(struct scene *s)
{
	struct npumem_memory_info info;
	__u64 word, handle;

	return careful_load(s->at, &word) == SIGBUS &&
	       careful_store(s->at + G, 1) == SIGBUS &&
	       npumem_alloc(s->fd, 1, G, &handle) == -ENODEV &&
	       npumem_map(s->fd, s->spare, LENGTH, s->handle) == -ENODEV &&
	       npumem_export(s->fd, s->handle, 0, &handle) == -ENODEV &&
	       npumem_copy(s->fd, 1, s->buffer, to_ptr(s->at), G) == -ENODEV &&
	       npumem_fill(s->fd, 1, to_ptr(s->at), G, 0) == -ENODEV &&
	       !npumem_memory_info(s->fd, s->handle, &info);
}

/* @refusal: what the call says when the device is gone, 0 if that is nothing. */
static bool judge_call(struct scene *s, int refusal)
{
	bool good = !s->error[0] && !s->strange;

	good &= !s->error[1] || s->error[1] == refusal;
	if (refusal && before(s, 0, 1))
		good &= s->error[1] == refusal;
	if (before(s, 1, 0))
		good &= !s->error[1];
	s->succeeded += !s->error[1];
	s->refused += !!s->error[1];
	s->round++;
	return good;
}

/* The old one's memory is no burden of the new one, and no use in it. */
static bool come_back(struct scene *s)
{
	__u64 word, handle;
	bool good;

	good = !bind_again() && !npumem_used(s->fd, 1);
	good &= careful_load(s->at, &word) == SIGBUS;
	good &= npumem_map(s->fd, s->spare, LENGTH, s->handle) == -ENODEV;
	good &= !npumem_unmap(s->fd, s->at) && !npumem_free(s->fd, s->handle);
	good &= !npumem_used(s->fd, 1);
	good &= !npumem_alloc(s->fd, 1, G, &handle) && npumem_used(s->fd, 1) == G &&
		!npumem_free(s->fd, handle) && !npumem_used(s->fd, 1);
	return good;
}

static bool judge_signal(void *context)
{
	struct scene *s = context;
	bool good = judge_call(s, SIGBUS) && is_dead(s);

	return come_back(s) && good;
}

static bool judge_nodev(void *context)
{
	struct scene *s = context;
	bool good = judge_call(s, -ENODEV) && is_dead(s);

	return come_back(s) && good;
}

static bool judge_rights(void *context)
{
	struct scene *s = context;
	__u64 word;
	bool good = judge_call(s, 0) && careful_load(s->at, &word) == SIGBUS;

	return come_back(s) && good;
}

/* The new handle is one of the old device: its memory goes by its free alone. */
static bool judge_alloc(void *context)
{
	struct scene *s = context;
	bool good = judge_call(s, -ENODEV) && is_dead(s);

	good &= come_back(s);
	if (!s->error[1])
		good &= npumem_map(s->fd, s->spare, G, s->made) == -ENODEV &&
			!npumem_free(s->fd, s->made);
	return good && !npumem_used(s->fd, 1);
}

static bool judge_map(void *context)
{
	struct scene *s = context;
	bool good = judge_call(s, -ENODEV);
	__u64 word;

	if (!s->error[1])
		good &= careful_load(s->spare, &word) == SIGBUS &&
			!npumem_unmap(s->fd, s->spare);
	good &= is_dead(s);
	return come_back(s) && good;
}

/* ---- the tests ---- */

FIXTURE(device)
{
	struct watch watch;
	struct scene *scene;
	struct race *race;
	long long wait;
};

FIXTURE_SETUP(device)
{
	struct scene *s = race_shared(sizeof(*s));

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_NE(NULL, s);
	self->scene = s;
	self->race = race_new();
	s->race = self->race;
	ASSERT_TRUE(watch_start(&self->watch));
	ASSERT_EQ(0, self->watch.used[1]);
	s->fd = npumem_open();
	ASSERT_LE(0, s->fd);
	ASSERT_EQ(0, npumem_reserve(s->fd, LENGTH, &s->at));
	ASSERT_EQ(0, npumem_reserve(s->fd, LENGTH, &s->spare));
	s->buffer = race_shared(LENGTH);
	self->wait = npumem_parameter("import_wait_ms");
	careful_begin();
	self->race->context = s;
	self->race->prepare = prepare;
	self->race->sides = 2;
}

FIXTURE_TEARDOWN(device)
{
	struct scene *s = self->scene;

	if (access(DRIVER "/" NAME, F_OK))
		EXPECT_EQ(0, bind_again());
	npumem_set_parameter("import_wait_ms", self->wait);
	if (s->round)
		printf("# succeeded %lu, refused %lu\n", s->succeeded, s->refused);
	munmap(to_ptr(s->at), LENGTH);
	munmap(to_ptr(s->spare), LENGTH);
	munmap(s->buffer, LENGTH);
	close(s->fd);
	EXPECT_TRUE(watch_end(&self->watch));
}

#define RACE(call, verdict) do {					\
	self->race->side[0] = (struct race_side) { .name = "unbind", .act = act_unbind }; \
	self->race->side[1] = (struct race_side) { .name = #call, .act = act_##call }; \
	self->race->judge = judge_##verdict;				\
	RACE_RUN(self->race, 12);					\
} while (0)

#define SAW_BOTH() do {							\
	if (npumem_many(self->scene->round)) {				\
		EXPECT_LT(0, self->scene->succeeded);			\
		EXPECT_LT(0, self->scene->refused);			\
	}								\
} while (0)

TEST_F_TIMEOUT(device, unbind_against_load, 3000)
{
	self->race->prepare = prepare_untouched;
	RACE(load, signal);
	SAW_BOTH();
}

TEST_F_TIMEOUT(device, unbind_against_store, 3000)
{
	self->race->prepare = prepare_untouched;
	RACE(store, signal);
	SAW_BOTH();
}

TEST_F_TIMEOUT(device, unbind_against_copy, 3000)
{
	RACE(copy, nodev);
}

TEST_F_TIMEOUT(device, unbind_against_fill, 3000)
{
	RACE(fill, nodev);
}

TEST_F_TIMEOUT(device, unbind_against_alloc, 3000)
{
	RACE(alloc, alloc);
	SAW_BOTH();
}

TEST_F_TIMEOUT(device, unbind_against_map, 3000)
{
	RACE(map, map);
	SAW_BOTH();
}

TEST_F_TIMEOUT(device, unbind_against_export, 3000)
{
	self->race->prepare = prepare_unexported;
	RACE(export, nodev);
	SAW_BOTH();
}

TEST_F_TIMEOUT(device, unbind_against_rights, 3000)
{
	RACE(rights, rights);
}

TEST_F_TIMEOUT(device, unbind_against_import, 3000)
{
	self->race->side[0] = (struct race_side) { .name = "unbind", .act = act_unbind };
	self->race->side[1] = (struct race_side) {
		.name = "import",
		.is_process = true,
		.begin = begin_importer,
		.act = act_import,
		.after = after_import,
	};
	self->race->judge = judge_nodev;
	RACE_RUN(self->race, 12);
	SAW_BOTH();
}

/* ---- a process that waits for the whitelist holds nothing of the device ---- */

static long do_wait(__u64 *a)
{
	return npumem_import(client_fd, a[0], 0, &a[1], NULL);
}

TEST_F_TIMEOUT(device, unbind_while_another_process_waits_for_the_whitelist, 3000)
{
	unsigned long round, rounds = npumem_rounds(4);
	struct process waiter;
	__u64 handle, token;
	struct call call;

	ASSERT_EQ(0, npumem_set_parameter("import_wait_ms", 60000));
	ASSERT_EQ(0, client_start(&waiter));
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, npumem_alloc(self->scene->fd, 1, G, &handle));
		ASSERT_EQ(0, npumem_export(self->scene->fd, handle, 0, &token));
		call = (struct call) { .function = do_wait, .argument = { token } };
		ASSERT_EQ(0, process_begin(&waiter, &call));
		EXPECT_FALSE(process_answers(&waiter, 5 + round % 5));
		ASSERT_EQ(0, unbind());
		EXPECT_FALSE(process_answers(&waiter, 5));
		/* Let in, it finds the device gone; or it finds the share gone. */
		if (round & 1) {
			ASSERT_EQ(0, npumem_whitelist_add(self->scene->fd, token, waiter.pid));
			EXPECT_EQ(-ENODEV, process_end(&waiter, &call));
			ASSERT_EQ(0, npumem_free(self->scene->fd, handle));
		} else {
			ASSERT_EQ(0, npumem_free(self->scene->fd, handle));
			EXPECT_EQ(-ENOENT, process_end(&waiter, &call));
		}
		ASSERT_EQ(0, bind_again());
		EXPECT_EQ(0, npumem_used(self->scene->fd, 1));
	}
	EXPECT_EQ(0, process_stop(&waiter));
}

/* ---- the device comes and goes under the load of several processes ---- */

#define WORKERS	3
#define TOKENS	8

struct board {
	__u64 token[TOKENS];
	unsigned long calls, gone, lives;
	int strange;
};

static struct board *board;

/* Whether the call worked; it may find the device gone, or what @also says. */
static bool tell(int error, int also, int place)
{
	__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
	if (error == -ENODEV)
		__atomic_fetch_add(&board->gone, 1, __ATOMIC_RELAXED);
	else if (error && error != also)
		__atomic_store_n(&board->strange, place, __ATOMIC_RELAXED);
	return !error;
}

static void touch(__u64 at)
{
	int caught = careful_store(at, 1);

	if (caught && caught != SIGBUS)
		__atomic_store_n(&board->strange, 100 + caught, __ATOMIC_RELAXED);
}

/* Uses what is imported as well: from a device that has gone meanwhile, maybe. */
static void live(int fd, __u64 base, struct dice *dice)
{
	static unsigned char bytes[4096];
	__u64 *offer = &board->token[dice_below(dice, TOKENS)];
	__u64 handle, token = __atomic_load_n(offer, __ATOMIC_RELAXED);
	bool own = dice_below(dice, 2);
	int error;

	error = own ? npumem_alloc(fd, 1, G, &handle) :
		      npumem_import(fd, token, 1, &handle, NULL);
	/* What is offered may be gone, or going, or its own. */
	if (!own && (error == -ESTALE || error == -ELOOP))
		error = -ENOENT;
	if (!tell(error, own ? 0 : -ENOENT, 1))
		return;
	if (own && tell(npumem_export(fd, handle, NPUMEM_EXPORT_ANYONE, &token), 0, 3))
		__atomic_store_n(offer, token, __ATOMIC_RELAXED);
	if (tell(npumem_map(fd, base, G, handle), 0, 4)) {
		touch(base + dice_below(dice, G / 8) * 8);
		tell(npumem_copy(fd, 1, bytes, to_ptr(base), sizeof(bytes)), 0, 5);
		tell(npumem_fill(fd, 1, to_ptr(base), sizeof(bytes), 1), 0, 6);
		tell(npumem_set_access(fd, base, G, 1, NPUMEM_ACCESS_READ), 0, 7);
		tell(npumem_unmap(fd, base), 0, 8);
	}
	tell(npumem_free(fd, handle), 0, 9);
	__atomic_fetch_add(&board->lives, 1, __ATOMIC_RELAXED);
}

static long do_live(__u64 *a)
{
	struct dice dice = { a[0] };
	__u64 base;
	int fd = npumem_open();

	careful_begin();
	if (fd < 0 || npumem_reserve(fd, G, &base))
		return -EINVAL;
	for (;;)
		live(fd, base, &dice);
}

TEST_F_TIMEOUT(device, unbind_under_the_load_of_processes, 3000)
{
	unsigned long round, rounds = npumem_rounds(30);
	struct process worker[WORKERS];
	struct call call[WORKERS];
	struct dice dice;
	int i;

	board = process_shared(sizeof(*board));
	ASSERT_NE(NULL, board);
	dice_init(&dice, 5);
	for (i = 0; i < WORKERS; i++) {
		call[i] = (struct call) {
			.function = do_live, .argument = { dice_roll(&dice) },
		};
		ASSERT_EQ(0, process_start(&worker[i]));
		ASSERT_EQ(0, process_begin(&worker[i], &call[i]));
	}
	for (round = 0; round < rounds; round++) {
		usleep(dice_below(&dice, 8000));
		ASSERT_EQ(0, unbind());
		if (dice_below(&dice, 2))
			usleep(dice_below(&dice, 2000));
		ASSERT_EQ(0, bind_again());
		/* Somebody holds what is of the device that has gone. */
		if (dice_below(&dice, 5))
			continue;
		i = dice_below(&dice, WORKERS);
		ASSERT_EQ(0, process_kill(&worker[i]));
		ASSERT_EQ(0, process_start(&worker[i]));
		ASSERT_EQ(0, process_begin(&worker[i], &call[i]));
	}
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, process_kill(&worker[i]));
	printf("# %lu rounds, %lu lives, %lu calls, %lu of them refused\n", rounds,
	       board->lives, board->calls, board->gone);
	EXPECT_EQ(0, board->strange);
	EXPECT_LT(0, board->lives);
	EXPECT_LT(0, board->gone);
	EXPECT_TRUE(watch_used_becomes(&self->watch, 1, 0));
}

TEST_HARNESS_MAIN
