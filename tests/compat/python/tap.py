"""TAP for the Python clients' suites, and what both need."""

import collections
import os
import socket
import struct
import subprocess
import sys
import time
import traceback

BOOTSTRAP = os.environ["BOOTSTRAP"]
PREFIX = os.environ["TOPIC"]
LIMIT = 30.0  # seconds that anything may take

_count = 0
_failed = 0


def name(word):
    """A topic or group of this run."""
    return "%s-%s" % (PREFIX, word)


def ok(cond, what):
    global _count, _failed
    _count += 1
    if not cond:
        _failed += 1
    print("%sok %d - %s" % ("" if cond else "not ", _count, what), flush=True)
    return bool(cond)


def equal(got, want, what):
    if not ok(got == want, what):
        print("#   got  %.300r\n#   want %.300r" % (got, want), flush=True)


def exactly(values, count, what):
    """The values are the numbers below count, each once, in any order."""
    got = collections.Counter(int(v) for v in values)
    if not ok(got == collections.Counter(range(count)), what):
        print("#   missing %.200r" % [n for n in range(count) if n not in got])
        print("#   repeated %.200r" % [n for n in got if got[n] > 1],
              flush=True)


def skip(what, why):
    global _count
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, what, why), flush=True)


def client(what, version):
    """Names the client whose checks follow, for the table."""
    print("# client: %s %s" % (what, version), flush=True)


def feature(what):
    """Names what the checks that follow are about, for the table."""
    print("# feature: %s" % what, flush=True)


def broker(*command):
    """What the program of that name says: further brokers, and proxies."""
    return subprocess.run([os.environ["BROKER"], *command], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def serves(key):
    """Whether the broker announces the API of this key (ApiVersions v0)."""
    host, port = BOOTSTRAP.rsplit(":", 1)
    request = struct.pack(">hhih", 18, 0, 1, -1)
    with socket.create_connection((host, int(port)), LIMIT) as s:
        s.sendall(struct.pack(">i", len(request)) + request)
        stream = s.makefile("rb")
        size, = struct.unpack(">i", stream.read(4))
        body = stream.read(size)
    count, = struct.unpack_from(">i", body, 6)
    keys = [struct.unpack_from(">h", body, 10 + 6 * i)[0]
            for i in range(count)]
    return key in keys


def within(cond, limit=LIMIT):
    """Calls cond() until it is true; whether it became so in time."""
    end = time.monotonic() + limit
    while not cond():
        if time.monotonic() > end:
            return False
    return True


def run(tests):
    """Runs the tests in order; one that raises fails and the next goes on."""
    for test in tests:
        feature(test.__doc__ or test.__name__[5:].replace("_", " "))
        try:
            test()
        except Exception:  # whatever it is, it is this test's failure
            ok(False, "%s raised" % test.__name__)
            print("".join("#   %s\n" % line for line in
                          traceback.format_exc().splitlines()), flush=True)
    print("1..%d" % _count)
    sys.exit(1 if _failed else 0)
