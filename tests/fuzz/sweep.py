"""The engine that runs everywhere: programs from nothing and changed seeds, every target in turn, a slice of time each.

It knows no coverage, and needs none to come far: every program is a sound one (`choices.py`). Its random numbers come
from a seed that is printed, so a run can be repeated.
"""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import FrameType

from tests.fuzz.mutate import fresh, mutate, smaller
from tests.fuzz.targets import TARGETS, seeds

#: Seconds of one target before the next has its turn.
SLICE = 0.3
#: Seconds of one program; the slowest sound one takes a tenth of one.
HANG = 10
#: Seconds that may go into making one find smaller.
REDUCING = 2.0


class Hang(BaseException):
    """A program took longer than any may."""


@dataclass
class Result:
    """What one engine did with one target."""

    runs: int = 0
    seconds: float = 0.0
    finds: dict[str, bytes] = field(default_factory=dict)  # what went wrong, and the smallest program that shows it


@contextmanager
def hangs() -> Iterator[None]:
    """Raise Hang in a program that does not end."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"a program takes more than {HANG} s")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def verdict(run: Callable[[bytes], None], program: bytes) -> str:
    """What goes wrong in a program and where, or an empty string."""
    signal.alarm(HANG)
    try:
        run(program)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {where.name}: {str(error)[:200]}"
    finally:
        signal.alarm(0)
    return ""


def kind(what: str) -> str:
    """Finds of one kind differ in numbers alone."""
    return "".join(letter for letter in what[:70] if not letter.isdigit())


def reduce(run: Callable[[bytes], None], program: bytes, what: str) -> bytes:
    """A smaller program that goes wrong in the same way."""
    until = time.monotonic() + REDUCING
    again = True
    while again:
        again = False
        for shorter in smaller(program):
            if time.monotonic() > until:
                return program
            if kind(verdict(run, shorter)) == kind(what):
                program, again = shorter, True
                break
    return program


def sweep(names: list[str], seconds: float, seed: int, first: bool) -> dict[str, Result]:
    """Run the named targets in turn for `seconds`, or until the first find."""
    until = time.monotonic() + seconds
    rng = Random(seed)
    results = {name: Result() for name in names}
    pools = {name: seeds(name) for name in names}
    with hangs():
        while time.monotonic() < until:
            for name in names:
                _slice(TARGETS[name], results[name], pools[name], rng, min(until, time.monotonic() + SLICE), first)
                if time.monotonic() >= until or (first and results[name].finds):
                    break
            if first and any(result.finds for result in results.values()):
                break
    return results


def _slice(
    run: Callable[[bytes], None], result: Result, pool: list[bytes], rng: Random, until: float, first: bool
) -> None:
    start = time.monotonic()
    while time.monotonic() < until:
        program = mutate(rng.choice(pool), rng, pool) if pool and rng.random() < 0.5 else fresh(rng)
        result.runs += 1
        what = verdict(run, program)
        if what and not any(kind(what) == kind(known) for known in result.finds):
            program = program if first else reduce(run, program, what)
            result.finds[what] = program
            if first:
                break
    result.seconds += time.monotonic() - start


def replay(name: str, program: bytes) -> int:
    """Run one program with the whole traceback."""
    try:
        TARGETS[name](program)
    except BaseException:
        traceback.print_exc()
        return 1
    print(f"{name}: nothing is wrong with this program", file=sys.stderr)
    return 0
