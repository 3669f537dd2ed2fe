"""HTTP proxies on the way to a gateway: which one the environment names, and the CONNECT dialogue (RFC 9110 section 9.3.6).

    socket to the proxy ── CONNECT host:port ── 2xx ── the socket is a tunnel: TLS and HTTP/2 begin
                                             ├─ 407, 403, 5xx ... ── refused, in words
                                             └─ no HTTP, too much, the end ── refused, in words

Names are given to the proxy as they are: it resolves them, we may be unable to. Not one byte behind the answer is read,
because it belongs to the tunnel. The credentials of a proxy's URL are in one header field and nowhere else: no error, no log
line and no repr has them.

Only the main modules and contexts know an environment; they ask `proxy_for` and hand on a `Proxy`.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.transports import wake

#: Where curl looks, in curl's order; a gateway is asked for by CONNECT with and without TLS, as gRPC does.
VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
EXCEPTIONS = ("no_proxy", "NO_PROXY")
DEFAULT_PORT = 80
#: Bytes of an answer's head: what nginx (4 buffers of 8 KiB) lets a request have.
ANSWER_MAX = 32 * 1024
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r?\n)")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")  # RFC 3986 section 2.1
_URL = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?(?:([^/]*)@)?(\[[0-9A-Fa-f:.]+\]|[^\[\]@:/\s]+)(?::([0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where an HTTP proxy listens. `userinfo` is `user:password` as it was in the URL: a secret."""

    host: str
    port: int
    userinfo: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, variable: str = "the proxy's URL") -> Proxy:
        """Read `[http://][user:password@]host[:port]`. Raises INVALID that names `variable` and not its value."""
        found = _URL.fullmatch(url.strip())
        if found is not None and (found[1] or "http").lower() != "http":
            raise OpenShellError(
                Code.INVALID,
                f"{variable} names a proxy of the kind {found[1].lower()[:20]!r}, which is not spoken here",
                hint="name an http:// proxy that allows CONNECT, or exempt the gateway by NO_PROXY",
            )
        if found is None or (found[4] and not 0 < int(found[4]) < 65536):
            raise OpenShellError(
                Code.INVALID, f"{variable} is not a proxy's URL", hint="use http://[USER:PASSWORD@]HOST[:PORT]"
            )
        return cls(found[3].strip("[]"), int(found[4] or DEFAULT_PORT), found[2] or "")

    @property
    def url(self) -> str:
        """What `parse` reads. It holds the credentials: for a private channel to one's own process alone."""
        return f"http://{self.userinfo}{'@' if self.userinfo else ''}{self}"

    def __str__(self) -> str:
        return joined(self.host, self.port)


def joined(host: str, port: int) -> str:
    """`host:port`, an IPv6 literal in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


FindProxy = Callable[[str, int], Proxy | None]
"""Which proxy leads to a host and port."""


def direct(host: str, port: int) -> Proxy | None:
    """No proxy leads anywhere."""
    del host, port
    return None


def proxy_for(host: str, port: int, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that `environ` names for a gateway at `host` and `port`; None for a direct connection.

    The first of VARIABLES that is set decides, an empty one for none. Never for this machine itself. Raises INVALID.
    """
    named = next((name for name in VARIABLES if name in environ), "")
    if not named or not environ[named].strip():
        return None
    from pyopenshell.streams import exemptions  # with ipaddress, 3 ms that only those behind a proxy pay

    entries = next((environ[name] for name in EXCEPTIONS if name in environ), "")
    if exemptions.exempt(host, port, entries):
        return None
    return Proxy.parse(environ[named], named)


async def tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Have `proxy`, to which the non-blocking `sock` is connected, join it to `host` and `port`.

    The deadline is the caller's. Raises UNAVAILABLE that says what the proxy answered, OSError of the socket.
    """
    await asyncio.get_running_loop().sock_sendall(sock, _request(proxy, host, port))
    status = 100
    while status < 200:  # interim answers may come first, RFC 9110 section 15.2
        head = await _head(sock, proxy)
        found = _STATUS_LINE.match(head)
        if found is None:
            raise _refused(
                proxy, "answered with something that is not HTTP", "is it an HTTP proxy, and not an https one?"
            )
        status = int(found[1])
    if status >= 300:
        raise _refused(proxy, *_words(status, joined(host, port), bool(proxy.userinfo)))


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    target = joined(host, port)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: pyopenshell"]
    if proxy.userinfo:
        decoded = _PERCENT.sub(lambda found: bytes((int(found[1], 16),)), proxy.userinfo.encode())
        credentials = base64.b64encode(decoded).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")  # RFC 7617
    return "\r\n".join((*lines, "", "")).encode()


async def _head(sock: socket.socket, proxy: Proxy) -> bytes:
    """The head of one answer, up to and with its empty line, and no byte more."""
    head = b""
    while True:
        # recv takes no flags in asyncio, and a peek that is always ready would spin: so what is there is looked at, and
        # then taken as far as it is the head's.
        seen = await _peeked(sock)
        if not seen:
            raise _refused(proxy, "closed the connection without an answer to CONNECT")
        if (head + seen)[:7] != b"HTTP/1."[: len(head + seen)]:
            return head + seen  # no HTTP at all: an empty line may never come
        end = _HEAD_END.search(head + seen)
        take = end.end() - len(head) if end else len(seen)
        head += sock.recv(take)
        if end:
            return head
        if len(head) > ANSWER_MAX:
            raise _refused(proxy, f"answered CONNECT with over {ANSWER_MAX // 1024} KiB of header fields")


async def _peeked(sock: socket.socket) -> bytes:
    """What can be read of `sock`, left in it."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(sock, wake, readable)
            try:
                await readable
            finally:
                loop.remove_reader(sock)


def _words(status: int, target: str, named: bool) -> tuple[str, str]:
    """What a status that is no tunnel means, and what to do."""
    if status in (401, 407):  # the former from tinyproxy, where a password is wrong
        if named:
            return f"refused its user name or password ({status})", "check USER:PASSWORD in the proxy's URL"
        return (
            f"asks for a user name and password ({status})",
            "put them into the proxy's URL: http://USER:PASSWORD@HOST:PORT",
        )
    if status in (403, 405):
        return (
            f"does not allow CONNECT to {target} ({status})",
            "have it allowed there, or exempt the gateway by NO_PROXY",
        )
    if status >= 500:
        return f"cannot reach {target} ({status})", "is the gateway running, and does the proxy know its name?"
    return f"answered CONNECT to {target} with status {status}", "is it a proxy, and does it allow CONNECT?"


def _refused(proxy: Proxy, what: str, hint: str = "") -> OpenShellError:
    return OpenShellError(Code.UNAVAILABLE, f"the proxy at {proxy} {what}", hint=hint)
