"""What sandboxes print, kept: a ring in memory for each sandbox, bounded in bytes, and beside it a file that outlives us.

The file is `log.jsonl` in the sandbox's directory: one object a line, rotated once at its limit, read back into the ring
when the gateway was started again. A disk that takes nothing costs the file, never the ring, and the log says so once.

A burst is handed to followers in pieces, and between two pieces each of them may take its time (`Room`): so a follower that
reads misses nothing of a process that prints faster than a network takes, and the supervisor holds what waits.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import stat
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.convert import seconds_of_timestamp, timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

RING_MAX = 1024 * 1024  # bytes of lines in memory for one sandbox: some thousand lines; 100 sandboxes hold 100 MB
FILE_MAX = 8 * 1024 * 1024  # bytes of one file before it becomes `log.jsonl.1`, which is then the only older one
MESSAGE_MAX = 64 * 1024  # characters of one line; our supervisors cut at 16 KiB
LINES_AT_ONCE = 250  # a quarter of what a watcher's queue holds (watchers.py), likewise in bytes
BYTES_AT_ONCE = 256 * 1024
LINE_COST = 256  # bytes that a line costs beside its text
FILE_NAME = "log.jsonl"
LEVELS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "WARNING": 3, "ERROR": 4, "FATAL": 5}

logger = logging.getLogger("pyopenshell.gateway.logs")

#: Told (sandbox id, number of the line, line) for every line that arrives.
LineSubscriber = Callable[[str, int, pb.SandboxLogLine], None]
#: Waits, for a bounded time, until a subscriber can take more lines of this sandbox.
Room = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted. `since` is in seconds since the epoch; no sources means all. Raises INVALID for a level."""

    since: float = 0.0
    sources: frozenset[str] = frozenset()
    min_level: str = ""

    def __post_init__(self) -> None:
        if self.min_level and self.min_level.upper() not in LEVELS:
            raise OpenShellError(
                Code.INVALID, f"log level {self.min_level[:40]!r} is not known", hint="use debug, info, warn or error"
            )

    def wants(self, line: pb.SandboxLogLine) -> bool:
        """Whether `line` passes."""
        if self.sources and line.source not in self.sources:
            return False
        if self.min_level and LEVELS.get(line.level.upper(), LEVELS["INFO"]) < LEVELS[self.min_level.upper()]:
            return False
        return not self.since or seconds_of_timestamp(line.event_time) >= self.since


@dataclass(slots=True)
class _Ring:
    lines: deque[tuple[int, pb.SandboxLogLine]] = field(default_factory=deque)
    size: int = 0
    count: int = 0
    file_failed: bool = False
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add(self, line: pb.SandboxLogLine) -> int:
        number = self.count
        self.count += 1
        self.lines.append((number, line))
        self.size += _cost(line)
        while self.size > RING_MAX and len(self.lines) > 1:
            self.size -= _cost(self.lines.popleft()[1])
        return number


class LogBook:
    """The logs of all sandboxes; `directory` holds one directory for each sandbox, named by its id."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rings: dict[str, _Ring] = {}
        self._subscribers: dict[LineSubscriber, Room | None] = {}

    async def append(self, sandbox_id: str, lines: Iterable[pb.SandboxLogLine]) -> None:
        """Keep `lines`; returns when they are in memory and, if the disk takes them, in the file."""
        kept = [_kept(sandbox_id, line) for line in lines]
        ring = await self._ring(sandbox_id)
        count = size = 0
        for line in kept:
            number = ring.add(line)
            for subscriber in tuple(self._subscribers):
                subscriber(sandbox_id, number, line)
            count, size = count + 1, size + _cost(line)
            if count >= LINES_AT_ONCE or size >= BYTES_AT_ONCE:
                count = size = 0
                await self._make_room(sandbox_id)
        text = "".join(json.dumps(_to_json(line), ensure_ascii=False) + "\n" for line in kept)
        async with ring.writing:
            try:
                await asyncio.to_thread(
                    _write, self._directory / sandbox_id / FILE_NAME, text.encode("utf-8", "replace")
                )
                ring.file_failed = False
            except OSError as error:
                if not ring.file_failed:
                    logger.warning("log of sandbox %s is kept in memory alone: %s", sandbox_id, error.strerror)
                ring.file_failed = True

    async def tail(self, sandbox_id: str, wanted: LogFilter, count: int) -> list[tuple[int, pb.SandboxLogLine]]:
        """The last `count` lines (0: all) that pass, oldest first, each with its number."""
        ring = await self._ring(sandbox_id)
        found = [(number, line) for number, line in ring.lines if wanted.wants(line)]
        return found[-count:] if count else found

    async def total(self, sandbox_id: str) -> int:
        """How many lines are in memory."""
        return len((await self._ring(sandbox_id)).lines)

    def forget(self, sandbox_id: str) -> None:
        """The sandbox is deleted; its directory is the driver's to remove."""
        self._rings.pop(sandbox_id, None)

    def subscribe(self, subscriber: LineSubscriber, room: Room | None = None) -> Callable[[], None]:
        """Tell `subscriber` of every line from now on, until the returned function is called."""
        self._subscribers[subscriber] = room

        def end() -> None:
            self._subscribers.pop(subscriber, None)

        return end

    async def _make_room(self, sandbox_id: str) -> None:
        rooms = [room(sandbox_id) for room in self._subscribers.values() if room is not None]
        await asyncio.gather(*rooms)

    async def _ring(self, sandbox_id: str) -> _Ring:
        ring = self._rings.get(sandbox_id)
        if ring is None:
            text = await asyncio.to_thread(_read_tail, self._directory / sandbox_id / FILE_NAME)
            if (ring := self._rings.get(sandbox_id)) is None:
                ring = self._rings[sandbox_id] = _Ring()
                for line in text.split("\n"):
                    if (read := _from_json(sandbox_id, line)) is not None:
                        ring.add(read)
        return ring


def _cost(line: pb.SandboxLogLine) -> int:
    return line.ByteSize() + LINE_COST


def _kept(sandbox_id: str, line: pb.SandboxLogLine) -> pb.SandboxLogLine:
    """A line as it is kept: never of another sandbox, never without bounds."""
    kept = pb.SandboxLogLine(
        sandbox_id=sandbox_id,
        level=line.level[:16] or "INFO",
        target=line.target[:256],
        message=line.message[:MESSAGE_MAX],
        source=line.source[:64] or "sandbox",
    )
    kept.event_time.CopyFrom(line.event_time)
    for key in sorted(line.fields)[:32]:
        kept.fields[key[:64]] = line.fields[key][:1024]
    return kept


def _to_json(line: pb.SandboxLogLine) -> dict[str, object]:
    time = seconds_of_timestamp(line.event_time)
    made: dict[str, object] = {"time": time, "level": line.level, "source": line.source, "message": line.message}
    if line.target:
        made["target"] = line.target
    if line.fields:
        made["fields"] = dict(line.fields)
    return made


def _from_json(sandbox_id: str, text: str) -> pb.SandboxLogLine | None:
    """A line of the file; None for one that a crash cut short."""
    try:
        found = json.loads(text)
        line = pb.SandboxLogLine(
            sandbox_id=sandbox_id,
            level=found["level"],
            target=found.get("target", ""),
            message=found["message"],
            source=found["source"],
            fields=found.get("fields", {}),
        )
        line.event_time.CopyFrom(timestamp(found["time"]))
    except (ValueError, TypeError, KeyError):
        return None
    return line


def _write(path: Path, data: bytes) -> None:
    # The directory is shared with the sandbox's supervisor, which may be hostile: no link is followed, no device written.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
            raise OSError(errno.EPERM, "the file is not the gateway's own")
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if status.st_size + len(data) > FILE_MAX:
            path.rename(path.with_suffix(".jsonl.1"))
    finally:
        os.close(descriptor)


def _read_tail(path: Path) -> str:
    """The end of the file, from the first whole line on; empty where there is none that is ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(descriptor)
        return ""
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > RING_MAX:
            file.seek(-RING_MAX, os.SEEK_END)
            file.readline()
        return file.read().decode("utf-8", "replace")
