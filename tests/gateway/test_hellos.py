"""A start's wait: it ends once, by a hello or by giving up, and is known only for its time."""

from __future__ import annotations

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.gateway.hellos import Hellos


async def test_the_first_word_ends_the_wait() -> None:
    hellos = Hellos()
    assert not hellos.came("box", "early")
    with hellos.awaiting("box") as hello:
        assert hellos.came("box", "main-1")
        assert not hellos.came("box", "main-2")
        assert not hellos.give_up("box", "too late")
        assert await hello == "main-1"
    assert not hellos.came("box", "late")


async def test_a_start_that_is_given_up() -> None:
    hellos = Hellos()
    with hellos.awaiting("box") as hello:
        assert hellos.give_up("box", "it was deleted")
        with pytest.raises(OpenShellError, match="it was deleted"):
            await hello


async def test_a_start_that_failed_before() -> None:
    hellos = Hellos()
    with pytest.raises(ValueError, match="driver"), hellos.awaiting("box") as hello:
        raise ValueError("driver")
    assert hello.cancelled()
