"""The gateway commands: the registry, and a local one whose process is a stand-in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pyopenshell.sdk.gateways import Endpoint, Registry
from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.opening import Opening
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.processes import ProcessName
from pyopenshell.sdk.running import Started
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


async def test_add_list_select_remove(bare: CommandLine) -> None:
    for name in ("ca", "crt", "key"):
        (bare.directory / name).write_text(PEM)
    done = await bare("gateway", "add", "lab", "--endpoint", "https://lab.example:8443", "--ca", "ca")
    assert (done.code, done.out) == (0, "gateway lab registered at https://lab.example:8443, selected\n")
    done = await bare("gw", "add", "two", "--endpoint", "https://two", "--ca", "ca", "--cert", "crt", "--key", "key")
    assert done.out == "gateway two registered at https://two:443\n"
    listed = {one["name"]: one for one in json.loads((await bare("gateway", "list", "-o", "json")).out)}
    assert listed["lab"] == {
        "name": "lab", "endpoint": "https://lab.example:8443", "active": True, "is_remote": True, "auth_mode": "token",
    }  # fmt: skip
    assert listed["two"]["auth_mode"] == "mtls"
    assert (await bare("gateway", "select", "two")).out == "gateway two is selected\n"
    assert (await bare("gateway", "remove", "lab")).out == "gateway lab removed\n"
    assert [text.split()[:2] for text in (await bare("gateway", "list")).out.splitlines()] == [
        ["NAME", "ACTIVE"], ["two", "yes"],
    ]  # fmt: skip


async def test_adding_again_needs_a_word(bare: CommandLine) -> None:
    await bare("gateway", "add", "lab", "--endpoint", "https://lab")
    done = await bare("gateway", "add", "lab", "--endpoint", "https://other")
    assert done.code == 1 and "--replace" in done.err
    assert (await bare("gateway", "add", "lab", "--endpoint", "https://other", "--replace")).code == 0
    assert Registry(Paths.of(bare.environ)).load("lab").endpoint.host == "other"


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["a/b", "--endpoint", "https://x"], 2, "gateway name 'a/b' is not valid"),
        (["lab"], 2, "--endpoint"),
        (["lab", "--endpoint", "nonsense"], 2, "use https://HOST:PORT"),
        (["lab", "--endpoint", "https://x:0"], 2, "gateway port 0 is out of range"),
        (["lab", "--endpoint", "https://x:65536"], 2, "gateway port 65536 is out of range"),
        (["lab", "--endpoint", "https://x", "--cert", "c"], 2, "belong together"),
        (["lab", "--endpoint", "https://x", "--ca", "missing"], 1, "does not exist"),
        (["lab", "--endpoint", "https://x", "--ca", "rubbish"], 2, "is not PEM"),
        (["lab", "--endpoint", "http://lab.example:80"], 2, "would send tokens in clear text"),
    ],
)
async def test_bad_registrations_leave_nothing(bare: CommandLine, argv: list[str], code: int, told: str) -> None:
    (bare.directory / "rubbish").write_text("rubbish")
    done = await bare("gateway", "add", *argv)
    assert done.code == code
    assert told in done.err and done.err.count("\n") == 1
    assert json.loads((await bare("gateway", "list", "-o", "json")).out) == []


@pytest.mark.parametrize("command", ["select", "remove", "stop", "status", "info"])
async def test_unknown_gateways(bare: CommandLine, command: str) -> None:
    done = await bare("gateway", command, "nope")
    assert (done.code, done.out) == (1, "")
    assert "'nope' is not registered" in done.err
    assert (await bare("gateway", command, "../x")).code == 2


async def test_metadata_that_is_broken_does_not_hide_the_others(bare: CommandLine) -> None:
    for name in ("good", "bad"):
        await bare("gateway", "add", name, "--endpoint", "https://x")
    (Paths.of(bare.environ).gateways / "bad" / "metadata.json").write_text("{")
    done = await bare("gateway", "list")
    assert "good" in done.out and "cannot be read" in done.err
    assert done.code == 0
    assert (await bare("gateway", "remove", "bad")).code == 0


@pytest.fixture
def started(bare: CommandLine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """`gateway start` registers the fake one; its process is this one."""
    asked: list[object] = []
    paths = Paths.of(bare.environ)

    def start(
        self: LocalGateway, environ: object, *, opening: Opening, config: Path | None, default_config: Path | None
    ) -> Started:
        asked.append((self.name, opening.port, config))
        endpoint = Endpoint("http", "127.0.0.1", gateway.port)
        made = Registry(paths).save(self.name, endpoint, is_remote=False, auth_mode="mtls")
        process = ProcessName.of(os.getpid())
        assert process is not None
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "process.json").write_text(json.dumps({"pid": process.pid, "start_time": process.start_time}))
        used = config or default_config
        return Started(made, process, len(asked) == 1, str(used or ""), stale=len(asked) > 1 and used is not None)

    monkeypatch.setattr(LocalGateway, "start", start)
    return asked


async def test_start_and_status(bare: CommandLine, gateway: FakeGateway, started: list[object]) -> None:
    (bare.directory / "gateway.toml").write_text("")
    done = await bare("gateway", "start", "--port", "0", "--config", "gateway.toml")
    serves = f"gateway local serves at http://127.0.0.1:{gateway.port}, process {os.getpid()}"
    assert done.out == f"{serves}, configuration {bare.directory / 'gateway.toml'}\n"
    assert started == [("local", 0, bare.directory / "gateway.toml")]
    assert "already runs" in (await bare("gateway", "start")).out
    assert json.loads((await bare("gateway", "start", "-o", "json")).out)["pid"] == os.getpid()
    data = json.loads((await bare("gateway", "status", "-o", "json")).out)
    assert data["running"] and data["pid"] == os.getpid() and data["reachable"]
    info = json.loads((await bare("gateway", "info", "local", "-o", "json")).out)
    assert (info["version"], info["drivers"], info["active"]) == ("9.9", ["local"], True)


async def test_the_users_own_configuration_is_the_gateways_too(bare: CommandLine, started: list[object]) -> None:
    file = Paths.of(bare.environ).config / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[gateway]\nlog_level = 'debug'\n")
    assert f", configuration {file}\n" in (await bare("gateway", "start")).out
    again = await bare("gateway", "start")
    assert "already runs" in again.out and "has changed since it was started" in again.err
    data = json.loads((await bare("gateway", "start", "-o", "json")).out)
    assert (data["config"], data["stale"]) == (str(file), True)


async def test_what_runs_is_neither_removed_nor_replaced(bare: CommandLine, started: list[object]) -> None:
    await bare("gateway", "start")
    done = await bare("gateway", "remove", "local")
    assert done.code == 1 and f"runs, process {os.getpid()}" in done.err
    done = await bare("gateway", "add", "local", "--endpoint", "https://x", "--replace")
    assert done.code == 1 and "runs on this machine" in done.err


async def test_stop(bare: CommandLine, started: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    await bare("gateway", "start")
    monkeypatch.setattr("pyopenshell.sdk.local_gateway.end", lambda process, timeout: True)
    assert (await bare("gateway", "stop")).out == "gateway local stopped\n"
    assert (await bare("gateway", "stop", "local")).out == "gateway local was not running\n"


async def test_status_of_one_that_is_down(line: CommandLine, gateway: FakeGateway) -> None:
    await gateway.cut()
    done = await line("gateway", "status")
    assert done.code == 1
    assert "reachable" in done.out and "error" in done.out


async def test_a_remote_one_is_not_ours_to_stop(line: CommandLine) -> None:
    done = await line("gateway", "stop")
    assert (done.code, "runs elsewhere" in done.err) == (2, True)


async def test_a_configuration_that_is_not_there(bare: CommandLine) -> None:
    done = await bare("gateway", "start", "--config", "nope.toml")
    assert done.code == 1 and "nope.toml does not exist" in done.err
    assert (await bare("gateway", "start", "--port", "65536")).code == 2
