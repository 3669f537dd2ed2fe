"""`GrpcServer`: listening sockets, connections and the tasks of their calls.

Nothing waits for a peer without a limit: the TLS handshake, the HTTP/2 preface and the first request have deadlines,
and a call ends with its own. Where a doorkeeper decides who is let in, whoever was not yet is a stranger, with less of
everything (strangers.py). What passes a limit is counted (hits.py), and a connection that is cut for it gets one line in
the log, as long as there are not too many. Draining says GOAWAY everywhere, lets open calls go on, and cuts what is left.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.limits import Limits
from pyopenshell.streams import serving, strangers
from pyopenshell.streams.accepting import HANDSHAKE_TIMEOUT, Acceptor, Places
from pyopenshell.streams.grpc_server import Call, Handler
from pyopenshell.streams.hits import PROCESS as HITS
from pyopenshell.streams.hits import Hits, LineRate
from pyopenshell.streams.http2 import LIMITS, Http2Connection
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.liveness import CLOSE_TIMEOUT
from pyopenshell.streams.pace import BEGINS, BEGINS_OF_STRANGERS, Begins, Turns
from pyopenshell.streams.peers import Peer, peer_of
from pyopenshell.streams.strangers import Strangers
from pyopenshell.streams.windows import PROCESS, WindowBudget
from pyopenshell.wire.status import clean

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

#: A connection on which no call was ever opened is closed after this many seconds (nginx: client_header_timeout 60 s),
#: and a stranger's when no call has been open on it for so long.
FIRST_REQUEST_TIMEOUT = 60.0
PLACES = Places()


class GrpcServer:
    """Serves `handlers` (path -> handler) on any number of listening sockets.

    `name` is for log lines; `peers` is what messages call one that connects ("the connection to the supervisor was lost").
    With `doorkeeper`, peers are strangers until a handler says `Call.known`.
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
        places: Places = PLACES,
        hits: Hits = HITS,
        doorkeeper: bool = False,
    ) -> None:
        self._handlers = handlers
        self._name = name
        self._peers = peers
        self._limits = limits
        self._first_limits = replace(limits, max_concurrent_streams=strangers.STREAMS) if doorkeeper else limits
        self._budget = budget
        self._handshake_timeout = handshake_timeout
        self._first_request_timeout = first_request_timeout
        self._places = places
        self._hits = hits
        self._doorkeeper = doorkeeper
        self._strangers = Strangers()
        self._turns = Turns()
        self._lines = LineRate()
        self._listeners: list[Acceptor] = []
        self._connections: dict[Http2Connection, Peer] = {}
        self._unused: dict[Http2Connection, asyncio.TimerHandle] = {}
        self._begins: dict[Http2Connection, Begins[Http2Stream]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def serve(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Start to accept on the bound socket `sock` (TCP or Unix); returns at once. May be called for several sockets."""
        acceptor = Acceptor(
            sock,
            self._protocol,
            self._turned_away,
            places=self._places,
            tls=tls,
            handshake_timeout=self._handshake_timeout,
        )
        acceptor.start()
        self._listeners.append(acceptor)

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
        await self._stop_listening()
        for connection in list(self._connections):
            connection.drain()
        lost = [connection.lost for connection in self._connections]
        if lost:
            await asyncio.wait(lost, timeout=timeout)
        await self.close()

    async def close(self) -> None:
        """Cancel every call and close every connection and listener."""
        await self._stop_listening()
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

    async def _stop_listening(self) -> None:
        self._closing = True
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            await listener.close()

    # -- connections ------------------------------------------------------------------------------------------------

    def _protocol(self) -> Http2Connection:
        connection = Http2Connection(
            Role.SERVER,
            hop=self._peers,
            limits=self._first_limits,
            budget=self._budget,
            on_request=self._on_request,
            on_connected=self._on_connected,
            on_lost=self._on_lost,
        )
        connection.hits = self._hits
        connection.known = not self._doorkeeper
        connection.on_read = self._turns.wait
        return connection

    def _on_connected(self, connection: Http2Connection) -> None:
        assert connection.transport is not None
        peer = peer_of(connection.transport)
        if peer.unix_uid is None:  # a Unix socket has no address that tells one from another
            connection.hop = f"{self._peers} {peer.address}"
        self._connections[connection] = peer
        self._begins[connection] = Begins(self._begin, BEGINS if connection.known else BEGINS_OF_STRANGERS)
        if self._closing:
            connection.drain()
        self._unused_from_now(connection)

    def _on_lost(self, connection: Http2Connection) -> None:
        self._connections.pop(connection, None)
        self._begins.pop(connection, None)
        self._used(connection)
        if connection.faulty:
            code = f" ({connection.code.name})" if connection.code is not None else ""
            self._log_cut(connection.hop, f"{connection.reason}{code}")

    def _turned_away(self, kind: str, peer: str, reason: str) -> None:
        self._hits.count(kind)
        self._log_cut(f"{self._peers} {peer}", reason)

    def _log_cut(self, who: str, reason: str) -> None:
        hidden = self._lines.may(asyncio.get_running_loop().time())
        if hidden is not None:
            more = f" ({hidden} more before)" if hidden else ""
            log.warning("%s: cut %s: %s%s", self._name, who, clean(reason), more)

    def _unused_from_now(self, connection: Http2Connection) -> None:
        self._unused[connection] = asyncio.get_running_loop().call_later(
            self._first_request_timeout, self._not_used, connection
        )

    def _used(self, connection: Http2Connection) -> None:
        timer = self._unused.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _not_used(self, connection: Http2Connection) -> None:
        """Ask it to go; one that does not is cut."""
        self._hits.count("idle")
        connection.drain()
        self._unused[connection] = asyncio.get_running_loop().call_later(
            CLOSE_TIMEOUT, connection.abort, "did not leave"
        )

    # -- calls ------------------------------------------------------------------------------------------------------

    def _on_request(self, stream: Http2Stream) -> None:
        connection = stream.connection
        self._used(connection)
        if not connection.known and self._strangers.full:
            self._hits.count("strangers")
            stream.reset(ErrorCode.REFUSED_STREAM)
        else:
            self._begins[connection].add(stream)

    def _begin(self, stream: Http2Stream) -> None:
        if stream.broken is not None:
            return  # reset before its turn came
        task = asyncio.get_running_loop().create_task(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: Http2Stream) -> None:
        connection = stream.connection
        call = Call(stream, "", {}, self._connections.get(connection, Peer()))
        call.on_known = functools.partial(self._known, connection)
        with self._strangers.call(connection):
            await serving.run(call, self._handlers, self._name)
        if not (connection.known or self._strangers.asks(connection)) and connection in self._connections:
            self._unused_from_now(connection)

    def _known(self, connection: Http2Connection) -> None:
        if not connection.known:
            connection.known = True
            if connection in self._begins:
                self._begins[connection] = Begins(self._begin)
            self._strangers.known(connection)
            connection.engine.allow_streams(self._limits.max_concurrent_streams)
            connection.want_flush()
