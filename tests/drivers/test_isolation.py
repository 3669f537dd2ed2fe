from __future__ import annotations

from typing import Any, cast

import pytest

from pyopenshell.drivers import isolation, tasks
from pyopenshell.drivers.isolation import PROBE_BASE, Isolation
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import RANGE_FIRST, Ids, range_ids, single_ids

BECAUSE = "no subrange: id maps: newuidmap: no"


class Trials:
    """What a trial finds; each is counted."""

    def __init__(self, ids: Ids, because: str = "") -> None:
        self.answer = (ids, because)
        self.asked: list[int] = []

    async def __call__(self, _zygote: object, base: int) -> tuple[Ids, str]:
        self.asked.append(base)
        return self.answer


def tried(monkeypatch: pytest.MonkeyPatch, ids: Ids, because: str = "") -> Trials:
    trials = Trials(ids, because)
    monkeypatch.setattr(tasks, "shape", trials)
    return trials


def made(*, strict: bool = False) -> Isolation:
    return Isolation(cast(Any, None), strict=strict)


async def test_the_shape_is_tried_once_and_a_range_is_the_sandboxs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = tried(monkeypatch, range_ids(PROBE_BASE))
    gives = made(strict=True)
    assert await gives.ids(RANGE_FIRST) == range_ids(RANGE_FIRST)
    assert await gives.ids() == range_ids(PROBE_BASE)
    assert (trials.asked, gives.facts()) == ([PROBE_BASE], {})


@pytest.mark.parametrize("base", [0, RANGE_FIRST - 1, isolation.PROBE_BASE + 1])
async def test_a_base_that_is_not_free_is_refused(monkeypatch: pytest.MonkeyPatch, base: int) -> None:
    tried(monkeypatch, range_ids(PROBE_BASE))
    with pytest.raises(OpenShellError) as caught:
        await made().ids(base)
    assert caught.value.code is Code.INVALID


async def test_other_shapes_have_no_base_and_say_why_they_are_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, single_ids(), BECAUSE)
    gives = made()
    assert await gives.ids(0) == single_ids()
    assert gives.facts() == {"isolation limited": BECAUSE}


async def test_strict_isolation_is_more_than_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, single_ids(), BECAUSE)
    with pytest.raises(OpenShellError, match="newuidmap: no") as caught:
        await made(strict=True).ids()
    assert caught.value.code is Code.PRECONDITION
    assert "uidmap" in caught.value.hint


async def test_a_trial_that_failed_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> tuple[Ids, str]:
        raise OpenShellError(Code.UNAVAILABLE, "the zygote is gone")

    gives = made()
    monkeypatch.setattr(tasks, "shape", fail)
    with pytest.raises(OpenShellError):
        await gives.ids()
    tried(monkeypatch, single_ids())
    assert await gives.ids() == single_ids()
