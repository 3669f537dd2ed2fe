"""What our SFTP server says in its own way. The protocol is proved in test_ssh_server.py."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import asyncssh
import pytest
from asyncssh import sftp

from pyopenshell.supervisor.ssh_files import Files, modified, seal_names

NOW = 1_700_000_000.0  # 2023-11-14 22:13 UTC


class _Channel:
    def __init__(self) -> None:
        self.status: int | None = None

    def exit(self, status: int) -> None:
        self.status = status


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(Files, "users", {1000: "sandbox"})
    monkeypatch.setattr(Files, "groups", {5: "tty"})
    return Files(_Channel())  # type: ignore[arg-type]


def test_names_come_from_the_text_and_unknown_ids_stay_numbers(files: Files) -> None:
    assert (files.format_user(1000), files.format_user(7), files.format_user(None)) == ("sandbox", "7", "")
    assert (files.format_group(5), files.format_group(7), files.format_group(None)) == ("tty", "7", "")


def test_a_long_name_is_a_line_of_ls(files: Files) -> None:
    attrs = asyncssh.SFTPAttrs(permissions=0o100644, nlink=1, uid=1000, gid=5, size=12, mtime=0)
    name = asyncssh.SFTPName(b"a\xff b", attrs=attrs)
    files.format_longname(name)
    assert name.longname == b"-rw-r--r--    1 sandbox  tty            12 Jan  1  1970 a\xff b"
    empty = asyncssh.SFTPName(b"x", attrs=asyncssh.SFTPAttrs())
    files.format_longname(empty)
    assert empty.longname.endswith(b" x")


@pytest.mark.parametrize(
    ("mtime", "shown"),
    [(NOW - 60, "Nov 14 22:12"), (NOW - 400 * 86400, "Oct 10  2022"), (NOW + 86400, "Nov 15  2023"), (2.0**70, "?")],
)
def test_a_time_is_utc_and_never_an_error(mtime: float, shown: str) -> None:
    assert modified(mtime, NOW) == shown


def test_the_end_has_a_status(files: Files) -> None:
    files.exit()
    assert files.channel.status == 0  # type: ignore[attr-defined]


def test_no_name_service_is_asked_for_the_attributes_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would load the image's libnss: see tests/e2e/test_hostile_image.py."""
    for name in ("_lookup_user", "_lookup_group", "_lookup_uid", "_lookup_gid"):
        monkeypatch.setattr(sftp, name, getattr(sftp, name))  # put back afterwards
    seal_names()
    for module, function in ((pwd, "getpwuid"), (pwd, "getpwnam"), (grp, "getgrgid"), (grp, "getgrnam")):
        monkeypatch.setattr(module, function, lambda *_: pytest.fail("the name service was asked"))
    attrs = asyncssh.SFTPAttrs.from_local(Path("/").stat())
    assert (attrs.uid, attrs.gid, attrs.owner, attrs.group) == (0, 0, "0", "0")
    assert (sftp._lookup_uid("7"), sftp._lookup_gid(None)) == (7, None)
    with pytest.raises(asyncssh.SFTPOwnerInvalid):
        sftp._lookup_uid("root")
