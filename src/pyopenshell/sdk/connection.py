"""One warm connection to one gateway, made when it is first needed and made again after it was lost.

Everything the SDK says to a gateway goes through here: the one place that knows how to connect, who we are, and how a
failure to connect is told.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from google.protobuf.message import Message

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk import renewal
from pyopenshell.sdk.gateways import Gateway
from pyopenshell.streams import grpc_client
from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.streams.proxies import Proxy, proxy_for
from pyopenshell.streams.segments import Segments

M = TypeVar("M", bound=Message)

SERVICE = "/openshell.v1.OpenShell/"
EXTENSION = "/pyopenshell.v1.Extension/"
UNARY_TIMEOUT = 60.0  # seconds; the slowest, DeleteSandbox, ends processes and removes a tree
CONNECT_TIMEOUT = 10.0  # seconds, as `ConnectTimeout` of the editors that wait for us (15) less their own start


class Connection:
    """Calls to one gateway. With `token` the token says who calls, and the client certificate stays at home."""

    def __init__(
        self,
        gateway: Gateway,
        token: str = "",
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        proxy: Proxy | None = None,
    ) -> None:
        self.gateway = gateway
        self._proxy = proxy
        self._path = Segments()
        self._connect_timeout = connect_timeout
        self._token = token
        self._channel: Channel | None = None
        self._connecting = asyncio.Lock()
        self._closed = False
        self._partings: set[asyncio.Task[None]] = set()

    async def channel(self) -> Channel:
        """The live channel. Raises UNAVAILABLE that names the gateway, PRECONDITION for credentials that are missing."""
        async with self._connecting:
            if self._closed:
                raise OpenShellError(Code.UNAVAILABLE, f"the connection to gateway {self.gateway.name!r} was closed")
            if self._channel is None or self._channel.closed:
                if self._channel is not None:
                    await self._channel.close()
                    self._channel = None
                self._channel = await self._connect()
            return self._channel

    async def call(
        self, rpc: str, request: Message, response: type[M], *, service: str = SERVICE, timeout: float = UNARY_TIMEOUT
    ) -> M:
        """One request, one answer. Raises what the gateway answered, UNAVAILABLE, BROKEN, DEADLINE."""
        channel = await self.channel()
        try:
            return await channel.unary(service + rpc, request, response, metadata=self._metadata(), timeout=timeout)
        except OpenShellError as error:
            raise self.explained(error) from error

    async def stream(self, rpc: str, request: Message, response: type[M]) -> AsyncGenerator[M, None]:
        """One request, a stream of answers; closing the iterator cancels the call."""
        channel = await self.channel()
        try:
            async with aclosing(channel.stream(SERVICE + rpc, request, response, metadata=self._metadata())) as answers:
                async for message in answers:
                    yield message
        except OpenShellError as error:
            raise self.explained(error) from error

    async def open(self, rpc: str) -> ClientCall:
        """A call with a stream both ways."""
        channel = await self.channel()
        return await channel.open(SERVICE + rpc, metadata=self._metadata())

    def explained(self, error: OpenShellError) -> OpenShellError:
        """`error` of a call, or a better one where the connection broke before the gateway had said a word.

        TLS 1.3 lets a client speak before the server has judged its certificate (RFC 8446, section 4.6.2), so a refused one
        looks like a connection that is closed at once.
        """
        channel = self._channel
        if channel is None or channel.established or not channel.closed:
            return error
        gateway = self.gateway
        if gateway.endpoint.scheme == "http":
            hint = "is it a gateway, and is it not https?"
        elif gateway.certificate.exists() and not self._token:
            hint = f"does it know the certificate in {gateway.mtls}?"
            if told := renewal.out_of_time(gateway, time.time()):
                return OpenShellError(
                    Code.UNAUTHENTICATED, told, hint="where the clock is right, ask for a new invitation"
                )
        else:
            hint = "is it a gateway?"
        message = f"what listens at {gateway.endpoint} ended the connection without a word"
        return OpenShellError(Code.UNAVAILABLE, message, hint=hint)

    async def ping(self) -> float:
        """Round trip to the gateway in seconds."""
        return await (await self.channel()).ping()

    def part(self, parting: Coroutine[Any, Any, None]) -> None:
        """Let a call end while its caller goes on; `close` waits. `parting` has a deadline of its own, and never raises."""
        task = asyncio.ensure_future(parting)
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    async def close(self) -> None:
        """Close the channel; calls that are open break."""
        self._closed = True
        if self._partings:
            await asyncio.wait(self._partings)
        async with self._connecting:
            channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()

    async def _connect(self) -> Channel:
        gateway = self.gateway
        endpoint = grpc_client.Endpoint(host=gateway.endpoint.host, port=gateway.endpoint.port)
        name = f"gateway {gateway.name!r}"
        try:
            tls = tls_of(gateway, bool(self._token))
            channel = await Channel.connect(
                endpoint, tls, timeout=self._connect_timeout, name=name, proxy=self._proxy, path=self._path
            )
        except OpenShellError as error:
            if error.code is not Code.UNAVAILABLE or self._proxy is not None:  # what is in between has its own cure
                raise
            hint = f"see 'openshell gateway status {gateway.name}'"
            if not gateway.is_remote:
                hint = f"'openshell gateway start {gateway.name}' starts it"
            raise OpenShellError(error.code, error.message, hint=hint) from error
        if tls is not None and not self._token and renewal.due(gateway, now := time.time()):
            await renewal.renew(gateway, channel, now)
        return channel


def proxy_of(gateway: Gateway, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that `environ` (HTTPS_PROXY, NO_PROXY) puts between us and `gateway`. Raises INVALID."""
    return proxy_for(gateway.endpoint.host, gateway.endpoint.port, environ)


def tls_of(gateway: Gateway, with_token: bool) -> ssl.SSLContext | None:
    """The TLS context for `gateway`; None for an `http` endpoint. Raises PRECONDITION that names the missing file.

    Without ca.crt the gateway is verified against the system's authorities, as for one behind a public certificate.
    """
    if gateway.endpoint.scheme == "http":
        return None
    from pyopenshell.streams import tls

    present = not with_token and gateway.certificate.exists() and gateway.key.exists()
    return tls.client_context(
        gateway.ca if gateway.ca.exists() else None,
        gateway.certificate if present else None,
        gateway.key if present else None,
    )
