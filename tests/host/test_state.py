from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pyopenshell.enrol.dialogue import Enrolled
from pyopenshell.enrol.invitation import Address, Invited
from pyopenshell.enrol.keys import Validity
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.model import new_id

NEAR, FAR = Address("192.0.2.1", 17670), Address("2001:db8::1", 17670)


def enrolled() -> Enrolled:
    return Enrolled(Invited.HOST, "lab1", "main", FAR, (), Validity(0.0, 300.0), b"CA", b"CERTIFICATE", b"KEY")


def test_what_an_invitation_made_is_kept_and_forgotten(tmp_path: Path) -> None:
    state = HostState(tmp_path / "host")
    assert state.load() is None
    made = state.enrol(enrolled(), [NEAR, FAR])
    assert made == HostFile("lab1", "main", ("[2001:db8::1]:17670", "192.0.2.1:17670"), 200.0)
    assert state.load() == made
    assert [state.credential(name).read_bytes() for name in ("ca.crt", "tls.crt", "tls.key")] == [
        b"CA",
        b"CERTIFICATE",
        b"KEY",
    ]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "host").rglob("*")}
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())
    assert stat.S_IMODE(state.directory.stat().st_mode) == 0o700
    (state.sandboxes / "x").mkdir(parents=True)
    state.forget()
    state.forget()
    assert (state.load(), (state.sandboxes / "x").is_dir()) == (None, True)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"name": "../x", "gateway": "g", "addresses": ["a:1"], "renew_after": 0}',
     '{"name": "x", "gateway": "g", "addresses": [], "renew_after": 0}',
     '{"name": "x", "gateway": "g", "addresses": ["a"], "renew_after": 0}',
     '{"name": "x", "gateway": "g", "addresses": ["a:1"], "renew_after": "x"}'],
)  # fmt: skip
def test_a_damaged_file_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "host.json").write_text(content)
    with pytest.raises(OpenShellError, match=r"host\.json cannot be read") as caught:
        HostState(tmp_path).load()
    assert caught.value.code is Code.PRECONDITION


def test_a_file_of_an_earlier_version_has_no_sandbox(tmp_path: Path) -> None:
    fields = {"name": "x", "gateway": "g", "addresses": ["a:1"], "renew_after": 1}
    (tmp_path / "host.json").write_text(json.dumps(fields))
    assert HostState(tmp_path).load() == HostFile("x", "g", ("a:1",), 1.0)


HOLDER = """
import sys
from pathlib import Path
from pyopenshell.host.state import HostState
HostState(Path(sys.argv[1])).hold()
print(flush=True)
sys.stdin.read()
"""


def test_two_agents_never_share_a_host(tmp_path: Path) -> None:
    state = HostState(tmp_path / "host")
    assert state.served_by() == 0
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state.directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert state.served_by() == other.pid
        with pytest.raises(OpenShellError, match=f"this host is served already, process {other.pid}") as caught:
            state.hold()
        assert caught.value.code is Code.CONFLICT
        other.send_signal(signal.SIGKILL)
    state.hold()
    state.let_go()
    state.let_go()
    (state.directory / "lock").unlink()
    (state.directory / "lock").symlink_to("elsewhere")
    with pytest.raises(OpenShellError, match="cannot be locked"):
        state.hold()


def test_sandboxes_are_told_from_other_files(tmp_path: Path) -> None:
    state = HostState(tmp_path)
    assert state.sandbox_ids() == []
    ids = sorted(new_id() for _ in range(3))
    for name in (*ids, "zygote.log", "not-an-id"):
        (state.sandboxes / name / "run").mkdir(parents=True)
    assert state.sandbox_ids() == ids
    assert state.running() == []
    lock = state.sandboxes / ids[1] / "run" / "init.lock"
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, 2); print(flush=True); sys.stdin.read()",
            str(lock),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as init:
        assert init.stdout is not None
        init.stdout.readline()
        assert state.running() == [ids[1]]
        os.kill(init.pid, signal.SIGKILL)
