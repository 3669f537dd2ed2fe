"""The clock of a connection, with a connection that only takes notes and an event loop whose time the test moves."""

from __future__ import annotations

import asyncio
import math
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.http2.codes import Role
from pyopenshell.streams.hits import Hits
from pyopenshell.streams.liveness import (
    CLOSE_TIMEOUT,
    KEEPALIVE_IDLE,
    KEEPALIVE_TIMEOUT,
    PREFACE_TIMEOUT,
    SILENT,
    UNUSED_IDLE,
    USER_TIMEOUT,
    Liveness,
)


class Clock:
    """`call_later` and `time` of an event loop; `move` lets time pass."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def call_later(self, delay: float, act: Any, *args: Any) -> Any:
        entry = (self.now + delay, lambda: act(*args))
        self.due.append(entry)
        return SimpleNamespace(cancel=lambda: self.due.remove(entry) if entry in self.due else None)

    def move(self, seconds: float) -> None:
        end = self.now + seconds
        while ready := sorted((entry for entry in self.due if entry[0] <= end), key=lambda entry: entry[0]):
            self.due.remove(ready[0])
            self.now = ready[0][0]
            ready[0][1]()
        self.now = end


class Connection:
    def __init__(self) -> None:
        self.pings: list[bytes] = []
        self.engine: Any = SimpleNamespace(established=True, ping=self.pings.append, role=Role.CLIENT)
        self.transport: Any = None
        self.faulty = False
        self.hits = Hits()
        self.busy = True
        self.cut = ""

    def want_flush(self) -> None:
        pass

    def abort(self, reason: str) -> None:
        self.cut = reason


@pytest.fixture
async def parts() -> tuple[Connection, Clock, Liveness]:
    connection, clock = Connection(), Clock()
    liveness = Liveness(connection)
    liveness._loop = clock  # type: ignore[assignment]
    liveness.start()
    liveness.answered(connection.pings.pop())
    return connection, clock, liveness


async def test_no_preface_in_time(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, _ = parts
    connection.engine.established = False
    clock.move(PREFACE_TIMEOUT - 0.1)
    assert not connection.cut
    clock.move(0.1)
    assert connection.faulty
    assert "preface" in connection.cut


async def test_silence_is_asked_about_and_no_answer_is_the_end(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, _ = parts
    clock.move(KEEPALIVE_IDLE - 0.1)
    assert not connection.pings
    clock.move(0.1)
    assert len(connection.pings) == 1
    clock.move(KEEPALIVE_TIMEOUT)
    assert connection.cut == f"no answer for {KEEPALIVE_IDLE + KEEPALIVE_TIMEOUT:.0f} s"


async def test_any_byte_is_an_answer(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, liveness = parts
    for _ in range(10):
        clock.move(KEEPALIVE_IDLE + KEEPALIVE_TIMEOUT / 2)
        liveness.heard = clock.now
    assert not connection.cut
    assert connection.pings


async def test_nobody_asks_while_bytes_come_or_no_stream_is_open(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, liveness = parts
    for _ in range(100):
        clock.move(KEEPALIVE_IDLE / 2)
        liveness.heard = clock.now
    connection.busy = False
    clock.move(100 * KEEPALIVE_IDLE)
    assert not connection.pings
    assert not connection.cut


async def test_answers_find_who_asked(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, _, liveness = parts
    told: list[str] = []
    liveness.ask(lambda: told.append("one"))
    liveness.ask(lambda: told.append("two"))
    liveness.answered(connection.pings[1])
    liveness.answered(b"unasked!")
    assert told == ["two"]
    liveness.stop()
    assert told == ["two", "one"]


async def test_a_round_trip_is_timed(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, liveness = parts
    trip = asyncio.create_task(liveness.round_trip())
    await asyncio.sleep(0)
    clock.move(1.5)
    liveness.answered(connection.pings[-1])
    assert await trip == 1.5
    liveness.stop()
    assert clock.due == []


async def test_the_shortest_round_trip_is_kept_and_slowly_forgotten(
    parts: tuple[Connection, Clock, Liveness],
) -> None:
    connection, clock, liveness = parts
    liveness.shortest = math.inf
    seen = []
    for seconds in (2.0, 1.0, 50.0, 50.0):
        liveness.ask(lambda: None)
        clock.move(seconds)
        liveness.answered(connection.pings[-1])
        seen.append(liveness.shortest)
        liveness.heard = clock.now
    assert seen == pytest.approx([2.0, 1.0, 1.02, 1.02**2])


async def test_who_does_not_take_the_last_bytes_is_cut(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, liveness = parts
    liveness.stop()
    liveness.closing()
    clock.move(CLOSE_TIMEOUT - 0.1)
    assert not connection.cut
    clock.move(0.1)
    assert connection.cut == "did not take the last bytes"
    assert connection.hits["close"] == 1


async def test_who_took_the_last_bytes_is_not(parts: tuple[Connection, Clock, Liveness]) -> None:
    _, clock, liveness = parts
    liveness.stop()
    liveness.closing()
    liveness.stop()
    assert clock.due == []


def on_socket(parts: tuple[Connection, Clock, Liveness], family: socket.AddressFamily, role: Role) -> socket.socket:
    """The connection begins anew, on a socket, and says nothing."""
    connection, clock, liveness = parts
    sock = socket.socket(family)
    connection.engine.role = role
    connection.transport = SimpleNamespace(get_extra_info=lambda _: sock)
    connection.busy = False
    liveness.stop()
    liveness.start()
    liveness.answered(connection.pings.pop())
    assert len(clock.due) == 1
    return sock


@pytest.mark.parametrize(("role", "idle"), [(Role.CLIENT, KEEPALIVE_IDLE), (Role.SERVER, UNUSED_IDLE)])
async def test_a_tcp_connection_without_streams_is_asked_too(
    parts: tuple[Connection, Clock, Liveness], role: Role, idle: float
) -> None:
    connection, clock, liveness = parts
    with on_socket(parts, socket.AF_INET, role) as sock:
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT * 1000
        for turn in range(1, 4):
            clock.move(idle)
            assert len(connection.pings) == turn
            liveness.answered(connection.pings[-1])
            liveness.heard = clock.now
            clock.move(KEEPALIVE_TIMEOUT)
            liveness.heard = clock.now
        assert not connection.cut
        clock.move(idle + KEEPALIVE_TIMEOUT)
        assert connection.cut
        assert liveness.unanswered


async def test_a_client_speaks_before_a_router_forgets_it_and_finds_a_dead_way_within_30_s() -> None:
    assert KEEPALIVE_IDLE < 60
    assert KEEPALIVE_IDLE + KEEPALIVE_TIMEOUT <= 30
    assert USER_TIMEOUT <= 30


async def test_nobody_asks_on_a_unix_socket(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, _ = parts
    with on_socket(parts, socket.AF_UNIX, Role.CLIENT):
        clock.move(100 * UNUSED_IDLE)
    assert not connection.pings


async def test_an_idle_connection_that_is_used_is_asked_sooner(parts: tuple[Connection, Clock, Liveness]) -> None:
    connection, clock, liveness = parts
    with on_socket(parts, socket.AF_INET, Role.SERVER):
        clock.move(20)
        connection.busy = True
        liveness.heard = clock.now
        clock.move(2 * KEEPALIVE_IDLE)
        assert connection.pings


async def test_what_is_left_of_a_connection_that_ended_in_silence(parts: tuple[Connection, Clock, Liveness]) -> None:
    _, clock, liveness = parts
    liveness.ask(lambda: None)
    clock.move(SILENT - 0.1)
    liveness.lost(ConnectionResetError())
    assert not liveness.unanswered
    liveness.ask(lambda: None)
    clock.move(SILENT)
    liveness.lost(ConnectionResetError())
    assert liveness.unanswered


async def test_what_was_never_acknowledged_is_silence(parts: tuple[Connection, Clock, Liveness]) -> None:
    _, _, liveness = parts
    liveness.lost(None)
    assert not liveness.unanswered
    liveness.lost(TimeoutError(110, "Connection timed out"))
    assert liveness.unanswered
