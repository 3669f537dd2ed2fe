"""Deadlines: order, replacement, removal, and that old entries never surface."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.relay.deadlines import Deadlines


def test_due_takes_out_what_is_due_oldest_first() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("b", 2.0)
    deadlines.set("a", 1.0)
    deadlines.set("c", 3.0)
    assert deadlines.next() == 1.0
    assert deadlines.due(2.0) == ["a", "b"]
    assert deadlines.due(2.0) == []
    assert deadlines.next() == 3.0
    assert len(deadlines) == 1


def test_setting_again_moves_it() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.set("a", 5.0)
    assert deadlines.due(4.9) == []
    assert deadlines.due(5.0) == ["a"]


def test_setting_again_earlier_moves_it() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 5.0)
    deadlines.set("a", 1.0)
    assert deadlines.due(1.0) == ["a"]
    assert deadlines.due(9.0) == []


def test_clear_is_silent_for_unknown_names() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.set("b", 1.0)
    deadlines.clear("a")
    deadlines.clear("nobody")
    assert deadlines.due(1.0) == ["b"]
    assert repr(deadlines) == "Deadlines(0, next=None)"


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 20))), max_size=60))
def test_agrees_with_a_dict(steps: list[tuple[int, int | None]]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, int] = {}
    for name, at in steps:
        if at is None:
            deadlines.clear(name)
            model.pop(name, None)
        else:
            deadlines.set(name, at)
            model[name] = at
        assert deadlines.next() == min(model.values(), default=None)
    assert set(deadlines.due(10)) == {name for name, at in model.items() if at <= 10}
    assert len(deadlines) == sum(at > 10 for at in model.values())
