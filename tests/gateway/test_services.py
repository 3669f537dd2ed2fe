"""What a gateway is made of: every call of the protocol that is served, once."""

from __future__ import annotations

from pyopenshell.gateway.door import EXTENSION, OPENSHELL
from tests.support.gateway_kit import Kit


async def test_no_call_is_served_twice(kit: Kit) -> None:
    paths = [rpc.path for rpc in kit.gateway.services.rpcs()]
    assert len(paths) == len(set(paths))
    assert {path.split("/")[1] for path in paths} == {OPENSHELL, EXTENSION}


async def test_what_is_inside_is_one_of_each(kit: Kit) -> None:
    inside = kit.gateway.services
    sandbox = await kit.ready()
    assert inside.registry.get(sandbox.metadata.id) is not None
    assert inside.board.lines() == []
