"""Every door of a sandbox leads to the same kind of process."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pyopenshell.linux import ids as id_maps
from pyopenshell.linux import landlock
from pyopenshell.linux.enter import Door, close_all_but, enter

from .conftest import Box, in_child

FIELDS = (
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
)
STATUS = "exec cat /proc/self/status"
SPACES = "for n in user mnt net ipc uts cgroup pid; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup"


def fields(text: str) -> dict[str, list[str]]:
    lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name: value.split() for name, value in lines if name in FIELDS}


@pytest.mark.e2e
def test_a_process_of_each_door_is_the_same_kind_of_process(box: Box) -> None:
    within = fields(box.run(STATUS))
    assert within == fields(box.run_from_outside(STATUS))
    assert within["Uid"] == ["1000"] * 4
    assert within["Gid"] == ["1000"] * 4
    assert {value for name, (value, *_) in ((n, v) for n, v in within.items() if n.startswith("Cap"))} == {"0" * 16}
    assert within["NoNewPrivs"] == ["1"]
    assert within["Seccomp"] == ["2"]
    assert within["Seccomp_filters"] == ["1"]


@pytest.mark.e2e
def test_a_process_of_each_door_is_in_the_same_namespaces_and_cgroup(box: Box) -> None:
    within = box.run(SPACES)
    assert within == box.run_from_outside(SPACES)
    assert len(re.findall(r"\w+:\[\d+\]", within)) == 7
    for name in ("user", "mnt", "net", "ipc", "uts", "pid"):
        assert os.readlink(f"/proc/self/ns/{name}") not in within


@pytest.mark.e2e
def test_what_enters_has_no_environment_and_only_the_descriptors_it_was_given(box: Box) -> None:
    os.environ["OPENSHELL_SECRET"] = "x"
    try:
        spare = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(spare, True)
        seen = box.run_from_outside("ls /proc/self/fd; env", inside=lambda: dict(os.environ))
        os.close(spare)
    finally:
        del os.environ["OPENSHELL_SECRET"]
    assert seen.startswith("{}")
    assert "SECRET" not in seen
    assert [line for line in seen[2:].split() if line.isdigit()] == ["0", "1", "2", "3"]  # 3 is the directory ls reads


@pytest.mark.e2e
def test_what_enters_is_not_dumpable_and_imports_nothing(box: Box) -> None:
    def inside() -> tuple[bool, str]:
        owner_is_root = os.stat("/proc/self/environ").st_uid != os.geteuid()
        try:
            import this  # noqa: F401
        except ImportError as failure:
            return owner_is_root, str(failure)
        return owner_is_root, "imported"

    assert box.run_from_outside("true", inside) == repr(
        (True, "'this' was not imported before the sandbox was entered")
    )


@pytest.mark.e2e
def test_users_processes_see_each_other_and_none_reaches_a_process_of_another_domain(box: Box) -> None:
    assert box.run("sleep 60 & kill -0 $! && kill $! && echo killed").strip() == "killed"
    assert box.run("kill -9 1; kill -TERM 1; echo alive").strip().endswith("alive")
    if landlock.abi() >= 6:
        # The entered process has the same id as the user's; its own Landlock domain is what keeps it apart.
        assert "ermitted" in box.run_from_outside("kill -0 1 2>&1")


@pytest.mark.e2e
def test_what_enters_is_a_child_of_process_one_and_no_child_of_ours(box: Box) -> None:
    def parent() -> int:
        while os.getppid() not in (0, 1):  # the process between is on its way out
            os.sched_yield()
        return os.getppid()

    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    assert box.run_from_outside("true", parent) == "1"
    assert children.read_text() == before  # although this process is a subreaper


@pytest.mark.e2e
def test_a_thrown_in_descriptor_of_the_wrong_kind_is_refused(box: Box) -> None:
    def wrong() -> str:
        spaces = box.namespaces
        door = Door(box.ids, 1000, 1000, namespaces=type(spaces)(*reversed(spaces.descriptors())))
        try:
            enter(door)
        except OSError as failure:
            return failure.strerror or ""
        return "entered"

    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(told, 1)
        os.write(1, wrong().encode())
        os._exit(0)
    os.close(told)
    with os.fdopen(heard, "rb") as pipe:
        assert pipe.read() == b"setns: Invalid argument"
    os.waitpid(pid, 0)


def test_close_all_but_leaves_exactly_what_is_kept() -> None:
    def left() -> list[int]:
        before = {fd for fd in range(200) if _is_open(fd)}  # the pipe that answers the test is among them
        kept, closed, last = 200, 201, 300
        for fd in (kept, closed, last):
            os.dup2(0, fd)
        close_all_but(before | {kept, last})
        return [fd for fd in range(400) if _is_open(fd) and fd not in before]

    assert in_child(left) == [200, 300]


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_the_default_door_keeps_the_standard_streams() -> None:
    assert Door(id_maps.range_ids(0x80000), 1, 1).keep == {0, 1, 2}
