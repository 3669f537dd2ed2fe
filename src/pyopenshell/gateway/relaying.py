"""What all callers of a relay share: the first message in time, the wait for the far end, and the end told everywhere.

`Relaying.open` is a context: inside it there is a line with a far end; when it is left, in whatever way, the line is over,
the supervisor's call is free and the audit has what happened. A caller that goes away while it waits is a lost near end.

Of a command the audit gets the start when its START frame is read, and the end when its supervisor reports it (`exec_ended`
on the control stream), which may be after its relay was lost; where the gateway is the near end, it reads the end first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pyopenshell.audit import ocsf, processes
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.admission import Admission
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import Caller
from pyopenshell.gateway.lines import Far, Line, line_error
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import ExecSpec, Target
from pyopenshell.relay.outcomes import VERDICTS, Cause
from pyopenshell.relay.relays import Closed
from pyopenshell.streams.contract import Buffer
from pyopenshell.streams.grpc_server import Call
from pyopenshell.wire import convert
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import clean

FIRST_MESSAGE_TIMEOUT = 10.0  # seconds, design decision 4
ENDED_MAX = 1000  # commands whose relay is over and whose end was not reported: one storm of a sandbox, 1 KiB each
FIRST_MESSAGE_MAX = 1024 * 1024  # bytes, design decision 4


async def first_message(call: Call, what: str, timeout: float = FIRST_MESSAGE_TIMEOUT) -> Buffer:
    """The first message of a stream. Raises INVALID where there is none, DEADLINE, EXHAUSTED over the limit."""
    limit, call.limit = call.limit, FIRST_MESSAGE_MAX
    try:
        async with asyncio.timeout(timeout):
            message = await call.read()
    except TimeoutError:
        raise OpenShellError(Code.DEADLINE, f"{what} did not come within {timeout:.0f} s") from None
    finally:
        call.limit = limit
    if message is None:
        raise OpenShellError(Code.INVALID, f"the stream ended before {what}")
    return message


@dataclass(frozen=True, slots=True)
class _Command:
    """A command whose end is not known yet."""

    about: ocsf.Relay
    argv: tuple[str, ...]


class Relaying:
    """Opens relays for callers."""

    def __init__(self, admission: Admission, board: Board, trail: Trail) -> None:
        self._admission = admission
        self._board = board
        self._trail = trail
        self._audited: dict[str, ocsf.Relay] = {}
        self._commands: dict[str, _Command] = {}
        self._unreported: OrderedDict[str, _Command] = OrderedDict()
        board.on_closed = self._closed

    @asynccontextmanager
    async def open(
        self, caller: Caller, sandbox: str, workspace: str, target: Target, token: str | None = None
    ) -> AsyncIterator[Line]:
        """A line that was asked for; `far_end` waits until it is claimed. Raises what admission and switchboard raise."""
        about = ocsf.Relay("", "", sandbox, target, caller.principal, caller.address)
        try:
            request = await self._admission.request(caller, sandbox, workspace, target, token, self._board.now())
            about = ocsf.Relay("", request.sandbox_id, request.sandbox, target, caller.principal, caller.address)
            line = self._board.open(request)
        except OpenShellError as error:
            self._trail.note(ocsf.relay_refused, about, error.code, error.message)
            raise
        self._audited[line.channel_id] = ocsf.Relay(
            line.channel_id, request.sandbox_id, request.sandbox, target, caller.principal, caller.address
        )
        try:
            yield line
        finally:
            self._board.finish(line, Cause.NEAR_LOST, "the caller went away")
            line.released.set()

    async def far_end(self, line: Line) -> Far:
        """Wait until the relay is claimed; raises what the caller is to be answered where it is not."""
        far = await asyncio.shield(line.claimed)
        far.call.admit()
        about = self._audited.get(line.channel_id)
        if about is not None:
            self._trail.note(ocsf.relay_opened, about)
        return far

    def finish(self, line: Line, cause: Cause, reason: str = "") -> None:
        """The relay ended by itself."""
        self._board.finish(line, cause, reason)

    def note_exec(self, line: Line, spec: ExecSpec) -> None:
        """Audit what an exec relay was asked to run."""
        about = self._audited.get(line.channel_id)
        if about is not None:
            self._trail.note(
                processes.exec_started, about, spec.argv, workdir=spec.workdir, tty=spec.terminal is not None
            )
            self._commands[line.channel_id] = _Command(about, processes.brief(spec.argv))

    def note_exit(self, sandbox_id: str, channel_id: str, how: pb.ExecExit) -> None:
        """Audit how a command of this sandbox ended; what is known already, or never was, is not told again."""
        for book in (self._commands, self._unreported):
            command = book.get(channel_id)
            if command is None or command.about.sandbox_id != sandbox_id:
                continue
            del book[channel_id]
            code, reason = (255, clean(how.start_error)) if how.start_error else (convert.exit_status(how), "")
            self._trail.note(processes.exec_ended, command.about, command.argv, code, reason=reason)

    def _closed(self, line: Line, closed: Closed) -> None:
        about = self._audited.pop(line.channel_id, None)
        command = self._commands.pop(line.channel_id, None)
        if about is None:
            return
        verdict = VERDICTS[closed.cause]
        if line.claimed.done() and line.claimed.exception() is None:
            if command is not None:
                self._unreported[line.channel_id] = command
                if len(self._unreported) > ENDED_MAX:
                    self._unreported.popitem(last=False)
            self._trail.note(
                ocsf.relay_closed,
                about,
                verdict.outcome,
                opened_at=self._trail.wall() - (self._board.now() - line.relay.opened_at),
                bytes_far=line.tally.far,
                bytes_near=line.tally.near,
                reason=closed.detail,
            )
        else:
            error = line_error(line, closed)
            self._trail.note(ocsf.relay_refused, about, error.code, error.message)
