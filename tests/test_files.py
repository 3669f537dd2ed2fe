"""Private files and directories: modes, replacement, nothing left behind by a failure, taking turns."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import SMALL_FILE_MAX, locked, private_directory, read_small, write_private


@pytest.mark.parametrize("durable", [False, True])
def test_what_is_written_is_private_whole_and_alone(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "pki" / "key"
    old = os.umask(0)
    try:
        write_private(path, b"one", durable=durable)
        write_private(path, b"two", durable=durable)
    finally:
        os.umask(old)
    assert read_small(path) == read_small(path, 3) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {path.parent.stat().st_mode & 0o777, path.parent.parent.stat().st_mode & 0o777} == {0o700}
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_small(tmp_path / "no" / "file") is None
    (tmp_path / "file").write_text("")
    assert read_small(tmp_path / "file" / "below") is None


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match="cannot be read: Is a directory") as caught:
        read_small(tmp_path)
    assert caught.value.code is Code.PRECONDITION
    (tmp_path / "big").write_bytes(b"x" * 11)
    assert read_small(tmp_path / "big", 11) == b"x" * 11
    with pytest.raises(OpenShellError, match="over 10 bytes"):
        read_small(tmp_path / "big", 10)
    assert SMALL_FILE_MAX > 11


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
        write_private(tmp_path / "key", b"new", durable=True)
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


def test_private_directories_are_made_with_their_parents(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "a" / "b")
    assert [(path.stat().st_mode & 0o777) for path in (made, made.parent)] == [0o700, 0o700]
    assert private_directory(made) == made


def test_what_is_in_the_way_of_a_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for path, words in (
        (tmp_path / "file", "is not a directory"),
        (tmp_path / "file" / "below", "cannot be made: Not"),
    ):
        with pytest.raises(OpenShellError, match=f"file.* {words}") as caught:
            private_directory(path)
        assert caught.value.code is Code.PRECONDITION
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(OpenShellError, match="belongs to user id"):
        private_directory(tmp_path)


def test_two_who_lock_take_turns(tmp_path: Path) -> None:
    entered, done = threading.Event(), []

    def second() -> None:
        entered.set()
        with locked(tmp_path / ".lock"):
            done.append("second")

    with locked(tmp_path / ".lock"):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        done.append("first")
    thread.join()
    assert done == ["first", "second"]


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match="cannot be locked"), locked(tmp_path):
        pass
