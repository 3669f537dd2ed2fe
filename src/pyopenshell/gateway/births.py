"""What a driver is told when a sandbox starts or is adopted: its record, a fresh token, its ids, the socket to dial.

A sandbox of a host is told of no socket: the host adds how the gateway is reached from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyopenshell.drivers.base import Birth
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.linux.passwd import subordinate_ranges
from pyopenshell.store.id_bases import IdBases
from pyopenshell.store.sandboxes import SandboxRecord


@dataclass(frozen=True, slots=True)
class Births:
    """Makes `Birth`s. `ranges` says whether this machine's sandboxes have a range of ids of their own; `taken_ids` gives
    the (first id, count) pairs that belong to others here. `host_ids` gives both for the host of that name.
    """

    tokens: SupervisorTokens
    id_bases: IdBases
    gateway_socket: str
    ranges: bool = False
    lifetime_gateway: bool = False
    wall: Callable[[], float] = time.time
    taken_ids: Callable[[], Sequence[tuple[int, int]]] = subordinate_ranges
    host_ids: Callable[[str], tuple[bool, Sequence[tuple[int, int]]]] = lambda _host: (False, ())

    async def of(self, record: SandboxRecord) -> Birth:
        """The birth of `record`. Raises EXHAUSTED when no range of ids is free."""
        ranges, taken = self.host_ids(record.host) if record.host else (self.ranges, ())
        if ranges and not record.host:
            taken = self.taken_ids()
        token, _ = self.tokens.issue(record.id, self.wall())
        return Birth(
            sandbox_id=record.id,
            name=record.name,
            spec=record.spec,
            token=token,
            host_key=record.host_key_private,
            gateway_socket="" if record.host else self.gateway_socket,
            id_base=await self.id_bases.claim(record.id, avoid=taken) if ranges else 0,
            lifetime_gateway=self.lifetime_gateway and not record.host,
        )
