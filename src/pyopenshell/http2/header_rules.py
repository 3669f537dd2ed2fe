"""What makes a header section malformed (RFC 9113 sections 8.1 to 8.3). A malformed message ends its stream.

Each function returns why the section is malformed, or an empty string. Strictness here is what stops request smuggling
through a gateway, so nothing is repaired.
"""

from __future__ import annotations

from pyopenshell.http2.events import Header

_NAME_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"  # RFC 9110 "tchar", without upper case
#: Section 8.2.2: these speak about an HTTP/1 connection.
_CONNECTION_FIELDS = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_REQUEST_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_RESPONSE_PSEUDO = frozenset({b":status"})


def bad_request(headers: list[Header]) -> str:
    """Check the header section of a request."""
    pseudo: dict[bytes, bytes] = {}
    reason = _bad_fields(headers, _REQUEST_PSEUDO, pseudo)
    if reason:
        return reason
    method = pseudo.get(b":method")
    if not method:
        return ":method is missing"
    if method == b"CONNECT":
        return "" if pseudo.keys() == {b":method", b":authority"} else "CONNECT needs :authority alone"
    if not pseudo.get(b":scheme"):
        return ":scheme is missing"
    path = pseudo.get(b":path")
    if not path:
        return ":path is missing or empty"
    if path[:1] != b"/" and not (path == b"*" and method == b"OPTIONS") and pseudo[b":scheme"] in (b"http", b"https"):
        return ":path does not begin with /"
    return ""


def bad_response(headers: list[Header]) -> str:
    """Check the header section of a response, final or informational."""
    pseudo: dict[bytes, bytes] = {}
    reason = _bad_fields(headers, _RESPONSE_PSEUDO, pseudo)
    if reason:
        return reason
    status = pseudo.get(b":status", b"")
    return "" if len(status) == 3 and status.isdigit() and status >= b"100" else ":status is missing or not a status"


def bad_trailers(headers: list[Header]) -> str:
    """Check a trailer section."""
    return _bad_fields(headers, frozenset(), {})


def content_length(headers: list[Header]) -> int:
    """The announced length of the content, or -1. Raises ValueError when it is no number or there are two."""
    found = {value for name, value in headers if name == b"content-length"}
    if not found:
        return -1
    (value,) = found
    if not value.isdigit():
        raise ValueError("content-length is not a number")
    return int(value)


def _bad_fields(headers: list[Header], known: frozenset[bytes], pseudo: dict[bytes, bytes]) -> str:
    """Check every field; collect the pseudo-header fields in `pseudo`."""
    regular = False
    for name, value in headers:
        if name[:1] == b":":
            if regular:
                return "a pseudo-header field after a regular one"
            if name not in known:
                return f"pseudo-header field {name[:32]!r} does not belong here"
            if name in pseudo:
                return f"{name.decode()} twice"
            pseudo[name] = value
        else:
            regular = True
            if not name or name.translate(None, _NAME_BYTES):
                return f"field name {name[:32]!r}"
            if name in _CONNECTION_FIELDS:
                return f"connection-specific field {name.decode()}"
            if name == b"te" and value.lower() != b"trailers":
                return "te other than trailers"
        if b"\n" in value or b"\r" in value or b"\0" in value or value.strip(b" \t") != value:
            return f"value of {name.decode()} (line break, NUL, or white space at an end)"
    return ""
