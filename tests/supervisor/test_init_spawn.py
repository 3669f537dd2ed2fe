"""Parts of a spawn; whole ones are in test_init_client.py, in a real sandbox."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pyopenshell.linux.ids import single_ids
from pyopenshell.supervisor.init_spawn import Command, NotStarted, Spawner, _explain, _find, acting_as_user, printable


def wire(**changed: object) -> bytes:
    raw = {"argv": ["a"], "env": {}, "workdir": "", "login": False, "size": None, **changed}
    return json.dumps(raw).encode()


def test_a_command_is_read() -> None:
    assert Command.parse(wire(size=[80, 24], login=True)) == Command(("a",), {}, "", True, (80, 24))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", wire(size=[1]), wire(size="xy"), wire(argv=None), wire(env=7)])
def test_what_is_no_command_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, IndexError)):
        Command.parse(data)


def test_the_first_executable_along_the_path_is_taken(tmp_path: Path) -> None:
    for folder, mode in (("a", 0o644), ("b", 0o755), ("c", 0o755)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tool").touch()
        (tmp_path / folder / "tool").chmod(mode)
    (tmp_path / "d" / "tool").mkdir(parents=True)
    along = ":".join(str(tmp_path / folder) for folder in "dabc")
    assert _find("tool", along) == str(tmp_path / "b" / "tool")
    with pytest.raises(NotStarted, match="permission denied: tool") as caught:
        _find("tool", str(tmp_path / "a"))
    assert caught.value.number == errno.EACCES
    (tmp_path / "dangling").symlink_to("/no/such")
    with pytest.raises(NotStarted, match="command not found") as caught:
        _find(str(tmp_path / "dangling"), "")
    assert caught.value.number == errno.ENOENT


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_room_that_init_lacks_is_not_the_command_s_fault(number: int) -> None:
    failure = OSError(number, "x")
    assert _explain(failure, "a") is failure


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOENT, "a: its interpreter or loader was not found"),
        (errno.EACCES, "permission denied: a"),
        (errno.ENOEXEC, "a: exec format error"),
        (errno.E2BIG, "a: argument list too long"),
    ],
)
def test_all_else_is_and_is_said(number: int, text: str) -> None:
    failure = _explain(OSError(number, "x"), "a")
    assert isinstance(failure, NotStarted)
    assert (str(failure), failure.number) == (text, number)


def test_what_is_shown_has_no_control_characters_and_an_end() -> None:
    assert printable("a\x1b[31m\n\udcff\u202eé") == "a?[31m???é"
    assert len(printable("x" * 1000)) == 200


def test_a_spawn_that_fails_leaves_no_descriptor_and_no_directory_change(tmp_path: Path) -> None:
    before = str(Path.cwd())
    try:
        spawner = Spawner({}, str(tmp_path), single_ids())
        with pytest.raises(NotStarted):
            spawner.start(Command(("/no/such",), {}, "", False, None))
        assert str(Path.cwd()) == "/"
        with pytest.raises(NotStarted):
            spawner.start(Command(("/no/such",), {}, "", False, (80, 24)))
    finally:
        os.chdir(before)


def test_a_single_user_acts_as_itself() -> None:
    with acting_as_user(single_ids()):
        assert os.geteuid() == os.getuid()
