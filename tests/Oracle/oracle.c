/*
 * The processor oracle: runs single instructions on the host processor with a given register and memory state and
 * reports what became of both. A static x86-64 Linux executable without libc; the tests start it as a child process.
 *
 * usage: oracle FILE     FILE is the shared file laid out as struct shared below.
 * Standard input:  a 4-byte little-endian count of cases to run, again and again; end of file ends the process.
 * Standard output: after each batch, the 4-byte count of cases done (fewer than asked when an arena is full).
 * Exit codes: 0 end of input, 2 usage, 3 a system call failed at start, 4 a fault outside a case.
 *
 * After the setup the process confines itself to read, write, exit and sigreturn, so that no case can reach the system.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define PAGE 4096ull

/* Linear addresses of the test pages. They lie below 4 GiB so that 32-bit addressing reaches them; everything that
 * belongs to this program lies far above (oracle.lds). The pages around each area stay unmapped. */
#define CODE_BASE 0x10000000ull
#define CODE_SIZE (2 * PAGE)
#define DATA_BASE 0x20000000ull
#define DATA_SIZE (2 * PAGE)
#define READONLY_BASE (DATA_BASE - PAGE)
#define STACK_BASE 0x30000000ull
#define STACK_SIZE PAGE
#define FS_BASE 0x20000840ull
#define GS_BASE 0x0000555500001238ull
#define TEXT_BASE 0x133700000000ull   /* as oracle.lds has it */

#define MAGIC 0x4352414fu /* "OARC" */
#define VERSION 3u

/* struct case_in.flags */
#define CASE_NO_EXIT_JUMP 1u /* leave int3 after the instruction instead of the jump back */

/* struct case_out.status */
#define STATUS_FELL_THROUGH 0u
#define STATUS_SIGNAL 1u
#define STATUS_BAD_STATE 2u /* the initial state could not be loaded */
#define STATUS_HUNG 3u

struct case_in {
    u64 gpr[16];      /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
    u64 rflags;
    u32 code_offset;  /* from CODE_BASE */
    u32 code_length;
    u32 patch_start;  /* byte offset into the patch arena */
    u32 patch_count;
    u32 flags;
    u32 reserved[5];
    u8 code[16];
    u8 fx[512] __attribute__((aligned(16)));
};

struct case_out {
    u64 gpr[16];
    u64 rip;
    u64 rflags;
    u64 error;        /* ucontext REG_ERR */
    u64 cr2;          /* ucontext REG_CR2 */
    u64 si_addr;
    u64 fs_base;
    u64 gs_base;
    u32 status;
    u32 signal;
    u32 trapno;
    u32 diff_start;   /* index of the first struct diff in the arena */
    u32 diff_count;
    u16 seg[6];       /* ES CS SS DS FS GS */
    u32 reserved[2];
    u8 fx[512] __attribute__((aligned(16)));
};

/* Bytes laid over the pristine memory before a case; followed by `length` bytes, padded to 8. */
struct patch {
    u32 offset;       /* into the writable memory: data pages, then the stack page */
    u32 length;
};

/* An 8-byte word of writable memory that differs from the pristine memory after a case. */
struct diff {
    u64 offset;
    u64 value;
};

#define MAX_CASES 1024
#define PATCH_ARENA (1024 * 1024)
#define MAX_DIFFS (192 * 1024)
#define WRITABLE_SIZE (DATA_SIZE + STACK_SIZE)
#define MAX_CASE_DIFFS (WRITABLE_SIZE / 8)

struct shared {
    u32 magic;
    u32 version;
    u32 current;      /* index of the case being run */
    u32 reserved;
    u32 sizes[8];     /* sizeof case_in, case_out, offsets of the four parts: the parent checks them */
    u8 pad[4096 - 48];
    u8 pristine_readonly[PAGE];
    u8 pristine[WRITABLE_SIZE];
    struct case_in in[MAX_CASES];
    struct case_out out[MAX_CASES];
    u8 patches[PATCH_ARENA];
    struct diff diffs[MAX_DIFFS];
};

/* ---- system calls ---- */

#define SYS_read 0
#define SYS_write 1
#define SYS_open 2
#define SYS_mmap 9
#define SYS_rt_sigaction 13
#define SYS_setitimer 38
#define SYS_exit 60
#define SYS_mlock 149
#define SYS_sigaltstack 131
#define SYS_prctl 157
#define SYS_arch_prctl 158

static long syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define syscall3(n, a, b, c) syscall6((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)

static void die(int code) __attribute__((noreturn));
static void die(int code)
{
    for (;;)
        syscall3(SYS_exit, code, 0, 0);
}

static void check(long result)
{
    if (result < 0 && result > -4096)
        die(3);
}

/* ---- kernel structures ---- */

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGSEGV 11
#define SIGALRM 14
#define SA_SIGINFO 4ul
#define SA_RESTORER 0x04000000ul
#define SA_ONSTACK 0x08000000ul
#define SA_RESTART 0x10000000ul
#define SA_NODEFER 0x40000000ul

struct kernel_sigaction {
    void (*handler)(void);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

struct signal_stack {
    void *sp;
    int flags;
    unsigned long size;
};

struct signal_context {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error, trapno, oldmask, cr2;
    u8 *fpstate;
};

struct user_context {
    unsigned long flags;
    struct user_context *link;
    struct signal_stack stack;
    struct signal_context mcontext;
};

struct signal_info {
    int signo, err, code, pad;
    u64 addr;
};

/* ---- state shared with the assembly below ---- */

u64 target_rip;
u64 saved_rsp;
u64 exit_gpr[16];
u64 exit_rflags;
u8 exit_fx[512] __attribute__((aligned(64)));
u8 clean_fx[512] __attribute__((aligned(64)));

static u8 handler_stack[256 * 1024] __attribute__((aligned(64)));
static struct shared *shared;
static u8 *const code_page = (u8 *)CODE_BASE;
static volatile u32 running;   /* a case's registers are (about to be) loaded */
static u32 current_case;
static u32 case_serial;
static u32 last_tick_serial;
static u32 fsgsbase;
static u32 next_diff;

long run_case(const struct case_in *in);
void resume_after_signal(void) __attribute__((noreturn));
void exit_stub(void);
void signal_entry(void);
void signal_restorer(void);
extern u8 run_case_begin[], run_case_end[];

#define TEXT(x) #x
#define ASM_VALUE(x) TEXT(x)

/*
 * run_case loads the whole state and jumps to the instruction; the case comes back through exit_stub (result 0) or
 * through a signal handler that calls resume_after_signal (result 1). exit_stub may be entered with any registers, any
 * stack pointer and any user flags (AC and NT included), so it uses aligned RIP-relative accesses only.
 */
__asm__(
    ".text\n"
    ".globl run_case, resume_after_signal, exit_stub, signal_entry, signal_restorer\n"
    ".globl run_case_begin, run_case_end\n"
    "run_case_begin:\n"
    "run_case:\n"
    "  pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
    "  movq %rsp, saved_rsp(%rip)\n"
    "  fxrstor64 192(%rdi)\n"
    "  pushq 128(%rdi)\n"
    "  popfq\n"
    "  movq 0(%rdi), %rax\n"
    "  movq 8(%rdi), %rcx\n"
    "  movq 16(%rdi), %rdx\n"
    "  movq 24(%rdi), %rbx\n"
    "  movq 32(%rdi), %rsp\n"
    "  movq 40(%rdi), %rbp\n"
    "  movq 48(%rdi), %rsi\n"
    "  movq 64(%rdi), %r8\n"
    "  movq 72(%rdi), %r9\n"
    "  movq 80(%rdi), %r10\n"
    "  movq 88(%rdi), %r11\n"
    "  movq 96(%rdi), %r12\n"
    "  movq 104(%rdi), %r13\n"
    "  movq 112(%rdi), %r14\n"
    "  movq 120(%rdi), %r15\n"
    "  movq 56(%rdi), %rdi\n"
    "  jmp *target_rip(%rip)\n"
    "run_case_end:\n"

    "exit_stub:\n"
    "  movq %rax, exit_gpr+0(%rip)\n"
    "  movq %rcx, exit_gpr+8(%rip)\n"
    "  movq %rdx, exit_gpr+16(%rip)\n"
    "  movq %rbx, exit_gpr+24(%rip)\n"
    "  movq %rsp, exit_gpr+32(%rip)\n"
    "  movq %rbp, exit_gpr+40(%rip)\n"
    "  movq %rsi, exit_gpr+48(%rip)\n"
    "  movq %rdi, exit_gpr+56(%rip)\n"
    "  movq %r8, exit_gpr+64(%rip)\n"
    "  movq %r9, exit_gpr+72(%rip)\n"
    "  movq %r10, exit_gpr+80(%rip)\n"
    "  movq %r11, exit_gpr+88(%rip)\n"
    "  movq %r12, exit_gpr+96(%rip)\n"
    "  movq %r13, exit_gpr+104(%rip)\n"
    "  movq %r14, exit_gpr+112(%rip)\n"
    "  movq %r15, exit_gpr+120(%rip)\n"
    "  movq saved_rsp(%rip), %rsp\n"
    "  pushfq\n"
    "  popq exit_rflags(%rip)\n"
    "  pushq $0x202\n"
    "  popfq\n"
    "  fxsave64 exit_fx(%rip)\n"
    "  fxrstor64 clean_fx(%rip)\n"
    "  xorl %eax, %eax\n"
    "  jmp 1f\n"
    "resume_after_signal:\n"
    "  movl $1, %eax\n"
    "  movq saved_rsp(%rip), %rsp\n"
    "1: popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
    "  ret\n"

    /* The kernel clears DF, TF and RF for a handler but keeps AC and NT. */
    "signal_entry:\n"
    "  pushq $0x202\n"
    "  popfq\n"
    "  jmp on_signal\n"

    "signal_restorer:\n"
    "  movl $15, %eax\n"
    "  syscall\n");

_Static_assert(__builtin_offsetof(struct case_in, rflags) == 128, "run_case's offsets");
_Static_assert(__builtin_offsetof(struct case_in, fx) == 192, "run_case's offsets");

static void copy(void *to, const void *from, u64 length)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

static void fill(void *to, u8 value, u64 length)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(value) : "memory");
}

static void signal_result(struct case_out *out, int signal, const struct signal_info *info,
                          const struct signal_context *c)
{
    out->gpr[0] = c->rax; out->gpr[1] = c->rcx; out->gpr[2] = c->rdx; out->gpr[3] = c->rbx;
    out->gpr[4] = c->rsp; out->gpr[5] = c->rbp; out->gpr[6] = c->rsi; out->gpr[7] = c->rdi;
    out->gpr[8] = c->r8; out->gpr[9] = c->r9; out->gpr[10] = c->r10; out->gpr[11] = c->r11;
    out->gpr[12] = c->r12; out->gpr[13] = c->r13; out->gpr[14] = c->r14; out->gpr[15] = c->r15;
    out->rip = c->rip;
    out->rflags = c->rflags;
    out->error = c->error;
    out->cr2 = c->cr2;
    out->si_addr = info->addr;
    out->signal = (u32)signal;
    out->trapno = (u32)c->trapno;
    out->seg[1] = c->cs;
    out->seg[2] = c->ss;
    copy(out->fx, c->fpstate, 512);
}

__attribute__((used)) void on_signal(int signal, const struct signal_info *info, struct user_context *context)
{
    const struct signal_context *c = &context->mcontext;

    if (signal == SIGALRM) {
        /* Two ticks within the same case: it will not end by itself. */
        int hung = running && last_tick_serial == case_serial;
        last_tick_serial = case_serial;
        if (!hung)
            return;
    }
    if (!running)
        die(4);
    running = 0;
    struct case_out *out = &shared->out[current_case];
    signal_result(out, signal, info, c);
    if (signal == SIGALRM)
        out->status = STATUS_HUNG;
    else if (c->rip >= (u64)run_case_begin && c->rip < (u64)run_case_end)
        out->status = STATUS_BAD_STATE;
    else
        out->status = STATUS_SIGNAL;
    resume_after_signal();
}

/* ---- segments ---- */

static void read_segments(struct case_out *out)
{
    u32 es, ds, fs, gs;
    __asm__ volatile("movl %%es, %0; movl %%ds, %1; movl %%fs, %2; movl %%gs, %3"
                     : "=r"(es), "=r"(ds), "=r"(fs), "=r"(gs));
    out->seg[0] = (u16)es;
    out->seg[3] = (u16)ds;
    out->seg[4] = (u16)fs;
    out->seg[5] = (u16)gs;
    if (fsgsbase) {
        __asm__ volatile("rdfsbase %0" : "=r"(out->fs_base));
        __asm__ volatile("rdgsbase %0" : "=r"(out->gs_base));
    } else {
        check(syscall3(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &out->fs_base, 0));
        check(syscall3(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &out->gs_base, 0));
    }
}

static void restore_segments(const struct case_out *out)
{
    u32 null = 0;
    u32 stack = 0x2b;
    if (out->seg[0])
        __asm__ volatile("movl %0, %%es" : : "r"(null));
    if (out->seg[3])
        __asm__ volatile("movl %0, %%ds" : : "r"(null));
    if (out->seg[2] != stack)
        __asm__ volatile("movl %0, %%ss" : : "r"(stack));
    if (out->seg[4])
        __asm__ volatile("movl %0, %%fs" : : "r"(null));
    if (out->seg[5])
        __asm__ volatile("movl %0, %%gs" : : "r"(null));
    if (!fsgsbase) {
        if (out->fs_base != FS_BASE || out->seg[4])
            check(syscall3(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, FS_BASE, 0));
        if (out->gs_base != GS_BASE || out->seg[5])
            check(syscall3(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, GS_BASE, 0));
        return;
    }
    if (out->fs_base != FS_BASE || out->seg[4])
        __asm__ volatile("wrfsbase %0" : : "r"(FS_BASE));
    if (out->gs_base != GS_BASE || out->seg[5])
        __asm__ volatile("wrgsbase %0" : : "r"(GS_BASE));
}

/* ---- memory ---- */

static u64 *writable(u64 offset)
{
    return (u64 *)(offset < DATA_SIZE ? DATA_BASE + offset : STACK_BASE + offset - DATA_SIZE);
}

static void apply_patches(const struct case_in *in)
{
    const u8 *at = shared->patches + in->patch_start;
    for (u32 i = 0; i < in->patch_count; i++) {
        const struct patch *p = (const struct patch *)at;
        if (p->offset < DATA_SIZE && p->offset + p->length <= DATA_SIZE)
            copy(writable(p->offset), at + sizeof *p, p->length);
        else if (p->offset >= DATA_SIZE && p->offset + (u64)p->length <= WRITABLE_SIZE)
            copy((u8 *)STACK_BASE + p->offset - DATA_SIZE, at + sizeof *p, p->length);
        at += sizeof *p + ((p->length + 7) & ~7u);
    }
}

/* Records the words of one area that differ from the pristine memory, and restores them. */
static void collect_area(struct case_out *out, u64 *area, u64 first, u64 size)
{
    const u64 *base = (const u64 *)(shared->pristine + first);
    for (u64 i = 0; i < size / 8; i += 8) {
        u64 any = 0;
        for (u64 j = 0; j < 8; j++)
            any |= area[i + j] ^ base[i + j];
        if (!any)
            continue;
        for (u64 j = 0; j < 8; j++) {
            if (area[i + j] == base[i + j])
                continue;
            shared->diffs[next_diff].offset = first + (i + j) * 8;
            shared->diffs[next_diff].value = area[i + j];
            next_diff++;
            out->diff_count++;
            area[i + j] = base[i + j];
        }
    }
}

/* A case may have stored into the code pages, which are writable. */
static void restore_code(void)
{
    u64 *code = (u64 *)CODE_BASE;
    for (u64 i = 0; i < CODE_SIZE / 8; i += 8) {
        u64 any = 0;
        for (u64 j = 0; j < 8; j++)
            any |= code[i + j] ^ 0xccccccccccccccccull;
        if (any)
            fill(code + i, 0xcc, 64);
    }
}

/* ---- cases ---- */

static void run_one(u32 index)
{
    const struct case_in *in = &shared->in[index];
    struct case_out *out = &shared->out[index];
    u64 end = (u64)in->code_offset + in->code_length;
    u64 used = end < CODE_SIZE ? in->code_length : CODE_SIZE - in->code_offset;

    current_case = index;
    shared->current = index;
    case_serial++;
    apply_patches(in);
    copy(code_page + in->code_offset, in->code, used);
    if (!(in->flags & CASE_NO_EXIT_JUMP) && end + 14 <= CODE_SIZE) {
        u8 *jump = code_page + end;           /* jmp *0(%rip); .quad exit_stub */
        u64 stub = (u64)exit_stub;
        jump[0] = 0xff;
        jump[1] = 0x25;
        fill(jump + 2, 0, 4);
        copy(jump + 6, &stub, 8);
        used += 14;
    }
    target_rip = CODE_BASE + in->code_offset;
    out->diff_start = next_diff;
    out->diff_count = 0;
    out->error = out->cr2 = out->si_addr = 0;
    out->signal = out->trapno = 0;
    running = 1;
    long signalled = run_case(in);
    running = 0;
    if (!signalled) {
        copy(out->gpr, exit_gpr, sizeof exit_gpr);
        copy(out->fx, exit_fx, sizeof exit_fx);
        out->rflags = exit_rflags;
        out->rip = CODE_BASE + end;
        out->status = STATUS_FELL_THROUGH;
        out->seg[1] = 0x33;
        u32 ss;
        __asm__ volatile("movl %%ss, %0" : "=r"(ss));
        out->seg[2] = (u16)ss;
    } else if (out->rip == (u64)exit_stub) {
        /* The single-step trap after the jump back: the case set TF. */
        out->rip = CODE_BASE + end;
        out->status = STATUS_FELL_THROUGH;
    }
    read_segments(out);
    restore_segments(out);
    restore_code();
    collect_area(out, (u64 *)DATA_BASE, 0, DATA_SIZE);
    collect_area(out, (u64 *)STACK_BASE, DATA_SIZE, STACK_SIZE);
}

static u32 run_batch(u32 count)
{
    u32 done = 0;
    next_diff = 0;
    while (done < count && done < MAX_CASES && next_diff + MAX_CASE_DIFFS <= MAX_DIFFS)
        run_one(done++);
    return done;
}

/* ---- setup ---- */

static void map_test_pages(u64 base, u64 size, int protection)
{
    /* MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED_NOREPLACE */
    long at = syscall6(SYS_mmap, (long)base, (long)size, protection, 0x2 | 0x20 | 0x8000 | 0x100000, -1, 0);
    if (at != (long)base)
        die(3);
}

static void setup_memory(void)
{
    map_test_pages(CODE_BASE, CODE_SIZE, 7);
    fill(code_page, 0xcc, CODE_SIZE);
    map_test_pages(DATA_BASE, DATA_SIZE, 3);
    copy((void *)DATA_BASE, shared->pristine, DATA_SIZE);
    map_test_pages(STACK_BASE, STACK_SIZE, 3);
    copy((void *)STACK_BASE, shared->pristine + DATA_SIZE, STACK_SIZE);
    map_test_pages(READONLY_BASE, PAGE, 3);
    copy((void *)READONLY_BASE, shared->pristine_readonly, PAGE);
    check(syscall3(10 /* mprotect */, READONLY_BASE, PAGE, 1));
    /* A page that the kernel takes away for a while would show another error code; without the right to lock memory the
     * risk is taken. */
    syscall3(SYS_mlock, CODE_BASE, CODE_SIZE, 0);
    syscall3(SYS_mlock, READONLY_BASE, DATA_SIZE + PAGE, 0);
    syscall3(SYS_mlock, STACK_BASE, STACK_SIZE, 0);
}

static void setup_signals(void)
{
    static const int signals[] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGALRM };
    struct signal_stack stack = { handler_stack, 0, sizeof handler_stack };
    check(syscall3(SYS_sigaltstack, &stack, 0, 0));
    for (u32 i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct kernel_sigaction action = {
            signal_entry, SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | SA_NODEFER, signal_restorer, 0
        };
        check(syscall6(SYS_rt_sigaction, signals[i], (long)&action, 0, 8, 0, 0));
    }
    static const u64 interval[4] = { 0, 250000, 0, 250000 };
    check(syscall3(SYS_setitimer, 0, interval, 0));
}

static void setup_segments(const u64 *stack)
{
    const u64 *p = stack + 1 + stack[0] + 1;
    while (*p)
        p++;
    for (p++; p[0]; p += 2)
        if (p[0] == 26 && (p[1] & 2)) /* AT_HWCAP2, HWCAP2_FSGSBASE */
            fsgsbase = 1;
    check(syscall3(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, FS_BASE, 0));
    check(syscall3(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, GS_BASE, 0));
}

/*
 * Leaves the process what seccomp's strict mode leaves it: read, write, exit and the return from a signal. Where the bases of FS and GS
 * are the kernel's alone, also arch_prctl, but only from this program's own text.
 */
static void confine(void)
{
    if (fsgsbase) {
        check(syscall3(SYS_prctl, 22 /* PR_SET_SECCOMP */, 1 /* SECCOMP_MODE_STRICT */, 0));
        return;
    }

    enum { LOAD = 0x20, EQUAL = 0x15, RETURN = 0x06 };
    static struct { u16 code; u8 then, otherwise; u32 value; } filter[] = {
        { LOAD, 0, 0, 4 },                  /* the architecture */
        { EQUAL, 0, 9, 0xc000003e },        /* x86-64 */
        { LOAD, 0, 0, 0 },                  /* the call */
        { EQUAL, 6, 0, SYS_read },
        { EQUAL, 5, 0, SYS_write },
        { EQUAL, 4, 0, SYS_exit },
        { EQUAL, 3, 0, 15 },                /* rt_sigreturn */
        { EQUAL, 0, 3, SYS_arch_prctl },
        { LOAD, 0, 0, 12 },                 /* upper half of the caller's address */
        { EQUAL, 0, 1, TEXT_BASE >> 32 },
        { RETURN, 0, 0, 0x7fff0000 },       /* allow */
        { RETURN, 0, 0, 0x80000000 },       /* kill the process */
    };
    struct { u16 count; void *filter; } program = { sizeof filter / sizeof filter[0], filter };
    check(syscall3(SYS_prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0));
    check(syscall3(SYS_prctl, 22 /* PR_SET_SECCOMP */, 2 /* SECCOMP_MODE_FILTER */, &program));
}

__attribute__((used, noreturn)) void oracle_main(const u64 *stack)
{
    if (stack[0] != 2)
        die(2);
    long file = syscall3(SYS_open, stack[2], 2, 0);
    check(file);
    /* The size is the parent's business: the file must hold the whole struct. */
    long at = syscall6(SYS_mmap, 0, sizeof(struct shared), 3, 1 /* MAP_SHARED */, file, 0);
    check(at);
    shared = (struct shared *)at;
    if (shared->magic != MAGIC || shared->version != VERSION)
        die(2);
    shared->sizes[0] = sizeof(struct case_in);
    shared->sizes[1] = sizeof(struct case_out);
    shared->sizes[2] = __builtin_offsetof(struct shared, pristine_readonly);
    shared->sizes[3] = __builtin_offsetof(struct shared, in);
    shared->sizes[4] = __builtin_offsetof(struct shared, out);
    shared->sizes[5] = __builtin_offsetof(struct shared, patches);
    shared->sizes[6] = __builtin_offsetof(struct shared, diffs);
    shared->sizes[7] = sizeof(struct shared);
    __asm__ volatile("fninit; fxsave64 %0" : "=m"(clean_fx));
    setup_segments(stack);
    setup_memory();
    setup_signals();
    confine();
    u32 hello = 0;
    check(syscall3(SYS_write, 1, &hello, 4));
    for (;;) {
        u32 count;
        long got = syscall3(SYS_read, 0, &count, 4);
        if (got != 4)
            die(got == 0 ? 0 : 3);
        u32 done = run_batch(count);
        check(syscall3(SYS_write, 1, &done, 4));
    }
}

__asm__(
    ".text\n"
    ".globl _start\n"
    "_start:\n"
    "  movq %rsp, %rdi\n"
    "  andq $-16, %rsp\n"
    "  call oracle_main\n"
    "  hlt\n");
