"""Real sandboxes for tests: a local driver in a directory of its own, ended and checked for leftovers afterwards."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.local import LocalDriver
from pyopenshell.linux import process
from pyopenshell.linux.ids import RANGE_FIRST, RANGE_TAKEN
from pyopenshell.model import SandboxSpec, new_id
from tests.support.waiting import until


class Sandboxes:
    """Makes births for one driver; `seen` gathers every process that was ever told of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.far = root / "far"
        self.far.mkdir()
        self.driver = LocalDriver(root / "sandboxes")
        self.exits: list[tuple[str, str]] = []
        self.driver.on_exit = lambda sandbox_id, reason: self.exits.append((sandbox_id, reason))
        self.seen: set[process.Identity] = set()
        self.births: list[Birth] = []

    def birth(self, *, mortal: bool = True, **spec: object) -> Birth:
        """What a sandbox is told; with `mortal` it ends with the driver."""
        base = RANGE_FIRST + len(self.births) * RANGE_TAKEN if os.geteuid() == 0 else 0
        made = Birth(
            sandbox_id=new_id(),
            name=f"test-{len(self.births)}",
            spec=SandboxSpec(**spec),  # type: ignore[arg-type]
            token="token",
            host_key="",
            gateway_socket=str(self.far / "supervisor.sock"),
            id_base=base,
            lifetime_gateway=mortal,
        )
        self.births.append(made)
        return made

    async def start(self, **spec: object) -> Birth:
        """A running sandbox."""
        birth = self.birth(**spec)  # type: ignore[arg-type]
        await self.driver.start(birth)
        await self.look(birth)
        return birth

    async def look(self, birth: Birth) -> dict[str, process.Identity]:
        """The sandbox's processes by kind, remembered for the check at the end."""
        names = [*await self.driver.processes(birth.sandbox_id), *await self.driver.processes()]
        found = {name.kind: process.Identity(name.pid, name.start_time) for name in names}
        self.seen.update(found.values())
        return found

    def run_directory(self, birth: Birth) -> int:
        """A descriptor of what `InitClient.connect` wants."""
        return os.open(self.root / "sandboxes" / birth.sandbox_id / "run", os.O_PATH | os.O_DIRECTORY)


@asynccontextmanager
async def sandboxes(root: Path) -> AsyncIterator[Sandboxes]:
    """A driver; at the end all its sandboxes are deleted, and nothing of them may be left."""
    made = Sandboxes(root)
    try:
        yield made
    finally:
        for birth in made.births:
            await made.look(birth)
            await made.driver.delete(birth.sandbox_id)
        await made.driver.close()
    # A zygote that a closed driver left ends by itself, once the last supervisor's order socket is closed.
    await until(lambda: not any(process.is_alive(left) for left in made.seen))
    check_nothing_is_left(root)


def check_nothing_is_left(root: Path) -> None:
    assert [left.name for left in (root / "sandboxes").iterdir() if left.name != "zygote.log"] == []
    assert str(root) not in Path("/proc/self/mountinfo").read_text()
