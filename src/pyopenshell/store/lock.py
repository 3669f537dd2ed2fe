"""One gateway per directory, of state and of sockets: an flock(2) on `lock`, held for the life of the process.

The kernel lets go of the lock when the process dies, however it dies. The pid in the file is only for the message.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

LOCK_FILE = "lock"
STATE_HINT = "give this one another --state directory"
RUNTIME_HINT = "set XDG_RUNTIME_DIR to a directory of your own"
_PID_MAX = 20  # digits that are read back: pid_max has 7 (proc(5)), and the file may be anything


class StateLock:
    """The held lock; `release` lets go (so does the end of the process)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, directory: Path, what: str = "state directory", other: str = STATE_HINT) -> StateLock:
        """Make `directory` (0700) where it is missing and lock it. Never waits. `what` it is called, `other` how to choose.

        Raises CONFLICT that names the pid that holds it, PRECONDITION where the directory cannot be made or written.
        """
        path = directory / LOCK_FILE
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unusable(directory, error, what, other) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise OpenShellError(
                Code.CONFLICT,
                f"another gateway ({holder}) holds the {what} {directory}",
                hint=f"use that one, stop it, or {other}",
            ) from None
        except OSError as error:  # flock(2): a file system without locks
            os.close(descriptor)
            raise _unusable(directory, error, what, other) from None
        # A full disk takes no pid; the lock holds all the same.
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass
        return cls(descriptor)

    def release(self) -> None:
        """Let go. Idempotent. The file stays: unlinking it would let two gateways lock two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, _PID_MAX, 0).strip()
    return f"pid {int(text)}" if text.isdigit() else "its pid is not written"


def _unusable(directory: Path, error: OSError, what: str, other: str) -> OpenShellError:
    return OpenShellError(
        Code.PRECONDITION,
        f"the {what} {directory} cannot be used: {os.strerror(error.errno or 0)}",
        hint=f"check its owner and mode, or {other}",
    )
