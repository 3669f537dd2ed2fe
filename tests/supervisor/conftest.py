from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.bare_init import Box, bare_init


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    async with bare_init(tmp_path, env={"FROM_SANDBOX": "yes", "BOTH": "sandbox"}) as made:
        yield made
