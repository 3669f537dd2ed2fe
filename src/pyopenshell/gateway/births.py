"""What a driver is told when a sandbox starts or is adopted: its record, a fresh token, its ids, the socket to dial."""

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
    the (first id, count) pairs that belong to others here.
    """

    tokens: SupervisorTokens
    id_bases: IdBases
    gateway_socket: str
    ranges: bool = False
    lifetime_gateway: bool = False
    wall: Callable[[], float] = time.time
    taken_ids: Callable[[], Sequence[tuple[int, int]]] = subordinate_ranges

    async def of(self, record: SandboxRecord) -> Birth:
        """The birth of `record`. Raises EXHAUSTED when no range of ids is free."""
        token, _ = self.tokens.issue(record.id, self.wall())
        return Birth(
            sandbox_id=record.id,
            name=record.name,
            spec=record.spec,
            token=token,
            host_key=record.host_key_private,
            gateway_socket=self.gateway_socket,
            id_base=await self.id_bases.claim(record.id, avoid=self.taken_ids()) if self.ranges else 0,
            lifetime_gateway=self.lifetime_gateway,
        )
