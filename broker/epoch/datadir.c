/* datadir.c: the data folder. */
#include "config.h"

#include "epoch/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "plog/plog.h"

enum { DATADIR_FORMAT = 1 };

static const char *const parts[] = {"journal", "meta", "topics"};

const char *
datadir_sub(const struct datadir *f, const char *name, char out[DATADIR_PATH])
{
    int n = snprintf(out, DATADIR_PATH, "%s/%s", f->path, name);

    assert(n > 0 && n < DATADIR_PATH);
    return out;
}

const char *
datadir_topic(const struct datadir *f, const struct uuid *topic,
    char out[DATADIR_PATH])
{
    char hex[UUID_HEX], name[64];

    snprintf(name, sizeof name, "topics/%s", uuid_hex(topic, hex));
    return datadir_sub(f, name, out);
}

const char *
datadir_partition(const struct datadir *f, const struct uuid *topic,
    int32_t partition, char out[DATADIR_PATH])
{
    char hex[UUID_HEX], name[64];

    snprintf(name, sizeof name, "topics/%s/%d", uuid_hex(topic, hex),
        partition);
    return datadir_sub(f, name, out);
}

static int
datadir_sync_dir(struct datadir *f, const char *path, struct err *err)
{
    struct world *w = f->world;
    int fd = w->ops->open(w, path, O_RDONLY | O_DIRECTORY, 0);
    int rc = 0;

    if (fd < 0 || w->ops->fsync(w, fd) < 0)
        rc = err_set(err, errno, "sync folder %s", path);
    if (fd >= 0)
        w->ops->close(w, fd);
    return rc;
}

int
datadir_sync(struct datadir *f, const char *name, struct err *err)
{
    char path[DATADIR_PATH];

    return datadir_sync_dir(f, datadir_sub(f, name, path), err);
}

/* Its contents are flushed, unless there are none; its name is not. */
static int
datadir_write_file(struct datadir *f, const char *name, const char *text,
    bool sync, struct err *err)
{
    char path[DATADIR_PATH];
    struct world *w = f->world;
    int rc = 0;
    int fd = w->ops->open(w, datadir_sub(f, name, path),
        O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        return err_set(err, errno, "create %s", path);
    if (text[0] != '\0'
        && (w->ops->pwrite(w, fd, text, strlen(text), 0) < 0
            || (sync && w->ops->fdatasync(w, fd) < 0)))
        rc = err_set(err, errno, "write %s", path);
    w->ops->close(w, fd);
    return rc;
}

static bool
datadir_has(const struct datadir *f, const char *name)
{
    char path[DATADIR_PATH];

    return access(datadir_sub(f, name, path), F_OK) == 0;
}

/* LMDB's lock file says nothing. */
static bool
folder_is_empty(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    bool empty = d != NULL;

    while (d != NULL && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0
            && strcmp(e->d_name, "lock.mdb") != 0)
            empty = false;
    if (d != NULL)
        closedir(d);
    return empty;
}

/* Names that may stand in a folder that is still empty to us. The parts are
 * made together with "creating" and synced together: a power cut may leave
 * them without it, but then with nothing in them. */
static bool
name_is_nothing(const struct datadir *f, const char *name)
{
    char path[DATADIR_PATH];

    for (size_t i = 0; i < countof(parts); i++)
        if (strcmp(name, parts[i]) == 0)
            return folder_is_empty(datadir_sub(f, name, path));
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0
        || strcmp(name, "lost+found") == 0 || strcmp(name, "lock") == 0;
}

static int
datadir_is_empty(const struct datadir *f, bool *empty, struct err *err)
{
    DIR *d = opendir(f->path);
    struct dirent *e;

    if (d == NULL)
        return err_set(err, errno, "open the data folder %s", f->path);
    *empty = true;
    while ((e = readdir(d)) != NULL)
        if (!name_is_nothing(f, e->d_name))
            *empty = false;
    closedir(d);
    return 0;
}

/* ---- identity ---- */

static int
identity_line(char *out, size_t size, const struct datadir *f)
{
    char a[UUID_TEXT], b[UUID_TEXT];
    int n = snprintf(out, size, "penstock data folder\nformat %d\n"
        "cluster %s\nfolder %s\n", DATADIR_FORMAT,
        uuid_text(&f->cluster_id, a), uuid_text(&f->data_id, b));

    return n + snprintf(out + n, size - (size_t)n, "crc %08x\n",
        crc32c(0, out, (size_t)n));
}

static int
identity_read(struct datadir *f, struct err *err)
{
    char path[DATADIR_PATH], text[512], again[512], a[32], b[32];
    struct world *w = f->world;
    int fd = w->ops->open(w, datadir_sub(f, "penstock.id", path), O_RDONLY, 0);
    ssize_t n;
    int format;

    if (fd < 0)
        return err_set(err, errno, "open %s", path);
    n = w->ops->pread(w, fd, text, sizeof text - 1, 0);
    w->ops->close(w, fd);
    if (n < 0)
        return err_set(err, errno, "read %s", path);
    text[n] = '\0';
    if (sscanf(text, "penstock data folder\nformat %d\n", &format) != 1)
        return err_set(err, ERR_DAMAGE, "%s is damaged: put it back from a "
            "backup or run penstock salvage", path);
    if (format != DATADIR_FORMAT)
        return err_set(err, ERR_FORMAT, "%s has format %d and this build "
            "knows %d: use the version that wrote it", f->path, format,
            DATADIR_FORMAT);
    if (sscanf(text, "penstock data folder\nformat %d\ncluster %31s\n"
            "folder %31s\n", &format, a, b) == 3
        && uuid_parse(a, &f->cluster_id) == 0
        && uuid_parse(b, &f->data_id) == 0) {
        identity_line(again, sizeof again, f);
        if (strcmp(text, again) == 0)
            return 0;
    }
    return err_set(err, ERR_DAMAGE, "%s is damaged: put it back from a backup "
        "or run penstock salvage", path);
}

/* ---- making ---- */

/* What an interrupted making left; nothing in it was ever acknowledged. Its
 * mark must be there for good before anything else goes. */
static int
datadir_clear(struct datadir *f, bool sync, struct err *err)
{
    char path[DATADIR_PATH];

    if (!datadir_has(f, "creating"))
        return 0;
    if (sync && datadir_sync_dir(f, f->path, err) < 0)
        return -1;
    for (size_t i = 0; i < countof(parts); i++)
        if (datadir_has(f, parts[i]) && plog_remove_folder(f->world,
                datadir_sub(f, parts[i], path), err) < 0)
            return -1;
    return 0;
}

static int
datadir_begin(struct datadir *f, bool sync, struct err *err)
{
    char path[DATADIR_PATH];
    struct world *w = f->world;

    if (datadir_clear(f, sync, err) < 0
        || datadir_write_file(f, "creating", "", false, err) < 0)
        return -1;
    for (size_t i = 0; i < countof(parts); i++)
        if (w->ops->mkdir(w, datadir_sub(f, parts[i], path), 0700) < 0
            && errno != EEXIST)
            return err_set(err, errno, "make %s", path);
    if (sync && datadir_sync_dir(f, f->path, err) < 0)
        return -1;
    f->cluster_id = uuid_random(w);
    f->data_id = uuid_random(w);
    f->fresh = true;
    return 0;
}

int
datadir_made(struct datadir *f, bool sync, struct err *err)
{
    char text[512], from[DATADIR_PATH], to[DATADIR_PATH];

    assert(f->fresh);
    identity_line(text, sizeof text, f);
    if (datadir_write_file(f, "creating", text, sync, err) < 0)
        return -1;
    if (f->world->ops->rename(f->world, datadir_sub(f, "creating", from),
            datadir_sub(f, "penstock.id", to)) < 0)
        return err_set(err, errno, "rename %s", from);
    return sync ? datadir_sync_dir(f, f->path, err) : 0;
}

/* ---- opening ---- */

static int
datadir_lock(struct datadir *f, struct err *err)
{
    char path[DATADIR_PATH];

    f->lock_fd = open(datadir_sub(f, "lock", path),
        O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock_fd < 0)
        return err_set(err, errno, "open %s", path);
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(err, EBUSY, "another process uses %s", f->path);
        return err_set(err, errno, "lock %s", path);
    }
    return 0;
}

static int
datadir_identify(struct datadir *f, bool create, bool sync, struct err *err)
{
    bool empty = false;

    if (datadir_has(f, "penstock.id")) {
        if (identity_read(f, err) < 0)
            return -1;
        /* Its name may be from a process that died before it was synced.
         * Should a power cut take it back, the next start would begin anew. */
        return create && sync ? datadir_sync_dir(f, f->path, err) : 0;
    }
    if (datadir_is_empty(f, &empty, err) < 0)
        return -1;
    if (!empty && !datadir_has(f, "creating"))
        return err_set(err, ERR_DAMAGE, "%s has contents but no penstock.id: "
            "this is no data folder, or its identity was lost (then run "
            "penstock salvage)", f->path);
    if (!create)
        return err_set(err, ERR_NOTFOUND, "%s holds no data", f->path);
    return datadir_begin(f, sync, err);
}

int
datadir_open(struct datadir **out, struct world *w, const char *path,
    bool create, bool sync, struct err *err)
{
    struct datadir *f = xcalloc(1, sizeof *f);

    f->world = w;
    f->path = xstrdup(path);
    f->lock_fd = -1;
    if (create && w->ops->mkdir(w, path, 0700) < 0 && errno != EEXIST) {
        err_set(err, errno, "make the data folder %s", path);
        datadir_close(f);
        return -1;
    }
    if (datadir_lock(f, err) < 0
        || datadir_identify(f, create, sync, err) < 0) {
        datadir_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

/* Without the lock's file nobody can hold it. */
static int
datadir_lock_shared(struct datadir *f, struct err *err)
{
    char path[DATADIR_PATH];

    f->lock_fd = open(datadir_sub(f, "lock", path), O_RDONLY | O_CLOEXEC);
    if (f->lock_fd < 0 && errno == ENOENT)
        return 0;
    if (f->lock_fd < 0)
        return err_set(err, errno, "open %s", path);
    if (flock(f->lock_fd, LOCK_SH | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, EBUSY, "another process uses %s: stop the server "
            "first", f->path);
    return err_set(err, errno, "lock %s", path);
}

int
datadir_open_readonly(struct datadir **out, struct world *w, const char *path,
    struct err *identity, struct err *err)
{
    struct datadir *f;
    struct stat st;

    *identity = (struct err){0};
    if (stat(path, &st) < 0)
        return err_set(err, errno, "open the data folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ENOTDIR, "open the data folder %s", path);
    f = xcalloc(1, sizeof *f);
    f->world = w;
    f->path = xstrdup(path);
    f->lock_fd = -1;
    if (datadir_lock_shared(f, err) < 0) {
        datadir_close(f);
        return -1;
    }
    if (datadir_identify(f, false, false, identity) < 0) {
        f->cluster_id = (struct uuid){{0}};
        f->data_id = (struct uuid){{0}};
    }
    *out = f;
    return 0;
}

void
datadir_close(struct datadir *f)
{
    if (f == NULL)
        return;
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    free(f->path);
    free(f);
}

/* ---- topics ---- */

static const char *
topic_path(const struct datadir *f, const struct uuid *topic,
    char out[DATADIR_PATH])
{
    char hex[UUID_HEX], name[64];

    snprintf(name, sizeof name, "topics/%s/topic.id", uuid_hex(topic, hex));
    return datadir_sub(f, name, out);
}

static void
topic_lines(const struct datadir *f, const struct uuid *topic,
    char out[512])
{
    char a[UUID_TEXT], b[UUID_TEXT];
    int n = snprintf(out, 512, "penstock topic folder\nformat %d\n"
        "folder %s\ntopic %s\n", DATADIR_FORMAT, uuid_text(&f->data_id, a),
        uuid_text(topic, b));

    snprintf(out + n, 512 - (size_t)n, "crc %08x\n",
        crc32c(0, out, (size_t)n));
}

/* 1: it is right; 0: it is not, or not there. */
static int
topic_read(const struct datadir *f, const struct uuid *topic, bool *there,
    struct err *err)
{
    char path[DATADIR_PATH], want[512], have[512];
    struct world *w = f->world;
    int fd = w->ops->open(w, topic_path(f, topic, path), O_RDONLY, 0);
    ssize_t n;

    *there = fd >= 0;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0)
        return err_set(err, errno, "open %s", path);
    n = w->ops->pread(w, fd, have, sizeof have - 1, 0);
    w->ops->close(w, fd);
    if (n < 0)
        return err_set(err, errno, "read %s", path);
    have[n] = '\0';
    topic_lines(f, topic, want);
    return strcmp(have, want) == 0;
}

int
datadir_identify_topic(struct datadir *f, const struct uuid *topic, bool sync,
    struct err *err)
{
    char path[DATADIR_PATH], text[512];
    struct world *w = f->world;
    bool there;
    int fd, rc = topic_read(f, topic, &there, err);

    if (rc < 0)
        return -1;
    fd = w->ops->open(w, topic_path(f, topic, path),
        O_WRONLY | O_CREAT | (rc == 1 ? 0 : O_TRUNC), 0600);
    if (fd < 0)
        return err_set(err, errno, "create %s", path);
    topic_lines(f, topic, text);
    /* One that is right may not be on the disk: who wrote it may have died. */
    if ((rc == 0 && w->ops->pwrite(w, fd, text, strlen(text), 0) < 0)
        || (sync && w->ops->fdatasync(w, fd) < 0))
        rc = err_set(err, errno, "write %s", path);
    w->ops->close(w, fd);
    return rc < 0 ? -1 : 0;
}

int
datadir_sync_topic(struct datadir *f, const struct uuid *topic,
    struct err *err)
{
    char path[DATADIR_PATH];

    return datadir_sync_dir(f, datadir_topic(f, topic, path), err);
}

int
datadir_check_topic(const struct datadir *f, const struct uuid *topic,
    struct err *err)
{
    char path[DATADIR_PATH];
    bool there;
    int rc = topic_read(f, topic, &there, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    return err_set(err, ERR_DAMAGE, there ? "%s is damaged or of another "
        "folder: put the topic's folder back, or run penstock salvage"
        : "%s is missing (is its volume mounted?): put the topic's folder "
        "back, or run penstock salvage", topic_path(f, topic, path));
}

/* ---- the disk ---- */

int
datadir_free_bytes(const struct datadir *f, uint64_t *bytes, struct err *err)
{
    struct statvfs st;

    if (statvfs(f->path, &st) < 0)
        return err_set(err, errno, "ask for free space on %s", f->path);
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

int
datadir_ballast_hold(struct datadir *f, uint64_t bytes, struct err *err)
{
    char path[DATADIR_PATH];
    struct world *w = f->world;
    struct stat st;
    int rc = 0, fd;

    fd = w->ops->open(w, datadir_sub(f, "ballast", path),
        O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        return err_set(err, errno, "create %s", path);
    if (fstat(fd, &st) == 0 && (uint64_t)st.st_size < bytes
        && posix_fallocate(fd, 0, (off_t)bytes) != 0)
        rc = err_set(err, ENOSPC, "hold ballast in %s", path);
    w->ops->close(w, fd);
    return rc;
}

bool
datadir_ballast_drop(struct datadir *f)
{
    char path[DATADIR_PATH];

    return f->world->ops->unlink(f->world, datadir_sub(f, "ballast", path))
        == 0;
}

void
datadir_boot_id(char out[64])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, 63);

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}
