"""One relay: its states, what moves it, what was asked for, and what the gateway is told to do about it.

    WAITING   admitted; no session now, its sandbox's supervisor is waited for
    OPENING   RelayOpen was sent on the session's control stream; 10 s to be claimed
    DIALLED   the supervisor said that the target is connected; the same 10 s still run
    CLAIMED   a RelayStream took it, once; bytes flow until one of the causes of outcomes.py

A relay that closes, from any state, is deleted. The books over all relays are in switchboard.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pyopenshell.errors import Code
from pyopenshell.model import Target
from pyopenshell.relay.limits import Place
from pyopenshell.relay.outcomes import Cause
from pyopenshell.relay.sessions import Session


class State(StrEnum):
    """State of a relay."""

    WAITING = "waiting"
    OPENING = "opening"
    DIALLED = "dialled"
    CLAIMED = "claimed"


class Event(StrEnum):
    """What moves a relay from one state to another; closing deletes the row from any state."""

    SEND = "send"
    RETURN = "return"
    DIAL = "dial"
    CLAIM = "claim"


#: Every transition there is. What is not here is late or doubled: it changes nothing, and a claim is refused.
TRANSITIONS: dict[State, dict[Event, State]] = {
    # A supervisor that reconnects may claim what it had dialled before RelayOpen reaches it a second time.
    State.WAITING: {Event.SEND: State.OPENING, Event.CLAIM: State.CLAIMED},
    # A claim is as good as a result: they travel on two streams, and one may overtake the other.
    State.OPENING: {Event.RETURN: State.WAITING, Event.DIAL: State.DIALLED, Event.CLAIM: State.CLAIMED},
    State.DIALLED: {Event.RETURN: State.WAITING, Event.CLAIM: State.CLAIMED},
    State.CLAIMED: {},
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, after admission: all that the switchboard needs to know of a caller.

    `ends_at` is when its token expires, on the clock of the caller's `now`; `ties` name what it hangs on.
    """

    sandbox_id: str
    sandbox: str
    target: Target
    principal: str
    places: tuple[Place, ...] = ()
    ties: tuple[str, ...] = ()
    ends_at: float | None = None


@dataclass(slots=True)
class Relay:
    """One row."""

    channel_id: str
    request: Request
    opened_at: float
    state: State = State.WAITING


@dataclass(frozen=True, slots=True)
class SendOpen:
    """Put RelayOpen for this relay on the session's control stream."""

    session: Session
    relay: Relay


@dataclass(frozen=True, slots=True)
class SendClose:
    """Tell the session that nobody wants this relay any more, so that it lets go of what it dialled."""

    session: Session
    channel_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dialled:
    """The target is connected; `features` are what the supervisor's result announced."""

    relay: Relay
    features: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The relay is no more. One that was never claimed is answered; of a claimed one both legs are cut.

    `code` is the supervisor's own, where it said more than that the target could not be dialled.
    """

    relay: Relay
    cause: Cause
    detail: str = ""
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class EndSession:
    """End this control stream; CONFLICT tells the supervisor that another one is in its place."""

    session: Session
    reason: str
    code: Code = Code.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class GraceOver:
    """The supervisor of this sandbox has been away for the whole grace."""

    sandbox_id: str


Act = SendOpen | SendClose | Dialled | Closed | EndSession | GraceOver
