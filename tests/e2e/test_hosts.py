"""A sandbox host beside a gateway: placed there, used from here; each part killed; two agents; join."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.openssh import OpenSsh
from tests.e2e.test_deaths import kill_and_wait
from tests.e2e.test_forward import HASHER, ask, service
from tests.support.sandbox_host import SandboxHost
from tests.support.world import World

pytestmark = pytest.mark.e2e

GRACE = "3"  # seconds, in place of 15: how long a lost supervisor is waited for before its sandbox is unreachable


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="openshell-hosts-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[World]:
    """A gateway that outlives nothing but its own restarts."""
    world = World(folder / "gateway", "lab", detached=True)
    world.environ["OPENSHELL_SESSION_GRACE"] = GRACE
    world.start()
    yield world
    world.close()


def invitation(lab: World, name: str) -> bytes:
    return lab.run("gateway", "invite", name, "--role", "host").ok().out


@pytest.fixture(scope="module")
def machine(lab: World, folder: Path) -> Iterator[SandboxHost]:
    """One host with capacity."""
    made = SandboxHost(folder / "lab1")
    (folder / "images" / "tree").mkdir(parents=True)
    made.serve(*SERVE, "-", "--images", str(folder / "images"), line=invitation(lab, "lab1"))
    yield made
    lab.run("sandbox", "delete", "--all", "--yes").ok()
    made.close()


@pytest.fixture
def host(machine: SandboxHost) -> Iterator[SandboxHost]:
    """The host, whose agent serves again afterwards whatever a test did to it."""
    yield machine
    if machine.agent is None:
        machine.serve(*SERVE)


SERVE = ("serve", "--max", "3", "--label", "zone=lab")


@pytest.fixture
def web(lab: World, host: SandboxHost) -> Iterator[str]:
    lab.run("sandbox", "create", "web").ok()
    yield "web"
    lab.run("sandbox", "delete", "web").ok()


def got(lab: World, name: str = "web") -> dict[str, object]:
    found: dict[str, object] = lab.run("sandbox", "get", name, "-o", "json").json
    return found


def state_of(lab: World, name: str = "lab1") -> str:
    """`connected` or `lost`."""
    return str(lab.run("host", "get", name, "-o", "json").json["state"])


def execute(lab: World, *argv: str, name: str = "web") -> bytes:
    return lab.run("sandbox", "exec", "-n", name, "--", *argv).ok().out


def works(lab: World, name: str = "web") -> bool:
    """Whether a command runs; a supervisor may be away for longer than the grace."""
    return lab.run("sandbox", "exec", "-n", name, "--", "true").status == 0


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again: each question is a command, which takes its time."""
    while not condition():
        pass


def test_a_sandbox_is_placed_there_and_reached_in_every_way(
    lab: World, host: SandboxHost, web: str, tmp_path: Path
) -> None:
    found = got(lab)
    sandbox_id = str(found["id"])
    assert (found["host"], found["phase"]) == ("lab1", "Ready")
    assert host.state.sandbox_ids() == [sandbox_id]
    assert host.connections(sandbox_id) == 1
    assert execute(lab, "sh", "-c", "echo kept > /sandbox/mark; cat /sandbox/mark") == b"kept\n"
    ssh = OpenSsh.of(lab, web, tmp_path)
    ended = lab.command(ssh.ssh("echo out; exit 5"))
    assert (ended.status, ended.out) == (5, b"out\n")
    data = os.urandom(300_000)
    with service(lab, web, HASHER) as (address, _):
        assert len(ask(address, data)) == 64
        storm = [
            lab.popen("sandbox", "exec", "-n", web, "--", "echo", str(n), stdout=subprocess.PIPE) for n in range(8)
        ]
        assert host.connections(sandbox_id) == 1
        assert [each.communicate()[0] for each in storm] == [b"%d\n" % n for n in range(8)]
    assert host.connections(sandbox_id) == 1
    listed = lab.run("host", "list", "-o", "json").json
    assert [(each["name"], each["state"], each["running"]) for each in listed] == [("lab1", "connected", 1)]


def test_it_is_stopped_started_and_deleted_there(lab: World, host: SandboxHost) -> None:
    lab.run("sandbox", "create", "life").ok()
    sandbox_id = str(got(lab, "life")["id"])
    execute(lab, "sh", "-c", "echo kept > /sandbox/mark", name="life")
    lab.run("sandbox", "stop", "life").ok()
    assert (host.pid(sandbox_id, "init"), host.state.sandbox_ids()) == (0, [sandbox_id])
    lab.run("sandbox", "start", "life").ok()
    assert execute(lab, "cat", "/sandbox/mark", name="life") == b"kept\n"
    lab.run("sandbox", "delete", "life").ok()
    assert host.state.sandbox_ids() == []


def test_paths_are_the_hosts_and_only_those_that_it_allows(lab: World, host: SandboxHost, folder: Path) -> None:
    (folder / "images" / "link").symlink_to("/etc")
    for path in ("dir:/etc", f"dir:{folder}/gateway", f"dir:{folder}/images/link"):
        refused = lab.run("sandbox", "create", "bad", "--host", "lab1", "--from", path)
        assert refused.status == 1
        assert "not below the directories that this host allows" in refused.err
        lab.run("sandbox", "delete", "bad")


def test_a_host_is_full(lab: World, host: SandboxHost, web: str) -> None:
    for name in ("second", "third"):
        lab.run("sandbox", "create", name).ok()
    refused = lab.run("sandbox", "create", "fourth", "--host", "lab1")
    assert refused.status == 1
    assert "lab1" in refused.err
    for name in ("second", "third"):
        lab.run("sandbox", "delete", name).ok()


def test_a_main_process_runs_there_and_its_words_come_here(lab: World, host: SandboxHost) -> None:
    lab.run("sandbox", "create", "job", "--", "sh", "-c", "echo from there; exit 3")
    until(lambda: got(lab, "job")["phase"] == "Error")
    assert got(lab, "job")["exit_code"] == 3
    assert "from there" in lab.run("sandbox", "logs", "job").ok().text
    lab.run("sandbox", "delete", "job").ok()


def test_a_killed_supervisor_is_replaced(lab: World, host: SandboxHost, web: str) -> None:
    sandbox_id = str(got(lab)["id"])
    execute(lab, "sh", "-c", "echo kept > /tmp/mark")
    supervisor, init = host.pid(sandbox_id, "supervisor"), host.pid(sandbox_id, "init")
    kill_and_wait(supervisor)
    until(lambda: works(lab))
    assert execute(lab, "cat", "/tmp/mark") == b"kept\n"
    assert host.pid(sandbox_id, "init") == init
    assert host.pid(sandbox_id, "supervisor") not in (0, supervisor)
    assert host.connections(sandbox_id) == 1


def test_a_killed_init_is_told(lab: World, host: SandboxHost, web: str) -> None:
    kill_and_wait(host.pid(str(got(lab)["id"]), "init"))
    until(lambda: got(lab)["phase"] == "Error")
    lab.run("sandbox", "start", web).ok()
    assert execute(lab, "echo", "again") == b"again\n"


@pytest.mark.parametrize("kill", [True, False])
def test_without_its_agent_a_sandbox_goes_on_and_the_next_agent_takes_it_over(
    lab: World, host: SandboxHost, web: str, kill: bool
) -> None:
    sandbox_id = str(got(lab)["id"])
    supervisor = host.pid(sandbox_id, "supervisor")
    assert host.end(kill=kill) == (-signal.SIGKILL if kill else 0)
    until(lambda: state_of(lab) == "lost")
    assert execute(lab, "echo", "here") == b"here\n"
    host.serve(*SERVE)
    until(lambda: state_of(lab) == "connected")
    assert execute(lab, "echo", "here") == b"here\n"
    assert host.pid(sandbox_id, "supervisor") == supervisor


def test_a_lost_host_is_unreachable_since_when_and_comes_back(lab: World, host: SandboxHost, web: str) -> None:
    sandbox_id = str(got(lab)["id"])
    execute(lab, "sh", "-c", "echo kept > /tmp/mark")
    host.end(kill=True)
    kill_and_wait(host.pid(sandbox_id, "supervisor"))
    until(lambda: got(lab)["phase"] == "Unknown")
    told = lab.run("sandbox", "get", web).ok().text
    assert "lab1" in told
    assert "since" in told
    assert "Unreachable" in lab.run("sandbox", "list").ok().text
    host.serve(*SERVE)
    until(lambda: got(lab)["phase"] == "Ready")
    assert execute(lab, "cat", "/tmp/mark") == b"kept\n"


def test_the_gateway_restarts(lab: World, host: SandboxHost, web: str) -> None:
    sandbox_id = str(got(lab)["id"])
    init = host.pid(sandbox_id, "init")
    lab.stop()
    host.await_line("sandboxes go on")
    lab.start()
    host.await_line("connected as host")
    until(lambda: works(lab))
    assert host.pid(sandbox_id, "init") == init
    assert host.connections(sandbox_id) == 1


def test_one_agent_serves_a_host(host: SandboxHost) -> None:
    assert host.agent is not None
    status, _, errors = host.run("serve")
    assert (status, f"this host is served already, process {host.agent.pid}" in errors) == (1, True)
    assert host.run("leave")[0] == 1
    status, out, _ = host.run("status")
    assert status == 0
    assert f"by process {host.agent.pid}" in out


def test_what_is_wrong_with_an_invitation_is_said(lab: World, host: SandboxHost, folder: Path) -> None:
    line = invitation(lab, "lab2")
    other = SandboxHost(folder / "lab2")
    try:
        wrong = line.strip()[:-64] + b"0" * 64
        status, _, errors = other.run("serve", "-", stdin=wrong)
        assert (status, "is not the gateway that made this invitation" in errors) == (1, True)
        users = lab.run("gateway", "invite", "ada").ok().out
        status, _, errors = other.run("serve", "-", stdin=users)
        assert (status, "for a user, not for a host" in errors) == (2, True)
        other.serve("serve", "-", line=line)
        other.end()
        status, _, errors = other.run("serve", "-", stdin=line)
        assert (status, "this host is enrolled at gateway" in errors) == (1, True)
        assert other.run("leave")[0] == 0
        status, _, errors = other.run("serve", "-", stdin=line)
        assert (status, "used" in errors) == (1, True)
    finally:
        other.close()
        lab.run("host", "remove", "lab2", "--force")


def test_a_revoked_host_is_told(lab: World, folder: Path) -> None:
    other = SandboxHost(folder / "lab3")
    try:
        other.serve("serve", "-", line=invitation(lab, "lab3"))
        lab.run("gateway", "revoke", "lab3").ok()
        assert "sandboxes go on" in other.await_line("refused")
    finally:
        other.close()
        lab.run("host", "remove", "lab3", "--force")


def test_a_joined_host_has_one_sandbox_and_keeps_it(lab: World, folder: Path) -> None:
    joined = SandboxHost(folder / "joined")
    try:
        joined.serve("join", "-", "--name", "mine", line=invitation(lab, "laptop"))
        assert "sandbox 'mine' is on this host" in joined.shown()
        assert "openshell sandbox connect mine" in joined.shown()
        until(lambda: got(lab, "mine")["phase"] == "Ready")
        assert got(lab, "mine")["host"] == "laptop"
        assert execute(lab, "echo", "there", name="mine") == b"there\n"
        joined.end()
        joined.serve("join")
        assert "sandbox 'mine' is on this host" in joined.shown()
        assert len(joined.state.sandbox_ids()) == 1
        status, _, errors = joined.run("leave")
        assert (status, "served already" in errors) == (1, True)
        joined.end()
        status, _, errors = joined.run("leave")
        assert (status, "1 sandboxes are on this host" in errors) == (1, True)
        joined.serve("join")
        lab.run("sandbox", "delete", "mine").ok()
    finally:
        with contextlib.suppress(AssertionError):
            lab.run("sandbox", "delete", "mine").ok()
        joined.close()
        lab.run("host", "remove", "laptop", "--force")
