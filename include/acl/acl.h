/* SPDX-License-Identifier: MIT */
/*
 * AscendCL, as far as programs that share device memory need it.
 *
 * The binary interface is that of CANN's AscendCL 1.17.0: a program built for
 * an Ascend host runs without being compiled again.
 */
#ifndef ACL_ACL_H
#define ACL_ACL_H

#define ACL_MAJOR_VERSION 1
#define ACL_MINOR_VERSION 17
#define ACL_PATCH_VERSION 0

#include "acl_base.h"
#include "acl_rt.h"

#endif /* ACL_ACL_H */
