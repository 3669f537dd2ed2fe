"""The table without a network: a connection that is none, and events written by hand."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    HeadersReceived,
    StreamReset,
    StreamsAllowed,
)
from pyopenshell.http2.faults import Draining, LocalError, TooManyStreams
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.stream_table import StreamTable
from pyopenshell.streams.windows import WindowBudget


class Connection:
    def __init__(self) -> None:
        self.hop = "the peer"
        self.reason = ""
        self.budget = WindowBudget()
        self.liveness: Any = SimpleNamespace(now=lambda: 0.0, ask=lambda tell: None)
        self.given_back: list[tuple[int, int]] = []
        self.answers: list[int | Exception] = []
        self.engine: Any = SimpleNamespace(terminated=False, open_stream=self.open_stream)

    def open_stream(self, headers: object) -> int:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def give_back(self, stream_id: int, flow: int) -> None:
        self.given_back.append((stream_id, flow))

    def want_flush(self) -> None:
        pass

    def set_window(self, stream_id: int, size: int) -> None:
        pass

    def unavailable(self) -> OpenShellError:
        return OpenShellError(Code.UNAVAILABLE, "gone")


def table_of(connection: Connection) -> tuple[StreamTable, list[Http2Stream], list[Event]]:
    requests: list[Http2Stream] = []
    told: list[Event] = []
    any_connection: Any = connection
    return StreamTable(any_connection, requests.append, told.append), requests, told


async def test_a_request_makes_a_stream_and_trailers_do_not() -> None:
    table, requests, _ = table_of(Connection())
    table.deliver([HeadersReceived(1, [(b":path", b"/x")], True, False), HeadersReceived(3, [], True, True)])
    (stream,) = requests
    assert stream.headers == [(b":path", b"/x")]
    assert stream.ended
    assert len(table) == 1


async def test_data_for_nobody_is_given_back() -> None:
    connection = Connection()
    table, _, _ = table_of(connection)
    assert not table.deliver([DataReceived(7, memoryview(b"abc"), 3, False)])
    assert connection.given_back == [(7, 3)]


async def test_only_large_data_keeps_the_receive_buffer() -> None:
    table, _, _ = table_of(Connection())
    stream = table.add(1)
    large = memoryview(bytes(20_000))
    assert not table.deliver([DataReceived(1, memoryview(b"abc"), 3, False)])
    assert not table.deliver([DataReceived(1, large, 20_000, False)]), "nobody has admitted the call"
    stream.admit()
    assert table.deliver([DataReceived(1, large, 20_000, True)])
    assert await stream.read() == b"abc" + large
    assert await stream.read() is large
    assert stream.ended


@pytest.mark.parametrize(
    ("event", "code", "words"),
    [
        (StreamReset(1, ErrorCode.REFUSED_STREAM, True), Code.UNAVAILABLE, "the peer took no new call"),
        (StreamReset(1, ErrorCode.CANCEL, True), Code.BROKEN, "the peer reset the stream (CANCEL)"),
        (StreamReset(1, ErrorCode.PROTOCOL_ERROR, False, "bad"), Code.BROKEN, "the peer broke the protocol: bad"),
    ],
)
async def test_a_reset_says_whose_fault_it_is(event: StreamReset, code: Code, words: str) -> None:
    table, _, _ = table_of(Connection())
    stream = table.add(1)
    table.deliver([event, StreamReset(99, ErrorCode.CANCEL, True)])
    assert stream.broken is not None
    assert (stream.broken.code, stream.broken.reason) == (code, words)
    assert len(table) == 0


async def test_what_is_about_the_connection_is_passed_on() -> None:
    table, _, told = table_of(Connection())
    event = GoAwayReceived(0, ErrorCode.NO_ERROR, b"")
    table.deliver([event])
    assert told == [event]


@pytest.mark.parametrize("how", ["a stream is over", "more are allowed", "goaway"])
async def test_who_waits_for_a_place_looks_again(how: str) -> None:
    connection = Connection()
    table, _, _ = table_of(connection)
    first = table.add(1)
    connection.answers = [TooManyStreams("full"), 3]
    opening = asyncio.create_task(table.open([]))
    await asyncio.sleep(0)
    assert not opening.done()
    if how == "a stream is over":
        table.forget(first)
        table.forget(first)
    elif how == "more are allowed":
        table.deliver([StreamsAllowed(5)])
    else:
        table.deliver([GoAwayReceived(0, ErrorCode.NO_ERROR, b"")])
    assert (await opening).id == 3


@pytest.mark.parametrize(
    ("fault", "code"), [(Draining("goaway"), Code.UNAVAILABLE), (LocalError("too large"), Code.INVALID)]
)
async def test_what_cannot_be_opened(fault: Exception, code: Code) -> None:
    connection = Connection()
    table, _, _ = table_of(connection)
    connection.answers = [fault]
    with pytest.raises(OpenShellError) as caught:
        await table.open([])
    assert caught.value.code is code


async def test_a_lost_connection_breaks_all() -> None:
    connection = Connection()
    table, _, _ = table_of(connection)
    stream = table.add(1)
    connection.answers = [TooManyStreams("full")]
    opening = asyncio.create_task(table.open([]))
    await asyncio.sleep(0)
    connection.reason = "lost"
    table.break_all("the connection was lost")
    assert stream.broken is not None
    with pytest.raises(OpenShellError, match="gone"):
        await opening
    assert connection.budget.used == 0
