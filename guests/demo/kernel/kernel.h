// The demo kernel: types, constants and functions that its files share.
#pragma once
#include "layout.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long s64;

#define NULL ((void *)0)
#define PAGE_SIZE 4096UL
#define PAGE_OFFSET 0xffff888000000000UL
#define MEMORY_END 0x1000000UL // the demo uses the first 16 MiB
#define FIXMAP 0xffffffffff000000UL
#define USER_END 0x800000000000UL
#define STACK_TOP 0x7ffffffff000UL
#define STACK_SIZE 0x10000UL

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EBADF 9
#define ECHILD 10
#define ENOMEM 12
#define EFAULT 14
#define EINVAL 22
#define EMFILE 24
#define ENOSPC 28
#define EPIPE 32
#define ENAMETOOLONG 36
#define ENOSYS 38

#define __va(physical) ((void *)((u64)(physical) + PAGE_OFFSET))
#define __pa(address) ((u64)(address) - PAGE_OFFSET)
#define __pa_symbol(symbol) ((u64)(symbol) - KERNEL_BASE)
#define min(a, b) ((a) < (b) ? (a) : (b))

// What entry.S pushes, lowest address first.
struct pt_regs {
    u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    u64 orig_ax; // system call number, error code, or -1
    u64 ip, cs, flags, sp, ss;
};

static inline int user_mode(const struct pt_regs *regs) { return (regs->cs & 3) != 0; }

// Files ------------------------------------------------------------------------------------------------------------

#define PIPE_SIZE 512
#define INODE_PAGES 8

struct pipe {
    u32 head, tail; // bytes ever written and read
    u32 readers, writers;
    u8 data[PIPE_SIZE];
};

struct inode {
    char name[32];
    const u8 *image; // contents that came with the kernel, read-only
    u64 size;
    u8 *pages[INODE_PAGES]; // contents written by tasks
};

enum file_kind { FILE_INODE, FILE_CONSOLE, FILE_PIPE_READ, FILE_PIPE_WRITE };

struct file {
    enum file_kind kind;
    u32 count;
    u64 pos;
    struct inode *inode;
    struct pipe *pipe;
};

// Memory -----------------------------------------------------------------------------------------------------------

#define VM_WRITE 1
#define VM_EXEC 2
#define MAX_AREAS 8

// A range of user addresses; pages of it appear when they are first touched.
struct vm_area {
    u64 start, end;
    u32 flags;
    struct inode *inode; // where the first file_size bytes come from, or NULL
    u64 offset, file_size;
};

struct mm {
    u64 *pgd;
    struct vm_area areas[MAX_AREAS];
    int area_count;
    struct vm_area *heap;
};

// Tasks ------------------------------------------------------------------------------------------------------------

#define MAX_TASKS 16
#define MAX_FILES 8
#define TASK_FREE 0
#define TASK_RUNNING 1
#define TASK_SLEEPING 2
#define TASK_ZOMBIE 3

struct task_struct {
    u64 sp;           // saved kernel stack pointer; entry.S relies on this being first
    u64 kernel_stack; // its top
    int state;
    int pid;
    int exit_code; // as wait4 reports it
    int slice;     // timer ticks left
    u64 wake_at;   // in ticks, 0 for none
    const void *channel;
    struct mm *mm;
    struct task_struct *parent;
    struct task_struct *next; // in the run queue
    struct file *files[MAX_FILES];
    char comm[16];
};

// What %gs points to in the kernel; entry.S relies on the order.
struct per_cpu {
    u64 kernel_stack;
    u64 user_sp;
    struct task_struct *current_task;
};

extern struct per_cpu cpu_data;
extern struct task_struct tasks[MAX_TASKS];
extern int need_resched;
extern u64 jiffies;

static inline struct task_struct *get_current(void) {
    struct task_struct *task;
    __asm__ volatile("movq %%gs:16, %0" : "=r"(task));
    return task;
}
#define current get_current()

// Processor --------------------------------------------------------------------------------------------------------

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline void outw(u16 port, u16 value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void wrmsr(u32 msr, u64 value) {
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
static inline u64 rdmsr(u32 msr) {
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return low | (u64)high << 32;
}
static inline u64 read_cr2(void) {
    u64 value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}
static inline u64 read_cr3(void) {
    u64 value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value)::"memory");
    return value;
}
static inline void write_cr3(u64 value) { __asm__ volatile("movq %0, %%cr3" ::"r"(value) : "memory"); }
static inline u64 read_cr0(void) {
    u64 value;
    __asm__ volatile("movq %%cr0, %0" : "=r"(value));
    return value;
}
static inline void write_cr0(u64 value) { __asm__ volatile("movq %0, %%cr0" ::"r"(value) : "memory"); }
static inline u64 read_cr4(void) {
    u64 value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}
static inline void write_cr4(u64 value) { __asm__ volatile("movq %0, %%cr4" ::"r"(value) : "memory"); }
static inline void invlpg(u64 address) { __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory"); }
static inline void local_irq_enable(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void local_irq_disable(void) { __asm__ volatile("cli" ::: "memory"); }
static inline u64 local_irq_save(void) {
    u64 flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
    return flags;
}
static inline void local_irq_restore(u64 flags) { __asm__ volatile("pushq %0; popfq" ::"r"(flags) : "memory"); }
static inline void cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d) {
    __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "0"(leaf), "2"(0));
}

// printk.c
void printk(const char *format, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *message) __attribute__((noreturn));
void serial_init(void);
void serial_write(const char *text, u64 length);
void machine_power_off(void) __attribute__((noreturn));

// lib.S
void *memcpy(void *to, const void *from, u64 length);
void *memset(void *to, int value, u64 length);
// string.c
u64 strlen(const char *text);
int strcmp(const char *a, const char *b);
void strscpy(char *to, const char *from, u64 size);
// lib.S
u64 copy_user_generic(void *to, const void *from, u64 length);
int probe_read_quad(const void *from, u64 *value);

// memory.c
void paging_init(void);
void mem_init(void);
volatile u8 *ioremap(u64 physical);
void *alloc_page(void);
void free_page(void *page);
void get_page(void *page);
u32 page_count(const void *page);
u64 nr_free_pages(void);
void *kmalloc(u64 size);
void kfree(void *object);
struct mm *mm_alloc(void);
struct mm *dup_mm(struct mm *from);
void exit_mmap(struct mm *mm);
struct vm_area *mmap_region(struct mm *mm, u64 start, u64 end, u32 flags);
u64 *pte_offset(struct mm *mm, u64 address, int create);
extern u64 init_pgd[512];

// fault.c
void do_page_fault(struct pt_regs *regs, u64 error_code);
int fixup_exception(struct pt_regs *regs);
extern u64 nr_page_faults, nr_cow_faults, nr_fixups;

// uaccess.c
u64 copy_from_user(void *to, const void *from, u64 length);
u64 copy_to_user(void *to, const void *from, u64 length);
s64 strncpy_from_user(char *to, const char *from, u64 size);
int copy_from_kernel_nofault(u64 *to, const void *from);

// traps.c, irq.c
void trap_init(void);
void init_IRQ(void);
void time_init(void);
void set_kernel_stack(u64 top);
extern u64 idt_vectors[];

// sched.c
void sched_init(void);
void schedule(void);
void scheduler_tick(void);
void wake_up_process(struct task_struct *task);
void sleep_on(const void *channel);
void wake_up(const void *channel);
void schedule_timeout(u64 ticks);
void run_timers(void);
void cpu_idle(void) __attribute__((noreturn));
void __switch_to_asm(struct task_struct *prev, struct task_struct *next);
void ret_from_fork(void);

// fork.c
s64 _do_fork(struct pt_regs *regs);
int kernel_thread(void (*function)(void *), void *argument, const char *name);
void do_exit(int code) __attribute__((noreturn));
s64 do_wait(int pid, int *status);
s64 do_execve(const char *name, char *const *argv, struct pt_regs *regs);
void kworker_thread(void *argument);
extern u64 total_forks;

// fs.c
void fs_init(void);
struct inode *lookup_inode(const char *name);
s64 inode_read(struct inode *inode, u64 pos, u8 *to, u64 length);
s64 do_sys_open(const char *name, int flags);
s64 vfs_read(struct file *file, char *to, u64 length);
s64 vfs_write(struct file *file, const char *from, u64 length);
struct file *console_file(void);
struct file *get_file(struct file *file);
void fput(struct file *file);
int fd_install(struct file *file);
s64 do_pipe(int *fds);

// syscall.c
void do_syscall_64(struct pt_regs *regs);
void syscall_init(void);

// jump_label.c
void account_syscall(void);
void jump_label_enable(void);
u64 accounting_enabled(void);
