from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.config_values import READERS, BadValue

GOOD = [
    ("text", "x", "x"), ("name", "web-1", "web-1"), ("path", "/a", Path("/a")), ("path", Path("/a"), Path("/a")),
    ("address", "127.0.0.1", "127.0.0.1"), ("address", "::0001", "::1"),
    ("port", 0, 0), ("port", "65535", 65535), ("count", "0", 0), ("positive", 1, 1),
    ("switch", True, True), ("switch", "off", False), ("switch", "YES", True), ("switch", "0", False),
    ("duration", 0, 0.0), ("duration", "250ms", 0.25), ("duration", "10", 10.0), ("duration", "1.5h", 5400.0),
    ("duration", "2d", 172800.0), ("duration", "3 m", 180.0), ("time", "1s", 1.0),
    ("size", 1, 1), ("size", "256MiB", 2**28), ("size", "1 GB", 10**9), ("size", "7", 7),
    ("list", "a, b,,c", ("a", "b", "c")), ("list", ["a"], ("a",)), ("list", "", ()),
    ("level", "debug", "debug"), ("log format", "json", "json"), ("isolation", "strict", "strict"),
    ("output", "yaml", "yaml"),
]  # fmt: skip
BAD = [
    ("text", 1), ("text", "a\0b"), ("name", "A"), ("name", ""), ("name", "a/b"), ("name", 3), ("path", "relative"),
    ("path", ""),
    ("address", "localhost"), ("address", "1.2.3"), ("address", 1), ("address", "0x7f000001"),
    ("port", -1), ("port", 65536), ("port", "x"), ("port", "٣"), ("port", 1.0), ("port", True), ("port", "9" * 30),
    ("count", -1), ("count", 10**7), ("positive", 0), ("positive", "1_0"),
    ("switch", 1), ("switch", "maybe"), ("switch", ""), ("duration", -1), ("duration", "1w"), ("duration", "-1s"),
    ("duration", float("nan")), ("duration", float("inf")), ("duration", True), ("duration", ""), ("duration", "1e3"),
    ("time", 0), ("time", "0s"), ("size", 0), ("size", "1.5MiB"), ("size", "1mib"), ("size", True), ("size", 2**63),
    ("size", 1.0),
    ("list", 1), ("list", [1]), ("list", {"a": 1}), ("level", "INFO"), ("level", 1), ("isolation", ["best"]), ("output", ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "raw", "value"), GOOD)
def test_good(kind: str, raw: object, value: object) -> None:
    found = READERS[kind](raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("kind", "raw"), BAD)
def test_bad(kind: str, raw: object) -> None:
    with pytest.raises(BadValue, match=r"wanted|use"):
        READERS[kind](raw)


def test_every_kind_is_tried() -> None:
    assert {kind for kind, *_ in GOOD} == set(READERS)
    assert {kind for kind, *_ in BAD} >= set(READERS) - {"log format"}


@pytest.mark.parametrize("kind", sorted(READERS))
@given(raw=st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
def test_anything_is_read_or_refused(kind: str, raw: object) -> None:
    try:
        READERS[kind](raw)
    except BadValue:
        pass
