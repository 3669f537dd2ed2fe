"""Completion: scripts that real shells take, and candidates."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pyopenshell.cli.completion import SCRIPTS, SHELLS, candidates
from pyopenshell.sdk.gateways import Registry
from pyopenshell.sdk.paths import Paths
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_valid(shell: str) -> None:
    script = SCRIPTS[shell]
    assert "openshell" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


async def test_the_script_is_printed(bare: CommandLine) -> None:
    for shell in SHELLS:
        assert (await bare("completion", shell)).out == SCRIPTS[shell]
    assert (await bare("completion", "nu")).code == 2


def test_bash_really_completes() -> None:
    stand_in = 'openshell() { [ "$1 $2 $3 $4 $5" = "complete 2 -- sandbox ex" ] && printf "exec\\nexit now\\n"; }\n'
    ask = 'COMP_WORDS=(openshell sandbox ex); COMP_CWORD=2; _openshell; printf "<%s>" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", SCRIPTS["bash"] + stand_in + ask], capture_output=True, text=True, check=True)
    assert done.stdout == "<exec><exit now>"


def test_bash_offers_files_where_we_know_of_nothing() -> None:
    done = subprocess.run(
        ["bash", "-c", SCRIPTS["bash"] + "complete -p openshell"], capture_output=True, text=True, check=True
    )
    assert "-o default" in done.stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["1", "--", "sand"], ["sandbox"]),
        (
            ["1", "--", ""],
            ["sandbox", "forward", "service", "gateway", "host", "status", "token", "whoami", "bench", "completion"],
        ),
        (["2", "--", "sandbox", "st"], ["start", "stop"]),
        (["3", "--", "sandbox", "list", "--o"], ["--output"]),
        (["4", "--", "sandbox", "list", "-o", "j"], ["json"]),
        (["3", "--", "bogus", "x", "y"], []),
        (["9", "--", "sandbox"], []),
        (["0", "--", "sandbox"], []),
    ],
)
async def test_candidates(bare: CommandLine, words: list[str], found: list[str]) -> None:
    done = await bare("complete", *words)
    assert done.code == 0
    assert sorted(done.out.split()) == sorted(found)


async def test_names_of_sandboxes(line: CommandLine, gateway: FakeGateway) -> None:
    import asyncio

    gateway.add("db")
    context = line.context(None, None, None)
    assert await asyncio.to_thread(candidates, context, ["sandbox", "get"], "") == ["db", "web"]
    assert await asyncio.to_thread(candidates, context, ["sandbox", "get"], "w") == ["web"]
    assert await asyncio.to_thread(candidates, context, ["sandbox", "exec", "-n"], "d") == ["db"]


async def test_names_of_gateways(line: CommandLine, gateway: FakeGateway) -> None:
    name = Registry(Paths.of(line.environ)).names()[0]
    context = line.context(None, None, None)
    for before in (["-g"], ["sandbox", "list", "--gateway"], ["gateway", "select"], ["gateway", "stop"]):
        assert candidates(context, before, name[:2]) == [name]
        assert candidates(context, before, "other") == []


async def test_a_gateway_that_is_down_or_missing_is_silence(
    line: CommandLine, bare: CommandLine, gateway: FakeGateway
) -> None:
    import asyncio

    await gateway.cut()
    assert await asyncio.to_thread(candidates, line.context(None, None, None), ["sandbox", "get"], "") == []
    nothing = line.context(None, None, None, environ={"XDG_CONFIG_HOME": "/nonexistent"})
    assert await asyncio.to_thread(candidates, nothing, ["sandbox", "get"], "") == []
