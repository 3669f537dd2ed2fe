from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.meta import SCHEMA_VERSION
from pyopenshell.store.store import Store


def set_version(path: Path, value: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE meta SET value = ?", (value,))
    connection.close()


async def test_an_empty_database_gets_this_version_and_opens_again(url: str) -> None:
    for _ in range(2):
        await (await Store.open(url)).close()


async def test_a_newer_database_is_refused_with_both_versions_and_left_alone(url: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    await (await Store.open(url)).close()
    set_version(path, str(SCHEMA_VERSION + 41))
    before = path.read_bytes()
    with pytest.raises(OpenShellError, match=f"version {SCHEMA_VERSION + 41}, .* up to {SCHEMA_VERSION}") as caught:
        await Store.open(url)
    assert caught.value.code is Code.PRECONDITION
    assert "upgrade" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "²", "9" * 30 + "x"])
async def test_a_version_that_nobody_wrote_is_refused(url: str, tmp_path: Path, value: str) -> None:
    await (await Store.open(url)).close()
    set_version(tmp_path / "gateway.db", value)
    with pytest.raises(OpenShellError, match="no gateway wrote") as caught:
        await Store.open(url)
    assert caught.value.code is Code.PRECONDITION
