"""A TCP connection to a name that has several addresses: Happy Eyeballs, RFC 8305.

    resolve ── order: families in turn (section 4) ── try the first
                     └─ it failed, or ATTEMPT_DELAY is over: the next one as well (section 5) ── the first to succeed stays

So an address family that leads nowhere costs a quarter of a second, and no connect timeout. Sockets are made here and not by
asyncio, because a segment size must be asked for before the connection is begun (segments.py).
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Sequence

#: Seconds that one address has before the next is tried beside it: RFC 8305 section 5, "Connection Attempt Delay".
ATTEMPT_DELAY = 0.25

Address = tuple[socket.AddressFamily, tuple[object, ...]]
Connect = Callable[[Address], Awaitable[socket.socket]]


async def connect(host: str, port: int, prepare: Callable[[socket.socket], None] = lambda _: None) -> socket.socket:
    """A connected, non-blocking TCP socket; `prepare` is told of each one before it connects.

    Raises OSError: of the resolver, or of the attempt that failed first.
    """
    loop = asyncio.get_running_loop()

    async def attempt(address: Address) -> socket.socket:
        family, name = address
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            prepare(sock)
            await loop.sock_connect(sock, name)
        except BaseException:
            sock.close()
            raise
        return sock

    return await race(await addresses(host, port), attempt)


async def addresses(host: str, port: int) -> list[Address]:
    """Where `host` is, in the order to try. Raises OSError (gaierror) where nobody knows."""
    for family in (socket.AF_INET, socket.AF_INET6):  # a literal needs no resolver and none of its threads
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):  # the latter for a NUL or what no encoding has
            continue
        return [(family, (host, port))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return interleaved([(family, name) for family, _, _, _, name in found])


def interleaved(found: Sequence[Address]) -> list[Address]:
    """The families in turn, beginning with that of the first; the resolver's order (RFC 6724) within each."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for address in found:
        families.setdefault(address[0], []).append(address)
    turns = itertools.zip_longest(*families.values())
    return [address for turn in turns for address in turn if address is not None]


async def race(candidates: Sequence[Address], attempt: Connect, delay: float = ATTEMPT_DELAY) -> socket.socket:
    """The socket of the first of `candidates` to connect; the others are given up. Raises the first failure's OSError."""
    failed: OSError | None = None
    waiting = list(candidates)
    running: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(attempt(waiting.pop(0))))
            done, running = await asyncio.wait(
                running, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            won, failed = _judged(done, failed)
            if won is not None:
                return won
    finally:
        await _give_up(running)
    raise failed or OSError("no address")


def _judged(
    done: set[asyncio.Task[socket.socket]], failed: OSError | None
) -> tuple[socket.socket | None, OSError | None]:
    """One that succeeded (further ones are closed), and the first failure so far. Raises what is no OSError."""
    won: socket.socket | None = None
    for task in done:
        error = task.exception()
        if error is None:
            if won is not None:
                task.result().close()
            won = won or task.result()
        elif not isinstance(error, OSError):
            raise error
        else:
            failed = failed or error
    return won, failed


async def _give_up(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.cancel()
    for found in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(found, socket.socket):  # it connected in the very turn in which another did
            found.close()
