"""Proof of `cli/bench/command.py`: which processes are measured, what is printed, and the exit status."""

from __future__ import annotations

import asyncio
import json
import os
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.cli.bench import command
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.processes import ProcessName
from pyopenshell.sdk.types import Process


class Gateway:
    """Tells of this very process, and of one that is gone."""

    def __init__(self, error: OpenShellError | None = None) -> None:
        self.error = error

    async def processes(self, sandbox: str = "") -> list[Process]:
        if self.error:
            raise self.error
        me = ProcessName.of(os.getpid())
        assert me is not None
        if not sandbox:
            return [Process("gateway", me.pid, me.start_time), Process("zygote", me.pid, me.start_time + 1)]
        return [Process("supervisor", me.pid, me.start_time), Process("init", me.pid, me.start_time)]


def test_only_live_processes_of_this_machine_are_measured() -> None:
    found = asyncio.run(command._processes(Gateway(), "web"))  # type: ignore[arg-type]
    assert (found.gateway, found.supervisor, found.zygote) == ([os.getpid()], [os.getpid()] * 2, [])


def test_a_gateway_that_does_not_tell_is_no_error() -> None:
    gateway = Gateway(OpenShellError(Code.FORBIDDEN, "no"))
    found = asyncio.run(command._processes(gateway, "web"))  # type: ignore[arg-type]
    assert (found.gateway, found.supervisor, found.zygote) == ([], [], [])


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
