from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pyopenshell.audit.file import AuditFile


def names(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(directory.iterdir())}


def test_lines_are_appended_to_a_private_file(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        file = AuditFile(tmp_path / "audit.jsonl", max_bytes=100, keep=2)
        file.append(text)
        file.close()
        file.close()
    assert names(tmp_path) == {"audit.jsonl": "one\ntwo\n"}
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_rotation_begins_where_a_line_would_go_over_and_keeps_so_many(tmp_path: Path) -> None:
    file = AuditFile(tmp_path / "a", max_bytes=8, keep=2)
    for text in (b"111\n", b"222\n", b"3\n", b"4444444\n", b"555555555\n"):
        file.append(text)
    assert names(tmp_path) == {"a": "555555555\n", "a.1": "4444444\n", "a.2": "3\n"}
    file.close()


def test_nothing_is_kept_where_nothing_is_wanted(tmp_path: Path) -> None:
    file = AuditFile(tmp_path / "a", max_bytes=4, keep=0)
    for text in (b"111\n", b"222\n"):
        file.append(text)
    assert names(tmp_path) == {"a": "222\n"}
    file.close()


def test_an_older_file_counts_towards_the_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x" * 8)
    file = AuditFile(tmp_path / "a", max_bytes=8, keep=1)
    file.append(b"1\n")
    assert names(tmp_path) == {"a": "1\n", "a.1": "x" * 8}
    file.close()


def test_a_full_disk_is_told_and_the_next_call_tries_again(tmp_path: Path) -> None:
    file = AuditFile(Path("/dev/full"), max_bytes=100, keep=0)
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            file.append(b"x\n")
        assert caught.value.errno == errno.ENOSPC
    assert file._descriptor == -1


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AuditFile(tmp_path / "a", max_bytes=100, keep=0)
    file.append(b"whole\n")
    real, answers = os.write, iter([3])

    def short(descriptor: int, data: bytes) -> int:
        for count in answers:
            return real(descriptor, data[:count])
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("pyopenshell.audit.file.os.write", short)
    with pytest.raises(OSError, match="full"):
        file.append(b"broken\n")
    monkeypatch.undo()
    file.append(b"after\n")
    assert names(tmp_path) == {"a": "whole\nafter\n"}
    file.close()


def test_a_short_write_that_goes_on_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr("pyopenshell.audit.file.os.write", lambda descriptor, data: real(descriptor, data[:1]))
    file = AuditFile(tmp_path / "a", max_bytes=100, keep=0)
    file.append(b"whole\n")
    assert names(tmp_path) == {"a": "whole\n"}
    file.close()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        AuditFile(tmp_path / "a", max_bytes=100, keep=0).append(b"x\n")
    assert not (tmp_path / "elsewhere").exists()
