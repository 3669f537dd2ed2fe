from __future__ import annotations

import asyncio

import pytest

from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.streams import ExecChannel, StreamBroken, pair
from pyopenshell.wire.convert import exec_spec
from pyopenshell.wire.exec_frames import HEADER, PAYLOAD_MAX, Frame, Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


async def collect(channel: ExecChannel) -> list[Frame]:
    frames = []
    while (frame := await channel.receive()) is not None:
        frames.append(frame)
    return frames


async def test_a_whole_conversation() -> None:
    one, two = pair()
    near, far = ExecChannel(one), ExecChannel(two)
    spec = ExecSpec(("cat",), {"A": "b"}, terminal=TerminalSize(100, 30))
    await near.start(spec)
    await near.stdin(b"input")
    await near.resize(TerminalSize(300, 2))
    await near.signal(15)
    await near.stdin_end()
    await near.stream.end()
    start, *rest = await collect(far)
    assert exec_spec(pb.ExecStart.FromString(bytes(start.payload))) == spec
    assert rest == [
        Frame(Kind.STDIN, memoryview(b"input")),
        Frame(Kind.RESIZE, b"\x01\x2c\x00\x02"),
        Frame(Kind.SIGNAL, b"\x0f"),
        Frame(Kind.STDIN_END),
    ]
    await far.started()
    await far.stdout(b"out")
    await far.stderr(b"err")
    await far.exit(pb.ExecExit(signal=9))
    frames = await collect(near)
    assert [(frame.kind, bytes(frame.payload)) for frame in frames] == [
        (Kind.STARTED, b""),
        (Kind.STDOUT, b"out"),
        (Kind.STDERR, b"err"),
        (Kind.EXIT, pb.ExecExit(signal=9).SerializeToString()),
    ]
    assert await near.receive() is None


async def test_data_of_any_length_is_cut_into_frames() -> None:
    one, two = pair()
    near, far = ExecChannel(one), ExecChannel(two)
    data = bytes(range(256)) * 1000

    async def send() -> None:
        await near.stdin(data)
        await near.stdin(b"")
        await near.stream.end()

    sending = asyncio.create_task(send())
    frames = await collect(far)
    await sending
    assert len(data) > 3 * PAYLOAD_MAX
    assert b"".join(bytes(frame.payload) for frame in frames) == data


async def test_frames_of_many_senders_are_never_mixed() -> None:
    one, two = pair(capacity=1000)
    near, far = ExecChannel(one), ExecChannel(two)
    block = 3 * PAYLOAD_MAX

    async def send() -> None:
        await asyncio.gather(far.stdout(b"o" * block), far.stderr(b"e" * block), far.started())
        await far.exit(pb.ExecExit(code=0))

    sending = asyncio.create_task(send())
    frames = await collect(near)
    await sending
    for kind, letter in ((Kind.STDOUT, b"o"), (Kind.STDERR, b"e")):
        assert b"".join(bytes(frame.payload) for frame in frames if frame.kind is kind) == letter * block


async def test_an_end_inside_a_frame_is_a_break() -> None:
    one, two = pair()
    await one.write(HEADER.pack(Kind.STDOUT, 5) + b"abc")
    await one.end()
    channel = ExecChannel(two)
    assert await channel.receive() == Frame(Kind.STDOUT, memoryview(b"abc"))
    with pytest.raises(StreamBroken, match="inside a frame"):
        await channel.receive()


async def test_a_frame_over_its_limit_is_a_break() -> None:
    one, two = pair()
    await one.write(HEADER.pack(Kind.STDOUT, PAYLOAD_MAX + 1))
    with pytest.raises(StreamBroken, match="over its limit"):
        await ExecChannel(two).receive()
