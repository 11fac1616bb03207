/* Counts what a program does to files under one folder, and ends, fails or confuses it at a chosen operation.
 *
 *   ZOO_FAULT_ROOT    only operations on paths that start so are counted
 *   ZOO_FAULT_LOG     file that gets a line an operation: `NUMBER NAME PATH`
 *   ZOO_FAULT_SIGNAL  `NUMBER:SIGNAL:WHEN`, WHEN one of `before`, `after`, `half` (of a write; else as `before`)
 *   ZOO_FAULT_ERRNO   `NUMBER:ERRNO`: from that operation on, those that ERRNO can befall fail with it
 *   ZOO_FAULT_CLOCK   seconds added to the time of day; with an `x` before the number, to every second reading only
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { GROWS = 1, WRITES = 2, SYNCS = 4, NAMES = 8 };

static const char *root;
static int log_fd = -1;
static atomic_long counted, readings;
static long signal_at, errno_from, clock_by;
static int signal_number, errno_number, clock_jumps;
static char when[16];

__attribute__((constructor)) static void start(void) {
    const char *text;
    root = getenv("ZOO_FAULT_ROOT");
    if ((text = getenv("ZOO_FAULT_LOG")))
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if ((text = getenv("ZOO_FAULT_SIGNAL")))
        sscanf(text, "%ld:%d:%15s", &signal_at, &signal_number, when);
    if ((text = getenv("ZOO_FAULT_ERRNO")))
        sscanf(text, "%ld:%d", &errno_from, &errno_number);
    if ((text = getenv("ZOO_FAULT_CLOCK"))) {
        clock_jumps = *text == 'x';
        clock_by = atol(text + clock_jumps);
    }
}

static int ours(const char *path) { return root && path && strncmp(path, root, strlen(root)) == 0; }

/* The path of an open file or folder under the root. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return ours(path);
}

static long next(const char *name, const char *path) {
    long number = atomic_fetch_add(&counted, 1) + 1;
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        int n = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
        syscall(SYS_write, log_fd, line, (size_t)n);
    }
    return number;
}

static int is(const char *word) { return strcmp(when, word) == 0; }

static void strike(void) {
    kill(getpid(), signal_number);
    while (signal_number == SIGKILL)
        pause();
}

static void before(long number) {
    if (number == signal_at && !is("after"))
        strike();
}

static void after(long number) {
    if (number == signal_at && is("after"))
        strike();
}

/* Whether an operation of these kinds fails now. A full disk stops what grows, a bad one what is written and synced, a
 * read-only one everything. */
static int fails(long number, int kinds) {
    if (!errno_from || number < errno_from)
        return 0;
    int met = errno_number == ENOSPC ? kinds & (GROWS | WRITES) : errno_number == EIO ? kinds & (WRITES | SYNCS) : kinds;
    if (met)
        errno = errno_number;
    return met;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define GUARD(label, path, kinds, call) \
    do { \
        long number = next(label, path); \
        before(number); \
        if (fails(number, kinds)) \
            return -1; \
        int result = call; \
        after(number); \
        return result; \
    } while (0)

#define ON_PATH(name, label, path, kinds, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        if (!ours(path)) \
            return real arguments; \
        GUARD(label, path, kinds, real arguments); \
    }

#define ON_FILE(name, label, kinds, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        char path[PATH_MAX]; \
        if (!path_of(fd, path)) \
            return real arguments; \
        GUARD(label, path, kinds, real arguments); \
    }

/* What is there already needs no room. */
static int grows(const char *path) { return access(path, F_OK) == 0 ? 0 : GROWS; }

#define OPENS(name, first, given) \
    int name(first const char *path, int flags, ...) { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (!(flags & (O_CREAT | O_TRUNC)) || !ours(path)) \
            return real(given path, flags, mode); \
        GUARD("open", path, grows(path), real(given path, flags, mode)); \
    }
#define NOTHING
#define COMMA ,
OPENS(open, NOTHING, NOTHING)
OPENS(open64, NOTHING, NOTHING)
OPENS(openat, int folder COMMA, folder COMMA)
OPENS(openat64, int folder COMMA, folder COMMA)

ON_PATH(rename, "rename", to, NAMES, (const char *from, const char *to), (from, to))
ON_PATH(link, "link", to, GROWS, (const char *from, const char *to), (from, to))
ON_PATH(linkat, "link", to, GROWS, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
ON_PATH(symlink, "symlink", to, GROWS, (const char *from, const char *to), (from, to))
ON_PATH(unlink, "unlink", path, NAMES, (const char *path), (path))
ON_PATH(mkdir, "mkdir", path, grows(path), (const char *path, mode_t mode), (path, mode))
ON_FILE(fsync, "fsync", SYNCS, (int fd), (fd))
ON_FILE(fdatasync, "fsync", SYNCS, (int fd), (fd))
ON_FILE(fchmod, "chmod", NAMES, (int fd, mode_t mode), (fd, mode))
ON_FILE(ftruncate64, "truncate", WRITES, (int fd, off64_t length), (fd, length))

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return real(fd, bytes, length);
    long number = next("write", path);
    if (number == signal_at && is("half"))
        real(fd, bytes, length / 2);
    before(number);
    /* The first write that meets a full disk still finds room for a part. */
    if (errno_number == ENOSPC && number == errno_from && length > 1)
        return real(fd, bytes, length / 2);
    if (fails(number, WRITES))
        return -1;
    ssize_t result = real(fd, bytes, length);
    after(number);
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (clock_by && clock == CLOCK_REALTIME && result == 0 && (!clock_jumps || atomic_fetch_add(&readings, 1) % 2))
        time->tv_sec += clock_by;
    return result;
}
