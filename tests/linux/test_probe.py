"""A whole throw-away sandbox, and machines that forbid a part of it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator

import pytest

from pyopenshell.linux import namespaces, probe, steps, syscalls
from pyopenshell.linux.ids import Ids, candidates, range_ids

from .conftest import BASE, in_child


@pytest.fixture(autouse=True)
def temporary(directory: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A probe has its directory here, and removes it."""
    monkeypatch.setattr(tempfile, "tempdir", directory)
    yield
    assert os.listdir(directory) == []


def test_this_machine_can(who: str, mounts_before: None) -> None:
    facts = in_child(lambda: probe.probe(candidates(BASE)[0]), who)
    assert facts["isolation"] == {"root": "range", "user": "single"}[who] or facts["isolation"] == "subrange"
    assert facts["system"].startswith(("overlay", "read-only"))
    assert set(facts) == {"isolation", "system", "landlock", "seccomp"}


@pytest.mark.parametrize(
    ("call", "match", "step", "words"),
    [
        ("unshare", lambda a: a[0] == syscalls.CLONE_NEWUSER, steps.USER_NAMESPACE, "chroot"),
        ("setns", lambda a: True, steps.USER_NAMESPACE, "chroot"),
        ("unshare", lambda a: a[0] != syscalls.CLONE_NEWUSER, steps.NAMESPACES, "seccomp=unconfined"),
        ("open_tree", lambda a: True, steps.SOURCES, "seccomp=unconfined"),
        ("mount", lambda a: a[2] == b"tmpfs", steps.MOUNTS, "apparmor=unconfined"),
        ("pivot_root", lambda a: True, steps.MOUNTS, "apparmor=unconfined"),
        ("mount", lambda a: a[2] == b"proc", steps.PROC, "systempaths=unconfined"),
        ("mount", lambda a: a[2] == b"devpts", steps.DEVPTS, ""),
    ],
)
def test_what_the_machine_forbids_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
    mounts_before: None,
    call: str,
    match: Callable[[tuple[object, ...]], bool],
    step: str,
    words: str,
) -> None:
    real = syscalls.call

    def forbid(name: str, *arguments: object) -> int:
        if name == call and match(arguments):
            raise PermissionError(errno.EPERM, f"{name}: Operation not permitted")
        return real(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(syscalls, "call", forbid)
    with pytest.raises(steps.SetupFailed) as caught:
        probe.probe(candidates(BASE)[0])
    assert (caught.value.step, caught.value.errno) == (step, errno.EPERM)
    assert words in caught.value.hint


def test_an_id_map_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, chosen: Ids) -> None:
        raise PermissionError(errno.EPERM, "write uid_map: Operation not permitted")

    monkeypatch.setattr(namespaces, "_write_maps", refuse)
    with pytest.raises(steps.SetupFailed, match="id maps: write uid_map"):
        probe.probe(candidates(BASE)[0])


def test_a_program_that_cannot_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOEXEC, "execve")

    monkeypatch.setattr(os, "execve", refuse)
    with pytest.raises(steps.SetupFailed, match="run a program as sandbox: exit status 127"):
        probe.probe(candidates(BASE)[0])


def test_a_chroot_is_named_by_the_kernel_itself() -> None:
    def in_chroot() -> list[object]:
        try:
            os.chroot("/usr")
        except PermissionError:  # an ordinary user cannot even make one
            return [steps.USER_NAMESPACE, errno.EPERM, True]
        os.chdir("/")
        try:
            namespaces.make_user_namespace(range_ids(BASE))
        except steps.SetupFailed as failure:
            return [failure.step, failure.errno, "chroot" in failure.hint]
        return []

    assert in_child(in_chroot) == [steps.USER_NAMESPACE, errno.EPERM, True]
