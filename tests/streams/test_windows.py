from __future__ import annotations

from collections.abc import Callable

from pyopenshell.streams.windows import (
    ADMITTED,
    GROWN,
    INITIAL,
    MEASURE_EVERY,
    Growth,
    StreamWindow,
    WindowBudget,
)


def test_a_window_is_small_until_admission() -> None:
    budget = WindowBudget()
    window = StreamWindow(budget)
    assert window.size == budget.used == INITIAL
    assert window.adjust() is None
    assert window.measured(INITIAL) is None
    assert window.admit() == ADMITTED
    assert window.admit() is None
    assert budget.used == ADMITTED
    window.release()
    window.release()
    assert budget.used == 0
    assert window.adjust() is None


def test_a_window_that_was_nearly_filled_in_a_round_trip_doubles_up_to_its_end() -> None:
    window = StreamWindow(WindowBudget())
    window.admit()
    assert window.measured(ADMITTED * 2 // 3 - 1) is None
    sizes = []
    while (size := window.measured(window.size)) is not None:
        sizes.append(size)
    assert sizes == [2 * ADMITTED, 4 * ADMITTED, GROWN]


def test_without_room_an_admitted_window_stays_small_until_there_is_some() -> None:
    budget = WindowBudget(limit=ADMITTED + INITIAL)
    first, second = StreamWindow(budget), StreamWindow(budget)
    assert first.admit() == ADMITTED
    assert budget.pressed
    assert second.admit() is None
    assert second.adjust() is None
    first.release()
    assert second.adjust() == ADMITTED
    assert budget.used == ADMITTED


def test_under_pressure_a_grown_window_goes_back() -> None:
    budget = WindowBudget(limit=4 * ADMITTED)
    window = StreamWindow(budget)
    window.admit()
    assert window.measured(ADMITTED) == 2 * ADMITTED
    assert window.measured(2 * ADMITTED) is None  # it would leave no room for an admission
    assert window.adjust() is None
    others = [StreamWindow(budget) for _ in range(3)]
    assert [other.admit() for other in others] == [ADMITTED, None, None]
    assert window.adjust() == ADMITTED
    assert others[1].adjust() is None or budget.used <= budget.limit
    assert "of 4194304" in repr(budget)


class Stream:
    def __init__(self, budget: WindowBudget, *, admitted: bool) -> None:
        self.window = StreamWindow(budget)
        self.sizes: list[int | None] = []
        if admitted:
            self.window.admit()

    def set_window(self, size: int | None) -> None:
        self.sizes.append(size)


def test_growth_measures_one_round_trip_at_a_time() -> None:
    asked: list[Callable[[], None]] = []
    growth = Growth(asked.append)
    budget = WindowBudget()
    fast, slow, new = (Stream(budget, admitted=yes) for yes in (True, True, False))
    assert growth.due(1.0)
    growth.measure([fast, slow, new], 1.0)
    assert not growth.due(10.0)
    fast.window.received += ADMITTED
    slow.window.received += 10
    asked.pop()()
    assert (fast.sizes, slow.sizes, new.sizes) == ([2 * ADMITTED], [None], [])
    assert not growth.due(1.0 + MEASURE_EVERY / 2)
    assert growth.due(1.0 + MEASURE_EVERY * 1.01)


def test_growth_asks_nothing_when_nothing_may_grow() -> None:
    asked: list[Callable[[], None]] = []
    growth = Growth(asked.append)
    growth.measure([Stream(WindowBudget(), admitted=False)], 1.0)
    assert asked == []
    assert growth.due(2.0)
