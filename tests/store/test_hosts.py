"""The hosts table: written over by name, in order, kept over a restart."""

from __future__ import annotations

from dataclasses import replace

from pyopenshell.store.hosts import HostRecord
from pyopenshell.store.store import Store

LAB = HostRecord(
    "lab1",
    joined_at=100.0,
    since=200.5,
    connected=True,
    address="192.0.2.7:4000",
    version="1.0",
    labels={"zone": "a"},
    facts={"isolation": "range"},
    max_sandboxes=4,
)


async def test_what_was_put_is_there_by_name(store: Store) -> None:
    await store.hosts.put(replace(LAB, name="lab2"))
    await store.hosts.put(LAB)
    assert await store.hosts.all() == [LAB, replace(LAB, name="lab2")]


async def test_put_again_writes_over(store: Store) -> None:
    await store.hosts.put(LAB)
    later = replace(LAB, connected=False, since=300.0, draining=True, joined=True, labels={})
    await store.hosts.put(later)
    assert await store.hosts.all() == [later]


async def test_a_host_is_deleted_once(store: Store) -> None:
    await store.hosts.put(LAB)
    assert await store.hosts.delete("lab1")
    assert not await store.hosts.delete("lab1")
    assert await store.hosts.all() == []


async def test_it_is_kept(url: str) -> None:
    first = await Store.open(url)
    await first.hosts.put(LAB)
    await first.close()
    second = await Store.open(url)
    assert await second.hosts.all() == [LAB]
    await second.close()
