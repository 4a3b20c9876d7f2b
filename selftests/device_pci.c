// SPDX-License-Identifier: MIT
/*
 * A card whose memory is behind a PCI window, which can be pulled out at any time. The
 * card is QEMU's ivshmem-plain, as tools/vm/vm --card makes it: memory, and nothing
 * that works with it.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"
#include "npumem_inject.h"
#include "npumem_process.h"
#include "npumem_walk.h"

#include <dirent.h>
#include <limits.h>
#include <sys/uio.h>

#define PCI	"/sys/bus/pci"
#define DRIVER	PCI "/drivers/npumem"
#define CARD	"1af4 1110"

struct function {
	char path[320];
	unsigned int class, vendor, device;
	bool driven;	/* a driver is bound to it */
};

static bool is_card(const struct function *function)
{
	return function->vendor == 0x1af4 && function->device == 0x1110;
}

/* What has no memory for us, and nobody needs. */
static bool is_idle_bridge(const struct function *function)
{
	return function->class >> 16 == 6 && !function->driven;
}

static bool read_function(struct function *function)
{
	char line[PATH_MAX];
	int found = 0;
	FILE *file;

	snprintf(line, sizeof(line), "%s/driver", function->path);
	function->driven = !access(line, F_OK);
	snprintf(line, sizeof(line), "%s/uevent", function->path);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		found += sscanf(line, "PCI_CLASS=%x", &function->class);
		found += sscanf(line, "PCI_ID=%x:%x", &function->vendor, &function->device) == 2;
	}
	if (file)
		fclose(file);
	return found == 2;
}

/* The first one of a kind, if there is one. */
static bool find_function(struct function *function, bool (*is_one)(const struct function *function))
{
	DIR *dir = opendir(PCI "/devices");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(function->path, sizeof(function->path), PCI "/devices/%s", entry->d_name);
		found = read_function(function) && is_one(function);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int write_in(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return write_file(path, text);
}

/* The number of the device that was made of the card, or -1. */
static int number_of(const char *card)
{
	DIR *dir = opendir(card);
	struct dirent *entry;
	int number = -1;

	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "npumem.%d", &number) == 1)
			break;
	if (dir)
		closedir(dir);
	return number;
}

/* Bytes of the window, by the card's list of resources. */
static __u64 window_bytes(const char *card, unsigned int bar)
{
	unsigned long long first, last, flags;
	char path[400];
	__u64 size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/resource", card);
	file = fopen(path, "re");
	while (file && fscanf(file, "%llx %llx %llx", &first, &last, &flags) == 3)
		if (!bar--)
			size = last - first + 1;
	if (file)
		fclose(file);
	return size;
}

/* What is in the window, past the driver; NULL if the kernel does not let us. */
static void *map_window(const char *card, __u64 size)
{
	char path[400];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/resource2", card);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

FIXTURE(card) {
	char card[320], name[32];
	__u64 size;
	int fd, number;
};

/* Pull it out; the kernel looks for cards anew to plug it in. */
static int pull(const char *card)
{
	return write_in(card, "remove", "1");
}

static int plug(void)
{
	return write_in(PCI, "rescan", "1");
}

FIXTURE_SETUP(card)
{
	struct function function;

	if (geteuid())
		SKIP(return, "needs root");
	if (!find_function(&function, is_card))
		SKIP(return, "no card with the id " CARD);
	memcpy(self->card, function.path, sizeof(self->card));
	self->size = window_bytes(self->card, 2);
	snprintf(self->name, sizeof(self->name), "%s",
		 strrchr(self->card, '/') + 1);
	/* Nothing is taken without being told. */
	ASSERT_EQ(-1, number_of(self->card));
	ASSERT_EQ(0, write_in(DRIVER, "new_id", CARD));
	self->number = number_of(self->card);
	ASSERT_LE(2, self->number);
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(card)
{
	close(self->fd);
	plug();
	EXPECT_EQ(0, write_in(DRIVER, "remove_id", CARD));
	EXPECT_EQ(0, write_in(DRIVER, "unbind", self->name));
	EXPECT_EQ(-1, number_of(self->card));
}

TEST_F_TIMEOUT(card, is_a_device_with_the_windows_memory, 120)
{
	struct npumem_device_info info;
	char path[400], text[32] = "";
	__u64 handle, address;
	void *window;
	FILE *file;
	int i;

	ASSERT_EQ(0, npumem_device_info(self->fd, self->number, &info));
	EXPECT_EQ(self->size, info.capacity);
	EXPECT_EQ(0, info.used);
	snprintf(path, sizeof(path), "%s/npumem.%d/pool", self->card,
		 self->number);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file);
	EXPECT_EQ(1, fscanf(file, "%31s", text));
	fclose(file);
	EXPECT_STREQ("pci-window", text);

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, npumem_new_mapping(self->fd, self->number,
						self->size, &handle, &address));
		EXPECT_EQ(self->size, npumem_used(self->fd, self->number));
		EXPECT_EQ(-ENOSPC, npumem_alloc(self->fd, self->number, 1, NULL));
		EXPECT_EQ(-1, bytes_differ(to_ptr(address), self->size, 0));
		pattern_fill(to_ptr(address), self->size, 5 + i);
		EXPECT_EQ(-1, pattern_verify(to_ptr(address), self->size, 5 + i));
		ASSERT_EQ(0, npumem_free(self->fd, handle));
		ASSERT_EQ(0, munmap(to_ptr(address), self->size));
		EXPECT_EQ(0, npumem_used(self->fd, self->number));
	}
	/* It was the card's memory indeed. */
	ASSERT_EQ(0, write_in(DRIVER, "unbind", self->name));
	window = map_window(self->card, self->size);
	if (window) {
		EXPECT_EQ(-1, pattern_verify(window, self->size, 6));
		munmap(window, self->size);
	}
	ASSERT_EQ(0, write_in(DRIVER, "bind", self->name));
}

TEST_F(card, copies_and_fills)
{
	const __u64 length = 3 * G + 4097;
	__u64 card, ram, at, other;
	char *host = malloc(length), *back = malloc(length);

	ASSERT_NE(NULL, host);
	ASSERT_NE(NULL, back);
	ASSERT_EQ(0, npumem_new_mapping(self->fd, self->number, 4 * G, &card, &at));
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, 4 * G, &ram, &other));
	pattern_fill(host, length, 3);
	ASSERT_EQ(0, npumem_copy(self->fd, self->number, to_ptr(at + 5), host, length));
	EXPECT_EQ(0, memcmp(to_ptr(at + 5), host, length));
	ASSERT_EQ(0, npumem_copy(self->fd, self->number, back, to_ptr(at + 5), length));
	EXPECT_EQ(0, memcmp(back, host, length));
	/* Within the card, which overlaps, and to the memory of another device. */
	ASSERT_EQ(0, npumem_copy(self->fd, self->number, to_ptr(at + 9), to_ptr(at + 5), length));
	EXPECT_EQ(0, memcmp(to_ptr(at + 9), host, length));
	ASSERT_EQ(0, npumem_peer_enable(self->fd, self->number, 0));
	ASSERT_EQ(0, npumem_copy(self->fd, self->number, to_ptr(other), to_ptr(at + 9), length));
	EXPECT_EQ(0, memcmp(to_ptr(other), host, length));
	ASSERT_EQ(0, npumem_fill(self->fd, self->number, to_ptr(at + 1), length, 0xa5));
	EXPECT_EQ(-1, bytes_differ(to_ptr(at + 1), length, 0xa5));
	/* Where the host's side ends, the rest is as it was. */
	EXPECT_EQ(-EFAULT, npumem_copy(self->fd, self->number, to_ptr(at), to_ptr(4096), 64));
	EXPECT_EQ(-EFAULT, npumem_copy(self->fd, self->number, to_ptr(4096), to_ptr(at), 64));
	EXPECT_EQ(-1, bytes_differ(to_ptr(at + 1), length, 0xa5));
	ASSERT_EQ(0, munmap(to_ptr(at), 4 * G));
	ASSERT_EQ(0, munmap(to_ptr(other), 4 * G));
	free(host);
	free(back);
}

TEST_F(card, cannot_be_pinned)
{
	struct iovec vec = { .iov_len = 4096 };
	__u64 handle, address;
	int fds[2];

	ASSERT_EQ(0, npumem_new_mapping(self->fd, self->number, G, &handle, &address));
	ASSERT_EQ(0, store_signal(address));
	vec.iov_base = to_ptr(address);
	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-1, vmsplice(fds[1], &vec, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EFAULT, errno);
	close(fds[0]);
	close(fds[1]);
	/* What looks for pages finds none. */
	walk_pages(address, G);
	EXPECT_EQ(0, store_signal(address));
	ASSERT_EQ(0, munmap(to_ptr(address), G));
}

TEST_F(card, pulled_out_is_sigbus_and_enodev)
{
	char buffer[64] = "";
	__u64 handle, address, token, place;
	struct npumem_device_info info;
	struct npumem_memory_info memory;

	ASSERT_EQ(0, npumem_new_mapping(self->fd, self->number, 4 * G, &handle, &address));
	ASSERT_EQ(0, npumem_export(self->fd, handle, NPUMEM_EXPORT_ANYONE, &token));
	ASSERT_EQ(0, npumem_reserve(self->fd, 4 * G, &place));
	pattern_mark(to_ptr(address), 4 * G, 4);
	ASSERT_EQ(0, pull(self->card));
	EXPECT_NE(0, access(self->card, F_OK));
	EXPECT_EQ(SIGBUS, load_signal(address));
	EXPECT_EQ(SIGBUS, store_signal(address + 4 * G - 1));
	EXPECT_EQ(-ENODEV, npumem_device_info(self->fd, self->number, &info));
	EXPECT_EQ(-ENODEV, npumem_alloc(self->fd, self->number, G, NULL));
	EXPECT_EQ(-ENODEV, npumem_map(self->fd, place, 4 * G, handle));
	EXPECT_EQ(-ENODEV, npumem_export(self->fd, handle, 0, NULL));
	EXPECT_EQ(-ENODEV, npumem_import(self->fd, token, 0, NULL, NULL));
	EXPECT_EQ(-ENODEV, npumem_copy(self->fd, self->number, buffer, to_ptr(address), 8));
	EXPECT_EQ(-ENODEV, npumem_copy(self->fd, self->number, to_ptr(address), buffer, 8));
	EXPECT_EQ(-ENODEV, npumem_fill(self->fd, self->number, to_ptr(address), 8, 0));
	EXPECT_EQ(0, npumem_memory_info(self->fd, handle, &memory));

	/* The card that comes has all of its memory, whoever holds some of the old one. */
	ASSERT_EQ(0, plug());
	EXPECT_EQ(self->number, number_of(self->card));
	EXPECT_EQ(self->size, npumem_free_bytes(self->fd, self->number));
	EXPECT_EQ(SIGBUS, load_signal(address));
	EXPECT_EQ(-ENODEV, npumem_map(self->fd, place, 4 * G, handle));
	ASSERT_EQ(0, npumem_alloc(self->fd, self->number, self->size, &token));
	EXPECT_EQ(0, npumem_free(self->fd, handle));
	EXPECT_EQ(0, npumem_unmap(self->fd, address));
	EXPECT_EQ(self->size, npumem_used(self->fd, self->number));
	EXPECT_EQ(0, npumem_free(self->fd, token));
	EXPECT_EQ(0, npumem_used(self->fd, self->number));
	ASSERT_EQ(0, munmap(to_ptr(address), 4 * G));
	ASSERT_EQ(0, munmap(to_ptr(place), 4 * G));
}

/* Either it works all the same, or it can be bound later. */
TEST_F_TIMEOUT(card, each_allocation_of_binding, 300)
{
	const char *why = inject_begin();
	unsigned int kind, n, left, failed;
	__u64 handle, address;
	char buffer[64];

	if (why)
		SKIP(return, "%s", why);
	inject_nth_open();
	for (kind = 0; kind < 2; kind++) {
		inject_npumem(1U << kind);
		failed = 0;
		for (n = 1, left = 0; !left; n++) {
			int ret;

			inject_nth(n);
			ret = write_in(DRIVER, "unbind", self->name);
			inject_nth_end();
			ASSERT_EQ(0, ret);
			ASSERT_EQ(-1, number_of(self->card));
			inject_nth(n);
			ret = write_in(DRIVER, "bind", self->name);
			left = inject_nth_end();
			ASSERT_EQ(number_of(self->card) >= 0, !ret);
			if (!ret && npumem_capacity(self->fd, self->number) == self->size)
				continue;
			/* The card is bound, and its device maybe is not. */
			failed++;
			if (!ret) {
				ASSERT_EQ(0, write_in(DRIVER, "unbind", self->name));
			}
			ASSERT_EQ(0, write_in(DRIVER, "bind", self->name));
		}
		printf("# bind: failed by %s %u times\n", inject_kinds[kind], failed);
		fflush(stdout);
	}
	/* So can a copy, which needs a page. */
	ASSERT_EQ(0, npumem_new_mapping(self->fd, self->number, G, &handle, &address));
	inject_npumem(INJECT_PAGE);
	inject_nth(1);
	EXPECT_EQ(-ENOMEM, npumem_copy(self->fd, self->number, to_ptr(address), buffer, 64));
	EXPECT_EQ(0, inject_nth_end());
	EXPECT_EQ(0, npumem_copy(self->fd, self->number, to_ptr(address), buffer, 64));
	ASSERT_EQ(0, munmap(to_ptr(address), G));
	EXPECT_TRUE(inject_end_all());
}

/* Root may tell us to take what has no memory for us. */
TEST_F(card, without_a_window_is_refused)
{
	struct function bridge;
	char id[32];

	if (!find_function(&bridge, is_idle_bridge))
		SKIP(return, "needs a PCI bridge without a driver");
	snprintf(id, sizeof(id), "%04x %04x", bridge.vendor, bridge.device);
	ASSERT_EQ(0, write_in(DRIVER, "new_id", id));
	EXPECT_EQ(-ENODEV, write_in(DRIVER, "bind", strrchr(bridge.path, '/') + 1));
	EXPECT_EQ(0, write_in(DRIVER, "remove_id", id));
	EXPECT_TRUE(read_function(&bridge));
	EXPECT_FALSE(bridge.driven);
	EXPECT_EQ(-1, number_of(bridge.path));
	/* The card that has one is what it was. */
	EXPECT_EQ(self->size, npumem_free_bytes(self->fd, self->number));
}

/* The device, but not the card, is unbound, and its memory held. */
TEST_F(card, is_bound_again_when_the_last_user_is_gone)
{
	const char *const platform = "/sys/bus/platform/drivers/npumem";
	__u64 handle;
	char name[32];

	snprintf(name, sizeof(name), "npumem.%d", self->number);
	ASSERT_EQ(0, npumem_alloc(self->fd, self->number, G, &handle));
	ASSERT_EQ(0, write_in(platform, "unbind", name));
	EXPECT_NE(0, write_in(platform, "bind", name));
	ASSERT_EQ(0, npumem_free(self->fd, handle));
	ASSERT_EQ(0, write_in(platform, "bind", name));
	EXPECT_EQ(self->size, npumem_free_bytes(self->fd, self->number));
}

/* How often users have gone through all they do, and met that the card was away. */
struct uses {
	unsigned int whole, away;
};

/* Uses the card in all ways until it has seen enough; what fails, fails cleanly. */
static void use_card(int number, unsigned int seed, struct uses *uses)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	char *buffer = malloc(2 * G);
	int fd = npumem_open(), i;

	memset(buffer, 1, 2 * G);
	for (i = 0;; i++) {
		__u64 handle, address;
		bool away = false;
		int got;

		if (npumem_reserve(fd, 2 * G, &address))
			_exit(1);
		got = npumem_alloc(fd, number, 2 * G, &handle);
		if (got) {
			/* It may be away, and the other one may have all. */
			if (got != -ENODEV && got != -ENXIO && got != -ENOSPC)
				_exit(2);
			nanosleep(&pause, NULL);
			if (npumem_release(fd, address))
				_exit(3);
			continue;
		}
		got = npumem_map(fd, address, 2 * G, handle);
		if (got && got != -ENODEV)
			_exit(4);
		if (!got) {
			got = store_signal(address + rand_r(&seed) % (2 * G));
			if (got && got != SIGBUS)
				_exit(5);
			away |= got;
			got = npumem_copy(fd, number, to_ptr(address), buffer, 2 * G);
			if (got && got != -ENODEV)
				_exit(6);
			away |= got;
			got = npumem_fill(fd, number, to_ptr(address + G), G, 1);
			if (got && got != -ENODEV)
				_exit(7);
			away |= got;
			got = npumem_copy(fd, number, buffer, to_ptr(address), 2 * G);
			if (got && got != -ENODEV)
				_exit(8);
			away |= got;
			got = npumem_copy(fd, number, to_ptr(address + 3), to_ptr(address), G);
			if (got && got != -ENODEV)
				_exit(9);
			away |= got;
			if (npumem_unmap(fd, address))
				_exit(10);
			__atomic_fetch_add(away ? &uses->away : &uses->whole, 1,
					   __ATOMIC_RELAXED);
		}
		if (npumem_free(fd, handle) || npumem_release(fd, address))
			_exit(11);
	}
}

TEST_F_TIMEOUT(card, pulled_out_under_load, 300)
{
	const struct timespec pause = { .tv_nsec = 30000000 };
	const int rounds = repeats(30);
	unsigned int whole;
	struct uses *uses;
	pid_t users[3];
	int status, i;

	uses = mmap(NULL, sizeof(*uses), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, uses);
	for (i = 0; i < 3; i++) {
		users[i] = fork();
		ASSERT_LE(0, users[i]);
		if (!users[i])
			use_card(self->number, i, uses);
	}
	for (i = 0; i < rounds || !uses->away; i++) {
		/* Each time it comes back there is memory to be had. */
		whole = uses->whole;
		ASSERT_TRUE(becomes_true(uses->whole > whole));
		nanosleep(&pause, NULL);
		ASSERT_EQ(0, pull(self->card));
		if (i & 1)
			nanosleep(&pause, NULL);
		ASSERT_EQ(0, plug());
		ASSERT_EQ(self->number, number_of(self->card));
	}
	printf("# %u times all went well, %u times the card went away\n", uses->whole, uses->away);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, waitpid(users[i], &status, WNOHANG)) {
			TH_LOG("ended with status %x", status);
		}
		kill(users[i], SIGKILL);
		waitpid(users[i], &status, 0);
	}
	EXPECT_TRUE(npumem_used_becomes(self->fd, self->number, 0, 3000));
	EXPECT_EQ(self->size, npumem_capacity(self->fd, self->number));
}

TEST_HARNESS_MAIN
