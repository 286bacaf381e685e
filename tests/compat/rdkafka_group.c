/*
 * librdkafka against a broker: groups. Members come, go and die; what one has
 * committed the next does not read; each assignor and static membership.
 *
 * A member is polled from here only, so that the order of events is ours:
 * members_poll() goes round them until a condition holds.
 */
#include "config.h"
#include "rdk.h"

#include <string.h>

#define PARTS 4

/* Members of the group under test; NULL where there is none. */
static rd_kafka_t *members[3];
static struct seen seen;

static rd_kafka_t *
member_new(const char *group, const char *topic, const char *word,
    const char *word2)
{
    char id[300];
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_t *rk;

    snprintf(id, sizeof id, "group.id=%s", group);
    rk = consumer_new(WORDS(id, "session.timeout.ms=6000",
        "heartbeat.interval.ms=500", "enable.partition.eof=false", word,
        word2));
    rd_kafka_topic_partition_list_add(l, topic, -1);
    if (rd_kafka_subscribe(rk, l))
        bail("subscribe");
    rd_kafka_topic_partition_list_destroy(l);
    return rk;
}

static int
assigned(rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *l = NULL;
    int count = -1;

    if (rk && !rd_kafka_assignment(rk, &l)) {
        count = l->cnt;
        rd_kafka_topic_partition_list_destroy(l);
    }
    return count;
}

/* One round: each member is served once, records are noted. */
static void
members_serve(void)
{
    for (int i = 0; i < 3; i++) {
        rd_kafka_message_t *m;

        if (!members[i])
            continue;
        m = rd_kafka_consumer_poll(members[i], 20);
        if (m && !m->err)
            seen_add(&seen, m);
        if (m)
            rd_kafka_message_destroy(m);
    }
}

/* Whether the members share the partitions as evenly as can be. */
static bool
shared(void)
{
    int count = 0, sum = 0, least = PARTS;

    for (int i = 0; i < 3; i++) {
        int n = assigned(members[i]);

        if (!members[i])
            continue;
        count++;
        sum += n;
        least = n < least ? n : least;
    }
    return count > 0 && sum == PARTS && least == PARTS / count;
}

/* Serves until they do; false if that takes too long. */
static bool
members_share(void)
{
    int64_t until = now_ms() + RDK_WAIT_MS;

    do
        members_serve();
    while (!shared() && now_ms() < until);
    if (!shared())
        note("they hold %d %d %d", assigned(members[0]), assigned(members[1]),
            assigned(members[2]));
    return shared();
}

/* Serves until all of 0..count-1 were seen, and a little longer. */
static bool
members_see(int count)
{
    int64_t until = now_ms() + RDK_WAIT_MS;

    while (seen.distinct < count && now_ms() < until)
        members_serve();
    for (int i = 0; i < 20; i++)    /* more than asked for would be wrong */
        members_serve();
    if (seen.distinct != count)
        note("%d seen of %d", seen.distinct, count);
    return seen.distinct == count;
}

static void
member_drop(int i)
{
    consumer_free(members[i]);
    members[i] = NULL;
}

static void
produce_some(const char *topic, int from, int to)
{
    struct reports r;
    rd_kafka_t *rk = producer_new(&r, WORDS("linger.ms=5"));

    produce_run(rk, topic, PARTS, from, to);
    producer_free(rk);
    if (r.count != to - from || r.failed)
        bail("cannot produce");
}

/*
 * librdkafka before 2.4 may go back in partitions that a cooperative member
 * keeps (its issue 4637): there only "at least once" can be asked for.
 */
static void
test_members(const char *strategy)
{
    const char *topic = named(strchr(strategy, '=') + 1);
    bool exact = !strstr(strategy, "cooperative") ||
        rd_kafka_version() >= 0x02040000;

    note("%s%s", strategy, exact ? "" : ", whose client may read twice");
    memset(&seen, 0, sizeof seen);
    topic_new(topic, PARTS, NULL);
    members[0] = member_new(topic, topic, strategy, NULL);
    ok(members_share(), "one member holds all four partitions");
    produce_some(topic, 0, 400);
    ok(members_see(400), "and sees what is produced");
    is_err(rd_kafka_commit(members[0], NULL, 0), 0, "and commits it");
    members[1] = member_new(topic, topic, strategy, NULL);
    ok(members_share(), "two members hold two each");
    produce_some(topic, 400, 800);
    ok(members_see(800), "together they see the next ones");
    is_err(rd_kafka_commit(members[0], NULL, 0), 0, "the first commits");
    is_err(rd_kafka_commit(members[1], NULL, 0), 0, "the second commits");
    members[2] = member_new(topic, topic, strategy, NULL);
    ok(members_share(), "three share four");
    member_drop(0);
    ok(members_share(), "one leaves: the others take over at once");
    produce_some(topic, 800, 1200);
    ok(members_see(1200), "and see the rest");
    if (exact) {
        is_int(seen_wrong(&seen, 0, 1200), 0, "each number came exactly once");
        is_int(seen.unordered, 0, "in order within its partition");
    }
    rd_kafka_commit(members[1], NULL, 0);
    rd_kafka_commit(members[2], NULL, 0);
    member_drop(1);
    member_drop(2);
    members[0] = member_new(topic, topic, strategy, NULL);
    produce_some(topic, 1200, 1300);
    ok(members_see(1300), "a new member resumes after all commits");
    if (exact)
        is_int(seen_wrong(&seen, 0, 1300), 0, "without a repetition");
    member_drop(0);
}

/* A member that is gone without a word is expelled after its session. */
static void
test_dead_member(void)
{
    const char *topic = named("dead");
    int64_t began;

    memset(&seen, 0, sizeof seen);
    topic_new(topic, PARTS, NULL);
    members[0] = member_new(topic, topic, NULL, NULL);
    ok(members_share(), "one member");
    members[1] = member_new(topic, topic, NULL, NULL);
    ok(members_share(), "and another");
    began = now_ms();
    rd_kafka_destroy_flags(members[0], RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    members[0] = NULL;
    ok(members_share(), "the dead one's partitions are taken over");
    ok(now_ms() - began >= 4000, "but not before its session is over");
    produce_some(topic, 0, 100);
    ok(members_see(100), "and are read");
    member_drop(1);
}

/* A static member comes back within its session and keeps what it held. */
static void
test_static(void)
{
    const char *topic = named("static"), *one = "group.instance.id=one";
    int64_t began;

    memset(&seen, 0, sizeof seen);
    topic_new(topic, PARTS, NULL);
    members[0] = member_new(topic, topic, one, "session.timeout.ms=20000");
    members[1] = member_new(topic, topic, "group.instance.id=two",
        "session.timeout.ms=20000");
    ok(members_share(), "two static members");
    member_drop(0);
    for (int i = 0; i < 100; i++)
        members_serve();
    is_int(assigned(members[1]), 2, "one closes: nothing is moved");
    began = now_ms();
    members[0] = member_new(topic, topic, one, "session.timeout.ms=20000");
    ok(members_share(), "it returns: the same as before");
    ok(now_ms() - began < 10000, "at once");
    member_drop(0);
    member_drop(1);
}

static void
is_committed(rd_kafka_t *rk, const char *topic, int part, int64_t offset,
    const char *meta, const char *name)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *p =
        rd_kafka_topic_partition_list_add(l, topic, part);

    is_err(rd_kafka_committed(rk, l, RDK_WAIT_MS), 0, name);
    is_int(p->offset, offset, "the offset");
    is_int((int64_t)p->metadata_size, (int64_t)strlen(meta), "the metadata");
    ok(p->metadata_size == 0 || !memcmp(p->metadata, meta, strlen(meta)),
        "the metadata's bytes");
    rd_kafka_topic_partition_list_destroy(l);
}

/* Commits of a client that is no member, as simple consumers make them. */
static void
test_commit(void)
{
    const char *topic = named("commit");
    char id[300];
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *p;
    rd_kafka_t *rk;

    topic_new(topic, PARTS, NULL);
    snprintf(id, sizeof id, "group.id=%s", topic);
    rk = consumer_new(WORDS(id));
    is_committed(rk, topic, 1, RD_KAFKA_OFFSET_INVALID, "",
        "nothing committed yet");
    p = rd_kafka_topic_partition_list_add(l, topic, 1);
    p->offset = 4711;
    p->metadata = (void *)rd_kafka_mem_malloc(rk, 5);
    memcpy(p->metadata, "notes", 5);
    p->metadata_size = 5;
    is_err(rd_kafka_commit(rk, l, 0), 0, "commit an offset with metadata");
    rd_kafka_topic_partition_list_destroy(l);
    is_committed(rk, topic, 1, 4711, "notes", "ask for it");
    is_committed(rk, topic, 2, RD_KAFKA_OFFSET_INVALID, "",
        "another partition has none");
    consumer_free(rk);
    rk = consumer_new(WORDS(id));
    is_committed(rk, topic, 1, 4711, "notes", "another client asks for it");
    consumer_free(rk);
}

void
test_group(void)
{
    test_members("partition.assignment.strategy=range");
    test_members("partition.assignment.strategy=cooperative-sticky");
    test_dead_member();
    test_static();
    test_commit();
}
