"""The far end of an exec stream: one START frame in, one command run, one EXIT frame out as the last thing said.

The near side's frames are read for the whole life of the command, so that a resize or a signal is not stuck behind input
that the command does not read: input waits in a backlog of bounded size, and only a full backlog stops the reading (then
flow control stops the near side). The stream's break is the near side's death and ends the command, also while nothing is
read; its orderly end is the end of input alone. See `command.py` for the end of a command. However it ended, `tell` is told
once, also where nobody is left to hear of it on the stream: for the audit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec, Outcome, TerminalSize
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamClosed
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.supervisor.command import Command
from pyopenshell.supervisor.init_client import Exit, SpawnClient
from pyopenshell.wire.convert import exec_spec
from pyopenshell.wire.exec_frames import SIZE, Frame, Kind
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit, ExecStart

START_TIMEOUT = 10.0  # seconds from the claim to START; the contract's deadline for a first message
BACKLOG_MAX = 256 * 1024  # bytes of input that wait beside the pipe's own megabyte, before the near side is held up
GOODBYE_TIMEOUT = (
    30.0  # seconds that the near side has to end its direction after EXIT; a client answers in one round trip
)
_SIGNALS = range(1, 65)  # signal(7)
_END_OF_FILE = b"\x04"  # VEOF of a terminal, termios(3)


Tell = Callable[[ExecExit], None]


class _Input:
    """What the near side sent for the command and the command did not read yet."""

    def __init__(self) -> None:
        self._chunks: deque[Buffer] = deque()
        self._size = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, data: Buffer) -> None:
        self._chunks.append(data)
        self._size += len(data)
        self._changed.set()
        if self._size > BACKLOG_MAX:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def pump(self, command: Command, terminal: bool) -> None:
        """Feed the command until the end of input, or until it no longer reads: then the rest is dropped as it comes."""
        while True:
            while self._chunks:
                data = self._chunks.popleft()
                await command.stdin.write(data if isinstance(data, memoryview) else memoryview(data))
                self._size -= len(data)
                if self._size <= BACKLOG_MAX:
                    self._room.set()
            if self._ended:
                break
            self._changed.clear()
            await self._changed.wait()
        if terminal:
            await command.stdin.write(_END_OF_FILE)
        else:
            command.stdin.close()


async def serve_exec(stream: ByteStream, init: SpawnClient, tell: Tell) -> Outcome:
    """Serve one exec stream to its end and close it. Cancelled, or the near side lost: the command is ended first.

    Returns COMPLETED when the exit was said (also "could not start"), REFUSED for a START that is not valid, TIMED_OUT
    where none came, BROKEN_NEAR, or BROKEN_FAR where the sandbox was lost. Raises nothing of its own.
    """
    channel = ExecChannel(stream)
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def broke() -> None:
        if not gone.done():
            gone.set_result(None)

    stream.on_break(broke)
    try:
        outcome = await _serve(channel, init, gone, tell)
        await _goodbye(channel)
        await stream.close()
    except (StreamBroken, StreamClosed) as error:
        stream.abort(str(error))
        return Outcome.BROKEN_NEAR
    except OpenShellError as error:
        stream.abort(error.message)
        return Outcome.BROKEN_NEAR if error.code is Code.BROKEN else Outcome.BROKEN_FAR
    except BaseException:
        stream.abort("the supervisor ended the command")
        raise
    return outcome


async def _serve(channel: ExecChannel, init: SpawnClient, gone: asyncio.Future[None], tell: Tell) -> Outcome:
    async def end(how: ExecExit) -> None:
        tell(how)
        await channel.exit(how)

    try:
        async with asyncio.timeout(START_TIMEOUT):
            spec = _parse_start(await channel.receive())
    except TimeoutError:
        await end(ExecExit(start_error=f"no command came within {START_TIMEOUT:.0f} s"))
        return Outcome.TIMED_OUT
    except OpenShellError as error:
        if error.code is not Code.INVALID:
            raise
        await end(ExecExit(start_error=str(error)))
        return Outcome.REFUSED
    try:
        process = await init.spawn(spec)
    except OpenShellError as error:
        await end(ExecExit(start_error=str(error)))
        return Outcome.COMPLETED if error.code is Code.PRECONDITION else Outcome.BROKEN_FAR
    command = Command(process, channel.stdout, channel.stderr, timeout=spec.timeout)
    try:
        how = await _run(channel, command, spec, gone)
    except BaseException:
        if command.how is not None:
            tell(_exit(command, command.how))
        raise
    await end(_exit(command, how))
    return Outcome.COMPLETED


def _exit(command: Command, how: Exit) -> ExecExit:
    if command.timed_out:
        return ExecExit(timed_out=True)
    return ExecExit(signal=how.signal) if how.signal else ExecExit(code=how.code)


async def _run(channel: ExecChannel, command: Command, spec: ExecSpec, gone: asyncio.Future[None]) -> Exit:
    given = _Input()
    running = asyncio.create_task(command.run())
    pumping = asyncio.create_task(given.pump(command, spec.terminal is not None))
    reading = asyncio.create_task(_read(channel, command, given))
    try:
        await channel.started()
        watched: set[asyncio.Future[Any]] = {running, reading, gone}
        while not running.done():
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if reading in done:
                reading.result()  # raises where the near side broke; its orderly end is the end of input alone
                watched.discard(reading)
            if gone in done and not running.done():
                raise StreamBroken("the near side is gone")
        return running.result()
    finally:
        for task in (running, pumping, reading):
            task.cancel()
        await asyncio.gather(running, pumping, reading, return_exceptions=True)


async def _read(channel: ExecChannel, command: Command, given: _Input) -> None:
    """Act on the near side's frames until it ends its direction. Raises StreamBroken when it is gone."""
    while (frame := await channel.receive()) is not None:
        if frame.kind is Kind.STDIN:
            await given.put(frame.payload)
        elif frame.kind is Kind.STDIN_END:
            given.end()
        elif frame.kind is Kind.RESIZE and len(frame.payload) == SIZE.size:
            command.resize(TerminalSize(*SIZE.unpack(frame.payload)))
        elif frame.kind is Kind.SIGNAL and len(frame.payload) == 1 and frame.payload[0] in _SIGNALS:
            await command.signal(frame.payload[0])
        else:
            raise OpenShellError(Code.BROKEN, f"the near side sent {frame.kind.name} that cannot be obeyed")
    given.end()


def _parse_start(frame: Frame | None) -> ExecSpec:
    if frame is None or frame.kind is not Kind.START:
        raise OpenShellError(Code.INVALID, "the first frame of an exec stream is not START")
    try:
        start = ExecStart.FromString(bytes(frame.payload))
    except DecodeError as error:
        raise OpenShellError(Code.INVALID, "the START frame of an exec stream does not parse") from error
    return exec_spec(start)


async def _goodbye(channel: ExecChannel) -> None:
    """Read over what the near side still sends, until it ends too: a break now would take the exit back."""
    try:
        async with asyncio.timeout(GOODBYE_TIMEOUT):
            while await channel.receive() is not None:
                continue
    except TimeoutError:
        raise StreamBroken("the near side did not end the exec stream after the exit") from None
