from __future__ import annotations

import asyncio
import base64
import socket

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.proxies import ANSWER_MAX, Proxy, direct, joined, proxy_for, tunnel

PROXY = Proxy("proxy.example", 3128)
SECRET = Proxy("proxy.example", 3128, "me:hunter%3A2")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("HTTP://proxy.example:3128/", Proxy("proxy.example", 3128)),
        ("proxy.example", Proxy("proxy.example", 80)),
        (" http://10.0.0.1:8080 ", Proxy("10.0.0.1", 8080)),
        ("http://[fd00::1]:3128", Proxy("fd00::1", 3128)),
        ("http://me:hunter%3A2@proxy.example:3128", SECRET),
        ("http://me:a@b@proxy.example", Proxy("proxy.example", 80, "me:a@b")),
    ],
)
def test_a_url_is_read_and_written(url: str, proxy: Proxy) -> None:
    assert Proxy.parse(url) == proxy
    assert Proxy.parse(proxy.url) == proxy


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@",
        "http://me:hunter2@proxy:0",
        "http://me:hunter2@proxy:65536",
        "http://me:hunter2@proxy:3128/path",
        "http://me:hunter2@fd00::1:3128",
        "https://me:hunter2@proxy",
        "socks5://me:hunter2@proxy",
        "me:hunter2@proxy\nx",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(OpenShellError, match="HTTPS_PROXY") as caught:
        proxy_for("gw.example", 443, {"HTTPS_PROXY": url})
    assert caught.value.code is Code.INVALID
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


def test_another_kind_of_proxy_is_named() -> None:
    with pytest.raises(OpenShellError, match="'socks5'"):
        Proxy.parse("socks5://proxy")


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://other"}, None),
        ({"HTTPS_PROXY": "http://a:1"}, Proxy("a", 1)),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, Proxy("a", 1)),
        ({"ALL_PROXY": "http://c:1"}, Proxy("c", 1)),
        ({"HTTPS_PROXY": "http://a:1", "ALL_PROXY": "http://c:1"}, Proxy("a", 1)),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "http://c:1"}, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ".example"}, None),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "x", "NO_PROXY": "*"}, Proxy("a", 1)),
    ],
)
def test_what_the_environment_says(environ: dict[str, str], proxy: Proxy | None) -> None:
    assert proxy_for("gw.example", 443, environ) == proxy


def test_this_machine_is_never_reached_through_a_proxy() -> None:
    assert proxy_for("localhost", 443, {"HTTPS_PROXY": "http://a:1"}) is None
    assert direct("gw.example", 443) is None


def test_credentials_are_in_no_text() -> None:
    assert "hunter" not in f"{SECRET} {SECRET!r}"
    assert str(SECRET) == "proxy.example:3128"
    assert joined("fd00::1", 1) == "[fd00::1]:1"


async def played(
    answer: bytes, proxy: Proxy = PROXY, host: str = "gw.example", *, end: bool = True
) -> tuple[str, bytes]:
    """The request, and what was behind the answer; the answer comes a byte at a time."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    loop = asyncio.get_running_loop()
    with near, far:
        asking = asyncio.create_task(tunnel(near, proxy, host, 8443))
        request = await loop.sock_recv(far, 65536)
        for byte in answer[:-20]:
            far.send(bytes((byte,)))
            await asyncio.sleep(0)
        far.sendall(answer[-20:])
        if end:
            far.shutdown(socket.SHUT_WR)
        await asking
        rest = b""
        while end and (more := await loop.sock_recv(near, 65536)):
            rest += more
        return request.decode(), rest


async def test_a_tunnel_begins_with_the_byte_behind_the_answer() -> None:
    request, rest = await played(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n\x16\x03\x01first bytes of the tunnel")
    assert request == "CONNECT gw.example:8443 HTTP/1.1\r\nHost: gw.example:8443\r\nUser-Agent: pyopenshell\r\n\r\n"
    assert rest == b"\x16\x03\x01first bytes of the tunnel"


async def test_the_gateway_may_speak_only_later() -> None:
    await played(b"HTTP/1.0 200 Connection established\r\n\r\n", end=False)


async def test_interim_answers_and_bare_line_feeds() -> None:
    _, rest = await played(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 204 \n\nrest")
    assert rest == b"rest"


async def test_an_ipv6_address_is_in_brackets() -> None:
    request, _ = await played(b"HTTP/1.1 200 OK\r\n\r\n", host="fd00::7")
    assert request.startswith("CONNECT [fd00::7]:8443 HTTP/1.1\r\nHost: [fd00::7]:8443\r\n")


async def test_credentials_are_decoded_and_sent() -> None:
    request, _ = await played(b"HTTP/1.1 200 OK\r\n\r\n", SECRET)
    credentials = base64.b64encode(b"me:hunter:2").decode()
    assert f"\r\nProxy-Authorization: Basic {credentials}\r\n" in request


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused its user name or password"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "refused its user name or password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "does not allow CONNECT to gw.example:8443"),
        (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "does not allow CONNECT"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach gw.example:8443"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", "with status 301"),
        (b"HTTP/1.1 99 Odd\r\n\r\n", "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46 and more of an alert", "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "not HTTP"),
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nX: y", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * ANSWER_MAX, "header fields"),
    ],
)
async def test_refusals_in_words(answer: bytes, words: str) -> None:
    with pytest.raises(OpenShellError, match=words) as caught:
        await played(answer, SECRET)
    assert caught.value.code is Code.UNAVAILABLE
    assert "the proxy at proxy.example:3128" in str(caught.value)
    assert "hunter" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


async def test_a_proxy_that_wants_credentials_says_where_they_go() -> None:
    with pytest.raises(OpenShellError, match="asks for a user name and password") as caught:
        await played(b"HTTP/1.1 407 x\r\n\r\n")
    assert "USER:PASSWORD" in caught.value.hint
