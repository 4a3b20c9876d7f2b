/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's actors: processes that do what they are told, one request at a
 * time, and tell what came of it. They judge nothing.
 */
#ifndef FUZZ_ACTOR_H
#define FUZZ_ACTOR_H

#include <sys/types.h>

#include "fuzz_ops.h"

#define ACTOR_BYTES	256	/* of an ioctl's argument */
#define ACTOR_ARRAY	1024	/* of what it points to */
#define ACTOR_LOOK	64	/* bytes that are read at a place */
#define ACTOR_PATIENCE_MS	60000

/* A request that is no operation: take the descriptor that comes along. */
#define ACTOR_RECEIVE	FUZZ_KINDS

struct actor_request {
	__u32 what;		/* the operation's kind */
	__u32 command;		/* of an ioctl */
	__u32 fd;		/* which of the actor's */
	__u32 twist;
	__u64 a[FUZZ_VALUES];
	__u32 length;		/* of @bytes */
	__u32 array_length;	/* of @array, or 0 */
	__u32 array_field;	/* where in @bytes its address goes */
	unsigned char bytes[ACTOR_BYTES];
	unsigned char array[ACTOR_ARRAY];
};

/* What a place in memory has: nothing, and a signal, or bytes. */
struct actor_look {
	__u32 signal;
	unsigned char bytes[ACTOR_LOOK];
};

struct actor_reply {
	__s64 ret;		/* or -errno */
	__u64 a[2];
	__s32 fds[FUZZ_FDS];	/* numbers of the actor's descriptors */
	unsigned char bytes[ACTOR_BYTES];
	struct actor_look look;
	struct actor_look sweep[FUZZ_GRANULES];
};

struct actor {
	pid_t pid;
	int channel;
	int fds[FUZZ_FDS];
};

/* 0, or -errno; -ETIME if it does not answer, -EPIPE if it is gone. */
int actor_spawn(struct actor *actor);
int actor_call(struct actor *actor, const struct actor_request *request, int pass,
	       struct actor_reply *reply, int *passed);
/* After exec(), and of a forked child: wait until it is there. */
int actor_hello(struct actor *actor);

/* main() of an actor after exec(). */
int actor_main(int argc, char **argv);

/* Loads @length bytes or stores a word; returns the signal that this raised, or 0. */
int actor_load(__u64 address, void *data, __u64 length);
int actor_store(__u64 address, __u64 word);
/* An ioctl with its argument placed as the twist says. */
long actor_ioctl(int fd, struct actor_request *request);
void actor_setup(void);

#endif /* FUZZ_ACTOR_H */
