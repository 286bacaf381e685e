/*
 * crash.h: a mark on the disk when the process dies of an error of its own,
 * so that the next start can tell it from kill -9 and from a power cut.
 */
#ifndef TOOLS_CRASH_H
#define TOOLS_CRASH_H

/* On SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT makes the file, then dies of
 * the signal as it would have. The path is copied. */
void crash_guard(const char *path);
/* What was there before comes back. */
void crash_unguard(void);

#endif
