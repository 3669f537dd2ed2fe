"""A kill in the middle of a bulk transfer: both ends see an error, never the clean end of a piece, and no status is 0.

Every transfer is an endless stream whose every byte is known, so a kill is always in the middle and a wrong byte is found.
What is killed, with SIGKILL: the client, the gateway, the supervisor, init, the SSH child, the process inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.openssh import OpenSsh
from tests.e2e.test_audit import Audit
from tests.e2e.test_deaths import kill_and_wait, processes
from tests.e2e.test_forward import forwarded
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LEAST = 4_000_000  # bytes that must have arrived before the kill
BLOCK = 4096
PYTHON = "/usr/bin/python3"
STREAM = """
import hashlib, os, socket, sys
def blocks():
    n = 0
    while True:
        yield hashlib.sha256(b"%d" % n).digest() * 128
        n += 1
def check(read):
    have, n = b"", 0
    for block in blocks():
        while len(have) < 4096:
            got = read(65536)
            if not got:
                return n
            have += got
        assert have.startswith(block), "a wrong byte"
        have = have[4096:]
        n += 4096
        if n - 4096 < 4000000 <= n:
            print("enough", flush=True)
"""
SEND = STREAM + "for block in blocks(): os.write(1, block)"
#: Leaves the file `end` where its input came to what looks like its end.
TAKE = STREAM + "check(lambda n: os.read(0, n)); open('/tmp/end', 'w').close()"
#: Serves one connection and leaves in the file `how` what its end looked like.
SERVE = STREAM + (
    """
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
c, _ = server.accept()
try:
    if sys.argv[1] == "down":
        for block in blocks():
            c.sendall(block)
    check(c.recv)
    how = "end"
except Exception as error:
    how = type(error).__name__
open("/tmp/how", "w").write(how)
"""
)
VICTIMS = ["client", "gateway", "supervisor", "init", "inside"]


@pytest.fixture(scope="module")
def cut_world() -> Iterator[World]:
    """A gateway whose sandboxes outlive it."""
    with tempfile.TemporaryDirectory(prefix="openshell-cuts-") as folder:
        world = World(Path(folder), "cuts", detached=True)
        world.start()
        yield world
        world.close()


@pytest.fixture
def box(cut_world: World) -> Iterator[str]:
    """A sandbox of this test's own; the gateway runs again afterwards."""
    name = f"cut-{os.urandom(4).hex()}"
    cut_world.run("sandbox", "create", name).ok()
    yield name
    cut_world.start()
    cut_world.run("sandbox", "delete", name).ok()


@pytest.fixture
def audit(cut_world: World, box: str) -> Audit:
    return Audit(cut_world, str(cut_world.run("sandbox", "get", box, "-o", "json").json["id"]))


def take_least(descriptor: int) -> Iterator[None]:
    """Check the stream from `descriptor`: yields once LEAST has come; goes on to its end or its error."""
    have, number = b"", 0
    told = False
    while data := os.read(descriptor, 65536):
        have += data
        while len(have) >= BLOCK:
            assert have.startswith(block(number))
            have = have[BLOCK:]
            number += 1
        if number * BLOCK >= LEAST and not told:
            told = True
            yield
    assert block(number).startswith(have)
    assert told


def block(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest() * (BLOCK // 32)


@contextlib.contextmanager
def pumping(descriptor: int) -> Iterator[None]:
    """The stream goes into `descriptor` until nobody reads it or the body is over."""
    with subprocess.Popen([sys.executable, "-c", SEND], stdout=descriptor, stderr=subprocess.DEVNULL) as source:
        try:
            yield
        finally:
            source.kill()


def find(first: str, *words: str) -> int:
    """The one process as `find_all` finds it."""
    (pid,) = find_all(first, *words)
    return pid


def find_all(first: str, *words: str) -> list[int]:
    """The processes of this machine whose command line begins with `first` and has `words`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            argv = (folder / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
            if argv[0].startswith(first) and all(word in argv for word in words):
                found.append(int(folder.name))
    return found


def kill(world: World, box: str, victim: str, client: int, marker: str) -> None:
    """SIGKILL the victim. What ran in the sandbox has ended when this returns, with two exceptions that a test waits for."""
    if victim == "client":
        kill_and_wait(client)
    elif victim == "inside":
        kill_and_wait(find(PYTHON, marker))
    elif victim == "ssh child":
        for pid in find_all(f"openshell-ssh: {box}"):  # one that serves, perhaps one that waits for the next connection
            kill_and_wait(pid)
    else:
        kill_and_wait(processes(world, box)[victim])


@contextlib.contextmanager
def watched(marker: str) -> Iterator[int]:
    """A pidfd of the process inside with `marker`."""
    held = os.pidfd_open(find(PYTHON, marker))
    try:
        yield held
    finally:
        os.close(held)


def has_ended(held: int) -> None:
    assert select.select([held], [], [], 60)[0], "the process inside lives on"


def left_inside(world: World, box: str, victim: str, name: str) -> bytes | None:
    """What the process inside left in its file, where the sandbox still runs; None for no file."""
    if victim == "init":
        return None
    world.start()
    ended = world.run("sandbox", "exec", "-n", box, "--", "cat", f"/tmp/{name}")
    return ended.out if ended.status == 0 else None


def finished(process: subprocess.Popen[bytes], victim: str, expected: tuple[int, ...]) -> None:
    status = process.wait(60)
    assert status in ((-signal.SIGKILL,) if victim == "client" else expected)


def outcome(audit: Audit, victim: str, target: str, expected: dict[str, tuple[str, ...]]) -> None:
    """The audit says how the relay ended; a gateway that was killed could not."""
    if victim != "gateway":
        (closed,) = audit.closed(target)
        assert closed["status_code"] in expected[victim]


COMMAND = {
    "client": ("broken_near",),
    "supervisor": ("broken_far",),
    "init": (
        "broken_far",
        "revoked",
    ),  # whichever is seen first: the supervisor's end of the relay, or the sandbox's end
    "ssh child": ("broken_far",),
    "inside": ("completed",),
}
#: The end of a killed `ssh` is, for its ProxyCommand, the end of input; then it revokes its token, which may be seen first.
SSH = COMMAND | {"client": ("broken_near", "completed", "revoked")}
CONNECTION = COMMAND | {"inside": ("broken_far",)}


@pytest.mark.parametrize("victim", VICTIMS)
def test_exec_down(cut_world: World, box: str, audit: Audit, victim: str) -> None:
    marker = f"cut-{os.urandom(4).hex()}"
    command = ("sandbox", "exec", "-n", box, "--", PYTHON, "-c", SEND, marker)
    with cut_world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        taking = take_least(process.stdout.fileno())
        next(taking)
        with watched(marker) as held:
            kill(cut_world, box, victim, process.pid, marker)
            assert not list(taking)
            finished(process, victim, (128 + signal.SIGKILL,) if victim == "inside" else (255,))
            has_ended(held)
    outcome(audit, victim, "exec", COMMAND)


@pytest.mark.parametrize("victim", VICTIMS)
def test_exec_up(cut_world: World, box: str, audit: Audit, victim: str) -> None:
    marker = f"cut-{os.urandom(4).hex()}"
    command = ("sandbox", "exec", "-n", box, "--", PYTHON, "-c", TAKE, marker)
    with cut_world.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        with pumping(process.stdin.fileno()):
            process.stdin.close()
            assert process.stdout.readline() == b"enough\n"
            with watched(marker) as held:
                kill(cut_world, box, victim, process.pid, marker)
                finished(process, victim, (128 + signal.SIGKILL,) if victim == "inside" else (255,))
                has_ended(held)
    outcome(audit, victim, "exec", COMMAND)
    assert left_inside(cut_world, box, victim, "end") is None


def started(world: World, argv: list[str], stdin: int) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=world.environ, stdin=stdin, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("victim", [*VICTIMS, "ssh child"])
def test_ssh_down(cut_world: World, box: str, audit: Audit, victim: str, tmp_path: Path) -> None:
    marker = f"cut-{os.urandom(4).hex()}"
    argv = OpenSsh.of(cut_world, box, tmp_path).ssh(shlex.join((PYTHON, "-c", SEND, marker)))
    with started(cut_world, argv, subprocess.DEVNULL) as process:
        assert process.stdout is not None
        taking = take_least(process.stdout.fileno())
        next(taking)
        with watched(marker) as held:
            kill(cut_world, box, victim, process.pid, marker)
            assert not list(taking)
            finished(process, victim, (128 + signal.SIGKILL, 255) if victim == "inside" else (255,))
            has_ended(held)
    outcome(audit, victim, "ssh", SSH)


@pytest.mark.parametrize("victim", [*VICTIMS, "ssh child"])
def test_ssh_up(cut_world: World, box: str, audit: Audit, victim: str, tmp_path: Path) -> None:
    marker = f"cut-{os.urandom(4).hex()}"
    argv = OpenSsh.of(cut_world, box, tmp_path).ssh(shlex.join((PYTHON, "-c", TAKE, marker)))
    with started(cut_world, argv, subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        with pumping(process.stdin.fileno()):
            process.stdin.close()
            assert process.stdout.readline() == b"enough\n"
            with watched(marker) as held:
                kill(cut_world, box, victim, process.pid, marker)
                finished(process, victim, (128 + signal.SIGKILL, 255) if victim == "inside" else (255,))
                has_ended(held)
    outcome(audit, victim, "ssh", SSH)
    assert left_inside(cut_world, box, victim, "end") is None


@contextlib.contextmanager
def connected(world: World, box: str, direction: str, marker: str) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    """A connection through a forward to SERVE, and what SERVE prints. The server does not end with its exec's client."""
    start = f'setsid {PYTHON} -u -c "$0" {direction} {marker} > /tmp/out 2>&1 & '
    start += "while ! [ -s /tmp/out ]; do :; done; exec tail -f /tmp/out"
    with (
        inside_shell(world, box, start) as out,
        forwarded(world, box, int(out.readline())) as address,
        socket.create_connection(address) as near,
    ):
        yield near, out


@contextlib.contextmanager
def inside_shell(world: World, box: str, script: str) -> Iterator[IO[bytes]]:
    command = ("sandbox", "exec", "-n", box, "--", "sh", "-c", script, SERVE)
    process = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.kill()
        process.communicate()


def send_for_ever(near: socket.socket) -> None:
    """Returns by an exception: the connection's end."""
    for number in itertools.count():
        near.sendall(block(number))


def tcp_target(audit: Audit) -> str:
    names = (str(event.get("dst_endpoint", {}).get("svc_name", "")) for event in audit.events())
    return next(name for name in names if name.startswith("tcp"))


def forward_client(box: str) -> int:
    return find("", "forward", "service", box)


@pytest.mark.parametrize("victim", VICTIMS)
def test_forward_down(cut_world: World, box: str, audit: Audit, victim: str) -> None:
    marker = f"cut-{os.urandom(4).hex()}"
    with connected(cut_world, box, "down", marker) as (near, _), watched(marker) as held:
        taking = take_least(near.fileno())
        next(taking)
        client = forward_client(box) if victim == "client" else 0
        kill(cut_world, box, victim, client, marker)
        if victim == "inside":
            assert not list(taking)  # all that it had sent: its kernel ended the connection for it
        else:
            with pytest.raises(ConnectionResetError):
                list(taking)
        has_ended(held)
    target = tcp_target(audit)
    outcome(
        audit,
        victim,
        target,
        CONNECTION | {"inside": ("broken_near", "completed", "broken_far")},
    )
    if victim != "inside":
        assert left_inside(cut_world, box, victim, "how") in (b"ConnectionResetError", b"BrokenPipeError", None)


@pytest.mark.parametrize("victim", VICTIMS)
def test_forward_up(cut_world: World, box: str, audit: Audit, victim: str) -> None:
    marker = f"cut-{os.urandom(4).hex()}"
    with (
        connected(cut_world, box, "up", marker) as (near, out),
        watched(marker) as held,
        ThreadPoolExecutor() as pool,
    ):
        sending = pool.submit(send_for_ever, near)
        assert out.readline() == b"enough\n"
        client = forward_client(box) if victim == "client" else 0
        kill(cut_world, box, victim, client, marker)
        assert isinstance(sending.exception(), ConnectionError)
        has_ended(held)
    target = tcp_target(audit)
    outcome(audit, victim, target, CONNECTION)
    if victim not in ("inside", "init"):
        assert left_inside(cut_world, box, victim, "how") == b"ConnectionResetError"
