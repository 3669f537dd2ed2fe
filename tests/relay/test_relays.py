"""The relay table itself: whole, and CLAIMED is left by closing alone."""

from __future__ import annotations

from pyopenshell.relay.relays import TRANSITIONS, Event, State


def test_every_state_has_a_row_and_every_event_a_use() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


def test_a_claim_is_final() -> None:
    assert TRANSITIONS[State.CLAIMED] == {}


def test_every_other_state_can_be_claimed() -> None:
    for state in set(State) - {State.CLAIMED}:
        assert TRANSITIONS[state][Event.CLAIM] is State.CLAIMED
