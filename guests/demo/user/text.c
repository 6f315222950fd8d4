// Text output of the user programs.
#include "user.h"

u64 text_length(const char *text) {
    u64 length = 0;
    while (text[length] != 0) {
        length++;
    }
    return length;
}

u64 parse(const char *text) {
    u64 value = 0;
    while (*text >= '0' && *text <= '9') {
        value = value * 10 + (u64)(*text++ - '0');
    }
    return value;
}

static u64 append(char *line, u64 at, const char *text) {
    while (*text != 0) {
        line[at++] = *text++;
    }
    return at;
}

static u64 append_value(char *line, u64 at, long value) {
    char digits[24];
    int count = 0;
    u64 rest = value < 0 ? -(u64)value : (u64)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        line[at++] = '-';
    }
    while (count > 0) {
        line[at++] = digits[--count];
    }
    return at;
}

void say(const char *text) {
    write(1, text, (long)text_length(text));
}

void say_value(const char *before, long value, const char *after) {
    char line[128];
    u64 at = append(line, 0, before);
    at = append_value(line, at, value);
    at = append(line, at, after);
    write(1, line, (long)at);
}

void write_value(int fd, long value) {
    char line[32];
    u64 at = append_value(line, 0, value);
    write(fd, line, (long)at);
}
