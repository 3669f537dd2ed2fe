"""A real SQLite store in a temporary directory, and records to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pyopenshell.model import new_id
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.store.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "gateway.db")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
def sandbox() -> Callable[..., SandboxRecord]:
    def make(name: str = "web", **fields: Any) -> SandboxRecord:
        return SandboxRecord(**{"id": new_id(), "name": name, "created_at": 100.0, **fields})

    return make
