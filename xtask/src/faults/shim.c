/* A layer below the program and below SQLite, put there by LD_PRELOAD: it lets every call that changes a file pass
 * through its hands, for paths under one folder. It records what it sees, makes calls fail, or slows them.
 *
 * FAULTS_ROOT     the folder whose calls count
 * FAULTS_TRACE    a file to which each call is appended once it has succeeded (see record.rs); without it nothing is recorded.
 *                 While recording, fsync is not passed on: the record says what a disk would have made of it.
 * FAULTS_CONTROL  a file of one `struct control`, shared with the test, that says what fails (see shim.rs)
 *
 * One lock is held around each call and its record, so that the record's order is the order of the calls. A sync
 * has two records, at its begin and its end: it promises only what was recorded before its begin.
 *
 * A kill between a call and its record would make the record lie. So who records halts the program first: the next call waits
 * for ever, with the lock, and those before it are done and recorded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, OPEN = 4, NAME = 8 };

struct control {
    uint32_t fails;       /* kinds of calls that fail */
    uint32_t error;       /* with this errno */
    uint64_t skip;        /* so many of them pass first */
    uint64_t count;       /* so many fail, then all pass again */
    uint32_t slow;        /* kinds of calls that are delayed */
    uint32_t delay;       /* by so many microseconds */
    uint64_t seen;        /* calls of the failing kinds so far */
    uint64_t failed;      /* those that failed */
    char only[64];        /* calls on paths without these words do not count */
    uint32_t halt;        /* no further call is made: the program stands still, for a kill */
    uint32_t halted;      /* a call was stopped at its door */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control *control;
static int trace = -1;
static char root[PATH_MAX];
static size_t root_length;
#define MAX_FILES 65536
static char *paths[MAX_FILES]; /* by file descriptor, of what is open under the root */

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

/* Takes the lock for a call, unless there are to be no more. */
static void enter(void) {
    pthread_mutex_lock(&lock);
    if (!control || !__atomic_load_n(&control->halt, __ATOMIC_ACQUIRE)) return;
    __atomic_store_n(&control->halted, 1, __ATOMIC_RELEASE);
    for (;;) pause();
}

/* A record: this head, then the two paths and the data. */
struct head {
    uint32_t kind;
    int32_t fd;
    uint64_t offset;
    uint32_t path, other, data, flags;
};

static void note(char kind, int fd, uint64_t offset, uint32_t flags, const char *path, const char *other,
                 const struct iovec *data, int pieces, size_t length) {
    if (trace < 0) return;
    struct head head = {kind, fd, offset, path ? strlen(path) : 0, other ? strlen(other) : 0, length, flags};
    struct iovec all[3 + 64] = {{&head, sizeof head}, {(char *)path, head.path}, {(char *)other, head.other}};
    if (pieces > 64) abort();
    size_t left = length;
    int used = 3;
    for (int i = 0; i < pieces && left; i++) {
        size_t taken = data[i].iov_len < left ? data[i].iov_len : left;
        all[used++] = (struct iovec){data[i].iov_base, taken};
        left -= taken;
    }
    int before = errno;
    ssize_t whole = sizeof head + head.path + head.other + length;
    /* A record that is not whole would make all that follows it worthless. */
    if (REAL(writev)(trace, all, used) != whole) abort();
    errno = before;
}

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("FAULTS_ROOT"), *file = getenv("FAULTS_TRACE"), *shared = getenv("FAULTS_CONTROL");
    if (!folder || !realpath(folder, root)) return;
    root_length = strlen(root);
    if (file) {
        int low = REAL(open)(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        trace = fcntl(low, F_DUPFD_CLOEXEC, 1000);
        REAL(close)(low);
        note('P', -1, 0, 0, NULL, NULL, NULL, 0, 0);
    }
    if (shared) {
        int fd = REAL(open)(shared, O_RDWR | O_CLOEXEC);
        void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED) abort();
        control = page;
        REAL(close)(fd);
    }
}

/* The absolute path, when it is under the root. */
static const char *inside(int folder, const char *path, char *room) {
    if (!root_length || !path) return NULL;
    if (path[0] != '/') {
        char base[PATH_MAX];
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return NULL;
        } else {
            if (folder < 0 || folder >= MAX_FILES || !paths[folder]) return NULL;
            strcpy(base, paths[folder]);
        }
        if (snprintf(room, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
        path = room;
    }
    if (strncmp(path, root, root_length) || (path[root_length] && path[root_length] != '/')) return NULL;
    return path;
}

static const char *of(int fd) { return fd >= 0 && fd < MAX_FILES ? paths[fd] : NULL; }

/* Whether this call is to fail; waits first where the disk is to be slow. */
static int fails(uint32_t kind, const char *path) {
    if (!control) return 0;
    uint32_t only = control->only[0];
    if (only && !strstr(path, control->only)) return 0;
    if (control->slow & kind) usleep(control->delay);
    if (!(__atomic_load_n(&control->fails, __ATOMIC_ACQUIRE) & kind)) return 0;
    uint64_t number = __atomic_fetch_add(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (number < control->skip || number - control->skip >= control->count) return 0;
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = control->error;
    return 1;
}

static int is_folder(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char room[PATH_MAX];
    enter();
    const char *known = inside(folder, path, room);
    if (!known) {
        pthread_mutex_unlock(&lock);
        return REAL(openat)(folder, path, flags, mode);
    }
    int writes = flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
    int fd = -1;
    if (!(writes && fails(OPEN, known))) {
        int is_new = (flags & O_CREAT) && access(known, F_OK) != 0;
        fd = REAL(openat)(folder, path, flags, mode);
        if (fd >= MAX_FILES) abort();
        if (fd >= 0 && !(flags & O_PATH)) {
            free(paths[fd]);
            paths[fd] = strdup(known);
            uint32_t facts = is_new | (flags & O_TRUNC ? 2 : 0) | (is_folder(known) ? 4 : 0) | (flags & O_APPEND ? 8 : 0);
            note('O', fd, 0, facts, known, NULL, NULL, 0, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPENED(folder) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    return opened(folder, path, flags, mode)

int open(const char *path, int flags, ...) { OPENED(AT_FDCWD); }
int open64(const char *path, int flags, ...) { OPENED(AT_FDCWD); }
int openat(int folder, const char *path, int flags, ...) { OPENED(folder); }
int openat64(int folder, const char *path, int flags, ...) { OPENED(folder); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* A copy of a descriptor is one more name of the same file. */
static int copied(int fd, int copy) {
    if (copy >= 0 && of(fd)) {
        enter();
        if (copy >= MAX_FILES) abort();
        free(paths[copy]);
        paths[copy] = strdup(paths[fd]);
        note('D', copy, fd, 0, NULL, NULL, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return copy;
}
int fcntl(int fd, int what, ...) {
    va_list rest; va_start(rest, what); void *value = va_arg(rest, void *); va_end(rest);
    int result = REAL(fcntl)(fd, what, value);
    return what == F_DUPFD || what == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}
int fcntl64(int fd, int what, ...) {
    va_list rest; va_start(rest, what); void *value = va_arg(rest, void *); va_end(rest);
    int result = REAL(fcntl)(fd, what, value);
    return what == F_DUPFD || what == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}
int dup(int fd) { return copied(fd, REAL(dup)(fd)); }

int close(int fd) {
    if (!of(fd)) return REAL(close)(fd);
    enter();
    free(paths[fd]);
    paths[fd] = NULL;
    note('C', fd, 0, 0, NULL, NULL, NULL, 0, 0);
    int result = REAL(close)(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

/* Where a write without an offset goes: the end of the file for O_APPEND, else where the descriptor stands. */
static off_t place(int fd) {
    return REAL(fcntl)(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
}

/* `at` < 0: where the descriptor stands. A write that fails leaves its first half behind, as a disk may. */
static ssize_t written(int fd, const struct iovec *data, int pieces, off_t at) {
    enter();
    const char *path = of(fd);
    off_t offset = at < 0 ? place(fd) : at;
    ssize_t result;
    if (path && fails(WRITE, path)) {
        int error = errno;
        struct iovec half = {data[0].iov_base, data[0].iov_len / 2};
        result = REAL(pwritev)(fd, &half, 1, offset);
        if (result > 0) note('W', fd, offset, 0, NULL, NULL, &half, 1, result);
        errno = error;
        result = -1;
    } else {
        result = at < 0 ? REAL(writev)(fd, data, pieces) : REAL(pwritev)(fd, data, pieces, at);
        if (path && result > 0) note('W', fd, offset, 0, NULL, NULL, data, pieces, result);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t write(int fd, const void *data, size_t length) {
    if (!of(fd)) return REAL(write)(fd, data, length);
    struct iovec all = {(void *)data, length};
    return written(fd, &all, 1, -1);
}
ssize_t writev(int fd, const struct iovec *data, int pieces) {
    return of(fd) ? written(fd, data, pieces, -1) : REAL(writev)(fd, data, pieces);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    if (!of(fd)) return REAL(pwrite)(fd, data, length, at);
    struct iovec all = {(void *)data, length};
    return written(fd, &all, 1, at);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return pwrite(fd, data, length, at); }
ssize_t pwritev(int fd, const struct iovec *data, int pieces, off_t at) {
    return of(fd) ? written(fd, data, pieces, at) : REAL(pwritev)(fd, data, pieces, at);
}
ssize_t pwritev64(int fd, const struct iovec *data, int pieces, off64_t at) { return pwritev(fd, data, pieces, at); }

int ftruncate(int fd, off_t size) {
    if (!of(fd)) return REAL(ftruncate)(fd, size);
    enter();
    int result = fails(WRITE, of(fd)) ? -1 : REAL(ftruncate)(fd, size);
    if (result == 0) note('T', fd, size, 0, NULL, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

/* Not known to the record: who begins to use them extends it. */
int fallocate(int fd, int mode, off_t offset, off_t length) {
    if (of(fd)) { errno = EOPNOTSUPP; return -1; }
    return REAL(fallocate)(fd, mode, offset, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) {
    return of(fd) ? EOPNOTSUPP : REAL(posix_fallocate)(fd, offset, length);
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    enter();
    strcpy(path, of(fd));
    note('S', fd, 0, 0, NULL, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    /* Outside the lock: others go on while a disk works. */
    int failed = fails(SYNC, path), error = errno;
    int result = failed ? -1 : trace >= 0 ? 0 : real(fd);
    enter();
    note('E', fd, 0, result != 0, NULL, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    if (failed) errno = error;
    return result;
}
int fsync(int fd) { return of(fd) ? synced(fd, REAL(fsync)) : REAL(fsync)(fd); }
int fdatasync(int fd) { return of(fd) ? synced(fd, REAL(fdatasync)) : REAL(fdatasync)(fd); }

/* Calls on names. `call` is the real one; the record is made when it succeeded. */
#define NAMED(kind, folder, path, other_folder, other, call) ({ \
    char room_[PATH_MAX], other_room_[PATH_MAX]; \
    enter(); \
    const char *known_ = inside(folder, path, room_), *to_ = (other_folder) != -1 ? inside(other_folder, other, other_room_) : NULL; \
    int result_ = known_ && fails(NAME, known_) ? -1 : (call); \
    if (result_ == 0 && known_) note(kind, -1, 0, 0, known_, to_, NULL, 0, 0); \
    pthread_mutex_unlock(&lock); \
    result_; })

static const char *const none = NULL;
int rename(const char *from, const char *to) { return NAMED('R', AT_FDCWD, from, AT_FDCWD, to, REAL(rename)(from, to)); }
int renameat(int a, const char *from, int b, const char *to) { return NAMED('R', a, from, b, to, REAL(renameat)(a, from, b, to)); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return NAMED('R', a, from, b, to, REAL(renameat2)(a, from, b, to, flags)); }
int link(const char *from, const char *to) { return NAMED('L', AT_FDCWD, from, AT_FDCWD, to, REAL(link)(from, to)); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return NAMED('L', a, from, b, to, REAL(linkat)(a, from, b, to, flags)); }
int unlink(const char *path) { return NAMED('U', AT_FDCWD, path, -1, none, REAL(unlink)(path)); }
int unlinkat(int a, const char *path, int flags) { return NAMED('U', a, path, -1, none, REAL(unlinkat)(a, path, flags)); }
int rmdir(const char *path) { return NAMED('U', AT_FDCWD, path, -1, none, REAL(rmdir)(path)); }
int mkdir(const char *path, mode_t mode) { return NAMED('M', AT_FDCWD, path, -1, none, REAL(mkdir)(path, mode)); }
int mkdirat(int a, const char *path, mode_t mode) { return NAMED('M', a, path, -1, none, REAL(mkdirat)(a, path, mode)); }
