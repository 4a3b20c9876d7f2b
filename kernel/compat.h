/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows what differs between kernels, by feature. Each
 * entry says since when it is needed no more: delete it when the oldest
 * supported kernel is past that. make check reads this.
 */
#ifndef _NPUMEM_COMPAT_H
#define _NPUMEM_COMPAT_H

#include <linux/mm.h>
#include <linux/pgtable.h>
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

#endif /* _NPUMEM_COMPAT_H */
