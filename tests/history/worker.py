"""One client at work: worker.py ROLE NAME BOOTSTRAP SEED

Writes what it did to stdout, a JSON object a line; ends at the end of stdin,
after what it is doing. Roles:

    txn-rdkafka      transactions through librdkafka (version 1)
    txn-python       transactions through kafka-python (version 1, too)
    write            an idempotent producer: topics w and in
    poll             read_committed, by assignment, here and there in topic t
    copy             from topic in to out, exactly once, as a group member
    copy-rest        the same, until nothing is left
"""

import json
import random
import sys
import threading
import time

import confluent_kafka as ck

role, name, bootstrap, seed = sys.argv[1:5]
rnd = random.Random(f"{seed}-{name}")
PARTITIONS = {"t": 4, "w": 2, "in": 2, "out": 2}
stop = threading.Event()


def watch_stdin():
    sys.stdin.read()
    stop.set()


def tell(**event):
    print(json.dumps(dict(event, at=time.time())), flush=True)


def pause():
    stop.wait(rnd.random() * 0.02)


# ---- transactions -----------------------------------------------------------

class RdkafkaTxns:
    def __init__(self):
        self.p = ck.Producer({
            "bootstrap.servers": bootstrap, "transactional.id": name,
            "transaction.timeout.ms": 20000, "linger.ms": 0,
            "message.timeout.ms": 15000, "socket.timeout.ms": 4000,
            "reconnect.backoff.max.ms": 500, "log_level": 0})
        self.again(self.p.init_transactions, 30)

    def again(self, fn, *args):
        """Until it is done, or says that it never will be."""
        for _ in range(20):
            try:
                return fn(*args)
            except ck.KafkaException as e:
                if not e.args[0].retriable():
                    raise
        raise ck.KafkaException(ck.KafkaError(ck.KafkaError._TIMED_OUT))

    def begin(self):
        self.p.begin_transaction()

    def send(self, topic, partition, value):
        self.p.produce(topic, value.encode(), partition=partition)

    def flush(self):
        self.p.flush(5)

    def commit(self):
        """True: committed; False: it can not be any more; a list: which of
        the records are."""
        try:
            self.again(self.p.commit_transaction, 10)
            return True
        except ck.KafkaException as e:
            if not e.args[0].txn_requires_abort():
                raise
            self.abort()
            return False

    def abort(self):
        self.again(self.p.abort_transaction, 10)

    def close(self):
        pass


class PythonTxns:
    def __init__(self):
        import kafka
        import logging
        logging.disable(logging.CRITICAL)
        self.p = kafka.KafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=name,
            transaction_timeout_ms=20000, linger_ms=0,
            request_timeout_ms=4000, delivery_timeout_ms=15000,
            max_block_ms=15000, reconnect_backoff_max_ms=500)
        self.p.init_transactions()

    def begin(self):
        self.sent = []
        self.p.begin_transaction()

    def send(self, topic, partition, value):
        self.sent.append(self.p.send(topic, value=value.encode(),
                                     partition=partition))

    def flush(self):
        self.p.flush(timeout=5)

    def commit(self):
        """This client commits although it gave up sending some records: its
        own fault. They are no part of what was committed."""
        self.p.commit_transaction()
        return [future.succeeded() for future in self.sent]

    def abort(self):
        self.p.abort_transaction()

    def close(self):
        self.p.close(timeout=0)


def one_txn(client, n):
    """Returns the result; raises when the client is of no use any more, with
    what is known until then in `txn`."""
    txn = {"id": f"{name}-{n}", "result": "fail", "sends": [
        ["t", rnd.randrange(PARTITIONS["t"]), f"{name}-{n}-{i}"]
        for i in range(rnd.randrange(1, 5))]}
    how = rnd.choice(["commit"] * 7 + ["abort", "abort-sent", "abort-some"])
    try:
        client.begin()
        for i, (topic, partition, value) in enumerate(txn["sends"]):
            if how == "abort-some" and i == 1:
                break
            client.send(topic, partition, value)
        if how == "abort-sent":
            client.flush()
        if how == "commit":
            txn["result"] = "info"
            done = client.commit()
            txn["result"] = "ok" if done else "fail"
            if isinstance(done, list):
                txn["sends"] = [send for send, good in zip(txn["sends"], done)
                                if good]
        else:
            client.abort()
    finally:
        tell(kind="txn", **txn)


def run_txns(make):
    n, client = 0, None
    while not stop.is_set():
        try:
            if client is None:
                client = make()
            one_txn(client, n)
        except Exception as e:  # of either client: the id gets a new producer
            tell(kind="error", name=name, text=repr(e)[:200])
            if client is not None:
                client.close()
            client = None
            stop.wait(0.2)
        n += 1
        pause()


# ---- an idempotent producer -------------------------------------------------

def run_write():
    n, life = 0, 0
    while not stop.is_set():
        life += 1
        p = ck.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True,
            "linger.ms": 1, "message.timeout.ms": 20000,
            "socket.timeout.ms": 4000, "reconnect.backoff.max.ms": 500,
            "log_level": 0})
        writes, fatal = [], []

        def done(write):
            def fn(err, _):
                if err is None:
                    write["result"] = "ok"
                elif err.fatal():
                    fatal.append(err)
            return fn

        while not stop.is_set() and not fatal and len(writes) < 3000:
            topic = rnd.choice(["w", "in"])
            partition = rnd.randrange(PARTITIONS[topic])
            value = f"{name}-{n}"
            n += 1
            write = {"topic": topic, "partition": partition, "value": value,
                     "producer": f"{name}/{life}", "result": "info"}
            try:
                p.produce(topic, value.encode(), partition=partition,
                          on_delivery=done(write))
                writes.append(write)
            except (BufferError, ck.KafkaException):
                p.poll(0.1)
            p.poll(0)
            stop.wait(0.004)
        p.flush(25)
        for write in writes:
            tell(kind="write", **write)


# ---- readers ----------------------------------------------------------------

def run_poll():
    session = 0
    while not stop.is_set():
        session += 1
        c = ck.Consumer({
            "bootstrap.servers": bootstrap, "group.id": f"{name}-{session}",
            "isolation.level": "read_committed", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "socket.timeout.ms": 4000,
            "reconnect.backoff.max.ms": 500, "log_level": 0})
        where = rnd.choice([ck.OFFSET_BEGINNING, ck.OFFSET_END])
        c.assign([ck.TopicPartition("t", p, where)
                  for p in range(PARTITIONS["t"]) if rnd.random() < 0.8])
        end = time.monotonic() + 3 + rnd.random() * 10
        while time.monotonic() < end and not stop.is_set():
            reads = [[m.topic(), m.partition(), m.offset(),
                      m.value().decode()]
                     for m in c.consume(200, timeout=0.2) if not m.error()]
            if reads:
                tell(kind="poll", session=f"{name}-{session}", reads=reads)
        c.close()


def copier():
    c = ck.Consumer({
        "bootstrap.servers": bootstrap, "group.id": "copy",
        "isolation.level": "read_committed", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
        "socket.timeout.ms": 4000, "reconnect.backoff.max.ms": 500,
        "enable.partition.eof": True, "log_level": 0})
    p = ck.Producer({
        "bootstrap.servers": bootstrap, "transactional.id": name,
        "transaction.timeout.ms": 20000, "linger.ms": 0,
        "socket.timeout.ms": 4000, "reconnect.backoff.max.ms": 500,
        "log_level": 0})
    p.init_transactions(30)
    c.subscribe(["in"])
    return c, p


def copy_some(c, p, messages):
    ends = {}
    p.begin_transaction()
    for m in messages:
        p.produce("out", b"copy of " + m.value(), partition=m.partition())
        ends[m.partition()] = m.offset() + 1
    p.send_offsets_to_transaction(
        [ck.TopicPartition("in", k, v) for k, v in ends.items()],
        c.consumer_group_metadata(), 10)
    p.commit_transaction(10)


def run_copy(rest):
    """Any failure ends both clients: who begins anew begins at what is
    committed."""
    eof, quiet = set(), None
    while not stop.is_set():
        c = None
        try:
            c, p = copier()
            while not stop.is_set():
                messages = []
                for m in c.consume(100, timeout=0.2):
                    if not m.error():
                        messages.append(m)
                        eof.discard(m.partition())
                    elif m.error().code() == ck.KafkaError._PARTITION_EOF:
                        eof.add(m.partition())
                if messages:
                    copy_some(c, p, messages)
                    tell(kind="copied", count=len(messages))
                elif rest and len(eof) == PARTITIONS["in"]:
                    return
        except Exception as e:
            tell(kind="error", name=name, text=repr(e)[:200])
            stop.wait(0.3)
        finally:
            if c is not None:
                c.close()


threading.Thread(target=watch_stdin, daemon=True).start()
if role == "txn-rdkafka":
    run_txns(RdkafkaTxns)
elif role == "txn-python":
    run_txns(PythonTxns)
elif role == "write":
    run_write()
elif role == "poll":
    run_poll()
elif role in ("copy", "copy-rest"):
    run_copy(role == "copy-rest")
