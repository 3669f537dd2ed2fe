"""What the main process prints, as lines, kept until the gateway has them.

    bytes ── LineSplitter ── LogRing (bounded; the oldest go first and are counted) ── LogPusher ── PushSandboxLogs

A batch is one call, and its answer is the acknowledgement: a gateway that is lost in the middle gets the batch again, so a
line may come twice and is never lost while the ring holds it. A supervisor that ends pushes what is left over a connection
of its own, since its session was ended before. Lines are the sandbox's words: untrusted text for everybody, in UTF-8 with
what is none replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.metadata import MetadataItems
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

PUSH_SANDBOX_LOGS = "/openshell.v1.OpenShell/PushSandboxLogs"
LINE_MAX = 16 * 1024  # bytes of one line, as container engines cut them; a longer one becomes several
RING_MAX = 1024 * 1024  # bytes of lines that wait for a gateway
PATIENCE = (
    1.0  # seconds that a process is held for a gateway that takes nothing; one that is up takes ten batches in it
)
LINE_OVERHEAD = 64  # bytes that a line costs beside its text, so that empty lines are bounded too
BATCH_MAX = 256 * 1024  # bytes of lines in one call, far below the 4 MiB of a message
PUSH_TIMEOUT = 30.0  # seconds for the gateway to take one batch
LAST_TIMEOUT = 1.0  # seconds for all that is left at the end: somebody waits for a sandbox to be stopped
SOURCE = "sandbox"  # beside "gateway", as clients of the service filter


class LineSplitter:
    """Cuts one stream of bytes into lines of at most LINE_MAX bytes; the end of line (LF or CR LF) is not part of them."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes."""
        self._rest += data
        start = 0
        while True:
            end = self._rest.find(b"\n", start, start + LINE_MAX + 1)
            if end >= 0:
                yield bytes(self._rest[start:end]).removesuffix(b"\r")
                start = end + 1
            elif len(self._rest) - start > LINE_MAX:
                yield bytes(self._rest[start : start + LINE_MAX])
                start += LINE_MAX
            else:
                break
        del self._rest[:start]

    def finish(self) -> Iterator[bytes]:
        """The last line, where it had no end."""
        if self._rest:
            yield bytes(self._rest)
            self._rest.clear()


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `seconds` since the epoch, the stream it came from, its text."""

    number: int
    seconds: float
    stream: str
    text: bytes

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.text) + LINE_OVERHEAD


class LogRing:
    """Lines that wait. `lost` counts those that were dropped since the last batch that said so."""

    def __init__(self, clock: Callable[[], float] = time.time, limit: int = RING_MAX) -> None:
        self._clock = clock
        self._limit = limit
        self._lines: deque[Line] = deque()
        self._size = 0
        self._number = 0
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._stalled = False
        self.lost = 0

    def append(self, stream: str, text: bytes) -> None:
        """Add a line; the oldest make room for it."""
        line = Line(self._number, self._clock(), stream, text)
        self._number += 1
        self._lines.append(line)
        self._size += line.size
        while self._size > self._limit and len(self._lines) > 1:
            self._size -= self._lines.popleft().size
            self.lost += 1
        self._changed.set()

    async def room(self) -> None:
        """Wait until half of the ring is free, for a gateway that takes lines; one that takes none is not waited for."""
        while self._size > self._limit // 2 and not self._stalled:
            self._taken.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._taken.wait()
            except TimeoutError:
                self._stalled = True

    async def batch(self) -> list[Line]:
        """The oldest lines, waiting for one where there is none."""
        while not self._lines:
            self._changed.clear()
            await self._changed.wait()
        taken: list[Line] = []
        size = 0
        for line in self._lines:
            size += line.size
            if taken and size > BATCH_MAX:
                break
            taken.append(line)
        return taken

    def acknowledge(self, lines: list[Line], lost: int) -> None:
        """The gateway has these lines, and knows of `lost` ones."""
        last = lines[-1].number
        while self._lines and self._lines[0].number <= last:
            self._size -= self._lines.popleft().size
        self.lost -= lost
        self._stalled = False
        self._taken.set()
        self._changed.set()

    @property
    def empty(self) -> bool:
        """Whether the gateway has every line."""
        return not self._lines

    async def drained(self) -> None:
        """Wait until the gateway has every line."""
        while self._lines:
            self._changed.clear()
            await self._changed.wait()


class LogPusher:
    """Pushes the ring over one connection after the other."""

    def __init__(self, ring: LogRing, sandbox_id: str, metadata: MetadataItems) -> None:
        self._ring = ring
        self._sandbox_id = sandbox_id
        self._metadata = metadata

    async def __call__(self, channel: Channel) -> None:
        """Push until cancelled or the connection fails; the ring keeps what was not acknowledged. Raises OpenShellError."""
        while True:
            await self._push(channel)

    async def last(self, connect: Callable[[], Awaitable[Channel]]) -> None:
        """Push what is left over a connection of its own; what no gateway takes in LAST_TIMEOUT is lost. Never raises."""
        if self._ring.empty:
            return
        with contextlib.suppress(OpenShellError, StreamClosed, TimeoutError):
            async with asyncio.timeout(LAST_TIMEOUT):
                channel = await connect()
                try:
                    while not self._ring.empty:
                        await self._push(channel)
                finally:
                    await channel.close()

    async def _push(self, channel: Channel) -> None:
        lines = await self._ring.batch()
        lost = self._ring.lost
        request = pb.PushSandboxLogsRequest(sandbox_id=self._sandbox_id)
        if lost:
            gone = self._add(request, lines[0].seconds, f"{lost} lines were dropped while no gateway took them")
            gone.level = "WARN"
        for line in lines:
            message = self._add(request, line.seconds, line.text.decode("utf-8", "replace"))
            message.target = line.stream
        try:
            await channel.unary(
                PUSH_SANDBOX_LOGS,
                request,
                pb.PushSandboxLogsResponse,
                metadata=self._metadata,
                timeout=PUSH_TIMEOUT,
            )
        except OpenShellError as error:
            if error.code is not Code.INVALID:
                raise
        self._ring.acknowledge(lines, lost)

    def _add(self, request: pb.PushSandboxLogsRequest, seconds: float, text: str) -> pb.SandboxLogLine:
        line = request.logs.add(sandbox_id=self._sandbox_id, level="INFO", message=text, source=SOURCE)
        whole = int(seconds)
        line.event_time.seconds = whole
        line.event_time.nanos = int((seconds - whole) * 1e9)
        return line
