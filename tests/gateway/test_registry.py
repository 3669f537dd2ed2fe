"""The registry: write-through, names and ids, subscribers, and answers of the database in any order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.registry import Registry
from pyopenshell.model import Phase, new_id
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.store.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(sqlite_url(tmp_path / "gateway.db"))
    yield store
    await store.close()


def record(name: str = "web", **fields: object) -> SandboxRecord:
    return SandboxRecord(id=new_id(), name=name, created_at=1.0, **fields)  # type: ignore[arg-type]


async def test_what_is_written_is_found_and_told_and_read_again(store: Store) -> None:
    registry, told = Registry(store.sandboxes), []
    stop = registry.subscribe(lambda sandbox_id, found: told.append(found.phase if found else None))
    made = await registry.create(record(annotations={"k": "v"}))
    assert registry.resolve("web") is registry.resolve(made.id) is registry.get(made.id)
    assert registry.find_annotated("k", "v") == made
    assert registry.find_annotated("k", "w") is None
    await registry.edit(made.id, lambda found: replace(found, phase=Phase.READY))
    again = Registry(store.sandboxes)
    assert [found.phase for found in await again.load()] == [Phase.READY]
    await registry.delete(made.id)
    await registry.delete(made.id)
    stop()
    await registry.create(record())
    assert told == [Phase.PROVISIONING, Phase.READY, None]


@pytest.mark.parametrize(("name", "code"), [("", Code.INVALID), ("nobody", Code.NOT_FOUND), (new_id(), Code.NOT_FOUND)])
async def test_names_that_name_nothing(store: Store, name: str, code: Code) -> None:
    with pytest.raises(OpenShellError) as caught:
        Registry(store.sandboxes).resolve(name)
    assert caught.value.code is code


async def test_a_failed_write_changes_nothing(store: Store) -> None:
    registry = Registry(store.sandboxes)
    made = await registry.create(record())
    with pytest.raises(OpenShellError):
        await registry.create(record())

    def fail(found: SandboxRecord) -> SandboxRecord:
        raise OpenShellError(Code.PRECONDITION, "no")

    with pytest.raises(OpenShellError):
        await registry.edit(made.id, fail)
    assert registry.resolve("web") is registry.get(made.id)


async def test_what_is_placed_on_a_host(store: Store) -> None:
    registry = Registry(store.sandboxes)
    placed = await registry.create(record("far", host="lab1"))
    await registry.create(record("near"))
    assert registry.on_host("lab1") == [placed]
    assert registry.on_host("lab2") == []


class Late:
    """A table whose answers come in the wrong order."""

    def __init__(self, *versions: int) -> None:
        self._versions = iter(versions)

    async def edit(self, sandbox_id: str, change: object) -> SandboxRecord:
        return replace(RECORD, resource_version=next(self._versions))


RECORD = record()


async def test_an_older_answer_does_not_replace_a_newer() -> None:
    registry = Registry(Late(3, 2))  # type: ignore[arg-type]
    for _ in range(2):
        await registry.edit(RECORD.id, lambda found: found)
    kept = registry.get(RECORD.id)
    assert kept is not None
    assert kept.resource_version == 3
