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


def maps(proc: Path, text: str, gids: str = "") -> Path:
    proc.mkdir(exist_ok=True)
    (proc / "uid_map").write_text(text)
    (proc / "gid_map").write_text(gids or text)
    return proc


MACHINE = "         0          0 4294967295\n"


@pytest.mark.parametrize(
    ("uid", "text", "gids", "shapes"),
    [
        (0, MACHINE, "", [Shape.RANGE]),
        (0, "0 1000 1\n", "", [Shape.SINGLE]),
        (0, "0 1000 1\n1 100000 65536\n", "", [Shape.SINGLE]),
        (0, MACHINE, "0 1000 1\n", [Shape.SINGLE]),
        (0, "0 1000 1\n524288 524288 1878523903\n", "", [Shape.SINGLE]),  # one id short of all ranges
        (0, "0 1000 1\n524288 524288 1878523904\n", "", [Shape.RANGE, Shape.SINGLE]),
        (7, MACHINE, "", [Shape.SINGLE]),
    ],
)
def test_a_range_needs_every_id_and_the_machines_root_is_never_a_sandboxs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, text: str, gids: str, shapes: list[Shape]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no newuidmap
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert [item.shape for item in ids.candidates(0x80000, maps(tmp_path / "self", text, gids))] == shapes


def test_a_subrange_is_better_than_a_single_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ids.range_ids(0x80000)
    monkeypatch.setattr(ids, "subrange_ids", lambda: made)
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    assert ids.candidates(0, maps(tmp_path / "self", MACHINE)) == (made, ids.single_ids())


def test_the_best_shape_of_the_machines_root_is_a_range() -> None:
    machine = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    assert (ids.candidates(0x80000)[0].shape is Shape.RANGE) == (os.geteuid() == 0 and machine)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("0 524288 65536\n", ids.range_ids(0x80000)),
        ("1000 7 1\n", ids.Ids(Shape.SINGLE, (Extent(1000, 7, 1),), (Extent(1000, 7, 1),))),
        ("998 7 1\n", ids.Ids(Shape.SINGLE, (Extent(998, 7, 1),), (Extent(998, 7, 1),), 998, 998)),
        ("0 7 1\n1 100000 65535\n", ids.Ids(Shape.SUBRANGE, *[(Extent(0, 7, 1), Extent(1, 100000, 65535))] * 2)),
    ],
)
def test_the_ids_of_a_running_sandbox_are_what_the_kernel_has(tmp_path: Path, text: str, made: ids.Ids) -> None:
    maps(tmp_path / "12", text)
    assert ids.ids_of_process(12, tmp_path) == made
    with pytest.raises(FileNotFoundError):
        ids.ids_of_process(13, tmp_path)


def test_an_image_has_its_own_user() -> None:
    made = ids.range_ids(0x80000).with_sandbox(998, 997)
    assert (made.sandbox_uid, made.sandbox_gid, made.supervisor) == (998, 997, 0x90000)
    assert ids.single_ids().with_sandbox(998, 997) == ids.single_ids(998, 997)
    with pytest.raises(OpenShellError, match="id 65536 does not exist"):
        made.with_sandbox(998, 65536)
