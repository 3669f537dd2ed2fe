from __future__ import annotations

import pytest

from pyopenshell.drivers import limits
from pyopenshell.drivers.limits import CPU_MIN, MEMORY_MIN
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.cgroups import Support
from pyopenshell.model import Limits

FULL = Support("v2", "", "")
NONE = Support("none", "no cpu here", "no memory here")
BOTH = Limits(1.5, 64 * 1024 * 1024)


def test_what_can_be_held_is_held_and_said() -> None:
    limits.check(BOTH, FULL)
    assert limits.held(BOTH, FULL) == BOTH
    assert limits.facts(BOTH, FULL) == {"cpu limit": "1.5 cores", "memory limit": "67108864 bytes"}


@pytest.mark.parametrize(("asked", "word"), [(Limits(cpu=1), "cpu"), (Limits(memory=MEMORY_MIN), "memory")])
def test_what_cannot_be_held_is_refused_with_the_reason(asked: Limits, word: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        limits.check(asked, NONE)
    assert caught.value.code is Code.PRECONDITION
    assert caught.value.message == f"this machine cannot hold a {word} limit: no {word} here"


def test_a_probe_tells_what_can_be_held() -> None:
    assert limits.probed(FULL) == {"limit_cpu": "yes", "limit_memory": "yes"}
    assert limits.probed(NONE) == {"limit_cpu": "no: no cpu here", "limit_memory": "no: no memory here"}


def test_best_effort_goes_without_and_says_so() -> None:
    asked = Limits(1.5, MEMORY_MIN, best_effort=True)
    limits.check(asked, NONE)
    assert limits.held(asked, NONE) == Limits(best_effort=True)
    assert limits.facts(asked, NONE) == {
        "cpu limit": "not applied: no cpu here",
        "memory limit": "not applied: no memory here",
    }


def test_nothing_asked_is_nothing_said() -> None:
    limits.check(Limits(), NONE)
    assert limits.facts(Limits(), NONE) == {}


@pytest.mark.parametrize(
    ("asked", "valid"),
    [
        (Limits(cpu=-1), False),
        (Limits(cpu=CPU_MIN / 2), False),
        (Limits(cpu=CPU_MIN), True),
        (Limits(memory=-1), False),
        (Limits(memory=MEMORY_MIN - 1), False),
        (Limits(memory=MEMORY_MIN), True),
        (Limits(cpu=float("nan")), False),
        (Limits(cpu=float("inf")), False),
    ],
)
def test_limits_that_make_no_sense(asked: Limits, valid: bool) -> None:
    if valid:
        limits.check(asked, FULL)
        return
    with pytest.raises(OpenShellError) as caught:
        limits.check(asked, FULL)
    assert caught.value.code is Code.INVALID
