"""Makes a history and checks it: run.py [options], see --help. Prints TAP.

    workers ── proxies ── broker      kill -9, stop and go on
       │        that delay, repeat and lose frames
       └─ a line of JSON for everything they did ──► checker.py

Old transactions (version 1) can not tell a delayed end from a new one: their
frames are repeated at once only. Those of version 2 come again much later.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import confluent_kafka as ck
import confluent_kafka.admin as ck_admin

import checker

HERE = os.path.dirname(os.path.abspath(__file__))
TOPICS = {"t": 4, "w": 2, "in": 2, "out": 2}
# API keys: 0 Produce, 24 AddPartitionsToTxn, 26 EndTxn, 28 TxnOffsetCommit
OLD = ["drop:0:37", "repeat:0:11", "drop:26:29", "repeat:26:7",
       "repeat:24:5", "drop:24:41", "repeat:28:5", "drop:28:31"]
NEW = ["drop:0:37", "repeat:0:11", "late:0:7:400", "drop:26:29",
       "repeat:26:7", "late:26:3:300", "late:26:5:1500"]
FETCH = ["drop:1:97", "repeat:1:31"]


class Broker:
    """Ours, to be killed and stopped; or one that is there, and is not."""

    def __init__(self, binary, folder, bootstrap):
        self.binary, self.folder, self.process = binary, folder, None
        self.bootstrap = bootstrap
        if bootstrap is None:
            self.start("127.0.0.1:0")

    def start(self, listen):
        ready, write = os.pipe()
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", self.folder, "--listen", listen,
             "--http", "127.0.0.1:0", "--ready-fd", str(write),
             "--die-with-parent"],
            pass_fds=[write], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(self.folder + ".log", "ab"))
        os.close(write)
        with os.fdopen(ready) as line:
            said = line.readline()
        if not said:
            raise SystemExit("Bail out! no broker: see its log\n" + open(
                self.folder + ".log", errors="replace").read()[-2000:])
        self.bootstrap = json.loads(said)["bootstrap"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start(self.bootstrap)

    def freeze(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)


class Proxy:
    all = []

    def __init__(self, bootstrap, faults):
        Proxy.all.append(self)
        self.process = subprocess.Popen(
            [sys.executable, HERE + "/../compat/python/proxy.py", bootstrap]
            + faults, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL)
        self.address = self.process.stdout.readline().strip()


class Worker:
    def __init__(self, argv, env=None):
        self.events = []
        self.name = argv[-3]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=env, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def end(self, limit):
        try:
            self.process.stdin.close()
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            print(f"# {self.name} does not end", flush=True)
            self.process.kill()
        self.thread.join()


def python_worker(role, name, bootstrap, seed):
    return Worker([sys.executable, "-B", HERE + "/worker.py", role, name,
                   bootstrap, str(seed)])


def make_topics(bootstrap):
    admin = ck_admin.AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([
            ck_admin.NewTopic(t, p, 1) for t, p in TOPICS.items()]).values():
        future.result(20)


def start_workers(broker, seed):
    old = Proxy(broker.bootstrap, OLD).address
    new = Proxy(broker.bootstrap, NEW).address
    fetch = Proxy(broker.bootstrap, FETCH).address
    workers = [python_worker("txn-rdkafka", "rd1", old, seed),
               python_worker("txn-rdkafka", "rd2", broker.bootstrap, seed),
               python_worker("txn-python", "py1", old, seed),
               python_worker("txn-python", "py2", broker.bootstrap, seed),
               python_worker("write", "wr1", old, seed),
               python_worker("poll", "po1", fetch, seed),
               python_worker("poll", "po2", broker.bootstrap, seed),
               python_worker("copy", "co1", old, seed),
               python_worker("copy", "co2", broker.bootstrap, seed)]
    if os.environ.get("NODE_PATH"):
        workers += [Worker(["node", HERE + "/worker.js", "js1", address,
                            str(seed)]) for address in (old,)]
    if os.environ.get("HISTORY_JAVA"):
        workers += [Worker(["java", "-Xmx128m", "-cp",
                            os.environ["HISTORY_JAVA"], "Worker", "ja" + n,
                            address, str(seed)])
                    for n, address in (("1", new), ("2", broker.bootstrap))]
    return workers


def trouble(broker, seconds, rnd):
    """Lets time pass, with what happens to a broker."""
    end = time.monotonic() + seconds
    counts = {"kill": 0, "freeze": 0}
    while time.monotonic() < end:
        time.sleep(min(2 + rnd.random() * 4, max(0, end - time.monotonic())))
        if broker.process is None or time.monotonic() >= end:
            continue
        if rnd.random() < 0.7:
            counts["kill"] += 1
            broker.kill()
        else:
            counts["freeze"] += 1
            broker.freeze(rnd.random() * 3)
    return counts


# ---- the end ----------------------------------------------------------------

def end_transactions(bootstrap):
    """Whoever has one open loses it."""
    for name in ["rd1", "rd2", "py1", "py2", "js1", "ja1", "ja2", "co1",
                 "co2"]:
        ck.Producer({"bootstrap.servers": bootstrap, "log_level": 0,
                     "transactional.id": name}).init_transactions(30)


def copy_rest(bootstrap, seed):
    worker = python_worker("copy-rest", "co1", bootstrap, seed)
    try:
        worker.process.wait(90)
    except subprocess.TimeoutExpired:
        print("# the rest was not copied in time")
    worker.end(5)


def read_rdkafka(bootstrap):
    final = {t: {p: [] for p in range(n)} for t, n in TOPICS.items()}
    c = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "final",
                     "isolation.level": "read_committed",
                     "enable.partition.eof": True, "log_level": 0})
    left = {(t, p) for t, n in TOPICS.items() for p in range(n)}
    c.assign([ck.TopicPartition(t, p, 0) for t, p in left])
    deadline = time.monotonic() + 60
    while left and time.monotonic() < deadline:
        for m in c.consume(1000, timeout=1):
            if not m.error():
                final[m.topic()][m.partition()].append(
                    [m.offset(), m.value().decode()])
            elif m.error().code() == ck.KafkaError._PARTITION_EOF:
                left.discard((m.topic(), m.partition()))
    c.close()
    if left:
        print("# not read to the end:", *left)
    return final


def read_python(bootstrap):
    import kafka
    final = {t: {p: [] for p in range(n)} for t, n in TOPICS.items()}
    c = kafka.KafkaConsumer(bootstrap_servers=bootstrap, group_id=None,
                            isolation_level="read_committed",
                            auto_offset_reset="earliest")
    parts = [kafka.TopicPartition(t, p)
             for t, n in TOPICS.items() for p in range(n)]
    c.assign(parts)
    c.seek_to_beginning(*parts)
    ends = c.end_offsets(parts)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(
            c.position(tp) < end for tp, end in ends.items()):
        for tp, records in c.poll(timeout_ms=500).items():
            final[tp.topic][tp.partition] += [
                [r.offset, r.value.decode()] for r in records]
    c.close()
    return final


def collect(workers, bootstrap):
    events = [e for w in workers for e in w.events]
    pick = lambda kind: [e for e in events if e["kind"] == kind]
    return {"txns": pick("txn"), "writes": pick("write"),
            "polls": pick("poll"), "final": read_rdkafka(bootstrap),
            "others": [read_python(bootstrap)], "copies": [["in", "out"]],
            "errors": pick("error"), "copied": pick("copied")}


# ---- TAP --------------------------------------------------------------------

checks = failed = 0


def ok(good, name):
    global checks, failed
    checks += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {checks} - {name}", flush=True)


def report(history, counts, options, status, broker):
    txns = history["txns"]
    results = {r: sum(t["result"] == r for t in txns)
               for r in ("ok", "fail", "info")}
    reads = sum(len(p["reads"]) for p in history["polls"])
    clients = {t["id"].split("-")[0] for t in txns if t["result"] == "ok"}
    copied = sum(e["count"] for e in history["copied"])
    print(f"# {len(txns)} transactions: {results['ok']} committed, "
          f"{results['fail']} aborted, {results['info']} unknown; "
          f"{len(history['writes'])} writes, {copied} copies, {reads} reads, "
          f"{len(history['errors'])} errors of clients, "
          f"{counts['kill']} kills, {counts['freeze']} stops")
    anomalies = checker.check(history)
    for anomaly in anomalies[:20]:
        print("#", *anomaly)
    ok(not anomalies, f"no anomaly ({len(anomalies)})")
    ok(len(clients) >= 4, f"each client got on: {' '.join(sorted(clients))}")
    ok(reads > 100 and copied > 20, "there was something to see")
    if broker.process is not None:
        ok(status == 0, "the broker ends cleanly")
        said = subprocess.run([options.penstock, "check", "--data",
                               broker.folder], capture_output=True, text=True)
        ok(said.returncode == 0, "its folder is whole")
        if said.returncode != 0:
            print("#", said.stdout[-1000:].replace("\n", "\n# "))
    if options.keep or failed:
        path = os.path.join(tempfile.gettempdir(),
                            f"history-{options.seed}.json")
        with open(path, "w") as f:
            json.dump(history, f)
        print(f"# the history is in {path}")


def phase(name, began=[time.monotonic()]):
    now = time.monotonic()
    print(f"# {now - began[0]:.1f} s: {name}", flush=True)
    began[0] = now


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--penstock", default="./penstock")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--bootstrap", help="a broker that is there already")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    print(f"# seed {options.seed}, {options.seconds:.0f} s", flush=True)
    folder = tempfile.mkdtemp(prefix="penstock-history-")
    broker = Broker(options.penstock, folder + "/data", options.bootstrap)
    status, workers = 0, []
    try:
        make_topics(broker.bootstrap)
        workers = start_workers(broker, options.seed)
        counts = trouble(broker, options.seconds,
                         random.Random(options.seed))
        phase("the history")
        threads = [threading.Thread(target=w.end, args=(20,))
                   for w in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        phase("the clients end")
        end_transactions(broker.bootstrap)
        copy_rest(broker.bootstrap, options.seed)
        phase("the rest is copied")
        history = collect(workers, broker.bootstrap)
        phase("all is read")
        if broker.process is not None:
            status = broker.stop()
        report(history, counts, options, status, broker)
    finally:
        for w in workers + Proxy.all:
            w.process.kill()
        if broker.process is not None and broker.process.poll() is None:
            broker.process.kill()
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print("# the folder is left:", folder)
    print(f"1..{checks}")
    os._exit(failed > 0)


main()
