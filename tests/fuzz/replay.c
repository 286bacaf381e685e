/*
 * replay.c: feeds each file of the folders named on the command line to a
 * fuzz target: what libFuzzer's own main would do once. TAP on stdout.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

static int count, failures;

static void
replay_file(const char *folder, const char *name)
{
    char path[1024];
    uint8_t *bytes, *exact;
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "rb");
    if (f == NULL) {
        printf("not ok %d - %s: %s\n", ++count, name, strerror(errno));
        failures++;
        return;
    }
    bytes = xmalloc(INPUT_MAX);
    n = fread(bytes, 1, INPUT_MAX, f);
    fclose(f);
    exact = xmemdup(bytes, n); /* so that a sanitizer sees its end */
    free(bytes);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    printf("ok %d - %s\n", ++count, name);
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;

        if (d == NULL) {
            printf("Bail out! %s: %s\n", argv[i], strerror(errno));
            return 99;
        }
        while ((e = readdir(d)) != NULL)
            if (e->d_name[0] != '.')
                replay_file(argv[i], e->d_name);
        closedir(d);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok %d - nothing at all\n1..%d\n", count + 1, count + 1);
    return failures > 0;
}
