"""The trail: events get their maker and their time, one or many."""

from __future__ import annotations

from pyopenshell.audit.base import Event, Source
from pyopenshell.gateway.trail import Trail


class Log:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, *events: Event) -> None:
        self.events += events


def one(source: Source, now: float, what: str, *, more: int = 0) -> Event:
    return {"gateway": source.gateway, "now": now, "what": what, "more": more}


def two(source: Source, now: float) -> list[Event]:
    return [{"n": 1}, {"n": 2}]


def test_events_are_built_and_queued() -> None:
    log = Log()
    trail = Trail(log, Source("g", "1", "h"), lambda: 5.0)  # type: ignore[arg-type]
    trail.note(one, "x", more=3)
    trail.note(two)
    assert log.events == [{"gateway": "g", "now": 5.0, "what": "x", "more": 3}, {"n": 1}, {"n": 2}]
