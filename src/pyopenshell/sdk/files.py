"""Small files, written whole: a reader sees the old content or the new one, never a part, and nobody else can read it.

The new content goes to a file of its own beside the old one, which then takes its name by rename(2). Two writers cannot tear
a file; where one changes what the other wrote, they take turns with `locked`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.paths import private_directory

PRIVATE_FILE = 0o600
SMALL_FILE_MAX = 1024 * 1024  # bytes; metadata, keys and known hosts are far below, so more is not ours


def read_small(path: Path) -> bytes | None:
    """The content of `path`, or None where it does not exist. Raises PRECONDITION for what cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(SMALL_FILE_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OpenShellError(Code.PRECONDITION, f"cannot read {path}: {error.strerror}") from error
    if len(data) > SMALL_FILE_MAX:
        raise OpenShellError(Code.PRECONDITION, f"{path} is larger than {SMALL_FILE_MAX} bytes")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Put `data` at `path` with mode 0600, by rename; parents are made 0700. Raises PRECONDITION, or EXHAUSTED if full."""
    private_directory(path.parent)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = Code.EXHAUSTED if full else Code.PRECONDITION
        raise OpenShellError(code, f"cannot write {path}: {error.strerror}") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the advisory lock file `path` (flock(2)) while the body reads, changes and writes what it stands for."""
    private_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise OpenShellError(Code.PRECONDITION, f"cannot open {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
