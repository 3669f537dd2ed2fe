"""gRPC prefixes: whole, byte by byte, with more behind; sizes at the limit and next to it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyopenshell.http2 import Compressed, MessageReader, Oversized, PrefixFollower, Truncated, encode_prefix

LIMIT = 100


def wire(*messages: bytes) -> bytes:
    return b"".join(encode_prefix(len(message)) + message for message in messages)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(marks)]


def test_prefix() -> None:
    assert encode_prefix(0) == bytes(5)
    assert encode_prefix(2**32 - 1) == bytes.fromhex("00ffffffff")


@pytest.mark.parametrize("messages", [[b""], [b"a"], [b"x" * LIMIT], [b"", b"", b"abc", b"", b"y" * 50]])
def test_three_ways(messages: list[bytes]) -> None:
    data = wire(*messages)
    whole, single, more = MessageReader(LIMIT), MessageReader(LIMIT), MessageReader(LIMIT)
    assert [bytes(m) for m in whole.feed(memoryview(data))] == messages
    pieces = [single.feed(memoryview(data)[at : at + 1]) for at in range(len(data))]
    assert [bytes(m) for got in pieces for m in got] == messages
    assert [bytes(m) for m in more.feed(memoryview(data + b"\0\0\0"))] == messages
    whole.end()
    single.end()
    with pytest.raises(Truncated, match="3 of 5"):
        more.end()


def test_a_message_in_one_chunk_is_a_slice_of_it() -> None:
    data = wire(b"first", b"second")
    first, second = MessageReader(LIMIT).feed(memoryview(data))
    assert first.obj is data and second.obj is data


def test_a_message_in_many_chunks_does_not_hold_them() -> None:
    reader = MessageReader(LIMIT)
    data = wire(b"x" * 20)
    for at in range(len(data) - 1):
        assert reader.feed(memoryview(data[at : at + 1])) == []
    (message,) = reader.feed(memoryview(data[-1:]))
    assert isinstance(message.obj, bytearray) and message == b"x" * 20


@pytest.mark.parametrize("kind", [MessageReader, PrefixFollower])
def test_size_limit(kind: type[MessageReader] | type[PrefixFollower]) -> None:
    for size in (LIMIT - 1, LIMIT):
        kind(LIMIT).feed(memoryview(encode_prefix(size)))
    for size in (LIMIT + 1, 2**32 - 1):
        with pytest.raises(Oversized, match=f"message of {size} bytes, limit {LIMIT}"):
            kind(LIMIT).feed(memoryview(encode_prefix(size)))
        parts, prefix = kind(LIMIT), encode_prefix(size)
        parts.feed(memoryview(prefix[:4]))
        with pytest.raises(Oversized):
            parts.feed(memoryview(prefix[4:]))


@pytest.mark.parametrize("kind", [MessageReader, PrefixFollower])
@pytest.mark.parametrize("flag", [1, 2, 255])
def test_compressed_flag(kind: type[MessageReader] | type[PrefixFollower], flag: int) -> None:
    with pytest.raises(Compressed, match=f"flag {flag} "):
        kind(LIMIT).feed(memoryview(wire(b"a") + bytes([flag, 0, 0, 0, 0])))


@pytest.mark.parametrize("kind", [MessageReader, PrefixFollower])
def test_truncated(kind: type[MessageReader] | type[PrefixFollower]) -> None:
    data = wire(b"hello")
    for length in range(len(data) + 1):
        reader = kind(LIMIT)
        reader.feed(memoryview(data[:length]))
        if length in (0, len(data)):
            reader.end()
        else:
            with pytest.raises(Truncated):
                reader.end()


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=8), st.data())
def test_any_split(messages: list[bytes], draw: st.DataObject) -> None:
    data = wire(*messages)
    marks = {0}
    for message in messages:
        marks.add(max(marks) + 5 + len(message))
    chunks = cut(data, draw.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    reader, follower = MessageReader(LIMIT), PrefixFollower(LIMIT)
    got, done = [], 0
    for chunk in chunks:
        got += reader.feed(memoryview(chunk))
        follower.feed(chunk)
        done += len(chunk)
        assert follower.at_boundary is (done in marks)
    assert [bytes(message) for message in got] == messages
    reader.end()
    follower.end()


def test_repr() -> None:
    reader, follower = MessageReader(9), PrefixFollower(9)
    for each in (reader, follower):
        each.feed(memoryview(wire(b"abcde")[:7]))
    assert repr(reader) == "MessageReader(2 of 5 bytes, 0 bytes of a prefix, limit 9)"
    assert repr(follower) == "PrefixFollower(3 bytes to come, 0 bytes of a prefix, limit 9)"
