"""Running a command in a sandbox: one relay to the `exec` target, frames end to end with the supervisor.

States of an `Execution`: opened (nothing certain), started (the far side said STARTED), finished (EXIT arrived). A refusal
by the gateway before `started` keeps its own code, so an unknown sandbox is NOT_FOUND. Every other end that is not an EXIT
is BROKEN: the command may have run, and a lost connection is never mistaken for a status.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pyopenshell.errors import EXIT_TIMEOUT, Code, OpenShellError
from pyopenshell.model import ExecSpec, ExecTarget, TerminalSize
from pyopenshell.sdk.connection import Connection
from pyopenshell.sdk.relays import Relay, open_relay
from pyopenshell.streams.contract import Buffer, StreamBroken, StreamBusy, StreamClosed
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.wire.exec_frames import Kind
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit

SIGNAL_BASE = 128  # a shell's status for death by signal n is 128 + n (POSIX.1-2024, 2.8.2)
NOT_STARTED = 127  # a shell's status for a command that could not be run (POSIX.1-2024, 2.8.2)
TIMEOUT_GRACE = 10.0  # seconds after `timeout` in which the far side must have said so itself
PARTING_TIMEOUT = 1.0  # seconds for the gateway to end the call after EXIT; it takes one round trip


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a command ended; exactly one of the four is set."""

    code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    start_error: str = ""

    @property
    def status(self) -> int:
        """As a shell would tell it: the code, 128+n for a signal, 124 for a timeout, 127 for one that never ran."""
        if self.code is not None:
            return self.code
        if self.signal is not None:
            return SIGNAL_BASE + self.signal
        return EXIT_TIMEOUT if self.timed_out else NOT_STARTED


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of output, as it came."""

    data: Buffer
    stderr: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished command with everything it wrote."""

    exit: ExitStatus
    stdout: bytes
    stderr: bytes
    relay_id: str = ""


class Execution:
    """A running command. Iterate it for its output; afterwards `exit` is set. Input may be sent all the while."""

    def __init__(self, relay: Relay, connection: Connection) -> None:
        self._relay = relay
        self._connection = connection
        self._channel = ExecChannel(relay.leg)
        self.started = False
        self.exit: ExitStatus | None = None
        self._why_aborted = ""

    @property
    def relay_id(self) -> str:
        """The channel id of the relay, once something came from the far side."""
        return self._relay.channel_id

    async def stdin(self, data: Buffer) -> bool:
        """Send standard input, with back-pressure. False when the command is gone: nothing more can be sent."""
        return await self._send(self._channel.stdin(data))

    async def stdin_end(self) -> bool:
        """End of standard input. Output and status still follow."""
        return await self._send(self._channel.stdin_end())

    async def resize(self, size: TerminalSize) -> bool:
        """The terminal has another size."""
        return await self._send(self._channel.resize(size))

    async def signal(self, number: int) -> bool:
        """Send a signal to the command's process group."""
        return await self._send(self._channel.signal(number))

    def abort(self, reason: str = "it was cancelled") -> None:
        """Break the stream; the supervisor then ends the command."""
        self._why_aborted = reason
        self._relay.leg.abort(reason)

    async def __aiter__(self) -> AsyncIterator[Output]:
        """Yield output in the order of arrival until the command has ended. Raises the refusal, or BROKEN."""
        try:
            while (frame := await self._channel.receive()) is not None:
                if frame.kind in (Kind.STDOUT, Kind.STDERR):
                    yield Output(frame.payload, frame.kind is Kind.STDERR)
                elif frame.kind is Kind.STARTED:
                    self.started = True
                elif frame.kind is Kind.EXIT:
                    self.exit = exit_of(ExecExit.FromString(bytes(frame.payload)))
                    return
        except StreamClosed as error:
            raise _lost(self._why_aborted or "it was cancelled") from error
        except StreamBroken as error:
            explained = self._connection.explained(error)
            if explained is not error:
                raise explained from error
            if self.started or self._relay.refusal is None:
                raise _lost(error.message) from error
            raise
        raise _lost("the stream ended")

    async def _send(self, sending: Coroutine[Any, Any, None]) -> bool:
        if self.exit is not None:
            sending.close()
            return False
        try:
            await sending
        except (StreamBroken, StreamClosed):
            return False  # the receiving side tells why
        return True


@asynccontextmanager
async def execution(connection: Connection, sandbox: str, spec: ExecSpec) -> AsyncIterator[Execution]:
    """Start `spec` in `sandbox`. Leaving the block before the command has ended ends it.

    Once its status is known nobody waits for the end of the call, which is a round trip: the connection sees to that. The
    far side keeps `spec.timeout`. Where it does not, the stream is broken TIMEOUT_GRACE seconds later.
    """
    relay = await open_relay(connection, sandbox, ExecTarget())
    running = Execution(relay, connection)
    overdue = None
    if spec.timeout:
        why = f"the far side did not end it within {TIMEOUT_GRACE:g} s of its timeout"
        overdue = asyncio.get_running_loop().call_later(spec.timeout + TIMEOUT_GRACE, running.abort, why)
    try:
        try:
            await running._channel.start(spec)
        except (StreamBroken, StreamClosed):
            pass  # refused already: the first read tells why
        yield running
    finally:
        if overdue is not None:
            overdue.cancel()
        if running.exit is not None:
            connection.part(_close_quietly(relay))
        else:
            running.abort()


async def run(connection: Connection, sandbox: str, spec: ExecSpec, stdin: bytes = b"") -> Completed:
    """Run a command to its end and collect its output. Raises the refusal, or BROKEN when its status is not known."""
    out, err = bytearray(), bytearray()
    async with execution(connection, sandbox, spec) as running:
        feeder = asyncio.create_task(_feed(running, stdin))
        try:
            async for piece in running:
                (err if piece.stderr else out).extend(piece.data)
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)
        assert running.exit is not None  # the loop raises otherwise
        return Completed(running.exit, bytes(out), bytes(err), running.relay_id)


def exit_of(message: ExecExit) -> ExitStatus:
    """Read the last frame. Raises BROKEN for one that says nothing."""
    match message.WhichOneof("how"):
        case "code":
            return ExitStatus(code=message.code)
        case "signal":
            return ExitStatus(signal=message.signal)
        case "timed_out":
            return ExitStatus(timed_out=True)
        case "start_error":
            return ExitStatus(start_error=message.start_error)
    raise _lost("the far side told no status")


async def _feed(running: Execution, stdin: bytes) -> None:
    if not stdin or await running.stdin(stdin):
        await running.stdin_end()


async def _close_quietly(relay: Relay) -> None:
    """End the call after EXIT, so that the relay is recorded as completed.

    The status is known: input that the command did not read is nobody's loss, and a gateway that is slow is not waited for.
    """
    try:
        async with asyncio.timeout(PARTING_TIMEOUT):
            await relay.leg.end()
            while await relay.leg.read():
                continue
            await relay.leg.close()
    except (StreamBroken, StreamClosed, StreamBusy, TimeoutError):
        return
    finally:
        relay.leg.abort()


def _lost(reason: str) -> OpenShellError:
    return OpenShellError(Code.BROKEN, f"connection lost before the command's status arrived: {reason}")
