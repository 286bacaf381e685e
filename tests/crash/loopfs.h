/*
 * loopfs.h: a real ext4 of its own, in a file, that can be full and can lose
 * its power.
 *
 * It is mounted in a mount namespace of this process: nobody else sees it,
 * and it goes with the last process of the test, however that ends. Needs
 * root, a loop device and mke2fs; where one is missing the test is skipped.
 */
#ifndef CRASH_LOOPFS_H
#define CRASH_LOOPFS_H

#include <stdbool.h>
#include <stdint.h>

struct loopfs {
    char image[300], path[300];
    bool mounted;
};

/* Made below `top`, and mounted; or the test is skipped. */
void loopfs_init(struct loopfs *, const char *top, unsigned mib);
void loopfs_mount(struct loopfs *);
/* Nobody may have a file of it open. */
void loopfs_unmount(struct loopfs *);
/* The power goes: what no sync has covered is lost, calls fail from now on.
 * `flushed`: ext4's own journal gets to the disk before, as if the kernel had
 * been about to write it. Then unmount, mount. */
void loopfs_cut(struct loopfs *, bool flushed);
/* A file takes all the space there is, until it is removed. */
void loopfs_eat(struct loopfs *);
void loopfs_spit(struct loopfs *);
uint64_t loopfs_room(const struct loopfs *);     /* bytes */
/* Unmounts, if need be, and removes the image. */
void loopfs_release(struct loopfs *);

#endif
