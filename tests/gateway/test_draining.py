"""A gateway that drains says so, and a disk that takes no mark keeps nobody from ending."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.draining import Draining


def test_nothing_is_refused_before_and_everything_from_then_on(tmp_path: Path) -> None:
    draining = Draining(tmp_path)
    draining.refuse()
    assert not draining
    draining.begin()
    assert draining
    with pytest.raises(OpenShellError, match=r"is stopping.*gateway start") as caught:
        draining.refuse()
    assert caught.value.code is Code.UNAVAILABLE
    assert (tmp_path / "draining").read_text() == f"{os.getpid()}\n"
    Draining(tmp_path).forget()
    Draining(tmp_path).forget()
    assert list(tmp_path.iterdir()) == []


def test_a_mark_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    draining = Draining(tmp_path / "state")
    draining.begin()
    assert draining
