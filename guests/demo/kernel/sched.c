// Tasks take turns: a queue of those that can run, a slice of timer ticks for each.
#include "kernel.h"

#define SLICE 2

struct per_cpu cpu_data;
struct task_struct tasks[MAX_TASKS];
int need_resched;

static struct task_struct *queue_head, *queue_tail;

// Task 0 is what runs when nothing else can; it was the boot code.
void sched_init(void) {
    struct task_struct *idle = &tasks[0];
    idle->state = TASK_RUNNING;
    strscpy(idle->comm, "swapper", sizeof(idle->comm));
    cpu_data.current_task = idle;
}

static void enqueue_task(struct task_struct *task) {
    task->next = NULL;
    if (queue_head == NULL) {
        queue_head = task;
    } else {
        queue_tail->next = task;
    }
    queue_tail = task;
}

static struct task_struct *pick_next_task(void) {
    struct task_struct *task = queue_head;
    if (task == NULL) {
        return &tasks[0];
    }
    queue_head = task->next;
    return task;
}

static void switch_mm(struct mm *mm) {
    if (mm != NULL && read_cr3() != __pa(mm->pgd)) {
        write_cr3(__pa(mm->pgd));
    }
}

static void context_switch(struct task_struct *prev, struct task_struct *next) {
    switch_mm(next->mm);
    cpu_data.current_task = next;
    set_kernel_stack(next->kernel_stack);
    __switch_to_asm(prev, next);
}

// Gives the processor to the next task that can run. The caller comes back when its turn comes again.
void schedule(void) {
    u64 flags = local_irq_save();
    struct task_struct *prev = current;
    if (prev->state == TASK_RUNNING && prev != &tasks[0]) {
        enqueue_task(prev);
    }
    struct task_struct *next = pick_next_task();
    need_resched = 0;
    next->slice = SLICE;
    if (next != prev) {
        context_switch(prev, next);
    }
    local_irq_restore(flags);
}

void scheduler_tick(void) {
    struct task_struct *task = current;
    if (task == &tasks[0] ? queue_head != NULL : --task->slice <= 0) {
        need_resched = 1;
    }
}

void wake_up_process(struct task_struct *task) {
    u64 flags = local_irq_save();
    if (task->state == TASK_SLEEPING) {
        task->state = TASK_RUNNING;
        task->wake_at = 0;
        task->channel = NULL;
        enqueue_task(task);
    }
    local_irq_restore(flags);
}

// Sleeps until wake_up is called with the same channel. The kernel is not preempted, so no wake-up can come between the
// caller's look at what it waits for and this call.
void sleep_on(const void *channel) {
    local_irq_disable();
    current->channel = channel;
    current->state = TASK_SLEEPING;
    schedule();
    local_irq_enable();
}

void wake_up(const void *channel) {
    for (int i = 1; i < MAX_TASKS; i++) {
        if (tasks[i].state == TASK_SLEEPING && tasks[i].channel == channel) {
            wake_up_process(&tasks[i]);
        }
    }
}

void schedule_timeout(u64 ticks) {
    local_irq_disable();
    current->wake_at = jiffies + ticks;
    current->state = TASK_SLEEPING;
    schedule();
    local_irq_enable();
}

void run_timers(void) {
    for (int i = 1; i < MAX_TASKS; i++) {
        if (tasks[i].state == TASK_SLEEPING && tasks[i].wake_at != 0 && jiffies >= tasks[i].wake_at) {
            wake_up_process(&tasks[i]);
        }
    }
}

void exit_to_user_mode_prepare(void);

// Runs with interrupts off, just before a return to user mode.
void exit_to_user_mode_prepare(void) {
    while (need_resched) {
        schedule();
    }
}

void cpu_idle(void) {
    for (;;) {
        local_irq_disable();
        if (queue_head != NULL) {
            schedule();
        } else {
            __asm__ volatile("sti; hlt" ::: "memory");
        }
    }
}
