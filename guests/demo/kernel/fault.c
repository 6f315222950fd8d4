// Page faults: pages that appear on demand, copies on write, and kernel accesses that are allowed to fail.
#include "kernel.h"

#define PF_PRESENT 1
#define PF_WRITE 2
#define PF_USER 4
#define PF_FETCH 16

#define PTE_PRESENT 0x001UL
#define PTE_WRITE 0x002UL
#define PTE_USER 0x004UL
#define PTE_NX (1UL << 63)
#define PTE_ADDRESS 0x000ffffffffff000UL

u64 nr_page_faults, nr_cow_faults, nr_fixups;

static struct vm_area *find_vma(struct mm *mm, u64 address) {
    for (int i = 0; i < mm->area_count; i++) {
        if (address >= mm->areas[i].start && address < mm->areas[i].end) {
            return &mm->areas[i];
        }
    }
    return NULL;
}

static u64 page_rights(struct vm_area *area) {
    return PTE_PRESENT | PTE_USER | (area->flags & VM_WRITE ? PTE_WRITE : 0) | (area->flags & VM_EXEC ? 0 : PTE_NX);
}

static int do_anonymous_page(struct vm_area *area, u64 *pte) {
    void *page = alloc_page();
    if (page == NULL) {
        return -ENOMEM;
    }
    *pte = __pa(page) | page_rights(area);
    return 0;
}

static int filemap_fault(struct vm_area *area, u64 address, u64 *pte) {
    u8 *page = alloc_page();
    if (page == NULL) {
        return -ENOMEM;
    }
    u64 at = address - area->start;
    if (at < area->file_size) {
        inode_read(area->inode, area->offset + at, page, min(PAGE_SIZE, area->file_size - at));
    }
    *pte = __pa(page) | page_rights(area);
    return 0;
}

// A write to a page that two address spaces share: the writer gets a copy, the last owner gets the page.
static int do_wp_page(struct vm_area *area, u64 *pte) {
    void *page = __va(*pte & PTE_ADDRESS);
    nr_cow_faults++;
    if (page_count(page) > 1) {
        void *copy = alloc_page();
        if (copy == NULL) {
            return -ENOMEM;
        }
        memcpy(copy, page, PAGE_SIZE);
        free_page(page);
        page = copy;
    }
    *pte = __pa(page) | page_rights(area);
    return 0;
}

int handle_mm_fault(struct mm *mm, struct vm_area *area, u64 address, u64 error_code) {
    address &= ~(PAGE_SIZE - 1);
    u64 *pte = pte_offset(mm, address, 1);
    if (pte == NULL) {
        return -ENOMEM;
    }
    nr_page_faults++;
    int result = 0;
    if (!(*pte & PTE_PRESENT)) {
        result = area->inode != NULL ? filemap_fault(area, address, pte) : do_anonymous_page(area, pte);
    } else if (error_code & PF_WRITE) {
        result = do_wp_page(area, pte);
    }
    invlpg(address);
    return result;
}

struct exception_entry {
    u64 instruction, fixup;
};
extern const struct exception_entry __start___ex_table[], __stop___ex_table[];

static const struct exception_entry *search_exception_tables(u64 address) {
    for (const struct exception_entry *entry = __start___ex_table; entry < __stop___ex_table; entry++) {
        if (entry->instruction == address) {
            return entry;
        }
    }
    return NULL;
}

// Continues after a kernel instruction that was expected to fault now and then; 0 when this one was not.
int fixup_exception(struct pt_regs *regs) {
    const struct exception_entry *entry = search_exception_tables(regs->ip);
    if (entry == NULL) {
        return 0;
    }
    nr_fixups++;
    regs->ip = entry->fixup;
    return 1;
}

static void bad_area(struct pt_regs *regs, u64 error_code, u64 address) {
    if (user_mode(regs)) {
        printk("%s[%d]: segfault at %lx error %lx\n", current->comm, current->pid, address, error_code);
        do_exit(128 + 11);
    }
    if (!fixup_exception(regs)) {
        printk("BUG: unable to handle page fault for address: %lx ip %lx error %lx\n", address, regs->ip, error_code);
        panic("Fatal exception");
    }
}

void do_page_fault(struct pt_regs *regs, u64 error_code) {
    u64 address = read_cr2();
    if (regs->flags & 0x200) {
        local_irq_enable();
    }
    struct mm *mm = current->mm;
    if (address >= USER_END || mm == NULL) {
        bad_area(regs, error_code, address);
        return;
    }
    struct vm_area *area = find_vma(mm, address);
    if (area == NULL || (error_code & PF_WRITE && !(area->flags & VM_WRITE)) ||
        (error_code & PF_FETCH && !(area->flags & VM_EXEC))) {
        bad_area(regs, error_code, address);
        return;
    }
    if (handle_mm_fault(mm, area, address, error_code) != 0) {
        bad_area(regs, error_code, address);
    }
}
