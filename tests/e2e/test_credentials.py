"""A supervisor's token whose life is two seconds: sandboxes are reached for ever all the same."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.support.world import World

pytestmark = pytest.mark.e2e

TTL = 2.0  # seconds; a token's times are whole seconds


@pytest.fixture
def hasty_world() -> Iterator[World]:
    """A gateway whose supervisors' tokens end soon, and whose sandboxes outlive it."""
    with tempfile.TemporaryDirectory(prefix="openshell-hasty-") as folder:
        world = World(Path(folder), "hasty", detached=True)
        world.environ["OPENSHELL_SUPERVISOR_TOKEN_TTL"] = f"{TTL:g}s"
        world.start()
        yield world
        world.close()


def lifetimes_pass() -> None:
    """Two lives of a token go by."""
    ends = time.monotonic() + 2 * TTL
    asyncio.run(until(lambda: time.monotonic() > ends))


def say(world: World) -> bytes:
    return world.run("sandbox", "exec", "-n", "web", "--no-stdin", "--", "echo", "here").ok().out


def test_a_token_that_ends_never_ends_the_way_in(hasty_world: World) -> None:
    world = hasty_world
    world.run("sandbox", "create", "web").ok()
    lifetimes_pass()
    world.stop()
    world.start()  # the supervisor comes back with the token that it was given meanwhile
    assert say(world) == b"here\n"
    world.stop()
    lifetimes_pass()
    world.start()  # its token has ended while there was nobody to ask: another supervisor takes its place
    assert say(world) == b"here\n"
