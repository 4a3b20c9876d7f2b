// SPDX-License-Identifier: MIT
/*
 * The headers' values and layouts are those that programs were built against.
 * selftests/check has C++ compilers see the same.
 */
#include <stddef.h>

#include "acl/acl.h"
#include "acl/acl_rt_allocator.h"

#include "kselftest_harness.h"

TEST(constants_have_their_values)
{
#define IS(name, value) EXPECT_EQ(value, name) TH_LOG("%s", #name)
#define SIZED(type, size)
#define AT(type, field, offset)
#include "acl_layout.h"
#undef IS
#undef SIZED
#undef AT
}

TEST(types_have_their_sizes)
{
#define IS(name, value)
#define SIZED(type, size) EXPECT_EQ(size, sizeof(type)) TH_LOG("%s", #type)
#define AT(type, field, offset)
#include "acl_layout.h"
#undef IS
#undef SIZED
#undef AT
}

TEST(members_have_their_offsets)
{
#define IS(name, value)
#define SIZED(type, size)
#define AT(type, field, offset) \
	EXPECT_EQ(offset, offsetof(type, field)) TH_LOG("%s.%s", #type, #field)
#include "acl_layout.h"
#undef IS
#undef SIZED
#undef AT
}

TEST_HARNESS_MAIN
