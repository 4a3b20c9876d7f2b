/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share: the objects, grouped by the file that
 * owns them. DESIGN.md tells how they hold each other.
 *
 * Lock order, outermost first:
 *
 *	npumem_clients_lock
 *	  npumem_client.handle_lock
 *	share_lock, a bit of npumem_memory.flags
 *	npumem_share.lock
 *	  mmap_lock of the process
 *	    npumem_client.map_lock
 *	      i_mmap_rwsem and page-table locks of the kernel
 *	npumem_accounts_lock, npumem_window.lock and npumem_zeroed.lock, spinlocks
 *	inside of any
 *
 * The three groups do not nest in each other, but for npumem_clients_lock, under
 * which map_lock may be taken too, and mmap_lock, which comes below both of the
 * mutexes above it. Whoever holds map_lock neither takes
 * mmap_lock nor touches user memory: the fault handler takes map_lock.
 */
#ifndef _NPUMEM_INTERNAL_H
#define _NPUMEM_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "compat.h"
#include <npumem.h>

struct attribute_group;
struct device;
struct file;
struct npumem_card;
struct npumem_handle;
struct npumem_pid_table;
struct platform_device;
struct seq_file;
struct vm_area_struct;
struct vm_fault;

/*
 * Physical memory comes in chunks of one granule, each physically contiguous
 * and one compound page: what a page-table entry of the granule's size needs,
 * and what get_user_pages_fast() before 6.12 relies on. Kbuild says how large
 * one is, by NPUMEM_CHUNK_SHIFT.
 */
#define NPUMEM_CHUNK_SIZE	BIT(NPUMEM_CHUNK_SHIFT)
#define NPUMEM_CHUNK_MASK	(~(NPUMEM_CHUNK_SIZE - 1))
#define NPUMEM_CHUNK_ORDER	(NPUMEM_CHUNK_SHIFT - PAGE_SHIFT)

/*
 * account.c
 */

/* What is limited. Mappings are counted by spans. */
enum npumem_resource {
	NPUMEM_CLIENTS,
	NPUMEM_HANDLES,
	NPUMEM_RESERVATIONS,
	NPUMEM_MAPPINGS,
	NPUMEM_SHARES,
	NPUMEM_ENTRIES,		/* of whitelists */
	NPUMEM_RESOURCES,
};

struct npumem_account;

/**
 * struct npumem_payer - on whose accounts something is
 * @process: of the process that opened the node; a reference
 * @user: of the user who did; a reference
 * @exempt: from the limits of a user
 */
struct npumem_payer {
	struct npumem_account *process;
	struct npumem_account *user;
	bool exempt;
};

int npumem_payer_init(struct npumem_payer *payer);
struct npumem_payer npumem_payer_hold(const struct npumem_payer *payer);
void npumem_payer_put(struct npumem_payer *payer);
int npumem_charge(const struct npumem_payer *payer,
		  enum npumem_resource resource, unsigned long count);
int npumem_charge_fits(const struct npumem_payer *payer,
		       enum npumem_resource resource);
void npumem_uncharge(const struct npumem_payer *payer,
		     enum npumem_resource resource, unsigned long count);
void npumem_accounts_show(struct seq_file *m);
void npumem_accounts_exit(void);

/*
 * limits.c: module parameters that bound what there may be, and the like; root
 * may change them at any time
 */

extern unsigned int npumem_process_limits[NPUMEM_RESOURCES];
extern unsigned int npumem_user_limits[NPUMEM_RESOURCES];
extern unsigned int npumem_max_whitelist;
extern unsigned int npumem_import_wait_ms;
extern bool npumem_pmd_entries;

/*
 * device.c
 */

/**
 * struct npumem_device - one bound NPU, or the host
 * @ref: held by the binding, by each memory of the device, by callers
 * @id: the number user space knows it by, or NPUMEM_HOST
 * @nid: node its memory comes from, or NUMA_NO_NODE
 * @pool: what its memory comes from; goes with the device
 * @is_virtual: a slice of a card, whose memory cannot be exported
 * @gone: unbound; set before the mappings are zapped, never cleared. Faults
 *        read it under map_lock
 * @capacity: bytes it may hand out
 * @used: bytes handed out
 */
struct npumem_device {
	struct kref ref;
	unsigned int id;
	int nid;
	struct npumem_pool *pool;
	bool is_virtual;
	bool gone;
	u64 capacity;
	atomic64_t used;
	struct rcu_head rcu;
};

int npumem_devices_init(void);
void npumem_devices_exit(void);
unsigned int npumem_device_count(void);
struct platform_device *npumem_device_plug(struct device *parent,
					   struct npumem_card *card, u64 size);
void npumem_device_unplug(struct platform_device *pdev);
struct npumem_device *npumem_device_new(u32 id, int nid, u64 capacity,
					struct npumem_pool *pool);
struct npumem_device *npumem_device_get(u32 id);
struct npumem_device *npumem_device_hold(struct npumem_device *device);
void npumem_device_put(struct npumem_device *device);

/*
 * host.c
 */

/* The host's id among devices. */
#define NPUMEM_HOST	63

/* What user space is told in place of a device's id. */
static inline u32 npumem_device_number(u32 id)
{
	return id == NPUMEM_HOST ? NPUMEM_DEVICE_NONE : id;
}

extern const struct attribute_group *npumem_host_groups[];

int npumem_host_init(void);
void npumem_host_exit(void);
struct npumem_device *npumem_host_get(void);
int npumem_host_node(u32 id, int *nid);

/*
 * pool.c: where a device's physical memory comes from
 */

struct npumem_pool;

/**
 * struct npumem_pool_ops - a kind of pool
 * @name: what sysfs calls it
 * @can: may be missing; is it worth trying to get so many chunks?
 * @alloc: as npumem_pool_alloc()
 * @free: takes back what @alloc gave
 * @address: where the kernel sees a chunk, given by its first page frame
 * @failed: may be missing; has the hardware failed in a part of a chunk?
 * @enter: begins to keep memory where it is, and returns a ticket; missing if it
 *         is there as long as somebody has it
 * @is_there: with @enter: has it not gone before?
 * @leave: with @enter: ends that
 * @destroy: may be missing; the last memory and the device are gone
 */
struct npumem_pool_ops {
	const char *name;
	bool (*can)(int nid, unsigned long nr_chunks);
	int (*alloc)(const struct npumem_device *device, int nid,
		     unsigned long *chunks, unsigned long nr_chunks,
		     unsigned long run);
	void (*free)(struct npumem_pool *pool, const unsigned long *chunks,
		     unsigned long nr_chunks);
	void *(*address)(const struct npumem_pool *pool, unsigned long chunk);
	bool (*failed)(unsigned long chunk, unsigned long offset,
		       unsigned long length);
	int (*enter)(void);
	bool (*is_there)(const struct npumem_pool *pool);
	void (*leave)(int ticket);
	void (*destroy)(struct npumem_pool *pool);
};

/**
 * struct npumem_pool - where memory comes from
 * @ops: its kind
 * @huge: its chunks may be mapped by huge entries, whatever the kernel's
 *        get_user_pages_fast() does with those
 * @gigantic: and its runs of 1 GiB, which are what they are called
 * @write_combined: is mapped for that, not cached
 * @decrypted: the kernel sees it as it does registers, past the encryption of
 *             memory that processors have
 */
struct npumem_pool {
	const struct npumem_pool_ops *ops;
	bool huge;
	bool gigantic;
	bool write_combined;
	bool decrypted;
};

int npumem_pool_charge(struct npumem_device *device, u64 length);
void npumem_pool_uncharge(struct npumem_device *device, u64 length);
bool npumem_pool_can(const struct npumem_device *device, int nid,
		     unsigned long nr_chunks);
int npumem_pool_alloc(const struct npumem_device *device, int nid,
		      unsigned long *chunks, unsigned long nr_chunks,
		      unsigned long run);
void npumem_pool_free(struct npumem_device *device,
		      const unsigned long *chunks, unsigned long nr_chunks);
void *npumem_pool_address(const struct npumem_device *device,
			  unsigned long chunk);
bool npumem_pool_failed(const struct npumem_device *device,
			unsigned long chunk, unsigned long offset,
			unsigned long length);
int npumem_pool_enter(const struct npumem_device *device);
void npumem_pool_leave(const struct npumem_device *device, int ticket);
void npumem_pool_destroy(struct npumem_pool *pool);

/*
 * ram.c
 */

/*
 * New pages are zeroed by the page allocator, which does it once, also where
 * it zeroes all pages. RETRY_MAYFAIL reclaims and compacts, but neither the
 * page allocator nor the cgroup's charge calls the OOM killer for it.
 */
#define NPUMEM_RAM_GFP	(GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_ZERO | \
			 __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

extern struct npumem_pool npumem_ram;

bool npumem_ram_failed(unsigned long chunk, unsigned long offset,
		       unsigned long length);
void npumem_ram_put(struct page *chunk);

/*
 * zeroed.c: chunks kept for allocations to come, zeroed in advance
 */

int npumem_zeroed_init(void);
void npumem_zeroed_exit(void);
unsigned long npumem_zeroed_take(int nid, bool bound, unsigned long *chunks,
				 unsigned long nr);
void npumem_zeroed_free(const unsigned long *chunks, unsigned long nr);
u64 npumem_zeroed_bytes(void);
void npumem_zeroed_show(struct seq_file *m);

/*
 * window.c
 */

/**
 * struct npumem_window - a range of physical memory
 * @pool: what others see of it
 * @start: physical address
 * @size: bytes
 * @bytes: where the kernel sees it
 * @nr_chunks: how many chunks it has
 * @lock: guards @taken and @lowest
 * @taken: a bit for each chunk that is somebody's
 * @lowest: no chunk before this one is free
 */
struct npumem_window {
	struct npumem_pool pool;
	phys_addr_t start;
	u64 size;
	void *bytes;
	unsigned long nr_chunks;
	spinlock_t lock;	/* taken, lowest */
	unsigned long *taken;
	unsigned long lowest;
};

int npumem_window_init(struct npumem_window *window,
		       const struct npumem_pool_ops *ops, phys_addr_t start,
		       u64 size, void *bytes);
void npumem_window_exit(struct npumem_window *window);
int npumem_window_alloc(const struct npumem_device *device, int nid,
			unsigned long *chunks, unsigned long nr_chunks,
			unsigned long run);
void npumem_window_free(struct npumem_pool *pool, const unsigned long *chunks,
			unsigned long nr_chunks);
void *npumem_window_address(const struct npumem_pool *pool,
			    unsigned long chunk);

/*
 * carveout.c
 */

int npumem_carveouts_init(void);
void npumem_carveouts_exit(void);
struct npumem_pool *npumem_carveout_create(phys_addr_t start, u64 size,
					   int nid);

/*
 * pci.c
 */

#ifdef CONFIG_PCI
int npumem_pci_init(void);
void npumem_pci_exit(void);
struct npumem_pool *npumem_card_pool(struct npumem_card *card);
#else
static inline int npumem_pci_init(void) { return 0; }
static inline void npumem_pci_exit(void) { }
static inline struct npumem_pool *npumem_card_pool(struct npumem_card *card)
{
	return ERR_PTR(-ENODEV);
}
#endif

/*
 * memory.c
 */

/* Bits of npumem_memory.flags. */
enum {
	/*
	 * share_lock: serialises exporting the memory and ending its share. A bit is
	 * enough, as only threads of one process ever wait for it.
	 */
	NPUMEM_MEMORY_SHARE_LOCK,
	/* Its length is a multiple of 1 GiB, not of 2 MiB. */
	NPUMEM_MEMORY_1G,
};

/**
 * struct npumem_memory - one physical allocation
 * @ref: held by each handle and each mapping, by calls under way
 * @attr: as asked for
 * @device: where it is; a reference
 * @serial: names it to the administrator; tokens and addresses never do
 * @requested: bytes asked for
 * @rcu: frees it after those who found it by its share have looked, at nothing but
 *       @ref
 * @share: its share while it is exported: a reference. Changed under share_lock,
 *         but for the end of the memory
 * @flags: a lock, and what never changes
 * @location_type: as asked for
 * @gigantic: it may have gigantic entries, of 1 GiB
 * @location_id: as asked for: there are not so many nodes
 * @nr_chunks: elements of @chunks
 * @chunks: its chunks in order, by their first page frames
 *
 * There may be millions: with one chunk it is an object of 64 bytes.
 */
struct npumem_memory {
	struct kref ref;
	u32 attr;
	struct npumem_device *device;
	union {
		struct {
			u64 serial;
			u64 requested;
		};
		struct rcu_head rcu;
	};
	struct npumem_share *share;
	unsigned long flags;
	u8 location_type;
	bool gigantic;
	u16 location_id;
	u32 nr_chunks;
	unsigned long chunks[];
};

static inline u64 npumem_memory_length(const struct npumem_memory *memory)
{
	return (u64)memory->nr_chunks << NPUMEM_CHUNK_SHIFT;
}

static inline u64 npumem_memory_granule(const struct npumem_memory *memory)
{
	return test_bit(NPUMEM_MEMORY_1G, &memory->flags) ? NPUMEM_GRANULE_1G :
							    NPUMEM_CHUNK_SIZE;
}

struct npumem_memory *npumem_memory_alloc(struct npumem_device *device,
					  int nid, u64 requested, u64 granule);
struct npumem_memory *npumem_memory_hold(struct npumem_memory *memory);
void npumem_memory_put(struct npumem_memory *memory);

/*
 * share.c
 */

/**
 * struct npumem_share - the name under which a memory can be imported
 * @ref: held by its memory and by calls under way
 * @node: in the table of all shares, by @token
 * @token: random, the capability itself: never printed
 * @serial: of its memory
 * @memory: what it names; weak, NULL once the share or the memory ends. Read
 *          under RCU
 * @exporter: the process that may extend the whitelist; a reference
 * @payer: on whose accounts the share and its whitelist are, though the
 *         exporter may have ended
 * @anyone: knowing the token is enough
 * @plain: exported as it is. Changed under the memory's share_lock, as @key
 * @key: exported as a key
 * @lock: serialises changes of @whitelist and @nr_pids
 * @whitelist: the struct pid of each process let in, with a reference, or NULL
 *             without any. A number that comes back belongs to another struct
 *             pid, so an entry never outlives its process. Read under RCU
 * @nr_pids: entries of @whitelist
 * @wait: imports that wait to be let in
 * @rcu: frees it after those who found it in the table have looked
 */
struct npumem_share {
	struct kref ref;
	struct rhash_head node;
	u64 token;
	u64 serial;
	struct npumem_memory __rcu *memory;
	struct pid *exporter;
	struct npumem_payer payer;
	bool anyone;
	bool plain;
	bool key;
	struct mutex lock;	/* changes of whitelist and nr_pids */
	struct npumem_pid_table __rcu *whitelist;
	u32 nr_pids;
	wait_queue_head_t wait;
	struct rcu_head rcu;
};

int npumem_shares_init(void);
void npumem_shares_exit(void);
struct npumem_share *npumem_share_get(u64 token);
void npumem_share_put(struct npumem_share *share);
struct npumem_memory *npumem_share_memory(struct npumem_share *share);
void npumem_share_end(struct npumem_share *share);

/*
 * whitelist.c
 */

void npumem_whitelist_destroy(struct npumem_share *share);
void npumem_whitelist_prune(struct npumem_share *share);
bool npumem_whitelist_has(struct npumem_share *share, struct pid *tgid);
bool npumem_pid_alive(struct pid *pid);

/*
 * client.c
 */

/**
 * struct npumem_client - one open file of one process
 * @node: in the list of all clients, under npumem_clients_lock
 * @tgid: the process that opened it; a reference
 * @mm: its address space; only compared. @notifier keeps it from reuse
 * @payer: on whose accounts it is, and what it has
 * @notifier: tells when @mm ends
 * @inode: of its own, so that zapping its mapping reaches this client alone
 * @huge: uses huge page-table entries, all or none: a base entry's table in
 *        the place of a huge entry would be in its way
 * @handle_tag: upper half of its handles, which others' handles lack
 *
 * @handle_lock: guards @handles to @peers, and the counts in them
 * @handles: struct npumem_handle by the lower half of the handle
 * @next_handle: where the search for a free id goes on
 * @kept_handle: an id that is reserved, to keep the node where that search is, or 0
 * @recent: the handle that was made or looked up last, if there still is one: as a
 *          rule the next call is about it as well
 * @by_memory: the same handles by memory and device
 * @nr_handles: how many
 * @nr_imports: how many of them are imported
 * @peers: how often a direction is enabled, by its two devices
 *
 * @map_lock: guards what follows, and the rights in it. Faults hold it shared
 *            while they insert, so that a zap after it was held exclusively
 *            leaves nothing stale behind
 * @reservations: struct npumem_reservation by address
 * @spans: struct npumem_span by address, of all mappings
 * @nr_reservations: how many
 * @nr_mappings: how many mappings
 * @nr_spans: how many spans, at least one for each mapping
 * @reserved: bytes in reservations
 * @mapped: bytes in mappings
 *
 * @faults: page faults served
 * @pmd_entries: huge entries inserted
 * @pte_entries: base entries inserted
 * @pud_entries: gigantic entries inserted, of 1 GiB
 * @refused: imports refused
 *
 * The file holds it until its last close; then the notifier's grace period
 * does.
 */
struct npumem_client {
	struct list_head node;
	struct pid *tgid;
	struct mm_struct *mm;
	struct npumem_payer payer;
	struct mmu_notifier notifier;
	struct inode *inode;
	bool huge;
	u32 handle_tag;

	struct mutex handle_lock;	/* handles to peers */
	struct xarray handles;
	u32 next_handle;
	u32 kept_handle;
	struct npumem_handle *recent;
	struct rb_root by_memory;
	unsigned long nr_handles;
	unsigned long nr_imports;
	struct xarray peers;

	struct rw_semaphore map_lock;	/* reservations to mapped */
	struct rb_root_cached reservations;
	struct rb_root_cached spans;
	unsigned long nr_reservations;
	unsigned long nr_mappings;
	unsigned long nr_spans;
	u64 reserved;
	u64 mapped;

	atomic_long_t faults;
	atomic_long_t pmd_entries;
	atomic_long_t pte_entries;
	atomic_long_t pud_entries;
	atomic_long_t refused;
};

extern struct mutex npumem_clients_lock;
extern struct list_head npumem_clients;

int npumem_clients_init(void);
void npumem_clients_exit(void);
int npumem_client_open(struct inode *inode, struct file *file);
int npumem_client_release(struct inode *inode, struct file *file);
bool npumem_client_is_mine(const struct npumem_client *client);
void npumem_client_stats(struct npumem_client *client,
			 struct npumem_stats *stats);
void npumem_client_show_fdinfo(struct seq_file *m, struct file *file);

/*
 * main.c: a call under way
 */

/**
 * struct npumem_call - one ioctl
 * @client: whose descriptor
 * @user: the argument in user space
 * @user_size: its size, read once
 * @size: how much of @arg is known to this module
 * @arg: the argument, completed with zeros
 */
struct npumem_call {
	struct npumem_client *client;
	void __user *user;
	u32 user_size;
	u32 size;
	void *arg;
};

void *npumem_read_list(u64 user, u32 count, size_t size);
int npumem_respond(struct npumem_call *call);

/*
 * handle.c
 */

/**
 * struct npumem_handle - a client's number for a memory
 * @by_memory: in the client's tree of the same name
 * @memory: what it names; a reference
 * @id: lower half of the number
 * @references: how many frees it takes
 * @links: imports that came for peer access to the memory's device since one
 *         of them enabled it. U32_MAX is as many or more, and stays
 * @device: the device that uses the memory through it, or NPUMEM_HOST
 * @imported: not allocated by this client
 */
struct npumem_handle {
	struct rb_node by_memory;
	struct npumem_memory *memory;
	u32 id;
	u32 references;
	u32 links;
	u16 device;
	bool imported;
};

int npumem_handles_init(void);
void npumem_handles_exit(void);
int npumem_handle_add(struct npumem_client *client,
		      struct npumem_memory *memory, u32 device, bool imported,
		      bool link, u64 *number);
int npumem_handle_undo_import(struct npumem_client *client, u64 number,
			      bool link);
int npumem_handle_drop(struct npumem_client *client, u64 number);
struct npumem_memory *npumem_handle_memory(struct npumem_client *client,
					   u64 number, u32 *device,
					   bool *imported);
void npumem_handles_drop_all(struct npumem_client *client, int device);

/*
 * reservation.c
 */

/**
 * struct npumem_reservation - one VMA of a client
 * @it: in the client's tree, by address
 * @client: whose
 * @vmas: VMAs that refer to it: one, and for a moment two while the kernel
 *        tries an mremap() that is refused
 * @device: the device of its first mapping, which may be NPUMEM_HOST, or -1
 * @gigantic: memory that has gigantic entries was mapped in it. Faults look at it
 *            without map_lock, for a hint
 * @mappings: mappings in it, dying ones included; each keeps the struct
 * @released: is being given back by NPUMEM_RELEASE, takes no mappings
 * @closed: the VMA is gone and it is out of the tree: the last mapping frees it
 *
 * All but @vmas is guarded by map_lock.
 */
struct npumem_reservation {
	struct interval_tree_node it;
	struct npumem_client *client;
	refcount_t vmas;
	int device;
	bool gigantic;
	unsigned long mappings;
	bool released;
	bool closed;
};

int npumem_reservation_mmap(struct file *file, struct vm_area_struct *vma);
struct npumem_reservation *npumem_reservation_find(struct npumem_client *client,
						   u64 first, u64 last);

/*
 * mapping.c
 */

/* The bit of a location in the masks of rights. */
#define NPUMEM_RIGHTS_HOST	BIT_ULL(63)
#define NPUMEM_RIGHTS_DEVICE(n)	BIT_ULL(n)

/**
 * struct npumem_rights - who may access
 * @read: bit per location
 * @write: bit per location
 */
struct npumem_rights {
	u64 read;
	u64 write;
};

/**
 * struct npumem_span - a part of a mapping with the same rights throughout
 * @it: in the client's tree, by address
 * @mapping: what it is a part of
 * @rights: who may access it
 */
struct npumem_span {
	struct interval_tree_node it;
	struct npumem_mapping *mapping;
	struct npumem_rights rights;
};

/**
 * struct npumem_mapping - a memory at an address of a client
 * @head: the first of its spans, and the only one until rights differ
 * @node: in a list of mappings being taken down
 * @memory: what is mapped; a reference
 * @reservation: where
 * @device: the device that uses the memory through it, or NPUMEM_HOST
 * @imported: the handle was
 * @claims: its reservation belonged to no device before
 * @dying: being taken down: faults fail, the addresses are not free yet
 */
struct npumem_mapping {
	struct npumem_span head;
	struct list_head node;
	struct npumem_memory *memory;
	struct npumem_reservation *reservation;
	u16 device;
	bool imported;
	bool claims;
	bool dying;
};

/* Its first address, in a tree or not: the head never begins anywhere else. */
static inline unsigned long
npumem_mapping_first(const struct npumem_mapping *mapping)
{
	return mapping->head.it.start;
}

/* Its last address: all of the memory is mapped. */
static inline unsigned long
npumem_mapping_last(const struct npumem_mapping *mapping)
{
	return mapping->head.it.start + npumem_memory_length(mapping->memory) -
	       1;
}

int npumem_mappings_init(void);
void npumem_mappings_exit(void);
struct npumem_span *npumem_span_first(struct npumem_client *client,
				      unsigned long first,
				      unsigned long last);
struct npumem_span *npumem_span_next(struct npumem_span *span,
				     unsigned long last);
bool npumem_span_cpu_reads(const struct npumem_span *span);
bool npumem_span_cpu_writes(const struct npumem_span *span);
struct npumem_mapping *npumem_mapping_new(struct npumem_client *client,
					  const struct npumem_map *arg);
void npumem_mapping_free(struct npumem_mapping *mapping);
int npumem_mapping_insert_locked(struct npumem_client *client,
				 struct npumem_mapping *mapping);
void npumem_mapping_withdraw_locked(struct npumem_client *client,
				    struct npumem_mapping *mapping);
struct npumem_mapping *npumem_mapping_at_locked(struct npumem_client *client,
						u64 first);
void npumem_mappings_erase(struct npumem_client *client,
			   struct list_head *dying);
void npumem_mappings_free(struct list_head *dying);
void npumem_mappings_take(struct npumem_client *client, unsigned long first,
			  unsigned long last, int device,
			  struct list_head *dying);
void npumem_mappings_drop(struct npumem_client *client, unsigned long first,
			  unsigned long last);
void npumem_client_zap(struct npumem_client *client, unsigned long first,
		       unsigned long last);

/*
 * fault.c
 */

vm_fault_t npumem_vm_fault(struct vm_fault *vmf);
vm_fault_t npumem_vm_huge_fault(struct vm_fault *vmf, npumem_fault_size size);
vm_fault_t npumem_vm_pfn_mkwrite(struct vm_fault *vmf);
void npumem_populate(struct npumem_client *client, unsigned long first,
		     unsigned long last);

/*
 * peer.c
 */

bool npumem_peer_enabled(struct npumem_client *client, u32 device, u32 peer);
bool npumem_peer_linked(struct npumem_client *client, u32 device, u32 peer);
int npumem_peer_enable_both_locked(struct npumem_client *client, u32 a, u32 b);
void npumem_peer_disable_both_locked(struct npumem_client *client, u32 a,
				     u32 b);
void npumem_peers_drop(struct npumem_client *client, int device);

/*
 * debugfs.c
 */

void npumem_debugfs_init(void);
void npumem_debugfs_exit(void);

/*
 * The commands, by file. Each is called in process context without locks, by
 * the process that owns the client, with the size and tail of the argument
 * checked; it checks the rest, and answers 0 or a negative errno.
 */
int npumem_ioctl_query(struct npumem_call *call);		/* main.c */
int npumem_ioctl_host_tgid(struct npumem_call *call);
int npumem_ioctl_stats(struct npumem_call *call);		/* client.c */
int npumem_ioctl_reset(struct npumem_call *call);
int npumem_ioctl_device_info(struct npumem_call *call);		/* device.c */
int npumem_ioctl_alloc(struct npumem_call *call);		/* memory.c */
int npumem_ioctl_free(struct npumem_call *call);		/* handle.c */
int npumem_ioctl_memory_info(struct npumem_call *call);
int npumem_ioctl_map(struct npumem_call *call);			/* mapping.c */
int npumem_ioctl_unmap(struct npumem_call *call);
int npumem_ioctl_range(struct npumem_call *call);
int npumem_ioctl_retain(struct npumem_call *call);
int npumem_ioctl_map_batch(struct npumem_call *call);		/* batch.c */
int npumem_ioctl_unmap_batch(struct npumem_call *call);
int npumem_ioctl_set_access(struct npumem_call *call);		/* access.c */
int npumem_ioctl_get_access(struct npumem_call *call);
int npumem_ioctl_release(struct npumem_call *call);	/* reservation.c */
int npumem_ioctl_export(struct npumem_call *call);		/* share.c */
int npumem_ioctl_unexport(struct npumem_call *call);
int npumem_ioctl_share_info(struct npumem_call *call);
int npumem_ioctl_whitelist_add(struct npumem_call *call);	/* whitelist.c */
int npumem_ioctl_import(struct npumem_call *call);		/* import.c */
int npumem_ioctl_peer_enable(struct npumem_call *call);		/* peer.c */
int npumem_ioctl_peer_disable(struct npumem_call *call);
int npumem_ioctl_peer_status(struct npumem_call *call);
int npumem_ioctl_copy(struct npumem_call *call);		/* copy.c */
int npumem_ioctl_fill(struct npumem_call *call);

#endif /* _NPUMEM_INTERNAL_H */
