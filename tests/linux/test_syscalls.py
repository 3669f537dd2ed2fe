"""A failed system call says which one it was."""

from __future__ import annotations

import errno
import os

import pytest

from pyopenshell.linux import syscalls

from .conftest import in_child

CALLS = (
    ("unshare", lambda: syscalls.unshare(0x1), errno.EINVAL),
    ("setns", lambda: syscalls.setns(-1), errno.EBADF),
    ("mount", lambda: syscalls.mount("none", "/no/such", "tmpfs"), errno.ENOENT),
    ("umount2", lambda: syscalls.umount2("/no/such"), errno.ENOENT),
    ("pivot_root", lambda: syscalls.pivot_root("/no/such", "/"), errno.ENOENT),
    ("open_tree", lambda: syscalls.open_tree("/no/such", 0), errno.ENOENT),
    ("move_mount", lambda: syscalls.attach(-1, "/"), errno.EBADF),
    ("mount_setattr", lambda: syscalls.mount_setattr(-1, 1), errno.EBADF),
    ("mount_setattr", lambda: syscalls.mount_setattr("/no/such", 1), errno.ENOENT),
    ("prctl", lambda: syscalls.prctl(-1), errno.EINVAL),
    ("close_range", lambda: syscalls.close_range(5, 4), errno.EINVAL),
    ("capset", lambda: syscalls.capset(0, 1), errno.EPERM),
)


@pytest.mark.parametrize(("name", "act", "number"), CALLS)
def test_a_failure_names_its_call(name: str, act: object, number: int) -> None:
    def fail() -> list[object]:
        try:
            act()  # type: ignore[operator]
        except OSError as failure:
            return [failure.errno, failure.strerror]
        return []

    # As a user a missing right comes before a missing file: that is the machine's answer too.
    seen = in_child(fail)
    assert seen[0] in (number, errno.EPERM)
    assert seen[1] == f"{name}: {os.strerror(seen[0])}"


def test_an_architecture_without_numbers_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "_COLUMN", None)
    with pytest.raises(OSError, match="unshare: no system call numbers are known for"):
        syscalls.unshare(0)


def test_close_range_closes_both_ends_of_the_range() -> None:
    def left() -> list[bool]:
        for fd in (200, 201, 202, 203):
            os.dup2(1, fd)
        syscalls.close_range(201, 202)
        return [os.path.exists(f"/proc/self/fd/{fd}") for fd in (200, 201, 202, 203)]

    assert in_child(left) == [True, False, False, True]
