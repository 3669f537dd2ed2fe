"""The domain, by what the kernel then refuses; a kernel without it is said to be one."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from pyopenshell.linux import confine, landlock, syscalls

from .conftest import in_child

ABI = landlock.abi()


def test_a_kernel_without_landlock_has_abi_0(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, "landlock")

    monkeypatch.setattr(syscalls, "call", refuse)
    number = errno.ENOSYS
    assert landlock.abi() == 0
    number = errno.EOPNOTSUPP
    assert landlock.abi() == 0
    number = errno.EFAULT
    with pytest.raises(OSError):
        landlock.abi()


@pytest.mark.parametrize("version", [0, 1])
def test_a_version_that_breaks_renames_is_not_used(version: int) -> None:
    assert landlock.restrict(("/",), version) is False


@pytest.mark.parametrize(("version", "count"), [(2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (9, 16)])
def test_each_version_is_asked_for_what_it_knows(version: int, count: int) -> None:
    assert landlock.rights(version) == (1 << count) - 1


def tried(act: object) -> int:
    try:
        act()  # type: ignore[operator]
    except OSError as failure:
        return failure.errno or -1
    return 0


@pytest.mark.parametrize("version", [version for version in range(2, 8) if version <= ABI] or [0])
def test_only_what_is_writable_is_written(tmp_path: Path, version: int) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").write_text("old")

    def confined() -> list[object]:
        confine.no_new_privs()
        fenced = landlock.restrict((str(tmp_path / "in"), "/no/such"), version)
        return [
            fenced,
            tried(lambda: (tmp_path / "in/new").write_text("x")),
            tried(lambda: (tmp_path / "in/new").rename(tmp_path / "in/deep/new")),
            tried(lambda: (tmp_path / "out/old").read_text()),
            tried(lambda: (tmp_path / "out/old").write_text("x")),
            tried(lambda: (tmp_path / "out/new").mkdir()),
            tried(lambda: (tmp_path / "out/old").unlink()),
        ]

    refused = errno.EACCES if version else 0
    assert in_child(confined) == [bool(version), 0, 0, 0, refused, refused, refused]


def test_a_process_of_another_domain_cannot_be_signalled() -> None:
    def confined() -> list[object]:
        outside = os.fork()
        if outside == 0:
            signal.pause()
            os._exit(0)
        confine.no_new_privs()
        landlock.restrict(("/",), ABI)
        inside = os.fork()
        if inside == 0:
            signal.pause()
            os._exit(0)
        seen = [tried(lambda: os.kill(outside, 0)), tried(lambda: os.kill(inside, signal.SIGKILL))]
        os.waitpid(inside, 0)
        return [outside, *seen]

    outside, *seen = in_child(confined)
    os.kill(outside, signal.SIGKILL)
    os.waitpid(outside, 0)  # an orphan comes here: the tests are a subreaper
    assert seen == [errno.EPERM if ABI >= 6 else 0, 0]
