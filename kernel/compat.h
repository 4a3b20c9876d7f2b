/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows what differs between kernels, by feature. Each
 * entry says since when it is needed no more: delete it when the oldest
 * supported kernel is past that. make check reads this.
 */
#ifndef _NPUMEM_COMPAT_H
#define _NPUMEM_COMPAT_H

#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

/* vm_flags is changed by functions since 6.3; Kbuild looks for them. */
#ifndef NPUMEM_HAVE_VM_FLAGS_SET
static inline void npumem_vm_flags_mod(struct vm_area_struct *vma,
				       unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#else
#define npumem_vm_flags_mod(vma, set, clear)	vm_flags_mod(vma, set, clear)
#endif

/* Splitting a VMA is asked for by may_split() since 5.11; Kbuild looks for it. */
#ifndef NPUMEM_HAVE_MAY_SPLIT
#define may_split		split
#endif

/* Page frames are passed as plain numbers since 6.17; Kbuild looks for pfn_t. */
#ifdef NPUMEM_HAVE_PFN_T
#include <linux/pfn_t.h>
#define npumem_pfn(pfn)		pfn_to_pfn_t(pfn)
#else
#define npumem_pfn(pfn)		(pfn)
#endif

/*
 * The workqueue without a CPU of its own is called system_dfl_wq since 6.17, and its
 * old name is warned of; Kbuild looks for the new one.
 */
#ifndef NPUMEM_HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq		system_unbound_wq
#endif

/*
 * huge_fault() is told an order since 6.6, which defined PMD_ORDER for all;
 * before that one of three sizes.
 */
#ifdef PMD_ORDER
#define npumem_fault_size	unsigned int
#define NPUMEM_FAULT_SIZE_PMD	PMD_ORDER
#define NPUMEM_FAULT_SIZE_PUD	(PUD_SHIFT - PAGE_SHIFT)
#else
#define npumem_fault_size	enum page_entry_size
#define NPUMEM_FAULT_SIZE_PMD	PE_SIZE_PMD
#define NPUMEM_FAULT_SIZE_PUD	PE_SIZE_PUD
#endif

/*
 * Entries of 1 GiB: only where the kernel can mark them as none of
 * get_user_pages_fast()'s business, on x86 since 6.12.
 */
#if defined(CONFIG_X86_64) && defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	defined(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP)
#include <asm/cpufeature.h>
#define npumem_cpu_has_pud()	boot_cpu_has(X86_FEATURE_GBPAGES)
#else
#define npumem_cpu_has_pud()	false
#endif

/* The flags of a page have a type of their own since 6.18; Kbuild looks for it. */
#ifdef NPUMEM_HAVE_MEMDESC_FLAGS
#define npumem_page_flags(page)	((page)->flags.f)
#else
#define npumem_page_flags(page)	((page)->flags)
#endif

/* Shrinkers are allocated by a function since 6.7; Kbuild looks for it. */
#ifdef NPUMEM_HAVE_SHRINKER_ALLOC
#define npumem_shrinker_new(flags, name)	shrinker_alloc(flags, name)
#define npumem_shrinker_free(shrinker)		shrinker_free(shrinker)
#else
static inline struct shrinker *npumem_shrinker_new(unsigned int flags,
						   const char *name)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (shrinker)
		shrinker->flags = flags;
	return shrinker;
}

static inline void npumem_shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

/*
 * They have their name by then since 6.7, and got it with their registration
 * since 6.0; Kbuild looks for it.
 */
#if defined(NPUMEM_HAVE_SHRINKER_ALLOC)
static inline int npumem_shrinker_register(struct shrinker *shrinker,
					   const char *name)
{
	shrinker_register(shrinker);
	return 0;
}
#elif defined(NPUMEM_HAVE_SHRINKER_NAMES)
static inline int npumem_shrinker_register(struct shrinker *shrinker,
					   const char *name)
{
	return register_shrinker(shrinker, "%s", name);
}
#else
static inline int npumem_shrinker_register(struct shrinker *shrinker,
					   const char *name)
{
	return register_shrinker(shrinker);
}
#endif

/*
 * A memory cgroup can be charged for a page that is there already since 6.12, by
 * what is meant for objects of the slab allocator, as long as the page looks
 * like a large one of these; Kbuild looks for it. Such an object is in statistics
 * of that allocator, which the page must not be in. Without that, only who is in
 * the root cgroup, which nothing is charged to, can be given such a page.
 */
#ifdef NPUMEM_HAVE_KMEM_CACHE_CHARGE
#define npumem_can_charge_page()	true

static inline bool npumem_charge_page(struct page *page, gfp_t gfp)
{
	struct folio *folio = page_folio(page);
	long size = folio_size(folio);

	if (!kmem_cache_charge(page_address(page), gfp))
		return false;
	if (folio_memcg_kmem(folio)) {
		lruvec_stat_mod_folio(folio, NR_SLAB_UNRECLAIMABLE_B, -size);
		mod_node_page_state(folio_pgdat(folio), NR_SLAB_UNRECLAIMABLE_B,
				    size);
	}
	return true;
}
#else
#define npumem_can_charge_page()	false

static inline bool npumem_charge_page(struct page *page, gfp_t gfp)
{
	return true;
}
#endif

/* Large objects are known by a type of page since 6.15; Kbuild looks for it. */
#ifdef NPUMEM_HAVE_LARGE_KMALLOC
static inline void npumem_set_large_kmalloc(struct page *page, bool is_one)
{
	if (is_one)
		__folio_set_large_kmalloc(page_folio(page));
	else
		__folio_clear_large_kmalloc(page_folio(page));
}
#else
static inline void npumem_set_large_kmalloc(struct page *page, bool is_one)
{
}
#endif

/*
 * Pages that follow each other are cleared in one go since 7.0; Kbuild looks for that.
 * Before, x86 fills words in the same way. Not by memset(), which on processors without
 * fast "rep stosb" takes seven times as many instructions.
 */
#ifdef NPUMEM_HAVE_CLEAR_PAGES
#define npumem_clear_pages(at, nr)	clear_pages(at, nr)
#elif defined(CONFIG_X86_64) && defined(__HAVE_ARCH_MEMSET64)
#define npumem_clear_pages(at, nr)	memset64(at, 0, (nr) * (PAGE_SIZE / 8))
#else
static inline void npumem_clear_pages(void *at, unsigned int nr)
{
	for (; nr; nr--, at += PAGE_SIZE)
		clear_page(at);
}
#endif

/* Who is charged for a page is told by memcg_data since 5.11; Kbuild looks for it. */
#ifdef NPUMEM_HAVE_MEMCG_DATA
#define npumem_page_charged(page)	PageMemcgKmem(page)
#else
#define npumem_page_charged(page)	PageKmemcg(page)
#endif

/*
 * Whether pages are poisoned when the page allocator gets them back is told by a
 * branch that is patched since 5.11; Kbuild looks for it.
 */
#ifdef NPUMEM_HAVE_PAGE_POISONING_STATIC
#define npumem_poisons_free_pages()	page_poisoning_enabled_static()
#else
#define npumem_poisons_free_pages()	page_poisoning_enabled()
#endif

#endif /* _NPUMEM_COMPAT_H */
