// SPDX-License-Identifier: MIT
/*
 * Unloading against those who just come: they get the module whole, or not at all.
 * Runs when nobody else uses the module, and leaves it loaded as it found it.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "npumem_module.h"
#include "npumem_stress.h"
#include "npumem_testing.h"

#define USERS	2
#define ROUNDS	npumem_rounds(repeats(10))

struct tally {
	bool end;
	long served;	/* who came had all of it */
	long refused;	/* or found nothing there */
	long wrong;	/* errno of what is neither */
};

FIXTURE(unload) {
	struct tally *tally;
};

FIXTURE_SETUP(unload)
{
	const char *why = module_begin();

	if (why)
		SKIP(return, "%s", why);
	self->tally = mmap(NULL, sizeof(*self->tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->tally);
}

FIXTURE_TEARDOWN(unload)
{
	munmap(self->tally, sizeof(*self->tally));
	EXPECT_TRUE(module_end());
}

/* Everything that leads into the module, from its beginning to its end. */
static int use_all(void)
{
	__u64 handle, address, token;
	int fd = npumem_open(), ret;

	if (fd < 0)
		return fd;
	ret = npumem_new_mapping(fd, 0, G, &handle, &address);
	if (!ret)
		ret = npumem_export(fd, handle, 0, &token);
	if (!ret)
		*(volatile char *)to_ptr(address) = 1;
	close(fd);
	/* The mapping has it still. */
	if (!ret && munmap(to_ptr(address), G))
		ret = -errno;
	return ret;
}

static void look(const char *path)
{
	char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, text, sizeof(text)) > 0)
		;
	if (fd >= 0)
		close(fd);
}

static void user(struct tally *tally)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!__atomic_load_n(&tally->end, __ATOMIC_RELAXED)) {
		int ret = use_all();

		switch (ret) {
		case 0:
			__atomic_fetch_add(&tally->served, 1, __ATOMIC_RELAXED);
			break;
		case -ENOENT:	/* no node */
		case -ENODEV:	/* a node, and nobody behind it */
		case -ENXIO:	/* no device yet */
			__atomic_fetch_add(&tally->refused, 1, __ATOMIC_RELAXED);
			break;
		default:
			__atomic_store_n(&tally->wrong, -ret, __ATOMIC_RELAXED);
		}
		look("/sys/kernel/debug/npumem/clients");
		look("/sys/kernel/debug/npumem/accounts");
		look("/sys/bus/platform/devices/npumem.0/used");
		/* Time in which nobody has it. */
		usleep(rand() % 4000);
	}
	_exit(0);
}

TEST_F_TIMEOUT(unload, against_those_who_come, 240)
{
	unsigned long unloaded = 0, busy = 0;
	pid_t pids[USERS];
	int i, ret;

	for (i = 0; i < USERS; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			srand(i);
			user(self->tally);
		}
	}
	while (unloaded < ROUNDS) {
		ret = unload();
		if (ret == -EWOULDBLOCK) {
			busy++;
			usleep(500);
			continue;
		}
		ASSERT_EQ(0, ret);
		unloaded++;
		usleep(2000);
		ASSERT_EQ(0, load(parameters));
		/* Somebody is to be served in each life. */
		usleep(20000);
	}
	self->tally->end = true;
	for (i = 0; i < USERS; i++)
		EXPECT_EQ(pids[i], waitpid(pids[i], NULL, 0));
	TH_LOG("unloaded %lu times, %lu times busy; served %ld, refused %ld", unloaded, busy,
	       self->tally->served, self->tally->refused);
	EXPECT_EQ(0, self->tally->wrong);
	EXPECT_LT(0, self->tally->served);
	EXPECT_LT(0, self->tally->refused);
}

TEST_HARNESS_MAIN
