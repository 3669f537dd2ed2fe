"""`sandbox ports`: a table, data, a watch that a signal ends, hostile names."""

from __future__ import annotations

import asyncio
import json
import os
import signal

from pyopenshell.cli.app import run
from pyopenshell.cli.ports import row
from pyopenshell.sdk.ports import ListeningPort
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine

NODE = pb.ListeningPort(port=80, address="::1", pid=4, process="no\x1b[2Jde")
DNS = pb.ListeningPort(port=53, address="0.0.0.0", udp=True)


def test_a_pid_that_is_not_known_is_null() -> None:
    assert row(ListeningPort(53, "::", "", 0, True)) == {
        "port": 53, "protocol": "udp", "address": "::", "process": "", "pid": None,
    }  # fmt: skip


async def test_a_table_without_control_characters(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.snapshots = [pb.PortsSnapshot(ports=[DNS, NODE], truncated=True)]
    done = await line("sandbox", "ports", "web")
    assert done.code == 0
    rows = [shown.split() for shown in done.out.splitlines()]
    assert rows[0] == ["PORT", "ADDRESS", "PROCESS", "PID"]
    assert rows[1] == ["53/udp", "0.0.0.0"]
    assert "\x1b" not in done.out
    assert "more than was read" in done.err


async def test_a_watch_until_a_signal(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.snapshots = [pb.PortsSnapshot(ports=[NODE])]
    reading, writing = os.pipe()
    context = line.context(None, writing, None)
    task = asyncio.create_task(run(["sandbox", "ports", "web", "--watch", "-o", "json"], context))
    told = json.loads(await asyncio.to_thread(os.read, reading, 4096))
    assert told["ports"][0]["port"] == 80
    line.signals.send(signal.SIGINT)
    assert await asyncio.wait_for(task, 20) == 0
    os.close(reading)
    os.close(writing)
