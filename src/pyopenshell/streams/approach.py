"""The way to a gateway, from an address to a connection that is ready for HTTP/2.

    resolve, TCP (racing.py) ── CONNECT, where a proxy is on the way (proxies.py) ── TLS ── ALPN says h2
                                                    TLS is stuck: once more, small segments (segments.py)

One deadline for all of it, and an error that names who did not do its part.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import racing, segments
from pyopenshell.streams.http2 import Http2Connection
from pyopenshell.streams.proxies import Proxy, joined, tunnel
from pyopenshell.streams.segments import Segments
from pyopenshell.streams.transports import error_words

if TYPE_CHECKING:
    import ssl

#: close_notify of a TLS peer is waited for this many seconds.
SHUTDOWN_TIMEOUT = 5.0
#: X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of X509_STORE_CTX_get_error(3).
OUT_OF_TIME = frozenset({9, 10})
CLOCK = "%Y-%m-%d %H:%M UTC"

Connected = tuple[asyncio.Transport, Http2Connection]


def clock_words(code: int) -> str:
    """What this machine's clock says, where a certificate was refused for its time; empty for another reason."""
    return f" (this machine's clock says {time.strftime(CLOCK, time.gmtime())})" if code in OUT_OF_TIME else ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway listens: `host` and `port`, or `unix` (a path). `server_name` overrides the name TLS checks."""

    host: str = ""
    port: int = 0
    unix: str = ""
    server_name: str = ""

    def __str__(self) -> str:
        return self.unix or joined(self.host, self.port)


class Approach:
    """One attempt to reach `endpoint`; `name` is what errors call it."""

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        make: Callable[[], Http2Connection],
        *,
        name: str,
        proxy: Proxy | None = None,
        path: Segments | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._make = make
        self._name = name
        self._proxy = None if endpoint.unix else proxy
        self._path = path or Segments()
        self._through = f" through the proxy at {self._proxy}" if self._proxy is not None else ""
        self._waits_for = ""
        self._secure: dict[str, Any] = {}
        if tls is not None:
            self._secure = {
                "ssl": tls,
                "server_hostname": endpoint.server_name or endpoint.host or "localhost",
                "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT,
            }

    async def connect(self, timeout: float) -> Connected:
        """Connect and shake hands within `timeout` seconds.

        Raises UNAVAILABLE that names the hop, UNAUTHENTICATED for a certificate not trusted.
        """
        try:
            async with asyncio.timeout(timeout):
                transport, connection = await self._connected()
        except TimeoutError:
            raise OpenShellError(Code.UNAVAILABLE, f"{self._waits_for} did not answer in {timeout:g} s") from None
        except OSError as error:
            raise self._failed(error) from error
        session = transport.get_extra_info("ssl_object")
        if session is not None and session.selected_alpn_protocol() != "h2":
            transport.abort()
            raise OpenShellError(
                Code.UNAVAILABLE, f"what listens at {self._endpoint}{self._through} does not speak HTTP/2"
            )
        return transport, connection

    async def _connected(self) -> Connected:
        loop = asyncio.get_running_loop()
        if self._endpoint.unix:
            self._reaches_gateway()
            return await loop.create_unix_connection(self._make, self._endpoint.unix, **self._secure)
        if not self._secure or self._path.small:
            return await self._shaken(self._path.small, None)
        try:
            return await self._shaken(False, segments.HANDSHAKE_PATIENCE)
        except _Stuck:
            found = await self._shaken(True, None)
            self._path.ended(silent=True)
            return found

    async def _shaken(self, small: bool, patience: float | None) -> Connected:
        """A connection with its handshake done. Raises _Stuck where that takes more than `patience` seconds."""
        sock = await self._socket(small)
        try:
            async with asyncio.timeout(patience) as limit:
                return await asyncio.get_running_loop().create_connection(self._make, sock=sock, **self._secure)
        except TimeoutError:
            if not limit.expired():
                raise
            raise _Stuck from None

    async def _socket(self, small: bool) -> socket.socket:
        prepare = segments.keep_small if small else _leave_alone
        proxy, endpoint = self._proxy, self._endpoint
        if proxy is None:
            self._reaches_gateway()
            return await racing.connect(endpoint.host, endpoint.port, prepare)
        self._waits_for = f"the proxy at {proxy}"
        try:
            sock = await racing.connect(proxy.host, proxy.port, prepare)
        except OSError as error:
            raise OpenShellError(
                Code.UNAVAILABLE,
                f"cannot connect to {self._waits_for} on the way to {self._name}: {error_words(error)}",
                hint="HTTPS_PROXY names it; NO_PROXY exempts a gateway",
            ) from error
        try:
            await tunnel(sock, proxy, endpoint.host, endpoint.port)
        except BaseException:
            sock.close()
            raise
        self._reaches_gateway()
        return sock

    def _reaches_gateway(self) -> None:
        self._waits_for = f"{self._name} at {self._endpoint}{self._through}"

    def _failed(self, error: OSError) -> OpenShellError:
        if distrust := getattr(error, "verify_message", ""):  # of ssl.SSLCertVerificationError
            clock = clock_words(getattr(error, "verify_code", 0))
            return OpenShellError(
                Code.UNAUTHENTICATED,
                f"{self._name} at {self._endpoint} shows a certificate that is not trusted: {distrust}{clock}",
                hint="is that clock right?" if clock else "register the gateway anew, or check its address",
            )
        return OpenShellError(
            Code.UNAVAILABLE, f"cannot connect to {self._waits_for}: {error_words(error)}", hint="is it running?"
        )


class _Stuck(Exception):
    """The handshake makes no way."""


def _leave_alone(sock: socket.socket) -> None:
    """Segments of full size need nothing."""
