"""SSH sessions: one target each, revoked at the end, also when the gateway is gone by then."""

from __future__ import annotations

from pyopenshell.model import SshTarget, TcpTarget
from pyopenshell.sdk.client import Client
from tests.support.client_gateway import HOST_KEY, FakeGateway


async def test_a_session_lives_for_a_block(client: Client, gateway: FakeGateway) -> None:
    async with client.session("web", SshTarget("ssh-ed25519 AAAA")) as session:
        assert (session.token, session.host_key, session.max_connections) == ("token-1", HOST_KEY, 1)
        assert session.token not in repr(session)
        assert gateway.sessions == ["token-1"]
    assert gateway.sessions == []
    assert gateway.made_sessions[0].target.WhichOneof("target") == "ssh"


async def test_it_is_good_for_one_target(client: Client, gateway: FakeGateway) -> None:
    async with client.session("web", TcpTarget("localhost", 80), 50):
        pass
    asked = gateway.made_sessions[0]
    assert (asked.target.tcp.host, asked.target.tcp.port, asked.max_connections) == ("127.0.0.1", 80, 50)


async def test_a_gateway_that_is_gone_at_the_end_is_no_error(client: Client, gateway: FakeGateway) -> None:
    async with client.session("web", SshTarget()):
        await gateway.cut()
