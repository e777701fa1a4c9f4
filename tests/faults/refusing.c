/* A file system that refuses: preloaded, it answers system calls on paths under REFUSE_UNDER with an error.

   REFUSE   words CALL=NUMBER, separated by spaces: link, link-between (of two folders), noreplace, lock, sync, sync-folder
   WHEN     a file: nothing is refused until it exists
   SLOW     seconds that every fsync takes
   CALL `write` stands for everything that changes something: open to write, mkdir, rename, unlink, link. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ours(const char *path) {
    const char *under = getenv("REFUSE_UNDER"), *when = getenv("WHEN");
    char whole[2 * PATH_MAX] = "";
    if (under == NULL || path == NULL) return 0;
    if (path[0] != '/') {
        if (getcwd(whole, PATH_MAX) == NULL) return 0;
        strcat(whole, "/");
    }
    strncat(whole, path, PATH_MAX);
    if (strncmp(whole, under, strlen(under)) != 0) return 0;
    return when == NULL || access(when, F_OK) == 0;
}

static int ours_open(int handle) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return ours(path);
}

static int refusal(const char *call) {
    const char *words = getenv("REFUSE");
    size_t length = strlen(call);
    for (const char *at = words; at != NULL && *at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
        if (strncmp(at, call, length) == 0 && at[length] == '=') return atoi(at + length + 1);
    return 0;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define REFUSED(path, call) if (ours(path) && (errno = refusal(call)) != 0) return -1; errno = 0

static int same_folder(const char *one, const char *other) {
    const char *end = strrchr(one, '/'), *other_end = strrchr(other, '/');
    if (end == NULL || other_end == NULL) return end == other_end;
    return end - one == other_end - other && strncmp(one, other, end - one) == 0;
}

int linkat(int from, const char *source, int to, const char *target, int flags) {
    REFUSED(target, "write");
    REFUSED(target, "link");
    if (!same_folder(source, target)) { REFUSED(target, "link-between"); }
    return REAL(linkat)(from, source, to, target, flags);
}
int link(const char *source, const char *target) { return linkat(AT_FDCWD, source, AT_FDCWD, target, 0); }
int renameat2(int from, const char *source, int to, const char *target, unsigned flags) {
    REFUSED(target, "write");
    if (flags) { REFUSED(target, "noreplace"); }
    return REAL(renameat2)(from, source, to, target, flags);
}
int rename(const char *source, const char *target) {
    REFUSED(target, "write");
    return REAL(rename)(source, target);
}
int flock(int handle, int how) {
    if (ours_open(handle) && (errno = refusal("lock")) != 0) return -1;
    return REAL(flock)(handle, how);
}
int fsync(int handle) {
    struct stat facts;
    if (ours_open(handle)) {
        if (getenv("SLOW")) sleep(atoi(getenv("SLOW")));
        int folder = fstat(handle, &facts) == 0 && S_ISDIR(facts.st_mode);
        if ((errno = refusal("sync")) != 0 || (folder && (errno = refusal("sync-folder")) != 0)) return -1;
    }
    return REAL(fsync)(handle);
}
int mkdir(const char *path, mode_t mode) {
    REFUSED(path, "write");
    return REAL(mkdir)(path, mode);
}
int unlink(const char *path) {
    REFUSED(path, "write");
    return REAL(unlink)(path);
}
static int opened(int folder, const char *path, int flags, mode_t mode) {
    if (flags & (O_WRONLY | O_RDWR | O_CREAT)) { REFUSED(path, "write"); }
    return REAL(openat)(folder, path, flags, mode);
}
#define MODE va_list rest; va_start(rest, flags); mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; va_end(rest)
int open(const char *path, int flags, ...) { MODE; return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE; return opened(folder, path, flags, mode); }
