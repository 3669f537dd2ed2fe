"""asyncssh's session channel with our limits: which environment a client may set, and SFTP as its own kind of session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import asyncssh
from asyncssh.packet import SSHPacket
from asyncssh.stream import SSHServerStreamSession

from pyopenshell.supervisor.ssh_files import Files

if TYPE_CHECKING:
    from pyopenshell.supervisor.ssh_server import Connection

ENV_NAMES = frozenset({b"LANG", b"TERM", b"COLORTERM"})  # what a client may set, and what starts with ENV_PREFIXES
ENV_PREFIXES = (b"LC_", b"OPENSHELL_")
ENV_MAX = 64  # variables of one session; OpenSSH's client sends a handful
ENV_SIZE_MAX = 4096  # bytes of one name or value
SFTP = "sftp"
SFTP_VERSION = 3


def may_set(name: bytes, value: bytes) -> bool:
    """Whether a client's environment request is passed on to the process."""
    return (
        (name in ENV_NAMES or name.startswith(ENV_PREFIXES))
        and name.isascii()
        and name.replace(b"_", b"").isalnum()
        and len(name) <= ENV_SIZE_MAX
        and len(value) <= ENV_SIZE_MAX
        and b"\0" not in value
    )


class SessionChannel(asyncssh.SSHServerChannel[bytes]):
    """One session channel of the server."""

    @classmethod
    def of(cls, conn: Connection, window: int, packet: int) -> SessionChannel:
        """A channel of bytes on `conn`, without asyncssh's line editor."""
        conn._update_recv_pktlen(packet)
        return cls(conn, conn._loop, True, False, False, 0, 0, None, "strict", window, packet)

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        if not may_set(name, value) or (len(self._env) >= ENV_MAX and name not in self._env):
            return False
        self._env[name] = value
        return True

    def _start_session(self, command: str | None = None, subsystem: str | None = None) -> bool:
        if subsystem is None:
            return super()._start_session(command)
        if subsystem != SFTP or self._session_started:
            return False
        files: Any = SSHServerStreamSession(None, lambda chan: Files(cast(Any, chan)), SFTP_VERSION)
        files.connection_made(self)
        self._session = files
        return super()._start_session(subsystem=subsystem)
