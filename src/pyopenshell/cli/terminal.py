"""The person's terminal while a command of a sandbox has it: raw mode, its size, and the local way out.

In raw mode every key goes to the sandbox, so there must be a way out that needs no answer from there: Enter, then `~.`, as
in ssh(1). The mode is restored whatever ends the block.
"""

from __future__ import annotations

import os
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyopenshell.model import TerminalSize

_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6  # places in the list of tcgetattr(3)
_SIZE_MAX = 0xFFFF  # winsize holds unsigned shorts, ioctl_tty(2)
ESCAPE = ord("~")
END_OF_LINE = b"\r\n"


def size_of(descriptor: int) -> TerminalSize:
    """Columns and rows; 80 by 24 where the terminal does not know."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return TerminalSize()
    if not size.columns or not size.lines:
        return TerminalSize()
    return TerminalSize(min(size.columns, _SIZE_MAX), min(size.lines, _SIZE_MAX))


@contextmanager
def raw(descriptor: int) -> Iterator[Callable[[], None]]:
    """Raw mode for the time of the block: cfmakeraw(3).

    Yields what sets it anew: a shell that stopped us has taken the terminal back to its own mode, and leaves it so in `fg`.
    """
    before = termios.tcgetattr(descriptor)
    mode = termios.tcgetattr(descriptor)
    mode[_IFLAG] &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
        | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
    )  # fmt: skip
    mode[_OFLAG] &= ~termios.OPOST
    mode[_LFLAG] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    mode[_CFLAG] = mode[_CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)

    def again() -> None:
        if in_foreground(descriptor):  # in `bg` it would stop us once more, SIGTTOU
            termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)

    try:
        yield again
    finally:
        try:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        except termios.error:
            pass  # the terminal is gone, and its mode with it


def in_foreground(descriptor: int) -> bool:
    """Whether reading this terminal would not stop us with SIGTTIN (tcgetpgrp(3))."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


class Escapes:
    """Finds `~.` at the start of a line in what is typed; `~~` there is one `~`. Sans-I/O.

    State: `_fresh` (at the start of a line) and `_held` (a `~` there that waits for the next key).
    """

    def __init__(self) -> None:
        self._fresh = True
        self._held = False

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to send on, and whether the person wants out."""
        out = bytearray()
        for byte in data:
            if self._held:
                self._held = False
                if byte == ord("."):
                    return bytes(out), True
                if byte != ESCAPE:
                    out.append(ESCAPE)
                out.append(byte)
                self._fresh = byte in END_OF_LINE
            elif self._fresh and byte == ESCAPE:
                self._held, self._fresh = True, False
            else:
                out.append(byte)
                self._fresh = byte in END_OF_LINE
        return bytes(out), False
