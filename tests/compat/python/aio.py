"""aiokafka against a broker: run by aiokafka.t. It asks for the lowest
versions of the transactions' requests."""

import asyncio
import logging

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors
from aiokafka.admin import (AIOKafkaAdminClient, NewPartitions, NewTopic,
                            RecordsToDelete)
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import tap
from tap import BOOTSTRAP, LIMIT, equal, exactly, name, ok, serves, skip

TRANSACTIONS = {24: "AddPartitionsToTxn", 25: "AddOffsetsToTxn", 26: "EndTxn",
                28: "TxnOffsetCommit"}


async def within(cond):
    """Awaits cond() until it is true; whether it became so in time."""
    end = asyncio.get_running_loop().time() + LIMIT
    while not await cond():
        if asyncio.get_running_loop().time() > end:
            return False
    return True


async def started(client):
    await client.start()
    return client


async def producer(**conf):
    return await started(AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **conf))


async def consumer(*topics, **conf):
    base = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    return await started(AIOKafkaConsumer(
        *topics, bootstrap_servers=BOOTSTRAP, **dict(base, **conf)))


async def admin():
    return await started(AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP))


async def create(word, parts=1, **config):
    """A topic whose partitions are all ready."""
    topic = name(word)
    config = {k.replace("_", "."): str(v) for k, v in config.items()}
    a = await admin()
    answer = await a.create_topics([NewTopic(
        topic, num_partitions=parts, replication_factor=1,
        topic_configs=config)])
    await a.close()
    code = answer.topic_errors[0][1]
    if code:
        raise errors.for_code(code)(topic)
    c = await consumer()

    async def ready():
        try:
            await c.end_offsets([TopicPartition(topic, i)
                                 for i in range(parts)])
            return True
        except errors.KafkaError:
            return False
    await within(ready)
    await c.stop()
    return topic


async def send(p, topic, values, parts=1, **more):
    """Sends and waits; the offsets in order."""
    futures = [await p.send(topic, v, partition=n % parts, **more)
               for n, v in enumerate(values)]
    await p.flush()
    sent = [await f for f in futures]
    return [m and m.offset for m in sent]  # none with acks=0


async def view(topic, parts=1, level="read_uncommitted"):
    """What this isolation level shows, and the sum of the ends."""
    c = await consumer(isolation_level=level)
    all_of_it = [TopicPartition(topic, i) for i in range(parts)]
    ends = await c.end_offsets(all_of_it)
    c.assign(all_of_it)
    got = []

    async def step():
        for records in (await c.getmany(timeout_ms=100)).values():
            got.extend(records)
        return all([await c.position(p) >= ends[p] for p in all_of_it])
    await c.seek_to_beginning()
    await within(step)
    await c.stop()
    return got, sum(ends.values())


async def values(topic, parts=1, level="read_uncommitted"):
    return [m.value for m in (await view(topic, parts, level))[0]]


def texts(first, last):
    return [b"%d" % n for n in range(first, last)]


async def test_produce():
    """produce and consume"""
    for acks in 0, 1, "all":
        topic = await create("acks-%s" % acks)
        p = await producer(acks=acks)
        await send(p, topic, texts(0, 500))
        await p.stop()

        async def there():
            return (await view(topic))[1] == 500
        await within(there)
        equal(await values(topic), texts(0, 500),
              "acks=%s: all are read in order" % acks)


async def test_idempotent():
    """idempotence"""
    topic = await create("idempotent")
    p = await producer(enable_idempotence=True, max_batch_size=400)
    equal(await send(p, topic, texts(0, 3000)), list(range(3000)),
          "idempotent: offsets in order")
    await p.stop()
    equal(await values(topic), texts(0, 3000), "each once and in order")


async def test_codecs():
    """codecs"""
    for codec in None, "gzip", "snappy", "lz4", "zstd":
        topic = await create("codec-%s" % codec)
        p = await producer(compression_type=codec, linger_ms=50)
        await send(p, topic, texts(0, 1000))
        await p.stop()
        equal(await values(topic), texts(0, 1000),
              "compression_type=%s" % codec)


async def test_fields():
    """keys, headers, timestamps"""
    topic = await create("fields", retention_ms=-1)
    head = [("a", b"1"), ("b", b"\0\xff")]
    p = await producer()
    await send(p, topic, [b"v"], key=b"k", headers=head,
               timestamp_ms=1600000000123)
    await send(p, topic, [None], key=b"gone")
    await p.stop()
    one, two = (await view(topic))[0]
    equal((one.key, one.value, one.timestamp), (b"k", b"v", 1600000000123),
          "key, value and timestamp")
    equal([(k, bytes(v)) for k, v in one.headers], head, "headers")
    equal((two.key, two.value), (b"gone", None), "a null value")
    c = await consumer()
    part = TopicPartition(topic, 0)
    found = (await c.offsets_for_times({part: 1600000000000}))[part]
    equal((found.offset, found.timestamp), (0, 1600000000123),
          "the offset of a time")
    await c.stop()


async def test_group():
    """groups"""
    topic, group = await create("group", 4), name("group")
    seen = []

    async def member():
        return await consumer(topic, group_id=group, session_timeout_ms=6000,
                              heartbeat_interval_ms=300,
                              metadata_max_age_ms=1000)

    async def served(cond, *members):
        async def step():
            for c in members:
                for records in (await c.getmany(timeout_ms=50)).values():
                    seen.extend(m.value for m in records)
            return cond()
        return await within(step)

    async def produce(first, last):
        p = await producer()
        await send(p, topic, texts(first, last), 4)
        await p.stop()

    a = await member()
    ok(await served(lambda: len(a.assignment()) == 4, a),
       "one member holds all")
    await produce(0, 200)
    await served(lambda: len(seen) >= 200, a)
    await a.commit()
    b = await member()
    ok(await served(lambda: (len(a.assignment()), len(b.assignment())) ==
                    (2, 2), a, b), "two share it")
    await produce(200, 400)
    await served(lambda: len(seen) >= 400, a, b)
    exactly(seen, 400, "each record comes to one of them")
    await a.commit()
    await b.commit()
    await b.stop()
    ok(await served(lambda: len(a.assignment()) == 4, a),
       "one leaves: the other holds all")
    await a.stop()
    await produce(400, 450)
    c = await member()
    await served(lambda: len(seen) >= 450, c)
    exactly(seen, 450, "the next resumes after the commits")
    equal(sum([await c.committed(TopicPartition(topic, i))
               for i in range(4)]), 400, "committed offsets")
    await c.stop()


async def test_admin():
    """admin"""
    topic = await create("admin", 2, retention_ms=3600000)
    a = await admin()

    async def listed():
        return topic in await a.list_topics()

    async def parts():
        return len((await a.describe_topics([topic]))[0]["partitions"])

    async def wider():
        return await parts() == 3
    ok(await within(listed), "list topics")
    equal(await parts(), 2, "describe topics")
    await a.create_partitions({topic: NewPartitions(3)})
    ok(await within(wider), "more partitions")
    found = await a.describe_configs([ConfigResource(
        ConfigResourceType.TOPIC, topic, configs={"retention.ms": None})])
    ok("3600000" in str(found), "describe configs")
    p = await producer()
    await send(p, topic, texts(0, 9))
    await p.stop()
    part = TopicPartition(topic, 0)
    await a.delete_records({part: RecordsToDelete(before_offset=4)})
    c = await consumer()
    equal((await c.beginning_offsets([part]))[part], 4, "delete records")
    await c.stop()
    equal(len((await a.describe_cluster())["brokers"]), 1,
          "describe the cluster")
    ok(isinstance(await a.list_consumer_groups(), list), "list groups")
    await a.delete_topics([topic])

    async def gone():
        return not await listed()
    ok(await within(gone), "delete the topic")
    await a.close()


# -- transactions

async def committed(topic, parts=1):
    """The answer to a commit or an abort may come before its markers."""
    await unblocked(topic, parts)
    return sorted(int(v) for v in await values(topic, parts,
                                               "read_committed"))


async def unblocked(topic, parts=1):
    async def same():
        return (await view(topic, parts, "read_committed"))[1] == \
            (await view(topic, parts))[1]
    return await within(same)


async def transactional(word, **conf):
    return await producer(transactional_id=name(word), **conf)


async def test_commit():
    """transactions: commit"""
    topic = await create("commit", 3)
    p = await transactional("commit")
    await p.begin_transaction()
    await send(p, topic, texts(0, 90), 3)
    equal((await view(topic, 3))[1], 90,
          "read_uncommitted sees an open transaction")
    equal(await view(topic, 3, "read_committed"), ([], 0),
          "read_committed sees nothing of it")
    await p.commit_transaction()
    await p.stop()
    equal(await committed(topic, 3), list(range(90)),
          "after the commit it sees all")
    equal((await view(topic, 3, "read_committed"))[1], 93,
          "each partition has one marker")


async def test_abort():
    """transactions: abort"""
    topic = await create("abort", 2)
    p = await transactional("abort")
    await p.begin_transaction()
    await send(p, topic, texts(0, 50), 2)
    await p.abort_transaction()
    ok(await unblocked(topic, 2), "an abort moves the stable offset")
    equal(await committed(topic, 2), [], "read_committed sees nothing of it")
    equal(len(await values(topic, 2)), 50, "read_uncommitted does")
    await p.begin_transaction()
    await send(p, topic, texts(50, 60), 2)
    await p.commit_transaction()
    await p.stop()
    equal(await committed(topic, 2), list(range(50, 60)),
          "what is committed next is seen")


async def test_txn_offsets():
    """transactions: offsets"""
    source, sink = await create("offsets"), await create("sink")
    group, part = name("txn-group"), TopicPartition(source, 0)
    p = await producer()
    await send(p, source, texts(0, 300))
    await p.stop()
    p = await transactional("offsets")
    c = await consumer(source, group_id=group,
                       isolation_level="read_committed")
    done = tries = 0
    while done < 300 and tries < 100:
        found = [m for records in (await c.getmany(
            timeout_ms=1000, max_records=31)).values() for m in records]
        tries += 1
        if not found:
            continue
        await p.begin_transaction()
        for m in found:
            await p.send(sink, m.value, partition=0)
        await p.send_offsets_to_transaction({part: found[-1].offset + 1},
                                            group)
        if tries % 3 == 0:
            await p.abort_transaction()
            c.seek(part, done)
        else:
            await p.commit_transaction()
            done += len(found)

    async def all_of_them():
        # this client does not ask for what is stable
        return await c.committed(part) == 300
    ok(await within(all_of_them),
       "the group's offsets were committed with them")
    await c.stop()
    await p.stop()
    equal(await committed(sink), list(range(300)),
          "consume, transform, produce: each exactly once")


async def test_fencing():
    """transactions: fencing"""
    topic = await create("fencing")
    old = await transactional("fencing")
    await old.begin_transaction()
    await send(old, topic, texts(1000, 1010))
    young = await transactional("fencing")
    ok(await unblocked(topic),
       "a second producer of the id aborts what the first began")
    try:
        await old.commit_transaction()
        ok(False, "a commit by the first fails")
    except errors.ProducerFenced:
        ok(True, "a commit by the first says it is fenced")
    await young.begin_transaction()
    await send(young, topic, texts(0, 10))
    await young.commit_transaction()
    await young.stop()
    try:
        await old.stop()
    except errors.ProducerFenced:
        pass  # it says so once more
    equal(await committed(topic), list(range(10)),
          "only the second one's records are there")


async def test_timeout():
    """transactions: timeout"""
    topic = await create("timeout", 2)
    p = await transactional("timeout", transaction_timeout_ms=1500)
    await p.begin_transaction()
    await send(p, topic, texts(1000, 1010), 2)
    ok(await unblocked(topic, 2), "the broker aborts what takes too long")
    equal(await view(topic, 2, "read_committed"), ([], 12),
          "nothing is seen, markers were written")
    try:
        await p.commit_transaction()
        ok(False, "a commit is too late")
    except errors.KafkaError:
        ok(True, "a commit is too late")
    try:
        await p.stop()
    except errors.KafkaError:
        pass
    p = await transactional("timeout")
    await p.begin_transaction()
    await send(p, topic, texts(0, 10), 2)
    await p.commit_transaction()
    await p.stop()
    equal(await committed(topic, 2), list(range(10)),
          "the next producer of the id goes on")


def sync(test):
    def call():
        asyncio.run(asyncio.wait_for(test(), 120))
    call.__doc__, call.__name__ = test.__doc__, test.__name__
    return call


def main():
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    tap.client("aiokafka", aiokafka.__version__)
    tests = [test_produce, test_idempotent, test_codecs, test_fields,
             test_group, test_admin]
    missing = [v for k, v in TRANSACTIONS.items() if not serves(k)]
    if missing:
        skip("transactions", "the broker does not announce " +
             ", ".join(missing))
    else:
        tests += [test_commit, test_abort, test_txn_offsets, test_fencing,
                  test_timeout]
    tap.run([sync(t) for t in tests])


main()
