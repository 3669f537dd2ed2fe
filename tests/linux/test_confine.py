"""What is given up stays given up."""

from __future__ import annotations

import os

import pytest

from pyopenshell.linux import confine, syscalls
from pyopenshell.linux.ids import Extent, Ids, Shape
from pyopenshell.linux.namespaces import make_user_namespace

from .conftest import IS_ROOT, NOBODY, in_child


def status(*names: str) -> list[str]:
    with open("/proc/self/status") as file:
        found = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return [found[name].strip() for name in names]


CAPS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def test_root_given_up_does_not_come_back(who: str) -> None:
    def give_up() -> list[object]:
        confine.give_root_up(NOBODY, NOBODY)
        try:
            os.setuid(0)
            back = True
        except PermissionError:
            back = False
        return [back, os.getresuid(), os.getgroups() if IS_ROOT else [], status(*CAPS, "NoNewPrivs")]

    back, ids, groups, (inh, permitted, effective, bounding, ambient, privileges) = in_child(give_up, who)
    assert back is False
    assert ids == [NOBODY] * 3 or not IS_ROOT
    assert groups == []
    assert {inh, permitted, effective, ambient} == {"0" * 16}
    assert (bounding == "0" * 16) == (
        who == "root"
    )  # an ordinary user may not empty it, and has nothing to gain from it
    assert privileges == "1"


def test_root_of_one_id_is_given_up_where_no_groups_may_be_set(who: str) -> None:
    def give_up() -> list[object]:
        maps = (Extent(0, os.geteuid(), 1),), (Extent(0, os.getegid(), 1),)
        syscalls.setns(make_user_namespace(Ids(Shape.SINGLE, *maps)), syscalls.CLONE_NEWUSER)
        os.setresuid(0, 0, 0)
        confine.give_root_up(os.geteuid(), os.getegid())
        return [os.getresuid(), status(*CAPS, "NoNewPrivs")]

    assert in_child(give_up, who) == [[0] * 3, [*["0" * 16] * 5, "1"]]


def test_a_dropped_capability_is_not_there_any_more() -> None:
    def drop() -> list[str]:
        confine.drop_capabilities()
        return status("CapPrm", "CapEff", "CapInh", "CapAmb")

    assert in_child(drop) == ["0" * 16] * 4


def test_a_bounding_set_that_cannot_be_emptied_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(option: int, *_: int) -> int:
        if option == syscalls.PR_CAPBSET_READ:
            return 1
        raise PermissionError(1, "prctl: Operation not permitted")

    monkeypatch.setattr(syscalls, "prctl", refuse)
    with pytest.raises(PermissionError):
        confine.empty_bounding_set()


def test_init_keeps_six_capabilities() -> None:
    assert bin(confine.CAPABILITIES_OF_INIT).count("1") == 6


def test_the_fence_says_what_the_machine_has() -> None:
    def fence() -> dict[str, str]:
        confine.no_new_privs()
        return confine.fence()

    facts = in_child(fence)
    assert facts["seccomp"] in ("filter", "none (the kernel has no filters)")
    assert facts["landlock"].startswith(("ABI ", "none ("))
