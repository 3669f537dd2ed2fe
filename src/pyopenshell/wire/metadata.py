"""Metadata and timeouts of gRPC as HTTP/2 header fields (grpc/doc/PROTOCOL-HTTP2.md, "Requests").

Keys are lower case. The value of a key that ends in `-bin` is bytes and travels as base64; every other value is
printable ASCII. The values of a key sent more than once are joined with commas, text and bytes, so a doubled
`authorization` matches no token.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from math import ceil

from pyopenshell.errors import Code, OpenShellError

Metadata = Mapping[str, str | bytes]
MetadataItems = Iterable[tuple[str, str | bytes]]
Header = tuple[bytes, bytes]

_KEY = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"(?! )[\x20-\x7e]*(?<! )")
#: Header fields that belong to the protocol and are no metadata.
RESERVED = frozenset((b"te", b"content-type", b"user-agent"))

#: Unit letters of `grpc-timeout` and their seconds.
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_DIGITS_MAX = 99_999_999  # eight digits, "TimeoutValue"


def encode_metadata(items: MetadataItems) -> list[Header]:
    """Header fields for `items`. Raises INVALID for a key or value that cannot travel; the value is not in the message."""
    headers = []
    for key, value in items:
        if not _KEY.fullmatch(key) or key.startswith("grpc-"):
            raise OpenShellError(Code.INVALID, f"metadata key {key[:80]!r} is not valid")
        if key.endswith("-bin"):
            raw = value if isinstance(value, bytes) else value.encode()
            headers.append((key.encode(), base64.b64encode(raw).rstrip(b"=")))
        elif isinstance(value, str) and _VALUE.fullmatch(value):
            headers.append((key.encode(), value.encode()))
        else:
            raise OpenShellError(
                Code.INVALID, f"the value of metadata {key!r} is not printable ASCII without a space at an end"
            )
    return headers


def decode_metadata(headers: Iterable[Header]) -> dict[str, str | bytes]:
    """The metadata in `headers`, without pseudo-header fields, `grpc-*` and RESERVED. Raises INVALID for bad base64."""
    found: dict[str, str | bytes] = {}
    for name, value in headers:
        if name[:1] == b":" or name[:5] == b"grpc-" or name in RESERVED:
            continue
        key = name.decode("ascii", "replace")
        if key.endswith("-bin"):
            raw = b",".join(_decode_binary(key, part.strip(b" ")) for part in value.split(b","))
            before = found.get(key)
            found[key] = before + b"," + raw if isinstance(before, bytes) else raw
        else:
            text = value.decode("ascii", "replace")
            held = found.get(key)
            found[key] = f"{held},{text}" if isinstance(held, str) else text
    return found


def _decode_binary(key: str, value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        raise OpenShellError(Code.INVALID, f"metadata {key[:80]!r} is not valid base64") from None


def encode_timeout(seconds: float) -> bytes:
    """The `grpc-timeout` value for `seconds` from now, rounded up: the server must not give up before we do."""
    milliseconds = max(1, ceil(seconds * 1000))
    if milliseconds <= _DIGITS_MAX:
        return b"%dm" % milliseconds
    return b"%dS" % min(_DIGITS_MAX, ceil(seconds))


def decode_timeout(value: bytes) -> float:
    """Seconds that a `grpc-timeout` value allows. Raises INVALID."""
    found = _TIMEOUT.fullmatch(value)
    if not found:
        raise OpenShellError(Code.INVALID, "grpc-timeout is not valid")
    return int(found[1]) * _UNITS[found[2].decode()]
