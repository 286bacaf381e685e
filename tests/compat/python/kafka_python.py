"""kafka-python against a broker: run by kafka-python.t. Its producer is
idempotent by default since 3.0."""

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition, errors
from kafka.admin import (ConfigResource, ConfigResourceType, NewPartitions,
                         NewTopic)

from tap import (BOOTSTRAP, LIMIT, client, equal, exactly, name, ok, run,
                 within)

ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def producer(**conf):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **conf)


def consumer(group=None, **conf):
    base = {"auto_offset_reset": "earliest", "enable_auto_commit": False,
            "group_id": group}
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, **dict(base, **conf))


def create(topic, parts=1, **config):
    config = {k.replace("_", "."): str(v) for k, v in config.items()}
    ADMIN.create_topics([NewTopic(topic, num_partitions=parts,
                                  replication_factor=1,
                                  topic_configs=config)],
                        wait_for_metadata=True)
    return topic


def partitions(topic):
    found = ADMIN.describe_topics([topic])
    return len(found[0]["partitions"]) if found else 0


def send(p, topic, values, **more):
    """Sends and flushes; the offsets in order."""
    futures = [p.send(topic, v, partition=0, **more) for v in values]
    p.flush(LIMIT)
    return [f.get(LIMIT).offset for f in futures]


def read(c, count):
    """Reads up to count records, fewer if no more come."""
    got = []

    def step():
        for records in c.poll(200).values():
            got.extend(records)
        return len(got) >= count
    within(step)
    return got


def read_all(topic, count):
    c = consumer()
    c.assign([TopicPartition(topic, 0)])
    c.seek_to_beginning()
    got = read(c, count)
    c.close()
    return got


def raised(kind, call):
    try:
        call()
    except kind:
        return True
    except errors.KafkaError as e:
        print("#   got %r" % e)
    return False


def test_produce():
    for acks in 0, 1, "all":
        topic = create(name("acks-%s" % acks))
        values = [b"%d" % i for i in range(500)]
        # acks=0 does not hear that a new partition is not ready yet
        p = producer()
        send(p, topic, values[:1])
        p.close()
        p = producer(acks=acks, enable_idempotence=False)
        got = send(p, topic, values[1:])
        p.close()
        if acks != 0:
            equal(got, list(range(1, 500)), "acks=%s: offsets in order" % acks)
        equal([m.value for m in read_all(topic, 500)], values,
              "acks=%s: all are read in order" % acks)


def test_idempotent():
    topic = create(name("idempotent"))
    values = [b"%d" % i for i in range(3000)]
    p = producer(batch_size=500)
    equal(send(p, topic, values), list(range(3000)),
          "idempotent by default: offsets in order")
    p.close()
    equal([m.value for m in read_all(topic, 3000)], values,
          "each once and in order")


def test_codecs():
    for codec in None, "gzip", "snappy", "lz4", "zstd":
        topic = create(name("codec-%s" % codec))
        values = [b"%d " % i * 50 for i in range(300)]
        p = producer(compression_type=codec, linger_ms=100)
        send(p, topic, values)
        p.close()
        equal([m.value for m in read_all(topic, 300)], values,
              "compression_type=%s" % codec)


def test_fields():
    topic = create(name("fields"), retention_ms=-1)
    head = [("a", b"1"), ("b", b"\0\xff")]
    p = producer()
    send(p, topic, [b"v"], key=b"k", headers=head, timestamp_ms=1600000000123)
    send(p, topic, [None], key=b"gone")
    p.close()
    one, two = read_all(topic, 2)
    equal((one.key, one.value, one.timestamp), (b"k", b"v", 1600000000123),
          "key, value and timestamp")
    equal([(k, bytes(v)) for k, v in one.headers], head, "headers")
    equal((two.key, two.value), (b"gone", None), "a null value")


def test_offsets():
    topic = create(name("offsets"), retention_ms=-1)
    part = TopicPartition(topic, 0)
    p = producer(linger_ms=200)
    for i in range(50):
        p.send(topic, b"%d" % i, partition=0,
               timestamp_ms=1600000000000 + i * 1000)
    p.flush(LIMIT)
    p.close()
    c = consumer()
    equal(c.beginning_offsets([part])[part], 0, "the beginning")
    equal(c.end_offsets([part])[part], 50, "the end")
    found = c.offsets_for_times({part: 1600000000000 + 20500})[part]
    equal((found.offset, found.timestamp), (21, 1600000000000 + 21000),
          "the offset of a time")
    equal(c.offsets_for_times({part: 1700000000000})[part], None,
          "no offset of a time to come")
    c.assign([part])
    c.seek(part, 33)
    equal(read(c, 1)[0].offset, 33, "from the middle of a batch")
    c.seek(part, 7)
    equal(read(c, 1)[0].offset, 7, "seek")
    c.close()


def test_group():
    topic = create(name("group"), 4)
    group = name("group")
    seen = []

    def produce(first, last):
        p = producer()
        for i in range(first, last):
            p.send(topic, b"%d" % i, partition=i % 4)
        p.flush(LIMIT)
        p.close()

    def share():
        return len(a.assignment()), len(b.assignment())

    def served(cond, *members):
        def step():
            for c in members:
                # a join goes on only within poll, so that it needs its time
                for records in c.poll(500).values():
                    seen.extend(int(m.value) for m in records)
            return cond()
        return within(step, 60)

    def member():
        c = consumer(group, heartbeat_interval_ms=500,
                     session_timeout_ms=6000)
        # the leader assigns nothing, and may stay with that, if it comes to
        # assign before the topic's metadata came to it
        c.partitions_for_topic(topic)
        c.subscribe([topic])
        return c

    a = member()
    served(lambda: len(a.assignment()) == 4, a)
    equal(len(a.assignment()), 4, "one member holds all")
    produce(0, 200)
    served(lambda: len(seen) >= 200, a)
    a.commit()
    b = member()
    served(lambda: share() == (2, 2), a, b)
    equal(share(), (2, 2), "two share it")
    produce(200, 400)
    served(lambda: len(seen) >= 400, a, b)
    exactly(seen, 400, "each record comes to one of them")
    a.commit()
    b.commit()
    b.close()
    ok(served(lambda: len(a.assignment()) == 4, a),
       "one leaves: the other holds all")
    equal(sum(a.committed(TopicPartition(topic, i)) for i in range(4)), 400,
          "committed offsets")
    a.close()
    produce(400, 450)
    c = member()
    served(lambda: len(seen) >= 450, c)
    exactly(seen, 450, "the next resumes after the commits")
    c.close()


def test_auto_create():
    topic = name("auto")
    p = producer()
    equal(p.send(topic, b"x").get(LIMIT).offset, 0,
          "a topic is created on first use")
    p.close()


def test_admin():
    topic = create(name("admin"), 2, retention_ms=3600000)
    ok(within(lambda: partitions(topic) == 2), "create a topic")
    ok(topic in ADMIN.list_topics(), "list topics")
    ok(raised(errors.TopicAlreadyExistsError, lambda: create(topic)),
       "create it again")
    ok(raised(errors.InvalidTopicError, lambda: create("bad name!")),
       "create an invalid name")
    ADMIN.create_partitions({topic: NewPartitions(total_count=3)})
    ok(within(lambda: partitions(topic) == 3), "more partitions")
    res = ConfigResource(ConfigResourceType.TOPIC, topic)
    ok("3600000" in str(ADMIN.describe_configs([res])), "describe configs")
    res = ConfigResource(ConfigResourceType.TOPIC, topic,
                         configs={"retention.ms": "777000"})
    ADMIN.alter_configs([res])
    ok(within(lambda: "777000" in str(ADMIN.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic)]))), "alter configs")
    ok(ADMIN.describe_cluster(), "describe the cluster")
    ADMIN.delete_topics([topic])
    ok(within(lambda: topic not in ADMIN.list_topics()), "delete it")
    ok(raised(errors.UnknownTopicOrPartitionError,
              lambda: ADMIN.delete_topics([topic])), "delete it again")


def test_admin_groups():
    topic = create(name("admin-group"))
    group = name("admin-group")
    p = producer()
    send(p, topic, [b"x"])
    p.close()
    c = consumer(group)
    c.subscribe([topic])
    equal(len(read(c, 1)), 1, "a member reads")
    c.commit()
    ok(group in str(ADMIN.list_groups()), "list groups")
    ok("stable" in str(ADMIN.describe_groups([group])).lower(),
       "describe the group: stable")
    c.close()
    ok(within(lambda: "empty" in str(ADMIN.describe_groups([group])).lower()),
       "then it is empty")
    part = TopicPartition(topic, 0)
    found = ADMIN.list_group_offsets({group: [part]})
    equal(found[group][part].offset, 1, "list its offsets")
    ADMIN.delete_groups([group])
    ok(within(lambda: group not in str(ADMIN.list_groups())), "delete it")
    ADMIN.delete_records({part: 1})
    c = consumer()
    equal(c.beginning_offsets([part])[part], 1, "delete records")
    c.close()


client("kafka-python", kafka.__version__)
run([test_produce, test_idempotent, test_codecs, test_fields, test_offsets,
     test_group, test_auto_create, test_admin, test_admin_groups])
