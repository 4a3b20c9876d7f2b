/* SPDX-License-Identifier: MIT */
/*
 * The runtime: devices, contexts, streams, memory and its sharing.
 *
 * All sizes are in bytes. Every call may be made from any thread at any time.
 * A call that returns an error has changed nothing, and the thread's
 * aclGetRecentErrMsg() tells what was wrong. Where a prototype's comment lists
 * no code for a NULL pointer, it is 100000 (ACL_ERROR_INVALID_PARAM); any call
 * that needs the driver can give 207004 when it is not loaded, and 507899 in a
 * forked child for what it inherited: a child starts anew with aclInit(), with
 * aclrtSetDevice(), or with a call that makes something of its own.
 */
#ifndef ACL_ACL_RT_H
#define ACL_ACL_RT_H

#include "acl_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names of things; never dereferenced, a stale or invented one is refused. */
typedef void *aclrtDrvMemHandle;
typedef void *aclrtContext;
typedef void *aclrtStream;

/* Where the program runs: on the device itself or on its host. */
typedef enum aclrtRunMode {
	ACL_DEVICE = 0,
	ACL_HOST = 1
} aclrtRunMode;

/* Kind of memory and size of its pages. */
typedef enum aclrtMemAttr {
	ACL_DDR_MEM = 0,
	ACL_HBM_MEM = 1,
	ACL_DDR_MEM_HUGE = 2,
	ACL_DDR_MEM_NORMAL = 3,
	ACL_HBM_MEM_HUGE = 4,
	ACL_HBM_MEM_NORMAL = 5,
	ACL_DDR_MEM_P2P_HUGE = 6,
	ACL_DDR_MEM_P2P_NORMAL = 7,
	ACL_HBM_MEM_P2P_HUGE = 8,
	ACL_HBM_MEM_P2P_NORMAL = 9,
	ACL_HBM_MEM_HUGE1G = 10,
	ACL_HBM_MEM_P2P_HUGE1G = 11,
	ACL_MEM_NORMAL = 12,
	ACL_MEM_HUGE = 13,
	ACL_MEM_HUGE1G = 14,
	ACL_MEM_P2P_NORMAL = 15,
	ACL_MEM_P2P_HUGE = 16,
	ACL_MEM_P2P_HUGE1G = 17
} aclrtMemAttr;

typedef enum aclrtMemLocationType {
	ACL_MEM_LOCATION_TYPE_HOST = 0,
	ACL_MEM_LOCATION_TYPE_DEVICE = 1,
	ACL_MEM_LOCATION_TYPE_UNREGISTERED = 2,
	ACL_MEM_LOCATION_TYPE_MANAGED = 3,
	ACL_MEM_LOCATION_TYPE_HOST_NUMA = 4
} aclrtMemLocationType;

typedef enum aclrtMemHandleType {
	ACL_MEM_HANDLE_TYPE_NONE = 0,
	ACL_MEM_HANDLE_TYPE_POSIX = 2	/* declared, accepted nowhere */
} aclrtMemHandleType;

typedef enum aclrtMemAllocationType {
	ACL_MEM_ALLOCATION_TYPE_PINNED = 0
} aclrtMemAllocationType;

typedef enum aclrtMemGranularityOptions {
	ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM = 0,
	ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED = 1,
	ACL_RT_MEM_ALLOC_GRANULARITY_UNDEF = 0xFFFF
} aclrtMemGranularityOptions;

/* What a location may do with a mapping. */
typedef enum aclrtMemAccessFlags {
	ACL_RT_MEM_ACCESS_FLAGS_NONE = 0,
	ACL_RT_MEM_ACCESS_FLAGS_READ = 1,
	ACL_RT_MEM_ACCESS_FLAGS_READWRITE = 3
} aclrtMemAccessFlags;

/* What names a share: a uint64_t, or an aclrtMemFabricHandle. */
typedef enum aclrtMemSharedHandleType {
	ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT = 1,
	ACL_MEM_SHARE_HANDLE_TYPE_FABRIC = 2
} aclrtMemSharedHandleType;

typedef enum aclrtMemMallocPolicy {
	ACL_MEM_MALLOC_HUGE_FIRST = 0,
	ACL_MEM_MALLOC_HUGE_ONLY = 1,
	ACL_MEM_MALLOC_NORMAL_ONLY = 2,
	ACL_MEM_MALLOC_HUGE_FIRST_P2P = 3,
	ACL_MEM_MALLOC_HUGE_ONLY_P2P = 4,
	ACL_MEM_MALLOC_NORMAL_ONLY_P2P = 5,
	ACL_MEM_MALLOC_HUGE1G_ONLY = 6,
	ACL_MEM_MALLOC_HUGE1G_ONLY_P2P = 7,
	ACL_MEM_TYPE_LOW_BAND_WIDTH = 0x100,
	ACL_MEM_TYPE_HIGH_BAND_WIDTH = 0x1000,
	ACL_MEM_ACCESS_USER_SPACE_READONLY = 0x100000
} aclrtMemMallocPolicy;

/* A hint: the direction of a copy follows from its two addresses. */
typedef enum aclrtMemcpyKind {
	ACL_MEMCPY_HOST_TO_HOST = 0,
	ACL_MEMCPY_HOST_TO_DEVICE = 1,
	ACL_MEMCPY_DEVICE_TO_HOST = 2,
	ACL_MEMCPY_DEVICE_TO_DEVICE = 3,
	ACL_MEMCPY_DEFAULT = 4,
	ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE = 5,
	ACL_MEMCPY_INNER_DEVICE_TO_DEVICE = 6,
	ACL_MEMCPY_INTER_DEVICE_TO_DEVICE = 7
} aclrtMemcpyKind;

typedef enum aclrtIpcMemAttrType {
	ACL_RT_IPC_MEM_ATTR_ACCESS_LINK = 0
} aclrtIpcMemAttrType;

typedef struct aclrtMemLocation {
	uint32_t id;			/* device, NUMA node, or 0 for the host */
	aclrtMemLocationType type;
} aclrtMemLocation;

typedef struct aclrtPhysicalMemProp {
	aclrtMemHandleType handleType;
	aclrtMemAllocationType allocationType;
	aclrtMemAttr memAttr;
	aclrtMemLocation location;
	uint64_t reserve;		/* 0 */
} aclrtPhysicalMemProp;

typedef struct aclrtMemAccessDesc {
	aclrtMemAccessFlags flags;
	aclrtMemLocation location;
	uint8_t rsv[12];		/* not looked at */
} aclrtMemAccessDesc;

typedef struct aclrtMemFabricHandle {
	uint8_t data[128];
} aclrtMemFabricHandle;

typedef struct aclrtPtrAttributes {
	aclrtMemLocation location;
	uint32_t pageSize;
	uint32_t rsv[4];
} aclrtPtrAttributes;

typedef struct aclrtServerPid {
	uint32_t sdid;
	int32_t *pid;
	size_t num;
} aclrtServerPid;

/* What an attribute of aclrtMallocConfig is about. */
typedef enum aclrtMallocAttrType {
	ACL_RT_MEM_ATTR_RSV = 0,
	ACL_RT_MEM_ATTR_MODULE_ID = 1,
	ACL_RT_MEM_ATTR_DEVICE_ID = 2
} aclrtMallocAttrType;

typedef union aclrtMallocAttrValue {
	uint16_t moduleId;
	uint32_t deviceId;
	uint8_t rsv[8];
} aclrtMallocAttrValue;

typedef struct aclrtMallocAttribute {
	aclrtMallocAttrType attr;
	aclrtMallocAttrValue value;
} aclrtMallocAttribute;

typedef struct aclrtMallocConfig {
	aclrtMallocAttribute *attrs;
	size_t numAttrs;
} aclrtMallocConfig;

/* Room that aclsysGetVersionStr needs, the final 0 included. */
#define ACL_PKG_VERSION_MAX_SIZE 128

/*
 * Flags of an export: importers are checked by pid, or anyone may import.
 * Flags of an import by key: for memory of another device, leave peer access
 * as it is, or enable it.
 */
#define ACL_RT_VMM_EXPORT_FLAG_DEFAULT 0x0UL
#define ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION 0x1UL
#define ACL_RT_IPC_MEM_EXPORT_FLAG_DEFAULT 0x0UL
#define ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION 0x1UL
#define ACL_RT_IPC_MEM_IMPORT_FLAG_DEFAULT 0x0UL
#define ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS 0x1UL
#define ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_SIO 0
#define ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_HCCS 1

/* Flags of a stream, taken and without effect. */
#define ACL_STREAM_FAST_LAUNCH 0x00000001U
#define ACL_STREAM_FAST_SYNC 0x00000002U

/* --- Start and end ----------------------------------------------------- */

/*
 * Starts AscendCL in this process. Optional, except in a forked child, which
 * starts anew with it (or with aclrtSetDevice) and inherits nothing.
 * configPath: a configuration file or NULL; not looked at.
 * 100002 called already, which counts all the same: that call needs an
 * aclFinalizeReference of its own. 207004 no driver.
 */
ACL_FUNC_VISIBILITY aclError aclInit(const char *configPath);

/*
 * Ends it, however often aclInit was called. Memory stays until it is freed or
 * the process ends. 100037 not initialised.
 */
ACL_FUNC_VISIBILITY aclError aclFinalize(void);

/*
 * Takes one call of aclInit back and ends AscendCL with the last.
 * refCount: out, how many are left; may be NULL. 100037 not initialised.
 */
ACL_FUNC_VISIBILITY aclError aclFinalizeReference(uint64_t *refCount);

/* The interface's version, 1.17.0. */
ACL_FUNC_VISIBILITY aclError aclrtGetVersion(int32_t *majorVersion,
					     int32_t *minorVersion,
					     int32_t *patchVersion);

/*
 * The version of a package as text. There is one, "runtime", of version
 * "1.17.0". versionStr: room for ACL_PKG_VERSION_MAX_SIZE bytes. 207000 any
 * other package.
 */
ACL_FUNC_VISIBILITY aclError aclsysGetVersionStr(char *pkgName, char *versionStr);

/* The name of the chip that programs take us for; a constant string. */
ACL_FUNC_VISIBILITY const char *aclrtGetSocName(void);

/*
 * What was wrong with the last call of this thread that failed, once: NULL if
 * nothing has failed since. Valid until the thread asks again.
 */
ACL_FUNC_VISIBILITY const char *aclGetRecentErrMsg(void);

/* --- Devices ----------------------------------------------------------- */

/*
 * Makes deviceId's default context the thread's. Counted per process and
 * device; aclrtResetDevice takes one back. 107001 no such device.
 */
ACL_FUNC_VISIBILITY aclError aclrtSetDevice(int32_t deviceId);

/*
 * Takes one aclrtSetDevice back. The last one drops every handle, mapping,
 * context, stream and aclrtMalloc block of this process on the device; reserved
 * addresses stay.
 * 107001 no such device; 107002 the process has not set it.
 */
ACL_FUNC_VISIBILITY aclError aclrtResetDevice(int32_t deviceId);

/* The same at once, whatever the count is. */
ACL_FUNC_VISIBILITY aclError aclrtResetDeviceForce(int32_t deviceId);

/* The device of the thread's context. 107002 there is none. */
ACL_FUNC_VISIBILITY aclError aclrtGetDevice(int32_t *deviceId);

/* How many devices there are: their numbers are below. */
ACL_FUNC_VISIBILITY aclError aclrtGetDeviceCount(uint32_t *count);

/*
 * Between the numbers of the program, which ASCEND_RT_VISIBLE_DEVICES selects,
 * those of the driver (logic), and where the devices are (phy: the same).
 * 107001 no such device, or not visible.
 */
ACL_FUNC_VISIBILITY aclError aclrtGetLogicDevIdByUserDevId(int32_t userDevId,
							   int32_t *logicDevId);
ACL_FUNC_VISIBILITY aclError aclrtGetUserDevIdByLogicDevId(int32_t logicDevId,
							   int32_t *userDevId);
ACL_FUNC_VISIBILITY aclError aclrtGetPhyDevIdByLogicDevId(int32_t logicDevId,
							  int32_t *phyDevId);

/* Always ACL_HOST. */
ACL_FUNC_VISIBILITY aclError aclrtGetRunMode(aclrtRunMode *runMode);

/*
 * This process's id in the initial pid namespace, inside containers too: what
 * an exporter needs for aclrtMemSetPidToShareableHandle.
 */
ACL_FUNC_VISIBILITY aclError aclrtDeviceGetBareTgid(int32_t *pid);

/* Bytes of the current device. 107002 no context; 100000 unknown attr. */
ACL_FUNC_VISIBILITY aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t *free,
					     size_t *total);

/* --- Contexts ---------------------------------------------------------- */

/* A new context on a device, at once the thread's. 107001 no such device. */
ACL_FUNC_VISIBILITY aclError aclrtCreateContext(aclrtContext *context,
						int32_t deviceId);

/* 107000 unknown, destroyed already, or a device's default context. */
ACL_FUNC_VISIBILITY aclError aclrtDestroyContext(aclrtContext context);

/* 107000 unknown or destroyed. */
ACL_FUNC_VISIBILITY aclError aclrtSetCurrentContext(aclrtContext context);

/* Stores NULL if the thread has none. */
ACL_FUNC_VISIBILITY aclError aclrtGetCurrentContext(aclrtContext *context);

/* --- Streams: work is complete when the call that queues it returns ----- */

/* 107002 no context. */
ACL_FUNC_VISIBILITY aclError aclrtCreateStream(aclrtStream *stream);

/* priority and flag are taken and have no effect. */
ACL_FUNC_VISIBILITY aclError aclrtCreateStreamWithConfig(aclrtStream *stream,
							 uint32_t priority,
							 uint32_t flag);

/* 107000 unknown or destroyed. */
ACL_FUNC_VISIBILITY aclError aclrtDestroyStream(aclrtStream stream);
ACL_FUNC_VISIBILITY aclError aclrtDestroyStreamForce(aclrtStream stream);

/* stream: NULL is the default stream. timeout: milliseconds or -1. */
ACL_FUNC_VISIBILITY aclError aclrtSynchronizeStream(aclrtStream stream);
ACL_FUNC_VISIBILITY aclError
aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout);

/* 107002 no context. */
ACL_FUNC_VISIBILITY aclError aclrtSynchronizeDevice(void);
ACL_FUNC_VISIBILITY aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout);

/* --- Physical memory --------------------------------------------------- */

/*
 * What sizes round up to: 2 MiB, or 1 GiB for a HUGE1G attribute.
 * 100000 attribute or location not accepted; 107000 no such NUMA node with
 * memory; 107001 no such device; 207000 unknown option, 1 GiB on the host, or
 * the host with an id.
 */
ACL_FUNC_VISIBILITY aclError
aclrtMemGetAllocationGranularity(aclrtPhysicalMemProp *prop,
				 aclrtMemGranularityOptions option,
				 size_t *granularity);

/*
 * Allocates zeroed memory. size rounds up inside; flags: 0. Location: a device,
 * the host (id 0; from any NUMA node), or one NUMA node of the host, which
 * needs no CPUs. The host's memory is mapped and shared as a device's is.
 * 100000 size 0, flags, type or attribute not accepted; 107000 prop->reserve
 * is not 0, no such NUMA node with memory; 107001 no such device; 207000 1 GiB
 * on the host, or the host with an id; 207001 out of memory.
 */
ACL_FUNC_VISIBILITY aclError aclrtMallocPhysical(aclrtDrvMemHandle *handle,
						 size_t size,
						 const aclrtPhysicalMemProp *prop,
						 uint64_t flags);

/*
 * Gives one reference back. What is still mapped lives until it is unmapped.
 * 107000 unknown or freed already.
 */
ACL_FUNC_VISIBILITY aclError aclrtFreePhysical(aclrtDrvMemHandle handle);

/* The memory mapped at virPtr, with one more reference. 507899 none. */
ACL_FUNC_VISIBILITY aclError
aclrtMemRetainAllocationHandle(void *virPtr, aclrtDrvMemHandle *handle);

/*
 * As asked for when it was allocated, by whoever did; the id is 0xffffffff for a
 * device that ASCEND_RT_VISIBLE_DEVICES hides. 107000 unknown.
 */
ACL_FUNC_VISIBILITY aclError
aclrtMemGetAllocationPropertiesFromHandle(aclrtDrvMemHandle handle,
					  aclrtPhysicalMemProp *prop);

/* --- Device memory with an address -------------------------------------- */

/*
 * Zeroed memory of the current device, which may read and write it at once:
 * as aclrtMallocPhysical, at addresses of its own. It takes multiples of 2 MiB
 * (of 1 GiB with a HUGE1G policy) and is aligned to 2 MiB, to 1 GiB from 1 GiB
 * on. policy: ACL_MEM_MALLOC_*, with ACL_MEM_TYPE_* or without.
 * 100000 size 0, unknown policy; 107002 no context; 207000
 * ACL_MEM_ACCESS_USER_SPACE_READONLY; 207001 out of memory or addresses.
 */
ACL_FUNC_VISIBILITY aclError aclrtMalloc(void **devPtr, size_t size,
					 aclrtMemMallocPolicy policy);
ACL_FUNC_VISIBILITY aclError aclrtMallocAlign32(void **devPtr, size_t size,
						aclrtMemMallocPolicy policy);

/*
 * The same. cfg: NULL, or attributes; the id of a module has no effect, others
 * are 207000.
 */
ACL_FUNC_VISIBILITY aclError aclrtMallocWithCfg(void **devPtr, size_t size,
						aclrtMemMallocPolicy policy,
						aclrtMallocConfig *cfg);

/*
 * Gives memory and addresses back, from any thread. A reset of the device has
 * done so already. 107000 not from aclrtMalloc, or freed already.
 */
ACL_FUNC_VISIBILITY aclError aclrtFree(void *devPtr);

/*
 * Whose memory ptr is of, interior addresses too: DEVICE with its number
 * (0xffffffff: one that is hidden) and 2 MiB pages, mapped, from aclrtMalloc or
 * imported; HOST with 2 MiB pages, mapped from any node, or with small ones,
 * from aclrtMallocHost; UNREGISTERED anything else, with id and pageSize 0.
 */
ACL_FUNC_VISIBILITY aclError
aclrtPointerGetAttributes(const void *ptr, aclrtPtrAttributes *attributes);

/* --- Addresses and mappings -------------------------------------------- */

/*
 * Reserves addresses; touching them before aclrtMapMem raises SIGSEGV. The
 * result is aligned to 2 MiB, and to 1 GiB from a size of 1 GiB on.
 * alignment: 0. expectPtr: NULL or where; aligned to the power of two that
 * holds size, at least 2 MiB, at most 1 GiB. flags: 0 or 1, no difference.
 * 100000 size 0, flags; 107000 alignment, expectPtr misaligned or not free;
 * 207001 no such range is free.
 */
ACL_FUNC_VISIBILITY aclError aclrtReserveMemAddress(void **virPtr, size_t size,
						    size_t alignment,
						    void *expectPtr,
						    uint64_t flags);

/*
 * The same at expectPtr only (NULL: 207000), for multiples of 1 GiB only
 * (else 107000).
 */
ACL_FUNC_VISIBILITY aclError
aclrtReserveMemAddressNoUCMemory(void **virPtr, size_t size, size_t alignment,
				 void *expectPtr, uint64_t flags);

/*
 * 107000 no reservation starts there, or it is of aclrtMalloc or a key; 507899
 * something is mapped in it.
 */
ACL_FUNC_VISIBILITY aclError aclrtReleaseMemAddress(void *virPtr);

/*
 * Maps all of a handle at a 2 MiB aligned address inside a reservation; its
 * device may read and write it at once. offset: 0. flags: 0. size: as given to
 * aclrtMallocPhysical, rounded up or not.
 * 100000 size 0, flags; 107000 offset, size too small, unknown handle; 207001
 * size too large; 507899 misaligned, not inside one reservation, overlaps a
 * mapping, or the reservation belongs to another device.
 */
ACL_FUNC_VISIBILITY aclError aclrtMapMem(void *virPtr, size_t size,
					 size_t offset,
					 aclrtDrvMemHandle handle,
					 uint64_t flags);

/* 207000: there are no links to select from. What follows is not looked at. */
ACL_FUNC_VISIBILITY aclError aclrtMemMapSelectedLink(void *virPtr, size_t size,
						     size_t offset,
						     aclrtDrvMemHandle handle,
						     ...);

/* The same as aclrtMapMem without any access until aclrtMemSetAccess. */
ACL_FUNC_VISIBILITY aclError aclrtMemMapNoAccess(void *virPtr, size_t size,
						 size_t offset,
						 aclrtDrvMemHandle handle,
						 uint64_t flags);

/* 507899 no mapping starts there, or it is of aclrtMalloc or a key. */
ACL_FUNC_VISIBILITY aclError aclrtUnmapMem(void *virPtr);

/*
 * Sets what locations may do with a range that mappings cover wholly: devices,
 * or the host, which each of its NUMA nodes stands for. The host may access its
 * own memory at once.
 * 107000 NULL, size or count 0, flags or location not accepted; 507899 not
 * wholly mapped, or a device without peer access to the memory's.
 */
ACL_FUNC_VISIBILITY aclError aclrtMemSetAccess(void *virPtr, size_t size,
					       aclrtMemAccessDesc *desc,
					       size_t count);

/* flag: out, aclrtMemAccessFlags. 107000 location; 507899 not mapped. */
ACL_FUNC_VISIBILITY aclError aclrtMemGetAccess(void *virPtr,
					       aclrtMemLocation *location,
					       uint64_t *flag);

/*
 * The mapping that holds ptr. pbase or psize may be NULL.
 * 107000 both are NULL, or nothing is mapped there.
 */
ACL_FUNC_VISIBILITY aclError aclrtMemGetAddressRange(void *ptr, void **pbase,
						     size_t *psize);

/* --- Sharing ----------------------------------------------------------- */

/*
 * Gives the memory a number under which others import it: those whose pids
 * are set, or anyone who knows it (flags: ACL_RT_VMM_EXPORT_FLAG_*). Once per
 * memory. handleType: ACL_MEM_HANDLE_TYPE_NONE.
 * 100000 handleType; 107000 flags, unknown handle; 207000 virtual device;
 * 507899 exported already, or imported memory.
 */
ACL_FUNC_VISIBILITY aclError
aclrtMemExportToShareableHandle(aclrtDrvMemHandle handle,
				aclrtMemHandleType handleType, uint64_t flags,
				uint64_t *shareableHandle);

/*
 * Lets processes import what this process exported. pid: pidNum numbers as
 * aclrtDeviceGetBareTgid tells them; those of no live process are skipped.
 * 100000 pidNum 0; 107000 pidNum > 65535; 107017 unknown share; 207006 share
 * without whitelist; 507899 exported by another process, no live process
 * among the pids, or the whitelist is full.
 */
ACL_FUNC_VISIBILITY aclError
aclrtMemSetPidToShareableHandle(uint64_t shareableHandle, int32_t *pid,
				size_t pidNum);

/*
 * A handle of memory that another process exported, for use by a device. Each
 * import takes one aclrtFreePhysical. Enables peer access both ways if the
 * memory is another device's.
 * 107001 no such device; 107002 no context; 107017 unknown share or gone;
 * 507899 not whitelisted, own export, or being destroyed.
 */
ACL_FUNC_VISIBILITY aclError
aclrtMemImportFromShareableHandle(uint64_t shareableHandle, int32_t deviceId,
				  aclrtDrvMemHandle *handle);

/*
 * As above, with the share in a payload of shareType at shareableHandle, which
 * need not be aligned: for ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT the 8 bytes of the
 * number; for ACL_MEM_SHARE_HANDLE_TYPE_FABRIC all of an aclrtMemFabricHandle,
 * which says of which host it is. Import is for the current device.
 * 100000 flags of import are not 0; 107000 unknown shareType, or not what an
 * export put into an aclrtMemFabricHandle; 207000 it is of another host, or
 * from before the module was last loaded.
 */
ACL_FUNC_VISIBILITY aclError
aclrtMemExportToShareableHandleV2(aclrtDrvMemHandle handle, uint64_t flags,
				  aclrtMemSharedHandleType shareType,
				  void *shareableHandle);
ACL_FUNC_VISIBILITY aclError
aclrtMemSetPidToShareableHandleV2(void *shareableHandle,
				  aclrtMemSharedHandleType shareType,
				  int32_t *pid, size_t pidNum);
ACL_FUNC_VISIBILITY aclError
aclrtMemImportFromShareableHandleV2(void *shareableHandle,
				    aclrtMemSharedHandleType shareType,
				    uint64_t flags, aclrtDrvMemHandle *handle);

/* --- Sharing by key: memory that is imported with an address ------------ */

/*
 * Gives the block or mapping that starts at devPtr a key under which others
 * import all of it: those whose pids are set, or anyone who knows it (flags:
 * ACL_RT_IPC_MEM_EXPORT_FLAG_*). key: text of at most 64 characters, with zeros
 * up to 65 bytes; len: room there, at least 65. Asked again, it is the same. A
 * memory has one share, which its key and its number of
 * aclrtMemExportToShareableHandle name alike. It ends with the memory or with
 * aclrtIpcMemClose.
 * 107000 size 0, len, flags; 207000 virtual device; 507899 devPtr is not the
 * start of device memory, size is more than there is, imported memory, or a
 * share with the other flag.
 */
ACL_FUNC_VISIBILITY aclError aclrtIpcMemGetExportKey(void *devPtr, size_t size,
						     char *key, size_t len,
						     uint64_t flags);

/*
 * Lets processes import by key, as aclrtMemSetPidToShareableHandle does.
 * 107000 num is 0 or more than 31; 107017 unknown key; 207006 key without
 * whitelist; 507899 made by another process, no live process among the pids,
 * or the whitelist is full.
 */
ACL_FUNC_VISIBILITY aclError aclrtIpcMemSetImportPid(const char *key,
						     int32_t *pid, size_t num);

/*
 * Maps the memory of a key for the current device, which may read and write it.
 * flags: ACL_RT_IPC_MEM_IMPORT_FLAG_*. Again in the same process for the same
 * device: the same address; each takes one aclrtIpcMemClose. A reset of the
 * device takes it as it takes blocks of aclrtMalloc.
 * 107000 flags; 107002 no context; 207001 out of addresses; 507899 unknown key,
 * not whitelisted, own memory on the same device, or being freed.
 */
ACL_FUNC_VISIBILITY aclError aclrtIpcMemImportByKey(void **devPtr,
						    const char *key,
						    uint64_t flags);

/*
 * In a process that imported by the key: takes one import back, the current
 * device's if there are several; the last one unmaps. Else, in the process that
 * made it: ends the key, and the number of the same share. Who imported the
 * memory keeps it.
 * 107017 unknown key or ended; 507899 neither imported nor made here.
 */
ACL_FUNC_VISIBILITY aclError aclrtIpcMemClose(const char *key);

/* 207000: there are no links to choose from. */
ACL_FUNC_VISIBILITY aclError aclrtIpcMemSetAttr(const char *key,
						aclrtIpcMemAttrType type,
						uint64_t attr);

/* 207000: keys are of this host. */
ACL_FUNC_VISIBILITY aclError
aclrtIpcMemImportPidInterServer(const char *key, aclrtServerPid *serverPids,
				size_t num);

/* --- Peer access: one device to another's memory ----------------------- */

/* 1 for two devices that are there. 100000 the same; 107001 no such device. */
ACL_FUNC_VISIBILITY aclError aclrtDeviceCanAccessPeer(int32_t *canAccessPeer,
						      int32_t deviceId,
						      int32_t peerDeviceId);

/*
 * Lets the current device access peerDeviceId's memory. Counted per process.
 * flags: 0, else 200006. 100000 the same device; 107001 no such device;
 * 107002 no context.
 */
ACL_FUNC_VISIBILITY aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId,
							 uint32_t flags);

/* Takes one enable back. As above; 507899 not enabled. */
ACL_FUNC_VISIBILITY aclError aclrtDeviceDisablePeerAccess(int32_t peerDeviceId);

/* status: out, 1 if this process enabled deviceId -> peerDeviceId, else 0. */
ACL_FUNC_VISIBILITY aclError aclrtDevicePeerAccessStatus(int32_t deviceId,
							 int32_t peerDeviceId,
							 int32_t *status);

/* --- Host memory and copies -------------------------------------------- */

/* Page-aligned host memory. 100000 size 0; 207001 out of memory. */
ACL_FUNC_VISIBILITY aclError aclrtMallocHost(void **hostPtr, size_t size);

/* 107000 not from aclrtMallocHost, or freed already. */
ACL_FUNC_VISIBILITY aclError aclrtFreeHost(void *hostPtr);

/*
 * Copies count bytes between any two addresses, overlapping ones as memmove
 * does. destMax: room at dst. count 0: 0 at once.
 * 100000 kind above 5; 107000 count > destMax, or a device range that is not
 * mapped or lacks rights for the current device; 107002 device memory without
 * a context. Async is complete on return.
 */
ACL_FUNC_VISIBILITY aclError aclrtMemcpy(void *dst, size_t destMax,
					 const void *src, size_t count,
					 aclrtMemcpyKind kind);
ACL_FUNC_VISIBILITY aclError aclrtMemcpyAsync(void *dst, size_t destMax,
					      const void *src, size_t count,
					      aclrtMemcpyKind kind,
					      aclrtStream stream);

/* Sets count bytes to the low byte of value; maxCount: room. As above. */
ACL_FUNC_VISIBILITY aclError aclrtMemset(void *devPtr, size_t maxCount,
					 int32_t value, size_t count);
ACL_FUNC_VISIBILITY aclError aclrtMemsetAsync(void *devPtr, size_t maxCount,
					      int32_t value, size_t count,
					      aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif /* ACL_ACL_RT_H */
