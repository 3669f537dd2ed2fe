"""The SSH server of one connection: who may come in, which channels open, which algorithms are spoken.

Authentication happens inside a relay that the gateway already authorized. Where the relay brought a public key, exactly that
key may sign, for the user `sandbox`; where it brought none (other clients of the service), `none` is enough: nothing else
can reach this socket. The decision is made on the key that signed, never on one that was only offered.

Only AEAD ciphers, no compression. OpenSSH prefers ChaCha20-Poly1305, which costs this server twice the time of AES-GCM;
a client that says it is OpenSSH is therefore offered AES-GCM alone (it has had it since 6.2).
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
from asyncssh.forward import SSHForwarder
from asyncssh.kex import get_kex_algs

from pyopenshell.errors import OpenShellError
from pyopenshell.model import check_port, parse_loopback
from pyopenshell.supervisor.init_client import SpawnClient
from pyopenshell.supervisor.ssh_channel import SessionChannel
from pyopenshell.supervisor.ssh_session import SshSession

USER = "sandbox"
VERSION = "OpenShell"
GCM = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]
CIPHERS = [*GCM, "chacha20-poly1305@openssh.com"]
MACS = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"]  # unused beside AEAD; one must be named
KEX = [
    "mlkem768x25519-sha256",
    "sntrup761x25519-sha512@openssh.com",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
]
SIGNATURES = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
]
LOGIN_TIMEOUT = 30  # seconds from the version line to the end of authentication; OpenSSH's LoginGraceTime is 120
WINDOW = 4 * 1024 * 1024  # bytes of one channel's receive window; OpenSSH's is 2 MiB, more pays on long ways
PACKET_MAX = 32 * 1024  # bytes; what every client takes
CHANNELS_MAX = 256  # of one connection; a browser behind -D opens dozens, OpenSSH's MaxSessions is 10
SOCKET_HIGH = 256 * 1024  # bytes waiting in this process for the socket, after which sessions stop writing


def options(host_key: asyncssh.SSHKey) -> asyncssh.SSHServerConnectionOptions:
    """The options of every connection. Nothing is read from a file, the environment or the name service."""
    known = {name.decode("ascii") for name in get_kex_algs()}
    return asyncssh.SSHServerConnectionOptions(
        config=None,
        server_factory=asyncssh.SSHServer,
        server_version=VERSION,
        server_host_keys=[host_key],
        kex_algs=[name for name in KEX if name in known],
        encryption_algs=CIPHERS,
        mac_algs=MACS,
        compression_algs=None,
        signature_algs=SIGNATURES,
        gss_host=None,
        gss_kex=False,
        gss_auth=False,
        host_based_auth=False,
        password_auth=False,
        kbdint_auth=False,
        agent_forwarding=False,
        x11_forwarding=False,
        line_editor=False,
        encoding=None,
        window=WINDOW,
        max_pktsize=PACKET_MAX,
        login_timeout=LOGIN_TIMEOUT,
        tcp_keepalive=False,
    )


class Server(asyncssh.SSHServer):
    """The decisions for one connection."""

    def __init__(self, authorized: asyncssh.SSHKey | None, spawner: SpawnClient, shell: str) -> None:
        self._authorized = authorized
        self._spawner = spawner
        self._shell = shell
        self._conn: Connection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        assert isinstance(conn, Connection)
        self._conn = conn

    def begin_auth(self, username: str) -> bool:
        return self._authorized is not None or username != USER

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        wanted = self._authorized
        return wanted is not None and username == USER and key.public_data == wanted.public_data

    def session_requested(self) -> Any:
        conn = self._conn
        if conn is None or conn.channels >= CHANNELS_MAX:
            return False
        session = SshSession(self._spawner, self._shell, conn.writable, conn.keep)
        return SessionChannel.of(conn, WINDOW, PACKET_MAX), session

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:  # noqa: ARG002
        conn = self._conn
        if conn is None or conn.channels >= CHANNELS_MAX:
            return False
        try:
            address, port = parse_loopback(dest_host), check_port(dest_port)
        except OpenShellError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, error.message) from None
        return conn.forward_connection(address, port)


class Forwarded(SSHForwarder):
    """One end of a forwarded connection. asyncssh leaves the channel open for ever where the target ended first."""

    def eof_received(self) -> bool:
        more = super().eof_received()
        if not more:
            self.close()  # both directions have ended; what is buffered still leaves
        return more


class Connection(asyncssh.SSHServerConnection):
    """asyncssh's connection with what it lacks: a socket that is full holds the sessions up."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: asyncssh.SSHServerConnectionOptions, server: Server
    ) -> None:
        settings.protocol_factory = lambda: server
        super().__init__(loop, settings)
        self.writable = asyncio.Event()
        self.writable.set()
        self._kept: set[asyncio.Task[None]] = set()

    @property
    def channels(self) -> int:
        """Channels that are open."""
        return len(self._channels)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a session's task until it is done: its process may outlive the channel for the grace of its end."""
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    async def forward_connection(self, dest_host: str, dest_port: int) -> SSHForwarder:
        """Connect to a target, which is a numeric address. Raises ChannelOpenError with the reason."""
        try:
            _, target = await self._loop.create_connection(Forwarded, dest_host, dest_port)
        except OSError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
        return Forwarded(target)

    async def finished(self) -> None:
        """Wait until the connection is closed and every session's process was seen to."""
        await self.wait_closed()
        while self._kept:
            await asyncio.wait(self._kept)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(SOCKET_HIGH)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        self.writable.clear()
        for channel in list(self._channels.values()):
            if channel._session is not None and not channel._send_paused:
                channel._session.pause_writing()

    def resume_writing(self) -> None:
        self.writable.set()
        for channel in list(self._channels.values()):
            if channel._session is not None and not channel._send_paused:
                channel._session.resume_writing()

    def _send_kexinit(self) -> None:
        if self._client_version.startswith(b"SSH-2.0-OpenSSH_"):
            self._enc_algs = [name.encode() for name in GCM]
        super()._send_kexinit()


async def serve(transport: Any, settings: asyncssh.SSHServerConnectionOptions, server: Server) -> Connection:
    """Serve SSH on a connected stream socket; returns once the version line is on its way."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(loop, settings, server), sock=transport)
    return connection
