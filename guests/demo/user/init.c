// The first program: starts the others, one aspect of the kernel after the other.
#include "user.h"

static int written_after_fork = 1;

static int run(const char *name, const char *argument) {
    char *argv[] = {(char *)name, (char *)argument, 0};
    long pid = fork();
    if (pid == 0) {
        execve(name, argv);
        exit(127);
    }
    int status = -1;
    wait4(pid, &status);
    return status;
}

static void count_primes(void) {
    static const char *const limits[3] = {"20000", "30000", "40000"};
    int ends[3][2];
    long pids[3];
    for (int i = 0; i < 3; i++) {
        pipe(ends[i]);
        pids[i] = fork();
        if (pids[i] == 0) {
            char fd[2] = {(char)('0' + ends[i][1]), 0};
            char *argv[] = {"primes", (char *)limits[i], fd, 0};
            execve("/bin/primes", argv);
            exit(127);
        }
        close(ends[i][1]);
        sched_yield();
    }
    for (int i = 0; i < 3; i++) {
        char text[16] = {0};
        int status = -1;
        wait4(pids[i], &status);
        read(ends[i][0], text, sizeof(text) - 1);
        close(ends[i][0]);
        say_value("init: primes ended with ", status, "");
        say_value(" and found ", (long)parse(text), "\n");
    }
}

static void copy_on_write(void) {
    long pid = fork();
    if (pid == 0) {
        written_after_fork = 2;
        exit(written_after_fork);
    }
    int status = -1;
    wait4(pid, &status);
    say_value("init: child wrote ", status, ",");
    say_value(" parent still reads ", written_after_fork, "\n");
}

static void pipe_between_tasks(void) {
    int ends[2];
    pipe(ends);
    long pid = fork();
    if (pid == 0) {
        char block[100];
        for (int i = 0; i < 20; i++) {
            for (int j = 0; j < 100; j++) {
                block[j] = (char)(i + j);
            }
            write(ends[1], block, 100);
        }
        exit(0);
    }
    close(ends[1]);
    char block[512];
    long sum = 0, total = 0, count;
    while ((count = read(ends[0], block, sizeof(block))) > 0) {
        for (long i = 0; i < count; i++) {
            sum += block[i];
        }
        total += count;
    }
    close(ends[0]);
    wait4(pid, 0);
    say_value("init: ", total, " bytes through a pipe");
    say_value(", sum ", sum, "\n");
}

static void read_file(void) {
    char text[64];
    long file = open("/etc/motd", 0);
    long length = read((int)file, text, sizeof(text));
    write(1, text, length);
    close((int)file);
    say_value("init: opening a missing file gives ", open("/etc/missing", 0), "\n");
    say_value("init: writing from a bad address gives ", write(1, (void *)0x10, 4), "\n");
    say_value("init: writing from a kernel address gives ", write(1, (void *)0xffffffff80100000, 4), "\n");
}

int main(void) {
    say_value("init: running as pid ", getpid(), "\n");
    read_file();
    copy_on_write();
    pipe_between_tasks();
    count_primes();
    say_value("init: sorter ended with ", run("/bin/sorter", 0), "\n");
    static const char *const kinds[] = {"null", "divide", "undefined", "privileged", "x", "breakpoint", "stack"};
    for (int i = 0; i < 7; i++) {
        say_value("init: faulter ended with ", run("/bin/faulter", kinds[i]), "\n");
    }
    for (int i = 0; i < 3; i++) {
        sleep_ticks(4);
    }
    say("init: slept\n");
    reboot();
    return 0;
}
