"""Proof of `cli/bench/command.py`: which processes are asked for, what is printed, and the exit status."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.cli.bench import command
from pyopenshell.sdk.types import Process


class Client:
    """Tells of the gateway, or of a sandbox."""

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def processes(self, sandbox: str = "") -> list[Process]:
        return [Process(f"supervisor of {sandbox}" if sandbox else "gateway", 1, 1)]


async def test_both_are_asked_on_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Client] = []

    def client_of(_context: object) -> Client:
        made.append(Client())
        return made[0]

    monkeypatch.setattr(command, "client_of", client_of)
    context: Any = SimpleNamespace()
    async with command._asking(context, "web") as ask:
        for _ in range(2):
            assert [process.kind for process in await ask()] == ["gateway", "supervisor of web"]
    assert len(made) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals(terminal: bool) -> None:
    said: list[str] = []
    context: Any = SimpleNamespace(stderr=2, is_terminal=lambda _: terminal, err=said.append)
    command._progress(context, "exec")
    assert said == (["measuring: exec"] if terminal else [])


@pytest.mark.parametrize(("failures", "status"), [(0, 0), (2, 1)])
def test_failures_are_the_exit_status(failures: int, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    run: Any = SimpleNamespace(figures={"failures": failures, "exec_p50": 0.1}, limits={}, notes=["one\x1b[31m"])
    out: list[str] = []
    err: list[str] = []
    context: Any = SimpleNamespace(out=out.append, err=err.append)
    assert command.show(context, run, as_json=True) == status
    assert json.loads(out[0])["figures"]["failures"] == failures
    assert err == ["note: one[31m"] or "\x1b" not in err[0]
    assert command.show(context, run, as_json=False) == status
    assert "exec true, p50" in out[1]
