"""Malformed header sections, one reason a case (RFC 9113 sections 8.1 to 8.3)."""

from __future__ import annotations

import pytest

from pyopenshell.http2.header_rules import bad_request, bad_response, bad_trailers, content_length
from tests.support.http2_peer import REQUEST, RESPONSE, TRAILERS

METHOD, SCHEME, PATH, AUTHORITY = REQUEST[:4]


def test_sound_ones() -> None:
    assert bad_request(REQUEST) == ""
    assert bad_request([METHOD, SCHEME, PATH]) == "", ":authority is optional"
    assert bad_request([(b":method", b"OPTIONS"), SCHEME, (b":path", b"*")]) == ""
    assert bad_request([METHOD, (b":scheme", b"coap"), (b":path", b"x")]) == "", "paths of other schemes are theirs"
    assert bad_request([(b":method", b"CONNECT"), AUTHORITY]) == ""
    assert bad_request([*REQUEST, (b"user-agent", b""), (b"x", b"a b\tc"), (b"x", b"\xff")]) == ""
    assert bad_response(RESPONSE) == bad_trailers(TRAILERS) == bad_trailers([]) == ""


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], ":method is missing"),
        ([SCHEME, PATH], ":method is missing"),
        ([METHOD, PATH], ":scheme is missing"),
        ([METHOD, SCHEME], ":path is missing"),
        ([METHOD, SCHEME, (b":path", b"")], ":path is missing"),
        ([METHOD, SCHEME, (b":path", b"x")], "does not begin with /"),
        ([METHOD, SCHEME, (b":path", b"*")], "does not begin with /"),
        ([METHOD, METHOD, SCHEME, PATH], ":method twice"),
        ([*REQUEST, (b":path", b"/late")], "after a regular one"),
        ([METHOD, SCHEME, PATH, (b":status", b"200")], "does not belong here"),
        ([METHOD, SCHEME, PATH, (b":protocol", b"websocket")], "does not belong here"),
        ([(b":method", b"CONNECT"), AUTHORITY, PATH], "CONNECT"),
        ([(b":method", b"CONNECT")], "CONNECT"),
        ([*REQUEST, (b"", b"x")], "field name"),
        ([*REQUEST, (b"Upper", b"x")], "field name"),
        ([*REQUEST, (b"a b", b"x")], "field name"),
        ([*REQUEST, (b"a:b", b"x")], "field name"),
        ([*REQUEST, (b"a\x7f", b"x")], "field name"),
        ([*REQUEST, (b"a\xe4", b"x")], "field name"),
        ([*REQUEST, (b"connection", b"close")], "connection-specific"),
        ([*REQUEST, (b"keep-alive", b"1")], "connection-specific"),
        ([*REQUEST, (b"proxy-connection", b"x")], "connection-specific"),
        ([*REQUEST, (b"transfer-encoding", b"chunked")], "connection-specific"),
        ([*REQUEST, (b"upgrade", b"h2c")], "connection-specific"),
        ([*REQUEST, (b"te", b"gzip")], "te other"),
        ([*REQUEST, (b"x", b"a\r\nb")], "value of x"),
        ([*REQUEST, (b"x", b"a\nb")], "value of x"),
        ([*REQUEST, (b"x", b"a\0b")], "value of x"),
        ([*REQUEST, (b"x", b" a")], "value of x"),
        ([*REQUEST, (b"x", b"a\t")], "value of x"),
        ([METHOD, SCHEME, (b":path", b"/a\r\nb")], "value of :path"),
    ],
)
def test_malformed_requests(headers: list[tuple[bytes, bytes]], reason: str) -> None:
    assert reason in bad_request(headers)


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"2x0", b"099", b"-20"])
def test_malformed_status(status: bytes) -> None:
    assert ":status" in bad_response([(b":status", status)])


def test_malformed_responses_and_trailers() -> None:
    assert ":status is missing" in bad_response([])
    assert "does not belong here" in bad_response([(b":status", b"200"), (b":path", b"/")])
    assert "does not belong here" in bad_trailers([(b":status", b"200")])


def test_content_length() -> None:
    assert content_length(REQUEST) == -1
    assert content_length([(b"content-length", b"0")]) == 0
    assert content_length([(b"content-length", b"12"), (b"content-length", b"12")]) == 12
    for values in ([b"1", b"2"], [b"-1"], [b"1.5"], [b""], [b"+1"]):
        with pytest.raises(ValueError):
            content_length([(b"content-length", value) for value in values])
