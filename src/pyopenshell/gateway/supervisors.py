"""The supervisors' RPCs: the control stream, relay streams, and what becomes of the main process and the token.

A supervisor speaks for one sandbox, the one of its token; an id that it sends about itself has to be that one. On the
control stream one task reads and one writes; whichever ends first ends the stream. A RelayStream claims its relay and then
lends its call to whoever opened the relay (`forward.py`, `exec.py`), who also ends it.
"""

from __future__ import annotations

import asyncio

from pyopenshell.audit import sessions
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import phases
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.control import Control
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.gateway.lifecycle import Lifecycle
from pyopenshell.gateway.lines import line_error
from pyopenshell.gateway.phases import Event
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.relaying import FIRST_MESSAGE_TIMEOUT, Relaying, first_message
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import new_id
from pyopenshell.relay.outcomes import VERDICTS, Cause
from pyopenshell.relay.sessions import Link, Session
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.streams.grpc_server import Call
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import clean


class SupervisorService:
    """Serves what supervisors call."""

    def __init__(
        self,
        registry: Registry,
        board: Board,
        lifecycle: Lifecycle,
        relaying: Relaying,
        tokens: SupervisorTokens,
        trail: Trail,
        *,
        first_timeout: float = FIRST_MESSAGE_TIMEOUT,
    ) -> None:
        self._registry = registry
        self._board = board
        self._lifecycle = lifecycle
        self._relaying = relaying
        self._tokens = tokens
        self._trail = trail
        self._first_timeout = first_timeout

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.CONNECT_SUPERVISOR, raw=self.connect),
            Rpc(Action.RELAY_STREAM, raw=self.relay),
            Rpc(Action.REPORT_MAIN_PROCESS_EXIT, pb.ReportMainProcessExitRequest, one=self.report_exit),
            Rpc(Action.FINALIZE_MAIN_PROCESS_EXIT, pb.FinalizeMainProcessExitRequest, one=self.finalize_exit),
            Rpc(Action.ISSUE_SANDBOX_TOKEN, pb.IssueSandboxTokenRequest, one=self.issue_token),
            Rpc(Action.REFRESH_SANDBOX_TOKEN, pb.RefreshSandboxTokenRequest, one=self.refresh_token),
        ]

    # --- the control stream ---------------------------------------------------------------------------------------

    async def connect(self, caller: Caller) -> None:
        """One control stream, from hello to its end."""
        call = caller.call
        message = call.parse(pb.SupervisorMessage, await first_message(call, "hello", self._first_timeout))
        if message.WhichOneof("payload") != "hello":
            raise OpenShellError(Code.INVALID, "the first message of the stream is not hello")
        hello = message.hello
        caller.may(Action.CONNECT_SUPERVISOR, hello.sandbox_id)
        sandbox_id = caller.principal.sandbox_id
        record = self._registry.get(sandbox_id)
        session = Session(new_id(), sandbox_id, hello.instance_id, hello.connection_epoch)
        try:
            if record is None:
                raise OpenShellError(Code.NOT_FOUND, "this sandbox does not exist any more")
            if not phases.allowed(record.phase, Event.UP):
                raise OpenShellError(Code.PRECONDITION, f"this sandbox is {phases.describe(record)}")
            control = self._board.connect(session)
        except OpenShellError as error:
            self._trail.note(sessions.session_refused, sandbox_id, error.message, caller.address)
            await call.send(pb.GatewayMessage(session_rejected=pb.SessionRejected(reason=error.message)))
            return
        await self._serve(caller, record, session, control, hello.main_process)

    async def _serve(
        self, caller: Caller, record: SandboxRecord, session: Session, control: Control, main: pb.MainProcessState
    ) -> None:
        opened_at = self._trail.wall()
        self._trail.note(sessions.session_opened, record.id, record.name, session.session_id, caller.address)
        tasks = (
            asyncio.ensure_future(self._write(caller.call, control)),
            asyncio.ensure_future(self._read(caller.call, session, main)),
        )
        reason = "the connection was lost"
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            reason = "the supervisor ended it"
        except OpenShellError as error:
            reason = error.message
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._board.disconnect(session)
            self._trail.note(
                sessions.session_closed,
                record.id,
                record.name,
                session.session_id,
                opened_at=opened_at,
                reason=reason,
                address=caller.address,
            )
            if self._board.switchboard.sessions.link(record.id) is Link.GRACE:
                self._lifecycle.supervisor_is_gone(record.id)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, call: Call, control: Control) -> None:
        while (message := await control.next(self._board.switchboard.sessions.interval)) is not None:
            await call.send(message)
        if control.ended is not None:
            raise control.ended

    async def _read(self, call: Call, session: Session, main: pb.MainProcessState) -> None:
        if main.state == pb.MainProcessState.STATE_FAILED:
            self._lifecycle.failed(session.sandbox_id, clean(main.error))
        else:
            await self._lifecycle.supervisor_is_here(session.sandbox_id, main.instance_id)
        while (message := await call.receive(pb.SupervisorMessage)) is not None:
            self._board.heard(session)
            match message.WhichOneof("payload"):
                case "relay_open_result":
                    self._board.result(session, message.relay_open_result)
                case "relay_close":
                    self._board.supervisor_closes(session, message.relay_close)
                case "exec_ended":
                    ended = message.exec_ended
                    self._relaying.note_exit(session.sandbox_id, ended.channel_id, ended.how)
                case "heartbeat" if message.heartbeat.HasField("usage"):
                    self._board.usages.told(session.sandbox_id, message.heartbeat.usage)
                case "hello":
                    raise OpenShellError(Code.INVALID, "hello came a second time")
                case _:  # a heartbeat, or what a newer supervisor says and this gateway need not know
                    continue

    # --- relay streams --------------------------------------------------------------------------------------------

    async def relay(self, caller: Caller) -> None:
        """One RelayStream: claim, lend, and say how it went if nobody did."""
        call = caller.call
        frame = call.parse(pb.RelayFrame, await first_message(call, "the init message", self._first_timeout))
        if frame.WhichOneof("payload") != "init":
            raise OpenShellError(Code.INVALID, "the first message of the stream is not init")
        line = self._board.claim(frame.init.channel_id, caller.principal.sandbox_id, call, frame.init.features)
        try:
            await line.released.wait()
        except asyncio.CancelledError:
            self._board.finish(line, Cause.FAR_LOST, "the supervisor went away")
            raise
        closed = line.over.result()
        if not call.finished and VERDICTS[closed.cause].code is not None:
            raise line_error(line, closed)

    # --- the main process and the token ---------------------------------------------------------------------------

    async def report_exit(
        self, request: pb.ReportMainProcessExitRequest, caller: Caller
    ) -> pb.ReportMainProcessExitResponse:
        """The main process has ended; its last output is still on its way."""
        record = self._own(caller, Action.REPORT_MAIN_PROCESS_EXIT, request.sandbox_id)
        await self._lifecycle.main_process_exited(record.id, request.instance_id, request.exit_code)
        return pb.ReportMainProcessExitResponse()

    async def finalize_exit(
        self, request: pb.FinalizeMainProcessExitRequest, caller: Caller
    ) -> pb.FinalizeMainProcessExitResponse:
        """All output of the main process is in: the sandbox comes to rest."""
        record = self._own(caller, Action.FINALIZE_MAIN_PROCESS_EXIT, request.sandbox_id)
        if record.exit_code is None or record.instance_id != request.instance_id:
            raise OpenShellError(Code.PRECONDITION, "no exit of this run of the main process was reported")
        self._lifecycle.main_process_is_over(record.id)
        return pb.FinalizeMainProcessExitResponse()

    async def issue_token(self, _request: pb.IssueSandboxTokenRequest, caller: Caller) -> pb.IssueSandboxTokenResponse:
        """A fresh token for the caller's own sandbox."""
        record = self._own(caller, Action.ISSUE_SANDBOX_TOKEN)
        token, ends_at = self._tokens.issue(record.id, self._trail.wall())
        return pb.IssueSandboxTokenResponse(token=token, expiration_time=timestamp(ends_at))

    async def refresh_token(
        self, _request: pb.RefreshSandboxTokenRequest, caller: Caller
    ) -> pb.RefreshSandboxTokenResponse:
        """As `issue_token`; the same token under both of its names."""
        record = self._own(caller, Action.REFRESH_SANDBOX_TOKEN)
        token, ends_at = self._tokens.issue(record.id, self._trail.wall())
        live = self._board.switchboard.sessions.live(record.id)
        return pb.RefreshSandboxTokenResponse(
            token=token,
            expiration_time=timestamp(ends_at),
            sandbox_token=token,
            sandbox_expiration_time=timestamp(ends_at),
            session_id="" if live is None else live.session_id,
        )

    def _own(self, caller: Caller, action: Action, sandbox_id: str = "") -> SandboxRecord:
        caller.may(action, sandbox_id)
        record = self._registry.get(caller.principal.sandbox_id)
        if record is None or record.deleted_at is not None:
            raise OpenShellError(Code.NOT_FOUND, "this sandbox does not exist any more")
        return record
