"""A local listener whose every connection becomes one relay to one port of a sandbox.

It binds first, so a port that is taken is told before anything is asked of the gateway. Then one token for this target alone
is made, and one connection kept warm. An accepted TCP connection opens its own ForwardTcp call on it: they share nothing
else, so the error of one is never another's. The listener outlives the supervisor's and the gateway's restarts: a connection
that comes meanwhile waits a little, as the gateway itself would let it wait. The token is revoked at the end.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Outcome, TcpTarget
from pyopenshell.sdk.connection import Connection
from pyopenshell.sdk.port_holder import port_in_use
from pyopenshell.sdk.relays import Relay, open_relay
from pyopenshell.sdk.sessions import Session, create_session, revoke_session
from pyopenshell.streams.contract import ByteStream, StreamClosed
from pyopenshell.streams.dialling import serve
from pyopenshell.streams.sockets import SocketStream
from pyopenshell.streams.splice import Tally, splice

BACKLOG = 512  # connections that wait to be accepted; a browser opens dozens at once
MAX_CONNECTIONS = 1000  # asked for; the gateway's ceiling may be lower and then rules
RECONNECT_WINDOW = (
    15.0  # seconds a connection waits for a gateway that restarts: the grace that the gateway gives a supervisor
)
FIRST_RETRY, LAST_RETRY = 0.05, 1.0  # seconds between attempts, doubling, with jitter
RENEW_BEFORE = 60.0  # seconds before its expiry a token is replaced


@dataclass(frozen=True, slots=True)
class Closed:
    """How one connection ended; `reason` is empty for one that completed."""

    peer: str
    outcome: Outcome
    bytes_far: int
    bytes_near: int
    reason: str = ""


class Forward:
    """A listener that runs. `address` is the real one; `on_closed` is told of every connection's end."""

    def __init__(
        self,
        connection: Connection,
        sandbox: str,
        target: TcpTarget,
        address: tuple[str, int],
        on_closed: Callable[[Closed], None] = lambda _: None,
    ) -> None:
        self.address = address
        self.on_closed = on_closed
        self.last_relay_id = ""  # channel id of the relay that was connected last
        self._connection = connection
        self._sandbox = sandbox
        self._target = target
        self._session: Session | None = None
        self._renewing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the token, and with it the connection. Raises what the gateway answers."""
        await self._current_session()

    async def serve(self, near: ByteStream, peer: str) -> None:
        """Carry one accepted connection to its end; never raises an error of the connection."""
        try:
            relay = await self._open()
        except OpenShellError as error:
            near.abort(str(error))
            self.on_closed(Closed(peer, Outcome.REFUSED, 0, 0, str(error)))
            return
        tally = Tally()
        outcome = await splice(near, relay.leg, tally)
        self.last_relay_id = relay.channel_id or self.last_relay_id
        refusal = relay.refusal
        if refusal is not None and refusal.code is Code.UNAUTHENTICATED:
            self._session = None  # the next connection makes a new one
        self.on_closed(Closed(peer, outcome, tally.far, tally.near, tally.reason))

    async def revoke(self) -> None:
        """End the token."""
        session, self._session = self._session, None
        if session is not None:
            await revoke_session(self._connection, session)

    async def _open(self) -> Relay:
        deadline = time.monotonic() + RECONNECT_WINDOW
        delay = FIRST_RETRY
        while True:
            try:
                session = await self._current_session()
                return await open_relay(self._connection, self._sandbox, self._target, session.token)
            except OpenShellError as error:
                if error.code not in (Code.UNAVAILABLE, Code.BROKEN) or time.monotonic() + delay > deadline:
                    raise
            except StreamClosed as error:
                raise OpenShellError(Code.UNAVAILABLE, "the forward is closing") from error
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            delay = min(2 * delay, LAST_RETRY)

    async def _current_session(self) -> Session:
        async with self._renewing:
            session = self._session
            if session is None or (
                session.expires is not None and session.expires.timestamp() - time.time() < RENEW_BEFORE
            ):
                session = await create_session(self._connection, self._sandbox, self._target, MAX_CONNECTIONS)
                self._session = session
            return session


@asynccontextmanager
async def forward(
    connection: Connection,
    sandbox: str,
    target: TcpTarget,
    local: tuple[str, int],
    on_closed: Callable[[Closed], None] = lambda _: None,
) -> AsyncIterator[Forward]:
    """Listen on `local` (host, port; port 0 is any) for the time of the block.

    Raises CONFLICT that names who holds the port, and what the gateway answers to the request for a token.
    """
    sock = bind(*local)
    try:
        bound = sock.getsockname()
        running = Forward(connection, sandbox, target, (bound[0], bound[1]), on_closed)
        await running.prepare()
        try:
            async with _accepting(sock, running):
                yield running
        finally:
            await running.revoke()
    finally:
        sock.close()


@asynccontextmanager
async def _accepting(sock: socket.socket, running: Forward) -> AsyncIterator[None]:
    """Accept for the time of the block; what is open then is cut."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(stream: SocketStream) -> None:
        task = asyncio.get_running_loop().create_task(running.serve(stream, stream.peername))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await serve(sock, accept)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on an address of this machine. Raises CONFLICT, INVALID, PRECONDITION."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise OpenShellError(Code.INVALID, f"local address {host[:80]!r} is not known") from error
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _bind_error(host, port, error) from error
    return sock


def _bind_error(host: str, port: int, error: OSError) -> OpenShellError:
    if error.errno == errno.EADDRINUSE:
        return port_in_use(host, port)
    if error.errno == errno.EADDRNOTAVAIL:
        return OpenShellError(Code.INVALID, f"{host} is not an address of this machine")
    if error.errno in (errno.EACCES, errno.EPERM):
        return OpenShellError(
            Code.PRECONDITION, f"port {port} needs privileges here", hint="use one from 1024 up, or 0"
        )
    return OpenShellError(Code.PRECONDITION, f"cannot listen on {host}:{port}: {error.strerror}")
