"""A gateway that enrols, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.enrolment import EnrollingGateway


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[EnrollingGateway]:
    made = await EnrollingGateway(tmp_path).start()
    yield made
    await made.stop()
