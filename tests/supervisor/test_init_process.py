from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code
from pyopenshell.supervisor.init_process import DialError, Exit, Process, StartError


class Asker:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def acknowledge(self, pid: int) -> None:
        self.calls.append(("ack", pid))

    def end_input(self, pid: int) -> None:
        self.calls.append(("end_input", pid))

    async def send_signal(self, pid: int, number: int, group: bool) -> None:
        self.calls.append(("signal", pid, number, group))


@pytest.mark.parametrize(("how", "status"), [(Exit(), 0), (Exit(7), 7), (Exit(signal=15), 143)])
def test_a_status_is_what_a_shell_says(how: Exit, status: int) -> None:
    assert how.status == status


def test_errors_have_their_codes_and_numbers() -> None:
    assert (StartError("x", 2).code, StartError("x", 2).errno) == (Code.PRECONDITION, 2)
    assert (DialError("x", 111).code, DialError("x", 111).errno) == (Code.UNAVAILABLE, 111)


async def test_a_wait_acknowledges_and_a_cancelled_one_does_not() -> None:
    asker = Asker()
    process = Process(5, "main", False, asker, asyncio.get_running_loop().create_future())
    waiting = asyncio.create_task(process.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asker.calls == []
    process.exited.set_result(Exit(1))
    assert await process.wait() == Exit(1)
    await process.signal(9)
    await process.signal(15, group=False)
    assert asker.calls == [("ack", 5), ("signal", 5, 9, True), ("signal", 5, 15, False)]
    assert "5" in repr(process)


async def test_the_end_of_input_is_asked_of_init() -> None:
    asker = Asker()
    Process(5, "", False, asker, asyncio.get_running_loop().create_future()).end_input()
    assert asker.calls == [("end_input", 5)]
