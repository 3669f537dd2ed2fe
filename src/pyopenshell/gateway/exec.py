"""ExecSandbox and ExecSandboxInteractive: the gateway as a client of the same relay path that `exec` targets take.

Events come in the order in which the sandbox sent them, and `exit` is the last. Standard input goes in beside them, by a
task of its own, so that a command that reads nothing never stops its own output. Both calls share everything but where
stdin comes from.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.far_stream import FarStream
from pyopenshell.gateway.lines import Line, line_error
from pyopenshell.gateway.relaying import FIRST_MESSAGE_TIMEOUT, Relaying, first_message
from pyopenshell.gateway.sandbox_view import one_workspace
from pyopenshell.model import ExecSpec, ExecTarget, TerminalSize
from pyopenshell.relay.outcomes import Cause
from pyopenshell.streams.contract import StreamBroken, StreamClosed
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.wire import convert
from pyopenshell.wire.exec_frames import Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

PARTING_TIMEOUT = 1.0  # seconds for a supervisor to end its side after the command's exit

#: Feeds standard input (and resizes) to the command, to their end.
Feeder = Callable[[ExecChannel], Awaitable[None]]


class ExecService:
    """Serves both calls."""

    def __init__(self, relaying: Relaying, *, start_timeout: float = FIRST_MESSAGE_TIMEOUT) -> None:
        self._relaying = relaying
        self._start_timeout = start_timeout

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.EXEC_SANDBOX, pb.ExecSandboxRequest, many=self.run),
            Rpc(Action.EXEC_SANDBOX_INTERACTIVE, raw=self.interactive),
        ]

    async def run(self, request: pb.ExecSandboxRequest, caller: Caller) -> AsyncIterator[pb.ExecSandboxEvent]:
        """Run a command whose standard input is in the request."""

        async def feed(channel: ExecChannel) -> None:
            await channel.stdin(request.stdin)
            await channel.stdin_end()

        async with aclosing(self._events(request, caller, feed)) as events:
            async for event in events:
                yield event

    async def interactive(self, caller: Caller) -> None:
        """Run a command whose standard input is the rest of the stream; its half-close is the end of it."""
        call = caller.call
        first = call.parse(pb.ExecSandboxInput, await first_message(call, "the start message", self._start_timeout))
        if first.WhichOneof("payload") != "start":
            raise OpenShellError(Code.INVALID, "the first message of the stream is not start")

        async def feed(channel: ExecChannel) -> None:
            if first.start.stdin:
                await channel.stdin(first.start.stdin)
            while (message := await call.receive(pb.ExecSandboxInput)) is not None:
                match message.WhichOneof("payload"):
                    case "stdin":
                        await channel.stdin(message.stdin)
                    case "resize":
                        cols, rows = message.resize.cols, message.resize.rows
                        await channel.resize(TerminalSize(min(cols, 0xFFFF), min(rows, 0xFFFF)))
                    case "start":
                        raise OpenShellError(Code.INVALID, "start came a second time")
                    case _:
                        continue
            await channel.stdin_end()

        async with aclosing(self._events(first.start, caller, feed)) as events:
            async for event in events:
                await call.send(event)

    async def _events(
        self, request: pb.ExecSandboxRequest, caller: Caller, feed: Feeder
    ) -> AsyncGenerator[pb.ExecSandboxEvent]:
        spec = convert.exec_request_spec(request)
        workspace = one_workspace(request.workspace_scope)
        async with self._relaying.open(caller, request.sandbox, workspace, ExecTarget()) as line:
            self._relaying.note_exec(line, spec)
            far = await self._relaying.far_end(line)
            stream = FarStream(far.call, far.features)
            # Whoever ends the relay from outside ends the read that waits on it.
            line.over.add_done_callback(lambda _: stream.abort("the relay was ended"))
            try:
                async with aclosing(self._run(line, ExecChannel(stream), spec, feed)) as events:
                    async for event in events:
                        yield event
            finally:
                stream.abort("the command is over")

    async def _run(
        self, line: Line, channel: ExecChannel, spec: ExecSpec, feed: Feeder
    ) -> AsyncGenerator[pb.ExecSandboxEvent]:
        feeding: asyncio.Future[None] | None = None
        try:
            await channel.start(spec)
            feeding = asyncio.ensure_future(_quietly(feed(channel), channel))
            while (frame := await channel.receive()) is not None:
                size = len(frame.payload)
                line.tally.near += size
                match frame.kind:
                    case Kind.STDOUT if size:
                        yield pb.ExecSandboxEvent(stdout=pb.ExecSandboxStdout(data=bytes(frame.payload)))
                    case Kind.STDERR if size:
                        yield pb.ExecSandboxEvent(stderr=pb.ExecSandboxStderr(data=bytes(frame.payload)))
                    case Kind.EXIT:
                        yield self._exited(line, frame.payload)
                        feeding.cancel()
                        await asyncio.gather(feeding, return_exceptions=True)
                        await _part(channel)
                        self._relaying.finish(line, Cause.BOTH_ENDED)
                        return
                    case _:
                        continue
            raise StreamBroken("the sandbox ended the stream before the command's exit")
        except (StreamBroken, StreamClosed) as error:
            if feeding is not None and feeding.done() and (fault := feeding.exception()) is not None:
                raise fault from None
            if line.over.done():
                raise line_error(line, line.over.result()) from None
            reason = error.message if isinstance(error, OpenShellError) else str(error)
            self._relaying.finish(line, Cause.FAR_LOST, reason)
            raise line_error(line, line.over.result()) from None
        finally:
            if feeding is not None:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)

    def _exited(self, line: Line, payload: bytes | bytearray | memoryview) -> pb.ExecSandboxEvent:
        how = pb.ExecExit.FromString(bytes(payload))
        self._relaying.note_exit(line.relay.request.sandbox_id, line.channel_id, how)
        return pb.ExecSandboxEvent(exit=pb.ExecSandboxExit(exit_code=convert.exit_status(how)))


async def _quietly(feeding: Awaitable[None], channel: ExecChannel) -> None:
    """Feed, and where the caller's input is at fault end the command: the read then meets the reason."""
    try:
        await feeding
    except (StreamBroken, StreamClosed):
        return  # the command has ended, or the caller is gone: both are met where the output is read and written
    except OpenShellError:
        channel.stream.abort("the caller's input is at fault")
        raise


async def _part(channel: ExecChannel) -> None:
    """End the stream after the command's exit, both ways; a supervisor that does not end its own is cut by the caller."""
    try:
        async with asyncio.timeout(PARTING_TIMEOUT):
            await channel.stream.end()
            while await channel.stream.read():
                continue
            await channel.stream.close()
    except (StreamBroken, StreamClosed, TimeoutError):
        return
