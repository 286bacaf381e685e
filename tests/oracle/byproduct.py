#!/usr/bin/env python3
"""Makes the by-product log that a shop of one partition would write for a
file of events: byproduct.py EVENTS OUTCOME. For the tests of the oracle."""

import json
import sys


def main(args):
    with open(args[2], encoding="utf-8") as f:
        failed = {row["id"] for row in map(json.loads, f)
                  if row["kind"] == "order" and row["state"] == "FAILED"}
    orders, log = {}, []

    def order(ident, state):
        product, quantity = orders[ident]
        log.append({"kind": "order", "id": ident, "product": product,
                    "quantity": quantity, "state": state})
    with open(args[1], encoding="utf-8") as f:
        for event in map(json.loads, f):
            kind = event["kind"]
            if kind == "movement":
                log.append({k: event[k] for k in
                            ("kind", "id", "product", "type", "quantity")})
            elif kind == "order":
                orders[event["id"]] = event["product"], event["quantity"]
                order(event["id"], "CREATED")
                order(event["id"], "FAILED" if event["id"] in failed
                      else "VALIDATED")
            elif kind == "payment" and event["order"] not in failed:
                order(event["order"], "PAID")
            elif kind == "cancel":
                order(event["id"], "CANCELLED")
            elif kind == "shipment":
                order(event["order"], "SHIPPED")
    for offset, record in enumerate(log):
        sys.stdout.write(json.dumps(dict(partition=0, offset=offset,
                                         **record)) + "\n")


if __name__ == "__main__":
    main(sys.argv)
