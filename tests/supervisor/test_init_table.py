from __future__ import annotations

import os

import pytest

from pyopenshell.supervisor.init_table import Row, Table


def row(pid: int, label: str = "") -> Row:
    return Row(pid, label, None, terminal=False)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0, {"code": 0, "signal": 0, "core": False}),
        (3 << 8, {"code": 3, "signal": 0, "core": False}),
        (9, {"code": 0, "signal": 9, "core": False}),
        (11 | 0x80, {"code": 0, "signal": 11, "core": True}),
    ],
)
def test_an_exit_is_told_as_it_was(status: int, told: dict[str, object]) -> None:
    made = row(5)
    assert (made.ended, made.exit()) == (False, None)
    made.status = status
    assert (made.ended, made.exit()) == (True, told)


def test_rows_and_labels() -> None:
    table = Table()
    first, second = row(5, "main"), row(6)
    table.add(first)
    table.add(second)
    assert (list(table), table.ran) == ([first, second], {"main"})
    table.forget(first)
    assert (table.get(5), table.get(6), table.get("6"), table.ran) == (None, second, None, {"main"})


def test_a_newer_process_takes_the_place_of_an_older_with_its_pid() -> None:
    table = Table()
    reader, writer = os.pipe()
    older, newer = row(5), row(5)
    older.kept = [reader, writer]
    table.add(older)
    table.add(newer)
    assert older.kept == []
    table.forget(older)
    assert table.get(5) is newer


def test_the_end_of_input_is_told_once() -> None:
    made = row(5)
    reader, made.stdin = os.pipe()
    made.end_input()
    made.end_input()
    assert os.read(reader, 1) == b""
    os.close(reader)
