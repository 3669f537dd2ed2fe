"""Logs and watch: lines for people, one object a line for programs."""

from __future__ import annotations

import json

import pytest

from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


@pytest.fixture(autouse=True)
def lines(gateway: FakeGateway) -> None:
    for number, level in enumerate(("INFO", "WARN", "")):
        line = pb.SandboxLogLine(source="sandbox", target="stdout", level=level, message=f"l{number}\t\x1b[2J")
        line.event_time.FromSeconds(3600 + number)
        gateway.log_lines.append(line)


async def test_logs(line: CommandLine) -> None:
    done = await line("sandbox", "logs", "web")
    assert done.out.splitlines() == [
        "01:00:00 INFO  sandbox: l0\t [2J",
        "01:00:01 WARN  sandbox: l1\t [2J",
        "01:00:02       sandbox: l2\t [2J",
    ]
    assert (await line("sandbox", "logs", "web", "-n", "1")).out.startswith("01:00:02")
    assert (await line("sandbox", "logs", "web", "--follow", "-n", "2")).out.count("\n") == 2
    assert (await line("sandbox", "logs", "web", "--follow")).out.count("\n") == 3


async def test_logs_for_programs(line: CommandLine) -> None:
    done = await line("sandbox", "logs", "web", "-o", "json")
    objects = [json.loads(text) for text in done.out.splitlines()]
    assert [one["message"] for one in objects] == [f"l{n}\t\x1b[2J" for n in range(3)]
    assert objects[0]["time"] == "1970-01-01T01:00:00Z" and objects[0]["kind"] == "log"


async def test_watch(line: CommandLine, gateway: FakeGateway) -> None:
    status = pb.SandboxStatus(phase=pb.SANDBOX_PHASE_ERROR, exit_code=3)
    status.conditions.add(message="it broke")
    gateway.after_create = [status]
    done = await line("sandbox", "watch", "web")
    assert done.out.splitlines() == [
        "web is ready",
        "web is error, exit 3: it broke",
        "Started: it runs",
        "warning: missed 3 events",
    ]
    done = await line("sandbox", "watch", "web", "-o", "json")
    assert [json.loads(text)["kind"] for text in done.out.splitlines()] == ["sandbox", "sandbox", "event", "warning"]


async def test_unknown(line: CommandLine) -> None:
    for argv in (["logs", "no"], ["logs", "no", "-f"], ["watch", "no"]):
        done = await line("sandbox", *argv)
        assert (done.code, done.err) == (1, "error: sandbox 'no' does not exist\n")
