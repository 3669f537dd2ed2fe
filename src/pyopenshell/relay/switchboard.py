"""The switchboard: who asked for a relay, who takes it, and what ends it. Books only; the gateway acts on what it says.

A session that is lost or superseded sends the relays that nobody claimed yet back to WAITING (relays.py), so that the
next session gets them; claimed ones have a connection of their own to live and die by.

Every method is told the time and returns acts, in the order in which they are to be done. A relay that hangs on
something that can be revoked (a token, a sandbox) says so in `ties`; `cut` ends all that hang on one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import new_id
from pyopenshell.relay.deadlines import Deadlines
from pyopenshell.relay.limits import Counters
from pyopenshell.relay.outcomes import Cause
from pyopenshell.relay.relays import (
    TRANSITIONS,
    Act,
    Closed,
    Dialled,
    EndSession,
    Event,
    GraceOver,
    Relay,
    Request,
    SendClose,
    SendOpen,
    State,
)
from pyopenshell.relay.sessions import Link, Session, Sessions

CLAIM_TIMEOUT = 10.0  # seconds, wire contract: a relay that is not claimed by then is DEADLINE_EXCEEDED


class Switchboard:
    """All relays and sessions of one gateway."""

    def __init__(
        self,
        sessions: Sessions | None = None,
        claim_timeout: float = CLAIM_TIMEOUT,
        new_channel_id: Callable[[], str] = new_id,
    ) -> None:
        self.sessions = Sessions() if sessions is None else sessions
        self.counters = Counters()
        self._claim_timeout = claim_timeout
        self._new_channel_id = new_channel_id
        self._relays: dict[str, Relay] = {}
        self._tied: dict[str, set[str]] = {}
        self._claims: Deadlines[str] = Deadlines()
        self._ends: Deadlines[str] = Deadlines()

    # --- sessions -------------------------------------------------------------------------------------------------

    def connect(self, session: Session, now: float) -> list[Act]:
        """A supervisor said hello. Raises CONFLICT when a newer connection of the same process is here."""
        older = self.sessions.accept(session, now)
        acts: list[Act] = []
        if older is not None:
            acts.append(EndSession(older, "superseded by a newer session", Code.CONFLICT))
            self._return(session.sandbox_id)
        for relay in self._unclaimed(session.sandbox_id):
            acts.append(self._send(relay, session, now))
        return acts

    def disconnect(self, session: Session, now: float) -> None:
        """The control stream of this session ended."""
        if self.sessions.lost(session, now):
            self._return(session.sandbox_id)

    def forget(self, sandbox_id: str, detail: str = "") -> list[Act]:
        """The sandbox is stopped, deleted or has ended: its relays and its session end, and nothing is waited for."""
        acts: list[Act] = list(self.cut(sandbox_id, Cause.SANDBOX_GONE, detail))
        session = self.sessions.forget(sandbox_id)
        if session is not None:
            acts.append(EndSession(session, detail or "the sandbox is no longer running"))
        return acts

    # --- relays ---------------------------------------------------------------------------------------------------

    def open(self, request: Request, now: float) -> tuple[Relay, list[Act]]:
        """A caller who was admitted wants a relay. Raises EXHAUSTED (a limit) or UNAVAILABLE (no supervisor)."""
        if self.sessions.link(request.sandbox_id) is Link.ABSENT:
            raise OpenShellError(
                Code.UNAVAILABLE,
                f"sandbox '{request.sandbox}': its supervisor is not connected",
                hint=f"openshell sandbox get {request.sandbox}",
            )
        self.counters.take(request.places)
        relay = Relay(self._new_channel_id(), request, now)
        self._relays[relay.channel_id] = relay
        for tie in (request.sandbox_id, *request.ties):
            self._tied.setdefault(tie, set()).add(relay.channel_id)
        if request.ends_at is not None:
            self._ends.set(relay.channel_id, request.ends_at)
        session = self.sessions.live(request.sandbox_id)
        return relay, [] if session is None else [self._send(relay, session, now)]

    def result(
        self,
        session: Session,
        channel_id: str,
        *,
        success: bool,
        error: str = "",
        code: Code | None = None,
        features: tuple[int, ...] = (),
    ) -> list[Act]:
        """The supervisor said whether the target is connected. Late, doubled or another sandbox's: no acts."""
        relay = self._relays.get(channel_id)
        if relay is None or relay.request.sandbox_id != session.sandbox_id or relay.state is State.CLAIMED:
            return []
        if not success:
            return [self._close(relay, Cause.TARGET, error, code)]
        self._move(relay, Event.DIAL)
        return [Dialled(relay, features)]

    def claim(self, channel_id: str, sandbox_id: str) -> Relay:
        """A RelayStream of this sandbox's supervisor takes the relay; no second one can.

        Raises NOT_FOUND (unknown, ended, or claimed before) and FORBIDDEN (another sandbox's).
        """
        relay = self._relays.get(channel_id)
        if relay is not None and relay.request.sandbox_id != sandbox_id:
            raise OpenShellError(Code.FORBIDDEN, "this relay belongs to another sandbox")
        if relay is None or Event.CLAIM not in TRANSITIONS[relay.state]:
            raise OpenShellError(
                Code.NOT_FOUND, f"relay {channel_id[:64]!r} is unknown, has ended or was claimed before"
            )
        self._move(relay, Event.CLAIM)
        self._claims.clear(channel_id)
        return relay

    def drop(self, channel_id: str, cause: Cause, detail: str = "") -> list[Act]:
        """A relay ended by itself or its caller went away. Told to the supervisor unless it holds the stream itself."""
        relay = self._relays.get(channel_id)
        if relay is None:
            return []
        session = self.sessions.live(relay.request.sandbox_id)
        unclaimed = relay.state in (State.OPENING, State.DIALLED)
        closed = self._close(relay, cause, detail)
        if unclaimed and session is not None:
            return [closed, SendClose(session, channel_id, detail or cause.value)]
        return [closed]

    def supervisor_closes(self, session: Session, channel_id: str, reason: str) -> list[Act]:
        """RelayClose from a supervisor: it will not, or no longer, serve this relay."""
        relay = self._relays.get(channel_id)
        if relay is None or relay.request.sandbox_id != session.sandbox_id:
            return []
        return [self._close(relay, Cause.FAR_LOST if relay.state is State.CLAIMED else Cause.TARGET, reason)]

    def cut(self, tie: str, cause: Cause, detail: str = "") -> list[Act]:
        """End every relay that hangs on `tie`: a token's hash, a sandbox's id."""
        acts: list[Act] = []
        for channel_id in sorted(self._tied.get(tie, ())):
            acts += self.drop(channel_id, cause, detail)
        return acts

    def relays(self, sandbox_id: str = "") -> list[Relay]:
        """Relays that live now, of one sandbox or of all, oldest first."""
        if sandbox_id:
            found: Iterable[Relay] = (self._relays[c] for c in self._tied.get(sandbox_id, ()))
            return sorted(found, key=lambda relay: relay.opened_at)
        return list(self._relays.values())

    # --- time -----------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> list[Act]:
        """Everything that is due by `now`."""
        acts: list[Act] = []
        for session in self.sessions.silent(now):
            acts.append(EndSession(session, "no heartbeat came in time"))
            self.disconnect(session, now)
        for channel_id in self._claims.due(now):
            acts += self.drop(channel_id, Cause.UNCLAIMED)
        for channel_id in self._ends.due(now):
            acts += self.drop(channel_id, Cause.EXPIRED)
        for sandbox_id in self.sessions.run_out(now):
            for relay in self._unclaimed(sandbox_id):
                acts.append(self._close(relay, Cause.NO_SUPERVISOR, ""))
            acts.append(GraceOver(sandbox_id))
        return acts

    def next_deadline(self) -> float | None:
        """When `expire` is to be called next, if nothing happens before."""
        times = [self.sessions.next_deadline(), self._claims.next(), self._ends.next()]
        return min((at for at in times if at is not None), default=None)

    # --- books ----------------------------------------------------------------------------------------------------

    def _unclaimed(self, sandbox_id: str) -> list[Relay]:
        return [relay for relay in self.relays(sandbox_id) if relay.state is not State.CLAIMED]

    def _return(self, sandbox_id: str) -> None:
        for relay in self._unclaimed(sandbox_id):
            self._claims.clear(relay.channel_id)
            self._move(relay, Event.RETURN)

    def _send(self, relay: Relay, session: Session, now: float) -> SendOpen:
        self._move(relay, Event.SEND)
        self._claims.set(relay.channel_id, now + self._claim_timeout)
        return SendOpen(session, relay)

    def _move(self, relay: Relay, event: Event) -> None:
        relay.state = TRANSITIONS[relay.state].get(event, relay.state)

    def _close(self, relay: Relay, cause: Cause, detail: str, code: Code | None = None) -> Closed:
        del self._relays[relay.channel_id]
        self._claims.clear(relay.channel_id)
        self._ends.clear(relay.channel_id)
        for tie in (relay.request.sandbox_id, *relay.request.ties):
            tied = self._tied[tie]
            tied.discard(relay.channel_id)
            if not tied:
                del self._tied[tie]
        self.counters.give_back(relay.request.places)
        return Closed(relay, cause, detail, code)

    def __repr__(self) -> str:
        rows = ", ".join(f"{relay.channel_id}: {relay.state.value}" for relay in self._relays.values())
        return f"Switchboard({rows})"
