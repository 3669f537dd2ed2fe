"""Gives back pages that were read once: what imports touched of libraries stays mapped for ever, and is counted for
ever.

A warm parent needs a few megabytes of the twenty that its imports touched. The rest of a file mapping that nobody wrote
to can be dropped at no loss (madvise(2), MADV_DONTNEED): a later touch finds it in the page cache again. A mapping with
a single page of its own (a relocation, a breakpoint) is left alone, since that page would be lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterable
from pathlib import Path

from pyopenshell.linux import syscalls

_MADV_DONTNEED = 4
_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)")
_SMAPS = Path("/proc/self/smaps")
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl gives free pages back by itself


def clean_mappings(smaps: Iterable[str]) -> list[tuple[int, int]]:
    """Start and length of each mapping of a file that cannot be written and has no anonymous page, of the lines of
    proc_pid_smaps(5)."""
    found: list[tuple[int, int]] = []
    head: re.Match[str] | None = None
    anonymous = True
    for line in smaps:
        match = _HEAD.match(line)
        if match is not None:
            head, anonymous = match, True
        elif line.startswith("Anonymous:"):
            anonymous = int(line.split()[1]) != 0
        elif line.startswith("VmFlags:") and head is not None and not anonymous:
            start, end = int(head[1], 16), int(head[2], 16)
            if head[3][0] == "r" and head[3][1] == "-" and head[4] != "0":
                found.append((start, end - start))
    return found


def drop_clean_pages() -> None:
    """Give back what this process only read of its files; safe at any time, and useful before many forks. Raises
    OSError.
    """
    with _SMAPS.open(encoding="utf-8", errors="surrogateescape") as smaps:  # by line: its text is half a megabyte
        found = clean_mappings(smaps)
    for start, length in found:
        syscalls.call("madvise", start, length, _MADV_DONTNEED)


def give_back() -> None:
    """Give back whatever this process can do without for now; for a moment in which nothing is to do. 5 ms."""
    trim()
    with contextlib.suppress(OSError):  # no /proc, no harm
        drop_clean_pages()


def trim() -> None:
    """Give the heap's free pages back (malloc_trim(3)): a burst of work leaves megabytes there. Some milliseconds."""
    if _malloc_trim is not None:
        _malloc_trim(0)
