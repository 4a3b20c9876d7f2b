// SPDX-License-Identifier: MIT
/*
 * The entry for 32-bit programs, which 64-bit programs can take as well: each command
 * answers there as it does otherwise.
 */
#include "abi_commands.h"

#include "kselftest_harness.h"

#define GUARD	0xa5

#ifdef __x86_64__
/* ioctl() of a 32-bit program; everything in the argument itself is 64 bits wide. */
static int compat_call(int fd, unsigned long number, void *argument)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54), "b"(fd), "c"((unsigned int)number),
		       "d"((unsigned int)to_u64(argument))
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

/* mmap2(): offsets are in units of 4 KiB. */
static int compat_mmap(unsigned long address, unsigned long length, int prot, int flags,
		       int fd)
{
	int ret;

	asm volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp" : "=a"(ret)
		     : "a"(192), "b"((unsigned int)address), "c"((unsigned int)length),
		       "d"(prot), "S"(flags), "D"(fd)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}
#else
#define MAP_32BIT	0	/* all tests are skipped */

static int compat_call(int fd, unsigned long number, void *argument)
{
	(void)fd, (void)number, (void)argument;
	return -ENOSYS;
}

static int compat_mmap(unsigned long address, unsigned long length, int prot, int flags,
		       int fd)
{
	(void)address, (void)length, (void)prot, (void)flags, (void)fd;
	return -ENOSYS;
}
#endif

/* Where there is no such entry, it is a signal. */
static bool compat_there(void)
{
	struct npumem_query query = { .size = sizeof(query) };
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(compat_call(-1, NPUMEM_QUERY, &query) != -EBADF);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

FIXTURE(compat)
{
	union argument *low, *high;
};

FIXTURE_SETUP(compat)
{
	if (!compat_there())
		SKIP(return, "no entry for 32-bit programs");
	self->low = mmap(NULL, 2 * sizeof(*self->low), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	ASSERT_GT(1ULL << 32, to_u64(self->low));
	self->high = calloc(2, sizeof(*self->high));
	ASSERT_NE(NULL, self->high);
}

FIXTURE_TEARDOWN(compat)
{
	free(self->high);
}

/* Handles, tokens and counters differ from one world to the next: inputs do not. */
static void answer(const struct command *command, bool compat, union argument *argument,
		   __u32 size, int *error, bool *changed)
{
	union argument given;
	struct world world;
	int line;

	*error = -EIO;
	line = world_make(&world, error);
	if (line) {
		printf("# world: line %d, %d\n", line, *error);
		return;
	}
	memset(argument, GUARD, 2 * sizeof(*argument));
	memset(argument, 0, command->size);
	command->make(&world, argument);
	if (size)
		argument->size = size;
	given = *argument;
	*error = compat ? compat_call(world.fd, command->number, argument) :
			  npumem_call(world.fd, command->number, argument);
	*changed = memcmp(&given, argument, sizeof(given)) != 0;
	/* Whatever the entry, nothing behind the argument is touched. */
	if (memcmp(given.bytes + command->size, argument->bytes + command->size,
		   sizeof(given) - command->size))
		*error = -EBADMSG;
	line = world_end(&world);
	if (line)
		printf("# world's end: line %d\n", line);
}

TEST_F_TIMEOUT(compat, every_command_answers_alike, 240)
{
	const __u32 sizes[] = { 0, 8, 4096 };
	unsigned int i, j, n = 0;

	for (i = 0; i < COMMAND_COUNT; i++) {
		for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++, n++) {
			bool changed[2] = { false, false };
			int error[2];

			answer(&commands[i], false, self->high, sizes[j], &error[0],
			       &changed[0]);
			answer(&commands[i], true, self->low, sizes[j], &error[1],
			       &changed[1]);
			EXPECT_EQ(error[0], error[1])
				TH_LOG("%s of size %u", commands[i].name, sizes[j]);
			EXPECT_EQ(changed[0], changed[1])
				TH_LOG("%s of size %u", commands[i].name, sizes[j]);
			if (!j)
				EXPECT_EQ(0, error[1]);
		}
	}
	TH_LOG("%u calls: the same errno and results by both entries", n);
}

/* Numbers that would be right if somebody cut them to 32 bits. */
TEST_F_TIMEOUT(compat, addresses_and_handles_are_not_cut, 120)
{
	struct npumem_map *map = &self->low->map;
	struct npumem_free *release = (void *)&self->low->free;
	__u64 handle, base;
	int fd = npumem_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, npumem_alloc(fd, 0, G, &handle));
	ASSERT_EQ(0, npumem_reserve(fd, G, &base));
	*release = (struct npumem_free) { .size = sizeof(*release), .handle = (__u32)handle };
	EXPECT_EQ(-ENOENT, compat_call(fd, NPUMEM_FREE, release));
	*map = (struct npumem_map) {
		.size = sizeof(*map), .address = base + (1ULL << 32), .length = G,
		.handle = handle,
	};
	EXPECT_EQ(-EADDRNOTAVAIL, compat_call(fd, NPUMEM_MAP, map));
	map->address = base;
	map->length = G + (1ULL << 32);
	EXPECT_EQ(-EOVERFLOW, compat_call(fd, NPUMEM_MAP, map));
	map->length = G;
	EXPECT_EQ(0, compat_call(fd, NPUMEM_MAP, map));
	EXPECT_EQ(0, store_signal(base));
	close(fd);
}

TEST_F_TIMEOUT(compat, mmap_has_the_same_rules, 120)
{
	const int fixed = MAP_SHARED | MAP_FIXED;
	int fd = npumem_open(), status = -1;
	pid_t child;
	__u64 low;

	ASSERT_LE(0, fd);
	low = to_u64(mmap(NULL, 4 * G, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT |
			  MAP_NORESERVE, -1, 0));
	low = (low + G - 1) & ~(G - 1);
	ASSERT_GT(1ULL << 32, low + 2 * G);
	EXPECT_EQ(-EINVAL, compat_mmap(low, G, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_FIXED, fd));
	EXPECT_EQ(-EINVAL, compat_mmap(low, G, PROT_READ | PROT_EXEC, fixed, fd));
	EXPECT_EQ(-EINVAL, compat_mmap(low + 4096, G, PROT_READ, fixed, fd));
	EXPECT_EQ(-EINVAL, compat_mmap(low, 4096, PROT_READ, fixed, fd));
	child = fork();
	if (!child)
		_exit(compat_mmap(low, G, PROT_READ, fixed, fd) != -EACCES ||
		      compat_call(fd, NPUMEM_QUERY, self->low) != -EACCES);
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ((int)low, compat_mmap(low, G, PROT_READ | PROT_WRITE, fixed, fd));
	EXPECT_EQ(SIGSEGV, load_signal(low));
	close(fd);
}

TEST_HARNESS_MAIN
