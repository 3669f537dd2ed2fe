from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.private_files import make_private_dir, read_private, write_private


def test_what_is_written_is_private_whole_and_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make_private_dir(tmp_path / "a" / "pki")
        write_private(tmp_path / "a" / "pki" / "key", b"one")
        write_private(tmp_path / "a" / "pki" / "key", b"two")
    finally:
        os.umask(old)
    assert (tmp_path / "a" / "pki").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "pki" / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "a" / "pki").iterdir()] == ["key"]
    assert read_private(tmp_path / "a" / "pki" / "key", 3) == b"two"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS])
def test_a_refusal_at_any_step_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    write_private(tmp_path / "key", b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync" if step == "fsync" else "pathlib.Path.replace", refuse)
    with pytest.raises(OpenShellError, match="key cannot be written: ") as caught:
        write_private(tmp_path / "key", b"new")
    monkeypatch.undo()
    full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    assert caught.value.code is (Code.EXHAUSTED if full else Code.PRECONDITION)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"key": b"old"}


def test_a_link_in_the_place_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"safe")
    (tmp_path / "key").symlink_to(tmp_path / "victim")
    write_private(tmp_path / "key", b"new")
    assert (tmp_path / "victim").read_bytes() == b"safe"
    assert not (tmp_path / "key").is_symlink()


def test_reading(tmp_path: Path) -> None:
    assert read_private(tmp_path / "nothing", 10) is None
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(OpenShellError, match="over 10 bytes"):
        read_private(tmp_path / "big", 10)
    with pytest.raises(OpenShellError, match="cannot be read: Is a directory") as caught:
        read_private(tmp_path, 10)
    assert caught.value.code is Code.PRECONDITION


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OpenShellError, match="cannot be made: Not a directory"):
        make_private_dir(tmp_path / "file" / "pki")
