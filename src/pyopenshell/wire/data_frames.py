"""The one encoding that relays share: TcpForwardFrame and RelayFrame after their first message, in gRPC's framing.

    message = 0 u8 | length u32 big-endian | field...        field 1 init, field 2 data, field 1001 end (protobuf)

`data_header` makes the bytes before a payload, so that the payload itself is never copied. `DataScanner` reads: payload
comes out as slices of what was fed, as soon as it is there, also when its message is not complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from pyopenshell.errors import Code, OpenShellError

Buffer = bytes | bytearray | memoryview

_PREFIX = Struct(">BL")
_DATA_TAG = 2 << 3 | 2  # field 2, length-delimited
_INIT_FIELD, _DATA_FIELD, _END_FIELD = 1, 2, 1001
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf wire types
_VARINT_MAX = 10  # bytes of a 64-bit varint

#: Payload of one message that we send. The gateway takes 1 MiB (design, decision 1), other peers 4 MiB.
CHUNK = 256 * 1024
#: Largest message that is read: gRPC's default.
MESSAGE_MAX = 4 * 1024 * 1024
#: Largest init: the gateway's limit for a first message.
INIT_MAX = 1024 * 1024

#: `end` (bool, field 1001) set, as a whole message.
END_MESSAGE = _PREFIX.pack(0, 3) + b"\xc8\x3e\x01"


@dataclass(frozen=True, slots=True)
class Init:
    """A serialized init message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end of the direction, in band."""


Piece = memoryview | Init | End


def data_header(n: int) -> bytes:
    """What stands before `n` bytes of payload (0 < n) in one message."""
    length = bytearray()
    left = n
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    length.append(left)
    return b"%b%c%b" % (_PREFIX.pack(0, 1 + len(length) + n), _DATA_TAG, bytes(length))


class DataScanner:
    """Sans-I/O reader. State: what is left of the message, of the field in it, and the bytes of a header cut in two."""

    def __init__(self, limit: int = MESSAGE_MAX) -> None:
        self._limit = limit
        self._message = 0  # bytes of the message that were not scanned yet
        self._field = 0  # number of the field whose bytes come now; meaningful while _left
        self._left = 0  # bytes of that field to come
        self._init: bytearray | None = None
        self._cut = bytearray()  # first bytes of a prefix or field header

    @property
    def at_boundary(self) -> bool:
        """Whether the direction may end here: not within a message."""
        return not self._message and not self._cut

    def feed(self, data: Buffer) -> list[Piece]:
        """The pieces in `data`, in order; payload as slices of it. Raises BROKEN for what is no such message."""
        view = memoryview(data)
        pieces: list[Piece] = []
        at, size = 0, len(view)
        while at < size:
            if self._left:
                at = self._body(view, at, pieces)
            elif self._cut:
                self._cut.append(view[at])
                at += 1
                if self._header(memoryview(bytes(self._cut)), 0, pieces):
                    self._cut.clear()
            else:
                used = self._header(view, at, pieces)
                if not used:
                    self._cut += view[at:]
                    break
                at += used
        return pieces

    def _header(self, view: memoryview, at: int, pieces: list[Piece]) -> int:
        """Read the prefix or field header at `at`; the bytes it has, or 0 when it is cut off."""
        if not self._message:
            if len(view) - at < _PREFIX.size:
                return 0
            compressed, length = _PREFIX.unpack_from(view, at)
            if compressed:
                raise _fault("is compressed")
            if length > self._limit:
                raise _fault(f"has {length} bytes, over the limit of {self._limit}")
            self._message = length
            return _PREFIX.size
        end = min(len(view), at + self._message)
        tag, after = _varint(view, at, end)
        value, used = (0, after) if tag & 7 in (_FIXED64, _FIXED32) else _varint(view, after, end) if after else (0, 0)
        if not used:
            if end - at >= self._message:
                raise _fault("ends inside a field")
            return 0
        self._message -= used - at
        self._begin(tag >> 3, tag & 7, value, pieces)
        return used - at

    def _begin(self, field: int, kind: int, value: int, pieces: list[Piece]) -> None:
        if kind == _VARINT:
            if field == _END_FIELD and value:
                pieces.append(End())
            return
        size = {_BYTES: value, _FIXED64: 8, _FIXED32: 4}.get(kind)
        if size is None or size > self._message:
            raise _fault("has a field that does not fit")
        self._field, self._left = (field if kind == _BYTES else 0), size
        if self._field == _INIT_FIELD:
            if size > INIT_MAX:
                raise _fault("has an init over the limit")
            self._init = bytearray()
            if not size:
                pieces.append(Init(b""))

    def _body(self, view: memoryview, at: int, pieces: list[Piece]) -> int:
        piece = view[at : at + self._left]
        size = len(piece)
        self._left -= size
        self._message -= size
        if self._field == _DATA_FIELD:
            pieces.append(piece)
        elif self._field == _INIT_FIELD and self._init is not None:
            self._init += piece
            if not self._left:
                pieces.append(Init(bytes(self._init)))
        return at + size


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """Value and the position behind it; position 0 when it is cut off at `end`."""
    value = shift = 0
    while at < end:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift >= 7 * _VARINT_MAX:
            raise _fault("has a number that is too long")
    return 0, 0


def _fault(what: str) -> OpenShellError:
    return OpenShellError(Code.BROKEN, f"a message of the relay {what}")
