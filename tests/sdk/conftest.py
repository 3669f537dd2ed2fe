"""A fake gateway that listens, and an installation of its own in a temporary directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.sdk.client import Client
from pyopenshell.sdk.paths import Paths
from tests.support.client_gateway import FakeGateway, paths_in


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in(tmp_path)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    fake = FakeGateway()
    await fake.start()
    fake.add("web")
    yield fake
    await fake.cut()


@pytest.fixture
async def client(gateway: FakeGateway, paths: Paths) -> AsyncIterator[Client]:
    async with Client(gateway.register(paths)) as made:
        yield made
