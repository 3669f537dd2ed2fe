from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.text import HIDDEN, clean, redact

TOKEN = "ost_" + "aB3-_" * 8 + "xyz"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0." + "A" * 86


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ünïcode 文字 🎉", "plain ünïcode 文字 🎉"),
        ("two\nlines\r\n", "two\\x0alines\\x0d\\x0a"),
        ("\x1b]52;c;AAAA\x07", "\\x1b]52;c;AAAA\\x07"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("a\u2028b\ufeff\u200b", "a\\u2028b\\ufeff\\u200b"),
        ("\udcff", "\\udcff"),
        ("tab\there", "tab\\x09here"),
    ],
)
def test_clean(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_clean_cuts_before_it_escapes_and_says_so() -> None:
    assert clean("abc\n", 4) == "abc\\x0a"
    assert clean("abcde", 4) == "abcd… (5 characters)"
    assert len(clean("\x00" * 10**6, 10)) < 70


@given(st.text())
def test_what_is_clean_can_be_printed_and_stays(text: str) -> None:
    shown = clean(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert clean(shown) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (f"got {TOKEN} here", f"got {HIDDEN} here"),
        (f"--token=oss_{TOKEN[4:]}", f"--token={HIDDEN}"),
        (f"os-user://lab:1/osi_{'a2' * 16}.00", f"os-user://lab:1/{HIDDEN}.00"),
        (f"x{JWT}", f"x{JWT}"),
        (f"jwt {JWT}.", f"jwt {HIDDEN}."),
        ("Authorization: Bearer abcdefgh1234==", f"Authorization: Bearer {HIDDEN}"),
        ("postgresql://me:pa55w0rd@db/x", f"postgresql://{HIDDEN}@db/x"),
        ("curl -d password=hunter2&x=1", f"curl -d password={HIDDEN}&x=1"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY----- tail", f"{HIDDEN} tail"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA cut", HIDDEN),
        ("most_important and cost_of_everything_in_the_world", "most_important and cost_of_everything_in_the_world"),
        ("sandbox web is ready", "sandbox web is ready"),
        ("https://host:8080/path", "https://host:8080/path"),
    ],
)
def test_redact(raw: str, shown: str) -> None:
    assert redact(raw) == shown


HOSTILE = [
    "ost_",
    "ey-",
    "ey",
    "a.",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ",
    "://a:",
    "://a",
    "bearer ",
    "token=",
    "ey.",
    "os",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_redact_takes_time_in_proportion_to_the_text(piece: str) -> None:
    """What is quadratic takes minutes here, and so the test's own time limit."""
    text = piece * (2_000_000 // len(piece))
    redact(text)
    redact(f"ey{text}")
    redact(f"://{text}")
