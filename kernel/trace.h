/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: what happens to memories, and between whom. Processes go by
 * their number in the initial pid namespace, memories by serial number, the host
 * as device -1; the tokens of shares are never recorded.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM npumem

#if !defined(_NPUMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NPUMEM_TRACE_H

#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

#include "internal.h"

DECLARE_EVENT_CLASS(npumem_memory,
		    TP_PROTO(const struct npumem_memory *memory),
		    TP_ARGS(memory),
		    TP_STRUCT__entry(__field(u64, serial)
				     __field(u64, length)
				     __field(int, device)
				     __field(pid_t, pid)
		    ),
		    TP_fast_assign(__entry->serial = memory->serial;
				   __entry->length = npumem_memory_length(memory);
				   __entry->device =
					npumem_device_number(memory->device->id);
				   __entry->pid = task_tgid_nr(current);
		    ),
		    TP_printk("pid=%d memory=%llu bytes=%llu device=%d",
			      __entry->pid, __entry->serial,
			      __entry->length, __entry->device)
);

DEFINE_EVENT(npumem_memory, npumem_alloc,
	     TP_PROTO(const struct npumem_memory *memory),
	     TP_ARGS(memory)
);

/* The last reference is gone; pid is who dropped it. */
DEFINE_EVENT(npumem_memory, npumem_free,
	     TP_PROTO(const struct npumem_memory *memory),
	     TP_ARGS(memory)
);

/* The exporter has ended the share of the memory. */
DEFINE_EVENT(npumem_memory, npumem_unexport,
	     TP_PROTO(const struct npumem_memory *memory),
	     TP_ARGS(memory)
);

TRACE_EVENT(npumem_export,
	    TP_PROTO(const struct npumem_memory *memory, u32 flags),
	    TP_ARGS(memory, flags),
	    TP_STRUCT__entry(__field(u64, serial)
			     __field(u32, flags)
			     __field(pid_t, pid)
	    ),
	    TP_fast_assign(__entry->serial = memory->serial;
			   __entry->flags = flags;
			   __entry->pid = task_tgid_nr(current);
	    ),
	    TP_printk("pid=%d memory=%llu whitelist=%s key=%s",
		      __entry->pid, __entry->serial,
		      __entry->flags & NPUMEM_EXPORT_ANYONE ? "no" : "yes",
		      __entry->flags & NPUMEM_EXPORT_KEY ? "yes" : "no")
);

TRACE_EVENT(npumem_whitelist,
	    TP_PROTO(const struct npumem_share *share, u32 added),
	    TP_ARGS(share, added),
	    TP_STRUCT__entry(__field(u64, serial)
			     __field(u32, added)
			     __field(pid_t, pid)
	    ),
	    TP_fast_assign(__entry->serial = share->serial;
			   __entry->added = added;
			   __entry->pid = task_tgid_nr(current);
	    ),
	    TP_printk("pid=%d memory=%llu added=%u",
		      __entry->pid, __entry->serial,
		      __entry->added)
);

/* Granted if error is 0. */
TRACE_EVENT(npumem_import,
	    TP_PROTO(u64 serial, struct pid *exporter, u32 device, int error),
	    TP_ARGS(serial, exporter, device, error),
	    TP_STRUCT__entry(__field(u64, serial)
			     __field(u32, device)
			     __field(int, error)
			     __field(pid_t, exporter)
			     __field(pid_t, pid)
	    ),
	    TP_fast_assign(__entry->serial = serial;
			   __entry->device = device;
			   __entry->error = error;
			   __entry->exporter = pid_nr(exporter);
			   __entry->pid = task_tgid_nr(current);
	    ),
	    TP_printk("pid=%d exporter=%d memory=%llu device=%u error=%d",
		      __entry->pid, __entry->exporter,
		      __entry->serial, __entry->device,
		      __entry->error)
);

DECLARE_EVENT_CLASS(npumem_mapping,
		    TP_PROTO(const struct npumem_mapping *mapping),
		    TP_ARGS(mapping),
		    TP_STRUCT__entry(__field(u64, serial)
				     __field(unsigned long, first)
				     __field(unsigned long, last)
				     __field(int, device)
				     __field(pid_t, pid)
		    ),
		    TP_fast_assign(__entry->serial = mapping->memory->serial;
				   __entry->first = npumem_mapping_first(mapping);
				   __entry->last = npumem_mapping_last(mapping);
				   __entry->device =
					npumem_device_number(mapping->device);
				   __entry->pid = task_tgid_nr(current);
		    ),
		    TP_printk("pid=%d memory=%llu address=0x%lx bytes=%lu device=%d",
			      __entry->pid, __entry->serial, __entry->first,
			      __entry->last - __entry->first + 1,
			      __entry->device)
);

DEFINE_EVENT(npumem_mapping, npumem_map,
	     TP_PROTO(const struct npumem_mapping *mapping),
	     TP_ARGS(mapping)
);

DEFINE_EVENT(npumem_mapping, npumem_unmap,
	     TP_PROTO(const struct npumem_mapping *mapping),
	     TP_ARGS(mapping)
);

/* The address space or the last descriptor of a client has come to its end. */
TRACE_EVENT(npumem_reclaim,
	    TP_PROTO(const struct npumem_client *client),
	    TP_ARGS(client),
	    TP_STRUCT__entry(__field(pid_t, pid)
			     __field(unsigned long, handles)
			     __field(unsigned long, mappings)
	    ),
	    TP_fast_assign(__entry->pid = pid_nr(client->tgid);
			   __entry->handles = client->nr_handles;
			   __entry->mappings = client->nr_mappings;
	    ),
	    TP_printk("pid=%d handles=%lu mappings=%lu",
		      __entry->pid, __entry->handles,
		      __entry->mappings)
);

#endif /* _NPUMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
