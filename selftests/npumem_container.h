/* SPDX-License-Identifier: MIT */
/*
 * Containers for tests, made with system calls in the way a container runtime
 * makes them: namespaces of all kinds, a root of its own put together from bind
 * mounts, a /dev with little more than the node in it, no more capabilities than
 * asked for, and then the program is executed. That is the test's own program,
 * which serves calls as the processes of npumem_process.h do.
 *
 * Memory that both sides see is container_text; process_shared() ends at exec.
 */
#ifndef _NPUMEM_CONTAINER_H
#define _NPUMEM_CONTAINER_H

#include "npumem_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "npumem_abi.h"

#define CONTAINER_CHANNEL	3
#define CONTAINER_MEMFD		4
#define CONTAINER_ROOT		"/tmp"		/* of the new mount namespace */
#define CONTAINER_VARIABLE	"NPUMEM_IN_A_CONTAINER"
#define CONTAINER_VISIBLE	"ASCEND_RT_VISIBLE_DEVICES"
#define CONTAINER_TEXT_SIZE	4096

/* At the same place in the test and in all containers. */
#define container_text	((char *)0x100000000000UL)

#define CONTAINER_NAMESPACES	(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | \
				 CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)

#define CAPABILITY(name)	(1ULL << CAP_##name)
/* What docker and podman leave to root in a container. */
#define CONTAINER_CAPABILITIES						\
	(CAPABILITY(CHOWN) | CAPABILITY(DAC_OVERRIDE) | CAPABILITY(FSETID) |	\
	 CAPABILITY(FOWNER) | CAPABILITY(MKNOD) | CAPABILITY(NET_RAW) |		\
	 CAPABILITY(SETGID) | CAPABILITY(SETUID) | CAPABILITY(SETFCAP) |	\
	 CAPABILITY(SETPCAP) | CAPABILITY(NET_BIND_SERVICE) |			\
	 CAPABILITY(SYS_CHROOT) | CAPABILITY(KILL) | CAPABILITY(AUDIT_WRITE))

/* All 0: root without a capability, and the host's node. */
struct container_options {
	const char *node;	/* the host's node; "" for none */
	const char *cgroup;	/* directory of the group it is put in */
	const char *visible;	/* ASCEND_RT_VISIBLE_DEVICES */
	bool no_proc;
	int nested;		/* pid namespaces between the host's and the program's */
	__u64 capabilities;
	uid_t uid;		/* of the program; its group has the same number */
	gid_t group;		/* one more group of the program, if not 0 */
	/*
	 * A user namespace: of the user who starts the container and is its root,
	 * or made by root, with the container's ids from remap on.
	 */
	uid_t rootless;
	uid_t remap;
};

struct container {
	struct process process;	/* the first one; pid is the host's number */
	pid_t program;		/* the same, or of who is in the innermost namespace */
	struct container_options options;
};

/* ---- in the container ---- */

/*
 * The program is where the loader put it, which is not where the test's is: the
 * test tells where its own container_serve() is.
 */
static void container_serve(int channel)
{
	struct call call = { 0 };
	__u64 anchor, here = to_u64(container_serve);

	if (!channel_transfer(channel, &anchor, sizeof(anchor), false) ||
	    !channel_transfer(channel, &here, sizeof(here), true))
		_exit(1);
	while (channel_transfer(channel, &call, sizeof(call), false) && call.function) {
		long (*function)(__u64 *) = to_ptr(to_u64(call.function) - anchor + here);

		call.result = function(call.argument);
		if (!channel_transfer(channel, &call, sizeof(call), true))
			break;
	}
	_exit(0);
}

static inline bool container_map_text(int fd)
{
	return mmap(container_text, CONTAINER_TEXT_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == container_text;
}

/* Instead of main(), and of the harness. */
__attribute__((constructor)) static void container_main(void)
{
	if (!getenv(CONTAINER_VARIABLE))
		return;
	unsetenv(CONTAINER_VARIABLE);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!container_map_text(CONTAINER_MEMFD))
		_exit(1);
	close(CONTAINER_MEMFD);
	fcntl(CONTAINER_CHANNEL, F_SETFD, FD_CLOEXEC);
	container_serve(CONTAINER_CHANNEL);
}

/* ---- the runtime's work ---- */

#define CONTAINER_MOUNTS	16

/* What the root is made of; taken hold of outside, where all paths are open. */
struct container_setup {
	const struct container_options *options;
	int channel, memfd, go[2];
	int nr_mounts;
	struct {
		int fd;
		bool directory, writable;
		char target[64];
	} mounts[CONTAINER_MOUNTS];
	char program[64];
};

_Noreturn static inline void container_die(const char *what)
{
	dprintf(STDOUT_FILENO, "# container: %s: %s\n", what, strerror(errno));
	_exit(1);
}

#define container_try(expression)					\
	do {								\
		if ((long)(expression) < 0)				\
			container_die(#expression);			\
	} while (0)

static inline void container_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		container_die(path);
	close(fd);
}

static inline void container_take(struct container_setup *setup, const char *path,
				  const char *target, bool writable)
{
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		container_die(path);
	setup->mounts[setup->nr_mounts].fd = fd;
	setup->mounts[setup->nr_mounts].directory = S_ISDIR(st.st_mode);
	setup->mounts[setup->nr_mounts].writable = writable;
	snprintf(setup->mounts[setup->nr_mounts++].target, 64, CONTAINER_ROOT "/%s", target);
}

/* The directory that holds the program and the library; it is /build inside. */
static inline void container_find_program(struct container_setup *setup, char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *name;

	if (n < 0)
		container_die("/proc/self/exe");
	path[n] = '\0';
	name = strrchr(path, '/');
	snprintf(setup->program, sizeof(setup->program), "/build/selftests%s", name);
	*name = '\0';
	*strrchr(path, '/') = '\0';
}

static inline void container_take_all(struct container_setup *setup)
{
	static const char * const devices[] = { "null", "zero", "full", "random", "urandom" };
	const char *node = setup->options->node ?: NPUMEM_DEVICE_PATH;
	char path[PATH_MAX], target[32];
	unsigned int i;

	container_find_program(setup, path);
	container_take(setup, path, "build", false);
	container_take(setup, "/usr", "usr", false);
	for (i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
		snprintf(target, sizeof(target), "dev/%s", devices[i]);
		container_take(setup, path, target, true);
	}
	if (*node)
		container_take(setup, node, "dev/npumem", true);
}

static inline void container_root(struct container_setup *setup)
{
	int i;

	container_try(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
	container_try(mount("tmpfs", CONTAINER_ROOT, "tmpfs", MS_NOSUID | MS_NODEV,
			    "mode=755"));
	container_try(mkdir(CONTAINER_ROOT "/dev", 0755));
	container_try(mkdir(CONTAINER_ROOT "/proc", 0555));
	container_try(mkdir(CONTAINER_ROOT "/tmp", 01777));
	/* As everywhere by now, /lib is in /usr. */
	container_try(symlink("usr/lib", CONTAINER_ROOT "/lib"));
	container_try(symlink("usr/lib64", CONTAINER_ROOT "/lib64"));
	container_try(mount("tmpfs", CONTAINER_ROOT "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC,
			    "mode=755"));
	for (i = 0; i < setup->nr_mounts; i++) {
		const char *target = setup->mounts[i].target;

		if (setup->mounts[i].directory)
			container_try(mkdir(target, 0755));
		else
			container_try(mknod(target, S_IFREG | 0644, 0));
		if (move_mount(setup->mounts[i].fd, "", AT_FDCWD, target,
			       MOVE_MOUNT_F_EMPTY_PATH))
			container_die(target);
		/* mount_setattr() could do so before, but 5.10 does not have it. */
		if (!setup->mounts[i].writable)
			container_try(mount(NULL, target, NULL,
					    MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	}
	if (!setup->options->no_proc)
		container_try(mount("proc", CONTAINER_ROOT "/proc", "proc",
				    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	container_try(chdir(CONTAINER_ROOT));
	container_try(syscall(SYS_pivot_root, ".", "."));
	container_try(umount2(".", MNT_DETACH));
	container_try(chdir("/"));
	container_try(sethostname("container", 9));
}

static inline void container_credentials(const struct container_options *options)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	__u64 capabilities = options->capabilities;
	int i;

	for (i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (!(capabilities & 1ULL << i))
			container_try(prctl(PR_CAPBSET_DROP, i));
	/* One who is alone in his user namespace keeps the groups he has. */
	if (!options->rootless)
		container_try(setgroups(!!options->group, &options->group));
	container_try(prctl(PR_SET_KEEPCAPS, 1));
	container_try(setresgid(options->uid, options->uid, options->uid));
	container_try(setresuid(options->uid, options->uid, options->uid));
	for (i = 0; i < 2; i++) {
		data[i].permitted = capabilities >> 32 * i;
		data[i].effective = data[i].permitted;
	}
	container_try(syscall(SYS_capset, &header, data));
	container_try(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* Init of a namespace whose one child is the next. */
static inline void container_nest(const struct container_options *options)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		container_die("clone3, nested");
	if (!pid && options->no_proc)
		return;
	if (!pid) {
		container_try(umount2("/proc", MNT_DETACH));
		container_try(mount("proc", "/proc", "proc",
				    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(0, ~0U, 0);
	waitpid(pid, NULL, 0);
	_exit(0);
}

_Noreturn static inline void container_execute(struct container_setup *setup)
{
	char visible[128], *argv[] = { setup->program, NULL };
	/* Where the program is the loader may ask /proc only. */
	char *environment[] = { CONTAINER_VARIABLE "=1", "LD_LIBRARY_PATH=/build/lib", NULL,
				NULL };

	snprintf(visible, sizeof(visible), "%s=%s", CONTAINER_VISIBLE,
		 setup->options->visible ?: "");
	if (setup->options->visible)
		environment[2] = visible;
	container_credentials(setup->options);
	/* Out of the way first, wherever they are. */
	setup->channel = fcntl(setup->channel, F_DUPFD_CLOEXEC, 100);
	setup->memfd = fcntl(setup->memfd, F_DUPFD_CLOEXEC, 100);
	container_try(dup2(setup->channel, CONTAINER_CHANNEL));
	container_try(dup2(setup->memfd, CONTAINER_MEMFD));
	container_try(close_range(CONTAINER_MEMFD + 1, ~0U, 0));
	execve(setup->program, argv, environment);
	container_die(setup->program);
}

_Noreturn static inline void container_child(struct container_setup *setup)
{
	char byte;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(setup->go[1]);
	if (read(setup->go[0], &byte, 1) != 1)
		_exit(1);
	if (setup->options->rootless || setup->options->remap) {
		container_try(setresgid(0, 0, 0));
		container_try(setresuid(0, 0, 0));
	}
	container_root(setup);
	for (i = 0; i < setup->options->nested; i++)
		container_nest(setup->options);
	container_execute(setup);
}

static inline void container_map_ids(pid_t pid, const struct container_options *options)
{
	uid_t first = options->rootless ?: options->remap;
	char path[64], text[64];

	snprintf(text, sizeof(text), "0 %u %u", first, options->rootless ? 1 : 65536);
	if (options->rootless) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		container_write(path, "deny");
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	container_write(path, text);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	container_write(path, text);
}

static inline void container_become(const struct container_options *options)
{
	uid_t uid = options->rootless;

	if (!uid)
		return;
	container_try(setgroups(!!options->group, &options->group));
	container_try(setresgid(uid, uid, uid));
	container_try(setresuid(uid, uid, uid));
	/* Or its files in /proc would be root's. */
	container_try(prctl(PR_SET_DUMPABLE, 1));
}

static inline void container_join_cgroup(const struct container_options *options)
{
	char path[PATH_MAX];

	if (!options->cgroup)
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", options->cgroup);
	container_write(path, "0");
}

/*
 * The runtime: it prepares, makes a process that is the test's child like
 * itself, tells its number and is gone.
 */
_Noreturn static inline void container_runtime(struct container_setup *setup, int report)
{
	const struct container_options *options = setup->options;
	struct clone_args args = { .flags = CONTAINER_NAMESPACES | CLONE_PARENT };
	pid_t pid;

	container_try(pipe2(setup->go, O_CLOEXEC));
	container_take_all(setup);
	container_join_cgroup(options);
	container_become(options);
	if (options->rootless || options->remap)
		args.flags |= CLONE_NEWUSER;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		container_die("clone3");
	if (!pid)
		container_child(setup);
	if (write(report, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	if (args.flags & CLONE_NEWUSER)
		container_map_ids(pid, options);
	_exit(write(setup->go[1], "", 1) != 1);
}

/* Another process for a container, as "docker exec" adds one. */
_Noreturn static inline void container_runtime_exec(struct container_setup *setup, int report,
						    pid_t init, pid_t inner)
{
	const struct container_options *options = setup->options;
	struct clone_args args = {
		.flags = CLONE_PARENT,
		.set_tid = to_u64(&inner),
		.set_tid_size = inner ? 1 : 0,
	};
	int spaces = CONTAINER_NAMESPACES, pidfd = syscall(SYS_pidfd_open, init, 0);
	char path[PATH_MAX];
	pid_t pid;

	if (!inner)
		args.set_tid = 0;
	container_try(pidfd);
	container_find_program(setup, path);
	container_join_cgroup(options);
	if (options->rootless || options->remap)
		spaces |= CLONE_NEWUSER;
	container_try(setns(pidfd, spaces));
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		container_die("clone3, joining");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		container_try(setresgid(0, 0, 0));
		container_try(setresuid(0, 0, 0));
		container_execute(setup);
	}
	_exit(write(report, &pid, sizeof(pid)) != sizeof(pid));
}

/* ---- in the test ---- */

/* Memory that is at container_text here and in all containers. */
static inline int container_memfd(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = memfd_create("container_text", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, CONTAINER_TEXT_SIZE) || !container_map_text(fd))
		return -1;
	/* Whoever is root inside. */
	fchmod(fd, 0666);
	return fd;
}

/* Runs the runtime and greets the program. 0, or what PROCESS_* says of processes. */
static inline long container_run(struct process *process, const struct container_options *options,
				 pid_t init, pid_t inner)
{
	struct container_setup setup = { .options = options, .memfd = container_memfd() };
	__u64 anchor = to_u64(container_serve), there;
	int channel[2], report[2];
	pid_t runtime;

	if (setup.memfd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) ||
	    pipe2(report, O_CLOEXEC))
		return -errno;
	setup.channel = channel[1];
	fflush(NULL);
	runtime = fork();
	if (!runtime) {
		close(channel[0]);
		if (init)
			container_runtime_exec(&setup, report[1], init, inner);
		container_runtime(&setup, report[1]);
	}
	close(channel[1]);
	close(report[1]);
	process->channel = channel[0];
	process->pid = 0;
	if (read(report[0], &process->pid, sizeof(pid_t)) == sizeof(pid_t))
		process_note(0, process->pid);
	close(report[0]);
	waitpid(runtime, NULL, 0);
	if (process->pid <= 0 ||
	    !channel_transfer(process->channel, &anchor, sizeof(anchor), true) ||
	    !process_answers(process, PROCESS_PATIENCE_MS) ||
	    !channel_transfer(process->channel, &there, sizeof(there), false))
		return PROCESS_DIED;
	return 0;
}

/* The host's number of the only child of a process, 0 if it has none. */
static inline pid_t container_child_of(pid_t pid)
{
	char path[64];
	pid_t child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &child) != 1)
		child = 0;
	if (f)
		fclose(f);
	return child;
}

/* Starts a container; its program waits for calls. */
static inline long container_start(struct container *container,
				   const struct container_options *options)
{
	static const struct container_options none;
	long ret;
	int i;

	container->options = options ? *options : none;
	ret = container_run(&container->process, &container->options, 0, 0);
	container->program = container->process.pid;
	for (i = 0; !ret && i < container->options.nested; i++)
		container->program = container_child_of(container->program);
	return ret ? ret : container->program ? 0 : PROCESS_DIED;
}

/* One more process in it, with number @inner in there, or any if that is 0. */
static inline long container_enter(struct container *container, struct process *process,
				   pid_t inner)
{
	return container_run(process, &container->options, container->process.pid, inner);
}

/* Kills its init, and so all: of them @member has to be reaped, if it is not NULL. */
static inline int container_kill(struct container *container, struct process *member)
{
	int status;

	kill(container->process.pid, SIGKILL);
	/* An init ends after all others are reaped. */
	if (member) {
		status = process_status(member);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			return -1;
	}
	status = process_status(&container->process);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

/*
 * The host's number of a process, by its numbers in the namespaces: "345\t2\t1"
 * as /proc shows it to the host. Empty if there is no such process.
 */
static inline const char *container_numbers(pid_t pid)
{
	static char line[256];
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:\t", 7))
			continue;
		fclose(f);
		line[strcspn(line, "\n")] = '\0';
		return line + 7;
	}
	if (f)
		fclose(f);
	return "";
}

#endif /* _NPUMEM_CONTAINER_H */
