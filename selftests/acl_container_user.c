// SPDX-License-Identifier: MIT
/* Who is who in a container: capabilities, users, user namespaces, and the node. */
#include <linux/bpf.h>
#include <sys/sysmacros.h>

#include "acl_container.h"
#include "npumem_cgroup.h"

#include "kselftest_harness.h"

#define SIZE		(4 * MIB)
#define EVERYTHING	(~0ULL)		/* of capabilities */
#define USER		1000
#define GROUP		2000		/* the node's, as the group npumem is */
#define REMAP		100000		/* ids of a container whose users are remapped */

FIXTURE(user)
{
	struct watch watch;
	char node[64], group[64];
	struct container a, b;
};

FIXTURE_SETUP(user)
{
	struct stat st;

	if (geteuid())
		SKIP(return, "needs root");
	if (access("/proc/self/ns/user", F_OK))
		SKIP(return, "the kernel has no user namespaces");
	ASSERT_TRUE(watch_start(&self->watch));
	/* The node of a host where udev has given it to a group. */
	ASSERT_EQ(0, stat(NPUMEM_DEVICE_PATH, &st));
	snprintf(self->node, sizeof(self->node), "/dev/npumem-test-%d", getpid());
	ASSERT_EQ(0, mknod(self->node, S_IFCHR | 0600, st.st_rdev));
	ASSERT_EQ(0, chown(self->node, 0, GROUP));
	ASSERT_EQ(0, chmod(self->node, 0660));
}

FIXTURE_TEARDOWN(user)
{
	EXPECT_TRUE(watch_end(&self->watch));
	EXPECT_EQ(0, unlink(self->node));
	if (*self->group)
		EXPECT_TRUE(becomes_true(!rmdir(self->group)));
}

static long do_capabilities(__u64 *a)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return -errno;
	a[0] = data[0].effective | (__u64)data[1].effective << 32;
	return 0;
}

static long do_mount(__u64 *a)
{
	(void)a;
	return mount("none", "/tmp", "tmpfs", 0, NULL) ? -errno : 0;
}

static long do_getuid(__u64 *a)
{
	(void)a;
	return getuid();
}

static __u64 capabilities(struct process *process)
{
	__u64 mask = EVERYTHING;

	return process_get(process, &mask, 0, do_capabilities, 0) ? EVERYTHING : mask;
}

/* Both are what they claim to be, and then share in both directions. */
#define EXPECT_STORIES(self)							\
	do {									\
		EXPECT_EQ(0, acl_container_story(&(self)->a.process,		\
						 &(self)->b.process, SIZE));	\
		EXPECT_EQ(0, acl_container_story(&(self)->b.process,		\
						 &(self)->a.process, SIZE));	\
		EXPECT_TRUE(watch_used(&(self)->watch, 0, 0));			\
	} while (0)

TEST_F_TIMEOUT(user, root_without_CAP_SYS_ADMIN, 180)
{
	struct container_options options = { .capabilities = CONTAINER_CAPABILITIES };

	ASSERT_EQ(OK, acl_container(&self->a, &options, 0));
	ASSERT_EQ(OK, acl_container(&self->b, &options, 0));
	EXPECT_EQ(CONTAINER_CAPABILITIES, capabilities(&self->a.process));
	EXPECT_EQ(-EPERM, process_do(&self->a.process, do_mount));
	EXPECT_STORIES(self);
}

TEST_F_TIMEOUT(user, root_without_any_capability, 180)
{
	ASSERT_EQ(OK, acl_container(&self->a, NULL, 0));
	ASSERT_EQ(OK, acl_container(&self->b, NULL, 0));
	EXPECT_EQ(0, capabilities(&self->a.process));
	EXPECT_STORIES(self);
}

TEST_F_TIMEOUT(user, user_of_the_group_without_any_capability, 180)
{
	struct container_options options = {
		.node = self->node,
		.uid = USER,
		.group = GROUP,
	};

	ASSERT_EQ(OK, acl_container(&self->a, &options, 0));
	options.uid++;
	ASSERT_EQ(OK, acl_container(&self->b, &options, 0));
	EXPECT_EQ(0, capabilities(&self->a.process));
	EXPECT_EQ(USER, process_do(&self->a.process, do_getuid));
	EXPECT_EQ(USER + 1, process_do(&self->b.process, do_getuid));
	EXPECT_STORIES(self);
}

/* podman without root, with --group-add keep-groups */
TEST_F_TIMEOUT(user, rootless_container_of_a_user_of_the_group, 180)
{
	struct container_options options = {
		.node = self->node,
		.rootless = USER,
		.group = GROUP,
	};

	ASSERT_EQ(OK, acl_container(&self->a, &options, 0));
	options.rootless++;
	ASSERT_EQ(OK, acl_container(&self->b, &options, 0));
	EXPECT_EQ(0, capabilities(&self->a.process));
	EXPECT_EQ(0, process_do(&self->a.process, do_getuid));
	EXPECT_EQ(self->a.process.pid, acl_bare_tgid(&self->a.process));
	EXPECT_STORIES(self);
}

/* docker with userns-remap: groups of the container are others on the host. */
TEST_F_TIMEOUT(user, remapped_container, 180)
{
	struct container_options options = {
		.node = self->node,
		.remap = REMAP,
		.group = GROUP,
		.uid = USER,
	};

	ASSERT_EQ(0, container_start(&self->a, &options));
	EXPECT_EQ(NO_DEVICE, process_do(&self->a.process, acl_do_start, 0));
	EXPECT_EQ(0, process_stop(&self->a.process));
	ASSERT_EQ(0, chown(self->node, 0, REMAP + GROUP));
	ASSERT_EQ(OK, acl_container(&self->a, &options, 0));
	options.remap *= 2;
	options.uid = 0;
	options.capabilities = CONTAINER_CAPABILITIES;
	ASSERT_EQ(0, chown(self->node, 0, 2 * REMAP + GROUP));
	ASSERT_EQ(OK, acl_container(&self->b, &options, 0));
	EXPECT_EQ(0, capabilities(&self->a.process));
	EXPECT_STORIES(self);
}

/* Who may do everything in a user namespace of his own may not have what is others'. */
TEST_F_TIMEOUT(user, root_of_a_user_namespace_gets_nothing_of_others, 180)
{
	struct container_options options = {
		.node = self->node,
		.rootless = USER,
		.group = GROUP,
		.capabilities = EVERYTHING,
	};
	__u64 handle, address, share, theirs, other;

	ASSERT_EQ(OK, acl_container(&self->a, NULL, 0));
	ASSERT_EQ(OK, acl_container(&self->b, &options, 0));
	EXPECT_NE(0, capabilities(&self->b.process) & CAPABILITY(SYS_ADMIN));
	EXPECT_EQ(0, process_do(&self->b.process, do_mount));
	ASSERT_EQ(OK, acl_new(&self->a.process, 0, SIZE, 3, &handle, &address));
	ASSERT_EQ(OK, acl_export(&self->a.process, handle, 0, &share));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, share, 0, &theirs));
	/* Nor can it let itself in, nor use a handle that it was not given. */
	EXPECT_EQ(DRIVER_ERROR, acl_set_pid(&self->b.process, share, self->b.process.pid));
	EXPECT_EQ(DRIVER_ERROR, acl_import(&self->b.process, share, 1, &theirs));
	EXPECT_EQ(PARAM_INVALID, acl_export(&self->b.process, handle, 0, &other));
	EXPECT_EQ(PARAM_INVALID, process_do(&self->b.process, acl_do_free, handle));
	EXPECT_NE(OK, acl_map(&self->b.process, handle, SIZE, 0, &other));
	EXPECT_EQ(0, client_check(&self->a.process, address, SIZE, 3));
	EXPECT_EQ(OK, acl_set_pid(&self->a.process, share, self->b.process.pid));
	EXPECT_EQ(OK, acl_import(&self->b.process, share, 0, &theirs));
}

/* A container without access, and what its text has to say. */
static void expect_no_device(struct __test_metadata *_metadata, struct process *process,
			     const char *remedy)
{
	EXPECT_EQ(NO_DEVICE, process_do(process, acl_do_start, 0));
	EXPECT_EQ(1, acl_message(process, container_text));
	EXPECT_NE(NULL, strstr(container_text, NPUMEM_DEVICE_PATH))
		TH_LOG("%s", container_text);
	EXPECT_NE(NULL, strstr(container_text, remedy))
		TH_LOG("no \"%s\" in: %s", remedy, container_text);
	EXPECT_EQ(NO_DEVICE, process_do(process, acl_do_pid));
}

TEST_F_TIMEOUT(user, without_the_group_there_is_no_device, 180)
{
	struct container_options options = { .node = self->node, .uid = USER };

	ASSERT_EQ(0, container_start(&self->a, &options));
	expect_no_device(_metadata, &self->a.process, "--group-add");
	EXPECT_EQ(0, process_stop(&self->a.process));
	/* To be root of a user namespace is no help, whatever root may do there. */
	options.uid = 0;
	options.rootless = USER;
	options.capabilities = EVERYTHING;
	ASSERT_EQ(0, container_start(&self->a, &options));
	expect_no_device(_metadata, &self->a.process, "--group-add");
	EXPECT_EQ(0, process_stop(&self->a.process));
	options.rootless = 0;
	options.remap = REMAP;
	ASSERT_EQ(0, container_start(&self->a, &options));
	expect_no_device(_metadata, &self->a.process, "--group-add");
	EXPECT_EQ(0, process_stop(&self->a.process));
	/* Until everybody may. */
	ASSERT_EQ(0, chmod(self->node, 0666));
	EXPECT_EQ(OK, acl_container(&self->a, &options, 0));
	EXPECT_EQ(OK, acl_container(&self->b, NULL, 0));
	EXPECT_STORIES(self);
}

TEST_F_TIMEOUT(user, without_a_node_there_is_no_device, 180)
{
	static const struct container_options options = { .node = "" };

	ASSERT_EQ(0, container_start(&self->a, &options));
	expect_no_device(_metadata, &self->a.process, "--device");
}

/* What a runtime does to all devices that it was not told of: c 1:* remains. */
static int deny_devices(const char *group)
{
	static const struct bpf_insn program[] = {
		{ BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1,
		  offsetof(struct bpf_cgroup_dev_ctx, major), 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1 },
		{ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 1, 1 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = sizeof(program) / sizeof(*program),
		.insns = to_u64(program),
		.license = to_u64("GPL"),
	};
	union bpf_attr attach = { .attach_type = BPF_CGROUP_DEVICE };
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load)), ret;

	if (fd < 0)
		return -errno;
	attach.attach_bpf_fd = fd;
	attach.target_fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) ? -errno : 0;
	close(attach.target_fd);
	close(fd);
	return ret;
}

/* The node is there, but it was not the runtime that put it there. */
TEST_F_TIMEOUT(user, device_that_the_cgroup_forbids, 180)
{
	struct container_options options = { .cgroup = self->group };

	if (access(GROUP_ROOT "/cgroup.controllers", R_OK))
		SKIP(return, "needs cgroup v2 at " GROUP_ROOT);
	snprintf(self->group, sizeof(self->group), GROUP_ROOT "/npumem-test-%d", getpid());
	ASSERT_EQ(0, mkdir(self->group, 0755));
	ASSERT_EQ(0, deny_devices(self->group));
	ASSERT_EQ(0, container_start(&self->a, &options));
	expect_no_device(_metadata, &self->a.process, "--device");
}

TEST_HARNESS_MAIN
