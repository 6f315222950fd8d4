// Start of the demo kernel, from its first C instruction to its first program.
#include "kernel.h"

void start_kernel(void);

static void check_exception_table(void) {
    u64 value;
    if (copy_from_kernel_nofault(&value, &jiffies) != 0 ||
        copy_from_kernel_nofault(&value, (const void *)0xffffc90000000000) != -EFAULT) {
        panic("the exception table does not work");
    }
    printk("exception table: a kernel read of an unmapped address failed as it should\n");
}

static void kernel_init(void *argument) {
    (void)argument;
    for (int fd = 0; fd < 3; fd++) {
        fd_install(console_file());
    }
    printk("Run /bin/init as init process\n");
    struct pt_regs *regs = (struct pt_regs *)current->kernel_stack - 1;
    if (do_execve("/bin/init", NULL, regs) != 0) {
        panic("No working init found");
    }
}

static void rest_init(void) {
    kernel_thread(kernel_init, NULL, "init");
    kernel_thread(kworker_thread, NULL, "kworker");
    cpu_idle();
}

void start_kernel(void) {
    serial_init();
    printk("Demo kernel\n");
    paging_init();
    trap_init();
    init_IRQ();
    mem_init();
    sched_init();
    time_init();
    syscall_init();
    fs_init();
    check_exception_table();
    account_syscall(); // does nothing yet
    jump_label_enable();
    rest_init();
}
