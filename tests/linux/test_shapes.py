"""Which shape can be had: on this machine, in a user namespace of one id, and where the machine refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from pyopenshell.linux import namespaces, shapes, steps, syscalls
from pyopenshell.linux.ids import Extent, Ids, Shape, candidates, range_ids, single_ids
from pyopenshell.linux.shapes import Found

from .conftest import BASE, IS_ROOT, in_child

SUBRANGE = Ids(Shape.SUBRANGE, (Extent(0, os.geteuid(), 1),), (Extent(0, os.getegid(), 1),))


def refusing(*refused: Shape) -> Callable[[int, Ids], None]:
    real = namespaces._write_maps

    def write(pid: int, chosen: Ids) -> None:
        if chosen.shape in refused:
            raise PermissionError(errno.EPERM, "write uid_map: Operation not permitted")
        if chosen.shape is not Shape.SUBRANGE:
            real(pid, chosen)

    return write


def test_the_best_shape_of_this_machine_is_found(who: str) -> None:
    def find() -> list[object]:
        found = shapes.find(BASE)
        return [found.ids.shape, found.ids == candidates(BASE)[0], found.because]

    shape, best, because = in_child(find, who)
    assert (shape == Shape.RANGE) == (who == "root")
    assert best == (because == "")


def test_root_of_a_user_namespace_of_one_id_has_that_id_alone(who: str) -> None:
    def find() -> list[object]:
        uid, gid = os.geteuid(), os.getegid()
        userns = namespaces.make_user_namespace(Ids(Shape.SINGLE, (Extent(0, uid, 1),), (Extent(0, gid, 1),)))
        syscalls.setns(userns, syscalls.CLONE_NEWUSER)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        found = shapes.find(BASE)
        return [os.geteuid(), found.ids.shape, found.ids == single_ids()]

    assert in_child(find, who) == [0, Shape.SINGLE, True]


def test_a_shape_that_is_refused_gives_way_to_the_next_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "candidates", lambda _base: (range_ids(BASE), SUBRANGE, single_ids()))
    monkeypatch.setattr(namespaces, "_write_maps", refusing(Shape.RANGE))
    because = "no range: id maps: write uid_map: Operation not permitted"
    assert shapes.find(BASE) == Found(SUBRANGE, because)
    monkeypatch.setattr(namespaces, "_write_maps", refusing(Shape.RANGE, Shape.SUBRANGE))
    assert shapes.find(BASE) == Found(single_ids(), f"{because}; {because.replace('range', 'subrange')}")


def test_where_nothing_can_be_had_the_best_shape_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "candidates", lambda _base: (range_ids(BASE), single_ids()))
    monkeypatch.setattr(namespaces, "_write_maps", refusing(*Shape))
    with pytest.raises(steps.SetupFailed, match="id maps") as caught:
        shapes.find(BASE)
    assert "--cap-add SETUID" in caught.value.hint


@pytest.mark.parametrize("call", ["setresuid", "setgroups", "fchown", "open_tree"])
def test_what_only_a_range_needs_is_tried(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """As root without the capability for it; as an ordinary user the kernel refuses earlier."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, f"{call}: Operation not permitted")

    monkeypatch.setattr(shapes, "candidates", lambda _base: (range_ids(BASE), single_ids()))
    monkeypatch.setattr(syscalls if call == "open_tree" else os, call, refuse)
    found = shapes.find(BASE)
    assert found.ids.shape is Shape.SINGLE
    assert (call in found.because) == IS_ROOT
