"""Small files and directories that are their owner's alone: read whole, written whole, one set of words for what fails.

The new content goes to a file of its own beside the old one, which then takes its name by rename(2): a reader, and a crash,
finds the old one or the new one, never half of one. Two writers cannot tear a file; where one changes what the other wrote,
they take turns with `locked`. Every room that keeps files uses these (floor 2, a border: the file system).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
SMALL_FILE_MAX = 1024 * 1024  # bytes; metadata, keys and known hosts are far below, so more is not ours

#: What the kernel answers where there is no room: the disk, a quota, a limit on file size.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def private_directory(path: Path) -> Path:
    """Make `path` and its missing parents, each 0700, and return it.

    Raises PRECONDITION that names what is in the way (also another user's directory), EXHAUSTED on a full disk.
    """
    try:
        missing = []
        probe = path
        while not probe.exists():
            missing.append(probe)
            probe = probe.parent
        for directory in reversed(missing):
            directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise _refused(path, error, "made") from None
    if not stat.S_ISDIR(found.st_mode):
        raise OpenShellError(Code.PRECONDITION, f"{path} is not a directory", hint="move it away")
    if found.st_uid != os.geteuid():
        raise OpenShellError(
            Code.PRECONDITION,
            f"{path} belongs to user id {found.st_uid}",
            hint="set XDG_CONFIG_HOME, XDG_STATE_HOME and XDG_RUNTIME_DIR to directories of your own",
        )
    return path


def read_small(path: Path, limit: int = SMALL_FILE_MAX) -> bytes | None:
    """The content of `path`, None where there is none. Raises PRECONDITION: unreadable, or over `limit` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _refused(path, error, "read") from None
    if len(data) > limit:
        raise OpenShellError(Code.PRECONDITION, f"{path} is over {limit} bytes, so it is not what belongs there")
    return data


def write_private(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put `data` at `path`, mode 0600, by rename; missing parents are made 0700. Raises PRECONDITION or EXHAUSTED.

    `durable` content is on the disk before the name is (fsync(2)): a key outlives a power failure, a cache need not.
    """
    private_directory(path.parent)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(beside, flags, PRIVATE_FILE)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _refused(path, error, "written") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the advisory lock file `path` (flock(2)) while the body reads, changes and writes what it stands for."""
    private_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise _refused(path, error, "locked") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refused(path: Path, error: OSError, what: str) -> OpenShellError:
    reason = os.strerror(error.errno or 0)
    if error.errno in _NO_ROOM:
        return OpenShellError(Code.EXHAUSTED, f"{path} cannot be {what}: {reason}", hint="free space on that disk")
    return OpenShellError(
        Code.PRECONDITION, f"{path} cannot be {what}: {reason}", hint="check the owner and mode of its directory"
    )
