from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.local_sandbox import Sandboxes, sandboxes


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandboxes]:
    async with sandboxes(tmp_path) as made:
        yield made
