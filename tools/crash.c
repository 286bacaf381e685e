/* crash.c: see crash.h. Only what signal-safety(7) allows in the handler. */
#include "config.h"

#include "crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"

enum { STACK_BYTES = 64 * 1024 };

static const int guarded[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static struct sigaction before[countof(guarded)];
static char *mark;
static void *stack;              /* of the main thread: its own may be full */

static void
on_crash(int number, siginfo_t *info, void *context)
{
    int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)context;
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < countof(guarded); i++)
        if (guarded[i] == number)
            sigaction(number, &before[i], NULL);
    /* A fault happens again on return, now with whoever was there before; a
     * signal that was sent does not. */
    if (info->si_code <= 0 || number == SIGABRT)
        raise(number);
}

void
crash_guard(const char *path)
{
    struct sigaction sa = {.sa_sigaction = on_crash,
        .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t own = {.ss_size = STACK_BYTES};

    assert(mark == NULL);
    mark = xstrdup(path);
    own.ss_sp = stack = xmalloc(STACK_BYTES);
    sigaltstack(&own, NULL);
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < countof(guarded); i++)
        sigaction(guarded[i], &sa, &before[i]);
}

void
crash_unguard(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (mark == NULL)
        return;
    for (size_t i = 0; i < countof(guarded); i++)
        sigaction(guarded[i], &before[i], NULL);
    sigaltstack(&none, NULL);
    free(stack);
    free(mark);
    stack = mark = NULL;
}
