// SPDX-License-Identifier: MIT
/*
 * Several threads touch the same granule first. The later ones must not take
 * the huge entry that the first has made for a table of base entries: the
 * entries they would write end up in the memory, for all who share it to see.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#include <pthread.h>
#include <sys/prctl.h>

#define GRANULES	4
#define THREADS		3
#define TOGGLES		200

struct reader {
	pthread_t thread;
	__u64 base;
	volatile bool *stop;
	unsigned long wrong;
};

/* A few words of each granule, over and over: they were never written. */
static void *read_zeros(void *data)
{
	struct reader *reader = data;
	unsigned int granule, word;

	while (!*reader->stop) {
		for (granule = 0; granule < GRANULES; granule++) {
			volatile __u64 *at = to_ptr(reader->base + granule * G);

			for (word = 0; word < 512; word += 64)
				reader->wrong += at[word] != 0;
		}
	}
	return NULL;
}

FIXTURE(first_touch) {
	int fd;
	__u64 handle;
	__u64 base;
};

FIXTURE_VARIANT(first_touch) {
	bool no_thp;
};

FIXTURE_VARIANT_ADD(first_touch, plain) {
	.no_thp = false,
};

/* Then it is the handler of base entries that inserts the huge ones. */
FIXTURE_VARIANT_ADD(first_touch, without_transparent_huge_pages) {
	.no_thp = true,
};

FIXTURE_SETUP(first_touch)
{
	if (variant->no_thp)
		ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, npumem_reserve(self->fd, GRANULES * G, &self->base));
	ASSERT_EQ(0, npumem_alloc(self->fd, 0, GRANULES * G, &self->handle));
	ASSERT_EQ(0, npumem_map(self->fd, self->base, GRANULES * G,
				self->handle));
}

FIXTURE_TEARDOWN(first_touch)
{
	close(self->fd);
}

TEST_F_TIMEOUT(first_touch, by_several_threads_leaves_memory_alone, 120)
{
	volatile bool stop = false;
	struct reader readers[THREADS] = {};
	unsigned long written = 0;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		readers[i].base = self->base;
		readers[i].stop = &stop;
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL,
					    read_zeros, &readers[i]));
	}
	/* Each change empties the page tables: all touch first again. */
	for (i = 0; i < TOGGLES; i++)
		ASSERT_EQ(0, npumem_set_access(self->fd, self->base,
					       GRANULES * G, 0,
					       i % 2 ? NPUMEM_ACCESS_READWRITE :
						       NPUMEM_ACCESS_READ));
	stop = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(readers[i].thread, NULL);
		EXPECT_EQ(0, readers[i].wrong);
	}
	for (i = 0; i < GRANULES * G / sizeof(__u64); i++)
		written += ((volatile __u64 *)to_ptr(self->base))[i] != 0;
	EXPECT_EQ(0, written);
}

TEST_HARNESS_MAIN
