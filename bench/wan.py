"""A line of a given delay and rate between two TCP peers: what a long way does to us, on one machine.

    .venv/bin/python -m bench.wan HOST:PORT [--rtt MS] [--rate MB_S] [--listen PORT]

Prints `listening on 127.0.0.1:PORT`, and passes connections on to HOST:PORT until its standard input ends. Each
direction of each connection is a line of its own: a token bucket of --rate megabytes (10^6 bytes) a second and BURST
bytes deep, then half of --rtt of delay, and in front of them a queue of a router's size; when that is full, nobody is
read. Half-closes pass in their order; a reset passes at once. Threads, not asyncio: the event loop's clock ticks in
milliseconds, and the way of a byte is one queue.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from pyopenshell.streams.transports import RESETS

#: Bytes read and passed on at once.
CHUNK = 32 * 1024
#: Depth of the token bucket: 3 ms at 40 MB/s, more than a thread oversleeps on a busy machine.
BURST = 128 * 1024
#: Bytes that may stand before the bucket: the shallow buffer of a router at the edge (a bloated one only adds delay).
QUEUE = 256 * 1024


class Bucket:
    """When bytes may leave: a token bucket that is told the time. A rate of 0 is no limit."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._now = now

    def leave(self, n: int, now: float) -> float:
        """Take `n` tokens at `now` or as soon after as they are there; return when that is."""
        if not self._rate:
            return now
        start = max(now, self._now)
        self._left = min(self._burst, self._left + (start - self._now) * self._rate) - n
        self._now = start
        if self._left < 0:
            self._now = start - self._left / self._rate
            self._left = 0
        return self._now


class Piece(NamedTuple):
    """Bytes on their way; none at the end of the direction."""

    due: float
    data: bytes


class Line:
    """One direction: `source` to `sink`, in two threads."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float, rate: float) -> None:
        self._source, self._sink = source, sink
        self._delay = delay
        self._bucket = Bucket(rate, BURST, time.monotonic())
        self._rate = rate
        self._most = QUEUE + int(delay * rate)
        self._pieces: deque[Piece] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self._broken = False

    def reading(self) -> threading.Thread:
        """The thread that takes bytes in, running."""
        return _started(self._read)

    def writing(self) -> threading.Thread:
        """The thread that lets them out, running."""
        return _started(self._write)

    def _read(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._rate or self._held < self._most or self._broken)
            try:
                data = self._source.recv(CHUNK)
            except OSError:
                self._reset()
                return
            if self._broken:
                return
            due = self._bucket.leave(len(data), time.monotonic()) + self._delay
            with self._changed:
                self._pieces.append(Piece(due, data))
                self._held += len(data)
                self._changed.notify_all()
            if not data:
                return

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._broken)
                if self._broken:
                    return
                piece = self._pieces.popleft()
            time.sleep(max(0.0, piece.due - time.monotonic()))
            try:
                if not piece.data:
                    self._sink.shutdown(socket.SHUT_WR)
                    return
                self._sink.sendall(piece.data)
            except OSError:
                self._reset()
                return
            with self._changed:
                self._held -= len(piece.data)
                self._changed.notify_all()

    def _reset(self) -> None:
        """One end broke: so does the other, with an RST when both are closed; until then nobody reads them."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()
        for end in (self._source, self._sink):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
                end.shutdown(socket.SHUT_RD)


def _started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class Wan:
    """The proxy: accepts on `address`, a loopback port, until `close`."""

    def __init__(self, target: tuple[str, int], rtt: float, rate: float, port: int = 0) -> None:
        self._target = target
        self._delay = rtt / 2
        self._rate = rate
        self._server = socket.create_server(("127.0.0.1", port))
        self.address: tuple[str, int] = self._server.getsockname()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(near,), daemon=True))
            self._threads[-1].start()

    def _serve(self, near: socket.socket) -> None:
        """One connection: who connected has waited a round trip for SYN and SYN-ACK, who accepts half of one more."""
        with near:
            time.sleep(2 * self._delay)
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
                return
            with far:
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                lines = [Line(near, far, self._delay, self._rate), Line(far, near, self._delay, self._rate)]
                threads = [lines[0].reading()]
                time.sleep(self._delay)
                threads += [lines[0].writing(), lines[1].reading(), lines[1].writing()]
                for thread in threads:
                    thread.join()

    def close(self) -> None:
        """Accept no more, and wait until what is open has ended with its peers."""
        self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("--rtt", type=float, default=0.0, help="added round trip, in milliseconds")
    parser.add_argument("--rate", type=float, default=0.0, help="megabytes a second in each direction; 0 is no limit")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT")
    asked = parser.parse_args()
    host, _, port = asked.target.rpartition(":")
    wan = Wan((host, int(port)), asked.rtt / 1e3, asked.rate * 1e6, asked.listen)
    print(f"listening on {wan.address[0]}:{wan.address[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
