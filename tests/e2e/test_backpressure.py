"""Readers that stop: their senders stop too, memory stays bounded, and nobody else on the same sandbox notices."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket

import pytest

from tests.e2e.test_deaths import processes
from tests.e2e.test_forward import HASHER, ask, forwarded, inside, service
from tests.e2e.test_leaks import pss
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STOPPED = 50
#: What one stopped connection may swallow: the windows of two HTTP/2 legs (8 MiB each at most) and of three pairs of kernel
#: socket buffers (tcp_wmem and tcp_rmem end at 4 and 6 MB here), with the read-aheads between them.
ROOM = 48_000_000
#: Gateway and supervisor together: of each connection, a window of a MiB in each of the two, and as much again for the
#: buffers that hold it. A window that nobody empties is not made larger.
MEMORY = STOPPED * 4 * 1_048_576
#: Sends to whoever connects until nobody took a byte for two seconds, and prints how many it could send.
SENDER = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0), backlog=128)
print(server.getsockname()[1], flush=True)
def send(c):
    c.settimeout(2)
    n = 0
    try:
        while True:
            n += c.send(bytes(65536))
    except TimeoutError:
        print(n, flush=True)
    kept.append(c)
kept = []
while True:
    threading.Thread(target=send, args=(server.accept()[0],), daemon=True).start()
"""
#: The same for one connection, and then for a minute more: whether a byte of it is taken.
PATIENT = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
c, _ = server.accept()
for seconds in (2, 60):
    c.settimeout(seconds)
    n = 0
    try:
        while True:
            n += c.send(bytes(65536))
    except TimeoutError:
        print(n, flush=True)
server.accept()
"""
#: What two processes may take more after a minute in which nothing moved: their heartbeats' own, a few pages.
QUIET = 2 * 1_048_576
#: Accepts and never reads.
DEAF = """
import socket
server = socket.create_server(("127.0.0.1", 0), backlog=128)
print(server.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(server.accept())
"""


def memory(world: World) -> int:
    found = processes(world, "web")
    return pss(found["gateway"]) + pss(found["supervisor"])


def works(world: World) -> None:
    """An exec and a new connection beside those that are stopped."""
    assert world.run("sandbox", "exec", "-n", "web", "--", "echo", "hi").ok().out == b"hi\n"
    data = os.urandom(2_000_000)
    with service(world, "web", HASHER) as (address, _):
        assert ask(address, data).decode() == hashlib.sha256(data).hexdigest()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into processes that cannot be dumped")
def test_a_near_reader_that_stops(own_world: World) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    works(world)
    before = memory(world)
    with inside(world, "web", SENDER) as server:
        assert server.stdout is not None
        with forwarded(world, "web", int(server.stdout.readline())) as address, contextlib.ExitStack() as stack:
            for _ in range(STOPPED):
                stack.enter_context(socket.create_connection(address))
            sent = [int(server.stdout.readline()) for _ in range(STOPPED)]
            assert max(sent) < ROOM
            assert memory(world) < before + MEMORY
            works(world)
    works(world)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into processes that cannot be dumped")
@pytest.mark.timeout(180)
def test_nothing_grows_for_a_minute(own_world: World) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    works(world)
    with inside(world, "web", PATIENT) as server:
        assert server.stdout is not None
        with forwarded(world, "web", int(server.stdout.readline())) as address, socket.create_connection(address):
            assert int(server.stdout.readline()) < ROOM
            before = memory(world)
            assert int(server.stdout.readline()) == 0
            assert memory(world) < before + QUIET


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into processes that cannot be dumped")
def test_a_far_reader_that_stops(own_world: World) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    works(world)
    before = memory(world)
    with inside(world, "web", DEAF) as server:
        assert server.stdout is not None
        with forwarded(world, "web", int(server.stdout.readline())) as address, contextlib.ExitStack() as stack:
            sent = []
            for _ in range(STOPPED):
                near = stack.enter_context(socket.create_connection(address, timeout=2))
                sent.append(0)
                with contextlib.suppress(TimeoutError):
                    while True:
                        sent[-1] += near.send(bytes(65536))
            assert max(sent) < ROOM
            assert memory(world) < before + MEMORY
            works(world)
    works(world)
