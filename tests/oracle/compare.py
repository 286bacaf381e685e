#!/usr/bin/env python3
"""Compares two outcomes: compare.py EXPECTED ACTUAL

Each is NDJSON of rows with a kind and, for orders and products, a name; the
order of the rows is free. A field is compared when both rows have it, so a
program may tell less than the oracle, but a row of an order or a product that
only one side has is a difference. The first one, in the order of EXPECTED, is
printed, and the status is 1; 0 means equal, 2 that something is unreadable.
"""

import json
import sys


def name_of(row):
    return row["kind"], row.get("id", row.get("product", ""))


def load(path):
    rows = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if name_of(row) in rows:
                raise ValueError("%s:%d: %s %s comes twice" % (
                    (path, number) + name_of(row)))
            rows[name_of(row)] = row
    return rows


def first_difference(expected, actual):
    """A sentence, or None."""
    for name, want in expected.items():
        got = actual.get(name)
        if got is None:
            if name[0] == "total":
                continue
            return "%s %s is missing; expected %s" % (name + (want,))
        for field, value in want.items():
            if field in got and got[field] != value:
                return "%s %s: %s is %r, expected %r" % (
                    name + (field, got[field], value))
    for name, got in actual.items():
        if name not in expected and name[0] != "total":
            return "%s %s was not expected: %s" % (name + (got,))
    return None


def main(args):
    if len(args) != 3:
        sys.stderr.write(__doc__)
        return 2
    try:
        expected, actual = load(args[1]), load(args[2])
    except (OSError, ValueError, KeyError) as e:
        sys.stderr.write("compare: %s\n" % e)
        return 2
    difference = first_difference(expected, actual)
    if difference:
        print("different: " + difference)
        return 1
    kinds = [name[0] for name in expected]
    print("equal: %d orders, %d products" % (
        kinds.count("order"), kinds.count("product")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
