"""Hypothesis' state machines over the same worlds: they draw each choice by itself and reduce what they find to the least.

`MACHINES` holds them by the name of their target. `explore` runs one for a time; `tests/fuzz/test_machines.py` runs each
for a fixed number of examples.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pyopenshell.http2 import MessageReader, PrefixFollower
from pyopenshell.wire.exec_frames import Decoder
from tests.fuzz import framings
from tests.fuzz.choices import Step
from tests.fuzz.grammar import LENGTHS
from tests.fuzz.owner import Owner
from tests.fuzz.pair import AMOUNTS, SIZES, Pair
from tests.fuzz.sweep import Result
from tests.fuzz.wire import CUTS

CHOICES = st.binary(min_size=5, max_size=5)
WHAT = st.integers(0, 255).map(lambda n: bytes([n]))
EXAMPLES = 20


class PairMachine(RuleBasedStateMachine):
    """Client and server through a network that splits, delays and cuts."""

    @initialize(choices=CHOICES)
    def begin(self, choices: bytes) -> None:
        self.pair = Pair(Step(b"\0" + choices))

    @rule(server=st.booleans(), choices=CHOICES, amount=st.sampled_from(SIZES))
    def act(self, server: bool, choices: bytes, amount: int) -> None:
        end = self.pair.server if server else self.pair.client
        end.act(Step(b"\0" + choices))
        end.flush(amount)

    @rule(back=st.booleans(), amount=st.sampled_from(AMOUNTS) | st.integers(1, 200))
    def deliver(self, back: bool, amount: int) -> None:
        self.pair.deliver(*self.pair.ways[back], amount)

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.settle()


class WorldMachine(RuleBasedStateMachine):
    """One end against a peer that speaks bytes."""

    client = False

    @initialize(choices=CHOICES)
    def begin(self, choices: bytes) -> None:
        self.world = Owner(self.client, Step(b"\0" + choices))

    @precondition(lambda self: not self.world.over)
    @rule(what=WHAT, choices=CHOICES)
    def say(self, what: bytes, choices: bytes) -> None:
        self.world.wire += self.world.peer.say(Step(what + choices))

    @precondition(lambda self: not self.world.over)
    @rule(cuts=st.sampled_from(CUTS) | st.tuples(st.integers(1, 40), st.integers(1, 400)))
    def deliver(self, cuts: tuple[int, ...]) -> None:
        self.world.deliver(cuts)

    @precondition(lambda self: not self.world.over and not self.world.wire)
    @rule(what=WHAT, choices=CHOICES, amount=st.sampled_from(LENGTHS))
    def act(self, what: bytes, choices: bytes, amount: int) -> None:
        self.world.act(Step(what + choices))
        if not self.world.over:
            self.world.flush(amount)

    @precondition(lambda self: self.world.over)
    @rule(choices=CHOICES)
    def silence(self, choices: bytes) -> None:
        assert self.world.engine.receive(choices, 0.0) == []

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is not None and not world.over:
            world.deliver(())
        if world is not None and not world.over:
            world.drain()
        if world is not None and not world.over:
            world.eof()


class ClientMachine(WorldMachine):
    """The same, with the client's role."""

    client = True


class MessagesMachine(RuleBasedStateMachine):
    """gRPC's messages, fed a few bytes at a time; what is out is right at every byte."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self.follower = MessageReader(framings.LIMIT), PrefixFollower(framings.LIMIT)
        self.wire, self.fed = b"", 0
        self.got: list[bytes] = []

    @rule(what=st.integers(2, 255).map(lambda n: bytes([n])), choices=CHOICES)
    def send(self, what: bytes, choices: bytes) -> None:
        if what[0] % 32 > 1:
            self.wire += framings._message(Step(what + choices))

    @rule(size=st.integers(1, 12) | st.integers(1, 2_000))
    def feed(self, size: int) -> None:
        piece = self.wire[self.fed : self.fed + size]
        self.fed += len(piece)
        self.got += [bytes(message) for message in self.reader.feed(memoryview(piece))]
        self.follower.feed(piece)

    @invariant()
    def what_is_whole_is_out(self) -> None:
        expected, fault, whole = framings._read_messages(self.wire[: self.fed])
        assert fault is None
        assert self.got == expected
        assert self.follower.at_boundary is whole


class ExecMachine(RuleBasedStateMachine):
    """Exec frames, fed a few bytes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = Decoder()
        self.wire, self.fed = b"", 0
        self.got: list[tuple[int, bytes]] = []

    @rule(what=st.integers(2, 31).map(lambda n: bytes([n])), choices=CHOICES)
    def send(self, what: bytes, choices: bytes) -> None:
        self.wire += framings._exec(Step(what + choices))

    @rule(size=st.integers(1, 12) | st.integers(1, 2_000))
    def feed(self, size: int) -> None:
        piece = self.wire[self.fed : self.fed + size]
        self.fed += len(piece)
        self.got += [(int(frame.kind), bytes(frame.payload)) for frame in self.decoder.feed(piece)]

    @invariant()
    def what_is_whole_is_out(self) -> None:
        expected, fault, whole = framings._read_exec(self.wire[: self.fed])
        assert not fault
        assert framings._joined(self.got) == framings._joined(expected)
        assert self.decoder.at_boundary is whole


MACHINES: dict[str, type[RuleBasedStateMachine]] = {
    "server": WorldMachine,
    "client": ClientMachine,
    "pair": PairMachine,
    "messages": MessagesMachine,
    "exec": ExecMachine,
}
_CHECKS = list(HealthCheck)


def run(machine: Callable[[], RuleBasedStateMachine], examples: int, derandomize: bool, reduces: bool = True) -> None:
    """Raises what the machine finds."""
    phases = [Phase.generate, Phase.shrink] if reduces else [Phase.generate]
    chosen = settings(
        max_examples=examples,
        stateful_step_count=40,
        derandomize=derandomize,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=_CHECKS,
    )
    run_state_machine_as_test(machine, settings=chosen)


def explore(names: list[str], seconds: float, first: bool) -> dict[str, Result]:
    """Run the machines in turn, a few examples each, for `seconds` or until the first find."""
    until = time.monotonic() + seconds
    results = {name: Result() for name in names}
    while time.monotonic() < until:
        for name in names:
            start = time.monotonic()
            if start >= until or results[name].finds:
                continue
            try:
                run(MACHINES[name], EXAMPLES, derandomize=False, reduces=not first)
            except Exception as error:
                notes = "\n".join(getattr(error, "__notes__", ()))
                results[name].finds[f"{type(error).__name__}: {error}\n{notes}"] = b""
            results[name].runs += EXAMPLES
            results[name].seconds += time.monotonic() - start
        if all(result.finds for result in results.values()) or (first and any(r.finds for r in results.values())):
            break
    return results
