"""One warm connection: shared, made again after a loss, told clearly where it cannot be made."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.connection import Connection, proxy_of, tls_of
from pyopenshell.sdk.gateways import Endpoint, Registry
from pyopenshell.sdk.paths import Paths
from pyopenshell.streams import Channel
from pyopenshell.streams.proxies import Proxy
from tests.support.client_gateway import FakeGateway
from tests.support.proxy_server import FakeProxy, proxying


async def test_many_at_once_connect_once(client: Client, gateway: FakeGateway) -> None:
    channels = await asyncio.gather(*(client.connection.channel() for _ in range(10)))
    assert len(set(map(id, channels))) == 1
    await client.health()
    assert gateway.server is not None and gateway.server.connections == 1


async def test_a_lost_connection_is_made_again(client: Client, gateway: FakeGateway) -> None:
    await client.health()
    await gateway.cut()
    channel = client.connection._channel
    assert channel is not None
    await channel.wait_closed()
    await gateway.start()
    assert await client.health() == ("healthy", "9.9")


async def test_a_gateway_that_is_down_is_told_with_the_cure(client: Client, gateway: FakeGateway, paths: Paths) -> None:
    await gateway.cut()
    with pytest.raises(OpenShellError, match="openshell gateway status fake") as caught:
        await client.health()
    assert caught.value.code is Code.UNAVAILABLE
    local = replace(client.gateway, is_remote=False)
    async with Client(local) as other:
        with pytest.raises(OpenShellError, match="'openshell gateway start fake' starts it"):
            await other.health()


@pytest.mark.parametrize("words", [b"", b"220 mail ready\r\n" * 20])
async def test_what_is_no_gateway(paths: Paths, words: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(words)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        gateway = Registry(paths).save(
            "mail", Endpoint("http", "127.0.0.1", port), is_remote=True, auth_mode="plaintext"
        )
        async with Client(gateway) as client:
            for act in (client.health(), client.run("web", ExecSpec(("true",))), client.sandboxes.wait_ready("web")):
                with pytest.raises(
                    OpenShellError, match=r"without a word .is it a gateway, and is it not https"
                ) as caught:
                    await act
                assert caught.value.code is Code.UNAVAILABLE


def test_a_certificate_that_is_not_known_is_told(paths: Paths) -> None:
    gateway = Registry(paths).save(
        "lab", Endpoint("https", "lab.example", 1), is_remote=True, auth_mode="mtls", credentials={"tls.crt": b"x"}
    )
    error = OpenShellError(Code.UNAVAILABLE, "lost")
    for token, hint in (("", "does it know the certificate"), ("t", "is it a gateway?")):
        connection = Connection(gateway, token)
        assert connection.explained(error) is error
        connection._channel = cast("Channel", SimpleNamespace(established=False, closed=True))
        assert hint in connection.explained(error).hint
        connection._channel = cast("Channel", SimpleNamespace(established=True, closed=True))
        assert connection.explained(error) is error


async def test_after_close_nothing_connects_again(client: Client) -> None:
    await client.health()
    await client.close()
    with pytest.raises(OpenShellError, match="was closed"):
        await client.health()
    await client.close()


async def test_ping(client: Client) -> None:
    assert 0 < await client.connection.ping() < 10


async def test_a_token_goes_along_with_every_call(gateway: FakeGateway, paths: Paths) -> None:
    async with Client(gateway.register(paths), "s3cret") as client:
        await client.health()
    assert gateway.authorizations == ["Bearer s3cret"]
    assert "s3cret" not in repr(client.connection)


def pair(directory: Path, name: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", f"/CN={name}", "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_which_credentials_are_shown(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair(tmp_path, "me")
    certificate, key = (tmp_path / "me.crt").read_bytes(), (tmp_path / "me.key").read_bytes()
    shown: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda self, certfile, **more: shown.append(certfile))
    gateway = Registry(paths).save(
        "lab",
        Endpoint("https", "lab.example", 1),
        is_remote=True,
        auth_mode="mtls",
        credentials={"ca.crt": certificate, "tls.crt": certificate, "tls.key": key},
    )
    context = tls_of(gateway, with_token=False)
    assert context is not None and context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert shown == [str(gateway.certificate)]
    assert tls_of(gateway, with_token=True) is not None
    assert len(shown) == 1  # with a token the certificate stays at home
    assert tls_of(replace(gateway, endpoint=Endpoint("http", "lab.example", 1)), with_token=False) is None


def test_without_an_authority_of_its_own_the_system_s_are_used(paths: Paths) -> None:
    gateway = Registry(paths).save("lab", Endpoint("https", "lab.example", 1), is_remote=True, auth_mode="token")
    context = tls_of(gateway, with_token=True)
    assert context is not None and context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


async def test_credentials_that_are_rubbish_are_named(paths: Paths) -> None:
    gateway = Registry(paths).save(
        "lab", Endpoint("https", "127.0.0.1", 1), is_remote=True, auth_mode="mtls", credentials={"ca.crt": b"rubbish"}
    )
    with pytest.raises(OpenShellError, match=r"ca\.crt") as caught:
        await Connection(gateway).channel()
    assert caught.value.code is Code.PRECONDITION


async def test_through_a_proxy(client: Client, gateway: FakeGateway) -> None:
    async with proxying(FakeProxy()) as proxy:
        async with Client(client.gateway, proxy=Proxy("127.0.0.1", proxy.port)) as other:
            assert await other.health() == ("healthy", "9.9")
        assert proxy.requests[0].startswith(f"CONNECT 127.0.0.1:{client.gateway.endpoint.port} ".encode())


async def test_a_proxy_that_refuses_is_told_with_its_own_cure(client: Client, gateway: FakeGateway) -> None:
    async with proxying(FakeProxy(b"HTTP/1.1 403 no\r\n\r\n", joins=False)) as proxy:
        other = Client(client.gateway, proxy=Proxy("127.0.0.1", proxy.port, "me:hunter2"))
        with pytest.raises(OpenShellError, match="does not allow CONNECT") as caught:
            await other.health()
        await other.close()
    assert "NO_PROXY" in caught.value.hint
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint}"


def test_the_environment_names_the_proxy_of_a_gateway(client: Client) -> None:
    lab = replace(client.gateway, endpoint=Endpoint("https", "lab.example", 8443))
    environ = {"HTTPS_PROXY": "http://proxy.example:3128"}
    assert proxy_of(lab, environ) == Proxy("proxy.example", 3128)
    assert proxy_of(lab, environ | {"NO_PROXY": ".example:8443"}) is None
    assert proxy_of(client.gateway, environ) is None  # it is on this machine
