"""gRPC's length-prefixed messages in a byte stream: compressed flag (1 byte), length (4 bytes, big-endian), message.

`MessageReader` takes messages out; `PrefixFollower` only follows where they begin and end, for a relay that passes the
bytes on. Both are told chunks split anywhere. A length is believed only as far as bytes come: nothing is allocated for
what a prefix promises. (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message")
"""

from __future__ import annotations

from struct import Struct

_PREFIX = Struct(">BL")
PREFIX_BYTES = _PREFIX.size


class MessageError(Exception):
    """The peer's message framing is broken; the call cannot go on."""


class Oversized(MessageError):
    """A prefix announces more than the limit (RESOURCE_EXHAUSTED)."""


class Compressed(MessageError):
    """The compressed flag is set though no compression was agreed on (UNIMPLEMENTED), or is neither 0 nor 1."""


class Truncated(MessageError):
    """The direction ended inside a message."""


def encode_prefix(n: int) -> bytes:
    """The 5 bytes before an uncompressed message of `n` bytes, 0 <= n < 2^32."""
    return _PREFIX.pack(0, n)


class MessageReader:
    """Takes whole messages out of a byte stream.

    A message that lies in one chunk comes back as a slice of that chunk; one that spans chunks is joined once.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: largest message in bytes, without prefix."""
        self._limit = limit
        self._prefix = b""  # a part of a prefix
        self._body: bytearray | None = None  # a part of a message
        self._length = 0  # of that message

    def feed(self, data: memoryview) -> list[memoryview]:
        """Take the next chunk; return the messages that it completes. Raises Oversized, Compressed."""
        messages: list[memoryview] = []
        pos, end = 0, len(data)
        while True:
            if self._body is not None:
                stop = min(end, pos + self._length - len(self._body))
                self._body += data[pos:stop]
                pos = stop
                if len(self._body) < self._length:
                    return messages
                messages.append(memoryview(self._body))
                self._body = None
            start = pos + PREFIX_BYTES - len(self._prefix)
            if start > end:
                self._prefix += data[pos:end]
                return messages
            if self._prefix:
                length = _length(self._prefix + data[pos:start], 0, self._limit)
                self._prefix = b""
            else:
                length = _length(data, pos, self._limit)
            pos = start + length
            if pos <= end:
                messages.append(data[start:pos])
            else:
                self._length = length
                self._body = bytearray()
                pos = start

    def end(self) -> None:
        """The direction ended. Raises Truncated inside a message or prefix."""
        if self._body is not None:
            raise Truncated(f"the stream ended after {len(self._body)} of {self._length} bytes of a message")
        if self._prefix:
            raise Truncated(f"the stream ended after {len(self._prefix)} of {PREFIX_BYTES} bytes of a message prefix")

    def __repr__(self) -> str:
        inside = "between messages" if self._body is None else f"{len(self._body)} of {self._length} bytes"
        return f"MessageReader({inside}, {len(self._prefix)} bytes of a prefix, limit {self._limit})"


class PrefixFollower:
    """Follows the prefixes through raw bytes, so that a relay knows when it stands between two messages."""

    def __init__(self, limit: int) -> None:
        """`limit`: largest message in bytes, without prefix."""
        self._limit = limit
        self._prefix = b""
        self._left = 0  # bytes of the current message still to come

    def feed(self, data: memoryview | bytes) -> None:
        """Take the next chunk. Raises Oversized, Compressed; then the chunk must not be passed on."""
        pos, end = self._left, len(data)
        while pos < end:
            start = pos + PREFIX_BYTES - len(self._prefix)
            if start > end:
                self._prefix += bytes(data[pos:])
                pos = end
            elif self._prefix:
                pos = start + _length(self._prefix + bytes(data[pos:start]), 0, self._limit)
                self._prefix = b""
            else:
                pos = start + _length(data, pos, self._limit)
        self._left = pos - end

    @property
    def at_boundary(self) -> bool:
        """Whether everything fed so far ends with a whole message (or nothing was fed)."""
        return not (self._left or self._prefix)

    def end(self) -> None:
        """The direction ended. Raises Truncated inside a message or prefix."""
        if self._left:
            raise Truncated(f"the stream ended {self._left} bytes before the end of a message")
        if self._prefix:
            raise Truncated(f"the stream ended after {len(self._prefix)} of {PREFIX_BYTES} bytes of a message prefix")

    def __repr__(self) -> str:
        return f"PrefixFollower({self._left} bytes to come, {len(self._prefix)} bytes of a prefix, limit {self._limit})"


def _length(data: memoryview | bytes, at: int, limit: int) -> int:
    flag, length = _PREFIX.unpack_from(data, at)
    if flag:
        raise Compressed(f"compressed flag {flag} of a message, and no compression was agreed on")
    if length > limit:
        raise Oversized(f"message of {length} bytes, limit {limit}")
    return int(length)
