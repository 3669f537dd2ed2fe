"""Create: what is asked for, what is waited for, and the gateway of a fresh machine."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyopenshell.cli.app import run
from pyopenshell.model import Limits, SandboxSpec
from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.paths import Paths
from pyopenshell.wire import sandbox_spec
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_everything_that_can_be_said(line: CommandLine, gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    done = await line(
        "sandbox", "create", "new", "--from", "tree", "--env", "A=b", "--env", "C=", "--label", "team=x", "--workdir", "/w",
        "--cpu", "500m", "--memory", "1Gi", "--limits", "best-effort", "--", "serve", "--port", "80",
    )  # fmt: skip
    assert (done.code, done.out, done.err) == (0, "sandbox new is ready\n", "")
    made = gateway.sandboxes["new"]
    assert sandbox_spec.of_message(made.spec) == SandboxSpec(
        source=f"dir:{tmp_path / 'tree'}",
        env={"A": "b", "C": ""},
        workdir="/w",
        command=("serve", "--port", "80"),
        limits=Limits(0.5, 1 << 30, best_effort=True),
    )
    assert dict(made.metadata.labels) == {"team": "x"}
    assert (await line("sandbox", "exec", "--", "true")).err == "using sandbox new\n"


async def test_where_it_is_to_run(line: CommandLine, gateway: FakeGateway, tmp_path: Path) -> None:
    assert (await line("sandbox", "create", "a", "--host", "lab1", "--host-label", "gpu=yes")).code == 0
    wanted = gateway.sandboxes["a"].spec.placement
    assert (wanted.host, dict(wanted.host_labels)) == ("lab1", {"gpu": "yes"})
    assert (await line("sandbox", "create", "b", "--host", "lab1", "--from", "dir:/images/x")).code == 0
    assert gateway.sandboxes["b"].spec.template.image == "dir:/images/x"
    done = await line("sandbox", "create", "c", "--host", "lab1", "--from", str(tmp_path))
    assert done.code == 2 and "is on the host" in done.err
    assert (await line("sandbox", "create", "d", "--host", "here", "--from", str(tmp_path))).code == 0
    assert (await line("sandbox", "create", "e", "--from", "tar:/only/there.tar")).code == 0
    assert not gateway.sandboxes["e"].spec.HasField("placement")


async def test_without_a_name_the_gateway_chooses(line: CommandLine) -> None:
    done = await line("sandbox", "create", "-o", "json")
    assert json.loads(done.out)["name"] == "made-up"
    assert (await line("sandbox", "create")).err == "error: sandbox 'made-up' exists already\n"


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["a/b"], 2, "is not valid"),
        ([""], 2, "is not valid"),
        (["x", "--env", "novalue"], 2, "KEY=VALUE"),
        (["x", "--label", "a b=c"], 2, "label"),
        (["x", "--cpu", "lots"], 2, "cpu 'lots' is not valid"),
        (["x", "--cpu", "0"], 2, "out of range"),
        (["x", "--memory", "1Q"], 2, "memory '1Q' is not valid"),
        (["x", "--memory", "5m"], 2, "memory '5m' is not valid"),
        (["x", "--from", "/no/such"], 1, "/no/such does not exist"),
        (["x", "--from", "/dev/null"], 2, "neither a directory nor a tar file"),
        (["x", "--attach"], 2, "--attach needs a command"),
        (["x", "y"], 2, "unexpected extra argument"),
        (["x", "--workdir", "rel"], 2, "not absolute"),
        (["x", "--", "a\0b"], 2, "NUL"),
        (["x", "--env", "A=" + "x" * (1 << 20)], 2, "over the limit"),
    ],
)
async def test_wrong_use_makes_nothing(
    line: CommandLine, gateway: FakeGateway, argv: list[str], code: int, told: str
) -> None:
    done = await line("sandbox", "create", *argv)
    assert (done.code, done.out) == (code, "")
    assert told in done.err and done.err.count("\n") == 1
    assert list(gateway.sandboxes) == ["web"]


async def test_a_main_process_that_is_over_already(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.after_create = [pb.SandboxStatus(phase=pb.SANDBOX_PHASE_COMPLETED, exit_code=0)]
    done = await line("sandbox", "create", "new", "--", "true")
    assert (done.code, done.out) == (0, "sandbox new started, and its command ended with status 0\n")


async def test_a_main_process_that_could_not_be_started(line: CommandLine, gateway: FakeGateway) -> None:
    failed = pb.SandboxStatus(phase=pb.SANDBOX_PHASE_ERROR)
    failed.conditions.add(message="command not found: nope")
    gateway.after_create = [failed]
    done = await line("sandbox", "create", "new", "--", "nope")
    assert (done.code, done.out) == (1, "")
    assert "command not found: nope" in done.err


async def test_ctrl_c_leaves_and_says_so(line: CommandLine, gateway: FakeGateway) -> None:
    watched = asyncio.Event()

    async def silent(request, call):
        watched.set()
        yield pb.SandboxStreamEvent(sandbox=gateway.sandboxes["new"])
        await asyncio.Event().wait()

    gateway._watch = silent  # type: ignore[method-assign]
    await gateway.cut()
    await gateway.start()
    said: list[str] = []
    context = line.context(None, None, None)
    context.err = said.append  # type: ignore[method-assign]
    task = asyncio.create_task(run(["sandbox", "create", "new"], context))
    await watched.wait()
    line.signals.send(signal.SIGINT)
    assert await task == 130
    assert said == ["sandbox new goes on starting; 'openshell sandbox delete new' removes it"]


async def test_attach_passes_output_and_status_on(line: CommandLine, gateway: FakeGateway) -> None:
    for target, message in (("stdout", "one\x1b[0m"), ("stderr", "two"), ("", "chatter of others")):
        gateway.log_lines.append(pb.SandboxLogLine(source="sandbox", target=target, message=message))
    gateway.after_create = [pb.SandboxStatus(phase=pb.SANDBOX_PHASE_ERROR, exit_code=5)]
    done = await line("sandbox", "create", "new", "--attach", "--", "work")
    assert (done.code, done.out, done.err) == (5, "one [0m\n", "two\n")


async def test_a_fresh_machine_gets_a_gateway(
    bare: CommandLine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def start(self: LocalGateway, environ: object, *, default_config: Path | None) -> SimpleNamespace:
        started.append(self.name)
        return SimpleNamespace(gateway=gateway.register(Paths.of(bare.environ), self.name))

    monkeypatch.setattr(LocalGateway, "start", start)
    done = await bare("sandbox", "create", "new")
    assert done.code == 0
    assert done.err.startswith("no gateway was registered: started 'local' at http://127.0.0.1:")
    assert done.err.count("\n") == 1
    assert (await bare("sandbox", "create", "newer")).err == ""
    assert started == ["local"]


async def test_a_gateway_that_was_named_is_never_started(bare: CommandLine) -> None:
    assert "'lab' is not registered" in (await bare("sandbox", "create", "x", "-g", "lab")).err
    assert "'lab' is not registered" in (await bare("sandbox", "create", "x", environ={"OPENSHELL_GATEWAY": "lab"})).err
