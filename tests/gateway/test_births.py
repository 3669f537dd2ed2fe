"""What a driver is told: a fresh token of the sandbox, its key, ids only where there are ranges."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.gateway.births import Births
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.model import SandboxSpec, new_id
from pyopenshell.store.sandboxes import SandboxRecord


class Bases:
    def __init__(self) -> None:
        self.avoided: list[object] = []

    async def claim(self, sandbox_id: str, *, avoid: object = ()) -> int:
        self.avoided.append(avoid)
        return 0x100000


@pytest.mark.parametrize(("ranges", "base"), [(True, 0x100000), (False, 0)])
async def test_a_birth(tmp_path: Path, ranges: bool, base: int) -> None:
    tokens = SupervisorTokens(tmp_path, "test")
    bases = Bases()
    taken = [(0x80000, 65536)]
    births = Births(tokens, bases, "/run/far.sock", ranges, True, lambda: 1000.0, lambda: taken)  # type: ignore[arg-type]
    record = SandboxRecord(
        id=new_id(), name="web", created_at=1.0, spec=SandboxSpec(command=("job",)), host_key_private="KEY"
    )
    birth = await births.of(record)
    assert (birth.sandbox_id, birth.name, birth.spec) == (record.id, "web", record.spec)
    assert tokens.verify(birth.token, 1000.0) == record.id
    assert (birth.host_key, birth.gateway_socket) == ("KEY", "/run/far.sock")
    assert (birth.id_base, birth.lifetime_gateway) == (base, True)
    assert bases.avoided == ([taken] if ranges else [])
    assert birth.token not in repr(birth)
    assert "KEY" not in repr(birth)


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_birth_on_a_host_goes_by_the_hosts_ids_and_names_no_socket(tmp_path: Path, ranges: bool) -> None:
    bases = Bases()
    taken = ((0x90000, 10),)
    births = Births(
        SupervisorTokens(tmp_path, "test"),
        bases,  # type: ignore[arg-type]
        "/run/far.sock",
        not ranges,
        True,
        taken_ids=list,
        host_ids=lambda host: (ranges, taken if host == "lab1" else ()),
    )
    birth = await births.of(SandboxRecord(id=new_id(), name="web", created_at=1.0, host="lab1"))
    assert (birth.gateway_socket, birth.lifetime_gateway) == ("", False)
    assert birth.id_base == (0x100000 if ranges else 0)
    assert bases.avoided == ([taken] if ranges else [])
