"""Tables that fit, text that cannot act on a terminal, data that a program can trust."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.cli.context import Context
from pyopenshell.cli.output import (
    age,
    cell,
    clean,
    display_width,
    layout,
    plain,
    show_list,
    show_one,
    show_record,
    squeeze,
    wrap,
)
from pyopenshell.model import Outcome, Phase
from pyopenshell.sdk.types import LogLine
from tests.support.command_line import CommandLine

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"name": "web", "phase": Phase.READY, "labels": {"team": "a", "tier": "front"}, "created": MOMENT, "code": None},
    {"name": "x" * 60, "phase": Phase.ERROR, "labels": {}, "created": None, "code": 3},
]
COLUMNS = {"NAME": "name", "PHASE": "phase", "EXIT": "code", "LABELS": "labels"}


class Screen:
    """A context that collects lines, as wide as told."""

    def __init__(self, bare: CommandLine, width: int | None = None) -> None:
        self.lines: list[str] = []
        self.context: Context = bare.context(None, None, None, environ={"COLUMNS": str(width)} if width else {})
        self.context.out = lambda text: self.lines.extend(text.split("\n"))  # type: ignore[method-assign]


@pytest.mark.parametrize("width", [None, 200, 80, 40, 20, 5, 1])
def test_a_list_fits_whatever_the_width(bare: CommandLine, width: int | None) -> None:
    screen = Screen(bare, width)
    show_list(screen.context, "table", ROWS, COLUMNS)
    assert len(screen.lines) == 3
    if width is not None and width >= 20:
        assert max(map(display_width, screen.lines)) <= width
    if width is None:
        assert "x" * 60 in screen.lines[2]


@pytest.mark.parametrize("width", [None, 80, 40, 10, 1])
def test_one_thing_fits_and_loses_nothing(bare: CommandLine, width: int | None) -> None:
    screen = Screen(bare, width)
    show_one(
        screen.context, "table", {"name": "web", "reason": "r" * 100, "facts": {"a": "b"}, "empty": "", "none": None}
    )
    assert "".join(screen.lines).count("r") >= 100
    assert not any(line.startswith(("empty", "none")) for line in screen.lines)
    if width is not None and width >= 40:
        assert max(map(len, screen.lines)) <= width


def test_data_is_whole(bare: CommandLine) -> None:
    expected = [
        {"name": "web", "phase": "Ready", "labels": {"team": "a", "tier": "front"},
         "created": "2026-01-02T03:04:05Z", "code": None},
        {"name": "x" * 60, "phase": "Error", "labels": {}, "created": None, "code": 3},
    ]  # fmt: skip
    for kind, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        screen = Screen(bare, 20)
        show_list(screen.context, kind, ROWS, COLUMNS)
        assert read("\n".join(screen.lines)) == expected
        screen = Screen(bare)
        show_one(screen.context, kind, ROWS[0])
        assert read("\n".join(screen.lines)) == expected[0]


def test_a_stream_of_things(bare: CommandLine) -> None:
    line = LogLine(MOMENT, "INFO", "sandbox", "stdout", "hi\x1b[0m")
    for kind, expected in (("json", 1), ("yaml", 7), ("table", 1)):
        screen = Screen(bare)
        show_record(screen.context, kind, plain(line), "the line")
        assert len(screen.lines) == expected
    assert screen.lines == ["the line"]


def test_nothing_found(bare: CommandLine) -> None:
    screen = Screen(bare)
    show_list(screen.context, "table", [], COLUMNS)
    assert screen.lines == ["NAME  PHASE  EXIT  LABELS"]
    screen = Screen(bare)
    show_list(screen.context, "json", [], COLUMNS)
    assert screen.lines == ["[]"]


def test_colours_take_no_columns() -> None:
    plain_lines = layout([["NAME", "PHASE"], ["web", "Ready"], ["db", "odd"]], 40)
    coloured = layout([["NAME", "PHASE"], ["web", "Ready"], ["db", "odd"]], 40, colour=True)
    assert plain_lines == ["NAME  PHASE", "web   Ready", "db    odd"]
    assert coloured[1].endswith("\x1b[32mReady\x1b[0m")
    assert "\x1b" in coloured[0] and "\x1b[1modd" not in coloured[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b]0;evil\x07", " ]0;evil "),
        ("a\x9b31mb", "a 31mb"),
        ("line\nline\r", "line line "),
        ("\u202edrawkcab", " drawkcab"),
        ("\ud800", " "),
        ("\u2028", " "),
        ("zähl 日本", "zähl 日本"),
    ],
)
def test_what_could_act_on_a_terminal_is_taken_out(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean("a\tb", keep="\t") == "a\tb"


@given(st.text(), st.integers(1, 40))
def test_squeezed_text_fits(text: str, size: int) -> None:
    assert display_width(squeeze(clean(text), size)) <= size


@given(st.text(), st.integers(1, 100), st.integers(0, 50))
def test_wrapped_text_is_whole(text: str, width: int, indent: int) -> None:
    assert "".join(wrap(text, width, indent)) == text


def test_wide_characters_take_two_columns() -> None:
    assert (display_width("日本"), display_width("e\u0301"), display_width("ab")) == (4, 1, 2)
    assert squeeze("日本語", 5) == "日本…"


def test_cells() -> None:
    assert [cell(value) for value in (True, False, None, Phase.READY, 7, MOMENT, {"a": 1, "b": None}, ["x", "y"])] == [
        "yes", "no", "", "Ready", "7", "2026-01-02 03:04:05", "a=1,b=", "x y",
    ]  # fmt: skip
    assert plain({"o": Outcome.COMPLETED, "t": (1, 2)}) == {"o": "completed", "t": [1, 2]}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86400, "1d"), (-5, "0s")]
)
def test_ages(seconds: int, text: str) -> None:
    assert age(MOMENT, MOMENT + timedelta(seconds=seconds)) == text
    assert age(None, MOMENT) == ""
