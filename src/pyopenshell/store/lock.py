"""One gateway per state directory: an flock(2) on `lock`, held for the life of the process.

The kernel lets go of the lock when the process dies, however it dies. The pid in the file is only for the message.
"""

from __future__ import annotations

from pathlib import Path


class StateLock:
    """The held lock; `release` lets go (so does the end of the process)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, directory: Path) -> StateLock:
        """Make `directory` (0700) where it is missing and lock it. Never waits.

        Raises CONFLICT that names the pid that holds it, PRECONDITION where the directory cannot be made or written.
        """
        raise NotImplementedError

    def release(self) -> None:
        """Let go. Idempotent."""
        raise NotImplementedError
