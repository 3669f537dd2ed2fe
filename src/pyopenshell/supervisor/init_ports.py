"""What listens in the sandbox, as init sees it: the kernel's tables, and whose descriptor each socket is.

    /proc/PID/net/{tcp,tcp6,udp,udp6} ── address, port, inode ─┐
    /proc/*/fd/* ── socket:[inode] ────────────────────────────┴─ row with pid and name

Whoever runs inside decides how much there is to read, and init serves everybody else meanwhile: so every step has a bound,
and `truncated` says that one was met. Names are a process's own words (proc_pid_comm(5)), untrusted for all who get them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
from typing import Any

from pyopenshell.linux.ids import Ids
from pyopenshell.supervisor.init_spawn import acting_as_user

TABLE_MAX = 64 * 1024  # bytes of one table: 430 sockets
PORTS_MAX = 256  # rows of an answer: 30 KiB of JSON, below MESSAGE_MAX
PROCESSES_MAX = 1024  # looked into for an owner; more than a desktop runs
DESCRIPTORS_MAX = 64  # of each of them: a server binds before it accepts, so its listeners have low numbers
LINKS_MAX = 16 * 1024  # read in all; init serves nobody else meanwhile
COMM_MAX = 64  # bytes; TASK_COMM_LEN is 16, a kernel worker's name may be longer
_LISTEN, _UNCONNECTED = b"0A", b"07"  # TCP_LISTEN, and TCP_CLOSE, in which a bound UDP socket is (net/tcp_states.h)
_TABLES = (("tcp", _LISTEN), ("tcp6", _LISTEN), ("udp", _UNCONNECTED), ("udp6", _UNCONNECTED))


def seen_by(ids: Ids) -> dict[str, Any]:
    """`listening`, as the user of `ids`: init has no capability to read a directory that is another's (proc_pid_fd(5))."""
    with acting_as_user(ids):
        return listening()


def listening(proc: str = "/proc") -> dict[str, Any]:
    """`ports`: rows of port, address, pid (0: not known), process and udp, in order; `truncated`. Raises OSError."""
    found: dict[int, dict[str, Any]] = {}
    truncated = False
    for name, state in _TABLES:
        table, cut = _table(f"{proc}/{os.getpid()}/net/{name}")
        for line in table:
            row = _row(line, state)
            if row is None:
                continue
            if len(found) == PORTS_MAX:
                truncated = True
                break
            found[row[0]] = {**row[1], "pid": 0, "process": "", "udp": name.startswith("udp")}
        # The kernel writes a TCP table's listeners first, so a cut behind the last of them lost none.
        truncated = truncated or (cut and (state is _UNCONNECTED or _row(table[-1], state) is not None))
    truncated = _name_owners(proc, found) or truncated
    ports = sorted(found.values(), key=lambda row: (row["port"], row["udp"], row["address"]))
    return {"ports": ports, "truncated": truncated}


def _table(path: str) -> tuple[list[bytes], bool]:
    """The lines of a table without its heading, and whether it was cut; nothing where the kernel has none (no IPv6)."""
    try:
        data, cut = _read(path, TABLE_MAX)
    except FileNotFoundError:
        return [], False
    lines = data.split(b"\n")[1:-1]  # behind the last line feed is nothing, or a line that was cut
    return lines, cut and bool(lines)


def _read(path: str, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether there is more. A table of /proc comes a page at a time."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = b""
        while len(data) < limit:
            piece = os.read(fd, limit - len(data))
            if not piece:
                return data, False
            data += piece
        return data, bool(os.read(fd, 1))
    finally:
        os.close(fd)


def _row(line: bytes, state: bytes) -> tuple[int, dict[str, Any]] | None:
    """Inode, and address and port, of a line in this state; None for any other. proc_net_tcp(5)."""
    fields = line.split()
    if len(fields) < 10 or fields[3] != state:
        return None
    address, _, port = fields[1].partition(b":")
    return int(fields[9]), {"port": int(port, 16), "address": _address(bytes.fromhex(address.decode()))}


def _address(raw: bytes) -> str:
    """The kernel prints each 32-bit word of an address as a number of this machine's byte order."""
    words = struct.unpack(f">{len(raw) // 4}I", raw)
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _name_owners(proc: str, found: dict[int, dict[str, Any]]) -> bool:
    """Put pid and name into the rows; whether a bound was met before each had its owner."""
    wanted = set(found)
    links, cut = 0, False
    processes = sorted(int(name) for name in _names(proc) if name.isdecimal())
    for pid in itertools.islice(processes, PROCESSES_MAX):
        if not wanted:
            return False
        with contextlib.suppress(OSError):  # it ended, or is not to be looked into: an SSH connection's own process
            descriptors = _names(f"{proc}/{pid}/fd")
            for fd in descriptors[:DESCRIPTORS_MAX]:
                links += 1
                inode = _inode(f"{proc}/{pid}/fd/{fd}")
                if inode in wanted:
                    wanted.discard(inode)
                    found[inode].update(pid=pid, process=_name(f"{proc}/{pid}/comm"))
            cut = cut or len(descriptors) > DESCRIPTORS_MAX
        if links >= LINKS_MAX:
            return bool(wanted)
    return bool(wanted) and (cut or len(processes) > PROCESSES_MAX)


def _names(directory: str) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries]


def _inode(link: str) -> int:
    """The inode of the socket that a descriptor is; 0 for anything else."""
    try:
        text = os.readlink(link)  # noqa: PTH115 - 16,384 times, and a Path costs more than the call
    except OSError:
        return 0
    return int(text[8:-1]) if text.startswith("socket:[") else 0


def _name(path: str) -> str:
    return _read(path, COMM_MAX)[0].decode("utf-8", "replace").rstrip("\n")
