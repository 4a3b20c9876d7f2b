/* SPDX-License-Identifier: MIT */
/*
 * Attackers: processes of an ordinary user who has the group of the node and
 * nothing else. What the tests of them try, and how it is refused, they print.
 */
#ifndef _NPUMEM_ADVERSARY_H
#define _NPUMEM_ADVERSARY_H

#include "npumem_client.h"

#include <grp.h>
#include <sys/stat.h>

#define ATTACKER_USER	64998
#define ATTACKER_GROUP	64999	/* nobody's but the node's, meanwhile */

/* The node as it was, while it belongs to the attackers' group. */
struct node {
	struct stat was;
};

static inline bool node_open_to_attackers(struct node *node)
{
	return !stat(NPUMEM_DEVICE_PATH, &node->was) &&
	       !chown(NPUMEM_DEVICE_PATH, -1, ATTACKER_GROUP) &&
	       !chmod(NPUMEM_DEVICE_PATH, 0660);
}

static inline bool node_restore(const struct node *node)
{
	return !chown(NPUMEM_DEVICE_PATH, -1, node->was.st_gid) &&
	       !chmod(NPUMEM_DEVICE_PATH, node->was.st_mode & 07777);
}

/* Argument 0: which user, from ATTACKER_USER on downwards. */
static inline long attacker_do_become(__u64 *a)
{
	const gid_t group = ATTACKER_GROUP;
	uid_t user = ATTACKER_USER - a[0];

	if (setgroups(1, &group) || setresgid(user, user, user) || setresuid(user, user, user))
		return -errno;
	/* As after exec(): its own user may look at it. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

/* Starts a process of user number @user that may open the node, but has not. */
static inline long attacker_start_idle(struct process *p, unsigned int user)
{
	long ret = process_start(p);

	return ret ? ret : process_do(p, attacker_do_become, user);
}

static inline long attacker_start(struct process *p, unsigned int user)
{
	long ret = attacker_start_idle(p, user);

	return ret ? ret : client_open(p);
}

#endif /* _NPUMEM_ADVERSARY_H */
