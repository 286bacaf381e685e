/*
 * letters.h: prints dead letters as they come, with the command that replays
 * each, from a thread of its own: for people who develop an application.
 *
 * It reads as any client does, over the wire: what it shows is published.
 */
#ifndef TOOLS_LETTERS_H
#define TOOLS_LETTERS_H

struct letters;
struct ps_app;

/* The topics `<app>-dead-letter` of these applications. NULL: no thread. */
struct letters *letters_start(const char *bootstrap, const struct ps_app *);
void letters_stop(struct letters *);     /* NULL allowed */

#endif
