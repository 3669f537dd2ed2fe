"""`GrpcServer`: listening sockets, connections and the tasks of their calls.

Nothing waits for a peer without a limit: the TLS handshake, the HTTP/2 preface and the first request have deadlines,
and a call ends with its own. Draining says GOAWAY everywhere, lets open calls go on, and cuts what is left in the end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyopenshell.errors import OpenShellError
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.limits import Limits
from pyopenshell.streams.contract import StreamBroken, StreamClosed
from pyopenshell.streams.grpc_server import Call, Handler
from pyopenshell.streams.http2 import LIMITS, Http2Connection
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.peers import Peer, peer_of
from pyopenshell.streams.refusals import compressed, is_grpc, not_grpc, unknown
from pyopenshell.streams.windows import PROCESS, WindowBudget
from pyopenshell.wire.metadata import decode_metadata, decode_timeout
from pyopenshell.wire.status import GrpcStatus, clean, status_of_error

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

#: A TLS handshake takes two round trips; a client that says nothing is cut after this many seconds.
HANDSHAKE_TIMEOUT = 10.0
#: A connection on which no call was ever opened is closed after this many seconds (nginx: client_header_timeout 60 s).
FIRST_REQUEST_TIMEOUT = 60.0
#: close_notify of a TLS peer is waited for this many seconds.
SHUTDOWN_TIMEOUT = 5.0
#: Connections that wait to be accepted, listen(2): as asyncio's default, asked for by a storm of opens.
BACKLOG = 512


class GrpcServer:
    """Serves `handlers` (path -> handler) on any number of listening sockets.

    `name` is for log lines; `peers` is what messages call one that connects ("the connection to the supervisor was lost").
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        name: str = "gateway",
        peers: str = "the client",
        limits: Limits = LIMITS,
        budget: WindowBudget = PROCESS,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        first_request_timeout: float = FIRST_REQUEST_TIMEOUT,
    ) -> None:
        self._handlers = handlers
        self._name = name
        self._peers = peers
        self._limits = limits
        self._budget = budget
        self._handshake_timeout = handshake_timeout
        self._first_request_timeout = first_request_timeout
        self._listeners: list[asyncio.Server] = []
        self._connections: dict[Http2Connection, Peer] = {}
        self._unused: dict[Http2Connection, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def serve(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Start to accept on the bound socket `sock` (TCP or Unix); returns at once. May be called for several sockets."""
        loop = asyncio.get_running_loop()
        create: Any = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
        listening = create(
            self._protocol,
            sock=sock,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=self._handshake_timeout if tls is not None else None,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT if tls is not None else None,
        )
        self._listeners.append(await listening)

    @property
    def connections(self) -> int:
        """Connections that are up."""
        return len(self._connections)

    @property
    def calls(self) -> int:
        """Calls whose handlers run."""
        return len(self._tasks)

    async def drain(self, timeout: float) -> None:
        """Stop accepting, say GOAWAY, wait for open calls up to `timeout` seconds, then close."""
        self._stop_listening()
        for connection in list(self._connections):
            connection.drain()
        lost = [connection.lost for connection in self._connections]
        if lost:
            await asyncio.wait(lost, timeout=timeout)
        await self.close()

    async def close(self) -> None:
        """Cancel every call and close every connection and listener."""
        self._stop_listening()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        lost = [connection.lost for connection in self._connections]
        for connection in list(self._connections):
            connection.abort("the server closes")
        if lost:
            await asyncio.wait(lost)

    def _stop_listening(self) -> None:
        self._closing = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    # -- connections ------------------------------------------------------------------------------------------------

    def _protocol(self) -> Http2Connection:
        return Http2Connection(
            Role.SERVER,
            hop=self._peers,
            limits=self._limits,
            budget=self._budget,
            on_request=self._on_request,
            on_connected=self._on_connected,
            on_lost=self._on_lost,
        )

    def _on_connected(self, connection: Http2Connection) -> None:
        assert connection.transport is not None
        peer = peer_of(connection.transport)
        if peer.unix_uid is None:  # a Unix socket has no address that tells one from another
            connection.hop = f"{self._peers} {peer.address}"
        self._connections[connection] = peer
        if self._closing:
            connection.drain()
        self._unused[connection] = asyncio.get_running_loop().call_later(
            self._first_request_timeout, self._never_used, connection
        )

    def _on_lost(self, connection: Http2Connection) -> None:
        self._connections.pop(connection, None)
        timer = self._unused.pop(connection, None)
        if timer is not None:
            timer.cancel()
        if connection.faulty:
            log.warning("%s: cut %s: %s", self._name, connection.hop, clean(connection.reason))

    def _never_used(self, connection: Http2Connection) -> None:
        self._unused.pop(connection, None)
        connection.drain()

    # -- calls ------------------------------------------------------------------------------------------------------

    def _on_request(self, stream: Http2Stream) -> None:
        timer = self._unused.pop(stream.connection, None)
        if timer is not None:
            timer.cancel()
        task = asyncio.get_running_loop().create_task(self._run(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream: Http2Stream) -> None:
        call = Call(stream, "", {}, self._connections.get(stream.connection, Peer()))
        task = asyncio.current_task()
        assert task is not None

        def over() -> None:
            if not call.detached:
                task.cancel()

        stream.on_over = over
        if stream.broken is not None:
            return
        try:
            async with asyncio.timeout(None) as timeout:
                handler = self._accept(call)
                timeout.reschedule(call.deadline)
                await handler(call)
            status, message = GrpcStatus.OK, ""
        except OpenShellError as error:
            status, message = status_of_error(error)
        except StreamClosed:
            return  # the handler aborted its own call
        except asyncio.CancelledError:
            if stream.broken is None:
                stream.reset(ErrorCode.CANCEL)
                raise
            return  # the peer is gone: that is the ordinary end of a cancelled call
        except Exception as error:
            if isinstance(error, TimeoutError) and timeout.expired():
                status, message = GrpcStatus.DEADLINE_EXCEEDED, "the call's deadline passed"
            else:
                log.exception("%s: %s failed", self._name, call.path)
                status, message = GrpcStatus.INTERNAL, "internal error"
        try:
            await call.finish(status, message)
        except (StreamBroken, StreamClosed):
            return  # the peer went away before it could be told

    def _accept(self, call: Call) -> Handler:
        """Read the request's headers into `call`; raise what the call is refused with."""
        fields: dict[bytes, bytes] = dict(call.stream.headers)
        call.path = fields.get(b":path", b"").decode("ascii", "replace")
        call.metadata = decode_metadata(call.stream.headers)
        if not is_grpc(fields):
            return not_grpc
        if b"grpc-timeout" in fields:
            call.deadline = asyncio.get_running_loop().time() + decode_timeout(fields[b"grpc-timeout"])
        if fields.get(b"grpc-encoding", b"identity") != b"identity":
            return compressed
        return self._handlers.get(call.path, unknown)
