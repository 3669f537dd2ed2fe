from __future__ import annotations

from pyopenshell.http2.limits import Limits
from pyopenshell.streams.windows import ADMITTED, GROWN, INITIAL, StreamWindow, WindowBudget


def filled(window: StreamWindow, now: float) -> int | None:
    """A round trip of 10 ms in which the reader takes all of the window; the new size."""
    assert window.taken(1, now)
    window.taken(window.size, now)
    return window.answered(now + 0.01, 0.01)


def test_the_engine_begins_with_the_same_size() -> None:
    assert Limits().initial_window == INITIAL


def test_a_window_is_small_until_admission() -> None:
    budget = WindowBudget()
    window = StreamWindow(budget)
    assert window.size == budget.used == INITIAL
    assert window.adjust() is None
    assert not window.taken(INITIAL, 0.0)
    assert window.answered(0.0, 0.01) is None
    assert window.admit(0.0) == ADMITTED
    assert window.admit(0.0) is None
    assert budget.used == ADMITTED
    window.release()
    window.release()
    assert budget.used == 0
    assert window.adjust() is None


def test_a_window_that_is_filled_in_a_round_trip_doubles_up_to_its_end() -> None:
    window = StreamWindow(WindowBudget())
    window.admit(0.0)
    sizes = [filled(window, float(second)) for second in range(1, 6)]
    assert sizes == [2 * ADMITTED, 4 * ADMITTED, 8 * ADMITTED, 16 * ADMITTED, GROWN]
    assert not window.taken(GROWN, 10.0)


def test_a_reader_that_takes_little_gets_no_more() -> None:
    window = StreamWindow(WindowBudget())
    window.admit(0.0)
    assert window.taken(1, 1.0)
    window.taken(100, 1.0)
    assert window.answered(1.01, 0.01) is None
    assert window.size == ADMITTED


def test_a_window_larger_than_the_line_is_not_made_larger_still() -> None:
    window = StreamWindow(WindowBudget())
    window.admit(0.0)
    assert window.taken(1, 1.0)
    window.taken(window.size, 1.0)
    assert window.answered(1.01, 0.004) is None, "most of it waited in front of the line"


def test_without_room_an_admitted_window_stays_small_until_there_is_some() -> None:
    budget = WindowBudget(limit=ADMITTED + INITIAL)
    first, second = StreamWindow(budget), StreamWindow(budget)
    assert first.admit(0.0) == ADMITTED
    assert budget.pressed
    assert second.admit(0.0) is None
    assert second.adjust() is None
    assert not second.taken(INITIAL, 1.0)
    first.release()
    assert second.adjust() == ADMITTED
    assert budget.used == ADMITTED


def test_under_pressure_a_grown_window_goes_back_and_may_grow_again() -> None:
    budget = WindowBudget(limit=4 * ADMITTED)
    window = StreamWindow(budget)
    window.admit(0.0)
    assert filled(window, 1.0) == 2 * ADMITTED
    assert filled(window, 2.0) is None  # it would leave no room for an admission
    assert window.adjust() is None
    others = [StreamWindow(budget) for _ in range(3)]
    assert [other.admit(0.0) for other in others] == [ADMITTED, None, None]
    assert window.adjust() == ADMITTED
    for other in others:
        other.release()
    assert filled(window, 10.0) == 2 * ADMITTED
    assert repr(budget) == f"<WindowBudget {2 * ADMITTED} of {4 * ADMITTED}>"
