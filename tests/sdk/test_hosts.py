"""Sandbox hosts over the wire."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.client import Client
from tests.support.client_gateway import FakeGateway


async def test_look_drain_remove_prune(client: Client, gateway: FakeGateway) -> None:
    gateway.hosts.add("lab1", max_sandboxes=4, sandboxes=2, labels={"gpu": "yes"}, unknown_sandbox_ids=["a", "b"])
    gateway.hosts.add("lab2", connected=False)
    hosts = client.hosts
    assert [(host.name, host.connected) for host in await hosts.list()] == [("lab1", True), ("lab2", False)]
    found = await hosts.get("lab1")
    assert (found.max_sandboxes, found.sandboxes, found.labels, found.unknown) == (4, 2, {"gpu": "yes"}, ("a", "b"))
    assert found.since is not None and found.since.year == 2023
    assert (await hosts.drain("lab1")).draining
    assert not (await hosts.drain("lab1", undo=True)).draining
    assert await hosts.prune("lab1") == ("a", "b")
    assert await hosts.remove("lab2") == ()
    with pytest.raises(OpenShellError) as caught:
        await hosts.remove("lab1")
    assert caught.value.code is Code.PRECONDITION
    assert await hosts.remove("lab1", force=True) == ("web", "web")


async def test_one_that_is_not_known(client: Client) -> None:
    for ask in (client.hosts.get, client.hosts.drain, client.hosts.remove, client.hosts.prune):
        with pytest.raises(OpenShellError) as caught:
            await ask("nope")
        assert caught.value.code is Code.NOT_FOUND
