"""Messages on a byte stream, each behind its length: a number of 32 bits, big-endian. Sans-I/O.

So PortsSnapshots come from far to near.
"""

from __future__ import annotations

import struct

from pyopenshell.errors import Code, OpenShellError

MESSAGE_MAX = 256 * 1024  # bytes; a snapshot of 256 ports with the longest names takes 40 KiB
_PREFIX = struct.Struct(">I")


def framed(message: bytes) -> bytes:
    """`message` behind its length."""
    return _PREFIX.pack(len(message)) + message


class Unframer:
    """Takes pieces as they come and gives whole messages back; keeps at most one that is not whole."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """The messages that are whole now. Raises BROKEN for one over MESSAGE_MAX."""
        self._held += data
        whole: list[bytes] = []
        at = 0
        while len(self._held) - at >= _PREFIX.size:
            (size,) = _PREFIX.unpack_from(self._held, at)
            if size > MESSAGE_MAX:
                raise OpenShellError(Code.BROKEN, f"a message of {size} bytes is over the limit of {MESSAGE_MAX}")
            end = at + _PREFIX.size + size
            if len(self._held) < end:
                break
            whole.append(bytes(self._held[at + _PREFIX.size : end]))
            at = end
        del self._held[:at]
        return whole

    @property
    def between(self) -> bool:
        """Whether an end now is one between two messages."""
        return not self._held
