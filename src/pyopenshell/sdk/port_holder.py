"""Who holds a local TCP port: /proc/net/tcp gives the socket's inode, /proc/PID/fd the process that has it open.

Best effort: another user's process is not visible to an ordinary user, and there is no /proc on macOS; then nobody is named.
"""

from __future__ import annotations

import socket

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.processes import PROC, describe

_LISTEN = "0A"  # TCP_LISTEN of include/net/tcp_states.h
_COLUMN_LOCAL, _COLUMN_STATE, _COLUMN_INODE = 1, 3, 9  # of proc_net_tcp, Documentation/networking/proc_net_tcp.rst


def holder_of(port: int) -> str:
    """`PID (command)` of a process that listens on `port`, or empty where it cannot be told."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        processes = [entry for entry in PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return ""
    for process in processes:
        try:
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) in wanted:
                    return describe(int(process.name))
        except OSError:
            continue  # it ended, or belongs to somebody else
    return ""


def port_in_use(address: str, port: int) -> OpenShellError:
    """The error for a bind(2) that failed with EADDRINUSE."""
    holder = holder_of(port)
    by = f" by process {holder}" if holder else ""
    return OpenShellError(
        Code.CONFLICT,
        f"port {port} on {address} is already in use{by}",
        hint="choose another one; 0 takes any free port",
    )


def check_port_free(address: str, port: int) -> None:
    """Raise CONFLICT, naming the holder, when nothing could be bound to `port` now; port 0 is always free."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError as error:
            raise OpenShellError(Code.PRECONDITION, f"port {port} on {address}: {error.strerror}") from error
        except OSError as error:
            raise port_in_use(address, port) from error


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[_COLUMN_STATE] == _LISTEN and columns[_COLUMN_LOCAL].endswith(f":{port:04X}"):
                found.add(columns[_COLUMN_INODE])
    return found
