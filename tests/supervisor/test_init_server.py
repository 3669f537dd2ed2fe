"""What the server refuses; what it does is in test_init_client.py, in a real sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.descriptors import sealed_memfd
from pyopenshell.model import ExecSpec
from pyopenshell.supervisor.init_client import Exit, InitClient
from tests.support.bare_init import Box, discard, output_of

#: A server in this pid namespace: every peer is from inside, and the first accept finds no descriptor.
SERVER = """
import errno, socket, sys, tempfile, os
from pyopenshell.linux.ids import single_ids
from pyopenshell.supervisor.init_loop import Loop
from pyopenshell.supervisor.init_server import Server
from pyopenshell.supervisor.init_spawn import Spawner
path = tempfile.mktemp()
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(path)
listener.listen()
class Poor:
    tries = 0
    def __getattr__(self, name):
        return getattr(listener, name)
    def accept(self):
        self.tries += 1
        if self.tries == 1:
            raise OSError(errno.EMFILE, "no descriptor")
        return listener.accept()
poor, loop = Poor(), Loop(print)
Server(loop, poor, Spawner({}, "/", single_ids()), {}, {})
ends = []
for _ in range(2):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(path)
    ends.append(sock)
loop.later(0.2, lambda: loop.stop(0))
loop.run()
os.unlink(path)
print([sock.recv(9) for sock in ends], poor.tries)
"""


def test_a_peer_from_inside_is_sent_away_and_the_reserve_serves_when_descriptors_are_gone() -> None:
    done = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[b'', b''] 3\n"


#: An orphan that has the pid of a process whose end was not acknowledged yet.
AGAIN = """
import os, socket
from pyopenshell.linux.ids import single_ids
from pyopenshell.supervisor.init_loop import Loop
from pyopenshell.supervisor.init_server import Server
from pyopenshell.supervisor.init_spawn import Spawner
from pyopenshell.supervisor.init_table import Row
server = Server(Loop(print), socket.socket(), Spawner({}, "/", single_ids()), {}, {})
pid = os.fork()
if pid == 0:
    os._exit(0)
row = Row(pid, "main", None, False, status=3 << 8)
server._table.add(row)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
server._reap()
print(row.exit()["code"])
"""


def test_an_orphan_is_not_taken_for_an_ended_process_with_its_pid() -> None:
    done = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "3\n"


async def ask(client: InitClient, request: dict[str, object], *fds: int) -> object:
    return await client._link.ask(request, fds)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "request_",
    [
        {"op": "nonsense"},
        {"op": "spawn"},
        {"op": "signal"},
        {"op": "signal", "pid": 1, "signal": 9, "group": False},
        {"op": "signal", "pid": -1, "signal": 9, "group": False},
        {"op": "signal", "pid": 0, "signal": 9, "group": True},
        {"op": "dial", "host": "127.0.0.1", "port": "x"},
        {"op": "attach", "pid": 77},
    ],
)
async def test_bad_requests_are_answered_and_init_lives(box: Box, request_: dict[str, object]) -> None:
    client = await box.connect()
    with pytest.raises(OpenShellError):
        await ask(client, request_)
    assert (await output_of(client, "true"))[2] == Exit()


@pytest.mark.e2e
@pytest.mark.parametrize("text", ["", "[]", json.dumps({"argv": ["a"]})])
async def test_a_memfd_without_a_command_is_refused(box: Box, text: str) -> None:
    client = await box.connect()
    memfd = sealed_memfd("x", text.encode())
    loose = os.memfd_create("loose")
    for fd in (memfd, loose):
        with pytest.raises(OpenShellError):
            await ask(client, {"op": "spawn"}, fd)
        os.close(fd)
    assert (await output_of(client, "true"))[2] == Exit()


@pytest.mark.e2e
async def test_an_init_without_descriptors_says_so_and_recovers(box: Box) -> None:
    client = await box.connect()
    running = []
    pid = box.running.init.pid
    import resource

    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (24, hard))
    with pytest.raises(OpenShellError) as caught:
        for _ in range(30):
            running.append(await client.spawn(ExecSpec(("sleep", "1000")), keep=True))
    assert caught.value.code is Code.EXHAUSTED
    assert "no room" in caught.value.message
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert (await output_of(client, "true"))[2] == Exit()
    for process in running:
        await process.signal(9)
        assert (await process.wait()).signal == 9
        discard(process.stdin, process.stdout, process.stderr)


@pytest.mark.e2e
async def test_orphans_are_reaped(box: Box) -> None:
    client = await box.connect()
    await output_of(client, "sh", "-c", "(sleep 0.01 &) ; exec true")
    out, _err, _how = await output_of(client, "sh", "-c", "sleep 0.05; ps -A -o stat=")
    assert b"Z" not in out
    await asyncio.sleep(0)
