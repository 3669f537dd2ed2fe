"""The printed table: this machine, the reference, the ratio, and the bare machine's limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyopenshell.cli.bench.rows import ROWS, Row, Unit, reference_value

ABSENT = "-"


def shown(value: float | None, unit: Unit) -> str:
    """A figure in its unit with three digits that matter, or a dash."""
    if value is None:
        return ABSENT
    scaled = value * unit.factor
    text = (
        f"{scaled:.0f}" if scaled >= 100 or unit is Unit.COUNT else f"{scaled:.1f}" if scaled >= 10 else f"{scaled:.2f}"
    )
    if unit is Unit.S:
        text = f"{scaled:.3f}"
    return f"{text} {unit.word}".rstrip()


def ratio(row: Row, value: float | None, reference: float | None) -> str:
    """How many times better than the reference this is: over 1 is ahead, whichever way the figure counts."""
    if value is None or not reference or not value:
        return ABSENT
    better = reference / value if row.unit.less_is_better else value / reference
    return f"{better:.2f}x"


def table(figures: Mapping[str, float], limits: Mapping[str, float], references: dict[str, Any]) -> str:
    """The whole table as text; the reference's column is what `reference.json` says, unscaled."""
    lines = [("row", "here", "reference", "better by", "bare machine")]
    for row in ROWS:
        value, known = figures.get(row.key), reference_value(row, references)
        limit = limits.get(row.limit) if row.limit else None
        lines.append(
            (
                row.label,
                shown(value, row.unit),
                shown(known, row.unit),
                ratio(row, value, known),
                shown(limit, row.unit),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    printed = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    return "\n".join([printed[0], "-" * len(printed[0]), *printed[1:]])
