/*
 * host.h: the data folder as the kernel has it, watched. Every system call
 * that Penstock and LMDB make on files below the folder goes through here
 * (wrap.c; the linker redirects the calls): it is carried out for real, on
 * an image in memory that therefore always equals the folder, and into a
 * trace. Calls can be made to fail, and the process to die, at any of them.
 *
 * There is one for the process, as there is one set of system calls; one
 * thread. `lock` and `lock.mdb` are not watched: what is in them after a
 * power cut must not matter, so whatever an earlier state left stays there.
 */
#ifndef CRASH_HOST_H
#define CRASH_HOST_H

#include <setjmp.h>

#include "base/world.h"
#include "trace.h"

struct fault {
    int code;                    /* errno; 0: nothing fails */
    uint64_t at;                 /* the first call to fail, by host_calls() */
    bool sticky;                 /* and all that follow */
    bool growing_only;           /* only calls that need room on the disk */
    bool partly;                 /* a write has done half of its work */
    unsigned hits;               /* how often it has struck */
    struct op hit;               /* where it struck first; without bytes */
};

/* How a call ended that did not return: the value of setjmp(). */
enum { HOST_DIED = 1, HOST_FATAL = 2 };

void host_open(const char *root);        /* an existing, empty folder */
void host_close(void);                   /* watches no more */
/* Makes the folder equal to the image. Nothing may have it open. */
void host_place(const struct image *);
const struct image *host_live(void);
const char *host_root(void);

/* Records from now on; NULL: not any more. */
void host_record(struct trace *);
struct trace *host_trace(void);
/* The calls made so far that change or sync something. */
uint64_t host_calls(void);

/* The process dies instead of making call number `at`: back to the jump
 * buffer with HOST_DIED. 0: it does not. */
void host_die_at(uint64_t at, jmp_buf *);
/* What the kernel does when a process is gone: closes its descriptors. */
void host_kill(void);

void host_fault(const struct fault *);           /* NULL: none */
const struct fault *host_fault_get(void);
/* O_DIRECT is refused, as some file systems do. */
void host_refuse_direct(bool);
/* The name of a file, a folder or what was one; "" if it has none. */
const char *host_name(int inode);
/* Called before each call that changes something; NULL: nothing. */
void host_watch(void (*fn)(void *arg), void *arg);
/* Lines on stderr are dropped. */
void host_quiet(bool);

/* The world that goes with it: files as above, clocks that move by a fixed
 * step, random bytes from a seed. */
struct world *host_world(uint64_t seed);

/* ---- for wrap.c ---- */

struct host_fd {
    bool used, watched;
    int inode;
    bool dsync;
};

enum { HOST_FDS = 4096 };

struct host_fd *host_fd(int fd);         /* NULL: not ours */
void host_fd_set(int fd, int inode, bool watched, bool dsync);
bool host_refuses_direct(void);
bool host_drops(int fd);
/* Where a path leads: false: not below the folder. *inode NO_INODE: no such
 * name; *dir NO_INODE: no such folder, or the folder itself. */
bool host_lookup(const char *path, int *dir, const char **name, int *inode);
bool host_unwatched(const char *path);
int host_new_inode(void);
/* May the call be made? -1 with errno, or it does not return. */
int host_gate(const struct op *, bool grows);
/* It was made. */
void host_did(const struct op *);

/* ---- for place.c ---- */

void host_set_live(const struct image *);        /* takes it over */

#endif
