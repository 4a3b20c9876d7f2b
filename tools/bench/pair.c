// SPDX-License-Identifier: MIT
/* Two processes that take turns, and descriptors from one to the other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* How many descriptors the kernel takes in one message. */
#define DESCRIPTORS	253

pid_t pair_start(struct pair *pair)
{
	int down[2], up[2], sockets[2];

	if (pipe(down) || pipe(up) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		die("no pipes: %s", strerror(errno));
	fflush(NULL);
	pair->child = fork();
	if (pair->child < 0)
		die("fork: %s", strerror(errno));
	if (pair->child) {
		pair->in = up[0];
		pair->out = down[1];
		pair->socket = sockets[0];
		close(up[1]);
		close(down[0]);
		close(sockets[1]);
	} else {
		pair->in = down[0];
		pair->out = up[1];
		pair->socket = sockets[1];
		close(down[1]);
		close(up[0]);
		close(sockets[0]);
	}
	return pair->child;
}

void pair_end(struct pair *pair)
{
	int status;

	close(pair->in);
	close(pair->out);
	close(pair->socket);
	if (waitpid(pair->child, &status, 0) != pair->child || status)
		die("the other process failed");
}

void pair_tell(struct pair *pair, uint64_t number)
{
	if (write(pair->out, &number, sizeof(number)) != sizeof(number))
		die("write to the other process: %s", strerror(errno));
}

uint64_t pair_hear(struct pair *pair)
{
	uint64_t number;

	/* Whoever wrote nothing has said why it ended. */
	if (read(pair->in, &number, sizeof(number)) != sizeof(number))
		exit(1);
	return number;
}

static void transfer(int socket, int *fds, unsigned int count, bool out)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
	} control;
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};

	control.header = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(count * sizeof(int)),
	};
	if (out) {
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		if (sendmsg(socket, &message, 0) != 1)
			die("sendmsg: %s", strerror(errno));
		return;
	}
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || message.msg_flags & MSG_CTRUNC ||
	    control.header.cmsg_len != CMSG_LEN(count * sizeof(int)))
		die("recvmsg: not the descriptors that were sent");
	memcpy(fds, CMSG_DATA(&control.header), count * sizeof(int));
}

static void transfer_all(int socket, int *fds, unsigned int count, bool out)
{
	while (count) {
		unsigned int some = count < DESCRIPTORS ? count : DESCRIPTORS;

		transfer(socket, fds, some, out);
		fds += some;
		count -= some;
	}
}

void send_descriptors(int socket, const int *fds, unsigned int count)
{
	transfer_all(socket, (int *)fds, count, true);
}

void receive_descriptors(int socket, int *fds, unsigned int count)
{
	transfer_all(socket, fds, count, false);
}
