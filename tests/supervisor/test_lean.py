"""What the zygote leaves out: it stays out, and everything that is served works without it."""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pyopenshell.drivers.zygote import _ENVIRONMENT, _FLAGS
from pyopenshell.supervisor.lean import ABSENT, ALIASES, EMPTY


def inside(program: str) -> Any:
    """What a process says that left everything out and loaded every kind of child, whole SSH connections too."""
    start = "import json, sys\nfrom pyopenshell.supervisor import lean\nbefore = len(sys.modules)\nlean.leave_out()\n"
    load = "from pyopenshell.supervisor import zygote\nfrom pyopenshell.supervisor.entries import load\nload()\n"
    done = subprocess.run(
        [sys.executable, *_FLAGS[1:], "-c", start + load + program],
        capture_output=True,
        text=True,
        timeout=60,
        env=_ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_that_is_left_out_comes_in_by_another_way() -> None:
    names = [
        *ABSENT,
        *EMPTY,
        *ALIASES,
        "cryptography.x509",
        "google.protobuf.text_format",
        "argparse",
        "tarfile",
        "gzip",
    ]
    told = inside(f"print(json.dumps([m and m.__doc__ for m in map(sys.modules.get, {names!r})]))")
    absent, empty, rest = told[: len(ABSENT)], told[len(ABSENT) :][: len(EMPTY)], told[len(ABSENT) + len(EMPTY) :]
    assert absent == [None] * len(ABSENT)
    assert all(text.startswith("Left out") for text in empty)
    assert rest[1:] == [None] * (len(rest) - 1)


def test_what_ssh_serves_and_what_is_to_come_is_there() -> None:
    """Sessions, SFTP, agent, TCP and Unix forwarding; all signatures and key exchanges that this server offers."""
    told = inside(
        """
import asyncssh
from asyncssh import agent, listener, sftp
from pyopenshell.supervisor import ssh_server
settings = ssh_server.options(asyncssh.generate_private_key("ssh-ed25519"))
print(json.dumps([
    [callable(each) for each in (sftp.SFTPServer, sftp.run_sftp_server, agent.SSHAgentListener,
        listener.create_unix_forward_listener, listener.create_tcp_forward_listener)],
    sorted(name.decode() for name in settings.kex_algs),
    sorted(name.decode() for name in settings.signature_algs),
    sorted(name.decode() for name in settings.encryption_algs),
]))
"""
    )
    callables, exchanges, signatures, ciphers = told
    assert callables == [True] * 5
    assert {"mlkem768x25519-sha256", "curve25519-sha256"} <= set(exchanges)
    assert len(signatures) == 6
    assert len(ciphers) == 3


def test_messages_are_read_and_written() -> None:
    told = inside(
        """
from datetime import timedelta
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
accepted = pb.SessionAccepted(session_id="s")
accepted.heartbeat_interval.FromTimedelta(timedelta(seconds=10))
read = pb.GatewayMessage.FromString(pb.GatewayMessage(session_accepted=accepted).SerializeToString())
spec = pb.SandboxSpec()
print(json.dumps([
    read.WhichOneof("payload"), read.session_accepted.heartbeat_interval.ToTimedelta().total_seconds(), str(spec),
]))
"""
    )
    assert told == ["session_accepted", 10.0, ""]


def test_docstrings_stay_on_the_disk_where_there_is_bytecode_without_them(tmp_path: Path) -> None:
    for name in ("stripped", "plain"):
        (tmp_path / f"{name}.py").write_text('"""Words."""\nassert True\n')
    compileall.compile_file(tmp_path / "stripped.py", quiet=1, optimize=2)
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
            "from pyopenshell.supervisor import lean\n"
            "lean.prefer_bytecode_without_docstrings()\n"
            "import stripped, plain; print(stripped.__doc__, plain.__doc__)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "None Words.\n"
