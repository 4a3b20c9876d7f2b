// SPDX-License-Identifier: MIT
/*
 * Ways to get at the pages behind a mapping without a load or a store: pipes,
 * other processes, /proc, direct I/O. Each is refused or gives the right data,
 * and no page that somebody still has is given to anyone else.
 */
#include "kselftest_harness.h"
#include "npumem_abi.h"

#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

FIXTURE(pages) {
	int fd;
	__u64 used;
	__u64 handle, address;
	char *p;		/* 2 MiB */
};

FIXTURE_SETUP(pages)
{
	self->fd = npumem_open();
	ASSERT_LE(0, self->fd);
	self->used = npumem_used(self->fd, 0);
	ASSERT_EQ(0, npumem_new_mapping(self->fd, 0, G, &self->handle,
					&self->address));
	self->p = to_ptr(self->address);
	pattern_fill(self->p, G, 41);
}

FIXTURE_TEARDOWN(pages)
{
	munmap(self->p, G);
	close(self->fd);
	self->fd = npumem_open();
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used, 3000));
	close(self->fd);
}

/* Gives the memory back and lets the next owners of the pages write to them. */
static int replace_memory(int fd, __u64 address, __u64 handle)
{
	__u64 other, base;
	int error, i;

	error = npumem_unmap(fd, address);
	if (!error)
		error = npumem_free(fd, handle);
	for (i = 0; i < 4 && !error; i++) {
		error = npumem_new_mapping(fd, i & 1, 16 * G, &other, &base);
		if (error)
			break;
		memset(to_ptr(base), 0xee, 16 * G);
		error = npumem_free(fd, other);
		if (munmap(to_ptr(base), 16 * G))
			error = -errno;
	}
	return error;
}

TEST_F(pages, vmsplice_never_shows_the_next_owners_data)
{
	struct iovec vec = { .iov_base = self->p + 8192, .iov_len = 4096 };
	char buffer[4096];
	int fds[2];
	ssize_t n;

	ASSERT_EQ(0, pipe(fds));
	n = vmsplice(fds[1], &vec, 1, SPLICE_F_NONBLOCK);
	if (n < 0) {
		EXPECT_EQ(EFAULT, errno);
	} else {
		memcpy(buffer, self->p + 8192, n);
	}
	ASSERT_EQ(0, replace_memory(self->fd, self->address, self->handle));
	if (n > 0) {
		char got[4096];

		/* The pipe holds a page: it has to stay what it was. */
		ASSERT_EQ(n, read(fds[0], got, sizeof(got)));
		EXPECT_EQ(0, memcmp(buffer, got, n));
	}
	close(fds[0]);
	close(fds[1]);
	/* Whatever a pipe held on to goes with it. */
	EXPECT_TRUE(npumem_used_becomes(self->fd, 0, self->used, 3000));
}

TEST_F(pages, many_vmsplices_leak_nothing)
{
	struct iovec vec = { .iov_len = 16384 };
	int i;

	for (i = 0; i < 200; i++) {
		int fds[2];

		ASSERT_EQ(0, pipe(fds));
		vec.iov_base = self->p + (i % 100) * 16384;
		vmsplice(fds[1], &vec, 1, SPLICE_F_NONBLOCK | SPLICE_F_GIFT);
		close(fds[0]);
		close(fds[1]);
	}
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
}

TEST_F(pages, write_and_read_by_pipe_and_file)
{
	char name[] = "/tmp/npumem-pages-XXXXXX";
	int fd = mkstemp(name), fds[2];
	char buffer[4096];

	ASSERT_LE(0, fd);
	unlink(name);
	ASSERT_EQ(65536, write(fd, self->p, 65536));
	ASSERT_EQ(4096, pread(fd, buffer, 4096, 4096));
	EXPECT_EQ(0, memcmp(buffer, self->p + 4096, 4096));
	memset(self->p, 0, 65536);
	ASSERT_EQ(65536, pread(fd, self->p, 65536, 0));
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(4096, write(fds[1], self->p, 4096));
	ASSERT_EQ(4096, read(fds[0], self->p + 8192, 4096));
	EXPECT_EQ(0, memcmp(self->p, self->p + 8192, 4096));
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

TEST_F(pages, direct_io_and_zero_copy_are_harmless)
{
	char name[] = "/var/tmp/npumem-direct-XXXXXX";
	int fd = mkstemp(name), direct, sockets[2], one = 1;

	ASSERT_LE(0, fd);
	direct = open(name, O_RDWR | O_DIRECT);
	if (direct >= 0) {
		ssize_t n = write(direct, self->p, 65536);

		if (n > 0) {
			char *back = malloc(65536);

			EXPECT_EQ(n, pread(fd, back, 65536, 0));
			EXPECT_EQ(0, memcmp(back, self->p, n));
			free(back);
		}
		close(direct);
	}
	unlink(name);
	close(fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	setsockopt(sockets[0], SOL_SOCKET, 60 /* SO_ZEROCOPY */, &one, 4);
	send(sockets[0], self->p, 4096, 0x4000000 | MSG_DONTWAIT);
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
}

/* Refused, or exactly the data. */
#define EXPECT_REFUSED_OR_DATA(n, got, offset, length) do {		\
	ssize_t n_ = (n);						\
	if (n_ >= 0) {							\
		EXPECT_EQ((ssize_t)(length), n_);			\
		EXPECT_EQ(0, memcmp(got, self->p + (offset), length));	\
	} else {							\
		EXPECT_TRUE(errno == EFAULT || errno == EIO) {		\
			TH_LOG("errno %d", errno);			\
		}							\
	}								\
} while (0)

TEST_F(pages, process_vm_readv_and_writev)
{
	char buffer[4096] = {};
	struct iovec local = { buffer, sizeof(buffer) };
	struct iovec remote = { self->p + 12288, sizeof(buffer) };

	EXPECT_REFUSED_OR_DATA(process_vm_readv(getpid(), &local, 1, &remote, 1,
						0), buffer, 12288, 4096);
	memset(buffer, 0x77, sizeof(buffer));
	EXPECT_REFUSED_OR_DATA(process_vm_writev(getpid(), &local, 1, &remote,
						 1, 0), buffer, 12288, 4096);
	/* Across the end of the mapping. */
	remote.iov_base = self->p + G - 100;
	process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	pattern_fill(self->p, G, 41);
}

TEST_F(pages, proc_self_mem)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char buffer[64] = {};

	ASSERT_LE(0, mem);
	EXPECT_REFUSED_OR_DATA(pread(mem, buffer, 64, self->address + 4096),
			       buffer, 4096, 64);
	memset(buffer, 0x66, sizeof(buffer));
	EXPECT_REFUSED_OR_DATA(pwrite(mem, buffer, 64, self->address + 4096),
			       buffer, 4096, 64);
	close(mem);
}

/* FOLL_FORCE goes around the VMA's protection; rights are not the VMA's. */
TEST_F(pages, proc_self_mem_does_not_go_around_rights)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char buffer[64] = {};
	unsigned int i;

	ASSERT_LE(0, mem);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, npumem_set_access(self->fd, self->address, G, 0,
					       i ? NPUMEM_ACCESS_NONE :
					       NPUMEM_ACCESS_READ));
		EXPECT_EQ(-1, pwrite(mem, buffer, 64, self->address));
		EXPECT_EQ(-1, pwrite(mem, buffer, 64, self->address + G / 2));
	}
	EXPECT_EQ(-1, pread(mem, buffer, 64, self->address));
	ASSERT_EQ(0, npumem_set_access(self->fd, self->address, G, 0,
				       NPUMEM_ACCESS_READWRITE));
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
	/* Nor around the protection of a read-only VMA. */
	ASSERT_EQ(0, mprotect(self->p, G, PROT_READ));
	EXPECT_EQ(-1, pwrite(mem, buffer, 64, self->address));
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
	ASSERT_EQ(0, mprotect(self->p, G, PROT_READ | PROT_WRITE));
	close(mem);
}

TEST_F(pages, proc_self_mem_of_nothing_is_eio)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char buffer[64] = {};

	ASSERT_LE(0, mem);
	ASSERT_EQ(0, npumem_unmap(self->fd, self->address));
	EXPECT_EQ(-1, pread(mem, buffer, 64, self->address));
	EXPECT_EQ(-1, pwrite(mem, buffer, 64, self->address));
	close(mem);
}

TEST_F(pages, ptrace_of_the_owner)
{
	pid_t self_pid = getpid(), child = fork();
	int status;

	ASSERT_LE(0, child);
	if (!child) {
		long word;

		/* A child traces its parent: what a debugger does. */
		if (ptrace(PTRACE_ATTACH, self_pid, 0, 0))
			_exit(2);
		waitpid(self_pid, &status, 0);
		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, self_pid, self->p + 8, 0);
		status = errno ? (errno == EIO || errno == EFAULT ? 0 : 3) :
			(__u64)word == pattern_word(41, 1) ? 0 : 4;
		ptrace(PTRACE_POKEDATA, self_pid, self->p + 8,
		       pattern_word(41, 1));
		ptrace(PTRACE_DETACH, self_pid, 0, 0);
		_exit(status);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
}

/* A child has no such address, whatever is advised; the parent keeps all. */
TEST_F(pages, forked_child_has_nothing_there)
{
	int round, status;

	for (round = 0; round < 2; round++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child) {
			int bad = load_signal(self->address) != SIGSEGV;

			bad |= store_signal(self->address + G - 1) != SIGSEGV;
			bad |= npumem_unmap(self->fd, self->address) != -EACCES;
			_exit(bad);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
		EXPECT_EQ(-1, madvise(self->p, G, MADV_DOFORK));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(pages, forked_childs_mremap_and_munmap_do_not_matter)
{
	pid_t child = fork();
	int status;

	ASSERT_LE(0, child);
	if (!child) {
		if (mremap(self->p, G, 2 * G, MREMAP_MAYMOVE) != MAP_FAILED)
			_exit(1);
		if (munmap(self->p, 4096))
			_exit(2);
		if (mmap(self->p, G, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_FIXED, -1, 0) != self->p)
			_exit(3);
		_exit(close(self->fd));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, pattern_verify(self->p, G, 41));
	EXPECT_EQ(0, npumem_unmap(self->fd, self->address));
}

/* Device memory as the argument of the driver's own calls. */
TEST_F(pages, argument_in_device_memory)
{
	struct npumem_device_info *info = (void *)self->p;
	struct npumem_unmap *unmap = (void *)(self->p + 4096);
	struct npumem_access *entry = (void *)(self->p + 8192);

	info->size = sizeof(*info);
	info->device = 0;
	EXPECT_EQ(0, npumem_call(self->fd, NPUMEM_DEVICE_INFO, info));
	EXPECT_EQ(self->used + G, info->used);
	memset(entry, 0, sizeof(*entry));
	entry->location_type = NPUMEM_LOCATION_DEVICE;
	entry->access = NPUMEM_ACCESS_READWRITE;
	EXPECT_EQ(0, npumem_set_access_list(self->fd, self->address, G, entry,
					    1));
	memset(unmap, 0, sizeof(*unmap));
	unmap->size = sizeof(*unmap);
	unmap->address = self->address;
	EXPECT_EQ(0, npumem_call(self->fd, NPUMEM_UNMAP, unmap));
	EXPECT_EQ(-EFAULT, npumem_call(self->fd, NPUMEM_DEVICE_INFO, info));
	EXPECT_EQ(-EFAULT, npumem_call(self->fd, NPUMEM_UNMAP, unmap));
}

/* Results that cannot be written back to where the argument was read from. */
TEST_F(pages, argument_in_read_only_device_memory)
{
	struct npumem_alloc *alloc = (void *)self->p;
	__u64 used = npumem_used(self->fd, 0);
	struct npumem_stats stats;

	*alloc = (struct npumem_alloc) {
		.size = sizeof(*alloc),
		.location_type = NPUMEM_LOCATION_DEVICE,
		.length = G,
	};
	ASSERT_EQ(0, npumem_set_access(self->fd, self->address, G, 0,
				       NPUMEM_ACCESS_READ));
	EXPECT_EQ(-EFAULT, npumem_call(self->fd, NPUMEM_ALLOC, alloc));
	EXPECT_EQ(used, npumem_used(self->fd, 0));
	ASSERT_EQ(0, npumem_stats(self->fd, &stats));
	EXPECT_EQ(1, stats.handles);
}

/* A core file of a process with device memory does not hold the memory. */
TEST_F(pages, not_in_core_files)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512], start[32];
	bool ours = false, seen = false;

	ASSERT_NE(NULL, f);
	snprintf(start, sizeof(start), "%llx-", self->address);
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strstr(line, " rw-s"))
			ours = !strncmp(line, start, strlen(start));
		if (!ours || strncmp(line, "VmFlags:", 8))
			continue;
		seen = true;
		EXPECT_NE(NULL, strstr(line, " dd"));	/* do not dump */
		EXPECT_NE(NULL, strstr(line, " dc"));	/* do not copy on fork */
		EXPECT_NE(NULL, strstr(line, " de"));	/* do not expand */
		EXPECT_NE(NULL, strstr(line, " io"));
		EXPECT_NE(NULL, strstr(line, " pf"));	/* page frames only */
		ours = false;
	}
	EXPECT_TRUE(seen);
	fclose(f);
}

TEST_HARNESS_MAIN
