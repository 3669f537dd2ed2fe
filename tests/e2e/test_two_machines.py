"""A user, a gateway and a sandbox host, each on a machine of its own; the host refuses every connection to it.

User and host came by invitations. Between the machines is a router whose cables are pulled; see `tests/support/machines.py`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.openssh import OpenSsh
from tests.support.machines import Inside, Machine, Machines, missing, pulled

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(missing()), reason=missing())]

PORT = 17670
CABLE_OUT = 20.0  # seconds
STORM = 50
ECHO = """
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def lab(machines: Machines) -> Iterator[Machines]:
    """A gateway that is open to the network, a host that serves it with the sandbox `web`, and a user who was invited."""
    machines.gateway.run("gateway", "start", "--bind", f"0.0.0.0:{PORT}", "--san", "gateway.test").ok()
    agent = serve(machines, "--max", "5", line=invitation(machines, "lab1", "host"))
    machines.gateway.run("sandbox", "create", "web", "--host", "lab1").ok()
    machines.user.run("gateway", "add", "-", "--name", "lab", stdin=invitation(machines, "ada")).ok()
    yield machines
    end(agent)


def invitation(machines: Machines, name: str, role: str = "user") -> bytes:
    told = machines.gateway.run("gateway", "invite", name, "--role", role, "--address", f"gateway.test:{PORT}").ok()
    return next(line for line in told.out.splitlines() if line.startswith(b"os-"))


def serve(machines: Machines, *options: str, line: bytes) -> Inside:
    """An agent on the host, once the gateway has it."""
    argv = ["openshell-supervisor", "serve", "-", *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    agent = machines.host.start(argv, **pipes)
    assert agent.stdin is not None
    agent.stdin.write(line + b"\n")
    agent.stdin.close()
    agent.stdin = None
    while not hosts(machines):
        assert agent.poll() is None, "the agent ended"
    return agent


def hosts(machines: Machines) -> list[str]:
    """The names of the hosts that are connected."""
    listed = machines.gateway.run("host", "list", "-o", "json").json
    return [host["name"] for host in listed if host["state"] == "connected"]


def supervisors_connections(machines: Machines) -> int:
    """How many TCP connections the supervisor of `web` has, counted on its machine by its process."""
    script = "ss -Htnp | grep -c \"pid=$(ps -eo pid=,args= | awk '/openshell-supervisor: web/ && !/awk/ {print $1}'),\""
    return int(machines.host.command(["sh", "-c", script]).text)


def execute(machine: Machine, *argv: str, stdin: bytes = b"") -> tuple[int, bytes]:
    ended = machine.run("sandbox", "exec", "-n", "web", "--", *argv, stdin=stdin)
    return ended.status, ended.out


@contextlib.contextmanager
def forwarded(machine: Machine, program: str) -> Iterator[tuple[str, int]]:
    """A Python server in the sandbox that outlives whoever started it, and the address on `machine` that leads to it."""
    detach = 'rm -f /tmp/port; setsid /usr/bin/python3 -c "$0" > /tmp/port 2>&1 < /dev/null & '
    detach += "while ! [ -s /tmp/port ]; do :; done; cat /tmp/port"
    status, told = execute(machine, "sh", "-c", detach, program)
    assert status == 0
    command = ("forward", "service", "web", "--target-port", told.decode().strip())
    listener = machine.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert listener.stdout is not None
        host, _, local = listener.stdout.readline().decode().split()[1].rpartition(":")
        yield host, int(local)
    finally:
        end(listener)
        execute(machine, "sh", "-c", "kill $(cat /proc/[0-9]*/stat | awk '$2 == \"(python3)\" {print $1}')")


def end(process: Inside) -> None:
    process.terminate()
    process.communicate()


def echoes(machine: Machine, address: tuple[str, int]) -> bool:
    """Whether a new connection through the forward carries bytes both ways; False where it was refused or broke."""
    with contextlib.suppress(ConnectionError), machine.connect(address) as near:
        near.sendall(b"there and back")
        return near.recv(100) == b"there and back"
    return False


def test_exec(lab: Machines) -> None:
    assert execute(lab.user, "sh", "-c", "cat; exit 7", stdin=b"over the wire") == (7, b"over the wire")


def test_ssh_and_scp(lab: Machines, tmp_path: Path) -> None:
    ssh = OpenSsh.of(lab.user, "web", tmp_path)  # type: ignore[arg-type]
    ended = lab.user.command(ssh.ssh("echo out; echo err >&2; exit 5"))
    assert (ended.status, ended.out, ended.err) == (5, b"out\n", "err\n")
    data = os.urandom(300_000)
    (tmp_path / "there").write_bytes(data)
    lab.user.command(ssh.scp(str(tmp_path / "there"), "{}:/tmp/carried")).ok()
    lab.user.command(ssh.scp("{}:/tmp/carried", str(tmp_path / "back"))).ok()
    assert (tmp_path / "back").read_bytes() == data


def test_forward(lab: Machines) -> None:
    with forwarded(lab.user, ECHO) as address:
        assert echoes(lab.user, address)


def test_where_it_runs(lab: Machines) -> None:
    found = lab.gateway.run("sandbox", "get", "web", "-o", "json").json
    assert found["host"] == "lab1"
    assert "openshell-supervisor: web" not in lab.gateway.command(["ps", "axo", "args"]).text
    assert "openshell-supervisor: web" in lab.host.command(["ps", "axo", "args"]).text


def test_the_supervisor_has_one_connection_before_in_and_after_a_storm(lab: Machines) -> None:
    command = ("sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo $0; exit 3")
    assert supervisors_connections(lab) == 1
    storm = [lab.user.popen(*command, str(n), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for n in range(STORM)]
    seen = set()
    while any(process.poll() is None for process in storm):
        seen.add(supervisors_connections(lab))
    ended = [(process.communicate()[0], process.returncode) for process in storm]
    assert ended == [(b"%d\n" % n, 3) for n in range(STORM)]
    assert seen == {1}
    assert supervisors_connections(lab) == 1


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["user", "host"])
def test_a_cable_that_is_out_for_a_while(lab: Machines, whose: str) -> None:
    """A command that runs meanwhile goes on with every byte, or fails loudly; the listener works again by itself."""
    script = "echo begun; read go; echo done; exit 9"
    running = lab.user.popen(
        "sandbox", "exec", "-n", "web", "--", "sh", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdin is not None and running.stdout is not None
    with forwarded(lab.user, ECHO) as address:
        assert running.stdout.readline() == b"begun\n"
        assert echoes(lab.user, address)
        with pulled(lab, getattr(lab, whose), CABLE_OUT):
            running.stdin.write(b"go\n")
            running.stdin.flush()
        out, err = running.communicate()
        assert (running.returncode, out) == (9, b"done\n") or (running.returncode == 255 and b"lost" in err)
        assert execute(lab.user, "echo", "back") == (0, b"back\n")
        while not echoes(lab.user, address):
            pass


@pytest.mark.slow
def test_another_address_of_the_user(lab: Machines) -> None:
    """The connections of the old address are dead without a word: the next command works, and so does the listener.

    A connection that was accepted before the listener knew of it is reset; that takes the 25 s of `streams/liveness.py`.
    """
    old = lab.user.address
    with forwarded(lab.user, ECHO) as address:
        assert echoes(lab.user, address)
        lab.move(lab.user, "10.77.1.77")
        try:
            assert execute(lab.user, "echo", "moved") == (0, b"moved\n")
            while not echoes(lab.user, address):
                pass
        finally:
            lab.move(lab.user, old)


def test_a_used_invitation_is_refused(lab: Machines) -> None:
    line = invitation(lab, "bob")
    lab.user.run("gateway", "add", "-", "--name", "bobs", stdin=line).ok()
    again = lab.user.run("gateway", "add", "-", "--name", "again", stdin=line)
    assert again.status != 0
    assert "invitation" in again.err
    assert "osi_" not in again.err, "a code is a secret, also a used one"
    lab.user.run("gateway", "remove", "bobs").ok()


def test_a_host_joins_once(lab: Machines) -> None:
    """Begun a second time, with another invitation: refused in words, and the first one serves on."""
    line = invitation(lab, "lab2", "host")
    again = lab.host.command(["openshell-supervisor", "serve", "-"], stdin=line)
    assert again.status != 0
    assert "served already" in again.err
    assert hosts(lab) == ["lab1"]
    assert execute(lab.user, "echo", "serves on") == (0, b"serves on\n")


def test_two_hosts_of_one_name(lab: Machines) -> None:
    """The name is taken, so a second machine cannot have it; the user's plays it."""
    refused = lab.gateway.run("gateway", "invite", "lab1", "--role", "host")
    line = next((line for line in refused.out.splitlines() if line.startswith(b"os-")), b"")
    if line:
        taken = lab.user.command(["openshell-supervisor", "serve", "-"], stdin=line)
        assert taken.status != 0
        assert "lab1" in taken.err
    else:
        assert "lab1" in refused.err
    assert hosts(lab) == ["lab1"]


def test_a_gateway_restored_from_an_old_database(lab: Machines, tmp_path: Path) -> None:
    """Who came after the copy was made is nobody whom that gateway knows, and is told what to do."""
    gateway, user = lab.gateway, lab.user
    state = Path(gateway.environ["XDG_STATE_HOME"]) / "openshell/gateways/local"
    gateway.run("gateway", "stop").ok()
    for file in state.glob("*.db*"):
        shutil.copy2(file, tmp_path / file.name)
    assert any(tmp_path.iterdir())
    gateway.run("gateway", "start").ok()
    user.run("gateway", "add", "-", "--name", "late", stdin=invitation(lab, "late")).ok()
    assert user.run("sandbox", "list", "--gateway", "late").status == 0
    gateway.run("gateway", "stop").ok()
    for file in state.glob("*.db*"):
        file.unlink()
    for file in tmp_path.iterdir():
        shutil.copy2(file, state / file.name)
    gateway.run("gateway", "start").ok()
    refused = user.run("sandbox", "list", "--gateway", "late")
    assert refused.status != 0
    assert "nobody whom this gateway knows" in refused.err
    assert execute(user, "echo", "ada is known") == (0, b"ada is known\n")
    user.run("gateway", "remove", "late").ok()
