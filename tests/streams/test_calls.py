"""Messages on a stream, fed in pieces by a stream that is none."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import StreamBroken, calls
from pyopenshell.streams.calls import MESSAGE_MAX, MessageCall
from pyopenshell.streams.hits import Hits
from pyopenshell.streams.rooms import Room
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


class Script:
    """Gives the chunks of a script, then the end; keeps what is written."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = deque(memoryview(chunk) for chunk in chunks)
        self.written: list[bytes] = []
        self.connection = SimpleNamespace(hop="the peer", room=Room(), hits=Hits())

    async def read(self) -> memoryview | bytes:
        return self.chunks.popleft() if self.chunks else b""

    async def write(self, *buffers: bytes) -> None:
        self.written += buffers


def call_of(*chunks: bytes) -> MessageCall:
    script: Any = Script(*chunks)
    return MessageCall(script)


def framed(body: bytes) -> bytes:
    return struct.pack(">BL", 0, len(body)) + body


MESSAGES = [b"one", b"", b"x" * 100_000, b"four"]
WIRE = b"".join(map(framed, MESSAGES))


async def read_all(call: MessageCall) -> list[bytes]:
    messages = []
    while (message := await call.read_message()) is not None:
        messages.append(bytes(message))
    return messages


@pytest.mark.parametrize("seed", range(20))
async def test_messages_cut_anywhere(seed: int) -> None:
    chooser = random.Random(seed)
    chunks, at = [], 0
    while at < len(WIRE):
        size = chooser.choice((1, 4, 5, 6, 1000, 200_000))
        chunks.append(WIRE[at : at + size])
        at += size
    assert await read_all(call_of(*chunks)) == MESSAGES


async def test_a_message_in_one_chunk_is_a_slice_of_it() -> None:
    chunk = framed(b"abc")
    message = await call_of(chunk).read_message()
    assert isinstance(message, memoryview)
    assert message.obj is chunk


async def test_a_relay_takes_over_what_came_with_the_first_message() -> None:
    call = call_of(framed(b"init") + b"rest ", b"and more")
    assert await call.read_message() == b"init"
    assert await call.read_raw() == b"rest "
    assert await call.read_raw() == b"and more"
    assert await call.read_raw() == b""


@pytest.mark.parametrize("cut", [1, 4, 5, 7])
async def test_an_end_inside_a_message_is_a_break(cut: int) -> None:
    with pytest.raises(StreamBroken, match="the peer ended the call inside a message"):
        await read_all(call_of(framed(b"abc")[:cut]))


@pytest.mark.parametrize(("prefix", "code"), [((1, 3), Code.INTERNAL), ((0, MESSAGE_MAX + 1), Code.EXHAUSTED)])
async def test_prefixes_that_are_refused(prefix: tuple[int, int], code: Code) -> None:
    with pytest.raises(OpenShellError) as caught:
        await call_of(struct.pack(">BL", *prefix)).read_message()
    assert caught.value.code is code


async def test_a_message_at_the_limit() -> None:
    call = call_of(framed(b"12345678"))
    call.limit = 8
    assert await call.read_message() == b"12345678"


def test_parse() -> None:
    call = call_of()
    assert call.parse(pb.HealthResponse, memoryview(b"\x12\x01x")).version == "x"
    with pytest.raises(OpenShellError, match="HealthResponse") as caught:
        call.parse(pb.HealthResponse, b"\xff")
    assert caught.value.code is Code.INVALID


async def test_writing() -> None:
    call = call_of()
    await call.write(b"abc")
    await call.send(pb.HealthResponse(version="x"))
    written: Any = call.stream
    assert written.written == [b"\0\0\0\0\3", b"abc", b"\0\0\0\0\3", b"\x12\x01x"]


async def test_a_message_over_the_limit_is_counted() -> None:
    call = call_of(b"\0\xff\xff\xff\xff")
    with pytest.raises(OpenShellError, match="4294967295"):
        await call.read_message()
    assert call.stream.connection.hits["message_size"] == 1


async def test_a_message_that_does_not_come_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MESSAGE_SECONDS", 0.0)
    monkeypatch.setattr(calls, "MESSAGE_RATE", 2**40)

    class Stuck(Script):
        async def read(self) -> memoryview | bytes:
            return self.chunks.popleft() if self.chunks else await asyncio.Event().wait() or b""

    stuck: Any = Stuck(b"\0\0\0\0\x05abc")
    call = MessageCall(stuck)
    with pytest.raises(OpenShellError) as caught:
        await call.read_message()
    assert caught.value.code is Code.DEADLINE
    assert call.stream.connection.hits["message_time"] == 1


async def test_a_deadline_of_the_caller_is_its_own() -> None:
    class Impatient(Script):
        async def read(self) -> memoryview | bytes:
            if self.chunks:
                return self.chunks.popleft()
            raise TimeoutError

    stuck: Any = Impatient(b"\0\0\0\0\x05abc")
    call = MessageCall(stuck)
    with pytest.raises(TimeoutError):
        await call.read_message()
    assert call.stream.connection.hits["message_time"] == 0
