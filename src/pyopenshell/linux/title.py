"""The title of a process: what `ps` and `top` show as its command line.

The kernel reads a command line from the memory that execve(2) filled (proc_pid_cmdline(5)), so writing there changes
it; it is never moved or made longer. A fork has its memory at the same place, so a parent that looks it up once
(`locate`) saves its children a /proc that they may not have.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

from pyopenshell.linux.process import set_name

_ARG_START = 48  # fields of /proc/PID/stat, counted from 1, proc_pid_stat(5)
_ARG_END = 49
_STAT = Path("/proc/self/stat")


@functools.cache
def locate() -> tuple[int, int]:
    """Address and length of this process's command line. Raises OSError."""
    line = _STAT.read_bytes()
    fields = line[line.rindex(b")") + 2 :].split()
    start, end = int(fields[_ARG_START - 3]), int(fields[_ARG_END - 3])
    return start, end - start


def set_title(text: str) -> None:
    """Show `text` as the command line, cut to the room there is, and its first word as the name. Raises OSError."""
    start, room = locate()
    if room > 0:
        data = text.encode("utf-8", "replace")[: room - 1]
        ctypes.memmove(start, data.ljust(room, b"\0"), room)
    set_name(text.split(":", 1)[0])
