"""Changes a program as programs are: by records and by choices, so that what was reached stays reached."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.fuzz.choices import LONGEST, RECORD


def fresh(rng: Random) -> bytes:
    """A program from nothing: short ones find more, long ones find other things."""
    return rng.randbytes(RECORD * rng.choice((2, 4, 8, 16, 32, 64)))


def mutate(program: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """One to four changes; `others` are programs to take records from."""
    records = [program[at : at + RECORD].ljust(RECORD, b"\0") for at in range(0, len(program), RECORD)]
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(records))
        how = rng.randrange(7)
        if how == 0 or at == len(records):
            records.insert(at, rng.randbytes(RECORD))
        elif how == 1:
            del records[at]
        elif how == 2:
            records.insert(at, records[at])
        elif how == 3:
            other = rng.randrange(len(records))
            records[at], records[other] = records[other], records[at]
        elif how == 4 and others:
            other_program = rng.choice(others)
            start = rng.randrange(0, len(other_program) + 1, RECORD)
            taken = other_program[start : start + RECORD * rng.randint(1, 8)]
            records[at:at] = [taken[n : n + RECORD].ljust(RECORD, b"\0") for n in range(0, len(taken), RECORD)]
        else:
            byte = rng.randrange(RECORD)
            record = bytearray(records[at])
            record[byte] = rng.randrange(256) if how == 5 else record[byte] ^ 1 << rng.randrange(8)
            records[at] = bytes(record)
    return b"".join(records)[:LONGEST]


def smaller(program: bytes) -> list[bytes]:
    """Programs that lack something, large parts first: what a find is reduced by."""
    count = -(-len(program) // RECORD)
    found = []
    size = count // 2
    while size:
        for first in range(0, count, size):
            found.append(program[: first * RECORD] + program[(first + size) * RECORD :])
        size //= 2
    return found
