#!/usr/bin/env python3
"""Plays the retail data through the shop as a plain loop.

  retail.py events FILE    what to produce, in order, one JSON object a line
  retail.py outcome FILE   what must come of it: orders, products, totals
  retail.py outcome --checks none FILE
                           the same of a shop that looks at no price
  retail.py facts FILE     numbers about the file itself

FILE is online_retail.csv.gz, or a CSV of the same columns. The rules, exact to
the byte so that a loader in another language makes the same events, are in
README.md; the names of the sections there stand in the comments here.
"""

import calendar
import collections
import csv
import functools
import gzip
import heapq
import io
import json
import sys
import time
import zlib

from shelf import PASS, Shelf

HOUR_MS = 3600 * 1000


class Line:
    """A line of the file ("Lines")."""

    __slots__ = ("ident", "invoice", "product", "quantity", "at", "price",
                 "customer")

    def __init__(self, row, ident):
        self.ident = ident
        self.invoice = row[0]
        self.product = row[1]
        self.quantity = int(row[3])
        self.at = instant(row[4])
        self.price = micro(row[5])
        self.customer = row[6]

    @property
    def cancels(self):
        return self.invoice.startswith("C")

    @property
    def is_order(self):
        return not self.cancels and self.quantity > 0


@functools.lru_cache(maxsize=None)
def instant(text):
    """YYYY-MM-DD HH:MM:SS, UTC, as milliseconds since 1970."""
    return 1000 * calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@functools.lru_cache(maxsize=None)
def micro(text):
    """Decimal text as an integer of millionths, exactly."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    if len(part) > 6:
        raise ValueError("price %s has more than six decimals" % text)
    return sign * (int(whole or "0") * 10**6 + int(part.ljust(6, "0")))


def read(name):
    with open(name, "rb") as f:
        raw = f.read()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    rows = csv.reader(io.StringIO(raw.decode("utf-8"), newline=""))
    next(rows)
    count = collections.Counter()
    lines = []
    for row in rows:
        count[row[0]] += 1
        lines.append(Line(row, "%s-%d" % (row[0], count[row[0]])))
    return lines


def opening(lines):
    """Nine tenths of each product's peak of running net demand ("Opening
    stock"), in the order in which the products appear."""
    demand, peak = {}, {}
    for line in lines:
        q = -abs(line.quantity) if line.cancels else abs(line.quantity)
        demand[line.product] = demand.get(line.product, 0) + q
        peak[line.product] = max(peak.get(line.product, 0),
                                 demand[line.product])
    return {product: top * 9 // 10 for product, top in peak.items()}


def shipping(ident):
    """Hours from the order to its shipment, None if it never ships."""
    crc = zlib.crc32(ident.encode())
    return 1 + (crc >> 8) % 72 if crc % 10 < 7 else None


class Play:
    """The loop. emit() is called with each event in turn."""

    def __init__(self, lines, emit=lambda event: None):
        self.lines = lines
        self.emit = emit
        self.shelf = Shelf()
        self.states = {}        # order id -> state, in the order of the file
        self.due = []           # heap of (when, number of the order, id)
        # by (product, customer): open orders, latest last, and the balance
        self.open = collections.defaultdict(list)
        self.balance = collections.Counter()
        self.totals = collections.Counter()
        self.amounts = {}
        self.count = 0
        self.minute, self.within = None, 0

    def event(self, minute, kind, **fields):
        """Numbers an event and gives it its time ("Event time")."""
        if minute != self.minute:
            self.minute, self.within = minute, 0
        event = {"n": self.count, "t": minute + self.within, "kind": kind}
        event.update(fields)
        self.count += 1
        self.within += 1
        self.totals[kind] += 1
        self.emit(event)

    def run(self):
        if self.lines:
            self.open_shop()
        for line in self.lines:
            self.ship_until(line.at)
            if line.cancels:
                self.cancel(line)
            elif line.quantity > 0:
                self.order(line)
            else:
                self.move(line.at, line.ident, line.product, "ADJUST",
                          line.quantity)
        self.shelf.verify()
        return self

    def open_shop(self):
        for product, quantity in opening(self.lines).items():
            if quantity > 0:
                self.move(self.lines[0].at - HOUR_MS, "opening-" + product,
                          product, "RECEIVE", quantity)

    def move(self, minute, ident, product, kind, quantity):
        self.shelf.move(ident, product, kind, quantity)
        self.totals[kind.lower()] += 1
        self.event(minute, "movement", id=ident, product=product, type=kind,
                   quantity=quantity)

    def order(self, line):
        amount = line.quantity * line.price
        self.event(line.at, "order", id=line.ident, customer=line.customer,
                   product=line.product, quantity=line.quantity,
                   price=line.price)
        if amount > 0:
            self.event(line.at, "payment", id="pay-" + line.ident,
                       order=line.ident, amount=amount, currency="GBP")
        key = line.product, line.customer
        self.balance[key] += line.quantity
        self.amounts[line.ident] = max(0, amount)
        check, _ = self.shelf.reserve(line.ident, line.product, line.quantity)
        if check != PASS or line.price < 0:
            self.shelf.release(line.ident)
            self.states[line.ident] = "FAILED"
            return
        self.states[line.ident] = "VALIDATED"
        self.open[key].append(line.ident)
        hours = shipping(line.ident)
        if hours is not None:
            heapq.heappush(self.due, (line.at + hours * HOUR_MS,
                                      len(self.states), line.ident, key))

    def ship_until(self, minute):
        while self.due and self.due[0][0] <= minute:
            when, _, ident, key = heapq.heappop(self.due)
            if self.states[ident] != "VALIDATED":
                continue
            self.states[ident] = "SHIPPED"
            self.open[key].remove(ident)
            self.shelf.ship(ident)
            self.event(when, "shipment", id="ship-" + ident, order=ident)

    def cancel(self, line):
        key = line.product, line.customer
        quantity = abs(line.quantity)
        covered = self.balance[key] >= quantity
        if covered:
            self.balance[key] -= quantity
            self.totals["covered"] += 1
        if covered and self.open[key]:
            ident = self.open[key].pop()
            self.states[ident] = "CANCELLED"
            self.shelf.release(ident)
            self.event(line.at, "cancel", id=ident, by=line.ident)
        else:
            self.move(line.at, line.ident, line.product, "RETURN", quantity)

    def outcome(self):
        """The rows of "Outcome"."""
        total = {"kind": "total"}
        for kind in ("order", "payment", "cancel", "shipment", "movement",
                     "receive", "return", "adjust", "covered"):
            total[kind] = self.totals[kind]
        for state in ("VALIDATED", "FAILED", "CANCELLED", "SHIPPED"):
            total[state] = 0
        total["paid"] = total["refunded"] = 0
        for ident, state in self.states.items():
            check, reason = self.shelf.checks[ident]
            total[state] += 1
            total["paid"] += self.amounts[ident]
            if state in ("FAILED", "CANCELLED"):
                total["refunded"] += self.amounts[ident]
            yield {"kind": "order", "id": ident, "check": check,
                   "reason": reason, "state": state}
        yield from self.shelf.rows()
        yield total


class Bare:
    """A shop without the check of details ("Without checks"). It is told the
    same events and knows nothing of how they came about."""

    def __init__(self):
        self.shelf = Shelf()
        self.states = {}

    def tell(self, event):
        kind, ident = event["kind"], event["id"]
        if kind == "movement":
            self.shelf.move(ident, event["product"], event["type"],
                            event["quantity"])
        elif kind == "order":
            check, _ = self.shelf.reserve(ident, event["product"],
                                          event["quantity"])
            self.states[ident] = "VALIDATED" if check == PASS else "FAILED"
        elif kind == "cancel":
            self.states[ident] = "CANCELLED"
            self.shelf.release(ident)
        elif kind == "shipment":
            self.states[event["order"]] = "SHIPPED"
            self.shelf.ship(event["order"])

    def outcome(self):
        self.shelf.verify()
        total = {"kind": "total", "order": len(self.states)}
        for state in ("VALIDATED", "FAILED", "CANCELLED", "SHIPPED"):
            total[state] = 0
        for ident, state in self.states.items():
            check, reason = self.shelf.checks[ident]
            total[state] += 1
            yield {"kind": "order", "id": ident, "check": check,
                   "reason": reason, "state": state}
        yield from self.shelf.rows()
        yield total


def facts(lines):
    """Numbers about the file that do not depend on any rule of play."""
    def most(values):
        return max(collections.Counter(values).values())

    per_product = sorted(collections.Counter(
        x.product for x in lines).values(), reverse=True)
    per_invoice = sorted(collections.Counter(
        x.invoice for x in lines).values())

    def share(percent):
        top = sum(per_product[:len(per_product) * percent // 100])
        return round(100 * top / len(lines), 1)
    repeats = collections.Counter((x.invoice, x.product) for x in lines)
    return {
        "lines": len(lines),
        "invoices": len(per_invoice),
        "products": len(per_product),
        "customers": len({x.customer for x in lines if x.customer}),
        "no_customer": sum(not x.customer for x in lines),
        "value_micro": sum(x.quantity * x.price for x in lines),
        "cancel_lines": sum(x.cancels for x in lines),
        "cancel_invoices": len({x.invoice for x in lines if x.cancels}),
        "other_negative": sum(x.quantity < 0 and not x.cancels
                              for x in lines),
        "least": min(x.quantity for x in lines),
        "most": max(x.quantity for x in lines),
        "busiest_day": most(x.at // (24 * HOUR_MS) for x in lines),
        "hottest_product": per_product[0],
        "top_1_percent": share(1),
        "top_10_percent": share(10),
        "median_invoice": per_invoice[len(per_invoice) // 2],
        "largest_invoice": per_invoice[-1],
        "repeats": sum(n - 1 for n in repeats.values()),
        "covered": Play(lines).run().totals["covered"],
    }


def show(row):
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")


def main(args):
    bare = args[1:4] == ["outcome", "--checks", "none"]
    if bare:
        del args[2:4]
    if len(args) != 3 or args[1] not in ("events", "outcome", "facts"):
        sys.stderr.write(__doc__)
        return 2
    lines = read(args[2])
    if bare:
        shop = Bare()
        Play(lines, shop.tell).run()
        for row in shop.outcome():
            show(row)
    elif args[1] == "events":
        Play(lines, show).run()
    elif args[1] == "outcome":
        for row in Play(lines).run().outcome():
            show(row)
    else:
        show(facts(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
