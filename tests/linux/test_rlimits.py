"""Limits go down to ours and never up."""

from __future__ import annotations

import resource

from pyopenshell.linux import rlimits

from .conftest import in_child


def test_limits_are_ours_where_the_machine_gives_as_much() -> None:
    def applied() -> list[tuple[int, int]]:
        rlimits.apply()
        return [resource.getrlimit(kind) for kind in rlimits.LIMITS]

    for (soft, hard), now, ours in zip(
        in_child(applied), map(resource.getrlimit, rlimits.LIMITS), rlimits.LIMITS.values(), strict=True
    ):
        ceiling = ours[1] if now[1] == resource.RLIM_INFINITY else min(now[1], ours[1])
        assert (soft, hard) == (min(ours[0], ceiling), ceiling)


def test_a_lower_limit_stays() -> None:
    def applied() -> tuple[int, int]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 100))
        rlimits.apply()
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    assert in_child(applied) == [100, 100]


def test_there_are_no_core_files() -> None:
    def applied() -> tuple[int, int]:
        rlimits.apply()
        return resource.getrlimit(resource.RLIMIT_CORE)

    assert in_child(applied) == [0, 0]
