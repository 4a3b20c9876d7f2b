// SPDX-License-Identifier: MIT
/*
 * The rules that hold for every ioctl: sizes, tails, pointers, flags, reserved
 * fields, unknown numbers. Walks the table of abi_commands.h.
 */
#include "kselftest_harness.h"
#include "abi_commands.h"

#define PAGE	page_bytes()
#define MOST	4096		/* bytes that an argument may have */

FIXTURE(command) {
	struct world world;
	struct snapshot before;
	union argument argument;
};

FIXTURE_VARIANT(command) {
	unsigned int index;
};

FIXTURE_SETUP(command)
{
	int error, line = world_make(&self->world, &error);

	ASSERT_EQ(0, line) {
		TH_LOG("the world cannot be made: errno %d", -error);
	}
	world_snapshot(&self->world, &self->before);
	memset(&self->argument, 0, sizeof(self->argument));
}

FIXTURE_TEARDOWN(command)
{
	EXPECT_EQ(0, world_end(&self->world));
}

/* Every test runs once for each command, by its own number. */
#define VARIANT(name, number) \
	FIXTURE_VARIANT_ADD(command, name) { .index = number }
VARIANT(query, 0);
VARIANT(device_info, 1);
VARIANT(alloc, 2);
VARIANT(free, 3);
VARIANT(memory_info, 4);
VARIANT(map, 5);
VARIANT(unmap, 6);
VARIANT(set_access, 7);
VARIANT(get_access, 8);
VARIANT(range, 9);
VARIANT(release, 10);
VARIANT(export, 11);
VARIANT(whitelist_add, 12);
VARIANT(import, 13);
VARIANT(share_info, 14);
VARIANT(peer_enable, 15);
VARIANT(peer_disable, 16);
VARIANT(peer_status, 17);
VARIANT(host_tgid, 18);
VARIANT(stats, 19);
VARIANT(copy, 20);
VARIANT(fill, 21);
VARIANT(retain, 22);
VARIANT(reset, 23);
VARIANT(unexport, 24);
VARIANT(map_batch, 25);
VARIANT(unmap_batch, 26);

#define THE_COMMAND	(&commands[variant->index])
#define MAKE_ARGUMENT() do {						\
	memset(&self->argument, 0, sizeof(self->argument));		\
	THE_COMMAND->make(&self->world, &self->argument);		\
} while (0)
#define CALL(pointer)	npumem_call(self->world.fd, THE_COMMAND->number, pointer)
#define UNCHANGED()	EXPECT_TRUE(world_same(&self->world, &self->before))

TEST_F(command, succeeds_with_its_own_size)
{
	MAKE_ARGUMENT();
	EXPECT_EQ(THE_COMMAND->size, self->argument.size);
	EXPECT_EQ(0, CALL(&self->argument));
	/* The size stays as the caller gave it. */
	EXPECT_EQ(THE_COMMAND->size, self->argument.size);
}

TEST_F(command, short_size_is_einval)
{
	__u32 size;

	for (size = 0; size < THE_COMMAND->size - THE_COMMAND->added; size++) {
		MAKE_ARGUMENT();
		self->argument.size = size;
		EXPECT_EQ(-EINVAL, CALL(&self->argument)) {
			TH_LOG("size %u", size);
		}
	}
	UNCHANGED();
}

/* What a program that was built with an older header gives. */
TEST_F(command, size_of_an_older_version_is_accepted)
{
	__u32 size = THE_COMMAND->size - THE_COMMAND->added;

	MAKE_ARGUMENT();
	memset(self->argument.bytes + size, 0xa5, MOST - size);
	self->argument.size = size;
	EXPECT_EQ(0, CALL(&self->argument));
	EXPECT_EQ(size, self->argument.size);
	EXPECT_EQ(-1, bytes_differ(self->argument.bytes + size, MOST - size,
				   0xa5));
}

/* No version has such a size, nor is it one of words. */
TEST_F(command, odd_size_is_accepted)
{
	__u32 size = THE_COMMAND->size - THE_COMMAND->added + 3;

	MAKE_ARGUMENT();
	memset(self->argument.bytes + size, 0xa5, MOST - size);
	self->argument.size = size;
	EXPECT_EQ(0, CALL(&self->argument));
	EXPECT_EQ(size, self->argument.size);
	EXPECT_EQ(-1, bytes_differ(self->argument.bytes + size, MOST - size,
				   0xa5));
}

TEST_F(command, longer_size_with_zero_tail_is_accepted)
{
	MAKE_ARGUMENT();
	self->argument.size = THE_COMMAND->size + 8;
	EXPECT_EQ(0, CALL(&self->argument));
}

TEST_F(command, zeros_behind_it_are_accepted)
{
	MAKE_ARGUMENT();
	self->argument.size = MOST;
	EXPECT_EQ(0, CALL(&self->argument));
}

TEST_F(command, longer_size_with_nonzero_tail_is_e2big)
{
	const __u32 extra[] = { 1, 4, 8, 100, MOST - THE_COMMAND->size };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(extra); i++) {
		__u32 size = THE_COMMAND->size + extra[i];

		MAKE_ARGUMENT();
		self->argument.size = size;
		self->argument.bytes[THE_COMMAND->size] = 1;
		EXPECT_EQ(-E2BIG, CALL(&self->argument));
		self->argument.bytes[THE_COMMAND->size] = 0;
		self->argument.bytes[size - 1] = 0x80;
		EXPECT_EQ(-E2BIG, CALL(&self->argument));
		/* What lies behind the size does not matter. */
	}
	UNCHANGED();
}

TEST_F(command, bytes_behind_the_size_are_not_touched)
{
	MAKE_ARGUMENT();
	memset(self->argument.bytes + THE_COMMAND->size, 0xa5,
	       MOST - THE_COMMAND->size);
	EXPECT_EQ(0, CALL(&self->argument));
	EXPECT_EQ(-1, bytes_differ(self->argument.bytes + THE_COMMAND->size,
				   MOST - THE_COMMAND->size, 0xa5));
}

/* Also when all of the tail is zero: nobody reads gigabytes to find out. */
TEST_F(command, absurd_size_is_refused)
{
	const __u32 sizes[] = { MOST + 1, 2 * MOST, 65536, 1U << 30, 1U << 31,
				~0U - 4095, ~0U };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		int error;

		MAKE_ARGUMENT();
		self->argument.size = sizes[i];
		error = CALL(&self->argument);
		EXPECT_EQ(-E2BIG, error) {
			TH_LOG("size %u gives %d", sizes[i], error);
		}
	}
	UNCHANGED();
}

TEST_F(command, unreadable_argument_is_efault)
{
	unsigned char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u32 head;

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, CALL(NULL));
	EXPECT_EQ(-EFAULT, CALL(pages + PAGE));
	EXPECT_EQ(-EFAULT, CALL((void *)~0UL));
	EXPECT_EQ(-EFAULT, CALL(to_ptr(0xffff888000000000ULL)));
	EXPECT_EQ(-EFAULT, CALL(to_ptr(0x8000000000000000ULL)));
	/* The size can be read, and @head bytes in all, but not the rest. */
	MAKE_ARGUMENT();
	for (head = 4; head < THE_COMMAND->size; head += 4) {
		unsigned char *start = pages + PAGE - head;

		memcpy(start, &self->argument, head);
		EXPECT_EQ(-EFAULT, CALL(start));
	}
	UNCHANGED();
}

TEST_F(command, unreadable_tail_is_efault)
{
	unsigned char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	union argument *a;

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + PAGE, PAGE, PROT_NONE));
	a = (union argument *)(pages + PAGE - THE_COMMAND->size);
	MAKE_ARGUMENT();
	memcpy(a, &self->argument, THE_COMMAND->size);
	a->size = THE_COMMAND->size + 8;
	EXPECT_EQ(-EFAULT, CALL(a));
	UNCHANGED();
}

TEST_F(command, read_only_argument)
{
	union argument *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	MAKE_ARGUMENT();
	memcpy(page, &self->argument, THE_COMMAND->size);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	if (!THE_COMMAND->results) {
		/* Nothing to write, nothing to fail. */
		EXPECT_EQ(0, CALL(page));
		return;
	}
	EXPECT_EQ(-EFAULT, CALL(page));
	UNCHANGED();
	/* And it can still be done, with the same outcome as ever. */
	EXPECT_EQ(0, CALL(&self->argument));
}

TEST_F(command, misaligned_argument_is_accepted)
{
	unsigned char buffer[256];

	MAKE_ARGUMENT();
	memcpy(buffer + 1, &self->argument, THE_COMMAND->size);
	EXPECT_EQ(0, CALL(buffer + 1));
}

TEST_F(command, failure_writes_no_results)
{
	union argument copy;

	MAKE_ARGUMENT();
	/* A tail that is not zero fails each of them, whatever else is right. */
	self->argument.size = THE_COMMAND->size + 1;
	self->argument.bytes[THE_COMMAND->size] = 1;
	copy = self->argument;
	EXPECT_EQ(-E2BIG, CALL(&self->argument));
	EXPECT_EQ(0, memcmp(&copy, &self->argument, sizeof(copy)));
	UNCHANGED();
}

/* Fields that not every command has: one test for all commands that do. */
FIXTURE(fields) {
	struct world world;
	struct snapshot before;
	union argument argument;
};

FIXTURE_SETUP(fields)
{
	int error, line = world_make(&self->world, &error);

	ASSERT_EQ(0, line) {
		TH_LOG("the world cannot be made: errno %d", -error);
	}
	world_snapshot(&self->world, &self->before);
}

FIXTURE_TEARDOWN(fields)
{
	EXPECT_EQ(0, world_end(&self->world));
}

static int call_with(struct world *world, union argument *argument,
		     const struct command *c, int offset, __u32 value)
{
	memset(argument, 0, sizeof(*argument));
	c->make(world, argument);
	memcpy(argument->bytes + offset, &value, 4);
	return npumem_call(world->fd, c->number, argument);
}

TEST_F(fields, each_unknown_flag_is_einval)
{
	const struct command *c;
	unsigned int bit, count = 0;

	for (c = commands; c < commands + COMMAND_COUNT; c++) {
		for (bit = 0; c->flags >= 0 && bit < 32; bit++) {
			__u32 flag = 1U << bit;

			if (flag & c->known_flags)
				continue;
			EXPECT_EQ(-EINVAL, call_with(&self->world,
						     &self->argument, c,
						     c->flags, flag)) {
				TH_LOG("%s: flag bit %u", c->name, bit);
			}
			EXPECT_EQ(-EINVAL, call_with(&self->world,
						     &self->argument, c,
						     c->flags, flag |
						     c->known_flags));
			count++;
		}
	}
	EXPECT_LT(4 * 30, count);
	EXPECT_TRUE(world_same(&self->world, &self->before));
}

TEST_F(fields, nonzero_reserved_field_is_einval)
{
	const struct command *c;
	unsigned int bit, count = 0;

	for (c = commands; c < commands + COMMAND_COUNT; c++) {
		for (bit = 0; c->reserved >= 0 && bit < 32; bit++, count++)
			EXPECT_EQ(-EINVAL, call_with(&self->world,
						     &self->argument, c,
						     c->reserved, 1U << bit)) {
				TH_LOG("%s: reserved bit %u", c->name, bit);
			}
	}
	EXPECT_LE(8 * 32, count);
	EXPECT_TRUE(world_same(&self->world, &self->before));
}

/* So that one argument can be used for several calls. */
TEST_F(fields, output_fields_need_no_value)
{
	const struct command *c;
	struct world world;
	int error;

	for (c = commands; c < commands + COMMAND_COUNT; c++) {
		if (c->output < 0)
			continue;
		ASSERT_EQ(0, world_make(&world, &error));
		EXPECT_EQ(0, call_with(&world, &self->argument, c, c->output,
				       ~0U)) {
			TH_LOG("%s", c->name);
		}
		EXPECT_EQ(0, world_end(&world));
	}
}

FIXTURE(numbers) {
	int fd;
};

FIXTURE_SETUP(numbers)
{
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(numbers)
{
	close(self->fd);
}

static const struct command *find_command(unsigned long number)
{
	unsigned int i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].number == number)
			return &commands[i];
	return NULL;
}

TEST_F(numbers, every_command_of_the_module_is_in_the_table)
{
	unsigned int nr;
	__u32 zero = 0;

	for (nr = 0; nr < 256; nr++) {
		const struct command *c =
			find_command(_IO(NPUMEM_IOC_TYPE, nr));
		int error = npumem_call(self->fd, _IO(NPUMEM_IOC_TYPE, nr),
					&zero);

		EXPECT_EQ(c ? -EINVAL : -ENOTTY, error) {
			TH_LOG("command %u%s%s", nr, c ? ": " : "",
			       c ? c->name : "");
		}
	}
}

TEST_F(numbers, every_entry_has_a_variant_of_the_tests)
{
	struct __fixture_variant_metadata *v;
	unsigned int i = 0;

	for (v = _command_fixture_object.variant; v; v = v->next, i++) {
		const struct _fixture_variant_command *data = v->data;

		EXPECT_EQ(i, data->index);
		EXPECT_EQ(i, _IOC_NR(commands[i].number));
		EXPECT_EQ(0, strcasecmp(v->name, commands[i].name));
	}
	EXPECT_EQ(COMMAND_COUNT, i);
}

TEST_F(numbers, other_directions_sizes_and_types_are_enotty)
{
	union argument argument;
	unsigned int i, bit;

	for (i = 0; i < COMMAND_COUNT; i++) {
		unsigned long number = commands[i].number;

		for (bit = 8; bit < 32; bit++) {
			memset(&argument, 0, sizeof(argument));
			EXPECT_EQ(-ENOTTY, npumem_call(self->fd,
						       number ^ (1UL << bit),
						       &argument)) {
				TH_LOG("%s with bit %u", commands[i].name, bit);
			}
		}
	}
	EXPECT_EQ(-ENOTTY, npumem_call(self->fd, 0x5401, &argument));
}

TEST_F(numbers, query_tells_the_abi_that_the_header_has)
{
	struct npumem_query query;

	ASSERT_EQ(0, npumem_query(self->fd, &query));
	EXPECT_EQ(NPUMEM_ABI_MAJOR, query.abi_major);
	EXPECT_EQ(NPUMEM_ABI_MINOR, query.abi_minor);
	EXPECT_EQ(NPUMEM_MAX_DEVICES, query.max_devices);
	EXPECT_EQ(NPUMEM_GRANULE, query.granule);
	EXPECT_LE(2, query.device_count);
	EXPECT_GE(NPUMEM_MAX_DEVICES, query.device_count);
	EXPECT_NE(0, query.handle_tag);
}

TEST_F(numbers, query_names_the_host_the_same_to_all)
{
	struct npumem_query first, second;
	int other = npumem_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, npumem_query(self->fd, &first));
	ASSERT_EQ(0, npumem_query(other, &second));
	EXPECT_EQ(0, memcmp(first.host, second.host, sizeof(first.host)));
	/* Random: it is not likely to have the same byte all over. */
	EXPECT_NE(-1, bytes_differ(first.host, sizeof(first.host),
				   first.host[0]));
	close(other);
}

TEST_F(numbers, host_tgid_is_this_process)
{
	__s32 tgid = 0;

	ASSERT_EQ(0, npumem_host_tgid(self->fd, &tgid));
	EXPECT_EQ(getpid(), tgid);
}

TEST_F(numbers, handle_tags_differ_between_clients)
{
	struct npumem_query first, second;
	int other = npumem_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, npumem_query(self->fd, &first));
	ASSERT_EQ(0, npumem_query(other, &second));
	EXPECT_NE(first.handle_tag, second.handle_tag);
	close(other);
}

TEST_F(numbers, read_write_and_seek_are_refused)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(-1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, fallocate(self->fd, 0, 0, 1));
}

TEST_HARNESS_MAIN
