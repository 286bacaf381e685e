"""The stock of products: what the inventory task must do, as a plain object.

Both oracles use it: retail.py drives it with the retail data, replay.py with
the by-product logs of a run. It follows the shop's rules for reservations and
movements; README.md here states each in words.
"""

PASS, FAIL = "PASS", "FAIL"


class Product:
    FIELDS = ("received", "returned", "adjusted", "shipped", "missing",
              "reserved", "on_hand")

    def __init__(self):
        self.received = self.returned = self.adjusted = self.shipped = 0
        self.missing = self.reserved = self.on_hand = 0

    def take(self, quantity):
        """Takes goods away; returns what was there to take."""
        taken = min(quantity, self.on_hand)
        self.on_hand -= taken
        self.missing += quantity - taken
        return taken


class Shelf:
    def __init__(self):
        self.products = {}
        self.live = {}      # order id -> (product, quantity): reservations
        self.checks = {}    # order id -> (PASS or FAIL, reason)
        self.moved = set()  # movement ids: each counts once

    # -- movements

    def move(self, ident, product, kind, quantity):
        """Books a movement; false if its id was seen before."""
        if ident in self.moved:
            return False
        self.moved.add(ident)
        p = self.products.setdefault(product, Product())
        if kind == "COUNT":
            kind, quantity = "ADJUST", quantity - p.on_hand
        if kind == "RECEIVE":
            p.received += quantity
            p.on_hand += quantity
        elif kind == "RETURN":
            p.returned += quantity
            p.on_hand += quantity
        elif kind == "ADJUST" and quantity >= 0:
            p.adjusted += quantity
            p.on_hand += quantity
        elif kind == "ADJUST":
            p.adjusted -= p.take(-quantity)
        else:
            raise ValueError("movement %s: unknown type %s" % (ident, kind))
        return True

    # -- orders

    def check(self, product, quantity):
        if quantity <= 0:
            return FAIL, "BAD_QUANTITY"
        if product not in self.products:
            return FAIL, "UNKNOWN_PRODUCT"
        p = self.products[product]
        if p.on_hand - p.reserved < quantity:
            return FAIL, "OUT_OF_STOCK"
        return PASS, ""

    def reserve(self, order, product, quantity):
        """The one answer to an order; asked again, it is the same."""
        if order not in self.checks:
            answer = self.check(product, quantity)
            self.checks[order] = answer
            if answer[0] == PASS:
                self.live[order] = product, quantity
                self.products[product].reserved += quantity
        return self.checks[order]

    def release(self, order):
        """FAILED or CANCELLED: gives the reservation back, if there is one."""
        if order in self.live:
            product, quantity = self.live.pop(order)
            self.products[product].reserved -= quantity

    def ship(self, order):
        """SHIPPED: consumes the reservation, if there is one."""
        if order in self.live:
            product, quantity = self.live.pop(order)
            p = self.products[product]
            p.reserved -= quantity
            p.shipped += p.take(quantity)

    # -- the laws

    def verify(self):
        """Raises AssertionError if the books do not balance."""
        reserved = dict.fromkeys(self.products, 0)
        for product, quantity in self.live.values():
            reserved[product] += quantity
        for name, p in self.products.items():
            booked = p.received + p.returned + p.adjusted - p.shipped
            short = max(0, p.reserved - p.on_hand)
            assert booked == p.on_hand, name
            assert p.reserved == reserved[name], name
            assert 0 <= p.reserved <= p.on_hand + short, name
            assert p.on_hand >= 0 and p.missing >= 0, name

    def rows(self):
        """One dictionary per product, in the byte order of their names."""
        for name in sorted(self.products, key=str.encode):
            p = self.products[name]
            row = {"kind": "product", "product": name}
            row.update((f, getattr(p, f)) for f in Product.FIELDS)
            yield row
