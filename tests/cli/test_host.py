"""Sandbox hosts on the command line."""

from __future__ import annotations

import json

import pytest

from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_list_tells_what_each_is_good_for(line: CommandLine, gateway: FakeGateway) -> None:
    hosts = gateway.hosts
    hosts.add("lab1", max_sandboxes=4, sandboxes=2, labels={"gpu": "yes"})
    hosts.add("lab2", connected=False, sandboxes=1)
    hosts.add("lab3", draining=True)
    hosts.add("lab4", connected=False).ClearField("since")
    done = await line("host", "list")
    rows = {text.split()[0]: text.split()[1:] for text in done.out.splitlines()}
    assert rows["NAME"] == ["STATE", "FOR", "SANDBOXES", "LABELS"]
    assert (rows["lab1"][0], rows["lab1"][2:]) == ("connected", ["2/4", "gpu=yes"])
    assert (rows["lab2"][0], rows["lab2"][2]) == ("lost", "1")
    assert rows["lab3"][0] == "draining"
    assert rows["lab4"] == ["never", "came", "0"]
    assert done.err == ""
    narrow = (await line("host", "list", environ={"COLUMNS": "40"})).out
    assert all(len(text) <= 40 for text in narrow.splitlines())
    listed = json.loads((await line("host", "list", "-o", "json")).out)
    assert [one["state"] for one in listed] == ["connected", "lost", "draining", "never came"]
    assert (listed[0]["max_sandboxes"], listed[1]["max_sandboxes"]) == (4, None)


async def test_sandboxes_that_nobody_knows_are_warned_of(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.hosts.add("lab1", unknown_sandbox_ids=["a", "b"])
    done = await line("host", "list")
    assert "holds 2 sandboxes that this gateway does not know" in done.err
    assert "unknown sandboxes" in (await line("host", "get", "lab1")).out
    assert (await line("host", "prune", "lab1")).out == "2 sandboxes removed from host lab1\n"
    assert (await line("host", "prune", "lab1", "--yes")).out == "0 sandboxes removed from host lab1\n"


async def test_drain_and_remove(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.hosts.add("lab1", sandboxes=1)
    assert (await line("host", "drain", "lab1")).out == "host lab1 takes no more sandboxes\n"
    assert (await line("host", "drain", "lab1", "--undo")).out == "host lab1 takes sandboxes again\n"
    assert json.loads((await line("host", "drain", "lab1", "-o", "json")).out)["draining"]
    done = await line("host", "remove", "lab1")
    assert (done.code, done.err.count("\n")) == (1, 1)
    done = await line("host", "remove", "lab1", "--force")
    assert (done.out, done.err) == ("host lab1 removed\n", "forgotten with it: web\n")


@pytest.mark.parametrize("command", ["get", "drain", "remove", "prune"])
async def test_one_that_is_not_known(line: CommandLine, command: str) -> None:
    done = await line("host", command, "nope")
    assert (done.code, done.out) == (1, "")
    assert "host 'nope' does not exist" in done.err
