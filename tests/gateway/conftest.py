"""A gateway for each test that asks for one: `kit`, or `make_kit(**settings)`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyopenshell.gateway.settings import Settings
from tests.support.gateway_kit import Kit

MakeKit = Callable[..., Awaitable[Kit]]


@pytest.fixture
async def make_kit(tmp_path: Path) -> AsyncIterator[MakeKit]:
    """Start a gateway with other settings than usual."""
    kits: list[Kit] = []

    async def make(**changes: Any) -> Kit:
        settings = Settings(
            name="test",
            state=tmp_path / "state",
            runtime=tmp_path / "run",
            owner="tester",
            version="1",
            drain_timeout=0.1,
        )
        kit = Kit(replace(settings, **changes))
        await kit.start()
        kits.append(kit)
        return kit

    yield make
    for kit in kits:
        await kit.stop()


@pytest.fixture
async def kit(make_kit: MakeKit) -> Kit:
    return await make_kit()
