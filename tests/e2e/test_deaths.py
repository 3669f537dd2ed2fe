"""Each process killed in the middle: what must survive does, what must end ends, and the words are right."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_forward import HASHER, ask, forwarded
from tests.support.world import World

pytestmark = pytest.mark.e2e


def processes(world: World, sandbox: str) -> dict[str, int]:
    """Kind -> pid, of the gateway and one sandbox."""
    import asyncio

    from pyopenshell.sdk.client import Client

    async def ask_gateway() -> dict[str, int]:
        async with Client.of(environ=world.environ) as client:
            found = await client.processes() + await client.processes(sandbox)
            return {process.kind: process.pid for process in found}

    return asyncio.run(ask_gateway())


def kill_and_wait(pid: int) -> None:
    held = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(held, signal.SIGKILL)
        assert select.select([held], [], [], 30)[0]
    finally:
        os.close(held)


def test_running_sandboxes_are_adopted_after_the_gateway_restarts(lasting_world: World) -> None:
    world = lasting_world
    world.run("sandbox", "create", "web").ok()
    before = processes(world, "web")
    world.run("sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo kept > /tmp/mark").ok()
    kill_and_wait(before["gateway"])
    world.start()
    assert world.run("sandbox", "exec", "-n", "web", "--", "cat", "/tmp/mark").ok().out == b"kept\n"
    assert processes(world, "web")["init"] == before["init"]
    world.run("sandbox", "delete", "web").ok()


def test_a_dead_supervisor_is_replaced_and_the_sandbox_goes_on(own_world: World) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    world.run("sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo kept > /tmp/mark").ok()
    before = processes(world, "web")
    kill_and_wait(before["supervisor"])
    assert world.run("sandbox", "exec", "-n", "web", "--", "cat", "/tmp/mark").ok().out == b"kept\n"
    after = processes(world, "web")
    assert after["init"] == before["init"]
    assert after["supervisor"] != before["supervisor"]


def test_a_dead_init_is_an_error_with_a_reason_and_start_heals_it(own_world: World) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    watch = world.popen("sandbox", "watch", "web", "-o", "json", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert watch.stdout is not None
    watch.stdout.readline()
    kill_and_wait(processes(world, "web")["init"])
    while b"Error" not in watch.stdout.readline():
        pass
    watch.terminate()
    watch.communicate()
    ended = world.run("sandbox", "exec", "-n", "web", "--", "true")
    assert ended.status == 1
    assert "Error" in ended.err
    world.run("sandbox", "start", "web").ok()
    world.run("sandbox", "exec", "-n", "web", "--", "true").ok()


def test_losing_the_gateway_is_255_with_a_reason(own_world: World) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    command = ("sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo started; exec sleep 654")
    process = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    kill_and_wait(processes(world, "web")["gateway"])
    _, said = process.communicate(timeout=60)
    assert process.returncode == 255
    assert b"gateway" in said


@pytest.mark.parametrize("victim", ["gateway", "supervisor"])
def test_a_forward_survives_a_restart(lasting_world: World, victim: str) -> None:
    world = lasting_world
    world.run("sandbox", "create", "web").ok()
    script = (
        'nohup /usr/bin/python3 -c "$0" > /tmp/port 2>/dev/null & while ! [ -s /tmp/port ]; do :; done; cat /tmp/port'
    )
    port = int(world.run("sandbox", "exec", "-n", "web", "--", "setsid", "sh", "-c", script, HASHER).ok().out)
    with forwarded(world, "web", port) as address:
        before = ask(address, b"x")
        kill_and_wait(processes(world, "web")[victim])
        if victim == "gateway":
            world.start()
        world.run("sandbox", "exec", "-n", "web", "--", "true").ok()
        assert ask(address, b"x") == before


def test_stop_and_start_keep_the_workspace(world: World) -> None:
    world.run("sandbox", "create", "kept").ok()
    world.run(
        "sandbox", "exec", "-n", "kept", "--", "sh", "-c", "echo here > /sandbox/file; echo gone > /tmp/file"
    ).ok()
    world.run("sandbox", "stop", "kept").ok()
    ended = world.run("sandbox", "exec", "-n", "kept", "--", "true")
    assert ended.status == 1
    assert "Stopped" in ended.err
    world.run("sandbox", "start", "kept").ok()
    assert world.run("sandbox", "exec", "-n", "kept", "--", "cat", "/sandbox/file").ok().out == b"here\n"
    assert world.run("sandbox", "exec", "-n", "kept", "--", "cat", "/tmp/file").status == 1
    world.run("sandbox", "delete", "kept").ok()


def test_delete_leaves_nothing(world: World) -> None:
    world.run("sandbox", "create", "brief").ok()
    found = processes(world, "brief")
    sandbox_id = world.run("sandbox", "get", "brief", "-o", "json").json["id"]
    held = {kind: os.pidfd_open(found[kind]) for kind in ("init", "supervisor")}
    try:
        world.run("sandbox", "delete", "brief").ok()
        for descriptor in held.values():
            assert select.select([descriptor], [], [], 30)[0]
    finally:
        for descriptor in held.values():
            os.close(descriptor)
    assert not list(world.state.glob(f"sandboxes/*{sandbox_id}*"))
    assert sandbox_id not in Path("/proc/self/mountinfo").read_text()


def test_everything_ends_with_the_lifetime_pipe(tmp_path: Path) -> None:
    world = World(tmp_path, "brief")
    world.start()
    world.run("sandbox", "create", "web").ok()
    held = [os.pidfd_open(pid) for pid in processes(world, "web").values()]
    try:
        world.close()
        for descriptor in held:
            assert select.select([descriptor], [], [], 30)[0]
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_the_same_when_the_gateway_is_killed(tmp_path: Path) -> None:
    world = World(tmp_path, "killed")
    world.start()
    world.run("sandbox", "create", "web").ok()
    found = processes(world, "web")
    held = [os.pidfd_open(pid) for kind, pid in found.items() if kind != "gateway"]
    try:
        kill_and_wait(found["gateway"])
        world.close()
        for descriptor in held:
            assert select.select([descriptor], [], [], 30)[0]
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_a_second_gateway_on_the_same_state_is_refused(own_world: World) -> None:
    import sys

    argv = [
        sys.executable,
        "-m",
        "pyopenshell.gateway.main",
        "--name",
        "own",
        "--state",
        str(own_world.state),
        "--port",
        "0",
    ]
    ended = own_world.command(argv)
    assert ended.status == 1
    assert own_world.gateway.process is not None
    assert str(own_world.gateway.process.pid) in ended.err


def test_garbage_and_silence_on_the_port_harm_nobody(world: World, web: str) -> None:
    endpoint = world.run("gateway", "list", "-o", "json").json[0]["endpoint"]
    host, _, port = endpoint.removeprefix("https://").rpartition(":")
    silent = socket.create_connection((host, int(port)))
    with silent, socket.create_connection((host, int(port)), timeout=30) as garbage:
        garbage.sendall(os.urandom(10_000))
        try:
            while garbage.recv(65536):
                pass
        except ConnectionResetError:
            pass  # cut is cut
        world.run("sandbox", "exec", "-n", web, "--", "true").ok()
