"""A short fuzz with fixed random numbers, the same every time: the seeds, changed seeds, and programs from nothing."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.choices import LONGEST, RECORD, Step, pieces, steps
from tests.fuzz.mutate import fresh, mutate, smaller
from tests.fuzz.targets import TARGETS, seeds

PROGRAMS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds(name: str) -> None:
    assert seeds(name)
    for program in seeds(name):
        assert len(program) <= LONGEST
        TARGETS[name](program)


@pytest.mark.parametrize("name", TARGETS)
def test_fixed_programs(name: str) -> None:
    rng, pool = Random(name), seeds(name)
    for _ in range(PROGRAMS):
        TARGETS[name](mutate(rng.choice(pool), rng, pool))
        TARGETS[name](fresh(rng))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("program", [b"", b"\0", b"\xff" * LONGEST, bytes(LONGEST), bytes(range(256)) * 3])
def test_every_string_is_a_program(name: str, program: bytes) -> None:
    TARGETS[name](program)


def test_choices_behind_the_end_are_zero() -> None:
    (step,) = steps(b"\x05\x01")
    assert (step.what, step.byte(), step.byte(), step.rest) == (5, 1, 0, bytes(3))
    assert [step.byte() for _ in range(9)] == [0] * 9
    assert Step(b"").pick("abc") == "a"


def test_pieces_add_up() -> None:
    data = bytes(range(256)) * 10
    for cuts in ((), (1,), (5, 4), (9, 1), (10_000,)):
        assert b"".join(pieces(data, cuts)) == data
    assert [len(piece) for piece in pieces(b"abcdefg", (3, 1))] == [3, 1, 3]


def test_changed_programs_are_programs() -> None:
    rng = Random(1)
    program = fresh(rng)
    for _ in range(500):
        program = mutate(program, rng, [b"\x01" * RECORD * 3, b""])
        assert len(program) <= LONGEST
        assert len(program) % RECORD == 0
    assert all(len(shorter) < 4 * RECORD for shorter in smaller(b"x" * 4 * RECORD))
