/* SPDX-License-Identifier: MIT */
/* What the parts of the fuzzer's model that are about ioctls have in common. */
#ifndef FUZZ_MODEL_CALL_H
#define FUZZ_MODEL_CALL_H

#include <stddef.h>
#include <string.h>

#include "fuzz_model.h"

/* What a handler needs to know. */
struct m_call {
	struct model *model;
	const struct fuzz_op *op;
	struct m_actor *actor;
	struct m_client *client;
	struct actor_request *request;
	struct model_expect *expect;
	bool blind;	/* results cannot be delivered: all is to be as before */
};

#define UNKNOWN(call, type, field)					\
	memset((call)->expect->known + offsetof(type, field), 0,	\
	       sizeof(((type *)0)->field))

void m_put_id(struct m_call *call, int *slot, int id, bool fresh, __u32 at);
int *m_slot_handle(struct m_call *call, int value);
int *m_slot_token(struct m_call *call, int value);
__u32 m_number(int device);
struct m_device *m_device(struct m_call *call, __u32 id, long *ret);
struct m_handle *m_handle(struct m_call *call, int value);
bool m_mine(struct m_call *call, const struct m_granule *granule);
struct m_mapping *m_mapping_at(struct m_call *call, __u64 address);
long m_handle_add(struct m_call *call, struct m_memory *memory, int device,
			 bool imported, bool link, int *slot, __u32 at);

/* The handlers. */
long m_query(struct m_call *call, struct npumem_query *arg);
long m_device_info(struct m_call *call, struct npumem_device_info *arg);
long m_alloc(struct m_call *call, struct npumem_alloc *arg);
long m_free(struct m_call *call);
long m_memory_info(struct m_call *call, struct npumem_memory_info *arg);
long m_map(struct m_call *call, struct npumem_map *arg);
long m_unmap(struct m_call *call, struct npumem_unmap *arg);
long m_map_batch(struct m_call *call, struct npumem_map_batch *arg);
long m_unmap_batch(struct m_call *call, struct npumem_unmap_batch *arg);
long m_set_access(struct m_call *call, struct npumem_set_access *arg);
long m_get_access(struct m_call *call, struct npumem_get_access *arg);
long m_range(struct m_call *call, struct npumem_range *arg);
long m_release(struct m_call *call, struct npumem_release *arg);
long m_stats(struct m_call *call, struct npumem_stats *arg);
long m_retain(struct m_call *call, struct npumem_retain *arg);
long m_reset(struct m_call *call, struct npumem_reset *arg);
long m_export(struct m_call *call, struct npumem_export *arg);
long m_unexport(struct m_call *call);
long m_whitelist_add(struct m_call *call, struct npumem_whitelist_add *arg);
long m_import(struct m_call *call, struct npumem_import *arg);
long m_share_info(struct m_call *call, struct npumem_share_info *arg);
long m_peer(struct m_call *call, struct npumem_peer *arg);

#endif /* FUZZ_MODEL_CALL_H */
