"""Frames of an exec stream: what a SDK and a supervisor say to each other, end to end; the gateway passes them on.

    frame = kind u8 | length u32 big-endian | payload

The near side sends START (an ExecStart message) first, then STDIN, STDIN_END, RESIZE and SIGNAL. The far side sends
STARTED once the process runs, STDOUT and STDERR, and EXIT (an ExecExit message) last. A command that could not start
has EXIT alone. The payload of STDIN, STDOUT and STDERR is a run of bytes, so its frames may be passed on in pieces
before they are complete: `Decoder` does so, and never copies them. Frames of unknown kind are skipped by the reader.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from pyopenshell.errors import Code, OpenShellError

Buffer = bytes | bytearray | memoryview


class Kind(IntEnum):
    """Kinds of frames; the numbers are the wire's."""

    START = 1
    STDIN = 2
    STDIN_END = 3
    STDOUT = 4
    STDERR = 5
    RESIZE = 6
    SIGNAL = 7
    EXIT = 8
    STARTED = 9


HEADER = struct.Struct("!BI")
SIZE = struct.Struct("!HH")  # RESIZE: columns, rows, as in TIOCSWINSZ
PAYLOAD_MAX = 64 * 1024  # one pipe's worth, pipe(7); also the share of one stream's turn in http2
START_MAX = 1024 * 1024 + PAYLOAD_MAX  # argv and environment at their limit, and room for the encoding

_DATA = frozenset((Kind.STDIN, Kind.STDOUT, Kind.STDERR))


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, or one piece of a data frame."""

    kind: Kind
    payload: Buffer = b""


def header(kind: Kind, length: int) -> bytes:
    """The five bytes before a payload of `length` bytes. Raises ValueError over the limit of the kind."""
    if length > _limit(kind):
        raise ValueError(f"{kind.name} frame of {length} bytes is over the limit of {_limit(kind)}")
    return HEADER.pack(kind, length)


def encode(kind: Kind, payload: Buffer = b"") -> bytes:
    """A whole small frame. For data use `header` and write the payload behind it uncopied."""
    return header(kind, len(payload)) + bytes(payload)


class Decoder:
    """Sans-I/O reader: `feed` bytes in any pieces, get frames. State: the header so far, or what is left of a payload."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._kind = 0
        self._left = 0
        self._body: bytearray | None = None  # collects a payload that is handed out whole; None for data and skipped

    def feed(self, data: Buffer) -> list[Frame]:
        """The frames that `data` completes, and the pieces of data in it. Raises BROKEN for a frame over its limit."""
        view = memoryview(data)
        frames: list[Frame] = []
        while len(view):
            if self._left:
                view = self._payload(view, frames)
                continue
            if not self._header and len(view) >= HEADER.size:
                kind, length = HEADER.unpack_from(view)
                view = view[HEADER.size :]
            else:
                missing = HEADER.size - len(self._header)
                self._header += view[:missing]
                view = view[missing:]
                if len(self._header) < HEADER.size:
                    break
                kind, length = HEADER.unpack(self._header)
                self._header.clear()
            self._begin(kind, length, frames)
        return frames

    @property
    def at_boundary(self) -> bool:
        """Whether the stream may end here: not within a frame."""
        return not self._header and not self._left

    def _begin(self, kind: int, length: int, frames: list[Frame]) -> None:
        if length > _limit(kind):
            raise OpenShellError(Code.BROKEN, f"exec frame of kind {kind} has {length} bytes, over its limit")
        self._kind, self._left = kind, length
        collected = kind in _KNOWN and kind not in _DATA
        self._body = bytearray() if collected else None
        if not length and collected:
            frames.append(Frame(Kind(kind)))

    def _payload(self, view: memoryview, frames: list[Frame]) -> memoryview:
        piece = view[: self._left]
        self._left -= len(piece)
        if self._kind in _DATA:
            frames.append(Frame(Kind(self._kind), piece))
        elif self._body is not None:
            self._body += piece
            if not self._left:
                frames.append(Frame(Kind(self._kind), bytes(self._body)))
                self._body = None
        return view[len(piece) :]


_KNOWN = frozenset(Kind)


def _limit(kind: int) -> int:
    return START_MAX if kind == Kind.START else PAYLOAD_MAX
