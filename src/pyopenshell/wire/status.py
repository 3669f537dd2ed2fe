"""The one table between our error codes and gRPC status, read in both directions, and the text of a status message.

A hint travels inside the message text (`message (hint)`). On the wire `grpc-message` is percent-encoded (gRPC over
HTTP/2, "Responses"). Text that a peer sent is stripped of control characters before anyone is shown it.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import IntEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.text import clean as show


class GrpcStatus(IntEnum):
    """Status codes of gRPC (grpc/doc/statuscodes.md)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


#: Code of ours, the status sent for it, and the statuses that are read as it.
TABLE: tuple[tuple[Code, GrpcStatus, tuple[GrpcStatus, ...]], ...] = (
    (Code.INVALID, GrpcStatus.INVALID_ARGUMENT, (GrpcStatus.OUT_OF_RANGE,)),
    (Code.UNAUTHENTICATED, GrpcStatus.UNAUTHENTICATED, ()),
    (Code.FORBIDDEN, GrpcStatus.PERMISSION_DENIED, ()),
    (Code.NOT_FOUND, GrpcStatus.NOT_FOUND, ()),
    (Code.CONFLICT, GrpcStatus.ALREADY_EXISTS, ()),
    (Code.PRECONDITION, GrpcStatus.FAILED_PRECONDITION, (GrpcStatus.UNIMPLEMENTED,)),
    (Code.EXHAUSTED, GrpcStatus.RESOURCE_EXHAUSTED, ()),
    (Code.UNAVAILABLE, GrpcStatus.UNAVAILABLE, ()),
    (Code.DEADLINE, GrpcStatus.DEADLINE_EXCEEDED, ()),
    (Code.BROKEN, GrpcStatus.ABORTED, (GrpcStatus.CANCELLED, GrpcStatus.DATA_LOSS)),
    (Code.INTERNAL, GrpcStatus.INTERNAL, (GrpcStatus.UNKNOWN,)),
)
_STATUS_OF = {code: status for code, status, _ in TABLE}
_CODE_OF = {read: code for code, status, others in TABLE for read in (status, *others)}

#: Bytes of a status message that are sent; HTTP/2 peers commonly take 8 KiB of headers in all.
MESSAGE_MAX = 2048

Header = tuple[bytes, bytes]
#: Where a google.rpc.Status travels beside its status.
DETAILS = b"grpc-status-details-bin"

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


class RemoteError(OpenShellError):
    """An error that a peer answered with. `status` is the gRPC status as it was sent, for those who must tell
    UNIMPLEMENTED (the peer does not know this call) from other preconditions."""

    def __init__(self, status: GrpcStatus, message: str) -> None:
        super().__init__(code_of(status), message)
        self.status = status


def status_of(code: Code) -> GrpcStatus:
    """The status that is sent for `code`."""
    return _STATUS_OF[code]


def code_of(status: GrpcStatus) -> Code:
    """The code that `status` is read as. OK has none: KeyError."""
    return _CODE_OF[status]


def status_of_error(error: OpenShellError) -> tuple[GrpcStatus, str]:
    """Status and message text (with the hint in it) that tell `error` to a peer."""
    return (error.status if isinstance(error, RemoteError) else status_of(error.code)), str(error)


def error_of_status(status: int, message: str, what: str = "") -> RemoteError:
    """The error for a status other than OK that a peer sent; an unknown number is UNKNOWN.

    `message` is a peer's text and is cleaned here; `what` (ours: "the gateway") stands in where it is empty.
    """
    try:
        known = GrpcStatus(status)
    except ValueError:
        known = GrpcStatus.UNKNOWN
    if known is GrpcStatus.OK:
        known = GrpcStatus.UNKNOWN
    words = known.name.lower().replace("_", " ")
    return RemoteError(known, clean(message) or f"{what or 'the peer'} answered {words}")


def clean(text: str, limit: int = MESSAGE_MAX) -> str:
    """`text` of a peer made fit to be shown: control and direction characters escaped, at most `limit` characters of it."""
    return show(text.strip(), limit)


def status_fields(status: GrpcStatus, message: str = "", details: bytes = b"") -> list[Header]:
    """The header fields that tell a status; `details` is a serialized google.rpc.Status."""
    fields = [(b"grpc-status", b"%d" % status)]
    if message:
        fields.append((b"grpc-message", encode_message(message)))
    if details:
        fields.append((DETAILS, base64.b64encode(details).rstrip(b"=")))
    return fields


def decode_details(value: bytes) -> bytes:
    """The serialized google.rpc.Status in a `grpc-status-details-bin` field; empty where the field is not base64."""
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return b""  # details only add to a status, which stands without them


def encode_message(text: str) -> bytes:
    """`text` percent-encoded for the `grpc-message` header; at most MESSAGE_MAX bytes of UTF-8 are kept."""
    # Cut between characters: what a cut left of the last one is ignored.
    raw = text.encode("utf-8", "replace")[:MESSAGE_MAX].decode("utf-8", "ignore").encode()
    value = b"".join(bytes((b,)) if 0x20 <= b <= 0x7E and b != 0x25 else b"%%%02X" % b for b in raw)
    # No field value begins or ends with white space (RFC 9113 section 8.2.1).
    inner = value.strip(b" ")
    if not inner:
        return b"%20" * len(value)
    at = value.index(inner)
    return b"%20" * at + inner + b"%20" * (len(value) - at - len(inner))


def decode_message(value: bytes) -> str:
    """The text of a `grpc-message` header; what is not valid percent-encoding or UTF-8 is kept as well as can be."""
    raw = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), value)
    return raw.decode("utf-8", "replace")
