"""Accepting on one listening socket: how many at once, how many of one peer, and TLS in time.

A peer is counted from accept(2) on, before a byte of it is read, so that half-open handshakes have a limit too. What is
over a limit, of places or of arrivals that prove nothing (arrivals.py), is reset at once. A few are accepted in a turn of
the event loop, since each costs memory and a task.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyopenshell.streams.arrivals import Arrivals
from pyopenshell.streams.http2 import Http2Connection
from pyopenshell.streams.peers import uid_of
from pyopenshell.streams.transports import RESETS

if TYPE_CHECKING:
    import ssl

#: A TLS handshake takes two round trips; a client that says nothing is cut after this many seconds.
HANDSHAKE_TIMEOUT = 10.0
#: close_notify of a TLS peer is waited for this many seconds.
SHUTDOWN_TIMEOUT = 5.0
#: Connections that wait to be accepted, listen(2): as asyncio's default, asked for by a storm of opens.
BACKLOG = 512
#: Accepted in one turn of the event loop: each is a task, and with TLS a signature of ours (1 ms).
ACCEPTS = 4
#: The process has no descriptor or memory for another one: seconds until it is tried again, as in asyncio.
RETRY = 1.0
#: All addresses of one IPv6 subnet are one peer's: a site gets no less (RFC 6177).
SUBNET = 64
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class Places:
    """Connections at once."""

    #: On one socket. TLS holds 0.3 MB each (bench/hostile.py), so 600 MB.
    total: int = 2_048
    #: Of one address or uid. All commands of a user on one machine come from one, and all people behind one router.
    per_peer: int = 512


class Acceptor:
    """One listening socket. `refused` is told the kind of limit (hits.py), who, and why."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], Http2Connection],
        refused: Callable[[str, str, str], None],
        *,
        places: Places,
        tls: ssl.SSLContext | None = None,
        arrivals: Arrivals | None = None,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
    ) -> None:
        self._sock = sock
        self._make = make
        self._arrivals = arrivals or Arrivals()
        self._refused = refused
        self._places = places
        self._tls = tls
        self._handshake_timeout = handshake_timeout
        self._loop = asyncio.get_running_loop()
        self._peers: Counter[str] = Counter()
        self._taken = 0
        self._welcoming: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen."""
        self._sock.setblocking(False)
        self._sock.listen(BACKLOG)
        self._loop.add_reader(self._sock, self._ready)

    async def close(self) -> None:
        """Listen no more, and give up the handshakes that go on. Idempotent; the listening ends before the first await."""
        if self._retry is not None:
            self._retry.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()
        for task in self._welcoming:
            task.cancel()
        if self._welcoming:
            await asyncio.wait(self._welcoming)

    def _ready(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _SHORT:
                    raise
                self._pause()
                return
            self._accepted(sock, address)

    def _pause(self) -> None:
        self._loop.remove_reader(self._sock)
        self._retry = self._loop.call_later(RETRY, self._loop.add_reader, self._sock, self._ready)

    def _accepted(self, sock: socket.socket, address: object) -> None:
        name, key = _names(sock, address)
        if self._taken >= self._places.total:
            self._turn_away(sock, "connections", name, f"over {self._places.total} connections at once")
        elif self._peers[key] >= self._places.per_peer:
            reason = f"over {self._places.per_peer} connections of {key} at once"
            self._turn_away(sock, "peer_connections", name, reason)
        elif not self._arrivals.may(key, self._loop.time()):
            self._turn_away(sock, "arrivals", name, f"{key} connects too often and is let in too seldom")
        else:
            self._taken += 1
            self._peers[key] += 1
            task = self._loop.create_task(self._welcome(sock, name, key))
            self._welcoming.add(task)
            task.add_done_callback(self._welcoming.discard)

    def _turn_away(self, sock: socket.socket, kind: str, name: str, reason: str) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
        sock.close()
        self._refused(kind, name, reason)

    async def _welcome(self, sock: socket.socket, name: str, key: str) -> None:
        tls = self._tls
        start = self._loop.time()
        try:
            _, connection = await self._loop.connect_accepted_socket(
                self._make,
                sock,
                ssl=tls,
                ssl_handshake_timeout=self._handshake_timeout if tls is not None else None,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT if tls is not None else None,
            )
        except OSError as error:  # ssl.SSLError is one
            self._leave(key)
            if not isinstance(error, ConnectionResetError):  # it left: that is no news
                waited = self._loop.time() - start
                self._refused("handshake", name, f"no TLS handshake, {waited:.0f} s ({type(error).__name__})")
        except BaseException:
            self._leave(key)
            raise
        else:
            connection.lost.add_done_callback(lambda _: self._left(key, connection))

    def _left(self, key: str, connection: Http2Connection) -> None:
        if connection.known:
            self._arrivals.proved(key)
        self._leave(key)

    def _leave(self, key: str) -> None:
        self._taken -= 1
        self._peers[key] -= 1
        if not self._peers[key]:
            del self._peers[key]

    def __repr__(self) -> str:
        return f"<Acceptor {self._taken} connections of {len(self._peers)} peers>"


def _names(sock: socket.socket, address: object) -> tuple[str, str]:
    """What a log line calls the peer, and what it is counted under."""
    if sock.family == socket.AF_UNIX:
        uid = uid_of(sock)
        return f"uid {uid}", f"uid {uid}"
    host, port = address[:2] if isinstance(address, tuple) else ("", 0)
    if sock.family == socket.AF_INET6:
        return f"[{host}]:{port}", _subnet(str(host))
    return f"{host}:{port}", str(host)


def _subnet(host: str) -> str:
    """What is one peer of IPv6: a subnet, or the IPv4 address that came to a socket of both."""
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, SUBNET), strict=False))
