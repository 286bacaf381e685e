#!/usr/bin/env python3
"""Computes a run's outcome from its by-product logs alone.

  replay.py FILE    FILE, or - for standard input: one JSON object a line

Who gets the last item depends on how the inputs of a run were interleaved, and
that is recorded in the by-product logs: each is the history of its products.
Replaying them tells what the inventory task must have answered and what its
store must hold now. README.md describes the lines; they may come in any order
of partitions, but must be complete from the first offset on.
"""

import json
import sys

from shelf import PASS, Shelf

FINAL = ("FAILED", "CANCELLED", "SHIPPED")


class BadLog(Exception):
    """The log itself is not what a by-product log can be."""


class Replay:
    def __init__(self):
        self.shelf = Shelf()
        self.homes = {}     # product -> partition
        self.states = {}    # order id -> the last state that was read
        self.repeated = 0

    def feed(self, record):
        product, partition = record["product"], record["partition"]
        if self.homes.setdefault(product, partition) != partition:
            raise BadLog("product %s is in partitions %d and %d" % (
                product, self.homes[product], partition))
        if record["kind"] == "movement":
            if not self.shelf.move(record["id"], product, record["type"],
                                   record["quantity"]):
                self.repeated += 1
        elif record["kind"] == "order":
            self.order(record)
        else:
            raise BadLog("unknown kind %r" % record["kind"])

    def order(self, record):
        ident, state = record["id"], record["state"]
        if state == "CREATED":
            if ident in self.states:
                self.repeated += 1
                return
            self.states[ident] = state
            self.shelf.reserve(ident, record["product"], record["quantity"])
            return
        if ident not in self.states:
            raise BadLog("order %s is %s before it is CREATED" % (
                ident, state))
        if self.states[ident] in FINAL:
            raise BadLog("order %s is %s after it was %s" % (
                ident, state, self.states[ident]))
        self.states[ident] = state
        if state == "SHIPPED":
            self.shelf.ship(ident)
        elif state in FINAL:
            self.shelf.release(ident)

    def outcome(self):
        self.shelf.verify()
        total = {"kind": "total", "order": len(self.states)}
        for state in ("VALIDATED",) + FINAL:
            total[state] = 0
        for ident, state in self.states.items():
            check, reason = self.shelf.checks[ident]
            if state not in FINAL:  # CREATED, VALIDATED, PAID: it lives
                state = "VALIDATED" if check == PASS else "FAILED"
            total[state] += 1
            yield {"kind": "order", "id": ident, "check": check,
                   "reason": reason, "state": state}
        yield from self.shelf.rows()
        yield total


def replay(lines):
    """Sorts the records by partition and offset and feeds them."""
    records = [json.loads(line) for line in lines if line.strip()]
    records.sort(key=lambda r: (r["partition"], r["offset"]))
    for a, b in zip(records, records[1:]):
        if (a["partition"], a["offset"]) == (b["partition"], b["offset"]):
            raise BadLog("offset %d of partition %d comes twice" % (
                a["offset"], a["partition"]))
    r = Replay()
    for record in records:
        r.feed(record)
    return r


def main(args):
    if len(args) != 2:
        sys.stderr.write(__doc__)
        return 2
    try:
        with sys.stdin if args[1] == "-" else open(args[1]) as f:
            run = replay(f)
    except BadLog as e:
        sys.stderr.write("replay: %s\n" % e)
        return 1
    for row in run.outcome():
        sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
