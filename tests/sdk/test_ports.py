"""Looking, watching, waiting for a port; a peer that tells nonsense."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.ports import ListeningPort, Ports, listening, wait_for_port, watch
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway


def snapshot(*ports: int, udp: bool = False) -> pb.PortsSnapshot:
    rows = [pb.ListeningPort(port=port, address="::1", pid=4, process="node", udp=udp) for port in ports]
    return pb.PortsSnapshot(ports=rows)


def node(port: int) -> ListeningPort:
    return ListeningPort(port, "::1", "node", 4, False)


async def test_a_look(client: Client, gateway: FakeGateway) -> None:
    gateway.snapshots = [snapshot(80, 81)]
    assert await listening(client.connection, "web") == Ports((node(80), node(81)), False)
    assert gateway.inits[-1].by_identity


async def test_each_change_until_closed(client: Client, gateway: FakeGateway) -> None:
    gateway.snapshots = [snapshot(80), snapshot()]
    async with aclosing(watch(client.connection, "web")) as changes:
        assert (await anext(changes)).of(80) == node(80)
        assert await anext(changes) == Ports((), False)


async def test_a_port_that_opens_is_waited_for_and_udp_is_not_it(client: Client, gateway: FakeGateway) -> None:
    gateway.snapshots = [snapshot(), snapshot(80, udp=True), snapshot(80)]
    assert await wait_for_port(client.connection, "web", 80, 30) == node(80)


async def test_a_port_that_stays_closed_names_the_others(client: Client, gateway: FakeGateway) -> None:
    gateway.snapshots = [snapshot(5173)]
    with pytest.raises(OpenShellError, match="port 80 of web") as caught:
        await wait_for_port(client.connection, "web", 80, 0.2)
    assert caught.value.code is Code.DEADLINE
    assert "5173" in caught.value.hint


async def test_nothing_told_is_broken(client: Client) -> None:
    with pytest.raises(OpenShellError) as caught:
        await listening(client.connection, "web")
    assert caught.value.code is Code.BROKEN


async def test_a_sandbox_that_is_not_there(client: Client) -> None:
    with pytest.raises(OpenShellError) as caught:
        await listening(client.connection, "nowhere")
    assert caught.value.code is Code.NOT_FOUND
