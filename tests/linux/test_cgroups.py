"""Both versions: what is written where, on a made-up /sys, and what this machine really holds."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyopenshell.linux import cgroups, syscalls
from pyopenshell.linux.cgroups import Group, Place, Support

from .conftest import IS_ROOT, NOBODY, Box, become, in_child

MIB = 1024 * 1024


def version_1(root: Path) -> tuple[Path, Path]:
    """cpu with cpuacct, and memory, each a hierarchy; memory as in a container: its root is not /."""
    mounts, own = root / "mountinfo", root / "cgroup"
    for name in ("cpu,cpuacct/user", "memory/inner"):
        (root / name).mkdir(parents=True)
    mounts.write_text(
        f"30 23 0:26 / {root}/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        f"31 23 0:27 /docker/abc {root}/memory rw - cgroup cgroup rw,memory\n"
        f"32 23 0:28 / {root}/unified rw - cgroup2 cgroup2 rw\n"
        "33 23 0:29 / / rw - ext4 /dev/vda rw\n"
    )
    own.write_text("5:cpu,cpuacct:/user\n4:memory:/docker/abc/inner\n1:name=systemd:/\n0::/\n")
    return mounts, own


def version_2(root: Path, own_path: str = "/unit/gateway") -> tuple[Path, Path]:
    mounts, own = root / "mountinfo", root / "cgroup"
    (root / "v2" / own_path.lstrip("/")).mkdir(parents=True)
    (root / "v2/cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    mounts.write_text(f"30 23 0:26 / {root}/v2 rw - cgroup2 cgroup2 rw,nsdelegate\n")
    own.write_text(f"0::{own_path}\n")
    return mounts, own


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[Path, Path]], None]:
    """Let the module look at a made-up machine."""
    real = cgroups.places

    def look(machine: tuple[Path, Path]) -> None:
        monkeypatch.setattr(cgroups, "places", lambda: real(*machine))

    return look


Look = Callable[[tuple[Path, Path]], None]


def written(group: Group) -> dict[str, str]:
    return {path.name: path.read_text() for folder in group.directories for path in folder.iterdir()}


def test_our_own_directories_are_found_in_version_1(tmp_path: Path) -> None:
    assert cgroups.places(*version_1(tmp_path)) == {
        "cpu": Place(tmp_path / "cpu,cpuacct/user", 1),
        "memory": Place(tmp_path / "memory/inner", 1),
    }


def test_our_own_directory_is_found_in_version_2(tmp_path: Path) -> None:
    own = Place(tmp_path / "v2/unit/gateway", 2)
    assert cgroups.places(*version_2(tmp_path)) == {"cpu": own, "memory": own}


def test_a_machine_without_hierarchies_has_none(tmp_path: Path, on: Look) -> None:
    (tmp_path / "empty").write_text("")
    on((tmp_path / "empty", tmp_path / "empty"))
    reason = "no cgroup hierarchy with the {} controller is mounted"
    assert cgroups.available() == Support("none", reason.format("cpu"), reason.format("memory"))
    with pytest.raises(OSError, match="memory controller"):
        cgroups.make("x", memory=MIB)
    assert cgroups.existing("x") == Group(())


def test_version_1_takes_quota_and_bytes(tmp_path: Path, on: Look) -> None:
    on(version_1(tmp_path))
    group = cgroups.make("web", cpu=1.5, memory=64 * MIB)
    assert group.directories == (tmp_path / "cpu,cpuacct/user/openshell-web", tmp_path / "memory/inner/openshell-web")
    assert written(group) == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "150000",
        "memory.limit_in_bytes": str(64 * MIB),
    }
    assert set(cgroups.existing("web").directories) == set(group.directories)


def test_version_2_takes_both_in_one_directory_beside_our_leaf(tmp_path: Path, on: Look) -> None:
    on(version_2(tmp_path))
    leaf = tmp_path / "v2/unit/gateway"
    (leaf / "cgroup.subtree_control").mkdir()  # what cannot be written: our leaf has processes
    (tmp_path / "v2/unit/cgroup.subtree_control").write_text("cpu memory\n")
    group = cgroups.make("web", cpu=0.5, memory=MIB)
    assert group.directories == (tmp_path / "v2/unit/openshell-web",)
    assert written(group) == {"cpu.max": "50000 100000", "memory.max": str(MIB)}


def test_without_a_limit_no_group_is_made(tmp_path: Path, on: Look) -> None:
    on(version_1(tmp_path))
    assert cgroups.make("web") == Group(())
    assert Group(()).procs() == ()


def test_what_failed_half_way_leaves_nothing(tmp_path: Path, on: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    on(version_1(tmp_path))
    real = Path.write_text

    def refuse(path: Path, text: str, *rest: str) -> int:
        if path.name == "memory.limit_in_bytes":
            raise OSError(errno.EINVAL, "Invalid argument")
        if "cfs" in path.name:  # a real cgroup's files go with its directory
            return 0
        return real(path, text, *rest)

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(OSError, match="Invalid argument"):
        cgroups.make("web", cpu=1, memory=1)
    assert cgroups.existing("web") == Group(())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "no cgroup of its own"),
        (errno.EROFS, "no cgroup of its own"),
        (errno.EBUSY, "has processes"),
        (errno.ENOENT, "is not given to our cgroup"),
        (errno.EIO, "Input"),
    ],
)
def test_a_refusal_has_its_reason(
    tmp_path: Path, on: Look, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    on(version_1(tmp_path))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    support = cgroups.available()
    assert support.kind == "v1"
    assert words in support.cpu
    assert words in support.memory


def test_a_group_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/cgroup.procs").write_text("")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Group((tmp_path / "a", tmp_path / "b")).procs()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_ordinary_user_is_told_what_to_do() -> None:
    support = in_child(lambda: list(map(str, (cgroups.available().cpu, cgroups.available().memory))), "user")
    assert all(reason == "" or "gateway" in reason or "mounted" in reason for reason in support)


def test_a_sandbox_is_held_where_this_machine_can(who: str, make_box: Callable[..., Box]) -> None:
    support = in_child(lambda: [cgroups.available().cpu, cgroups.available().memory], "root")
    wanted = {"cpu": 0.0 if support[0] else 0.5, "memory": 0 if support[1] else 128 * MIB}
    group = cgroups.make("test-held", **wanted)  # type: ignore[arg-type]
    fds = group.procs()
    try:
        box = make_box(cgroup=fds)
        outside = Path(f"/proc/{box.process.pid}/cgroup").read_text()
        assert len(re.findall(r"openshell-test-held", outside)) == len(group.directories)
        assert "openshell-" not in box.run("cat /proc/self/cgroup")  # its own cgroup is the root of its namespace
        assert box.run("cat /proc/self/cgroup") == box.run_from_outside("cat /proc/self/cgroup", cgroup=fds)
        box.close()
    finally:
        for fd in fds:
            os.close(fd)
        group.remove()
    assert cgroups.existing("test-held") == Group(())
    group.remove()  # gone already: no error


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A group that is an ordinary user's, with an empty leaf, and a controller of version 2 that it is given."""
    root, spare = spare_controller()
    monkeypatch.setattr(cgroups, "CONTROLLERS", (spare,))
    control = root / "cgroup.subtree_control"
    given = spare in control.read_text().split()
    try:
        control.write_text(f"+{spare}")
    except OSError as failure:
        pytest.skip(f"the root of cgroup version 2 gives nothing: {failure.strerror}")
    made = root / f"openshell-test-{os.getpid()}"
    (made / "leaf").mkdir(parents=True)
    for folder in (made, made / "leaf"):
        for path in (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control"):
            os.chown(path, NOBODY, NOBODY)
    yield made, spare
    (made / "leaf").rmdir()
    made.rmdir()
    if not given:
        control.write_text(f"-{spare}")


def spare_controller() -> tuple[Path, str]:
    """Where version 2 is mounted, and a controller there, "" for none; those that limits use may all be version 1's."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            root = Path(line.split()[4])
            return root, next(iter((root / "cgroup.controllers").read_text().split()), "")
    return Path(), ""


@pytest.mark.skipif(not IS_ROOT or not spare_controller()[1], reason="no cgroup version 2 with a controller for root")
def test_a_delegated_unit_of_version_2_is_really_used(unit: tuple[Path, str]) -> None:
    """As systemd does it: processes in a leaf, so groups beside it; entered by a process in a user namespace of its own."""
    made, spare = unit

    def delegate() -> list[object]:
        (made / "leaf" / "cgroup.procs").write_text("0")
        become("user")
        place = cgroups.places()[spare]
        try:
            cgroups._parent(Place(made / "leaf" / "none", 2), spare)
        except OSError as failure:
            refused = failure.errno
        parents = [
            cgroups._parent(place, spare) for _ in range(2)
        ]  # the second time the leaf could give, but is not empty
        group = Group((parents[0] / "openshell-x",))
        group.directories[0].mkdir()
        (fd,) = group.procs()
        entered, told = os.pipe()
        ended, end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(fd, b"0")
            os.write(told, Path("/proc/self/cgroup").read_bytes().rpartition(b":")[2])
            os.read(ended, 1)
            os._exit(0)
        where = os.read(entered, 4096).decode().strip()
        try:
            group.remove()
            busy = 0
        except OSError as failure:
            busy = failure.errno or 0
        found = cgroups.existing("x") == group
        os.close(end)
        os.waitpid(child, 0)
        group.remove()
        return [place.directory == made / "leaf", [parent == made for parent in parents], where, busy, found, refused]

    own, beside, where, busy, found, refused = in_child(delegate)
    assert (own, beside, busy, found, refused) == (True, [True, True], errno.EBUSY, True, errno.ENOENT)
    assert where.endswith(f"/{made.name}/openshell-x")
