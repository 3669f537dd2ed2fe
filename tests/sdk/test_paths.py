"""Where files go, for every shape of the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.paths import Paths


def test_the_three_variables() -> None:
    paths = Paths.of({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"})
    assert paths == Paths(Path("/c/openshell"), Path("/s/openshell"), Path("/r/openshell"))
    assert paths.gateways == Path("/c/openshell/gateways")
    assert paths.gateway_state("lab") == Path("/s/openshell/gateways/lab")


@pytest.mark.parametrize("unset", [{}, {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "relative", "XDG_RUNTIME_DIR": "./r"}])
def test_unset_empty_and_relative_are_the_same(unset: dict[str, str]) -> None:
    paths = Paths.of({"HOME": "/home/ada"} | unset)
    assert paths.config == Path("/home/ada/.config/openshell")
    assert paths.state == Path("/home/ada/.local/state/openshell")
    assert paths.runtime == paths.state / "run"


def test_without_home_the_user_database_knows() -> None:
    import pwd

    assert Paths.of({}).config == Path(pwd.getpwuid(os.getuid()).pw_dir) / ".config/openshell"


def test_without_any_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(OpenShellError, match="set HOME") as caught:
        Paths.of({})
    assert caught.value.code is Code.PRECONDITION
