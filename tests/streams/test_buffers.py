from __future__ import annotations

from pyopenshell.streams.buffers import ReceiveBuffer


def test_what_is_kept_is_never_filled_again() -> None:
    buffer = ReceiveBuffer(size=16, least=4)
    kept = []
    for number in range(1, 20):
        room = buffer.room()
        assert isinstance(room, memoryview)
        room[:3] = bytes((number,)) * 3
        kept.append(buffer.filled(3))
        buffer.keep(3)
    assert [bytes(piece) for piece in kept] == [bytes((number,)) * 3 for number in range(1, 20)]


def test_what_is_not_kept_is_used_again() -> None:
    buffer = ReceiveBuffer(size=16, least=4)
    first = buffer.room()
    first[:2] = b"ab"
    assert bytes(buffer.filled(2)) == b"ab"
    assert buffer.room().obj is first.obj
    assert len(buffer.room()) == 16


def test_room_is_never_less_than_promised() -> None:
    buffer = ReceiveBuffer(size=16, least=4)
    buffer.keep(12)
    assert len(buffer.room()) == 4
    buffer.keep(1)
    assert len(buffer.room()) == 16
