"""`openshell-gateway` as a process: ready line, signals, lifetime, and the last line of a failed start."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.errors import EXIT_CODES, EXIT_ERROR, Code
from pyopenshell.gateway.app import Gateway
from pyopenshell.gateway.main import _hurry, _read_lifetime, main

TIMEOUT = 60  # seconds; a start makes keys and probes the machine


class Process:
    """A gateway of its own, in a directory of its own."""

    def __init__(self, directory: Path, *flags: str, lifetime: int | None = None) -> None:
        ready, ready_far = os.pipe()
        self.state = directory / "state"
        passed = [ready_far] if lifetime is None else [ready_far, lifetime]
        if lifetime is not None:
            flags = (*flags, "--lifetime-fd", str(lifetime))
        command = [sys.executable, "-m", "pyopenshell.gateway.main", "--name", "test", "--state", str(self.state)]
        self.process = subprocess.Popen(
            [*command, "--ready-fd", str(ready_far), *flags],
            env={**os.environ, "XDG_RUNTIME_DIR": str(directory / "run"), "OPENSHELL_LOG_LEVEL": "info"},
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(ready_far)
        with os.fdopen(ready) as line:
            self.ready = line.read()

    def end(self) -> tuple[int, str]:
        """The exit status and what it said."""
        _, said = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, said

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.kill()


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ready_line_then_a_drain(gateway: Process, number: signal.Signals) -> None:
    ready = json.loads(gateway.ready)
    assert ready["pid"] == gateway.process.pid
    assert ready["endpoint"] == f"https://127.0.0.1:{ready['port']}"
    gateway.process.send_signal(number)
    status, said = gateway.end()
    assert status == 0, said
    assert "Traceback" not in said


@pytest.mark.e2e
def test_a_second_one_says_who_holds_the_state(gateway: Process, tmp_path: Path) -> None:
    second = Process(tmp_path)
    status, said = second.end()
    assert second.ready == ""
    assert status == EXIT_CODES[Code.CONFLICT]
    last = said.splitlines()[-1]
    assert last.startswith("error: ")
    assert str(gateway.process.pid) in last


@pytest.mark.e2e
async def test_the_end_of_the_lifetime_pipe_waits_for_no_relay() -> None:
    hurried = asyncio.Event()

    class Stopping(Gateway):
        def __init__(self) -> None:
            """Nothing of it is needed."""

        def hurry(self) -> None:
            hurried.set()

    lifetime, ours = os.pipe()
    os.set_blocking(lifetime, False)
    stop, orphaned = asyncio.Event(), asyncio.Event()
    _read_lifetime(lifetime, stop, orphaned)
    assert not stop.is_set()
    os.close(ours)
    _read_lifetime(lifetime, stop, orphaned)
    os.close(lifetime)
    assert stop.is_set()
    await _hurry(Stopping(), orphaned)
    assert hurried.is_set()


def test_the_end_of_the_lifetime_pipe_ends_it(tmp_path: Path) -> None:
    lifetime, ours = os.pipe()
    process = Process(tmp_path, lifetime=lifetime)
    os.close(lifetime)
    assert json.loads(process.ready)
    os.close(ours)
    status, said = process.end()
    assert status == 0, said


def test_unknown_keys_are_refused_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[gateway]\nprot = 1\n")
    assert main(["--state", str(tmp_path / "s"), "--config", str(config)]) == EXIT_CODES[Code.INVALID]
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "port" in said
    assert not (tmp_path / "s").exists()


def test_a_state_directory_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--state", str(tmp_path / "file" / "s")]) == EXIT_ERROR
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "example: openshell-gateway" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--port=65536", "--port=-1", "--name=a/b"])
def test_flags_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert main(["--state", str(tmp_path / "s"), flag]) == EXIT_CODES[Code.INVALID]
    assert capsys.readouterr().err.startswith("error: ")
