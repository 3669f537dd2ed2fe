"""Who is at the other end of a connection, as far as the connection itself tells."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as the connection itself tells."""

    tls_cert_der: bytes | None = None
    unix_uid: int | None = None
    address: str = ""


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """What the transport knows about the other end: its TLS certificate, its uid on a Unix socket, its address."""
    tls = transport.get_extra_info("ssl_object")
    sock = transport.get_extra_info("socket")
    name = transport.get_extra_info("peername")
    if sock is not None and sock.family == socket.AF_UNIX:
        return Peer(None, uid_of(sock), "unix")
    address = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""
    return Peer(tls.getpeercert(binary_form=True) if tls is not None else None, None, address)


def uid_of(sock: socket.socket) -> int | None:
    """Whose process connected to a Unix socket, SO_PEERCRED of unix(7); None where the system cannot tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    return int(_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))[1])
