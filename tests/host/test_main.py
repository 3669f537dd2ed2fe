"""The command: exit statuses and words. What it serves is in the agent's tests and in tests/e2e/test_hosts.py."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pyopenshell.errors import EXIT_ERROR, EXIT_OK, EXIT_USAGE
from pyopenshell.host.main import main
from pyopenshell.host.state import HostFile, HostState


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostState:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return HostState(tmp_path / "openshell" / "host")


def test_status_of_no_host_and_of_one(state: HostState, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == EXIT_OK
    assert "not enrolled" in capsys.readouterr().out
    state.save(HostFile("lab1", "main", ("gw.example:17670", "[::1]:1"), 0.0))
    assert main(["status"]) == EXIT_OK
    out = capsys.readouterr().out
    assert "host       lab1\ngateway    main (gw.example:17670, [::1]:1)\nserved     no\n" in out
    assert "0 running of 0" in out


def test_serving_needs_an_enrolment(
    state: HostState, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["serve"]) == EXIT_ERROR
    assert "error: this host is not enrolled" in capsys.readouterr().err
    for given in ("", "rubbish\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        assert main(["join", "-"]) == EXIT_USAGE
        assert "invitation" in capsys.readouterr().err
    assert main(["serve", "--images", "/nowhere"]) == EXIT_USAGE


def test_leaving(state: HostState, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leave"]) == EXIT_ERROR
    state.save(HostFile("lab1", "main", ("gw.example:17670",), 0.0))
    assert main(["leave"]) == EXIT_OK
    assert "enrolled nowhere" in capsys.readouterr().out
    assert state.load() is None


def test_a_state_that_cannot_be_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert main(["serve"]) == EXIT_ERROR
    assert "error: " in capsys.readouterr().err
