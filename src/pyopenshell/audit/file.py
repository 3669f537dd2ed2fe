"""The audit file: JSON lines, appended whole, rotated by size. Blocking; the writer's thread calls it.

A line is written with one write(2) on an O_APPEND descriptor. Where the disk takes only a part, that is taken back
(ftruncate), so that no half line stays in the middle of the file.
"""

from __future__ import annotations

import os
from pathlib import Path

NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class AuditFile:
    """`append` raises OSError, and can be called again: the next call opens the file anew where that is needed."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        """`keep` older files stay as `NAME.1` (the newest) to `NAME.keep`; with 0 the old one is dropped."""
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor = -1
        self._size = 0

    def append(self, line: bytes) -> None:
        """Write `line` (with its line feed) or nothing. Raises OSError: ENOSPC, EDQUOT, EFBIG, EACCES, …"""
        self._open()
        if self._size and self._size + len(line) > self._max_bytes:
            self._rotate()
            self._open()
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            self._take_back(written)
            raise
        self._size += len(line)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _open(self) -> None:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, NEW_FILE_FLAGS, 0o600)
            self._size = os.fstat(self._descriptor).st_size

    def _take_back(self, written: int) -> None:
        try:
            if written:
                os.ftruncate(self._descriptor, self._size)
        finally:
            self.close()  # the next call looks at the file again: somebody may have moved it away to make room

    def _rotate(self) -> None:
        self.close()
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._keep + 1))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)
        if not self._keep:
            self._path.unlink()
