// SPDX-License-Identifier: MIT
/*
 * Runs a list of operations: the model says what has to come of each, an actor does it,
 * and what comes of it is compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_round.h"
#include "fuzz_world.h"

struct round {
	struct fuzz_shared *shared;
	struct model model;
	struct actor actors[FUZZ_ACTORS];
	int op;
	bool stop;	/* what comes next cannot be foretold */
};

static void round_fail(struct round *round, const char *format, ...)
{
	struct fuzz_failure *failure = &round->shared->failure;
	va_list list;

	if (failure->failed)
		return;
	va_start(list, format);
	vsnprintf(failure->text, sizeof(failure->text), format, list);
	va_end(list);
	failure->op = round->op;
	failure->failed = true;
}

void fuzz_count(struct fuzz_counts *counts, int kind, long ret)
{
	long at = ret < 0 ? -ret : 0;

	if (at >= COUNT_ERRNOS)
		at = COUNT_ERRNOS - 1;
	__atomic_fetch_add(&counts->results[kind][at], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counts->ops, 1, __ATOMIC_RELAXED);
	if (kind <= FUZZ_WILD)
		__atomic_fetch_add(&counts->ioctls, 1, __ATOMIC_RELAXED);
}

static const char *result_name(long ret, char text[40])
{
	switch (ret) {
	case 0: return "success";
	case MODEL_ANY: return "anything";
	case MODEL_FAILS: return "a failure";
	}
	if (ret < 0)
		snprintf(text, 40, "%s", strerrorname_np(-ret) ? strerrorname_np(-ret) : "?");
	else
		snprintf(text, 40, "%ld", ret);
	return text;
}

/* ---- comparing ---- */

static void round_look(struct round *round, __u64 address, const struct actor_look *want,
		       const struct actor_look *got)
{
	__u64 a, b;
	int i;

	if (got->signal != want->signal) {
		round_fail(round, "a load from 0x%llx raised signal %d, expected %d",
			   (unsigned long long)address, got->signal, want->signal);
		return;
	}
	for (i = 0; i < ACTOR_LOOK && !got->signal; i += 8) {
		memcpy(&a, got->bytes + i, 8);
		memcpy(&b, want->bytes + i, 8);
		if (a != b)
			round_fail(round, "0x%llx has 0x%016llx, expected 0x%016llx",
				   (unsigned long long)address + i, (unsigned long long)a,
				   (unsigned long long)b);
	}
}

static void round_sweep(struct round *round, const struct fuzz_op *op,
			const struct actor_request *request, const struct actor_reply *reply)
{
	struct actor_look want;
	int i;

	for (i = 0; i < FUZZ_GRANULES; i++) {
		__u64 address = FUZZ_WINDOW + i * NPUMEM_GRANULE + request->a[0];

		model_look(&round->model.actors[op->actor], address, &want);
		round_look(round, address, &want, &reply->sweep[i]);
	}
}

/* A number that came out: the one that was known, or one that nobody has. */
static void round_number(struct round *round, const struct model_expect *expect,
			 const struct actor_reply *reply)
{
	__u64 number;
	int i;

	memcpy(&number, reply->bytes + expect->id_at, sizeof(number));
	if (!expect->fresh) {
		if (number != round->model.number[expect->id])
			round_fail(round, "the number is 0x%llx, expected 0x%llx again",
				   (unsigned long long)number,
				   (unsigned long long)round->model.number[expect->id]);
		return;
	}
	for (i = 1; i < round->model.nr_ids; i++)
		if (round->model.number[i] == number)
			round_fail(round, "the number 0x%llx was given before",
				   (unsigned long long)number);
	if (!number)
		round_fail(round, "the number is 0");
	round->model.number[expect->id] = number;
}

static void round_argument(struct round *round, const struct model_expect *expect,
			   const struct actor_reply *reply)
{
	__u32 i;

	if (!expect->ret && expect->id) {
		round_number(round, expect, reply);
		if (!expect->fresh)
			i = expect->id_at;
	}
	for (i = 0; i < expect->length; i++) {
		if (!expect->known[i] || reply->bytes[i] == expect->bytes[i] ||
		    (!expect->ret && expect->id && i - expect->id_at < sizeof(__u64)))
			continue;
		round_fail(round, "byte %u of the argument is 0x%02x, expected 0x%02x", i,
			   reply->bytes[i], expect->bytes[i]);
		return;
	}
}

static void round_compare(struct round *round, const struct fuzz_op *op,
			  const struct actor_request *request,
			  const struct model_expect *expect, const struct actor_reply *reply)
{
	struct actor_look want = { .signal = expect->signal };
	char text[40], other[40];

	memcpy(want.bytes, expect->look, sizeof(want.bytes));
	fuzz_count(&round->shared->counts, op->kind, reply->ret);
	if (expect->also && reply->ret == expect->also) {
		round->stop = !expect->ret;
		return;
	}
	if (expect->ret == MODEL_FAILS ? reply->ret >= 0 :
	    expect->ret != MODEL_ANY && reply->ret != expect->ret) {
		round_fail(round, "the result is %s, expected %s",
			   result_name(reply->ret, text), result_name(expect->ret, other));
		return;
	}
	switch (op->kind) {
	case FUZZ_SWEEP:
		round_sweep(round, op, request, reply);
		break;
	case FUZZ_READ:
		round_look(round, request->a[0], &want, &reply->look);
		break;
	case FUZZ_SPLICE:
		if (reply->ret == ACTOR_LOOK)
			round_look(round, request->a[0], &want, &reply->look);
		break;
	case FUZZ_WRITE:
		if (reply->look.signal != (__u32)expect->signal)
			round_fail(round, "a store raised signal %d, expected %d",
				   reply->look.signal, expect->signal);
		break;
	default:
		if (op->kind < FUZZ_WILD)
			round_argument(round, expect, reply);
	}
}

/* ---- running ---- */

static void round_end_actor(struct round *round, int index, bool kills)
{
	struct actor *actor = &round->actors[index];
	struct actor_request request = { .what = FUZZ_EXIT };
	int status;

	if (kills)
		kill(actor->pid, SIGKILL);
	else if (send(actor->channel, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		round_fail(round, "the actor is gone");
	status = round_wait(actor->pid, ACTOR_PATIENCE_MS / 1000);
	if (status == -1)
		round_fail(round, "the actor does not end");
	close(actor->channel);
	actor->pid = 0;
}

/* Has an actor said what it has to, or what has become of it? */
static bool round_said(struct round *round, int index, int error)
{
	int status = 0;

	if (!error)
		return true;
	if (error == -EPIPE && waitpid(round->actors[index].pid, &status, WNOHANG) > 0)
		round->actors[index].pid = 0;
	round_fail(round, error == -ETIME ? "the actor does not come back" :
		   "the actor ended (status 0x%x)", status);
	return false;
}

static void round_begin_actor(struct round *round, int index, int error)
{
	if (!round_said(round, index, error))
		return;
	round->model.actors[index].process->pid = round->actors[index].pid;
}

static void round_pass(struct round *round, const struct fuzz_op *op,
		       struct actor_request *request, struct actor_reply *reply)
{
	int to = op->value[0] % FUZZ_ACTORS, fd = -1;

	if (!round_said(round, op->actor, actor_call(&round->actors[op->actor], request, -1,
						     reply, &fd)) || fd < 0)
		return;
	request->what = ACTOR_RECEIVE;
	request->fd = op->value[1] % FUZZ_FDS;
	round_said(round, to, actor_call(&round->actors[to], request, fd, reply, NULL));
	close(fd);
}

static void round_do(struct round *round, const struct fuzz_op *op,
		     struct actor_request *request, struct actor_reply *reply)
{
	struct actor *actor = &round->actors[op->actor], *child;
	int passed = -1, i;

	switch (op->kind) {
	case FUZZ_SPAWN:
		round_begin_actor(round, op->actor, actor_spawn(actor));
		return;
	case FUZZ_EXIT:
	case FUZZ_KILL:
		round_end_actor(round, op->actor, op->kind == FUZZ_KILL);
		return;
	case FUZZ_UNBIND:
	case FUZZ_BIND:
		reply->ret = world_bind(op->value[0], op->kind == FUZZ_BIND);
		return;
	case FUZZ_LIMITS:
		for (i = 0; i < 4; i++)
			world_limit(i, op->value[i]);
		return;
	case FUZZ_PASS:
		round_pass(round, op, request, reply);
		return;
	case FUZZ_STEAL:
		child = &round->actors[op->value[0] % FUZZ_ACTORS];
		request->a[0] = child->pid;
		request->a[1] = child->fds[op->value[1] % FUZZ_FDS];
		break;
	case FUZZ_FORK:
		child = &round->actors[op->value[0] % FUZZ_ACTORS];
		if (!round_said(round, op->actor, actor_call(actor, request, -1, reply, &passed)))
			return;
		child->pid = reply->a[0];
		child->channel = passed;
		if (!reply->ret)
			round_begin_actor(round, op->value[0] % FUZZ_ACTORS, actor_hello(child));
		return;
	}
	round_said(round, op->actor, actor_call(actor, request, -1, reply, NULL));
}

static void round_op(struct round *round, const struct fuzz_op *op)
{
	static struct actor_request request;
	static struct model_expect expect;
	static struct actor_reply reply;

	model_apply(&round->model, op, &request, &expect);
	if (expect.ret == MODEL_SKIP)
		return;
	memset(&reply, 0, sizeof(reply));
	round_do(round, op, &request, &reply);
	if (!round->shared->failure.failed)
		round_compare(round, op, &request, &expect, &reply);
}

static void round_check(struct round *round)
{
	char text[1024];

	if (!round->stop && !world_is(&round->model, text, sizeof(text)))
		round_fail(round, "%s", text);
}

static void round_main(struct fuzz_shared *shared, const struct model_machine *machine,
		       const struct fuzz_op *ops, int n)
{
	struct round *round = model_new(sizeof(*round));
	int i;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	round->shared = shared;
	model_init(&round->model, machine);
	for (; round->op < n && !shared->failure.failed && !round->stop; round->op++)
		round_op(round, &ops[round->op]);
	if (shared->failure.failed)
		return;
	round_check(round);
	for (i = 0; i < FUZZ_ACTORS; i++) {
		struct fuzz_op op = { .kind = i & 1 ? FUZZ_KILL : FUZZ_EXIT, .actor = i };

		round_op(round, &op);
	}
	round_check(round);
}

int round_wait(pid_t pid, int seconds)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct timespec now, end;
	int status;
	pid_t got;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	while (!(got = waitpid(pid, &status, WNOHANG | __WALL))) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return -1;
		nanosleep(&pause, NULL);
	}
	return got == pid ? status : -1;
}

/* Actors are killed with their director, and ours then: nothing is to be left of them. */
static bool round_reap(int seconds)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	long left = seconds * 1000L;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) >= 0) {
		if (pid)
			continue;
		if (!left--)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

bool round_run(struct fuzz_shared *shared, const struct model_machine *machine,
	       const struct fuzz_op *ops, int n, bool count)
{
	struct fuzz_counts before = shared->counts;
	struct model_machine now;
	const char *reason;
	pid_t pid;
	int status;

	memset(&shared->failure, 0, sizeof(shared->failure));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* What others use may change between rounds, and so may what was leaked. */
	reason = round_machine(&now);
	now.unbinds = machine->unbinds;
	fflush(NULL);
	pid = reason ? -1 : fork();
	if (!pid) {
		round_main(shared, &now, ops, n);
		_exit(0);
	}
	status = pid < 0 ? -1 : round_wait(pid, 2 * ACTOR_PATIENCE_MS / 1000);
	if (status == -1 && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (status && !shared->failure.failed) {
		snprintf(shared->failure.text, sizeof(shared->failure.text),
			 "the round ended with status 0x%x%s%s", status, reason ? ": " : "",
			 reason ? reason : "");
		shared->failure.op = n;
		shared->failure.failed = true;
	}
	if (!round_reap(ACTOR_PATIENCE_MS / 1000) && !shared->failure.failed) {
		snprintf(shared->failure.text, sizeof(shared->failure.text),
			 "an actor that was killed does not end");
		shared->failure.op = n;
		shared->failure.failed = true;
	}
	round_restore(machine);
	if (!count)
		shared->counts = before;
	shared->counts.rounds += count;
	return !shared->failure.failed;
}
