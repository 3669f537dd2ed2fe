from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.lock import RUNTIME_HINT, StateLock

HOLDER = """
import sys
from pathlib import Path
from pyopenshell.store.lock import StateLock
lock = StateLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_refused_with_the_pid_of_the_first_until_it_lets_go(tmp_path: Path) -> None:
    first = StateLock.acquire(tmp_path / "deep" / "state")
    with pytest.raises(OpenShellError, match=rf"another gateway \(pid {os.getpid()}\) holds") as caught:
        StateLock.acquire(tmp_path / "deep" / "state")
    assert caught.value.code is Code.CONFLICT
    first.release()
    first.release()
    StateLock.acquire(tmp_path / "deep" / "state").release()


def test_the_lock_goes_with_its_process_however_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OpenShellError, match=rf"pid {holder.pid}\)"):
            StateLock.acquire(tmp_path)
        holder.kill()
        holder.wait()
    StateLock.acquire(tmp_path).release()


def test_directory_and_file_are_private(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_a_shorter_pid_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999999\n")
    lock = StateLock.acquire(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


@pytest.mark.parametrize("content", ["", "not a pid", "\x1b[2J"])
def test_an_unreadable_holder_is_still_refused_and_never_quoted(tmp_path: Path, content: str) -> None:
    lock = StateLock.acquire(tmp_path)
    (tmp_path / "lock").write_text(content)
    with pytest.raises(OpenShellError, match="its pid is not written"):
        StateLock.acquire(tmp_path)
    lock.release()


@pytest.mark.parametrize("trap", ["file in the way", "link in the place of the lock"])
def test_what_cannot_be_a_state_directory_says_why(tmp_path: Path, trap: str) -> None:
    directory = tmp_path / "state"
    if trap.startswith("file"):
        directory.write_text("")
    else:
        directory.mkdir()
        (directory / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OpenShellError, match=f"state directory {directory} cannot be used: ") as caught:
        StateLock.acquire(directory)
    assert caught.value.code is Code.PRECONDITION
    assert not (tmp_path / "elsewhere").exists()


def test_another_directory_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OpenShellError, match=r"the runtime directory .* cannot be used: .*set XDG_RUNTIME_DIR"):
        StateLock.acquire(tmp_path / "run", "runtime directory", RUNTIME_HINT)


def test_the_lock_is_not_inherited(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path)
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; assert not any(os.readlink(f'/proc/self/fd/{n}').endswith('/lock')"
            " for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}'))",
        ],
        check=True,
        close_fds=False,
    )
    lock.release()
