/* SPDX-License-Identifier: MIT */
/*
 * Internals of libascendcl.so.
 *
 * A public call describes itself in a struct shim_call, checks what can be
 * checked without the driver, and makes one request of it. What an errno of
 * that request means is data: a table of struct shim_rule.
 *
 * Lock order, as fork.c takes them: device, range, object, client.
 */
#ifndef NPUMEM_SHIM_H
#define NPUMEM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acl/acl.h"
#include "causes.h"
#include "uapi/npumem.h"

/* How an argument is shown, and whether fork may have made it worthless. */
enum shim_kind {
	SHIM_ARG_NONE,
	SHIM_ARG_ADDRESS,
	SHIM_ARG_HANDLE,
	SHIM_ARG_HEX,
	SHIM_ARG_SIZE,
	SHIM_ARG_INT,
	/* A device by the program's number. */
	SHIM_ARG_DEVICE,
	/* No arguments, but what matters as much: a share's number once it is known, */
	SHIM_ARG_SHARE,
	/* and the thread's device. Takes the object lock. */
	SHIM_ARG_CURRENT
};

struct shim_arg {
	const char *name;
	enum shim_kind kind;
	uint64_t value;
};

struct shim_call {
	const char *name;
	struct shim_arg args[9];	/* the last one is always SHIM_ARG_NONE */
};

#define SHIM_CALL(...) { __func__, { __VA_ARGS__ } }
#define SHIM_CALL_BARE { __func__, { { NULL, SHIM_ARG_NONE, 0 } } }
#define ADDRESS(x) { #x, SHIM_ARG_ADDRESS, (uint64_t)(uintptr_t)(x) }
#define HANDLE(x) { #x, SHIM_ARG_HANDLE, (uint64_t)(uintptr_t)(x) }
#define HEX(x) { #x, SHIM_ARG_HEX, (uint64_t)(x) }
#define SIZE(x) { #x, SHIM_ARG_SIZE, (uint64_t)(x) }
#define INT(x) { #x, SHIM_ARG_INT, (uint64_t)(int64_t)(x) }
#define DEVICE(x) { #x, SHIM_ARG_DEVICE, (uint64_t)(int64_t)(x) }
#define SHARE(token) { "share", SHIM_ARG_SHARE, (uint64_t)(uintptr_t)&(token) }
#define CURRENT_DEVICE { "current device", SHIM_ARG_CURRENT, 0 }
/* What a pointer points to, if it may be looked at. */
#define FIELD(pointer, field, valid) \
	{ #pointer "->" #field, SHIM_ARG_INT, (valid) ? (uint64_t)(pointer)->field : 0 }
/* Of the same the type and id of an aclrtMemLocation. */
#define LOCATION(pointer, where, valid) \
	{ #pointer "->" #where "type", SHIM_ARG_INT, \
	  (valid) ? (uint64_t)(pointer)->where type : 0 }, \
	{ #pointer "->" #where "id", \
	  (valid) && (pointer)->where type == ACL_MEM_LOCATION_TYPE_DEVICE ? \
		SHIM_ARG_DEVICE : SHIM_ARG_INT, \
	  (valid) ? (uint64_t)(int64_t)(int32_t)(pointer)->where id : 0 }

/* What an errno of the driver means to the caller of one function. */
struct shim_rule {
	int error;
	aclError code;
	const char *text;
};

/* error.c: each stores the thread's text and returns the code */
aclError shim_fail(const struct shim_call *call, aclError code,
		   const char *format, ...) __attribute__((format(printf, 3, 4)));
aclError shim_null(const struct shim_call *call, const char *argument);
/* By the rules, else by what errnos mean in general. */
aclError shim_explain(const struct shim_call *call,
		      const struct shim_rule *rules, int error);
/* The same, unless fork is the cause. Takes the range lock. */
aclError shim_refuse(const struct shim_call *call,
		     const struct shim_rule *rules, int error);

/* client.c */
/* The descriptor, opened if need be. */
aclError shim_client(const struct shim_call *call, int *fd);
/* The same, and a forked child starts anew. */
aclError shim_start(const struct shim_call *call);
/* One request; the second form leaves the text alone and returns an errno. */
aclError shim_ask(const struct shim_call *call, unsigned int command,
		  void *argument, const struct shim_rule *rules);
int shim_try(unsigned int command, void *argument);
bool shim_client_exists(void);
/* Forked, and nothing has asked for a client of its own. */
bool shim_client_lost(void);
aclError shim_query(const struct shim_call *call, struct npumem_query *query);

/* fork.c */
/* How many forks lie between this process and the one that began. */
unsigned int shim_epoch(void);
bool shim_inherited_handle(uint64_t handle);
bool shim_inherited_address(uint64_t address, uint64_t length);
/* @call is about something that a forked child inherited and cannot use. */
bool shim_inherited(const struct shim_call *call);
aclError shim_fail_inherited(const struct shim_call *call);

/* range.c: address ranges that this process got from us, sorted */
struct shim_range {
	uintptr_t base;
	size_t size;
	/* Of a block, which the program did not reserve, else NPUMEM_DEVICE_NONE. */
	uint32_t device;
	/* Of a block that was imported: how often, by what, and its handle. */
	uint32_t imports;
	uint64_t token;
	uint64_t handle;
};

enum shim_block {
	SHIM_NO_BLOCK,
	SHIM_MALLOCED,
	SHIM_IMPORTED
};

struct shim_ranges {
	struct shim_range *range;
	size_t count;
	size_t room;
};

/* All need the range lock; adding never fails once there is room. */
bool shim_range_room(struct shim_ranges *set);
void shim_range_add(struct shim_ranges *set, uintptr_t base, size_t size);
bool shim_range_remove(struct shim_ranges *set, uintptr_t base);
/* The range that starts at @base, or NULL. */
struct shim_range *shim_range_find(const struct shim_ranges *set, uintptr_t base);
bool shim_range_overlaps(const struct shim_ranges *set, uintptr_t address,
			 size_t length);

extern struct shim_ranges shim_reservations;
extern struct shim_ranges shim_host_blocks;

void shim_range_read(void);
void shim_range_write(void);
void shim_range_unlock(void);
/* [address, address + length) has a byte in a reservation of ours. */
bool shim_is_reserved(uint64_t address, uint64_t length);
/* The process has no memory at all in a part of [address, address + length). */
bool shim_has_hole(uint64_t address, uint64_t length);

/* reservation.c */
/*
 * Reserves and remembers, at @expected or anywhere if that is 0. An errno.
 * With the range lock held for writing.
 */
int shim_reserve(int fd, uintptr_t expected, size_t length, uintptr_t *address);
/* What its errno means, with nothing expected. */
extern const struct shim_rule shim_reserve_rules[];

/* memory.c */
/* Has the host a NUMA node of that number, with memory? Needs the client. */
bool shim_is_node(uint32_t node);

/* malloc.c: blocks, of aclrtMalloc or imported by key */
/* Which call gave the block that starts there? With the range lock held. */
enum shim_block shim_block_kind(uintptr_t address);
/*
 * Reserves addresses for all of a handle, maps it there and remembers that for
 * @device. An errno, and @rules: out, what it means. These two with the range
 * lock held for writing.
 */
int shim_block_place(int fd, uint64_t handle, uint64_t length, uint32_t device,
		     uintptr_t *address, const struct shim_rule **rules);
/* The reverse. An errno, and the block is there as before. */
int shim_block_remove(struct shim_range *block);
void shim_free_handle(uint64_t handle);
/* Resets the device, and gives the addresses of its blocks back. An errno. */
int shim_blocks_reset(uint32_t device);

/* object.c: what contexts and streams are names of */
enum shim_object_kind {
	SHIM_CONTEXT = 1,
	SHIM_DEFAULT_CONTEXT,
	SHIM_STREAM
};

struct shim_object {
	enum shim_object_kind kind;
	uint32_t device;
};

/* NULL: out of memory. */
void *shim_object_new(enum shim_object_kind kind, uint32_t device);
/* 0, ENOENT, or ESTALE for one of a parent before fork. */
int shim_object_get(const void *name, struct shim_object *object);
int shim_object_delete(const void *name);
void shim_object_drop_device(uint32_t device);

/* context.c */
void shim_context_set(void *context);
/* The current device as the driver numbers it, or NPUMEM_DEVICE_NONE. */
uint32_t shim_current_device(void);
/* The same; to have none is an error. */
aclError shim_need_device(const struct shim_call *call, uint32_t *number);

/* visible.c: between the numbers of the program and those of the driver */
aclError shim_device_number(const struct shim_call *call, int32_t id,
			    uint32_t *number);
/* The same without a text. */
bool shim_device_lookup(int32_t id, uint32_t *number);
/* -1 for a device that this process does not see. */
int32_t shim_device_id(uint32_t number);
/* "0", or both numbers if they differ by ASCEND_RT_VISIBLE_DEVICES. */
struct shim_device_text {
	char text[32];
};

struct shim_device_text shim_device_text(uint32_t number);
/* The driver has so many devices. */
void shim_device_told(uint32_t devices);
/* And so many of them this process sees. */
uint32_t shim_device_visible(uint32_t devices);

/* device.c */
/* Number and state of a device that must be there. */
aclError shim_device_find(const struct shim_call *call, int32_t id,
			  struct npumem_device_info *info);

/* share.c */
/* Adds processes to the whitelist of a share. @pid has @count elements. */
aclError shim_whitelist_add(const struct shim_call *call, uint64_t token,
			    const int32_t *pid, size_t count,
			    const struct shim_rule *rules);
/* Who would have to let whom in; @exporter is 0 if it has ended. An errno. */
int shim_import_pids(uint64_t token, int32_t *exporter, int32_t *self);

/* fabric.c: a share's name in an aclrtMemFabricHandle */
struct shim_fabric {
	uint8_t mark[8];
	uint8_t host[16];
	uint64_t token;
	uint8_t zeros[96];
};

/* For a share of this host: all but the token. */
aclError shim_fabric_start(const struct shim_call *call, struct shim_fabric *fabric);
/* From what a program passed. */
aclError shim_fabric_token(const struct shim_call *call, const void *payload,
			   uint64_t *token);

/* stream.c */
aclError shim_stream_check(const struct shim_call *call, aclrtStream stream);

/* What fork.c does around fork(). */
void shim_client_lock(void);
void shim_client_unlock(void);
uint32_t shim_client_forked(void);
void shim_device_lock(void);
void shim_device_unlock(void);
void shim_device_forked(bool lost);
void shim_object_lock(void);
void shim_object_unlock(void);
void shim_object_forked(bool lost);
void shim_range_forked(struct shim_ranges *taken);
void shim_init_forked(void);

#endif /* NPUMEM_SHIM_H */
