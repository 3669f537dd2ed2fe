"""The trail: events get their maker and their time, one or many."""

from __future__ import annotations

import asyncio

from pyopenshell.audit.base import Event, Source
from pyopenshell.gateway.trail import Trail


class Log:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls = 0
        self.emitted = asyncio.Event()

    def emit(self, *events: Event) -> None:
        self.events += events
        self.calls += 1
        self.emitted.set()


def one(source: Source, now: float, what: str, *, more: int = 0) -> Event:
    return {"gateway": source.gateway, "now": now, "what": what, "more": more}


def two(source: Source, now: float) -> list[Event]:
    return [{"n": 1}, {"n": 2}]


async def test_events_are_built_and_handed_on_together_a_moment_later() -> None:
    log, times = Log(), iter((5.0, 6.0))
    trail = Trail(log, Source("g", "1", "h"), lambda: next(times))  # type: ignore[arg-type]
    trail.note(one, "x", more=3)
    trail.note(two)
    assert log.events == []
    await log.emitted.wait()
    trail.flush()
    assert log.calls == 1
    assert log.events == [{"gateway": "g", "now": 5.0, "what": "x", "more": 3}, {"n": 1}, {"n": 2}]
