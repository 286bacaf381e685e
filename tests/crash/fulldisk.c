/*
 * fulldisk.c: a real ext4 that is full, down to its last block, with a real
 * client on it.
 *
 *   filled by a producer    it is refused, with an error that clients retry;
 *                           what is there can be read; the process lives
 *   restarted while full    by SIGKILL and by SIGTERM: the same
 *   DeleteRecords, then     they work; the space comes back, and producing
 *   DeleteTopics            with it, without a restart
 *   full by other files     the same until they go
 *
 * In the end the account of the client that lived through it must be right
 * (ledger.h) and the folder whole. Needs root; else it is skipped.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/check.h"
#include "ledger.h"
#include "loopfs.h"
#include "rig.h"

enum {
    MIB = 320,                   /* floor and ballast take 80 of it */
    PIECE = 100 * 1000,
    PIECES_MAX = 4000,           /* more than the disk holds */
    KEPT = 200,                  /* 20 MB that are not to be deleted */
    WINDOW = 16,                 /* pieces on their way */
    HEAL_MS = 20000,
};

/* Pieces of one topic, one partition: the key is the number. */
struct pile {
    const char *topic;
    bool acked[PIECES_MAX], seen[PIECES_MAX];
    int sent, acks, on_way;
    rd_kafka_resp_err_t refusal; /* the first */
};

static struct rig rig;
static struct loopfs fs;
static struct ledger ledger;
static struct pile kept = {.topic = "kept"}, heap = {.topic = "heap"},
    probe = {.topic = "probe"};

/* ---- producing ---- */

static void
piece_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    struct pile *p = arg;

    (void)rk;
    p->on_way--;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        p->acked[(intptr_t)m->_private - 1] = true;
        p->acks++;
    } else if (p->refusal == RD_KAFKA_RESP_ERR_NO_ERROR) {
        p->refusal = m->err;
    }
}

/* Up to `count` pieces, one try each, until one is refused. */
static void
pile_up(struct pile *p, int count, size_t size)
{
    static const char *const settings[] = {"acks", "all", "retries", "0",
        "linger.ms", "0", "message.timeout.ms", "5000", NULL};
    rd_kafka_t *rk = ledger_client(&rig, RD_KAFKA_PRODUCER, settings,
        piece_delivered, p);
    char *bytes = xcalloc(1, size);

    p->refusal = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < count && p->sent < PIECES_MAX
        && p->refusal == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        intptr_t number = ++p->sent;
        char key[16];

        snprintf(key, sizeof key, "%d", p->sent - 1);
        if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(p->topic),
                RD_KAFKA_V_PARTITION(0),
                RD_KAFKA_V_KEY(key, strlen(key)),
                RD_KAFKA_V_VALUE(bytes, size),
                RD_KAFKA_V_OPAQUE((void *)number),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)
            != RD_KAFKA_RESP_ERR_NO_ERROR)
            bail("a piece can not be sent");
        for (p->on_way++; p->on_way >= WINDOW;)
            rd_kafka_poll(rk, 100);
    }
    rd_kafka_flush(rk, 30000);
    rd_kafka_destroy(rk);
    free(bytes);
}

/* Is one small record taken? */
static bool
is_open(void)
{
    pile_up(&probe, 1, 10);
    return probe.refusal == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- reading ---- */

static void
saw_piece(void *arg, const rd_kafka_message_t *m)
{
    struct pile *p = arg;
    char key[16];
    long n;

    snprintf(key, sizeof key, "%.*s", (int)(m->key_len < 15 ? m->key_len
        : 15), (const char *)m->key);
    n = strtol(key, NULL, 10);
    if (n < 0 || n >= p->sent || m->len < 10)
        bail("%s holds what was never sent", p->topic);
    p->seen[n] = true;
}

static void
pile_read(struct pile *p, const char *when)
{
    int lost = 0;
    bool ended;

    memset(p->seen, 0, sizeof p->seen);
    ended = ledger_scan(&rig, p->topic, 1, 60000, saw_piece, p);
    for (int i = 0; i < p->sent; i++)
        lost += p->acked[i] && !p->seen[i];
    check(ended && lost == 0, "%s all %d acknowledged pieces of %s can be "
        "read (%d lost)", when, p->acks, p->topic, lost);
}

/* ---- the states ---- */

static void
full_checks(const char *when)
{
    int64_t end = now_ms() + HEAL_MS;

    /* What stands in the journal's own room is still taken, for a moment. */
    while (rig_lives(&rig) && is_open() && now_ms() < end)
        ledger_load(&ledger, 50);
    if (!rig_lives(&rig))
        bail("%s it ended by itself", when);
    check(rig_says(&rig, "/v1/health", "readonly"), "%s it says so", when);
    check(!is_open(), "%s a producer is refused", when);
    check(probe.refusal == RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        "%s by an error that is retried (%s)", when,
        rd_kafka_err2name(probe.refusal));
    ledger_load(&ledger, 200);
    pile_read(&kept, when);
    ledger_read(&ledger, when);
}

static void
heal_checks(const char *when)
{
    int64_t began = now_ms();
    bool open;

    while (!(open = is_open()) && now_ms() < began + HEAL_MS)
        ledger_load(&ledger, 50);
    if (!rig_lives(&rig))
        bail("%s it ended by itself", when);
    check(open, "%s it takes records again, by itself (%lld ms)", when,
        (long long)(now_ms() - began));
    check(rig_says(&rig, "/v1/health", "\"ok\""), "%s and says so", when);
    pile_read(&kept, when);
}

/* ---- admin ---- */

static rd_kafka_resp_err_t
admin_wait(rd_kafka_queue_t *q)
{
    rd_kafka_event_t *e = rd_kafka_queue_poll(q, 30000);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;

    if (e != NULL)
        err = rd_kafka_event_error(e);
    if (e != NULL)
        rd_kafka_event_destroy(e);
    rd_kafka_queue_destroy(q);
    return err;
}

static rd_kafka_resp_err_t
delete_topic(const char *topic)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(ledger.producer);
    rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(topic);

    rd_kafka_DeleteTopics(ledger.producer, &t, 1, NULL, q);
    rd_kafka_DeleteTopic_destroy(t);
    return admin_wait(q);
}

static rd_kafka_resp_err_t
delete_records(const char *topic, int64_t before)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(ledger.producer);
    rd_kafka_topic_partition_list_t *list
        = rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteRecords_t *d;

    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = before;
    d = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(ledger.producer, &d, 1, NULL, q);
    rd_kafka_DeleteRecords_destroy(d);
    rd_kafka_topic_partition_list_destroy(list);
    return admin_wait(q);
}

/* ---- the story ---- */

static void
fill(void)
{
    pile_up(&probe, 1, 10); /* no topic is made when it is full */
    pile_up(&kept, KEPT, PIECE);
    ledger_load(&ledger, 300);
    rd_kafka_flush(ledger.producer, 30000);
    pile_up(&heap, PIECES_MAX, PIECE);
    check(heap.refusal == RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        "after %d pieces the producer is refused (%s)", heap.acks,
        rd_kafka_err2name(heap.refusal));
    loopfs_eat(&fs);
    printf("# full to the last block: %llu bytes of room\n",
        (unsigned long long)loopfs_room(&fs));
}

static void
restarts(void)
{
    int status = rig_kill(&rig, SIGKILL);

    check(WIFSIGNALED(status), "it lived until it was killed");
    rig_start(&rig);
    full_checks("started after kill -9,");
    rig_stop(&rig);
    rig_start(&rig);
    full_checks("started after SIGTERM,");
}

static void
space_by_deleting(void)
{
    rd_kafka_resp_err_t err = delete_records("heap", heap.acks / 2);

    check(err == RD_KAFKA_RESP_ERR_NO_ERROR, "DeleteRecords works (%s)",
        rd_kafka_err2name(err));
    err = delete_topic("heap");
    check(err == RD_KAFKA_RESP_ERR_NO_ERROR, "DeleteTopics works (%s)",
        rd_kafka_err2name(err));
    heal_checks("after that");
}

static void
space_by_others(void)
{
    loopfs_spit(&fs);
    heal_checks("with more room");
    ledger_load(&ledger, 300);
    loopfs_eat(&fs);
    full_checks("full by another file,");
    loopfs_spit(&fs);
    heal_checks("when that is gone");
}

int
main(void)
{
    const char *args[] = {"check", "--data", rig.data, NULL};

    rig_init(&rig, "fulldisk");
    loopfs_init(&fs, rig.top, MIB);
    snprintf(rig.data, sizeof rig.data, "%s/data", fs.path);
    rig.more[0] = "--journal-max";
    rig.more[1] = "32m";
    rig_start(&rig);
    ledger_open(&ledger, &rig);
    fill();
    full_checks("full,");
    pile_read(&heap, "full,");
    restarts();
    space_by_deleting();
    space_by_others();
    ledger_judge(&ledger);
    rig_stop(&rig);
    check(rig_run(&rig, args) == 0, "the folder is whole");
    ledger_close(&ledger);
    loopfs_release(&fs);
    return rig_end(&rig);
}
