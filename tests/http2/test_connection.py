"""The connection as its owner sees it: greeting, preface, windows that the owner sets, repr."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import Connection, ConnectionTerminated, ErrorCode, HeadersReceived, LocalError, Role
from tests.support import http2_peer as peer
from tests.support.http2_peer import PREFACE, REQUEST, Sent, client, data, ping, server, settings, split


@pytest.mark.parametrize("role", Role)
def test_the_greeting(role: Role) -> None:
    connection = Connection(role)
    assert connection.want_write and not connection.established
    wire = b"".join(connection.take(0))
    if role is Role.CLIENT:
        assert wire.startswith(PREFACE)
        wire = wire[len(PREFACE) :]
    first, second = split(wire)
    assert (first.kind, first.flags) == (peer.SETTINGS, 0)
    assert second == Sent(peer.WINDOW_UPDATE, 0, 0, (2**31 - 65_536).to_bytes(4, "big"))


@pytest.mark.parametrize("size", [1, 5, 24, 1000])
def test_the_preface_in_any_pieces(size: int) -> None:
    connection = Connection(Role.SERVER)
    wire = PREFACE + settings() + ping()
    for at in range(0, len(wire), size):
        assert connection.receive(wire[at : at + size], 0.0) == []
        assert connection.established is (at + size >= len(PREFACE) + 9)


@pytest.mark.parametrize(
    "wire", [b"GET / HTTP/1.1\r\n\r\n", b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", b"\x16\x03\x01"]
)
@pytest.mark.parametrize("size", [1, 100])
def test_another_protocol(wire: bytes, size: int) -> None:
    connection = Connection(Role.SERVER)
    events = [event for at in range(0, len(wire), size) for event in connection.receive(wire[at : at + size], 0.0)]
    if wire == b"P":
        assert events == []
        (event,) = connection.receive_eof()
    else:
        (event,) = events
    assert isinstance(event, ConnectionTerminated) and event.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer(kind: type) -> None:
    hand = server()
    assert hand.engine.receive(kind(hand.request(1)), 0.0) == [HeadersReceived(1, REQUEST, False, False)]


def test_windows_of_the_owner() -> None:
    hand = server()
    hand.feed(hand.request(1), data(1, bytes(100)))
    hand.sent()
    hand.engine.set_window(1, 2**20)
    assert hand.sent() == [Sent(peer.WINDOW_UPDATE, 0, 1, (2**20 - 2**16).to_bytes(4, "big"))]
    hand.engine.set_window(1, 2**16)
    hand.engine.give_back(1, 100)
    assert hand.sent() == []
    hand.engine.reset(1, ErrorCode.CANCEL)
    hand.sent()
    hand.engine.set_window(1, 2**20)
    hand.engine.give_back(1, 100)
    assert hand.sent() == []


@pytest.mark.parametrize(("size", "sound"), [(0, False), (1, True), (2**31 - 1, True), (2**31, False)])
def test_window_bounds(size: int, sound: bool) -> None:
    hand = server()
    hand.feed(hand.request(1))
    if sound:
        hand.engine.set_window(1, size)
    else:
        with pytest.raises(LocalError, match="window of"):
            hand.engine.set_window(1, size)


@pytest.mark.parametrize(("n", "sound"), [(-1, False), (0, True), (4, True), (5, False)])
def test_not_more_is_given_back_than_came(n: int, sound: bool) -> None:
    hand = server()
    hand.feed(hand.request(1), data(1, b"abcd"))
    if sound:
        hand.engine.give_back(1, n)
    else:
        with pytest.raises(LocalError, match="4 received"):
            hand.engine.give_back(1, n)


def test_ping() -> None:
    hand = client()
    hand.engine.ping(b"12345678")
    assert hand.sent()[-1] == Sent(peer.PING, 0, 0, b"12345678")
    for payload in (b"1234567", b"123456789"):
        with pytest.raises(LocalError, match="PING"):
            hand.engine.ping(payload)


def test_repr_shows_the_state() -> None:
    hand = server()
    hand.feed(hand.request(1, end=True), data(3, b"")[:5])
    assert repr(hand.engine) == (
        "Connection(server, running, FrameReader(in a frame header, 4 bytes to come), Outbox(send window 65535,"
        " 0 control frames, 0 streams ready, 0 starved), Streams([Stream(1, HALF_CLOSED_REMOTE, receive window 65536"
        " of 65536, 0 held, send window 65535, 0 unsent)], newest 1, 0 ended ones remembered))"
    )
