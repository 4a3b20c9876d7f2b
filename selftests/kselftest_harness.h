/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own harness, but for its patience: it ends a test after 30 seconds. On
 * a kernel that checks all it does, in an emulated machine beside another one, work
 * that is short elsewhere takes longer.
 */
#pragma GCC system_header
#include_next <kselftest_harness.h>

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240
