// SPDX-License-Identifier: MIT
/*
 * Address space. The driver takes aligned addresses only; finding them is
 * done here.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npumem_shim.h"

/* Since Linux 4.17; older ones take it for a hint, which is noticed. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* How often another thread may take the place that was found. */
#define ATTEMPTS 256

const struct shim_rule shim_reserve_rules[] = {
	{ EAGAIN, CAUSE_ADDRESSES_LOCKED },
	{ ENOMEM, CAUSE_ADDRESSES },
	{ EEXIST, CAUSE_ADDRESSES_CONTENDED },
	{ EMFILE, CAUSE_TOO_MANY_RESERVATIONS },
	{ EDQUOT, CAUSE_USER_RESERVATIONS },
	{ 0 }
};

static const struct shim_rule expect_rules[] = {
	{ EAGAIN, CAUSE_ADDRESSES_LOCKED },
	{ EEXIST, CAUSE_EXPECT_TAKEN },
	{ EPERM, CAUSE_EXPECT_TAKEN },
	{ ERANGE, CAUSE_EXPECT_OUTSIDE },
	{ ENOMEM, CAUSE_ADDRESSES },
	{ EMFILE, CAUSE_TOO_MANY_RESERVATIONS },
	{ EDQUOT, CAUSE_USER_RESERVATIONS },
	{ 0 }
};

static const struct shim_rule release_rules[] = {
	{ ENOENT, CAUSE_NO_RESERVATION },
	{ EBUSY, CAUSE_STILL_MAPPED },
	{ 0 }
};

/* The node at exactly @address, where nothing is; an errno else. */
static int map_node(int fd, uintptr_t address, size_t length)
{
	void *wanted = (void *)address;
	void *got;

	got = mmap(wanted, length, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (got == MAP_FAILED)
		return errno;
	if (got == wanted)
		return 0;
	munmap(got, length);
	return EEXIST;
}

/*
 * Finds a free range with room to align, and lets go of the aligned part only
 * just before the node goes there. Never maps over anything: what a failed
 * MAP_FIXED leaves behind differs between kernels. EEXIST: another thread was
 * faster.
 */
static int map_anywhere(int fd, size_t length, size_t align, uintptr_t *address)
{
	size_t slack = length + align;
	uintptr_t start, end;
	void *got;
	int error;

	got = mmap(NULL, slack, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (got == MAP_FAILED)
		return errno;
	start = (uintptr_t)got;
	end = start + slack;
	*address = (start + align - 1) & ~(uintptr_t)(align - 1);
	if (munmap((void *)*address, length)) {
		error = errno;
		munmap(got, slack);
		return error;
	}
	error = map_node(fd, *address, length);
	if (*address > start)
		munmap(got, *address - start);
	if (end > *address + length)
		munmap((void *)(*address + length), end - *address - length);
	return error;
}

/* Tells a bad address from a process that may not have more of them. */
static int map_expected(int fd, uintptr_t address, size_t length)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *last = (void *)(address + (length - page));
	int error = map_node(fd, address, length);

	if (error != ENOMEM)
		return error;
	if (mmap(last, page, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
		 -1, 0) == last) {
		munmap(last, page);
		return ENOMEM;
	}
	return ERANGE;
}

int shim_reserve(int fd, uintptr_t expected, size_t length, uintptr_t *address)
{
	size_t align = length < NPUMEM_GRANULE_1G ? NPUMEM_GRANULE : NPUMEM_GRANULE_1G;
	int error = EEXIST;

	if (!shim_range_room(&shim_reservations))
		return ENOMEM;
	if (expected) {
		*address = expected;
		error = map_expected(fd, expected, length);
	}
	for (int i = 0; !expected && i < ATTEMPTS && error == EEXIST; i++)
		error = map_anywhere(fd, length, align, address);
	if (!error)
		shim_range_add(&shim_reservations, *address, length);
	return error;
}

/* The power of two that holds @size, from 2 MiB to 1 GiB. */
static size_t expected_alignment(size_t size)
{
	size_t align = NPUMEM_GRANULE;

	while (align < size && align < NPUMEM_GRANULE_1G)
		align <<= 1;
	return align;
}

static aclError check_reserve(const struct shim_call *call, void *const *virPtr,
			      size_t size, size_t alignment, uintptr_t expected,
			      uint64_t flags)
{
	size_t align = expected_alignment(size);

	if (!virPtr)
		return shim_null(call, "virPtr");
	if (!size)
		return shim_fail(call, CAUSE_SIZE_ZERO);
	if (flags > 1)
		return shim_fail(call, CAUSE_RESERVE_FLAGS);
	if (alignment)
		return shim_fail(call, CAUSE_ALIGNMENT);
	if (expected & (align - 1))
		return shim_fail(call, CAUSE_EXPECT_MISALIGNED, align);
	return ACL_SUCCESS;
}

static aclError reserve_checked(const struct shim_call *call, void **virPtr,
				size_t size, uintptr_t expected)
{
	uintptr_t address = 0;
	size_t length;
	aclError err;
	int error;
	int fd;

	/* Alignment included, it must not wrap around. */
	if (size > SIZE_MAX / 2)
		return shim_explain(call, shim_reserve_rules, ENOMEM);
	length = (size + NPUMEM_GRANULE - 1) & ~(size_t)(NPUMEM_GRANULE - 1);
	if (expected > UINTPTR_MAX - length)
		return shim_explain(call, expect_rules, ERANGE);
	err = shim_start(call);
	if (!err)
		err = shim_client(call, &fd);
	if (err)
		return err;
	/* Nobody may come in between a reservation and its being remembered. */
	shim_range_write();
	error = shim_reserve(fd, expected, length, &address);
	shim_range_unlock();
	if (error)
		return shim_explain(call, expected ? expect_rules : shim_reserve_rules, error);
	*virPtr = (void *)address;
	return ACL_SUCCESS;
}

aclError aclrtReserveMemAddress(void **virPtr, size_t size, size_t alignment,
				void *expectPtr, uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size),
						SIZE(alignment), ADDRESS(expectPtr),
						HEX(flags));
	aclError err;

	err = check_reserve(&call, virPtr, size, alignment, (uintptr_t)expectPtr, flags);
	if (err)
		return err;
	return reserve_checked(&call, virPtr, size, (uintptr_t)expectPtr);
}

aclError aclrtReserveMemAddressNoUCMemory(void **virPtr, size_t size,
					  size_t alignment, void *expectPtr,
					  uint64_t flags)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr), SIZE(size),
						SIZE(alignment), ADDRESS(expectPtr),
						HEX(flags));
	aclError err;

	err = check_reserve(&call, virPtr, size, alignment, (uintptr_t)expectPtr, flags);
	if (err)
		return err;
	if (!expectPtr)
		return shim_fail(&call, CAUSE_EXPECT_NULL);
	if (size & (NPUMEM_GRANULE_1G - 1))
		return shim_fail(&call, CAUSE_NOUC_SIZE);
	return reserve_checked(&call, virPtr, size, (uintptr_t)expectPtr);
}

aclError aclrtReleaseMemAddress(void *virPtr)
{
	const struct shim_call call = SHIM_CALL(ADDRESS(virPtr));
	struct npumem_release release = {
		.size = sizeof(release),
		.address = (uintptr_t)virPtr,
	};
	enum shim_block kind;
	aclError err;
	int error = 0;
	int fd;

	if (!virPtr)
		return shim_null(&call, "virPtr");
	err = shim_client(&call, &fd);
	if (err)
		return err;
	/* Nobody may reserve the addresses again before they are forgotten. */
	shim_range_write();
	kind = shim_block_kind((uintptr_t)virPtr);
	if (kind == SHIM_NO_BLOCK)
		error = shim_try(NPUMEM_RELEASE, &release);
	if (kind == SHIM_NO_BLOCK && !error)
		shim_range_remove(&shim_reservations, (uintptr_t)virPtr);
	shim_range_unlock();
	if (kind == SHIM_MALLOCED)
		return shim_fail(&call, CAUSE_RELEASE_BLOCK);
	if (kind == SHIM_IMPORTED)
		return shim_fail(&call, CAUSE_RELEASE_IMPORTED);
	return error ? shim_refuse(&call, release_rules, error) : ACL_SUCCESS;
}
