// Files in memory, pipes and the console.
#include "kernel.h"

#define MAX_INODES 12
#define O_CREAT 0x40

extern const u8 program_init[], program_init_end[], program_primes[], program_primes_end[];
extern const u8 program_sorter[], program_sorter_end[], program_faulter[], program_faulter_end[];

static struct inode inodes[MAX_INODES];
static int inode_count;
static const char motd[] = "A small kernel that does what kernels do.\n";

static struct inode *add_inode(const char *name, const u8 *image, u64 size) {
    if (inode_count == MAX_INODES) {
        return NULL;
    }
    struct inode *inode = &inodes[inode_count++];
    strscpy(inode->name, name, sizeof(inode->name));
    inode->image = image;
    inode->size = size;
    return inode;
}

void fs_init(void) {
    add_inode("/bin/init", program_init, (u64)(program_init_end - program_init));
    add_inode("/bin/primes", program_primes, (u64)(program_primes_end - program_primes));
    add_inode("/bin/sorter", program_sorter, (u64)(program_sorter_end - program_sorter));
    add_inode("/bin/faulter", program_faulter, (u64)(program_faulter_end - program_faulter));
    add_inode("/etc/motd", (const u8 *)motd, sizeof(motd) - 1);
}

struct inode *lookup_inode(const char *name) {
    for (int i = 0; i < inode_count; i++) {
        if (strcmp(inodes[i].name, name) == 0) {
            return &inodes[i];
        }
    }
    return NULL;
}

s64 inode_read(struct inode *inode, u64 pos, u8 *to, u64 length) {
    if (pos >= inode->size) {
        return 0;
    }
    length = min(length, inode->size - pos);
    if (inode->image != NULL) {
        memcpy(to, inode->image + pos, length);
        return (s64)length;
    }
    length = min(length, PAGE_SIZE - pos % PAGE_SIZE);
    memcpy(to, inode->pages[pos / PAGE_SIZE] + pos % PAGE_SIZE, length);
    return (s64)length;
}

static s64 inode_write(struct inode *inode, u64 pos, const u8 *from, u64 length) {
    if (inode->image != NULL) {
        return -EPERM;
    }
    u64 page = pos / PAGE_SIZE;
    if (page >= INODE_PAGES) {
        return -ENOSPC;
    }
    if (inode->pages[page] == NULL && (inode->pages[page] = alloc_page()) == NULL) {
        return -ENOMEM;
    }
    length = min(length, PAGE_SIZE - pos % PAGE_SIZE);
    memcpy(inode->pages[page] + pos % PAGE_SIZE, from, length);
    if (pos + length > inode->size) {
        inode->size = pos + length;
    }
    return (s64)length;
}

static struct file *alloc_file(enum file_kind kind) {
    struct file *file = kmalloc(sizeof(*file));
    if (file != NULL) {
        file->kind = kind;
        file->count = 1;
    }
    return file;
}

struct file *console_file(void) { return alloc_file(FILE_CONSOLE); }

struct file *get_file(struct file *file) {
    file->count++;
    return file;
}

void fput(struct file *file) {
    if (--file->count > 0) {
        return;
    }
    if (file->pipe != NULL) {
        struct pipe *pipe = file->pipe;
        if (file->kind == FILE_PIPE_READ) {
            pipe->readers--;
        } else {
            pipe->writers--;
        }
        wake_up(pipe);
        if (pipe->readers == 0 && pipe->writers == 0) {
            kfree(pipe);
        }
    }
    kfree(file);
}

int fd_install(struct file *file) {
    for (int fd = 0; fd < MAX_FILES; fd++) {
        if (current->files[fd] == NULL) {
            current->files[fd] = file;
            return fd;
        }
    }
    fput(file);
    return -EMFILE;
}

s64 do_sys_open(const char *name, int flags) {
    struct inode *inode = lookup_inode(name);
    if (inode == NULL) {
        if (!(flags & O_CREAT)) {
            return -ENOENT;
        }
        inode = add_inode(name, NULL, 0);
        if (inode == NULL) {
            return -ENOSPC;
        }
    }
    struct file *file = alloc_file(FILE_INODE);
    if (file == NULL) {
        return -ENOMEM;
    }
    file->inode = inode;
    return fd_install(file);
}

s64 do_pipe(int *fds) {
    struct pipe *pipe = kmalloc(sizeof(*pipe));
    struct file *reader = alloc_file(FILE_PIPE_READ);
    struct file *writer = alloc_file(FILE_PIPE_WRITE);
    if (pipe == NULL || reader == NULL || writer == NULL) {
        return -ENOMEM;
    }
    pipe->readers = 1;
    pipe->writers = 1;
    reader->pipe = pipe;
    writer->pipe = pipe;
    fds[0] = fd_install(reader);
    fds[1] = fd_install(writer);
    return fds[0] < 0 ? fds[0] : min(fds[1], 0);
}

static s64 pipe_read(struct pipe *pipe, char *to, u64 length) {
    while (pipe->head == pipe->tail) {
        if (pipe->writers == 0) {
            return 0;
        }
        sleep_on(pipe);
    }
    u64 count = min(length, (u64)(pipe->head - pipe->tail));
    for (u64 i = 0; i < count; i++) {
        if (copy_to_user(to + i, &pipe->data[(pipe->tail + i) % PIPE_SIZE], 1) != 0) {
            return -EFAULT;
        }
    }
    pipe->tail += (u32)count;
    wake_up(pipe);
    return (s64)count;
}

static s64 pipe_write(struct pipe *pipe, const char *from, u64 length) {
    u64 done = 0;
    while (done < length) {
        if (pipe->readers == 0) {
            return -EPIPE;
        }
        if (pipe->head - pipe->tail == PIPE_SIZE) {
            sleep_on(pipe);
            continue;
        }
        if (copy_from_user(&pipe->data[pipe->head % PIPE_SIZE], from + done, 1) != 0) {
            return -EFAULT;
        }
        pipe->head++;
        done++;
        wake_up(pipe);
    }
    return (s64)done;
}

static s64 console_write(const char *from, u64 length) {
    char buffer[128];
    u64 done = 0;
    while (done < length) {
        u64 part = min(length - done, sizeof(buffer));
        if (copy_from_user(buffer, from + done, part) != 0) {
            return -EFAULT;
        }
        serial_write(buffer, part);
        done += part;
    }
    return (s64)done;
}

s64 vfs_read(struct file *file, char *to, u64 length) {
    if (file->kind == FILE_PIPE_READ) {
        return pipe_read(file->pipe, to, length);
    }
    if (file->kind != FILE_INODE) {
        return -EBADF;
    }
    u8 buffer[256];
    s64 count = inode_read(file->inode, file->pos, buffer, min(length, sizeof(buffer)));
    if (count > 0) {
        if (copy_to_user(to, buffer, (u64)count) != 0) {
            return -EFAULT;
        }
        file->pos += (u64)count;
    }
    return count;
}

s64 vfs_write(struct file *file, const char *from, u64 length) {
    if (file->kind == FILE_CONSOLE) {
        return console_write(from, length);
    }
    if (file->kind == FILE_PIPE_WRITE) {
        return pipe_write(file->pipe, from, length);
    }
    if (file->kind != FILE_INODE) {
        return -EBADF;
    }
    u8 buffer[256];
    length = min(length, sizeof(buffer));
    if (copy_from_user(buffer, from, length) != 0) {
        return -EFAULT;
    }
    s64 count = inode_write(file->inode, file->pos, buffer, length);
    if (count > 0) {
        file->pos += (u64)count;
    }
    return count;
}
