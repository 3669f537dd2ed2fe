"""The listener: many connections over one token, each on its own, through restarts of the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Outcome, TcpTarget
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.forward import Closed, bind
from tests.support.client_gateway import FakeGateway


@dataclass
class Service:
    """What listens in the sandbox: upper-cases until the end of the input, then says bye and ends."""

    port: int
    connections: int = 0


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.connections += 1
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if data == b"reset me":
                    linger = struct.pack("ii", 1, 0)  # RST instead of FIN, socket(7)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                    return
                writer.write(data.upper())
                await writer.drain()
            writer.write(b"bye")
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = Service(server.sockets[0].getsockname()[1])
    yield made
    server.close()


class Ends:
    """Collects the ends of connections."""

    def __init__(self) -> None:
        self.seen: list[Closed] = []
        self._changed = asyncio.Event()

    def __call__(self, how: Closed) -> None:
        self.seen.append(how)
        self._changed.set()

    async def until(self, enough: Callable[[list[Closed]], bool]) -> None:
        while not enough(self.seen):
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 20)


async def talk(address: tuple[str, int], data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_many_connections_one_token(client: Client, gateway: FakeGateway, service: Service) -> None:
    ends = Ends()
    async with client.forward("web", TcpTarget("127.0.0.1", service.port), on_closed=ends) as forward:
        answers = await asyncio.gather(*(talk(forward.address, b"hello %d" % n) for n in range(30)))
        assert answers == [b"HELLO %dbye" % n for n in range(30)]
        await ends.until(lambda seen: len(seen) == 30)
        assert len(gateway.sessions) == 1
        assert forward.last_relay_id.startswith("relay-")
    assert {end.outcome for end in ends.seen} == {Outcome.COMPLETED}
    assert sum(end.bytes_near for end in ends.seen) == sum(map(len, answers))
    assert (len(gateway.made_sessions), gateway.sessions) == (1, [])
    assert gateway.made_sessions[0].target.tcp.port == service.port


async def test_the_error_of_one_is_not_another_s(client: Client, service: Service) -> None:
    ends = Ends()
    async with client.forward("web", TcpTarget("127.0.0.1", service.port), on_closed=ends) as forward:
        reader, writer = await asyncio.open_connection(*forward.address)
        writer.write(b"still ")
        assert await reader.readexactly(6) == b"STILL "
        with pytest.raises(ConnectionResetError):
            await talk(forward.address, b"reset me")
        await ends.until(lambda seen: any(end.outcome is Outcome.BROKEN_FAR for end in seen))
        writer.write(b"here")
        writer.write_eof()
        assert await reader.read() == b"HEREbye"
        writer.close()
        await writer.wait_closed()


async def test_nothing_listens_in_the_sandbox(client: Client) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    ends = Ends()
    async with client.forward("web", TcpTarget("127.0.0.1", port), on_closed=ends) as forward:
        with pytest.raises(ConnectionResetError):
            await talk(forward.address, b"hello")
        await ends.until(bool)
    assert ends.seen[0].outcome is Outcome.BROKEN_FAR
    assert "refused" in ends.seen[0].reason.lower()


async def test_the_listener_survives_a_restart_of_the_gateway(
    client: Client, gateway: FakeGateway, service: Service
) -> None:
    async with client.forward("web", TcpTarget("127.0.0.1", service.port)) as forward:
        assert await talk(forward.address, b"one") == b"ONEbye"
        await gateway.cut()
        waiting = asyncio.create_task(talk(forward.address, b"two"))
        await gateway.start()
        assert await waiting == b"TWObye"
        assert len(gateway.made_sessions) == 1  # the token lived on in the gateway's database


async def test_a_token_that_was_lost_is_replaced(client: Client, gateway: FakeGateway, service: Service) -> None:
    ends = Ends()
    async with client.forward("web", TcpTarget("127.0.0.1", service.port), on_closed=ends) as forward:
        gateway.sessions.clear()
        with pytest.raises(ConnectionResetError):
            await talk(forward.address, b"one")
        await ends.until(bool)
        assert await talk(forward.address, b"two") == b"TWObye"
    assert len(gateway.made_sessions) == 2


async def test_a_gateway_that_stays_away_ends_the_connection_and_not_the_listener(
    client: Client, gateway: FakeGateway, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyopenshell.sdk.forward.RECONNECT_WINDOW", 0.0)
    ends = Ends()
    async with client.forward("web", TcpTarget("127.0.0.1", service.port), on_closed=ends) as forward:
        await gateway.cut()
        with pytest.raises(ConnectionResetError):
            await talk(forward.address, b"one")
        await ends.until(bool)
        assert ends.seen[0].outcome is Outcome.REFUSED
        await gateway.start()
        assert await talk(forward.address, b"two") == b"TWObye"


async def test_leaving_cuts_what_is_open(client: Client, service: Service) -> None:
    async with client.forward("web", TcpTarget("127.0.0.1", service.port)) as forward:
        reader, writer = await asyncio.open_connection(*forward.address)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"X"
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*forward.address)


async def test_what_the_gateway_refuses_leaves_no_listener(client: Client) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(OpenShellError, match="does not exist"):
        async with client.forward("nobody", TcpTarget("127.0.0.1", 80), ("127.0.0.1", port)):
            pass
    bind("127.0.0.1", port).close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


async def test_a_taken_port_is_told_before_the_gateway_is_asked(
    client: Client, gateway: FakeGateway, taken: int
) -> None:
    with pytest.raises(OpenShellError, match=f"port {taken} .* in use by process") as caught:
        async with client.forward("web", TcpTarget("127.0.0.1", 80), ("127.0.0.1", taken)):
            pass
    assert caught.value.code is Code.CONFLICT
    assert not gateway.made_sessions


@pytest.mark.parametrize(
    ("host", "code"), [("no.such.host.invalid", Code.INVALID), ("192.0.2.1", Code.INVALID), ("a..b", Code.INVALID)]
)
def test_addresses_that_are_not_ours(host: str, code: Code) -> None:
    with pytest.raises(OpenShellError) as caught:
        bind(host, 0)
    assert caught.value.code is code


@pytest.mark.parametrize(("number", "told"), [(13, "privileges"), (12, "cannot listen")])
def test_other_ways_to_fail(monkeypatch: pytest.MonkeyPatch, number: int, told: str) -> None:
    def fail(self: socket.socket, address: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(socket.socket, "bind", fail, raising=False)
    with pytest.raises(OpenShellError, match=told) as caught:
        bind("127.0.0.1", 80)
    assert caught.value.code is Code.PRECONDITION


async def test_ipv6(client: Client, service: Service) -> None:
    async with client.forward("web", TcpTarget("127.0.0.1", service.port), ("::1", 0)) as forward:
        assert forward.address[0] == "::1"
        assert await talk(forward.address, b"six") == b"SIXbye"
