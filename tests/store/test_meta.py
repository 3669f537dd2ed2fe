from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Phase
from pyopenshell.store.meta import SCHEMA_VERSION, STEPS
from pyopenshell.store.store import Store

#: A database as the gateway of schema version 1 left it.
VERSION_1 = (Path(__file__).parent / "version1.sql").read_text()


def make_version_1(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()


def schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({table})")) for table in tables}
    connection.close()
    return found


async def test_a_database_of_version_1_is_migrated_with_all_that_is_in_it(url: str, tmp_path: Path) -> None:
    make_version_1(tmp_path / "gateway.db")
    for _ in range(2):
        store = await Store.open(url)
        (record,) = await store.sandboxes.all()
        assert (record.name, record.phase, record.host) == ("demo", Phase.STOPPED, "")
        assert (record.labels, record.owner, record.host_key_private) == ({"team": "a"}, "ana", "PEM")
        assert await store.id_bases.get(record.id) == 1025507328
        assert [token.name for token in await store.api_tokens.list()] == ["ci"]
        assert await store.ssh_sessions.find("b" * 64) is not None
        await store.close()


async def test_a_migrated_database_has_the_same_tables_as_a_new_one(url: str, tmp_path: Path) -> None:
    await (await Store.open(url)).close()
    old = tmp_path / "old.db"
    make_version_1(old)
    await (await Store.open(f"sqlite:///{old}")).close()
    assert schema(old) == schema(tmp_path / "gateway.db")


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gateway.db"
    make_version_1(path)
    before = schema(path)
    monkeypatch.setitem(STEPS, 1, (*STEPS[1], "ALTER TABLE gone ADD COLUMN x TEXT"))
    with pytest.raises(OpenShellError):
        await Store.open(url)
    assert schema(path) == before
    monkeypatch.undo()
    await (await Store.open(url)).close()


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
