"""Proof of `cli/bench/run.py`: one small run against a real sandbox fills every row."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pyopenshell.cli.bench import commands, limits, loads, run
from pyopenshell.cli.bench.memory import Ask
from pyopenshell.cli.bench.rows import ROWS
from pyopenshell.cli.bench.run import Bench
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.types import Process
from tests.support.world import OPENSHELL, World

SMALL = 1024 * 1024  # bytes; the real rows move fifty times that


@pytest.mark.e2e
@pytest.mark.slow
def test_every_row_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (commands, limits, run):
        monkeypatch.setattr(module, "PAYLOAD", SMALL)
    monkeypatch.setattr(loads, "BULK", loads.CHUNK * 4)
    monkeypatch.setattr(loads, "SERVER", loads.SERVER.replace(str(128 * SMALL), str(loads.CHUNK * 4)))
    monkeypatch.setattr(run, "CREATES", 1)
    monkeypatch.setattr(run, "SETTLE", 0.0)
    world = World(tmp_path, "bench")
    world.start()
    try:
        world.run("sandbox", "create", "web").ok()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Ask]:
            async with Client.of(environ=world.environ) as client:

                async def ask() -> list[Process]:
                    return await client.processes() + await client.processes("web")

                yield ask

        bench = Bench(OPENSHELL, "web", world.environ, connect, 1, 2, lambda _: None)
        bench.run()
    finally:
        world.close()
    assert bench.notes == [] or shutil.which("sshd", path="/usr/sbin") is None
    assert {row.key for row in ROWS} == set(bench.figures)
    assert bench.figures["failures"] == 0
    assert all(value > 0 for key, value in bench.figures.items() if key not in ("failures", "supervisor_sockets"))
