// Tasks come and go: fork, kernel threads, execve, exit, wait.
#include "kernel.h"

#define KERNEL_STACK_SIZE (2 * PAGE_SIZE)
#define MAX_ARGUMENTS 4

u64 total_forks;

static int next_pid = 1;
static u8 kernel_stacks[MAX_TASKS][KERNEL_STACK_SIZE] __attribute__((aligned(16)));

// Address spaces that exiting tasks left behind; the worker thread frees them.
static struct mm *dead_mms[MAX_TASKS];
static int dead_count;

struct switch_frame {
    u64 r15, r14, r13, r12, bx, bp, ip;
};

static struct task_struct *alloc_task(void) {
    for (int i = 1; i < MAX_TASKS; i++) {
        if (tasks[i].state == TASK_FREE) {
            struct task_struct *task = &tasks[i];
            memset(task, 0, sizeof(*task));
            memset(kernel_stacks[i], 0, KERNEL_STACK_SIZE);
            task->kernel_stack = (u64)kernel_stacks[i] + KERNEL_STACK_SIZE;
            return task;
        }
    }
    return NULL;
}

static void release_task(struct task_struct *task) { task->state = TASK_FREE; }

// Lays out the new task's stack so that the first switch to it lands in ret_from_fork.
static struct pt_regs *copy_thread(struct task_struct *task, u64 function, u64 argument) {
    struct pt_regs *regs = (struct pt_regs *)task->kernel_stack - 1;
    struct switch_frame *frame = (struct switch_frame *)regs - 1;
    frame->bx = function;
    frame->r12 = argument;
    frame->ip = (u64)ret_from_fork;
    task->sp = (u64)frame;
    return regs;
}

static void wake_up_new_task(struct task_struct *task) {
    task->state = TASK_SLEEPING;
    wake_up_process(task);
}

static void copy_files(struct task_struct *task) {
    for (int fd = 0; fd < MAX_FILES; fd++) {
        task->files[fd] = current->files[fd] != NULL ? get_file(current->files[fd]) : NULL;
    }
}

static struct task_struct *copy_process(const char *name) {
    struct task_struct *task = alloc_task();
    if (task == NULL) {
        return NULL;
    }
    task->pid = next_pid++;
    task->parent = current;
    strscpy(task->comm, name, sizeof(task->comm));
    total_forks++;
    return task;
}

s64 _do_fork(struct pt_regs *regs) {
    struct task_struct *task = copy_process(current->comm);
    if (task == NULL) {
        return -ENOMEM;
    }
    task->mm = dup_mm(current->mm);
    if (task->mm == NULL) {
        release_task(task);
        return -ENOMEM;
    }
    copy_files(task);
    struct pt_regs *child = copy_thread(task, 0, 0);
    *child = *regs;
    child->ax = 0;
    wake_up_new_task(task);
    return task->pid;
}

int kernel_thread(void (*function)(void *), void *argument, const char *name) {
    struct task_struct *task = copy_process(name);
    if (task == NULL) {
        return -ENOMEM;
    }
    copy_thread(task, (u64)function, (u64)argument);
    wake_up_new_task(task);
    return task->pid;
}

static void exit_mm(void) {
    struct mm *mm = current->mm;
    if (mm != NULL) {
        write_cr3(__pa_symbol(init_pgd));
        current->mm = NULL;
        dead_mms[dead_count++] = mm;
        wake_up(dead_mms);
    }
}

void kworker_thread(void *argument) {
    (void)argument;
    for (;;) {
        while (dead_count > 0) {
            exit_mmap(dead_mms[--dead_count]);
        }
        sleep_on(dead_mms);
    }
}

void do_exit(int code) {
    struct task_struct *task = current;
    if (task->pid == 1) {
        panic("Attempted to kill init!");
    }
    for (int fd = 0; fd < MAX_FILES; fd++) {
        if (task->files[fd] != NULL) {
            fput(task->files[fd]);
            task->files[fd] = NULL;
        }
    }
    exit_mm();
    task->exit_code = code;
    local_irq_disable();
    task->state = TASK_ZOMBIE;
    wake_up(task->parent);
    schedule();
    panic("a dead task runs");
}

s64 do_wait(int pid, int *status) {
    for (;;) {
        int children = 0;
        for (int i = 1; i < MAX_TASKS; i++) {
            struct task_struct *task = &tasks[i];
            if (task->state == TASK_FREE || task->parent != current || (pid > 0 && task->pid != pid)) {
                continue;
            }
            children++;
            if (task->state == TASK_ZOMBIE) {
                int found = task->pid;
                *status = task->exit_code;
                release_task(task);
                return found;
            }
        }
        if (children == 0) {
            return -ECHILD;
        }
        sleep_on(current);
    }
}

// The headers of an ELF64 file, as far as loading needs them.
struct elf_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, program_headers, section_headers;
    u32 flags;
    u16 size, program_header_size, program_header_count;
};

struct program_header {
    u32 type, flags;
    u64 offset, address, physical, file_size, memory_size, align;
};

static int load_elf_binary(struct mm *mm, struct inode *inode, u64 *entry) {
    struct elf_header header;
    if (inode_read(inode, 0, (u8 *)&header, sizeof(header)) != sizeof(header) || header.ident[0] != 0x7f ||
        header.ident[1] != 'E') {
        return -EINVAL;
    }
    u64 end = 0;
    for (int i = 0; i < header.program_header_count; i++) {
        struct program_header segment;
        inode_read(inode, header.program_headers + (u64)i * sizeof(segment), (u8 *)&segment, sizeof(segment));
        if (segment.type != 1) {
            continue;
        }
        u64 skip = segment.address & (PAGE_SIZE - 1);
        end = (segment.address + segment.memory_size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        struct vm_area *area = mmap_region(mm, segment.address - skip, end,
                                           (segment.flags & 2 ? VM_WRITE : 0) | (segment.flags & 1 ? VM_EXEC : 0));
        if (area == NULL) {
            return -ENOMEM;
        }
        area->inode = inode;
        area->offset = segment.offset - skip;
        area->file_size = segment.file_size + skip;
    }
    mm->heap = mmap_region(mm, end + PAGE_SIZE, end + PAGE_SIZE, VM_WRITE);
    if (mm->heap == NULL || mmap_region(mm, STACK_TOP - STACK_SIZE, STACK_TOP, VM_WRITE) == NULL) {
        return -ENOMEM;
    }
    *entry = header.entry;
    return 0;
}

// Replaces the calling task's program. The arguments' text lies at the top of the new stack, the array of pointers to it
// below; the program finds their count in RDI and the array in RSI.
s64 do_execve(const char *name, char *const *argv, struct pt_regs *regs) {
    struct inode *inode = lookup_inode(name);
    if (inode == NULL) {
        return -ENOENT;
    }
    char text[MAX_ARGUMENTS][32];
    u64 count = 0;
    while (argv != NULL && count < MAX_ARGUMENTS) {
        char *argument;
        if (copy_from_user(&argument, argv + count, sizeof(argument)) != 0) {
            return -EFAULT;
        }
        if (argument == NULL) {
            break;
        }
        s64 length = strncpy_from_user(text[count], argument, sizeof(text[count]));
        if (length < 0) {
            return length;
        }
        count++;
    }

    struct mm *mm = mm_alloc();
    if (mm == NULL) {
        return -ENOMEM;
    }
    u64 entry;
    int result = load_elf_binary(mm, inode, &entry);
    if (result != 0) {
        exit_mmap(mm);
        return result;
    }
    struct mm *old = current->mm;
    current->mm = mm;
    write_cr3(__pa(mm->pgd));
    if (old != NULL) {
        exit_mmap(old);
    }

    u64 sp = STACK_TOP;
    u64 pointers[MAX_ARGUMENTS + 1] = {0};
    for (u64 i = 0; i < count; i++) {
        sp -= sizeof(text[i]);
        pointers[i] = sp;
        if (copy_to_user((void *)sp, text[i], sizeof(text[i])) != 0) {
            do_exit(128 + 11);
        }
    }
    sp -= sizeof(pointers);
    if (copy_to_user((void *)sp, pointers, sizeof(pointers)) != 0) {
        do_exit(128 + 11);
    }

    strscpy(current->comm, inode->name + 5, sizeof(current->comm)); // without "/bin/"
    memset(regs, 0, sizeof(*regs));
    regs->ip = entry;
    regs->cs = USER_CS;
    regs->flags = 0x202;
    regs->sp = (sp & ~15UL) - 8;
    regs->ss = USER_DS;
    regs->di = count;
    regs->si = sp;
    return 0;
}
