// SPDX-License-Identifier: MIT
/*
 * Each cause of failure in lib/causes.h, brought about for real: the code and
 * the text are those of the table, behind the function and its arguments.
 */
#include "kselftest_harness.h"

#include "acl_causes.h"

#define DEVICE_1	"/sys/bus/platform/drivers/npumem/npumem.1"

static const char *const limits[] = {
	"max_handles", "max_mappings", "max_reservations", "max_whitelist",
	"max_clients", "max_shares", "max_entries", "max_user_clients",
	"max_user_handles", "max_user_mappings", "max_user_reservations",
	"max_user_shares", "max_user_entries",
};
#define LIMITS	(sizeof(limits) / sizeof(limits[0]))
static long long limits_before[LIMITS];

FIXTURE_SETUP(cause)
{
	char with[sizeof(parameters) + 64];
	size_t i;

	if (geteuid())
		SKIP(return, "needs root");
	said = process_shared(sizeof(*said));
	ASSERT_NE(NULL, said);
	if (variant->module) {
		if (!is_loaded() || open_module() < 0)
			SKIP(return, "no npumem.ko of this kernel: set NPUMEM_MODULE");
		remember_parameters();
		snprintf(with, sizeof(with), "%s %s", parameters, variant->module);
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load(with));
		ASSERT_LE(0, close(open_patiently()));
	}
	ASSERT_TRUE(watch_start(&self->watch));
	for (i = 0; i < LIMITS; i++)
		limits_before[i] = npumem_parameter(limits[i]);
}

FIXTURE_TEARDOWN(cause)
{
	size_t i;

	for (i = 0; i < LIMITS; i++)
		EXPECT_EQ(0, npumem_set_parameter(limits[i], limits_before[i]));
	if (access(DEVICE_1, F_OK))
		EXPECT_EQ(0, write_text("/sys/bus/platform/drivers/npumem/bind", "npumem.1"));
	EXPECT_TRUE(watch_end(&self->watch));
	if (variant->module) {
		EXPECT_EQ(0, unload());
		EXPECT_EQ(0, load(parameters));
		EXPECT_LE(0, close(open_patiently()));
	}
}

static long do_provoke(__u64 *a)
{
	int (*provoke)(void) = to_ptr(a[0]);
	int code = provoke();

	if (code != NOT_REACHED && code != KEPT)
		keep(code);
	return code == NOT_REACHED ? NOT_REACHED : 0;
}

/* As a pattern of fnmatch(): what is not literal, anything may stand for. */
static void append_literal(char *to, size_t size, const char *from)
{
	char *at = to + strlen(to);
	char *end = to + size - 3;

	for (; *from && at < end; from++) {
		if (*from == '%') {
			*at++ = '*';
			from += 1 + strspn(from + 1, "0123456789.lz");
			continue;
		}
		if (strchr("*?[]\\", *from))
			*at++ = '\\';
		*at++ = *from;
	}
	*at = '\0';
}

/* How many "name=value" there are before the cause. */
static int count_arguments(const char *text)
{
	const char *end = strstr(text, "): ");
	int count = 0;

	for (; end && text < end; text++)
		count += *text == '=';
	return count;
}

TEST_F_TIMEOUT(cause, is_told, 180)
{
	const struct parts *parts = &variant->parts;
	char pattern[2 * MESSAGE_SIZE];

	ASSERT_EQ(0, process_start(&self->process));
	ASSERT_EQ(0, process_do(&self->process, do_provoke, to_u64(variant->provoke)));
	printf("# %s\n", said->text);
	EXPECT_EQ(parts->code, said->code);
	snprintf(pattern, sizeof(pattern), "%s(*): ", said->function);
	append_literal(pattern, sizeof(pattern), parts->cause);
	strcat(pattern, "; ");
	append_literal(pattern, sizeof(pattern), parts->remedy);
	snprintf(pattern + strlen(pattern), 32, " (error %d)", parts->code);
	EXPECT_EQ(0, fnmatch(pattern, said->text, 0))
		TH_LOG("%s\nis not\n%s", said->text, pattern);
	EXPECT_LE(said->arguments, count_arguments(said->text))
		TH_LOG("%s", said->text);
	EXPECT_GT(MESSAGE_SIZE - 1, strlen(said->text));
}

static const struct {
	const char *name;
	struct parts parts;
} all[] = {
#define LISTED(name)	{ #name, CAUSE_##name },
#include "causes.list"
};

#define ALL		(sizeof(all) / sizeof(all[0]))

static bool say_the_same(size_t a, size_t b)
{
	if (strcmp(all[a].parts.cause, all[b].parts.cause) ||
	    strcmp(all[a].parts.remedy, all[b].parts.remedy))
		return false;
	printf("# CAUSE_%s and CAUSE_%s\n", all[a].name, all[b].name);
	return true;
}

TEST(no_two_causes_say_the_same)
{
	size_t i, j;

	for (i = 0; i < ALL; i++)
		for (j = 0; j < i; j++)
			EXPECT_FALSE(say_the_same(i, j));
}

extern const char *const __start_covered[], *const __stop_covered[];

TEST(each_cause_is_provoked_or_has_a_reason)
{
	const char *const *covered;
	size_t i;

	EXPECT_LT(100, ALL);
	for (i = 0; i < ALL; i++) {
		for (covered = __start_covered; covered < __stop_covered; covered++)
			if (!strcmp(*covered, all[i].name))
				break;
		if (covered == __stop_covered)
			printf("# CAUSE_%s is in no acl_causes_*.h\n", all[i].name);
		EXPECT_TRUE(covered < __stop_covered);
	}
}

#include "acl_causes_driver.h"
#include "acl_causes_memory.h"
#include "acl_causes_share.h"

TEST_HARNESS_MAIN
