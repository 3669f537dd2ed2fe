"""Sessions: the transition table row by row, heartbeats, grace, supersession."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.relay.sessions import GRACE, HEARTBEAT_DEADLINE, TRANSITIONS, Event, Link, Session, Sessions

BOX = "box"


def session(name: str = "s1", *, instance: str = "i", epoch: int = 0) -> Session:
    return Session(name, BOX, instance, epoch)


def test_the_table_names_every_state() -> None:
    assert set(TRANSITIONS) == set(Link)
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


def test_absent_live_grace_absent() -> None:
    sessions = Sessions()
    one = session()
    assert sessions.link(BOX) is Link.ABSENT
    assert sessions.accept(one, 0.0) is None
    assert sessions.link(BOX) is Link.LIVE
    assert sessions.live(BOX) is one
    assert sessions.lost(one, 1.0)
    assert sessions.link(BOX) is Link.GRACE
    assert sessions.live(BOX) is None
    assert sessions.next_deadline() == 1.0 + GRACE
    assert sessions.run_out(0.99 + GRACE) == []
    assert sessions.run_out(1.0 + GRACE) == [BOX]
    assert sessions.link(BOX) is Link.ABSENT
    assert repr(sessions) == "Sessions({})"


def test_coming_back_ends_the_grace() -> None:
    sessions = Sessions()
    one, two = session(), session("s2")
    sessions.accept(one, 0.0)
    sessions.lost(one, 1.0)
    assert sessions.accept(two, 2.0) is None
    assert sessions.run_out(100.0) == []
    assert sessions.live(BOX) is two


def test_silence_ends_a_session_and_any_message_moves_the_deadline() -> None:
    sessions = Sessions()
    one = session()
    sessions.accept(one, 0.0)
    sessions.heard(one, 4.0)
    assert sessions.silent(HEARTBEAT_DEADLINE) == []
    assert sessions.silent(4.0 + HEARTBEAT_DEADLINE) == [one]
    assert sessions.link(BOX) is Link.LIVE
    assert sessions.lost(one, 4.0 + HEARTBEAT_DEADLINE)


def test_a_newer_session_supersedes_and_the_older_is_heard_no_more() -> None:
    sessions = Sessions()
    one, two = session(), session("s2")
    sessions.accept(one, 0.0)
    assert sessions.accept(two, 1.0) is one
    sessions.heard(one, 10.0)
    assert sessions.silent(1.0 + HEARTBEAT_DEADLINE) == [two]
    assert not sessions.lost(one, 2.0)
    assert sessions.live(BOX) is two


def test_an_older_connection_of_the_same_process_is_refused() -> None:
    sessions = Sessions()
    sessions.accept(session("s2", epoch=2), 0.0)
    with pytest.raises(OpenShellError) as caught:
        sessions.accept(session("s1", epoch=1), 1.0)
    assert caught.value.code is Code.CONFLICT
    assert sessions.accept(session("s3", epoch=2), 1.0) is not None
    assert sessions.accept(session("s4", instance="other", epoch=0), 1.0) is not None


def test_expect_waits_for_a_supervisor_that_was_there_before_the_restart() -> None:
    sessions = Sessions()
    sessions.expect(BOX, 5.0)
    assert sessions.link(BOX) is Link.GRACE
    assert sessions.run_out(5.0 + GRACE) == [BOX]


def test_expect_does_not_touch_a_live_session() -> None:
    sessions = Sessions()
    one = session()
    sessions.accept(one, 0.0)
    sessions.expect(BOX, 1.0)
    assert sessions.link(BOX) is Link.LIVE
    assert sessions.run_out(100.0) == []


@pytest.mark.parametrize("live", [True, False])
def test_forget(live: bool) -> None:
    sessions = Sessions()
    one = session()
    sessions.accept(one, 0.0)
    if not live:
        sessions.lost(one, 1.0)
    assert sessions.forget(BOX) is (one if live else None)
    assert sessions.link(BOX) is Link.ABSENT
    assert not sessions.lost(one, 2.0)
    assert sessions.next_deadline() is None
