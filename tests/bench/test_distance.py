"""The table of the cost of distance: milliseconds, and how many round trips they are."""

from __future__ import annotations

from bench.distance import table


def test_a_figure_without_its_share_at_no_distance_is_told_in_round_trips() -> None:
    found = {0.0: {"exec": 0.005, "throughput": 100.0}, 200.0: {"exec": 0.205, "throughput": 10.0}}
    head, exec_, trips, throughput = table(found)
    assert head.split() == ["added", "round", "trip", "0", "ms", "200", "ms"]
    assert exec_.endswith("5.0 ms     205.0 ms  ")
    assert trips.split() == ["1.0", "rt"]
    assert throughput.split()[-4:] == ["100.0", "MB/s", "10.0", "MB/s"]


def test_what_no_machine_has_is_no_row() -> None:
    assert len(table({0.0: {"exec": 0.005}})) == 3, "no sshd here, and no throughput"
