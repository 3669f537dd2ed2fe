"""One watcher's queue: order, overflow by count and by bytes, cursors, the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pyopenshell.gateway import watchers
from pyopenshell.gateway.watchers import Watcher, platform_event
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

RECORD = SandboxRecord(id="i", name="web", created_at=1.0, resource_version=4)


async def kinds(watcher: Watcher) -> list[str | None]:
    found: list[str | None] = []
    while told := await watcher.next():
        found += [event.WhichOneof("payload") for event, _ in told]
    return found


async def test_everything_in_order_then_the_end() -> None:
    watcher = Watcher(RECORD)
    watcher.put_record(RECORD)
    watcher.put_line(0, pb.SandboxLogLine(message="x"))
    watcher.put_event(pb.PlatformEvent(reason="Ready"))
    watcher.end()
    assert await kinds(watcher) == ["sandbox", "log", "event"]


@pytest.mark.parametrize("limit", ["QUEUE_MAX", "QUEUE_BYTES_MAX"])
async def test_an_overflow_is_a_warning_and_a_fresh_snapshot(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(watchers, limit, 3 if limit == "QUEUE_MAX" else 200)
    watcher = Watcher(RECORD)
    for n in range(20):
        watcher.put_line(n, pb.SandboxLogLine(message="x" * 50))
    watcher.put_record(replace(RECORD, phase=Phase.READY, resource_version=5))
    (warning, nothing), (snapshot, about) = await watcher.next()
    assert "21 events" in warning.warning.message
    assert nothing is None
    assert snapshot.sandbox.status.phase == pb.SANDBOX_PHASE_READY
    assert snapshot.cursor == "5.19"
    assert about is not None
    watcher.put_line(20, pb.SandboxLogLine(message="y"))
    watcher.end()
    assert await kinds(watcher) == ["log"]


async def test_who_waits_is_woken() -> None:
    watcher = Watcher(RECORD)
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    watcher.put_line(3, pb.SandboxLogLine(message="x"))
    ((event, _),) = await waiting
    assert event.cursor == "4.3"
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    watcher.end()
    assert await waiting == []


def test_events_are_changes_of_phase() -> None:
    ready = replace(RECORD, phase=Phase.READY)
    assert platform_event(RECORD, RECORD) is None
    event = platform_event(ready, RECORD)
    assert event is not None
    assert (event.type, event.reason, event.message) == ("Normal", "Ready", "the sandbox is in phase Ready")
    lost = platform_event(replace(ready, phase=Phase.UNKNOWN, reason="away"), ready)
    assert lost is not None
    assert (lost.type, lost.message) == ("Warning", "away")


async def test_room_is_waited_for_while_the_reader_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "QUEUE_MAX", 4)
    watcher = Watcher(RECORD)
    for n in range(3):
        watcher.put_line(n, pb.SandboxLogLine(message="x"))
    waiting = asyncio.ensure_future(watcher.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await watcher.next()
    await waiting
    await watcher.room()


async def test_a_reader_that_reads_nothing_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "QUEUE_MAX", 2)
    monkeypatch.setattr(watchers, "PATIENCE", 0.0)
    watcher = Watcher(RECORD)
    for n in range(2):
        watcher.put_line(n, pb.SandboxLogLine(message="x"))
    await watcher.room()
    monkeypatch.setattr(watchers, "PATIENCE", 1e6)
    await watcher.room()
    await watcher.next()
    watcher.put_line(2, pb.SandboxLogLine(message="x"))
    waiting = asyncio.ensure_future(watcher.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    watcher.end()  # its call is over: nobody waits for it any more
    await waiting
    await watcher.room()
