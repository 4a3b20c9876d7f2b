// SPDX-License-Identifier: MIT
/*
 * Arguments that another thread changes while the call reads them. Whatever
 * the call makes of it, it made it of one value, and all can be given back.
 * SEED= repeats a run.
 */
#include "kselftest_harness.h"
#include "abi_commands.h"

#include <pthread.h>

#define CALLS	300

struct changer {
	pthread_t thread;
	union argument *argument;
	union argument good;
	const struct command *command;
	unsigned int seed;
	volatile bool stop;
};

/*
 * One bit of one word at a time, and back. Not the bits between 16 MiB and
 * 256 TiB: a length or address with those is legal and does great harm.
 */
static void *change(void *data)
{
	struct changer *c = data;
	volatile __u32 *words = (volatile __u32 *)c->argument;
	const __u32 *good = (const __u32 *)&c->good;

	while (!c->stop) {
		unsigned int word = rand_r(&c->seed) % (c->command->size / 4);
		unsigned int bit = rand_r(&c->seed) % 24;

		/* Where a copy goes may be anywhere in this process. */
		if (c->command->number == NPUMEM_COPY && word > 1 && word < 6)
			word = 0;
		words[word] = good[word] ^ 1U << bit;
		words[word] = good[word];
		words[0] = c->command->size + (bit & 1 ? 8 : 4000);
		words[0] = bit & 2 ? 0 : ~0U;
		words[0] = good[0];
	}
	return NULL;
}

/* The errnos that the header has for arguments; none of them is a surprise. */
static bool expected(int error)
{
	const int all[] = { 0, EACCES, EINVAL, ENOENT, ENXIO, E2BIG, EFAULT,
		ENOSPC, EOVERFLOW, EOPNOTSUPP, EADDRNOTAVAIL, EEXIST, EXDEV,
		ERANGE, EHOSTUNREACH, EBUSY, EREMOTE, EPERM, ESRCH, ELOOP,
		EROFS, ENOTCONN };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (error == -all[i])
			return true;
	return false;
}

FIXTURE(changes) {
	unsigned int seed;
};

FIXTURE_SETUP(changes)
{
	self->seed = test_seed();
}

FIXTURE_TEARDOWN(changes)
{
}

TEST_F_TIMEOUT(changes, of_every_command, 120)
{
	unsigned int i, k, done = 0, refused = 0;

	for (i = 0; i < COMMAND_COUNT; i++) {
		struct changer changer = { .command = &commands[i],
			.seed = self->seed + i };
		struct world world;
		int error;

		ASSERT_EQ(0, world_make(&world, &error));
		commands[i].make(&world, &changer.good);
		changer.argument = mmap(NULL, 2 * sizeof(union argument),
					PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, changer.argument);
		*changer.argument = changer.good;
		ASSERT_EQ(0, pthread_create(&changer.thread, NULL, change,
					    &changer));
		for (k = 0; k < CALLS; k++) {
			error = npumem_call(world.fd, commands[i].number,
					    changer.argument);
			EXPECT_TRUE(expected(error)) {
				TH_LOG("%s gives %d", commands[i].name, error);
			}
			if (error)
				refused++;
			else
				done++;
		}
		changer.stop = true;
		pthread_join(changer.thread, NULL);
		munmap(changer.argument, 2 * sizeof(union argument));
		EXPECT_EQ(0, world_end(&world)) {
			TH_LOG("after %s", commands[i].name);
		}
	}
	printf("# %u calls done, %u refused\n", done, refused);
	EXPECT_LT(0, done);
	EXPECT_LT(0, refused);
}

/* A list that changes: each element is looked at once. */
TEST_F(changes, of_a_list)
{
	struct npumem_access list[NPUMEM_MAX_DEVICES + 1] = {};
	struct changer changer = { .seed = self->seed };
	const struct command of_list = { .size = sizeof(list) };
	struct world world;
	unsigned int i;
	__u32 access;
	int error;

	ASSERT_EQ(0, world_make(&world, &error));
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		list[i].location_type = NPUMEM_LOCATION_DEVICE;
		list[i].access = NPUMEM_ACCESS_READWRITE;
	}
	changer.command = &of_list;
	changer.argument = (union argument *)list;
	memcpy(&changer.good, list, sizeof(list));
	ASSERT_EQ(0, pthread_create(&changer.thread, NULL, change, &changer));
	for (i = 0; i < 5000; i++) {
		error = npumem_set_access_list(world.fd, world.address, G, list,
					       ARRAY_SIZE(list));
		EXPECT_TRUE(expected(error));
		EXPECT_EQ(0, npumem_get_access(world.fd, world.address, 0,
					       &access));
		EXPECT_TRUE(access == NPUMEM_ACCESS_NONE ||
			    access == NPUMEM_ACCESS_READ ||
			    access == NPUMEM_ACCESS_READWRITE) {
			TH_LOG("access %u", access);
		}
	}
	changer.stop = true;
	pthread_join(changer.thread, NULL);
	EXPECT_EQ(0, world_end(&world));
}

TEST_HARNESS_MAIN
