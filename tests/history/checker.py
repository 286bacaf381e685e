"""What a history must satisfy; pure. In the manner of Jepsen's Kafka workload.

A history is a dict:

    txns    [{id, sends: [[topic, partition, value]...], result}]
            result: ok (its commit was answered), fail (it was aborted, or no
            commit was ever asked for), info (nobody knows)
    writes  [{topic, partition, value, result}]  idempotent, no transaction;
            in the order in which their producer made them; result: ok or info
    polls   [{session, reads: [[topic, partition, offset, value]...]}]
            read_committed, by assignment; of one session in order. A session
            that begins anew (another assignment) has another name.
    final   {topic: {partition: [[offset, value]...]}}  at the end, from the
            beginning, read_committed
    others  [final...]  the same, by other clients
    copies  [[from topic, to topic]...]  each value of the one is in the other
            exactly once, as "copy of <value>"

check() gives a list of (anomaly, sentence). Names of anomalies are those of
Jepsen where there is one.
"""

import collections


def values_of(final):
    """{(topic, value): [(partition, offset)...]}"""
    found = collections.defaultdict(list)
    for topic, partitions in final.items():
        for partition, rows in partitions.items():
            for offset, value in rows:
                found[topic, value].append((int(partition), offset))
    return found


def check_log(history, bad):
    for topic, partitions in history["final"].items():
        for partition, rows in partitions.items():
            offsets = [offset for offset, _ in rows]
            if offsets != sorted(set(offsets)):
                bad("inconsistent-offsets",
                    f"{topic}/{partition}: offsets go back or repeat")
    for (topic, value), places in values_of(history["final"]).items():
        if len(places) > 1:
            bad("duplicate", f"{value} stands in {topic} at {places}")
    for other in history["others"]:
        if other != history["final"]:
            bad("inconsistent-read", "two clients read different logs")


def check_txn(txn, found, bad):
    there = [found.get((topic, value), []) for topic, _, value in txn["sends"]]
    for (topic, partition, value), places in zip(txn["sends"], there):
        if places and places[0][0] != partition:
            bad("wrong-partition", f"{value} is in {places}, not {partition}")
    count = sum(bool(places) for places in there)
    if txn["result"] == "ok" and count < len(there):
        bad("lost-write", f"{txn['id']} was committed; of {len(there)} records"
            f" {count} are there")
    elif txn["result"] == "fail" and count > 0:
        bad("aborted-write", f"{txn['id']} was aborted; {count} of its records"
            " are there")
    elif 0 < count < len(there):
        bad("torn-transaction", f"of {txn['id']} {count} of {len(there)} records"
            " are there")
    last = {}
    for (topic, partition, value), places in zip(txn["sends"], there):
        if not places:
            continue
        offset = places[0][1]
        if offset < last.get((topic, partition), -1):
            bad("nonmonotonic-send", f"{value} stands before what was sent "
                "before it")
        last[topic, partition] = offset


def check_writes(history, found, bad):
    last = {}
    for write in history["writes"]:
        places = found.get((write["topic"], write["value"]), [])
        if write["result"] == "ok" and not places:
            bad("lost-write", f"{write['value']} was acknowledged and is gone")
        if not places:
            continue
        key = write["topic"], write["partition"], write.get("producer")
        if places[0][1] < last.get(key, -1):
            bad("nonmonotonic-send", f"{write['value']} stands before what was"
                " sent before it")
        last[key] = places[0][1]


def check_polls(history, bad):
    final = {(topic, int(partition)): rows
             for topic, partitions in history["final"].items()
             for partition, rows in partitions.items()}
    index = {key: {offset: i for i, (offset, _) in enumerate(rows)}
             for key, rows in final.items()}
    last = {}
    for poll in history["polls"]:
        for topic, partition, offset, value in poll["reads"]:
            key = topic, partition
            at = index.get(key, {}).get(offset)
            if at is None or final[key][at][1] != value:
                bad("aborted-read", f"{poll['session']} read {value} at "
                    f"{topic}/{partition} offset {offset}; it is not there")
                continue
            before = last.get((poll["session"], key))
            if before is not None and at <= before:
                bad("nonmonotonic-poll", f"{poll['session']} read {value} "
                    "after what stands behind it")
            elif before is not None and at > before + 1:
                bad("poll-skip", f"{poll['session']} skipped "
                    f"{at - before - 1} records before {value}")
            last[poll["session"], key] = at


def check_copies(history, bad):
    for source, target in history["copies"]:
        want = collections.Counter(
            f"copy of {value}" for rows in history["final"].get(source,
                {}).values() for _, value in rows)
        have = collections.Counter(
            value for rows in history["final"].get(target, {}).values()
            for _, value in rows)
        for value in want - have:
            bad("lost-copy", f"{value} is not in {target}")
        for value in have - want:
            bad("duplicate-copy", f"{value} is in {target} too often")


def check(history):
    found = values_of(history["final"])
    anomalies = []

    def bad(name, sentence):
        anomalies.append((name, sentence))

    check_log(history, bad)
    for txn in history["txns"]:
        check_txn(txn, found, bad)
    check_writes(history, found, bad)
    check_polls(history, bad)
    check_copies(history, bad)
    return anomalies
