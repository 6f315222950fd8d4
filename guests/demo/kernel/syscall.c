// System calls. Numbers, arguments and error codes are those of Linux on x86-64.
#include "kernel.h"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_EFER 0xc0000080

void entry_SYSCALL_64(void);

static struct file *fget(u64 fd) { return fd < MAX_FILES ? current->files[fd] : NULL; }

static s64 sys_read(struct pt_regs *regs) {
    struct file *file = fget(regs->di);
    return file == NULL ? -EBADF : vfs_read(file, (char *)regs->si, regs->dx);
}

static s64 sys_write(struct pt_regs *regs) {
    struct file *file = fget(regs->di);
    return file == NULL ? -EBADF : vfs_write(file, (const char *)regs->si, regs->dx);
}

static s64 sys_open(struct pt_regs *regs) {
    char name[32];
    s64 length = strncpy_from_user(name, (const char *)regs->di, sizeof(name));
    return length < 0 ? length : do_sys_open(name, (int)regs->si);
}

static s64 sys_close(struct pt_regs *regs) {
    struct file *file = fget(regs->di);
    if (file == NULL) {
        return -EBADF;
    }
    current->files[regs->di] = NULL;
    fput(file);
    return 0;
}

static s64 sys_brk(struct pt_regs *regs) {
    struct vm_area *heap = current->mm->heap;
    if (regs->di >= heap->start && regs->di < STACK_TOP - STACK_SIZE) {
        heap->end = (regs->di + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    }
    return (s64)heap->end;
}

static s64 sys_pipe(struct pt_regs *regs) {
    int fds[2];
    s64 result = do_pipe(fds);
    if (result == 0 && copy_to_user((void *)regs->di, fds, sizeof(fds)) != 0) {
        return -EFAULT;
    }
    return result;
}

static s64 sys_sched_yield(struct pt_regs *regs) {
    (void)regs;
    schedule();
    return 0;
}

// Takes a count of timer ticks instead of a struct timespec.
static s64 sys_nanosleep(struct pt_regs *regs) {
    schedule_timeout(regs->di);
    return 0;
}

static s64 sys_getpid(struct pt_regs *regs) {
    (void)regs;
    return current->pid;
}

static s64 sys_fork(struct pt_regs *regs) { return _do_fork(regs); }

static s64 sys_execve(struct pt_regs *regs) {
    char name[32];
    s64 length = strncpy_from_user(name, (const char *)regs->di, sizeof(name));
    return length < 0 ? length : do_execve(name, (char *const *)regs->si, regs);
}

static s64 sys_exit(struct pt_regs *regs) { do_exit((int)(regs->di & 0xff)); }

static s64 sys_wait4(struct pt_regs *regs) {
    int status = 0;
    s64 pid = do_wait((int)regs->di, &status);
    if (pid > 0 && regs->si != 0 && copy_to_user((void *)regs->si, &status, sizeof(status)) != 0) {
        return -EFAULT;
    }
    return pid;
}

static s64 sys_reboot(struct pt_regs *regs) {
    (void)regs;
    printk("processes %lu, page faults %lu, copies on write %lu, fix-ups %lu, accounted calls %lu\n", total_forks,
           nr_page_faults, nr_cow_faults, nr_fixups, accounting_enabled());
    machine_power_off();
}

typedef s64 (*sys_call_t)(struct pt_regs *);

static const sys_call_t sys_call_table[256] = {
    [0] = sys_read,       [1] = sys_write,  [2] = sys_open,   [3] = sys_close, [12] = sys_brk,
    [22] = sys_pipe,      [24] = sys_sched_yield, [35] = sys_nanosleep, [39] = sys_getpid, [57] = sys_fork,
    [59] = sys_execve,    [60] = sys_exit,  [61] = sys_wait4, [169] = sys_reboot,
};

void do_syscall_64(struct pt_regs *regs) {
    local_irq_enable();
    account_syscall();
    u64 number = regs->orig_ax;
    s64 result = number < 256 && sys_call_table[number] != NULL ? sys_call_table[number](regs) : -ENOSYS;
    regs->ax = (u64)result;
}

void syscall_init(void) {
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1);
    wrmsr(MSR_STAR, 0x1bUL << 48 | (u64)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (u64)entry_SYSCALL_64);
    wrmsr(MSR_SFMASK, 0x47700);
}
