"""The switchboard at work: it gives the rules the time, does what they say, and lets calls wait for each other.

A caller (`forward.py`, `exec.py`) opens a `Line` and waits for its far end; a supervisor's RelayStream (`supervisors.py`)
claims the line and lends its call until the line is over. Control messages go to a session's `Control`, whose one writer
sends them in order. The books of `relay/` change only between awaits; there is one timer, for the earliest deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.control import Control
from pyopenshell.gateway.lines import Far, Line, line_error
from pyopenshell.gateway.usages import Usages
from pyopenshell.relay.outcomes import VERDICTS, Cause
from pyopenshell.relay.relays import Act, Closed, Dialled, EndSession, GraceOver, Request, SendClose, SendOpen
from pyopenshell.relay.sessions import Session
from pyopenshell.relay.switchboard import Switchboard
from pyopenshell.streams.grpc_server import Call
from pyopenshell.wire import convert
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import clean, status_of

IDLE = 5.0  # seconds without a relay: a person at a terminal, or a script between two commands, is faster
REASON_MAX = 500  # characters of a supervisor's reason that are passed on

#: What a supervisor's own code for a failed dial is answered as; anything else is UNAVAILABLE.
_FAILURES: dict[int, Code] = {status_of(code): code for code in (Code.INVALID, Code.PRECONDITION, Code.EXHAUSTED)}


class Board:
    """All live relays and sessions. `on_grace_over(sandbox_id)` is called when a supervisor stayed away for the grace.

    `on_closed(line, closed)` is called once for every relay that was opened, with how it ended; `on_idle()` when none has
    lived for IDLE seconds after the last one.
    """

    def __init__(self, switchboard: Switchboard, *, idle_after: float = IDLE) -> None:
        self.switchboard = switchboard
        self._idle_after = idle_after
        self._loop = asyncio.get_running_loop()
        self._lines: dict[str, Line] = {}
        self._controls: dict[str, Control] = {}
        self.usages = Usages(self._ask)
        self._timer: asyncio.TimerHandle | None = None
        self.on_grace_over: Callable[[str], None] | None = None
        self.on_closed: Callable[[Line, Closed], None] | None = None
        self.on_idle: Callable[[], None] | None = None
        self._idle: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The time, on the clock that all of this runs by."""
        return self._loop.time()

    # --- supervisors ----------------------------------------------------------------------------------------------

    def connect(self, session: Session) -> Control:
        """A supervisor said hello; what its stream is to be told. Raises CONFLICT (a newer one is here)."""
        acts = self.switchboard.connect(session, self.now())
        control = self._controls[session.session_id] = Control()
        # SessionAccepted is the first word on the stream, before any open that waited for this session.
        accepted = pb.SessionAccepted(session_id=session.session_id)
        accepted.heartbeat_interval.FromTimedelta(timedelta(seconds=self.switchboard.sessions.interval))
        control.put(pb.GatewayMessage(session_accepted=accepted))
        self._do(acts)
        return control

    def heard(self, session: Session) -> None:
        """Anything arrived on the control stream."""
        self.switchboard.sessions.heard(session, self.now())

    def disconnect(self, session: Session) -> None:
        """The control stream ended."""
        self._controls.pop(session.session_id, None)
        self.switchboard.disconnect(session, self.now())
        self._do([])

    def _ask(self, sandbox_id: str, message: pb.GatewayMessage) -> bool:
        live = self.switchboard.sessions.live(sandbox_id)
        control = None if live is None else self._controls.get(live.session_id)
        if control is not None:
            control.put(message)
        return control is not None

    def expect(self, sandbox_id: str) -> None:
        """A supervisor of this sandbox is on its way: opens wait for it."""
        self.switchboard.sessions.expect(sandbox_id, self.now())
        self._do([])

    def result(self, session: Session, message: pb.RelayOpenResult) -> None:
        """RelayOpenResult of a supervisor."""
        self._do(
            self.switchboard.result(
                session,
                message.channel_id,
                success=message.success,
                error=clean(message.error, REASON_MAX),
                code=_FAILURES.get(message.failure),
                features=tuple(message.features),
            )
        )

    def supervisor_closes(self, session: Session, message: pb.RelayClose) -> None:
        """RelayClose of a supervisor."""
        self._do(self.switchboard.supervisor_closes(session, message.channel_id, clean(message.reason, REASON_MAX)))

    def claim(self, channel_id: str, sandbox_id: str, call: Call, features: Sequence[int]) -> Line:
        """A RelayStream takes the relay: the line, whose `released` tells when the call is free. NOT_FOUND, FORBIDDEN."""
        self.switchboard.claim(channel_id, sandbox_id)
        line = self._lines[channel_id]
        line.claimed.set_result(Far(call, frozenset(features) or line.features))
        self._schedule()
        return line

    # --- callers --------------------------------------------------------------------------------------------------

    def open(self, request: Request) -> Line:
        """Ask for a relay. Raises EXHAUSTED, UNAVAILABLE. Whoever opened it must `finish` it."""
        relay, acts = self.switchboard.open(request, self.now())
        line = Line(relay, self._loop.create_future(), self._loop.create_future(), asyncio.Event())
        self._lines[relay.channel_id] = line
        self._stop_idle()
        self._do(acts)
        return line

    def finish(self, line: Line, cause: Cause, reason: str = "") -> None:
        """The line ended by itself; of one that is over already: nothing."""
        self._do(self.switchboard.drop(line.channel_id, cause, reason))

    # --- ends from outside ----------------------------------------------------------------------------------------

    def cut(self, tie: str, cause: Cause) -> None:
        """End every relay that hangs on `tie`."""
        self._do(self.switchboard.cut(tie, cause))

    def forget(self, sandbox_id: str, detail: str) -> None:
        """The sandbox runs no longer: end its relays and its session."""
        self._do(self.switchboard.forget(sandbox_id, detail))

    def lines(self, sandbox_id: str = "") -> list[Line]:
        """Lines that live now, of one sandbox or of all."""
        return [self._lines[relay.channel_id] for relay in self.switchboard.relays(sandbox_id)]

    async def idle(self, timeout: float) -> None:
        """Wait until no relay lives, for at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self._lines:
                    await asyncio.wait([line.over for line in self._lines.values()])
        except TimeoutError:
            return

    def close(self) -> None:
        """The gateway stops: end every relay and every session."""
        for line in self.lines():
            self._do(self.switchboard.drop(line.channel_id, Cause.GATEWAY_STOPS))
        for control in self._controls.values():
            control.end(OpenShellError(Code.UNAVAILABLE, "the gateway is stopping"))
        self._stop_idle()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- acts -----------------------------------------------------------------------------------------------------

    def _do(self, acts: Sequence[Act]) -> None:
        for act in acts:
            match act:
                case SendOpen(session, relay):
                    message = pb.RelayOpen(channel_id=relay.channel_id)
                    convert.put_target(message, relay.request.target)
                    self._say(session, pb.GatewayMessage(relay_open=message))
                case SendClose(session, channel_id, reason):
                    close = pb.RelayClose(channel_id=channel_id, reason=reason)
                    self._say(session, pb.GatewayMessage(relay_close=close))
                case Dialled(relay, features):
                    self._lines[relay.channel_id].features = frozenset(features)
                case Closed():
                    self._closed(act)
                case EndSession(session, reason, code):
                    control = self._controls.pop(session.session_id, None)
                    if control is not None:
                        control.end(OpenShellError(code, reason))
                case GraceOver(sandbox_id):
                    if self.on_grace_over is not None:
                        self.on_grace_over(sandbox_id)
        self._schedule()

    def _say(self, session: Session, message: pb.GatewayMessage) -> None:
        control = self._controls.get(session.session_id)
        if control is not None:
            control.put(message)

    def _closed(self, closed: Closed) -> None:
        line = self._lines.pop(closed.relay.channel_id)
        if not line.claimed.done():
            if VERDICTS[closed.cause].code is None:
                line.claimed.cancel()
            else:
                line.claimed.set_exception(line_error(line, closed))
                line.claimed.exception()  # looked at: whoever opened it may be gone
        line.over.set_result(closed)
        if self.on_closed is not None:
            self.on_closed(line, closed)
        if not self._lines and self.on_idle is not None:
            self._stop_idle()
            self._idle = self._loop.call_later(self._idle_after, self.on_idle)

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _schedule(self) -> None:
        at = self.switchboard.next_deadline()
        if self._timer is not None:
            if at == self._timer.when():
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._do(self.switchboard.expire(self.now()))
