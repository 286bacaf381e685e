"""The checker on histories made up: a clean one has no anomaly, and each bug
put into it is found, by its name and nothing else."""

import copy
import random
import sys

import checker


def clean(seed):
    """A history of a log that does everything right."""
    rnd = random.Random(seed)
    final = {"t": {p: [] for p in range(3)}, "w": {0: []}, "in": {0: []},
             "out": {0: []}}
    txns, writes, ends = [], [], {p: 0 for p in range(3)}
    for n in range(60):
        result = rnd.choice(["ok", "ok", "ok", "fail", "info-in", "info-out"])
        sends = [["t", rnd.randrange(3), f"v{n}-{i}"]
                 for i in range(rnd.randrange(2, 5))]
        for topic, partition, value in sends:
            if result in ("ok", "info-in"):
                final[topic][partition].append([ends[partition], value])
            ends[partition] += 1
        for partition in {partition for _, partition, _ in sends}:
            ends[partition] += 1  # the marker
        txns.append({"id": f"x{n}", "sends": sends,
                     "result": result.split("-")[0]})
    for n in range(30):
        lost = rnd.random() < 0.1
        writes.append({"topic": "w", "partition": 0, "value": f"w{n}",
                       "producer": "p", "result": "info" if lost else "ok"})
        if not lost or rnd.random() < 0.5:
            final["w"][0].append([len(final["w"][0]), f"w{n}"])
    for n in range(20):
        final["in"][0].append([n, f"i{n}"])
        final["out"][0].append([2 * n, f"copy of i{n}"])
    polls = []
    for session in "ab":
        for partition, rows in final["t"].items():
            start = rnd.randrange(len(rows))
            for offset, value in rows[start:]:
                polls.append({"session": session,
                              "reads": [["t", partition, offset, value]]})
    return {"txns": txns, "writes": writes, "polls": polls, "final": final,
            "others": [copy.deepcopy(final)], "copies": [["in", "out"]]}


def of_result(h, result):
    return next(t for t in h["txns"] if t["result"] == result
                and len(t["sends"]) > 1)


def drop(h, topic, value):
    for final in [h["final"]] + h["others"]:
        for rows in final[topic].values():
            rows[:] = [row for row in rows if row[1] != value]
    for poll in h["polls"]:
        poll["reads"] = [r for r in poll["reads"] if r[3] != value]


def lost_commit(h):
    for topic, _, value in of_result(h, "ok")["sends"]:
        drop(h, topic, value)


def torn(h):
    t = of_result(h, "ok")
    t["result"] = "info"
    drop(h, "t", t["sends"][0][2])


def aborted_kept(h):
    of_result(h, "ok")["result"] = "fail"


def lost_ack(h):
    w = next(w for w in h["writes"] if w["result"] == "ok")
    drop(h, "w", w["value"])


def add(h, topic, value):
    for final in [h["final"]] + h["others"]:
        rows = final[topic][0]
        rows.append([rows[-1][0] + 1, value])


def duplicate(h):
    add(h, "w", h["final"]["w"][0][3][1])


def reorder(h):
    for final in [h["final"]] + h["others"]:
        rows = final["w"][0]
        rows[2][1], rows[5][1] = rows[5][1], rows[2][1]
    for w in h["writes"]:
        w["result"] = "ok" if w["value"] in [
            v for _, v in h["final"]["w"][0]] else "info"


def dirty_read(h):
    h["polls"].append({"session": "c", "reads": [["t", 0, 9999, "dirty"]]})


def skip(h):
    reads = [p for p in h["polls"] if p["session"] == "a" and p["reads"]
             and p["reads"][0][1] == 0]
    if len(reads) > 4:
        reads[2]["reads"] = []
    else:
        rows = h["final"]["t"][0]
        for i in (0, 2):
            h["polls"].append({"session": "s",
                               "reads": [["t", 0] + rows[i]]})


def back(h):
    rows = h["final"]["t"][1]
    for i in (1, 0):
        h["polls"].append({"session": "d", "reads": [["t", 1] + rows[i]]})


def other_reader(h):
    next(iter(h["others"][0]["t"].values())).pop()


def same_offset(h):
    for final in [h["final"]] + h["others"]:
        final["w"][0][3][0] = final["w"][0][4][0]


def lost_copy(h):
    drop(h, "out", "copy of i7")


def second_copy(h):
    add(h, "out", "copy of i7")


BUGS = [
    (lost_commit, {"lost-write"}), (torn, {"torn-transaction"}),
    (aborted_kept, {"aborted-write"}), (lost_ack, {"lost-write"}),
    (duplicate, {"duplicate"}), (reorder, {"nonmonotonic-send"}),
    (dirty_read, {"aborted-read"}), (skip, {"poll-skip"}),
    (back, {"nonmonotonic-poll"}), (other_reader, {"inconsistent-read"}),
    (same_offset, {"inconsistent-offsets"}), (lost_copy, {"lost-copy"}),
    (second_copy, {"duplicate-copy", "duplicate"}),
]


def main():
    failed = n = 0
    print(f"1..{2 * len(BUGS)}")
    for seed, (bug, names) in enumerate(BUGS):
        history = clean(seed)
        anomalies = checker.check(history)
        n += 1
        failed += bool(anomalies)
        print(f"{'not ' if anomalies else ''}ok {n} - history {seed} is clean")
        for anomaly in anomalies[:5]:
            print("#", *anomaly)
        bug(history)
        got = {name for name, _ in checker.check(history)}
        n += 1
        failed += got != names
        print(f"{'' if got == names else 'not '}ok {n} - "
              f"{bug.__name__.replace('_', ' ')}: {' '.join(sorted(names))}")
        if got != names:
            print("# found:", *sorted(got))
    return failed > 0


sys.exit(main())
