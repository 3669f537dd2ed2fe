"""Small files that only this user may read, written so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

#: What the kernel answers where there is no room: the disk, a quota, a limit on file size.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def make_private_dir(directory: Path) -> None:
    """Make `directory` with mode 0700, and its parents; leave it where it is there. Raises PRECONDITION or EXHAUSTED."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(directory, error, "made") from None


def write_private(path: Path, content: bytes) -> None:
    """Put `content` at `path`, mode 0600: written beside it, synced, renamed over it. Raises PRECONDITION or EXHAUSTED."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _refused(path, error, "written") from None


def read_private(path: Path, limit: int) -> bytes | None:
    """The content of `path`, None where there is none. Raises PRECONDITION where it is unreadable or over `limit` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error, "read") from None
    if len(content) > limit:
        raise OpenShellError(Code.PRECONDITION, f"{path} is over {limit} bytes, so it is not what belongs there")
    return content


def _refused(path: Path, error: OSError, what: str) -> OpenShellError:
    reason = os.strerror(error.errno or 0)
    if error.errno in _NO_ROOM:
        return OpenShellError(Code.EXHAUSTED, f"{path} cannot be {what}: {reason}", hint="free space on that disk")
    return OpenShellError(
        Code.PRECONDITION, f"{path} cannot be {what}: {reason}", hint="check the owner and mode of its directory"
    )
