// SPDX-License-Identifier: MIT
/*
 * Loading the module, and binding a device, with each allocation failing once: either it
 * works all the same, or nothing is left of it. Runs when nobody else uses the module, and
 * leaves it loaded as it found it.
 */
#include "kselftest_harness.h"
#include "npumem_inject.h"
#include "npumem_module.h"

#define DRIVER	"/sys/bus/platform/drivers/npumem"

FIXTURE(load) {
	unsigned long start, end;	/* of what calls the module's beginning */
};

FIXTURE_SETUP(load)
{
	const char *why = module_begin();

	if (!why)
		why = inject_begin();
	if (!why && !inject_function("do_one_initcall", &self->start, &self->end))
		why = "this kernel does not tell where do_one_initcall() is";
	if (why)
		SKIP(return, "%s", why);
	inject_nth_open();
}

FIXTURE_TEARDOWN(load)
{
	EXPECT_TRUE(inject_end_all());
	EXPECT_TRUE(module_end());
}

/* What there is of a module that is loaded. */
static const char *is_left(void)
{
	static const char *const paths[] = {
		"/sys/module/npumem", DRIVER, "/sys/bus/platform/devices/npumem.0",
		"/sys/bus/platform/devices/npumem.1", "/sys/class/npumem",
		"/sys/kernel/debug/npumem", NPUMEM_DEVICE_PATH,
	};
	char line[256];
	unsigned int i;
	FILE *file;
	const char *what = NULL;

	for (i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], F_OK))
			return paths[i];
	file = fopen("/proc/devices", "re");
	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "npumem"))
			what = "/proc/devices";
	if (file)
		fclose(file);
	return what;
}

static bool is_bound(unsigned int id)
{
	char path[64];

	snprintf(path, sizeof(path), DRIVER "/npumem.%u", id);
	return !access(path, F_OK);
}

/*
 * Is each device there, or else just not bound? Probing is no part of loading: who lacks
 * memory for that finds an error in the log, and binds later.
 */
static bool devices_work(struct __test_metadata *_metadata, unsigned int count)
{
	struct npumem_device_info info;
	char name[16];
	unsigned int id;
	int fd;

	fd = open_patiently();
	EXPECT_LE(0, fd);
	for (id = 0; id < count; id++) {
		int ret = npumem_device_info(fd, id, &info);

		EXPECT_EQ(is_bound(id), !ret);
		if (ret) {
			EXPECT_TRUE(ret == -ENXIO || ret == -ENODEV);
			snprintf(name, sizeof(name), "npumem.%u", id);
			EXPECT_EQ(0, write_file(DRIVER "/bind", name));
		}
		EXPECT_EQ(0, npumem_alloc(fd, id, 1, NULL));
	}
	close(fd);
	return _metadata->exit_code == KSFT_PASS;
}

/* With one device: another one would meet the same once more. */
static int load_at(unsigned int n, unsigned int *left)
{
	int file = open_module(), ret = 0;

	if (file < 0)
		return -ENOENT;
	inject_nth(n);
	if (syscall(SYS_finit_module, file, "devices=1 capacity=2M", 0))
		ret = -errno;
	*left = inject_nth_end();
	close(file);
	return ret;
}

TEST_F_TIMEOUT(load, each_allocation_of_loading, 1500)
{
	unsigned int kind, n, left, failed, tolerated;
	const char *what;

	ASSERT_EQ(0, unload());
	ASSERT_TRUE(inject_not_notes(true));
	for (kind = 0; kind < 2; kind++) {
		inject_among(1U << kind, self->start, self->end, INJECT_NOT_CACHES);
		failed = tolerated = 0;
		for (n = 1, left = 0; !left; n++) {
			int ret = load_at(n, &left);

			ASSERT_GT(1000, n);
			if (ret) {
				/* The kernel calls a name it has no memory for invalid. */
				EXPECT_TRUE(ret == -ENOMEM || ret == -EINVAL) {
					TH_LOG("%s %u: %d", inject_kinds[kind], n, ret);
				}
				ASSERT_EQ(0, left);
				failed++;
			} else {
				tolerated += !left;
				ASSERT_TRUE(devices_work(_metadata, 1)) {
					TH_LOG("loaded with %s %u", inject_kinds[kind], n);
				}
				ASSERT_EQ(0, unload());
			}
			what = is_left();
			ASSERT_EQ(NULL, what) {
				TH_LOG("%s %u (%d) leaves %s", inject_kinds[kind], n, ret, what);
			}
		}
		printf("# load: failed by %s %u times, succeeded all the same %u times\n",
		       inject_kinds[kind], failed, tolerated);
		fflush(stdout);
	}
	EXPECT_TRUE(inject_not_notes(false));
}

/*
 * Bind device 1 with each allocation failing, but those of a function; some failures look
 * like another's range.
 */
static void bind_each(struct __test_metadata *_metadata, const char *but, int other_error)
{
	unsigned int kind, n, left, failed, tolerated;

	for (kind = 0; kind < 2; kind++) {
		inject_npumem_but(1U << kind, but);
		failed = tolerated = 0;
		for (n = 1, left = 0; !left; n++) {
			int ret;

			/* Giving up is not refused for want of memory. */
			inject_nth(n);
			ret = write_file(DRIVER "/unbind", "npumem.1");
			inject_nth_end();
			ASSERT_EQ(0, ret);
			ASSERT_FALSE(is_bound(1));
			inject_nth(n);
			ret = write_file(DRIVER "/bind", "npumem.1");
			left = inject_nth_end();
			ASSERT_EQ(is_bound(1), !ret);
			if (ret) {
				EXPECT_TRUE(ret == -ENOMEM || ret == other_error) {
					TH_LOG("%s %u: %d", inject_kinds[kind], n, ret);
				}
				ASSERT_EQ(0, left);
				failed++;
				ASSERT_EQ(0, write_file(DRIVER "/bind", "npumem.1"));
			} else {
				tolerated += !left;
			}
			ASSERT_TRUE(devices_work(_metadata, 2));
		}
		printf("# bind: failed by %s %u times, succeeded all the same %u times\n",
		       inject_kinds[kind], failed, tolerated);
		fflush(stdout);
	}
}

TEST_F_TIMEOUT(load, each_allocation_of_binding, 300)
{
	bind_each(_metadata, INJECT_NOT_KMEMLEAK, -ENOMEM);
}

TEST_F_TIMEOUT(load, each_allocation_of_binding_a_carveout, 300)
{
	const char *given = getenv("NPUMEM_CARVEOUT");
	char text[128];

	if (!given)
		SKIP(return, "no memory is carved out: set NPUMEM_CARVEOUT");
	ASSERT_EQ(0, unload());
	snprintf(text, sizeof(text), "devices=2 capacity=4M carveout=,%s", given);
	ASSERT_EQ(0, load(text));
	ASSERT_TRUE(inject_find_module());
	/* The kernel's resources do not tell want of memory from a range that is taken. */
	bind_each(_metadata, INJECT_NOT_PAGES, -EBUSY);
	EXPECT_EQ(0, unload());
}

/*
 * The links of a device with a far one, there and back, are counted in two places which
 * are not in one allocation. Each has a second try, so all fails from some point on.
 */
TEST_F_TIMEOUT(load, links_of_far_devices, 300)
{
	unsigned int space, failed = 0;
	struct npumem_stats stats;
	__u64 handle, imported, token;
	__u32 there, back;
	int fd, ret = -1;

	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=4 capacity=64M"));
	ASSERT_TRUE(inject_find_module());
	inject_npumem(INJECT_SLAB | INJECT_PAGE);
	for (space = 0; ret; space += 64) {
		ASSERT_GT(8192, space);
		fd = open_patiently();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, npumem_alloc(fd, 0, G, &handle));
		ASSERT_EQ(0, npumem_export(fd, handle, 0, &token));
		inject_after(true, space);
		ASSERT_TRUE(inject_make_it_fail(true));
		ret = npumem_import(fd, token, 3, &imported, NULL);
		inject_make_it_fail(false);
		inject_always(false);
		ASSERT_EQ(0, npumem_peer_status(fd, 0, 3, &there));
		ASSERT_EQ(0, npumem_peer_status(fd, 3, 0, &back));
		ASSERT_EQ(0, npumem_stats(fd, &stats));
		EXPECT_EQ(!ret, there);
		EXPECT_EQ(!ret, back);
		EXPECT_EQ(!ret, stats.imports);
		EXPECT_EQ(1 + !ret, stats.handles);
		if (ret) {
			EXPECT_EQ(-ENOMEM, ret);
			failed++;
			EXPECT_EQ(0, npumem_import(fd, token, 3, &imported, NULL));
		}
		close(fd);
	}
	printf("# import for a far device failed %u times\n", failed);
	fflush(stdout);
	EXPECT_LE(3, failed);
	EXPECT_EQ(0, unload());
}

TEST_HARNESS_MAIN
