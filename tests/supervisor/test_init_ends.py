from __future__ import annotations

import os
import signal
import subprocess

from pyopenshell.linux.ids import single_ids
from pyopenshell.supervisor.init_ends import HANG_UP_GRACE, Ends
from pyopenshell.supervisor.init_loop import Loop
from pyopenshell.supervisor.init_table import Row, Table


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ended(*, label: str = "", terminal: bool = False, ignore: bool = False, kept: bool = False) -> int:
    """Abandon one process, let the grace pass; the signal that ended it, 0 for none."""
    clock, table = Clock(), Table()
    loop = Loop(print, clock)
    script = ("trap '' HUP; " if ignore else "") + "echo on; read x"
    with subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"on\n"
        row = Row(process.pid, label, None, terminal, [os.open("/", os.O_PATH)] if kept else [])
        table.add(row)
        Ends(loop, table, single_ids()).abandon()
        if not ignore and row.abandoned and not terminal:
            process.wait(30)
        clock.now += HANG_UP_GRACE
        loop.later(0, lambda: loop.stop(0))
        loop.run()
        if ignore:
            process.wait(30)
        found = -(process.poll() or 0)
        process.kill()
    table.forget(row)
    return found


def test_what_has_lost_its_near_side_is_hung_up_and_then_killed() -> None:
    assert ended() == signal.SIGHUP
    assert ended(ignore=True) == signal.SIGKILL


def test_what_is_kept_has_a_label_or_a_terminal_goes_on() -> None:
    assert ended(kept=True) == 0
    assert ended(label="main") == 0
    assert ended(terminal=True) == 0


def test_nobody_there_to_get_a_signal() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    loop = Loop(print)
    Ends(loop, Table(), single_ids()).kill(process.pid, signal.SIGTERM, group=False)
    loop.later(0, lambda: loop.stop(0))
    loop.run()
