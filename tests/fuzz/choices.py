"""An input of the fuzzer, read as choices: every string of bytes is a sound program, so no mutation is wasted.

A target reads records of a fixed size. A record inserted, left out, doubled or moved leaves the others what they were,
which is what mutators do best; a byte changed changes one choice. What is behind the end reads as zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: Bytes of one step of a program: what to do, and five choices about it.
RECORD = 6
#: A longer program finds nothing that two shorter ones do not, and takes as long as both.
LONGEST = 100 * RECORD

#: Pieces of one delivery: byte by byte over every kind of border, and not over a whole MiB.
MOST_PIECES = 300


class Step:
    """One record: `what` to do, then choices in turn."""

    def __init__(self, record: bytes) -> None:
        self._record = record.ljust(RECORD, b"\0")
        self._at = 1
        self.what = self._record[0]

    def byte(self) -> int:
        value = self._record[self._at] if self._at < RECORD else 0
        self._at += 1
        return value

    def pick(self, these: Sequence[T]) -> T:
        return these[self.byte() % len(these)]

    def below(self, limit: int) -> int:
        """A number of two bytes."""
        return (self.byte() << 8 | self.byte()) % limit

    def flip(self, of: int = 2) -> bool:
        """True once in `of`."""
        return self.byte() % of == of - 1

    @property
    def rest(self) -> bytes:
        return self._record[self._at :]


def steps(program: bytes) -> Iterator[Step]:
    """The steps of a program."""
    for at in range(0, min(len(program), LONGEST), RECORD):
        yield Step(program[at : at + RECORD])


def pieces(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """`data` in pieces of the sizes `cuts`, again and again; no cuts: whole. What is behind `MOST_PIECES` comes at once."""
    sizes = [cut for cut in cuts if cut > 0]
    if not sizes:
        yield data
        return
    at = turn = 0
    while at < len(data) and turn < MOST_PIECES:
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at += size
        turn += 1
    if at < len(data):
        yield data[at:]
