/*
 * local.h: the port onto the appliance's own log: a run is one effect of the
 * sequencer, a commit is the epoch, state lies in the shelves of the epoch
 * room. There are no producer ids, markers or changelogs: outputs, offsets
 * and state are one cut.
 *
 * Life: local_load() between seq_open() and seq_start(); then an engine
 * opens its tasks on the loop's thread; then threads run them; local_stop()
 * after they have ended, before topics are released.
 */
#ifndef PORT_LOCAL_H
#define PORT_LOCAL_H

#include "epoch/seq.h"
#include "partition/topic.h"
#include "port/port.h"

struct local;

/* Reads what tasks, stores and applications have stored. `threads` is how
 * many will call in. Thread: the loop's, which it remembers. */
int local_load(struct local **, struct seq *, struct topics *,
    unsigned threads, int32_t partitions, struct err *);
struct port *local_port(struct local *);
void local_free(struct local *);         /* NULL allowed */
/* Topics that are made from now on keep their records for good: no retention
 * by age, and what tasks have read of their own logs stays as well. So an
 * oracle can replay them; and so they fill the disk. Loop, before an engine
 * opens its tasks. A log that is there already stays as it was made. */
void local_keep_logs(struct local *);
/* The setting that says so of a topic, retention.ms=-1. */
const struct topic_setting *local_for_good(void);

/* A published read of a store, for queries: every shelf of that name in the
 * application. Loop. */

unsigned local_view_partitions(struct local *, const char *app,
    const char *store);
struct shelf *local_view_shelf(struct local *, const char *app,
    const char *store, unsigned partition);
/* Runs that were handed over and are not yet linked. Any thread. */
bool local_in_flight(const struct local *);

/* Whether an application shall run, kept over restarts. Loop. */
bool local_app_paused(const struct local *, const char *app,
    const char **why);
/* -1: so it is now, but there was no room to have it kept. */
int local_app_set_paused(struct local *, const char *app, bool paused,
    const char *why, struct err *);
/* Starts in a row that did not end cleanly; set 0 at a clean stop. */
unsigned local_app_crashes(const struct local *, const char *app);
void local_app_set_crashes(struct local *, const char *app, unsigned);

#endif
