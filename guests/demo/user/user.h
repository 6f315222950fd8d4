// What the demo's user programs share: system calls and a little text output.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

long syscall(long number, long a, long b, long c);

#define read(fd, to, length) syscall(0, fd, (long)(to), length)
#define write(fd, from, length) syscall(1, fd, (long)(from), length)
#define open(name, flags) syscall(2, (long)(name), flags, 0)
#define close(fd) syscall(3, fd, 0, 0)
#define brk(end) syscall(12, (long)(end), 0, 0)
#define pipe(fds) syscall(22, (long)(fds), 0, 0)
#define sched_yield() syscall(24, 0, 0, 0)
#define sleep_ticks(count) syscall(35, count, 0, 0)
#define getpid() syscall(39, 0, 0, 0)
#define fork() syscall(57, 0, 0, 0)
#define execve(name, argv) syscall(59, (long)(name), (long)(argv), 0)
#define exit(status) syscall(60, status, 0, 0)
#define wait4(pid, status) syscall(61, pid, (long)(status), 0)
#define reboot() syscall(169, 0, 0, 0)

#define O_CREAT 0x40

u64 text_length(const char *text);
u64 parse(const char *text);

// Both build one line and write it with a single system call: names and values alternate.
void say(const char *text);
void say_value(const char *before, long value, const char *after);
void write_value(int fd, long value);
