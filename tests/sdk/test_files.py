"""Files written whole: modes, replacement, nothing left behind by a failure, taking turns."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.files import SMALL_FILE_MAX, locked, read_small, write_private


def test_write_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_private(path, b"one")
    write_private(path, b"two")
    assert read_small(path) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_small(tmp_path / "no" / "file") is None
    (tmp_path / "file").write_text("")
    assert read_small(tmp_path / "file" / "below") is None


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match="cannot read") as caught:
        read_small(tmp_path)
    assert caught.value.code is Code.PRECONDITION
    (tmp_path / "big").write_bytes(b"x" * (SMALL_FILE_MAX + 1))
    with pytest.raises(OpenShellError, match="larger than"):
        read_small(tmp_path / "big")


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, Code.EXHAUSTED), (errno.EROFS, Code.PRECONDITION)])
def test_a_failed_write_leaves_the_old_content_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: Code
) -> None:
    path = tmp_path / "file"
    write_private(path, b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OpenShellError, match="cannot write") as caught:
        write_private(path, b"new")
    assert caught.value.code is code
    assert read_small(path) == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


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
    with pytest.raises(OpenShellError, match="cannot open"), locked(tmp_path):
        pass
