from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyopenshell.enrol.invitation import Address
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.state import HostState
from pyopenshell.host.way import Way
from pyopenshell.streams import Call, server_context
from pyopenshell.streams.proxies import Proxy
from tests.support.stream_pairs import Tls, make_pki, running


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def state(tmp_path: Path, pki: Path) -> HostState:
    made = HostState(tmp_path)
    (tmp_path / "mtls").mkdir()
    for name in ("ca.crt", "tls.crt", "tls.key"):
        made.credential(name).write_bytes((pki / name).read_bytes())
    return made


def server(pki: Path) -> Tls:
    context = server_context(pki / "tls.crt", pki / "tls.key", pki / "ca.crt")
    return Tls(context, context)


async def none(call: Call) -> None:
    await call.finish()


async def test_the_address_that_answers_is_the_first_one_next_time(state: HostState, pki: Path) -> None:
    async with running({"/x": none}, server(pki)) as (_, endpoint):
        way = Way(state, ["localhost:1", f"localhost:{endpoint.port}"], lambda _host, _port: None)
        assert way.address == Address("localhost", 1)
        channel = await way.connect()
        assert await channel.ping() >= 0
        await channel.close()
        assert way.address == Address("localhost", endpoint.port)
        told = way.for_supervisors()
        assert (told.host, told.port, told.proxy) == ("localhost", endpoint.port, "")
        assert told.ca == (pki / "ca.crt").read_text()


async def test_where_nobody_answers_distrust_is_told_before_silence(state: HostState, pki: Path) -> None:
    async with running({"/x": none}, server(pki)) as (_, endpoint):
        state.credential("ca.crt").write_bytes((pki / "other.crt").read_bytes())
        way = Way(state, ["localhost:1", f"localhost:{endpoint.port}"], lambda _host, _port: None)
        with pytest.raises(OpenShellError) as caught:
            await way.connect()
        assert caught.value.code is Code.UNAUTHENTICATED
    with pytest.raises(OpenShellError) as caught:
        await way.connect()
    assert caught.value.code is Code.UNAVAILABLE


async def test_a_proxy_is_gone_through_and_told_to_supervisors(state: HostState, pki: Path) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    way = Way(state, ["gw.invalid:17670"], lambda _host, _port: Proxy("127.0.0.1", port, "me:SECRET"))
    with pytest.raises(OpenShellError) as caught:
        await way.connect()
    assert "SECRET" not in str(caught.value)
    assert asked[0].startswith(b"CONNECT gw.invalid:17670 ")
    assert way.for_supervisors().proxy == f"http://me:SECRET@127.0.0.1:{port}"
    listening.close()
    await listening.wait_closed()


async def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match=r"ca\.crt") as caught:
        await Way(HostState(tmp_path), ["localhost:1"], lambda _host, _port: None).connect()
    assert caught.value.code is Code.PRECONDITION
