"""Terminal modes of a pty-req (RFC 4254 section 8, RFC 8160), put on a PTY.

One table from opcode to the place in termios(3). Opcodes that Linux does not have, and speeds (a PTY has none), are skipped,
as OpenSSH does.
"""

from __future__ import annotations

import contextlib
import termios
from collections.abc import Mapping

_INPUT, _OUTPUT, _LOCAL = 0, 1, 3  # places in what tcgetattr answers

#: Opcode -> index of the control character.
_CHARACTERS = {
    1: termios.VINTR, 2: termios.VQUIT, 3: termios.VERASE, 4: termios.VKILL, 5: termios.VEOF, 6: termios.VEOL,
    7: termios.VEOL2, 8: termios.VSTART, 9: termios.VSTOP, 10: termios.VSUSP, 12: termios.VREPRINT, 13: termios.VWERASE,
    14: termios.VLNEXT, 18: termios.VDISCARD,
}  # fmt: skip

#: Opcode -> (place, flag).
_FLAGS = {
    30: (_INPUT, termios.IGNPAR), 31: (_INPUT, termios.PARMRK), 32: (_INPUT, termios.INPCK), 33: (_INPUT, termios.ISTRIP),
    34: (_INPUT, termios.INLCR), 35: (_INPUT, termios.IGNCR), 36: (_INPUT, termios.ICRNL), 38: (_INPUT, termios.IXON),
    39: (_INPUT, termios.IXANY), 40: (_INPUT, termios.IXOFF), 41: (_INPUT, termios.IMAXBEL),
    42: (_INPUT, 0o040000),  # IUTF8, which the termios module does not name
    50: (_LOCAL, termios.ISIG), 51: (_LOCAL, termios.ICANON), 53: (_LOCAL, termios.ECHO), 54: (_LOCAL, termios.ECHOE),
    55: (_LOCAL, termios.ECHOK), 56: (_LOCAL, termios.ECHONL), 57: (_LOCAL, termios.NOFLSH), 58: (_LOCAL, termios.TOSTOP),
    59: (_LOCAL, termios.IEXTEN), 60: (_LOCAL, termios.ECHOCTL), 61: (_LOCAL, termios.ECHOKE), 62: (_LOCAL, termios.PENDIN),
    70: (_OUTPUT, termios.OPOST), 72: (_OUTPUT, termios.ONLCR), 73: (_OUTPUT, termios.OCRNL), 74: (_OUTPUT, termios.ONOCR),
    75: (_OUTPUT, termios.ONLRET),
}  # fmt: skip

_DISABLED = 255  # "no character", RFC 4254 section 8
_CC = 6


def apply_modes(fd: int, modes: Mapping[int, int]) -> None:
    """Set `modes` (opcode -> value) on the terminal behind `fd`; one that is gone is ignored."""
    if not modes:
        return
    with contextlib.suppress(OSError, termios.error):
        attributes = termios.tcgetattr(fd)
        changed(attributes, modes)
        termios.tcsetattr(fd, termios.TCSANOW, attributes)


def changed(attributes: list[int | list[bytes | int]], modes: Mapping[int, int]) -> None:
    """Change what `termios.tcgetattr` answered in place."""
    for opcode, value in modes.items():
        if opcode in _CHARACTERS:
            characters = attributes[_CC]
            assert isinstance(characters, list)
            characters[_CHARACTERS[opcode]] = b"\0" if value == _DISABLED else bytes((value & 0xFF,))
        elif opcode in _FLAGS:
            place, flag = _FLAGS[opcode]
            old = attributes[place]
            assert isinstance(old, int)
            attributes[place] = old | flag if value else old & ~flag
