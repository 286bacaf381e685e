"""confluent-kafka against a broker: run by confluent.t (Debian's package) and
confluent-pip.t (the newest). What an old version lacks is not asked of it."""

import confluent_kafka as ck
from confluent_kafka import (Consumer, KafkaError, KafkaException, Producer,
                             TopicPartition, admin)

from tap import (BOOTSTRAP, LIMIT, client, equal, exactly, name, ok, run,
                 serves, skip, within)

ADMIN = admin.AdminClient({"bootstrap.servers": BOOTSTRAP})


def producer(**conf):
    conf = {k.replace("_", "."): v for k, v in conf.items()}
    return Producer(dict(conf, **{"bootstrap.servers": BOOTSTRAP}))


def consumer(group, **conf):
    conf = {k.replace("_", "."): v for k, v in conf.items()}
    base = {"bootstrap.servers": BOOTSTRAP, "group.id": group,
            "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 1000}
    return Consumer(dict(base, **conf))


def create(topic, parts=1, **config):
    config = {k.replace("_", "."): str(v) for k, v in config.items()}
    new = admin.NewTopic(topic, num_partitions=parts, replication_factor=1,
                         config=config)
    ADMIN.create_topics([new])[topic].result(LIMIT)
    return topic


def error_of(call):
    """The code of the KafkaError that call() raises, None without one."""
    try:
        call()
    except KafkaException as e:
        return e.args[0].code()
    return None


def send(p, topic, values, **more):
    """Sends and flushes; the offsets of the reports in order, or an error."""
    got = []
    for v in values:
        p.produce(topic, v, on_delivery=lambda e, m: got.append(
            e.code() if e else m.offset()), **more)
        p.poll(0)
    p.flush(LIMIT)
    return got


def read(c, count):
    """Reads up to count records, fewer if no more come for a while."""
    got = []

    def step():
        m = c.poll(0.2)
        if m is not None and not m.error():
            got.append(m)
        return len(got) >= count
    within(step)
    return got


def read_all(topic, count):
    c = consumer(name("reader"))
    c.assign([TopicPartition(topic, 0, 0)])
    got = read(c, count)
    c.close()
    return got


def test_produce():
    for acks in "0", "1", "all":
        topic = create(name("acks-" + acks))
        values = [b"%d" % i for i in range(500)]
        # acks=0 does not hear that a new partition is not ready yet
        send(producer(), topic, values[:1], partition=0)
        got = send(producer(acks=acks), topic, values[1:], partition=0)
        equal(len(got), 499, "acks=%s: a report for each" % acks)
        if acks != "0":
            equal(got, list(range(1, 500)), "with offsets in order")
        equal([m.value() for m in read_all(topic, 500)], values,
              "acks=%s: all are read in order" % acks)


def test_idempotent():
    topic = create(name("idempotent"))
    values = [b"%d" % i for i in range(5000)]
    p = producer(enable_idempotence=True, linger_ms=0, batch_num_messages=50)
    equal(send(p, topic, values, partition=0), list(range(5000)),
          "idempotent: offsets in order")
    equal([m.value() for m in read_all(topic, 5000)], values,
          "each once and in order")


def test_codecs():
    for codec in "none", "gzip", "snappy", "lz4", "zstd":
        topic = create(name(codec))
        values = [b"%d " % i * 50 for i in range(500)]
        send(producer(compression_type=codec, linger_ms=100), topic, values,
             partition=0)
        equal([m.value() for m in read_all(topic, 500)], values, codec)


def test_fields():
    topic = create(name("fields"), retention_ms=-1)
    head = [("a", b"1"), ("a", None), ("b", b"\0\xff")]
    send(producer(), topic, [b"v"], key=b"k", headers=head,
         timestamp=1600000000123)
    send(producer(), topic, [None])
    send(producer(), topic, [b""], key=b"")
    one, two, three = read_all(topic, 3)
    equal((one.key(), one.value()), (b"k", b"v"), "key and value")
    equal(one.headers(), head, "headers")
    equal(one.timestamp(), (ck.TIMESTAMP_CREATE_TIME, 1600000000123),
          "timestamp")
    equal((two.key(), two.value()), (None, None), "null key and value")
    equal((three.key(), three.value()), (b"", b""), "empty key and value")


def test_offsets():
    topic = create(name("offsets"), retention_ms=-1)
    p = producer(linger_ms=200)
    for i in range(50):
        p.produce(topic, b"%d" % i, partition=0,
                  timestamp=1600000000000 + i * 1000)
    p.flush(LIMIT)
    c = consumer(name("offsets"))
    equal(c.get_watermark_offsets(TopicPartition(topic, 0), LIMIT), (0, 50),
          "the ends")
    found = c.offsets_for_times(
        [TopicPartition(topic, 0, 1600000000000 + 20500)], LIMIT)
    equal(found[0].offset, 21, "the offset of a time")
    c.assign([TopicPartition(topic, 0, 33)])
    equal(read(c, 1)[0].offset(), 33, "from the middle of a batch")
    c.seek(TopicPartition(topic, 0, 7))
    equal(read(c, 1)[0].offset(), 7, "seek")
    equal(c.position([TopicPartition(topic, 0)])[0].offset, 8, "position")
    c.close()


def held(c):
    return len(c.assignment())


def group_round(word, others=None, **conf):
    """Two members share a topic; one leaves; a third resumes. The second and
    the third may be of another kind than the first."""
    others = conf if others is None else others
    topic = create(name("group-" + word), 4)
    seen = []

    def serve(*members):
        for c in members:
            m = c.poll(0.05)
            if m is not None and not m.error():
                seen.append(m.value())

    def produce(first, last):
        p = producer()
        for i in range(first, last):
            p.produce(topic, b"%d" % i, partition=i % 4)
        p.flush(LIMIT)

    def served(cond, *members):
        def step():
            serve(*members)
            return cond()
        return within(step)

    a = consumer(topic, **conf)
    a.subscribe([topic])
    ok(served(lambda: held(a) == 4, a), word + ": one member holds all")
    produce(0, 200)
    served(lambda: len(seen) >= 200, a)
    a.commit(asynchronous=False)
    b = consumer(topic, **others)
    b.subscribe([topic])
    ok(served(lambda: held(a) == 2 and held(b) == 2, a, b), "two share it")
    produce(200, 400)
    served(lambda: len(seen) >= 400, a, b)
    exactly(seen, 400, "each record comes to one of them")
    a.commit(asynchronous=False)
    b.commit(asynchronous=False)
    b.close()
    ok(served(lambda: held(a) == 4, a), "one leaves: the other holds all")
    a.close()
    produce(400, 450)
    c = consumer(topic, **others)
    c.subscribe([topic])
    served(lambda: len(seen) >= 450, c)
    exactly(seen, 450, "the next one resumes after the commits")
    c.close()


def test_group():
    group_round("range")


def test_group_cooperative():
    if ck.libversion()[1] < 0x02040000:
        skip("cooperative-sticky", "librdkafka before 2.4 reads twice there")
        return
    group_round("cooperative",
                partition_assignment_strategy="cooperative-sticky")


def test_group_consumer():
    what = "group.protocol=consumer"
    if ck.libversion()[1] < 0x020a0000:
        skip(what, "this librdkafka has no final form of it")
        return
    if not serves(68):
        skip(what, "the broker does not have it")
        return
    topic = create(name("probe"))
    c = consumer(topic, group_protocol="consumer")
    c.subscribe([topic])
    bad = []

    def step():
        m = None
        try:
            m = c.poll(0.2)
        except KafkaException as e:
            bad.append(e)
        if m is not None and m.error():
            bad.append(m.error())
        return bad or held(c)
    within(step)
    c.close()
    equal(bad, [], "a member of the new protocol")
    group_round("consumer", group_protocol="consumer")
    classic = {"partition_assignment_strategy": "cooperative-sticky"}
    group_round("upgrade", {"group_protocol": "consumer"}, **classic)
    group_round("downgrade", classic, group_protocol="consumer")


def test_admin():
    topic = create(name("admin"), 2, retention_ms=3600000)
    ok(within(lambda: len(ADMIN.list_topics(
        topic, LIMIT).topics[topic].partitions) == 2), "create a topic")
    equal(error_of(lambda: create(topic)), KafkaError.TOPIC_ALREADY_EXISTS,
          "create it again")
    equal(error_of(lambda: create("bad name!")),
          KafkaError.TOPIC_EXCEPTION, "create an invalid name")
    ADMIN.create_partitions([admin.NewPartitions(topic, 3)])[topic].result(
        LIMIT)
    ok(within(lambda: len(ADMIN.list_topics(
        topic, LIMIT).topics[topic].partitions) == 3), "more partitions")
    res = admin.ConfigResource(admin.RESOURCE_TOPIC, topic)
    conf = list(ADMIN.describe_configs([res]).values())[0].result(LIMIT)
    equal(conf["retention.ms"].value, "3600000", "describe configs")
    ok(conf["cleanup.policy"].value == "delete" and
       conf["cleanup.policy"].is_default, "a default is known as such")
    ADMIN.delete_topics([topic])[topic].result(LIMIT)
    ok(within(lambda: topic not in ADMIN.list_topics(timeout=LIMIT).topics),
       "delete it")
    equal(error_of(lambda: ADMIN.delete_topics([topic])[topic].result(LIMIT)),
          KafkaError.UNKNOWN_TOPIC_OR_PART, "delete it again")


def test_admin_new():
    if not hasattr(ADMIN, "list_offsets"):
        skip("the newer admin calls", "this version does not have them")
        return
    topic = create(name("admin-new"), retention_ms=-1)
    part = TopicPartition(topic, 0)
    p = producer(linger_ms=100, compression_type="gzip")
    for i, at in enumerate((1000, 3000, 2000)):
        p.produce(topic, b"%d" % i, partition=0, timestamp=at)
    p.flush(LIMIT)

    def offset(spec):
        return ADMIN.list_offsets({part: spec})[part].result(LIMIT)
    equal(offset(admin.OffsetSpec.earliest()).offset, 0, "earliest")
    equal(offset(admin.OffsetSpec.latest()).offset, 3, "latest")
    newest = offset(admin.OffsetSpec.max_timestamp())
    equal((newest.offset, newest.timestamp), (1, 3000), "max timestamp")
    entry = admin.ConfigEntry(
        "retention.ms", "777000",
        incremental_operation=admin.AlterConfigOpType.SET)
    res = admin.ConfigResource(admin.ResourceType.TOPIC, topic,
                               incremental_configs=[entry])
    list(ADMIN.incremental_alter_configs([res]).values())[0].result(LIMIT)

    def changed():
        conf = list(ADMIN.describe_configs([res]).values())[0].result(LIMIT)
        return conf["retention.ms"].value == "777000"
    ok(within(changed), "incremental alter configs")
    c = consumer(topic)
    c.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    c.close()
    groups = ADMIN.list_consumer_groups().result(LIMIT).valid
    ok(topic in [g.group_id for g in groups], "list consumer groups")
    state = ADMIN.describe_consumer_groups([topic])[topic].result(LIMIT).state
    equal(state.name, "EMPTY", "describe consumer groups")
    ask = ck.ConsumerGroupTopicPartitions(topic, [part])
    got = ADMIN.list_consumer_group_offsets([ask])[topic].result(LIMIT)
    equal(got.topic_partitions[0].offset, 2, "list consumer group offsets")
    low = ADMIN.delete_records([TopicPartition(topic, 0, 2)])[part].result(
        LIMIT).low_watermark
    equal(low, 2, "delete records")
    ADMIN.delete_consumer_groups([topic])[topic].result(LIMIT)
    cluster = ADMIN.describe_cluster().result(LIMIT)
    equal(len(cluster.nodes), 1, "describe the cluster: one node")
    ok(cluster.cluster_id, "with an id")
    about = ADMIN.describe_topics(
        ck.TopicCollection([topic]))[topic].result(LIMIT)
    equal(len(about.partitions), 1, "describe topics")


client("confluent-kafka", "%s (librdkafka %s)" % (
    getattr(ck, "__version__", ck.version()[0]), ck.libversion()[0]))
run([test_produce, test_idempotent, test_codecs, test_fields, test_offsets,
     test_group, test_group_cooperative, test_group_consumer, test_admin,
     test_admin_new])
