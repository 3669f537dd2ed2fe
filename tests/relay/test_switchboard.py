"""The switchboard: opens, results, claims, supersession, grace, cuts, limits, and time, all on given numbers."""

from __future__ import annotations

from itertools import count

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import SshTarget
from pyopenshell.relay.limits import Place
from pyopenshell.relay.outcomes import Cause
from pyopenshell.relay.relays import (
    Closed,
    Dialled,
    EndSession,
    GraceOver,
    Request,
    SendClose,
    SendOpen,
    State,
)
from pyopenshell.relay.sessions import GRACE, HEARTBEAT_DEADLINE, Link, Session
from pyopenshell.relay.switchboard import CLAIM_TIMEOUT, Switchboard

ONE = Session("s1", "box")
TWO = Session("s2", "box")
OTHER = Session("s9", "other")


def board() -> Switchboard:
    numbers = count(1)
    return Switchboard(new_channel_id=lambda: f"c{next(numbers)}")


def request(*, sandbox_id: str = "box", ends_at: float | None = None, limit: int = 0) -> Request:
    places = (Place("token t", limit, "this session's token"),) if limit else ()
    return Request(sandbox_id, "web", SshTarget(), "alice", places, ("t",), ends_at)


def connected() -> Switchboard:
    switchboard = board()
    assert switchboard.connect(ONE, 0.0) == []
    return switchboard


def test_open_dial_claim_end() -> None:
    switchboard = connected()
    relay, acts = switchboard.open(request(), 1.0)
    assert acts == [SendOpen(ONE, relay)]
    assert relay.state is State.OPENING
    assert switchboard.result(ONE, "c1", success=True, features=(1,)) == [Dialled(relay, (1,))]
    assert relay.state is State.DIALLED
    assert switchboard.claim("c1", "box") is relay
    assert relay.state is State.CLAIMED
    assert repr(switchboard) == "Switchboard(c1: claimed)"
    assert switchboard.drop("c1", Cause.BOTH_ENDED) == [Closed(relay, Cause.BOTH_ENDED)]
    assert switchboard.relays() == []
    assert switchboard.drop("c1", Cause.NEAR_LOST) == []


def test_a_claim_may_overtake_the_result() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    assert switchboard.claim("c1", "box") is relay
    assert switchboard.result(ONE, "c1", success=True) == []
    assert switchboard.result(ONE, "c1", success=False, error="late") == []
    assert relay.state is State.CLAIMED


def test_target_that_cannot_be_dialled() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    acts = switchboard.result(ONE, "c1", success=False, error="connection refused", code=Code.EXHAUSTED)
    assert acts == [Closed(relay, Cause.TARGET, "connection refused", Code.EXHAUSTED)]


@pytest.mark.parametrize("channel_id", ["", "c2", "../c1", "c1\n"])
def test_a_claim_of_something_unknown(channel_id: str) -> None:
    switchboard = connected()
    switchboard.open(request(), 1.0)
    with pytest.raises(OpenShellError) as caught:
        switchboard.claim(channel_id, "box")
    assert caught.value.code is Code.NOT_FOUND


def test_a_second_claim_is_refused() -> None:
    switchboard = connected()
    switchboard.open(request(), 1.0)
    switchboard.claim("c1", "box")
    with pytest.raises(OpenShellError) as caught:
        switchboard.claim("c1", "box")
    assert caught.value.code is Code.NOT_FOUND


def test_another_sandboxes_claim_is_forbidden_and_leaves_the_relay() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    with pytest.raises(OpenShellError) as caught:
        switchboard.claim("c1", "other")
    assert caught.value.code is Code.FORBIDDEN
    assert switchboard.claim("c1", "box") is relay


def test_another_sandboxes_result_and_close_are_ignored() -> None:
    switchboard = connected()
    switchboard.connect(OTHER, 0.0)
    relay, _ = switchboard.open(request(), 1.0)
    assert switchboard.result(OTHER, "c1", success=False, error="mine") == []
    assert switchboard.supervisor_closes(OTHER, "c1", "mine") == []
    assert switchboard.supervisor_closes(ONE, "c7", "unknown") == []
    assert relay.state is State.OPENING


def test_unclaimed_relays_time_out_and_the_supervisor_is_told() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    switchboard.result(ONE, "c1", success=True)
    assert switchboard.next_deadline() == 1.0 + CLAIM_TIMEOUT
    assert switchboard.expire(0.99 + CLAIM_TIMEOUT) == []
    acts = switchboard.expire(1.0 + CLAIM_TIMEOUT)
    assert acts == [Closed(relay, Cause.UNCLAIMED), SendClose(ONE, "c1", "unclaimed")]
    with pytest.raises(OpenShellError, match="unknown"):
        switchboard.claim("c1", "box")


def test_a_caller_that_goes_away_before_the_claim() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    acts = switchboard.drop("c1", Cause.NEAR_LOST, "reset")
    assert acts == [Closed(relay, Cause.NEAR_LOST, "reset"), SendClose(ONE, "c1", "reset")]


def test_supervisor_closes_before_and_after_the_claim() -> None:
    switchboard = connected()
    first, _ = switchboard.open(request(), 1.0)
    second, _ = switchboard.open(request(), 1.0)
    switchboard.claim("c2", "box")
    assert switchboard.supervisor_closes(ONE, "c1", "no") == [Closed(first, Cause.TARGET, "no")]
    assert switchboard.supervisor_closes(ONE, "c2", "gone") == [Closed(second, Cause.FAR_LOST, "gone")]


def test_without_a_supervisor_it_is_unavailable() -> None:
    with pytest.raises(OpenShellError) as caught:
        board().open(request(), 0.0)
    assert caught.value.code is Code.UNAVAILABLE
    assert "'web'" in caught.value.message


def test_pending_opens_move_to_a_newer_session_and_claimed_ones_stay() -> None:
    switchboard = connected()
    opening, _ = switchboard.open(request(), 1.0)
    dialled, _ = switchboard.open(request(), 1.5)
    switchboard.open(request(), 2.0)
    switchboard.result(ONE, "c2", success=True)
    switchboard.claim("c3", "box")
    acts = switchboard.connect(TWO, 5.0)
    assert acts == [
        EndSession(ONE, "superseded by a newer session", Code.CONFLICT),
        SendOpen(TWO, opening),
        SendOpen(TWO, dialled),
    ]
    switchboard.disconnect(ONE, 5.1)
    assert switchboard.sessions.link("box") is Link.LIVE
    assert switchboard.next_deadline() == 5.0 + CLAIM_TIMEOUT


def test_opens_wait_in_the_grace_and_go_to_the_next_session() -> None:
    switchboard = connected()
    pending, _ = switchboard.open(request(), 1.0)
    switchboard.disconnect(ONE, 2.0)
    assert pending.state is State.WAITING
    waiting, acts = switchboard.open(request(), 3.0)
    assert acts == []
    assert switchboard.expire(2.0 + CLAIM_TIMEOUT) == []
    assert switchboard.connect(TWO, 14.0) == [SendOpen(TWO, pending), SendOpen(TWO, waiting)]


def test_the_end_of_the_grace_answers_those_who_wait() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    switchboard.open(request(), 1.0)
    switchboard.claim("c2", "box")
    switchboard.disconnect(ONE, 2.0)
    acts = switchboard.expire(2.0 + GRACE)
    assert acts == [Closed(relay, Cause.NO_SUPERVISOR), GraceOver("box")]
    with pytest.raises(OpenShellError):
        switchboard.open(request(), 30.0)


def test_a_claim_in_the_grace_is_taken() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    switchboard.disconnect(ONE, 2.0)
    assert switchboard.claim("c1", "box") is relay
    assert switchboard.connect(TWO, 3.0) == []


def test_a_caller_that_goes_away_while_it_waits() -> None:
    switchboard = connected()
    switchboard.disconnect(ONE, 1.0)
    relay, _ = switchboard.open(request(), 2.0)
    assert switchboard.drop("c1", Cause.NEAR_LOST) == [Closed(relay, Cause.NEAR_LOST)]


def test_missed_heartbeats_end_the_session() -> None:
    switchboard = connected()
    assert switchboard.expire(HEARTBEAT_DEADLINE) == [EndSession(ONE, "no heartbeat came in time")]
    assert switchboard.sessions.link("box") is Link.GRACE
    assert switchboard.next_deadline() == HEARTBEAT_DEADLINE + GRACE


@pytest.mark.parametrize("claimed", [True, False])
def test_a_token_that_expires_cuts_its_relays(claimed: bool) -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(ends_at=4.0), 1.0)
    if claimed:
        switchboard.claim("c1", "box")
    acts = switchboard.expire(4.0)
    assert acts[0] == Closed(relay, Cause.EXPIRED)
    assert acts[1:] == ([] if claimed else [SendClose(ONE, "c1", "expired")])


def test_a_cut_ends_all_that_hang_on_it_and_nothing_else() -> None:
    switchboard = connected()
    switchboard.connect(OTHER, 0.0)
    mine, _ = switchboard.open(request(), 1.0)
    switchboard.open(Request("other", "db", SshTarget(), "bob", (), ("u",)), 1.0)
    switchboard.claim("c1", "box")
    assert switchboard.cut("t", Cause.REVOKED) == [Closed(mine, Cause.REVOKED)]
    assert [relay.channel_id for relay in switchboard.relays()] == ["c2"]
    assert switchboard.cut("t", Cause.REVOKED) == []


def test_forget_ends_relays_and_session() -> None:
    switchboard = connected()
    relay, _ = switchboard.open(request(), 1.0)
    acts = switchboard.forget("box", "deleted")
    assert acts == [
        Closed(relay, Cause.SANDBOX_GONE, "deleted"),
        SendClose(ONE, "c1", "deleted"),
        EndSession(ONE, "deleted"),
    ]
    assert switchboard.forget("box") == []
    assert switchboard.next_deadline() is None


@pytest.mark.parametrize("end", ["result", "drop", "expire", "forget", "claim and drop"])
def test_every_way_out_gives_the_places_back(end: str) -> None:
    switchboard = connected()
    for _ in range(2):
        switchboard.open(request(limit=2), 1.0)
    with pytest.raises(OpenShellError) as caught:
        switchboard.open(request(limit=2), 1.0)
    assert caught.value.code is Code.EXHAUSTED
    match end:
        case "result":
            switchboard.result(ONE, "c1", success=False)
            switchboard.result(ONE, "c2", success=False)
        case "drop":
            switchboard.drop("c1", Cause.NEAR_LOST)
            switchboard.drop("c2", Cause.NEAR_LOST)
        case "expire":
            switchboard.expire(1.0 + CLAIM_TIMEOUT)
        case "forget":
            switchboard.forget("box")
        case _:
            for channel_id in ("c1", "c2"):
                switchboard.claim(channel_id, "box")
                switchboard.drop(channel_id, Cause.BOTH_ENDED)
    assert switchboard.counters.taken("token t") == 0
    assert switchboard.relays("box") == []


def test_relays_of_one_sandbox_oldest_first() -> None:
    switchboard = connected()
    switchboard.connect(OTHER, 0.0)
    switchboard.open(request(), 2.0)
    switchboard.open(request(sandbox_id="other"), 1.0)
    switchboard.open(request(), 1.5)
    assert [relay.channel_id for relay in switchboard.relays("box")] == ["c3", "c1"]
    assert len(switchboard.relays()) == 3
