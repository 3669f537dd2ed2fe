from __future__ import annotations

import pytest

from pyopenshell.drivers import limits
from pyopenshell.drivers.limits import CPU_MIN, MEMORY_MIN, Machine
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.cgroups import Support
from pyopenshell.model import Limits

FULL = Support("v2", "", "")
NONE = Support("none", "no cpu here", "no memory here")
LARGE = Machine(2**13, 2**50)
BOTH = Limits(1.5, 64 * 1024 * 1024)


def test_what_can_be_held_is_held_and_said() -> None:
    limits.check(BOTH, FULL, LARGE)
    assert limits.held(BOTH, FULL) == BOTH
    assert limits.facts(BOTH, FULL) == {"cpu limit": "1.5 cores", "memory limit": "67108864 bytes"}


@pytest.mark.parametrize(("asked", "word"), [(Limits(cpu=1), "cpu"), (Limits(memory=MEMORY_MIN), "memory")])
def test_what_cannot_be_held_is_refused_with_the_reason(asked: Limits, word: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        limits.check(asked, NONE, LARGE)
    assert caught.value.code is Code.PRECONDITION
    assert caught.value.message == f"this machine cannot hold a {word} limit: no {word} here"


def test_a_probe_tells_what_can_be_held() -> None:
    assert limits.probed(FULL) == {"limit_cpu": "yes", "limit_memory": "yes"}
    assert limits.probed(NONE) == {"limit_cpu": "no: no cpu here", "limit_memory": "no: no memory here"}


def test_best_effort_goes_without_and_says_so() -> None:
    asked = Limits(1.5, MEMORY_MIN, best_effort=True)
    limits.check(asked, NONE, LARGE)
    assert limits.held(asked, NONE) == Limits(best_effort=True)
    assert limits.facts(asked, NONE) == {
        "cpu limit": "not applied: no cpu here",
        "memory limit": "not applied: no memory here",
    }


def test_nothing_asked_is_nothing_said() -> None:
    limits.check(Limits(), NONE, LARGE)
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
        limits.check(asked, FULL, LARGE)
        return
    with pytest.raises(OpenShellError) as caught:
        limits.check(asked, FULL, LARGE)
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        (Limits(cpu=2.0), True),
        (Limits(cpu=2.01), False),
        (Limits(memory=2**30), True),
        (Limits(memory=2**30 + 1), False),
        (Limits(cpu=3.0, best_effort=True), True),
    ],
)
def test_more_than_the_machine_has_is_refused(asked: Limits, fits: bool) -> None:
    machine = Machine(2, 2**30)
    if fits:
        limits.check(asked, FULL, machine)
    else:
        with pytest.raises(
            OpenShellError, match="this machine has 2 processors and 1073741824 bytes of memory"
        ) as caught:
            limits.check(asked, FULL, machine)
        assert caught.value.code is Code.PRECONDITION


def test_this_machine_has_something() -> None:
    assert Machine.here().cpu >= 1
    assert Machine.here().memory > MEMORY_MIN
