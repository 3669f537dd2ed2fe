"""`sandbox ports` with a real server in a real sandbox, and `wait_for_port` that sees one open."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support.world import World

pytestmark = pytest.mark.e2e

SERVER = (
    "import socket,time\ns=socket.create_server(('127.0.0.1',0))\nprint(s.getsockname()[1],flush=True)\ntime.sleep(600)"
)


def test_a_server_is_seen_and_named_and_its_end_too(world: World, web: str) -> None:
    command = ("sandbox", "exec", "-n", web, "--", "/usr/bin/python3", "-c", SERVER)
    server = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    watcher = world.popen(
        "sandbox", "ports", web, "--watch", "-o", "json", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert watcher.stdout is not None
    try:
        first = json.loads(watcher.stdout.readline())
        (row,) = (one for one in first["ports"] if one["port"] == port)
        assert row["process"].startswith("python3")
        assert (row["address"], row["protocol"]) == ("127.0.0.1", "tcp")
        assert str(port) in world.run("sandbox", "ports", web).ok().text
        server.terminate()
        assert port not in [one["port"] for one in json.loads(watcher.stdout.readline())["ports"]]
    finally:
        for process in (server, watcher):
            process.terminate()
            process.communicate()
    assert watcher.returncode == 0
