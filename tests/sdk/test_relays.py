"""Relays: the first message of each target, what the gateway answers, refusals."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecTarget, FilesTarget, SshTarget, TcpTarget
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.relays import check_sandbox, init_message
from pyopenshell.streams import StreamBroken
from tests.support.client_gateway import FakeGateway


@pytest.mark.parametrize(
    ("target", "kind"),
    [(ExecTarget(), "exec"), (FilesTarget(), "files"), (SshTarget("key"), "ssh"), (TcpTarget("::1", 80), "tcp")],
)
def test_first_messages(target: ExecTarget | FilesTarget | SshTarget | TcpTarget, kind: str) -> None:
    init = init_message("web", target, "t")
    assert (init.sandbox, init.workspace, init.authorization_token) == ("web", "default", "t")
    assert list(init.features) == [1]
    assert init.WhichOneof("target") == kind


async def test_bytes_there_and_back_and_the_relay_s_name(client: Client) -> None:
    async with client.session("web", SshTarget()) as session:
        relay = await client.open("web", SshTarget(), session.token)
        assert await relay.connected() == relay.channel_id == "relay-1"
        await relay.leg.write(b"SSH-2.0-test\r\n")
        assert bytes(await relay.leg.read()) == b"SSH-2.0-test\r\n"
        assert relay.refusal is None
        await relay.leg.end()
        assert await relay.leg.read() == b""
        await relay.leg.close()


async def test_the_name_is_known_after_the_first_read_too(client: Client) -> None:
    async with client.session("web", SshTarget()) as session:
        relay = await client.open("web", SshTarget(), session.token)
        assert relay.channel_id == ""
        await relay.leg.write(b"x")
        await relay.leg.read()
        assert relay.channel_id == "relay-1"
        relay.leg.abort()


async def test_a_refusal_has_its_code(client: Client, gateway: FakeGateway) -> None:
    relay = await client.open("web", SshTarget(), "wrong")
    with pytest.raises(StreamBroken, match="not known") as caught:
        await relay.connected()
    assert caught.value.code is Code.UNAUTHENTICATED
    assert relay.refusal is not None and relay.refusal.code is Code.UNAUTHENTICATED
    relay.leg.abort()


def test_a_sandbox_is_named_or_an_id() -> None:
    identity = "6cdc65df-485e-46e9-a20f-ec97fc458c7d"
    assert check_sandbox("web") == "web"
    assert check_sandbox(identity) == identity
    with pytest.raises(OpenShellError):
        check_sandbox(identity.upper())
