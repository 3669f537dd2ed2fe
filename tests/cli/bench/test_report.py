"""Proof of `cli/bench/report.py`: units, ratios and the dash for what was not measured."""

from __future__ import annotations

import pytest

from pyopenshell.cli.bench.report import ratio, shown, table
from pyopenshell.cli.bench.rows import ROWS, Row, Unit, reference


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0186, Unit.MS, "18.6 ms"),
        (0.000588, Unit.MS, "0.59 ms"),
        (0.5172, Unit.S, "0.517 s"),
        (680.6, Unit.MBIT, "681 Mbit/s"),
        (63.0, Unit.MB, "63.0 MB"),
        (0.0, Unit.COUNT, "0"),
        (None, Unit.MS, "-"),
    ],
)
def test_figures_in_their_units(value: float | None, unit: Unit, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("unit", "value", "known", "text"),
    [
        (Unit.MS, 0.01, 0.02, "2.00x"),
        (Unit.MBIT, 50.0, 100.0, "0.50x"),
        (Unit.MS, None, 1.0, "-"),
        (Unit.MS, 1.0, None, "-"),
        (Unit.COUNT, 0.0, 5.0, "-"),
    ],
)
def test_over_one_is_ahead(unit: Unit, value: float | None, known: float | None, text: str) -> None:
    assert ratio(Row("k", "label", unit), value, known) == text


def test_table_has_a_line_for_each_row_in_one_width() -> None:
    text = table({"exec_p50": 0.01, "forward_down": 290.0}, {"true_p50": 0.001, "loopback": 2800.0}, reference())
    lines = text.splitlines()
    assert len(lines) == len(ROWS) + 2
    assert len({len(line) for line in lines}) == 1
    exec_line = next(line for line in lines if line.startswith("exec true, p50"))
    assert exec_line.split()[3:] == ["10.0", "ms", "18.6", "ms", "1.86x", "1.00", "ms"]
