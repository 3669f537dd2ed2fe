"""Looking at sandboxes, starting, stopping and deleting them."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Iterator

import pytest

from pyopenshell.cli.app import run
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_list(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.add("db", pb.SANDBOX_PHASE_ERROR, team="x").status.exit_code = 3
    done = await line("sandbox", "list")
    heading, db, web = done.out.splitlines()
    assert heading.split() == ["NAME", "PHASE", "AGE", "EXIT", "LABELS"]
    assert db.split()[:2] == ["db", "Error"] and db.split()[-2:] == ["3", "team=x"]
    assert web.split()[:2] == ["web", "Ready"]
    data = json.loads((await line("sandbox", "list", "-o", "json")).out)
    assert [one["name"] for one in data] == ["db", "web"]
    assert data[0]["exit_code"] == 3 and data[1]["exit_code"] is None
    assert "age" not in data[0]


async def test_hostile_text_of_a_gateway_never_reaches_the_terminal(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.add("evil\x1b]0;x\x07", team="a\x9b31m")
    for argv in (["sandbox", "list"], ["sandbox", "list", "-o", "json"], ["sandbox", "list", "-o", "yaml"]):
        shown = await line(*argv)
        assert shown.code == 0
        assert not set("\x1b\x07\x9b") & set(shown.out)


async def test_get(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.sandboxes["web"].facts["isolation"] = "range"
    shown = (await line("sandbox", "get", "web")).out
    assert "facts isolation       range\n" in shown
    assert json.loads((await line("sandbox", "get", "web", "-o", "json")).out)["phase"] == "Ready"
    assert (await line("sandbox", "get", "nobody")).code == 1


async def test_where_it_runs_and_since_when_nobody_hears_of_it(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.add("here")
    assert "HOST" not in (await line("sandbox", "list")).out
    lost = gateway.add("lost", pb.SANDBOX_PHASE_UNKNOWN)
    lost.host = "lab1"
    said = lost.status.conditions.add(type="Ready", reason="HostLost", message="host lab1 is not connected")
    said.transition_time.FromSeconds(1_700_000_000)
    rows = [text.split() for text in (await line("sandbox", "list")).out.splitlines()]
    assert rows[0][-1] == "HOST"
    assert rows[2][:2] == ["lost", "Unreachable"] and rows[2][-1] == "lab1"
    shown = (await line("sandbox", "get", "lost")).out
    assert "unreachable since     2023-11-14 22:13:20" in shown and "host lab1 is not connected" in shown
    assert json.loads((await line("sandbox", "get", "lost", "-o", "json")).out)["host"] == "lab1"
    assert json.loads((await line("sandbox", "get", "here", "-o", "json")).out)["unreachable_since"] is None


async def test_start_and_stop(line: CommandLine, gateway: FakeGateway) -> None:
    assert (await line("sandbox", "stop", "web")).out == "sandbox web is stopped\n"
    assert (await line("sandbox", "start", "web")).out == "sandbox web is ready\n"
    done = await line("sandbox", "stop")
    assert (done.code, done.err) == (0, "using sandbox web\n")
    assert json.loads((await line("sandbox", "start", "web", "-o", "json")).out)["phase"] == "Ready"


async def test_delete(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.add("db")
    done = await line("sandbox", "delete", "web", "db")
    assert (done.code, done.out) == (0, "sandbox web deleted\nsandbox db deleted\n")
    done = await line("sandbox", "delete", "web")
    assert (done.code, done.err) == (1, "error: sandbox 'web' does not exist\n")
    assert (await line("sandbox", "delete", "web", "--allow-missing")).out == "sandbox web does not exist\n"


async def test_one_that_fails_does_not_keep_the_others(line: CommandLine, gateway: FakeGateway) -> None:
    done = await line("sandbox", "delete", "no-1", "web", "no-2")
    assert (done.code, done.out) == (1, "sandbox web deleted\n")
    assert done.err.count("error: ") == 2


async def test_a_lost_gateway_ends_it_at_once(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.refuse["DeleteSandbox"] = OpenShellError(Code.UNAVAILABLE, "going down")
    done = await line("sandbox", "delete", "web", "db")
    assert done.err.count("going down") == 1


async def test_delete_all_goes_ahead_without_a_terminal(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.add("db")
    done = await line("sandbox", "delete", "--all")
    assert (done.code, gateway.sandboxes) == (0, {})
    assert (await line("sandbox", "delete", "--all")).code == 0


async def test_a_name_left_out_is_never_a_surprise(line: CommandLine, gateway: FakeGateway) -> None:
    await line("sandbox", "exec", "-n", "web", "--", "true")
    done = await line("sandbox", "delete")
    assert done.code == 2 and "name the sandbox" in done.err
    assert (await line("sandbox", "delete", "web", "--all")).code == 2
    assert "web" in gateway.sandboxes
    done = await line("sandbox", "delete", "--yes")
    assert (done.code, done.err) == (0, "using sandbox web\n")
    assert (await line("sandbox", "exec", "--", "true")).code == 1  # it is not remembered any more


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", ["web"]), (b"\n", ["web"]), (b"y\n", [])])
@pytest.mark.parametrize("argv", [["--all"], []])
async def test_on_a_terminal_it_asks(
    line: CommandLine, gateway: FakeGateway, terminal: tuple[int, int], answer: bytes, left: list[str], argv: list[str]
) -> None:
    master, slave = terminal
    await line("sandbox", "exec", "-n", "web", "--", "true")
    os.write(master, answer)
    code = await run(["sandbox", "delete", *argv], line.context(slave, slave, slave))
    assert list(gateway.sandboxes) == left
    assert code == (1 if left else 0)


@pytest.mark.parametrize("command", ["get", "start", "stop", "delete", "logs", "watch", "ssh-config"])
@pytest.mark.parametrize("name", ["a/b", "a\nb", "a" * 64, "", "../x", "A", "%h"])
async def test_bad_names_are_refused_here(line: CommandLine, gateway: FakeGateway, command: str, name: str) -> None:
    done = await line("sandbox", command, name)
    assert done.code == 2
    assert "is not valid" in done.err and done.err.count("\n") == 1
    assert not gateway.authorizations
