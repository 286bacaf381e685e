"""Transactions of kafka-python: run by txn-kafka-python.t."""

import kafka
from kafka import (KafkaAdminClient, KafkaConsumer, KafkaProducer,
                   TopicPartition, errors)
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

import tap
from tap import BOOTSTRAP, LIMIT, equal, name, ok, run, within

ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def producer(word, **conf):
    p = KafkaProducer(bootstrap_servers=BOOTSTRAP,
                      transactional_id=name(word), **conf)
    p.init_transactions()
    return p


def consumer(level, group=None):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, isolation_level=level,
                         group_id=group, enable_auto_commit=False,
                         auto_offset_reset="earliest")


def create(word, parts=1):
    """A topic whose partitions are all ready."""
    ADMIN.create_topics([NewTopic(name(word), num_partitions=parts,
                                  replication_factor=1)],
                        wait_for_metadata=True)
    view("read_uncommitted", name(word), parts)
    return name(word)


def send(p, topic, parts, first, last):
    return [p.send(topic, b"%d" % n, partition=n % parts)
            for n in range(first, last)]


def view(level, topic, parts=1):
    """What this isolation level shows: the numbers, the sum of the ends."""
    c = consumer(level)
    all_of_it = [TopicPartition(topic, i) for i in range(parts)]
    ends = c.end_offsets(all_of_it)
    c.assign(all_of_it)
    c.seek_to_beginning()
    got = []

    def step():
        for records in c.poll(100).values():
            got.extend(int(m.value) for m in records)
        return all(c.position(p) >= ends[p] for p in all_of_it)
    within(step)
    c.close()
    return sorted(got), sum(ends.values())


def settled(topic, parts=1):
    """What is committed when all has ended, and the sum of the ends: the answer
    to a commit or an abort may come before its markers are written."""
    unblocked(topic, parts)
    return view("read_committed", topic, parts)


def committed(topic, parts=1):
    return settled(topic, parts)[0]


def unblocked(topic, parts=1):
    return within(lambda: view("read_committed", topic, parts)[1] ==
                  view("read_uncommitted", topic, parts)[1])


def numbers(*bounds):
    return list(range(*bounds))


def failure(call):
    try:
        call()
    except errors.KafkaError as e:
        return e
    return None


def test_commit():
    """transactions: commit"""
    topic = create("commit", 3)
    p = producer("commit")
    p.begin_transaction()
    send(p, topic, 3, 0, 90)
    p.flush(LIMIT)
    equal(view("read_uncommitted", topic, 3)[0], numbers(90),
          "read_uncommitted sees an open transaction")
    equal(view("read_committed", topic, 3), ([], 0),
          "read_committed sees nothing of it")
    p.commit_transaction()
    p.close()
    equal(settled(topic, 3), (numbers(90), 93),
          "after the commit it sees all, and a marker in each partition")


def test_abort():
    """transactions: abort"""
    topic = create("abort", 2)
    p = producer("abort")
    p.begin_transaction()
    send(p, topic, 2, 0, 50)
    p.flush(LIMIT)
    p.abort_transaction()
    ok(unblocked(topic, 2), "an abort moves the stable offset")
    equal(committed(topic, 2), [], "read_committed sees nothing of it")
    equal(view("read_uncommitted", topic, 2)[0], numbers(50),
          "read_uncommitted does")
    p.begin_transaction()
    send(p, topic, 2, 50, 60)
    p.commit_transaction()
    p.close()
    equal(committed(topic, 2), numbers(50, 60),
          "what is committed next is seen")


def test_many():
    """transactions: 64 partitions"""
    topic = create("many", 64)
    p = producer("many")
    p.begin_transaction()
    send(p, topic, 64, 0, 1000)
    p.commit_transaction()
    p.begin_transaction()
    send(p, topic, 64, 1000, 2000)
    p.flush(LIMIT)
    p.abort_transaction()
    p.close()
    equal(settled(topic, 64), (numbers(1000), 2000 + 128),
          "64 partitions in a transaction, two markers in each")


def test_offsets():
    """transactions: offsets"""
    source, sink, group = create("offsets"), create("sink"), name("group")
    part = TopicPartition(source, 0)
    plain = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    send(plain, source, 1, 0, 300)
    plain.close()
    p = producer("offsets")
    c = consumer("read_committed", group)
    c.subscribe([source])
    done = tries = 0
    while done < 300 and tries < 100:
        found = [m for records in c.poll(1000, max_records=31).values()
                 for m in records]
        if not found:
            tries += 0.1
            continue
        p.begin_transaction()
        for m in found:
            p.send(sink, m.value, partition=0)
        at = OffsetAndMetadata(found[-1].offset + 1, "", -1)
        p.send_offsets_to_transaction({part: at}, c.group_metadata())
        tries += 1
        if int(tries) % 3 == 0:
            p.abort_transaction()
            c.seek(part, done)
        else:
            p.commit_transaction()
            done += len(found)
    ok(within(lambda: c.committed(part) == 300),
       "the group's offsets were committed with them")
    c.close()
    p.close()
    equal(committed(sink), numbers(300),
          "consume, transform, produce: each exactly once")


def test_fencing():
    """transactions: fencing"""
    topic = create("fencing")
    old = producer("fencing")
    old.begin_transaction()
    send(old, topic, 1, 1000, 1010)
    old.flush(LIMIT)
    young = producer("fencing")
    ok(unblocked(topic),
       "a second producer of the id aborts what the first began")
    got = failure(old.commit_transaction)
    ok(isinstance(got, (errors.ProducerFencedError,
                        errors.InvalidProducerEpochError)),
       "a commit by the first fails: %s" % type(got).__name__)
    young.begin_transaction()
    send(young, topic, 1, 0, 10)
    young.commit_transaction()
    young.close()
    old.close(0)
    equal(committed(topic), numbers(10),
          "only the second one's records are there")


def test_timeout():
    """transactions: timeout"""
    topic = create("timeout", 2)
    p = producer("timeout", transaction_timeout_ms=1500)
    p.begin_transaction()
    send(p, topic, 2, 1000, 1010)
    p.flush(LIMIT)
    ok(unblocked(topic, 2), "the broker aborts what takes too long")
    equal(settled(topic, 2), ([], 12),
          "nothing is seen, markers were written")
    ok(failure(p.commit_transaction), "a commit is too late")
    p.close(0)
    p = producer("timeout")
    p.begin_transaction()
    send(p, topic, 2, 0, 10)
    p.commit_transaction()
    p.close()
    equal(committed(topic, 2), numbers(10),
          "the next producer of the id goes on")


tap.client("kafka-python", kafka.__version__)
run([test_commit, test_abort, test_many, test_offsets, test_fencing,
     test_timeout])
