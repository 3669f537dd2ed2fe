"""Supervisor sessions: which control stream speaks for a sandbox, and for how long a lost one is waited for.

One sandbox has one link, in one of three states:

    ABSENT  no supervisor, and none is waited for: opens answer UNAVAILABLE
    LIVE    a session; silence beyond the heartbeat deadline ends it
    GRACE   it was lost (or the gateway was started again) less than 15 s ago: opens wait

A newer session supersedes the older one. What is told by the caller is the event and the time; what comes back is what
changed, and the caller acts on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.relay.deadlines import Deadlines

HEARTBEAT_INTERVAL = 5.0  # seconds; a third of the deadline, so that one lost beat is forgiven
HEARTBEAT_DEADLINE = 15.0  # seconds of silence that end a session; VS Code's ConnectTimeout is 15
GRACE = 15.0  # seconds, wire contract: a lost session does not change the phase for so long


class Link(StrEnum):
    """State of a sandbox's link to its supervisor."""

    ABSENT = "absent"
    LIVE = "live"
    GRACE = "grace"


class Event(StrEnum):
    """What happens to a link."""

    ACCEPT = "accept"
    LOSE = "lose"
    EXPECT = "expect"
    RUN_OUT = "run_out"
    FORGET = "forget"


#: Every transition there is; an event that a state does not list changes nothing.
TRANSITIONS: dict[Link, dict[Event, Link]] = {
    Link.ABSENT: {Event.ACCEPT: Link.LIVE, Event.EXPECT: Link.GRACE},
    Link.LIVE: {Event.ACCEPT: Link.LIVE, Event.LOSE: Link.GRACE, Event.FORGET: Link.ABSENT},
    Link.GRACE: {
        Event.ACCEPT: Link.LIVE,
        Event.EXPECT: Link.GRACE,
        Event.RUN_OUT: Link.ABSENT,
        Event.FORGET: Link.ABSENT,
    },
}


@dataclass(frozen=True, slots=True)
class Session:
    """One control stream of one supervisor process. `epoch` counts the connections of that process."""

    session_id: str
    sandbox_id: str
    instance_id: str = ""
    epoch: int = 0


class Sessions:
    """The links of all sandboxes."""

    def __init__(
        self,
        interval: float = HEARTBEAT_INTERVAL,
        deadline: float = HEARTBEAT_DEADLINE,
        grace: float = GRACE,
    ) -> None:
        self.interval = interval
        self._deadline = deadline
        self._grace = grace
        self._links: dict[str, Link] = {}
        self._live: dict[str, Session] = {}
        self._silences: Deadlines[str] = Deadlines()
        self._graces: Deadlines[str] = Deadlines()

    def link(self, sandbox_id: str) -> Link:
        """State of this sandbox's link."""
        return self._links.get(sandbox_id, Link.ABSENT)

    def live(self, sandbox_id: str) -> Session | None:
        """The session that speaks for this sandbox now."""
        return self._live.get(sandbox_id)

    def accept(self, session: Session, now: float) -> Session | None:
        """`session` said hello: it speaks for its sandbox now. Returns the session that it supersedes, if any.

        Raises CONFLICT when it is an older connection of the very process that is already here.
        """
        older = self._live.get(session.sandbox_id)
        if older is not None and older.instance_id == session.instance_id and older.epoch > session.epoch:
            raise OpenShellError(Code.CONFLICT, "a newer session of this supervisor is connected")
        self._live[session.sandbox_id] = session
        self._move(session.sandbox_id, Event.ACCEPT)
        self._graces.clear(session.sandbox_id)
        self._silences.set(session.sandbox_id, now + self._deadline)
        return older

    def heard(self, session: Session, now: float) -> None:
        """Something arrived on this session's stream: its deadline moves. A superseded session is ignored."""
        if self._speaks(session):
            self._silences.set(session.sandbox_id, now + self._deadline)

    def lost(self, session: Session, now: float) -> bool:
        """The stream of this session ended. True when its sandbox is now waited for, False when it was superseded."""
        if not self._speaks(session):
            return False
        del self._live[session.sandbox_id]
        self._silences.clear(session.sandbox_id)
        self._move(session.sandbox_id, Event.LOSE)
        self._graces.set(session.sandbox_id, now + self._grace)
        return True

    def expect(self, sandbox_id: str, now: float) -> None:
        """The gateway was started, or starts a supervisor: wait for this sandbox's, unless it is here already."""
        if self.link(sandbox_id) is not Link.LIVE:
            self._move(sandbox_id, Event.EXPECT)
            self._graces.set(sandbox_id, now + self._grace)

    def forget(self, sandbox_id: str) -> Session | None:
        """The sandbox is stopped or deleted: nothing is waited for. Returns the session to end, if any."""
        self._silences.clear(sandbox_id)
        self._graces.clear(sandbox_id)
        self._move(sandbox_id, Event.FORGET)
        return self._live.pop(sandbox_id, None)

    def silent(self, now: float) -> list[Session]:
        """Sessions that missed their heartbeat deadline. The caller ends each stream and then reports it `lost`."""
        return [self._live[sandbox_id] for sandbox_id in self._silences.due(now)]

    def run_out(self, now: float) -> list[str]:
        """Sandboxes whose grace has ended: their opens answer UNAVAILABLE from now on."""
        sandbox_ids = self._graces.due(now)
        for sandbox_id in sandbox_ids:
            self._move(sandbox_id, Event.RUN_OUT)
        return sandbox_ids

    def next_deadline(self) -> float | None:
        """When `silent` or `run_out` will have something to say, if nothing happens before."""
        times = [at for at in (self._silences.next(), self._graces.next()) if at is not None]
        return min(times, default=None)

    def _speaks(self, session: Session) -> bool:
        return self._live.get(session.sandbox_id) is session

    def _move(self, sandbox_id: str, event: Event) -> None:
        link = TRANSITIONS[self.link(sandbox_id)].get(event, self.link(sandbox_id))
        if link is Link.ABSENT:
            self._links.pop(sandbox_id, None)
        else:
            self._links[sandbox_id] = link

    def __repr__(self) -> str:
        return f"Sessions({ {sandbox_id: link.value for sandbox_id, link in self._links.items()} })"
