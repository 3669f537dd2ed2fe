"""The three framings above HTTP/2: gRPC's messages, exec frames, and the data messages of relays.

Each is read cut anywhere and must give what a slow reading of the whole gives; a fault comes at the same place; nothing
but the documented fault is raised; and nothing is kept beyond the bytes of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.grpc_messages import (
    Compressed,
    MessageError,
    MessageReader,
    Oversized,
    PrefixFollower,
    Truncated,
    encode_prefix,
)
from pyopenshell.wire import data_frames, exec_frames
from pyopenshell.wire.data_frames import INIT_MAX, DataScanner, End, Init
from pyopenshell.wire.exec_frames import PAYLOAD_MAX, START_MAX, Decoder, Kind
from tests.fuzz.choices import Step, pieces, steps

CUTS: tuple[tuple[int, ...], ...] = (
    (),
    (1,),
    (5,),
    (6,),
    (4, 1),
    (3, 7, 2),
    (2, 30),
    (100,),
    (5, 10_000),
    (4_097,),
    (4,),
)
LIMIT = 3_000
T = TypeVar("T")


class Fault(Exception):
    """What the whole is refused for."""


def _wire(program: bytes, say: Callable[[Step], bytes]) -> tuple[bytes, tuple[int, ...]]:
    program_steps = steps(program)
    first = next(program_steps, Step(b""))
    wire = b"".join(say(step) for step in program_steps)
    return wire[: len(wire) - first.byte() % 9] if first.flip() else wire, first.pick(CUTS)


def _fill(step: Step, length: int) -> bytes:
    mark = step.byte()
    return bytes((mark + n) % 251 for n in range(min(length, 64))).ljust(length, b"%c" % mark)


# -- gRPC's messages ----------------------------------------------------------------------------------------------------


def _message(step: Step) -> bytes:
    what = step.what % 32
    if what == 0:
        return step.rest
    length = step.pick((0, 1, 2, 5, 6, 100, 1_000, LIMIT - 1, LIMIT))
    if what == 1:
        return bytes([step.byte() % 3]) + step.pick((LIMIT + 1, 2**32 - 1, LIMIT, 5)).to_bytes(4, "big")
    return encode_prefix(length) + _fill(step, length)


def _read_messages(wire: bytes) -> tuple[list[bytes], type[MessageError] | None, bool]:
    found: list[bytes] = []
    at = 0
    while len(wire) - at >= 5:
        length = int.from_bytes(wire[at + 1 : at + 5], "big")
        if wire[at]:
            return found, Compressed, False
        if length > LIMIT:
            return found, Oversized, False
        if len(wire) - at - 5 < length:
            return found, None, False
        found.append(wire[at + 5 : at + 5 + length])
        at += 5 + length
    return found, None, at == len(wire)


def messages(program: bytes) -> None:
    """`MessageReader` and `PrefixFollower`; raises AssertionError where they are wrong."""
    wire, cuts = _wire(program, _message)
    expected, fault, whole = _read_messages(wire)
    reader, follower = MessageReader(LIMIT), PrefixFollower(LIMIT)
    got: list[bytes] = []
    verdict: type[MessageError] | None = None
    for piece in pieces(wire, cuts):
        try:
            got += [bytes(message) for message in reader.feed(memoryview(piece))]
        except MessageError as error:
            verdict = type(error)
        try:
            follower.feed(piece)
        except MessageError as error:
            assert type(error) is verdict, f"the follower refuses with {error!r}, the reader with {verdict}"
        else:
            assert verdict is None, "the follower takes what the reader refuses"
        if verdict:
            break
    assert verdict is fault, f"refused with {verdict}, expected {fault}"
    if fault is not None:
        assert got == expected[: len(got)], "other messages than were sent"
        return
    assert got == expected, "other messages than were sent"
    assert follower.at_boundary is whole
    for one in (reader, follower):
        try:
            one.end()
        except Truncated:
            assert not whole, "an end between two messages is refused"
        else:
            assert whole, "an end inside a message is taken"


# -- exec frames --------------------------------------------------------------------------------------------------------

_DATA = (Kind.STDIN, Kind.STDOUT, Kind.STDERR)


def _exec(step: Step) -> bytes:
    what = step.what % 32
    if what == 0:
        return step.rest
    kind = step.pick((2, 4, 5, 1, 2, 4, 3, 6, 7, 8, 9, 0, 10, 255))
    if what == 1:
        length = step.pick((PAYLOAD_MAX + 1, START_MAX + 1, 2**32 - 1, 5))
        return exec_frames.HEADER.pack(kind, length) + bytes(10)
    length = PAYLOAD_MAX if step.flip(40) else step.pick((0, 1, 4, 5, 6, 100, 1_000, 4, 0, 1, 2, 3))
    return exec_frames.HEADER.pack(kind, length) + _fill(step, length)


def _read_exec(wire: bytes) -> tuple[list[tuple[int, bytes]], bool, bool]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while len(wire) - at >= 5:
        kind, length = wire[at], int.from_bytes(wire[at + 1 : at + 5], "big")
        if length > (START_MAX if kind == Kind.START else PAYLOAD_MAX):
            return found, True, False
        payload = wire[at + 5 : at + 5 + length]
        at += 5 + length
        if kind in _DATA or (at <= len(wire) and 1 <= kind <= 9):
            found.append((kind, payload))
    return found, False, at == len(wire)


def _joined(frames: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Runs of one kind of data put together, empty ones left out."""
    out: list[tuple[int, bytes]] = []
    for kind, payload in frames:
        if kind in _DATA and not payload:
            continue
        if kind in _DATA and out and out[-1][0] == kind:
            out[-1] = (kind, out[-1][1] + payload)
        else:
            out.append((kind, payload))
    return out


def exec_stream(program: bytes) -> None:
    """The decoder of exec frames; raises AssertionError where it is wrong."""
    wire, cuts = _wire(program, _exec)
    expected, fault, whole = _read_exec(wire)
    decoder, got, refused = Decoder(), list[tuple[int, bytes]](), False
    for piece in pieces(wire, cuts):
        try:
            for frame in decoder.feed(piece):
                assert frame.payload or frame.kind not in _DATA
                got.append((int(frame.kind), bytes(frame.payload)))
        except OpenShellError as error:
            assert error.code is Code.BROKEN
            refused = True
            break
    assert refused is fault, "refused" if refused else "a frame over its limit is taken"
    if fault:
        _a_beginning(_joined(got), _joined(expected))
        return
    assert _joined(got) == _joined(expected), "other frames than were sent"
    assert decoder.at_boundary is whole


def _a_beginning(got: list[tuple[int, bytes]], expected: list[tuple[int, bytes]]) -> None:
    """What was told before a fault: whole items in order, of the last one perhaps a part."""
    if got:
        kind, payload = got[-1]
        assert got[:-1] == expected[: len(got) - 1]
        assert expected[len(got) - 1][0] == kind
        assert expected[len(got) - 1][1].startswith(payload)


# -- data messages ------------------------------------------------------------------------------------------------------


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def _field(step: Step) -> bytes:
    number = step.pick((2, 2, 2, 2, 1, 1001, 7, 2_000_000))
    kind = step.pick((2, 2, 2, 2, 2, 0, 0, 1, 5, 2, 2, 2, 2, 2, 2, 3))
    body = _fill(step, step.pick((0, 1, 2, 5, 100, 1_000)))
    head = _varint(number << 3 | kind)
    return head + {0: _varint(len(body)), 1: bytes(8), 5: bytes(4)}.get(kind, _varint(len(body)) + body)


def _data(step: Step) -> bytes:
    what = step.what % 32
    if what == 0:
        return step.rest
    if what == 1:
        return (
            bytes([step.byte() % 3])
            + step.pick((LIMIT + 1, 2**32 - 1, 3, 12)).to_bytes(4, "big")
            + bytes(step.byte() % 16)
        )
    if what == 2:
        return data_frames.END_MESSAGE
    if what < 10:
        body = _fill(step, step.pick((1, 5, 127, 128, 1_000, LIMIT - 3)))
        return data_frames.data_header(len(body)) + body
    body = _field(step) if what < 28 else _field(step) + _field(Step(b"\0" + step.rest))
    if what == 30:
        body = body[: -1 - step.byte() % 3] if len(body) > 4 else body
    return encode_prefix(len(body)) + body


def _read_varint(view: bytes) -> tuple[int, bytes]:
    value = 0
    for at, byte in enumerate(view):
        if at == 10:
            raise Fault
        value |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            return value, view[at + 1 :]
    raise Fault if len(view) >= 10 else IndexError


def _read_data(wire: bytes) -> tuple[list[tuple[int, bytes]], bool, bool]:
    """Pieces (1 init, 2 data, 3 end), whether it is refused, whether it ends between two messages."""
    found: list[tuple[int, bytes]] = []
    while len(wire) >= 5:
        length = int.from_bytes(wire[1:5], "big")
        if wire[0] or length > LIMIT:
            return found, True, False
        body, whole, wire = wire[5 : 5 + length], len(wire) >= 5 + length, wire[5 + length :]
        left = length  # bytes of the message from `body` on, here or not
        while left:
            try:
                tag, rest = _read_varint(body)
                kind, number = tag & 7, tag >> 3
                value = 0
                if kind not in (1, 5):
                    value, rest = _read_varint(rest)
            except Fault:
                return found, True, False
            except IndexError:
                return (found, True, False) if whole else (found, False, False)
            left -= len(body) - len(rest)
            size = {0: 0, 1: 8, 2: value, 5: 4}.get(kind)
            if size is None or size > left or (number == 1 and kind == 2 and size > INIT_MAX):
                return found, True, False
            payload, complete = rest[:size], len(rest) >= size
            if kind == 0 and number == 1001 and value:
                found.append((3, b""))
            elif kind == 2 and number == 2 and payload:
                found.append((2, payload))
            elif kind == 2 and number == 1 and complete:
                found.append((1, payload))
            left -= size
            body = rest[size:]
            if not complete:
                return found, False, False
        if not whole:
            return found, False, False
    return found, False, not wire


def data_stream(program: bytes) -> None:
    """The scanner of data messages; raises AssertionError where it is wrong."""
    wire, cuts = _wire(program, _data)
    expected, fault, whole = _read_data(wire)
    scanner, got, refused = DataScanner(LIMIT), list[tuple[int, bytes]](), False
    for piece in pieces(wire, cuts):
        try:
            for one in scanner.feed(piece):
                if isinstance(one, Init):
                    got.append((1, one.data))
                elif isinstance(one, End):
                    got.append((3, b""))
                else:
                    assert len(one), "an empty piece"
                    got.append((2, bytes(one)))
            assert len(scanner._cut) <= 20, "more is kept than one header"
        except OpenShellError as error:
            assert error.code is Code.BROKEN
            refused = True
            break
    assert refused is fault, f"refused: {refused}, expected: {fault}"
    if fault:
        _a_beginning(_runs(got), _runs(expected))
        return
    assert _runs(got) == _runs(expected), f"read {got}, expected {expected}"
    assert scanner.at_boundary is whole


def _runs(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    out: list[tuple[int, bytes]] = []
    for kind, payload in found:
        if kind == 2 and out and out[-1][0] == 2:
            out[-1] = (2, out[-1][1] + payload)
        else:
            out.append((kind, payload))
    return out
