"""The listening sockets of a gateway: TCP, and two Unix sockets in its runtime directory.

    RUNTIME/NAME/             0700  the owner alone
        gateway.sock          0600  the owner's door
        far/                  0711  handed to supervisors as a descriptor; no path leads here for anybody else
            supervisor.sock   0666  the supervisors' door

Unix sockets are bound and found through a descriptor of their directory, so that no path is too long for them (unix(7):
108 bytes).
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

OWNER_SOCKET = "gateway.sock"
FAR_DIRECTORY = "far"
FAR_SOCKET = "supervisor.sock"


def listen_tcp(host: str, port: int) -> socket.socket:
    """A bound TCP socket; port 0 takes a free one. `::` is all addresses of both families, whatever the machine's default.

    Raises CONFLICT (in use), PRECONDITION (not an address of ours).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose last connections are in TIME_WAIT is free again after a restart; a listening one is not.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # its default is the machine's (net.ipv6.bindv6only), so it is said
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OpenShellError(
                Code.CONFLICT, f"port {port} of {host} is in use", hint="choose another one, or 0 for any"
            ) from None
        raise OpenShellError(
            Code.PRECONDITION, f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        ) from None
    sock.setblocking(False)
    return sock


def listen_unix(directory: Path, name: str, *, directory_mode: int, mode: int) -> socket.socket:
    """A bound Unix socket `name` in `directory`, made where it is missing; a dead one is replaced. Raises PRECONDITION.

    The caller holds the lock that says that no other gateway lives here.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory.mkdir(mode=directory_mode, parents=True, exist_ok=True)
        directory.chmod(directory_mode)
        handle = os.open(directory, os.O_DIRECTORY | os.O_PATH | os.O_CLOEXEC)
        try:
            remove(directory / name)
            path = f"/proc/self/fd/{handle}/{name}"
            sock.bind(path)
            Path(path).chmod(mode)
        finally:
            os.close(handle)
    except OSError as error:
        sock.close()
        raise OpenShellError(
            Code.PRECONDITION,
            f"cannot make the socket {directory / name}: {os.strerror(error.errno or 0)}",
            hint="check the runtime directory (XDG_RUNTIME_DIR)",
        ) from None
    sock.setblocking(False)
    return sock


def remove(path: Path) -> None:
    """Remove a socket's name."""
    path.unlink(missing_ok=True)
