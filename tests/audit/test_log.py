from __future__ import annotations

import json
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyopenshell.audit.base import Event
from pyopenshell.audit.log import AuditLog


def numbered(number: int) -> Event:
    return {"time": 0, "class_uid": 0, "activity_name": "Other", "status": "Success", "message": str(number)}


@pytest.fixture
def make(source, tmp_path: Path) -> Callable[..., AuditLog]:
    def build(**options: Any) -> AuditLog:
        return AuditLog(
            options.pop("path", tmp_path / "audit.jsonl"),
            source,
            **{"max_bytes": 10**6, "keep": 1, "warn": lambda _: None, "wall": lambda: 7.0, **options},
        )

    return build


def written(tmp_path: Path) -> list[Event]:
    return [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]


async def test_events_are_written_in_order_and_close_waits_for_them(make, tmp_path: Path) -> None:
    log = make()
    for number in range(1000):
        log.emit(numbered(number))
    await log.close()
    await log.close()
    assert [event["message"] for event in written(tmp_path)] == [str(number) for number in range(1000)]
    assert log.lost == 0


async def test_the_line_form_goes_where_it_is_wanted_also_without_a_file(make) -> None:
    lines: list[str] = []
    log = make(path=None, text=lines.append)
    log.emit(numbered(1), numbered(2))
    await log.close()
    assert lines == ["1970-01-01T00:00:00.000Z BASE:OTHER success 1", "1970-01-01T00:00:00.000Z BASE:OTHER success 2"]


async def test_a_full_queue_loses_and_tells(make, tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(_: str) -> None:
        entered.set()
        go_on.wait(10)

    log = make(text=slow, queue_max=3)
    log.emit(numbered(0))
    entered.wait(10)  # the writer is busy with 0
    log.emit(*(numbered(number) for number in range(1, 6)))  # room for three
    assert log.lost == 2
    go_on.set()
    await log.close()
    messages = [event["message"] for event in written(tmp_path)]
    assert [message for message in messages if message.isdigit()] == ["0", "1", "2", "3"]
    assert "2 audit events before this one were lost" in messages


async def test_after_close_events_are_counted_as_lost(make) -> None:
    log = make()
    await log.close()
    log.emit(numbered(1))
    assert log.lost == 1


async def test_a_full_disk_is_said_once_and_counted(make) -> None:
    said: list[str] = []
    log = make(path=Path("/dev/full"), warn=said.append)
    log.emit(*(numbered(number) for number in range(50)))
    await log.close()
    assert log.lost == 50
    assert said == ["audit events are being lost: No space left on device; free space on that disk"]


async def test_when_the_disk_takes_bytes_again_the_gap_is_in_the_file(make, tmp_path: Path) -> None:
    said: list[str] = []
    seen: list[str] = []
    reached, go_on = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]

    def text(line: str) -> None:
        if line.endswith(" pause"):
            turn = len(seen)
            seen.append(line)
            reached[turn].set()
            go_on[turn].wait(10)

    log = make(warn=said.append, text=text)
    log.emit(numbered(0))
    log.emit({**numbered(0), "message": "pause"})
    reached[0].wait(10)
    # From here on no file may grow past its size now: write(2) answers EFBIG. Needs no rights, harms nobody else's files.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = (tmp_path / "audit.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        log.emit(numbered(1), numbered(2), {**numbered(3), "message": "3 pause"})
        go_on[0].set()
        reached[1].wait(10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    go_on[1].set()
    log.emit(numbered(4))
    await log.close()
    assert [event["message"] for event in written(tmp_path)] == [
        "0", "3 audit events before this one were lost", "3 pause", "4",
    ]  # fmt: skip
    assert log.lost == 3
    assert said[0].startswith("audit events are being lost: File too large")
    assert said[1:] == ["the audit file takes events again; 3 were lost"]
