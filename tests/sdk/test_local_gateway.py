"""A local gateway's life, with a small program in its place: ready, registered, stopped, and every way to fail."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pyopenshell.enrol.keys import validity
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk import local_gateway
from pyopenshell.sdk.gateways import Endpoint, Registry
from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.opening import Opening
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.processes import ProcessName, wait
from pyopenshell.sdk.running import drains, say_draining
from tests.support.enrolment import Authority

PROGRAM = """
import argparse, json, os, pathlib, signal, socket, sys
p = argparse.ArgumentParser()
for name in ("--name", "--state", "--port", "--ready-fd", "--config", "--bind"):
    p.add_argument(name)
p.add_argument("--san", action="append", default=[])
a = p.parse_args()
state = pathlib.Path(a.state)
(state / "seen.json").write_text(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "sid": os.getsid(0),
    "pid": os.getpid(), "token": os.environ.get("OPENSHELL_TOKEN", ""), "port": a.port,
    "stdin": os.readlink("/proc/self/fd/0")}))
pki = state / "pki"
pki.mkdir(exist_ok=True)
for name in ("ca.crt", "client.crt", "client.key"):
    (pki / name).write_text(name)
BODY
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind((a.bind or "127.0.0.1", int(a.port or 0)))
sock.listen()
port = sock.getsockname()[1]
ready = {"endpoint": f"https://{os.environ.get('HOST', '127.0.0.1')}:{port}", "pid": os.getpid(), "port": port,
    "listens": a.bind or ""}
os.write(int(a.ready_fd), json.dumps(ready).encode() + b"\\n")
os.close(int(a.ready_fd))
signal.pause()
"""

Make = Callable[..., LocalGateway]


@pytest.fixture
def make(paths: Paths, tmp_path: Path) -> Iterator[Make]:
    made: list[LocalGateway] = []

    def build(body: str = "", name: str = "local") -> LocalGateway:
        script = tmp_path / "program.py"
        script.write_text(PROGRAM.replace("BODY", body))
        local = LocalGateway(paths, name, (sys.executable, "-S", str(script)))
        made.append(local)
        return local

    yield build
    for local in made:
        local.stop()


def seen(local: LocalGateway) -> dict[str, object]:
    found: dict[str, object] = json.loads((local.state / "seen.json").read_text())
    return found


def test_start_registers_and_detaches(make: Make, paths: Paths) -> None:
    local = make()
    started = local.start({**os.environ, "OPENSHELL_TOKEN": "s3cret"})
    assert started.fresh and started.process.alive
    gateway = Registry(paths).resolve()
    assert gateway == started.gateway
    assert (gateway.name, gateway.is_remote, gateway.auth_mode) == ("local", False, "mtls")
    assert (gateway.ca.read_text(), gateway.certificate.read_text()) == ("ca.crt", "client.crt")
    assert gateway.key.read_text() == "client.key"
    told = seen(local)
    assert told["pid"] == told["sid"] == started.process.pid
    assert (told["cwd"], told["stdin"], told["token"]) == ("/", "/dev/null", "")
    assert local.log.stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_nothing(make: Make) -> None:
    first = make().start(os.environ)
    again = make().start(os.environ)
    assert (again.fresh, again.process, again.gateway) == (False, first.process, first.gateway)
    assert make().start(os.environ, port=first.gateway.endpoint.port).fresh is False
    with pytest.raises(OpenShellError, match=f"already runs on port .*process {first.process.pid}") as caught:
        make().start(os.environ, port=1)
    assert caught.value.code is Code.CONFLICT


def test_the_port_stays_over_a_restart(make: Make) -> None:
    local = make()
    first = local.start(os.environ)
    assert local.stop() == first.process
    assert not first.process.alive
    assert local.process is None and local.stop() is None
    second = local.start(os.environ)
    assert second.gateway.endpoint == first.gateway.endpoint
    assert second.process != first.process


def test_a_taken_port_is_told_with_its_holder(make: Make) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        with pytest.raises(OpenShellError, match=f"in use by process {os.getpid()}") as caught:
            make().start(os.environ, port=sock.getsockname()[1])
    assert caught.value.code is Code.CONFLICT


def test_a_gateway_that_says_why_it_did_not_start(make: Make, paths: Paths) -> None:
    local = make('print("noise"); sys.exit("error: the state directory is in use by process 7")')
    with pytest.raises(OpenShellError, match="did not start: the state directory is in use by process 7") as caught:
        local.start(os.environ)
    assert caught.value.code is Code.PRECONDITION
    assert str(local.log) in caught.value.hint
    assert Registry(paths).names() == []


@pytest.mark.parametrize("body", ["sys.exit(3)", 'os.write(int(a.ready_fd), b"rubbish\\n"); sys.exit(3)',
                                  'os.write(int(a.ready_fd), b"{}"); sys.exit(3)'])  # fmt: skip
def test_a_gateway_that_says_nothing_useful(make: Make, body: str) -> None:
    with pytest.raises(OpenShellError, match="it ended without a word"):
        make(body).start(os.environ)


def test_one_that_is_never_ready_is_ended(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_gateway, "START_TIMEOUT", 1.0)
    local = make("signal.pause()")
    with pytest.raises(OpenShellError, match="not ready within") as caught:
        local.start(os.environ)
    assert caught.value.code is Code.DEADLINE
    assert local.process is None


def test_one_that_does_not_even_listen_to_sigterm(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_gateway, "START_TIMEOUT", 1.0)
    monkeypatch.setattr(local_gateway, "STOP_TIMEOUT", 0.05)
    local = make("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()")
    with pytest.raises(OpenShellError, match="not ready within"):
        local.start(os.environ)


def test_one_that_ends_right_after_it_was_ready(make: Make) -> None:
    body = (
        'os.write(int(a.ready_fd), json.dumps({"endpoint": "https://127.0.0.1:1", "pid": 4194304, "port": 1}).encode()'
        ' + b"\\n"); sys.exit(0)'
    )
    with pytest.raises(OpenShellError, match="ended right after its start"):
        make(body).start(os.environ)


def test_a_remote_gateway_s_name_is_taken(make: Make, paths: Paths) -> None:
    Registry(paths).save("local", Endpoint("https", "lab.example", 1), is_remote=True, auth_mode="mtls")
    with pytest.raises(OpenShellError, match="is a remote one") as caught:
        make().start(os.environ)
    assert caught.value.code is Code.CONFLICT


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1, "start_time": 0}'])
def test_a_record_that_names_nobody(make: Make, text: str) -> None:
    local = make()
    local.state.mkdir(parents=True)
    (local.state / "process.json").write_text(text)
    assert local.process is None


def test_a_configuration_is_passed_on(make: Make, tmp_path: Path) -> None:
    local = make()
    local.start(os.environ, config=tmp_path / "gateway.toml")
    argv = seen(local)["argv"]
    assert isinstance(argv, list) and argv[-4:-2] == ["--config", str(tmp_path / "gateway.toml")]


def test_another_configuration_than_the_running_one_s_is_refused(make: Make, tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    for file in (one, two):
        file.write_text("[gateway]\nlog_level = 'debug'\n")
    first = make().start(os.environ, config=one)
    assert (first.config, first.stale) == (str(one), False)
    again = make().start(os.environ, config=one, default_config=two)
    assert (again.fresh, again.config, again.stale) == (False, str(one), False)
    with pytest.raises(OpenShellError, match=f"already runs with the configuration {one}.*gateway stop") as caught:
        make().start(os.environ, config=two)
    assert caught.value.code is Code.CONFLICT
    one.write_text("[gateway]\nlog_level = 'info'\n")
    with pytest.raises(OpenShellError, match="as it was before it was changed"):
        make().start(os.environ, config=one)
    assert make().start(os.environ).stale
    make().stop()
    make().start(os.environ)
    with pytest.raises(OpenShellError, match="already runs without a configuration file"):
        make().start(os.environ, config=one)


def test_the_default_configuration_is_a_fresh_gateway_s_and_later_a_hint(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[gateway]\nlog_level = 'debug'\n")
    assert make().start(os.environ, default_config=file).config == str(file)
    assert not make().start(os.environ, default_config=file).stale
    file.write_text("")
    assert make().start(os.environ, default_config=file).stale


@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_configured_port_is_the_gateway_s_to_take(make: Make, tmp_path: Path, where: str) -> None:
    make().start(os.environ)
    make().stop()
    file = tmp_path / "config.toml"
    file.write_text("[gateway]\nport = 4711\n" if where == "file" else "")
    environ = {**os.environ, **({"OPENSHELL_GATEWAY_PORT": "4711"} if where == "environment" else {})}
    local = make()
    local.start(environ, default_config=file)
    assert seen(local)["port"] is None
    local.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert local.start(environ, port=port, default_config=file).gateway.endpoint.port == port


@pytest.mark.parametrize(
    ("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("[::]", "::1"), ("[::1]", "::1"), ("192.0.2.7", "192.0.2.7")]
)
def test_it_is_registered_where_it_can_be_reached(make: Make, host: str, reached: str) -> None:
    assert make().start({**os.environ, "HOST": host}).gateway.endpoint.host == reached


def test_a_running_gateway_that_was_forgotten_is_registered_again(make: Make, paths: Paths) -> None:
    first = make().start(os.environ)
    Registry(paths).remove("local")
    again = make().start(os.environ)
    assert (again.fresh, again.process, again.gateway) == (False, first.process, first.gateway)
    assert again.gateway.certificate.read_text() == "client.crt"


DRAINS = """
def drain(*_):
    while not (state / "go").exists():
        signal.sigtimedwait([], 0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, drain)
"""


def test_one_that_drains_is_waited_for_and_started_anew(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    local = make(DRAINS)
    first = local.start(os.environ)
    stopping = threading.Thread(target=local.stop)
    stopping.start()
    while not drains(local.state, first.process):
        os.sched_yield()
    waited: list[ProcessName] = []

    def let_go(process: ProcessName, timeout: float) -> bool:
        waited.append(process)
        (local.state / "go").write_text("")
        return wait(process, timeout)

    monkeypatch.setattr(local_gateway, "wait", let_go)
    second = make().start(os.environ)
    assert waited == [first.process]
    assert second.fresh and second.process != first.process and second.process.alive
    stopping.join()
    assert local.process == second.process  # the stop of the first forgets nothing of the second


def test_one_that_drains_and_does_not_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    local = make()
    first = local.start(os.environ)
    say_draining(local.state, first.process)
    monkeypatch.setattr(local_gateway, "STOP_TIMEOUT", 0.0)
    with pytest.raises(OpenShellError, match=f"told to stop, and process {first.process.pid} has not ended") as caught:
        local.start(os.environ)
    assert caught.value.code is Code.DEADLINE


def test_where_it_listens_is_kept_and_taken_again(make: Make, paths: Paths) -> None:
    local = make()
    first = local.start(os.environ, opening=Opening("127.0.0.2", None, ("lab", "192.0.2.1")))
    assert seen(local)["argv"][4:10] == ["--bind", "127.0.0.2", "--san", "lab", "--san", "192.0.2.1"]
    assert (first.listens, first.warning) == ("127.0.0.2", "")
    assert Registry(paths).load("local").extra["san"] == ["lab", "192.0.2.1"]
    again = local.start(os.environ)
    assert not again.fresh and again.listens == "127.0.0.2"
    with pytest.raises(OpenShellError, match=r"already runs at 127\.0\.0\.2") as caught:
        local.start(os.environ, opening=Opening("127.0.0.1"))
    assert caught.value.code is Code.CONFLICT
    with pytest.raises(OpenShellError, match="already runs with the names lab"):
        local.start(os.environ, opening=Opening(names=("other",)))
    local.stop()
    later = local.start({**os.environ, "OPENSHELL_GATEWAY_PORT": "1"})
    assert seen(local)["argv"][4:8] == ["--bind", "127.0.0.2", "--san", "lab"]
    assert later.gateway.endpoint.port == first.gateway.endpoint.port
    local.stop()
    closed = local.start(os.environ, opening=Opening("127.0.0.1"))
    assert (closed.listens, closed.gateway.extra["bind"]) == ("127.0.0.1", "127.0.0.1")


def test_the_owners_certificate_says_when_it_is_renewed(make: Make) -> None:
    authority = Authority()
    pem = authority.sign(authority.key.public_key(), "owner").public_bytes(Encoding.PEM)
    gateway = make(f"(pki / 'client.crt').write_bytes({pem!r})").start(os.environ).gateway
    assert gateway.extra["renew_after"] == validity(pem).renew_after
