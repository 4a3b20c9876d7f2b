/* SPDX-License-Identifier: MIT */
/* Causes of any call, of the driver, devices, contexts and streams. */

PROVOKE(NULL_POINTER)
{
	return CALL(aclrtFreePhysical, NULL);
}

PROVOKE(SIZE_ZERO)
{
	return CALL(aclrtMallocHost, &pointer, 0);
}

PROVOKE(FLAGS)
{
	aclrtPhysicalMemProp prop = acl_memory(0);

	return CALL(aclrtMallocPhysical, &handle, SIZE, &prop, 5);
}

PROVOKE(REPEAT_INITIALIZE)
{
	MUST(!aclInit(NULL));
	return CALL(aclInit, NULL);
}

PROVOKE(REPEAT_FINALIZE)
{
	return CALL(aclFinalize);
}

/* Frees a handle of its parent's. */
static int provoke_in_child(pid_t child)
{
	int status;

	if (!child) {
		keep(CALL(aclrtFreePhysical, mapping.handle));
		_exit(0);
	}
	MUST(child > 0 && waitpid(child, &status, 0) == child && !status);
	return KEPT;
}

PROVOKE(INHERITED)
{
	MUST(start_mapped());
	return provoke_in_child(fork());
}

/* The library is not told: clone without its handlers for fork(). */
PROVOKE(OTHER_PROCESS)
{
	MUST(start_mapped());
	return provoke_in_child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/npumem-causes"

PROVOKE(HOST_MEMORY)
{
	aclrtPhysicalMemProp prop = acl_memory(0);
	int code;

	write_text(CGROUPS "/cgroup.subtree_control", "+memory");
	MUST(start());
	MUST(!mkdir(GROUP, 0755));
	MUST(!write_text(GROUP "/memory.max", "67108864"));
	MUST(!write_text(GROUP "/cgroup.procs", "0"));
	code = CALL(aclrtMallocPhysical, &handle, 96 * MIB, &prop, 0);
	MUST(!write_text(CGROUPS "/cgroup.procs", "0"));
	MUST(becomes_true(!rmdir(GROUP)));
	return code;
}

/* ---- the driver ---- */

/* A /dev of its own, with or without a node. */
static bool hide_node(dev_t device, mode_t mode)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", "/dev", "tmpfs", 0, NULL) &&
	       (!mode || (!mknod("/dev/npumem", S_IFCHR | mode, device) &&
			  !chmod("/dev/npumem", mode)));
}

static dev_t node_number(void)
{
	struct stat node = { .st_rdev = 0 };

	stat("/dev/npumem", &node);
	return node.st_rdev;
}

PROVOKE(NODE_MISSING)
{
	MUST(hide_node(0, 0));
	return CALL(aclInit, NULL);
}

/* A major number for local use, that nobody here uses. */
PROVOKE(NODE_DEAD)
{
	MUST(hide_node(makedev(242, 17), 0666));
	return CALL(aclrtSetDevice, 0);
}

PROVOKE(NODE_MODE)
{
	MUST(hide_node(node_number(), 0600));
	MUST(!seteuid(65534));
	return CALL(aclrtSetDevice, 0);
}

PROVOKE(PROCESS_FILES)
{
	struct rlimit none = { 0, 0 };

	MUST(!setrlimit(RLIMIT_NOFILE, &none));
	return CALL(aclrtSetDevice, 0);
}

PROVOKE(TOO_MANY_CLIENTS)
{
	MUST(!npumem_set_parameter("max_clients", 0));
	return CALL(aclrtSetDevice, 0);
}

/* Those who watch are root's, too. */
PROVOKE(USER_CLIENTS)
{
	MUST(!npumem_set_parameter("max_user_clients", 1));
	MUST(drop_capability(CAP_SYS_RESOURCE));
	return CALL(aclrtSetDevice, 0);
}

/* Root is exempt. */
PROVOKE(SYSTEM_FILES)
{
	static const char path[] = "/proc/sys/fs/file-max";
	char before[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code = NOT_REACHED;

	MUST(hide_node(node_number(), 0666));
	MUST(fd >= 0 && read(fd, before, sizeof(before) - 1) > 0);
	MUST(!write_text(path, "0"));
	if (!seteuid(65534))
		code = CALL(aclrtSetDevice, 0);
	MUST(!seteuid(0) && !write_text(path, before));
	return code;
}

PROVOKE(NOT_OURS)
{
	MUST(hide_node(makedev(1, 3), 0666));
	return CALL(aclrtSetDevice, 0);
}

UNPROVOKED(VERSION, "needs a module of another major version, and there is none");
UNPROVOKED(REQUEST_MALFORMED, "needs a module with other structs of the same version");
UNPROVOKED(UNSUPPORTED, "needs a module that is older than host memory");
UNPROVOKED(MEMORY_FAILED, "needs a page that fails: adversary_poison asks the driver");

/* The library's descriptor, and what was inherited of the test's. */
static bool replace_descriptors(int by)
{
	char path[64], target[64];
	bool found = false;
	int fd;

	for (fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		memset(target, 0, sizeof(target));
		if (readlink(path, target, sizeof(target) - 1) < 0 ||
		    strcmp(target, "/dev/npumem"))
			continue;
		found = by < 0 ? !close(fd) : dup2(by, fd) == fd;
	}
	return found;
}

PROVOKE(DESCRIPTOR_CLOSED)
{
	MUST(start_mapped());
	MUST(replace_descriptors(-1));
	return CALL(aclrtFreePhysical, mapping.handle);
}

PROVOKE(REQUEST_UNKNOWN)
{
	MUST(start_mapped());
	MUST(replace_descriptors(open("/dev/null", O_RDWR)));
	return CALL(aclrtFreePhysical, mapping.handle);
}

/* As container runtimes do it, for all that the process does from now on. */
static bool forbid(unsigned int system_call, unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

PROVOKE(NODE_DENIED)
{
	MUST(forbid(SYS_openat, EPERM));
	return CALL(aclrtSetDevice, 0);
}

PROVOKE(DENIED)
{
	MUST(start_mapped());
	MUST(forbid(SYS_ioctl, EPERM));
	return CALL(aclrtFreePhysical, mapping.handle);
}

PROVOKE(ERRNO)
{
	MUST(start_mapped());
	MUST(forbid(SYS_ioctl, ENOSYS));
	return CALL(aclrtFreePhysical, mapping.handle);
}

/* ---- devices, contexts, streams ---- */

#define choose(list)	MUST(!setenv("ASCEND_RT_VISIBLE_DEVICES", (list), 1))

PROVOKE(NO_DEVICE)
{
	return CALL(aclrtDeviceCanAccessPeer, &value, 0, 29);
}

PROVOKE(NOT_VISIBLE)
{
	choose("1");
	return CALL(aclrtSetDevice, 1);
}

PROVOKE(NO_DRIVER_DEVICE)
{
	return CALL(aclrtGetPhyDevIdByLogicDevId, 29, &value);
}

PROVOKE(HIDDEN_DEVICE)
{
	choose("1");
	return CALL(aclrtGetUserDevIdByLogicDevId, 0, &value);
}

static bool remove_device_1(void)
{
	return !write_text("/sys/bus/platform/drivers/npumem/unbind", "npumem.1");
}

PROVOKE(DEVICE_REMOVED)
{
	MUST(start());
	MUST(remove_device_1());
	return CALL(aclrtDeviceEnablePeerAccess, 1, 0);
}

PROVOKE(MEMORY_REMOVED)
{
	MUST(!acl_mapping_new(&mapping, 1, SIZE));
	MUST(remove_device_1());
	return CALL(aclrtMemExportToShareableHandle, mapping.handle, ACL_MEM_HANDLE_TYPE_NONE, 0,
		    &number);
}

PROVOKE(NO_CONTEXT)
{
	return CALL(aclrtMalloc, &pointer, SIZE, ACL_MEM_MALLOC_HUGE_FIRST);
}

PROVOKE(NOT_SET)
{
	return CALL(aclrtResetDevice, 0);
}

UNPROVOKED(RESET_MEANWHILE, "a race between two system calls of one call of the library");

PROVOKE(NO_SUCH_CONTEXT)
{
	return CALL(aclrtSetCurrentContext, GARBAGE);
}

PROVOKE(DEFAULT_CONTEXT)
{
	aclrtContext context;

	MUST(start());
	MUST(!aclrtGetCurrentContext(&context));
	return CALL(aclrtDestroyContext, context);
}

PROVOKE(MEMORY_ATTR)
{
	MUST(start());
	return CALL(aclrtGetMemInfo, (aclrtMemAttr)99, &amount, &amount);
}

PROVOKE(NO_SUCH_STREAM)
{
	return CALL(aclrtSynchronizeStream, GARBAGE);
}

UNPROVOKED(STREAM_GONE, "a race between two instructions of one call of the library");

PROVOKE(TIMEOUT)
{
	MUST(start());
	return CALL(aclrtSynchronizeDeviceWithTimeout, -2);
}

PROVOKE(PEER_FLAGS)
{
	MUST(start());
	return CALL(aclrtDeviceEnablePeerAccess, 1, 1);
}

PROVOKE(PEER_SAME)
{
	return CALL(aclrtDeviceCanAccessPeer, &value, 1, 1);
}

PROVOKE(PEER_NOT_ENABLED)
{
	MUST(start());
	return CALL(aclrtDeviceDisablePeerAccess, 1);
}

UNPROVOKED(PEER_TOO_OFTEN, "takes 2^32 calls");

PROVOKE(PACKAGE_UNKNOWN)
{
	static char name[] = "driver", version[ACL_PKG_VERSION_MAX_SIZE];

	return CALL(aclsysGetVersionStr, name, version);
}
