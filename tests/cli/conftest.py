"""A command line whose installation knows one fake gateway with one sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.sdk.paths import Paths
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    fake = FakeGateway()
    await fake.start()
    fake.add("web")
    yield fake
    await fake.cut()


@pytest.fixture
def bare(tmp_path: Path) -> CommandLine:
    """A fresh installation that knows no gateway."""
    return CommandLine(tmp_path)


@pytest.fixture
def line(bare: CommandLine, gateway: FakeGateway) -> CommandLine:
    gateway.register(Paths.of(bare.environ))
    return bare
