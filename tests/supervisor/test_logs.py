"""Lines out of bytes, kept in bounds, pushed until they are taken."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.supervisor import logs
from pyopenshell.supervisor.logs import LINE_MAX, LINE_OVERHEAD, LineSplitter, LogPusher, LogRing
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


def split(*pieces: bytes) -> list[bytes]:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + list(splitter.finish())


def test_lines_are_cut_at_their_ends() -> None:
    assert split(b"a\nb\r\n\nlast") == [b"a", b"b", b"", b"last"]
    assert split(b"") == []
    assert split(b"\n") == [b""]


def test_a_long_line_becomes_several() -> None:
    assert [len(line) for line in split(b"x" * (2 * LINE_MAX + 1) + b"\ny")] == [LINE_MAX, LINE_MAX, 1, 1]
    assert [len(line) for line in split(b"x" * LINE_MAX + b"\n")] == [LINE_MAX]


@given(st.binary(), st.integers(1, 7))
def test_pieces_do_not_matter(data: bytes, size: int) -> None:
    assert split(*(data[at : at + size] for at in range(0, len(data), size))) == split(data)


def test_the_oldest_make_room_and_are_counted() -> None:
    ring = LogRing(lambda: 1.0, limit=3 * (LINE_OVERHEAD + 1))
    for text in (b"1", b"2", b"3", b"4", b"5"):
        ring.append("stdout", text)
    assert ring.lost == 2


async def test_a_line_over_the_limit_is_kept_alone() -> None:
    ring = LogRing(lambda: 1.0, limit=10)
    ring.append("stdout", b"x" * 100)
    assert [line.text for line in await ring.batch()] == [b"x" * 100]


class Gateway:
    """Takes pushes, or fails as told."""

    def __init__(self) -> None:
        self.requests: list[pb.PushSandboxLogsRequest] = []
        self.fail: list[Code] = []
        self.got = asyncio.Event()
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1

    async def unary(
        self, path: str, request: pb.PushSandboxLogsRequest, _kind: object, **_: object
    ) -> pb.PushSandboxLogsResponse:
        if self.fail:
            raise OpenShellError(self.fail.pop(0), "no")
        self.requests.append(request)
        self.got.set()
        return pb.PushSandboxLogsResponse()


async def test_lines_are_pushed_with_time_and_stream() -> None:
    ring, gateway = LogRing(lambda: 12.5), Gateway()
    ring.append("stderr", b"h\xffi")
    pushing = asyncio.create_task(LogPusher(ring, "id", ())(gateway))  # type: ignore[arg-type]
    await ring.drained()
    (line,) = gateway.requests[0].logs
    assert (line.sandbox_id, line.level, line.source, line.target, line.message) == (
        "id",
        "INFO",
        "sandbox",
        "stderr",
        "h�i",
    )
    assert (line.event_time.seconds, line.event_time.nanos) == (12, 500_000_000)
    gateway.got.clear()
    ring.append("stdout", b"more")
    await gateway.got.wait()
    pushing.cancel()
    await asyncio.wait([pushing])


async def test_a_lost_gateway_gets_the_batch_again() -> None:
    ring, gateway = LogRing(lambda: 1.0), Gateway()
    ring.append("stdout", b"kept")
    gateway.fail = [Code.UNAVAILABLE]
    pusher = LogPusher(ring, "id", ())
    with pytest.raises(OpenShellError):
        await pusher(gateway)  # type: ignore[arg-type]
    pushing = asyncio.create_task(pusher(gateway))  # type: ignore[arg-type]
    await ring.drained()
    assert [line.message for line in gateway.requests[0].logs] == ["kept"]
    pushing.cancel()
    await asyncio.wait([pushing])


async def test_what_the_gateway_refuses_is_not_sent_for_ever() -> None:
    ring, gateway = LogRing(lambda: 1.0), Gateway()
    ring.append("stdout", b"bad")
    gateway.fail = [Code.INVALID]
    pushing = asyncio.create_task(LogPusher(ring, "id", ())(gateway))  # type: ignore[arg-type]
    await ring.drained()
    assert gateway.requests == []
    pushing.cancel()
    await asyncio.wait([pushing])


async def test_lost_lines_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BATCH_MAX", 1)
    ring, gateway = LogRing(lambda: 1.0, limit=2 * (LINE_OVERHEAD + 1)), Gateway()
    for text in (b"1", b"2", b"3", b"4"):
        ring.append("stdout", text)
    pushing = asyncio.create_task(LogPusher(ring, "id", ())(gateway))  # type: ignore[arg-type]
    await ring.drained()
    first, second = gateway.requests
    assert [(line.level, line.message) for line in first.logs] == [
        ("WARN", "2 lines were dropped while no gateway took them"),
        ("INFO", "3"),
    ]
    assert [line.message for line in second.logs] == ["4"]
    pushing.cancel()
    await asyncio.wait([pushing])


async def test_what_is_left_goes_over_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BATCH_MAX", 1)
    ring, gateway = LogRing(lambda: 1.0), Gateway()
    made: list[Gateway] = []

    async def connect() -> Gateway:
        made.append(gateway)
        return gateway

    pusher = LogPusher(ring, "id", ())
    await pusher.last(connect)  # type: ignore[arg-type]
    assert made == []
    for text in (b"1", b"2"):
        ring.append("stdout", text)
    gateway.fail = [Code.UNAVAILABLE]
    await pusher.last(connect)  # type: ignore[arg-type]
    assert (gateway.requests, ring.empty) == ([], False)
    await pusher.last(connect)  # type: ignore[arg-type]
    assert [line.message for request in gateway.requests for line in request.logs] == ["1", "2"]
    assert (len(made), gateway.closed) == (2, 2)


async def test_the_last_lines_are_not_pushed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LAST_TIMEOUT", 0.01)
    ring = LogRing(lambda: 1.0)
    ring.append("stdout", b"x")
    await LogPusher(ring, "id", ()).last(asyncio.get_running_loop().create_future)  # type: ignore[arg-type]
    assert not ring.empty


async def test_a_burst_waits_for_a_gateway_that_takes_lines() -> None:
    ring = LogRing(lambda: 1.0, limit=4 * (LINE_OVERHEAD + 1))
    for text in (b"1", b"2", b"3"):
        ring.append("stdout", text)
    waiting = asyncio.ensure_future(ring.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    ring.acknowledge((await ring.batch())[:1], 0)
    await waiting
    assert ring.lost == 0


async def test_a_gateway_that_takes_nothing_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyopenshell.supervisor.logs.PATIENCE", 0.0)
    ring = LogRing(lambda: 1.0, limit=2 * (LINE_OVERHEAD + 1))
    for text in (b"1", b"2"):
        ring.append("stdout", text)
    await ring.room()
    monkeypatch.setattr("pyopenshell.supervisor.logs.PATIENCE", 1e6)
    await ring.room()
