#!/usr/bin/env python3
"""Makes up retail data of the real file's shape: made.py [LINES [SEED]]

For where the real file is not at hand: the same columns and the same traps,
in the same shares where that matters (about: a quarter of the lines without a
customer, one in 60 cancels, one in 400 is a loss, the top tenth of the
products has half of the lines, an invoice has 10 lines at the median and some
hundreds at most). Names of products that differ in case or by a space; prices
of 0 and below; quantities up to 80,995, and their cancellation; descriptions
with commas, quotes, line breaks and letters that are not ASCII; an invoice
whose lines are not neighbours; lines that repeat; cancellations of what was
bought before, of more than that, and of what was never bought.

The same LINES and SEED make the same bytes, by any Python 3.
"""

import csv
import sys
import time

MADE_LINES = 40000
PRODUCTS = 900
CUSTOMERS = 700
FIRST = 1291190760              # 2010-12-01 08:06:00
WORDS = ("LANTERN", "T-LIGHT HOLDER", "BUNTING", "CAKE STAND, 3 TIER",
         "SIGN \"HOME\"", "CAFÉ AU LAIT BOWL", "LUNCH BAG", "HEART",
         "RÉTRO SPOT\nMUG", "TIN", "DOORMAT", "POPPY'S PLAYHOUSE")
COUNTRIES = ("United Kingdom", "United Kingdom", "United Kingdom", "France",
             "EIRE", "Österreich")


class Dice:
    """splitmix64, so that the numbers are ours in every version."""

    def __init__(self, seed):
        self.state = seed

    def roll(self):
        self.state = (self.state + 0x9e3779b97f4a7c15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9 % 2**64
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb % 2**64
        return z ^ (z >> 31)

    def below(self, n):
        return self.roll() % n

    def skewed(self, n):
        """0 is the most frequent; the top tenth has half of it."""
        return min(self.below(n), self.below(n), self.below(n), self.below(n),
                   self.below(n), self.below(n))

    def one_in(self, n):
        return self.below(n) == 0


class Shop:
    def __init__(self, lines, seed):
        self.left = lines
        self.dice = Dice(seed)
        self.at = FIRST
        self.number = 536365
        self.bought = []        # (product, customer, quantity)
        self.held = None        # a line of the invoice that is not together
        self.rows = []

    def product(self):
        n = self.dice.skewed(PRODUCTS)
        code = str(20000 + n * 7 % PRODUCTS * 3)
        if n % 9 == 0:
            code += "ABab"[self.dice.below(4)]
        if n % 101 == 0:
            code += " "
        return "POST" if n == 57 else code

    def price(self):
        if self.dice.one_in(250):
            return "0.0"
        if self.dice.one_in(8000):
            return "-11062.06"
        cents = 19 + self.dice.skewed(1500)
        return "%d.%02d" % (cents // 100, cents % 100)

    def add(self, invoice, product, quantity, customer):
        words = WORDS[hash_of(product) % len(WORDS)]
        self.rows.append((
            invoice, product, words, quantity,
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.at)),
            self.price(), customer,
            COUNTRIES[hash_of(customer) % len(COUNTRIES)]))
        self.left -= 1

    def customer(self):
        return "" if self.dice.one_in(4) else str(
            12346 + self.dice.skewed(CUSTOMERS))

    def quantity(self):
        if self.dice.one_in(12000):
            return 80995 - self.dice.below(7000)
        return (1, 1, 2, 3, 6, 12, 24, 48)[self.dice.below(8)] * (
            10 if self.dice.one_in(40) else 1)

    def cancel(self):
        """One invoice of cancellations."""
        customer = self.customer()
        for _ in range(1 + self.dice.below(4)):
            product, quantity = self.product(), self.quantity()
            if self.bought and not self.dice.one_in(6):
                # mostly something of late
                back = 1 + self.dice.skewed(min(len(self.bought), 2000))
                product, customer, quantity = self.bought[-back]
                if self.dice.one_in(5):
                    quantity = quantity // 2 + 1
                elif self.dice.one_in(9):
                    quantity += 100000
            self.add("C%d" % self.number, product, -quantity, customer)

    def loss(self):
        self.add(str(self.number), self.product(), -self.quantity(), "")

    def sale(self):
        customer = self.customer()
        lines = 1 + self.dice.below(20)
        if self.dice.one_in(60):
            lines = 100 + self.dice.below(300)
        product = None
        for i in range(lines):
            if product is None or not self.dice.one_in(50):
                product = self.product()
            quantity = self.quantity()
            if i == 1 and self.held is None and self.number > 536400:
                # its second line comes behind the next invoice
                self.held = (str(self.number), product, quantity, customer)
                continue
            self.add(str(self.number), product, quantity, customer)
            self.bought.append((product, customer, quantity))

    def run(self):
        while self.left > 0:
            before = self.held
            kind = self.dice.below(60)
            if kind < 5:
                self.cancel()
            elif kind < 7:
                self.loss()
            else:
                self.sale()
            if before:
                self.add(*before)
                self.held = ()
            self.number += 1
            if not self.dice.one_in(3):
                self.at += 60 * (1 + self.dice.below(30))
            if self.dice.one_in(90):
                self.at += 3600 * (14 + 24 * self.dice.below(3))
        return self.rows


def hash_of(text):
    n = 7
    for letter in text:
        n = (n * 31 + ord(letter)) % 1000003
    return n


def main(args):
    lines = int(args[1]) if len(args) > 1 else MADE_LINES
    seed = int(args[2]) if len(args) > 2 else 20101201
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("InvoiceNo", "StockCode", "Description", "Quantity",
                     "InvoiceDate", "UnitPrice", "CustomerID", "Country"))
    writer.writerows(Shop(lines, seed).run())
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
