"""What an SSH child makes of the sandbox's files. The whole child is proved in test_integration.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.drivers.configs import ids_of
from pyopenshell.linux.ids import range_ids
from pyopenshell.supervisor.ssh_child import FALLBACK_SHELL, UMASK, settle
from pyopenshell.supervisor.ssh_files import Files
from pyopenshell.supervisor.ssh_start import values


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    here, mask = Path.cwd(), os.umask(0o077)
    users, groups = Files.users, Files.groups
    yield
    os.chdir(here)
    os.umask(mask)
    Files.users, Files.groups = users, groups


def test_the_user_is_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\nsandbox:x:1000:1000::/sandbox:/bin/sh\n")
    (tmp_path / "group").write_text("tty:x:5:\n")
    assert settle(str(tmp_path), str(tmp_path)) == "/bin/sh"
    assert Path.cwd() == tmp_path
    assert os.umask(0) == UMASK
    assert (Files.users, Files.groups) == ({1000: "sandbox", 0: "root"}, {5: "tty"})


@pytest.mark.parametrize(
    "passwd", ["", "sandbox:x:1000:1000::/:/no/such/shell\n", "other:x:1:1::/:/bin/true\n", "\0\xff"]
)
def test_a_shell_that_is_not_there_is_the_fallback(tmp_path: Path, passwd: str) -> None:
    (tmp_path / "passwd").write_text(passwd)
    assert settle(str(tmp_path / "missing"), str(tmp_path)) == FALLBACK_SHELL


def test_an_image_cannot_make_it_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "passwd")
    (tmp_path / "group").symlink_to("/dev/zero")
    assert settle(str(tmp_path), str(tmp_path)) == FALLBACK_SHELL


def test_what_is_told() -> None:
    told = values("web", "PEM", range_ids(0x80000))
    assert (told["name"], told["host_key"]) == ("web", "PEM")
    assert ids_of(**told["ids"]) == range_ids(0x80000)
