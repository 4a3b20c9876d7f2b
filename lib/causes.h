/* SPDX-License-Identifier: MIT */
/*
 * Everything that can be wrong, once each: the code, what is wrong, and what
 * to do about it.
 *
 * A cause is written where the code and the text of shim_fail() stand, or in a
 * struct shim_rule (then without %). Who wants its parts (the tests) defines
 * CAUSE before including this. ERRORS.md is made from this file: it takes only
 * string literals, and the comments in one line for its headings.
 */
#ifndef CAUSE
#define CAUSE(code, cause, remedy) code, cause "; " remedy
#endif

/* Any call */
#define CAUSE_NULL_POINTER \
	CAUSE(ACL_ERROR_INVALID_PARAM, "%s is NULL", "pass a valid pointer or handle")
#define CAUSE_SIZE_ZERO \
	CAUSE(ACL_ERROR_INVALID_PARAM, "size: must not be 0", "pass how many bytes")
#define CAUSE_FLAGS \
	CAUSE(ACL_ERROR_INVALID_PARAM, "flags: must be 0", "pass 0: there are no flags yet")
#define CAUSE_REPEAT_INITIALIZE \
	CAUSE(ACL_ERROR_REPEAT_INITIALIZE, "AscendCL is initialised in this process already", \
	      "go on: each aclInit counts, and aclFinalize ends all of them")
#define CAUSE_REPEAT_FINALIZE \
	CAUSE(ACL_ERROR_REPEAT_FINALIZE, \
	      "AscendCL is not initialised in this process, or was finalised already", \
	      "call aclInit first")
#define CAUSE_INHERITED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "process %d was forked from a process that uses AscendCL, and a child cannot use " \
	      "its parent's memory, handles and addresses", \
	      "call aclInit in the child, and allocate or import there")
#define CAUSE_OTHER_PROCESS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this process is not the one that opened the driver (made by vfork or clone?)", \
	      "use AscendCL in the process that called aclInit, or after fork() or exec")
#define CAUSE_HOST_MEMORY \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, \
	      "the host is out of memory, or this process's cgroup (memory.max, cpuset.mems) " \
	      "lets it have no more", "free some and retry, or have the limit raised")

/* The driver */
#define CAUSE_NODE_MISSING \
	CAUSE(ACL_ERROR_RT_NO_DEVICE, "/dev/npumem does not exist", \
	      "load the module as root: `npumemctl load` (or `insmod npumem.ko`), and in a " \
	      "container have the device passed in (--device /dev/npumem)")
#define CAUSE_NODE_DEAD \
	CAUSE(ACL_ERROR_RT_NO_DEVICE, "/dev/npumem has no driver behind it", \
	      "load the module as root: `npumemctl load` (or `insmod npumem.ko`)")
#define CAUSE_NODE_MODE \
	CAUSE(ACL_ERROR_RT_NO_DEVICE, "no permission to open /dev/npumem", \
	      "have this user added to the group that owns the device node " \
	      "(`ls -l /dev/npumem`) and log in again, or a container's user " \
	      "(--group-add and the group's number)")
#define CAUSE_NODE_DENIED \
	CAUSE(ACL_ERROR_RT_NO_DEVICE, "the system does not let this process open /dev/npumem", \
	      "in a container have the device passed in (--device /dev/npumem)")
#define CAUSE_PROCESS_FILES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this process has too many open files to open /dev/npumem", \
	      "close some, or raise ulimit -n")
#define CAUSE_TOO_MANY_CLIENTS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this process has opened /dev/npumem as often as it may", \
	      "close some, or raise the module's parameter max_clients")
#define CAUSE_USER_CLIENTS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this user's processes have opened /dev/npumem as often as they may", \
	      "end some, or have the module's parameter max_user_clients raised")
#define CAUSE_SYSTEM_FILES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the system has too many open files to open /dev/npumem", \
	      "have the administrator raise fs.file-max")
#define CAUSE_NOT_OURS \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "what answers at /dev/npumem (errno %d) is not this library's module", \
	      "load the one that came with it")
#define CAUSE_VERSION \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "the module speaks version %u.%u of the interface, this library %u.%u", \
	      "install the %s that belongs to the other")
#define CAUSE_DESCRIPTOR_CLOSED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the program closed the descriptor of /dev/npumem", \
	      "leave descriptors alone that the program did not open")
#define CAUSE_REQUEST_UNKNOWN \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the module does not know this request, or the program closed the descriptor of " \
	      "/dev/npumem and opened another file in its place", \
	      "load the module that belongs to this library")
#define CAUSE_REQUEST_MALFORMED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the module takes the request for malformed: it is not this library's", \
	      "load the one that belongs to it")
#define CAUSE_UNSUPPORTED \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "this module or device does not support it", "use a newer module")
#define CAUSE_DENIED \
	CAUSE(ACL_ERROR_RT_NO_PERMISSION, \
	      "the system (seccomp, a security module) forbids this process the request", \
	      "have its policy allow ioctl and mmap of /dev/npumem")
#define CAUSE_ERRNO \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the system refuses it with errno %d, which the driver never does", \
	      "look it up in errno(3), and in the policy this process runs under")

/* Devices and contexts */
#define CAUSE_NO_DEVICE \
	CAUSE(ACL_ERROR_RT_INVALID_DEVICEID, "%s: there is no such device", \
	      "aclrtGetDeviceCount tells how many there are")
#define CAUSE_NOT_VISIBLE \
	CAUSE(ACL_ERROR_RT_INVALID_DEVICEID, \
	      "%s: ASCEND_RT_VISIBLE_DEVICES=%.96s shows this process no more than %u", \
	      "pass a lower number, or give the variable numbers of the driver's devices, with " \
	      "commas between; what follows a wrong one does not count")
#define CAUSE_NO_DRIVER_DEVICE \
	CAUSE(ACL_ERROR_RT_INVALID_DEVICEID, "logicDevId: the driver has no device of that number", \
	      "`npumemctl status` lists those it has")
#define CAUSE_HIDDEN_DEVICE \
	CAUSE(ACL_ERROR_RT_INVALID_DEVICEID, \
	      "logicDevId: ASCEND_RT_VISIBLE_DEVICES=%.96s hides that device from this process", \
	      "add it there before the program starts")
#define CAUSE_DEVICE_REMOVED \
	CAUSE(ACL_ERROR_RT_NO_DEVICE, "%s: it was removed from its driver", \
	      "use another device, or have it bound again")
#define CAUSE_MEMORY_REMOVED \
	CAUSE(ACL_ERROR_RT_NO_DEVICE, "the device of the memory was removed from its driver", \
	      "free what is left of the memory; it does not come back with the device")
#define CAUSE_MEMORY_FAILED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the hardware has failed in a page of this memory", \
	      "free the memory and allocate anew: what has failed is not handed out again")
#define CAUSE_NO_CONTEXT \
	CAUSE(ACL_ERROR_RT_CONTEXT_NULL, "this thread has no current context", \
	      "call aclrtSetDevice or aclrtSetCurrentContext in it first")
#define CAUSE_NOT_SET \
	CAUSE(ACL_ERROR_RT_CONTEXT_NULL, \
	      "deviceId: this process has not set that device, or has reset it as often", \
	      "call aclrtSetDevice first")
#define CAUSE_RESET_MEANWHILE \
	CAUSE(ACL_ERROR_RT_CONTEXT_NULL, "another thread reset the current device meanwhile", \
	      "call aclrtSetDevice again")
#define CAUSE_NO_SUCH_CONTEXT \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "context: not a context, or destroyed already", \
	      "pass one from aclrtCreateContext or aclrtGetCurrentContext")
#define CAUSE_DEFAULT_CONTEXT \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "context: the default context of device %s", \
	      "it goes with aclrtResetDevice")
#define CAUSE_MEMORY_ATTR \
	CAUSE(ACL_ERROR_INVALID_PARAM, "attr: not an aclrtMemAttr", \
	      "pass ACL_HBM_MEM (1) or another one")

/* Streams */
#define CAUSE_NO_SUCH_STREAM \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "stream: not a stream, or destroyed already", \
	      "pass one from aclrtCreateStream, or NULL for the default stream")
#define CAUSE_STREAM_GONE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "stream: another thread destroyed it just now", \
	      "destroy each stream once")
#define CAUSE_TIMEOUT \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "timeout: negative", \
	      "pass milliseconds, or -1 to wait for ever")

/* Peer access */
#define CAUSE_PEER_FLAGS \
	CAUSE(ACL_ERROR_FEATURE_UNSUPPORTED, "flags: peer access has no kinds", "pass 0")
#define CAUSE_PEER_SAME \
	CAUSE(ACL_ERROR_INVALID_PARAM, "peerDeviceId: a device is no peer of itself", \
	      "pass two different devices")
#define CAUSE_PEER_NOT_ENABLED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "peerDeviceId: this process has not enabled access from the current device to " \
	      "it, or has disabled it as often", \
	      "call aclrtDeviceEnablePeerAccess first")
#define CAUSE_PEER_TOO_OFTEN \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "peerDeviceId: enabled too often", \
	      "disable it as often as it was enabled")

/* Physical memory */
#define CAUSE_HANDLE_TYPE \
	CAUSE(ACL_ERROR_INVALID_PARAM, "prop->handleType is %u", \
	      "expected ACL_MEM_HANDLE_TYPE_NONE (0)")
#define CAUSE_ALLOCATION_TYPE \
	CAUSE(ACL_ERROR_INVALID_PARAM, "prop->allocationType is %u", \
	      "expected ACL_MEM_ALLOCATION_TYPE_PINNED (0)")
#define CAUSE_LOCATION_TYPE \
	CAUSE(ACL_ERROR_INVALID_PARAM, "prop->location.type is %u: there is no memory there", \
	      "expected ACL_MEM_LOCATION_TYPE_DEVICE (1), _HOST (0) or _HOST_NUMA (4)")
#define CAUSE_ATTRIBUTE \
	CAUSE(ACL_ERROR_INVALID_PARAM, "prop->memAttr is %u, which memory on the %s cannot have", \
	      "use ACL_HBM_MEM_HUGE (4) or ACL_MEM_HUGE (13)")
#define CAUSE_HOST_1G \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "prop->memAttr is %u: pages of 1 GiB are for devices only", \
	      "use ACL_MEM_HUGE (13) on the host")
#define CAUSE_HOST_ID \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "prop->location.id: must be 0 for the host", \
	      "pass 0, or use ACL_MEM_LOCATION_TYPE_HOST_NUMA for one node")
#define CAUSE_NO_NODE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "prop->location.id: the host has no such NUMA node with memory", \
	      "`numactl --hardware` lists the nodes")
#define CAUSE_RESERVE_FIELD \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "prop->reserve is 0x%llx, which must be 0", \
	      "clear the struct before it is filled in")
#define CAUSE_GRANULARITY_OPTION \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "option: not one that is known", \
	      "expected ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM (0) or _RECOMMENDED (1)")
#define CAUSE_DEVICE_FULL \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, "size: the device has not that much memory free", \
	      "free some and retry; aclrtGetMemInfo tells how much there is, and a size rounds " \
	      "up to 2 MiB, or to 1 GiB with HUGE1G")
#define CAUSE_HOST_FULL \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, \
	      "size: the module has not that much of the host's memory left to hand out", \
	      "free some and retry; `npumemctl status` tells how much there is")
#define CAUSE_TOO_LARGE \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, "size: more than there can be", "ask for less")
#define CAUSE_NO_HANDLE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "handle: this process holds no such handle, or has freed it", \
	      "pass one from aclrtMallocPhysical or an import")
#define CAUSE_TOO_MANY_HANDLES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "this process holds as many handles as it may", \
	      "free some with aclrtFreePhysical, or raise the module's parameter max_handles")
#define CAUSE_USER_HANDLES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this user's processes hold as many handles as they may", \
	      "free some, or have the module's parameter max_user_handles raised")

/* Memory from aclrtMalloc and of the host */
#define CAUSE_POLICY \
	CAUSE(ACL_ERROR_INVALID_PARAM, \
	      "policy: not ACL_MEM_MALLOC_* (0 to 7), with or without ACL_MEM_TYPE_*", \
	      "use ACL_MEM_MALLOC_HUGE_FIRST (0), which always fits")
#define CAUSE_POLICY_READONLY \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "policy: ACL_MEM_ACCESS_USER_SPACE_READONLY is not supported", \
	      "leave it out, and take rights with aclrtMemSetAccess")
#define CAUSE_MALLOC_ATTRIBUTE \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "cfg->attrs[%zu].attr is %u, which is not supported", \
	      "use only ACL_RT_MEM_ATTR_MODULE_ID (1)")
#define CAUSE_NO_BLOCK \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "devPtr: no block starts there, or it was freed, or went with a reset of its " \
	      "device", \
	      "pass what aclrtMalloc gave")
#define CAUSE_MALLOC_HOST \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, "size: this process cannot have that much memory", \
	      "ask for less, or see ulimit -v and how much the host has free")
#define CAUSE_NO_HOST_BLOCK \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "hostPtr: not from aclrtMallocHost, or freed already", \
	      "pass what aclrtMallocHost gave")

/* Addresses */
#define CAUSE_RESERVE_FLAGS \
	CAUSE(ACL_ERROR_INVALID_PARAM, "flags: expected 0 or 1", "pass 0")
#define CAUSE_ALIGNMENT \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "alignment: must be 0", \
	      "pass 0: addresses are multiples of 2 MiB, and of 1 GiB from that size on")
#define CAUSE_ADDRESSES \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, \
	      "size: this process has no such range of addresses free", \
	      "release some, or see ulimit -v and vm.max_map_count")
#define CAUSE_ADDRESSES_LOCKED \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, \
	      "size: this process locks its memory (mlockall) and may not lock that much more", \
	      "raise ulimit -l")
#define CAUSE_ADDRESSES_CONTENDED \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, \
	      "size: other threads take every free range before it can be reserved", "retry")
#define CAUSE_TOO_MANY_RESERVATIONS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this process has as many reservations (aclrtMalloc makes some too) as it may", \
	      "use few large ones, or raise the module's parameter max_reservations")
#define CAUSE_USER_RESERVATIONS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this user's processes have as many reservations (aclrtMalloc makes some too) as " \
	      "they may", \
	      "use few large ones, or have the module's parameter max_user_reservations raised")
#define CAUSE_EXPECT_MISALIGNED \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "expectPtr: not a multiple of %zu", \
	      "align it to the next power of two from size, at least 2 MiB, at most 1 GiB")
#define CAUSE_EXPECT_TAKEN \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "expectPtr: the range is not free in this process", \
	      "pass a free range, or NULL for any")
#define CAUSE_EXPECT_OUTSIDE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "expectPtr: the range is not wholly within the addresses a process can have", \
	      "pass a lower one, or NULL for any")
#define CAUSE_EXPECT_NULL \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "expectPtr: must be given", \
	      "use aclrtReserveMemAddress to have an address chosen")
#define CAUSE_NOUC_SIZE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "size: not a multiple of 1 GiB", \
	      "round it up, or use aclrtReserveMemAddress")
#define CAUSE_NO_RESERVATION \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "virPtr: no reservation starts there, or it was released", \
	      "pass what aclrtReserveMemAddress gave")
#define CAUSE_STILL_MAPPED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "virPtr: memory is still mapped in the range", \
	      "call aclrtUnmapMem for each mapping first")
#define CAUSE_RELEASE_BLOCK \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "virPtr: memory from aclrtMalloc, which is no reservation", \
	      "free it with aclrtFree")

/* Mappings and access */
#define CAUSE_OFFSET \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "offset: must be 0", "map the memory as a whole")
#define CAUSE_MISALIGNED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "virPtr: not a multiple of 2 MiB", \
	      "take the start of the reservation, and add multiples of 2 MiB")
#define CAUSE_NOT_RESERVED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "virPtr: the range is not wholly inside one reservation of this process", \
	      "reserve it with aclrtReserveMemAddress")
#define CAUSE_MAPPED_ALREADY \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "virPtr: memory is mapped in the range already", \
	      "unmap it with aclrtUnmapMem, or use another address")
#define CAUSE_OTHER_OWNER \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "handle: of another device, or the host, than the first that was mapped in this " \
	      "reservation", "reserve addresses for each device, and for the host")
#define CAUSE_MAP_MORE \
	CAUSE(ACL_ERROR_RT_MEMORY_ALLOCATION, "size: more than the memory has", \
	      "pass the size it was allocated with")
#define CAUSE_MAP_LESS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "size: less than the memory has, and only all of it can be mapped", \
	      "pass the size it was allocated with")
#define CAUSE_TOO_MANY_MAPPINGS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this process has as many mappings, or parts with rights of their own, as it may", \
	      "unmap some, or raise the module's parameter max_mappings")
#define CAUSE_USER_MAPPINGS \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "this user's processes have as many mappings, or parts with rights of their own, " \
	      "as they may", \
	      "unmap some, or have the module's parameter max_user_mappings raised")
#define CAUSE_NO_MAPPING \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "virPtr: no mapping starts there, or it was unmapped", \
	      "pass the address given to aclrtMapMem")
#define CAUSE_UNMAP_BLOCK \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "virPtr: memory from aclrtMalloc, not from aclrtMapMem", "free it with aclrtFree")
#define CAUSE_ACCESS_NULL \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s is NULL", \
	      "pass the address of a mapping, and what may access it")
#define CAUSE_ACCESS_SIZE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "size: must not be 0", "pass the size that was mapped")
#define CAUSE_ACCESS_COUNT \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "count: expected 1 to %d", \
	      "pass one desc for each location")
#define CAUSE_ACCESS_FLAGS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "desc[%zu].flags is %u", \
	      "expected ACL_RT_MEM_ACCESS_FLAGS_NONE (0), _READ (1) or _READWRITE (3)")
#define CAUSE_ACCESS_LOCATION \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s.type is %u, which accesses nothing", \
	      "expected ACL_MEM_LOCATION_TYPE_DEVICE (1), _HOST (0) or _HOST_NUMA (4)")
#define CAUSE_ACCESS_NODE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "%s.id is %u, and the host has no such NUMA node with memory", \
	      "pass ACL_MEM_LOCATION_TYPE_HOST, which stands for all nodes")
#define CAUSE_ACCESS_DEVICE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s.id is %u, and there is no such device", \
	      "aclrtGetDeviceCount tells how many there are")
#define CAUSE_ACCESS_NOT_MAPPED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "virPtr: the range is not wholly mapped", \
	      "map it with aclrtMapMem first")
#define CAUSE_ACCESS_UNREACHABLE \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "desc[%zu].location.id: device %s has no access to the memory's device, %s", \
	      "call aclrtSetDevice with the one, and aclrtDeviceEnablePeerAccess with the other")
#define CAUSE_GET_NOT_MAPPED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "virPtr: nothing is mapped there", \
	      "pass an address inside a mapping")
#define CAUSE_RANGE_NULL \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "pbase and psize are both NULL", \
	      "pass at least one of them")
#define CAUSE_RANGE_NOT_MAPPED \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "ptr: nothing is mapped there", \
	      "pass an address inside a mapping or a block of aclrtMalloc")

/* Sharing */
#define CAUSE_EXPORT_TYPE \
	CAUSE(ACL_ERROR_INVALID_PARAM, "handleType: not one that can be exported", \
	      "expected ACL_MEM_HANDLE_TYPE_NONE (0)")
#define CAUSE_EXPORT_FLAGS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "flags: not one that is known", \
	      "expected 0 or ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION (1)")
#define CAUSE_EXPORTED_ALREADY \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "handle: the memory was exported before, and can be only once", \
	      "keep what the first export gave")
#define CAUSE_EXPORT_IMPORTED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "handle: imported memory", \
	      "have the process export it that allocated it")
#define CAUSE_EXPORT_VIRTUAL \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "handle: memory of a virtual device (vNPU) cannot be exported", \
	      "use a whole device")
#define CAUSE_TOO_MANY_SHARES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "as much memory that this process exported is still there as may be", \
	      "free some (importers too), or raise the module's parameter max_shares")
#define CAUSE_USER_SHARES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "as much memory that this user's processes exported is still there as may be", \
	      "free some (importers too), or have the module's parameter max_user_shares raised")
#define CAUSE_SHARE_TYPE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "shareType: not one that is known", \
	      "expected ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT (1) or _FABRIC (2)")
#define CAUSE_NO_SHARE \
	CAUSE(ACL_ERROR_RT_INVALID_HANDLE, \
	      "shareableHandle: there is no such share: its memory was freed, or no export gave " \
	      "that number", \
	      "pass what an export gave, while the memory is there")
#define CAUSE_PIDS_NONE \
	CAUSE(ACL_ERROR_INVALID_PARAM, "pidNum: must not be 0", \
	      "pass how many elements pid has")
#define CAUSE_PIDS_MANY \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "pidNum: more than %d", \
	      "call several times; each call adds")
#define CAUSE_PIDS_UNREADABLE \
	CAUSE(ACL_ERROR_RT_INVALID_HANDLE, \
	      "pid: a part of what it points to cannot be read", \
	      "pass as many numbers as the count says")
#define CAUSE_PIDS_DEAD \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "pid: no live process has the number %d%s", \
	      "pass what aclrtDeviceGetBareTgid gives in the importing process")
#define CAUSE_WHITELIST_FOREIGN \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "shareableHandle: the share of another process", \
	      "have its exporter add the pids")
#define CAUSE_WHITELIST_NONE \
	CAUSE(ACL_ERROR_RT_NO_PERMISSION, \
	      "shareableHandle: exported with ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, " \
	      "so that anyone may import it", \
	      "export with flags 0 to have a whitelist")
#define CAUSE_WHITELIST_FULL \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "pidNum: the whitelist of this share would hold more processes than it may", \
	      "export with ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, or raise the module's " \
	      "parameter max_whitelist")
#define CAUSE_TOO_MANY_ENTRIES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the whitelists of all that this process exported would hold more processes than " \
	      "they may", \
	      "let fewer in, or raise the module's parameter max_entries")
#define CAUSE_USER_ENTRIES \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "the whitelists of all that this user's processes exported would hold more " \
	      "processes than they may", \
	      "let fewer in, or have the module's parameter max_user_entries raised")
#define CAUSE_NOT_WHITELISTED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "shareableHandle: exported by process %d, whose whitelist does not have this " \
	      "process, %d", \
	      "ask process %d to call aclrtMemSetPidToShareableHandle with pid %d, then import " \
	      "again")
#define CAUSE_EXPORTER_ENDED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "shareableHandle: its whitelist does not have this process, %d, and its exporter " \
	      "has ended, so that nobody can be added any more", \
	      "import what a process exports that is alive")
#define CAUSE_IMPORT_OWN \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "shareableHandle: this process exported it from the same device", \
	      "use the handle that was exported")
#define CAUSE_IMPORT_ENDING \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "shareableHandle: the memory is just being freed", "have it exported anew")

/* Copies and fills */
#define CAUSE_COPY_KIND \
	CAUSE(ACL_ERROR_INVALID_PARAM, "kind: expected 0 to 5", \
	      "use ACL_MEMCPY_DEFAULT (4), which always fits")
#define CAUSE_COPY_ROOM \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "count: more than %s, the room at the destination", \
	      "copy less, or to where there is room")
#define CAUSE_COPY_WRAPS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "%s: count bytes from there do not fit into the address space", "pass a lower count")
#define CAUSE_COPY_NOT_MAPPED \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s: the range is not wholly mapped", \
	      "map memory there with aclrtMapMem")
#define CAUSE_COPY_NOTHING \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "%s: count bytes from there are neither mapped device memory nor memory of the " \
	      "host", \
	      "pass what is allocated, and not released")
#define CAUSE_COPY_RELEASED \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s: another thread released the range meanwhile", \
	      "release addresses when nobody uses them")
#define CAUSE_COPY_WRITE \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s: the current device may not write it", \
	      "grant ACL_RT_MEM_ACCESS_FLAGS_READWRITE with aclrtMemSetAccess, or call " \
	      "aclrtDeviceEnablePeerAccess")
#define CAUSE_COPY_READ \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "%s: the current device may not read it", \
	      "grant ACL_RT_MEM_ACCESS_FLAGS_READ with aclrtMemSetAccess, or call " \
	      "aclrtDeviceEnablePeerAccess")
#define CAUSE_COPY_HOST \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "%s: a part of it is not memory of this process that can be %s", \
	      "pass a range that lies wholly in memory of the program")

/* Keys, and what they import */
#define CAUSE_FREE_IMPORTED \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "devPtr: imported by key, not from aclrtMalloc", \
	      "give it back with aclrtIpcMemClose")
#define CAUSE_UNMAP_IMPORTED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "virPtr: imported by key, not mapped with aclrtMapMem", \
	      "give it back with aclrtIpcMemClose")
#define CAUSE_RELEASE_IMPORTED \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "virPtr: imported by key, which is no reservation", \
	      "give it back with aclrtIpcMemClose")
#define CAUSE_KEY_SIZE_ZERO \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "size: must not be 0", \
	      "pass how much of the memory is used; the key is of all of it")
#define CAUSE_KEY_LENGTH \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "len: a key takes %d bytes", \
	      "pass a buffer of that size, or of more")
#define CAUSE_KEY_EXPORT_FLAGS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "flags: not one that there is", \
	      "pass 0 or ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION (1)")
#define CAUSE_KEY_IMPORT_FLAGS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "flags: not one that there is", \
	      "pass 0 or ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS (1)")
#define CAUSE_KEY_NOT_MAPPED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "devPtr: not device memory of this process", \
	      "pass what aclrtMalloc gave, or an address that aclrtMapMem mapped")
#define CAUSE_KEY_HOST_MEMORY \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "devPtr: memory of the host, not of a device", \
	      "share it with aclrtMemExportToShareableHandle")
#define CAUSE_KEY_INSIDE \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "devPtr: inside memory that starts at 0x%llx", \
	      "pass that address, and tell the importer how far from there to look")
#define CAUSE_KEY_SIZE_BEYOND \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "size: not wholly device memory, there are %llu bytes", \
	      "pass at most as many; each block or mapping has a key of its own")
#define CAUSE_KEY_OTHER_FLAG \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "flags: the memory was exported before, as a key or a number, with the other flag", \
	      "pass the same one, or end that share with aclrtIpcMemClose first")
#define CAUSE_EXPORT_OTHER_FLAG \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "flags: the memory has a key, made with the other flag", \
	      "pass the same one, or end the key with aclrtIpcMemClose first")
#define CAUSE_KEY_IMPORTED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "devPtr: imported memory", \
	      "have the process that allocated it export it")
#define CAUSE_KEY_VIRTUAL \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "devPtr: memory of a virtual device (vNPU) cannot be exported", \
	      "use a whole device")
#define CAUSE_KEY_PIDS \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, "num: expected 1 to %d", \
	      "pass how many elements pid has, and more of them in further calls")
#define CAUSE_KEY_NOT_ONE \
	CAUSE(ACL_ERROR_RT_INVALID_HANDLE, "key: not the text of a key", \
	      "pass what aclrtIpcMemGetExportKey wrote, unchanged")
#define CAUSE_KEY_ENDED \
	CAUSE(ACL_ERROR_RT_INVALID_HANDLE, "key: there is no such key (any more)", \
	      "if its memory still exists, ask aclrtIpcMemGetExportKey for a new one")
#define CAUSE_KEY_STRANGER \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "key: made by another process", \
	      "have that process call aclrtIpcMemSetImportPid")
#define CAUSE_KEY_NO_WHITELIST \
	CAUSE(ACL_ERROR_RT_NO_PERMISSION, \
	      "key: made with ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION, anyone may " \
	      "import it", "leave this call out, or export with flags 0")
#define CAUSE_KEY_WHITELIST_FULL \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "num: the whitelist of this key would hold more processes than it may", \
	      "export with flags 1, or raise the module's parameter max_whitelist")
#define CAUSE_KEY_IMPORT_NOT_ONE \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "key: not the text of a key", \
	      "pass what aclrtIpcMemGetExportKey wrote in the exporter, unchanged")
#define CAUSE_KEY_UNKNOWN \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "key: there is none such on this host; it was closed, or its memory freed", \
	      "have it exported anew")
#define CAUSE_KEY_OWN \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "key: this process made it, from the same device", \
	      "use the address that was exported")
#define CAUSE_KEY_ENDING \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, "key: its memory is just being freed", \
	      "have other memory exported")
#define CAUSE_KEY_NOT_WHITELISTED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "key: made by process %d, whose whitelist does not have this process, %d", \
	      "ask process %d to call aclrtIpcMemSetImportPid with pid %d, then import again")
#define CAUSE_KEY_WHITELIST_CLOSED \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "key: made by a process that has ended and had not let this process, %d, in", \
	      "have the memory exported by a process that lives")
#define CAUSE_KEY_NEITHER \
	CAUSE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, \
	      "key: this process has not imported by it, or has closed that, and did not make it", \
	      "have its maker close it")
#define CAUSE_KEY_NO_LINKS \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "type: there is one way between devices, and nothing to choose", \
	      "leave this call out; peers reach the memory without it")
#define CAUSE_KEY_OTHER_SERVERS \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "serverPids: there is no link to the memory of other servers", \
	      "let processes of this host in with aclrtIpcMemSetImportPid")
#define CAUSE_MAP_LINK \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "there is one way between devices, and no link to select", \
	      "map with aclrtMapMem")

/* Shares in aclrtMemFabricHandle */
#define CAUSE_FABRIC_OLD_MODULE \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "shareType: the module is older and does not tell hosts apart", \
	      "load the module that belongs to this library, or use " \
	      "ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT (1)")
#define CAUSE_FABRIC_FOREIGN \
	CAUSE(ACL_ERROR_RT_PARAM_INVALID, \
	      "shareableHandle: not an aclrtMemFabricHandle as an export fills it", \
	      "pass all of its 128 bytes on unchanged, or the shareType that it is of")
#define CAUSE_FABRIC_OTHER_HOST \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, \
	      "shareableHandle: of another host, or from before the module was last loaded here", \
	      "import on the host of the export; there is no fabric between hosts")

/* The version of a package */
#define CAUSE_PACKAGE_UNKNOWN \
	CAUSE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "pkgName: no package of that name is known", \
	      "pass \"runtime\"")
