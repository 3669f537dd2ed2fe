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
        raise NotImplementedError

    def feed(self, data: memoryview) -> list[memoryview]:
        """Take the next chunk; return the messages that it completes. Raises Oversized, Compressed."""
        raise NotImplementedError

    def end(self) -> None:
        """The direction ended. Raises Truncated inside a message or prefix."""
        raise NotImplementedError


class PrefixFollower:
    """Follows the prefixes through raw bytes, so that a relay knows when it stands between two messages."""

    def __init__(self, limit: int) -> None:
        """`limit`: largest message in bytes, without prefix."""
        raise NotImplementedError

    def feed(self, data: memoryview | bytes) -> None:
        """Take the next chunk. Raises Oversized, Compressed; then the chunk must not be passed on."""
        raise NotImplementedError

    @property
    def at_boundary(self) -> bool:
        """Whether everything fed so far ends with a whole message (or nothing was fed)."""
        raise NotImplementedError

    def end(self) -> None:
        """The direction ended. Raises Truncated inside a message or prefix."""
        raise NotImplementedError
