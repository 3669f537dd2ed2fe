"""Namespaces are made, opened, joined and left without a trace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.linux import ids, namespaces, steps
from pyopenshell.linux.ids import Extent, Ids, Shape
from pyopenshell.linux.namespaces import NAMES, Namespaces

from .conftest import BASE, in_child


def names(who: str) -> Ids:
    return ids.range_ids(BASE) if who == "root" else ids.single_ids()


def test_own_namespaces_are_open_in_the_order_of_joining() -> None:
    own = Namespaces.of()
    try:
        assert NAMES == ("user", "mnt", "net", "ipc", "uts", "cgroup", "pid")
        for name, fd in zip(NAMES, own.descriptors(), strict=True):
            assert os.readlink(f"/proc/self/fd/{fd}").startswith(f"{name}:[")
            assert not os.get_inheritable(fd)
        assert Namespaces.from_descriptors(own.descriptors()) == own
    finally:
        own.close()


def test_namespaces_of_nobody_leave_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Namespaces.of(2**22 + 1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_user_namespace_has_the_maps_and_no_process(who: str) -> None:
    def make() -> list[object]:
        chosen = names(who)
        fd = namespaces.make_user_namespace(chosen)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        namespaces.become_root_inside(fd, chosen)
        return [Path("/proc/self/uid_map").read_text().split(), os.getresuid(), os.getresgid(), os.getgroups()]

    uid_map, uids, gids, groups = in_child(make, who)
    if who == "root":
        assert [uid_map, uids, gids, groups] == [["0", str(BASE), "65536"], [0] * 3, [0] * 3, []]
    else:
        assert [uid_map[0], uid_map[2], uids, gids] == ["1000", "1", [1000] * 3, [1000] * 3]


def test_a_map_that_is_refused_is_the_step_that_failed() -> None:
    def make() -> list[object]:
        one = (Extent(0, 0, 1), Extent(1, 1, 1))
        try:
            namespaces.make_user_namespace(Ids(Shape.SINGLE, one, one))
        except steps.SetupFailed as failure:
            return [failure.step, failure.text.split(":")[0]]
        return []

    assert in_child(make, "user") == [steps.ID_MAPS, "write gid_map"]


def test_a_subrange_is_mapped_by_its_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" | cut -d" " -f1,3- >>{tmp_path}/log\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    extents = (Extent(0, 1000, 1), Extent(1, 100000, 65535))
    os.close(namespaces.make_user_namespace(Ids(Shape.SUBRANGE, extents, extents)))
    line = "0 1000 1 1 100000 65535"
    assert (tmp_path / "log").read_text() == f"newuidmap {line}\nnewgidmap {line}\n"
    (tmp_path / "newuidmap").write_text("#!/bin/sh\necho newuidmap: uid range not allowed >&2\nexit 1\n")
    with pytest.raises(steps.SetupFailed, match="id maps: newuidmap: newuidmap: uid range not allowed"):
        namespaces.make_user_namespace(Ids(Shape.SUBRANGE, extents, extents))


def test_a_tree_is_removed_whatever_its_modes(tmp_path: Path, who: str) -> None:
    base = Path(f"/var/tmp/pyopenshell-remove-{os.getpid()}-{who}")

    def make_and_remove() -> bool:
        (base / "a/b").mkdir(parents=True)
        (base / "a/b/file").write_text("x")
        (base / "a/link").symlink_to("/etc")
        (base / "a/b").chmod(0)
        namespaces.remove_tree(names(who), str(base))
        return base.exists()

    assert in_child(make_and_remove, who) is False
    assert Path("/etc/passwd").exists()


def test_only_what_was_made_directly_below_ours_is_a_child_of_ours(who: str) -> None:
    def make() -> list[bool]:
        child = namespaces.make_user_namespace(names(who))
        own, other = (os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("user", "net"))
        pipe, _ = os.pipe()
        seen = [namespaces.is_child_of_ours(fd) for fd in (child, own, other, pipe)]
        namespaces.become_root_inside(child, names(who))
        grandchild = namespaces.make_user_namespace(Ids(Shape.SINGLE, *[(Extent(0, names(who).init_uid, 1),)] * 2))
        before = namespaces.is_child_of_ours(grandchild)  # it is ours now, who are inside
        return [*seen, before, namespaces.is_child_of_ours(child)]

    assert in_child(make, who) == [True, False, False, False, True, False]


def test_a_tree_of_a_subrange_is_removed_in_its_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner").chmod(0)
    order = []
    monkeypatch.setattr(namespaces, "make_user_namespace", lambda made: order.append("made") or 7)
    monkeypatch.setattr(namespaces, "become_root_inside", lambda fd, made: os.write(told, f"{order} {fd}".encode()))
    heard, told = os.pipe()
    extents = (Extent(0, os.geteuid(), 1),)
    namespaces.remove_tree(Ids(Shape.SUBRANGE, extents, extents), str(tmp_path / "tree"))
    os.close(told)
    with os.fdopen(heard, "rb") as pipe:
        assert pipe.read() == b"['made'] 7"
    assert not (tmp_path / "tree").exists()


def test_removing_what_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        namespaces.remove_tree(ids.single_ids(), "/no/such")
