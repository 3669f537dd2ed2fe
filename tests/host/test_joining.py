from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.joining import Joining
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.model import new_id
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.hosting import HostingGateway


@pytest.fixture
def state(tmp_path: Path) -> HostState:
    made = HostState(tmp_path / "host")
    made.save(HostFile("lab1", "main", ("gw.example:17670",), 0.0))
    return made


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[HostingGateway]:
    async with HostingGateway(tmp_path) as made:
        yield made


@pytest.fixture
async def channel(gateway: HostingGateway) -> AsyncIterator[Channel]:
    made = await gateway.connect()
    yield made
    await made.close()


def sandbox(name: str = "web") -> pb.Sandbox:
    made = pb.Sandbox()
    made.metadata.id, made.metadata.name = new_id(), name
    return made


async def test_the_sandbox_is_made_once_and_shown_each_time(
    state: HostState, gateway: HostingGateway, channel: Channel
) -> None:
    shown: list[str] = []
    gateway.join = sandbox()
    joining = Joining(state, "web", shown.append)
    await joining(channel)
    await joining(channel)
    assert (gateway.joins, len(shown)) == (["web"], 2)
    assert shown[0] == "sandbox 'web' is on this host, at gateway 'main' (gw.example:17670)"
    assert shown[1].endswith("openshell sandbox connect web")
    (state.sandboxes / gateway.join.metadata.id).mkdir(parents=True)
    await Joining(state, "", shown.append)(channel)
    assert (gateway.joins, shown[2:]) == (["web"], shown[:2])


async def test_one_that_was_deleted_is_made_again(state: HostState, gateway: HostingGateway, channel: Channel) -> None:
    gateway.join = sandbox("first")
    await Joining(state, "", lambda _line: None)(channel)
    gateway.join = sandbox("second")
    await Joining(state, "", lambda _line: None)(channel)
    assert gateway.joins == ["", ""]
    host = state.load()
    assert host is not None
    assert host.sandbox_name == "second"


async def test_a_refusal_is_the_end_and_a_lost_connection_is_not(
    state: HostState, gateway: HostingGateway, channel: Channel
) -> None:
    gateway.join = OpenShellError(Code.CONFLICT, "sandbox 'web' exists")
    joining = Joining(state, "web", lambda _line: None)
    with pytest.raises(OpenShellError, match="exists"):
        await joining(channel)
    gateway.join = OpenShellError(Code.UNAVAILABLE, "not now")
    await joining(channel)
    gateway.join = pb.Sandbox()
    with pytest.raises(OpenShellError, match="no sandbox"):
        await joining(channel)
    await channel.close()
    await joining(channel)
