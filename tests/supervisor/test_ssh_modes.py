"""Terminal modes of a pty-req on a real PTY."""

from __future__ import annotations

import os
import pty
import termios

from pyopenshell.supervisor.ssh_modes import apply_modes

ECHO, ICANON, ICRNL, OPOST, IUTF8, VINTR, VEOF, ISPEED, NO_SUCH = 53, 51, 36, 70, 42, 1, 5, 128, 77


def test_modes_are_set_and_cleared() -> None:
    master, slave = pty.openpty()
    modes = {ECHO: 0, ICANON: 1, ICRNL: 0, OPOST: 0, IUTF8: 1, VINTR: 7, VEOF: 255, ISPEED: 38400, NO_SUCH: 1}
    apply_modes(master, modes)
    got = termios.tcgetattr(slave)
    assert not got[3] & termios.ECHO
    assert got[3] & termios.ICANON
    assert not got[0] & termios.ICRNL
    assert got[0] & 0o040000
    assert not got[1] & termios.OPOST
    assert got[6][termios.VINTR] == b"\x07"
    assert got[6][termios.VEOF] == b"\0"
    os.close(slave)
    os.close(master)


def test_no_modes_and_no_terminal_change_nothing() -> None:
    out, into = os.pipe()
    apply_modes(out, {})
    apply_modes(out, {ECHO: 0})
    os.close(out)
    os.close(into)
    apply_modes(out, {ECHO: 0})
