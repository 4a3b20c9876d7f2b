// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: page-table entries for what is mapped at an address, with the
 * rights the CPU has there.
 *
 * Entries are inserted with map_lock held shared. Whoever takes a mapping or a
 * right away changes the tree with map_lock held exclusively and zaps after
 * that; so no entry is inserted behind a zap's back. Entries hold no reference
 * to the pages: the mapping does, and outlives them.
 *
 * An entry is writable from the start if the CPU may write, as there is no
 * use in knowing which pages are dirty; otherwise it is clean and read-only,
 * and the kernel asks before it makes it writable (huge_fault() and
 * pfn_mkwrite()).
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>

#include "internal.h"

static unsigned long npumem_span_pfn(const struct npumem_span *span,
				     unsigned long address)
{
	unsigned long offset = address - npumem_mapping_first(span->mapping);
	struct npumem_memory *memory = span->mapping->memory;

	return memory->chunks[offset >> NPUMEM_CHUNK_SHIFT] +
	       ((offset & ~NPUMEM_CHUNK_MASK) >> PAGE_SHIFT);
}

/* Is it mapped by huge entries, if nothing is in their place? */
static bool npumem_span_is_huge(const struct npumem_client *client,
				const struct npumem_span *span)
{
	return client->huge && span->mapping->memory->device->pool->huge;
}

/* Base entries for the granule around the address. */
static vm_fault_t npumem_insert_base(struct npumem_client *client,
				     struct vm_fault *vmf,
				     const struct npumem_span *span)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long first = vmf->address & NPUMEM_CHUNK_MASK;
	unsigned long pfn = npumem_span_pfn(span, first);
	pgprot_t prot = vma->vm_page_prot;
	unsigned long i, pages = NPUMEM_CHUNK_SIZE / PAGE_SIZE;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	/* vm_page_prot lacks the right to write, since we have pfn_mkwrite. */
	if (npumem_span_cpu_writes(span))
		prot = vm_get_page_prot(vma->vm_flags);
	/* On x86 the kernel finds the kind of memory by its address. */
	if (span->mapping->memory->device->pool->write_combined)
		prot = pgprot_writecombine(prot);
	if (span->mapping->memory->device->pool->decrypted)
		prot = pgprot_decrypted(prot);
	for (i = 0; i < pages; i++) {
		ret = vmf_insert_pfn_prot(vma, first + i * PAGE_SIZE, pfn + i,
					  prot);
		if (ret != VM_FAULT_NOPAGE)
			break;
	}
	atomic_long_add(i, &client->pte_entries);
	return ret;
}

/*
 * The span that begins right where this one ends, if its entries are to be like
 * those of this one, and in the same VMA; NULL beyond @last.
 */
static struct npumem_span *npumem_span_alike(struct npumem_client *client,
					     const struct npumem_span *span,
					     unsigned long last)
{
	const struct npumem_mapping *from = span->mapping, *to;
	struct npumem_span *next;

	if (span->it.last >= last)
		return NULL;
	next = npumem_span_first(client, span->it.last + 1, span->it.last + 1);
	if (!next || !npumem_span_cpu_reads(next) ||
	    npumem_span_cpu_writes(next) != npumem_span_cpu_writes(span))
		return NULL;
	to = next->mapping;
	if (to->reservation != from->reservation || to->dying ||
	    to->memory->device->pool != from->memory->device->pool ||
	    READ_ONCE(to->memory->device->gone))
		return NULL;
	return next;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
#ifdef CONFIG_X86
/*
 * Huge entries from one address to another, like the one the kernel has just made
 * at @vmf, which is in the same page-table page. All but the frame is the same for
 * all of a pool, the kind of memory too, which takes the kernel most of the time to
 * find out. A zap may have taken the entry away again: then the rest is left to
 * faults.
 */
static unsigned long npumem_insert_like(struct vm_fault *vmf,
					const struct npumem_span *span,
					unsigned long first, unsigned long last)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	pmd_t *pmd = vmf->pmd + (pmd_index(first) - pmd_index(vmf->address));
	unsigned long address, entries = 0;
	spinlock_t *lock;	/* of the page-table page */
	pgprot_t prot;

	/* Most often the one at hand is all there is. */
	if (last - first < PMD_SIZE && !pmd_none(READ_ONCE(*pmd)))
		return 0;
	lock = pmd_lock(mm, vmf->pmd);
	if (!pmd_trans_huge(*vmf->pmd))
		goto out;
	prot = pmd_pgprot(*vmf->pmd);
	for (address = first; address - first <= last - first;
	     address += PMD_SIZE, pmd++) {
		if (!pmd_none(*pmd))
			continue;
		set_pmd_at(mm, address, pmd,
			   pfn_pmd(npumem_span_pfn(span, address), prot));
		entries++;
	}
out:
	spin_unlock(lock);
	return entries;
}
#else
/* One by one. What fails is left to a fault. */
static unsigned long npumem_insert_like(struct vm_fault *vmf,
					const struct npumem_span *span,
					unsigned long first, unsigned long last)
{
	unsigned long address, entries = 0;

	for (address = first; address - first <= last - first;
	     address += PMD_SIZE) {
		struct vm_fault at = {
			.vma = vmf->vma,
			.address = address,
			.flags = vmf->flags,
			.pmd = vmf->pmd + (pmd_index(address) -
					   pmd_index(vmf->address)),
		};

		if (pmd_none(READ_ONCE(*at.pmd)) &&
		    vmf_insert_pfn_pmd(&at,
				       npumem_pfn(npumem_span_pfn(span, address)),
				       npumem_span_cpu_writes(span)) == VM_FAULT_NOPAGE)
			entries++;
	}
	return entries;
}
#endif

/*
 * Huge entries for all of the span that the page-table page at hand covers, and for
 * what follows with the same rights, up to the first that is there.
 * What is not empty there is what would be inserted, or a table of base entries
 * that is left from memory of another pool. Userfaultfd makes such tables too;
 * under it we serve no faults.
 *
 * An entry that was there before may have rights that the span has lost, and be about to
 * be zapped: nothing is made like that one. What was not there is inserted with map_lock
 * held, by us or another fault, with the rights the span has now.
 */
static vm_fault_t npumem_insert_huge(struct npumem_client *client,
				     struct vm_fault *vmf,
				     struct npumem_span *span)
{
	unsigned long here = vmf->address & PMD_MASK;
	unsigned long first = vmf->address & PUD_MASK;
	unsigned long last = first + PUD_SIZE - 1;
	pmd_t *table = vmf->pmd - pmd_index(here);
	bool empty = pmd_none(READ_ONCE(*vmf->pmd));
	unsigned long entries = 1;
	vm_fault_t ret;

	ret = vmf_insert_pfn_pmd(vmf, npumem_pfn(npumem_span_pfn(span, here)),
				 npumem_span_cpu_writes(span));
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	while (empty) {
		entries += npumem_insert_like(vmf, span,
					      max(first, span->it.start),
					      min(last, span->it.last));
		span = npumem_span_alike(client, span, last);
		empty = span &&
			pmd_none(READ_ONCE(table[pmd_index(span->it.start)]));
	}
	atomic_long_add(entries, &client->pmd_entries);
	return VM_FAULT_NOPAGE;
}
#else
static vm_fault_t npumem_insert_huge(struct npumem_client *client,
				     struct vm_fault *vmf,
				     struct npumem_span *span)
{
	return VM_FAULT_FALLBACK;
}
#endif

/* May this fault be served, and from which span? */
static vm_fault_t npumem_fault_span_locked(struct npumem_client *client,
					   const struct vm_fault *vmf,
					   struct npumem_span **found)
{
	struct npumem_span *span;

	span = npumem_span_first(client, vmf->address, vmf->address);
	if (!span || span->mapping->dying || !npumem_span_cpu_reads(span))
		return VM_FAULT_SIGSEGV;
	if (vmf->flags & FAULT_FLAG_WRITE && !npumem_span_cpu_writes(span))
		return VM_FAULT_SIGSEGV;
	if (READ_ONCE(span->mapping->memory->device->gone))
		return VM_FAULT_SIGBUS;
	*found = span;
	return 0;
}

/*
 * The client of a fault, unless the VMA is not where it was made, or is under
 * userfaultfd: since 6.7 that write-protects any VMA, by putting markers into
 * tables of base entries. It comes and goes with the VMA locked.
 */
static struct npumem_client *npumem_fault_client(const struct vm_fault *vmf)
{
	struct npumem_reservation *reservation = vmf->vma->vm_private_data;

	if (vmf->vma->vm_mm != reservation->client->mm ||
	    vmf->pgoff != vmf->address >> PAGE_SHIFT ||
	    userfaultfd_armed(vmf->vma))
		return NULL;
	return reservation->client;
}

/*
 * Is there room for a huge entry? A table of base entries stays where it once was:
 * there, memory of a pool without huge entries was mapped before. No table
 * comes while map_lock is held and the span's memory is of another kind.
 */
static bool npumem_fault_is_huge(const struct npumem_client *client,
				 const struct vm_fault *vmf,
				 const struct npumem_span *span)
{
	pmd_t pmd = READ_ONCE(*vmf->pmd);

	return npumem_span_is_huge(client, span) &&
	       (pmd_none(pmd) || pmd_trans_huge(pmd));
}

static vm_fault_t npumem_fault(struct vm_fault *vmf, bool only_huge)
{
	struct npumem_client *client = npumem_fault_client(vmf);
	struct npumem_span *span;
	vm_fault_t ret;

	if (!client)
		return VM_FAULT_SIGBUS;
	down_read(&client->map_lock);
	ret = npumem_fault_span_locked(client, vmf, &span);
	if (!ret) {
		if (npumem_fault_is_huge(client, vmf, span))
			ret = npumem_insert_huge(client, vmf, span);
		else if (only_huge)
			ret = VM_FAULT_FALLBACK;
		else
			ret = npumem_insert_base(client, vmf, span);
	}
	up_read(&client->map_lock);
	if (ret != VM_FAULT_FALLBACK)
		atomic_long_inc(&client->faults);
	return ret;
}

#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	defined(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP)
/* The first frame of the GiB around the fault, or 0 if it cannot be one entry. */
static unsigned long npumem_fault_pud_pfn(const struct vm_fault *vmf,
					  const struct npumem_span *span)
{
	unsigned long first = vmf->address & PUD_MASK;
	unsigned long pfn;

	if (!span->mapping->memory->gigantic || span->it.start > first ||
	    span->it.last < first + PUD_SIZE - 1)
		return 0;
	pfn = npumem_span_pfn(span, first);
	return IS_ALIGNED(pfn, PUD_SIZE / PAGE_SIZE) ? pfn : 0;
}

/*
 * A fault that was told to fall back some time ago may put a table here at any time,
 * which nothing of ours keeps it from, and the kernel warns if it finds one where it
 * is to insert a writable entry. So it inserts a read-only one, for which it does not
 * care, and we make that one writable, unless the VMA is not, as the kernel would. If
 * it is a table, the next fault falls back.
 */
static void npumem_insert_pud(struct npumem_client *client, struct vm_fault *vmf,
			      const struct npumem_span *span, unsigned long pfn)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	spinlock_t *lock;	/* of the page-table page */
	pud_t pud;

	vmf_insert_pfn_pud(vmf, npumem_pfn(pfn), false);
	lock = pud_lock(mm, vmf->pud);
	pud = *vmf->pud;
	if (pud_trans_huge(pud) && pud_pfn(pud) == pfn) {
		if (npumem_span_cpu_writes(span) && !pud_write(pud) &&
		    vmf->vma->vm_flags & VM_WRITE)
			set_pud_at(mm, vmf->address & PUD_MASK, vmf->pud,
				   pud_mkwrite(pud_mkdirty(pud_mkyoung(pud))));
		atomic_long_inc(&client->pud_entries);
	}
	spin_unlock(lock);
}

/*
 * Told to fall back, the kernel splits an entry of 1 GiB that a store must not use, and
 * one may have come back since we looked. So that UNMAP waits until it is through with
 * that, it is to have mmap_lock, not only the VMA's lock. Nothing of the VMA may be
 * touched after this.
 */
static vm_fault_t npumem_fall_back(struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_WRITE) ||
	    !(vmf->flags & FAULT_FLAG_VMA_LOCK))
		return VM_FAULT_FALLBACK;
	vma_end_read(vmf->vma);
	return VM_FAULT_RETRY;
}

static vm_fault_t npumem_fault_pud(struct vm_fault *vmf)
{
	struct npumem_client *client = npumem_fault_client(vmf);
	unsigned long first = vmf->address & PUD_MASK, pfn;
	struct npumem_span *span;
	bool stale = false;
	vm_fault_t ret;

	if (!client)
		return VM_FAULT_SIGBUS;
	down_read(&client->map_lock);
	ret = npumem_fault_span_locked(client, vmf, &span);
	if (!ret) {
		pfn = npumem_fault_pud_pfn(vmf, span);
		if (pfn)
			npumem_insert_pud(client, vmf, span, pfn);
		else
			stale = pud_trans_huge(READ_ONCE(*vmf->pud));
		ret = pfn || stale ? VM_FAULT_NOPAGE : VM_FAULT_FALLBACK;
	}
	up_read(&client->map_lock);
	if (ret == VM_FAULT_FALLBACK)
		return npumem_fall_back(vmf);
	atomic_long_inc(&client->faults);
	/*
	 * An entry of when all of the GiB had the same rights. Told to fall back, the
	 * kernel would split it, with no lock that UNMAP knows of.
	 */
	if (stale)
		npumem_client_zap(client, first, first + PUD_SIZE - 1);
	return ret;
}
#else
static vm_fault_t npumem_fault_pud(struct vm_fault *vmf)
{
	return VM_FAULT_FALLBACK;
}
#endif

/*
 * From 6.0 to 6.6 the kernel does not call huge_fault() for the first touch of
 * a driver's VMA; this is called instead, and may insert the huge entry all the
 * same. Where there is one by now another thread was faster: what must not
 * happen is that it is taken for a table of base entries.
 */
vm_fault_t npumem_vm_fault(struct vm_fault *vmf)
{
	return npumem_fault(vmf, false);
}

vm_fault_t npumem_vm_huge_fault(struct vm_fault *vmf, npumem_fault_size size)
{
	struct npumem_reservation *reservation = vmf->vma->vm_private_data;

	if (!reservation->client->huge)
		return VM_FAULT_FALLBACK;
	if (size == NPUMEM_FAULT_SIZE_PMD)
		return npumem_fault(vmf, true);
	if (size == NPUMEM_FAULT_SIZE_PUD && READ_ONCE(reservation->gigantic))
		return npumem_fault_pud(vmf);
	return VM_FAULT_FALLBACK;
}

/*
 * A store met a base entry that is read-only. If the right to write has come
 * since, drop the granule's entries for the next fault to make anew, under
 * map_lock: the kernel would make this one writable later, when the right may be
 * gone again.
 */
vm_fault_t npumem_vm_pfn_mkwrite(struct vm_fault *vmf)
{
	struct npumem_client *client = npumem_fault_client(vmf);
	unsigned long first = vmf->address & NPUMEM_CHUNK_MASK;
	struct npumem_span *span;
	vm_fault_t ret;

	if (!client)
		return VM_FAULT_SIGBUS;
	atomic_long_inc(&client->faults);
	down_read(&client->map_lock);
	ret = npumem_fault_span_locked(client, vmf, &span);
	up_read(&client->map_lock);
	if (ret)
		return ret;
	npumem_client_zap(client, first, first + NPUMEM_CHUNK_SIZE - 1);
	return VM_FAULT_NOPAGE;
}

/* What one fault fills ends before this address. */
static unsigned long npumem_fault_reach(unsigned long address, bool huge)
{
	if (huge)
		return (address & PUD_MASK) + PUD_SIZE;
	return (address & NPUMEM_CHUNK_MASK) + NPUMEM_CHUNK_SIZE;
}

/*
 * Fault a run in that has the same rights throughout. To read is enough, for
 * entries are writable at once where they may be.
 */
static int npumem_populate_run(unsigned long first, unsigned long last,
			       bool huge)
{
	struct mm_struct *mm = current->mm;
	unsigned long address = first;
	bool unlocked = false;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	do {
		ret = fixup_user_fault(mm, address, 0, &unlocked);
		if (ret)
			break;
		cond_resched();
		address = npumem_fault_reach(address, huge);
	} while (address > first && address <= last);
	mmap_read_unlock(mm);
	return ret;
}

/**
 * npumem_populate() - fill the page tables of a range
 * @client: the caller's own client, map_lock not held
 * @first: first address
 * @last: last address
 *
 * Saves the faults of the first touch. What cannot be filled, because rights
 * are missing or memory for page tables is, is left to them.
 *
 * Context: process context, sleeps, takes mmap_lock.
 */
void npumem_populate(struct npumem_client *client, unsigned long first,
		     unsigned long last)
{
	struct npumem_span *span, *next;
	unsigned long end;
	bool huge;

	for (;;) {
		down_read(&client->map_lock);
		span = npumem_span_first(client, first, last);
		while (span && !npumem_span_cpu_reads(span)) {
			span = npumem_span_next(span, last);
			cond_resched();
		}
		if (span) {
			first = max(first, span->it.start);
			huge = npumem_span_is_huge(client, span);
			end = min(last, span->it.last);
			next = span;
			while ((next = npumem_span_alike(client, next, last))) {
				end = min(last, next->it.last);
				cond_resched();
			}
		}
		up_read(&client->map_lock);
		if (!span || npumem_populate_run(first, end, huge))
			return;
		if (end == last)
			return;
		first = end + 1;
	}
}
