/* SPDX-License-Identifier: MIT */
/*
 * CANN declares here how a program hands its own allocator to the runtime.
 * Programs that share memory include the file by its name, but use only what
 * acl_rt.h has; allocators of programs are not served, and not declared.
 */
#ifndef ACL_ACL_RT_ALLOCATOR_H
#define ACL_ACL_RT_ALLOCATOR_H

#include "acl_rt.h"

#endif /* ACL_ACL_RT_ALLOCATOR_H */
