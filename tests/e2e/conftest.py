"""One set-up for all end-to-end tests of a run, with one sandbox `web` in it, and checks that nothing of it stays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import Machines
from tests.support.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A running gateway; the sandboxes that a test makes in it, the test deletes."""
    with tempfile.TemporaryDirectory(prefix="openshell-e2e-") as folder:
        world = World(Path(folder))
        world.start()
        yield world
        world.close()


@pytest.fixture(scope="session")
def web(world: World) -> str:
    """A sandbox that is shared by the tests that do not harm it."""
    world.run("sandbox", "create", "web").ok()
    return "web"


@pytest.fixture
def own_world() -> Iterator[World]:
    """A gateway of this test's own, for tests that kill parts of it."""
    with tempfile.TemporaryDirectory(prefix="openshell-own-") as folder:
        world = World(Path(folder), "own")
        world.start()
        yield world
        world.close()


@pytest.fixture
def lasting_world() -> Iterator[World]:
    """A gateway of this test's own whose sandboxes outlive it, as a user's do."""
    with tempfile.TemporaryDirectory(prefix="openshell-lasting-") as folder:
        world = World(Path(folder), "lasting", detached=True)
        world.start()
        yield world
        world.close()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """Three machines; the sandbox host's refuses every connection to it."""
    with tempfile.TemporaryDirectory(prefix="openshell-three-") as folder, Machines(Path(folder)) as machines:
        machines.close_firewall(machines.host)
        yield machines
