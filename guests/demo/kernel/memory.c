// Physical pages, the kernel's and the tasks' page tables, kmalloc.
#include "kernel.h"

#define PTE_PRESENT 0x001UL
#define PTE_WRITE 0x002UL
#define PTE_USER 0x004UL
#define PTE_UNCACHED 0x010UL
#define PTE_LARGE 0x080UL
#define PTE_GLOBAL 0x100UL
#define PTE_NX (1UL << 63)
#define PTE_ADDRESS 0x000ffffffffff000UL

#define EFER 0xc0000080
#define EFER_NXE (1 << 11)

u64 init_pgd[512] __attribute__((aligned(4096)));

extern char _text[], _etext[], __start_rodata[], __end_rodata[], _end[];

static void *free_list;
static u64 free_count;
static u16 counts[MEMORY_END / PAGE_SIZE];
static u64 next_early_page;
static int mapped;

// Before paging_init the boot page tables map memory at KERNEL_BASE, after it there is the direct map.
static void *reach(u64 physical) { return mapped ? __va(physical) : (void *)(physical + KERNEL_BASE); }

static u64 early_page(void) {
    u64 page = next_early_page;
    next_early_page += PAGE_SIZE;
    memset(reach(page), 0, PAGE_SIZE);
    return page;
}

static u64 *walk_early(u64 *table, u64 address, int level) {
    for (int at = 3; at > level; at--) {
        u64 *entry = &table[address >> (12 + 9 * at) & 511];
        if (!(*entry & PTE_PRESENT)) {
            *entry = early_page() | PTE_PRESENT | PTE_WRITE;
        }
        table = reach(*entry & PTE_ADDRESS);
    }
    return &table[address >> (12 + 9 * level) & 511];
}

// Maps the kernel image page by page, each part with no more rights than it needs, and the first GiB of memory by
// 2 MiB pages at PAGE_OFFSET. What the boot page tables had at address 0 is gone afterwards.
void paging_init(void) {
    next_early_page = (__pa_symbol(_end) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    wrmsr(EFER, rdmsr(EFER) | EFER_NXE);

    for (u64 address = (u64)_text; address < (u64)_end; address += PAGE_SIZE) {
        u64 rights = PTE_PRESENT | PTE_GLOBAL;
        if (address >= (u64)_etext) {
            rights |= PTE_NX;
        }
        if (address >= (u64)__end_rodata) {
            rights |= PTE_WRITE;
        }
        *walk_early(init_pgd, address, 0) = (address - KERNEL_BASE) | rights;
    }
    for (u64 physical = 0; physical < 1UL << 30; physical += 2UL << 20) {
        *walk_early(init_pgd, PAGE_OFFSET + physical, 1) =
            physical | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_GLOBAL | PTE_NX;
    }
    write_cr3(__pa_symbol(init_pgd));
    write_cr0(read_cr0() | 1UL << 16);      // WP
    write_cr4(read_cr4() | 1UL << 7);       // PGE
    mapped = 1;
}

// Maps one page of device registers. For use before mem_init's pages are handed out.
volatile u8 *ioremap(u64 physical) {
    static u64 next = FIXMAP;
    u64 address = next;
    next += PAGE_SIZE;
    *walk_early(init_pgd, address, 0) = physical | PTE_PRESENT | PTE_WRITE | PTE_UNCACHED | PTE_GLOBAL | PTE_NX;
    return (volatile u8 *)address;
}

void mem_init(void) {
    for (u64 page = MEMORY_END - PAGE_SIZE; page >= next_early_page; page -= PAGE_SIZE) {
        counts[page / PAGE_SIZE] = 1;
        free_page(__va(page));
    }
}

// A zeroed page that the caller owns, or NULL.
void *alloc_page(void) {
    u64 flags = local_irq_save();
    void **page = free_list;
    if (page != NULL) {
        free_list = *page;
        free_count--;
        counts[__pa(page) / PAGE_SIZE] = 1;
    }
    local_irq_restore(flags);
    if (page != NULL) {
        memset(page, 0, PAGE_SIZE);
    }
    return page;
}

void get_page(void *page) { counts[__pa(page) / PAGE_SIZE]++; }

u32 page_count(const void *page) { return counts[__pa(page) / PAGE_SIZE]; }

void free_page(void *page) {
    u64 flags = local_irq_save();
    if (--counts[__pa(page) / PAGE_SIZE] == 0) {
        *(void **)page = free_list;
        free_list = page;
        free_count++;
    }
    local_irq_restore(flags);
}

u64 nr_free_pages(void) { return free_count; }

// Objects of up to 1 KiB come from pages cut into equal pieces; larger ones, up to a page, are pages.
static void *caches[4]; // 128, 256, 512, 1024 bytes

static int cache_index(u64 size) {
    int index = 0;
    while (index < 4 && (128UL << index) < size) {
        index++;
    }
    return index;
}

void *kmalloc(u64 size) {
    int index = cache_index(size + 8);
    if (size + 8 > PAGE_SIZE) {
        return NULL;
    }
    if (index == 4) {
        u64 *page = alloc_page();
        if (page != NULL) {
            page[0] = 4;
        }
        return page == NULL ? NULL : page + 1;
    }
    if (caches[index] == NULL) {
        u8 *page = alloc_page();
        if (page == NULL) {
            return NULL;
        }
        for (u64 at = 0; at < PAGE_SIZE; at += 128UL << index) {
            *(void **)(page + at) = caches[index];
            caches[index] = page + at;
        }
    }
    u64 *object = caches[index];
    caches[index] = *(void **)object;
    memset(object, 0, 128UL << index);
    object[0] = (u64)index;
    return object + 1;
}

void kfree(void *pointer) {
    u64 *object = (u64 *)pointer - 1;
    u64 index = object[0];
    if (index == 4) {
        free_page(object);
        return;
    }
    *(void **)object = caches[index];
    caches[index] = object;
}

struct mm *mm_alloc(void) {
    struct mm *mm = kmalloc(sizeof(struct mm));
    if (mm == NULL) {
        return NULL;
    }
    mm->pgd = alloc_page();
    if (mm->pgd == NULL) {
        kfree(mm);
        return NULL;
    }
    memcpy(mm->pgd + 256, init_pgd + 256, PAGE_SIZE / 2);
    return mm;
}

// The last-level entry for a user address; NULL when its table is missing and create is 0 or memory ran out.
u64 *pte_offset(struct mm *mm, u64 address, int create) {
    u64 *table = mm->pgd;
    for (int level = 3; level > 0; level--) {
        u64 *entry = &table[address >> (12 + 9 * level) & 511];
        if (!(*entry & PTE_PRESENT)) {
            void *page = create ? alloc_page() : NULL;
            if (page == NULL) {
                return NULL;
            }
            *entry = __pa(page) | PTE_PRESENT | PTE_WRITE | PTE_USER;
        }
        table = __va(*entry & PTE_ADDRESS);
    }
    return &table[address >> 12 & 511];
}

struct vm_area *mmap_region(struct mm *mm, u64 start, u64 end, u32 flags) {
    if (mm->area_count == MAX_AREAS) {
        return NULL;
    }
    struct vm_area *area = &mm->areas[mm->area_count++];
    area->start = start;
    area->end = end;
    area->flags = flags;
    return area;
}

static int copy_page_range(struct mm *to, struct mm *from, struct vm_area *area) {
    for (u64 address = area->start; address < area->end; address += PAGE_SIZE) {
        u64 *source = pte_offset(from, address, 0);
        if (source == NULL || !(*source & PTE_PRESENT)) {
            continue;
        }
        u64 *target = pte_offset(to, address, 1);
        if (target == NULL) {
            return -ENOMEM;
        }
        *source &= ~PTE_WRITE;
        *target = *source;
        get_page(__va(*source & PTE_ADDRESS));
    }
    return 0;
}

// A second address space with the same contents: pages are shared until one of the two writes.
struct mm *dup_mm(struct mm *from) {
    struct mm *mm = mm_alloc();
    if (mm == NULL) {
        return NULL;
    }
    for (int i = 0; i < from->area_count; i++) {
        mm->areas[i] = from->areas[i];
        if (from->heap == &from->areas[i]) {
            mm->heap = &mm->areas[i];
        }
        mm->area_count = i + 1;
        if (copy_page_range(mm, from, &mm->areas[i]) != 0) {
            exit_mmap(mm);
            return NULL;
        }
    }
    write_cr3(read_cr3());
    return mm;
}

static void free_tables(u64 *table, int level) {
    for (int i = 0; i < (level == 3 ? 256 : 512); i++) {
        if (table[i] & PTE_PRESENT) {
            if (level > 0) {
                free_tables(__va(table[i] & PTE_ADDRESS), level - 1);
            } else {
                free_page(__va(table[i] & PTE_ADDRESS));
            }
        }
    }
    free_page(table);
}

void exit_mmap(struct mm *mm) {
    free_tables(mm->pgd, 3);
    kfree(mm);
}
