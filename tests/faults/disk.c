/* A disk that fails, for one process: a library that stands before libc (LD_PRELOAD).
 *
 * It counts the writes and syncs of files below one folder. The call with the number that was asked
 * for fails. A sync that fails loses what was written since the last one that did not: the file is
 * then as it was before, as when the pages counted as clean and were dropped from memory.
 *
 * A disk that is full refuses all writes from that number on, until the ballast file is gone; then
 * it takes ROOM bytes more. All numbers are kept in memory that children share.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYNCS, WRITES, KINDS };
#define WRITTEN 4096
#define ROOM (256 << 10)

static struct shared {
    char folder[PATH_MAX];
    int kind, error, full;
    long nth;
    long counts[KINDS];
    long room;
    int fired;
    char path[PATH_MAX];
} *shared;

static struct written {
    dev_t device;
    ino_t file;
    off_t offset;
    size_t size;
    char *before;
} list[WRITTEN];
static int listed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared->nth = -1;
}

void disk_set(const char *folder, int kind, long nth, int error, int full) {
    memset(shared, 0, sizeof *shared);
    strncpy(shared->folder, folder, sizeof shared->folder - 1);
    shared->kind = kind;
    shared->nth = nth;
    shared->error = error;
    shared->full = full;
    shared->room = ROOM;
}
void disk_heal(void) { shared->nth = -1; }
long disk_count(int kind) { return shared->counts[kind]; }
const char *disk_fired(void) { return shared->fired ? shared->path : ""; }

/* Whether a file is below the folder; its path then. */
static int ours(int fd, char *path) {
    char link[64];
    size_t length = strlen(shared->folder);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (!length || size < (ssize_t)length)
        return 0;
    path[size] = 0;
    return strncmp(path, shared->folder, length) == 0 && (!path[length] || path[length] == '/');
}

/* Count a call; whether it is to fail. */
static int fails(int kind, const char *path) {
    long number = __atomic_add_fetch(&shared->counts[kind], 1, __ATOMIC_SEQ_CST);
    if (shared->nth < 0 || shared->kind != kind)
        return 0;
    if (shared->full ? number < shared->nth : number != shared->nth)
        return 0;
    shared->fired = 1;
    strncpy(shared->path, path, sizeof shared->path - 1);
    return 1;
}

static int no_room(size_t size) {
    char ballast[PATH_MAX + 16];
    snprintf(ballast, sizeof ballast, "%s/ballast", shared->folder);
    if (access(ballast, F_OK) == 0)
        return 1;
    return __atomic_sub_fetch(&shared->room, (long)size, __ATOMIC_SEQ_CST) < 0;
}

static void remember(int fd, off_t offset, size_t size) {
    struct stat status;
    char link[64];
    if (fstat(fd, &status) || !S_ISREG(status.st_mode))
        return;
    if (offset < 0) {
        int flags = fcntl(fd, F_GETFL);
        offset = flags & O_APPEND ? status.st_size : lseek(fd, 0, SEEK_CUR);
    }
    char *before = calloc(1, size);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = open(link, O_RDONLY | O_CLOEXEC);
    if (again >= 0) {
        if (pread(again, before, size, offset) < 0)
            memset(before, 0, size);
        close(again);
    }
    pthread_mutex_lock(&mutex);
    if (listed < WRITTEN)
        list[listed++] = (struct written){status.st_dev, status.st_ino, offset, size, before};
    else
        free(before);
    pthread_mutex_unlock(&mutex);
}

/* Forget what was written to a file; `lose`: make it undone, the last write first. */
static void settle(int fd, int lose) {
    struct stat status;
    char link[64];
    if (fstat(fd, &status))
        return;
    pthread_mutex_lock(&mutex);
    for (int i = listed - 1; i >= 0; i--) {
        if (list[i].device != status.st_dev || list[i].file != status.st_ino)
            continue;
        if (lose) {
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            int again = open(link, O_WRONLY | O_CLOEXEC);
            if (again >= 0) {
                if (real_pwrite(again, list[i].before, list[i].size, list[i].offset) < 0)
                    abort();
                close(again);
            }
        }
        free(list[i].before);
        memmove(&list[i], &list[i + 1], (listed - i - 1) * sizeof *list);
        listed--;
    }
    pthread_mutex_unlock(&mutex);
}

static int refuses(int fd, off_t offset, size_t size) {
    char path[PATH_MAX];
    if (!shared || !ours(fd, path))
        return 0;
    if (fails(WRITES, path) && (!shared->full || no_room(size))) {
        errno = shared->error;
        return 1;
    }
    remember(fd, offset, size);
    return 0;
}

ssize_t write(int fd, const void *data, size_t size) {
    return refuses(fd, -1, size) ? -1 : real_write(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return refuses(fd, offset, size) ? -1 : real_pwrite(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    return refuses(fd, offset, size) ? -1 : real_pwrite(fd, data, size, offset);
}

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!shared || !ours(fd, path))
        return real(fd);
    int lose = fails(SYNCS, path);
    if (!lose && real(fd))
        return -1;
    settle(fd, lose);
    if (lose)
        errno = shared->error;
    return lose ? -1 : 0;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }
