from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.drivers import presence
from pyopenshell.drivers.configs import SupervisorConfig, ids_to_json, send_config, spec_to_json
from pyopenshell.drivers.messages import BadMessageError, close_all, pair, receive_message
from pyopenshell.linux.ids import candidates, range_ids
from pyopenshell.linux.namespaces import NAMES
from pyopenshell.model import SandboxSpec
from pyopenshell.supervisor.birth import PRESENCE, receive_ssh, send_ssh

BASE = 0x90000

#: A supervisor that is born and tells what it is, then waits for the end of its standard input.
CHILD = """
import json, os, socket, sys
from pyopenshell.supervisor.birth import give_up_root, receive
birth = receive(socket.socket(fileno=int(sys.argv[1])))
give_up_root(birth)
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    "repr": repr(birth), "token": birth.token, "name": birth.name, "spec": birth.spec.workdir,
    "lifetime": birth.lifetime >= 0, "uid": status["Uid"].split(), "groups": status["Groups"].split(),
    "caps": status["CapPrm"] + status["CapEff"], "bounding": status["CapBnd"], "nnp": status["NoNewPrivs"],
    "there": sorted(os.listdir(f"/proc/self/fd/{birth.gateway_directory}")),
}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = pair()
    with near, far:
        yield near, far


@pytest.mark.parametrize("lifetime", [False, True])
def test_a_supervisor_is_born_without_root(
    tmp_path: Path, ends: tuple[socket.socket, socket.socket], lifetime: bool
) -> None:
    near, far = ends
    ids = candidates(BASE)[0]
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "gateway.sock").touch()
    run = tmp_path / "run"
    run.mkdir()
    if os.geteuid() == 0:
        os.chown(run, ids.supervisor, ids.supervisor)
    spec = spec_to_json(SandboxSpec(workdir="/w"))
    config = SupervisorConfig("id", "web", ids_to_json(ids), spec, "gateway.sock", lifetime, "SECRET", "SECRET")
    opened = [
        os.open(run, os.O_PATH),
        os.dup(near.fileno()),
        os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT),
        os.open(tmp_path / "far", os.O_PATH),
        *(os.pipe() if lifetime else ()),
    ]
    send_config(near, config, opened[: 4 + lifetime])
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(far.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[far.fileno()],
    ) as child:
        got = receive_message(near)
        assert got is not None
        message, fds = got
        assert (message["born"], len(fds)) == (child.pid, 1)
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        held = presence.find(run / PRESENCE)
        assert held is not None
        assert held.pid == child.pid
        held.release()
        close_all(fds)
        child.communicate()
    assert "SECRET" not in told["repr"]
    assert (told["token"], told["name"], told["spec"]) == ("SECRET", "web", "/w")
    assert (told["lifetime"], told["there"]) == (lifetime, ["gateway.sock"])
    assert told["uid"] == [str(ids.supervisor if os.geteuid() == 0 else os.geteuid())] * 4
    assert (told["caps"], told["nnp"]) == ("0" * 32, "1")
    if os.geteuid() == 0:
        assert (told["groups"], told["bounding"]) == ([], "0" * 16)
    assert presence.find(run / PRESENCE) is None
    close_all(opened)


def test_an_ssh_child_gets_what_was_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    relay, other = socket.socketpair()
    namespaces = {name: os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in NAMES}
    trusted = [os.open("/proc/self/ns/user", os.O_RDONLY), os.open("/", os.O_PATH)]
    send_ssh(near, {"host_key": "SECRET"}, relay.fileno(), other.fileno(), namespaces)
    birth = receive_ssh(far, trusted)
    assert birth.values == {"host_key": "SECRET"}
    assert "SECRET" not in repr(birth)
    assert birth.cgroup == (trusted[1],)
    assert os.path.samestat(os.fstat(birth.namespaces.net), Path("/proc/self/ns/net").stat())
    birth.relay.close()
    birth.spawn.close()
    birth.namespaces.close()
    for judged_by in ([trusted[1]], []):
        send_ssh(near, {}, relay.fileno(), other.fileno(), namespaces)
        with pytest.raises(BadMessageError, match="not this sandbox's"):
            receive_ssh(far, judged_by)
    send_ssh(near, {}, relay.fileno(), other.fileno(), {"user": namespaces["user"]})
    with pytest.raises(BadMessageError, match="not complete"):
        receive_ssh(far, trusted)
    close_all([*namespaces.values(), *trusted])
    relay.close()
    other.close()
    near.close()
    with pytest.raises(EOFError):
        receive_ssh(far, [])


def test_a_range_has_one_id_more_for_its_supervisor() -> None:
    assert range_ids(BASE).supervisor == BASE + 65536
