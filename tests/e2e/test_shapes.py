"""Each shape of isolation that this machine can have, the whole product in it (`shapes.py`).

Root plays the others too: an ordinary user that exists in a mount namespace alone, where /etc/passwd and /etc/subuid are
files of the test, and the Python of this run can be reached by everybody.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.linux import cgroups
from pyopenshell.linux.ids import candidates

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

IS_ROOT = os.geteuid() == 0
PROJECT = Path(__file__).parents[2]
TOUR = ["-m", "tests.e2e.shapes"]
TIMEOUT = 110.0  # seconds; a tour takes ten
UID = 54_321  # of the user that is made up, and whose ids nobody has: far from those that useradd(8) gives
SUBORDINATE = 0x6FF0_0000  # the end of the range that no system gives out, far from what a gateway here takes first
#: $1 is the directory with everything, $2 a directory that others may not enter ("" for none), $3 the Python in it; the rest
#: is the command of the user.
BECOME = """
set -e
d=$1; hidden=$2; python=$3; shift 3
for file in passwd subuid subgid; do mount --bind "$d/etc/$file" "/etc/$file"; done
if [ -n "$hidden" ]; then
    mount --bind "$python" "$d/python"
    mount -t tmpfs -o mode=0755 tmpfs "$hidden"
    mkdir -p "$python"
    mount --bind "$d/python" "$python"
fi
exec setpriv --reuid "$USERID" --regid "$USERID" --clear-groups env -i HOME="$d/home" TMPDIR="$d/tmp" \
    PATH=/usr/bin:/bin PYTHONPATH="$PWD/src" PYTHONDONTWRITEBYTECODE=1 "$@"
"""


@contextlib.contextmanager
def delegated() -> Iterator[list[Path]]:
    """A group of the user's own below ours, as systemd delegates one, where memory limits are version 1's; else none."""
    made: list[Path] = []
    try:
        for controller, place in cgroups.places().items():
            if controller == "memory" and place.version == 1 and not cgroups.available().memory:
                directory = place.directory / f"openshell-test-{os.getpid()}"
                directory.mkdir()
                made.append(directory)
                for path in (directory, directory / "cgroup.procs", directory / "tasks"):
                    os.chown(path, UID, UID)
        yield made
    finally:
        for directory in made:
            directory.rmdir()


def run_as_user(base: Path, shape: str, *, subordinate: bool) -> subprocess.CompletedProcess[bytes]:
    """The tour as a user of this machine who exists in this call alone."""
    base.chmod(0o755)
    for name in ("etc", "python", "home", "tmp"):
        (base / name).mkdir()
    for name in ("home", "tmp"):
        os.chown(base / name, UID, UID)
    (base / "etc/passwd").write_text(f"{Path('/etc/passwd').read_text()}shaped:x:{UID}:{UID}::{base}/home:/bin/sh\n")
    entry = f"shaped:{SUBORDINATE}:65536\n" if subordinate else ""
    for name in ("subuid", "subgid"):
        (base / "etc" / name).write_text(entry)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", BECOME, "sh", str(base)]
    command += [hidden(Path(sys.base_prefix)), sys.base_prefix, sys.executable, *TOUR, shape]
    with delegated() as groups:
        command += ["limited"] if groups else []
        join = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
        return subprocess.run(
            ["sh", "-c", f'{join}exec "$@"', "sh", *command],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "USERID": str(UID)},
            capture_output=True,
            timeout=TIMEOUT,
        )


def hidden(path: Path) -> str:
    """The first directory on the way to `path` that others may not enter; "" for none."""
    return next((str(above) for above in reversed(path.parents) if not above.stat().st_mode & 0o001), "")


def passed(ended: subprocess.CompletedProcess[bytes]) -> None:
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory that everybody can reach."""
    with tempfile.TemporaryDirectory(prefix="openshell-user-") as folder:
        yield Path(folder)


def test_our_own_shape() -> None:
    shape = candidates(0)[0].shape.value
    passed(subprocess.run([sys.executable, *TOUR, shape], cwd=PROJECT, capture_output=True, timeout=TIMEOUT))


def test_root_of_a_user_namespace_has_a_single_id() -> None:
    command = ["unshare", "-Ur", sys.executable, *TOUR, "single"]
    passed(subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=TIMEOUT))


@pytest.mark.skipif(not IS_ROOT, reason="only root can play another user")
def test_an_ordinary_user_has_a_single_id(base: Path) -> None:
    passed(run_as_user(base, "single", subordinate=False))


@pytest.mark.skipif(not IS_ROOT, reason="only root can play another user")
@pytest.mark.skipif(shutil.which("newuidmap") is None, reason="no newuidmap (package uidmap)")
def test_an_ordinary_user_with_subordinate_ids_has_a_subrange(base: Path) -> None:
    passed(run_as_user(base, "subrange", subordinate=True))
