"""Counters by name, and lines that do not become a flood."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.limits import Limits
from pyopenshell.streams.hits import KINDS, LINES, LINES_A_SECOND, SHELL, Hits, LineRate


def test_every_limit_and_every_code_has_a_name_of_its_own() -> None:
    assert len(set(KINDS)) == len(KINDS)
    assert {field.name for field in fields(Limits)} < set(KINDS)
    assert {code.name.lower() for code in ErrorCode} < set(KINDS)
    assert dict(Hits()) == dict.fromkeys(KINDS, 0)
    assert len(Hits()) == len(KINDS)


def test_counting() -> None:
    hits = Hits()
    hits.count("handshake")
    faults = {"pings": 2, "protocol_error": 1}
    hits.take(faults)
    assert faults == {}
    hits.take({"pings": 1})
    assert (hits["handshake"], hits["pings"], hits["protocol_error"]) == (1, 3, 1)
    assert repr(hits) == "<Hits {'pings': 3, 'protocol_error': 1, 'handshake': 1}>"
    with pytest.raises(KeyError):
        hits.count("tea")


def test_what_the_shell_counts_is_named() -> None:
    assert all(Hits()[kind] == 0 for kind in SHELL)


def test_lines_come_back_with_time_and_say_how_many_were_left_out() -> None:
    lines = LineRate()
    assert [lines.may(100.0) for _ in range(LINES + 3)] == [0] * LINES + [None] * 3
    assert lines.may(100.0 + 1 / LINES_A_SECOND) == 3
    assert lines.may(100.0 + 1 / LINES_A_SECOND) is None
    assert lines.may(1e6) == 1
    assert [lines.may(0.0) for _ in range(LINES)] == [0] * (LINES - 1) + [None]
