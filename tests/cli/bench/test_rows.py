"""Proof of `cli/bench/rows.py`: every reference that a row names is in reference.json, and nothing there is forgotten."""

from __future__ import annotations

from pyopenshell.cli.bench.rows import REFERENCE, ROWS, Unit, reference, reference_value

#: Figures of the reference that no row of the table shows.
NOT_SHOWN = {"measured", "calibration", "upload_cmd_mbps", "download_cmd_mbps"}


def test_every_row_finds_its_reference() -> None:
    figures = reference()
    for row in ROWS:
        value = reference_value(row, figures)
        assert (value is None) == (not row.reference)
        assert value is None or value > 0


def test_every_reference_is_shown() -> None:
    shown = {row.reference.split(".")[0] for row in ROWS if row.reference}
    assert set(reference()) - NOT_SHOWN == shown


def test_keys_are_unique() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_scales_bring_microseconds_to_seconds() -> None:
    row = next(row for row in ROWS if row.key == "forward_rtt")
    assert reference_value(row, reference()) == 588 * 1e-6
    assert row.unit is Unit.MS


def test_the_file_is_the_one_in_bench() -> None:
    assert REFERENCE.resolve().parts[-2:] == ("bench", "reference.json")
