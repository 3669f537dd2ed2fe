"""API tokens: the secret alone on standard output, once."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_create_list_revoke(line: CommandLine, gateway: FakeGateway) -> None:
    done = await line("token", "create", "ci", "--ttl", "7d", "--scope", "exec", "--scope", "list")
    assert done.out == "s3cret\n"
    assert done.err == "token ci made, until 2033-05-18 03:33 UTC; its secret is shown this once\n"
    assert list(gateway.tokens["ci"].scopes) == ["exec", "list"]
    done = await line("token", "create", "bot", "--ttl", "0", "-o", "json")
    assert json.loads(done.out)["secret"] == "s3cret"
    assert "s3cret" not in (await line("token", "list", "-o", "yaml")).out
    assert (await line("token", "list")).out.splitlines()[1].split()[:2] == ["ci", "exec"]
    assert (await line("token", "revoke", "ci")).out == "token ci revoked\n"
    assert json.loads((await line("token", "revoke", "bot", "-o", "json")).out)["revoked"]
    assert (await line("token", "revoke", "nope")).code == 1


async def test_an_endless_one_says_so(line: CommandLine) -> None:
    assert "without an end" in (await line("token", "create", "ci", "--ttl", "0")).err


async def test_the_table_is_told_apart_in_a_narrow_window(line: CommandLine) -> None:
    for name, *more in (("ci", "--scope", "exec"), ("all", "--ttl", "0"), ("old",)):
        await line("token", "create", name, *more)
    await line("token", "revoke", "old")
    out = (await line("token", "list", environ={"COLUMNS": "40"})).out
    rows = {text.split()[0]: text.split()[1:3] for text in out.splitlines()}
    assert rows["NAME"] == ["SCOPES", "EXPIRES"]
    assert rows["all"] == ["all", "never"]
    assert rows["old"] == ["all", "revoked"]
    assert rows["ci"][0] == "exec" and re.fullmatch(r"\d{4}-\d\d-\d\d", rows["ci"][1])
    assert all(len(text) <= 40 for text in out.splitlines())
    listed = json.loads((await line("token", "list", "-o", "json")).out)
    assert {one["name"]: one["scopes"] for one in listed} == {"ci": ["exec"], "all": [], "old": []}


@pytest.mark.parametrize("ttl", ["", "1y", "-1", "1.5h", "d", "7 d"])
async def test_times_that_are_none(line: CommandLine, ttl: str) -> None:
    done = await line("token", "create", "ci", f"--ttl={ttl}")
    assert done.code == 2 and done.err.count("\n") == 1
