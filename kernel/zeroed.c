// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chunks of the host's RAM kept for allocations to come: a cache, bounded,
 * reclaimable, and free memory in all accounts. Some are zeroed already, so that
 * an allocation need not wait for that; the others are as they were freed, and
 * spare it the page allocator, which looks at each page of a chunk several times.
 * Either way a chunk is zeroed once from one owner to the next.
 *
 * What is freed is kept as it is if nobody else can have it, see
 * npumem_zeroed_can_keep(), and nobody is charged for it. All else goes to the
 * page allocator, and a thread takes as many back later, which are
 * zeroed by it. So a page that somebody has pinned is not ours before he lets
 * go, and the memory cgroup that was charged is uncharged. The thread asks for
 * no reclaim: it gets what nobody wants. It also zeroes what was kept as it was,
 * at the lowest priority.
 *
 * It is a thread and no work item, as a module can only make work more urgent.
 */
#include <linux/cpuset.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/vmstat.h>
#include <linux/wait.h>

#include "internal.h"

/* Without reclaim, and without what is kept for those who cannot wait. */
#define NPUMEM_ZEROED_GFP	(__GFP_COMP | __GFP_ZERO | __GFP_THISNODE | \
				 __GFP_NOMEMALLOC | __GFP_NOWARN)

/* How much of the host's RAM is left free, as a fraction. */
#define NPUMEM_ZEROED_LEAVE	32
/* And kept, if nothing else is asked for. */
#define NPUMEM_ZEROED_SHARE	16

/* How long the thread lets those who free go on before it begins. */
#define NPUMEM_ZEROED_DELAY_MS	100

/* How many chunks are taken or added at once. */
#define NPUMEM_ZEROED_BATCH	32

/* In the order in which they are handed out. */
enum npumem_zeroed_state {
	NPUMEM_IS_ZEROED,
	NPUMEM_IS_DIRTY,
	NPUMEM_ZEROED_STATES,
};

/**
 * struct npumem_zeroed - what is kept of one node
 * @lock: guards @chunks and @nr; nothing else is locked inside
 * @chunks: by page.lru
 * @nr: how many
 * @wanted: how many were freed to the page allocator and not yet made up for
 */
struct npumem_zeroed {
	spinlock_t lock;	/* chunks and nr */
	struct list_head chunks[NPUMEM_ZEROED_STATES];
	unsigned long nr[NPUMEM_ZEROED_STATES];
	atomic_long_t wanted;
};

static struct npumem_zeroed *npumem_zeroed;	/* nr_node_ids of them */
static struct shrinker *npumem_zeroed_shrinker;
static struct task_struct *npumem_zeroed_thread;
static DECLARE_WAIT_QUEUE_HEAD(npumem_zeroed_wait);

/* Is there something to do for the thread? Bit 0. */
static unsigned long npumem_zeroed_work;

/* In all nodes, of both kinds. It grows with a node's lock held. */
static atomic_long_t npumem_zeroed_nr = ATOMIC_LONG_INIT(0);

/* Since the module was loaded. */
static atomic_long_t npumem_zeroed_filled = ATOMIC_LONG_INIT(0);
static atomic_long_t npumem_zeroed_taken = ATOMIC_LONG_INIT(0);
static atomic_long_t npumem_zeroed_reused = ATOMIC_LONG_INIT(0);
static atomic_long_t npumem_zeroed_reclaimed = ATOMIC_LONG_INIT(0);

/* In chunks. */
static unsigned long npumem_zeroed_max = ULONG_MAX;	/* not set yet */
static unsigned int npumem_zeroed_delay = NPUMEM_ZEROED_DELAY_MS;

/* Free memory that the page allocator does not know to be: reclaimable. */
static void npumem_zeroed_account(int nid, long nr)
{
	mod_node_page_state(NODE_DATA(nid), NR_KERNEL_MISC_RECLAIMABLE,
			    nr * (1L << NPUMEM_CHUNK_ORDER));
}

/* Move up to @nr chunks of a node to a list. Returns how many. */
static unsigned long npumem_zeroed_pop(int nid, enum npumem_zeroed_state state,
				       unsigned long nr, struct list_head *to)
{
	struct npumem_zeroed *node = &npumem_zeroed[nid];
	unsigned long i;

	spin_lock(&node->lock);
	nr = min(nr, node->nr[state]);
	for (i = 0; i < nr; i++)
		list_move(node->chunks[state].next, to);
	node->nr[state] -= nr;
	atomic_long_sub(nr, &npumem_zeroed_nr);
	spin_unlock(&node->lock);
	if (nr)
		npumem_zeroed_account(nid, -(long)nr);
	return nr;
}

/* How many of @nr there is room for: counted. */
static unsigned long npumem_zeroed_reserve(unsigned long nr)
{
	unsigned long max = READ_ONCE(npumem_zeroed_max), room;
	long kept = atomic_long_read(&npumem_zeroed_nr);

	do {
		room = kept < max ? min(nr, max - kept) : 0;
	} while (room && !atomic_long_try_cmpxchg(&npumem_zeroed_nr, &kept,
						  kept + room));
	return room;
}

/*
 * Move up to @nr chunks of a list to a node, as long as there is room, and
 * return how many. Who lowers the bound takes the lock after that.
 */
static unsigned long npumem_zeroed_push(int nid, enum npumem_zeroed_state state,
					unsigned long nr, struct list_head *from)
{
	struct npumem_zeroed *node = &npumem_zeroed[nid];
	unsigned long room, i;

	npumem_zeroed_account(nid, nr);
	spin_lock(&node->lock);
	room = npumem_zeroed_reserve(nr);
	for (i = 0; i < room; i++)
		list_move(from->next, &node->chunks[state]);
	node->nr[state] += room;
	spin_unlock(&node->lock);
	if (room < nr)
		npumem_zeroed_account(nid, room - nr);
	return room;
}

/* Give all chunks of a list back to the page allocator. */
static void npumem_zeroed_put(struct list_head *list)
{
	struct page *chunk, *next;

	list_for_each_entry_safe(chunk, next, list, lru) {
		list_del(&chunk->lru);
		npumem_ram_put(chunk);
		cond_resched();
	}
}

/* Tell the thread. What it is told of is there to be seen. */
static void npumem_zeroed_wake(void)
{
	if (!test_and_set_bit(0, &npumem_zeroed_work))
		wake_up(&npumem_zeroed_wait);
}

/*
 * Give chunks of a node back until there are no more than @max in all; those
 * first that still have to be zeroed.
 */
static unsigned long npumem_zeroed_trim(int nid, unsigned long max,
					unsigned long nr)
{
	unsigned long freed = 0, n;
	LIST_HEAD(batch);
	int state;
	long kept;

	/* The lock is taken at least once: see npumem_zeroed_push(). */
	spin_lock(&npumem_zeroed[nid].lock);
	spin_unlock(&npumem_zeroed[nid].lock);
	for (state = NPUMEM_ZEROED_STATES - 1; state >= 0; ) {
		kept = atomic_long_read(&npumem_zeroed_nr);
		if (freed >= nr || kept <= (long)max)
			break;
		n = min3(nr - freed, (unsigned long)kept - max,
			 (unsigned long)NPUMEM_ZEROED_BATCH);
		n = npumem_zeroed_pop(nid, state, n, &batch);
		if (!n)
			state--;
		npumem_zeroed_put(&batch);
		freed += n;
	}
	return freed;
}

/* Apart from those who call it, for make bench counts its calls. */
static noinline void npumem_zeroed_clear(struct page *chunk)
{
	npumem_clear_pages(page_address(chunk), 1U << NPUMEM_CHUNK_ORDER);
}

/* Is the caller in the root memory cgroup, which nothing is charged to? */
#ifdef CONFIG_MEMCG
static bool npumem_in_root_memcg(void)
{
	struct mem_cgroup *memcg;
	bool root;

	if (mem_cgroup_disabled())
		return true;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	root = !memcg || !memcg->css.parent;
	rcu_read_unlock();
	return root;
}
#else
static bool npumem_in_root_memcg(void)
{
	return true;
}
#endif

/* To the caller's memory cgroup. False if that has no room. */
static bool npumem_zeroed_charge(struct page *chunk)
{
	bool charged;

	npumem_set_large_kmalloc(chunk, true);
	charged = npumem_charge_page(chunk, NPUMEM_RAM_GFP);
	npumem_set_large_kmalloc(chunk, false);
	return charged;
}

/*
 * Make the *@nr chunks of a list the caller's, and zeroed, until one cannot be
 * charged. Returns how many; *@nr are left on the list.
 */
static unsigned long npumem_zeroed_use(enum npumem_zeroed_state state,
				       struct list_head *list,
				       unsigned long *nr, unsigned long *chunks)
{
	struct page *chunk, *next;
	unsigned long got = 0;

	list_for_each_entry_safe(chunk, next, list, lru) {
		bool failed = npumem_ram_failed(page_to_pfn(chunk), 0,
						NPUMEM_CHUNK_SIZE);

		if (!failed && (fatal_signal_pending(current) ||
				!npumem_zeroed_charge(chunk)))
			break;
		list_del(&chunk->lru);
		--*nr;
		/* If it has failed since, it is nobody's any more. */
		if (failed)
			continue;
		if (state == NPUMEM_IS_DIRTY)
			npumem_zeroed_clear(chunk);
		chunks[got++] = page_to_pfn(chunk);
		cond_resched();
	}
	atomic_long_add(got, state == NPUMEM_IS_DIRTY ? &npumem_zeroed_reused :
							&npumem_zeroed_taken);
	return got;
}

/**
 * npumem_zeroed_take() - get zeroed chunks that are kept
 * @nid: the node they must come from, or NUMA_NO_NODE
 * @bound: the caller's cpuset says which nodes may be used
 * @chunks: filled with the chunks' first page frames
 * @nr: how many at most
 *
 * Without a node only the caller's own will do, as long as the page allocator
 * may have something nearer. The chunks are charged to the caller's memory
 * cgroup, or the page allocator is left to try, and to say no.
 *
 * Context: process context, sleeps. Ends early on a fatal signal.
 * Return: how many chunks are the caller's now.
 */
unsigned long npumem_zeroed_take(int nid, bool bound, unsigned long *chunks,
				 unsigned long nr)
{
	unsigned long most = NPUMEM_ZEROED_BATCH, got = 0, n;
	LIST_HEAD(batch);
	int state = 0;
	bool in_root;

	if (!atomic_long_read(&npumem_zeroed_nr))
		return 0;
	if (nid == NUMA_NO_NODE) {
		nid = numa_mem_id();
		bound = true;
	}
	in_root = npumem_in_root_memcg();
	if ((bound && !node_isset(nid, cpuset_current_mems_allowed)) ||
	    (!in_root && !npumem_can_charge_page()))
		return 0;
	/* A charge may wait, and what has been popped nobody else can have. */
	if (!in_root)
		most = 1;
	while (got < nr && state < NPUMEM_ZEROED_STATES) {
		n = min(nr - got, most);
		n = npumem_zeroed_pop(nid, state, n, &batch);
		if (!n) {
			state++;
			continue;
		}
		got += npumem_zeroed_use(state, &batch, &n, chunks + got);
		if (n) {
			npumem_zeroed_push(nid, state, n, &batch);
			npumem_zeroed_put(&batch);
			break;
		}
	}
	return got;
}

/*
 * Can nobody else have a chunk that is about to be freed, and is nobody charged
 * for it? A kernel that wipes free pages, or marks them to find out who still
 * writes to them, is left to do so.
 *
 * Page tables had the chunk only through mappings, which are gone: zapped, and
 * flushed from TLBs. What others have of it they have by a reference, as before
 * 6.12 get_user_pages_fast() gives to who reads it from a huge entry. It looks
 * at the entry again after that, and drops the reference if the entry has
 * changed. So, with a full barrier between the end of the entry and our look at the
 * count, one that somebody keeps is counted here; one that is taken later is
 * for nobody, and is dropped at once. The same holds for whoever comes by page
 * frame number, as compaction and memory failure do: he looks what he has got.
 */
static bool npumem_zeroed_can_keep(struct page *chunk)
{
	return page_count(chunk) == 1 && !npumem_page_charged(chunk) &&
	       !npumem_ram_failed(page_to_pfn(chunk), 0, NPUMEM_CHUNK_SIZE);
}

/* Is something done to all pages that the page allocator gets back? */
static bool npumem_zeroed_others_wipe(void)
{
	return want_init_on_free() || npumem_poisons_free_pages() ||
	       debug_pagealloc_enabled_static();
}

static bool npumem_zeroed_little_is_free(void)
{
	return global_zone_page_state(NR_FREE_PAGES) <
	       totalram_pages() / NPUMEM_ZEROED_LEAVE;
}

/* Another one is to be kept in place of one that the page allocator gets. */
static void npumem_zeroed_want(int nid)
{
	/* Not for those who could not take it. */
	if (!READ_ONCE(npumem_zeroed_max) ||
	    (!npumem_can_charge_page() && !npumem_in_root_memcg()))
		return;
	atomic_long_inc(&npumem_zeroed[nid].wanted);
	npumem_zeroed_wake();
}

/* Keep the chunks of a list as they are, or what there is room for. */
static void npumem_zeroed_keep(int nid, unsigned long nr,
			       struct list_head *list)
{
	if (nr && npumem_zeroed_push(nid, NPUMEM_IS_DIRTY, nr, list))
		npumem_zeroed_wake();
	npumem_zeroed_put(list);
	cond_resched();
}

/**
 * npumem_zeroed_free() - free chunks, to here or to the page allocator
 * @chunks: their first page frames
 * @nr: how many
 *
 * Context: process context, may sleep.
 */
void npumem_zeroed_free(const unsigned long *chunks, unsigned long nr)
{
	bool keep = READ_ONCE(npumem_zeroed_max) && !npumem_zeroed_others_wipe() &&
		    !npumem_zeroed_little_is_free();
	int nid = NUMA_NO_NODE;
	unsigned long n = 0;
	LIST_HEAD(batch);

	/* Between the end of page-table entries and npumem_zeroed_can_keep(). */
	smp_mb();
	while (nr--) {
		struct page *chunk = pfn_to_page(chunks[nr]);

		if (!keep || !npumem_zeroed_can_keep(chunk)) {
			npumem_zeroed_want(page_to_nid(chunk));
			npumem_ram_put(chunk);
			cond_resched();
			continue;
		}
		if (n == NPUMEM_ZEROED_BATCH || page_to_nid(chunk) != nid) {
			npumem_zeroed_keep(nid, n, &batch);
			nid = page_to_nid(chunk);
			n = 0;
		}
		list_add(&chunk->lru, &batch);
		n++;
	}
	npumem_zeroed_keep(nid, n, &batch);
}

/* Zero a chunk that was kept as it was. False if there is none. */
static bool npumem_zeroed_clean(int nid)
{
	struct page *chunk;
	LIST_HEAD(batch);

	if (!npumem_zeroed_pop(nid, NPUMEM_IS_DIRTY, 1, &batch))
		return false;
	chunk = list_first_entry(&batch, struct page, lru);
	if (!npumem_ram_failed(page_to_pfn(chunk), 0, NPUMEM_CHUNK_SIZE)) {
		npumem_zeroed_clear(chunk);
		atomic_long_add(npumem_zeroed_push(nid, NPUMEM_IS_ZEROED, 1,
						   &batch),
				&npumem_zeroed_filled);
	}
	npumem_zeroed_put(&batch);
	return true;
}

/* Keep one more chunk of a node. False if there is no room, or no memory. */
static bool npumem_zeroed_fill(int nid)
{
	struct page *chunk;
	LIST_HEAD(batch);
	bool kept;

	if (atomic_long_read(&npumem_zeroed_nr) >= READ_ONCE(npumem_zeroed_max) ||
	    npumem_zeroed_little_is_free())
		return false;
	chunk = alloc_pages_node(nid, NPUMEM_ZEROED_GFP, NPUMEM_CHUNK_ORDER);
	if (!chunk)
		return false;
	list_add(&chunk->lru, &batch);
	kept = npumem_zeroed_push(nid, NPUMEM_IS_ZEROED, 1, &batch);
	atomic_long_add(kept, &npumem_zeroed_filled);
	npumem_zeroed_put(&batch);
	return kept;
}

/* Zero a chunk of any node. False if nothing is left to be done. */
static bool npumem_zeroed_one(void)
{
	int nid;

	for_each_online_node(nid) {
		if (npumem_zeroed_clean(nid))
			return true;
		if (!atomic_long_add_unless(&npumem_zeroed[nid].wanted, -1, 0))
			continue;
		/* There is no point in the rest now. */
		if (!npumem_zeroed_fill(nid))
			atomic_long_set(&npumem_zeroed[nid].wanted, 0);
		return true;
	}
	return false;
}

/* Who frees and allocates at once is not to meet us halfway. */
static void npumem_zeroed_rest(void)
{
	unsigned int ms;

	do {
		ms = READ_ONCE(npumem_zeroed_delay);
		wait_event_freezable_timeout(npumem_zeroed_wait,
					     kthread_should_stop() ||
					     READ_ONCE(npumem_zeroed_delay) != ms,
					     msecs_to_jiffies(ms));
	} while (!kthread_should_stop() && READ_ONCE(npumem_zeroed_delay) != ms);
}

static int npumem_zeroed_run(void *unused)
{
	set_user_nice(current, MAX_NICE);
	set_freezable();
	while (!kthread_freezable_should_stop(NULL)) {
		wait_event_freezable(npumem_zeroed_wait,
				     test_bit(0, &npumem_zeroed_work) ||
				     kthread_should_stop());
		npumem_zeroed_rest();
		/* What comes after this is told anew. */
		xchg(&npumem_zeroed_work, 0);
		while (!kthread_freezable_should_stop(NULL) &&
		       npumem_zeroed_one())
			cond_resched();
	}
	return 0;
}

static unsigned long npumem_zeroed_count(struct shrinker *shrinker,
					 struct shrink_control *sc)
{
	const struct npumem_zeroed *node = &npumem_zeroed[sc->nid];
	unsigned long nr = READ_ONCE(node->nr[NPUMEM_IS_ZEROED]) +
			   READ_ONCE(node->nr[NPUMEM_IS_DIRTY]);

	return nr ? nr << NPUMEM_CHUNK_ORDER : SHRINK_EMPTY;
}

static unsigned long npumem_zeroed_scan(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	unsigned long nr = DIV_ROUND_UP(sc->nr_to_scan,
					1UL << NPUMEM_CHUNK_ORDER);

	/* Nor is this the time to fill it. */
	atomic_long_set(&npumem_zeroed[sc->nid].wanted, 0);
	nr = npumem_zeroed_trim(sc->nid, 0, nr);
	atomic_long_add(nr, &npumem_zeroed_reclaimed);
	sc->nr_scanned = max(nr << NPUMEM_CHUNK_ORDER, sc->nr_to_scan);
	return nr ? nr << NPUMEM_CHUNK_ORDER : SHRINK_STOP;
}

/* With none to be kept, nothing that was freed before is to be made up for. */
static void npumem_zeroed_trim_all(unsigned long max)
{
	int nid;

	for (nid = 0; nid < nr_node_ids; nid++) {
		if (!max)
			atomic_long_set(&npumem_zeroed[nid].wanted, 0);
		npumem_zeroed_trim(nid, max, ULONG_MAX);
	}
}

static u64 npumem_zeroed_node_bytes(int nid, enum npumem_zeroed_state state)
{
	return (u64)READ_ONCE(npumem_zeroed[nid].nr[state]) <<
	       NPUMEM_CHUNK_SHIFT;
}

/**
 * npumem_zeroed_bytes() - how much is kept that is zeroed
 */
u64 npumem_zeroed_bytes(void)
{
	u64 bytes = 0;
	int nid;

	for_each_online_node(nid)
		bytes += npumem_zeroed_node_bytes(nid, NPUMEM_IS_ZEROED);
	return bytes;
}

void npumem_zeroed_show(struct seq_file *m)
{
	int nid;

	seq_printf(m, "max %llu filled %ld taken %ld reused %ld reclaimed %ld\n",
		   (u64)READ_ONCE(npumem_zeroed_max) << NPUMEM_CHUNK_SHIFT,
		   atomic_long_read(&npumem_zeroed_filled),
		   atomic_long_read(&npumem_zeroed_taken),
		   atomic_long_read(&npumem_zeroed_reused),
		   atomic_long_read(&npumem_zeroed_reclaimed));
	for_each_online_node(nid)
		seq_printf(m, "node %d bytes %llu dirty %llu wanted %ld\n", nid,
			   npumem_zeroed_node_bytes(nid, NPUMEM_IS_ZEROED),
			   npumem_zeroed_node_bytes(nid, NPUMEM_IS_DIRTY),
			   atomic_long_read(&npumem_zeroed[nid].wanted));
}

/* The parameter, in bytes. What is too much goes before the call returns. */
static int npumem_zeroed_set(const char *text, const struct kernel_param *kp)
{
	char *end;
	u64 bytes = memparse(text, &end);

	if (end == text || (*end && strcmp(end, "\n")) || bytes > S64_MAX)
		return -EINVAL;
	WRITE_ONCE(npumem_zeroed_max, bytes >> NPUMEM_CHUNK_SHIFT);
	/* Parameters are set before anything else is. */
	if (npumem_zeroed)
		npumem_zeroed_trim_all(bytes >> NPUMEM_CHUNK_SHIFT);
	return 0;
}

static int npumem_zeroed_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%llu\n",
			  (u64)npumem_zeroed_max << NPUMEM_CHUNK_SHIFT);
}

static const struct kernel_param_ops npumem_zeroed_ops = {
	.set = npumem_zeroed_set,
	.get = npumem_zeroed_get,
};

module_param_cb(max_zeroed, &npumem_zeroed_ops, NULL, 0644);
__MODULE_PARM_TYPE(max_zeroed, "bytes");
MODULE_PARM_DESC(max_zeroed,
		 "bytes of RAM kept for allocations to come, with K, M, G or T; 0 for none (default: a sixteenth of the host's RAM)");

/* The thread may be waiting for as long as it was before. */
static int npumem_zeroed_set_delay(const char *text,
				   const struct kernel_param *kp)
{
	int ret = param_set_uint(text, kp);

	wake_up(&npumem_zeroed_wait);
	return ret;
}

static const struct kernel_param_ops npumem_zeroed_delay_ops = {
	.set = npumem_zeroed_set_delay,
	.get = param_get_uint,
};

module_param_cb(zeroing_delay_ms, &npumem_zeroed_delay_ops,
		&npumem_zeroed_delay, 0644);
__MODULE_PARM_TYPE(zeroing_delay_ms, "uint");
MODULE_PARM_DESC(zeroing_delay_ms,
		 "milliseconds after a free before memory is zeroed in the background (default: 100)");

/* The parameter can be written to before the beginning and after the end. */
static void npumem_zeroed_publish(struct npumem_zeroed *nodes)
{
	kernel_param_lock(THIS_MODULE);
	npumem_zeroed = nodes;
	kernel_param_unlock(THIS_MODULE);
}

void npumem_zeroed_exit(void)
{
	struct npumem_zeroed *nodes = npumem_zeroed;

	kthread_stop(npumem_zeroed_thread);
	npumem_shrinker_free(npumem_zeroed_shrinker);
	npumem_zeroed_trim_all(0);
	WARN_ON(atomic_long_read(&npumem_zeroed_nr));
	npumem_zeroed_publish(NULL);
	kfree(nodes);
}

int npumem_zeroed_init(void)
{
	struct npumem_zeroed *nodes;
	int nid, state, ret = -ENOMEM;

	nodes = kcalloc(nr_node_ids, sizeof(*nodes), GFP_KERNEL);
	if (!nodes)
		return -ENOMEM;
	for (nid = 0; nid < nr_node_ids; nid++) {
		spin_lock_init(&nodes[nid].lock);
		for (state = 0; state < NPUMEM_ZEROED_STATES; state++)
			INIT_LIST_HEAD(&nodes[nid].chunks[state]);
	}
	npumem_zeroed_publish(nodes);
	cmpxchg(&npumem_zeroed_max, ULONG_MAX,
		totalram_pages() / NPUMEM_ZEROED_SHARE >> NPUMEM_CHUNK_ORDER);

	npumem_zeroed_shrinker = npumem_shrinker_new(SHRINKER_NUMA_AWARE,
						     "npumem-zeroed");
	if (!npumem_zeroed_shrinker)
		goto err_free;
	npumem_zeroed_shrinker->count_objects = npumem_zeroed_count;
	npumem_zeroed_shrinker->scan_objects = npumem_zeroed_scan;
	npumem_zeroed_shrinker->batch = 1UL << NPUMEM_CHUNK_ORDER;
	/* It takes no I/O to have it back: it goes before all other caches. */
	npumem_zeroed_shrinker->seeks = 0;
	ret = npumem_shrinker_register(npumem_zeroed_shrinker, "npumem-zeroed");
	if (ret)
		goto err_shrinker;

	npumem_zeroed_thread = kthread_run(npumem_zeroed_run, NULL,
					   "npumem-zero");
	ret = PTR_ERR_OR_ZERO(npumem_zeroed_thread);
	if (!ret)
		return 0;

err_shrinker:
	npumem_shrinker_free(npumem_zeroed_shrinker);
err_free:
	npumem_zeroed_publish(NULL);
	kfree(nodes);
	return ret;
}
