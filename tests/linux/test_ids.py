"""Maps of the three shapes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.linux import ids
from pyopenshell.linux.ids import Extent, Shape


def test_a_range_maps_all_ids_and_keeps_one_for_the_supervisor() -> None:
    made = ids.range_ids(0x80000)
    assert made.uids == made.gids == (Extent(0, 0x80000, 65536),)
    assert (made.host_uid(0), made.host_uid(65535), made.host_gid(5)) == (0x80000, 0x8FFFF, 0x80005)
    assert made.supervisor == 0x90000
    assert (made.init_uid, made.init_gid, made.many) == (0, 0, True)
    assert ids.RANGE_TAKEN == 65537


@pytest.mark.parametrize("inside", [-1, 65536])
def test_an_id_outside_of_the_range_does_not_exist(inside: int) -> None:
    with pytest.raises(OpenShellError, match=f"id {inside} does not exist"):
        ids.range_ids(0x80000).host_uid(inside)


def test_single_maps_the_sandbox_to_the_user_and_nothing_else() -> None:
    made = ids.single_ids()
    assert made.host_uid(1000) == os.geteuid()
    assert made.host_gid(1000) == os.getegid()
    assert (made.init_uid, made.many, made.supervisor) == (1000, False, -1)
    with pytest.raises(OpenShellError):
        made.host_uid(0)


def entries(etc: Path, count: int) -> Path:
    (etc / "passwd").write_text(f"me:x:{os.geteuid()}:1:me:/:/bin/sh\n")
    (etc / "subuid").write_text(f"other:1:70000\nme:100000:{count}\n")
    (etc / "subgid").write_text(f"{os.geteuid()}:200000:{count}\n")
    return etc


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_subrange_makes_the_user_root_and_takes_the_rest_from_its_entry(tmp_path: Path, tools: None) -> None:
    made = ids.subrange_ids(etc=entries(tmp_path, 65536))
    assert made is not None
    assert made.shape is Shape.SUBRANGE
    assert made.host_uid(0) == os.geteuid()
    assert made.host_uid(1000) == 100999
    assert made.host_gid(65535) == 265534
    assert made.init_uid == 0
    assert made.supervisor == -1


def test_subrange_needs_ids_enough_for_the_sandbox(tmp_path: Path, tools: None) -> None:
    assert ids.subrange_ids(etc=entries(tmp_path, 999)) is None
    assert ids.subrange_ids(etc=entries(tmp_path, 1000)) is not None


def test_subrange_needs_its_tools_and_its_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etc = entries(tmp_path, 65536)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert ids.subrange_ids(etc=etc) is None
    (etc / "subgid").write_text("")
    assert ids.subrange_ids(etc=etc) is None


def test_the_best_shape_of_root_is_a_range() -> None:
    assert (ids.best_ids(0x80000).shape is Shape.RANGE) == (os.geteuid() == 0)
