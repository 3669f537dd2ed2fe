"""Each state machine, for a fixed number of examples that are the same every time."""

from __future__ import annotations

import pytest

from tests.fuzz.machines import MACHINES, run

EXAMPLES = 15


@pytest.mark.parametrize("name", MACHINES)
def test_machine(name: str) -> None:
    run(MACHINES[name], EXAMPLES, derandomize=True)
