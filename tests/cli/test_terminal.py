"""Raw mode and its restoration, sizes, and the local way out in every split of the keys."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.cli.terminal import Escapes, in_foreground, raw, size_of
from pyopenshell.model import TerminalSize


@pytest.fixture
def terminal() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


def test_raw_and_back(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    with pytest.raises(ZeroDivisionError), raw(terminal):
        _, output, _, local, *_ = termios.tcgetattr(terminal)
        assert not local & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert not output & termios.OPOST
        raise ZeroDivisionError
    assert termios.tcgetattr(terminal) == before


def test_a_terminal_that_goes_away_meanwhile() -> None:
    master, slave = pty.openpty()
    with raw(slave):
        os.close(master)
        os.close(slave)


def test_sizes(terminal: int) -> None:
    assert size_of(terminal) == TerminalSize(80, 24)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
    assert size_of(terminal) == TerminalSize(132, 50)
    assert size_of(-1) == TerminalSize(80, 24)


def test_a_terminal_that_is_not_ours(terminal: int) -> None:
    assert not in_foreground(terminal)


@pytest.mark.parametrize(
    ("keys", "sent", "out"),
    [
        (b"~.", b"", True),
        (b"ls\r~.", b"ls\r", True),
        (b"ls\n~.rest", b"ls\n", True),
        (b"a~.", b"a~.", False),
        (b"~~.", b"~.", False),
        (b"~~", b"~", False),
        (b"~x", b"~x", False),
        (b"~\r~.", b"~\r", True),
        (b"~", b"", False),
        (b"\r~~\r~.", b"\r~\r", True),
    ],
)
def test_the_way_out(keys: bytes, sent: bytes, out: bool) -> None:
    assert Escapes().feed(keys) == (sent, out)
    finder = Escapes()
    assert any(finder.feed(keys[at : at + 1])[1] for at in range(len(keys))) is out


@given(st.lists(st.binary(max_size=5)))
def test_any_split_sends_the_same(pieces: list[bytes]) -> None:
    whole, split = Escapes(), Escapes()
    sent, out = whole.feed(b"".join(pieces))
    got = b""
    for piece in pieces:
        data, left = split.feed(piece)
        got += data
        if left:
            break
    assert got == sent
    assert out is (pieces != [] and left)
