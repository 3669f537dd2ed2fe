"""How a call is served where its peer, its handler or its time ends first; the statuses are in test_grpc_server.py."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.streams import Call, StreamBroken, StreamClosed
from pyopenshell.streams.serving import run

HEADERS = [(b":method", b"POST"), (b":path", b"/x"), (b"content-type", b"application/grpc")]


class Stream:
    def __init__(self) -> None:
        self.headers = HEADERS
        self.broken: StreamBroken | None = None
        self.on_over: Any = None
        self.connection = SimpleNamespace(known=True)
        self.resets: list[Any] = []
        self.ended = True
        self.sent: list[Any] = []

    def reset(self, code: Any) -> None:
        self.resets.append(code.name)

    def send_headers(self, headers: Any, end_stream: bool = False) -> None:
        if self.broken is not None:
            raise StreamClosed
        self.sent.append(dict(headers)[b"grpc-status"])


def call_on(stream: Any) -> Call:
    return Call(stream, "", {}, None)  # type: ignore[arg-type]


async def test_a_stream_that_broke_before_its_turn_asks_no_handler() -> None:
    stream = Stream()
    stream.broken = StreamBroken("gone")
    await run(call_on(stream), {}, "test")
    assert (stream.resets, stream.sent) == ([], [])


async def test_a_status_that_nobody_takes_is_no_fault() -> None:
    stream = Stream()

    async def handler(call: Call) -> None:
        raise StreamBroken("gone")

    await run(call_on(stream), {"/x": handler}, "test")
    assert len(stream.sent) == 1


@pytest.mark.parametrize("detached", [True, False])
async def test_the_end_of_the_peer_cancels_the_handler_unless_a_relay_has_the_call(detached: bool) -> None:
    stream, started, go = Stream(), asyncio.Event(), asyncio.Event()

    async def handler(call: Call) -> None:
        if detached:
            call.detach()
        started.set()
        await go.wait()

    task = asyncio.create_task(run(call_on(stream), {"/x": handler}, "test"))
    await started.wait()
    stream.broken = StreamBroken("gone")
    stream.on_over()
    go.set()
    await task
    assert stream.resets == []


async def test_a_server_that_closes_resets_the_call() -> None:
    stream, started = Stream(), asyncio.Event()

    async def handler(call: Call) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run(call_on(stream), {"/x": handler}, "test"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.resets == ["CANCEL"]
