from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.metadata import decode_metadata, decode_timeout, encode_metadata, encode_timeout


def test_there_and_back() -> None:
    items = [("authorization", "Bearer abc"), ("trace-bin", b"\x00\xff\x10"), ("empty", ""), ("a.b_c-1", "x y")]
    headers = encode_metadata(items)
    assert headers[1] == (b"trace-bin", b"AP8Q")
    assert decode_metadata(headers) == dict(items)


def test_text_under_a_binary_key_is_utf8() -> None:
    assert decode_metadata(encode_metadata([("name-bin", "\u00e9")])) == {"name-bin": "\u00e9".encode()}


def test_padding_may_be_there_or_not() -> None:
    assert decode_metadata([(b"a-bin", b"AA=="), (b"b-bin", b"AA")]) == {"a-bin": b"\0", "b-bin": b"\0"}


def test_what_belongs_to_the_protocol_is_no_metadata() -> None:
    headers = [(b":path", b"/x"), (b"te", b"trailers"), (b"grpc-timeout", b"1S"), (b"content-type", b"y"), (b"k", b"v")]
    assert decode_metadata(headers) == {"k": "v"}


def test_a_key_sent_twice_is_joined_so_that_it_matches_no_token() -> None:
    assert decode_metadata([(b"authorization", b"a"), (b"authorization", b"b")]) == {"authorization": "a,b"}


@pytest.mark.parametrize(
    "item",
    [
        ("Upper", "x"),
        ("", "x"),
        ("grpc-x", "x"),
        (":path", "x"),
        ("k", "line\nbreak"),
        ("k", " line"),
        ("k", "line "),
        ("k", " "),
        ("k", "\u00e9"),
        ("k", b"bytes"),
    ],
)
def test_what_cannot_travel_is_refused_and_its_value_not_told(item: tuple[str, str | bytes]) -> None:
    with pytest.raises(OpenShellError) as caught:
        encode_metadata([item])
    assert caught.value.code is Code.INVALID
    assert "line" not in str(caught.value)


def test_binary_values_are_joined_too_however_they_came() -> None:
    apart = [(b"x-bin", b"AA"), (b"x-bin", b"/w==")]
    together = [(b"x-bin", b"AA, /w")]
    assert decode_metadata(apart) == decode_metadata(together) == {"x-bin": b"\x00,\xff"}


def test_bad_base64_is_refused() -> None:
    with pytest.raises(OpenShellError, match="base64"):
        decode_metadata([(b"x-bin", b"!!!!")])


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (0, b"1m"),
        (0.0011, b"2m"),
        (0.0004, b"1m"),
        (1.5, b"1500m"),
        (99_999.999, b"99999999m"),
        (100_000, b"100000S"),
        (1e12, b"99999999S"),
    ],
)
def test_timeouts_as_they_are_sent(seconds: float, value: bytes) -> None:
    assert encode_timeout(seconds) == value


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600),
        (b"2M", 120),
        (b"3S", 3),
        (b"4m", 0.004),
        (b"5u", 5e-6),
        (b"6n", 6e-9),
        (b"0S", 0),
        (b"99999999S", 99999999),
    ],
)
def test_timeouts_as_they_are_read(value: bytes, seconds: float) -> None:
    assert decode_timeout(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"1", b"S", b"-1S", b"1.5S", b"123456789S", b"1s", b"1S "])
def test_a_timeout_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(OpenShellError, match="grpc-timeout"):
        decode_timeout(value)
