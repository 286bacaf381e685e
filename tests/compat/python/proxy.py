"""A proxy between one client and a broker that does what networks do: answers
get lost, requests come twice, or once more much later.

    proxy.py HOST:PORT [FAULT...]   prints its own address when it listens

    drop:KEY:N      every Nth answer to a request of this API is not delivered;
                    the connection ends instead, after the broker has done its
                    work
    repeat:KEY:N    every Nth request is sent twice; the second answer is kept
    late:KEY:N:MS   every Nth request is sent once more after so many ms, on a
                    connection of its own

A client goes on with the address that Metadata and FindCoordinator tell it. In
every answer the address of the broker, which stands there as host and port
side by side, is replaced by that of the proxy, which has the same length.
"""

import collections
import socket
import struct
import sys
import threading
import time


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("ended")
        data += more
    return data


def read_frame(sock):
    size, = struct.unpack(">i", read_exactly(sock, 4))
    return read_exactly(sock, size)


def write_frame(sock, frame):
    sock.sendall(struct.pack(">i", len(frame)) + frame)


class Faults:
    """Which fault strikes a request; counts by API, over all connections."""

    def __init__(self, words):
        self.lock = threading.Lock()
        self.seen = collections.Counter()
        self.rules = collections.defaultdict(list)
        for word in words:
            kind, key, every, *rest = word.split(":")
            self.rules[int(key)].append((kind, int(every), rest))

    def strike(self, key):
        with self.lock:
            self.seen[key] += 1
            return [(kind, rest) for kind, every, rest in self.rules[key]
                    if self.seen[key] % every == 0]


class Link:
    """One connection of the client and the one to the broker for it."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.broker = socket.create_connection(proxy.upstream)
        for sock in self.client, self.broker:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fates = collections.deque()  # of the answers under way, in order
        for way in self.upward, self.downward:
            threading.Thread(target=self.run, args=(way,), daemon=True).start()

    def run(self, way):
        try:
            while True:
                way()
        except OSError:
            pass
        for sock in self.client, self.broker:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def upward(self):
        frame = read_frame(self.client)
        key, = struct.unpack_from(">h", frame)
        strikes = self.proxy.faults.strike(key)
        kinds = [kind for kind, _ in strikes]
        for kind, rest in strikes:
            if kind == "late":
                self.proxy.send_late(frame, int(rest[0]) / 1000)
        # one with acks=0 has no answer; nothing here is produced with that
        self.fates.append("drop" if "drop" in kinds else "pass")
        write_frame(self.broker, frame)
        if "repeat" in kinds:
            self.fates.append("keep")
            write_frame(self.broker, frame)

    def downward(self):
        frame = read_frame(self.broker)
        fate = self.fates.popleft()
        if fate == "drop":
            raise ConnectionError("dropped")
        if fate == "pass":
            write_frame(self.client,
                        frame.replace(self.proxy.theirs, self.proxy.ours))


class Proxy:
    def __init__(self, upstream, faults):
        host, port = upstream.rsplit(":", 1)
        self.upstream = host, int(port)
        self.faults = Faults(faults)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = self.server.getsockname()
        self.theirs = self.as_bytes(self.upstream)
        self.ours = self.as_bytes(self.address)

    @staticmethod
    def as_bytes(address):
        return address[0].encode() + struct.pack(">i", address[1])

    def send_late(self, frame, delay):
        def send():
            time.sleep(delay)
            try:
                with socket.create_connection(self.upstream) as sock:
                    write_frame(sock, frame)
                    read_frame(sock)
            except OSError:
                pass  # the broker may be gone by then
        threading.Thread(target=send, daemon=True).start()

    def serve(self):
        print("%s:%d" % self.address, flush=True)
        while True:
            client, _ = self.server.accept()
            try:
                Link(self, client)
            except OSError:
                client.close()  # the broker is not there; the client retries


Proxy(sys.argv[1], sys.argv[2:]).serve()
